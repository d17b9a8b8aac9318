#include "io/zst_out.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define LEVEL 3
#define OUT_CAP ((size_t)256 << 10)

struct bx_zst_out {
	ZSTD_CCtx *ctx;
	uint8_t *out;
};

enum bx_err
bx_zst_out_new(struct bx_zst_out **zst, struct bx_fail *fail)
{
	struct bx_zst_out *z = calloc(1, sizeof(*z));

	if (z != NULL) {
		z->ctx = ZSTD_createCCtx();
		z->out = malloc(OUT_CAP);
	}
	if (z == NULL || z->ctx == NULL || z->out == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_checksumFlag, 1))) {
		bx_zst_out_free(z);
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for zstd");
	}
	*zst = z;
	return BX_OK;
}

void
bx_zst_out_free(struct bx_zst_out *zst)
{
	if (zst == NULL)
		return;
	(void)ZSTD_freeCCtx(zst->ctx);
	free(zst->out);
	free(zst);
}

enum bx_err
bx_zst_out_step(struct bx_zst_out *zst, struct bx_span *in, bool last, struct bx_span *out,
		bool *more, struct bx_fail *fail)
{
	ZSTD_inBuffer from = { in->ptr, in->len, 0 };
	ZSTD_outBuffer to = { zst->out, OUT_CAP, 0 };
	size_t rest =
	    ZSTD_compressStream2(zst->ctx, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);

	if (ZSTD_isError(rest)) {
		enum bx_err err = ZSTD_getErrorCode(rest) == ZSTD_error_memory_allocation
				      ? BX_ERR_NOMEM
				      : BX_ERR_SYS;

		return bx_fail_set(fail, err, 0, BX_NOWHERE, "zstd: %s", ZSTD_getErrorName(rest));
	}
	if (from.pos != 0) /* an empty span may hold NULL */
		in->ptr += from.pos;
	in->len -= from.pos;
	*out = (struct bx_span){ zst->out, to.pos };
	*more = rest != 0;
	return BX_OK;
}
