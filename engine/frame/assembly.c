#include "frame/assembly.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 4096u

enum bx_err
bx_assembly_reserve(struct bx_assembly *a, size_t more)
{
	if (more <= a->cap - a->len)
		return BX_OK;
	if (more > a->max - a->len)
		return BX_ERR_LIMIT;

	size_t want = a->len + more;
	size_t cap = a->cap > a->max / 2 ? a->max : a->cap * 2;

	if (cap < FIRST_CAP)
		cap = FIRST_CAP;
	if (cap < want)
		cap = want;
	if (cap > a->max)
		cap = a->max;

	uint8_t *ptr = realloc(a->ptr, cap);

	if (ptr == NULL)
		return BX_ERR_NOMEM;
	a->ptr = ptr;
	a->cap = cap;
	return BX_OK;
}

enum bx_err
bx_assembly_add(struct bx_assembly *a, struct bx_span bytes)
{
	enum bx_err err = bx_assembly_reserve(a, bytes.len);

	if (err != BX_OK || bytes.len == 0)
		return err;
	memcpy(a->ptr + a->len, bytes.ptr, bytes.len);
	a->len += bytes.len;
	return BX_OK;
}

void
bx_assembly_free(struct bx_assembly *a)
{
	free(a->ptr);
	*a = (struct bx_assembly){ 0 };
}
