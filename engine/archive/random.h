/* Randomness as a value: the room asks its caller, so that tests can fix every byte. */
#ifndef BX_ARCHIVE_RANDOM_H
#define BX_ARCHIVE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * fill() writes `len` bytes that nobody can guess; it cannot fail (a system without randomness ends
 * the program, as libsodium does). Called from one thread at a time, in an order that depends only
 * on what is written.
 */
struct bx_random {
	void *context;
	void (*fill)(void *context, uint8_t *out, size_t len);
};

/* The system's: libsodium's randombytes_buf. */
struct bx_random bx_random_system(void);

#endif
