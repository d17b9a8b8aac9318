#include "frame/websocket.h"

#include <assert.h>
#include <stdlib.h>

#include "frame/assembly.h"
#include "frame/batch.h"
#include "frame/framer.h"
#include "frame/inflate.h"
#include "frame/sniff.h"
#include "frame/upgrade.h"

/*
 * One direction of a connection. A message is passed on straight from its frame when it is one
 * frame of one message, not compressed. Anything else is put together in `message`, checked there,
 * and given out from there to the caller's scratch (`pending`), perhaps over several calls.
 */
struct bx_websocket {
	bool upgraded;
	bool closed;     /* a close frame has passed */
	bool in_message; /* fragments have come, the last one has not */
	bool text;       /* of the message in work */
	bool compressed;
	bool pending;
	size_t pending_at;   /* how much of `message` has been given out */
	uint8_t subprotocol; /* 0: not known yet, one of `offers` */
	uint16_t offers;     /* bit per subprotocol */
	size_t payload_max;  /* message_max, and what deflate and a batch may add */
	struct bx_assembly message;
	struct bx_inflate *inflate; /* NULL: permessage-deflate was not agreed on */
};

/* Pieces of a masked, compressed payload are unmasked here on their way to zlib. */
#define PIECE 4096u

enum bx_err
bx_websocket_new(struct bx_websocket **websocket, const struct bx_framer_options *options,
		 struct bx_fail *fail)
{
	uint8_t subprotocol = 0;

	if (options->subprotocol != NULL) {
		struct bx_span name = { (const uint8_t *)options->subprotocol,
					strlen(options->subprotocol) };

		subprotocol = bx_subprotocol_of_name(name);
		if (subprotocol == 0)
			return bx_fail_set(fail, BX_ERR_UNSUPPORTED, 0, BX_NOWHERE,
					   "the WebSocket subprotocol is not one of WAMP's");
	}

	struct bx_websocket *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for a framer");
	ws->subprotocol = subprotocol;
	ws->payload_max = options->message_max + options->message_max / 64 + 64;
	if (ws->payload_max < options->message_max)
		ws->payload_max = SIZE_MAX;
	ws->message.max = ws->payload_max;
	*websocket = ws;
	return BX_OK;
}

void
bx_websocket_free(struct bx_websocket *websocket)
{
	if (websocket == NULL)
		return;
	bx_inflate_free(websocket->inflate);
	bx_assembly_free(&websocket->message);
	free(websocket);
}

uint8_t
bx_websocket_subprotocol(const struct bx_websocket *websocket)
{
	return websocket->subprotocol;
}

/* --- the upgrade ----------------------------------------------------------------------------- */

static void
settle(struct bx_framer *framer, uint8_t subprotocol)
{
	framer->websocket->subprotocol = subprotocol;
	framer->ser = bx_subprotocol_ser(subprotocol);
}

/*
 * A response names one; a request may offer several, of which the first message tells. Without any,
 * both sides of Crossbar assume JSON (spec 5.2).
 */
static enum bx_step
apply_subprotocols(struct bx_framer *framer, const struct bx_cut *cut,
		   const struct bx_upgrade *upgrade)
{
	struct bx_websocket *ws = framer->websocket;

	if (upgrade->named != 0 && upgrade->subprotocols == 0)
		return bx_framer_fault(framer, cut, BX_ERR_UNSUPPORTED,
				       "the WebSocket subprotocol is not one of WAMP's");
	if (upgrade->response && upgrade->named > 1)
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "the server chose more than one WebSocket subprotocol");
	ws->offers = upgrade->subprotocols;
	if (!upgrade->response && ws->subprotocol != 0)
		settle(framer, ws->subprotocol);
	else if (upgrade->named == 0)
		settle(framer, bx_subprotocol_of(BX_SER_JSON, false));
	else if ((ws->offers & (ws->offers - 1)) == 0)
		settle(framer, (uint8_t)__builtin_ctz(ws->offers));
	return BX_STEP_ITEM;
}

