/* A fast hash for tables of untrusted keys: 8 bytes a step, seeded. Not for cryptography. */
#ifndef BX_BASE_HASH_H
#define BX_BASE_HASH_H

#include <string.h>

#include "boxcar/span.h"

/* The mixing of wyhash (public domain, Wang Yi): multiply to 128 bits and fold. */
static inline uint64_t
bx_hash_mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide r = (wide)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static inline uint64_t
bx_hash(struct bx_span s, uint64_t seed)
{
	uint64_t h = seed ^ 0xa0761d6478bd642full ^ s.len;
	const uint8_t *p = s.ptr;
	size_t left = s.len;
	uint64_t a;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&a, p, 8);
		h = bx_hash_mix(h ^ a, 0xe7037ed1a0b428dbull);
	}
	a = 0;
	if (left != 0)
		memcpy(&a, p, left);
	return bx_hash_mix(h ^ a, 0x8ebc6af09c88c6e3ull);
}

#endif
