/* base/json_reader: the grammar, its limits, and what strings and integers become. */
#include "base/json_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "guard.h"
#include "vectors.h"

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

/* One letter for each token: what a text is made of, "!" at the end when it is malformed. */
static const char *
shape_of(struct bx_span text, char *out, size_t cap)
{
	static const char letters[] = { '.', '!', 'n', 'f', 't', 'i', 'd',
					's', 'k', '[', ']', '{', '}' };
	struct bx_json_reader r;
	struct bx_json_token t;
	size_t len = 0;

	bx_json_begin(&r, text);
	do {
		enum bx_json_kind kind = bx_json_next(&r, &t);

		cr_assert_eq(kind, t.kind);
		cr_assert(t.text.ptr >= text.ptr && t.text.ptr + t.text.len <= text.ptr + text.len);
		cr_assert_lt(len + 1, cap);
		out[len++] = letters[kind];
	} while (t.kind != BX_JSON_END && t.kind != BX_JSON_BAD);
	/* The end stays the end. */
	cr_assert_eq(bx_json_next(&r, &t), out[len - 1] == '.' ? BX_JSON_END : BX_JSON_BAD);
	if (out[len - 1] == '!')
		cr_assert_not_null(r.why);
	out[len] = '\0';
	return out;
}

static void
expect_shape(const char *text, const char *shape)
{
	struct guard g = { 0 };
	char got[200];
	size_t len = strlen(text);

	guard_init(&g, len + 1);
	cr_assert_str_eq(shape_of((struct bx_span){ guard_copy(&g, text, len), len }, got, 200),
			 shape, "%s", text);
	guard_free(&g);
}

Test(json_reader, accepted)
{
	static const char *const pairs[][2] = {
		{ "null", "n." },
		{ " true ", "t." },
		{ "false", "f." },
		{ "0", "i." },
		{ "-0", "i." },
		{ "-12", "i." },
		{ "123456789012345678901234567890", "i." },
		{ "1.5", "d." },
		{ "0.5", "d." },
		{ "1e5", "d." },
		{ "1E+5", "d." },
		{ "-1.25e-07", "d." },
		{ "NaN", "d." },
		{ "Infinity", "d." },
		{ "-Infinity", "d." },
		{ "\"\"", "s." },
		{ "\"a\\n\\u00e9\\\"\"", "s." },
		{ "\"\\ud83d\"", "s." },
		{ "\"\xC3\xA9\xF0\x9F\x98\x80\x7F\"", "s." },
		{ "[]", "[]." },
		{ "[ ]", "[]." },
		{ "{}", "{}." },
		{ "{ }", "{}." },
		{ "[1,2]", "[ii]." },
		{ "[[],[[]],{}]", "[[][[]]{}]." },
		{ "{\"a\":1,\"b\":[null]}", "{kik[n]}." },
		{ "\t{ \"a\" :\r1 ,\n\"b\" : {} } ", "{kik{}}." },
		{ "{\"a\":1,\"a\":2}", "{kiki}." },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		expect_shape(pairs[i][0], pairs[i][1]);
}

Test(json_reader, refused)
{
	static const char *const bad[] = {
		"",
		" ",
		"nul",
		"nulL",
		"tru",
		"falsy",
		"True",
		"nan",
		"-NaN",
		"+1",
		"01",
		"-",
		"-a",
		"1.",
		".5",
		"1.e5",
		"1e",
		"1e+",
		"0x10",
		"1_0",
		"--1",
		"Infinit",
		"-Infinit",
		"\"",
		"\"a",
		"\"\\\"",
		"\"\\a\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\\U0041\"",
		"\"\\",
		"\"\\u",
		"\"\t\"",
		"\"\n\"",
		"\"\x01\"",
		"\"\x1F\"",
		"\"\xFF\"",
		"\"\xC3\"",
		"\"\xED\xA0\x80\"",
		"\"\xC0\x80\"",
		"\xEF\xBB\xBF[]",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1,,2]",
		"[}",
		"{",
		"}",
		"{]",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"{\"a\" 1}",
		"{\"a\":}",
		"{1:2}",
		"{\"a\":1 \"b\":2}",
		"{\"a\",1}",
		"[\"a\":1]",
		"1 2",
		"[] []",
		"null,",
		"[]]",
		"'a'",
		"/*x*/1",
		"1//x",
		"\x0B"
		"1",
		"\xC2\xA0"
		"1",
		"[1}",
		"{\"a\":1]",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct guard g = { 0 };
		char got[100];
		size_t len = strlen(bad[i]);

		guard_init(&g, len + 1);
		shape_of((struct bx_span){ guard_copy(&g, bad[i], len), len }, got, 100);
		cr_assert_eq(got[strlen(got) - 1], '!', "accepted: %s as %s", bad[i], got);
		guard_free(&g);
	}
	/* U+0000 itself, anywhere. */
	char got[100];

	cr_assert_str_eq(shape_of((struct bx_span){ (const uint8_t *)"1\0", 2 }, got, 100), "i!");
	cr_assert_str_eq(shape_of((struct bx_span){ (const uint8_t *)"\"\0\"", 3 }, got, 100), "!");
}

