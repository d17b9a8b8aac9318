/* The pipeline of one run: what its threads share, and what each has for itself. */
#ifndef BX_PIPE_PIPE_H
#define BX_PIPE_PIPE_H

#include <pthread.h>
#include <stdatomic.h>

#include "boxcar/box.h"
#include "boxcar/job.h"
#include "box/nonce.h"
#include "codec/codec.h"
#include "io/io.h"
#include "keys/route.h"
#include "pipe/car.h"
#include "pipe/keyview.h"
#include "pipe/rekey_state.h"
#include "pipe/stats.h"
#include "pipe/turn.h"

/* Messages in one batch of crypto: enough to fill every lane, small enough to stay in the cache. */
#define BX_BATCH 512u

struct bx_pipe;
struct bx_worker;

/*
 * The work of a verb on one batch: appends to `out` what records[0..*count) give, and counts in
 * worker->counts. Shortens *count when the run ends at a failure (car->fail is set then).
 * False: `out`, the car's work slab or keep was too small; everything is done again with more.
 */
typedef bool (*bx_work_fn)(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
			   size_t *count, struct bx_writer *out);

/* The plan for one record of a batch; private to the work. */
struct bx_plan {
	const uint8_t *plain; /* plaintext, 16 bytes of room before it */
	size_t plain_len;
	uint8_t *box;  /* nonce, tag, ciphertext: in its final place, or before base64 */
	uint8_t *text; /* where base64 of the box goes, or NULL */
	uint8_t *body; /* the new body, when it is not written straight to `out` */
	size_t body_len;
	struct bx_span cipher; /* the box to open */
	/* Keys that may open it, where its URI is known; copied, because the cache moves on. */
	struct bx_key_candidate candidates[BX_RINGS_MAX];
	uint8_t candidate_count;
	const uint8_t *shared; /* the key that seals, or that opened */
	const struct bx_key *key;
	struct bx_inner inner;
	uint32_t marks;
	bool trusted;
	bool opened;
};

/* Intake: where the next bytes come from. Everything here belongs to the holder of `mutex`. */
struct bx_intake {
	pthread_mutex_t mutex;
	struct bx_source *source;
	struct bx_framer *framer;
	size_t next_input; /* index into job->inputs */
	unsigned file;
	uint64_t offset; /* of the first carried byte in this file */
	uint8_t *carry;
	size_t carry_len, carry_cap;
	bool at_end;  /* of this input */
	bool backlog; /* the carry holds messages that the car before had no room for */
	bool ended;   /* of all inputs, or a failure was handed on */
	uint64_t next_number;
	uint64_t next_seq;
	/* Claimed reading of one regular file: chunk k is bytes [start + k * chunk, ...). */
	bool claimed;
	_Atomic uint64_t next_claim; /* relaxed: only the number matters, the turn orders */
	uint64_t claim_start, claim_size;
	int direct_fd; /* O_DIRECT where that pays, else -1; claimed only */
	struct bx_turn turn;
};

/* Order: cars come back in any order and leave in theirs. Under `mutex`, but for `drain`. */
struct bx_order {
	pthread_mutex_t mutex;
	struct bx_car **waiting; /* by seq % cars */
	uint64_t next_seq;
	bool closed;         /* nothing more leaves: a failure in order, or --limit */
	bool draining;       /* someone takes cars out; nobody else does meanwhile */
	uint64_t out_offset; /* where the next car's bytes go */
	bool prologue_done;
	uint64_t limit_left;
	struct bx_drain *drain;   /* NULL: no output */
	struct bx_drain *rejects; /* or NULL */
	uint64_t rejects_len;
	struct bx_job_counts counts;
	struct bx_fail fail;  /* the first failure in order */
	struct bx_fail noted; /* the first that did not end the run */
	uint64_t last_good;
	bool has_last_good;
	double last_progress;
	/* rekey into a file: written in order, with checkpoints. */
	bool checkpoints;
	struct bx_resume resume;
	double last_checkpoint;
	uint64_t checkpoint_offset;
};

