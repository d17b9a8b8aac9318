/* Reading hostile bytes: a cursor cannot pass its end, and once bad it stays bad. */
#ifndef BX_BASE_CURSOR_H
#define BX_BASE_CURSOR_H

#include <stdbool.h>
#include <string.h>

#include "boxcar/span.h"

/* What a step of a parser found. "More" and "end" are states, not errors. */
enum bx_step { BX_STEP_ITEM, BX_STEP_MORE, BX_STEP_END, BX_STEP_FAIL };

struct bx_cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline struct bx_cursor
bx_cursor_over(struct bx_span s)
{
	/* An empty span may hold NULL, and C forbids even NULL + 0. */
	const uint8_t *ptr = s.ptr != NULL ? s.ptr : (const uint8_t *)"";

	return (struct bx_cursor){ ptr, ptr + s.len, false };
}

static inline size_t
bx_left(const struct bx_cursor *c)
{
	return (size_t)(c->end - c->at);
}

static inline struct bx_span
bx_take(struct bx_cursor *c, size_t len)
{
	struct bx_span s = { c->at, len };

	if (c->bad || bx_left(c) < len) {
		c->bad = true;
		return (struct bx_span){ c->end, 0 };
	}
	c->at += len;
	return s;
}

static inline uint8_t
bx_take_u8(struct bx_cursor *c)
{
	if (c->bad || c->at == c->end) {
		c->bad = true;
		return 0;
	}
	return *c->at++;
}

static inline uint16_t
bx_load_be16(const uint8_t *p)
{
	return (uint16_t)((uint32_t)p[0] << 8 | p[1]);
}

static inline uint32_t
bx_load_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t
bx_load_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline uint16_t
bx_load_le16(const uint8_t *p)
{
	return (uint16_t)((uint32_t)p[1] << 8 | p[0]);
}

static inline uint32_t
bx_load_le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static inline uint64_t
bx_load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint16_t
bx_take_be16(struct bx_cursor *c)
{
	struct bx_span s = bx_take(c, 2);

	return s.len == 2 ? bx_load_be16(s.ptr) : 0;
}

static inline uint32_t
bx_take_be32(struct bx_cursor *c)
{
	struct bx_span s = bx_take(c, 4);

	return s.len == 4 ? bx_load_be32(s.ptr) : 0;
}

static inline uint64_t
bx_take_be64(struct bx_cursor *c)
{
	struct bx_span s = bx_take(c, 8);

	return s.len == 8 ? bx_load_be64(s.ptr) : 0;
}

static inline bool
bx_span_is(struct bx_span s, const char *text)
{
	size_t len = strlen(text);

	return s.len == len && (len == 0 || memcmp(s.ptr, text, len) == 0);
}

static inline bool
bx_span_equal(struct bx_span a, struct bx_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
