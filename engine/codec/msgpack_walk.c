#include "codec/msgpack.h"

const struct bx_msgpack_row bx_msgpack_rows[32] = {
	{ BX_HEAD_NULL, 0 },   { BX_HEAD_BREAK, 0 },  { BX_HEAD_FALSE, 0 },  { BX_HEAD_TRUE, 0 },
	{ BX_HEAD_BINARY, 1 }, { BX_HEAD_BINARY, 2 }, { BX_HEAD_BINARY, 4 }, { BX_HEAD_EXT, 1 },
	{ BX_HEAD_EXT, 2 },    { BX_HEAD_EXT, 4 },    { BX_HEAD_FLOAT, 4 },  { BX_HEAD_FLOAT, 8 },
	{ BX_HEAD_UINT, 1 },   { BX_HEAD_UINT, 2 },   { BX_HEAD_UINT, 4 },   { BX_HEAD_UINT, 8 },
	{ BX_HEAD_NEGINT, 1 }, { BX_HEAD_NEGINT, 2 }, { BX_HEAD_NEGINT, 4 }, { BX_HEAD_NEGINT, 8 },
	{ BX_HEAD_EXT, 0 },    { BX_HEAD_EXT, 0 },    { BX_HEAD_EXT, 0 },    { BX_HEAD_EXT, 0 },
	{ BX_HEAD_EXT, 0 },    { BX_HEAD_TEXT, 1 },   { BX_HEAD_TEXT, 2 },   { BX_HEAD_TEXT, 4 },
	{ BX_HEAD_LIST, 2 },   { BX_HEAD_LIST, 4 },   { BX_HEAD_MAP, 2 },    { BX_HEAD_MAP, 4 },
};

/* A signed integer of `width` bytes, as UINT or NEGINT. */
static void
set_signed(struct bx_head *h)
{
	unsigned shift = 64 - 8u * h->width;
	int64_t v = (int64_t)(h->value << shift) >> shift;

	h->kind = v < 0 ? BX_HEAD_NEGINT : BX_HEAD_UINT;
	h->value = v < 0 ? ~(uint64_t)v : (uint64_t)v;
}

bool
bx_msgpack_wide_head(struct bx_input *in, struct bx_head *h)
{
	const uint8_t *p = in->at;
	struct bx_msgpack_row row = bx_msgpack_rows[*p & 0x1F];

	if (row.kind == BX_HEAD_BREAK)
		return bx_input_fail(in, "byte c1 is never used");
	if (bx_input_left(in) <= row.width)
		return bx_input_cut(in, 1u + row.width);
	bx_head_set(h, p, (enum bx_head_kind)row.kind, bx_head_load(p + 1, row.width), row.width);
	in->at = p + 1 + row.width;
	if (row.kind == BX_HEAD_NEGINT) {
		set_signed(h);
	} else if (row.kind == BX_HEAD_EXT) {
		if (in->at == in->end)
			return bx_input_cut(in, 1);
		h->ext = (int8_t)*in->at++;
		if (row.width == 0)
			h->value = 1u << (*p - 0xD4);
	}
	return true;
}

/*
 * Type -1 is a timestamp of 4, 8 or 12 bytes with nanoseconds below 10^9 (spec.md "Timestamp
 * extension type"); other negative types are refused by Autobahn's library.
 */
static bool
check_ext(struct bx_input *in, const struct bx_head *h)
{
	struct bx_span body;
	uint64_t nanoseconds = 0;

	if (!bx_input_take(in, h->value, &body))
		return false;
	if (h->ext >= 0)
		return true;
	in->at = h->at;
	if (h->ext != -1)
		return bx_input_fail(in, "ext type is reserved");
	if (body.len == 8)
		nanoseconds = bx_load_be64(body.ptr) >> 34;
	else if (body.len == 12)
		nanoseconds = bx_load_be32(body.ptr);
	else if (body.len != 4)
		return bx_input_fail(in, "timestamp has a wrong length");
	if (nanoseconds > 999999999)
		return bx_input_fail(in, "timestamp has too many nanoseconds");
	in->at = body.ptr + body.len;
	return true;
}