/* The last WELCOME of a connection; connections that meet in one slot overwrite each other. */
#define BX_SEEN_SESSIONS 4096u
struct bx_seen_session {
	uint64_t conn, session;
	bool known;
};

struct bx_pipe {
	const struct bx_job *job;
	enum bx_format from, to;
	enum bx_ser default_ser; /* of input that does not say */
	enum bx_ser target_ser;  /* convert: of the output; UNKNOWN: as it is */
	bool same_format;        /* untouched frames go out byte for byte */
	size_t body_max;         /* of the output format */
	size_t head_len; /* what stands before a body in the output format; the same for every
			    length */
	const struct bx_box_kernel *kernel;
	enum bx_io_mode io_mode;
	bx_work_fn work;
	bool needs_route;
	bool checks_rest;    /* of plain messages: not those that seal, which walks them anyway */
	bool needs_sessions; /* cat, info, --session */
	struct bx_seen_session *sessions; /* holder of the route turn */
	size_t chunk;
	struct bx_car *cars;
	size_t car_count;
	struct bx_car *free_cars; /* under pool_mutex */
	pthread_mutex_t pool_mutex;
	pthread_cond_t pool_changed;
	bool pool_stopped;
	struct bx_intake intake;
	struct bx_turn route_turn;
	struct bx_route *route; /* holder of the route turn */
	/* One stream, one serializer, one connection: seen so far, holder of the route turn. */
	uint8_t seen_ser;
	bool seen_stream;
	uint64_t seen_conn;
	uint8_t seen_dir;
	struct bx_order order;
	_Atomic bool io_told; /* relaxed: who is first writes uring, read after all threads ended */
	bool uring;
	_Atomic bool stopping; /* release by who stops, acquire by who is about to take a car */
	struct timespec started;
	uint64_t clock_ns, pid;
};

struct bx_worker {
	struct bx_pipe *pipe;
	pthread_t thread;
	struct bx_keyview_cache *keys;
	struct bx_nonce_source nonces;
	struct bx_stats *stats;      /* info */
	struct bx_lane *lane;        /* claimed reading */
	struct bx_job_counts counts; /* of the batch at hand */
	struct bx_writer work;       /* over the car's work slab */
	struct bx_plan plans[BX_BATCH];
	struct bx_box_item items[BX_BATCH];
	uint64_t numbers[BX_BATCH];
	uint8_t nonce_bytes[BX_BATCH * BX_BOX_NONCE_LEN];
};

/* intake.c: fills the car with the next chunk. False: the input has ended or the run stops. */
bool bx_intake_init(struct bx_pipe *pipe, struct bx_fail *fail);
bool bx_intake_next(struct bx_worker *worker, struct bx_car *car);
void bx_intake_close(struct bx_pipe *pipe);
/* Opens inputs[0], recognises its format. */
enum bx_err bx_intake_open_first(struct bx_pipe *pipe, struct bx_fail *fail);

/* order.c */
bool bx_order_init(struct bx_pipe *pipe);
void bx_order_push(struct bx_worker *worker, struct bx_car *car);
void bx_order_close(struct bx_pipe *pipe);
/* Ends the run with this failure, from any thread; the first wins. */
void bx_pipe_stop(struct bx_pipe *pipe, const struct bx_fail *fail);
struct bx_car *bx_pool_take(struct bx_pipe *pipe);
void bx_pool_put(struct bx_pipe *pipe, struct bx_car *car);

/* scan.c: bodies, shapes (parallel) and URIs (in order). */
void bx_scan_car(struct bx_worker *worker, struct bx_car *car);
/* Walks the args and kwargs of a plain message, which the scan leaves alone. */
bool bx_check_rest(const struct bx_record *r, struct bx_defect *why);
bool bx_route_car(struct bx_worker *worker, struct bx_car *car);

