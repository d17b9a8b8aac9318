/* Judges a file as a whole: blocks against each other, INDEX and TAIL, segments and streams. */
#ifndef BX_ARCHIVE_TALLY_H
#define BX_ARCHIVE_TALLY_H

#include "archive/walk.h"

/* Fed in file order by one thread at a time; does no cryptography but hashing of links. */
struct bx_tally;

struct bx_tally_options {
	bool check_index;       /* compare every INDEX with the blocks (needs META loaded) */
	bool require_signature; /* of each segment's TAIL: else NOT_SIGNED */
	const uint8_t *signer;  /* that it must be by: 32 bytes, or NULL for any */
	uint64_t hash_seed;     /* unknown to who made the file */
};

enum bx_err bx_tally_new(struct bx_tally **tally, const struct bx_tally_options *options,
			 struct bx_fail *fail) BX_MUST_USE;
void bx_tally_free(struct bx_tally *tally);

/*
 * The next block in order. `reader` holds it, loaded with `status` and `fault`; for HEAD it is
 * NULL and the status CLEAN. DATA must have been loaded with META. CLEAN: its records may be
 * released; else nothing of this block and of later ones. After the first fault later calls
 * return that fault's status.
 */
enum bx_status bx_tally_add(struct bx_tally *tally, const struct bx_walk_block *block,
			    struct bx_block_reader *reader, enum bx_status status,
			    const struct bx_fault *fault);

/*
 * What add() says of one block is about that block. What is wrong with INDEX blocks, or with the
 * order of segments, keeps no record from being released; it is kept for the end.
 *
 * The end: the walk's ending and its fault (status CLEAN when it had none). */
enum bx_status bx_tally_end(struct bx_tally *tally, enum bx_walk_ending ending,
			    const struct bx_fault *walk_fault, struct bx_fault *fault);

/* Sums over what was released, and counts of segments. */
struct bx_tally_report {
	struct bx_totals totals;
	uint64_t segments;
	uint64_t data_blocks;
	uint64_t signed_segments;
	uint8_t r[32];      /* of the last complete segment with digests: for an outside note */
	uint8_t signer[32]; /* of the last signature that verified */
};
void bx_tally_report(const struct bx_tally *tally, struct bx_tally_report *report);

#endif
