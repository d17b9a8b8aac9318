#include "io/drain.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/calls.h"

static bool
is_stdout_path(const char *path)
{
	return path == NULL || strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0 ||
	       strcmp(path, "/dev/fd/1") == 0 || strcmp(path, "/proc/self/fd/1") == 0;
}

enum bx_err
bx_drain_open(struct bx_drain **drain, const struct bx_drain_options *options, struct bx_fail *fail)
{
	bool to_stdout = is_stdout_path(options->path);
	struct bx_drain *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
	d->calls = options->calls;
	d->fd = -1;
	d->direct_fd = -1;
	d->direct_from = UINT64_MAX;
	d->stop_fd = options->stop_fd;
	d->no_sync = options->no_sync;
	bx_target_init(&d->target, options->calls);
	(void)pthread_mutex_init(&d->grow, NULL);

	enum bx_err err;

	d->name = strdup(to_stdout ? "stdout" : options->path);
	if (d->name == NULL)
		err = bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
	else if (to_stdout)
		err = bx_drain_open_stdout(d, options, fail);
	else
		err = bx_drain_open_path(d, options, fail);
	if (err == BX_OK && options->zst)
		err = bx_zst_out_new(&d->zst, fail);
	if (err != BX_OK) {
		bx_drain_close(d);
		return err;
	}
	if (d->kind == BX_DRAIN_PLACED)
		bx_drain_prepare(d, options);
	*drain = d;
	return BX_OK;
}

bool
bx_drain_is_placed(const struct bx_drain *drain)
{
	return drain->kind == BX_DRAIN_PLACED;
}

int
bx_drain_fd(const struct bx_drain *drain)
{
	return drain->fd;
}

const char *
bx_drain_name(const struct bx_drain *drain)
{
	return drain->name;
}

/* In order, as they go to the kernel. */
static enum bx_err
emit(struct bx_drain *drain, const uint8_t *buf, size_t len, struct bx_fail *fail)
{
	size_t done = 0;
	int sys = 0;

	switch (drain->kind) {
	case BX_DRAIN_STREAM:
		sys = bx_calls_write_full(drain->calls, drain->fd, drain->stop_fd, drain->piece,
					  buf, len, &done);
		break;
	case BX_DRAIN_ORDERED:
		sys = bx_calls_pwrite_full(drain->calls, drain->fd, buf, len, drain->pos, &done);
		break;
	case BX_DRAIN_PLACED: {
		enum bx_err err = bx_drain_place(drain, buf, len, drain->pos, fail);

		if (err == BX_OK)
			drain->pos += len;
		return err;
	}
	}
	drain->pos += done;
	return sys == 0 ? BX_OK : bx_drain_spoil(drain, sys, drain->pos, fail);
}

static enum bx_err
compress(struct bx_drain *drain, struct bx_span in, bool last, struct bx_fail *fail)
{
	for (;;) {
		struct bx_span out;
		bool more;
		enum bx_err err = bx_zst_out_step(drain->zst, &in, last, &out, &more, fail);

		if (err == BX_OK && out.len > 0)
			err = emit(drain, out.ptr, out.len, fail);
		if (err != BX_OK)
			return err;
		if (last ? !more : in.len == 0)
			return BX_OK;
	}
}

enum bx_err
bx_drain_write(struct bx_drain *drain, const uint8_t *buf, size_t len, struct bx_fail *fail)
{
	enum bx_err err = bx_drain_check(drain, fail);

	if (err != BX_OK)
		return err;
	if (drain->zst != NULL)
		return compress(drain, (struct bx_span){ buf, len }, false, fail);
	return emit(drain, buf, len, fail);
}

/* A sync that fails has dropped what it could not write: a second one would lie. */
static enum bx_err
sync_failed(struct bx_drain *drain, struct bx_fail *fail)
{
	int sys = errno;

	(void)bx_drain_spoil(drain, sys, BX_NOWHERE, NULL);
	return bx_fail_set(fail, BX_ERR_SYS, sys, BX_NOWHERE, "sync %s", drain->name);
}

enum bx_err
bx_drain_checkpoint(struct bx_drain *drain, uint64_t size, struct bx_fail *fail)
{
	/* Acquire: pairs with the end of the last request. */
	assert(atomic_load_explicit(&drain->flying, memory_order_acquire) == 0);
	assert(drain->kind == BX_DRAIN_PLACED && drain->target.keep);
	(void)size; /* everything that was placed is made durable */

	enum bx_err err = bx_drain_check(drain, fail);

	if (err == BX_OK)
		err = bx_drain_flush_edges(drain, fail);
	if (err == BX_OK && bx_calls_fdatasync(drain->calls, drain->fd) == -1)
		err = sync_failed(drain, fail);
	if (err == BX_OK && !drain->folder_synced) {
		err = bx_target_sync_folder(&drain->target, drain->fd, fail);
		drain->folder_synced = err == BX_OK;
	}
	return err;
}

enum bx_err
bx_drain_discard_part(const char *path, struct bx_fail *fail)
{
	return bx_target_discard_part(path, fail);
}

/* All bytes to the kernel, and no others in the file. */
static enum bx_err
complete(struct bx_drain *drain, uint64_t size, struct bx_fail *fail)
{
	if (drain->zst != NULL)
		return compress(drain, (struct bx_span){ NULL, 0 }, true, fail);
	if (drain->kind != BX_DRAIN_PLACED)
		return BX_OK;

	enum bx_err err = bx_drain_flush_edges(drain, fail);

	if (err == BX_OK && bx_calls_ftruncate(drain->calls, drain->fd, drain->base + size) == -1)
		err = bx_drain_spoil(drain, errno, size, fail);
	return err;
}

enum bx_err
bx_drain_commit(struct bx_drain *drain, uint64_t size, struct bx_fail *fail)
{
	assert(!drain->committed);
	assert(atomic_load_explicit(&drain->flying, memory_order_acquire) == 0);

	enum bx_err err = bx_drain_check(drain, fail);

	if (err == BX_OK)
		err = complete(drain, size, fail);
	if (err == BX_OK && drain->has_file && !drain->no_sync &&
	    bx_calls_fsync(drain->calls, drain->fd) == -1)
		err = sync_failed(drain, fail);
	if (err == BX_OK && drain->has_name)
		err = bx_target_publish(&drain->target, drain->fd, !drain->no_sync, fail);
	if (err != BX_OK)
		return err;
	/* Who writes to the same stdout after us goes on where we end. */
	if (drain->is_stdout && drain->kind == BX_DRAIN_PLACED)
		(void)lseek(drain->fd, (off_t)(drain->base + size), SEEK_SET);
	drain->committed = true;
	return BX_OK;
}

void
bx_drain_close(struct bx_drain *drain)
{
	if (drain == NULL)
		return;
	if (drain->is_stdout && drain->kind == BX_DRAIN_PLACED && !drain->committed)
		(void)bx_calls_ftruncate(drain->calls, drain->fd, drain->base);
	bx_target_drop(&drain->target);
	if (drain->direct_fd != -1)
		(void)close(drain->direct_fd);
	if (drain->owns_fd)
		(void)close(drain->fd);
	bx_edges_free(drain->edges);
	bx_zst_out_free(drain->zst);
	(void)pthread_mutex_destroy(&drain->grow);
	free(drain->name);
	free(drain);
}
