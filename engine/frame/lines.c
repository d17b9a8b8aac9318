#include "frame/framer.h"

/* A line without its end, as it goes to the parser. */
static struct bx_span
without_return(struct bx_span line)
{
	if (line.len != 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* `line` is without its newline, `whole` with it (the last line of a file may have none). */
static enum bx_step
push_line(struct bx_framer *framer, struct bx_cut *cut, struct bx_span whole, struct bx_span line)
{
	struct bx_span body = without_return(line);

	if (body.len > framer->options.message_max)
		return bx_framer_too_long(framer, cut, body.len);
	if (bx_span_is_blank(body)) {
		bx_cut_push(cut, whole, bx_span_part(body, 0, 0), BX_FRAME_BLANK, framer->ser);
		return BX_STEP_ITEM;
	}
	bx_cut_push(cut, whole, body, BX_FRAME_MESSAGE, framer->ser);
	return BX_STEP_ITEM;
}

/* JSON forbids a raw newline inside strings, so memchr finds the end of a message. */
enum bx_step
bx_lines_cut(struct bx_framer *framer, struct bx_cut *cut)
{
	while (cut->count < cut->cap) {
		struct bx_cursor c = bx_cut_rest(cut);
		struct bx_span rest = bx_take(&c, bx_left(&c));
		size_t from = framer->scanned;

		/* Seen already, and no more came; at the end it is a line without its newline. */
		if (rest.len == from && (!cut->final || rest.len == 0))
			return BX_STEP_MORE;

		const uint8_t *end =
		    rest.len == from ? NULL : memchr(rest.ptr + from, '\n', rest.len - from);
		size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;

		if (end == NULL && !cut->final) {
			/* One byte more may be the return before the newline. */
			if (len > framer->options.message_max + 1)
				return bx_framer_too_long(framer, cut, len);
			framer->scanned = len;
			return BX_STEP_MORE;
		}
		framer->scanned = 0;
		if (push_line(framer, cut, bx_span_part(rest, 0, end != NULL ? len + 1 : len),
			      bx_span_part(rest, 0, len)) == BX_STEP_FAIL)
			return BX_STEP_FAIL;
	}
	return BX_STEP_ITEM;
}
