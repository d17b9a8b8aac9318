/*
 * WAMP in MessagePack. Reading the envelope and splicing are shared with the other binary
 * serializer (envelope_body.h, splice_body.h); here is what they want to know of this one.
 */
#include "codec/msgpack.h"

#include <assert.h>

#include "base/json_scan.h"
#include "codec/shape.h"

#define SERIALIZER BX_SER_MSGPACK
#define NULL_BYTE 0xC0
/* clang-format off */
#define ENC_MEMBERS \
	"\xA8" "enc_algo" "\xA9" "cryptobox" "\xAE" "enc_serializer" "\xA4" "json"
/* clang-format on */
/* There are no maps without a count: never written. */
#define MAP_OPEN 0xC1
#define MAP_BREAK 0xC1

static inline bool
take_head(struct bx_input *in, struct bx_head *h)
{
	return bx_msgpack_head(in, h);
}

static inline bool
walk(struct bx_input *in, uint32_t depth)
{
	return bx_msgpack_walk(in, depth);
}

static inline bool
take_text(struct bx_input *in, const struct bx_head *h, struct bx_writer *join,
	  struct bx_span *text)
{
	(void)join;
	return bx_input_take_utf8(in, h->value, text);
}

static inline bool
pass_binary(struct bx_input *in, const struct bx_head *h, uint64_t *len)
{
	struct bx_span bytes;

	*len = h->value;
	return bx_input_take(in, h->value, &bytes);
}

static inline bool
list_ends(const struct bx_input *in)
{
	(void)in;
	return false;
}

static inline bool
message_ends(struct bx_input *in, bool indefinite)
{
	(void)indefinite;
	return in->at == in->end || bx_input_fail(in, "bytes follow the message");
}

#include "codec/envelope_body.h"

static unsigned
count_width(uint64_t count)
{
	return count < 16 ? 0 : count <= UINT16_MAX ? 2 : 4;
}

static size_t
put_count(uint8_t *o, bool map, uint64_t count, unsigned width)
{
	unsigned least = count_width(count);

	if (width < least)
		width = least;
	if (width == 0) {
		o[0] = (uint8_t)((map ? 0x80 : 0x90) | count);
	} else if (width == 2) {
		o[0] = map ? 0xDE : 0xDC;
		bx_store_be16(o + 1, (uint16_t)count);
	} else {
		o[0] = map ? 0xDF : 0xDD;
		bx_store_be32(o + 1, (uint32_t)count);
	}
	return 1 + width;
}

static size_t
put_binary_head(uint8_t *o, uint64_t len)
{
	if (len <= UINT8_MAX) {
		o[0] = 0xC4;
		o[1] = (uint8_t)len;
		return 2;
	}
	if (len <= UINT16_MAX) {
		o[0] = 0xC5;
		bx_store_be16(o + 1, (uint16_t)len);
		return 3;
	}
	o[0] = 0xC6;
	bx_store_be32(o + 1, (uint32_t)len);
	return 5;
}

static enum bx_coded
text_of(struct bx_input *in, struct bx_writer *w, uint32_t depth, uint32_t *marks, bool lenient)
{
	(void)lenient;
	return bx_msgpack_text(in, w, depth, marks);
}

static enum bx_coded
build(struct bx_span json, struct bx_writer *w, uint32_t depth, uint32_t *marks,
      struct bx_defect *why)
{
	return bx_msgpack_build(json, w, depth, marks, why);
}

#include "codec/splice_body.h"

static bool
box(const struct bx_message *m, struct bx_writer *scratch, struct bx_span *bytes,
    struct bx_defect *why)
{
	struct bx_input in = bx_input_of(m, m->rest.off);
	struct bx_head h;

	(void)scratch;
	if (!take_head(&in, &h))
		return bx_input_tell(&in, why);
	if (h.kind != BX_HEAD_BINARY) {
		bx_input_fail(&in, "payload is not binary");
		return bx_input_tell(&in, why);
	}
	return bx_input_take(&in, h.value, bytes) || bx_input_tell(&in, why);
}

const struct bx_codec bx_msgpack_codec = {
	.ser = BX_SER_MSGPACK,
	.scan = scan,
	.check_rest = check_rest,
	.extent = bx_msgpack_extent,
	.args_to_inner = args_to_inner,
	.seal_head = seal_head,
	.box = box,
	.open = open_message,
	.to_json = to_json,
	.from_json = from_json,
};
