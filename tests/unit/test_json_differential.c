/* codec/json against jansson, on generated text: values, damaged text, whole messages. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "codec/codec.h"
#include "guard.h"
#include "seeded.h"

/* Rounds of each test; the long run is BX_DIFFERENTIAL_COUNT=1000000. */
#define ROUNDS 20000

#define ROOM (1u << 20)

/* One value, spelled at random and in canonical form. Both are made here, without the engine. */
struct text {
	char bytes[ROOM];
	size_t len;
};

static struct text messy;
static struct text canon;
static uint64_t seed;
static bool odd_binary; /* a base64 text that jansson, which sees text, would call different */
static bool only_canon; /* make both the same */

static void
put(struct text *t, const char *bytes, size_t len)
{
	cr_assert_lt(t->len + len, ROOM);
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void
put_both(const char *bytes)
{
	put(&messy, bytes, strlen(bytes));
	put(&canon, bytes, strlen(bytes));
}

static uint64_t
below(uint64_t bound)
{
	return random_below(&seed, bound);
}

/* True now and then, when spelling may vary. */
static bool
vary(unsigned one_in)
{
	if (only_canon || below(one_in) != 0)
		return false;
	return true;
}

static void
space(void)
{
	static const char kinds[] = " \t\r\n";

	while (vary(6))
		put(&messy, &kinds[below(4)], 1);
}

static void
put_utf8(struct text *t, uint32_t c)
{
	char b[4];

	if (c < 0x80) {
		b[0] = (char)c;
		put(t, b, 1);
	} else if (c < 0x800) {
		b[0] = (char)(0xC0 | c >> 6);
		b[1] = (char)(0x80 | (c & 63));
		put(t, b, 2);
	} else if (c < 0x10000) {
		b[0] = (char)(0xE0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 63));
		b[2] = (char)(0x80 | (c & 63));
		put(t, b, 3);
	} else {
		b[0] = (char)(0xF0 | c >> 18);
		b[1] = (char)(0x80 | (c >> 12 & 63));
		b[2] = (char)(0x80 | (c >> 6 & 63));
		b[3] = (char)(0x80 | (c & 63));
		put(t, b, 4);
	}
}

static void
put_u_escape(uint32_t c)
{
	char b[16];

	if (c >= 0x10000) {
		put_u_escape(0xD800 + ((c - 0x10000) >> 10));
		put_u_escape(0xDC00 + ((c - 0x10000) & 0x3FF));
		return;
	}
	snprintf(b, sizeof(b), below(2) ? "\\u%04x" : "\\u%04X", c);
	put(&messy, b, 6);
}

static void
character(uint32_t c)
{
	static const char plain[] = "\"\\\b\f\n\r\t";
	static const char names[] = "\"\\bfnrt";
	const char *at = c != 0 && c < 0x80 ? strchr(plain, (int)c) : NULL;
	char b[16];

	if (at != NULL)
		snprintf(b, sizeof(b), "\\%c", names[at - plain]);
	else if (c < 0x20)
		snprintf(b, sizeof(b), "\\u%04x", c);
	else
		b[0] = '\0';

	if (b[0] != '\0')
		put(&canon, b, strlen(b));
	else
		put_utf8(&canon, c);
	if (vary(10))
		put_u_escape(c);
	else if (c == '/' && vary(2))
		put(&messy, "\\/", 2);
	else if (b[0] != '\0')
		put(&messy, b, strlen(b));
	else
		put_utf8(&messy, c);
}

static uint32_t
random_char(bool nul_allowed)
{
	uint32_t c;

	switch (below(12)) {
	case 0:
		c = (uint32_t)below(0x20);
		break;
	case 1:
		c = "\"\\/"[below(3)];
		break;
	case 2:
		c = 0x80 + (uint32_t)below(0x780);
		break;
	case 3:
		c = 0x800 + (uint32_t)below(0xD000);
		break;
	case 4:
		c = 0x10000 + (uint32_t)below(0x100000);
		break;
	default:
		c = 0x20 + (uint32_t)below(0x60);
	}
	return c == 0 && !nul_allowed ? 'x' : c;
}

static void
string(bool is_key)
{
	size_t len = below(4) == 0 ? below(80) : below(12);

	put_both("\"");
	for (size_t i = 0; i < len; i++)
		character(random_char(!is_key && i > 0));
	if (is_key) { /* no two alike: jansson keeps one of them */
		static unsigned serial;
		char b[16];

		snprintf(b, sizeof(b), "%u", serial++);
		put_both(b);
	}
	put_both("\"");
}

