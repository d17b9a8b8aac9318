/* Resuming: where a file ends, whether that is a torn tail or damage, and how to go on. No key. */
#ifndef BX_ARCHIVE_RESUME_H
#define BX_ARCHIVE_RESUME_H

#include "archive/bytes.h"
#include "archive/segment_writer.h"

enum bx_resume_kind {
	BX_RESUME_EMPTY,   /* no bytes, or nothing but zeros: begin a new file at 0 */
	BX_RESUME_CLOSED,  /* the last segment has its TAIL */
	BX_RESUME_OPEN,    /* no TAIL; every byte up to append_at is good */
	BX_RESUME_DAMAGED, /* something not intact is followed by something intact */
	BX_RESUME_FOREIGN, /* not a .boxcar file */
};

struct bx_resume {
	enum bx_resume_kind kind;
	/*
	 * CLOSED, OPEN: truncate the file to append_at, sync it, and append a segment with `place`.
	 * What is cut off (torn_bytes, zeros included) was never acknowledged as durable.
	 * DAMAGED: never truncate. append_at is the next page after the end of the file, for a user
	 * who insists.
	 */
	uint64_t append_at;
	uint64_t torn_bytes;
	struct bx_segment_place place; /* a LAST stream is continued by a new one that links back */
	bool stream_ended;             /* the last TAIL had LAST */
	bool read_only;                /* an unknown ro_compat bit forbids to append */
	uint64_t damage_at;            /* DAMAGED */
};

/* Reads headers, and the bodies of the last segment. SYS and NOMEM are the only failures. */
enum bx_status bx_resume_inspect(struct bx_resume *resume, const struct bx_bytes *bytes,
				 struct bx_fault *fault) BX_MUST_USE;

#endif