/* Each special byte at each distance from the begin and the end: the vector steps must meet it. */
Test(json_reader, specials_at_every_place)
{
	struct guard g = { 0 };

	guard_init(&g, 100);
	for (size_t len = 2; len <= 70; len++) {
		for (size_t at = 1; at + 1 < len; at++) {
			for (unsigned c = 0; c < 256; c++) {
				uint8_t text[100];
				char got[100];

				memset(text, 'a', len);
				text[0] = text[len - 1] = '"';
				text[at] = (uint8_t)c;

				struct bx_span s = { guard_copy(&g, text, len), len };
				const char *shape = shape_of(s, got, sizeof(got));
				bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
				/* "\"" at the end leaves the string open; "\a" is no escape. */
				const char *expected = plain ? "s." : c == '"' ? "s!" : "!";

				cr_assert_str_eq(shape, expected, "byte %u at %zu of %zu", c, at,
						 len);
			}
		}
	}
	guard_free(&g);
}

static void
expect_depth(size_t depth, bool ok)
{
	char text[2 * 600];
	char got[2 * 600 + 10];

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	shape_of((struct bx_span){ (const uint8_t *)text, 2 * depth }, got, sizeof(got));
	cr_assert_eq(got[strlen(got) - 1], ok ? '.' : '!');
}

Test(json_reader, depth)
{
	expect_depth(BX_JSON_DEPTH, true);
	expect_depth(BX_JSON_DEPTH + 1, false);
}

Test(json_reader, tokens_hold_their_text)
{
	struct bx_json_reader r;
	struct bx_json_token t;

	bx_json_begin(&r, span("{\"k\\n\": [\"\\u0000QQ==\", \"\\u00001\\u0000\", -1.5e3] }"));
	cr_assert_eq(bx_json_next(&r, &t), BX_JSON_OBJECT);
	cr_assert_eq(bx_json_next(&r, &t), BX_JSON_KEY);
	cr_assert(bx_span_is(t.text, "k\\n") && t.escaped && !t.nul_first);
	cr_assert_eq(bx_json_next(&r, &t), BX_JSON_ARRAY);
	cr_assert_eq(bx_json_next(&r, &t), BX_JSON_STRING);
	cr_assert(bx_span_is(t.text, "\\u0000QQ==") && t.escaped && t.nul_first);
	cr_assert_eq(bx_json_next(&r, &t), BX_JSON_STRING);
	cr_assert(t.nul_first);
	cr_assert_eq(bx_json_next(&r, &t), BX_JSON_FLOAT);
	cr_assert(bx_span_is(t.text, "-1.5e3") && !t.escaped);
}

Test(json_reader, skip_gives_the_whole_value)
{
	static const char *const values[] = { "1",    "\"a\"",         "null",       "[1,[2,{}]]",
					      "-1.5", "{\"a\":[1,2]}", "\"\\u0000\"" };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[64];
		struct bx_json_reader r;
		struct bx_json_token t;
		struct bx_span whole;

		snprintf(text, sizeof(text), "{ \"x\" : %s , \"y\" : 7 }", values[i]);
		bx_json_begin(&r, span(text));
		bx_json_next(&r, &t);
		bx_json_next(&r, &t);
		bx_json_next(&r, &t);
		cr_assert(bx_json_skip(&r, &t, &whole));
		cr_assert(bx_span_is(whole, values[i]), "%s", values[i]);
		cr_assert_eq(bx_json_next(&r, &t), BX_JSON_KEY);
		cr_assert(bx_span_is(t.text, "y"));
	}

	struct bx_json_reader r;
	struct bx_json_token t;
	struct bx_span whole;

	bx_json_begin(&r, span("[1,[2,}"));
	bx_json_next(&r, &t);
	cr_assert(!bx_json_skip(&r, &t, &whole));
}

/* Decodes the one string of `json`; NULL when it can not be. */
static const char *
text_of(const char *json, char *out, size_t cap)
{
	struct bx_json_reader r;
	struct bx_json_token t;
	struct bx_writer w = bx_writer_over((uint8_t *)out, cap - 1);

	bx_json_begin(&r, span(json));
	cr_assert_eq(bx_json_next(&r, &t), BX_JSON_STRING, "%s", json);
	if (!bx_json_text(t.text, &w))
		return NULL;
	*w.at = '\0';
	return out;
}

