/* base/number and base/bigint: repr of doubles, correct parsing, integers of any size. */
#include "base/number.h"

#include <ctype.h>
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "seeded.h"
#include "vectors.h"

/* Doubles tried at random; the long run is BX_NUMBER_COUNT=10000000. */
#define RANDOM_COUNT 120000

static double
parse(const char *text, bool *exact)
{
	return bx_double_of_text((struct bx_span){ (const uint8_t *)text, strlen(text) }, exact);
}

static uint64_t
bits_of(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, 8);
	return bits;
}

static const char *
repr(double v, char out[static BX_DOUBLE_TEXT_MAX + 1])
{
	out[bx_double_text(v, out)] = '\0';
	return out;
}

/* repr(x) of CPython 3.11 for values where the notation or the number of digits changes. */
static const char *const reprs[] = {
	"0.0",
	"-0.0",
	"1.0",
	"-1.0",
	"0.1",
	"0.5",
	"1.5",
	"100.0",
	"123456.789",
	"0.001",
	"0.0001",
	"0.00012345678901234567",
	"1e-05",
	"1.2345e-05",
	"9.999999999999999e-05",
	"1e-100",
	"999999999999999.0",
	"1000000000000000.0",
	"9007199254740992.0",
	"9007199254740994.0",
	"9999999999999998.0",
	"1e+16",
	"1.0000000000000002e+16",
	"1.2345678901234568e+17",
	"1e+22",
	"1e+23",
	"9.999999999999997e+22",
	"1e+100",
	"1.7976931348623157e+308",
	"5e-324",
	"1e-323",
	"2.2250738585072014e-308",
	"2.225073858507201e-308",
	"4.94065645841247e-310",
	"0.30000000000000004",
	"3.141592653589793",
	"2.718281828459045",
	"0.1234567890123456",
	"1234567890123456.0",
	"123456789012345.6",
	"-123456789012345.67",
	"5.684341886080802e-14",
	"9.5367431640625e-07",
	"1.1102230246251565e-16",
	"2251799813685248.5",
	"2251799813685249.5",
	"8.41e+21",
	"2e-44",
	"9.3e-05",
	"1.1897314953572316e+300",
	"6.0",
	"65536.0",
	"16777216.0",
	"0.010000000000000002",
	"299792458.0",
	"6.62607015e-34",
	"1.7e+308",
	"NaN",
	"Infinity",
	"-Infinity",
};

Test(number, known_reprs_both_ways)
{
	for (size_t i = 0; i < sizeof(reprs) / sizeof(reprs[0]); i++) {
		char text[BX_DOUBLE_TEXT_MAX + 1];
		bool exact = false;
		double v = parse(reprs[i], &exact);

		cr_assert(exact, "%s", reprs[i]);
		cr_assert_str_eq(repr(v, text), reprs[i]);
		if (isdigit((unsigned char)reprs[i][strlen(reprs[i]) - 1]))
			cr_assert_eq(bits_of(v), bits_of(strtod(reprs[i], NULL)), "%s", reprs[i]);
	}
}

