#include "frame/framer.h"

/*
 * Messages one after the other: the serializer itself says where one ends. It never sees more than
 * one byte over the limit, so that the verdict does not depend on how the input was chopped.
 */
enum bx_step
bx_sequence_cut(struct bx_framer *framer, struct bx_cut *cut)
{
	size_t max = framer->options.message_max;

	while (cut->count < cut->cap) {
		struct bx_cursor c = bx_cut_rest(cut);
		size_t left = bx_left(&c);
		struct bx_span rest = bx_take(&c, left > max ? max + 1 : left);
		size_t len = 0;
		const char *what = "malformed";

		if (rest.len == 0)
			return BX_STEP_MORE;
		switch (framer->options.extent(rest, &len, &what)) {
		case BX_STEP_ITEM:
			break;
		case BX_STEP_MORE:
			if (rest.len > max)
				return bx_framer_too_long(framer, cut, rest.len);
			return BX_STEP_MORE;
		default:
			return bx_framer_fault(framer, cut, BX_ERR_FORMAT, "not a %s message: %s",
					       bx_format_name(framer->options.format), what);
		}
		if (len > max)
			return bx_framer_too_long(framer, cut, len);

		struct bx_span whole = bx_span_part(rest, 0, len);

		bx_cut_push(cut, whole, whole, BX_FRAME_MESSAGE, framer->ser);
	}
	return BX_STEP_ITEM;
}
