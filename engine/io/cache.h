/* What the page cache holds of a file, and descriptors that go around it. */
#ifndef BX_IO_CACHE_H
#define BX_IO_CACHE_H

#include "io/io.h"

/* Is so little of [from, to) cached that reading it from the device is faster? */
bool bx_cache_is_cold(int fd, uint64_t from, uint64_t to);

/* Lives in memory only (tmpfs, ramfs, hugetlbfs): nothing to go around. */
bool bx_cache_is_memory(int fd);

/*
 * A second description of the file behind `fd` with O_DIRECT (`access` O_RDONLY or O_WRONLY), whose
 * alignment BX_IO_ALIGN satisfies, for the caller to close; -1 where there is none.
 */
int bx_cache_open_direct(const struct bx_io_calls *calls, int fd, int access);

#endif
