/* A run from its options to its result: sets the pipeline up, starts the threads, ends it. */
#include "pipe/pipe.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Input bytes in a car: with its output and scratch it stays in a core's second-level cache. */
#define CHUNK_DEFAULT ((size_t)256 << 10)
#define CHUNK_MIN ((size_t)4 << 10)
#define CHUNK_MAX ((size_t)16 << 20)
#define THREADS_MAX 256u

const char *
bx_version(void)
{
	return BX_VERSION_TEXT;
}

bool
bx_job_type_exists(const char *name)
{
	return bx_type_of_name((struct bx_span){ (const uint8_t *)name, strlen(name) }) != 0;
}

const char *
bx_failure_name(enum bx_failure failure)
{
	static const char *const names[BX_FAILURE_COUNT] = {
		[BX_FAILURE_NONE] = "none",
		[BX_FAILURE_MALFORMED] = "malformed",
		[BX_FAILURE_NO_KEY] = "no_key",
		[BX_FAILURE_NO_ROLE] = "no_role",
		[BX_FAILURE_UNKNOWN_URI] = "unknown_uri",
		[BX_FAILURE_BAD_TAG] = "bad_tag",
		[BX_FAILURE_URI_MISMATCH] = "uri_mismatch",
		[BX_FAILURE_BAD_PLAINTEXT] = "bad_plaintext",
		[BX_FAILURE_WRONG_TYPE] = "wrong_type",
		[BX_FAILURE_AMBIGUOUS_KEY] = "ambiguous_key",
		[BX_FAILURE_NOT_REPRESENTABLE] = "not_representable",
		[BX_FAILURE_TOO_BIG] = "too_big",
		[BX_FAILURE_NOT_LOSSLESS] = "not_lossless",
		[BX_FAILURE_UNSUPPORTED] = "unsupported_serializer",
	};

	return (size_t)failure < BX_FAILURE_COUNT ? names[failure] : "none";
}

enum bx_err
bx_failure_err(enum bx_failure failure)
{
	switch (failure) {
	case BX_FAILURE_NO_KEY:
	case BX_FAILURE_NO_ROLE:
	case BX_FAILURE_UNKNOWN_URI:
		return BX_ERR_NOKEY;
	case BX_FAILURE_BAD_TAG:
	case BX_FAILURE_URI_MISMATCH:
	case BX_FAILURE_AMBIGUOUS_KEY:
		return BX_ERR_AUTH;
	default:
		return BX_ERR_FORMAT;
	}
}

const char *
bx_job_count_at(const struct bx_job_counts *counts, size_t index, uint64_t *value)
{
#define ROW(name)                                                                                  \
	{                                                                                          \
#name, offsetof(struct bx_job_counts, name)                                        \
	}
	static const struct {
		const char *name;
		size_t at;
	} rows[] = {
		ROW(messages),       ROW(written),        ROW(payloads),       ROW(sealed),
		ROW(opened),         ROW(clear_no_key),   ROW(clear_no_role),  ROW(clear_unknown),
		ROW(clear_reserved), ROW(already_sealed), ROW(plain),          ROW(keyed_plain),
		ROW(surprises),      ROW(foreign),        ROW(unsupported),    ROW(unparsed),
		ROW(reencoded),      ROW(trusted_by_key), ROW(duplicate_keys), ROW(skipped),
		ROW(passed),         ROW(filtered),       ROW(handshakes),     ROW(controls),
		ROW(bytes_in),       ROW(bytes_out),
	};
#undef ROW
	if (index >= sizeof(rows) / sizeof(rows[0]))
		return NULL;
	memcpy(value, (const uint8_t *)counts + rows[index].at, sizeof(*value));
	return rows[index].name;
}

/* --- one worker ------------------------------------------------------------------------------ */

static size_t
batch_size(const struct bx_pipe *pipe, const struct bx_car *car, size_t from)
{
	size_t bytes = 0, i = from;

	while (i < car->count && i - from < BX_BATCH) {
		bytes += car->records[i].frame.body.len;
		if (bytes > pipe->chunk / 2 && i != from)
			break;
		i++;
	}
	return i - from;
}

/* Forgets what a batch that did not fit found out, so that it can be done again. */
static void
forget(struct bx_record *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!records[i].scanned && records[i].failure == BX_FAILURE_MALFORMED)
			continue;
		records[i].failure = BX_FAILURE_NONE;
		records[i].why = NULL;
	}
}

