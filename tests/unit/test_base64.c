/* base/base64: RFC 4648 vectors, all lengths, strictness, and Python's lenient reading. */
#include "base/base64.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "guard.h"
#include "seeded.h"

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

Test(base64, rfc_4648_vectors)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		uint8_t text[8];
		uint8_t bytes[6];
		size_t len;

		bx_base64_encode(span(pairs[i][0]), text);
		cr_assert_eq(bx_base64_len(strlen(pairs[i][0])), strlen(pairs[i][1]));
		cr_assert_eq(memcmp(text, pairs[i][1], strlen(pairs[i][1])), 0);
		cr_assert(bx_base64_decode(span(pairs[i][1]), bytes, &len));
		cr_assert_eq(len, strlen(pairs[i][0]));
		cr_assert_eq(memcmp(bytes, pairs[i][0], len), 0);
	}
}

/* Every length up to several rounds of the widest loop, against libsodium, at a guard page. */
Test(base64, all_lengths_as_libsodium)
{
	struct guard in = { 0 };
	struct guard out = { 0 };
	struct guard back = { 0 };
	uint64_t seed = 1;

	guard_init(&in, 512);
	guard_init(&out, 512);
	guard_init(&back, 512);
	for (size_t len = 0; len <= 300; len++) {
		uint8_t bytes[300];
		char expected[512];
		size_t text_len = bx_base64_len(len);
		size_t got = 99999;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)random_next(&seed);
		sodium_bin2base64(expected, sizeof(expected), bytes, len,
				  sodium_base64_VARIANT_ORIGINAL);
		bx_base64_encode((struct bx_span){ guard_copy(&in, bytes, len), len },
				 out.end - text_len);
		cr_assert_eq(memcmp(out.end - text_len, expected, text_len), 0, "length %zu", len);

		struct bx_span text = { out.end - text_len, text_len };
		uint8_t *room = back.end - text_len / 4 * 3;

		cr_assert(bx_base64_check(text));
		cr_assert(bx_base64_decode(text, room, &got));
		cr_assert_eq(got, len);
		cr_assert(len == 0 || memcmp(room, bytes, len) == 0, "length %zu", len);

		/* In place. */
		cr_assert(bx_base64_decode(text, out.end - text_len, &got));
		cr_assert(len == 0 || memcmp(out.end - text_len, bytes, len) == 0, "length %zu",
			  len);
	}
	guard_free(&in);
	guard_free(&out);
	guard_free(&back);
}

/* Each of the 256 bytes at each place of a text that takes all loops: accepted or refused. */
Test(base64, every_byte_at_every_place)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t text[100];
	uint8_t out[75];
	size_t len;

	for (size_t at = 0; at < sizeof(text); at++) {
		for (unsigned c = 0; c < 256; c++) {
			bool good = c != 0 && strchr(alphabet, (int)c) != NULL;
			/* "AAA=" is a good last group. */
			bool padding = c == '=' && at == sizeof(text) - 1;

			memset(text, 'A', sizeof(text));
			text[at] = (uint8_t)c;

			struct bx_span s = { text, sizeof(text) };

			cr_assert_eq(bx_base64_decode(s, out, &len), good || padding,
				     "byte %u at %zu", c, at);
			cr_assert_eq(bx_base64_check(s), good || padding);
		}
	}
}

Test(base64, strictness)
{
	static const char *const bad[] = { "A",      "AA",   "AAA",  "AA=A",  "A===",
					   "====",   "AB==", "AAB=", "AAAA=", "AA==AAAA",
					   "AA==\n", "AA-A", "AA_A", "=AAA",  "A=AA" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t out[16];
		size_t len = 77;

		cr_assert(!bx_base64_decode(span(bad[i]), out, &len), "%s", bad[i]);
		cr_assert(!bx_base64_check(span(bad[i])), "%s", bad[i]);
		cr_assert_eq(len, 77);
	}
}

/*
 * What CPython 3.11's base64.b64decode(text) gives (hex), NULL where it raises. Made by running it;
 * the last two dozen are random strings over "ABYZaz09+/=- ".
 */
