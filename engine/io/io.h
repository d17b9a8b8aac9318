/* Bytes in and out: files, pipes and terminals; io_uring, or plain calls where there is none. */
#ifndef BX_IO_IO_H
#define BX_IO_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "boxcar/fail.h"

/* How requests are issued. AUTO tries io_uring once for the process's life and latches the answer.
 */
enum bx_io_mode { BX_IO_AUTO, BX_IO_URING, BX_IO_SYNC };

/*
 * The system calls that this room makes, so that tests can inject EINTR, EAGAIN, short counts, EIO,
 * ENOSPC, ... at the Nth call. NULL members mean the real call. `context` is passed to each.
 */
struct bx_io_calls {
	void *context;
	ssize_t (*read)(void *context, int fd, void *buf, size_t len);
	ssize_t (*pread)(void *context, int fd, void *buf, size_t len, off_t at);
	ssize_t (*write)(void *context, int fd, const void *buf, size_t len);
	ssize_t (*pwrite)(void *context, int fd, const void *buf, size_t len, off_t at);
	int (*fdatasync)(void *context, int fd);
	int (*fsync)(void *context, int fd);
	int (*ftruncate)(void *context, int fd, off_t len);
	int (*fallocate)(void *context, int fd, int mode, off_t at, off_t len);
	int (*rename)(void *context, int dir, const char *from, const char *to, unsigned flags);
	int (*linkat)(void *context, int old_dir, const char *from, int dir, const char *to,
		      int flags);
	int (*openat)(void *context, int dir, const char *path, int flags, mode_t mode);
	/*
	 * Sees each completion of a ring and returns the result to go on with: `res` itself, a
	 * smaller count (short), -errno, or BX_IO_HOLD: deliver it after the others (reordering).
	 */
	int (*completed)(void *context, unsigned id, bool is_write, int res);
};

#define BX_IO_HOLD (-100000)

/* O_DIRECT: buffers, offsets and lengths are multiples of this. */
#define BX_IO_ALIGN 4096u

/* --- lanes: one thread's own queue of requests ------------------------------------------------ */

/*
 * A lane belongs to the thread that made it, which also frees it. It holds at most `depth`
 * requests. In URING mode it is a ring of its own; in SYNC mode a request runs when it is started.
 * Requests are named by small numbers 0..depth-1 chosen by the caller, each free again after its
 * wait; the buffer must stay until its wait returns. Short counts, EINTR and EAGAIN are handled
 * inside: a read ends short only at the end of the file. What goes wrong is told by the wait, in
 * both modes. For regular files and block devices.
 */
struct bx_lane;

enum bx_err bx_lane_new(struct bx_lane **lane, enum bx_io_mode mode, unsigned depth,
			const struct bx_io_calls *calls, struct bx_fail *fail) BX_MUST_USE;
void bx_lane_free(struct bx_lane *lane); /* waits for what is in flight */
bool bx_lane_is_uring(const struct bx_lane *lane);

/* Why AUTO fell back to plain calls ("io_uring_queue_init: Operation not permitted"), or NULL. */
const char *bx_lane_why_sync(const struct bx_lane *lane);

enum bx_err bx_lane_read(struct bx_lane *lane, unsigned id, int fd, uint8_t *buf, size_t len,
			 uint64_t at, struct bx_fail *fail) BX_MUST_USE;
enum bx_err bx_lane_write(struct bx_lane *lane, unsigned id, int fd, const uint8_t *buf, size_t len,
			  uint64_t at, struct bx_fail *fail) BX_MUST_USE;
/* Waits for request `id`; *done is the byte count (a write is always complete, or an error). */
enum bx_err bx_lane_wait(struct bx_lane *lane, unsigned id, size_t *done,
			 struct bx_fail *fail) BX_MUST_USE;

/* --- sources --------------------------------------------------------------------------------- */

/* One input: a file, a pipe, a terminal, or any of them inside zstd (found by its magic). */
struct bx_source;

