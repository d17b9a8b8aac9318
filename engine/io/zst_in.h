/* Inflates a sequence of zstd frames (RFC 8878), piece by piece. */
#ifndef BX_IO_ZST_IN_H
#define BX_IO_ZST_IN_H

#include <stdbool.h>

#include "boxcar/fail.h"

struct bx_zst_in;

/* A zstd frame, or a skippable one in front of it: RFC 8878 3.1.1 and 3.1.2. Wants four bytes. */
bool bx_zst_in_is_magic(struct bx_span head);

/* `max`: bytes to give at most; 0: the guard against bombs, 1000:1 beyond 1 GiB. */
enum bx_err bx_zst_in_new(struct bx_zst_in **zst, uint64_t max, struct bx_fail *fail) BX_MUST_USE;
void bx_zst_in_free(struct bx_zst_in *zst);

/*
 * Moves *in forward and puts up to `cap` > 0 bytes into `out`. When *len is 0 afterwards it wants
 * more input. `base` is the input's offset of in->ptr, for messages about `name`. Damage is
 * BX_ERR_FORMAT, a window above 128 MiB or more than `max` bytes BX_ERR_LIMIT.
 */
enum bx_err bx_zst_in_read(struct bx_zst_in *zst, uint8_t *out, size_t cap, size_t *len,
			   struct bx_span *in, uint64_t base, const char *name,
			   struct bx_fail *fail) BX_MUST_USE;

/* May the input end here? Not within a frame. */
bool bx_zst_in_is_between(const struct bx_zst_in *zst);

#endif
