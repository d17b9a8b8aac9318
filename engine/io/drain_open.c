#include "io/drain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/cache.h"
#include "io/calls.h"

#define PIPE_SIZE (1 << 20)
#define FIFO_RETRY_MS 10

/*
 * Where O_DIRECT output pays. The file is synced in the end, so every byte goes to the device in
 * any case; going there at once spares the copy, the pages, and a sync that waits for all of them.
 * A small file is written faster by one sync than by a few requests that wait for each other, and a
 * file that nobody syncs (no_sync) need not wait for the device at all. When the size is not known,
 * the first DIRECT_MIN bytes go through the cache.
 */
#define DIRECT_MIN ((uint64_t)16 << 20)

static enum bx_err
sys_fail(const struct bx_drain *drain, const char *what, struct bx_fail *fail)
{
	return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "%s %s", what, drain->name);
}

/* A description of its own, so that O_NONBLOCK does not reach whoever shares ours. */
static void
reopen_nonblocking(struct bx_drain *drain)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", drain->fd);

	int fd = bx_calls_openat(drain->calls, AT_FDCWD, path,
				 O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0);

	if (fd == -1)
		return;
	if (drain->owns_fd)
		(void)close(drain->fd);
	drain->fd = fd;
	drain->owns_fd = true;
}

static void
set_up_stream(struct bx_drain *drain, mode_t mode)
{
	drain->kind = BX_DRAIN_STREAM;
	drain->piece = BX_CALLS_PIECE;
	if (S_ISFIFO(mode))
		(void)fcntl(drain->fd, F_SETPIPE_SZ, PIPE_SIZE); /* refused: merely slower */
	if (drain->stop_fd <= 0 || S_ISREG(mode) || S_ISSOCK(mode))
		return;
	if (S_ISFIFO(mode) && (fcntl(drain->fd, F_GETFL) & O_NONBLOCK) == 0)
		reopen_nonblocking(drain);

	int flags = fcntl(drain->fd, F_GETFL);

	if (flags == -1 || (flags & O_NONBLOCK) == 0)
		drain->piece = PIPE_BUF;
}

static bool
is_shared_with_stderr(const struct stat *out)
{
	struct stat err;

	return fstat(STDERR_FILENO, &err) == 0 && err.st_dev == out->st_dev &&
	       err.st_ino == out->st_ino;
}

enum bx_err
bx_drain_open_stdout(struct bx_drain *drain, const struct bx_drain_options *options,
		     struct bx_fail *fail)
{
	struct stat st;

	drain->fd = STDOUT_FILENO;
	drain->is_stdout = true;
	if (options->visible != BX_VISIBLE_AT_COMMIT)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "stdout cannot be resumed: give the output a name");
	if (fstat(drain->fd, &st) == -1)
		return sys_fail(drain, "look at", fail);
	if (!S_ISREG(st.st_mode)) {
		set_up_stream(drain, st.st_mode);
		return BX_OK;
	}
	drain->has_file = true;

	int flags = fcntl(drain->fd, F_GETFL);
	off_t at = lseek(drain->fd, 0, SEEK_CUR);

	if (flags == -1 || at == -1)
		return sys_fail(drain, "look at", fail);
	/*
	 * O_APPEND ignores offsets. Words on stderr go to the shared offset, which placing does not
	 * move. Bytes behind the offset would be cut.
	 */
	if ((flags & O_APPEND) != 0 || options->zst || is_shared_with_stderr(&st) ||
	    at != st.st_size) {
		set_up_stream(drain, st.st_mode);
		return BX_OK;
	}
	drain->kind = BX_DRAIN_PLACED;
	drain->base = (uint64_t)at;
	return BX_OK;
}

/* Without a reader a FIFO cannot be opened; waits for one, but not past a stop. */
static enum bx_err
open_special(struct bx_drain *drain, const char *path, struct bx_fail *fail)
{
	struct pollfd stop = { drain->stop_fd, POLLIN, 0 };

	for (;;) {
		drain->fd = bx_calls_openat(drain->calls, AT_FDCWD, path,
					    O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0);
		if (drain->fd != -1 || errno != ENXIO)
			break;
		if (poll(&stop, drain->stop_fd > 0 ? 1 : 0, FIFO_RETRY_MS) == 1)
			return bx_fail_set(fail, BX_ERR_INTERRUPTED, ECANCELED, BX_NOWHERE,
					   "open %s", drain->name);
	}
	if (drain->fd == -1)
		return sys_fail(drain, "open", fail);
	drain->owns_fd = true;
	return BX_OK;
}

/* What is there already and is written to as it is: FIFOs and devices. */
static bool
is_special(const char *path, mode_t *mode)
{
	struct stat st;

	if (stat(path, &st) == -1 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return false;
	*mode = st.st_mode;
	return true;
}

enum bx_err
bx_drain_open_path(struct bx_drain *drain, const struct bx_drain_options *options,
		   struct bx_fail *fail)
{
	mode_t mode;

	if (options->zst && options->visible != BX_VISIBLE_AT_COMMIT)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%s: what is compressed cannot be resumed", drain->name);
	if (is_special(options->path, &mode)) {
		if (options->visible != BX_VISIBLE_AT_COMMIT)
			return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
					   "%s is no file: it cannot be resumed", drain->name);
		if (S_ISBLK(mode) && !options->force)
			return bx_fail_set(fail, BX_ERR_USAGE, EEXIST, BX_NOWHERE,
					   "%s is a block device", drain->name);

		enum bx_err err = open_special(drain, options->path, fail);

		if (err == BX_OK)
			set_up_stream(drain, mode);
		return err;
	}
	drain->has_name = true;

	enum bx_err err =
	    bx_target_open(&drain->target, &drain->fd, options->path, options->visible,
			   options->force, options->private_mode, options->resume_at, fail);

	drain->owns_fd = drain->fd != -1;
	drain->has_file = true;
	drain->kind = options->zst ? BX_DRAIN_ORDERED : BX_DRAIN_PLACED;
	drain->pos = options->resume_at;
	return err;
}

void
bx_drain_prepare(struct bx_drain *drain, const struct bx_drain_options *options)
{
	uint64_t hint = options->size_hint;
	uint64_t from = drain->base + options->resume_at;

	if (hint != 0 && hint < options->resume_at + DIRECT_MIN)
		return;
	if (bx_cache_is_memory(drain->fd)) /* allocating is what costs there */
		return;

	/*
	 * Real allocation, not KEEP_SIZE: only within the size do O_DIRECT writes run without being
	 * handed to a kernel thread each. Refused (EOPNOTSUPP, ENOSPC for a hint that is too
	 * large): the page cache copes, and a disk that is really full will say so.
	 */
	if (hint != 0) {
		if (bx_calls_fallocate(drain->calls, drain->fd, from, drain->base + hint - from) ==
		    -1) {
			(void)bx_calls_ftruncate(drain->calls, drain->fd, from);
			return;
		}
		atomic_store_explicit(&drain->allocated, drain->base + hint, memory_order_relaxed);
	}
	if (options->no_sync || bx_edges_new(&drain->edges, NULL) != BX_OK)
		return;
	drain->direct_fd = bx_cache_open_direct(drain->calls, drain->fd, O_WRONLY);
	if (drain->direct_fd == -1)
		return;
	if (hint == 0) {
		from += DIRECT_MIN;
		atomic_store_explicit(&drain->allocated, from, memory_order_relaxed);
	}
	drain->direct_from = (from + BX_IO_ALIGN - 1) / BX_IO_ALIGN * BX_IO_ALIGN;
}
