/* Walks a .boxcar file from front to back: finds its blocks and says how each is to be opened. */
#ifndef BX_ARCHIVE_WALK_H
#define BX_ARCHIVE_WALK_H

#include "archive/block_reader.h"
#include "archive/head.h"
#include "base/cursor.h"

/*
 * How a pipe unpacks:
 *
 *	bx_walk_next(walk, window, ...)			in order, cheap: headers and HEAD only
 *	bx_block_reader_load(reader, block.bytes, &block.key, ...)	any thread, any order
 *	bx_tally_add(tally, &block, reader, status)	in order, cheap; false: release no more
 *	bx_tally_end(tally, ...)				the status of the file
 *
 * Walks are strict: the first fault ends them. One thread at a time.
 */
struct bx_walk;

struct bx_walk_options {
	const uint8_t *const *identities; /* X25519 secret keys of 32 bytes each, kept until free */
	size_t identity_count;
	bool allow_plain;  /* with identities: accept plain segments all the same */
	bool digest;       /* ask for digests of segments that carry them */
	bool headers_only; /* scrub: no identities needed, CRCs are all that is checked. Blocks of
			      encrypted segments then come without a key: do not load them */
};

/*
 * What the options say of a segment with this HEAD: its key, or *key NULL for a plain one and with
 * headers_only. DOWNGRADE: plain though identities were given; NO_KEY; HEADER_AUTH.
 */
enum bx_status bx_walk_unlock(struct bx_segment_key **key, const struct bx_walk_options *options,
			      const uint8_t header[static 128], struct bx_span body,
			      const struct bx_head *head, uint64_t offset,
			      struct bx_fault *fault) BX_MUST_USE;

enum bx_err bx_walk_new(struct bx_walk **walk, const struct bx_walk_options *options,
			struct bx_fail *fail) BX_MUST_USE;
void bx_walk_free(struct bx_walk *walk);

/* One block of the file, by value: may be handed to another thread. */
struct bx_walk_block {
	uint64_t at;          /* offset in the file */
	uint64_t segment;     /* number of its segment in the file, from 0 */
	uint64_t segment_at;  /* where that starts */
	uint64_t data_no;     /* DATA: ordinal among the segment's DATA blocks */
	struct bx_span bytes; /* header, body, padding; in the caller's window */
	struct bx_block_header header;
	uint8_t header_bytes[BX_HEADER_LEN];
	bool digest;             /* load it with BX_LOAD_DIGEST */
	struct bx_block_key key; /* of this block alone; wipe after loading */
	struct bx_head head;     /* HEAD only: already checked and unlocked, not to be loaded */
	uint8_t body_digest[32]; /* HEAD only, when `digest` */
};

/*
 * `window` are the bytes of the file from bx_walk_at() on, as many as the caller has; `eof`: there
 * are none after them. Results:
 *   ITEM  *block is set; the walk stands after it
 *   MORE  *need bytes are needed in the window (at most one block: BX_BODY_LEN_MAX and a page)
 *   END   the file ends here in good order, or in a way that is not damage: see bx_walk_ending
 *   FAIL  *fault says what
 */
enum bx_step bx_walk_next(struct bx_walk *walk, struct bx_span window, bool eof,
			  struct bx_walk_block *block, uint64_t *need, struct bx_fault *fault);

/* Offset in the file at which the walk stands. */
uint64_t bx_walk_at(const struct bx_walk *walk);

/* How the bytes of the file ended. */
enum bx_walk_ending {
	BX_WALK_AT_TAIL, /* after a TAIL */
	BX_WALK_NO_TAIL, /* between two blocks, no TAIL */
	BX_WALK_CUT,     /* inside a block */
	BX_WALK_ZEROS,   /* only zero bytes were left: preallocated space */
	BX_WALK_FAULT,   /* a fault ended it */
	BX_WALK_STOPPED, /* still going: the caller stopped early */
};
enum bx_walk_ending bx_walk_ending(const struct bx_walk *walk);

#endif
