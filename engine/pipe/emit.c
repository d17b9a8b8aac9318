/* Records into the output format: as they came, re-framed, or in another serializer. */
#include "pipe/pipe.h"

#include "base/json_writer.h"

bool
bx_emit_direct(const struct bx_pipe *pipe)
{
	return pipe->to != BX_FORMAT_TRACE;
}

uint8_t *
bx_emit_begin(const struct bx_pipe *pipe, struct bx_writer *out)
{
	uint8_t *begin = out->at;

	(void)bx_reserve(out, pipe->head_len);
	return begin;
}

/* Batched JSON keeps the dialect it came in: 0x18 of Autobahn, or 0x1e of the specification. */
static uint8_t
separator_of(const struct bx_pipe *pipe, const struct bx_record *r)
{
	struct bx_span whole = r->frame.whole;

	if (pipe->from == BX_FORMAT_BATCHED_JSON && whole.len != 0)
		return whole.ptr[whole.len - 1];
	return 0x18;
}

void
bx_emit_end(const struct bx_pipe *pipe, const struct bx_record *r, uint8_t *begin,
	    struct bx_writer *out)
{
	if (out->full)
		return;

	struct bx_writer head = bx_writer_over(begin, pipe->head_len);

	bx_frame_put_head(pipe->to, (size_t)(out->at - begin) - pipe->head_len, &head);
	bx_frame_put_tail(pipe->to, separator_of(pipe, r), out);
}

static bool
has_newline(struct bx_span body)
{
	return body.len != 0 && memchr(body.ptr, '\n', body.len) != NULL;
}

/*
 * The body in the serializer that the output wants; unchanged where it is that already. The result
 * lives in the work slab. *failure is set when it cannot be converted.
 */
static enum bx_emitted
convert_body(struct bx_worker *worker, struct bx_record *r, enum bx_ser from, enum bx_ser to,
	     struct bx_span *body)
{
	bool one_line = worker->pipe->to == BX_FORMAT_JSONL && has_newline(*body);

	if (from == to && !one_line)
		return BX_EMITTED;

	const struct bx_codec *reader = bx_codec_of(from), *writer = bx_codec_of(to);
	struct bx_writer *w = &worker->work;
	struct bx_defect why = { 0 };
	uint32_t marks = 0;

	if (reader == NULL || writer == NULL) {
		r->failure = BX_FAILURE_UNSUPPORTED;
		r->why = bx_ser_name(from);
		return BX_EMIT_FAILED;
	}

	uint8_t *begin = w->at;
	enum bx_coded coded = reader->to_json(*body, w, &marks, &why);

	if (coded == BX_CODED_OK && to != BX_SER_JSON) {
		struct bx_span json = bx_since(w, begin);

		begin = w->at;
		coded = writer->from_json(json, w, &marks, &why);
	}
	if (coded == BX_CODED_FULL || w->full)
		return BX_EMIT_FULL;
	if (coded != BX_CODED_OK) {
		r->failure =
		    coded == BX_CODED_BAD ? BX_FAILURE_MALFORMED : BX_FAILURE_NOT_REPRESENTABLE;
		r->why = why.what;
		return BX_EMIT_FAILED;
	}
	if ((marks & BX_MARK_REENCODED) != 0)
		worker->counts.reencoded++;
	*body = bx_since(w, begin);
	return BX_EMITTED;
}

/* The serializer in which this record goes out. */
static enum bx_ser
target_of(const struct bx_pipe *pipe, const struct bx_car *car, const struct bx_record *r)
{
	if (pipe->target_ser != BX_SER_UNKNOWN)
		return pipe->target_ser;
	/* A trace line's "msg" is JSON text of a message that travelled in another serializer. */
	if (pipe->from == BX_FORMAT_TRACE && pipe->to != BX_FORMAT_TRACE &&
	    car->lines[r->line].form == BX_TRACE_MSG &&
	    bx_codec_of(car->lines[r->line].ser) != NULL)
		return (enum bx_ser)car->lines[r->line].ser;
	return (enum bx_ser)r->m.ser;
}

