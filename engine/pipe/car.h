/* A car: one chunk of the recording on its way through the house, with all the memory it needs. */
#ifndef BX_PIPE_CAR_H
#define BX_PIPE_CAR_H

#include "base/message.h"
#include "base/slab.h"
#include "base/writer.h"
#include "boxcar/job.h"
#include "frame/frame.h"
#include "frame/trace.h"

/* What happens to a record in the output. */
enum bx_fate {
	BX_FATE_COPY,   /* its frame goes out as it came */
	BX_FATE_CHANGE, /* the work of the verb writes it */
	BX_FATE_DROP,   /* nothing of it goes out */
};

/* One frame of the input, and what is known of it. Spans point into the car. */
struct bx_record {
	struct bx_frame frame;
	struct bx_message m; /* bytes, len, ser: set for every message; the rest when `scanned` */
	uint64_t number;     /* in the recording, from 0; messages only */
	uint64_t conn;
	uint64_t session; /* valid with has_session */
	const char *why;  /* static text beside `failure`, or NULL */
	uint32_t why_at;  /* offset in the body */
	uint32_t line;    /* index into car->lines; trace input only */
	uint8_t fate;     /* enum bx_fate */
	uint8_t failure;  /* enum bx_failure */
	uint8_t routed;   /* enum bx_routed */
	bool scanned;
	bool has_session;
	uint8_t
	    dir; /* enum bx_dir, where the stream tells (WebSocket); a trace line tells its own */
	uint8_t mark; /* work's own note */
};

/*
 * Owned by one thread at a time: pool -> intake -> worker -> order -> pool. Handing it on happens
 * under the mutex of the taker, so plain fields are enough. Slabs are made at start; `in` and `out`
 * grow for a message larger than a chunk and are cut back afterwards.
 */
struct bx_car {
	uint64_t seq;         /* order of intake */
	struct bx_slab in;    /* input bytes, from in.ptr + BX_CAR_HEADROOM - carried */
	struct bx_slab out;   /* output bytes */
	struct bx_slab keep;  /* decoded URIs, trace bodies: live as long as the car is in use */
	struct bx_slab work;  /* plaintexts and boxes of one batch */
	struct bx_slab table; /* struct bx_record[] */
	struct bx_slab line_table; /* struct bx_trace_line[], trace input only */

	uint8_t *bytes; /* the input of this car */
	size_t len;
	uint64_t base; /* offset of bytes in its file */
	unsigned file; /* index of the input */
	const char *file_name;
	struct bx_record *records;
	size_t count;
	struct bx_trace_line *lines;
	size_t line_count;
	struct bx_writer keep_writer;
	struct bx_writer frame_scratch; /* in `keep` as well: bodies that the framer had to join */

	size_t out_len;
	struct bx_job_counts counts;
	uint64_t last_written; /* number of the last message in `out` */
	bool wrote_any;
	uint8_t prologue_ser; /* serializer of the first message written */
	/* The first failure of this car that ends the run (policy stop, or broken framing). */
	struct bx_fail fail;
	/* The first failure that the policy lets pass, for verify and cat. */
	struct bx_fail noted;
	struct bx_car *next; /* pool and write lists */
};

/*
 * Output begins this far into its slab and ends as far before its end: O_DIRECT writes move it to
 * the phase of its file offset, and complete the blocks at both ends there.
 */
#define BX_CAR_OUT_ROOM ((size_t)8 << 10)

/* Room before the chunk for what the previous car left over. */
#define BX_CAR_HEADROOM ((size_t)64 << 10)

static inline uint8_t *
bx_car_out(const struct bx_car *car)
{
	return car->out.ptr + BX_CAR_OUT_ROOM;
}

bool bx_car_init(struct bx_car *car, size_t chunk, bool trace) BX_MUST_USE;
void bx_car_free(struct bx_car *car);

/* Ready for another chunk; gives grown memory back. */
void bx_car_reset(struct bx_car *car);

/* Makes room for `cap` bytes, keeping the first `used`; the slab may move. */
bool bx_car_grow(struct bx_slab *slab, size_t used, size_t cap) BX_MUST_USE;

#endif
