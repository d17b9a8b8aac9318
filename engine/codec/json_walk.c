#include "codec/json_walk.h"

#include "base/base64.h"
#include "base/decimal.h"
#include "base/json_writer.h"
#include "base/number.h"
#include "base/utf8.h"

/* [from, to) of the input will not be written as it stands. Gives the writer, or NULL. */
static struct bx_writer *
replace(struct bx_json_walk *k, const uint8_t *from, const uint8_t *to)
{
	k->changed = true;
	if (k->w != NULL) {
		bx_put(k->w, k->kept, (size_t)(from - k->kept));
		k->kept = to;
	}
	return k->w;
}

void
bx_json_walk_drop_space(struct bx_json_walk *k)
{
	const uint8_t *from = k->at;

	k->at = bx_scan_space(from, k->end);
	if (k->at != from)
		(void)replace(k, from, k->at);
}

static inline const uint8_t *
space(struct bx_json_walk *k, const uint8_t *p)
{
	if (p < k->end && *p <= ' ') {
		k->at = p;
		bx_json_walk_drop_space(k);
		return k->at;
	}
	return p;
}

static inline const uint8_t *
bad(struct bx_json_walk *k, const uint8_t *at, const char *why)
{
	(void)bx_json_walk_fail(k, at, why);
	return NULL;
}

/* What a string holds that must be written in another way, or cannot be written. */
struct string_marks {
	bool escaped;
	bool spelled; /* an escape that canonical text spells in another way */
	bool lone;    /* a lone surrogate */
};

/* Canonical \u escapes are those of U+0000-001F that have no short form, in lower case. */
static bool
is_canonical_escape(const uint8_t *p)
{
	if (p[1] != 'u')
		return p[1] != '/';
	if (memcmp(p + 2, "00", 2) != 0 || p[4] > '1' || (p[5] >= 'A' && p[5] <= 'F'))
		return false;

	uint32_t code = bx_scan_hex4(p + 2);

	return code != '\b' && code != '\t' && code != '\n' && code != '\f' && code != '\r';
}

/* A checked escape at `p`, which ends at `next` at least: notes what it is, gives its end. */
static const uint8_t *
note_escape(const uint8_t *p, const uint8_t *end, struct string_marks *marks)
{
	marks->escaped = true;
	if (is_canonical_escape(p))
		return p + (p[1] == 'u' ? 6 : 2);
	marks->spelled = true;

	uint32_t code = bx_scan_next_char(&p, end).code;

	marks->lone |= code >= 0xD800 && code <= 0xDFFF;
	return p;
}

/* From `p`, inside a string, to its closing quote. */
static const uint8_t *
string_rest(struct bx_json_walk *k, const uint8_t *p, struct string_marks *marks)
{
	const uint8_t *end = k->end;
	const char *why;

	for (;;) {
		p = bx_scan_special(k->begin, p, end);
		if (p == end)
			return bad(k, p, "string is not closed");
		if (*p == '"')
			return p;
		if (*p == '\\') {
			if (bx_scan_escape(p, end, &why) == NULL)
				return bad(k, p, why);
			p = note_escape(p, end, marks);
			continue;
		}
		if (*p < 0x20)
			return bad(k, p, "control character in string");
		do {
			unsigned len = bx_utf8_sequence(p, end);

			if (len == 0)
				return bad(k, p, "string is not UTF-8");
			p += len;
		} while (p < end && *p >= 0x80);
	}
}

/* Rewrites the text between the quotes with canonical escapes. */
static void
respell(struct bx_json_walk *k, const uint8_t *p, const uint8_t *end)
{
	struct bx_writer *w = replace(k, p, end);

	if (w == NULL)
		return;
	while (p < end) {
		const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
		uint8_t utf8[4];

		if (slash == NULL)
			slash = end;
		bx_put(w, p, (size_t)(slash - p));
		p = slash;
		if (p == end)
			return;

		uint32_t code = bx_scan_next_char(&p, end).code;

		bx_json_put_string_body(w, (struct bx_span){ utf8, bx_scan_utf8(code, utf8) });
	}
}

