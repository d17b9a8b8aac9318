#include "base/number.h"

#include "base/bignum.h"
#include "base/json_scan.h"
#include "base/pow10_table.h"

/* IEEE 754 binary64: 1 sign bit, 11 exponent bits, 52 bits of fraction. */
#define FRACTION_BITS 52
#define FRACTION_MASK (((uint64_t)1 << FRACTION_BITS) - 1)
#define HIDDEN_BIT ((uint64_t)1 << FRACTION_BITS)
#define EXPONENT_BIAS 1075 /* of the integer significand: v = c * 2^(biased - 1075) */
#define EXPONENT_TOP 0x7FF /* infinities and NaN */

static const char pairs[200] = "00010203040506070809"
			       "10111213141516171819"
			       "20212223242526272829"
			       "30313233343536373839"
			       "40414243444546474849"
			       "50515253545556575859"
			       "60616263646566676869"
			       "70717273747576777879"
			       "80818283848586878889"
			       "90919293949596979899";

static unsigned
digit_count(uint64_t v)
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

static void
put_pair(char *out, uint32_t v)
{
	memcpy(out, pairs + v * 2, 2);
}

/* Eight digits; the halves do not wait for each other. */
static void
put_eight(char *out, uint32_t v)
{
	uint32_t high = v / 10000;
	uint32_t low = v % 10000;

	put_pair(out, high / 100);
	put_pair(out + 2, high % 100);
	put_pair(out + 4, low / 100);
	put_pair(out + 6, low % 100);
}

/* Exactly `count` digits; leading ones become zeros. */
static void
put_digits(char *out, uint64_t v, unsigned count)
{
	while (count > 8) {
		count -= 8;
		put_eight(out + count, (uint32_t)(v % 100000000));
		v /= 100000000;
	}

	uint32_t rest = (uint32_t)v;

	while (count >= 2) {
		count -= 2;
		put_pair(out + count, rest % 100);
		rest /= 100;
	}
	if (count == 1)
		out[0] = (char)('0' + rest % 10);
}

size_t
bx_u64_text(uint64_t v, char out[static 20])
{
	unsigned count = v == 0 ? 1 : digit_count(v);

	put_digits(out, v, count);
	return count;
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

/* value = digits * 10^exponent */
struct decimal {
	uint64_t digits;
	int exponent;
};

/*
 * The shortest decimal that reads back as c * 2^q, and of those the nearest: Raffaele Giulietti,
 * "The Schubfach way to render doubles" (2020), in the form of A. Bolz's Drachennest. The interval
 * of numbers that round to the value is [lower, upper] / 4 in units of 10^k; `s` is the value's
 * floor there, and the answer is one of s, s + 1 or a multiple of ten near it.
 */
static struct decimal
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
			return (struct decimal){ tens + above_in, k + 1 };
	}

	bool below_in = lower <= 4 * s;
	bool above_in = 4 * s + 4 <= upper;

	if (below_in != above_in)
		return (struct decimal){ s + above_in, k };

	uint64_t half = 4 * s + 2;

	return (struct decimal){ s + (middle > half || (middle == half && (s & 1) != 0)), k };
}

/* Of a finite number above 0, given by its bits without the sign. */
static struct decimal
decimal_of_bits(uint64_t bits)
{
	uint64_t fraction = bits & FRACTION_MASK;
	int biased = (int)(bits >> FRACTION_BITS);
	uint64_t c = biased == 0 ? fraction : fraction | HIDDEN_BIT;
	int q = (biased == 0 ? 1 : biased) - EXPONENT_BIAS;

	if (q <= 0 && q > -53 && (c & (((uint64_t)1 << -q) - 1)) == 0)
		return (struct decimal){ c >> -q, 0 }; /* a whole number below 2^53 */
	return shortest(c, q, fraction == 0 && biased > 1);
}

/* Of a number above 0. Halving the step finds any count of zeros below 16. */
static struct decimal
without_zeros(struct decimal d)
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