/* Text that reads as a double but is not how that double is written. */
static const struct {
	const char *text;
	const char *repr;
} spellings[] = {
	{ "1E2", "100.0" },
	{ "1e2", "100.0" },
	{ "1e+2", "100.0" },
	{ "1.0e0", "1.0" },
	{ "1.50", "1.5" },
	{ "1.00", "1.0" },
	{ "0.00", "0.0" },
	{ "-0.00", "-0.0" },
	{ "0e0", "0.0" },
	{ "-0e5", "-0.0" },
	{ "0e999999999999999999999", "0.0" },
	{ "1e400", "Infinity" },
	{ "-1e400", "-Infinity" },
	{ "1e99999999999999999999999", "Infinity" },
	{ "1e-400", "0.0" },
	{ "1e-99999999999999999999999", "0.0" },
	{ "0.00001", "1e-05" },
	{ "1e-5", "1e-05" },
	{ "1E-05", "1e-05" },
	{ "10000000000000000.0", "1e+16" },
	{ "1e16", "1e+16" },
	{ "1e15", "1000000000000000.0" },
	{ "0.1000000000000000055511151231257827", "0.1" },
	{ "0.10000000000000001", "0.1" },
	{ "123456789.0000000000000000001", "123456789.0" },
	{ "2.2250738585072011e-308", "2.225073858507201e-308" },
	{ "2.4703282292062327208e-324", "0.0" },
	{ "2.4703282292062328e-324", "5e-324" },
	{ "1.7976931348623158e308", "1.7976931348623157e+308" },
	{ "1.7976931348623159e308", "Infinity" },
	{ "179769313486231580793728971405301e276", "1.7976931348623157e+308" },
	{ "9007199254740993.0", "9007199254740992.0" },
	{ "9007199254740993.00000000000000000000000001", "9007199254740994.0" },
	{ "9007199254740991.4999999999999999999999", "9007199254740991.0" },
	{ "0.000000000000000000000000000000000000001234567e39", "1.234567" },
};

Test(number, other_spellings)
{
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		const char *text = spellings[i].text;
		char out[BX_DOUBLE_TEXT_MAX + 1];
		bool exact = true;
		double v = parse(text, &exact);

		cr_assert_str_eq(repr(v, out), spellings[i].repr, "%s", text);
		cr_assert(!exact, "%s", text);
		cr_assert(
		    !bx_double_text_exact((struct bx_span){ (const uint8_t *)text, strlen(text) }),
		    "%s", text);
		cr_assert_eq(bits_of(v), bits_of(strtod(text, NULL)), "%s", text);
	}
}

static double
random_double(uint64_t *seed, unsigned kind)
{
	uint64_t r = random_next(seed);
	double v;

	switch (kind) {
	case 0: /* a reading of some instrument */
		return (double)(int64_t)(r % 4000000 - 2000000) / 1000;
	case 1: /* random.random() */
		return (double)(r >> 11) * 0x1p-53;
	case 2: /* whole numbers */
		return (double)(int64_t)(r >> (r % 64));
	case 3: /* few bits, any exponent */
		v = ldexp((double)(r % 1000 + 1), (int)(r >> 32) % 1000);
		break;
	default: /* any bits */
		memcpy(&v, &r, 8);
	}
	return isfinite(v) ? v : 1.0;
}

/* The fewest digits that read back, by trying: "d.ddde+XX". */
static int
shortest_by_printf(double v, char out[static 40])
{
	int digits = 1;

	for (; digits <= 17; digits++) {
		snprintf(out, 40, "%.*e", digits - 1, v);
		if (bits_of(strtod(out, NULL)) == bits_of(v))
			break;
	}
	return digits;
}

static int
significant_digits(const char *text)
{
	int count = 0;
	int zeros = 0; /* not counted yet: they may be the last ones */

	for (; *text != '\0' && *text != 'e'; text++) {
		if (!isdigit((unsigned char)*text))
			continue;
		if (*text == '0') {
			zeros += count > 0;
			continue;
		}
		count += zeros + 1;
		zeros = 0;
	}
	return count == 0 ? 1 : count;
}

