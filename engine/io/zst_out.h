/* Compresses one zstd frame (RFC 8878, level 3, with checksum), piece by piece. */
#ifndef BX_IO_ZST_OUT_H
#define BX_IO_ZST_OUT_H

#include <stdbool.h>

#include "boxcar/fail.h"

/* The bytes depend on the input only, not on how it is cut into pieces. */
struct bx_zst_out;

enum bx_err bx_zst_out_new(struct bx_zst_out **zst, struct bx_fail *fail) BX_MUST_USE;
void bx_zst_out_free(struct bx_zst_out *zst);

/*
 * Moves *in forward; *out is what came of it, valid until the next call. Without `last`, over when
 * in->len is 0; with it (and no input any more), when *more is false.
 */
enum bx_err bx_zst_out_step(struct bx_zst_out *zst, struct bx_span *in, bool last,
			    struct bx_span *out, bool *more, struct bx_fail *fail) BX_MUST_USE;

#endif
