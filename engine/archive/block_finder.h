/* Finds block headers anywhere in a file: how salvage goes on after damage. */
#ifndef BX_ARCHIVE_BLOCK_FINDER_H
#define BX_ARCHIVE_BLOCK_FINDER_H

#include "archive/bytes.h"

/* A window over the file. Start it at { 0 }. */
struct bx_block_finder {
	uint8_t *window;
	uint64_t at; /* offset of the window in the file */
	size_t len;
};
void bx_block_finder_free(struct bx_block_finder *f);

/*
 * The next valid header at or after `from`, at any offset. *found false: there is none before
 * `limit`. SYS and NOMEM are the only failures.
 */
enum bx_status bx_block_finder_next(struct bx_block_finder *f, const struct bx_bytes *bytes,
				    uint64_t from, uint64_t limit, bool *found, uint64_t *at,
				    struct bx_block_header *header,
				    struct bx_fault *fault) BX_MUST_USE;

#endif