/* The text between the quotes of a binary: `\u0000` and what should be base64. */
static bool
binary(struct bx_json_walk *k, const uint8_t *p, const uint8_t *end)
{
	p += 6;
	if (bx_base64_check((struct bx_span){ p, (size_t)(end - p) }))
		return true;

	struct bx_writer *w = replace(k, p, end);
	struct bx_base64_tidy tidy = { 0 };
	const uint8_t *from = p;

	while (p < end)
		if (!bx_base64_tidy_feed(&tidy, bx_scan_next_char(&p, end).code, w))
			return bx_json_walk_fail(k, from, "binary is not base64");
	if (!bx_base64_tidy_end(&tidy, w))
		return bx_json_walk_fail(k, from, "binary is not base64");
	return true;
}

/*
 * The rest of a string that is more than plain ASCII: its text begins at `text`, the first special
 * byte is at `p`. Returns the position after the closing quote.
 */
static __attribute__((noinline)) const uint8_t *
string_slow(struct bx_json_walk *k, const uint8_t *text, const uint8_t *p, bool is_key)
{
	struct string_marks marks = { false, false, false };
	const uint8_t *end = string_rest(k, p, &marks);

	if (end == NULL)
		return NULL;
	if (!marks.escaped)
		return end + 1;
	k->escaped = true;
	if (!is_key && bx_json_walk_is_binary((struct bx_span){ text, (size_t)(end - text) }))
		return binary(k, text, end) ? end + 1 : NULL;
	if (marks.lone) {
		k->lone_surrogate = true;
		k->changed = true;
	} else if (marks.spelled) {
		respell(k, text, end);
	}
	return end + 1;
}

/* `p` is at the opening quote; returns the position after the closing one. */
static inline const uint8_t *
string(struct bx_json_walk *k, const uint8_t *p, bool is_key)
{
	const uint8_t *text = p + 1;

	p = bx_scan_special(k->begin, text, k->end);
	if (p < k->end && *p == '"')
		return p + 1;
	return string_slow(k, text, p, is_key);
}

/* Unless it is short, a float is compared with the repr of its value; when writing. */
static void
any_float(struct bx_json_walk *k, const uint8_t *p, const uint8_t *end)
{
	struct bx_span text = { p, (size_t)(end - p) };
	bool exact;

	if (bx_double_text_is_short(text))
		return;
	if (k->w == NULL) {
		k->long_float = true;
		return;
	}

	double v = bx_double_of_text(text, &exact);

	if (!exact)
		bx_json_put_double(replace(k, p, end), v);
}

/* Any number, NaN, Infinity, by the full grammar. */
static __attribute__((noinline)) const uint8_t *
number_slow(struct bx_json_walk *k, const uint8_t *from)
{
	const uint8_t *end = k->end;
	const uint8_t *p = from + (*from == '-');
	const uint8_t *digits = p;
	bool is_float = false;

	if (p == end || !bx_scan_is_digit(*p)) {
		size_t len = bx_scan_nonfinite(from, end);

		return len != 0 ? from + len : bad(k, from, "expected a value");
	}
	p = *p == '0' ? p + 1 : bx_scan_digits(p, end);
	if (p - digits > BX_INT_DIGITS_MAX && (p == end || (*p != '.' && (*p | 0x20) != 'e')))
		return bad(k, from, "integer has more than 4300 digits");
	if (end - p >= 2 && *p == '.' && bx_scan_is_digit(p[1])) {
		p = bx_scan_digits(p + 1, end);
		is_float = true;
	}
	if (p < end && (*p | 0x20) == 'e') {
		const uint8_t *exponent = p + 1;

		if (exponent < end && (*exponent == '+' || *exponent == '-'))
			exponent++;
		if (exponent == end || !bx_scan_is_digit(*exponent))
			return bad(k, p, "malformed number");
		p = bx_scan_digits(exponent, end);
		is_float = true;
	}
	if (is_float)
		any_float(k, from, p);
	else if (p - from == 2 && memcmp(from, "-0", 2) == 0)
		(void)replace(k, from, from + 1); /* Python's integers have no -0 */
	return p;
}

#if defined(__SSE2__)
/* Readable bytes that number_long wants: a sign, 32 of the number, one more. */
#define NUMBER_WINDOW 34

