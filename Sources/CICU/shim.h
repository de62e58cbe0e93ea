// ICU's functions carry its version in their names (`ucol_open_72`); these do not.
#include <unicode/ucol.h>
#include <unicode/uloc.h>

/// Opens the collator of a BCP 47 tag; NULL when the tag is not well-formed as a whole.
static inline UCollator *madang_collator_open(const char *tag, int32_t length) {
  char locale[ULOC_FULLNAME_CAPACITY];
  int32_t parsed = 0;
  UErrorCode error = U_ZERO_ERROR;
  uloc_forLanguageTag(tag, locale, ULOC_FULLNAME_CAPACITY, &parsed, &error);
  if (U_FAILURE(error) || error == U_STRING_NOT_TERMINATED_WARNING || parsed != length) return 0;
  UCollator *collator = ucol_open(locale, &error);
  return U_FAILURE(error) ? 0 : collator;
}

static inline void madang_collator_close(UCollator *collator) { ucol_close(collator); }

/// -1, 0 or 1: the order of two UTF-8 texts.
static inline int madang_collator_compare(
    const UCollator *collator, const char *left, int32_t leftLength, const char *right, int32_t rightLength) {
  UErrorCode error = U_ZERO_ERROR;
  return ucol_strcollUTF8(collator, left, leftLength, right, rightLength, &error);
}
