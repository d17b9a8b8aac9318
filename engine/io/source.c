#include "io/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/calls.h"
#include "io/cache.h"
#include "io/zst_in.h"

#define HEAD_CAP ((size_t)64 << 10)
#define RAW_CAP BX_CALLS_PIECE
#define PIPE_SIZE (1 << 20)   /* pipe-max-size of an unprivileged user */
#define DIRECT_MIN (4u << 20) /* below, one more descriptor costs more than it brings */

struct bx_source {
	int fd;
	bool owns_fd;
	bool is_regular; /* read with pread at `pos`, else from a stream */
	bool is_file;    /* regular, and what is stored is what is read */
	bool raw_ended;
	bool ended;
	bool head_filled;
	bool is_cold;    /* at open, before our own reads warm it */
	bool sequential; /* the kernel has been told so */
	bool direct_known;
	int direct_fd;
	int stop_fd;
	const struct bx_io_calls *calls;
	char *name;
	struct stat at_open;
	uint64_t start;
	uint64_t pos;   /* of the next pread */
	uint64_t taken; /* bytes as stored, without what still lies in `raw` */
	struct bx_zst_in *zst;
	/* As stored: the bytes looked at for the magic; inside zstd the input of the inflater. */
	uint8_t *raw;
	size_t raw_at;
	size_t raw_end;
	/* As read: what peek has shown. */
	uint8_t *head;
	size_t head_at;
	size_t head_end;
};

static bool
is_stdin_path(const char *path)
{
	return path == NULL || strcmp(path, "-") == 0;
}

static enum bx_err
open_fd(struct bx_source *source, const char *path, struct bx_fail *fail)
{
	bool from_stdin = is_stdin_path(path);

	source->name = strdup(from_stdin ? "stdin" : path);
	if (source->name == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
	if (from_stdin) {
		source->fd = STDIN_FILENO;
	} else {
		/* O_NONBLOCK: a FIFO opens at once, and the wait for its writer can be stopped. */
		source->fd = bx_calls_openat(source->calls, AT_FDCWD, path,
					     O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
		source->owns_fd = true;
	}
	if (source->fd == -1)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "open %s", source->name);
	if (fstat(source->fd, &source->at_open) == -1)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "open %s", source->name);
	if (S_ISDIR(source->at_open.st_mode))
		return bx_fail_set(fail, BX_ERR_SYS, EISDIR, BX_NOWHERE, "open %s", source->name);
	return BX_OK;
}

/*
 * Until it is clear how a cold file will be read, the kernel shall not read ahead (megabytes of it,
 * on some machines): what O_DIRECT reads anyway would be read twice.
 */
static void
advise(struct bx_source *source, bool sequential)
{
	source->sequential = sequential;
	(void)posix_fadvise(source->fd, 0, 0,
			    sequential ? POSIX_FADV_SEQUENTIAL : POSIX_FADV_RANDOM);
}

/* Up to `cap` bytes as stored, from the kernel; *len 0 at the end. */
static enum bx_err
read_kernel(struct bx_source *source, uint8_t *buf, size_t cap, size_t *len, struct bx_fail *fail)
{
	size_t got = 0;
	int sys;

	if (source->is_regular) {
		uint64_t end = (uint64_t)source->at_open.st_size;
		uint64_t left = source->pos < end ? end - source->pos : 0;

		if (cap > left)
			cap = (size_t)left;
		sys = bx_calls_pread_full(source->calls, source->fd, buf, cap, source->pos, &got);
		if (sys == 0 && got < cap)
			return bx_fail_set(fail, BX_ERR_SYS, 0, source->pos + got,
					   "%s changed while it was read: it ends early",
					   source->name);
	} else {
		sys =
		    bx_calls_read_some(source->calls, source->fd, source->stop_fd, buf, cap, &got);
	}
	if (sys != 0)
		return bx_fail_set(fail, bx_calls_err(sys), sys,
				   source->is_regular ? source->pos + got : source->taken,
				   "read %s", source->name);
	source->pos += got;
	source->taken += got;
	source->raw_ended = got == 0 && cap > 0;
	if (source->is_regular && source->pos >= (uint64_t)source->at_open.st_size)
		source->raw_ended = true;
	*len = got;
	return BX_OK;
}

/* Appends to `raw`, which has room. */
static enum bx_err
fill_raw(struct bx_source *source, struct bx_fail *fail)
{
	size_t got = 0;
	enum bx_err err = read_kernel(source, source->raw + source->raw_end,
				      RAW_CAP - source->raw_end, &got, fail);

	if (err == BX_OK)
		source->raw_end += got;
	return err;
}

