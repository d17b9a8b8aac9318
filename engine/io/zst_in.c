#include "io/zst_in.h"

#include <assert.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/cursor.h"

#define GUARD_FREE ((uint64_t)1 << 30) /* bytes before the ratio matters */
#define GUARD_RATIO 1000u

struct bx_zst_in {
	ZSTD_DCtx *ctx;
	uint64_t max;
	uint64_t taken; /* compressed */
	uint64_t given; /* inflated */
	bool between;   /* at the edge of a frame, nothing of the next one seen */
};

bool
bx_zst_in_is_magic(struct bx_span head)
{
	if (head.len < 4)
		return false;

	uint32_t magic = (uint32_t)head.ptr[0] | (uint32_t)head.ptr[1] << 8 |
			 (uint32_t)head.ptr[2] << 16 | (uint32_t)head.ptr[3] << 24;

	return magic == ZSTD_MAGICNUMBER ||
	       (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

enum bx_err
bx_zst_in_new(struct bx_zst_in **zst, uint64_t max, struct bx_fail *fail)
{
	struct bx_zst_in *z = calloc(1, sizeof(*z));

	if (z != NULL)
		z->ctx = ZSTD_createDCtx();
	if (z == NULL || z->ctx == NULL) {
		bx_zst_in_free(z);
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for zstd");
	}
	z->max = max;
	z->between = true;
	*zst = z;
	return BX_OK;
}

void
bx_zst_in_free(struct bx_zst_in *zst)
{
	if (zst == NULL)
		return;
	(void)ZSTD_freeDCtx(zst->ctx);
	free(zst);
}

static enum bx_err
refuse(size_t code, uint64_t at, const char *name, struct bx_fail *fail)
{
	enum bx_err err = BX_ERR_FORMAT;

	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		err = BX_ERR_LIMIT;
		break;
	case ZSTD_error_memory_allocation:
		err = BX_ERR_NOMEM;
		break;
	default:
		break;
	}
	(void)bx_fail_set(fail, err, 0, at, "%s: zstd: %s", name, ZSTD_getErrorName(code));
	if (err == BX_ERR_LIMIT)
		bx_fail_hint(fail, "inflate it with zstd --long=31 -d");
	return err;
}

static enum bx_err
check_volume(const struct bx_zst_in *zst, uint64_t at, const char *name, struct bx_fail *fail)
{
	if (zst->max != 0 && zst->given > zst->max)
		return bx_fail_set(fail, BX_ERR_LIMIT, 0, at,
				   "%s: inflates to more than %llu bytes", name,
				   (unsigned long long)zst->max);
	if (zst->max == 0 && zst->given > GUARD_FREE && zst->given / GUARD_RATIO > zst->taken)
		return bx_fail_set(fail, BX_ERR_LIMIT, 0, at,
				   "%s: inflates to more than %u times its size", name,
				   GUARD_RATIO);
	return BX_OK;
}

enum bx_err
bx_zst_in_read(struct bx_zst_in *zst, uint8_t *out, size_t cap, size_t *len, struct bx_span *in,
	       uint64_t base, const char *name, struct bx_fail *fail)
{
	assert(cap > 0);

	ZSTD_outBuffer to = { out, cap, 0 };
	ZSTD_inBuffer from = { in->ptr, in->len, 0 };

	/* Even without input: the context may still hold output of what it has taken. */
	do {
		size_t in_before = from.pos;
		size_t rest = ZSTD_decompressStream(zst->ctx, &to, &from);

		if (ZSTD_isError(rest))
			return refuse(rest, base + from.pos, name, fail);
		if (rest == 0)
			zst->between = true;
		else if (from.pos != in_before)
			zst->between = false;
	} while (to.pos == 0 && from.pos < from.size);

	zst->taken += from.pos;
	zst->given += to.pos;
	in->ptr += from.pos;
	in->len -= from.pos;

	enum bx_err err = check_volume(zst, base + from.pos, name, fail);

	if (err == BX_OK)
		*len = to.pos;
	return err;
}

bool
bx_zst_in_is_between(const struct bx_zst_in *zst)
{
	return zst->between;
}