static enum bx_step
cut_upgrade(struct bx_framer *framer, struct bx_cut *cut)
{
	struct bx_websocket *ws = framer->websocket;
	struct bx_cursor c = bx_cut_rest(cut);
	struct bx_cursor ahead = c;
	size_t len = 0;

	switch (bx_upgrade_find(bx_take(&ahead, bx_left(&ahead)), framer->scanned, &len)) {
	case BX_STEP_ITEM:
		break;
	case BX_STEP_MORE:
		framer->scanned = bx_left(&c);
		return BX_STEP_MORE;
	default:
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "no HTTP upgrade to WebSocket at the start");
	}

	struct bx_span whole = bx_take(&c, len);
	struct bx_upgrade upgrade;
	const char *what = NULL;

	if (!bx_upgrade_parse(whole, &upgrade, &what))
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT, "%s", what);
	framer->dir = upgrade.response ? BX_DIR_R2C : BX_DIR_C2R;
	if (apply_subprotocols(framer, cut, &upgrade) == BX_STEP_FAIL)
		return BX_STEP_FAIL;
	if (upgrade.deflate && bx_inflate_new(&ws->inflate, upgrade.no_context) != BX_OK)
		return bx_framer_fault(framer, cut, BX_ERR_NOMEM, "no memory to inflate");
	ws->upgraded = true;
	framer->scanned = 0;
	bx_cut_push(cut, whole, bx_span_part(whole, 0, 0), BX_FRAME_HANDSHAKE, framer->ser);
	return BX_STEP_ITEM;
}

/* --- which subprotocol, and is the message right for it -------------------------------------- */

/* Does `payload` divide exactly into length-prefixed messages? */
static bool
is_binary_batch(struct bx_span payload, struct bx_span *first)
{
	struct bx_cursor c = bx_cursor_over(payload);
	struct bx_span body;
	bool any = false;

	for (;;) {
		const char *what;

		switch (bx_batch_next(BX_SER_UNKNOWN, &c, &body, NULL, &what)) {
		case BX_STEP_ITEM:
			if (!any)
				*first = body;
			any = true;
			break;
		case BX_STEP_END:
			return any;
		default:
			return false;
		}
	}
}

/*
 * What the first message of a client that offered several must be. A batch of binary messages
 * begins with a length below 2^24 and so with 0, which no WAMP array does; a JSON batch ends with
 * its separator.
 */
static uint8_t
recognise(struct bx_span payload, bool text)
{
	struct bx_span first = payload;

	if (text) {
		uint8_t last = payload.len != 0 ? payload.ptr[payload.len - 1] : 0;

		return bx_subprotocol_of(BX_SER_JSON,
					 last == BX_SEPARATOR_AUTOBAHN || last == BX_SEPARATOR_RFC);
	}

	bool batched = is_binary_batch(payload, &first);
	enum bx_ser ser = bx_sniff_ser(first);

	return ser == BX_SER_UNKNOWN ? bx_subprotocol_of(BX_SER_FLATBUFFERS, false)
				     : bx_subprotocol_of(ser, batched);
}

/* Settles the subprotocol if need be, and checks text against binary (spec 5.2). */
static enum bx_step
check_kind(struct bx_framer *framer, const struct bx_cut *cut, struct bx_span payload)
{
	struct bx_websocket *ws = framer->websocket;

	if (ws->subprotocol == 0) {
		uint8_t found = recognise(payload, ws->text);

		if ((ws->offers >> found & 1) == 0)
			return bx_framer_fault(
			    framer, cut, BX_ERR_FORMAT,
			    "the first message fits none of the subprotocols offered");
		settle(framer, found);
	}
	if (ws->text != (framer->ser == BX_SER_JSON))
		return bx_framer_fault(
		    framer, cut, BX_ERR_FORMAT, "a %s frame where the subprotocol is %s",
		    ws->text ? "text" : "binary", bx_subprotocol_name(ws->subprotocol));
	return BX_STEP_ITEM;
}

/*
 * Walks a whole payload, so that nothing of a broken one is given out. *count is the number of
 * messages in it, *first the first.
 */
