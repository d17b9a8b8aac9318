/* convert --conn A.c2r,A.r2c[,times.jsonl]: two halves of one connection become one trace. */
#include "boxcar/join.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "codec/codec.h"
#include "frame/frame.h"
#include "frame/sniff.h"
#include "pipe/extent.h"
#include "frame/trace.h"
#include "io/io.h"

#define FRAMES 64u
#define BUFFER_MIN ((size_t)256 << 10)

/* One half: its messages one after the other, with one looked at ahead. */
struct half {
	struct bx_source *source;
	struct bx_framer *framer;
	enum bx_format format;
	uint8_t dir;
	uint8_t *buffer, *scratch;
	size_t len, cap, consumed;
	uint64_t base; /* offset of buffer[0] in the half */
	bool at_end, done;
	struct bx_frame frames[FRAMES];
	size_t frame_count, frame_at;
	uint64_t cut_to; /* offset behind the last cut frame */
	/* the message at hand */
	bool has;
	struct bx_message m;
	bool scanned;
	uint64_t end; /* offset of the byte after it */
	/* reads of the proxy, for times */
	uint64_t read_end;
	int64_t read_ts;
};

struct joiner {
	const struct bx_join *join;
	struct half halves[2]; /* index: enum bx_dir */
	struct bx_source *times;
	uint8_t *times_buffer;
	size_t times_len, times_at, times_cap;
	bool times_end;
	uint64_t *invocations; /* ids of INVOCATIONs written: open addressing */
	size_t invocation_count, invocation_cap;
	struct bx_drain *drain;
	uint8_t *out;
	size_t out_cap;
	struct bx_join_result *result;
	struct bx_fail *fail;
};

static enum bx_err
no_memory(struct bx_fail *fail)
{
	return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
}

/* --- halves ---------------------------------------------------------------------------------- */

static enum bx_err
open_half(struct joiner *j, struct half *half, const char *path, uint8_t dir)
{
	struct bx_source_options options = { .path = path,
					     .stop_fd =
						 j->join->stop_fd > 0 ? j->join->stop_fd : 0 };
	enum bx_err err = bx_source_open(&half->source, &options, j->fail);
	struct bx_span head;
	bool whole;

	half->dir = dir;
	if (err == BX_OK)
		err = bx_source_peek(half->source, &head, &whole, j->fail);
	if (err == BX_OK)
		err = bx_sniff(head, whole, j->join->from, bx_format_of_path(path, NULL),
			       &half->format, j->fail);
	if (err != BX_OK)
		return err;
	if (half->format == BX_FORMAT_TRACE || half->format >= BX_FORMAT_BOXCAR)
		return bx_fail_set(j->fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%.100s is %s, not one half of a connection", path,
				   bx_format_name(half->format));

	struct bx_framer_options framing = {
		.format = half->format,
		.message_max = BX_MESSAGE_MAX,
		.extent = bx_extent_of(half->format),
	};

	if (j->join->serializer != NULL)
		framing.ser = bx_ser_of_name((struct bx_span){ (const uint8_t *)j->join->serializer,
							       strlen(j->join->serializer) });
	half->cap = BUFFER_MIN;
	half->buffer = malloc(half->cap);
	half->scratch = malloc(half->cap * 2);
	if (half->buffer == NULL || half->scratch == NULL)
		return no_memory(j->fail);
	return bx_framer_new(&half->framer, framing, j->fail);
}

static enum bx_err
read_more(struct joiner *j, struct half *half, size_t need)
{
	size_t got = 0;

	memmove(half->buffer, half->buffer + half->consumed, half->len - half->consumed);
	half->len -= half->consumed;
	half->base += half->consumed;
	half->consumed = 0;
	if (need > half->cap || half->len == half->cap) {
		size_t cap = need > half->cap * 2 ? need : half->cap * 2;
		uint8_t *larger = realloc(half->buffer, cap);

		if (larger != NULL)
			half->buffer = larger;
		uint8_t *scratch = realloc(half->scratch, cap * 2);

		if (scratch != NULL)
			half->scratch = scratch;
		if (larger == NULL || scratch == NULL)
			return no_memory(j->fail);
		half->cap = cap;
	}

	enum bx_err err = bx_source_read(half->source, half->buffer + half->len,
					 half->cap - half->len, &got, j->fail);

	half->len += got;
	j->result->bytes_in += got;
	half->at_end = err == BX_OK && got == 0;
	return err;
}