static bool
run_batch(struct bx_worker *worker, struct bx_car *car, struct bx_record *records, size_t *count)
{
	struct bx_pipe *pipe = worker->pipe;
	bool wrote_any = car->wrote_any;

	for (;;) {
		size_t n = *count;
		struct bx_writer out =
		    bx_writer_over(bx_car_out(car) + car->out_len,
				   car->out.cap - car->out_len - 2 * BX_CAR_OUT_ROOM);

		worker->work = bx_writer_over(car->work.ptr, car->work.cap);
		worker->counts = (struct bx_job_counts){ 0 };
		car->wrote_any = wrote_any;
		if (pipe->work(worker, car, records, &n, &out)) {
			car->out_len += bx_written(&out);
			bx_counts_add(&car->counts, &worker->counts);
			*count = n;
			return true;
		}
		car->fail = (struct bx_fail){ 0 };
		car->noted = (struct bx_fail){ 0 };
		forget(records, *count);
		if (car->work.cap > (size_t)8 << 30 ||
		    !bx_car_grow(&car->work, 0, car->work.cap * 2) ||
		    !bx_car_grow(&car->out, BX_CAR_OUT_ROOM + car->out_len, car->out.cap * 2)) {
			(void)bx_fail_set(&car->fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
			*count = 0;
			return false;
		}
	}
}

/* Records that an interrupted run has written already: routed, counted and written then. */
static size_t
skip_done(const struct bx_pipe *pipe, struct bx_car *car)
{
	size_t i = 0;

	if (!pipe->order.resume.resumed)
		return 0;
	for (; i < car->count; i++) {
		const struct bx_record *r = &car->records[i];

		if (bx_record_offset(car, r) >= pipe->order.resume.in_offset)
			break;
		car->counts.messages -= r->frame.kind == BX_FRAME_MESSAGE;
		car->counts.handshakes -= r->frame.kind == BX_FRAME_HANDSHAKE;
		car->counts.controls -= r->frame.kind == BX_FRAME_CONTROL;
	}
	return i;
}

static void
run_car(struct bx_worker *worker, struct bx_car *car)
{
	struct bx_fail framing = car->fail; /* comes after every message before it */

	car->fail = (struct bx_fail){ 0 };
	for (size_t i = skip_done(worker->pipe, car); i < car->count;) {
		size_t want = batch_size(worker->pipe, car, i), got = want;
		bool ok = run_batch(worker, car, &car->records[i], &got);

		i += got;
		if (!ok || got != want || car->fail.code != BX_OK) {
			car->count = i;
			return;
		}
	}
	car->fail = framing;
}

static void
say(const struct bx_job *job, bool important, const char *text)
{
	if (job->notice != NULL)
		job->notice(job->context, important, text);
}

/* Which way requests go is the same for every lane: the first one says it. */
static void
tell_io(struct bx_pipe *pipe, const struct bx_lane *lane)
{
	const char *why = bx_lane_why_sync(lane);
	char text[200];

	if (atomic_exchange_explicit(&pipe->io_told, true, memory_order_relaxed))
		return;
	pipe->uring = bx_lane_is_uring(lane);
	if (why == NULL)
		return;
	(void)snprintf(text, sizeof(text), "plain calls instead of io_uring: %s", why);
	say(pipe->job, false, text);
}

static void *
worker_main(void *context)
{
	struct bx_worker *worker = context;
	struct bx_pipe *pipe = worker->pipe;
	struct bx_fail fail = { 0 };

	if (bx_lane_new(&worker->lane, pipe->io_mode, 4, NULL, &fail) != BX_OK) {
		bx_pipe_stop(pipe, &fail);
		return NULL;
	}
	tell_io(pipe, worker->lane);
	while (!atomic_load_explicit(&pipe->stopping, memory_order_acquire)) {
		struct bx_car *car = bx_pool_take(pipe);

		if (car == NULL)
			break;
		if (!bx_intake_next(worker, car)) {
			bx_pool_put(pipe, car);
			break;
		}
		bx_scan_car(worker, car);
		if (!bx_route_car(worker, car)) {
			bx_pool_put(pipe, car);
			break;
		}
		run_car(worker, car);
		bx_order_push(worker, car);
	}
	bx_lane_free(worker->lane);
	worker->lane = NULL;
	return NULL;
}

/* --- setting up ------------------------------------------------------------------------------ */

static unsigned
core_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;

	int count = CPU_COUNT(&set);

	return count < 1 ? 1 : (unsigned)count;
}

