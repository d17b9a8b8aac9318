/* base/json_writer: Python's json.dumps, byte for byte. */
#include "base/json_writer.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "base/json_reader.h"
#include "guard.h"
#include "vectors.h"

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

static char out[2048];

static const char *
string(struct bx_span text)
{
	struct bx_writer w = bx_writer_over((uint8_t *)out, sizeof(out) - 1);

	bx_json_put_string(&w, text);
	cr_assert(!w.full);
	*w.at = '\0';
	return out;
}

Test(json_writer, every_ascii_byte)
{
	for (unsigned c = 0; c < 0x80; c++) {
		uint8_t byte = (uint8_t)c;
		char expected[16];

		switch (c) {
		case '"':
			strcpy(expected, "\"\\\"\"");
			break;
		case '\\':
			strcpy(expected, "\"\\\\\"");
			break;
		case '\b':
			strcpy(expected, "\"\\b\"");
			break;
		case '\f':
			strcpy(expected, "\"\\f\"");
			break;
		case '\n':
			strcpy(expected, "\"\\n\"");
			break;
		case '\r':
			strcpy(expected, "\"\\r\"");
			break;
		case '\t':
			strcpy(expected, "\"\\t\"");
			break;
		default:
			if (c < 0x20)
				snprintf(expected, sizeof(expected), "\"\\u%04x\"", c);
			else
				snprintf(expected, sizeof(expected), "\"%c\"", (int)c);
		}
		cr_assert_str_eq(string((struct bx_span){ &byte, 1 }), expected);
	}
	cr_assert_str_eq(string(span("")), "\"\"");
	cr_assert_str_eq(string(span("\xE2\x80\xA8\xC3\xA9\xF0\x9F\x98\x80")),
			 "\"\xE2\x80\xA8\xC3\xA9\xF0\x9F\x98\x80\"");
}

/* An escape at every place of texts around the length of the vector steps. */
Test(json_writer, escapes_at_every_place)
{
	struct guard g = { 0 };

	guard_init(&g, 100);
	for (size_t len = 1; len < 70; len++) {
		for (size_t at = 0; at < len; at++) {
			uint8_t text[100];
			char expected[120];

			memset(text, 'a', len);
			text[at] = '"';
			snprintf(expected, sizeof(expected), "\"%.*s\\\"%.*s\"", (int)at, text,
				 (int)(len - at - 1), text + at + 1);
			cr_assert_str_eq(string((struct bx_span){ guard_copy(&g, text, len), len }),
					 expected);
		}
	}
	guard_free(&g);
}

Test(json_writer, numbers)
{
	struct bx_writer w = bx_writer_over((uint8_t *)out, sizeof(out) - 1);

	bx_json_put_u64(&w, 0);
	bx_put_u8(&w, ' ');
	bx_json_put_u64(&w, UINT64_MAX);
	bx_put_u8(&w, ' ');
	bx_json_put_i64(&w, INT64_MIN);
	bx_put_u8(&w, ' ');
	bx_json_put_i64(&w, -1);
	bx_put_u8(&w, ' ');
	bx_json_put_i64(&w, 42);
	bx_put_u8(&w, ' ');
	bx_json_put_double(&w, 1);
	bx_put_u8(&w, ' ');
	bx_json_put_double(&w, -0.0);
	bx_put_u8(&w, ' ');
	bx_json_put_double(&w, 1e-5);
	bx_put_u8(&w, ' ');
	bx_json_put_double(&w, NAN);
	bx_put_u8(&w, ' ');
	bx_json_put_double(&w, -NAN);
	bx_put_u8(&w, ' ');
	bx_json_put_double(&w, -INFINITY);
	*w.at = '\0';
	cr_assert_str_eq(out, "0 18446744073709551615 -9223372036854775808 -1 42 1.0 -0.0 1e-05 "
			      "NaN NaN -Infinity");
}

Test(json_writer, binary)
{
	struct bx_writer w = bx_writer_over((uint8_t *)out, sizeof(out) - 1);

	bx_json_put_binary(&w, span("abcd"));
	bx_json_put_binary(&w, span(""));
	*w.at = '\0';
	cr_assert_str_eq(out, "\"\\u0000YWJjZA==\"\"\\u0000\"");
}

/* Strings and binaries of json_values: reading and writing them gives the same bytes. */
Test(json_writer, vectors_read_and_written_again)
{
	json_t *root = vectors_load();
	unsigned count = 0;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(root, "json_values"), i, v)
	{
		struct bx_span json = vectors_hex(v, "json_utf8_hex");
		uint8_t value[64];
		uint8_t again[64];
		struct bx_writer w = bx_writer_over(value, sizeof(value));
		struct bx_writer back = bx_writer_over(again, sizeof(again));
		struct bx_json_reader r;
		struct bx_json_token t;
		bool exact;

		bx_json_begin(&r, json);
		if (bx_json_next(&r, &t) == BX_JSON_STRING) {
			if (t.nul_first) {
				cr_assert(bx_json_binary(t.text, &w, &exact));
				bx_json_put_binary(&back, bx_since(&w, value));
			} else {
				cr_assert(bx_json_text(t.text, &w));
				bx_json_put_string(&back, bx_since(&w, value));
			}
			cr_assert(bx_span_equal(bx_since(&back, again), json), "%s",
				  json_string_value(json_object_get(v, "python")));
			count++;
		}
		free((void *)(uintptr_t)json.ptr);
	}
	cr_assert_geq(count, 12);
	json_decref(root);
}

/* Whatever does not fit marks the writer, and nothing is written past its end. */
Test(json_writer, room)
{
	for (size_t cap = 0; cap < 12; cap++) {
		struct guard g = { 0 };

		guard_init(&g, 16);

		struct bx_writer w = bx_writer_over(g.end - cap, cap);

		bx_json_put_string(&w, span("abc\n\x01"));
		cr_assert_eq(w.full, cap < 13);
		w = bx_writer_over(g.end - cap, cap);
		bx_json_put_binary(&w, span("a"));
		cr_assert_eq(w.full, true);
		w = bx_writer_over(g.end - cap, cap);
		bx_json_put_double(&w, 1.25);
		cr_assert_eq(w.full, cap < 4);
		w = bx_writer_over(g.end - cap, cap);
		bx_json_put_i64(&w, -123);
		cr_assert_eq(w.full, cap < 4);
		guard_free(&g);
	}
}

static const char *
safe(struct bx_span text, size_t max)
{
	struct bx_writer w = bx_writer_over((uint8_t *)out, sizeof(out) - 1);

	bx_json_put_safe(&w, text, max);
	*w.at = '\0';
	return out;
}

Test(json_writer, safe)
{
	cr_assert_str_eq(safe(span("com.acme"), 100), "com.acme");
	cr_assert_str_eq(safe(span("\x1B[2J\x07"), 100), "\\x1b[2J\\x07");
	cr_assert_str_eq(safe(span("\xE2\x80\xAE\xFF\x7F"), 100), "\\xe2\\x80\\xae\\xff\\x7f");
	cr_assert_str_eq(safe((struct bx_span){ (const uint8_t *)"a\0b", 3 }, 100), "a\\x00b");
	cr_assert_str_eq(safe(span("abcdef"), 6), "abcdef");
	cr_assert_str_eq(safe(span("abcdefg"), 6), "abcdef...");
	cr_assert_str_eq(safe(span("abcd\x01"), 6), "abcd...");
}
