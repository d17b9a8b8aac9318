/* UTF-8 validation (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF). */
#ifndef BX_BASE_UTF8_H
#define BX_BASE_UTF8_H

#include <stdbool.h>

#include "boxcar/span.h"

bool bx_utf8_valid(struct bx_span text);

/*
 * Length (2 to 4) of the sequence that begins with the non-ASCII byte at `p`, or 0 when it is
 * malformed or cut by `end`. The second byte carries all the rules of RFC 3629 section 4.
 */
static inline unsigned
bx_utf8_sequence(const uint8_t *p, const uint8_t *end)
{
	size_t left = (size_t)(end - p);
	uint8_t a = p[0];

	if (left < 2 || (p[1] & 0xC0) != 0x80)
		return 0;

	uint8_t b = p[1];

	if (a < 0xE0)
		return a >= 0xC2 ? 2 : 0;
	if (left < 3 || (p[2] & 0xC0) != 0x80)
		return 0;
	if (a < 0xF0) {
		if ((a == 0xE0 && b < 0xA0) || (a == 0xED && b >= 0xA0))
			return 0;
		return 3;
	}
	if (left < 4 || (p[3] & 0xC0) != 0x80)
		return 0;
	if (a > 0xF4 || (a == 0xF0 && b < 0x90) || (a == 0xF4 && b >= 0x90))
		return 0;
	return 4;
}

#endif
