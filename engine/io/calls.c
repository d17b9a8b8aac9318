#include "io/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int
bx_calls_openat(const struct bx_io_calls *calls, int dir, const char *path, int flags, mode_t mode)
{
	int fd;
	unsigned stalls = 0;

	do {
		if (calls != NULL && calls->openat != NULL)
			fd = calls->openat(calls->context, dir, path, flags, mode);
		else
			fd = openat(dir, path, flags, mode);
	} while (fd == -1 && errno == EINTR && ++stalls < BX_CALLS_STALLS);
	return fd;
}

int
bx_calls_ftruncate(const struct bx_io_calls *calls, int fd, uint64_t len)
{
	int rc;
	unsigned stalls = 0;

	do {
		if (calls != NULL && calls->ftruncate != NULL)
			rc = calls->ftruncate(calls->context, fd, (off_t)len);
		else
			rc = ftruncate(fd, (off_t)len);
	} while (rc == -1 && errno == EINTR && ++stalls < BX_CALLS_STALLS);
	return rc;
}

int
bx_calls_fallocate(const struct bx_io_calls *calls, int fd, uint64_t at, uint64_t len)
{
	int rc;
	unsigned stalls = 0;

	do {
		/* Not posix_fallocate: glibc emulates it by writing where the filesystem cannot. */
		if (calls != NULL && calls->fallocate != NULL)
			rc = calls->fallocate(calls->context, fd, 0, (off_t)at, (off_t)len);
		else
			rc = fallocate(fd, 0, (off_t)at, (off_t)len);
	} while (rc == -1 && errno == EINTR && ++stalls < BX_CALLS_STALLS);
	return rc;
}

int
bx_calls_fdatasync(const struct bx_io_calls *calls, int fd)
{
	if (calls != NULL && calls->fdatasync != NULL)
		return calls->fdatasync(calls->context, fd);
	return fdatasync(fd);
}

int
bx_calls_fsync(const struct bx_io_calls *calls, int fd)
{
	if (calls != NULL && calls->fsync != NULL)
		return calls->fsync(calls->context, fd);
	return fsync(fd);
}

int
bx_calls_rename(const struct bx_io_calls *calls, int dir, const char *from, const char *to,
		unsigned flags)
{
	if (calls != NULL && calls->rename != NULL)
		return calls->rename(calls->context, dir, from, to, flags);
	if (flags == 0)
		return renameat(dir, from, dir, to);
	return renameat2(dir, from, dir, to, flags);
}

int
bx_calls_linkat(const struct bx_io_calls *calls, int old_dir, const char *from, int dir,
		const char *to, int flags)
{
	if (calls != NULL && calls->linkat != NULL)
		return calls->linkat(calls->context, old_dir, from, dir, to, flags);
	return linkat(old_dir, from, dir, to, flags);
}

static ssize_t
call_read(const struct bx_io_calls *calls, int fd, uint8_t *buf, size_t len)
{
	if (calls != NULL && calls->read != NULL)
		return calls->read(calls->context, fd, buf, len);
	return read(fd, buf, len);
}

static ssize_t
call_write(const struct bx_io_calls *calls, int fd, const uint8_t *buf, size_t len)
{
	if (calls != NULL && calls->write != NULL)
		return calls->write(calls->context, fd, buf, len);

	/* A socket whose reader is gone must not raise SIGPIPE, nor hold us past a stop. */
	ssize_t n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1 && errno == ENOTSOCK)
		n = write(fd, buf, len);
	return n;
}

/*
 * After a refusal: 0 to try again, or the errno to give up with. EAGAIN on a regular file happens
 * on odd filesystems only, and passes; a millisecond each keeps this from being a spin.
 */
static int
stalled(int sys, unsigned *stalls)
{
	if (sys != EINTR && sys != EAGAIN && sys != EWOULDBLOCK)
		return sys;
	if (++*stalls >= BX_CALLS_STALLS)
		return sys;
	if (sys != EINTR)
		(void)poll(NULL, 0, 1);
	return 0;
}

