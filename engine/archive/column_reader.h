/* The columns of a DATA block, from its decrypted part: bounds, tables, planes, offsets. */
#ifndef BX_ARCHIVE_COLUMN_READER_H
#define BX_ARCHIVE_COLUMN_READER_H

#include "archive/block_reader.h"
#include "archive/zstd_frame.h"

/* A growing buffer that keeps nothing when it grows. */
struct bx_column_buffer {
	uint8_t *ptr;
	size_t cap;
};

bool bx_column_buffer_fit(struct bx_column_buffer *b, size_t need) BX_MUST_USE;
void bx_column_buffer_free(struct bx_column_buffer *b);

/* Owned by a block reader. */
struct bx_column_reader;

struct bx_column_reader *bx_column_reader_new(struct bx_read_limits limits); /* NULL: no memory */
void bx_column_reader_free(struct bx_column_reader *r);
void bx_column_reader_trim(struct bx_column_reader *r, size_t keep);

/*
 * Parses `inner` (as long as the stored body) and makes the columns; without `meta` only the front
 * is checked. `inner` must stay until the bodies are loaded.
 */
enum bx_status bx_column_reader_load(struct bx_column_reader *r, struct bx_span inner,
				     bool encrypted, bool meta, ZSTD_DCtx *dctx, uint64_t offset,
				     struct bx_fault *fault) BX_MUST_USE;

enum bx_status bx_column_reader_bodies(struct bx_column_reader *r, ZSTD_DCtx *dctx, uint64_t offset,
				       struct bx_fault *fault) BX_MUST_USE;

const struct bx_columns *bx_column_reader_columns(const struct bx_column_reader *r);

/* Counts by type, channel and topic. NULL: no memory. */
const struct bx_block_summary *bx_column_reader_summary(struct bx_column_reader *r);

#endif