/*
 * Whether a plain float of more than 15 digits (which most computed values are) is its own repr.
 * `p` is at the first digit; whole digits, a point, fraction digits, the last of them not 0.
 */
static bool
is_long_repr(const uint8_t *p, unsigned whole, unsigned fraction)
{
	static const uint64_t powers[17] = {
		1,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
	};
	uint64_t digits;

	/* No repr has more than 17 digits; besides, up to 4 zeros may lead. */
	if (*p == '0') {
		if (fraction > 20 || memcmp(p + 2, "0000", 4) == 0)
			return false;
		digits = bx_scan_digits_value(p + 2, fraction);
	} else {
		if (whole + fraction > 17)
			return false;
		digits = bx_scan_digits_value(p, whole) * powers[fraction] +
			 bx_scan_digits_value(p + whole + 1, fraction);
	}
	return digits >= powers[15] && bx_decimal_is_shortest(digits, -(int)fraction);
}

/* As number, for those that are longer than 16 bytes. */
static __attribute__((noinline)) const uint8_t *
number_long(struct bx_json_walk *k, const uint8_t *from)
{
	if (k->end - from < NUMBER_WINDOW)
		return number_slow(k, from);

	const uint8_t *p = from + (*from == '-');
	uint32_t stops = bx_scan_nondigit_mask(p) | bx_scan_nondigit_mask(p + 16) << 16;
	uint32_t later = stops & (stops - 1);
	unsigned whole = stops != 0 ? (unsigned)__builtin_ctz(stops) : 32;
	unsigned len = later != 0 ? (unsigned)__builtin_ctz(later) : 32;
	const uint8_t *next = p + whole;

	if (whole == 32 || (*p == '0' && whole > 1) || (*next | 0x20) == 'e')
		return number_slow(k, from);
	if (*next != '.')
		return next;

	unsigned fraction = len - whole - 1;

	next = p + len;
	if (len == 32 || fraction == 0 || next[-1] == '0' || (*next | 0x20) == 'e')
		return number_slow(k, from);
	if (k->w == NULL) {
		k->long_float = true;
		return next;
	}
	return is_long_repr(p, whole, fraction) ? next : number_slow(k, from);
}
#endif

/*
 * Numbers whose length can be read off one mask of digits: integers, and floats in plain notation
 * of at most 14 digits, which are their own repr (see bx_double_text_is_short). The rest, and all
 * that is wrong, goes elsewhere. The mask saves the branch at each digit, which is what costs: the
 * length of numbers is what a branch predictor cannot know.
 */
static inline const uint8_t *
number(struct bx_json_walk *k, const uint8_t *from)
{
#if defined(__SSE2__)
	const uint8_t *end = k->end;

	if (end - k->begin >= 17) {
		const uint8_t *p = from + (*from == '-');
		uint32_t stops = bx_scan_nondigit_mask_before(p, end);
		unsigned whole = (unsigned)__builtin_ctz(stops | 0x10000);
		unsigned len = (unsigned)__builtin_ctz((stops & (stops - 1)) | 0x10000);
		const uint8_t *next = p + whole;
		uint8_t c = next < end ? *next : 0;

		if (whole == 16)
			return number_long(k, from);
		if (whole == 0 || (*p == '0' && whole > 1) || (c | 0x20) == 'e')
			return number_slow(k, from);
		if (c != '.')
			return *p == '0' && p != from ? number_slow(k, from) : next;
		if (len == 16)
			return number_long(k, from);
		next = p + len;
		c = next < end ? *next : 0;
		if (len - whole == 1 || (c | 0x20) == 'e' || (next[-1] == '0' && len - whole > 2) ||
		    (*p == '0' && len > 6 && memcmp(p + 2, "0000", 4) == 0))
			return number_slow(k, from);
		return next;
	}
#endif
	return number_slow(k, from);
}

static const uint8_t *
word(struct bx_json_walk *k, const uint8_t *p, const char *text, size_t len)
{
	if ((size_t)(k->end - p) < len || memcmp(p, text, len) != 0)
		return bad(k, p, "expected a value");
	return p + len;
}

