/* ULEB128 numbers: seven bits a byte, least first, only the shortest form. */
#ifndef BX_ARCHIVE_ULEB_H
#define BX_ARCHIVE_ULEB_H

#include "base/cursor.h"
#include "base/writer.h"

#define BX_ULEB_MAX 10u

static inline size_t
bx_uleb_len(uint64_t v)
{
	return v == 0 ? 1 : (size_t)(63 - __builtin_clzll(v)) / 7 + 1;
}

static inline void
bx_uleb_put(struct bx_writer *w, uint64_t v)
{
	while (v >= 0x80) {
		bx_put_u8(w, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	bx_put_u8(w, (uint8_t)v);
}

/* Marks the cursor bad when the number is cut, longer than needed, or over `max`. */
static inline uint64_t
bx_uleb_take(struct bx_cursor *c, uint64_t max)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte = bx_take_u8(c);

		if (c->bad || (shift == 63 && byte > 1) || (shift != 0 && byte == 0))
			break;
		v |= (uint64_t)(byte & 0x7F) << shift;
		if ((byte & 0x80) == 0) {
			c->bad = v > max;
			return c->bad ? 0 : v;
		}
	}
	c->bad = true;
	return 0;
}

#endif
