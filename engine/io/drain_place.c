#include "io/drain.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "io/calls.h"
#include "io/lane.h"

/* Allocated ahead when the size was not known, or was more than hinted. */
#define GROW_STEP ((uint64_t)256 << 20)

/* The whole blocks of a region, as far as they are its own to write. */
struct middle {
	const uint8_t *buf;
	size_t len;
	uint64_t at;
};

enum bx_err
bx_drain_spoil(struct bx_drain *drain, int sys, uint64_t at, struct bx_fail *fail)
{
	int none = 0;

	(void)atomic_compare_exchange_strong_explicit(&drain->spent, &none, sys,
						      memory_order_relaxed, memory_order_relaxed);
	return bx_fail_set(fail, bx_calls_err(sys), sys, at, "write %s", drain->name);
}

enum bx_err
bx_drain_check(struct bx_drain *drain, struct bx_fail *fail)
{
	/* Relaxed: only the value counts. Whoever failed has told its caller by other ways. */
	int sys = atomic_load_explicit(&drain->spent, memory_order_relaxed);

	if (sys == 0)
		return BX_OK;
	return bx_fail_set(fail, bx_calls_err(sys), sys, BX_NOWHERE, "write %s", drain->name);
}

/* Offsets in the file from here on. */
static enum bx_err
write_cached(struct bx_drain *drain, const uint8_t *buf, size_t len, uint64_t at,
	     struct bx_fail *fail)
{
	size_t done;
	int sys = bx_calls_pwrite_full(drain->calls, drain->fd, buf, len, at, &done);

	return sys == 0 ? BX_OK : bx_drain_spoil(drain, sys, at + done - drain->base, fail);
}

/* 0 or errno; whole blocks from aligned memory, the cache taking what O_DIRECT refuses. */
static int
write_blocks(struct bx_drain *drain, const uint8_t *buf, size_t len, uint64_t at)
{
	size_t done;
	size_t more;
	int sys = bx_calls_pwrite_full(drain->calls, drain->direct_fd, buf, len, at, &done);

	if (sys == EINVAL)
		sys = bx_calls_pwrite_full(drain->calls, drain->fd, buf + done, len - done,
					   at + done, &more);
	return sys;
}

/* Keeps the allocation ahead of the writes; a refusal is no failure, writes will tell. */
static void
allocate_to(struct bx_drain *drain, uint64_t end)
{
	if (end <= atomic_load_explicit(&drain->allocated, memory_order_relaxed))
		return;
	(void)pthread_mutex_lock(&drain->grow);

	uint64_t from = atomic_load_explicit(&drain->allocated, memory_order_relaxed);

	if (end > from && !drain->grow_fails) {
		uint64_t to = (end > from + GROW_STEP ? end : from + GROW_STEP);

		if (bx_calls_fallocate(drain->calls, drain->fd, from, to - from) == 0)
			atomic_store_explicit(&drain->allocated, to, memory_order_relaxed);
		else
			drain->grow_fails = true;
	}
	(void)pthread_mutex_unlock(&drain->grow);
}

/* Brings a part of a block to the table; `middle` grows by the block if it came back filled. */
static enum bx_err
bring(struct bx_drain *drain, struct middle *middle, const struct bx_edge_part *part, bool has_room,
      struct bx_fail *fail)
{
	enum bx_edge_found found;
	uint8_t *block = NULL;
	enum bx_err err = bx_edges_bring(drain->edges, &found, &block, part, has_room, fail);

	if (err != BX_OK) {
		(void)bx_drain_spoil(drain, ENOMEM, part->block, NULL);
		return err;
	}
	if (found == BX_EDGE_FILLED) {
		if (part->block < middle->at) {
			middle->buf = part->bytes - part->skip;
			middle->at = part->block;
		}
		middle->len += BX_IO_ALIGN;
	}
	if (found == BX_EDGE_COMPLETE) {
		int sys = write_blocks(drain, block, BX_IO_ALIGN, part->block);

		free(block);
		if (sys != 0)
			err = bx_drain_spoil(drain, sys, part->block - drain->base, fail);
	}
	return err;
}

/*
 * Cuts a region into whole blocks, for the caller to write, and parts, which are dealt with here.
 * `at` is at or beyond direct_from. Only has_room makes anything writable around buf[0..len).
 */
