/* Salvage: everything that is intact in a damaged file, and what is missing between. */
#ifndef BX_ARCHIVE_SALVAGE_H
#define BX_ARCHIVE_SALVAGE_H

#include "archive/bytes.h"
#include "archive/walk.h"

/*
 * Goes through the file by page; blocks come in file order, each opened and checked. A failed tag
 * is reported like other damage and its block is never released. One thread.
 */
struct bx_salvage;

struct bx_salvage_options {
	struct bx_walk_options walk;
	struct bx_read_limits limits;
};

enum bx_err bx_salvage_new(struct bx_salvage **salvage, const struct bx_bytes *bytes,
			   const struct bx_salvage_options *options,
			   struct bx_fail *fail) BX_MUST_USE;
void bx_salvage_free(struct bx_salvage *salvage);

enum bx_salvage_kind {
	BX_SALVAGE_SEGMENT, /* a segment begins; `head` is set unless head_lost */
	BX_SALVAGE_BLOCK,   /* a DATA block: get its records from bx_salvage_reader */
	BX_SALVAGE_GAP,     /* something is missing or not intact */
	BX_SALVAGE_END,
};

struct bx_salvage_item {
	enum bx_salvage_kind kind;
	uint64_t at;      /* offset in the file */
	uint64_t segment; /* number of the segment in what was found */
	/* SEGMENT */
	struct bx_head head;
	bool head_lost; /* no HEAD and no HEADCOPY of it is left: plain segments only */
	/* BLOCK */
	uint64_t seq;
	/* GAP: blocks seq_from..seq_to (inclusive) are missing, or bytes that belong to nothing */
	struct bx_fault fault;
	uint64_t seq_from, seq_to;
	bool has_seqs;
	uint64_t bytes; /* length of the damaged range */
	/* BLOCK: records known to be lost just before it. GAP at a TAIL: before the end. */
	uint64_t records_lost;
};

/* The next thing found. SYS, NOMEM and NO_KEY (of the whole file) end it; damage does not. */
enum bx_status bx_salvage_next(struct bx_salvage *salvage, struct bx_salvage_item *item,
			       struct bx_fault *fault) BX_MUST_USE;

/* Holds the block of the last BLOCK item, bodies included. */
struct bx_block_reader *bx_salvage_reader(struct bx_salvage *salvage);

struct bx_salvage_report {
	enum bx_status status;   /* what a strict reader would have said at worst */
	struct bx_totals totals; /* of what was released */
	uint64_t segments;
	uint64_t data_blocks;
	uint64_t blocks_lost;    /* as far as known: service blocks included */
	uint64_t records_lost;   /* as far as known */
	bool records_lost_exact; /* false: the end of a segment is missing, there may be more */
	uint64_t auth_failures;
};
void bx_salvage_report(const struct bx_salvage *salvage, struct bx_salvage_report *report);

#endif