static void
choose_work(struct bx_pipe *pipe)
{
	static const bx_work_fn works[] = {
		[BX_VERB_SEAL] = bx_work_seal,       [BX_VERB_OPEN] = bx_work_open,
		[BX_VERB_REKEY] = bx_work_rekey,     [BX_VERB_VERIFY] = bx_work_verify,
		[BX_VERB_CONVERT] = bx_work_convert, [BX_VERB_INFO] = bx_work_info,
		[BX_VERB_CAT] = bx_work_cat,
	};

	pipe->work = works[pipe->job->verb];
	pipe->checks_rest = pipe->job->verb != BX_VERB_SEAL && pipe->job->verb != BX_VERB_CAT &&
			    pipe->job->verb != BX_VERB_CONVERT;
	pipe->needs_sessions = pipe->job->verb == BX_VERB_CAT || pipe->job->verb == BX_VERB_INFO ||
			       pipe->job->filter.has_session;
	pipe->needs_route = pipe->job->verb != BX_VERB_CONVERT || pipe->job->filter.uri != NULL;
}

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

static enum bx_err
choose_serializers(struct bx_pipe *pipe, struct bx_fail *fail)
{
	const char *name = pipe->job->serializer;

	if (name == NULL)
		return BX_OK;

	enum bx_ser ser = bx_ser_of_name((struct bx_span){ (const uint8_t *)name, strlen(name) });

	if (ser == BX_SER_UNKNOWN)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "no serializer \"%.40s\": json, msgpack or cbor", name);
	if (pipe->job->verb == BX_VERB_CONVERT)
		pipe->target_ser = ser;
	else
		pipe->default_ser = ser;
	return BX_OK;
}

static bool
has_output(const struct bx_job *job)
{
	return job->verb != BX_VERB_VERIFY && job->verb != BX_VERB_INFO && !job->dry_run;
}

static size_t
head_len(enum bx_format format)
{
	uint8_t buf[16];
	struct bx_writer w = bx_writer_over(buf, sizeof(buf));

	if (format != BX_FORMAT_TRACE && format != BX_FORMAT_WEBSOCKET && format < BX_FORMAT_BOXCAR)
		bx_frame_put_head(format, 0, &w);
	return bx_written(&w);
}

/* -t, else the name of -o, else the input's format. */
static enum bx_err
choose_output(struct bx_pipe *pipe, bool *zst, struct bx_fail *fail)
{
	const struct bx_job *job = pipe->job;
	bool named_zst = false;

	pipe->to = job->to;
	if (job->output != NULL && strcmp(job->output, "-") != 0) {
		enum bx_format by_name = bx_format_of_path(job->output, &named_zst);

		if (pipe->to == BX_FORMAT_UNKNOWN)
			pipe->to = by_name;
	}
	*zst = job->to_zst_set ? job->to_zst : named_zst;
	if (pipe->to == BX_FORMAT_UNKNOWN)
		pipe->to = pipe->from;
	if (job->verb == BX_VERB_CAT && job->raw)
		pipe->to = BX_FORMAT_TRACE;

	enum bx_ser fixed = ser_of_format(pipe->to);

	if (fixed != BX_SER_UNKNOWN && pipe->target_ser != BX_SER_UNKNOWN &&
	    pipe->target_ser != fixed)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%s holds %s, not %s",
				   bx_format_name(pipe->to), bx_ser_name(fixed),
				   bx_ser_name(pipe->target_ser));
	if (fixed != BX_SER_UNKNOWN && pipe->to != pipe->from)
		pipe->target_ser = fixed;
	pipe->same_format = pipe->to == pipe->from && pipe->target_ser == BX_SER_UNKNOWN;
	pipe->body_max = bx_frame_body_max(pipe->to);
	pipe->head_len = head_len(pipe->to);
	if (has_output(job) && job->verb != BX_VERB_CAT &&
	    (pipe->to == BX_FORMAT_WEBSOCKET || pipe->to >= BX_FORMAT_BOXCAR)) {
		(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%s cannot be written",
				  bx_format_name(pipe->to));
		bx_fail_hint(fail,
			     "name an output format with -t, for example -t rawsocket or -t trace");
		return BX_ERR_USAGE;
	}
	return BX_OK;
}