Test(number, random_doubles_round_trip_in_fewest_digits)
{
	uint64_t count = random_count("BX_NUMBER_COUNT", RANDOM_COUNT);
	uint64_t seed = 2;

	for (uint64_t i = 0; i < count; i++) {
		double v = random_double(&seed, (unsigned)(i % 6));
		char text[BX_DOUBLE_TEXT_MAX + 1];
		char other[40];
		bool exact = false;

		repr(v, text);
		cr_assert_eq(bits_of(strtod(text, NULL)), bits_of(v), "%a gives %s", v, text);
		cr_assert_eq(bits_of(parse(text, &exact)), bits_of(v), "%s", text);
		cr_assert(exact, "%s", text);

		int fewest = shortest_by_printf(v, other);

		/*
		 * Below a power of two the doubles lie closer: there a decimal that is not the
		 * nearest of its length may read back, which printf does not try.
		 */
		if ((bits_of(v) << 12) == 0)
			cr_assert_leq(significant_digits(text), fewest, "%a gives %s", v, text);
		else
			cr_assert_eq(significant_digits(text), fewest, "%a gives %s, not %s", v,
				     text, other);
		/* Plain notation from 1e-4 up to below 1e16, and only there. */
		bool plain = v == 0 || (fabs(v) >= 1e-4 && fabs(v) < 1e16);

		cr_assert_eq(strchr(text, 'e') == NULL, plain, "%s", text);
		cr_assert(!plain || strchr(text, '.') != NULL, "%s", text);
	}
}

Test(number, random_text_reads_as_strtod)
{
	uint64_t count = random_count("BX_NUMBER_COUNT", RANDOM_COUNT);
	uint64_t seed = 3;

	for (uint64_t i = 0; i < count; i++) {
		double v = random_double(&seed, (unsigned)(i % 6));
		char text[64];
		bool exact;

		/* 17 digits and more: on the way to, and at, the point half way. */
		snprintf(text, sizeof(text), "%.*e", (int)random_below(&seed, 40), v);
		cr_assert_eq(bits_of(parse(text, &exact)), bits_of(strtod(text, NULL)), "%s", text);

		/* Any digits with any exponent. */
		snprintf(text, sizeof(text), "%llu.%llue%d",
			 (unsigned long long)(random_next(&seed) >> random_below(&seed, 64)),
			 (unsigned long long)random_next(&seed),
			 (int)random_below(&seed, 700) - 360);
		cr_assert_eq(bits_of(parse(text, &exact)), bits_of(strtod(text, NULL)), "%s", text);
	}
}

/* Exactly half way between two doubles, and a hair above: hundreds of digits must be looked at. */
Test(number, half_way)
{
	static char text[2000];
	uint64_t seed = 4;

	for (int i = 0; i < 600; i++) {
		double v = fabs(random_double(&seed, 3 + (unsigned)(i % 3)));
		double next = nextafter(v, INFINITY);
		bool exact;

		if (v == 0 || !isfinite(next))
			continue;
		/* An x87 long double holds the middle of two doubles exactly. */
		snprintf(text, sizeof(text), "%.1100Le", ((long double)v + (long double)next) / 2);
		cr_assert_eq(bits_of(parse(text, &exact)), bits_of(strtod(text, NULL)), "%a", v);
		cr_assert_eq(bits_of(parse(text, &exact)) & 1, 0, "%a: not to even", v);
		text[1000] = '1';
		cr_assert_eq(bits_of(parse(text, &exact)), bits_of(next), "%a", v);
	}
}

Test(number, vectors_of_the_writer)
{
	json_t *root = vectors_load();
	json_t *values = json_object_get(root, "json_values");
	unsigned floats = 0;
	size_t i;
	json_t *value;

	json_array_foreach(values, i, value)
	{
		const char *text = json_string_value(json_object_get(value, "json"));
		char out[BX_DOUBLE_TEXT_MAX + 1];
		bool exact;

		if (strpbrk(text, "\"[{tfn") != NULL ||
		    (strpbrk(text, ".eN") == NULL && strstr(text, "Inf") == NULL))
			continue;
		floats++;
		cr_assert_str_eq(repr(parse(text, &exact), out), text);
		cr_assert(exact);
	}
	cr_assert_geq(floats, 10);
	json_decref(root);
}

Test(number, u64_text)
{
	uint64_t power = 1;

	for (int i = 0; i < 20; i++, power *= 10) {
		for (uint64_t v = power - 1; v <= power + 1; v++) {
			char expected[24];
			char text[21];

			snprintf(expected, sizeof(expected), "%llu", (unsigned long long)v);
			text[bx_u64_text(v, text)] = '\0';
			cr_assert_str_eq(text, expected);
		}
	}

	char text[21];

	text[bx_u64_text(UINT64_MAX, text)] = '\0';
	cr_assert_str_eq(text, "18446744073709551615");
}