static enum bx_step
check_payload(struct bx_framer *framer, const struct bx_cut *cut, struct bx_span payload,
	      size_t *count, struct bx_span *first)
{
	struct bx_cursor c = bx_cursor_over(payload);

	*count = 1;
	*first = payload;
	if (check_kind(framer, cut, payload) == BX_STEP_FAIL)
		return BX_STEP_FAIL;
	if (!bx_subprotocol_batched(framer->websocket->subprotocol))
		return payload.len > framer->options.message_max
			   ? bx_framer_too_long(framer, cut, payload.len)
			   : BX_STEP_ITEM;
	for (*count = 0;; (*count)++) {
		struct bx_span body;
		const char *what = NULL;

		switch (bx_batch_next(framer->ser, &c, &body, &framer->separator, &what)) {
		case BX_STEP_ITEM:
			break;
		case BX_STEP_END:
			return BX_STEP_ITEM;
		default:
			return bx_framer_fault(framer, cut, BX_ERR_FORMAT, "%s", what);
		}
		if (body.len > framer->options.message_max)
			return bx_framer_too_long(framer, cut, body.len);
		if (*count == 0)
			*first = body;
	}
}

/* --- giving out what was put together -------------------------------------------------------- */

/* False: the scratch has no room. */
static bool
push_copy(struct bx_framer *framer, struct bx_cut *cut, struct bx_span whole, struct bx_span body)
{
	uint8_t *at = cut->scratch->at;

	if (bx_room(cut->scratch) < body.len)
		return false;
	bx_put_span(cut->scratch, body);
	bx_cut_push(cut, whole, (struct bx_span){ at, body.len }, BX_FRAME_MESSAGE, framer->ser);
	return true;
}

/* The next message of ws->message, which check_payload has walked. False: none is left. */
static bool
next_pending(struct bx_framer *framer, struct bx_cursor *c, struct bx_span *body)
{
	struct bx_websocket *ws = framer->websocket;
	const char *what;

	if (bx_subprotocol_batched(ws->subprotocol))
		return bx_batch_next(framer->ser, c, body, &framer->separator, &what) ==
		       BX_STEP_ITEM;
	*body = bx_take(c, bx_left(c));
	return ws->pending_at == 0;
}

static void
flush_pending(struct bx_framer *framer, struct bx_cut *cut)
{
	struct bx_websocket *ws = framer->websocket;
	struct bx_span message = bx_assembly_span(&ws->message);

	while (cut->count < cut->cap) {
		struct bx_cursor rest = bx_cut_rest(cut);
		struct bx_cursor c = bx_cursor_over(message);
		struct bx_span body;

		(void)bx_take(&c, ws->pending_at);
		if (!next_pending(framer, &c, &body)) {
			ws->pending = false;
			return;
		}
		if (!push_copy(framer, cut, bx_take(&rest, 0), body))
			return;
		/* An empty message has to move on as well. */
		ws->pending_at = message.len - bx_left(&c);
		if (message.len == 0) {
			ws->pending = false;
			return;
		}
	}
}

static void
begin_pending(struct bx_cut *cut, struct bx_websocket *ws, struct bx_span whole, enum bx_ser ser)
{
	bx_cut_push(cut, whole, bx_span_part(whole, 0, 0), BX_FRAME_BLANK, ser);
	ws->pending = true;
	ws->pending_at = 0;
}

/* --- data frames ----------------------------------------------------------------------------- */

static enum bx_step
assembly_fault(struct bx_framer *framer, const struct bx_cut *cut, enum bx_err err,
	       const char *what)
{
	if (err == BX_ERR_LIMIT)
		return bx_framer_fault(framer, cut, err,
				       "a WebSocket message exceeds the limit of %zu bytes",
				       framer->options.message_max);
	if (err == BX_ERR_NOMEM)
		return bx_framer_fault(framer, cut, err, "no memory for a WebSocket message");
	return bx_framer_fault(framer, cut, err, "permessage-deflate: %s",
			       what != NULL ? what : "broken stream");
}

