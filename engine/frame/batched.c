#include "frame/batch.h"
#include "frame/framer.h"

#define HEAD_LEN 4u

static size_t
find_byte(struct bx_span text, size_t from, uint8_t byte)
{
	const uint8_t *at = from < text.len ? memchr(text.ptr + from, byte, text.len - from) : NULL;

	return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

/*
 * Offset of the first separator of either kind at or after `from`, or text.len. Neither byte may
 * stand raw in JSON text, so no string has to be understood. `likely` is looked for first, the
 * other one only before it: two passes of memchr are quicker than one loop for both.
 */
static size_t
find_separator(struct bx_span text, size_t from, uint8_t likely)
{
	bool rfc = likely == BX_SEPARATOR_RFC;
	size_t end = find_byte(text, from, rfc ? BX_SEPARATOR_RFC : BX_SEPARATOR_AUTOBAHN);

	return find_byte((struct bx_span){ text.ptr, end }, from,
			 rfc ? BX_SEPARATOR_AUTOBAHN : BX_SEPARATOR_RFC);
}

/* Text after the last separator is no message: the separator ends one (spec 4, "Batched"). */
static enum bx_step
cut_open_end(struct bx_framer *framer, struct bx_cut *cut, struct bx_span rest)
{
	if (rest.len > framer->options.message_max)
		return bx_framer_too_long(framer, cut, rest.len);
	if (cut->final && rest.len != 0 && bx_span_is_blank(rest)) {
		framer->scanned = 0;
		bx_cut_push(cut, rest, bx_span_part(rest, 0, 0), BX_FRAME_BLANK, framer->ser);
		return BX_STEP_ITEM;
	}
	framer->scanned = rest.len;
	return BX_STEP_MORE;
}

enum bx_step
bx_batched_text_cut(struct bx_framer *framer, struct bx_cut *cut)
{
	while (cut->count < cut->cap) {
		struct bx_cursor c = bx_cut_rest(cut);
		struct bx_span rest = bx_take(&c, bx_left(&c));
		size_t len = find_separator(rest, framer->scanned, framer->separator);

		if (len == rest.len) {
			enum bx_step step = cut_open_end(framer, cut, rest);

			if (step != BX_STEP_ITEM)
				return step;
			continue;
		}
		framer->scanned = 0;

		struct bx_span whole = bx_span_part(rest, 0, len + 1);
		struct bx_span body = bx_span_part(rest, 0, len);

		framer->separator = rest.ptr[len];
		if (len > framer->options.message_max)
			return bx_framer_too_long(framer, cut, len);
		if (bx_span_is_blank(body)) {
			bx_cut_push(cut, whole, bx_span_part(body, 0, 0), BX_FRAME_BLANK,
				    framer->ser);
			continue;
		}
		bx_cut_push(cut, whole, body, BX_FRAME_MESSAGE, framer->ser);
	}
	return BX_STEP_ITEM;
}

enum bx_step
bx_batched_binary_cut(struct bx_framer *framer, struct bx_cut *cut)
{
	struct bx_cursor c = bx_cut_rest(cut);

	while (cut->count < cut->cap) {
		struct bx_cursor start = c;
		uint32_t len = bx_take_be32(&c);

		if (c.bad) {
			cut->need = HEAD_LEN;
			return BX_STEP_MORE;
		}
		if (len > framer->options.message_max)
			return bx_framer_too_long(framer, cut, len);

		struct bx_span whole = bx_take(&start, HEAD_LEN + (size_t)len);

		if (start.bad) {
			cut->need = HEAD_LEN + (size_t)len;
			return BX_STEP_MORE;
		}
		bx_prefetch_ahead(whole.ptr, whole.len);
		bx_cut_push(cut, whole, bx_take(&c, len), BX_FRAME_MESSAGE, framer->ser);
	}
	return BX_STEP_ITEM;
}

/* --- batches inside a WebSocket payload ------------------------------------------------------ */

static enum bx_step
next_text(struct bx_cursor *c, struct bx_span *body, uint8_t *separator, const char **what)
{
	for (;;) {
		struct bx_cursor start = *c;
		struct bx_span rest = bx_take(&start, bx_left(&start));
		size_t len = find_separator(rest, 0, *separator);

		if (len == rest.len) {
			*what = "a batch of JSON messages does not end with a separator";
			return bx_span_is_blank(rest) ? BX_STEP_END : BX_STEP_FAIL;
		}
		*body = bx_take(c, len);
		*separator = bx_take_u8(c);
		if (!bx_span_is_blank(*body))
			return BX_STEP_ITEM;
	}
}

enum bx_step
bx_batch_next(enum bx_ser ser, struct bx_cursor *c, struct bx_span *body, uint8_t *separator,
	      const char **what)
{
	if (ser == BX_SER_JSON)
		return next_text(c, body, separator, what);
	if (bx_left(c) == 0)
		return BX_STEP_END;

	uint32_t len = bx_take_be32(c);

	*body = bx_take(c, len);
	if (c->bad) {
		*what = "a batched message is longer than its batch";
		return BX_STEP_FAIL;
	}
	return BX_STEP_ITEM;
}
