/* An assembly: one WebSocket message put together from its pieces, in memory that is bounded. */
#ifndef BX_FRAME_ASSEMBLY_H
#define BX_FRAME_ASSEMBLY_H

#include "boxcar/fail.h"

/* Kept and used again for each message; grows by doubling, never beyond `max`. Start at { 0 }. */
struct bx_assembly {
	uint8_t *ptr;
	size_t len;
	size_t cap;
	size_t max;
};

/* Room for `more` bytes after len. BX_ERR_LIMIT: beyond max. BX_ERR_NOMEM. Nothing is changed. */
enum bx_err bx_assembly_reserve(struct bx_assembly *a, size_t more) BX_MUST_USE;

/* `bytes` does not point into the assembly. Errors as above. */
enum bx_err bx_assembly_add(struct bx_assembly *a, struct bx_span bytes) BX_MUST_USE;

void bx_assembly_free(struct bx_assembly *a);

static inline struct bx_span
bx_assembly_span(const struct bx_assembly *a)
{
	return (struct bx_span){ a->ptr, a->len };
}

#endif
