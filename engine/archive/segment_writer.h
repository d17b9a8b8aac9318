/* Writes one segment: HEAD and META, DATA blocks in order with an INDEX now and then, TAIL. */
#ifndef BX_ARCHIVE_SEGMENT_WRITER_H
#define BX_ARCHIVE_SEGMENT_WRITER_H

#include "archive/block_builder.h"
#include "archive/random.h"

/*
 * The writer hands out bytes; its caller puts them one after the other, from a multiple of
 * BX_PAGE. Nothing is ever rewritten. Used by one thread at a time, in order. The bytes depend on
 * the options, the random function, the records and how they are cut into blocks; not on time.
 */
struct bx_segment_writer;

/* Where this segment stands in its stream. Zero: the first segment of a new stream. */
struct bx_segment_place {
	bool has_stream; /* false: stream_id is drawn */
	uint8_t stream_id[16];
	uint64_t segment_no;
	uint64_t segment_total; /* 0: not known */
	bool has_prev;
	uint8_t prev_segment_id[16];
	uint64_t prev_blocks;
	uint8_t prev_link[32];
};

struct bx_segment_writer_options {
	struct bx_segment_place place;
	int64_t created;                 /* ns since the epoch, or 0 */
	const uint8_t (*recipients)[32]; /* X25519 public keys; borrowed for new() */
	size_t recipient_count;          /* 0: a plain segment; at most 256 */
	const uint8_t *signer;           /* Ed25519 secret key, 64 bytes, or NULL; kept until
					    free, so it must be the caller's guarded memory */
	bool digest;                     /* R fields; implied by a signer */
	struct bx_padding pad;           /* of the service blocks; the builders have theirs */
	int level;                       /* of zstd, for INDEX */
	uint32_t leaf_blocks;            /* DATA blocks for one INDEX, 1..1024 */
	size_t list_limit;               /* raw bytes of lists in one INDEX; what does not fit
					    is left out and marked so */
	uint64_t hash_seed;
	/* META; empty spans are left out. Copied. */
	struct bx_span writer, realm, router, clock, label;
	bool no_meta; /* no META at all */
};

#define BX_SEGMENT_WRITER_DEFAULT                                                                  \
	((struct bx_segment_writer_options){                                                       \
	    .level = BX_BLOCK_LEVEL_DEFAULT,                                                       \
	    .leaf_blocks = 64,                                                                     \
	    .list_limit = (size_t)4 << 20,                                                         \
	})

/*
 * BX_ERR_USAGE: options that contradict each other, or a recipient that is no usable public key
 * (low order). FK exists only in this object's guarded memory.
 */
enum bx_err bx_segment_writer_new(struct bx_segment_writer **writer,
				  const struct bx_segment_writer_options *options,
				  struct bx_random random, struct bx_fail *fail) BX_MUST_USE;
void bx_segment_writer_free(struct bx_segment_writer *writer);

/* HEAD, META, HEADCOPY: the first bytes of the segment. Spans live until the next call. */
enum bx_err bx_segment_writer_start(struct bx_segment_writer *writer, struct bx_span *bytes,
				    struct bx_fail *fail) BX_MUST_USE;

/*
 * Numbers the next DATA block, of `records` records; tickets are given in the order in which the
 * blocks will be appended, as many ahead as the caller likes. `dropped`: records that the recorder
 * lost just before this block.
 */
void bx_segment_writer_ticket(struct bx_segment_writer *writer, uint32_t records, uint64_t dropped,
			      struct bx_block_ticket *ticket);

/*
 * Completes the header of the next sealed block in place: then its bytes are to be written, and
 * after them *after (INDEX and HEADCOPY when they are due, else empty; lives until the next call).
 */
enum bx_err bx_segment_writer_append(struct bx_segment_writer *writer,
				     struct bx_sealed_block *block, struct bx_span *after,
				     struct bx_fail *fail) BX_MUST_USE;

/* Last INDEX, root and TAIL. `last`: the stream ends with this segment. */
enum bx_err bx_segment_writer_finish(struct bx_segment_writer *writer, bool last,
				     struct bx_span *bytes, struct bx_fail *fail) BX_MUST_USE;

/* Bytes given out so far. */
uint64_t bx_segment_writer_len(const struct bx_segment_writer *writer);
const struct bx_totals *bx_segment_writer_totals(const struct bx_segment_writer *writer);
const uint8_t *bx_segment_writer_stream_id(const struct bx_segment_writer *writer); /* 16 bytes */
const uint8_t *bx_segment_writer_segment_id(const struct bx_segment_writer *writer);

/* Where the next segment of the stream stands; call after finish(), or to go on after a fault. */
void bx_segment_writer_next_place(const struct bx_segment_writer *writer,
				  struct bx_segment_place *place);

#endif
