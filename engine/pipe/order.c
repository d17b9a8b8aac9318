/* Order: cars come back in any order; their bytes leave in that of the recording. */
#include "pipe/pipe.h"

#include <stdio.h>
#include <stdlib.h>

/* --- pool ------------------------------------------------------------------------------------ */

struct bx_car *
bx_pool_take(struct bx_pipe *pipe)
{
	(void)pthread_mutex_lock(&pipe->pool_mutex);
	while (pipe->free_cars == NULL && !pipe->pool_stopped)
		(void)pthread_cond_wait(&pipe->pool_changed, &pipe->pool_mutex);

	struct bx_car *car = pipe->pool_stopped ? NULL : pipe->free_cars;

	if (car != NULL)
		pipe->free_cars = car->next;
	(void)pthread_mutex_unlock(&pipe->pool_mutex);
	if (car != NULL)
		bx_car_reset(car);
	return car;
}

void
bx_pool_put(struct bx_pipe *pipe, struct bx_car *car)
{
	(void)pthread_mutex_lock(&pipe->pool_mutex);
	car->next = pipe->free_cars;
	pipe->free_cars = car;
	(void)pthread_cond_signal(&pipe->pool_changed);
	(void)pthread_mutex_unlock(&pipe->pool_mutex);
}

/* --- the run ends ---------------------------------------------------------------------------- */

static void
wake_all(struct bx_pipe *pipe)
{
	atomic_store_explicit(&pipe->stopping, true, memory_order_release);
	bx_turn_stop(&pipe->intake.turn);
	bx_turn_stop(&pipe->route_turn);
	(void)pthread_mutex_lock(&pipe->pool_mutex);
	pipe->pool_stopped = true;
	(void)pthread_cond_broadcast(&pipe->pool_changed);
	(void)pthread_mutex_unlock(&pipe->pool_mutex);
}

void
bx_pipe_stop(struct bx_pipe *pipe, const struct bx_fail *fail)
{
	(void)pthread_mutex_lock(&pipe->order.mutex);
	if (pipe->order.fail.code == BX_OK)
		pipe->order.fail = *fail;
	(void)pthread_mutex_unlock(&pipe->order.mutex);
	wake_all(pipe);
}

/* --- order ----------------------------------------------------------------------------------- */

bool
bx_order_init(struct bx_pipe *pipe)
{
	struct bx_order *order = &pipe->order;

	order->waiting = calloc(pipe->car_count, sizeof(struct bx_car *));
	order->limit_left = pipe->job->filter.has_limit ? pipe->job->filter.limit : UINT64_MAX;
	return order->waiting != NULL && pthread_mutex_init(&order->mutex, NULL) == 0;
}

void
bx_order_close(struct bx_pipe *pipe)
{
	bx_drain_close(pipe->order.drain);
	bx_drain_close(pipe->order.rejects);
	free(pipe->order.waiting);
	(void)pthread_mutex_destroy(&pipe->order.mutex);
}

/* `cat --limit`: only so many lines. True: the limit is reached. */
static bool
cut_to_limit(struct bx_order *order, struct bx_car *car)
{
	const uint8_t *at = bx_car_out(car), *end = bx_car_out(car) + car->out_len;

	if (order->limit_left == UINT64_MAX)
		return false;
	while (order->limit_left != 0 && at != end) {
		at = (const uint8_t *)memchr(at, '\n', (size_t)(end - at)) + 1;
		order->limit_left--;
	}
	car->out_len = (size_t)(at - bx_car_out(car));
	return order->limit_left == 0;
}

/* A trace line with the reason, for what --on-error skip left out. */
static enum bx_err
put_reject(struct bx_order *order, const struct bx_car *car, const struct bx_record *r,
	   struct bx_fail *fail)
{
	size_t cap = (size_t)r->m.len * 2 + 512;
	uint8_t *buf = malloc(cap);

