/* Intake: where the next bytes come from, cut at message boundaries, in order. */
#include "pipe/pipe.h"

#include <poll.h>
#include <stdlib.h>

#include "frame/sniff.h"
#include "pipe/extent.h"

static enum bx_err
new_framer(struct bx_pipe *pipe, bool joined, struct bx_fail *fail)
{
	struct bx_framer_options options = {
		.format = pipe->from,
		.ser = pipe->default_ser,
		.message_max =
		    pipe->from == BX_FORMAT_TRACE ? (size_t)BX_MESSAGE_MAX * 2 : BX_MESSAGE_MAX,
		.extent = bx_extent_of(pipe->from),
		.joined = joined,
	};

	return bx_framer_new(&pipe->intake.framer, options, fail);
}

static const char *
input_path(const struct bx_job *job, size_t index)
{
	return job->input_count == 0 ? "-" : job->inputs[index];
}

/* For messages; lives as long as the job, unlike the source's own name. */
static const char *
input_name(const struct bx_job *job, size_t index)
{
	const char *path = input_path(job, index);

	return strcmp(path, "-") == 0 ? "stdin" : path;
}

static size_t
input_count(const struct bx_job *job)
{
	return job->input_count == 0 ? 1 : job->input_count;
}

/* Opens the next input and recognises it. The first decides the format for all. */
static enum bx_err
open_input(struct bx_pipe *pipe, struct bx_fail *fail)
{
	struct bx_intake *in = &pipe->intake;
	const char *path = input_path(pipe->job, in->next_input);
	struct bx_source_options options = {
		.path = path,
		.stop_fd = pipe->job->stop_fd > 0 ? pipe->job->stop_fd : 0,
	};
	enum bx_err err = bx_source_open(&in->source, &options, fail);

	if (err != BX_OK)
		return err;
	in->file = (unsigned)in->next_input++;
	in->offset = 0;
	in->at_end = false;

	struct bx_span head = { NULL, 0 };
	bool whole = false;
	enum bx_format format;

	/* Named with -f: a slow pipe is served at once, not when enough is there to look at. */
	if (pipe->job->from == BX_FORMAT_UNKNOWN)
		err = bx_source_peek(in->source, &head, &whole, fail);
	if (err != BX_OK)
		return err;
	err = bx_sniff(head, whole, pipe->job->from, bx_format_of_path(path, NULL), &format, fail);
	if (err != BX_OK)
		return err;
	if (in->file != 0 && format != pipe->from) {
		(void)bx_fail_set(
		    fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%.100s is %s, but the first input is %s",
		    bx_source_name(in->source), bx_format_name(format), bx_format_name(pipe->from));
		bx_fail_hint(fail, "convert them one by one, or name the format with -f");
		return BX_ERR_USAGE;
	}
	pipe->from = format;
	if (format == BX_FORMAT_UNKNOWN || format >= BX_FORMAT_BOXCAR) {
		(void)bx_fail_set(fail, BX_ERR_UNSUPPORTED, 0, 0,
				  "%.100s: format %s cannot be read", bx_source_name(in->source),
				  bx_format_name(format));
		return BX_ERR_UNSUPPORTED;
	}
	return new_framer(pipe, in->file != 0, fail);
}

enum bx_err
bx_intake_open_first(struct bx_pipe *pipe, struct bx_fail *fail)
{
	struct bx_intake *in = &pipe->intake;
	enum bx_err err = open_input(pipe, fail);

	if (err != BX_OK)
		return err;
	/*
	 * One regular file: workers claim chunks by offset and read them side by side; only the
	 * cutting is done in turn. Everything else is read by whoever holds the mutex; so is
	 * WebSocket, where one chunk may inflate to more than one car holds.
	 */
	in->claimed = input_count(pipe->job) == 1 && !pipe->job->follow &&
		      bx_source_is_file(in->source) && pipe->from != BX_FORMAT_WEBSOCKET;
	if (in->claimed) {
		in->claim_start = bx_source_start(in->source);
		in->claim_size = bx_source_size(in->source);
		if (in->claim_start % BX_IO_ALIGN == 0 && pipe->chunk % BX_IO_ALIGN == 0)
			in->direct_fd = bx_source_direct_fd(in->source);
	}
	return BX_OK;
}

bool
bx_intake_init(struct bx_pipe *pipe, struct bx_fail *fail)
{
	struct bx_intake *in = &pipe->intake;

	in->direct_fd = -1;
	if (pthread_mutex_init(&in->mutex, NULL) != 0 || !bx_turn_init(&in->turn)) {
		(void)bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
		return false;
	}
	in->carry_cap = BX_CAR_HEADROOM;
	in->carry = malloc(in->carry_cap);
	if (in->carry == NULL) {
		(void)bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
		return false;
	}
	return true;
}

