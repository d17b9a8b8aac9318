#include "frame/frame.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame/framer.h"
#include "frame/rawsocket.h"
#include "frame/upgrade.h"

/* The serializer that a format's name says. */
static enum bx_ser
ser_of_format(enum bx_format format)
{
	switch (format) {
	case BX_FORMAT_MSGPACK:
	case BX_FORMAT_BATCHED_MSGPACK:
		return BX_SER_MSGPACK;
	case BX_FORMAT_CBOR:
	case BX_FORMAT_BATCHED_CBOR:
		return BX_SER_CBOR;
	case BX_FORMAT_JSONL:
	case BX_FORMAT_BATCHED_JSON:
		return BX_SER_JSON;
	default:
		return BX_SER_UNKNOWN;
	}
}

static bx_cutter_fn
cutter_of_format(enum bx_format format)
{
	switch (format) {
	case BX_FORMAT_RAWSOCKET:
		return bx_rawsocket_cut;
	case BX_FORMAT_MSGPACK:
	case BX_FORMAT_CBOR:
		return bx_sequence_cut;
	case BX_FORMAT_JSONL:
	case BX_FORMAT_TRACE:
		return bx_lines_cut;
	case BX_FORMAT_WEBSOCKET:
		return bx_websocket_cut;
	case BX_FORMAT_BATCHED_JSON:
		return bx_batched_text_cut;
	case BX_FORMAT_BATCHED_MSGPACK:
	case BX_FORMAT_BATCHED_CBOR:
		return bx_batched_binary_cut;
	default:
		return NULL;
	}
}

enum bx_err
bx_framer_new(struct bx_framer **framer, struct bx_framer_options options, struct bx_fail *fail)
{
	bx_cutter_fn cutter = cutter_of_format(options.format);

	if (cutter == NULL)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%s is not a stream of messages",
				   bx_format_name(options.format));
	assert(cutter != bx_sequence_cut || options.extent != NULL);

	struct bx_framer *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for a framer");
	f->options = options;
	f->cutter = cutter;
	f->dir = BX_DIR_UNKNOWN;
	f->ser = ser_of_format(options.format);
	if (options.format == BX_FORMAT_RAWSOCKET)
		f->ser = options.ser;
	if (options.format == BX_FORMAT_WEBSOCKET) {
		enum bx_err err = bx_websocket_new(&f->websocket, &options, fail);

		if (err != BX_OK) {
			bx_framer_free(f);
			return err;
		}
	}
	f->options.subprotocol = NULL; /* was borrowed for this call only */
	*framer = f;
	return BX_OK;
}

void
bx_framer_free(struct bx_framer *framer)
{
	if (framer == NULL)
		return;
	bx_websocket_free(framer->websocket);
	free(framer);
}