/* Anything but a container. `p` may be the end. */
static inline const uint8_t *
scalar(struct bx_json_walk *k, const uint8_t *p)
{
	if (p == k->end)
		return bad(k, p, "expected a value");
	switch (*p) {
	case '"':
		return string(k, p, false);
	case 't':
		return word(k, p, "true", 4);
	case 'f':
		return word(k, p, "false", 5);
	case 'n':
		return word(k, p, "null", 4);
	default:
		return number(k, p);
	}
}

static inline const uint8_t *
key(struct bx_json_walk *k, const uint8_t *p)
{
	if (p == k->end || *p != '"')
		return bad(k, p, "expected a member name");
	p = string(k, p, true);
	if (p == NULL)
		return NULL;
	p = space(k, p);
	if (p == k->end || *p != ':')
		return bad(k, p, "expected \":\" after the member name");
	return space(k, p + 1);
}

static bool
container(struct bx_json_walk *k, uint32_t depth)
{
	const uint8_t *const end = k->end;
	const uint8_t *p = k->at;
	uint32_t outer = depth;
	uint8_t closing[BX_CODEC_DEPTH + 1]; /* by depth: '}' or ']' */

	for (;;) {
		/* At a value. */
		if (p < end && (*p == '{' || *p == '[')) {
			if (depth == BX_CODEC_DEPTH)
				return bx_json_walk_fail(k, p, "nested too deeply");
			closing[++depth] = *p + 2; /* ASCII: '[' + 2 is ']', '{' + 2 is '}' */
			p = space(k, p + 1);
			if (p < end && *p == closing[depth]) {
				p++;
				depth--;
			} else {
				if (closing[depth] == '}' && (p = key(k, p)) == NULL)
					return false;
				continue;
			}
		} else if ((p = scalar(k, p)) == NULL) {
			return false;
		}
		/* After a value. */
		for (;; p++, depth--) {
			if (depth == outer) {
				k->at = p;
				return true;
			}
			p = space(k, p);
			if (p < end && *p == ',')
				break;
			if (p == end || *p != closing[depth])
				return bx_json_walk_fail(
				    k, p, "expected \",\" or the end of the container");
		}
		p = space(k, p + 1);
		if (closing[depth] == '}' && (p = key(k, p)) == NULL)
			return false;
	}
}

bool
bx_json_walk_value(struct bx_json_walk *k, uint32_t depth)
{
	const uint8_t *p = k->at;

	if (p < k->end && (*p == '{' || *p == '['))
		return container(k, depth);
	p = scalar(k, p);
	if (p == NULL)
		return false;
	k->at = p;
	return true;
}

bool
bx_json_walk_key(struct bx_json_walk *k, struct bx_span *raw)
{
	const uint8_t *p = k->at;

	if (p == k->end || *p != '"')
		return bx_json_walk_fail(k, p, "expected a member name");

	k->escaped = false;

	const uint8_t *after = string(k, p, true);

	if (after == NULL)
		return false;
	*raw = (struct bx_span){ p + 1, (size_t)(after - p) - 2 };
	p = space(k, after);
	if (p == k->end || *p != ':')
		return bx_json_walk_fail(k, p, "expected \":\" after the member name");
	k->at = space(k, p + 1);
	return true;
}

bool
bx_json_walk_string(struct bx_json_walk *k, struct bx_span *raw)
{
	const uint8_t *p = k->at;

	if (p == k->end || *p != '"')
		return bx_json_walk_fail(k, p, "expected a string");

	k->escaped = false;

	const uint8_t *after = string(k, p, false);

	if (after == NULL)
		return false;
	*raw = (struct bx_span){ p + 1, (size_t)(after - p) - 2 };
	k->at = after;
	return true;
}

enum bx_coded
bx_json_walk_result(const struct bx_json_walk *k, bool ok, const uint8_t *base,
		    struct bx_defect *why)
{
	if (!ok) {
		*why = (struct bx_defect){ k->why, (size_t)(k->at - base) };
		return BX_CODED_BAD;
	}
	if (k->lone_surrogate) {
		*why =
		    (struct bx_defect){ "a string holds a lone surrogate", (size_t)(k->at - base) };
		return BX_CODED_NOT_REPRESENTABLE;
	}
	return k->w != NULL && k->w->full ? BX_CODED_FULL : BX_CODED_OK;
}
