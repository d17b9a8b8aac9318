/* Canonical JSON text at full speed: the short cases of base/json_writer.h inline. */
#ifndef BX_CODEC_TEXT_EMIT_H
#define BX_CODEC_TEXT_EMIT_H

#include "base/json_scan.h"
#include "base/number.h"
#include "codec/codec.h"

/*
 * Room for text: a writer's `at` and `end` in registers. Functions return false when the text does
 * not fit; then `at` is lost, and nothing more may be written.
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
extern const char bx_text_emit_pairs[200];

/*
 * What is not short. They return where the text ends, or NULL when it does not fit: the room comes
 * and goes in registers.
 */
uint8_t *bx_text_emit_u64(uint8_t *at, uint8_t *end, uint64_t v);
/* -1 - v */
uint8_t *bx_text_emit_negint(uint8_t *at, uint8_t *end, uint64_t v);
uint8_t *bx_text_emit_double(uint8_t *at, uint8_t *end, double v);
uint8_t *bx_text_emit_binary(uint8_t *at, uint8_t *end, struct bx_span bytes);

/* A string with its quotes. *utf8 is set false when it is not UTF-8 (then NULL is returned). */
uint8_t *bx_text_emit_text(uint8_t *at, uint8_t *end, struct bx_span s, bool *utf8);

static inline bool
bx_emit_to(struct bx_emit *e, uint8_t *at)
{
	e->at = at;
	return at != NULL;
}

static inline bool
bx_emit_negint(struct bx_emit *e, uint64_t v)
{
	return bx_emit_to(e, bx_text_emit_negint(e->at, e->end, v));
}

static inline bool
bx_emit_double(struct bx_emit *e, double v)
{
	return bx_emit_to(e, bx_text_emit_double(e->at, e->end, v));
}

static inline bool
bx_emit_binary(struct bx_emit *e, struct bx_span bytes)
{
	return bx_emit_to(e, bx_text_emit_binary(e->at, e->end, bytes));
}

static inline bool
bx_emit_u64(struct bx_emit *e, uint64_t v)
{
	if (v < 10)
		return bx_emit_char(e, (uint8_t)('0' + v));
	if (v < 100)
		return bx_emit_word(e, bx_text_emit_pairs + 2 * v, 2);
	return bx_emit_to(e, bx_text_emit_u64(e->at, e->end, v));
}

/* What bx_emit_text found. */
enum bx_emitted { BX_EMITTED = 0, BX_EMIT_FULL, BX_EMIT_NOT_UTF8 };

/*
 * A string with its quotes, checked to be UTF-8. `end` is the end of the readable bytes around
 * `s`: most strings are short, and both ends of the copy have 16 bytes to spare.
 */
static inline __attribute__((always_inline)) enum bx_emitted
bx_emit_text(struct bx_emit *e, struct bx_span s, const uint8_t *end)
{
	bool utf8 = true;
	uint8_t *at;

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
	at = bx_text_emit_text(e->at, e->end, s, &utf8);
	e->at = at;
	if (at != NULL)
		return BX_EMITTED;
	return utf8 ? BX_EMIT_FULL : BX_EMIT_NOT_UTF8;
}

#endif
