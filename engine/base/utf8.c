#include "base/utf8.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080u

/* First byte at or after `p` that is not ASCII, or `end`. */
static const uint8_t *
skip_ascii(const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 32) {
		uint64_t w[4];

		memcpy(w, p, 32);
		if (((w[0] | w[1] | w[2] | w[3]) & HIGH_BITS) != 0)
			break;
		p += 32;
	}
	while (end - p >= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		if ((w & HIGH_BITS) != 0)
			break;
		p += 8;
	}
	while (p < end && *p < 0x80)
		p++;
	return p;
}

bool
bx_utf8_valid(struct bx_span text)
{
	if (text.len == 0)
		return true; /* its pointer may be NULL */

	const uint8_t *p = text.ptr;
	const uint8_t *end = text.ptr + text.len;

	while ((p = skip_ascii(p, end)) < end) {
		/* Stay here while the script does: words of Greek or Kanji are long runs. */
		do {
			unsigned len = bx_utf8_sequence(p, end);

			if (len == 0)
				return false;
			p += len;
		} while (p < end && *p >= 0x80);
	}
	return true;
}