/* Cuts frames until there is a message, or the end. */
static enum bx_err
refill(struct joiner *j, struct half *half)
{
	half->frame_at = half->frame_count = 0;
	while (half->frame_count == 0 && !half->done) {
		struct bx_span left = { half->buffer + half->consumed, half->len - half->consumed };
		struct bx_writer scratch = bx_writer_over(half->scratch, half->cap * 2);
		size_t used = 0, need = 0;
		enum bx_step step = bx_framer_cut(half->framer, left, half->base + half->consumed,
						  half->at_end, &scratch, half->frames, FRAMES,
						  &half->frame_count, &used, &need, j->fail);

		half->consumed += used;
		half->cut_to = half->base + half->consumed;
		if (step == BX_STEP_FAIL && half->frame_count == 0)
			return j->fail->code;
		if (step == BX_STEP_END || (step == BX_STEP_MORE && half->at_end))
			half->done = half->frame_count == 0;
		if (step == BX_STEP_MORE && !half->at_end && half->frame_count == 0 &&
		    read_more(j, half, need) != BX_OK)
			return j->fail->code;
	}
	return BX_OK;
}

/* Looks at the next message of a half. */
static enum bx_err
advance(struct joiner *j, struct half *half)
{
	half->has = false;
	while (!half->done) {
		if (half->frame_at == half->frame_count) {
			enum bx_err err = refill(j, half);

			if (err != BX_OK)
				return err;
			continue;
		}

		const struct bx_frame *frame = &half->frames[half->frame_at++];

		if (frame->kind != BX_FRAME_MESSAGE)
			continue;
		half->m = (struct bx_message){ .bytes = frame->body.ptr,
					       .len = (uint32_t)frame->body.len,
					       .ser = frame->ser };
		if (half->m.ser == BX_SER_UNKNOWN)
			half->m.ser = (uint8_t)bx_sniff_ser(frame->body);
		half->end = frame->whole.len != 0 && frame->whole.ptr >= half->buffer &&
				    frame->whole.ptr <= half->buffer + half->len
				? half->base +
				      (uint64_t)(frame->whole.ptr + frame->whole.len - half->buffer)
				: half->cut_to;

		const struct bx_codec *codec = bx_codec_of((enum bx_ser)half->m.ser);
		uint8_t text[1024];
		struct bx_writer decoded = bx_writer_over(text, sizeof(text));
		struct bx_defect why;

		half->scanned = codec != NULL && codec->scan(&half->m, &decoded, &why);
		half->m.bytes = frame->body.ptr;
		half->m.len = (uint32_t)frame->body.len;
		half->has = true;
		return BX_OK;
	}
	return BX_OK;
}

/* --- order by cause -------------------------------------------------------------------------- */

static bool
invocation_seen(const struct joiner *j, uint64_t id)
{
	for (size_t i = 0; i < j->invocation_count; i++)
		if (j->invocations[j->invocation_count - 1 - i] == id)
			return true;
	return false;
}

static enum bx_err
note_invocation(struct joiner *j, uint64_t id)
{
	if (j->invocation_count == j->invocation_cap) {
		size_t cap = j->invocation_cap == 0 ? 256 : j->invocation_cap * 2;
		uint64_t *larger = realloc(j->invocations, cap * sizeof(*larger));

		if (larger == NULL)
			return no_memory(j->fail);
		j->invocations = larger;
		j->invocation_cap = cap;
	}
	j->invocations[j->invocation_count++] = id;
	return BX_OK;
}