/* A new name or a regular file; not a FIFO or a device. */
static bool
plain_target(const char *path)
{
	struct stat st;

	return stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

/* rekey of a file into a file can go on after a kill; the others cannot, and it is said. */
static enum bx_err
begin_resumable(struct bx_pipe *pipe, struct bx_drain_options *options, struct bx_fail *fail)
{
	const struct bx_job *job = pipe->job;
	struct bx_order *order = &pipe->order;
	struct bx_span head;
	bool whole;

	if (job->verb != BX_VERB_REKEY || !has_output(job))
		return BX_OK;
	if (!pipe->intake.claimed || options->zst || job->output == NULL ||
	    strcmp(job->output, "-") == 0 || !plain_target(job->output)) {
		say(job, true,
		    "this run cannot be resumed: that needs a plain file as input and output");
		return BX_OK;
	}

	enum bx_err err = bx_source_peek(pipe->intake.source, &head, &whole, fail);

	if (err == BX_OK)
		err = bx_rekey_state_begin(&order->resume, job, bx_source_fd(pipe->intake.source),
					   head, fail);
	if (err != BX_OK)
		return err;
	/* Killed before the first checkpoint: nothing is lost by beginning again. */
	if (order->resume.resumed && order->resume.out_offset == 0) {
		order->resume.resumed = false;
		err = bx_drain_discard_part(job->output, fail);
	}
	/* The state before the part: a part is never without the state that tells whose it is. */
	if (err == BX_OK && !order->resume.resumed)
		err = bx_rekey_state_save(&order->resume, fail);
	if (err != BX_OK)
		return err;
	order->checkpoints = true;
	options->visible = order->resume.resumed ? BX_VISIBLE_PART_RESUME : BX_VISIBLE_PART;
	options->resume_at = order->resume.out_offset;
	options->size_hint = 0;
	if (order->resume.resumed) {
		order->out_offset = order->resume.out_offset;
		order->checkpoint_offset = order->out_offset;
		order->counts = order->resume.counts;
		order->counts.bytes_in = 0; /* all of it is read again */
		say(job, true, "going on where the interrupted run stopped");
	}
	return BX_OK;
}

/* A failure that a resume would only meet again leaves nothing behind. */
static void
end_resumable(struct bx_order *order, enum bx_err err)
{
	if (order->checkpoints && err != BX_ERR_SYS && err != BX_ERR_INTERRUPTED &&
	    err != BX_ERR_NOMEM)
		bx_rekey_state_forget(&order->resume, err != BX_OK);
}

static enum bx_err
open_drains(struct bx_pipe *pipe, bool zst, struct bx_fail *fail)
{
	const struct bx_job *job = pipe->job;
	uint64_t size = bx_source_size(pipe->intake.source);
	struct bx_drain_options options = {
		.path = job->output,
		.force = job->force,
		.private_mode = job->verb == BX_VERB_OPEN || job->verb == BX_VERB_CAT,
		.zst = zst,
		.size_hint = pipe->intake.claimed ? size : 0,
		.no_sync = job->no_sync,
		.stop_fd = job->stop_fd > 0 ? job->stop_fd : 0,
	};
	enum bx_err err = begin_resumable(pipe, &options, fail);

	if (err == BX_OK && has_output(job))
		err = bx_drain_open(&pipe->order.drain, &options, fail);
	if (err == BX_OK && job->rejects != NULL && !job->dry_run) {
		struct bx_drain_options rejects = { .path = job->rejects,
						    .force = job->force,
						    .private_mode = true,
						    .stop_fd = options.stop_fd };

		err = bx_drain_open(&pipe->order.rejects, &rejects, fail);
	}
	return err;
}

static void
refused_kernel(void *context, const char *kernel, const char *why)
{
	const struct bx_job *job = context;
	char text[160];

	if (job->notice == NULL)
		return;
	(void)snprintf(text, sizeof(text), "kernel %s is not used: %s", kernel, why);
	job->notice(job->context, false, text);
}

/*
 * Reading O_DIRECT, a thread sleeps while the device works: twice as many keep both busy. Chunks
 * are larger there, because the device wants large requests.
 */
#define CHUNK_DIRECT ((size_t)1 << 20)

static void
suit_device(struct bx_pipe *pipe, unsigned *threads)
{
	if (pipe->intake.direct_fd == -1)
		return;
	if (pipe->job->chunk == 0)
		pipe->chunk = CHUNK_DIRECT;
	if (*threads <= THREADS_MAX / 2)
		*threads *= 2;
}

static enum bx_err
make_cars(struct bx_pipe *pipe, unsigned threads, struct bx_fail *fail)
{
	/* One in each hand, one parked behind a slower one, and two so that intake never waits. */
	pipe->car_count = (size_t)threads * 2 + 2;
	pipe->cars = calloc(pipe->car_count, sizeof(*pipe->cars));
	if (pipe->cars == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	for (size_t i = 0; i < pipe->car_count; i++) {
		if (!bx_car_init(&pipe->cars[i], pipe->chunk, pipe->from == BX_FORMAT_TRACE))
			return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE,
					   "out of memory for %zu cars", pipe->car_count);
		pipe->cars[i].next = pipe->free_cars;
		pipe->free_cars = &pipe->cars[i];
	}
	return BX_OK;
}

static enum bx_err
make_worker(struct bx_pipe *pipe, struct bx_worker **out, unsigned index, struct bx_fail *fail)
{
	const struct bx_job *job = pipe->job;
	struct bx_worker *worker = calloc(1, sizeof(*worker));

	*out = worker;
	if (worker == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	worker->pipe = pipe;

	const struct bx_keyring *seal_ring = job->verb == BX_VERB_SEAL
						 ? (job->ring_count != 0 ? job->rings[0] : NULL)
						 : job->to_ring;

	worker->keys =
	    bx_keyview_cache_new(job->rings, job->ring_count, seal_ring, job->strict_roles);
	worker->nonces = (struct bx_nonce_source){
		.mode = job->fixed_nonces ? BX_NONCE_FIXED
					  : (job->random_nonces ? BX_NONCE_RANDOM : BX_NONCE_CAR),
		.car_counter = (uint64_t)index << 48,
		.fixed_seed = job->fixed_nonce_seed,
	};
	worker->stats = job->verb == BX_VERB_INFO ? bx_stats_new() : NULL;
	if (worker->keys == NULL || (job->verb == BX_VERB_INFO && worker->stats == NULL))
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	return BX_OK;
}

static void
free_worker(struct bx_worker *worker)
{
	if (worker == NULL)
		return;
	bx_keyview_cache_free(worker->keys);
	bx_stats_free(worker->stats);
	explicit_bzero(worker, sizeof(*worker));
	free(worker);
}

/* Starts as many threads as it can get; one is enough. */
static enum bx_err
run_threads(struct bx_worker **workers, unsigned count, struct bx_fail *fail)
{
	unsigned started = 0;

	for (; started < count; started++)
		if (pthread_create(&workers[started]->thread, NULL, worker_main,
				   workers[started]) != 0)
			break;
	if (started == 0)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "cannot start a thread");
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(workers[i]->thread, NULL);
	return BX_OK;
}

/* --- the end --------------------------------------------------------------------------------- */

static enum bx_err
commit(struct bx_pipe *pipe, struct bx_fail *fail)
{
	struct bx_order *order = &pipe->order;
	enum bx_err err = BX_OK;

	if (order->rejects != NULL)
		err = bx_drain_commit(order->rejects, order->rejects_len, fail);
	if (err == BX_OK && order->drain != NULL)
		err = bx_drain_commit(order->drain, order->out_offset, fail);
	return err;
}

static enum bx_err
finish(struct bx_pipe *pipe, struct bx_worker **workers, unsigned threads,
       struct bx_job_result *result, struct bx_fail *fail)
{
	struct bx_order *order = &pipe->order;

	result->counts = order->counts;
	result->last_good = order->last_good;
	result->has_last_good = order->has_last_good;
	result->first = order->noted;
	if (order->fail.code != BX_OK) {
		*fail = order->fail;
	} else if (commit(pipe, fail) != BX_OK) {
		/* fail says it */
	}
	end_resumable(order, fail->code);
	if (pipe->job->verb == BX_VERB_INFO) {
		for (unsigned i = 1; i < threads; i++)
			if (!bx_stats_merge(workers[0]->stats, workers[i]->stats))
				(void)bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE,
						  "out of memory");
		if (!bx_stats_finish(workers[0]->stats, result))
			(void)bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	}
	return fail->code;
}