static void
binary(void)
{
	uint8_t bytes[90];
	char text[130];
	size_t len = below(sizeof(bytes));

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)random_next(&seed);
	sodium_bin2base64(text, sizeof(text), bytes, len, sodium_base64_VARIANT_ORIGINAL);
	put_both("\"\\u0000");
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '/' && vary(3))
			put(&messy, "\\/", 2);
		else
			put(&messy, &text[i], 1);
		if (vary(40)) {
			static const char *const junk[] = { " ", "-", "_", "\\n", "!", "\\u0007" };
			const char *j = junk[below(6)];

			put(&messy, j, strlen(j));
			odd_binary = true;
		}
	}
	put(&canon, text, strlen(text));
	if (vary(10)) {
		put(&messy, "=", 1);
		odd_binary = true;
	}
	put_both("\"");
}

/* Python's repr of a finite double, by trying printf with more and more digits. */
static void
repr(double v, char out[static 40])
{
	char e[40];
	char digits[20];
	int n = 0;
	int precision = 0;
	int exponent;
	char *p = out;

	do
		snprintf(e, sizeof(e), "%.*e", precision, v);
	while (strtod(e, NULL) != v && ++precision < 17);
	exponent = atoi(strchr(e, 'e') + 1);
	for (char *q = e; *q != 'e'; q++)
		if (*q >= '0' && *q <= '9')
			digits[n++] = *q;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (signbit(v))
		*p++ = '-';
	if (exponent < -4 || exponent >= 16) {
		*p++ = digits[0];
		if (n > 1)
			*p++ = '.';
		for (int i = 1; i < n; i++)
			*p++ = digits[i];
		sprintf(p, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	for (int i = exponent < 0 ? exponent : 0; i <= exponent || i < n; i++) {
		*p++ = i >= 0 && i < n ? digits[i] : '0';
		if (i == exponent)
			*p++ = '.';
	}
	if (p[-1] == '.')
		*p++ = '0';
	*p = '\0';
}

static double
random_double(void)
{
	uint64_t r = random_next(&seed);
	double v;

	switch (below(4)) {
	case 0:
		v = (double)(int64_t)(r % 2000001 - 1000000) / 100;
		break;
	case 1:
		v = (double)(r >> 11) * 0x1p-53;
		break;
	case 2:
		v = (double)(int64_t)(r >> below(64));
		break;
	default:
		memcpy(&v, &r, 8);
	}
	/* Of powers of two printf may not find the shortest. */
	memcpy(&r, &v, 8);
	return isfinite(v) && (r << 12) != 0 ? v : 0.5;
}

static void
number(void)
{
	char text[64];

	if (below(2) == 0) {
		int64_t v = (int64_t)random_next(&seed) >> below(64);

		snprintf(text, sizeof(text), "%lld", (long long)v);
		put(&canon, text, strlen(text));
		if (v == 0 && vary(2))
			put(&messy, "-0", 2);
		else
			put(&messy, text, strlen(text));
		return;
	}

	double v = random_double();

	repr(v, text);
	put(&canon, text, strlen(text));
	switch (vary(3) ? below(4) : 4) {
	case 0:
		snprintf(text, sizeof(text), "%.17e", v);
		break;
	case 1:
		snprintf(text, sizeof(text), "%.*E", 17 + (int)below(20), v);
		break;
	case 2:
		if (strchr(text, 'e') == NULL)
			strcat(text, "00");
		break;
	case 3:
		strcat(text, strchr(text, 'e') == NULL ? "e0" : "");
		break;
	default:
		break;
	}
	put(&messy, text, strlen(text));
}

static void value(unsigned depth);

static void
container(unsigned depth, bool object)
{
	size_t count = below(5) == 0 ? below(20) : below(4);

	put_both(object ? "{" : "[");
	space();
	for (size_t i = 0; i < count; i++) {
		if (i != 0) {
			put_both(",");
			space();
		}
		if (object) {
			string(true);
			space();
			put_both(":");
			space();
		}
		value(depth + 1);
		space();
	}
	put_both(object ? "}" : "]");
}

static void
value(unsigned depth)
{
	switch (below(depth > 6 ? 6 : 9)) {
	case 0:
		put_both(below(3) == 0 ? "null" : below(2) ? "true" : "false");
		break;
	case 1:
	case 2:
		number();
		break;
	case 3:
	case 4:
		string(false);
		break;
	case 5:
		binary();
		break;
	default:
		container(depth, below(2) == 0);
	}
}

static void
start(void)
{
	messy.len = 0;
	canon.len = 0;
	odd_binary = false;
	only_canon = below(3) == 0;
}

static struct bx_span
span_of(const struct text *t)
{
	return (struct bx_span){ (const uint8_t *)t->bytes, t->len };
}

#define JANSSON (JSON_DECODE_ANY | JSON_ALLOW_NUL)

static uint8_t out_bytes[ROOM];

Test(json_differential, values)
{
	uint64_t rounds = random_count("BX_DIFFERENTIAL_COUNT", ROUNDS);
	unsigned same = 0;

	seed = 10;
	for (uint64_t i = 0; i < rounds; i++) {
		struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
		struct bx_defect why = { 0 };
		uint32_t marks = 0;

		start();
		container(0, below(2) == 0);
		cr_assert_eq(bx_json_codec.to_json(span_of(&messy), &w, &marks, &why), BX_CODED_OK,
			     "%s at %zu of %.*s", why.what, why.at, (int)messy.len, messy.bytes);

		struct bx_span got = bx_since(&w, out_bytes);
		bool is_same = bx_span_equal(span_of(&messy), span_of(&canon));

		cr_assert(bx_span_equal(got, span_of(&canon)), "%.*s\ngives %.*s\nnot   %.*s",
			  (int)messy.len, messy.bytes, (int)got.len, (const char *)got.ptr,
			  (int)canon.len, canon.bytes);
		cr_assert_eq(marks, is_same ? 0 : BX_MARK_REENCODED);
		same += is_same;
		if (odd_binary)
			continue;

		json_t *a = json_loadb(messy.bytes, messy.len, JANSSON, NULL);
		json_t *b = json_loadb((const char *)got.ptr, got.len, JANSSON, NULL);

		cr_assert_not_null(a, "%.*s", (int)messy.len, messy.bytes);
		cr_assert_not_null(b, "%.*s", (int)got.len, (const char *)got.ptr);
		cr_assert(json_equal(a, b), "%.*s", (int)messy.len, messy.bytes);
		json_decref(a);
		json_decref(b);
	}
	cr_assert(same > rounds / 10 && same < rounds);
}

/* What jansson refuses though Python reads it, and what only the \u0000 rule of WAMP refuses. */
static bool
beyond_jansson(struct bx_span t)
{
	for (size_t i = 0; i + 1 < t.len; i++) {
		const char *p = (const char *)t.ptr + i;

		if (*p == 'N' || *p == 'I')
			return true;
		if (t.len - i >= 6 && p[0] == '\\' && p[1] == 'u' &&
		    (memcmp(p + 2, "0000", 4) == 0 || (p[2] | 0x20) == 'd'))
			return true;
	}
	return false;
}

/* Damaged text: both accept, or both refuse. */
Test(json_differential, damage)
{
	uint64_t rounds = random_count("BX_DIFFERENTIAL_COUNT", ROUNDS);
	unsigned accepted = 0;
	unsigned compared = 0;
	struct guard g = { 0 };

	guard_init(&g, ROOM);
	seed = 11;
	for (uint64_t i = 0; i < rounds; i++) {
		static const char tokens[] =
		    "[]{}\",:\\/-+.eE0129tfnu \t\n\x01\x7F\xC3\xA9\xF0\x80";
		struct bx_defect why = { 0 };
		uint32_t marks = 0;
		json_error_t error;

		start();
		container(5, below(2) == 0);
		for (uint64_t hits = 1 + below(2); hits > 0; hits--) {
			size_t at = below(messy.len);

			switch (below(3)) {
			case 0:
				messy.bytes[at] = tokens[below(sizeof(tokens) - 1)];
				break;
			case 1:
				memmove(messy.bytes + at, messy.bytes + at + 1, messy.len - at - 1);
				messy.len--;
				break;
			default:
				memmove(messy.bytes + at + 1, messy.bytes + at, messy.len - at);
				messy.bytes[at] = tokens[below(sizeof(tokens) - 1)];
				messy.len++;
			}
			if (messy.len == 0)
				break;
		}

		struct bx_span text = { guard_copy(&g, messy.bytes, messy.len), messy.len };

		if (beyond_jansson(text))
			continue;

		struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
		bool ok = bx_json_codec.to_json(text, &w, &marks, &why) == BX_CODED_OK;
		json_t *j = json_loadb(messy.bytes, messy.len, JANSSON, &error);

		/* An integer above 64 bits, a float above 1.8e308: beyond jansson, too. */
		if (j == NULL && json_error_code(&error) == json_error_numeric_overflow)
			continue;
		cr_assert_eq(ok, j != NULL, "%s: %.*s (%s)", ok ? "accepted" : why.what,
			     (int)messy.len, messy.bytes, j == NULL ? error.text : "jansson reads");
		compared++;
		if (ok) {
			struct bx_span got = bx_since(&w, out_bytes);
			json_t *b = json_loadb((const char *)got.ptr, got.len, JANSSON, NULL);

			cr_assert(json_equal(j, b), "%.*s", (int)messy.len, messy.bytes);
			json_decref(b);
			accepted++;
		}
		json_decref(j);
	}
	cr_assert(compared > rounds / 4 && accepted > rounds / 100 && accepted < compared);
	guard_free(&g);
}

/* Whole messages: the envelope keeps its bytes, the payload becomes canonical. */
Test(json_differential, messages)
{
	static struct text expected;
	static uint8_t sealed_bytes[ROOM];
	static uint8_t box_bytes[ROOM];
	static uint8_t inner_bytes[ROOM];
	static uint8_t scratch_bytes[ROOM];
	uint64_t rounds = random_count("BX_DIFFERENTIAL_COUNT", ROUNDS);

	seed = 12;
	for (uint64_t i = 0; i < rounds; i++) {
		struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
		struct bx_writer inner_room = bx_writer_over(inner_bytes, sizeof(inner_bytes));
		struct bx_writer sealed = bx_writer_over(sealed_bytes, sizeof(sealed_bytes));
		struct bx_writer box_room = bx_writer_over(box_bytes, sizeof(box_bytes));
		struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
		struct bx_defect why = { 0 };
		struct bx_span box;
		struct bx_inner inner;
		uint32_t marks = 0;
		size_t envelope;

		start();
		space();
		put_both("[");
		space();
		put_both("16");
		space();
		put_both(",");
		space();
		put_both("4711");
		space();
		put_both(",");
		space();
		container(3, true);
		space();
		put_both(",");
		space();
		put_both("\"com.acme.t\"");
		/* So far the bytes are kept as they are. */
		expected.len = 0;
		put(&expected, messy.bytes, messy.len);
		if (below(6) != 0) {
			envelope = messy.len;
			space();
			put_both(",");
			space();
			put(&expected, messy.bytes + envelope, messy.len - envelope);
			envelope = canon.len;
			if (below(5) == 0)
				put_both("null");
			else
				container(3, false);
			if (below(2) == 0 || memcmp(canon.bytes + canon.len - 4, "null", 4) == 0) {
				space();
				put_both(",");
				space();
				container(3, true);
			}
			put(&expected, canon.bytes + envelope, canon.len - envelope);
		}
		space();
		put_both("]");
		put(&expected, "]", 1);
		space();

		struct bx_message m = { .bytes = (uint8_t *)messy.bytes,
					.len = (uint32_t)messy.len };

		cr_assert(bx_json_codec.scan(&m, &scratch, &why), "%s at %zu: %.*s", why.what,
			  why.at, (int)messy.len, messy.bytes);
		cr_assert(bx_json_codec.check_rest(&m, &why), "%s at %zu: %.*s", why.what, why.at,
			  (int)messy.len, messy.bytes);
		bx_put_text(&inner_room, "{\"uri\":\"com.acme.t\",");
		cr_assert_eq(bx_json_codec.args_to_inner(&m, &inner_room, &marks, &why),
			     BX_CODED_OK);
		bx_put_u8(&inner_room, '}');

		/* The box of this test is the plaintext itself. */
		struct bx_span plaintext = bx_since(&inner_room, inner_bytes);

		bx_json_codec.seal_head(&m, plaintext.len, &sealed);
		bx_base64_encode(plaintext, bx_reserve(&sealed, bx_base64_len(plaintext.len)));
		bx_put_text(&sealed, "\"]");
		m = (struct bx_message){ .bytes = sealed_bytes,
					 .len = (uint32_t)bx_written(&sealed) };
		cr_assert(bx_json_codec.scan(&m, &scratch, &why), "%s", why.what);
		cr_assert(bx_json_codec.box(&m, &box_room, &box, &why), "%s", why.what);
		cr_assert(bx_span_equal(box, plaintext));
		cr_assert_eq(bx_inner_parse(box, &scratch, &inner), BX_INNER_OK);
		cr_assert_eq(bx_json_codec.open(&m, &inner, &w, &why), BX_CODED_OK);

		struct bx_span got = bx_since(&w, out_bytes);

		cr_assert(bx_span_equal(got, span_of(&expected)), "%.*s\ngives %.*s\nnot   %.*s",
			  (int)messy.len, messy.bytes, (int)got.len, (const char *)got.ptr,
			  (int)expected.len, expected.bytes);
		/* Unmarked is a promise: the same bytes come back. */
		cr_assert_eq(marks == 0, bx_span_equal(got, span_of(&messy)), "%.*s",
			     (int)messy.len, messy.bytes);
	}
}