static enum bx_err
read_inflated(struct bx_source *source, uint8_t *buf, size_t cap, size_t *len, struct bx_fail *fail)
{
	for (;;) {
		struct bx_span in = { source->raw + source->raw_at,
				      source->raw_end - source->raw_at };
		uint64_t base = source->start + source->taken - in.len;
		enum bx_err err =
		    bx_zst_in_read(source->zst, buf, cap, len, &in, base, source->name, fail);

		if (err != BX_OK)
			return err;
		source->raw_at = source->raw_end - in.len;
		if (*len > 0)
			return BX_OK;
		if (source->raw_ended) {
			if (!bx_zst_in_is_between(source->zst))
				return bx_fail_set(fail, BX_ERR_FORMAT, 0,
						   source->start + source->taken,
						   "%s: zstd: ends within a frame", source->name);
			return BX_OK;
		}
		source->raw_at = 0;
		source->raw_end = 0;
		err = fill_raw(source, fail);
		if (err != BX_OK)
			return err;
	}
}

/* Up to `cap` bytes as read; *len 0 at the end. */
static enum bx_err
read_layer(struct bx_source *source, uint8_t *buf, size_t cap, size_t *len, struct bx_fail *fail)
{
	*len = 0;
	if (source->ended)
		return BX_OK;

	enum bx_err err;
	size_t raw_len = source->raw_end - source->raw_at;

	if (source->zst != NULL) {
		err = read_inflated(source, buf, cap, len, fail);
	} else if (raw_len > 0) {
		*len = raw_len < cap ? raw_len : cap;
		memcpy(buf, source->raw + source->raw_at, *len);
		source->raw_at += *len;
		return BX_OK;
	} else if (source->raw_ended) {
		err = BX_OK;
	} else {
		err = read_kernel(source, buf, cap, len, fail);
	}
	if (err == BX_OK && *len == 0)
		source->ended = true;
	return err;
}

bool
bx_source_grow(struct bx_source *source)
{
	struct stat now;

	if (!source->is_regular || source->zst != NULL || fstat(source->fd, &now) != 0 ||
	    now.st_size <= source->at_open.st_size)
		return false;
	source->at_open = now;
	source->raw_ended = false;
	source->ended = false;
	return true;
}

/* Where a regular file begins and whether it is one at all: those of /proc have no size. */
static enum bx_err
look_at_file(struct bx_source *source, struct bx_fail *fail)
{
	off_t at = source->owns_fd ? 0 : lseek(source->fd, 0, SEEK_CUR);

	if (at == -1)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "seek in %s", source->name);
	source->start = (uint64_t)at;
	source->pos = (uint64_t)at;
	source->is_regular = true;

	uint64_t size = (uint64_t)source->at_open.st_size;

	source->is_cold = size >= source->start + DIRECT_MIN && !bx_cache_is_memory(source->fd) &&
			  bx_cache_is_cold(source->fd, source->start, size);
	advise(source, !source->is_cold);
	if (size > 0)
		return BX_OK;

	uint8_t byte;
	size_t got;
	int sys = bx_calls_pread_full(source->calls, source->fd, &byte, 1, source->pos, &got);

	if (sys != 0)
		return bx_fail_set(fail, BX_ERR_SYS, sys, source->pos, "read %s", source->name);
	source->is_regular = got == 0;
	return BX_OK;
}

/* Looks for the magic of zstd; what is looked at stays in `raw`. */
static enum bx_err
look_for_zst(struct bx_source *source, const struct bx_source_options *options,
	     struct bx_fail *fail)
{
	source->raw = malloc(RAW_CAP);
	if (source->raw == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
	while (!options->raw_zst && source->raw_end < 4 && !source->raw_ended) {
		enum bx_err err = fill_raw(source, fail);

		if (err != BX_OK)
			return err;
	}

	struct bx_span head = { source->raw, source->raw_end };

	if (!options->raw_zst && bx_zst_in_is_magic(head))
		return bx_zst_in_new(&source->zst, options->max_inflated, fail);
	if (source->is_regular) {
		/* Nothing was consumed: offsets are all that counts. */
		source->is_file = true;
		source->pos = source->start;
		source->taken = 0;
		source->raw_end = 0;
		source->raw_ended = false;
	}
	return BX_OK;
}

enum bx_err
bx_source_open(struct bx_source **source, const struct bx_source_options *options,
	       struct bx_fail *fail)
{
	struct bx_source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
	s->fd = -1;
	s->direct_fd = -1;
	s->calls = options->calls;
	s->stop_fd = options->stop_fd;

