#ifndef CICU_H
#define CICU_H

#include <stdint.h>

// ICU's own headers stay out of here: Foundation has another ICU inside, whose types have the same names.

/// A collator: an order of texts.
typedef struct MadangCollator MadangCollator;

/// Opens the collator of a BCP 47 tag; NULL when the tag is not well-formed as a whole.
MadangCollator *madang_collator_open(const char *tag, int32_t length);

void madang_collator_close(MadangCollator *collator);

/// -1, 0 or 1: the order of two UTF-8 texts.
int madang_collator_compare(const MadangCollator *collator, const char *left, int32_t leftLength,
                            const char *right, int32_t rightLength);

#endif