static enum bx_emitted
emit_trace(struct bx_worker *worker, struct bx_car *car, struct bx_record *r, struct bx_span body,
	   struct bx_writer *out)
{
	if (worker->pipe->from == BX_FORMAT_TRACE) {
		struct bx_span line = r->frame.body;

		bx_trace_edit(line, &car->lines[r->line], body, out);
	} else {
		struct bx_trace_line line = { .dir = r->dir, .ser = r->m.ser };

		bx_trace_put(&line, body, out);
	}
	bx_put_u8(out, '\n');
	return out->full ? BX_EMIT_FULL : BX_EMITTED;
}

void
bx_emit_noted(struct bx_worker *worker, struct bx_car *car, const struct bx_record *r,
	      enum bx_ser ser)
{
	worker->counts.written++;
	car->last_written = r->number;
	if (!car->wrote_any)
		car->prologue_ser = (uint8_t)ser;
	car->wrote_any = true;
}

enum bx_emitted
bx_emit_body(struct bx_worker *worker, struct bx_car *car, struct bx_record *r, struct bx_span body,
	     struct bx_writer *out)
{
	struct bx_pipe *pipe = worker->pipe;
	enum bx_ser ser = target_of(pipe, car, r);
	enum bx_emitted emitted;

	if (pipe->to == BX_FORMAT_TRACE && pipe->target_ser == BX_SER_UNKNOWN) {
		emitted = emit_trace(worker, car, r, body, out);
	} else {
		emitted = convert_body(worker, r, (enum bx_ser)r->m.ser, ser, &body);
		if (emitted != BX_EMITTED)
			return emitted;
		if (pipe->to == BX_FORMAT_TRACE) {
			struct bx_trace_line line =
			    car->line_count != 0 ? car->lines[r->line]
						 : (struct bx_trace_line){ .dir = BX_DIR_UNKNOWN };

			line.ser = (uint8_t)ser;
			bx_trace_put(&line, body, out);
			bx_put_u8(out, '\n');
		} else {
			if (body.len > pipe->body_max) {
				r->failure = BX_FAILURE_TOO_BIG;
				return BX_EMIT_FAILED;
			}

			uint8_t *begin = bx_emit_begin(pipe, out);

			bx_put_span(out, body);
			bx_emit_end(pipe, r, begin, out);
		}
		emitted = out->full ? BX_EMIT_FULL : BX_EMITTED;
	}
	if (emitted == BX_EMITTED)
		bx_emit_noted(worker, car, r, ser);
	return emitted;
}

enum bx_emitted
bx_emit_record(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
	       struct bx_writer *out)
{
	struct bx_pipe *pipe = worker->pipe;

	if (pipe->same_format) {
		/* A second file's handshake says nothing new; the order keeps only the first. */
		if (r->frame.kind == BX_FRAME_HANDSHAKE && car->file != 0)
			return BX_EMITTED;
		bx_put_span(out, r->frame.whole);
		/* A last line without its newline, with another input after it. */
		if (r->frame.kind == BX_FRAME_MESSAGE && r->frame.whole.len == r->frame.body.len &&
		    (pipe->to == BX_FORMAT_JSONL || pipe->to == BX_FORMAT_TRACE) &&
		    car->file + 1 < pipe->job->input_count)
			bx_put_u8(out, '\n');
		if (out->full)
			return BX_EMIT_FULL;
		if (r->frame.kind == BX_FRAME_MESSAGE)
			bx_emit_noted(worker, car, r, (enum bx_ser)r->m.ser);
		return BX_EMITTED;
	}
	if (r->frame.kind != BX_FRAME_MESSAGE)
		return BX_EMITTED;
	return bx_emit_body(worker, car, r, bx_message_span(&r->m), out);
}
