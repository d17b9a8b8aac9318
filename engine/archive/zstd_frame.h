/* zstd frames as the container has them: one frame, size and checksum inside, no dictionary. */
#ifndef BX_ARCHIVE_ZSTD_FRAME_H
#define BX_ARCHIVE_ZSTD_FRAME_H

#include <stdbool.h>
#include <zstd.h>

#include "boxcar/span.h"

/* A compressor for such frames at `level`. NULL: no memory. Free with ZSTD_freeCCtx. */
ZSTD_CCtx *bx_zstd_frame_compressor(int level);

/*
 * Compresses `raw` into out[0..cap). Returns the length, or 0 when it would not be shorter than
 * `raw` (then it is to be stored) or memory failed. cap >= raw.len is enough.
 */
size_t bx_zstd_frame_pack(ZSTD_CCtx *cctx, struct bx_span raw, uint8_t *out, size_t cap);

/*
 * Looks at the header of `stored` before anything is allocated (RFC 8878 section 3.1.1): exactly
 * one frame, of exactly `raw_len` bytes, with checksum, without dictionary id, window <= 128 MiB.
 */
bool bx_zstd_frame_check(struct bx_span stored, size_t raw_len) BX_MUST_USE;

/* Checks, then inflates into out[0..raw_len). */
bool bx_zstd_frame_unpack(ZSTD_DCtx *dctx, struct bx_span stored, uint8_t *out,
			  size_t raw_len) BX_MUST_USE;

#endif
