#include "base/decimal.h"

#include "base/pow10_table.h"

#define BIASED_TOP 0x7FF /* infinities and NaN */

unsigned
bx_decimal_digit_count(uint64_t v)
{
	static const uint64_t powers[20] = {
		0,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
		10000000000000000000u,
	};
	/* 1233 / 4096 is just above log10(2): the guess is right or one too high. */
	unsigned guess = (64 - (unsigned)__builtin_clzll(v | 1)) * 1233 >> 12;

	return guess + (v >= powers[guess]);
}

/* Halving the step finds any count of zeros. */
struct bx_decimal
bx_decimal_trim(struct bx_decimal d)
{
	while (d.digits % 100000000 == 0) {
		d.digits /= 100000000;
		d.exponent += 8;
	}
	if (d.digits % 10000 == 0) {
		d.digits /= 10000;
		d.exponent += 4;
	}
	if (d.digits % 100 == 0) {
		d.digits /= 100;
		d.exponent += 2;
	}
	if (d.digits % 10 == 0) {
		d.digits /= 10;
		d.exponent++;
	}
	return d;
}

/* floor(log2(10^e)), for |e| <= 1233. */
static int
floor_log2_pow10(int e)
{
	return (e * 1741647) >> 19;
}

/* A power of ten from above, as Schubfach wants it. */
static struct bx_pow10
pow10_above(int k)
{
	struct bx_pow10 g = pow10_table[k - BX_POW10_FIRST];

	/* No row of the table has all ones in `lo`, so nothing carries. */
	if (k < BX_POW10_EXACT_FIRST || k > BX_POW10_EXACT_LAST)
		g.lo++;
	return g;
}

/* The high 64 bits of g * c, the lowest bit telling whether anything was cut off. */
static uint64_t
round_to_odd(struct bx_pow10 g, uint64_t c)
{
	uint64_t carry = (uint64_t)((unsigned __int128)g.lo * c >> 64);
	unsigned __int128 y = (unsigned __int128)g.hi * c + carry;

	return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/*
 * The shortest decimal that reads back as c * 2^q, and of those the nearest: Raffaele Giulietti,
 * "The Schubfach way to render doubles" (2020), in the form of A. Bolz's Drachennest. The interval
 * of numbers that round to the value is [lower, upper] / 4 in units of 10^k; `s` is the value's
 * floor there, and the answer is one of s, s + 1 or a multiple of ten near it.
 */
static struct bx_decimal
shortest(uint64_t c, int q, bool closer_below)
{
	bool odd = (c & 1) != 0; /* the bounds belong to the interval only for an even c */
	int k = (q * 1262611 - (closer_below ? 524031 : 0)) >> 22; /* floor(log10(2^q [3/4])) */
	int h = q + floor_log2_pow10(-k) + 1;
	struct bx_pow10 g = pow10_above(-k);
	uint64_t middle = round_to_odd(g, (4 * c) << h);
	uint64_t lower = round_to_odd(g, (4 * c - 2 + closer_below) << h) + odd;
	uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;
	uint64_t s = middle / 4;

	if (s >= 10) {
		uint64_t tens = s / 10;
		bool below_in = lower <= 40 * tens;
		bool above_in = 40 * tens + 40 <= upper;

		if (below_in != above_in)
			return (struct bx_decimal){ tens + above_in, k + 1 };
	}

	bool below_in = lower <= 4 * s;
	bool above_in = 4 * s + 4 <= upper;

	if (below_in != above_in)
		return (struct bx_decimal){ s + above_in, k };

	uint64_t half = 4 * s + 2;

	return (struct bx_decimal){ s + (middle > half || (middle == half && (s & 1) != 0)), k };
}

struct bx_decimal
bx_decimal_of_bits(uint64_t bits)
{
	uint64_t fraction = bits & BX_DOUBLE_FRACTION_MASK;
	int biased = (int)(bits >> BX_DOUBLE_FRACTION_BITS);
	uint64_t c = biased == 0 ? fraction : fraction | BX_DOUBLE_HIDDEN_BIT;
	int q = (biased == 0 ? 1 : biased) - BX_DOUBLE_BIAS;

	if (q <= 0 && q > -53 && (c & (((uint64_t)1 << -q) - 1)) == 0)
		return (struct bx_decimal){ c >> -q, 0 }; /* a whole number below 2^53 */
	return shortest(c, q, fraction == 0 && biased > 1);
}

/*
 * digits * 10^exponent to the bits of the nearest double: D. Lemire, "Number Parsing at a Gigabyte
 * per Second" (Software: Practice and Experience 51, 2021), after M. Eisel. 128 bits of the power
 * always decide: N. Mushtak, D. Lemire, "Fast Number Parsing Without Fallback" (same, 53, 2023).
 */
uint64_t
bx_decimal_bits(uint64_t digits, int64_t exponent)
{
	if (digits == 0 || exponent < -342)
		return 0;
	if (exponent > 308)
		return BX_DOUBLE_INFINITY;

	int e = (int)exponent;
	struct bx_pow10 g = pow10_table[e - BX_POW10_FIRST];
	int zeros = __builtin_clzll(digits);
	uint64_t w = digits << zeros;
	unsigned __int128 product = (unsigned __int128)w * g.hi;
	uint64_t high = (uint64_t)(product >> 64);
	uint64_t low = (uint64_t)product;

	/* The proofs want these small negative powers rounded up. */
	g.lo += e < 0 && e >= -27;
	if ((high & 0x1FF) == 0x1FF) {
		uint64_t more = (uint64_t)((unsigned __int128)w * g.lo >> 64);

		low += more;
		high += low < more;
	}

	int upper = (int)(high >> 63);
	int shift = upper + 64 - BX_DOUBLE_FRACTION_BITS - 3;
	uint64_t m = high >> shift; /* 54 bits: one more than the significand */
	/* 217706 / 65536 is log2(10), near enough for these exponents. */
	int biased = ((217706 * e) >> 16) + 63 + upper - zeros + 1023;

	if (biased <= 0) {
		if (1 - biased >= 64)
			return 0;
		m >>= 1 - biased;
		/* A carry into the hidden bit is just the smallest normal number. */
		return (m + (m & 1)) >> 1;
	}
	/* Exactly half way goes to even; it can happen for these powers only. */
	if (low <= 1 && e >= -4 && e <= 23 && (m & 3) == 1 && m << shift == high)
		m &= ~(uint64_t)1;
	m = (m + (m & 1)) >> 1;
	if (m == BX_DOUBLE_HIDDEN_BIT << 1) {
		m = BX_DOUBLE_HIDDEN_BIT;
		biased++;
	}
	return biased < BIASED_TOP
		   ? (uint64_t)biased << BX_DOUBLE_FRACTION_BITS | (m & BX_DOUBLE_FRACTION_MASK)
		   : BX_DOUBLE_INFINITY;
}

bool
bx_decimal_is_shortest(uint64_t digits, int exponent)
{
	uint64_t bits = bx_decimal_bits(digits, exponent);

	if (bits == 0 || bits == BX_DOUBLE_INFINITY)
		return false;

	struct bx_decimal d = bx_decimal_of_bits(bits);

	return d.digits == digits && d.exponent == exponent;
}
