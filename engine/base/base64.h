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

/* Python's base64.b64decode(validate=False), as spec 2.1 describes; *exact: strict would do too. */
bool bx_base64_decode_lenient(struct bx_span text, struct bx_writer *w, bool *exact);

#endif