void
bx_intake_close(struct bx_pipe *pipe)
{
	struct bx_intake *in = &pipe->intake;

	bx_framer_free(in->framer);
	bx_source_close(in->source);
	free(in->carry);
	bx_turn_free(&in->turn);
	(void)pthread_mutex_destroy(&in->mutex);
}

static bool
stop_asked(const struct bx_pipe *pipe)
{
	struct pollfd p = { pipe->job->stop_fd, POLLIN, 0 };

	return pipe->job->stop_fd >= 0 && poll(&p, 1, 0) == 1;
}

/* --- cutting: the same for both ways of reading ---------------------------------------------- */

/* Turns frames into records of the car; numbers the messages. */
static void
take_frames(struct bx_pipe *pipe, struct bx_car *car, const struct bx_frame *frames, size_t count)
{
	struct bx_intake *in = &pipe->intake;

	for (size_t i = 0; i < count; i++) {
		struct bx_record *r = &car->records[car->count++];

		*r = (struct bx_record){ .frame = frames[i],
					 .dir = (uint8_t)bx_framer_dir(in->framer) };
		/* Inputs are connections of their own, whatever number their lines give. */
		r->conn = (uint64_t)in->file << 48;
		switch ((enum bx_frame_kind)frames[i].kind) {
		case BX_FRAME_MESSAGE:
			r->number = in->next_number++;
			car->counts.messages++;
			break;
		case BX_FRAME_HANDSHAKE:
			car->counts.handshakes++;
			break;
		case BX_FRAME_CONTROL:
			car->counts.controls++;
			break;
		case BX_FRAME_BLANK:
			break;
		}
	}
}

static bool
keep_carry(struct bx_intake *in, const uint8_t *bytes, size_t len)
{
	if (len > in->carry_cap) {
		uint8_t *larger = malloc(len);

		if (larger == NULL)
			return false;
		free(in->carry);
		in->carry = larger;
		in->carry_cap = len;
	}
	if (len != 0)
		memcpy(in->carry, bytes, len);
	in->carry_len = len;
	return true;
}

/* The framer knows bytes; whoever reads the error wants the file and the message. */
static void
name_failure(const struct bx_pipe *pipe, struct bx_car *car, uint64_t at)
{
	struct bx_fail inner = car->fail;
	uint64_t offset = inner.offset != BX_NOWHERE ? inner.offset : at;

	car->fail = (struct bx_fail){ 0 };
	(void)bx_fail_set(&car->fail, inner.code, inner.sys, offset,
			  "%.100s: message %llu at byte %llu: %.120s", car->file_name,
			  (unsigned long long)pipe->intake.next_number, (unsigned long long)at,
			  inner.msg);
	if (inner.hint[0] != '\0')
		bx_fail_hint(&car->fail, "%s", inner.hint);
	else if (inner.code == BX_ERR_FORMAT)
		bx_fail_hint(&car->fail, "is it %s? -f names another format",
			     bx_format_name(pipe->from));
}

/* Bodies that the framer joins or inflates come first; a quarter stays for decoded text. */
static void
share_keep(struct bx_car *car)
{
	car->frame_scratch = bx_writer_over(car->keep.ptr, car->keep.cap - car->keep.cap / 4);
}

