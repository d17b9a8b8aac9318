/* Jobs: one run of the pipeline over recordings (seal, open, rekey, verify, convert, info, cat). */
#ifndef BOXCAR_JOB_H
#define BOXCAR_JOB_H

#include <stdbool.h>

#include "boxcar/fail.h"
#include "boxcar/format.h"
#include "boxcar/keyring.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bx_verb {
	BX_VERB_SEAL,
	BX_VERB_OPEN,
	BX_VERB_REKEY,
	BX_VERB_VERIFY,
	BX_VERB_CONVERT,
	BX_VERB_INFO,
	BX_VERB_CAT,
};

/* What happens to a message that fails (decisions.md 7). */
enum bx_on_error { BX_ON_ERROR_STOP, BX_ON_ERROR_SKIP, BX_ON_ERROR_PASS };

/* Why a message failed; names in bx_failure_name (decisions.md 9). */
enum bx_failure {
	BX_FAILURE_NONE = 0,
	BX_FAILURE_MALFORMED,         /* breaks the rules of its serializer or of WAMP */
	BX_FAILURE_NO_KEY,            /* no usable entry */
	BX_FAILURE_NO_ROLE,           /* the entry lacks the role that is needed */
	BX_FAILURE_UNKNOWN_URI,       /* --strict: nothing tells the URI */
	BX_FAILURE_BAD_TAG,           /* does not authenticate */
	BX_FAILURE_URI_MISMATCH,      /* authentic, but sealed for another URI */
	BX_FAILURE_BAD_PLAINTEXT,     /* authentic, but not the JSON that it must be */
	BX_FAILURE_WRONG_TYPE,        /* args is no list or kwargs no object */
	BX_FAILURE_AMBIGUOUS_KEY,     /* more than one key opens it */
	BX_FAILURE_NOT_REPRESENTABLE, /* a value that the serializer cannot carry */
	BX_FAILURE_TOO_BIG,           /* outgrows its framing */
	BX_FAILURE_NOT_LOSSLESS,      /* --lossless: sealing could not give the same bytes back */
	BX_FAILURE_UNSUPPORTED,       /* a serializer that is only carried cannot be converted */
	BX_FAILURE_COUNT
};

BX_PUBLIC const char *bx_failure_name(enum bx_failure failure);
/* The error class of a failure: NOKEY, AUTH or FORMAT (exit 5 or 4). */
BX_PUBLIC enum bx_err bx_failure_err(enum bx_failure failure);

/* Everything that is counted. The same for every thread count, chunk size, kernel and io. */
struct bx_job_counts {
	uint64_t messages;       /* read */
	uint64_t written;        /* messages in the output */
	uint64_t payloads;       /* of the seven types that may carry a payload */
	uint64_t sealed;         /* sealed by this run (seal, rekey) */
	uint64_t opened;         /* opened by this run (open, verify, rekey, cat -k) */
	uint64_t clear_no_key;   /* seal: passed in clear, no key for the URI */
	uint64_t clear_no_role;  /* seal: passed in clear, the entry lacks the role */
	uint64_t clear_unknown;  /* seal: passed in clear, nothing tells the URI (a loss: exit 3) */
	uint64_t clear_reserved; /* seal: wamp.*, crossbar.* and router errors are never sealed */
	uint64_t already_sealed; /* seal: left alone */
	uint64_t plain;          /* open, verify, rekey: was not sealed, left alone */
	uint64_t surprises;      /* verify: the entry's prefix ends inside a component of the URI */
	uint64_t keyed_plain;    /* verify: plaintext on a URI that has a key */
	uint64_t foreign;        /* raw binary, other enc_algo, ppt_*: left alone */
	uint64_t unsupported;    /* carried untouched: a serializer that is not looked into */
	uint64_t unparsed;       /* convert, cat, info: kept although malformed */
	uint64_t reencoded;      /* opening would give the values back in other bytes */
	uint64_t trusted_by_key; /* open: the URI is known from inside the box only */
	uint64_t duplicate_keys; /* verify: a member of the inner JSON stood twice */
	uint64_t skipped;        /* failed and dropped by --on-error skip */
	uint64_t passed;         /* failed and kept as they were by --on-error pass */
	uint64_t filtered;       /* cat: did not match */
	uint64_t handshakes;     /* and HTTP upgrades */
	uint64_t controls;       /* pings, pongs, closes */
	uint64_t failed[BX_FAILURE_COUNT];
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/* Name, value pairs over a bx_job_counts, for --json and summaries. NULL past the end. */
BX_PUBLIC const char *bx_job_count_at(const struct bx_job_counts *counts, size_t index,
				      uint64_t *value);

/* Now and then during a run, from some thread of it, one at a time. */
struct bx_progress {
	uint64_t bytes_in;
	uint64_t bytes_total; /* UINT64_MAX: not known */
	uint64_t messages;
	double seconds;
};
typedef void (*bx_progress_fn)(void *context, const struct bx_progress *progress);

/*
 * Told things worth saying: `important` ones always ("this run cannot be resumed"), others under -v
 * ("io_uring: not permitted, plain calls").
 */
typedef void (*bx_notice_fn)(void *context, bool important, const char *text);

/* Which messages `cat` and `convert` keep. All that are set must hold. */
struct bx_filter {
	const char *uri;          /* NULL: any */
	int match;                /* 0 exact, 1 prefix, 2 wildcard (empty components match any) */
	const char *const *types; /* "PUBLISH", ... */
	size_t type_count;
	bool has_session, has_conn, has_dir, has_since, has_until, has_limit;
	uint64_t session;
	uint64_t conn;
	int dir;       /* 0 c2r, 1 r2c */
	int64_t since; /* ns since the epoch, inclusive */
	int64_t until; /* exclusive */
	uint64_t limit;
};

/*
 * All strings, arrays and rings are borrowed until bx_job_run returns. Start from
 * BX_JOB_DEFAULT(verb).
 */
struct bx_job {
	enum bx_verb verb;
	const char *const *inputs; /* "-" is stdin; none: stdin */
	size_t input_count;
	const char *output;      /* NULL, "-": stdout; not used by verify, info */
	enum bx_format from;     /* UNKNOWN: recognised */
	enum bx_format to;       /* UNKNOWN: by the output's name, else the input's */
	bool to_zst_set, to_zst; /* .zst named by -t */
	const char *serializer;  /* --serializer: input that does not say, or target of convert */

