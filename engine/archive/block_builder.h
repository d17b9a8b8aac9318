/* Makes one DATA block of records: columns, compression, encryption. A job for any one thread. */
#ifndef BX_ARCHIVE_BLOCK_BUILDER_H
#define BX_ARCHIVE_BLOCK_BUILDER_H

#include "archive/block_key.h"
#include "archive/padding.h"
#include "archive/record.h"

/*
 * How a worker packs:
 *
 *	begin(); add() ... until FULL or the car is empty	any thread, any order
 *	bx_segment_writer_ticket(writer, count, dropped, &ticket)	in order: number and nonce
 *	seal(ticket, out)						any thread, any order
 *	bx_segment_writer_append(writer, &sealed, &after)		in order: links, CRC, index
 *
 * A builder keeps its memory between blocks: nothing is allocated per record once its columns have
 * grown to what the blocks need. Owned by one thread at a time.
 */
struct bx_block_builder;

struct bx_block_builder_options {
	int level;             /* of zstd; BX_BLOCK_LEVEL_DEFAULT */
	bool stored;           /* do not compress (--no-compress) */
	struct bx_padding pad; /* encrypted blocks only */
	uint32_t body_goal;    /* add() says FULL before the bodies pass this many bytes */
	uint32_t meta_goal;    /* ... or M does */
	uint32_t record_goal;  /* ... or the count does; at most BX_RECORDS_MAX */
	uint64_t hash_seed;    /* unknown to who writes the URIs; no influence on the output */
};

#define BX_BLOCK_LEVEL_DEFAULT 2
#define BX_BLOCK_BUILDER_DEFAULT                                                                   \
	((struct bx_block_builder_options){                                                        \
	    .level = BX_BLOCK_LEVEL_DEFAULT,                                                       \
	    .body_goal = 4u << 20,                                                                 \
	    .meta_goal = 4u << 20,                                                                 \
	    .record_goal = BX_RECORDS_MAX,                                                         \
	})

enum bx_err bx_block_builder_new(struct bx_block_builder **builder,
				 const struct bx_block_builder_options *options,
				 struct bx_fail *fail) BX_MUST_USE;
void bx_block_builder_free(struct bx_block_builder *builder);

enum bx_block_added {
	BX_BLOCK_ADDED,
	BX_BLOCK_FULL,    /* not added: seal this block and begin another (never said when empty) */
	BX_BLOCK_TOO_BIG, /* not added, never will be: body over 64 MiB, URI over 65535 bytes */
	BX_BLOCK_NOMEM,   /* not added */
};

/* Forgets the records of the last block. */
void bx_block_builder_begin(struct bx_block_builder *builder);

/*
 * Appends a record. `body` is borrowed until seal() returns; URI, channel and realm are copied.
 * Code 65535 is taken as 0 with BX_RECORD_UNPARSED.
 */
enum bx_block_added bx_block_builder_add(struct bx_block_builder *builder,
					 const struct bx_archive_record *record) BX_MUST_USE;

uint32_t bx_block_builder_count(const struct bx_block_builder *builder); /* records */
uint32_t bx_block_builder_raw(const struct bx_block_builder *builder);   /* bytes of bodies */

/* What a block needs from its segment; given in order by bx_segment_writer_ticket. */
struct bx_block_ticket {
	uint8_t segment_id[16];
	uint64_t seq;
	uint64_t first_record;
	uint64_t dropped;
	bool digest; /* hash the body */
	uint8_t nonce[24];
	struct bx_block_key key;
};

/* What the index keeps of a block; points into the builder, valid until its next begin(). */
struct bx_block_summary {
	struct bx_totals totals;
	const struct bx_type_count *types; /* ascending by code */
	uint32_t type_count;
	const struct bx_archive_channel *channels;  /* by channel number */
	const struct bx_type_count *channel_counts; /* same order; `code` is not used */
	uint32_t channel_count;
	const struct bx_span *topics;             /* by topic number; [0] is empty */
	const struct bx_type_count *topic_counts; /* same order; topic 0 may have count 0 */
	uint32_t topic_count;
};

/* A sealed block: `bytes` (in the caller's buffer) is final but for page_off, index_back, CRC. */
struct bx_sealed_block {
	uint8_t *bytes;
	size_t len;              /* a multiple of BX_PAGE */
	uint8_t body_digest[32]; /* BLAKE2b-256 of the stored body, when the ticket said digest */
	const struct bx_block_summary *summary;
};

/* Bytes that seal() may need for the records added so far. */
size_t bx_block_builder_bound(const struct bx_block_builder *builder);

/*
 * Builds, compresses, pads and encrypts into out[0..cap); cap >= bound(); the count must not be 0.
 * BX_ERR_NOMEM: scratch could not be had. BX_ERR_LIMIT: out is too small.
 */
enum bx_err bx_block_builder_seal(struct bx_block_builder *builder, uint8_t *out, size_t cap,
				  const struct bx_block_ticket *ticket,
				  struct bx_sealed_block *sealed, struct bx_fail *fail) BX_MUST_USE;

#endif