/* "d.ddde+XX"; `exponent` is that of the first digit. */
static size_t
put_scientific(char *out, uint64_t digits, unsigned count, int exponent)
{
	char *p = out;
	unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent);

	put_digits(p + 1, digits, count);
	p[0] = p[1];
	p[1] = '.';
	p += count == 1 ? 1 : count + 1;
	*p++ = 'e';
	*p++ = exponent < 0 ? '-' : '+';

	unsigned size_digits = size < 100 ? 2 : 3;

	put_digits(p, size, size_digits);
	return (size_t)(p - out) + size_digits;
}

/* The text of a positive decimal without trailing zeros, as Python's repr writes it. */
static size_t
put_repr(char *out, struct decimal d)
{
	unsigned count = digit_count(d.digits);
	int point = (int)count + d.exponent; /* digits before the decimal point */

	if (point < -3 || point > 16)
		return put_scientific(out, d.digits, count, point - 1);
	if (point <= 0) {
		unsigned zeros = (unsigned)-point;

		memcpy(out, "0.000", 5);
		put_digits(out + 2 + zeros, d.digits, count);
		return 2 + zeros + count;
	}
	if ((unsigned)point >= count) {
		put_digits(out, d.digits, count);
		memset(out + count, '0', (unsigned)point - count);
		memcpy(out + point, ".0", 2);
		return (unsigned)point + 2;
	}
	put_digits(out + 1, d.digits, count);
	memmove(out, out + 1, (unsigned)point);
	out[point] = '.';
	return count + 1;
}

size_t
bx_double_text(double v, char out[static BX_DOUBLE_TEXT_MAX])
{
	uint64_t bits;
	size_t sign = 0;

	memcpy(&bits, &v, sizeof(bits));
	if (bits >> 63 != 0) {
		out[0] = '-';
		sign = 1;
		bits &= ~((uint64_t)1 << 63);
	}
	if (bits >> FRACTION_BITS == EXPONENT_TOP) {
		if ((bits & FRACTION_MASK) != 0) {
			memcpy(out, "NaN", 3);
			return 3;
		}
		memcpy(out + sign, "Infinity", 8);
		return sign + 8;
	}
	if (bits == 0) {
		memcpy(out + sign, "0.0", 3);
		return sign + 3;
	}
	return sign + put_repr(out + sign, without_zeros(decimal_of_bits(bits)));
}

/* Number text taken apart. */
struct parts {
	uint64_t digits;         /* the first 19 significant digits */
	int64_t exponent;        /* value ~ digits * 10^exponent */
	int64_t written;         /* the exponent that stands in the text */
	const uint8_t *mantissa; /* text from the first digit on, with its point */
	const uint8_t *mantissa_end;
	bool cut;   /* there were more digits, and not only zeros */
	bool plain; /* no exponent in the text */
};

/* Below this another digit can be taken, and below that eight. */
#define DIGITS_FULL 1000000000000000000u
#define DIGITS_FULL_FOR_EIGHT 100000000000u

/* Exponents beyond this are zero or infinity for any text that fits in memory. */
#define EXPONENT_CLAMP ((int64_t)1 << 40)

static int64_t
exponent_of(const uint8_t *p, const uint8_t *end)
{
	bool negative = false;
	int64_t v = 0;

	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	for (; p < end && bx_scan_is_digit(*p); p++)
		if (v < EXPONENT_CLAMP)
			v = v * 10 + (*p - '0');
	return negative ? -v : v;
}

static const uint8_t *
take_digits(struct parts *n, const uint8_t *p, const uint8_t *end, bool after_point)
{
	while (end - p >= 8 && n->digits < DIGITS_FULL_FOR_EIGHT) {
		uint64_t eight = bx_scan_load8(p);

		if (!bx_scan_is_eight_digits(eight))
			break;
		n->digits = n->digits * 100000000 + bx_scan_eight_digits(eight);
		n->exponent -= after_point ? 8 : 0;
		p += 8;
	}
	for (; p < end && bx_scan_is_digit(*p); p++) {
		if (n->digits < DIGITS_FULL) {
			n->digits = n->digits * 10 + (uint64_t)(*p - '0');
			n->exponent -= after_point;
		} else {
			n->cut |= *p != '0';
			n->exponent += !after_point;
		}
	}
	return p;
}

