/* Reading one binary message: a cursor that remembers why it stopped, and the head of a value. */
#ifndef BX_CODEC_INPUT_H
#define BX_CODEC_INPUT_H

#include "base/cursor.h"
#include "base/utf8.h"
#include "codec/codec.h"

/*
 * Borrowed bytes [begin, end). `at` never passes `end`; a function that returns false has set
 * `why` (static text) and left `at` where the trouble is.
 */
struct bx_input {
	const uint8_t *begin;
	const uint8_t *at;
	const uint8_t *end;
	const char *why;
	uint64_t lacks; /* not 0: the bytes end too early, and this many are needed after `at` */
};

static inline struct bx_input
bx_input_over(struct bx_span s)
{
	return (struct bx_input){ s.ptr, s.ptr, s.ptr + s.len, NULL, 0 };
}

/* The part of message `m` from offset `off` on; offsets of defects count from the message. */
static inline struct bx_input
bx_input_of(const struct bx_message *m, uint32_t off)
{
	return (struct bx_input){ m->bytes, m->bytes + off, m->bytes + m->len, NULL, 0 };
}

static inline size_t
bx_input_left(const struct bx_input *in)
{
	return (size_t)(in->end - in->at);
}

static inline bool
bx_input_fail(struct bx_input *in, const char *why)
{
	in->why = why;
	return false;
}

static inline bool
bx_input_cut(struct bx_input *in, uint64_t needed)
{
	in->lacks = needed;
	return bx_input_fail(in, "message ends inside a value");
}

/* Hands the reason over. Returns false, for `return`. */
static inline bool
bx_input_tell(const struct bx_input *in, struct bx_defect *why)
{
	*why = (struct bx_defect){ in->why, (size_t)(in->at - in->begin) };
	return false;
}

static inline bool
bx_input_take(struct bx_input *in, uint64_t len, struct bx_span *s)
{
	if (bx_input_left(in) < len)
		return bx_input_cut(in, len);
	*s = (struct bx_span){ in->at, (size_t)len };
	in->at += len;
	return true;
}

/* Names of options are short ASCII: those end here, the rest in bx_utf8_valid. */
static inline bool
bx_input_is_utf8(struct bx_span s)
{
	const uint64_t tops = 0x8080808080808080u;
	uint64_t a, b;

	if (s.len < 8 || s.len > 16)
		return bx_utf8_valid(s);
	memcpy(&a, s.ptr, 8);
	memcpy(&b, s.ptr + s.len - 8, 8);
	return ((a | b) & tops) == 0 || bx_utf8_valid(s);
}

/* A span that must be UTF-8. */
static inline bool
bx_input_take_utf8(struct bx_input *in, uint64_t len, struct bx_span *s)
{
	if (!bx_input_take(in, len, s))
		return false;
	if (!bx_input_is_utf8(*s)) {
		in->at = s->ptr;
		return bx_input_fail(in, "string is not UTF-8");
	}
	return true;
}

enum bx_head_kind {
	BX_HEAD_UINT = 0, /* value */
	BX_HEAD_NEGINT,   /* -1 - value */
	BX_HEAD_NULL,
	BX_HEAD_UNDEFINED, /* CBOR */
	BX_HEAD_FALSE,
	BX_HEAD_TRUE,
	BX_HEAD_FLOAT, /* the bytes of it have been passed */
	BX_HEAD_OTHER, /* CBOR simple value: nothing follows */
	/* From here on something follows the head. */
	BX_HEAD_TEXT,   /* value bytes */
	BX_HEAD_BINARY, /* value bytes */
	BX_HEAD_LIST,   /* value items */
	BX_HEAD_MAP,    /* value pairs of items */
	BX_HEAD_EXT,    /* MessagePack: value bytes of type ext; CBOR: tag `value` of one item */
	BX_HEAD_BREAK,  /* CBOR: the end of an indefinite value */
};

/* What the first bytes of a value say. */
struct bx_head {
	const uint8_t *at; /* its first byte */
	uint64_t value;
	uint8_t kind;
	uint8_t width;   /* bytes that carry `value` after the first */
	int8_t ext;      /* MessagePack ext type */
	bool indefinite; /* CBOR: value is UINT64_MAX, a break ends it */
};

/* Field by field: a copy in one piece would wait for its parts to reach memory. */
static inline void
bx_head_set(struct bx_head *h, const uint8_t *at, enum bx_head_kind kind, uint64_t value,
	    unsigned width)
{
	h->at = at;
	h->value = value;
	h->kind = (uint8_t)kind;
	h->width = (uint8_t)width;
	h->ext = 0;
	h->indefinite = false;
}

static inline uint64_t
bx_head_load(const uint8_t *p, unsigned width)
{
	switch (width) {
	case 1:
		return p[0];
	case 2:
		return bx_load_be16(p);
	case 4:
		return bx_load_be32(p);
	case 8:
		return bx_load_be64(p);
	default:
		return 0;
	}
}

#endif
