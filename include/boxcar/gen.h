/* Synthetic recordings: seeded, so that the same options give the same bytes. */
#ifndef BOXCAR_GEN_H
#define BOXCAR_GEN_H

#include <stdbool.h>

#include "boxcar/fail.h"
#include "boxcar/format.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bx_workload {
	BX_WORKLOAD_TELEMETRY, /* PUBLISH and EVENT of sensor readings */
	BX_WORKLOAD_ORDERS,    /* PUBLISH and EVENT of nested order documents */
	BX_WORKLOAD_RPC,       /* CALL, INVOCATION, YIELD, RESULT, some ERROR, some PUBLISH */
	BX_WORKLOAD_BLOBS,     /* PUBLISH and EVENT of incompressible binary */
};

/* How large messages are, in serialized bytes, approximately. */
enum bx_size_kind { BX_SIZE_NATURAL, BX_SIZE_FIXED, BX_SIZE_UNIFORM, BX_SIZE_LOGNORMAL };

struct bx_gen {
	uint64_t messages; /* in all, the opening of the session included */
	uint64_t seed;
	enum bx_workload workload;
	enum bx_size_kind size_kind;
	uint64_t size_a;        /* FIXED: bytes; UNIFORM: least; LOGNORMAL: median */
	uint64_t size_b;        /* UNIFORM: most */
	uint64_t uris;          /* distinct topics or procedures, >= 1 */
	const char *uri_prefix; /* "com.acme." */
	const char *serializer; /* "json", "msgpack", "cbor"; NULL: by the format, else msgpack */
	int64_t start_ns;       /* time of the first message (trace) */
	uint64_t interval_ns;   /* mean time between two messages (trace) */
	enum bx_format format;  /* UNKNOWN: by the output's name */
	bool zst;
	const char *output; /* NULL, "-": stdout */
	bool force;
	int stop_fd; /* -1: none */
};

#define BX_GEN_DEFAULT                                                                             \
	((struct bx_gen){ .messages = 100000,                                                      \
			  .seed = 1,                                                               \
			  .uris = 100,                                                             \
			  .uri_prefix = "com.acme.",                                               \
			  .start_ns = 1700000000000000000ll,                                       \
			  .interval_ns = 100000,                                                   \
			  .stop_fd = -1 })

/* Writes the recording. *bytes: what was written before compression. */
BX_PUBLIC enum bx_err bx_gen_run(const struct bx_gen *gen, uint64_t *bytes,
				 struct bx_fail *fail) BX_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
