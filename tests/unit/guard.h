/* Test buffers that end right before a page that cannot be touched. */
#ifndef BX_TESTS_GUARD_H
#define BX_TESTS_GUARD_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* `cap` bytes; the one after them faults. Start it at { 0 }. */
struct guard {
	uint8_t *map;
	size_t map_len;
	uint8_t *end;
};

static inline void
guard_init(struct guard *g, size_t cap)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = (cap + page - 1) / page * page;

	g->map_len = len + page;
	g->map = mmap(NULL, g->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(g->map, MAP_FAILED);
	g->end = g->map + len;
	cr_assert_eq(mprotect(g->end, page, PROT_NONE), 0);
}

/* A copy of `bytes` that ends at the guard page; valid until the next call with the same guard. */
static inline uint8_t *
guard_copy(struct guard *g, const void *bytes, size_t len)
{
	cr_assert_leq(len, (size_t)(g->end - g->map));
	if (len != 0)
		memcpy(g->end - len, bytes, len);
	return g->end - len;
}

static inline void
guard_free(struct guard *g)
{
	munmap(g->map, g->map_len);
}

#endif
