#include "io/lane.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/calls.h"

#define SLOT_FREE 0
#define SLOT_FLYING 1 /* in the ring */
#define SLOT_HELD 2   /* completed, kept back by the test hook */
#define SLOT_DONE 3

/* One request. Owner: the lane's thread. */
struct slot {
	int state;
	bool writes;
	int err;      /* DONE: errno or 0 */
	int held_res; /* HELD: what the kernel said */
	unsigned stalls;
	size_t done; /* bytes so far; job.len is the goal */
	uint8_t *into;
	struct bx_lane_job job; /* for reads: fd, len, at */
};

struct bx_lane {
	bool uring;
	bool broken; /* the ring refuses to work: nothing more is started */
	unsigned depth;
	unsigned flying;
	unsigned held;
	const struct bx_io_calls *calls;
	struct io_uring ring;
	char why_sync[128];
	struct slot slots[];
};

/*
 * Whether this process gets rings: 0 not tried, 1 yes, else -errno. A fact about the process
 * (seccomp, sysctl, kernel) that is found out once and never changes; relaxed, for a thread that
 * does not see it yet merely finds it out again.
 */
static _Atomic int ring_verdict;

/* The reader of a refusal wants to know about the switch; there is no other use for it. */
static int
disabled_sysctl(void)
{
	FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &value) != 1)
		value = 0;
	(void)fclose(f);
	return value;
}

static void
explain_sync(struct bx_lane *lane, int err)
{
	const char *text = strerrordesc_np(err);
	int disabled = err == EPERM ? disabled_sysctl() : 0;

	if (disabled != 0)
		(void)snprintf(lane->why_sync, sizeof(lane->why_sync),
			       "io_uring_queue_init: %s (kernel.io_uring_disabled = %d)", text,
			       disabled);
	else
		(void)snprintf(lane->why_sync, sizeof(lane->why_sync), "io_uring_queue_init: %s",
			       text != NULL ? text : "unknown error");
}

/* Kernels before 5.6 have rings, but not READ and WRITE. */
static int
check_ops(struct io_uring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	int err = ENOSYS;

	if (probe == NULL)
		return ENOSYS;
	if (io_uring_opcode_supported(probe, IORING_OP_READ) &&
	    io_uring_opcode_supported(probe, IORING_OP_WRITE))
		err = 0;
	io_uring_free_probe(probe);
	return err;
}

/* 0 or errno. Newest flags first: they spare the interrupts that nobody waits for. */
static int
make_ring(struct io_uring *ring, unsigned depth)
{
	static const unsigned flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, /* 6.1 */
		IORING_SETUP_COOP_TASKRUN,                               /* 5.19 */
		0,
	};
	int rc = -EINVAL;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && rc == -EINVAL; i++)
		rc = io_uring_queue_init(depth, ring, flags[i]);
	if (rc != 0)
		return -rc;
	if (atomic_load_explicit(&ring_verdict, memory_order_relaxed) == 1)
		return 0;

	int err = check_ops(ring);

	if (err != 0)
		io_uring_queue_exit(ring);
	return err;
}

/* 0, or the errno that keeps this lane from having a ring. */
static int
open_ring(struct bx_lane *lane, enum bx_io_mode mode)
{
	int verdict = atomic_load_explicit(&ring_verdict, memory_order_relaxed);

	if (verdict < 0 && mode == BX_IO_AUTO)
		return -verdict;

	int err = make_ring(&lane->ring, lane->depth);

	/* Out of memory or descriptors is about now, not about the process. */
	if (err == 0 || (err != ENOMEM && err != EMFILE && err != ENFILE))
		atomic_store_explicit(&ring_verdict, err == 0 ? 1 : -err, memory_order_relaxed);
	return err;
}

