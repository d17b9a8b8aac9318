#include "base/number.h"

#include "base/bignum.h"
#include "base/decimal.h"
#include "base/json_scan.h"

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
	uint64_t fraction = bits & BX_DOUBLE_FRACTION_MASK;
	int biased = (int)(bits >> BX_DOUBLE_FRACTION_BITS);
	uint64_t c = biased == 0 ? fraction : fraction | BX_DOUBLE_HIDDEN_BIT;
	int64_t q = (biased == 0 ? 1 : biased) - BX_DOUBLE_BIAS - 1;

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
	uint64_t bits = bx_decimal_bits(n->digits, n->exponent);

	/*
	 * Cut digits make the number larger, by less than one in the last digit kept. Where that
	 * one changes the result, a rounding point lies in between.
	 */
	if (n->cut && bx_decimal_bits(n->digits + 1, n->exponent) != bits)
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
	if (bits == 0 || n->digits == 0 || n->cut || bits == BX_DOUBLE_INFINITY)
		return bits == 0 && end - n->mantissa == 3;

	struct bx_decimal text = { n->digits, (int)n->exponent };
	int point = (int)bx_decimal_digit_count(n->digits) + text.exponent;

	if (point < -3 || point > 16)
		return false;

	if (n->digits < DIGITS_ALWAYS_SHORTEST)
		return true;

	struct bx_decimal repr = bx_decimal_trim(bx_decimal_of_bits(bits));

	text = bx_decimal_trim(text);
	return text.digits == repr.digits && text.exponent == repr.exponent;
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
		return double_of_bits(BX_DOUBLE_INFINITY | (uint64_t)(*p == 'N') << 51, negative);
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
