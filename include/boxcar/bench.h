/* The ladder: each stage of sealing and opening alone, on a recording and keys of the user's own.
 */
#ifndef BOXCAR_BENCH_H
#define BOXCAR_BENCH_H

#include "boxcar/job.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bx_rung {
	BX_RUNG_MEMORY,    /* copying the bytes of a message */
	BX_RUNG_READ,      /* pread of the file, page cache warm */
	BX_RUNG_FRAME,     /* cutting messages */
	BX_RUNG_SCAN,      /* the envelope */
	BX_RUNG_ROUTE,     /* id -> URI */
	BX_RUNG_KEY,       /* URI -> key */
	BX_RUNG_TRANSCODE, /* args and kwargs to the inner JSON */
	BX_RUNG_NONCE,
	BX_RUNG_SEAL,    /* one batch of crypto */
	BX_RUNG_SPLICE,  /* the new envelope around the box */
	BX_RUNG_WRITE,   /* pwrite of the sealed bytes */
	BX_RUNG_OPEN,    /* one batch of crypto */
	BX_RUNG_INNER,   /* checking the inner JSON */
	BX_RUNG_RESTORE, /* the plain message from it */
	BX_RUNG_COUNT
};

BX_PUBLIC const char *bx_rung_name(enum bx_rung rung);

/* ns per message over all messages looked at; what a rung does not concern costs it nothing. */
struct bx_rung_time {
	double min, median, max;
};

struct bx_bench {
	const char *input; /* a plain recording in a raw format or a trace; not a pipe */
	enum bx_format from;
	const char *serializer;
	const struct bx_keyring *ring;
	const char *kernel;
	bool random_nonces;
	uint64_t bytes_max; /* of the input that is looked at; 0: 32 MiB */
	unsigned rounds;    /* 0: 7 */
	int stop_fd;
};

struct bx_bench_result {
	struct bx_rung_time rungs[BX_RUNG_COUNT];
	uint64_t messages, sealed, bytes_in, bytes_sealed;
	const char *kernel; /* static */
	enum bx_format format;
	double seal_sum, open_sum; /* ns per message: the rungs of one way, medians added */
};

BX_PUBLIC enum bx_err bx_bench_run(const struct bx_bench *bench, struct bx_bench_result *result,
				   struct bx_fail *fail) BX_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
