#include "CICU.h"

#include <unicode/ucol.h>
#include <unicode/uloc.h>

MadangCollator *madang_collator_open(const char *tag, int32_t length) {
  char locale[ULOC_FULLNAME_CAPACITY];
  int32_t parsed = 0;
  UErrorCode error = U_ZERO_ERROR;
  uloc_forLanguageTag(tag, locale, ULOC_FULLNAME_CAPACITY, &parsed, &error);
  if (U_FAILURE(error) || error == U_STRING_NOT_TERMINATED_WARNING || parsed != length) return 0;
  UCollator *collator = ucol_open(locale, &error);
  return U_FAILURE(error) ? 0 : (MadangCollator *)collator;
}

void madang_collator_close(MadangCollator *collator) { ucol_close((UCollator *)collator); }

int madang_collator_compare(const MadangCollator *collator, const char *left, int32_t leftLength,
                            const char *right, int32_t rightLength) {
  UErrorCode error = U_ZERO_ERROR;
  return ucol_strcollUTF8((const UCollator *)collator, left, leftLength, right, rightLength, &error);
}
