/*
 * WAMP in CBOR. Reading the envelope and splicing are shared with the other binary serializer
 * (envelope_body.h, splice_body.h); here is what they want to know of this one.
 *
 * As Autobahn with cbor2 reads it: tag 55799 is passed over wherever it stands, and what follows
 * the message is ignored.
 */
#include "codec/cbor.h"

#include <assert.h>

#include "base/json_scan.h"
#include "codec/shape.h"

#define SERIALIZER BX_SER_CBOR
#define NULL_BYTE 0xF6
#define MAP_OPEN 0xBF
#define MAP_BREAK BX_CBOR_BREAK
/* clang-format off */
#define ENC_MEMBERS \
	"\x68" "enc_algo" "\x69" "cryptobox" "\x6E" "enc_serializer" "\x64" "json"
/* clang-format on */

static inline bool
take_head(struct bx_input *in, struct bx_head *h)
{
	do {
		if (!bx_cbor_head(in, h))
			return false;
	} while (h->kind == BX_HEAD_EXT && h->value == BX_CBOR_TAG_SELF_DESCRIBED);
	return true;
}

static inline bool
walk(struct bx_input *in, uint32_t depth)
{
	return bx_cbor_walk(in, depth);
}

/* Joins the chunks of a string; bytes->ptr is NULL when they do not fit into `join`. */
static bool
take_chunks(struct bx_input *in, enum bx_head_kind kind, struct bx_writer *join,
	    struct bx_span *bytes)
{
	uint8_t *from = join->at;
	struct bx_span chunk;

	do {
		if (!bx_cbor_chunk(in, kind, &chunk))
			return false;
		bx_put_span(join, chunk);
	} while (chunk.ptr != NULL);
	if (join->full)
		*bytes = (struct bx_span){ NULL, 0 };
	else
		*bytes = bx_since(join, from);
	return true;
}

static inline bool
take_text(struct bx_input *in, const struct bx_head *h, struct bx_writer *join,
	  struct bx_span *text)
{
	if (h->indefinite)
		return take_chunks(in, BX_HEAD_TEXT, join, text);
	return bx_input_take_utf8(in, h->value, text);
}

static inline bool
pass_binary(struct bx_input *in, const struct bx_head *h, uint64_t *len)
{
	struct bx_span bytes;

	*len = h->value;
	if (!h->indefinite)
		return bx_input_take(in, h->value, &bytes);
	*len = 0;
	do {
		if (!bx_cbor_chunk(in, BX_HEAD_BINARY, &bytes))
			return false;
		*len += bytes.len;
	} while (bytes.ptr != NULL);
	return true;
}

static inline bool
list_ends(const struct bx_input *in)
{
	return in->at != in->end && *in->at == BX_CBOR_BREAK;
}

static inline bool
message_ends(struct bx_input *in, bool indefinite)
{
	if (!indefinite)
		return true;
	if (in->at == in->end)
		return bx_input_cut(in, 1);
	if (*in->at != BX_CBOR_BREAK)
		return bx_input_fail(in, "wrong number of elements");
	in->at++;
	return true;
}

#include "codec/envelope_body.h"

static unsigned
count_width(uint64_t count)
{
	if (count < 24)
		return 0;
	return count <= UINT8_MAX ? 1 : count <= UINT16_MAX ? 2 : count <= UINT32_MAX ? 4 : 8;
}

static size_t
put_count(uint8_t *o, bool map, uint64_t count, unsigned width)
{
	uint8_t major = map ? 0xA0 : 0x80;
	unsigned least = count_width(count);

	if (width < least)
		width = least;
	switch (width) {
	case 0:
		o[0] = major | (uint8_t)count;
		break;
	case 1:
		o[0] = major | 24;
		o[1] = (uint8_t)count;
		break;
	case 2:
		o[0] = major | 25;
		bx_store_be16(o + 1, (uint16_t)count);
		break;
	case 4:
		o[0] = major | 26;
		bx_store_be32(o + 1, (uint32_t)count);
		break;
	default:
		o[0] = major | 27;
		bx_store_be64(o + 1, count);
		break;
	}
	return 1 + width;
}

static size_t
put_binary_head(uint8_t *o, uint64_t len)
{
	size_t head = put_count(o, false, len, 0);

	o[0] ^= 0x80 ^ 0x40; /* the major type, a list above, is binary */
	return head;
}

static enum bx_coded
text_of(struct bx_input *in, struct bx_writer *w, uint32_t depth, uint32_t *marks, bool lenient)
{
	return bx_cbor_text(in, w, depth, marks, lenient);
}

static enum bx_coded
build(struct bx_span json, struct bx_writer *w, uint32_t depth, uint32_t *marks,
      struct bx_defect *why)
{
	return bx_cbor_build(json, w, depth, marks, why);
}

#include "codec/splice_body.h"

static bool
box(const struct bx_message *m, struct bx_writer *scratch, struct bx_span *bytes,
    struct bx_defect *why)
{
	struct bx_input in = bx_input_of(m, m->rest.off);
	struct bx_head h;

	if (!take_head(&in, &h))
		return bx_input_tell(&in, why);
	if (h.kind != BX_HEAD_BINARY) {
		bx_input_fail(&in, "payload is not binary");
		return bx_input_tell(&in, why);
	}
	if (!h.indefinite)
		return bx_input_take(&in, h.value, bytes) || bx_input_tell(&in, why);
	if (!take_chunks(&in, BX_HEAD_BINARY, scratch, bytes))
		return bx_input_tell(&in, why);
	if (bytes->ptr == NULL) {
		bx_input_fail(&in, "chunked payload is too long");
		return bx_input_tell(&in, why);
	}
	return true;
}

const struct bx_codec bx_cbor_codec = {
	.ser = BX_SER_CBOR,
	.scan = scan,
	.check_rest = check_rest,
	.extent = bx_cbor_extent,
	.args_to_inner = args_to_inner,
	.seal_head = seal_head,
	.box = box,
	.open = open_message,
	.to_json = to_json,
	.from_json = from_json,
};
