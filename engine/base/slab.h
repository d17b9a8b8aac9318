/* Slabs: large buffers of reserved address space whose pages appear when touched. */
#ifndef BX_BASE_SLAB_H
#define BX_BASE_SLAB_H

#include <stdbool.h>

#include "boxcar/span.h"

/* 2 MiB aligned, MADV_HUGEPAGE asked for; `cap` bytes of address space. */
struct bx_slab {
	uint8_t *ptr;
	size_t cap;
	size_t resident_goal; /* trim gives back what was touched beyond this */
};

bool bx_slab_init(struct bx_slab *slab, size_t cap, size_t resident_goal) BX_MUST_USE;
/* After `touched` bytes were used: returns pages beyond the goal to the system. */
void bx_slab_trim(struct bx_slab *slab, size_t touched);
void bx_slab_free(struct bx_slab *slab);

#endif