static const struct {
	const char *text;
	const char *hex;
} lenient[] = {
	{ "", "" },
	{ "YWJj", "616263" },
	{ "YWJjZA==", "61626364" },
	{ "YWJjZGU=", "6162636465" },
	{ "YWJj\012", "616263" },
	{ "YW Jj", "616263" },
	{ "YW-J_j", "616263" },
	{ "YWJjZA", NULL },
	{ "YWJjZ", NULL },
	{ "Y", NULL },
	{ "YW", NULL },
	{ "YWI", NULL },
	{ "YW=", NULL },
	{ "YW==", "61" },
	{ "YW===", "61" },
	{ "YWI==", "6162" },
	{ "YWI=YWI=", "6162" },
	{ "YW==YWJj", "61" },
	{ "=YWJj", "616263" },
	{ "==", "" },
	{ "====", "" },
	{ "Y=WJj", "616263" },
	{ "YW=Jj", "616263" },
	{ "YW=J=j", "6162" },
	{ "YW=JjZA==", "61626364" },
	{ "Y===", NULL },
	{ "YWJj=", "616263" },
	{ "YWJj====", "616263" },
	{ "/+/+", "ffeffe" },
	{ "YR==", "61" },
	{ "YWK=", "6162" },
	{ "YWJ/", "61627f" },
	{ "!!!!", "" },
	{ "!Y!W!J!j!", "616263" },
	{ "YWJj\303\251", NULL },
	{ "YWJjZA==\303\251", NULL },
	{ "\342\202\254YWJj", NULL },
	{ "YWJj\177", "616263" },
	{ "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==",
	  "6162636465666768696a6b6c6d6e6f707172737475767778797a6162636465666768696a6b6c6d6e6f707172"
	  "737475767778797a" },
	{ "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWZn aGlqa2xtbm9wcXJzdHV2d3h5eg==",
	  "6162636465666768696a6b6c6d6e6f707172737475767778797a6162636465666768696a6b6c6d6e6f707172"
	  "737475767778797a" },
	{ "Y0=AB+", NULL },
	{ "z/", NULL },
	{ "+", NULL },
	{ "AB00", "001d34" },
	{ "ZB", NULL },
	{ "0A/BZ==/A", NULL },
	{ "/0AZA+Ya0Y", NULL },
	{ "B/a+=YB//", "07f6be601fff" },
	{ "ZzB+-B/A/Z9", NULL },
	{ "+0 z9/9zaZ ", NULL },
	{ "- Z", NULL },
	{ "/a", NULL },
	{ "9z-9a/BB+", "f73f5afc107e" },
	{ "Y zY90A", NULL },
	{ "B +/ zz-z/9", "07eff3cf3ffd" },
	{ " 9BBa9-=BA", NULL },
	{ "-a=/=9a-0=zA", NULL },
	{ "zY/B9AZ ", NULL },
	{ "Y-Z00", "619d34" },
	{ "BY90+aY0", "058f74f9a634" },
	{ "a-0z=0ZYB", "6b4c" },
	{ "YZ=", NULL },
	{ "A9/Y", "03dfd8" },
	{ "aAY0+", NULL },
};

Test(base64, lenient_as_python)
{
	for (size_t i = 0; i < sizeof(lenient) / sizeof(lenient[0]); i++) {
		struct bx_span text = span(lenient[i].text);
		uint8_t buf[200];
		struct bx_writer w = bx_writer_over(buf, sizeof(buf));
		bool exact;
		bool ok = bx_base64_decode_lenient(text, &w, &exact);
		char hex[200] = "";

		cr_assert_eq(ok, lenient[i].hex != NULL, "'%s'", lenient[i].text);
		if (!ok) {
			cr_assert_eq(bx_written(&w), 0);
			continue;
		}
		for (size_t j = 0; j < bx_written(&w); j++)
			sprintf(hex + 2 * j, "%02x", buf[j]);
		cr_assert_str_eq(hex, lenient[i].hex, "'%s'", lenient[i].text);

		/* exact: encoding gives the text back. */
		uint8_t again[200];

		bx_base64_encode(bx_since(&w, buf), again);
		cr_assert_eq(exact,
			     bx_base64_len(bx_written(&w)) == text.len &&
				 memcmp(again, text.ptr, text.len) == 0,
			     "'%s'", lenient[i].text);
	}
}

/* The tidy text of a lenient one is the encoding of the same bytes. */
Test(base64, tidy_is_the_encoding)
{
	for (size_t i = 0; i < sizeof(lenient) / sizeof(lenient[0]); i++) {
		struct bx_span text = span(lenient[i].text);
		struct bx_base64_tidy t = { 0 };
		uint8_t buf[200];
		uint8_t bytes[200];
		uint8_t again[200];
		struct bx_writer tidy = bx_writer_over(buf, sizeof(buf));
		struct bx_writer w = bx_writer_over(bytes, sizeof(bytes));
		bool exact;
		bool ok = true;

		for (size_t j = 0; ok && j < text.len; j++)
			ok = bx_base64_tidy_feed(&t, text.ptr[j], &tidy);
		ok = ok && bx_base64_tidy_end(&t, &tidy);
		cr_assert_eq(ok, lenient[i].hex != NULL, "'%s'", lenient[i].text);
		if (!ok)
			continue;
		cr_assert(bx_base64_decode_lenient(text, &w, &exact));
		bx_base64_encode(bx_since(&w, bytes), again);
		cr_assert_eq(bx_base64_len(bx_written(&w)), bx_written(&tidy));
		cr_assert_eq(memcmp(again, buf, bx_written(&tidy)), 0, "'%s'", lenient[i].text);
	}
}

Test(base64, lenient_without_room)
{
	uint8_t buf[3];
	struct bx_writer w = bx_writer_over(buf, 2);
	bool exact;

	cr_assert(!bx_base64_decode_lenient(span("YWJj"), &w, &exact));
	cr_assert(w.full);
	w = bx_writer_over(buf, 3);
	cr_assert(bx_base64_decode_lenient(span("YWJj"), &w, &exact));
	cr_assert(exact);
}