static void
close_pipe(struct bx_pipe *pipe)
{
	bx_intake_close(pipe);
	bx_order_close(pipe);
	bx_route_free(pipe->route);
	bx_turn_free(&pipe->route_turn);
	for (size_t i = 0; pipe->cars != NULL && i < pipe->car_count; i++)
		bx_car_free(&pipe->cars[i]);
	free(pipe->cars);
	free(pipe->sessions);
	(void)pthread_cond_destroy(&pipe->pool_changed);
	(void)pthread_mutex_destroy(&pipe->pool_mutex);
}

static void
begin(struct bx_pipe *pipe, const struct bx_job *job)
{
	struct timespec now;

	*pipe = (struct bx_pipe){ .job = job };
	(void)clock_gettime(CLOCK_MONOTONIC, &pipe->started);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	pipe->clock_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	pipe->pid = (uint64_t)getpid();
	pipe->io_mode = (enum bx_io_mode)job->io;
	pipe->chunk = job->chunk == 0 ? CHUNK_DEFAULT : job->chunk;
	if (pipe->chunk < CHUNK_MIN)
		pipe->chunk = CHUNK_MIN;
	if (pipe->chunk > CHUNK_MAX)
		pipe->chunk = CHUNK_MAX;
	(void)pthread_mutex_init(&pipe->pool_mutex, NULL);
	(void)pthread_cond_init(&pipe->pool_changed, NULL);
	(void)bx_turn_init(&pipe->route_turn);
	choose_work(pipe);
}

