/* UTF-8 validation (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF). */
#ifndef BX_BASE_UTF8_H
#define BX_BASE_UTF8_H

#include <stdbool.h>

#include "boxcar/span.h"

bool bx_utf8_valid(struct bx_span text);

#endif
