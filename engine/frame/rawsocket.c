#include "frame/rawsocket.h"

#include "frame/framer.h"
#include "frame/sniff.h"

#define HEAD_LEN 4u

/* What a frame head says. */
struct head {
	uint32_t len;
	enum bx_frame_kind kind;
};

static const char *
refusal_text(unsigned code)
{
	static const char *const texts[] = { "serializer unsupported", "length unacceptable",
					     "reserved bits", "connection limit" };

	return code >= 1 && code <= 4 ? texts[code - 1] : NULL;
}

/* decisions.md 15: a later file may repeat the handshake, but not with another serializer. */
static enum bx_step
take_handshake_ser(struct bx_framer *framer, const struct bx_cut *cut, unsigned id)
{
	if (id > BX_SER_FLATBUFFERS)
		return bx_framer_fault(framer, cut, BX_ERR_UNSUPPORTED,
				       "serializer %u of the RawSocket handshake is not known", id);
	if (framer->options.joined && framer->ser != BX_SER_UNKNOWN && framer->ser != id) {
		bx_fail_hint(&framer->fault, "convert the files one by one first");
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "the RawSocket handshake says %s, the stream so far is %s",
				       bx_ser_name((enum bx_ser)id), bx_ser_name(framer->ser));
	}
	framer->ser = (enum bx_ser)id;
	return BX_STEP_ITEM;
}

/* The optional first four bytes. A refusal (S = 0) is kept as a handshake that names nothing. */
static enum bx_step
cut_handshake(struct bx_framer *framer, struct bx_cut *cut)
{
	struct bx_cursor c = bx_cut_rest(cut);
	struct bx_span whole = bx_take(&c, HEAD_LEN);

	if (c.bad) {
		cut->need = HEAD_LEN;
		return BX_STEP_MORE;
	}
	if (bx_load_be16(whole.ptr + 2) != 0)
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "reserved bytes of the RawSocket handshake are not zero");

	unsigned id = whole.ptr[1] & 0x0fu;
	unsigned code = whole.ptr[1] >> 4;

	if (id == 0 && refusal_text(code) == NULL)
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "the RawSocket handshake names no serializer and no error");
	if (id != 0 && take_handshake_ser(framer, cut, id) == BX_STEP_FAIL)
		return BX_STEP_FAIL;
	framer->started = true;
	bx_cut_push(cut, whole, (struct bx_span){ whole.ptr, 0 }, BX_FRAME_HANDSHAKE, framer->ser);
	return BX_STEP_ITEM;
}

/*
 * `01 00 00 00`: an empty PING (RFC), or the plain 32-bit length 2^24 of Twisted's
 * Int32StringReceiver. It is a PING only when a valid frame head, or the end, follows. That decides
 * every WAMP message right, because an array begins with '[' (JSON, UBJSON), 0x8x/0x9x (CBOR,
 * MsgPack) or 0xdc/0xdd, none of which a head can begin with; FlatBuffers, which may begin with
 * `08 00 00 00`, is read as the RFC says.
 */
static enum bx_step
read_ambiguous(const struct bx_framer *framer, struct bx_cut *cut, struct bx_cursor after,
	       struct head *head)
{
	size_t left = bx_left(&after);
	const struct head ping = { 0, BX_FRAME_CONTROL };
	const struct head full = { BX_RAWSOCKET_FULL, BX_FRAME_MESSAGE };

	if (left < HEAD_LEN && !cut->final) {
		cut->need = 2 * HEAD_LEN;
		return BX_STEP_MORE;
	}
	if (left == 0) {
		*head = ping;
		return BX_STEP_ITEM;
	}
	if (left < HEAD_LEN) {
		*head = bx_rawsocket_top_valid(bx_take_u8(&after)) ? ping : full;
		return BX_STEP_ITEM;
	}

	uint32_t next = bx_take_be32(&after);

	*head = bx_rawsocket_head_valid(next) &&
			(next & (BX_RAWSOCKET_FULL - 1)) <= framer->options.message_max
		    ? ping
		    : full;
	return BX_STEP_ITEM;
}

/* Every head whose first byte is not 0. `after` stands behind the head. */
static enum bx_step
read_odd_head(struct bx_framer *framer, struct bx_cut *cut, uint32_t word, struct bx_cursor after,
	      struct head *head)
{
	unsigned top = word >> 24;
	uint32_t len = word & (BX_RAWSOCKET_FULL - 1);

	if (top == BX_RAWSOCKET_MAGIC && (len & 0xffffu) == 0) {
		bx_fail_hint(&framer->fault, "give the files as several FILE arguments");
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "a second RawSocket handshake inside the stream");
	}
	if ((top & BX_RAWSOCKET_RESERVED) != 0)
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "reserved bits of a RawSocket frame head are set: %08x",
				       word);
	if ((top & BX_RAWSOCKET_TYPE) > 2)
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "RawSocket frame of unknown type %u",
				       top & BX_RAWSOCKET_TYPE);
	if (word == BX_RAWSOCKET_AMBIGUOUS)
		return read_ambiguous(framer, cut, after, head);
	if ((top & BX_RAWSOCKET_X) != 0 && len != 0)
		return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
				       "RawSocket frame head with X and a length: %08x", word);
	head->len = (top & BX_RAWSOCKET_X) != 0 ? BX_RAWSOCKET_FULL : len;
	head->kind = (top & BX_RAWSOCKET_TYPE) == 0 ? BX_FRAME_MESSAGE : BX_FRAME_CONTROL;
	return BX_STEP_ITEM;
}

static enum bx_step
cut_frame(struct bx_framer *framer, struct bx_cut *cut, struct bx_cursor *c)
{
	struct bx_cursor start = *c;
	uint32_t word = bx_take_be32(c);
	struct head head = { word, BX_FRAME_MESSAGE };

	if (c->bad) {
		cut->need = HEAD_LEN;
		return BX_STEP_MORE;
	}
	if (word >= BX_RAWSOCKET_FULL) {
		enum bx_step step = read_odd_head(framer, cut, word, *c, &head);

		if (step != BX_STEP_ITEM)
			return step;
	}
	if (head.len > framer->options.message_max)
		return bx_framer_too_long(framer, cut, head.len);

	struct bx_span whole = bx_take(&start, HEAD_LEN + (size_t)head.len);

	if (start.bad) {
		cut->need = HEAD_LEN + (size_t)head.len;
		return BX_STEP_MORE;
	}
	bx_prefetch_ahead(whole.ptr, whole.len);

	struct bx_span body = bx_take(c, head.len);

	if (framer->ser == BX_SER_UNKNOWN && head.kind == BX_FRAME_MESSAGE)
		framer->ser = bx_sniff_ser(body);
	bx_cut_push(cut, whole, body, head.kind, framer->ser);
	return BX_STEP_ITEM;
}

enum bx_step
bx_rawsocket_cut(struct bx_framer *framer, struct bx_cut *cut)
{
	struct bx_cursor c = bx_cut_rest(cut);

	if (!framer->started && bx_left(&c) != 0) {
		struct bx_cursor peek = c;

		if (bx_take_u8(&peek) == BX_RAWSOCKET_MAGIC) {
			enum bx_step step = cut_handshake(framer, cut);

			if (step != BX_STEP_ITEM)
				return step;
			c = bx_cut_rest(cut);
		}
		framer->started = true;
	}
	while (cut->count < cut->cap) {
		enum bx_step step = cut_frame(framer, cut, &c);

		if (step != BX_STEP_ITEM)
			return step;
	}
	return BX_STEP_ITEM;
}