	enum bx_err err = open_fd(s, options->path, fail);

	if (err != BX_OK)
		goto undo;
	if (S_ISREG(s->at_open.st_mode)) {
		err = look_at_file(s, fail);
		if (err != BX_OK)
			goto undo;
	}
	if (S_ISFIFO(s->at_open.st_mode))
		(void)fcntl(s->fd, F_SETPIPE_SZ, PIPE_SIZE); /* refused: merely slower */
	err = look_for_zst(s, options, fail);
	if (err != BX_OK)
		goto undo;
	*source = s;
	return BX_OK;
undo:
	bx_source_close(s);
	return err;
}

void
bx_source_close(struct bx_source *source)
{
	if (source == NULL)
		return;
	if (source->direct_fd != -1)
		(void)close(source->direct_fd);
	if (!source->owns_fd && source->is_cold)
		(void)posix_fadvise(source->fd, 0, 0, POSIX_FADV_NORMAL);
	if (source->owns_fd && source->fd != -1)
		(void)close(source->fd);
	bx_zst_in_free(source->zst);
	free(source->raw);
	free(source->head);
	free(source->name);
	free(source);
}

bool
bx_source_is_file(const struct bx_source *source)
{
	return source->is_file;
}

bool
bx_source_is_zst(const struct bx_source *source)
{
	return source->zst != NULL;
}

int
bx_source_fd(const struct bx_source *source)
{
	return source->fd;
}

int
bx_source_direct_fd(struct bx_source *source)
{
	if (source->direct_known)
		return source->direct_fd;
	source->direct_known = true;

	if (source->is_file && source->is_cold && source->start % BX_IO_ALIGN == 0)
		source->direct_fd = bx_cache_open_direct(source->calls, source->fd, O_RDONLY);
	if (source->direct_fd == -1 && source->is_file)
		advise(source, true);
	return source->direct_fd;
}

uint64_t
bx_source_start(const struct bx_source *source)
{
	return source->start;
}

uint64_t
bx_source_size(const struct bx_source *source)
{
	return source->is_regular ? (uint64_t)source->at_open.st_size : UINT64_MAX;
}

const char *
bx_source_name(const struct bx_source *source)
{
	return source->name;
}

enum bx_err
bx_source_unchanged(struct bx_source *source, struct bx_fail *fail)
{
	struct stat now;

	if (!source->is_regular)
		return BX_OK;
	if (fstat(source->fd, &now) == -1)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "stat %s", source->name);
	if (now.st_size == source->at_open.st_size &&
	    now.st_mtim.tv_sec == source->at_open.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == source->at_open.st_mtim.tv_nsec)
		return BX_OK;
	return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "%s changed while it was read",
			   source->name);
}

bool
bx_source_is_path(const struct bx_source *source, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == source->at_open.st_dev &&
	       st.st_ino == source->at_open.st_ino;
}

enum bx_err
bx_source_peek(struct bx_source *source, struct bx_span *head, bool *whole, struct bx_fail *fail)
{
	if (!source->head_filled) {
		if (source->head == NULL)
			source->head = malloc(HEAD_CAP);
		if (source->head == NULL)
			return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
		while (source->head_end < HEAD_CAP && !source->ended) {
			size_t got;
			enum bx_err err = read_layer(source, source->head + source->head_end,
						     HEAD_CAP - source->head_end, &got, fail);

			if (err != BX_OK)
				return err;
			source->head_end += got;
		}
		source->head_filled = true;
	}
	assert(source->head_at == 0);
	*head = (struct bx_span){ source->head, source->head_end };
	*whole = source->ended;
	return BX_OK;
}

enum bx_err
bx_source_read(struct bx_source *source, uint8_t *buf, size_t cap, size_t *len,
	       struct bx_fail *fail)
{
	size_t left = source->head_end - source->head_at;

	if (left > 0) {
		*len = left < cap ? left : cap;
		memcpy(buf, source->head + source->head_at, *len);
		source->head_at += *len;
		return BX_OK;
	}
	if (source->is_regular && !source->sequential)
		advise(source, true);
	return read_layer(source, buf, cap, len, fail);
}

uint64_t
bx_source_taken(const struct bx_source *source)
{
	return source->taken;
}
