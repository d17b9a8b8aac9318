/* base/utf8: every sequence length, the edges of RFC 3629, and every position in long text. */
#include "base/utf8.h"

#include <criterion/criterion.h>

#include "guard.h"

static bool
valid(const char *text, size_t len)
{
	return bx_utf8_valid((struct bx_span){ (const uint8_t *)text, len });
}

#define VALID(s) cr_assert(valid(s, sizeof(s) - 1), "%s", #s)
#define INVALID(s) cr_assert(!valid(s, sizeof(s) - 1), "%s", #s)

/* UTF-8 by the table of RFC 3629 section 4, one byte after the other: the reference. */
static bool
reference(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint8_t a = p[i];
		size_t tail = a < 0x80 ? 0 : a < 0xE0 ? 1 : a < 0xF0 ? 2 : 3;
		uint32_t code = tail == 0 ? a : a & (0x3Fu >> tail);
		static const uint32_t least[4] = { 0, 0x80, 0x800, 0x10000 };

		if ((a >= 0x80 && a < 0xC0) || a >= 0xF8 || len - i <= tail)
			return false;
		for (size_t j = 1; j <= tail; j++) {
			if ((p[i + j] & 0xC0) != 0x80)
				return false;
			code = code << 6 | (p[i + j] & 0x3F);
		}
		if (code < least[tail] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
			return false;
		i += tail + 1;
	}
	return true;
}

Test(utf8, edges)
{
	VALID("");
	VALID("plain");
	VALID("\x7F");
	VALID("\xC2\x80");
	VALID("\xDF\xBF");
	VALID("\xE0\xA0\x80");
	VALID("\xED\x9F\xBF");
	VALID("\xEE\x80\x80");
	VALID("\xEF\xBF\xBF");
	VALID("\xF0\x90\x80\x80");
	VALID("\xF4\x8F\xBF\xBF");
	INVALID("\x80");
	INVALID("\xC0\x80");
	INVALID("\xC1\xBF");
	INVALID("\xC2");
	INVALID("\xE0\x9F\xBF");
	INVALID("\xED\xA0\x80"); /* a surrogate */
	INVALID("\xE2\x82");
	INVALID("\xF0\x8F\xBF\xBF");
	INVALID("\xF4\x90\x80\x80");
	INVALID("\xF5\x80\x80\x80");
	INVALID("\xF0\x9F\x98");
	INVALID("\xFF");
}

/* All strings of up to four bytes over the bytes at which the rules change. */
Test(utf8, all_short_strings)
{
	static const uint8_t edge[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0,
					0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
					0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF };
	const size_t n = sizeof(edge);
	struct guard g = { 0 };

	guard_init(&g, 4);
	for (size_t i = 0; i < n * n * n * n; i++) {
		uint8_t s[4] = { edge[i % n], edge[i / n % n], edge[i / n / n % n],
				 edge[i / n / n / n] };
		const uint8_t *p = guard_copy(&g, s, 4);

		cr_assert_eq(bx_utf8_valid((struct bx_span){ p, 4 }), reference(p, 4),
			     "%02x %02x %02x %02x", s[0], s[1], s[2], s[3]);
	}
	guard_free(&g);
}

/* A character, whole or broken, at every place of text longer than any step of the scan. */
Test(utf8, every_position)
{
	struct guard g = { 0 };
	uint8_t text[80];

	guard_init(&g, sizeof(text));
	for (size_t at = 0; at + 3 <= sizeof(text); at++) {
		memset(text, 'a', sizeof(text));
		memcpy(text + at, "\xE2\x82\xAC", 3);
		cr_assert(bx_utf8_valid(
		    (struct bx_span){ guard_copy(&g, text, sizeof(text)), sizeof(text) }));
		text[at + 2] = 'a';
		cr_assert(!bx_utf8_valid(
		    (struct bx_span){ guard_copy(&g, text, sizeof(text)), sizeof(text) }));
	}
	guard_free(&g);
}
