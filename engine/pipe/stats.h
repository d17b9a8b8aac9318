/* What `info` counts: messages by type, URI and session, in bounded memory. */
#ifndef BX_PIPE_STATS_H
#define BX_PIPE_STATS_H

#include "boxcar/job.h"

struct bx_stats;

/* One per worker; merged at the end. Tables hold at most BX_STATS_ROWS rows each. */
#define BX_STATS_ROWS 65536u

struct bx_stats *bx_stats_new(void);
void bx_stats_free(struct bx_stats *stats);

struct bx_stats_sample {
	const char *type;
	struct bx_span uri;
	bool has_uri;
	uint64_t session;
	bool has_session;
	uint64_t bytes;
	bool sealed, plain;
	uint64_t conn;
	const char *dir; /* "c2r", "r2c", "", or NULL: not a recording of several connections */
	bool has_ts;
	int64_t ts;
};

/* False: out of memory. */
bool bx_stats_add(struct bx_stats *stats, const struct bx_stats_sample *sample) BX_MUST_USE;
bool bx_stats_merge(struct bx_stats *into, const struct bx_stats *from) BX_MUST_USE;

/* Moves the rows, largest first, into the result. */
bool bx_stats_finish(struct bx_stats *stats, struct bx_job_result *result) BX_MUST_USE;

#endif
