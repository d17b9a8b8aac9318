/* The inner loops of reading JSON text, shared by the pull reader and the codec's walker. */
#ifndef BX_BASE_JSON_SCAN_H
#define BX_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <string.h>

#include "boxcar/span.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* White space of RFC 8259 section 2. */
static inline bool
bx_scan_is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const uint8_t *
bx_scan_space(const uint8_t *p, const uint8_t *end)
{
	while (p < end && bx_scan_is_space(*p))
		p++;
	return p;
}

static inline bool
bx_scan_is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static inline const uint8_t *
bx_scan_digits(const uint8_t *p, const uint8_t *end)
{
	while (p < end && bx_scan_is_digit(*p))
		p++;
	return p;
}

/* True for bytes at which a string can not just go on: '"', '\\', below 0x20, above 0x7F. */
static inline bool
bx_scan_is_special(uint8_t c)
{
	return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}

#if defined(__SSE2__)
/* One bit for each of the 16 bytes at `p` that is special. */
static inline unsigned
bx_scan_special_mask(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* Signed: 0x80 to 0xFF count as below the space, too. */
	__m128i hit = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
				   _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
						_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

	return (unsigned)_mm_movemask_epi8(hit);
}
#endif

/*
 * The first special byte at or after `p`, or `end`. [begin, end) may be read; `p` lies in it. The
 * last 16 bytes are looked at in one piece, too, if there are as many after `begin`.
 */
static inline const uint8_t *
bx_scan_special(const uint8_t *begin, const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
	for (; end - p >= 16; p += 16) {
		unsigned mask = bx_scan_special_mask(p);

		if (mask != 0)
			return p + __builtin_ctz(mask);
	}
	if (end - begin >= 16) {
		unsigned mask = bx_scan_special_mask(end - 16) >> (16 - (end - p));

		return mask != 0 ? p + __builtin_ctz(mask) : end;
	}
#else
	const uint64_t ones = 0x0101010101010101u;
	const uint64_t tops = 0x8080808080808080u;

	(void)begin;
	for (; end - p >= 8; p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);

		uint64_t quote = v ^ (ones * '"');
		uint64_t backslash = v ^ (ones * '\\');

		/* "Has a zero byte" and "has a byte below n"; the top bit says non-ASCII. */
		if ((((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
		     ((v - ones * 0x20) & ~v) | v) &
		    tops)
			break;
	}
#endif
	while (p < end && !bx_scan_is_special(*p))
		p++;
	return p;
}

#if defined(__SSE2__)
/* One bit for each of the 16 bytes at `p` that is no digit. */
static inline uint32_t
bx_scan_nondigit_mask(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* '0' to '9' become -128 to -119; all other bytes lie above that. */
	__m128i moved = _mm_add_epi8(v, _mm_set1_epi8(128 - '0'));

	return (uint32_t)_mm_movemask_epi8(_mm_cmpgt_epi8(moved, _mm_set1_epi8(9 - 128)));
}

/*
 * As above, where fewer than 16 bytes may be left: `end` counts as a stop, and what is beyond is
 * not told. At least 16 bytes before `end` are readable.
 */
static inline uint32_t
bx_scan_nondigit_mask_before(const uint8_t *p, const uint8_t *end)
{
	size_t left = (size_t)(end - p);

	if (left >= 16)
		return bx_scan_nondigit_mask(p);
	return bx_scan_nondigit_mask(end - 16) >> (16 - left) | 1u << left;
}
#endif

/* Eight bytes of text as one word, the first byte lowest. */
static inline uint64_t
bx_scan_load8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline bool
bx_scan_is_eight_digits(uint64_t v)
{
	const uint64_t sixes = 0x0606060606060606u;
	const uint64_t high = 0xF0F0F0F0F0F0F0F0u;

	/* '0' is 0x30, '9' + 6 is 0x3F. */
	return ((v & high) | ((v + sixes) & high) >> 4) == 0x3333333333333333u;
}

/*
 * The value of eight digits in a word of bx_scan_load8; bytes that are 0 count as "0". Neighbours
 * become pairs, those fours, those the whole, each time in all lanes of one multiplication.
 */
static inline uint64_t
bx_scan_eight_digits(uint64_t v)
{
	v = (v & 0x0F0F0F0F0F0F0F0Fu) * (1 + (10 << 8)) >> 8;
	v = (v & 0x00FF00FF00FF00FFu) * (1 + (100 << 16)) >> 16;
	return (v & 0x0000FFFF0000FFFFu) * (1 + (10000ull << 32)) >> 32;
}

/*
 * The value of `count` digits at `p`, at least one; it must be below 2^64. At least 8 bytes are
 * readable.
 */
static inline uint64_t
bx_scan_digits_value(const uint8_t *p, unsigned count)
{
	unsigned head = (count - 1) % 8 + 1;
	uint64_t v = bx_scan_eight_digits(bx_scan_load8(p) << (64 - 8 * head));

	for (p += head, count -= head; count != 0; p += 8, count -= 8)
		v = v * 100000000 + bx_scan_eight_digits(bx_scan_load8(p));
	return v;
}

/* Value of a hexadecimal digit, or 255. */
static inline uint8_t
bx_scan_hex(uint8_t c)
{
	if (bx_scan_is_digit(c))
		return (uint8_t)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : 255;
}

/* The four digits of a \u escape at `p` (all readable), or UINT32_MAX. */
static inline uint32_t
bx_scan_hex4(const uint8_t *p)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t digit = bx_scan_hex(p[i]);

		if (digit == 255)
			return UINT32_MAX;
		v = v << 4 | digit;
	}
	return v;
}