	const struct bx_keyring *const *rings; /* -k */
	size_t ring_count;
	const struct bx_keyring *to_ring; /* -K */

	enum bx_on_error on_error;
	const char *rejects; /* --rejects FILE */
	bool strict, lossless, strict_roles, strict_keys;
	bool dry_run, force, restart;
	bool raw;    /* cat --raw: trace lines */
	bool follow; /* cat --follow: at the end of the input wait for more, until stop_fd */
	bool random_nonces;
	bool fixed_nonces; /* tests only */
	uint64_t fixed_nonce_seed;
	struct bx_filter filter;

	unsigned threads;   /* 0: all cores */
	size_t chunk;       /* bytes of input in a car; 0: the default */
	int io;             /* 0 auto, 1 uring, 2 sync */
	const char *kernel; /* NULL or "auto" */
	bool no_sync;       /* measurements: no fsync */
	int stop_fd;        /* readable: stop (BX_ERR_INTERRUPTED); -1: none */
	bx_progress_fn progress;
	bx_notice_fn notice;
	void *context; /* of progress and notice */
};

#define BX_JOB_DEFAULT(v)                                                                          \
	((struct bx_job){                                                                          \
	    .verb = (v),                                                                           \
	    .on_error = BX_ON_ERROR_STOP,                                                          \
	    .stop_fd = -1,                                                                         \
	})

/* What `info` knows of one URI, one type, one session. */
struct bx_info_row {
	const char *name; /* escaped for terminals; "" is "not known" */
	uint64_t id;      /* session or connection number */
	uint64_t messages;
	uint64_t bytes;
	uint64_t sealed;
	uint64_t plain; /* payload-bearing and not sealed */
};

/* The outcome of a run. Free with bx_job_result_free. */
struct bx_job_result {
	struct bx_job_counts counts;
	enum bx_format from, to;
	double seconds;
	const char *kernel; /* static */
	const char *io;     /* "io_uring" or "plain calls" */
	unsigned threads;
	uint64_t last_good; /* number of the last message written, valid when has_last_good */
	bool has_last_good;
	/* The first failed message in order: what the error line says. */
	struct bx_fail first;

	/* info only */
	struct bx_info_row *types, *uris, *sessions;
	size_t type_count, uri_count, session_count;
	struct bx_info_row *streams; /* id: connection; name: "c2r", "r2c" or "" */
	size_t stream_count;
	uint64_t uris_left_out; /* beyond the bound of the table */
	bool has_time;
	int64_t ts_min, ts_max;
};

/*
 * Runs the job to its end with job->threads threads. BX_OK: finished; counts tell of losses (see
 * bx_job_losses). Otherwise `fail` holds the first failure in input order, and nothing stands under
 * the output's name; counts are of what was read until then. Not reentrant on one job.
 */
BX_PUBLIC enum bx_err bx_job_run(const struct bx_job *job, struct bx_job_result *result,
				 struct bx_fail *fail) BX_MUST_USE;
BX_PUBLIC void bx_job_result_free(struct bx_job_result *result);

/* True when a finished run has losses to tell of (exit 3). */
BX_PUBLIC bool bx_job_losses(const struct bx_job *job, const struct bx_job_result *result);

/* True for the names of WAMP message types ("PUBLISH", any case). */
BX_PUBLIC bool bx_job_type_exists(const char *name);

BX_PUBLIC const char *bx_version(void);

#ifdef __cplusplus
}
#endif

#endif
