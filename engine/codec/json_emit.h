/* Canonical JSON text at full speed: the short cases of base/json_writer.h inline. */
#ifndef BX_CODEC_JSON_EMIT_H
#define BX_CODEC_JSON_EMIT_H

#include "base/json_scan.h"
#include "base/number.h"
#include "codec/codec.h"

/*
 * Room for text: a writer's `at` and `end` in registers. Functions return false when the text does
 * not fit; then nothing more may be written.
 */
struct bx_emit {
	uint8_t *at;
	uint8_t *end;
};

static inline size_t
bx_emit_room(const struct bx_emit *e)
{
	return (size_t)(e->end - e->at);
}

static inline bool
bx_emit_char(struct bx_emit *e, uint8_t c)
{
	if (e->at == e->end)
		return false;
	*e->at++ = c;
	return true;
}

/* `len` is a constant: the copy is one or two moves. */
static inline bool
bx_emit_word(struct bx_emit *e, const char *word, size_t len)
{
	if (bx_emit_room(e) < len)
		return false;
	memcpy(e->at, word, len);
	e->at += len;
	return true;
}

/* "00" to "99" */
extern const char bx_json_emit_pairs[200];

bool bx_json_emit_u64(struct bx_emit *e, uint64_t v);
/* -1 - v */
bool bx_json_emit_negint(struct bx_emit *e, uint64_t v);
bool bx_json_emit_double(struct bx_emit *e, double v);
bool bx_json_emit_binary(struct bx_emit *e, struct bx_span bytes);

/* What bx_emit_text found. */
enum bx_emitted { BX_EMITTED = 0, BX_EMIT_FULL, BX_EMIT_NOT_UTF8 };

enum bx_emitted bx_json_emit_text(struct bx_emit *e, struct bx_span s);

static inline bool
bx_emit_u64(struct bx_emit *e, uint64_t v)
{
	if (v < 10)
		return bx_emit_char(e, (uint8_t)('0' + v));
	if (v < 100)
		return bx_emit_word(e, bx_json_emit_pairs + 2 * v, 2);
	return bx_json_emit_u64(e, v);
}

/*
 * A string with its quotes, checked to be UTF-8. `end` is the end of the readable bytes around
 * `s`: most strings are short, and both ends of the copy have 16 bytes to spare.
 */
static inline enum bx_emitted
bx_emit_text(struct bx_emit *e, struct bx_span s, const uint8_t *end)
{
#if defined(__SSE2__)
	if (s.len <= 16 && end - s.ptr >= 16 && bx_emit_room(e) >= 18) {
		unsigned mask = bx_scan_special_mask(s.ptr) & ((1u << s.len) - 1);

		if (mask == 0) {
			e->at[0] = '"';
			memcpy(e->at + 1, s.ptr, 16);
			e->at[1 + s.len] = '"';
			e->at += s.len + 2;
			return BX_EMITTED;
		}
	}
#else
	(void)end;
#endif
	return bx_json_emit_text(e, s);
}

#endif