static bool
bigint_text(const uint8_t *bytes, size_t len, char *out, size_t cap)
{
	struct bx_writer w = bx_writer_over((uint8_t *)out, cap - 1);
	bool ok = bx_bigint_text((struct bx_span){ bytes, len }, &w);

	*w.at = '\0';
	return ok;
}

Test(number, bigint_known)
{
	static const uint8_t two64[9] = { 1 };
	static const uint8_t padded[6] = { 0, 0, 0, 1, 0, 0 };
	char text[64];

	cr_assert(bigint_text(two64, 9, text, sizeof(text)));
	cr_assert_str_eq(text, "18446744073709551616");
	cr_assert(bigint_text(padded, 6, text, sizeof(text)));
	cr_assert_str_eq(text, "65536");
	cr_assert(bigint_text(padded, 3, text, sizeof(text)));
	cr_assert_str_eq(text, "0");
	cr_assert(bigint_text(NULL, 0, text, sizeof(text)));
	cr_assert_str_eq(text, "0");
	/* No room: false, and the writer says so. */
	cr_assert(!bigint_text(two64, 9, text, 20));
}

static bool
bigint_bytes(const char *digits, struct bx_writer *w)
{
	return bx_bigint_of_text((struct bx_span){ (const uint8_t *)digits, strlen(digits) }, w);
}

Test(number, bigint_round_trip)
{
	uint64_t seed = 5;

	for (int i = 0; i < 400; i++) {
		uint8_t bytes[1786];
		uint8_t back[1800];
		char text[4400];
		size_t len = 1 + random_below(&seed, i < 380 ? 200 : sizeof(bytes) - 2);
		struct bx_writer w = bx_writer_over(back, sizeof(back));

		for (size_t j = 0; j < len; j++)
			bytes[j] = (uint8_t)random_next(&seed);
		bytes[0] |= 1;
		cr_assert(bigint_text(bytes, len, text, sizeof(text)));
		cr_assert_neq(text[0], '0');
		cr_assert(bigint_bytes(text, &w));
		cr_assert_eq(bx_written(&w), len);
		cr_assert_eq(memcmp(back, bytes, len), 0);
	}
}

Test(number, bigint_limits)
{
	static char digits[BX_INT_DIGITS_MAX + 3];
	static uint8_t bytes[4000];
	static char text[4400];
	struct bx_writer w = bx_writer_over(bytes, sizeof(bytes));

	memset(digits, '9', BX_INT_DIGITS_MAX);
	cr_assert(bigint_bytes(digits, &w));
	cr_assert(bigint_text(bytes, bx_written(&w), text, sizeof(text)));
	cr_assert_str_eq(text, digits);

	/* One more in value, or one digit more. */
	for (size_t i = bx_written(&w); i-- > 0 && ++bytes[i] == 0;)
		;
	cr_assert(!bigint_text(bytes, bx_written(&w), text, sizeof(text)));
	digits[BX_INT_DIGITS_MAX] = '9';
	cr_assert(!bigint_bytes(digits, &w));
	memset(bytes, 0xFF, sizeof(bytes));
	cr_assert(!bigint_text(bytes, sizeof(bytes), text, sizeof(text)));

	w = bx_writer_over(bytes, 8);
	cr_assert(!bigint_bytes("18446744073709551616", &w));
	cr_assert(w.full);
	w = bx_writer_over(bytes, 8);
	cr_assert(bigint_bytes("0", &w));
	cr_assert_eq(bx_written(&w), 0);
	cr_assert(bigint_bytes("0018446744073709551615", &w));
	cr_assert_eq(bx_written(&w), 8);
	cr_assert(!bigint_bytes("12a", &w));
}
