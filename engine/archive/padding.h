/* Padding policies: how long an encrypted block is made, so that its size tells less. */
#ifndef BX_ARCHIVE_PADDING_H
#define BX_ARCHIVE_PADDING_H

#include <stdbool.h>

#include "boxcar/span.h"

enum bx_padding_kind {
	BX_PADDING_PAGE = 0, /* to the next 4 KiB */
	BX_PADDING_PADME,    /* Padme (PURBs, 2019): at most 12 % more, 3.1 % above 64 KiB */
	BX_PADDING_FIXED,    /* to the next multiple of `fixed` */
};

struct bx_padding {
	enum bx_padding_kind kind;
	uint32_t fixed; /* bytes, a multiple of 4096, at most 64 MiB; FIXED only */
};

/* "page", "padme", "fixed:N" (N with k, Ki, M, Mi). False: not one of them. */
bool bx_padding_of_text(struct bx_padding *padding, const char *text);

/*
 * Bytes of the whole block (header included) that a block of at least `total` bytes is padded to:
 * a multiple of 4096, at most BX_HEADER_LEN + BX_BODY_LEN_MAX rounded down to pages.
 */
uint64_t bx_padding_total(struct bx_padding padding, uint64_t total);

#endif