/* An answer of the client to something that the router has not said yet. */
static bool
must_wait(const struct joiner *j, const struct half *c2r)
{
	if (!c2r->scanned)
		return false;
	return (c2r->m.type == BX_YIELD ||
		(c2r->m.type == BX_ERROR && c2r->m.request_type == BX_INVOCATION)) &&
	       !invocation_seen(j, c2r->m.request);
}

/* --- order by time --------------------------------------------------------------------------- */

static bool
parse_time(struct bx_span line, int64_t *ts, uint8_t *dir, uint64_t *n)
{
	struct bx_json_reader r;
	struct bx_json_token key, value;
	bool has_ts = false, has_dir = false, has_n = false, negative;
	uint64_t v;

	bx_json_begin(&r, line);
	if (bx_json_next(&r, &key) != BX_JSON_OBJECT)
		return false;
	while (bx_json_next(&r, &key) == BX_JSON_KEY) {
		enum bx_json_kind kind = bx_json_next(&r, &value);

		if (bx_json_text_is(key.text, "ts") && kind == BX_JSON_INT &&
		    bx_json_int(value.text, &negative, &v)) {
			*ts = negative ? -(int64_t)v : (int64_t)v;
			has_ts = true;
		} else if (bx_json_text_is(key.text, "n") && kind == BX_JSON_INT &&
			   bx_json_int(value.text, &negative, n) && !negative) {
			has_n = true;
		} else if (bx_json_text_is(key.text, "dir") && kind == BX_JSON_STRING) {
			*dir = bx_json_text_is(value.text, "c2r") ? BX_DIR_C2R : BX_DIR_R2C;
			has_dir = true;
		} else {
			struct bx_span ignored;

			if (!bx_json_skip(&r, &value, &ignored))
				return false;
		}
	}
	return has_ts && has_dir && has_n;
}

/* Next line of the times file; false at its end or on a failure (then fail is set). */
static bool
next_time(struct joiner *j, int64_t *ts, uint8_t *dir, uint64_t *n)
{
	for (;;) {
		const uint8_t *at = j->times_buffer + j->times_at;
		const uint8_t *end = j->times_at == j->times_len
					 ? NULL
					 : memchr(at, '\n', j->times_len - j->times_at);

		if (end != NULL || (j->times_end && j->times_at != j->times_len)) {
			size_t len = end != NULL ? (size_t)(end - at) : j->times_len - j->times_at;

			j->times_at += len + (end != NULL);
			if (len == 0)
				continue;
			if (parse_time((struct bx_span){ at, len }, ts, dir, n))
				return true;
			(void)bx_fail_set(j->fail, BX_ERR_FORMAT, 0, BX_NOWHERE,
					  "%.100s: not lines of ts, dir and n", j->join->times);
			return false;
		}
		if (j->times_end)
			return false;
		memmove(j->times_buffer, at, j->times_len - j->times_at);
		j->times_len -= j->times_at;
		j->times_at = 0;
		if (j->times_len == j->times_cap) {
			(void)bx_fail_set(j->fail, BX_ERR_FORMAT, 0, BX_NOWHERE,
					  "%.100s: a line is too long", j->join->times);
			return false;
		}

		size_t got = 0;

		if (bx_source_read(j->times, j->times_buffer + j->times_len,
				   j->times_cap - j->times_len, &got, j->fail) != BX_OK)
			return false;
		j->times_len += got;
		j->times_end = got == 0;
	}
}

/* --- writing --------------------------------------------------------------------------------- */

static enum bx_err
write_message(struct joiner *j, struct half *half, bool has_ts, int64_t ts)
{
	size_t cap = (size_t)half->m.len * 2 + 512;
	struct bx_trace_line line = { .ts = ts,
				      .has_ts = has_ts,
				      .conn = j->join->conn,
				      .has_conn = true,
				      .dir = half->dir,
				      .ser = half->m.ser };

	if (cap > j->out_cap) {
		uint8_t *larger = realloc(j->out, cap);

		if (larger == NULL)
			return no_memory(j->fail);
		j->out = larger;
		j->out_cap = cap;
	}

	struct bx_writer w = bx_writer_over(j->out, j->out_cap);

	bx_trace_put(&line, (struct bx_span){ half->m.bytes, half->m.len }, &w);
	bx_put_u8(&w, '\n');
	j->result->messages++;
	j->result->bytes_out += bx_written(&w);

	enum bx_err err = bx_drain_write(j->drain, j->out, bx_written(&w), j->fail);

	if (err == BX_OK && half->scanned && half->m.type == BX_INVOCATION && j->times == NULL)
		err = note_invocation(j, half->m.request);
	return err == BX_OK ? advance(j, half) : err;
}

