/* The parts of the CBOR codec: heads, walker, to JSON text, from JSON text. */
#ifndef BX_CODEC_CBOR_H
#define BX_CODEC_CBOR_H

#include "codec/input.h"
#include "codec/text_emit.h"

/*
 * Format (RFC 8949 section 3): the first byte is a major type (3 bits) and 5 bits of information:
 *	major	0 int, 1 negative int, 2 binary, 3 text, 4 list, 5 map, 6 tag, 7 simple or float
 *	info	0-23 the argument itself; 24-27 it follows in 1, 2, 4, 8 bytes; 28-30 never;
 *		31 indefinite length (2 to 5), or the break that ends it (7)
 *	major 7	20 false, 21 true, 22 null, 23 undefined, 24 a simple value in the next byte,
 *		25-27 half, single and double float
 */
#define BX_CBOR_BREAK 0xFF

/* Tags that are looked at (RFC 8949 section 3.4; cbor2 reads the last three through). */
enum {
	BX_CBOR_TAG_BIGNUM = 2,
	BX_CBOR_TAG_NEGATIVE_BIGNUM = 3,
	BX_CBOR_TAG_DECIMAL = 4,
	BX_CBOR_TAG_BIGFLOAT = 5,
	BX_CBOR_TAG_SHAREABLE = 28,
	BX_CBOR_TAG_STRINGREF_NAMESPACE = 256,
	BX_CBOR_TAG_SELF_DESCRIBED = 55799,
};

/* The head of anything but a small int, text, list or map. */
bool bx_cbor_wide_head(struct bx_input *in, struct bx_head *h);

/*
 * The head at in->at, which is passed; for floats their bytes too. A tag is a head of its own
 * (EXT), and so is a break.
 */
static inline bool
bx_cbor_head(struct bx_input *in, struct bx_head *h)
{
	static const uint8_t kinds[8] = { BX_HEAD_UINT,   BX_HEAD_NEGINT,
					  BX_HEAD_BINARY, BX_HEAD_TEXT,
					  BX_HEAD_LIST,   BX_HEAD_MAP,
					  BX_HEAD_EXT,    0 };
	const uint8_t *p = in->at;

	if (p == in->end)
		return bx_input_cut(in, 1);
	if ((*p & 31) >= 24 || *p >= 0xE0)
		return bx_cbor_wide_head(in, h);
	in->at = p + 1;
	bx_head_set(h, p, (enum bx_head_kind)kinds[*p >> 5], *p & 31u, 0);
	return true;
}

/* The next chunk of an indefinite TEXT or BINARY, or at its break, which is passed, ptr NULL. */
bool bx_cbor_chunk(struct bx_input *in, enum bx_head_kind kind, struct bx_span *chunk);

/* Passes one whole value and checks all of it. `depth` containers are open around it. */
bool bx_cbor_walk(struct bx_input *in, uint32_t depth);

/* bx_codec.extent */
enum bx_step bx_cbor_extent(struct bx_span bytes, size_t *len, struct bx_defect *why);

/*
 * One value to JSON text, as bx_codec.args_to_inner says. BAD: in->why is set.
 * NOT_REPRESENTABLE: what follows has not been looked at. *marks is added to. `lenient`: members
 * whose value is undefined are left out (JavaScript peers write unset options so).
 */
enum bx_coded bx_cbor_text(struct bx_input *in, struct bx_writer *w, uint32_t depth,
			   uint32_t *marks, bool lenient);

/* Digits of the largest integer that can be written, and room for their magnitude's bytes. */
#define BX_CBOR_MAGNITUDE_MAX 1800

/*
 * The content of a tag 2 or 3 (`minus`), a binary, to decimal digits, without the sign.
 * NOT_REPRESENTABLE: more than 4300 of them.
 */
enum bx_coded bx_cbor_bignum_digits(struct bx_input *in, bool minus, struct bx_writer *w);

/* The content of a tag 4 or 5, as Python's str() of the Decimal that Autobahn's reader makes. */
enum bx_coded bx_cbor_decimal(struct bx_input *in, bool binary, struct bx_writer *w);

/*
 * One JSON value to CBOR in Autobahn's canonical form. `marks` may be NULL (then the spelling of
 * the text is not compared with the canonical one).
 */
enum bx_coded bx_cbor_build(struct bx_span json, struct bx_writer *w, uint32_t depth,
			    uint32_t *marks, struct bx_defect *why);

#endif