/* Adds a payload, unmasked, to the message. */
static enum bx_err
add_plain(struct bx_assembly *message, const struct bx_websocket_head *head, struct bx_span payload)
{
	enum bx_err err = bx_assembly_reserve(message, payload.len);

	if (err != BX_OK || payload.len == 0)
		return err;
	if (!head->masked)
		return bx_assembly_add(message, payload);
	bx_websocket_unmask(payload.ptr, payload.len, head->mask, 0, message->ptr + message->len);
	message->len += payload.len;
	return BX_OK;
}

static enum bx_err
add_compressed(struct bx_websocket *ws, const struct bx_websocket_head *head,
	       struct bx_span payload, const char **what)
{
	uint8_t piece[PIECE];

	if (!head->masked)
		return bx_inflate_add(ws->inflate, payload, &ws->message, what);
	for (size_t i = 0; i < payload.len; i += PIECE) {
		size_t len = payload.len - i < PIECE ? payload.len - i : PIECE;

		bx_websocket_unmask(payload.ptr + i, len, head->mask, i, piece);

		enum bx_err err =
		    bx_inflate_add(ws->inflate, (struct bx_span){ piece, len }, &ws->message, what);

		if (err != BX_OK)
			return err;
	}
	return BX_OK;
}

/* A fragment, or a compressed message: into the assembly; the last piece makes it pending. */
static enum bx_step
cut_piece(struct bx_framer *framer, struct bx_cut *cut, const struct bx_websocket_head *head,
	  struct bx_span whole, struct bx_span payload)
{
	struct bx_websocket *ws = framer->websocket;
	const char *what = NULL;
	enum bx_err err = ws->compressed ? add_compressed(ws, head, payload, &what)
					 : add_plain(&ws->message, head, payload);

	if (err == BX_OK && head->fin && ws->compressed)
		err = bx_inflate_finish(ws->inflate, &ws->message, &what);
	if (err != BX_OK)
		return assembly_fault(framer, cut, err, what);
	ws->in_message = !head->fin;
	if (!head->fin) {
		bx_cut_push(cut, whole, bx_span_part(whole, 0, 0), BX_FRAME_BLANK, framer->ser);
		return BX_STEP_ITEM;
	}

	struct bx_span first;
	size_t count;

	if (check_payload(framer, cut, bx_assembly_span(&ws->message), &count, &first) ==
	    BX_STEP_FAIL)
		return BX_STEP_FAIL;
	begin_pending(cut, ws, whole, framer->ser);
	return BX_STEP_ITEM;
}

/*
 * A message in one frame, not compressed. *stuck: the scratch has no room for its body, and nothing
 * was consumed.
 */
static enum bx_step
cut_single(struct bx_framer *framer, struct bx_cut *cut, const struct bx_websocket_head *head,
	   struct bx_span whole, struct bx_span payload, bool *stuck)
{
	struct bx_websocket *ws = framer->websocket;
	struct bx_span first;
	size_t count;

	if (head->masked) {
		enum bx_err err = add_plain(&ws->message, head, payload);

		if (err != BX_OK)
			return assembly_fault(framer, cut, err, NULL);
		payload = bx_assembly_span(&ws->message);
	}
	if (check_payload(framer, cut, payload, &count, &first) == BX_STEP_FAIL)
		return BX_STEP_FAIL;
	if (count == 1 && !head->masked) {
		bx_cut_push(cut, whole, first, BX_FRAME_MESSAGE, framer->ser);
		return BX_STEP_ITEM;
	}
	if (count == 1) {
		*stuck = !push_copy(framer, cut, whole, first);
		return BX_STEP_ITEM;
	}
	if (!head->masked && bx_assembly_add(&ws->message, payload) != BX_OK)
		return assembly_fault(framer, cut, BX_ERR_NOMEM, NULL);
	begin_pending(cut, ws, whole, framer->ser);
	return BX_STEP_ITEM;
}