static enum bx_err
join_by_cause(struct joiner *j)
{
	struct half *c2r = &j->halves[BX_DIR_C2R], *r2c = &j->halves[BX_DIR_R2C];
	enum bx_err err = BX_OK;

	while (err == BX_OK && (c2r->has || r2c->has)) {
		bool client = c2r->has && (!r2c->has || !must_wait(j, c2r));

		err = write_message(j, client ? c2r : r2c, false, 0);
	}
	return err;
}

static enum bx_err
join_by_time(struct joiner *j)
{
	int64_t ts = 0;
	uint8_t dir = 0;
	uint64_t n = 0;
	enum bx_err err = BX_OK;

	while (err == BX_OK && next_time(j, &ts, &dir, &n)) {
		struct half *half = &j->halves[dir];

		half->read_end += n;
		while (err == BX_OK && half->has && half->end <= half->read_end)
			err = write_message(j, half, true, ts);
	}
	if (err == BX_OK && j->fail->code != BX_OK)
		err = j->fail->code;
	/* What the times do not reach: at the last time. */
	for (int d = 0; d < 2; d++)
		while (err == BX_OK && j->halves[d].has)
			err = write_message(j, &j->halves[d], true, ts);
	return err;
}

static enum bx_err
run(struct joiner *j)
{
	const struct bx_join *join = j->join;
	struct bx_drain_options options = { .path = join->output,
					    .force = join->force,
					    .zst = join->zst,
					    .stop_fd = join->stop_fd > 0 ? join->stop_fd : 0 };
	enum bx_err err = open_half(j, &j->halves[BX_DIR_C2R], join->c2r, BX_DIR_C2R);

	if (err == BX_OK)
		err = open_half(j, &j->halves[BX_DIR_R2C], join->r2c, BX_DIR_R2C);
	if (err == BX_OK && join->times != NULL) {
		struct bx_source_options times = { .path = join->times,
						   .stop_fd = options.stop_fd };

		j->times_cap = BUFFER_MIN;
		j->times_buffer = malloc(j->times_cap);
		err = j->times_buffer == NULL ? no_memory(j->fail)
					      : bx_source_open(&j->times, &times, j->fail);
	}
	if (err == BX_OK)
		err = bx_drain_open(&j->drain, &options, j->fail);
	for (int d = 0; d < 2 && err == BX_OK; d++)
		err = advance(j, &j->halves[d]);
	if (err == BX_OK)
		err = j->times != NULL ? join_by_time(j) : join_by_cause(j);
	return err == BX_OK ? bx_drain_commit(j->drain, j->result->bytes_out, j->fail) : err;
}

enum bx_err
bx_join_run(const struct bx_join *join, struct bx_join_result *result, struct bx_fail *fail)
{
	struct joiner *j = calloc(1, sizeof(*j));

	*result = (struct bx_join_result){ 0 };
	if (j == NULL)
		return no_memory(fail);
	j->join = join;
	j->result = result;
	j->fail = fail;

	enum bx_err err = run(j);

	for (int d = 0; d < 2; d++) {
		bx_framer_free(j->halves[d].framer);
		bx_source_close(j->halves[d].source);
		free(j->halves[d].buffer);
		free(j->halves[d].scratch);
	}
	bx_source_close(j->times);
	bx_drain_close(j->drain);
	free(j->times_buffer);
	free(j->invocations);
	free(j->out);
	free(j);
	return err;
}