enum bx_err
bx_lane_new(struct bx_lane **lane, enum bx_io_mode mode, unsigned depth,
	    const struct bx_io_calls *calls, struct bx_fail *fail)
{
	assert(depth > 0 && depth <= 4096);

	struct bx_lane *l = calloc(1, sizeof(*l) + depth * sizeof(l->slots[0]));

	if (l == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory for a lane");
	l->depth = depth;
	l->calls = calls;
	if (mode != BX_IO_SYNC) {
		int err = open_ring(l, mode);

		if (err != 0 && mode == BX_IO_URING) {
			free(l);
			(void)bx_fail_set(fail, BX_ERR_SYS, err, BX_NOWHERE, "io_uring_queue_init");
			bx_fail_hint(fail, "use --io auto");
			return BX_ERR_SYS;
		}
		if (err != 0)
			explain_sync(l, err);
		l->uring = err == 0;
	}
	*lane = l;
	return BX_OK;
}

bool
bx_lane_is_uring(const struct bx_lane *lane)
{
	return lane->uring;
}

const char *
bx_lane_why_sync(const struct bx_lane *lane)
{
	return lane->why_sync[0] != '\0' ? lane->why_sync : NULL;
}

static void
finish(struct slot *slot, int err)
{
	slot->state = SLOT_DONE;
	slot->err = err;
	if (err != 0 && slot->job.spent != NULL) {
		int none = 0;

		/* Relaxed: the wait that reports the failure orders it for whoever acts on it. */
		(void)atomic_compare_exchange_strong_explicit(
		    slot->job.spent, &none, err, memory_order_relaxed, memory_order_relaxed);
	}
	if (slot->job.flying != NULL)
		(void)atomic_fetch_sub_explicit(slot->job.flying, 1, memory_order_release);
}

/* Runs what is left of the request in plain calls on `fd`. */
static void
run_plain(struct bx_lane *lane, struct slot *slot, int fd)
{
	size_t done;
	int err;
	uint64_t at = slot->job.at + slot->done;
	size_t left = slot->job.len - slot->done;

	if (slot->writes)
		err = bx_calls_pwrite_full(lane->calls, fd, slot->job.buf + slot->done, left, at,
					   &done);
	else
		err =
		    bx_calls_pread_full(lane->calls, fd, slot->into + slot->done, left, at, &done);
	slot->done += done;
	finish(slot, err);
}

/* Without the ring an O_DIRECT descriptor may refuse as well. */
static void
run_sync(struct bx_lane *lane, struct slot *slot)
{
	if (slot->job.spare_fd < 0) {
		run_plain(lane, slot, slot->job.fd);
		return;
	}

	size_t done;
	int err = bx_calls_pwrite_full(lane->calls, slot->job.fd, slot->job.buf, slot->job.len,
				       slot->job.at, &done);

	slot->done = done;
	if (err == EINVAL)
		run_plain(lane, slot, slot->job.spare_fd);
	else
		finish(slot, err);
}

/* False: the request is not in the kernel, and this lane's ring is never used again. */
static bool
submit(struct bx_lane *lane, unsigned id)
{
	struct slot *slot = &lane->slots[id];
	struct io_uring_sqe *sqe = io_uring_get_sqe(&lane->ring);
	uint64_t at = slot->job.at + slot->done;
	size_t left = slot->job.len - slot->done;
	/* A CQE counts in an int. Whole blocks, so that a continuation stays aligned. */
	unsigned count = left < ((size_t)1 << 30) ? (unsigned)left : 1u << 30;

	assert(sqe != NULL); /* the queue has a place for every slot, and each is sent at once */
	if (slot->writes)
		io_uring_prep_write(sqe, slot->job.fd, slot->job.buf + slot->done, count, at);
	else
		io_uring_prep_read(sqe, slot->job.fd, slot->into + slot->done, count, at);
	io_uring_sqe_set_data64(sqe, id);

	int rc;
	unsigned stalls = 0;

	do
		rc = io_uring_submit(&lane->ring);
	while ((rc == -EINTR || rc == -EAGAIN || rc == -EBUSY || rc == 0) &&
	       ++stalls < BX_CALLS_STALLS);
	if (rc == 1) {
		slot->state = SLOT_FLYING;
		lane->flying++;
		return true;
	}
	lane->broken = true; /* the entry still lies in the queue: no later submit may send it */
	return false;
}

static void
begin(struct bx_lane *lane, unsigned id)
{
	struct slot *slot = &lane->slots[id];

	if (slot->job.flying != NULL)
		(void)atomic_fetch_add_explicit(slot->job.flying, 1, memory_order_relaxed);
	if (!lane->uring || lane->broken || slot->job.len == 0 || !submit(lane, id))
		run_sync(lane, slot);
}

/* One completion: done, or the rest goes back into the ring. */
static void
advance(struct bx_lane *lane, unsigned id, int res)
{
	struct slot *slot = &lane->slots[id];

	if (res == -EINTR || res == -EAGAIN) {
		if (++slot->stalls >= BX_CALLS_STALLS) {
			finish(slot, -res);
			return;
		}
	} else if (res < 0) {
		if (res == -EINVAL && slot->job.spare_fd >= 0)
			run_plain(lane, slot, slot->job.spare_fd);
		else
			finish(slot, -res);
		return;
	} else if (res == 0) {
		finish(slot, slot->writes ? EIO : 0);
		return;
	} else {
		slot->stalls = 0;
		slot->done += (size_t)res;
		if (slot->done == slot->job.len ||
		    (!slot->writes && bx_calls_at_end(slot->job.fd, slot->job.at + slot->done))) {
			finish(slot, 0);
			return;
		}
		/* A direct write that stopped within a block can only go on the other way. */
		if (slot->job.spare_fd >= 0 && slot->done % BX_IO_ALIGN != 0) {
			run_plain(lane, slot, slot->job.spare_fd);
			return;
		}
	}

	if (lane->broken || !submit(lane, id))
		run_plain(lane, slot, slot->job.fd);
}

/* Takes one completion, waiting for it. False: the ring is broken. */
static bool
reap(struct bx_lane *lane)
{
	struct io_uring_cqe *cqe;
	int rc;
	unsigned stalls = 0;

	do
		rc = io_uring_wait_cqe(&lane->ring, &cqe);
	while (rc == -EINTR || (rc == -EAGAIN && ++stalls < BX_CALLS_STALLS));
	if (rc != 0) {
		lane->broken = true;
		return false;
	}

	unsigned id = (unsigned)io_uring_cqe_get_data64(cqe);
	int res = cqe->res;

	io_uring_cqe_seen(&lane->ring, cqe);
	assert(id < lane->depth && lane->slots[id].state == SLOT_FLYING);
	lane->flying--;
	if (lane->calls != NULL && lane->calls->completed != NULL) {
		int told =
		    lane->calls->completed(lane->calls->context, id, lane->slots[id].writes, res);

		if (told == BX_IO_HOLD) {
			lane->slots[id].state = SLOT_HELD;
			lane->slots[id].held_res = res;
			lane->held++;
			return true;
		}
		res = told;
	}
	advance(lane, id, res);
	return true;
}

/* The held ones come when nothing else will: last first. */
static void
release_one(struct bx_lane *lane)
{
	assert(lane->held > 0);
	for (unsigned id = lane->depth; id-- > 0;) {
		if (lane->slots[id].state != SLOT_HELD)
			continue;
		lane->held--;
		advance(lane, id, lane->slots[id].held_res);
		return;
	}
}

/* Until the slot is done; or the ring cannot tell any more. */
static void
bring_home(struct bx_lane *lane, struct slot *slot)
{
	while (slot->state != SLOT_DONE) {
		if (lane->flying == 0) {
			release_one(lane);
			continue;
		}
		if (!reap(lane)) {
			finish(slot, EIO);
			return;
		}
	}
}

void
bx_lane_free(struct bx_lane *lane)
{
	if (lane == NULL)
		return;
	for (unsigned id = 0; id < lane->depth; id++) {
		if (lane->slots[id].state != SLOT_FREE)
			bring_home(lane, &lane->slots[id]);
	}
	if (lane->uring)
		io_uring_queue_exit(&lane->ring);
	free(lane);
}

enum bx_err
bx_lane_read(struct bx_lane *lane, unsigned id, int fd, uint8_t *buf, size_t len, uint64_t at,
	     struct bx_fail *fail)
{
	(void)fail; /* the wait tells */
	assert(id < lane->depth && lane->slots[id].state == SLOT_FREE);
	lane->slots[id] = (struct slot){
		.into = buf,
		.job = { .fd = fd, .spare_fd = -1, .len = len, .at = at },
	};
	begin(lane, id);
	return BX_OK;
}

enum bx_err
bx_lane_write(struct bx_lane *lane, unsigned id, int fd, const uint8_t *buf, size_t len,
	      uint64_t at, struct bx_fail *fail)
{
	struct bx_lane_job job = {
		.fd = fd,
		.spare_fd = -1,
		.buf = buf,
		.len = len,
		.at = at,
		.report = len,
	};

	return bx_lane_start_job(lane, id, &job, fail);
}

enum bx_err
bx_lane_start_job(struct bx_lane *lane, unsigned id, const struct bx_lane_job *job,
		  struct bx_fail *fail)
{
	(void)fail; /* the wait tells */
	assert(id < lane->depth && lane->slots[id].state == SLOT_FREE);
	lane->slots[id] = (struct slot){ .writes = true, .job = *job };
	begin(lane, id);
	return BX_OK;
}

void
bx_lane_settle(struct bx_lane *lane, unsigned id, size_t report)
{
	assert(id < lane->depth && lane->slots[id].state == SLOT_FREE);
	lane->slots[id] = (struct slot){
		.state = SLOT_DONE,
		.writes = true,
		.job = { .spare_fd = -1, .report = report },
	};
}

enum bx_err
bx_lane_wait(struct bx_lane *lane, unsigned id, size_t *done, struct bx_fail *fail)
{
	assert(id < lane->depth && lane->slots[id].state != SLOT_FREE);

	struct slot *slot = &lane->slots[id];

	bring_home(lane, slot);
	slot->state = SLOT_FREE;
	if (slot->err != 0) {
		const char *name = slot->job.name;

		return bx_fail_set(fail, BX_ERR_SYS, slot->err, slot->job.at + slot->done,
				   slot->writes ? "write %s" : "read %s",
				   name != NULL   ? name
				   : slot->writes ? "the output"
						  : "the input");
	}
	*done = slot->writes ? slot->job.report : slot->done;
	return BX_OK;
}
