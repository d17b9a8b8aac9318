/* JSON text as Python's json.dumps writes it: the canonical form of spec 2.1. */
#ifndef BX_BASE_JSON_WRITER_H
#define BX_BASE_JSON_WRITER_H

#include "base/writer.h"

/*
 * Separators "," and ":", no white space, non-ASCII raw. These write one value each; commas and
 * brackets are the caller's. Each marks the writer full when it does not fit.
 */

/* `utf8` (valid) with quotes; escapes only " \ and U+0000-001F (\b \f \n \r \t, else \u00xx). */
void bx_json_put_string(struct bx_writer *w, struct bx_span utf8);

/* As above, but without the surrounding quotes. */
void bx_json_put_string_body(struct bx_writer *w, struct bx_span utf8);

/* "\u0000<standard padded base64>" with quotes. */
void bx_json_put_binary(struct bx_writer *w, struct bx_span bytes);

void bx_json_put_u64(struct bx_writer *w, uint64_t v);
void bx_json_put_i64(struct bx_writer *w, int64_t v);

/* Shortest digits that round-trip: 1.0, 1e-05, 1e+16, -0.0, NaN, Infinity, -Infinity. */
void bx_json_put_double(struct bx_writer *w, double v);

/*
 * For terminals and logs: printable ASCII as it is, everything else (control characters, bidi
 * marks, all non-ASCII, invalid UTF-8) as \xNN, cut at `max` bytes with "...".
 */
void bx_json_put_safe(struct bx_writer *w, struct bx_span untrusted, size_t max);

#endif
