/* Bech32 (BIP 173) of byte strings, as age writes keys: any length, checksum constant 1. */
#ifndef BX_BASE_BECH32_H
#define BX_BASE_BECH32_H

#include <stdbool.h>

#include "base/writer.h"

/* prefix "1" groups-of-five-bits checksum. Neither function branches on, or indexes by, the bytes.
 */
static inline size_t
bx_bech32_len(size_t prefix_len, size_t bytes_len)
{
	return prefix_len + 1 + (bytes_len * 8 + 4) / 5 + 6;
}

/* `prefix` is lower case; `upper` writes all of the text in upper case (secrets look different). */
void bx_bech32_encode(struct bx_writer *w, const char *prefix, struct bx_span bytes, bool upper);

/*
 * `text` is all lower or all upper case and begins with `prefix` (given in lower case). False: it
 * is not such a text, its checksum is wrong, spare bits are set, or it does not hold exactly
 * `out_len` bytes; *out is then undefined.
 */
bool bx_bech32_decode(struct bx_span text, const char *prefix, uint8_t *out, size_t out_len);

#endif
