/* The inside of a drain, for the files that open it, place into it and end it. */
#ifndef BX_IO_DRAIN_H
#define BX_IO_DRAIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/edge.h"
#include "io/io.h"
#include "io/target.h"
#include "io/zst_out.h"

enum bx_drain_kind {
	BX_DRAIN_STREAM,  /* write(): pipes, devices, stdout that must be in order */
	BX_DRAIN_ORDERED, /* a file of its own, in order (zstd) */
	BX_DRAIN_PLACED,  /* a file, in any order */
};

/* Set up by one thread; then `spent`, `flying`, `allocated` and `edges` belong to all. */
struct bx_drain {
	enum bx_drain_kind kind;
	const struct bx_io_calls *calls;
	char *name;
	int fd;
	bool owns_fd;
	bool is_stdout;
	bool has_file; /* a regular file: can be synced */
	bool has_name; /* `target` is in use */
	bool no_sync;
	bool committed;
	bool folder_synced; /* PART, LIVE: at the first checkpoint */
	int stop_fd;
	size_t piece;         /* STREAM: bytes a call */
	uint64_t base;        /* offset in the file of the drain's byte 0 */
	uint64_t pos;         /* of the next bx_drain_write: its caller's */
	int direct_fd;        /* -1: none */
	uint64_t direct_from; /* offset in the file, a multiple of BX_IO_ALIGN; UINT64_MAX: never */
	_Atomic int spent;    /* errno of the first failed write; 0: none */
	_Atomic int flying;   /* requests in lanes */
	pthread_mutex_t grow; /* one thread at a time allocates ahead */
	bool grow_fails;      /* under `grow` */
	_Atomic uint64_t allocated; /* end of what is allocated, grows only; UINT64_MAX: enough */
	struct bx_edges *edges;     /* where direct_fd is */
	struct bx_zst_out *zst;
	struct bx_target target;
};

/* Chooses the kind and opens what it takes. On failure the drain is for bx_drain_close. */
enum bx_err bx_drain_open_path(struct bx_drain *drain, const struct bx_drain_options *options,
			       struct bx_fail *fail) BX_MUST_USE;
enum bx_err bx_drain_open_stdout(struct bx_drain *drain, const struct bx_drain_options *options,
				 struct bx_fail *fail) BX_MUST_USE;
/* Allocates, and goes around the page cache, where that pays. PLACED only; cannot fail, only help.
 */
void bx_drain_prepare(struct bx_drain *drain, const struct bx_drain_options *options);

/* Remembers the first failure of a write at `at` and reports it. */
enum bx_err bx_drain_spoil(struct bx_drain *drain, int sys, uint64_t at, struct bx_fail *fail);
/* BX_OK, or the failure that has spent the drain. */
enum bx_err bx_drain_check(struct bx_drain *drain, struct bx_fail *fail) BX_MUST_USE;

/* Writes the blocks that are still in part. */
enum bx_err bx_drain_flush_edges(struct bx_drain *drain, struct bx_fail *fail) BX_MUST_USE;

#endif