/* What follows the head of anything but a container. */
static bool
walk_body(struct bx_input *in, const struct bx_head *h)
{
	struct bx_span body;

	switch (h->kind) {
	case BX_HEAD_TEXT:
		return bx_input_take_utf8(in, h->value, &body);
	case BX_HEAD_BINARY:
		return bx_input_take(in, h->value, &body);
	case BX_HEAD_EXT:
		return check_ext(in, h);
	default:
		return true;
	}
}

bool
bx_msgpack_walk(struct bx_input *in, uint32_t depth)
{
	uint64_t outer[BX_CODEC_DEPTH + 1];
	uint32_t base = depth;
	uint64_t left = 1; /* items still to come here; in a map a key is next when it is even */
	bool in_map = false;

	/* outer[] holds left and in_map of the containers around, as left * 2 + in_map. */
	for (;;) {
		struct bx_head h;

		if (!bx_msgpack_head(in, &h))
			return false;
		if (in_map && (left & 1) == 0 && h.kind != BX_HEAD_TEXT &&
		    h.kind != BX_HEAD_BINARY) {
			in->at = h.at;
			return bx_input_fail(in, "map key is neither a string nor binary");
		}
		if (h.kind == BX_HEAD_LIST || h.kind == BX_HEAD_MAP) {
			uint64_t count = h.kind == BX_HEAD_MAP ? 2 * h.value : h.value;

			if (count > bx_input_left(in))
				return bx_input_cut(in, count);
			if (depth == BX_CODEC_DEPTH)
				return bx_input_fail(in, "nested too deeply");
			if (count != 0) {
				outer[depth++] = left * 2 + in_map;
				left = count;
				in_map = h.kind == BX_HEAD_MAP;
				continue;
			}
		} else if (!walk_body(in, &h)) {
			return false;
		}
		while (--left == 0) {
			if (depth == base)
				return true;
			depth--;
			left = outer[depth] / 2;
			in_map = (outer[depth] & 1) != 0;
		}
	}
}

/* Bytes of the value's own at `p` (head and body) and the items inside it; 0: more are needed. */
static size_t
own_len(const uint8_t *p, size_t left, uint64_t *inside)
{
	uint8_t b = *p;

	*inside = 0;
	if (b < 0x80 || b >= 0xE0)
		return 1;
	if (b < 0x90) {
		*inside = 2u * (b & 0x0Fu);
		return 1;
	}
	if (b < 0xA0) {
		*inside = b & 0x0Fu;
		return 1;
	}
	if (b < 0xC0)
		return 1u + (b & 0x1Fu);

	struct bx_msgpack_row row = bx_msgpack_rows[b & 0x1F];
	size_t head = 1u + row.width;

	if (left < head)
		return 0;
	switch (row.kind) {
	case BX_HEAD_TEXT:
	case BX_HEAD_BINARY:
		return head + bx_head_load(p + 1, row.width);
	case BX_HEAD_EXT:
		if (row.width == 0)
			return 2 + ((size_t)1 << (b - 0xD4));
		return head + 1 + bx_head_load(p + 1, row.width);
	case BX_HEAD_LIST:
		*inside = bx_head_load(p + 1, row.width);
		return head;
	case BX_HEAD_MAP:
		*inside = 2 * bx_head_load(p + 1, row.width);
		return head;
	default:
		return head;
	}
}

/*
 * Only lengths matter here, so one count of the items still to come replaces a stack. It is held
 * against the largest message before it is believed: each item is a byte at least.
 */
enum bx_step
bx_msgpack_extent(struct bx_span bytes, size_t *len, struct bx_defect *why)
{
	uint64_t items = 1;
	size_t at = 0;

	while (items != 0) {
		uint64_t inside;

		if (at >= bytes.len)
			return BX_STEP_MORE;
		if (bytes.ptr[at] == 0xC1) {
			*why = (struct bx_defect){ "byte c1 is never used", at };
			return BX_STEP_FAIL;
		}

		size_t own = own_len(bytes.ptr + at, bytes.len - at, &inside);

		if (own == 0)
			return BX_STEP_MORE;
		items += inside - 1;
		if (own > BX_MESSAGE_MAX || at + own + items > BX_MESSAGE_MAX) {
			*why = (struct bx_defect){ "message is too long", at };
			return BX_STEP_FAIL;
		}
		at += own;
	}
	if (at > bytes.len)
		return BX_STEP_MORE;
	*len = at;
	return BX_STEP_ITEM;
}
