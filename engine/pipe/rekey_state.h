/* rekey goes on where it was killed: PATH.part and PATH.part.state (decisions.md 19). */
#ifndef BX_PIPE_REKEY_STATE_H
#define BX_PIPE_REKEY_STATE_H

#include "boxcar/job.h"

#define BX_RESUME_DIGEST_TEXT 65u

/* What must be the same for a run to go on, and how far the last one came. */
struct bx_resume {
	char path[4096]; /* PATH.part.state */
	char output[4096];
	/* The same for both runs: */
	uint64_t input_size;
	int64_t input_mtime_ns;
	char head[BX_RESUME_DIGEST_TEXT];       /* digest of the input's first bytes */
	char open_rings[BX_RESUME_DIGEST_TEXT]; /* -k, in order */
	char seal_ring[BX_RESUME_DIGEST_TEXT];  /* -K */
	char options[256];
	/* Durable so far: */
	uint64_t in_offset, out_offset;
	struct bx_job_counts counts;
	bool resumed;
};

/*
 * Fills *resume for this job from its input (descriptor `fd`, first bytes `head`) and, where a
 * state file stands beside the output, compares and loads it. A mismatch is BX_ERR_USAGE and names
 * what differs. --restart discards what is there.
 */
enum bx_err bx_rekey_state_begin(struct bx_resume *resume, const struct bx_job *job, int fd,
				 struct bx_span head, struct bx_fail *fail) BX_MUST_USE;

/* Writes the state file; the output's bytes up to out_offset are durable already. */
enum bx_err bx_rekey_state_save(const struct bx_resume *resume, struct bx_fail *fail) BX_MUST_USE;

/* After the commit, or after a failure that a resume would only meet again. */
void bx_rekey_state_forget(const struct bx_resume *resume, bool with_part);

#endif
