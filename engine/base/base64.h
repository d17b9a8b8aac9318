/* Standard padded base64 (RFC 4648 section 4). */
#ifndef BX_BASE_BASE64_H
#define BX_BASE_BASE64_H

#include <stdbool.h>

#include "base/writer.h"

static inline size_t
bx_base64_len(size_t bytes_len)
{
	return (bytes_len + 2) / 3 * 4;
}

/* Writes exactly bx_base64_len(in.len) characters to `out`; no NUL after them. Must not overlap. */
void bx_base64_encode(struct bx_span in, uint8_t *out);

/*
 * Strict: alphabet, padding and zero spare bits are checked. `out` holds at least text.len / 4 * 3
 * bytes. False leaves *out_len alone. May read `text` and write `out` at the same address.
 */
bool bx_base64_decode(struct bx_span text, uint8_t *out, size_t *out_len);

/* Strictly as bx_base64_decode, but writes nothing. */
bool bx_base64_check(struct bx_span text);

/*
 * Python's base64.b64decode(validate=False), as spec 2.1 describes; *exact: strict would do too.
 * False: not decodable, or `w` had no room (up to text.len bytes are needed; nothing is written).
 */
bool bx_base64_decode_lenient(struct bx_span text, struct bx_writer *w, bool *exact);

/*
 * What that reader makes of a text, one character at a time, as the strict text of the same bytes.
 * Start it at { 0 }. Rules: CPython 3.11 Modules/binascii.c, a2b_base64 without strict_mode.
 */
struct bx_base64_tidy {
	uint8_t place; /* characters in the current group of four */
	uint8_t pads;  /* "=" seen since the last of them */
	uint8_t value; /* six bits not written yet, when place is 2 or 3 */
	bool over;     /* the first complete padding was seen; what follows is ignored */
};

/* False: `code` (a code point) is not ASCII, which ends it all. `w` may be NULL: check only. */
bool bx_base64_tidy_feed(struct bx_base64_tidy *t, uint32_t code, struct bx_writer *w);

/* Ends the text. False: the padding is missing. */
bool bx_base64_tidy_end(struct bx_base64_tidy *t, struct bx_writer *w);

#endif
