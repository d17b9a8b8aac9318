/* System calls that fail at the Nth call, are short, or come in pieces; and a folder to work in. */
#ifndef TESTS_IO_FAULTS_H
#define TESTS_IO_FAULTS_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/io.h"

#define UNUSED __attribute__((unused))

enum fault_call {
	ON_READ,
	ON_PREAD,
	ON_WRITE,
	ON_PWRITE,
	ON_FDATASYNC,
	ON_FSYNC,
	ON_FTRUNCATE,
	ON_FALLOCATE,
	ON_RENAME,
	ON_LINKAT,
	ON_OPENAT,
	ON_COMPLETED,
	ON_COUNT
};

static const char *const fault_names[ON_COUNT] UNUSED = {
	"read",      "pread",     "write",  "pwrite", "fdatasync", "fsync",
	"ftruncate", "fallocate", "rename", "linkat", "openat",    "completed",
};

#define FAULT_SHORT (-1) /* half of what was asked for */
#define FAULT_HOLD (-2)  /* completions: later */

struct faults {
	struct bx_io_calls calls; /* hand out &calls */
	enum fault_call on;
	unsigned nth; /* from 1; 0: never */
	bool persistent;
	int fault;        /* errno, FAULT_* */
	size_t max_piece; /* every transfer is at most this; 0: no limit */
	unsigned seed;    /* != 0: pieces of 1..max_piece */
	bool no_tmpfile;  /* O_TMPFILE is EOPNOTSUPP */
	bool no_direct;   /* O_DIRECT is EINVAL */
	bool no_flags;    /* renameat2 with flags is EINVAL */
	_Atomic unsigned seen[ON_COUNT];
	_Atomic unsigned fired;
};

/* 0, or the fault that this call shall have. */
static int
faults_now(struct faults *f, enum fault_call call)
{
	unsigned n = atomic_fetch_add(&f->seen[call], 1) + 1;

	if (call != f->on || f->nth == 0 || n < f->nth || (!f->persistent && n > f->nth))
		return 0;
	atomic_fetch_add(&f->fired, 1);
	return f->fault;
}

static size_t
faults_piece(struct faults *f, size_t len)
{
	size_t most = f->max_piece;

	if (most == 0)
		return len;
	if (f->seed != 0)
		most = 1 + (size_t)rand_r(&f->seed) % most;
	return len < most ? len : most;
}

/* -1 with errno, or the count to ask for. */
static ssize_t
faults_count(struct faults *f, enum fault_call call, size_t len)
{
	int fault = faults_now(f, call);

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	if (fault == FAULT_SHORT)
		return (ssize_t)(len / 2 > 0 ? len / 2 : len);
	return (ssize_t)faults_piece(f, len);
}

static ssize_t
faults_read(void *context, int fd, void *buf, size_t len)
{
	ssize_t n = faults_count(context, ON_READ, len);

	return n == -1 ? -1 : read(fd, buf, (size_t)n);
}

static ssize_t
faults_pread(void *context, int fd, void *buf, size_t len, off_t at)
{
	ssize_t n = faults_count(context, ON_PREAD, len);

	return n == -1 ? -1 : pread(fd, buf, (size_t)n, at);
}

static ssize_t
faults_write(void *context, int fd, const void *buf, size_t len)
{
	ssize_t n = faults_count(context, ON_WRITE, len);

	return n == -1 ? -1 : write(fd, buf, (size_t)n);
}

static ssize_t
faults_pwrite(void *context, int fd, const void *buf, size_t len, off_t at)
{
	ssize_t n = faults_count(context, ON_PWRITE, len);

	return n == -1 ? -1 : pwrite(fd, buf, (size_t)n, at);
}

/* For calls that have no count. */
static bool
faults_fails(struct faults *f, enum fault_call call)
{
	int fault = faults_now(f, call);

	if (fault <= 0)
		return false;
	errno = fault;
	return true;
}

static int
faults_fdatasync(void *context, int fd)
{
	return faults_fails(context, ON_FDATASYNC) ? -1 : fdatasync(fd);
}

static int
faults_fsync(void *context, int fd)
{
	return faults_fails(context, ON_FSYNC) ? -1 : fsync(fd);
}

static int
faults_ftruncate(void *context, int fd, off_t len)
{
	return faults_fails(context, ON_FTRUNCATE) ? -1 : ftruncate(fd, len);
}

static int
faults_fallocate(void *context, int fd, int mode, off_t at, off_t len)
{
	return faults_fails(context, ON_FALLOCATE) ? -1 : fallocate(fd, mode, at, len);
}

static int
faults_rename(void *context, int dir, const char *from, const char *to, unsigned flags)
{
	struct faults *f = context;

	if (faults_fails(f, ON_RENAME))
		return -1;
	if (f->no_flags && flags != 0) {
		errno = EINVAL;
		return -1;
	}
	return renameat2(dir, from, dir, to, flags);
}

