#include "base/slab.h"

#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

bool
bx_slab_init(struct bx_slab *slab, size_t cap, size_t resident_goal)
{
	cap = (cap + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	uint8_t *map = mmap(NULL, cap + HUGE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return false;

	/* Give back what lies before the first and after the last huge page. */
	size_t skip = (HUGE_PAGE - ((uintptr_t)map & (HUGE_PAGE - 1))) & (HUGE_PAGE - 1);

	if (skip != 0)
		(void)munmap(map, skip);
	if (HUGE_PAGE - skip != 0)
		(void)munmap(map + skip + cap, HUGE_PAGE - skip);
	slab->ptr = map + skip;
	slab->cap = cap;
	slab->resident_goal = (resident_goal + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	if (slab->resident_goal > cap)
		slab->resident_goal = cap;
	(void)madvise(slab->ptr, slab->resident_goal, MADV_HUGEPAGE);
	(void)madvise(slab->ptr, cap, MADV_DONTDUMP); /* plaintext has no place in a core file */
	return true;
}

void
bx_slab_trim(struct bx_slab *slab, size_t touched)
{
	if (touched <= slab->resident_goal)
		return;
	(void)madvise(slab->ptr + slab->resident_goal, slab->cap - slab->resident_goal,
		      MADV_DONTNEED);
}

void
bx_slab_free(struct bx_slab *slab)
{
	if (slab->ptr != NULL)
		(void)munmap(slab->ptr, slab->cap);
	*slab = (struct bx_slab){ NULL, 0, 0 };
}