static inline bool
bx_scan_is_high_surrogate(uint32_t c)
{
	return c >= 0xD800 && c <= 0xDBFF;
}

static inline bool
bx_scan_is_low_surrogate(uint32_t c)
{
	return c >= 0xDC00 && c <= 0xDFFF;
}

/* A backslash at `p`: where its escape ends, or NULL and *why. */
static inline const uint8_t *
bx_scan_escape(const uint8_t *p, const uint8_t *end, const char **why)
{
	*why = "string is not closed";
	if (end - p < 2)
		return NULL;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 2;
	case 'u':
		*why = "bad \\u escape";
		return end - p >= 6 && bx_scan_hex4(p + 2) != UINT32_MAX ? p + 6 : NULL;
	default:
		*why = "bad escape";
		return NULL;
	}
}

/* The Python-style tokens of a non-finite float: length, or 0. */
static inline size_t
bx_scan_nonfinite(const uint8_t *p, const uint8_t *end)
{
	size_t left = (size_t)(end - p);

	if (left >= 3 && memcmp(p, "NaN", 3) == 0)
		return 3;
	if (left >= 8 && memcmp(p, "Infinity", 8) == 0)
		return 8;
	if (left >= 9 && memcmp(p, "-Infinity", 9) == 0)
		return 9;
	return 0;
}

/* One character of string text that came from a reader, escapes resolved. */
struct bx_scan_char {
	uint32_t
	    code; /* code point; a lone surrogate stays one; raw bytes above 0x7F as they are */
	bool raw; /* `code` is one raw byte of the text */
};

/* The next character of checked string text; `*at` < `end`, and is moved past it. */
static inline struct bx_scan_char
bx_scan_next_char(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;

	if (*p != '\\') {
		*at = p + 1;
		return (struct bx_scan_char){ *p, true };
	}

	uint8_t c = p[1];

	*at = p + 2;
	switch (c) {
	case 'b':
		return (struct bx_scan_char){ '\b', false };
	case 'f':
		return (struct bx_scan_char){ '\f', false };
	case 'n':
		return (struct bx_scan_char){ '\n', false };
	case 'r':
		return (struct bx_scan_char){ '\r', false };
	case 't':
		return (struct bx_scan_char){ '\t', false };
	case 'u':
		break;
	default:
		return (struct bx_scan_char){ c, false };
	}

	uint32_t code = bx_scan_hex4(p + 2);

	p += 6;
	if (bx_scan_is_high_surrogate(code) && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		uint32_t low = bx_scan_hex4(p + 2);

		if (bx_scan_is_low_surrogate(low)) {
			code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
			p += 6;
		}
	}
	*at = p;
	return (struct bx_scan_char){ code, false };
}

/* The UTF-8 of a code point that is no surrogate: its length. */
static inline size_t
bx_scan_utf8(uint32_t c, uint8_t b[4])
{
	if (c < 0x80) {
		b[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		b[0] = (uint8_t)(0xC0 | c >> 6);
		b[1] = (uint8_t)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		b[0] = (uint8_t)(0xE0 | c >> 12);
		b[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
		b[2] = (uint8_t)(0x80 | (c & 0x3F));
		return 3;
	}
	b[0] = (uint8_t)(0xF0 | c >> 18);
	b[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
	b[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
	b[3] = (uint8_t)(0x80 | (c & 0x3F));
	return 4;
}

#endif