	if (buf == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");

	struct bx_writer w = bx_writer_over(buf, cap);
	struct bx_trace_line line = { .dir = BX_DIR_UNKNOWN };

	if (car->line_count != 0)
		line = car->lines[r->line];
	line.ser = r->m.ser;
	bx_trace_put(&line, bx_message_span(&r->m), &w);
	if (!w.full && w.at > w.begin)
		w.at--; /* the closing brace */

	char tail[128];
	int len =
	    snprintf(tail, sizeof(tail), ",\"n\":%llu,\"reason\":\"%s\"}\n",
		     (unsigned long long)r->number, bx_failure_name((enum bx_failure)r->failure));

	bx_put(&w, tail, (size_t)len);

	enum bx_err err = bx_drain_write(order->rejects, buf, bx_written(&w), fail);

	order->rejects_len += bx_written(&w);

	free(buf);
	return err;
}

static void
put_rejects(struct bx_order *order, struct bx_car *car)
{
	if (order->rejects == NULL || car->counts.skipped == 0)
		return;
	for (size_t i = 0; i < car->count; i++) {
		const struct bx_record *r = &car->records[i];

		if (r->failure != BX_FAILURE_NONE && r->fate == BX_FATE_DROP &&
		    put_reject(order, car, r, &car->fail) != BX_OK)
			return;
	}
}

/* A handshake in front of RawSocket output whose input had none of its own. */
static size_t
make_prologue(struct bx_pipe *pipe, const struct bx_car *car, uint8_t buf[static 4])
{
	struct bx_writer w = bx_writer_over(buf, 4);

	if (pipe->order.prologue_done || !car->wrote_any)
		return 0;
	pipe->order.prologue_done = true;
	if (pipe->same_format || pipe->to != BX_FORMAT_RAWSOCKET)
		return 0;
	bx_frame_put_handshake((enum bx_ser)car->prologue_ser, &w);
	return bx_written(&w);
}

static void
tell_progress(struct bx_pipe *pipe, bool last)
{
	struct bx_order *order = &pipe->order;

	if (pipe->job->progress == NULL)
		return;

	double seconds = bx_seconds_since(&pipe->started);

	if (!last && seconds - order->last_progress < 0.1)
		return;
	order->last_progress = seconds;

	struct bx_progress progress = { order->counts.bytes_in,
					pipe->intake.claimed
					    ? pipe->intake.claim_size - pipe->intake.claim_start
					    : UINT64_MAX,
					order->counts.messages, seconds };

	pipe->job->progress(pipe->job->context, &progress);
}

/* How much work a kill may cost. */
#define CHECKPOINT_BYTES ((uint64_t)64 << 20)
#define CHECKPOINT_SECONDS 0.5

/* Called between two cars, with nothing in flight: all bytes below out_offset are written. */
static enum bx_err
checkpoint(struct bx_pipe *pipe, const struct bx_car *car, struct bx_fail *fail)
{
	struct bx_order *order = &pipe->order;
	double seconds = bx_seconds_since(&pipe->started);

	if (!order->checkpoints ||
	    (seconds - order->last_checkpoint < CHECKPOINT_SECONDS &&
	     order->out_offset - order->checkpoint_offset < CHECKPOINT_BYTES))
		return BX_OK;
	order->last_checkpoint = seconds;
	order->checkpoint_offset = order->out_offset;
	order->resume.in_offset = car->base + car->len;
	order->resume.out_offset = order->out_offset;
	order->resume.counts = order->counts;

	enum bx_err err = bx_drain_checkpoint(order->drain, order->out_offset, fail);

	return err == BX_OK ? bx_rekey_state_save(&order->resume, fail) : err;
}

/*
 * Takes the car into account, in order, under the mutex. Its place in the output is known
 * afterwards. True: the run goes on.
 */
static bool
account(struct bx_pipe *pipe, struct bx_car *car, uint64_t *at, uint8_t prologue[static 4],
	size_t *prologue_len)
{
	struct bx_order *order = &pipe->order;
	bool limit = cut_to_limit(order, car);

	put_rejects(order, car);
	*prologue_len = make_prologue(pipe, car, prologue);
	*at = order->out_offset;
	order->out_offset += *prologue_len + car->out_len;
	car->counts.bytes_out = *prologue_len + car->out_len;
	bx_counts_add(&order->counts, &car->counts);
	if (car->wrote_any) {
		order->last_good = car->last_written;
		order->has_last_good = true;
	}
	if (order->noted.code == BX_OK)
		order->noted = car->noted;
	if (car->fail.code != BX_OK && order->fail.code == BX_OK)
		order->fail = car->fail;
	tell_progress(pipe, false);
	return car->fail.code == BX_OK && !limit;
}

/*
 * O_DIRECT: the bytes are moved to the phase of their offset (they never move by a whole block) and
 * go out from the car itself.
 */
static enum bx_err
place_direct(struct bx_worker *worker, struct bx_car *car, uint64_t at, const uint8_t *prologue,
	     size_t prologue_len, struct bx_fail *fail)
{
	struct bx_drain *drain = worker->pipe->order.drain;
	uint8_t *from = bx_car_out(car) - prologue_len;
	size_t len = car->out_len + prologue_len, done;
	size_t shift = (bx_drain_phase(drain, at) - (uintptr_t)from) % BX_IO_ALIGN;

	if (len == 0)
		return BX_OK;
	if (prologue_len != 0)
		memcpy(from, prologue, prologue_len);
	if (shift != 0)
		memmove(from + shift, from, len);

	enum bx_err err =
	    bx_drain_place_lane(drain, worker->lane, 1, from + shift, BX_IO_ALIGN, len, at, fail);

	return err == BX_OK ? bx_lane_wait(worker->lane, 1, &done, fail) : err;
}

static enum bx_err
write_car(struct bx_worker *worker, struct bx_car *car, uint64_t at, const uint8_t *prologue,
	  size_t prologue_len, struct bx_fail *fail)
{
	struct bx_order *order = &worker->pipe->order;
	struct bx_drain *drain = order->drain;
	enum bx_err err = BX_OK;

	if (drain == NULL)
		return BX_OK;
	if (bx_drain_is_placed(drain) && bx_drain_is_direct(drain) && !order->checkpoints)
		return place_direct(worker, car, at, prologue, prologue_len, fail);
	if (bx_drain_is_placed(drain)) {
		if (prologue_len != 0)
			err = bx_drain_place(drain, prologue, prologue_len, at, fail);
		if (err == BX_OK && car->out_len != 0)
			err = bx_drain_place(drain, bx_car_out(car), car->out_len,
					     at + prologue_len, fail);
		return err;
	}
	if (prologue_len != 0)
		err = bx_drain_write(drain, prologue, prologue_len, fail);
	if (err == BX_OK && car->out_len != 0)
		err = bx_drain_write(drain, bx_car_out(car), car->out_len, fail);
	return err;
}

/*
 * Whoever brings the next car in order takes out all that follow it. The bytes of a file are placed
 * by the same thread, while others go on; those of a pipe leave before the next is looked at.
 */
void
bx_order_push(struct bx_worker *worker, struct bx_car *car)
{
	struct bx_pipe *pipe = worker->pipe;
	struct bx_order *order = &pipe->order;

	(void)pthread_mutex_lock(&order->mutex);
	order->waiting[car->seq % pipe->car_count] = car;
	if (order->draining) {
		(void)pthread_mutex_unlock(&order->mutex);
		return;
	}
	/* Taking out: `draining` keeps others away while a pipe is written to. */
	for (;;) {
		struct bx_car **slot = &order->waiting[order->next_seq % pipe->car_count];
		struct bx_car *next = *slot;
		uint8_t prologue[4];
		size_t prologue_len;
		uint64_t at;
		struct bx_fail fail = { 0 };

		if (next == NULL || order->closed || order->fail.code != BX_OK)
			break;
		*slot = NULL;
		order->next_seq++;

		bool go_on = account(pipe, next, &at, prologue, &prologue_len);
		bool placed =
		    order->drain != NULL && bx_drain_is_placed(order->drain) && !order->checkpoints;

		order->closed = !go_on;
		/* A file's region may be written while another thread takes out the next car. */
		order->draining = !placed;
		(void)pthread_mutex_unlock(&order->mutex);

		enum bx_err err = go_on || !placed
				      ? write_car(worker, next, at, prologue, prologue_len, &fail)
				      : BX_OK;

		if (err == BX_OK && go_on)
			err = checkpoint(pipe, next, &fail);
		bx_pool_put(pipe, next);
		if (err != BX_OK)
			bx_pipe_stop(pipe, &fail);
		else if (!go_on)
			wake_all(pipe);
		(void)pthread_mutex_lock(&order->mutex);
		order->draining = false;
	}
	if (pipe->order.fail.code == BX_OK)
		tell_progress(pipe, false);
	(void)pthread_mutex_unlock(&order->mutex);
}
