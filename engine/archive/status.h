/* What reading a .boxcar file can come to: the statuses of docs/format.md, and where they arose. */
#ifndef BX_ARCHIVE_STATUS_H
#define BX_ARCHIVE_STATUS_H

#include "boxcar/fail.h"

/*
 * Ordered by gravity: where several hold for one file, the last one is its status. Exit codes are
 * those of bx_status_err: CLEAN 0; AEAD to AMBIGUOUS_KEY 5; the rest 4 (`recover`, `info` and `cat`
 * turn OPEN and INCOMPLETE_STREAM into 3). NOMEM and SYS are ours, not the file's.
 */
enum bx_status {
	BX_STATUS_CLEAN = 0,
	BX_STATUS_OPEN,              /* no TAIL, or the file ends inside a block */
	BX_STATUS_INCOMPLETE_STREAM, /* a whole segment is missing, repeated or out of order */
	BX_STATUS_INDEX_MISMATCH,    /* an INDEX says something else than the block it names */
	BX_STATUS_DAMAGED,           /* bytes are not what was written */
	BX_STATUS_UNSUPPORTED,       /* valid, of a later version */
	BX_STATUS_LIMIT,             /* larger than the reader's limits */
	BX_STATUS_NOT_SIGNED,    /* a signature was asked for and is absent or does not verify */
	BX_STATUS_DOWNGRADE,     /* something plain where it must be encrypted */
	BX_STATUS_AMBIGUOUS_KEY, /* more than one key fits */
	BX_STATUS_NO_KEY,        /* no identity opens a stanza */
	BX_STATUS_HEADER_AUTH,   /* HEAD does not match its commitment */
	BX_STATUS_AEAD,          /* a tag does not verify */
	BX_STATUS_NOMEM,
	BX_STATUS_SYS, /* the caller's read function failed */
};

/* Where and what. Filled once, where the cause is first seen. Start it at { 0 }. */
struct bx_fault {
	enum bx_status status;
	uint64_t offset;  /* of the block (or byte) in the file, or BX_NOWHERE */
	uint64_t segment; /* number of the segment in the file, from 0, or BX_NOWHERE */
	uint64_t seq;     /* of the block, or BX_NOWHERE */
	const char *what; /* static text, lower case, never holds data of the file */
};

/* "CLEAN", "OPEN", ...: the names of the format page. */
const char *bx_status_name(enum bx_status status);

enum bx_err bx_status_err(enum bx_status status);

/* Fills `fault` unless NULL or already filled, and returns `status`. */
enum bx_status bx_status_set(struct bx_fault *fault, enum bx_status status, uint64_t offset,
			     const char *what);

/* Says which block a fault set just now is about, unless that is known already. */
enum bx_status bx_status_at(struct bx_fault *fault, enum bx_status status, uint64_t segment,
			    uint64_t seq);

/* The fault as an error record with message and hint; returns bx_status_err. */
enum bx_err bx_status_fail(const struct bx_fault *fault, struct bx_fail *fail);

#endif
