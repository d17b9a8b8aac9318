/* Nonces for a car of messages: unique without being counted across runs (decisions.md 20). */
#ifndef BX_BOX_NONCE_H
#define BX_BOX_NONCE_H

#include "boxcar/fail.h"

enum bx_nonce_mode {
	BX_NONCE_CAR,    /* 16 fresh bytes for a car, then the index in the car as 64 bits */
	BX_NONCE_RANDOM, /* 24 random bytes each, drawn in bulk */
	BX_NONCE_FIXED,  /* tests only: a function of the message's number in the recording */
};

/* Cars with fewer messages than this use 24 random bytes each even in car mode. */
#define BX_NONCE_CAR_MIN 64u

/* In bx_nonce_source.cpu: the CPU was asked (a car should not pay for CPUID each time). */
#define BX_NONCE_CPU_ASKED (1u << 31)

/* One per thread. Every car that draws a prefix adds one to `car_counter`. */
struct bx_nonce_source {
	enum bx_nonce_mode mode;
	uint64_t car_counter; /* distinguishes the draws of one process */
	uint64_t fixed_seed;  /* BX_NONCE_FIXED */
	uint32_t cpu;         /* BX_CPU_ bits once asked for; start it at 0 */
};

/*
 * Writes `count` nonces of 24 bytes to out[0..24*count). In car mode the 16 bytes are a keyed hash
 * (BLAKE2b) of getrandom, RDRAND where present, the time given by the caller, the pid given by the
 * caller and the car counter, so that cloned machines diverge. `first_number` is the recording's
 * number of the first message (FIXED: nonce i = BLAKE2b-192(seed || numbers[i])); `numbers` may be
 * NULL unless FIXED. BX_ERR_SYS: no randomness could be had; `out` must not be used.
 */
enum bx_err bx_nonce_fill(struct bx_nonce_source *source, uint64_t clock_ns, uint64_t pid,
			  const uint64_t *numbers, uint8_t *out, size_t count,
			  struct bx_fail *fail) BX_MUST_USE;

#endif
