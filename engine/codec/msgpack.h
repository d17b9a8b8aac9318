/* The parts of the MessagePack codec: heads, walker, to JSON text, from JSON text. */
#ifndef BX_CODEC_MSGPACK_H
#define BX_CODEC_MSGPACK_H

#include "codec/input.h"

/*
 * Format (github.com/msgpack/msgpack spec.md "Formats"), by first byte:
 *	00-7f int   80-8f map   90-9f list  a0-bf text  e0-ff negative int
 *	c0 nil      c1 never    c2/c3 bool  c4-c6 bin   c7-c9 ext   ca/cb float
 *	cc-cf uint  d0-d3 int   d4-d8 fixext            d9-db text  dc/dd list  de/df map
 */
struct bx_msgpack_row {
	uint8_t kind;
	uint8_t width;
};

/* Rows of c0 to df. */
extern const struct bx_msgpack_row bx_msgpack_rows[32];

/* Reads a head whose first byte is c0 to df. */
bool bx_msgpack_wide_head(struct bx_input *in, struct bx_head *h);

/* The head at in->at, which is passed; for floats their bytes too. */
static inline bool
bx_msgpack_head(struct bx_input *in, struct bx_head *h)
{
	const uint8_t *p = in->at;

	if (p == in->end)
		return bx_input_cut(in, 1);

	uint8_t b = *p;

	if (b >= 0xC0 && b < 0xE0)
		return bx_msgpack_wide_head(in, h);
	in->at = p + 1;
	if (b < 0x80)
		bx_head_set(h, p, BX_HEAD_UINT, b, 0);
	else if (b >= 0xE0)
		bx_head_set(h, p, BX_HEAD_NEGINT, (uint8_t)~b, 0);
	else if (b >= 0xA0)
		bx_head_set(h, p, BX_HEAD_TEXT, b & 0x1Fu, 0);
	else if (b >= 0x90)
		bx_head_set(h, p, BX_HEAD_LIST, b & 0x0Fu, 0);
	else
		bx_head_set(h, p, BX_HEAD_MAP, b & 0x0Fu, 0);
	return true;
}

/*
 * Passes one whole value and checks all of it as Autobahn's reader would: UTF-8, keys text or
 * binary, ext types 0..127 or a sound timestamp. `depth` containers are open around it.
 */
bool bx_msgpack_walk(struct bx_input *in, uint32_t depth);

/* bx_codec.extent */
enum bx_step bx_msgpack_extent(struct bx_span bytes, size_t *len, struct bx_defect *why);

/*
 * One value to JSON text, as bx_codec.args_to_inner says. BAD: in->why is set.
 * NOT_REPRESENTABLE: what follows has not been looked at. *marks is added to.
 */
enum bx_coded bx_msgpack_text(struct bx_input *in, struct bx_writer *w, uint32_t depth,
			      uint32_t *marks);

/*
 * One JSON value to MessagePack in Autobahn's canonical form. `marks` may be NULL (then the
 * spelling of the text is not compared with the canonical one).
 */
enum bx_coded bx_msgpack_build(struct bx_span json, struct bx_writer *w, uint32_t depth,
			       uint32_t *marks, struct bx_defect *why);

#endif