/* verdict.c: what all works share. */
struct bx_span bx_record_uri(const struct bx_record *r);
uint64_t bx_record_offset(const struct bx_car *car, const struct bx_record *r);
/* "FILE: message 12 at byte 345 (PUBLISH com.x): WHY" into `fail`, unless it is filled. */
void bx_record_fail(const struct bx_car *car, const struct bx_record *r, struct bx_fail *fail);
/*
 * Applies the run's policy to a failed record: STOP fills car->fail and returns true (the batch
 * ends before this record); SKIP drops it, PASS copies it; both count and return false.
 */
bool bx_record_failed(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
		      enum bx_failure failure, const char *why, size_t at);
bool bx_uri_reserved(struct bx_span uri);
/* Sealing role of table 2.3 by type. */
enum bx_role bx_role_of(uint16_t type);
double bx_seconds_since(const struct timespec *start);
void bx_counts_add(struct bx_job_counts *to, const struct bx_job_counts *from);

/* filter.c: what `cat` and `convert` keep. */
bool bx_filter_drops_stream(const struct bx_filter *filter, const struct bx_car *car,
			    const struct bx_record *r);
bool bx_filter_keeps(const struct bx_filter *filter, const struct bx_car *car,
		     const struct bx_record *r);

/* `match`: enum bx_match. */
bool bx_uri_matches(struct bx_span pattern, int match, struct bx_span uri);

/* emit.c: records into the output format. All return false when `out` is full. */
enum bx_emitted { BX_EMITTED, BX_EMIT_FULL, BX_EMIT_FAILED };
/* The record unchanged. FAILED: it cannot be converted; r->failure says why. */
enum bx_emitted bx_emit_record(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
			       struct bx_writer *out);
/* The record with another body (of the serializer of r->m). */
enum bx_emitted bx_emit_body(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
			     struct bx_span body, struct bx_writer *out);
/* True when a changed body may be written straight into `out` between begin and end. */
bool bx_emit_direct(const struct bx_pipe *pipe);
uint8_t *bx_emit_begin(const struct bx_pipe *pipe, struct bx_writer *out);
void bx_emit_end(const struct bx_pipe *pipe, const struct bx_record *r, uint8_t *begin,
		 struct bx_writer *out);
/* Counts a message that was written in the serializer `ser`. */
void bx_emit_noted(struct bx_worker *worker, struct bx_car *car, const struct bx_record *r,
		   enum bx_ser ser);

/* The works. */
bool bx_work_seal(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		  size_t *count, struct bx_writer *out);
bool bx_work_open(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		  size_t *count, struct bx_writer *out);
bool bx_work_verify(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		    size_t *count, struct bx_writer *out);
bool bx_work_rekey(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		   size_t *count, struct bx_writer *out);
bool bx_work_convert(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		     size_t *count, struct bx_writer *out);
bool bx_work_cat(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		 size_t *count, struct bx_writer *out);
bool bx_work_info(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		  size_t *count, struct bx_writer *out);

/*
 * opener.c: opens the boxes of the records whose `mark` is BX_MARK_OPEN, in batches. Afterwards
 * each has plans[i].opened, or r->failure, r->why. Nothing of a plaintext is looked at before its
 * tag verified. False: the work slab is too small.
 */
#define BX_MARK_NOTHING 0u
#define BX_MARK_OPEN 1u
#define BX_MARK_SEAL 2u
bool bx_opener_run(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		   size_t count);

/* sealer.c: seals plans[i].plain of records marked BX_MARK_SEAL; see there. */
bool bx_sealer_layout(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		      size_t *count, struct bx_writer *out);

/* How a record stands before any key is looked at. */
enum bx_standing {
	BX_STANDS_OTHER,       /* no payload-bearing type, control frame, handshake */
	BX_STANDS_UNSUPPORTED, /* serializer not looked into */
	BX_STANDS_MALFORMED,
	BX_STANDS_FOREIGN, /* raw binary, other algorithm, ppt */
	BX_STANDS_PLAIN,   /* could be sealed */
	BX_STANDS_SEALED,
};
enum bx_standing bx_record_standing(const struct bx_record *r);

#endif