/* For the largest message that the framer may hand out. */
static bool
make_room(struct bx_car *car)
{
	if (!bx_car_grow(&car->keep, 0, (size_t)BX_MESSAGE_MAX * 2)) {
		(void)bx_fail_set(&car->fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
		return false;
	}
	share_keep(car);
	return true;
}

/*
 * Cuts what the car holds. `final`: no more bytes follow in this input. Leaves the rest in the
 * carry. *need: bytes wanted in all when not one frame was complete.
 */
static void
cut(struct bx_pipe *pipe, struct bx_car *car, bool final, size_t *need)
{
	struct bx_intake *in = &pipe->intake;
	struct bx_span left = { car->bytes, car->len };
	struct bx_frame frames[256];
	size_t table_cap = car->table.cap / sizeof(struct bx_record);

	car->base = in->offset;
	car->file = in->file;
	car->file_name = input_name(pipe->job, in->file);
	*need = 0;
	/* Decoded text and joined frames of a large message need as much again. */
	if (car->count == 0 && bx_car_grow(&car->keep, 0, car->len * 2))
		share_keep(car);
	in->backlog = false;
	for (;;) {
		size_t count = 0, used = 0, room = table_cap - car->count;
		enum bx_step step =
		    bx_framer_cut(in->framer, left, in->offset, final, &car->frame_scratch, frames,
				  room < 256 ? room : 256, &count, &used, need, &car->fail);

		take_frames(pipe, car, frames, count);
		left.ptr += used;
		left.len -= used;
		in->offset += used;
		if (step == BX_STEP_FAIL) {
			name_failure(pipe, car, in->offset);
			in->ended = true;
			break;
		}
		if (step != BX_STEP_ITEM || car->count == table_cap)
			break;
		if (count != 0)
			continue;
		/* No room for the next body: the next car takes it, or this one, when empty. */
		in->backlog = car->count != 0;
		if (in->backlog || !make_room(car))
			break;
	}
	car->keep_writer = bx_writer_over(
	    car->frame_scratch.at, (size_t)(car->keep.ptr + car->keep.cap - car->frame_scratch.at));
	car->len -= left.len;
	if (!keep_carry(in, left.ptr, left.len))
		(void)bx_fail_set(&car->fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	if (car->fail.code != BX_OK)
		in->ended = true;
}

/* --- streams: read by the holder of the mutex ------------------------------------------------- */

/* Moves on to the next input, or ends. False: ended. */
static bool
next_input(struct bx_pipe *pipe, struct bx_car *car)
{
	struct bx_intake *in = &pipe->intake;

	if (in->next_input >= input_count(pipe->job)) {
		in->ended = true;
		return false;
	}
	bx_framer_free(in->framer);
	in->framer = NULL;
	bx_source_close(in->source);
	in->source = NULL;
	if (open_input(pipe, &car->fail) != BX_OK) {
		in->ended = true;
		return false;
	}
	return true;
}

/* cat --follow: looks again every tenth of a second, until it is told to stop. */
static bool
wait_for_growth(const struct bx_pipe *pipe, struct bx_fail *fail)
{
	struct pollfd p = { pipe->job->stop_fd, POLLIN, 0 };

	if (poll(&p, pipe->job->stop_fd >= 0 ? 1 : 0, 100) != 1)
		return true;
	(void)bx_fail_set(fail, BX_ERR_INTERRUPTED, 0, BX_NOWHERE, "interrupted");
	return false;
}

static bool
fill(struct bx_pipe *pipe, struct bx_car *car, size_t goal, size_t need)
{
	struct bx_intake *in = &pipe->intake;
	size_t had = car->len;
	size_t wanted = need > had + had / 8 ? need : had + had / 8;

	if (!bx_car_grow(&car->in, BX_CAR_HEADROOM + car->len, BX_CAR_HEADROOM + goal)) {
		(void)bx_fail_set(&car->fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
		return false;
	}
	car->bytes = car->in.ptr + BX_CAR_HEADROOM;
	while (car->len < goal && !in->at_end) {
		size_t got = 0;

		if (bx_source_read(in->source, car->bytes + car->len, goal - car->len, &got,
				   &car->fail) != BX_OK)
			return false;
		if (got == 0 && pipe->job->follow && bx_source_is_file(in->source)) {
			if (car->len > had)
				break; /* what came since may be whole messages */
			if (!bx_source_grow(in->source) && !wait_for_growth(pipe, &car->fail))
				return false;
			continue;
		}
		if (got == 0)
			in->at_end = true;
		car->len += got;
		car->counts.bytes_in += got;
		/*
		 * A pipe that pauses: what is here may already be whole messages. Wait for more
		 * only in proportion to what is here, so that a long message is not looked at too
		 * often.
		 */
		if (!bx_source_is_file(in->source) && got != 0 && car->len >= wanted)
			break;
	}
	return true;
}

static void
read_stream(struct bx_pipe *pipe, struct bx_car *car)
{
	struct bx_intake *in = &pipe->intake;
	size_t goal = pipe->chunk, need = 0;

	for (;;) {
		if (in->carry_len != 0) {
			if (goal < in->carry_len + pipe->chunk / 2)
				goal = in->carry_len + pipe->chunk / 2;
			if (!bx_car_grow(&car->in, 0, BX_CAR_HEADROOM + goal)) {
				(void)bx_fail_set(&car->fail, BX_ERR_NOMEM, 0, BX_NOWHERE,
						  "out of memory");
				in->ended = true;
				return;
			}
			car->bytes = car->in.ptr + BX_CAR_HEADROOM;
			memcpy(car->bytes, in->carry, in->carry_len);
			car->len = in->carry_len;
			in->carry_len = 0;
		}
		/* What is left from the car before may be enough for several more. */
		if (!in->backlog && !fill(pipe, car, goal, need)) {
			in->ended = true;
			return;
		}
		cut(pipe, car, in->at_end, &need);
		if (in->ended || car->count != 0)
			break;
		if (in->at_end) {
			if (!next_input(pipe, car))
				break;
			goal = pipe->chunk;
			continue;
		}
		/* One message is larger than the chunk: take it whole, alone in this car. */
		goal = need > in->carry_len ? need : in->carry_len * 2;
		if (goal > (size_t)BX_MESSAGE_MAX * 2 + pipe->chunk)
			goal = (size_t)BX_MESSAGE_MAX * 2 + pipe->chunk;
		if (goal < in->carry_len + pipe->chunk)
			goal = in->carry_len + pipe->chunk;
	}
}

static bool
next_of_stream(struct bx_worker *worker, struct bx_car *car)
{
	struct bx_pipe *pipe = worker->pipe;
	struct bx_intake *in = &pipe->intake;

	(void)pthread_mutex_lock(&in->mutex);

	bool more = !in->ended && !atomic_load_explicit(&pipe->stopping, memory_order_acquire);

	if (more) {
		if (stop_asked(pipe)) {
			(void)bx_fail_set(&car->fail, BX_ERR_INTERRUPTED, 0, BX_NOWHERE,
					  "interrupted");
			in->ended = true;
		} else {
			read_stream(pipe, car);
		}
		car->seq = in->next_seq++;
	}
	(void)pthread_mutex_unlock(&in->mutex);
	return more;
}

/* --- one regular file: chunks are claimed ----------------------------------------------------- */

/* Puts the carry of the car before in front of this chunk. */
static bool
prepend_carry(struct bx_pipe *pipe, struct bx_car *car)
{
	struct bx_intake *in = &pipe->intake;
	size_t carried = in->carry_len;

	if (carried <= BX_CAR_HEADROOM) {
		car->bytes -= carried;
	} else {
		/* A message larger than the headroom: move the chunk up behind it. */
		if (!bx_car_grow(&car->in, BX_CAR_HEADROOM + car->len,
				 BX_CAR_HEADROOM + carried + car->len))
			return false;
		car->bytes = car->in.ptr + BX_CAR_HEADROOM;
		memmove(car->bytes + carried, car->bytes, car->len);
	}
	if (carried != 0)
		memcpy(car->bytes, in->carry, carried);
	car->len += carried;
	in->carry_len = 0;
	return true;
}

/* In turn: joins, cuts, hands the rest on. */
static void
cut_claimed(struct bx_pipe *pipe, struct bx_car *car, bool last)
{
	struct bx_intake *in = &pipe->intake;
	size_t need = 0;

	if (!prepend_carry(pipe, car)) {
		(void)bx_fail_set(&car->fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
		in->ended = true;
		return;
	}
	cut(pipe, car, last, &need);
	if (last && car->fail.code == BX_OK && bx_source_unchanged(in->source, &car->fail) != BX_OK)
		in->ended = true;
	if (last)
		in->ended = true;
}

static bool
next_claimed(struct bx_worker *worker, struct bx_car *car)
{
	struct bx_pipe *pipe = worker->pipe;
	struct bx_intake *in = &pipe->intake;
	uint64_t size = in->claim_size - in->claim_start;
	uint64_t chunks = size == 0 ? 1 : (size + pipe->chunk - 1) / pipe->chunk;
	uint64_t k = atomic_fetch_add_explicit(&in->next_claim, 1, memory_order_relaxed);

	if (k >= chunks)
		return false;

	uint64_t at = in->claim_start + k * pipe->chunk;
	size_t want =
	    (size_t)(size - k * pipe->chunk < pipe->chunk ? size - k * pipe->chunk : pipe->chunk);
	size_t got = 0;
	enum bx_err err = BX_OK;

	if (stop_asked(pipe))
		err = bx_fail_set(&car->fail, BX_ERR_INTERRUPTED, 0, BX_NOWHERE, "interrupted");
	else if (want != 0) {
		bool direct = in->direct_fd != -1;
		/* O_DIRECT asks for whole blocks; the last one reaches beyond the end. */
		size_t ask = direct ? (want + BX_IO_ALIGN - 1) / BX_IO_ALIGN * BX_IO_ALIGN : want;

		err =
		    bx_lane_read(worker->lane, 0, direct ? in->direct_fd : bx_source_fd(in->source),
				 car->bytes, ask, at, &car->fail);
		if (err == BX_OK)
			err = bx_lane_wait(worker->lane, 0, &got, &car->fail);
		if (got > want)
			got = want;
		if (err == BX_OK && got != want)
			err = bx_fail_set(&car->fail, BX_ERR_SYS, 0, at + got,
					  "%.100s: changed while it was read",
					  bx_source_name(in->source));
	}
	car->len = got;
	car->counts.bytes_in += got;
	car->seq = k;
	if (!bx_turn_enter(&in->turn, k))
		return false;

	bool live = !in->ended;

	if (live && err == BX_OK)
		cut_claimed(pipe, car, k + 1 == chunks);
	else if (live) {
		car->file_name = input_name(pipe->job, in->file);
		in->ended = true;
	}
	in->next_seq = k + 1;
	bx_turn_leave(&in->turn);
	return live;
}

bool
bx_intake_next(struct bx_worker *worker, struct bx_car *car)
{
	return worker->pipe->intake.claimed ? next_claimed(worker, car)
					    : next_of_stream(worker, car);
}