struct bx_source_options {
	const char *path; /* NULL or "-": stdin; borrowed for the call */
	bool raw_zst;     /* do not inflate, even when the magic is there */
	const struct bx_io_calls *calls;
	/*
	 * A descriptor that becomes (and stays) readable when the run shall stop: an eventfd, or a
	 * pipe that a signal handler writes to. Every wait for a pipe, terminal or socket ends then
	 * with BX_ERR_INTERRUPTED. 0: none (it is stdin and cannot be one). Borrowed until close.
	 */
	int stop_fd;
	/*
	 * Inside zstd: more bytes than this are BX_ERR_LIMIT. 0: the default guard, more than
	 * 1000:1 after the first GiB (threat-model.md 8).
	 */
	uint64_t max_inflated;
};

/* Opening a pipe waits for its first bytes (the magic of zstd), opening a FIFO also for a writer.
 */

enum bx_err bx_source_open(struct bx_source **source, const struct bx_source_options *options,
			   struct bx_fail *fail) BX_MUST_USE;
void bx_source_close(struct bx_source *source);

/*
 * A regular file (or stdin that is one): chunks may be claimed by offset from any thread with a
 * lane on bx_source_fd, from bx_source_start to bx_source_size. False for pipes and inside zstd.
 */
bool bx_source_is_file(const struct bx_source *source);
bool bx_source_is_zst(const struct bx_source *source); /* and is inflated */
int bx_source_fd(const struct bx_source *source);
/*
 * A second descriptor with O_DIRECT where that pays (the page cache holds little of the file, the
 * filesystem takes it), else -1. Buffer, offset and length of its reads must be multiples of
 * BX_IO_ALIGN (the last one may reach beyond the end). Decided at the first call, which must not
 * race with another.
 */
int bx_source_direct_fd(struct bx_source *source);
uint64_t bx_source_start(const struct bx_source *source);
/* End offset of the file as stored (inside zstd: of the compressed one). UINT64_MAX: not known. */
uint64_t bx_source_size(const struct bx_source *source);
const char *bx_source_name(const struct bx_source *source);
/* Size and time of modification are what they were at open; else BX_ERR_SYS "changed while it was
 * read". Metadata alone (a rename, a chmod) is no change. Always BX_OK for pipes. */
enum bx_err bx_source_unchanged(struct bx_source *source, struct bx_fail *fail) BX_MUST_USE;
/* Is `path` this very file? (decisions.md 18: -o equal to an input is refused.) */
bool bx_source_is_path(const struct bx_source *source, const char *path);

/*
 * The first bytes (inflated), up to 64 KiB, without consuming them; valid until the first read.
 * Waits until there are 64 KiB or the end, so that what is seen does not depend on timing; *whole:
 * the input ends there. Only before the first read.
 */
enum bx_err bx_source_peek(struct bx_source *source, struct bx_span *head, bool *whole,
			   struct bx_fail *fail) BX_MUST_USE;

/* Next bytes in order: blocks until there is at least one, *len 0 at the end. */
enum bx_err bx_source_read(struct bx_source *source, uint8_t *buf, size_t cap, size_t *len,
			   struct bx_fail *fail) BX_MUST_USE;

/*
 * After a read found the end of a file that is still being written: true when there is more by now,
 * and reads go on. False for pipes and inside zstd.
 */
bool bx_source_grow(struct bx_source *source);

/* Bytes taken from the file or pipe so far (compressed bytes inside zstd): for progress. */
uint64_t bx_source_taken(const struct bx_source *source);

/* --- drains ---------------------------------------------------------------------------------- */

/* One output: a file that appears under its name only when it is complete, or a pipe. */
struct bx_drain;

/* When the file is seen, and under which name until then. */
enum bx_visible {
	BX_VISIBLE_AT_COMMIT = 0, /* nothing before; a failure leaves nothing */
	BX_VISIBLE_PART,          /* PATH.part, 0600, which must not exist; close keeps it */
	BX_VISIBLE_PART_RESUME,   /* PATH.part, which must be ours; cut to `resume_at` */
	BX_VISIBLE_LIVE,          /* PATH itself from the start; close keeps it */
	BX_VISIBLE_LIVE_RESUME,   /* PATH itself, which must exist; cut to `resume_at` */
};

