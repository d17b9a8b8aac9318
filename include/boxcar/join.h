/* Two recorded halves of one connection, put together as one trace. */
#ifndef BOXCAR_JOIN_H
#define BOXCAR_JOIN_H

#include <stdbool.h>

#include "boxcar/fail.h"
#include "boxcar/format.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bx_join {
	const char *c2r, *r2c; /* raw halves: RawSocket, WebSocket, or any stream format */
	/*
	 * Or NULL: lines {"ts": ns, "dir": "c2r"|"r2c", "n": bytes} of the reads that made the
	 * halves. A message has the time of the read that brought its last byte. Without it
	 * messages carry no time, and their order is the one that causes allow: an answer after its
	 * request.
	 */
	const char *times;
	uint64_t conn;          /* the number that the lines get */
	enum bx_format from;    /* UNKNOWN: recognised */
	const char *serializer; /* where the halves do not say; or NULL */
	const char *output;     /* a trace; NULL, "-": stdout */
	bool zst, force;
	int stop_fd; /* -1: none */
};

struct bx_join_result {
	uint64_t messages, bytes_in, bytes_out;
};

BX_PUBLIC enum bx_err bx_join_run(const struct bx_join *join, struct bx_join_result *result,
				  struct bx_fail *fail) BX_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
