/*
 * Numbers that CBOR writes with tags: big integers (RFC 8949 section 3.4.3), decimal fractions and
 * bigfloats (3.4.4). The latter two are Decimals to Autobahn's reader, and strings when sealed.
 */
#include "codec/cbor.h"

/* Reads a head through tags 55799, as cbor2 does everywhere. */
static bool
plain_head(struct bx_input *in, struct bx_head *h)
{
	do {
		if (!bx_cbor_head(in, h))
			return false;
	} while (h->kind == BX_HEAD_EXT && h->value == BX_CBOR_TAG_SELF_DESCRIBED);
	return true;
}

/* Magnitude bytes, big-endian, without zero bytes in front. */
struct magnitude {
	uint8_t bytes[BX_CBOR_MAGNITUDE_MAX + 1];
	size_t len;
	bool too_long;
};

static void
append(struct magnitude *m, struct bx_span s)
{
	while (m->len == 0 && s.len != 0 && *s.ptr == 0) {
		s.ptr++;
		s.len--;
	}
	if (s.len > BX_CBOR_MAGNITUDE_MAX - m->len) {
		m->too_long = true;
		return;
	}
	if (s.len != 0)
		memcpy(m->bytes + m->len, s.ptr, s.len);
	m->len += s.len;
}

/* The content of a bignum tag. */
static bool
take_magnitude(struct bx_input *in, struct magnitude *m)
{
	struct bx_head h;
	struct bx_span s;

	m->len = 0;
	m->too_long = false;
	if (!plain_head(in, &h))
		return false;
	if (h.kind != BX_HEAD_BINARY) {
		in->at = h.at;
		return bx_input_fail(in, "bignum is not binary");
	}
	if (!h.indefinite) {
		if (!bx_input_take(in, h.value, &s))
			return false;
		append(m, s);
		return true;
	}
	do {
		if (!bx_cbor_chunk(in, BX_HEAD_BINARY, &s))
			return false;
		append(m, s);
	} while (s.ptr != NULL);
	return true;
}

static void
add_one(struct magnitude *m)
{
	size_t i = m->len;

	while (i != 0 && ++m->bytes[--i] == 0)
		;
	if (m->len != 0 && m->bytes[0] != 0)
		return;
	/* It was all ones, or nothing: one byte more. */
	memmove(m->bytes + 1, m->bytes, m->len);
	m->bytes[0] = 1;
	m->len++;
}

enum bx_coded
bx_cbor_bignum_digits(struct bx_input *in, bool minus, struct bx_writer *w)
{
	struct magnitude m;

	if (!take_magnitude(in, &m))
		return BX_CODED_BAD;
	if (m.too_long)
		return BX_CODED_NOT_REPRESENTABLE;
	if (minus)
		add_one(&m);
	if (m.len == 0) {
		bx_put_u8(w, '0');
		return w->full ? BX_CODED_FULL : BX_CODED_OK;
	}
	if (bx_bigint_text((struct bx_span){ m.bytes, m.len }, w))
		return BX_CODED_OK;
	return w->full ? BX_CODED_FULL : BX_CODED_NOT_REPRESENTABLE;
}

/* Python's decimal module ends here (MAX_EMAX on 64-bit machines). */
#define EXPONENT_MAX 999999999999999999

/* Digits of Python's default context; what is computed is rounded to them, half to even. */
#define PRECISION 28

/* A value digits * 10^exponent; digits are '0' to '9', the first is not '0' but in "0". */
struct decimal {
	char digits[BX_INT_DIGITS_MAX + PRECISION + 2];
	size_t count;
	int64_t exponent;
	bool minus;
};

/* An integer of any size to its digits. */
static enum bx_coded
take_digits(struct bx_input *in, struct decimal *d)
{
	struct bx_writer w = bx_writer_over((uint8_t *)d->digits, BX_INT_DIGITS_MAX + 1);
	struct bx_head h;
	enum bx_coded coded = BX_CODED_OK;

	if (!plain_head(in, &h))
		return BX_CODED_BAD;
	d->minus = h.kind == BX_HEAD_NEGINT ||
		   (h.kind == BX_HEAD_EXT && h.value == BX_CBOR_TAG_NEGATIVE_BIGNUM);
	if (h.kind == BX_HEAD_UINT || (h.kind == BX_HEAD_NEGINT && h.value != UINT64_MAX)) {
		d->count = bx_u64_text(h.value + d->minus, d->digits);
		return BX_CODED_OK;
	}
	if (h.kind == BX_HEAD_NEGINT) {
		bx_put_text(&w, "18446744073709551616");
	} else if (h.kind == BX_HEAD_EXT &&
		   (h.value == BX_CBOR_TAG_BIGNUM || h.value == BX_CBOR_TAG_NEGATIVE_BIGNUM)) {
		coded = bx_cbor_bignum_digits(in, d->minus, &w);
	} else {
		in->at = h.at;
		bx_input_fail(in, "mantissa is not an integer");
		return BX_CODED_BAD;
	}
	d->count = bx_written(&w);
	return coded;
}