Test(json_reader, text)
{
	char out[100];

	cr_assert_str_eq(text_of("\"plain\"", out, 100), "plain");
	cr_assert_str_eq(text_of("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", out, 100), "\"\\/\b\f\n\r\t");
	cr_assert_str_eq(text_of("\"x\\u0041\\u00e9\\u20AC\\ud83d\\ude00y\"", out, 100),
			 "xA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80y");
	cr_assert_str_eq(text_of("\"\\udbff\\udfff\"", out, 100), "\xF4\x8F\xBF\xBF");
	cr_assert_null(text_of("\"\\ud83d\"", out, 100));
	cr_assert_null(text_of("\"\\ude00\"", out, 100));
	cr_assert_null(text_of("\"\\ude00\\ud83d\"", out, 100));
	cr_assert_null(text_of("\"\\ud83d\\n\"", out, 100));
	cr_assert_null(text_of("\"\\ud83dx\\ude00\"", out, 100));
	cr_assert_null(text_of("\"\\ud83d\\ud83d\\ude00\"", out, 100));
	/* No room. */
	cr_assert_null(text_of("\"abc\"", out, 3));
	cr_assert_str_eq(text_of("\"abc\"", out, 4), "abc");
}

Test(json_reader, text_is)
{
	cr_assert(bx_json_text_is(span("enc_algo"), "enc_algo"));
	cr_assert(bx_json_text_is(span("\\u0065nc_algo"), "enc_algo"));
	cr_assert(bx_json_text_is(span("enc\\u005Falgo"), "enc_algo"));
	cr_assert(bx_json_text_is(span(""), ""));
	cr_assert(!bx_json_text_is(span("enc_alg"), "enc_algo"));
	cr_assert(!bx_json_text_is(span("enc_algos"), "enc_algo"));
	cr_assert(!bx_json_text_is(span("enc_algo\\u0000"), "enc_algo"));
	cr_assert(!bx_json_text_is(span("\xC5nc_algo"), "enc_algo"));
	cr_assert(!bx_json_text_is(span("\\u0165nc_algo"), "enc_algo"));
}

static const char *
binary_of(const char *raw, char *out, size_t cap, bool *exact)
{
	struct bx_writer w = bx_writer_over((uint8_t *)out, cap - 1);

	if (!bx_json_binary(span(raw), &w, exact))
		return NULL;
	*w.at = '\0';
	return out;
}

Test(json_reader, binary)
{
	char out[20];
	bool exact;

	cr_assert_str_eq(binary_of("\\u0000YWJj", out, 20, &exact), "abc");
	cr_assert(exact);
	cr_assert_str_eq(binary_of("\\u0000", out, 20, &exact), "");
	cr_assert(exact);
	cr_assert_str_eq(binary_of("\\u0000YWJj!", out, 20, &exact), "abc");
	cr_assert(!exact);
	/* Escapes are resolved first: "\/" and "\u0059" are characters of base64, "\n" is none. */
	cr_assert_str_eq(binary_of("\\u0000\\u0059WJ\\nj", out, 20, &exact), "abc");
	cr_assert(!exact);
	cr_assert_str_eq(binary_of("\\u0000YWI\\/", out, 20, &exact), "ab?");
	cr_assert(!exact);
	cr_assert_null(binary_of("\\u0000YWJ", out, 20, &exact));
	cr_assert_null(binary_of("\\u0000YWJj\\u00e9", out, 20, &exact));
	cr_assert_null(binary_of("\\u0000YWJj\xC3\xA9", out, 20, &exact));
	cr_assert_null(binary_of("\\u0000YWJj\\ud800", out, 20, &exact));
	/* No room. */
	cr_assert_null(binary_of("\\u0000YWJj", out, 3, &exact));
}

Test(json_reader, integers)
{
	static const struct {
		const char *text;
		bool ok;
		bool negative;
		uint64_t magnitude;
	} cases[] = {
		{ "0", true, false, 0 },
		{ "-0", true, false, 0 },
		{ "7", true, false, 7 },
		{ "-7", true, true, 7 },
		{ "9223372036854775807", true, false, INT64_MAX },
		{ "-9223372036854775808", true, true, 1ull << 63 },
		{ "-9223372036854775809", false, false, 0 },
		{ "18446744073709551615", true, false, UINT64_MAX },
		{ "18446744073709551616", false, false, 0 },
		{ "99999999999999999999", false, false, 0 },
		{ "100000000000000000000000", false, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool negative = true;
		uint64_t magnitude = 99;

		cr_assert_eq(bx_json_int(span(cases[i].text), &negative, &magnitude), cases[i].ok,
			     "%s", cases[i].text);
		cr_assert_eq(negative, cases[i].ok ? cases[i].negative : true);
		cr_assert_eq(magnitude, cases[i].ok ? cases[i].magnitude : 99);
	}
}

/* Autobahn's own plaintexts and messages. */
Test(json_reader, vectors_are_read)
{
	json_t *root = vectors_load();
	unsigned count = 0;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(root, "vectors"), i, v)
	{
		struct bx_span text = vectors_hex(v, "plaintext_hex");
		struct bx_json_reader r;
		struct bx_json_token t;

		bx_json_begin(&r, text);
		while (bx_json_next(&r, &t) != BX_JSON_END)
			cr_assert_neq(t.kind, BX_JSON_BAD, "%.*s", (int)text.len, text.ptr);
		count++;
		free((void *)(uintptr_t)text.ptr);
	}
	cr_assert_gt(count, 200);
	json_decref(root);
}
