#include "codec/cbor.h"

/* The head of major type 7: simple values and floats. */
static bool
simple_head(struct bx_input *in, struct bx_head *h)
{
	switch (*h->at & 31) {
	case 20:
		h->kind = BX_HEAD_FALSE;
		return true;
	case 21:
		h->kind = BX_HEAD_TRUE;
		return true;
	case 22:
		h->kind = BX_HEAD_NULL;
		return true;
	case 23:
		h->kind = BX_HEAD_UNDEFINED;
		return true;
	case 24:
		h->kind = BX_HEAD_OTHER;
		if (h->value >= 32)
			return true;
		in->at = h->at;
		return bx_input_fail(in, "simple value is too long");
	case 25:
	case 26:
	case 27:
		h->kind = BX_HEAD_FLOAT;
		return true;
	case 31:
		h->kind = BX_HEAD_BREAK;
		return true;
	default:
		h->kind = BX_HEAD_OTHER;
		return true;
	}
}

bool
bx_cbor_wide_head(struct bx_input *in, struct bx_head *h)
{
	static const uint8_t kinds[7] = { BX_HEAD_UINT, BX_HEAD_NEGINT, BX_HEAD_BINARY,
					  BX_HEAD_TEXT, BX_HEAD_LIST,   BX_HEAD_MAP,
					  BX_HEAD_EXT };
	const uint8_t *p = in->at;
	unsigned major = *p >> 5;
	unsigned info = *p & 31u;
	unsigned width = 0;

	bx_head_set(h, p, BX_HEAD_OTHER, info, 0);
	if (info == 31) {
		if (major < 2 || major == 6)
			return bx_input_fail(in, "indefinite length where there is none");
		h->value = UINT64_MAX;
		h->indefinite = true;
	} else if (info >= 28) {
		return bx_input_fail(in, "reserved additional information");
	} else if (info >= 24) {
		width = 1u << (info - 24);
		if (bx_input_left(in) <= width)
			return bx_input_cut(in, 1 + width);
		h->value = bx_head_load(p + 1, width);
		h->width = (uint8_t)width;
	}
	in->at = p + 1 + width;
	if (major == 7)
		return simple_head(in, h);
	h->kind = kinds[major];
	return true;
}

bool
bx_cbor_chunk(struct bx_input *in, enum bx_head_kind kind, struct bx_span *chunk)
{
	struct bx_head h;

	if (!bx_cbor_head(in, &h))
		return false;
	if (h.kind == BX_HEAD_BREAK) {
		*chunk = (struct bx_span){ NULL, 0 };
		return true;
	}
	if (h.kind != kind || h.indefinite) {
		in->at = h.at;
		return bx_input_fail(in, "chunk is of another type than its string");
	}
	return kind == BX_HEAD_TEXT ? bx_input_take_utf8(in, h.value, chunk)
				    : bx_input_take(in, h.value, chunk);
}

/* What follows the head of a text or binary. */
static inline bool
walk_bytes(struct bx_input *in, const struct bx_head *h, bool check)
{
	struct bx_span bytes;

	if (!h->indefinite) {
		if (h->kind == BX_HEAD_TEXT && check)
			return bx_input_take_utf8(in, h->value, &bytes);
		return bx_input_take(in, h->value, &bytes);
	}
	do {
		if (!bx_cbor_chunk(in, (enum bx_head_kind)h->kind, &bytes))
			return false;
	} while (bytes.ptr != NULL);
	return true;
}

struct level {
	uint32_t items; /* still to come, or, if indefinite, passed */
	bool map;
	bool indefinite;
};

static inline bool
open_container(struct bx_input *in, const struct bx_head *h, struct level *l)
{
	bool map = h->kind == BX_HEAD_MAP;

	if (h->indefinite) {
		*l = (struct level){ 0, map, true };
		return true;
	}
	if (h->value > bx_input_left(in) >> map)
		return bx_input_cut(in, h->value);
	*l = (struct level){ (uint32_t)(h->value << map), map, false };
	return true;
}

/* `check` is a constant: UTF-8 of text that is not chunked matters only to bx_cbor_walk. */
static inline __attribute__((always_inline)) bool
walk(struct bx_input *in, uint32_t depth, bool check)
{
	struct level outer[BX_CODEC_DEPTH + 1];
	struct level l = { 1, false, false };
	uint32_t base = depth;
	uint32_t tags = 0; /* in front of the next value */

	for (;;) {
		struct bx_head h;

		if (!bx_cbor_head(in, &h))
			return false;
		switch (h.kind) {
		case BX_HEAD_EXT:
			if (depth + ++tags > BX_CODEC_DEPTH)
				return bx_input_fail(in, "nested too deeply");
			continue;
		case BX_HEAD_BREAK:
			if (!l.indefinite || tags != 0 || (l.map && (l.items & 1) != 0)) {
				in->at = h.at;
				return bx_input_fail(in, "break where a value is due");
			}
			l = outer[--depth];
			break;
		case BX_HEAD_LIST:
		case BX_HEAD_MAP:
			if (depth == BX_CODEC_DEPTH)
				return bx_input_fail(in, "nested too deeply");
			outer[depth++] = l;
			if (!open_container(in, &h, &l))
				return false;
			tags = 0;
			if (l.indefinite || l.items != 0)
				continue;
			l = outer[--depth];
			break;
		case BX_HEAD_TEXT:
		case BX_HEAD_BINARY:
			if (!walk_bytes(in, &h, check))
				return false;
			break;
		default:
			break;
		}
		tags = 0;
		while (l.indefinite ? (l.items++, false) : --l.items == 0) {
			if (depth == base)
				return true;
			l = outer[--depth];
		}
	}
}

bool
bx_cbor_walk(struct bx_input *in, uint32_t depth)
{
	return walk(in, depth, true);
}

enum bx_step
bx_cbor_extent(struct bx_span bytes, size_t *len, struct bx_defect *why)
{
	struct bx_input in = bx_input_over(bytes);

	if (bytes.len > BX_MESSAGE_MAX)
		in.end = in.begin + BX_MESSAGE_MAX;
	if (walk(&in, 0, false)) {
		*len = (size_t)(in.at - in.begin);
		return BX_STEP_ITEM;
	}
	if (in.lacks != 0) {
		/* Not believed beyond the largest message. */
		if (in.lacks <= BX_MESSAGE_MAX &&
		    (size_t)(in.at - in.begin) + in.lacks <= BX_MESSAGE_MAX)
			return BX_STEP_MORE;
		in.why = "message is too long";
	}
	(void)bx_input_tell(&in, why);
	return BX_STEP_FAIL;
}