/* The pair [exponent, mantissa]. Exponents that are bignums are beyond all that Python takes. */
static enum bx_coded
take_pair(struct bx_input *in, struct decimal *d)
{
	struct bx_head list, h;
	enum bx_coded coded;

	if (!plain_head(in, &list) || !plain_head(in, &h))
		return BX_CODED_BAD;
	if (list.kind != BX_HEAD_LIST || (!list.indefinite && list.value != 2)) {
		in->at = list.at;
		bx_input_fail(in, "decimal is not a pair");
		return BX_CODED_BAD;
	}
	if (h.kind == BX_HEAD_EXT)
		return BX_CODED_NOT_REPRESENTABLE;
	if (h.kind != BX_HEAD_UINT && h.kind != BX_HEAD_NEGINT) {
		in->at = h.at;
		bx_input_fail(in, "exponent is not an integer");
		return BX_CODED_BAD;
	}
	coded = take_digits(in, d);
	if (coded != BX_CODED_OK)
		return coded;
	if (list.indefinite) {
		if (!bx_cbor_head(in, &list))
			return BX_CODED_BAD;
		if (list.kind != BX_HEAD_BREAK) {
			in->at = list.at;
			bx_input_fail(in, "decimal is not a pair");
			return BX_CODED_BAD;
		}
	}
	if (h.value > EXPONENT_MAX - BX_INT_DIGITS_MAX)
		return BX_CODED_NOT_REPRESENTABLE;
	d->exponent = h.kind == BX_HEAD_UINT ? (int64_t)h.value : -1 - (int64_t)h.value;
	return BX_CODED_OK;
}

static void
strip_zeros_in_front(struct decimal *d)
{
	size_t zeros = 0;

	while (zeros + 1 < d->count && d->digits[zeros] == '0')
		zeros++;
	d->count -= zeros;
	memmove(d->digits, d->digits + zeros, d->count);
}

/* digits *= factor, a single digit. There is room for one digit more. */
static void
times_digit(struct decimal *d, unsigned factor)
{
	unsigned carry = 0;

	memmove(d->digits + 1, d->digits, d->count);
	d->digits[0] = '0';
	d->count++;
	for (size_t i = d->count; i-- != 0;) {
		unsigned v = (unsigned)(d->digits[i] - '0') * factor + carry;

		d->digits[i] = (char)('0' + v % 10);
		carry = v / 10;
	}
	strip_zeros_in_front(d);
}

/* Rounds to PRECISION digits, half to even. */
static void
round_digits(struct decimal *d)
{
	size_t dropped = d->count > PRECISION ? d->count - PRECISION : 0;
	const char *rest = d->digits + PRECISION;
	bool up;

	if (dropped == 0)
		return;
	up = rest[0] > '5';
	if (rest[0] == '5') {
		up = (d->digits[PRECISION - 1] & 1) != 0;
		for (size_t i = 1; i < dropped; i++)
			up |= rest[i] != '0';
	}
	d->count = PRECISION;
	d->exponent += (int64_t)dropped;
	if (!up)
		return;
	for (size_t i = PRECISION; i-- != 0;) {
		if (d->digits[i]++ != '9')
			return;
		d->digits[i] = '0';
	}
	/* 99...9 became 00...0: it is 100...0, one digit shorter, times ten. */
	d->digits[0] = '1';
	d->exponent++;
}

/*
 * mantissa * 2^exponent: Python computes the power first, in 28 digits. Where these hold it exactly
 * (exponents -40 to 93) so is this; beyond, the value counts as one that cannot be sealed.
 */
static bool
scale_by_two(struct decimal *d)
{
	int64_t power = d->exponent;
	unsigned factor = power < 0 ? 5 : 2; /* 2^-n is 5^n / 10^n */

	if (power < -40 || power > 93)
		return false;
	for (int64_t i = power < 0 ? -power : power; i != 0; i--)
		times_digit(d, factor);
	d->exponent = power < 0 ? power : 0;
	round_digits(d);
	return true;
}

static void
put_zeros(struct bx_writer *w, int64_t count)
{
	while (count-- > 0)
		bx_put_u8(w, '0');
}

/* Python's str(): "to-scientific-string" of the General Decimal Arithmetic specification. */
static void
put_decimal(struct bx_writer *w, const struct decimal *d)
{
	int64_t count = (int64_t)d->count;
	int64_t point = count + d->exponent; /* digits before the decimal point */
	int64_t adjusted = point - 1;
	char text[20];

	if (d->minus)
		bx_put_u8(w, '-');
	if (d->exponent <= 0 && adjusted >= -6) {
		if (point <= 0) {
			bx_put(w, "0.", 2);
			put_zeros(w, -point);
			bx_put(w, d->digits, d->count);
			return;
		}
		bx_put(w, d->digits, (size_t)point);
		if (d->exponent != 0) {
			bx_put_u8(w, '.');
			bx_put(w, d->digits + point, (size_t)(count - point));
		}
		return;
	}
	bx_put_u8(w, (uint8_t)d->digits[0]);
	if (count > 1) {
		bx_put_u8(w, '.');
		bx_put(w, d->digits + 1, d->count - 1);
	}
	bx_put(w, adjusted < 0 ? "E-" : "E+", 2);
	bx_put(w, text, bx_u64_text((uint64_t)(adjusted < 0 ? -adjusted : adjusted), text));
}

enum bx_coded
bx_cbor_decimal(struct bx_input *in, bool binary, struct bx_writer *w)
{
	struct decimal d;
	enum bx_coded coded = take_pair(in, &d);

	if (coded != BX_CODED_OK)
		return coded;
	if (binary && (d.count + PRECISION + 1 > sizeof(d.digits) || !scale_by_two(&d)))
		return BX_CODED_NOT_REPRESENTABLE;
	put_decimal(w, &d);
	return w->full ? BX_CODED_FULL : BX_CODED_OK;
}
