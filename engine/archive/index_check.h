/* Compares what INDEX and TAIL say with the blocks that they speak of. */
#ifndef BX_ARCHIVE_INDEX_CHECK_H
#define BX_ARCHIVE_INDEX_CHECK_H

#include "archive/block_builder.h"
#include "archive/block_reader.h"

/*
 * Fed the blocks of a segment in order. Keeps one entry for each block since the last leaf and for
 * each leaf. Everything it finds is INDEX_MISMATCH. One thread at a time.
 */
struct bx_index_check;

struct bx_index_check *bx_index_check_new(uint64_t hash_seed); /* NULL: no memory */
void bx_index_check_free(struct bx_index_check *x);

/* A segment begins. */
void bx_index_check_begin(struct bx_index_check *x);

/*
 * A DATA block: its stored header and its totals. `summary` may be NULL: then lists of the leaf
 * that will cover it are not compared. False: no memory.
 */
bool bx_index_check_data(struct bx_index_check *x, const uint8_t header[static 128],
			 const struct bx_totals *totals,
			 const struct bx_block_summary *summary) BX_MUST_USE;

/* An INDEX block. */
enum bx_status bx_index_check_index(struct bx_index_check *x, const uint8_t header[static 128],
				    const struct bx_index *index, uint64_t offset,
				    struct bx_fault *fault);

/* The TAIL. */
enum bx_status bx_index_check_tail(struct bx_index_check *x, const struct bx_tail *tail,
				   uint64_t offset, struct bx_fault *fault);

/* The totals so far of the segment. */
const struct bx_totals *bx_index_check_totals(const struct bx_index_check *x);
uint64_t bx_index_check_blocks(const struct bx_index_check *x); /* DATA blocks */

#endif