/* `p` is at the first digit, after the sign. */
static struct parts
take_apart(const uint8_t *p, const uint8_t *end)
{
	struct parts n = { .mantissa = p, .plain = true };

	p = take_digits(&n, p, end, false);
	if (p < end && *p == '.')
		p = take_digits(&n, p + 1, end, true);
	n.mantissa_end = p;
	if (p < end && (*p | 0x20) == 'e') {
		n.plain = false;
		n.written = exponent_of(p + 1, end);
		n.exponent += n.written;
	}
	return n;
}

#define INFINITY_BITS ((uint64_t)EXPONENT_TOP << FRACTION_BITS)

/*
 * digits * 10^exponent to the bits of the nearest double: D. Lemire, "Number Parsing at a Gigabyte
 * per Second" (Software: Practice and Experience 51, 2021), after M. Eisel. 128 bits of the power
 * always decide: N. Mushtak, D. Lemire, "Fast Number Parsing Without Fallback" (same, 53, 2023).
 */
static uint64_t
eisel_lemire(uint64_t digits, int64_t exponent)
{
	if (digits == 0 || exponent < -342)
		return 0;
	if (exponent > 308)
		return INFINITY_BITS;

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
	int shift = upper + 64 - FRACTION_BITS - 3;
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
	if (m == HIDDEN_BIT << 1) {
		m = HIDDEN_BIT;
		biased++;
	}
	return biased < EXPONENT_TOP ? (uint64_t)biased << FRACTION_BITS | (m & FRACTION_MASK)
				     : INFINITY_BITS;
}

/*
 * Digits that can matter: no point half way between doubles has more than 767; what follows them
 * only tells "above that".
 */
#define DIGITS_DECIDING 770

/* The digits of the text as one number; returns the power of ten to multiply it by. */
static int64_t
load_digits(const struct parts *n, struct bx_bignum *b)
{
	int64_t exponent = n->written;
	unsigned count = 0;
	bool after_point = false;
	bool more = false;
	bool fits = true;

	b->count = 0;
	for (const uint8_t *p = n->mantissa; p < n->mantissa_end; p++) {
		if (*p == '.') {
			after_point = true;
			continue;
		}
		if (count < DIGITS_DECIDING) {
			fits = fits && bx_bignum_mul_add(b, 10, (uint64_t)(*p - '0'));
			count += b->count != 0;
			exponent -= after_point;
		} else {
			more |= *p != '0';
			exponent += !after_point;
		}
	}
	if (more) {
		fits = fits && bx_bignum_mul_add(b, 10, 1);
		exponent--;
	}
	assert(fits);
	return exponent;
}

static void
mul_pow5(struct bx_bignum *b, uint64_t power)
{
	bool fits = true;

	for (; power >= 27; power -= 27)
		fits = fits && bx_bignum_mul_add(b, 7450580596923828125u, 0); /* 5^27 */
	for (; power > 0; power--)
		fits = fits && bx_bignum_mul_add(b, 5, 0);
	assert(fits);
}

/*
 * The text lies between the double `bits` and its successor (which may be infinity): compares it
 * exactly with the point half way. Sizes: the digits have at most 2561 bits, the power of five at
 * most 5^1113 (2585 bits), the shift evens out exponents above -1114: all far below 14336.
 */
static uint64_t
round_exactly(const struct parts *n, uint64_t bits)
{
	struct bx_bignum text;
	struct bx_bignum half;
	int64_t e = load_digits(n, &text);
	uint64_t fraction = bits & FRACTION_MASK;
	int biased = (int)(bits >> FRACTION_BITS);
	uint64_t c = biased == 0 ? fraction : fraction | HIDDEN_BIT;
	int64_t q = (biased == 0 ? 1 : biased) - EXPONENT_BIAS - 1;

	/* half = (2c + 1) * 2^q, text = digits * 5^e * 2^e; negative powers change sides. */
	half.count = 1;
	half.limbs[0] = 2 * c + 1;
	if (e >= 0)
		mul_pow5(&text, (uint64_t)e);
	else
		mul_pow5(&half, (uint64_t)-e);
	if (e >= q)
		bx_bignum_shift(&text, (size_t)(e - q));
	else
		bx_bignum_shift(&half, (size_t)(q - e));

	int order = bx_bignum_compare(&text, &half);

	return bits + (order > 0 || (order == 0 && (c & 1) != 0));
}

