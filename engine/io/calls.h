/* System calls by way of struct bx_io_calls, and loops that finish what one call leaves undone. */
#ifndef BX_IO_CALLS_H
#define BX_IO_CALLS_H

#include "io/io.h"

/*
 * One call each, -1 and errno as the real ones; `calls` may be NULL. What may be interrupted
 * without loss (openat, ftruncate, fallocate) is started again after EINTR, fsync and fdatasync
 * never are.
 */
int bx_calls_openat(const struct bx_io_calls *calls, int dir, const char *path, int flags,
		    mode_t mode);
int bx_calls_ftruncate(const struct bx_io_calls *calls, int fd, uint64_t len);
int bx_calls_fallocate(const struct bx_io_calls *calls, int fd, uint64_t at, uint64_t len);
int bx_calls_fdatasync(const struct bx_io_calls *calls, int fd);
int bx_calls_fsync(const struct bx_io_calls *calls, int fd);
/* renameat2 within one folder. */
int bx_calls_rename(const struct bx_io_calls *calls, int dir, const char *from, const char *to,
		    unsigned flags);
int bx_calls_linkat(const struct bx_io_calls *calls, int old_dir, const char *from, int dir,
		    const char *to, int flags);

/*
 * The loops return 0 or an errno, and set *done to the bytes that went through before it. They go
 * on after short counts, and after EINTR and EAGAIN as long as that gets anywhere: a call that is
 * refused BX_CALLS_STALLS times in a row is an error.
 */
#define BX_CALLS_STALLS 200u

/* Is `at` the end of a regular file? Then a short read has found it. */
bool bx_calls_at_end(int fd, uint64_t at);

/* Until `len` bytes or the end of the file. */
int bx_calls_pread_full(const struct bx_io_calls *calls, int fd, uint8_t *buf, size_t len,
			uint64_t at, size_t *done) BX_MUST_USE;
int bx_calls_pwrite_full(const struct bx_io_calls *calls, int fd, const uint8_t *buf, size_t len,
			 uint64_t at, size_t *done) BX_MUST_USE;

/*
 * Pipes, terminals, sockets, devices. Both wait in poll() for the descriptor and `stop_fd` (0:
 * none), and give ECANCELED when the latter is readable.
 * read_some: one read of at most BX_CALLS_PIECE bytes; *done 0 is the end.
 * write_full: all of it, in calls of at most `piece` bytes. Where `fd` blocks, only pieces of
 * PIPE_BUF can surely be interrupted: poll promises that much room and no more.
 */
#define BX_CALLS_PIECE ((size_t)256 << 10) /* a quarter of a 1 MiB pipe: both sides stay busy */

int bx_calls_read_some(const struct bx_io_calls *calls, int fd, int stop_fd, uint8_t *buf,
		       size_t cap, size_t *done) BX_MUST_USE;
int bx_calls_write_full(const struct bx_io_calls *calls, int fd, int stop_fd, size_t piece,
			const uint8_t *buf, size_t len, size_t *done) BX_MUST_USE;

/* BX_ERR_INTERRUPTED for ECANCELED, else BX_ERR_SYS. */
enum bx_err bx_calls_err(int sys);

#endif