enum bx_step
bx_framer_fault(struct bx_framer *framer, const struct bx_cut *cut, enum bx_err code,
		const char *fmt, ...)
{
	char msg[sizeof(framer->fault.msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	(void)bx_fail_set(&framer->fault, code, 0, bx_cut_offset(cut), "%s", msg);
	return BX_STEP_FAIL;
}

enum bx_step
bx_framer_too_long(struct bx_framer *framer, const struct bx_cut *cut, uint64_t len)
{
	return bx_framer_fault(framer, cut, BX_ERR_LIMIT, "message is %llu bytes, limit %zu",
			       (unsigned long long)len, framer->options.message_max);
}

/* Nothing follows, and the cutter wants more: a clean end, or a message that was cut off. */
static enum bx_step
end_of_stream(struct bx_framer *framer, const struct bx_cut *cut)
{
	size_t left = cut->bytes.len - cut->used;

	if (left == 0)
		return BX_STEP_END;
	return bx_framer_fault(framer, cut, BX_ERR_FORMAT,
			       "the input ends inside a message (%zu bytes of it are there)", left);
}

/* The first cause wins, as in bx_fail_set. */
static void
report_fault(const struct bx_framer *framer, struct bx_fail *fail)
{
	if (fail != NULL && fail->code == BX_OK)
		*fail = framer->fault;
}

enum bx_step
bx_framer_cut(struct bx_framer *framer, struct bx_span bytes, uint64_t base, bool final,
	      struct bx_writer *scratch, struct bx_frame *frames, size_t cap, size_t *count,
	      size_t *used, size_t *need, struct bx_fail *fail)
{
	struct bx_cut cut = { .bytes = bytes,
			      .base = base,
			      .final = final,
			      .scratch = scratch,
			      .frames = frames,
			      .cap = cap };

	assert(cap > 0);
	*count = 0;
	*used = 0;
	*need = 0;
	if (framer->failed) {
		report_fault(framer, fail);
		return BX_STEP_FAIL;
	}

	enum bx_step step = framer->cutter(framer, &cut);

	if (step == BX_STEP_MORE && final)
		step = end_of_stream(framer, &cut);
	if (step == BX_STEP_FAIL)
		framer->failed = true;
	*count = cut.count;
	*used = cut.used;
	/* A fault behind good frames waits for the next call. */
	if (cut.count != 0)
		return BX_STEP_ITEM;
	if (step == BX_STEP_FAIL)
		report_fault(framer, fail);
	if (step == BX_STEP_MORE)
		*need = cut.need;
	return step;
}

enum bx_ser
bx_framer_ser(const struct bx_framer *framer)
{
	return framer->ser;
}

enum bx_dir
bx_framer_dir(const struct bx_framer *framer)
{
	return framer->dir;
}

uint8_t
bx_framer_separator(const struct bx_framer *framer)
{
	return framer->separator;
}

const char *
bx_framer_subprotocol(const struct bx_framer *framer)
{
	if (framer->websocket == NULL)
		return NULL;
	return bx_subprotocol_name(bx_websocket_subprotocol(framer->websocket));
}

/* --- writing --------------------------------------------------------------------------------- */

size_t
bx_frame_body_max(enum bx_format format)
{
	switch (format) {
	case BX_FORMAT_RAWSOCKET:
		return BX_RAWSOCKET_FULL - 1;
	case BX_FORMAT_BATCHED_MSGPACK:
	case BX_FORMAT_BATCHED_CBOR:
		return UINT32_MAX;
	default:
		return SIZE_MAX;
	}
}

void
bx_frame_put_head(enum bx_format format, size_t len, struct bx_writer *w)
{
	assert(len <= bx_frame_body_max(format));
	switch (format) {
	case BX_FORMAT_RAWSOCKET:
	case BX_FORMAT_BATCHED_MSGPACK:
	case BX_FORMAT_BATCHED_CBOR:
		bx_put_be32(w, (uint32_t)len);
		break;
	default:
		break;
	}
}

void
bx_frame_put_tail(enum bx_format format, uint8_t separator, struct bx_writer *w)
{
	switch (format) {
	case BX_FORMAT_JSONL:
		bx_put_u8(w, '\n');
		break;
	case BX_FORMAT_BATCHED_JSON:
		assert(separator == BX_SEPARATOR_AUTOBAHN || separator == BX_SEPARATOR_RFC);
		bx_put_u8(w, separator);
		break;
	default:
		break;
	}
}

size_t
bx_frame_overhead(enum bx_format format)
{
	switch (format) {
	case BX_FORMAT_RAWSOCKET:
	case BX_FORMAT_BATCHED_MSGPACK:
	case BX_FORMAT_BATCHED_CBOR:
		return 4;
	case BX_FORMAT_JSONL:
	case BX_FORMAT_BATCHED_JSON:
		return 1;
	default:
		return 0;
	}
}

void
bx_frame_put_handshake(enum bx_ser ser, struct bx_writer *w)
{
	assert(ser >= BX_SER_JSON && ser <= BX_SER_FLATBUFFERS);

	const uint8_t handshake[4] = { BX_RAWSOCKET_MAGIC, (uint8_t)(0xf0u | (unsigned)ser), 0, 0 };

	bx_put(w, handshake, sizeof(handshake));
}
