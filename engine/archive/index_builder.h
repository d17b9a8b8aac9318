/* Collects what INDEX blocks say: entries and lists, bounded, and lays them out. */
#ifndef BX_ARCHIVE_INDEX_BUILDER_H
#define BX_ARCHIVE_INDEX_BUILDER_H

#include "archive/block_builder.h"
#include "archive/index.h"
#include "archive/zstd_frame.h"

/* One INDEX in the making: a leaf (DATA blocks) or the root (leaves). One thread at a time. */
struct bx_index_builder;

/* `list_limit`: raw bytes that channel and topic lists together may take. NULL: no memory. */
struct bx_index_builder *bx_index_builder_new(size_t list_limit, uint64_t hash_seed);
void bx_index_builder_free(struct bx_index_builder *b);
void bx_index_builder_clear(struct bx_index_builder *b);

/*
 * Adds a DATA block. When its lists do not fit any more they are left out, and the entry says so:
 * entry->unlisted is set. False: no memory.
 */
bool bx_index_builder_add(struct bx_index_builder *b, struct bx_index_entry *entry,
			  const struct bx_block_summary *summary) BX_MUST_USE;

/* Adds a leaf to the root: its entry and the sums of its types. */
bool bx_index_builder_add_leaf(struct bx_index_builder *b, const struct bx_index_entry *entry,
			       const struct bx_type_count *types, size_t type_count) BX_MUST_USE;

size_t bx_index_builder_count(const struct bx_index_builder *b); /* entries */

/* Sums by type over all entries, ascending by code. NULL: no memory. Valid until the next add. */
const struct bx_type_count *bx_index_builder_types(struct bx_index_builder *b, size_t *count);

/* The raw content as it is stored before compression. False: no memory or over 128 MiB. */
bool bx_index_builder_content(struct bx_index_builder *b, struct bx_span *raw) BX_MUST_USE;

/* What stands in front of the content. */
struct bx_index_front {
	uint8_t kind; /* BX_INDEX_LEAF, BX_INDEX_ROOT */
	uint64_t first_block;
	uint8_t r[32];
};

/*
 * The inner part of the block into out[0..cap), without signature; cap >= BX_INDEX_META_LEN plus
 * the raw length. Returns its length.
 */
size_t bx_index_builder_lay_out(struct bx_index_builder *b, struct bx_span raw,
				const struct bx_index_front *front, ZSTD_CCtx *cctx, uint8_t *out,
				size_t cap);

#endif
