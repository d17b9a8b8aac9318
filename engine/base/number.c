#include "base/number.h"

#include "base/decimal.h"

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
	unsigned count = v == 0 ? 1 : bx_decimal_digit_count(v);

	put_digits(out, v, count);
	return count;
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
put_repr(char *out, struct bx_decimal d)
{
	unsigned count = bx_decimal_digit_count(d.digits);
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
	if (bits >= BX_DOUBLE_INFINITY) {
		if ((bits & BX_DOUBLE_FRACTION_MASK) != 0) {
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
	return sign + put_repr(out + sign, bx_decimal_trim(bx_decimal_of_bits(bits)));
}