/* The rules between frames (RFC 6455 5.1, 5.4; RFC 7692 6.1). */
static const char *
order_defect(const struct bx_framer *framer, const struct bx_websocket_head *head)
{
	const struct bx_websocket *ws = framer->websocket;

	if (ws->closed)
		return "a WebSocket frame after the close frame";
	if (head->masked != (framer->dir == BX_DIR_C2R))
		return head->masked ? "a frame of the server is masked"
				    : "a frame of the client is not masked";
	if (head->compressed && ws->inflate == NULL)
		return "a compressed frame, but permessage-deflate was not agreed on";
	if (head->compressed && head->opcode == BX_WS_CONTINUATION)
		return "a continuation frame has RSV1 set";
	if (head->opcode == BX_WS_CONTINUATION && !ws->in_message)
		return "a continuation frame without a message to continue";
	if ((head->opcode == BX_WS_TEXT || head->opcode == BX_WS_BINARY) && ws->in_message)
		return "a new message before the last fragment of the one before";
	return NULL;
}

static enum bx_step
cut_data(struct bx_framer *framer, struct bx_cut *cut, const struct bx_websocket_head *head,
	 struct bx_span whole, struct bx_span payload, bool *stuck)
{
	struct bx_websocket *ws = framer->websocket;

	if (head->opcode != BX_WS_CONTINUATION) {
		ws->text = head->opcode == BX_WS_TEXT;
		ws->compressed = head->compressed;
		ws->message.len = 0;
	}
	if (head->fin && !ws->in_message && !ws->compressed)
		return cut_single(framer, cut, head, whole, payload, stuck);
	return cut_piece(framer, cut, head, whole, payload);
}

static enum bx_step
cut_frame(struct bx_framer *framer, struct bx_cut *cut, bool *stuck)
{
	struct bx_websocket *ws = framer->websocket;
	struct bx_cursor start = bx_cut_rest(cut);
	struct bx_cursor c = start;
	struct bx_websocket_head head;
	const char *what = NULL;

	if (bx_left(&c) == 0)
		return BX_STEP_MORE;

	enum bx_step step = bx_websocket_head(&c, &head, &what);

	cut->need = head.head_len;
	if (step == BX_STEP_MORE)
		return step;
	if (step == BX_STEP_ITEM)
		what = order_defect(framer, &head);
	if (what != NULL)
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT, "%s", what);
	/* Before a byte of it is waited for. */
	if (head.len > ws->payload_max)
		return bx_framer_too_long(framer, cut, head.len);

	struct bx_span payload = bx_take(&c, (size_t)head.len);

	if (c.bad) {
		cut->need = head.head_len + (size_t)head.len;
		return BX_STEP_MORE;
	}

	struct bx_span whole = bx_take(&start, head.head_len + payload.len);

	if (head.opcode < BX_WS_CLOSE)
		return cut_data(framer, cut, &head, whole, payload, stuck);
	ws->closed = head.opcode == BX_WS_CLOSE;
	bx_cut_push(cut, whole, bx_span_part(whole, 0, 0), BX_FRAME_CONTROL, framer->ser);
	return BX_STEP_ITEM;
}

enum bx_step
bx_websocket_cut(struct bx_framer *framer, struct bx_cut *cut)
{
	struct bx_websocket *ws = framer->websocket;

	assert(cut->scratch != NULL);
	if (!ws->upgraded) {
		enum bx_step step = cut_upgrade(framer, cut);

		if (step != BX_STEP_ITEM)
			return step;
	}
	while (cut->count < cut->cap) {
		bool stuck = false;

		if (ws->pending) {
			flush_pending(framer, cut);
			if (ws->pending)
				return BX_STEP_ITEM;
			continue;
		}

		enum bx_step step = cut_frame(framer, cut, &stuck);

		if (step == BX_STEP_MORE && cut->final && ws->in_message &&
		    cut->used == cut->bytes.len)
			return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
					       "the input ends between fragments of a message");
		if (step != BX_STEP_ITEM || stuck)
			return step;
	}
	return BX_STEP_ITEM;
}
