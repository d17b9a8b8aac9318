/* Writing into memory of a known size: a writer cannot pass its end, and once full it stays full.
 */
#ifndef BX_BASE_WRITER_H
#define BX_BASE_WRITER_H

#include <stdbool.h>
#include <string.h>

#include "boxcar/span.h"

/*
 * `at` is where the next byte goes. When a put does not fit nothing of it is written, `full`
 * becomes true and every later put is ignored; check it once after a group of puts.
 */
struct bx_writer {
	uint8_t *begin;
	uint8_t *at;
	uint8_t *end;
	bool full;
};

static inline struct bx_writer
bx_writer_over(uint8_t *buf, size_t cap)
{
	return (struct bx_writer){ buf, buf, buf + cap, false };
}

static inline size_t
bx_room(const struct bx_writer *w)
{
	return (size_t)(w->end - w->at);
}

static inline size_t
bx_written(const struct bx_writer *w)
{
	return (size_t)(w->at - w->begin);
}

/* Returns where `len` bytes may be written, or NULL when they do not fit (and marks it full). */
static inline uint8_t *
bx_reserve(struct bx_writer *w, size_t len)
{
	uint8_t *p = w->at;

	if (w->full || bx_room(w) < len) {
		w->full = true;
		return NULL;
	}
	w->at += len;
	return p;
}

static inline void
bx_put(struct bx_writer *w, const void *bytes, size_t len)
{
	uint8_t *p = bx_reserve(w, len);

	if (p != NULL && len != 0)
		memcpy(p, bytes, len);
}

static inline void
bx_put_span(struct bx_writer *w, struct bx_span s)
{
	bx_put(w, s.ptr, s.len);
}

static inline void
bx_put_text(struct bx_writer *w, const char *text)
{
	bx_put(w, text, strlen(text));
}

static inline void
bx_put_u8(struct bx_writer *w, uint8_t v)
{
	if (w->full || w->at == w->end) {
		w->full = true;
		return;
	}
	*w->at++ = v;
}

static inline void
bx_store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
bx_store_be32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static inline void
bx_store_be64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

static inline void
bx_store_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
bx_store_le32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static inline void
bx_store_le64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static inline void
bx_put_be16(struct bx_writer *w, uint16_t v)
{
	uint8_t *p = bx_reserve(w, 2);

	if (p != NULL)
		bx_store_be16(p, v);
}

static inline void
bx_put_be32(struct bx_writer *w, uint32_t v)
{
	uint8_t *p = bx_reserve(w, 4);

	if (p != NULL)
		bx_store_be32(p, v);
}

static inline void
bx_put_be64(struct bx_writer *w, uint64_t v)
{
	uint8_t *p = bx_reserve(w, 8);

	if (p != NULL)
		bx_store_be64(p, v);
}

/* What was written since `from`, a position of the same writer. */
static inline struct bx_span
bx_since(const struct bx_writer *w, const uint8_t *from)
{
	return (struct bx_span){ from, (size_t)(w->at - from) };
}

#endif