static uint64_t
bits_of_parts(const struct parts *n)
{
	uint64_t bits = eisel_lemire(n->digits, n->exponent);

	/*
	 * Cut digits make the number larger, by less than one in the last digit kept. Where that
	 * one changes the result, a rounding point lies in between.
	 */
	if (n->cut && eisel_lemire(n->digits + 1, n->exponent) != bits)
		return round_exactly(n, bits);
	return bits;
}

static double
double_of_bits(uint64_t bits, bool negative)
{
	double v;

	bits |= (uint64_t)negative << 63;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

/*
 * Two plain texts of at most 15 digits never read as the same double (DBL_DIG is 15), so no other
 * text is as short.
 */
#define DIGITS_ALWAYS_SHORTEST 1000000000000000u

bool
bx_double_text_is_short(struct bx_span text)
{
	const uint8_t *p = text.ptr;
	const uint8_t *end = text.ptr + text.len;

	if (p < end && *p == '-')
		p++;

	const uint8_t *whole = p;

	p = bx_scan_digits(p, end);

	size_t whole_len = (size_t)(p - whole);
	size_t fraction_len = (size_t)(end - p);

	if (whole_len == 0 || fraction_len < 2 || *p != '.' || whole_len + fraction_len > 19)
		return false;
	fraction_len--; /* the point */
	if (bx_scan_digits(p + 1, end) != end)
		return false;
	if (fraction_len == 1 && p[1] == '0')
		return whole_len <= 15;
	if (end[-1] == '0')
		return false;
	if (*whole != '0')
		return whole_len + fraction_len <= 15;

	size_t zeros = 0;

	while (p[1 + zeros] == '0')
		zeros++;
	return zeros <= 3 && fraction_len - zeros <= 15;
}

/*
 * Whether plain text (with a point, without needless zeros) is the repr of `bits`: its digits must
 * be the shortest ones, and the size of the number one that is written plainly.
 */
static bool
is_plain_repr(const struct parts *n, uint64_t bits)
{
	const uint8_t *end = n->mantissa_end;

	if (n->exponent >= 0 || (end[-1] == '0' && end[-2] != '.'))
		return false;
	if (bits == 0 || n->digits == 0 || n->cut || bits == INFINITY_BITS)
		return bits == 0 && end - n->mantissa == 3;

	struct decimal text = { n->digits, (int)n->exponent };
	int point = (int)digit_count(n->digits) + text.exponent;

	if (point < -3 || point > 16)
		return false;

	if (n->digits < DIGITS_ALWAYS_SHORTEST)
		return true;

	struct decimal repr = without_zeros(decimal_of_bits(bits));

	text = without_zeros(text);
	return text.digits == repr.digits && text.exponent == repr.exponent;
}

bool
bx_decimal_is_shortest(uint64_t digits, int exponent)
{
	uint64_t bits = eisel_lemire(digits, exponent);

	if (bits == 0 || bits == INFINITY_BITS)
		return false;

	struct decimal d = decimal_of_bits(bits);

	return d.digits == digits && d.exponent == exponent;
}

static bool
is_repr(struct bx_span text, const struct parts *n, uint64_t bits, double v)
{
	if (n->plain)
		return is_plain_repr(n, bits);

	char repr[BX_DOUBLE_TEXT_MAX];
	size_t len = bx_double_text(v, repr);

	return len == text.len && memcmp(repr, text.ptr, len) == 0;
}

double
bx_double_of_text(struct bx_span text, bool *exact)
{
	const uint8_t *p = text.ptr;
	const uint8_t *end = text.ptr + text.len;
	bool negative = p < end && *p == '-';

	p += negative;
	if (p < end && (*p == 'N' || *p == 'I')) {
		*exact = true;
		return double_of_bits(INFINITY_BITS | (uint64_t)(*p == 'N') << 51, negative);
	}

	struct parts n = take_apart(p, end);
	uint64_t bits = bits_of_parts(&n);
	double v = double_of_bits(bits, negative);

	*exact = is_repr(text, &n, bits, v);
	return v;
}

bool
bx_double_text_exact(struct bx_span text)
{
	bool exact;

	if (bx_double_text_is_short(text))
		return true;
	(void)bx_double_of_text(text, &exact);
	return exact;
}