static enum bx_err
prepare(struct bx_pipe *pipe, unsigned *threads, struct bx_fail *fail)
{
	const struct bx_job *job = pipe->job;
	bool zst = false;
	enum bx_err err;

	if (!bx_intake_init(pipe, fail))
		return fail->code;
	err = choose_serializers(pipe, fail);
	if (err == BX_OK)
		err = bx_box_pick(&pipe->kernel, job->kernel, refused_kernel,
				  (void *)(uintptr_t)job, fail);
	if (err == BX_OK)
		err = bx_intake_open_first(pipe, fail);
	if (err == BX_OK)
		err = choose_output(pipe, &zst, fail);
	if (err == BX_OK)
		err = bx_route_new(&pipe->route, BX_ROUTE_LIMITS_DEFAULT, fail);
	if (err == BX_OK && pipe->needs_sessions) {
		pipe->sessions = calloc(BX_SEEN_SESSIONS, sizeof(*pipe->sessions));
		if (pipe->sessions == NULL)
			err = bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	}
	suit_device(pipe, threads);
	if (err == BX_OK)
		err = make_cars(pipe, *threads, fail);
	if (err == BX_OK && !bx_order_init(pipe))
		err = bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	if (err == BX_OK)
		err = open_drains(pipe, zst, fail);
	return err;
}

enum bx_err
bx_job_run(const struct bx_job *job, struct bx_job_result *result, struct bx_fail *fail)
{
	unsigned threads = job->threads == 0 ? core_count() : job->threads;
	struct bx_worker **workers;
	struct bx_pipe pipe;

	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	*result = (struct bx_job_result){ .threads = threads };
	begin(&pipe, job);

	enum bx_err err = prepare(&pipe, &threads, fail);

	workers = calloc(threads, sizeof(struct bx_worker *));
	if (workers == NULL && err == BX_OK)
		err = bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	for (unsigned i = 0; i < threads && err == BX_OK; i++)
		err = make_worker(&pipe, &workers[i], i, fail);
	if (err == BX_OK)
		err = run_threads(workers, threads, fail);
	if (err == BX_OK)
		err = finish(&pipe, workers, threads, result, fail);
	result->io = pipe.uring ? "io_uring" : "plain calls";
	result->from = pipe.from;
	result->to = pipe.to;
	result->kernel = pipe.kernel != NULL ? bx_box_kernel_name(pipe.kernel) : "";
	result->seconds = bx_seconds_since(&pipe.started);
	for (unsigned i = 0; workers != NULL && i < threads; i++)
		free_worker(workers[i]);
	free(workers);
	close_pipe(&pipe);
	return err;
}

static void
free_rows(struct bx_info_row *rows, size_t count)
{
	for (size_t i = 0; rows != NULL && i < count; i++)
		free((void *)(uintptr_t)rows[i].name);
	free(rows);
}

void
bx_job_result_free(struct bx_job_result *result)
{
	free_rows(result->types, result->type_count);
	free_rows(result->uris, result->uri_count);
	free_rows(result->sessions, result->session_count);
	free_rows(result->streams, result->stream_count);
	*result = (struct bx_job_result){ 0 };
}

bool
bx_job_losses(const struct bx_job *job, const struct bx_job_result *result)
{
	const struct bx_job_counts *n = &result->counts;

	if (job->verb == BX_VERB_SEAL && n->clear_unknown != 0)
		return true;
	if (job->verb == BX_VERB_VERIFY && n->keyed_plain != 0)
		return true;
	return n->skipped != 0 || n->passed != 0;
}
