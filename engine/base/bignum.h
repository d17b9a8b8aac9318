/* Schoolbook arithmetic on natural numbers of a fixed greatest size, for text of numbers only. */
#ifndef BX_BASE_BIGNUM_H
#define BX_BASE_BIGNUM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 14336 bits: enough for 4300 decimal digits, and for the exact comparison that rounds a float. */
#define BX_BIGNUM_LIMBS 224

struct bx_bignum {
	size_t count; /* limbs in use, lowest first; the top one is not 0; zero has none */
	uint64_t limbs[BX_BIGNUM_LIMBS];
};

/* b = b * factor + add. False when it outgrows the limbs. */
static inline bool
bx_bignum_mul_add(struct bx_bignum *b, uint64_t factor, uint64_t add)
{
	unsigned __int128 carry = add;

	for (size_t i = 0; i < b->count; i++) {
		carry += (unsigned __int128)b->limbs[i] * factor;
		b->limbs[i] = (uint64_t)carry;
		carry >>= 64;
	}
	if (carry == 0)
		return true;
	if (b->count == BX_BIGNUM_LIMBS)
		return false;
	b->limbs[b->count++] = (uint64_t)carry;
	return true;
}

/* b = b / divisor; returns the remainder. */
static inline uint64_t
bx_bignum_div(struct bx_bignum *b, uint64_t divisor)
{
	unsigned __int128 rest = 0;

	for (size_t i = b->count; i-- > 0;) {
		rest = rest << 64 | b->limbs[i];
		b->limbs[i] = (uint64_t)(rest / divisor);
		rest %= divisor;
	}
	while (b->count > 0 && b->limbs[b->count - 1] == 0)
		b->count--;
	return (uint64_t)rest;
}

/* b = b * 2^bits. The caller knows that it fits. */
static inline void
bx_bignum_shift(struct bx_bignum *b, size_t bits)
{
	size_t whole = bits / 64;
	bool fits = bx_bignum_mul_add(b, (uint64_t)1 << (bits % 64), 0);

	assert(fits);
	(void)fits;
	assert(b->count + whole <= BX_BIGNUM_LIMBS);
	if (b->count == 0 || whole == 0)
		return;
	memmove(b->limbs + whole, b->limbs, b->count * sizeof(b->limbs[0]));
	memset(b->limbs, 0, whole * sizeof(b->limbs[0]));
	b->count += whole;
}

/* Below, equal, above: -1, 0, 1. */
static inline int
bx_bignum_compare(const struct bx_bignum *a, const struct bx_bignum *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (size_t i = a->count; i-- > 0;)
		if (a->limbs[i] != b->limbs[i])
			return a->limbs[i] < b->limbs[i] ? -1 : 1;
	return 0;
}

#endif