bool
bx_calls_at_end(int fd, uint64_t at)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && at >= (uint64_t)st.st_size;
}

int
bx_calls_pread_full(const struct bx_io_calls *calls, int fd, uint8_t *buf, size_t len, uint64_t at,
		    size_t *done)
{
	unsigned stalls = 0;

	*done = 0;
	while (*done < len) {
		off_t from = (off_t)(at + *done);
		ssize_t n;

		if (calls != NULL && calls->pread != NULL)
			n = calls->pread(calls->context, fd, buf + *done, len - *done, from);
		else
			n = pread(fd, buf + *done, len - *done, from);
		if (n == 0)
			return 0;
		if (n > 0) {
			*done += (size_t)n;
			stalls = 0;
			/* O_DIRECT stops at the end within a block, and cannot ask again there. */
			if (*done < len && bx_calls_at_end(fd, at + *done))
				return 0;
			continue;
		}

		int sys = stalled(errno, &stalls);

		if (sys != 0)
			return sys;
	}
	return 0;
}

int
bx_calls_pwrite_full(const struct bx_io_calls *calls, int fd, const uint8_t *buf, size_t len,
		     uint64_t at, size_t *done)
{
	unsigned stalls = 0;

	*done = 0;
	while (*done < len) {
		off_t to = (off_t)(at + *done);
		ssize_t n;

		if (calls != NULL && calls->pwrite != NULL)
			n = calls->pwrite(calls->context, fd, buf + *done, len - *done, to);
		else
			n = pwrite(fd, buf + *done, len - *done, to);
		if (n > 0) {
			*done += (size_t)n;
			stalls = 0;
			continue;
		}

		/* No kernel writes nothing and calls it success; do not wait for it to change. */
		int sys = n == 0 ? EIO : stalled(errno, &stalls);

		if (sys != 0)
			return sys;
	}
	return 0;
}

/* Waits until `fd` has `events` or an end, 0; ECANCELED when a stop is wanted, which goes first. */
static int
wait_for(int fd, short events, int stop_fd)
{
	struct pollfd fds[2] = { { fd, events, 0 }, { stop_fd, POLLIN, 0 } };
	nfds_t count = stop_fd > 0 ? 2 : 1;

	for (;;) {
		int n = poll(fds, count, -1);

		if (n == -1 && errno == EINTR)
			continue; /* the handler has made stop_fd readable, if it meant us */
		if (n == -1)
			return errno;
		if (count == 2 && fds[1].revents != 0)
			return ECANCELED;
		return 0;
	}
}

int
bx_calls_read_some(const struct bx_io_calls *calls, int fd, int stop_fd, uint8_t *buf, size_t cap,
		   size_t *done)
{
	unsigned stalls = 0;
	size_t want = cap < BX_CALLS_PIECE ? cap : BX_CALLS_PIECE;

	*done = 0;
	for (;;) {
		int sys = wait_for(fd, POLLIN, stop_fd);

		if (sys != 0)
			return sys;

		ssize_t n = call_read(calls, fd, buf, want);

		if (n >= 0) {
			*done = (size_t)n;
			return 0;
		}
		sys = stalled(errno, &stalls);
		if (sys != 0)
			return sys;
	}
}

int
bx_calls_write_full(const struct bx_io_calls *calls, int fd, int stop_fd, size_t piece,
		    const uint8_t *buf, size_t len, size_t *done)
{
	unsigned stalls = 0;

	*done = 0;
	while (*done < len) {
		size_t left = len - *done;
		int sys = wait_for(fd, POLLOUT, stop_fd);

		if (sys != 0)
			return sys;

		ssize_t n = call_write(calls, fd, buf + *done, left < piece ? left : piece);

		if (n > 0) {
			*done += (size_t)n;
			stalls = 0;
			continue;
		}
		sys = n == 0 ? EIO : stalled(errno, &stalls);
		if (sys != 0)
			return sys;
	}
	return 0;
}

enum bx_err
bx_calls_err(int sys)
{
	return sys == ECANCELED ? BX_ERR_INTERRUPTED : BX_ERR_SYS;
}
