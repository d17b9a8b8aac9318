#include "io/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "io/calls.h"

/* cachestat(2), Linux 6.5; neither glibc nor the kernel headers of older systems know it. */
#define NR_CACHESTAT 451

struct cachestat_range {
	uint64_t off;
	uint64_t len;
};

struct cachestat {
	uint64_t nr_cache; /* pages */
	uint64_t nr_dirty;
	uint64_t nr_writeback;
	uint64_t nr_evicted;
	uint64_t nr_recently_evicted;
};

/*
 * Memory gives about eight times what a good disk does, so the break-even is at an eighth: with
 * more than that cached, reading the rest through the cache is as fast, and O_DIRECT would read
 * everything from the device.
 */
#define COLD_SHARE 8u

#define SAMPLES 64u

/* Older kernels: does a read that may not wait find something, at places all over the file? */
static bool
sample_is_cold(int fd, uint64_t from, uint64_t to)
{
	unsigned cached = 0;

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint8_t byte;
		struct iovec one = { &byte, 1 };
		off_t at = (off_t)(from + (to - from) / SAMPLES * i);
		ssize_t n = preadv2(fd, &one, 1, at, RWF_NOWAIT);

		if (n == 1)
			cached++;
		else if (n == -1 && errno != EAGAIN)
			return false; /* cannot tell: the cache is the safe way */
	}
	return cached < SAMPLES / COLD_SHARE;
}

bool
bx_cache_is_cold(int fd, uint64_t from, uint64_t to)
{
	struct cachestat_range range = { from, to - from };
	struct cachestat held;

	if (syscall(NR_CACHESTAT, fd, &range, &held, 0) == -1)
		return sample_is_cold(fd, from, to);
	return held.nr_cache < (to - from) / (uint64_t)sysconf(_SC_PAGESIZE) / COLD_SHARE;
}

bool
bx_cache_is_memory(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == -1)
		return true;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC;
}

static bool
fits_alignment(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN) != 0)
		return stx.stx_dio_mem_align != 0 && stx.stx_dio_mem_align <= BX_IO_ALIGN &&
		       stx.stx_dio_offset_align != 0 && stx.stx_dio_offset_align <= BX_IO_ALIGN;
#else
	(void)fd;
#endif
	return true; /* not told before 6.1: 512 or 4096 everywhere */
}

/* The proof of the alignment is a read. */
static bool
reads_direct(const struct bx_io_calls *calls, int fd)
{
	uint8_t *block = aligned_alloc(BX_IO_ALIGN, BX_IO_ALIGN);
	size_t got;

	if (block == NULL)
		return false;

	int sys = bx_calls_pread_full(calls, fd, block, BX_IO_ALIGN, 0, &got);

	free(block);
	return sys == 0;
}

int
bx_cache_open_direct(const struct bx_io_calls *calls, int fd, int access)
{
	char path[32];

	/* tmpfs takes O_DIRECT, ignores it, and knows nothing of alignment. */
	if (bx_cache_is_memory(fd) || !fits_alignment(fd))
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

	int direct = bx_calls_openat(calls, AT_FDCWD, path, access | O_DIRECT | O_CLOEXEC, 0);

	if (direct == -1)
		return -1;
	if (access == O_RDONLY && !reads_direct(calls, direct)) {
		(void)close(direct);
		return -1;
	}
	return direct;
}
