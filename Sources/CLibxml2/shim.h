// Its converters of character sets are not used; their headers are those of another ICU than Foundation's.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED
#include <libxml/xmlreader.h>
