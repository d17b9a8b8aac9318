/* Random access: TAILs, HEADs and root INDEXes of a file, from which everything else is found. */
#ifndef BX_ARCHIVE_CATALOG_H
#define BX_ARCHIVE_CATALOG_H

#include "archive/bytes.h"
#include "archive/walk.h"

/*
 * Reads from the end of the file backwards: for each segment its TAIL (a page) and HEAD; nothing
 * else until it is asked for. A segment without TAIL is found by its HEAD and marked `open`; it has
 * to be walked. One thread at a time, except for bx_catalog_key, which any thread may call.
 */
struct bx_catalog;

struct bx_catalog_segment {
	uint64_t at;  /* in the file */
	uint64_t len; /* bytes; of an open one up to the next segment or the end of the file */
	bool open;    /* no TAIL: `tail` is zero, there is no root */
	bool encrypted;
	struct bx_head head;
	struct bx_tail tail;
};

/*
 * As a walk does, HEADs are unlocked and checked. The status of what was seen: CLEAN, OPEN and
 * INCOMPLETE_STREAM give a catalog; other statuses do not. `bytes` and the identities of `options`
 * are kept until free.
 */
enum bx_status bx_catalog_open(struct bx_catalog **catalog, const struct bx_bytes *bytes,
			       const struct bx_walk_options *options,
			       struct bx_fault *fault) BX_MUST_USE;
void bx_catalog_free(struct bx_catalog *catalog);

enum bx_status bx_catalog_status(const struct bx_catalog *catalog, struct bx_fault *fault);
size_t bx_catalog_count(const struct bx_catalog *catalog); /* segments, in file order */
const struct bx_catalog_segment *bx_catalog_at(const struct bx_catalog *catalog, size_t segment);

/* Reads the root INDEX of a closed segment: one entry for each leaf. `root` is the caller's. */
enum bx_status bx_catalog_root(struct bx_catalog *catalog, size_t segment, struct bx_index *root,
			       struct bx_fault *fault) BX_MUST_USE;

/* Reads the leaf that an entry of the root names, and checks that it is the one. */
enum bx_status bx_catalog_leaf(struct bx_catalog *catalog, size_t segment,
			       const struct bx_index_entry *entry, struct bx_index *leaf,
			       struct bx_fault *fault) BX_MUST_USE;

/* The META of a segment. False: none. Valid until the next call on the catalog. */
const struct bx_segment_meta *bx_catalog_meta(struct bx_catalog *catalog, size_t segment,
					      enum bx_status *status, struct bx_fault *fault);

/* Where in the file the block of a leaf entry is, and its key. Any thread. */
uint64_t bx_catalog_block_at(const struct bx_catalog *catalog, size_t segment,
			     const struct bx_index_entry *entry, uint64_t *len);
void bx_catalog_key(const struct bx_catalog *catalog, size_t segment, uint64_t seq,
		    struct bx_block_key *key);

/*
 * Checks a block that was found through an index before it is loaded: its header, its number, its
 * segment and its id. INDEX_MISMATCH: another version of the block. Any thread.
 */
enum bx_status bx_catalog_check(const struct bx_catalog *catalog, size_t segment,
				const struct bx_index_entry *entry, struct bx_span bytes,
				struct bx_fault *fault) BX_MUST_USE;

/* After loading: the block's totals and ordinal are what the entry says. Any thread. */
enum bx_status bx_catalog_confirm(const struct bx_index_entry *entry,
				  const struct bx_columns *columns, uint64_t offset,
				  struct bx_fault *fault) BX_MUST_USE;

#endif