struct bx_drain_options {
	const char *path;   /* NULL or "-": stdout; borrowed for the call */
	bool force;         /* replace an existing target */
	bool private_mode;  /* 0600 (plaintext, keys), else 0666 less the umask */
	bool zst;           /* compress in order (level 3) */
	uint64_t size_hint; /* fallocate this much; 0: not known */
	bool no_sync;       /* for measurements: skip fsync at commit */
	const struct bx_io_calls *calls;
	int stop_fd;             /* as in bx_source_options: ends waits for a pipe */
	enum bx_visible visible; /* all but AT_COMMIT want a path, no zst, and lock the file */
	uint64_t resume_at;      /* bytes that are kept; offsets go on from there */
};

/*
 * A target that exists without `force` is BX_ERR_USAGE with a hint. A directory, or a path whose
 * folder does not exist, is BX_ERR_SYS. A FIFO or a character device (/dev/null) is written to
 * directly, in order. Temporary: O_TMPFILE in the target's folder, or a random name there. A
 * symlink counts as existing; `force` replaces the link, never what it points to. Stdout that is a
 * regular file is placed from its current offset, unless it is O_APPEND, shared with stderr, or has
 * bytes after the offset: then it is written in order. The program ignores SIGPIPE and SIGXFSZ.
 */
enum bx_err bx_drain_open(struct bx_drain **drain, const struct bx_drain_options *options,
			  struct bx_fail *fail) BX_MUST_USE;

/* True when regions may be written in any order (a file without zstd): then use place, not write.
 */
bool bx_drain_is_placed(const struct bx_drain *drain);
int bx_drain_fd(const struct bx_drain *drain);
const char *bx_drain_name(const struct bx_drain *drain);

/* In order; any drain. EPIPE is BX_ERR_SYS with sys EPIPE. */
enum bx_err bx_drain_write(struct bx_drain *drain, const uint8_t *buf, size_t len,
			   struct bx_fail *fail) BX_MUST_USE;
/*
 * At an offset, from any thread, placed drains only; complete or an error. A byte is placed once.
 * After any failed write the drain is spent: everything later fails, commit too.
 */
enum bx_err bx_drain_place(struct bx_drain *drain, const uint8_t *buf, size_t len, uint64_t at,
			   struct bx_fail *fail) BX_MUST_USE;

/*
 * The same without waiting: request `id` of `lane`, to be waited for (its *done is `len`) before
 * `buf` is touched and before commit. Where the drain writes O_DIRECT, the whole blocks go out from
 * `buf` itself if it is laid out at bx_drain_phase (else they are copied through the page cache);
 * a first or last block that two neighbours share is written by whichever comes second. With
 * `room` >= BX_IO_ALIGN writable bytes before buf and after buf + len, the second one completes the
 * block there and in the same request; without room it costs a request of its own. A buffered
 * drain writes at once. The bytes of buf[0..len) are not changed.
 */
enum bx_err bx_drain_place_lane(struct bx_drain *drain, struct bx_lane *lane, unsigned id,
				uint8_t *buf, size_t room, size_t len, uint64_t at,
				struct bx_fail *fail) BX_MUST_USE;
/* What (uintptr_t)buf % BX_IO_ALIGN should be for bytes that go to `at`. */
size_t bx_drain_phase(const struct bx_drain *drain, uint64_t at);
bool bx_drain_is_direct(const struct bx_drain *drain); /* large outputs that are synced */

/*
 * Makes the bytes below `size` durable under the present name (PART, LIVE); cuts nothing. No
 * request may be in flight, and all bytes below `size` are placed or written.
 */
enum bx_err bx_drain_checkpoint(struct bx_drain *drain, uint64_t size,
				struct bx_fail *fail) BX_MUST_USE;
/* Removes PATH.part (not PATH.part.state), if it is there. */
enum bx_err bx_drain_discard_part(const char *path, struct bx_fail *fail) BX_MUST_USE;

/*
 * Trims to `size` (placed), flushes zstd, syncs, gives the file its name, syncs the folder. A sync
 * that fails is final. On failure nothing new is under the name (but see bx_visible); with `force`
 * it is the old file or the complete new one.
 */
enum bx_err bx_drain_commit(struct bx_drain *drain, uint64_t size,
			    struct bx_fail *fail) BX_MUST_USE;
/*
 * Frees; without a commit before, nothing appears under the name (stdout that is placed is cut back
 * to where it began). NULL is a no-op.
 */
void bx_drain_close(struct bx_drain *drain);

#endif