static int
faults_linkat(void *context, int old_dir, const char *from, int dir, const char *to, int flags)
{
	return faults_fails(context, ON_LINKAT) ? -1 : linkat(old_dir, from, dir, to, flags);
}

static int
faults_openat(void *context, int dir, const char *path, int flags, mode_t mode)
{
	struct faults *f = context;

	if (faults_fails(f, ON_OPENAT))
		return -1;
	if (f->no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (f->no_direct && (flags & O_DIRECT) != 0) {
		errno = EINVAL;
		return -1;
	}
	return openat(dir, path, flags, mode);
}

static int
faults_completed(void *context, unsigned id, bool is_write, int res)
{
	struct faults *f = context;
	int fault = faults_now(f, ON_COMPLETED);

	(void)id;
	(void)is_write;
	if (fault > 0)
		return -fault;
	if (fault == FAULT_HOLD)
		return BX_IO_HOLD;
	if (fault == FAULT_SHORT)
		return res > 1 ? res / 2 : res;
	return res > 0 ? (int)faults_piece(f, (size_t)res) : res;
}

/* No faults yet, but every call is counted. */
static UNUSED void
faults_init(struct faults *f)
{
	*f = (struct faults){
		.calls = {
			.context = f,
			.read = faults_read,
			.pread = faults_pread,
			.write = faults_write,
			.pwrite = faults_pwrite,
			.fdatasync = faults_fdatasync,
			.fsync = faults_fsync,
			.ftruncate = faults_ftruncate,
			.fallocate = faults_fallocate,
			.rename = faults_rename,
			.linkat = faults_linkat,
			.openat = faults_openat,
			.completed = faults_completed,
		},
	};
}

static UNUSED void
faults_set(struct faults *f, enum fault_call on, unsigned nth, int fault, bool persistent)
{
	f->on = on;
	f->nth = nth;
	f->fault = fault;
	f->persistent = persistent;
	for (int i = 0; i < ON_COUNT; i++)
		atomic_store(&f->seen[i], 0);
	atomic_store(&f->fired, 0);
}

/* --- a folder of our own, which becomes the working directory ----------------------------------
 */

static char scratch_path[4096];
static int scratch_back = -1;

static UNUSED void
scratch_enter(void)
{
	char name[] = "io-test-XXXXXX";

	scratch_back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_not_null(mkdtemp(name));
	cr_assert_eq(chdir(name), 0);
	cr_assert_not_null(getcwd(scratch_path, sizeof(scratch_path)));
}

/* How many names are here. */
static UNUSED unsigned
scratch_count(void)
{
	DIR *dir = opendir(".");
	unsigned count = 0;

	cr_assert_not_null(dir);
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
		count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(dir);
	return count;
}

static UNUSED void
scratch_empty(void)
{
	DIR *dir = opendir(".");

	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		if (unlinkat(dirfd(dir), e->d_name, 0) == -1)
			(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

static UNUSED void
scratch_leave(void)
{
	if (scratch_back == -1)
		return;
	scratch_empty();
	if (fchdir(scratch_back) != 0)
		abort();
	(void)rmdir(scratch_path);
	close(scratch_back);
	scratch_back = -1;
}

/* --- contents -----------------------------------------------------------------------------------
 */

/* Bytes that differ everywhere, the same for the same seed. */
static UNUSED uint8_t *
make_bytes(size_t len, uint64_t seed)
{
	uint8_t *bytes = aligned_alloc(4096, (len + 8191) / 4096 * 4096);
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

	cr_assert_not_null(bytes);
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = (uint8_t)(x >> 24);
	}
	return bytes;
}

static UNUSED void
write_file(const char *path, const uint8_t *bytes, size_t len)
{
	(void)unlink(path); /* ext4 writes a file that was cut to disk at once: slow */

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	cr_assert_neq(fd, -1);
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, bytes + at, len - at);

		cr_assert_gt(n, 0);
		at += (size_t)n;
	}
	close(fd);
}

/* For the caller to free; NULL when there is no such file. */
static UNUSED uint8_t *
read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return NULL;
	cr_assert_eq(fstat(fd, &st), 0);

	uint8_t *bytes = malloc((size_t)st.st_size + 1);

	*len = 0;
	while (*len < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + *len, (size_t)st.st_size - *len);

		cr_assert_gt(n, 0);
		*len += (size_t)n;
	}
	close(fd);
	return bytes;
}

static UNUSED bool
file_is(const char *path, const uint8_t *bytes, size_t len)
{
	size_t got_len;
	uint8_t *got = read_file(path, &got_len);
	bool same = got != NULL && got_len == len && (len == 0 || memcmp(got, bytes, len) == 0);

	free(got);
	return same;
}

#endif
