#include "base/number.h"

#include "base/bignum.h"

/* 4300 digits are 224 limbs and 227 steps: even the square is a fraction of a millisecond. */
#define STEP_DIGITS 19
#define STEP 10000000000000000000u /* 10^19, the largest power of ten in 64 bits */

static_assert(BX_INT_DIGITS_MAX * 3322ull / 1000 < BX_BIGNUM_LIMBS * 64ull,
	      "log2(10) < 3.322: the limbs hold the longest number");

static bool
load_bytes(struct bx_bignum *b, struct bx_span bytes)
{
	while (bytes.len > 0 && bytes.ptr[0] == 0) {
		bytes.ptr++;
		bytes.len--;
	}
	if (bytes.len > sizeof(b->limbs))
		return false;
	b->count = (bytes.len + 7) / 8;
	memset(b->limbs, 0, b->count * 8);
	for (size_t i = 0; i < bytes.len; i++)
		b->limbs[i / 8] |= (uint64_t)bytes.ptr[bytes.len - 1 - i] << (i % 8 * 8);
	return true;
}

bool
bx_bigint_text(struct bx_span magnitude, struct bx_writer *w)
{
	struct bx_bignum b;
	/* Filled from the end; 14336 bits are at most 4316 digits, 228 steps. */
	char text[(BX_INT_DIGITS_MAX / STEP_DIGITS + 2) * STEP_DIGITS];
	size_t at = sizeof(text);

	if (!load_bytes(&b, magnitude))
		return false;
	do {
		uint64_t step = bx_bignum_div(&b, STEP);

		assert(at >= STEP_DIGITS);
		for (unsigned i = 0; i < STEP_DIGITS; i++, step /= 10)
			text[--at] = (char)('0' + step % 10);
	} while (b.count > 0);
	while (at < sizeof(text) - 1 && text[at] == '0')
		at++;
	if (sizeof(text) - at > BX_INT_DIGITS_MAX)
		return false;
	bx_put(w, text + at, sizeof(text) - at);
	return !w->full;
}

bool
bx_bigint_of_text(struct bx_span digits, struct bx_writer *w)
{
	struct bx_bignum b = { .count = 0 };
	const uint8_t *p = digits.ptr;
	const uint8_t *end = digits.ptr + digits.len;

	if (digits.len > BX_INT_DIGITS_MAX)
		return false;
	while (p < end) {
		uint64_t factor = 1;
		uint64_t step = 0;

		for (unsigned i = 0; i < STEP_DIGITS && p < end; i++, p++) {
			if (*p < '0' || *p > '9')
				return false;
			step = step * 10 + (uint64_t)(*p - '0');
			factor *= 10;
		}
		if (!bx_bignum_mul_add(&b, factor, step))
			return false;
	}
	if (b.count == 0)
		return !w->full;

	size_t len = b.count * 8 - (size_t)__builtin_clzll(b.limbs[b.count - 1]) / 8;
	uint8_t *out = bx_reserve(w, len);

	if (out == NULL)
		return false;
	for (size_t i = 0; i < len; i++)
		out[len - 1 - i] = (uint8_t)(b.limbs[i / 8] >> (i % 8 * 8));
	return true;
}
