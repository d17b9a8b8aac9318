/* The contract of a batch crypto_box kernel, and the kernels there are. */
#ifndef BX_BOX_BOX_KERNEL_H
#define BX_BOX_BOX_KERNEL_H

#include "boxcar/box.h"

/*
 * Items as boxcar/box.h says: any count, lengths, keys and nonces. A kernel is stateless, never
 * allocates, calls nothing outside its folder but libsodium, has no branch and no memory index
 * that depends on keys, subkeys, keystream, tags or text (lengths, pointers, nonces and verdicts
 * are public), and leaves no secret on its stack.
 */
struct bx_box_kernel {
	const char *name; /* "avx2" */
	uint32_t needs;   /* BX_CPU_ bits that must all be present */
	uint32_t lanes;   /* messages worked on at once */
	void (*seal_many)(struct bx_box_item *items, size_t count);
	void (*open_many)(struct bx_box_item *items, size_t count); /* sets item->ok */
};

extern const struct bx_box_kernel bx_box_portable;
#if defined(BX_BOX_X86)
extern const struct bx_box_kernel bx_box_avx2;
extern const struct bx_box_kernel bx_box_avx512;
#endif

/* bx_box_pick on a machine that has just the features `cpu` (BX_CPU_ bits). */
enum bx_err bx_box_pick_for(const struct bx_box_kernel **kernel, const char *name, uint32_t cpu,
			    bx_box_refused_fn refused, void *context,
			    struct bx_fail *fail) BX_MUST_USE;

/* True when `kernel` seals and opens a mixed batch exactly as libsodium does (under 2 ms). */
bool bx_box_self_test(const struct bx_box_kernel *kernel) BX_MUST_USE;

#endif