static enum bx_err
cut_region(struct bx_drain *drain, struct middle *middle, uint8_t *buf, bool has_room, size_t len,
	   uint64_t at, struct bx_fail *fail)
{
	size_t skip = (size_t)(at % BX_IO_ALIGN);
	size_t head = skip == 0 ? 0 : BX_IO_ALIGN - skip;

	*middle = (struct middle){ buf, 0, at };
	if (len == 0)
		return BX_OK;
	if (len < head) {
		struct bx_edge_part only = { at - skip, skip, len, buf };

		return bring(drain, middle, &only, has_room, fail);
	}

	size_t tail = (len - head) % BX_IO_ALIGN;

	*middle = (struct middle){ buf + head, len - head - tail, at + head };
	if (head > 0) {
		struct bx_edge_part first = { at - skip, skip, head, buf };
		enum bx_err err = bring(drain, middle, &first, has_room, fail);

		if (err != BX_OK)
			return err;
	}
	if (tail > 0) {
		struct bx_edge_part last = { at + len - tail, 0, tail, buf + len - tail };

		return bring(drain, middle, &last, has_room, fail);
	}
	return BX_OK;
}

/* Is `buf` laid out so that the blocks of offset `at` begin at multiples of BX_IO_ALIGN? */
static bool
in_phase(const uint8_t *buf, uint64_t at)
{
	return ((uintptr_t)buf - at) % BX_IO_ALIGN == 0;
}

/*
 * Writes what belongs in the page cache, and leaves in *middle what can go around it (len 0: none).
 * Blocks below direct_from are written only through the cache, those from it on only through the
 * edges and O_DIRECT, or, whole and out of phase, through the cache by their one owner.
 */
static enum bx_err
place(struct bx_drain *drain, struct middle *middle, uint8_t *buf, size_t room, size_t len,
      uint64_t at, struct bx_fail *fail)
{
	enum bx_err err = bx_drain_check(drain, fail);

	*middle = (struct middle){ buf, 0, at };
	if (err != BX_OK)
		return err;
	if (at < drain->direct_from) {
		uint64_t below = drain->direct_from - at;
		size_t cached = len < below ? len : (size_t)below;

		err = write_cached(drain, buf, cached, at, fail);
		if (err != BX_OK || cached == len)
			return err;
		buf += cached;
		len -= cached;
		at += cached;
	}

	bool phased = in_phase(buf, at);

	allocate_to(drain, at + len);
	err = cut_region(drain, middle, buf, phased && room >= BX_IO_ALIGN, len, at, fail);
	if (err != BX_OK || phased)
		return err;
	err = write_cached(drain, middle->buf, middle->len, middle->at, fail);
	middle->len = 0;
	return err;
}

enum bx_err
bx_drain_place(struct bx_drain *drain, const uint8_t *buf, size_t len, uint64_t at,
	       struct bx_fail *fail)
{
	assert(drain->kind == BX_DRAIN_PLACED);

	struct middle middle;
	/* Without room nothing is written through this pointer. */
	enum bx_err err =
	    place(drain, &middle, (uint8_t *)(uintptr_t)buf, 0, len, drain->base + at, fail);

	if (err != BX_OK || middle.len == 0)
		return err;

	int sys = write_blocks(drain, middle.buf, middle.len, middle.at);

	return sys == 0 ? BX_OK : bx_drain_spoil(drain, sys, middle.at - drain->base, fail);
}

enum bx_err
bx_drain_place_lane(struct bx_drain *drain, struct bx_lane *lane, unsigned id, uint8_t *buf,
		    size_t room, size_t len, uint64_t at, struct bx_fail *fail)
{
	assert(drain->kind == BX_DRAIN_PLACED);

	struct middle middle;
	enum bx_err err = place(drain, &middle, buf, room, len, drain->base + at, fail);

	if (err != BX_OK)
		return err;
	if (middle.len == 0) {
		bx_lane_settle(lane, id, len);
		return BX_OK;
	}

	struct bx_lane_job job = {
		.name = drain->name,
		.fd = drain->direct_fd,
		.spare_fd = drain->fd,
		.buf = middle.buf,
		.len = middle.len,
		.at = middle.at,
		.report = len,
		.spent = &drain->spent,
		.flying = &drain->flying,
	};

	return bx_lane_start_job(lane, id, &job, fail);
}

size_t
bx_drain_phase(const struct bx_drain *drain, uint64_t at)
{
	return drain->direct_fd == -1 ? 0 : (size_t)((drain->base + at) % BX_IO_ALIGN);
}

bool
bx_drain_is_direct(const struct bx_drain *drain)
{
	return drain->direct_fd != -1;
}

static int
write_edge(void *context, const uint8_t *block, uint64_t at)
{
	return write_blocks(context, block, BX_IO_ALIGN, at);
}

enum bx_err
bx_drain_flush_edges(struct bx_drain *drain, struct bx_fail *fail)
{
	if (drain->edges == NULL)
		return BX_OK;

	int sys = bx_edges_each(drain->edges, write_edge, drain);

	return sys == 0 ? BX_OK : bx_drain_spoil(drain, sys, BX_NOWHERE, fail);
}
