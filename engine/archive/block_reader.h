/* Opens one block: check, decrypt, inflate, columns. A job for any one thread. */
#ifndef BX_ARCHIVE_BLOCK_READER_H
#define BX_ARCHIVE_BLOCK_READER_H

#include "archive/block_key.h"
#include "archive/index.h"
#include "archive/record.h"

/*
 * A reader keeps its memory from block to block (it shrinks nothing below 8 MiB; see trim). What it
 * gives out lives until its next load. Owned by one thread at a time; hand it on with the car.
 */
struct bx_block_reader;

struct bx_read_limits {
	uint32_t raw_max;   /* bytes of B raw and of M raw accepted, each */
	uint64_t hash_seed; /* unknown to who made the file; no influence on the results */
};
#define BX_READ_LIMITS_DEFAULT ((struct bx_read_limits){ .raw_max = 80u << 20 })

enum bx_err bx_block_reader_new(struct bx_block_reader **reader, struct bx_read_limits limits,
				struct bx_fail *fail) BX_MUST_USE;
void bx_block_reader_free(struct bx_block_reader *reader);

/* Gives memory beyond 8 MiB per buffer back. */
void bx_block_reader_trim(struct bx_block_reader *reader);

/* What to do beyond checking. */
enum {
	BX_LOAD_META = 1u << 0,   /* DATA: tables and columns */
	BX_LOAD_BODIES = 1u << 1, /* DATA: inflate the bodies too (implies META) */
	BX_LOAD_DIGEST = 1u << 2, /* hash the stored body */
	BX_LOAD_LAX = 1u << 3,    /* salvage: padding that is not zero is no failure */
};

/*
 * `bytes` are the whole block, padding included, whose header bx_block_header_parse accepted;
 * `bytes` is not changed and not needed afterwards. Checks, in this order: body CRC, padding of a
 * plain block, tag, then by type
 *   DATA      meta, M and columns (with META), bodies (with BODIES)
 *   INDEX     bx_index_parse
 *   TAIL      totals
 *   META      TLVs
 *   HEADCOPY  its MAC
 *   0x80..    nothing more
 * HEAD is not for this function. A plain block where key->encrypted is true is DOWNGRADE, an
 * encrypted one where it is false is DAMAGED. On failure nothing of the block can be got.
 */
enum bx_status bx_block_reader_load(struct bx_block_reader *reader, struct bx_span bytes,
				    const struct bx_block_key *key, unsigned what, uint64_t offset,
				    struct bx_fault *fault) BX_MUST_USE;

/* After a load with META only: inflates the bodies of the same block, when the filter liked it. */
enum bx_status bx_block_reader_load_bodies(struct bx_block_reader *reader,
					   struct bx_fault *fault) BX_MUST_USE;

/* With LAX: the padding of the last block was not zero. */
bool bx_block_reader_dirty_padding(const struct bx_block_reader *reader);

const struct bx_block_header *bx_block_reader_header(const struct bx_block_reader *reader);
const uint8_t *bx_block_reader_body_digest(const struct bx_block_reader *reader); /* 32 bytes */

/*
 * The columns of a DATA block. Arrays have `count` elements, in record order; record i has its
 * body at bodies.ptr + off[i]. ts[i] of a NO_TIME record repeats the one before.
 */
struct bx_columns {
	uint32_t count;
	uint64_t first_record; /* ordinal of record 0 in its segment */
	const int64_t *ts;
	const uint32_t *chan;
	const uint32_t *topic;
	const uint32_t *off;
	const uint32_t *len;
	const uint16_t *code;
	const uint8_t *flags;
	const struct bx_archive_channel *channels;
	uint32_t channel_count;
	const struct bx_span *topics; /* [0] is empty: URI not known */
	uint32_t topic_count;
	struct bx_span bodies; /* empty before the bodies are loaded */
	struct bx_totals totals;
};

/* NULL unless the last load was a DATA block with META. */
const struct bx_columns *bx_block_reader_columns(const struct bx_block_reader *reader);

/* Record i as it was added. Needs the bodies. */
void bx_block_reader_record(const struct bx_columns *columns, uint32_t i,
			    struct bx_archive_record *record);

/* What an INDEX would say of it (counted on demand). NULL: no memory. Valid until the next load. */
struct bx_block_summary;
const struct bx_block_summary *bx_block_reader_summary(struct bx_block_reader *reader);

/* Moves a just loaded INDEX into `into`; the reader holds nothing afterwards. */
void bx_block_reader_take_index(struct bx_block_reader *reader, struct bx_index *into);

/* NULL unless the last load was an INDEX. */
const struct bx_index *bx_block_reader_index(const struct bx_block_reader *reader);

struct bx_tail {
	bool last;
	uint64_t seq;
	uint64_t data_blocks;
	uint64_t root_page_off;
	uint64_t pages; /* of the segment, TAIL included */
	struct bx_totals totals;
	uint8_t r[32];
	struct bx_type_count types[BX_TAIL_TYPES_MAX];
	uint32_t type_count;
};

/* NULL unless the last load was a TAIL. */
const struct bx_tail *bx_block_reader_tail(const struct bx_block_reader *reader);

struct bx_segment_meta {
	bool has_created;
	int64_t created;
	struct bx_span writer, realm, router, clock, label;
};

/* NULL unless the last load was a META. Spans live until the next load. */
const struct bx_segment_meta *bx_block_reader_meta(const struct bx_block_reader *reader);

/*
 * The signature that the last loaded INDEX, TAIL or META carries: signer[32] is its public key.
 * NOT_SIGNED: there is none, or it does not verify. For META `d0` is D_0, else NULL.
 */
enum bx_status bx_block_reader_signature(const struct bx_block_reader *reader, const uint8_t *d0,
					 uint8_t signer[static 32]) BX_MUST_USE;

#endif
