/* What the drain needs of a lane beyond io.h: writes with a second way out, and none at all. */
#ifndef BX_IO_LANE_H
#define BX_IO_LANE_H

#include <stdatomic.h>

#include "io/io.h"

/* A write for another room member. Everything borrowed until the wait. */
struct bx_lane_job {
	const char *name; /* of the file, for messages */
	int fd;
	int spare_fd; /* takes what `fd` refuses (EINVAL of O_DIRECT) or leaves; -1: none */
	const uint8_t *buf;
	size_t len;
	uint64_t at;
	size_t report;       /* what the wait gives as *done */
	_Atomic int *spent;  /* takes the errno of a failure, if it is 0 still; may be NULL */
	_Atomic int *flying; /* counted up at the start and down at the end; may be NULL */
};

enum bx_err bx_lane_start_job(struct bx_lane *lane, unsigned id, const struct bx_lane_job *job,
			      struct bx_fail *fail) BX_MUST_USE;

/* Request `id` is over before it began: its wait gives `report`. */
void bx_lane_settle(struct bx_lane *lane, unsigned id, size_t report);

#endif
