#include "base/json_reader.h"

#include "base/base64.h"
#include "base/json_scan.h"
#include "base/utf8.h"

/* What may come next. */
enum {
	WANT_VALUE,
	WANT_FIRST_ITEM, /* a value or "]" */
	WANT_FIRST_KEY,  /* a key or "}" */
	WANT_KEY,
	AFTER_VALUE, /* "," or the closing bracket; at depth 0 the end */
	IS_OVER,
	IS_BAD,
};

void
bx_json_begin(struct bx_json_reader *r, struct bx_span text)
{
	r->begin = text.ptr;
	r->at = text.ptr;
	r->end = text.ptr + text.len;
	r->why = NULL;
	r->depth = 0;
	r->state = WANT_VALUE;
}

static bool
in_object(const struct bx_json_reader *r)
{
	uint32_t d = r->depth - 1;

	return (r->in_object[d / 8] >> (d % 8) & 1) != 0;
}

static enum bx_json_kind
bad(struct bx_json_reader *r, struct bx_json_token *t, const uint8_t *at, const char *why)
{
	r->state = IS_BAD;
	r->at = at;
	r->why = why;
	*t = (struct bx_json_token){ BX_JSON_BAD, { at, 0 }, false, false };
	return BX_JSON_BAD;
}

static enum bx_json_kind
token(struct bx_json_reader *r, struct bx_json_token *t, enum bx_json_kind kind, size_t len)
{
	*t = (struct bx_json_token){ kind, { r->at, len }, false, false };
	r->at += len;
	return kind;
}

/* From the byte after the opening quote: the string's text and the position after it. */
static enum bx_json_kind
string_token(struct bx_json_reader *r, struct bx_json_token *t, enum bx_json_kind kind)
{
	const uint8_t *begin = r->at + 1;
	const uint8_t *p = begin;
	const char *why;
	bool escaped = false;

	for (;;) {
		p = bx_scan_special(r->begin, p, r->end);
		if (p == r->end)
			return bad(r, t, r->at, "string is not closed");
		if (*p == '"')
			break;
		if (*p == '\\') {
			const uint8_t *next = bx_scan_escape(p, r->end, &why);

			if (next == NULL)
				return bad(r, t, p, why);
			escaped = true;
			p = next;
			continue;
		}
		if (*p < 0x20)
			return bad(r, t, p, "control character in string");
		do {
			unsigned len = bx_utf8_sequence(p, r->end);

			if (len == 0)
				return bad(r, t, p, "string is not UTF-8");
			p += len;
		} while (p < r->end && *p >= 0x80);
	}
	*t = (struct bx_json_token){ kind, { begin, (size_t)(p - begin) }, escaped, false };
	if (escaped && t->text.len >= 6)
		t->nul_first = memcmp(begin, "\\u0000", 6) == 0;
	r->at = p + 1;
	return kind;
}

static enum bx_json_kind
key_token(struct bx_json_reader *r, struct bx_json_token *t)
{
	if (r->at == r->end || *r->at != '"')
		return bad(r, t, r->at, "expected a member name");
	if (string_token(r, t, BX_JSON_KEY) == BX_JSON_BAD)
		return BX_JSON_BAD;

	const uint8_t *p = bx_scan_space(r->at, r->end);

	if (p == r->end || *p != ':')
		return bad(r, t, p, "expected \":\" after the member name");
	r->at = p + 1;
	r->state = WANT_VALUE;
	return BX_JSON_KEY;
}

static enum bx_json_kind
number_token(struct bx_json_reader *r, struct bx_json_token *t)
{
	const uint8_t *p = r->at;
	const uint8_t *end = r->end;
	enum bx_json_kind kind = BX_JSON_INT;

	if (*p == '-')
		p++;
	if (p == end || !bx_scan_is_digit(*p)) {
		size_t len = bx_scan_nonfinite(r->at, end);

		if (len == 0)
			return bad(r, t, r->at, "expected a value");
		return token(r, t, BX_JSON_FLOAT, len);
	}
	p = *p == '0' ? p + 1 : bx_scan_digits(p, end);
	if (end - p >= 2 && *p == '.' && bx_scan_is_digit(p[1])) {
		p = bx_scan_digits(p + 1, end);
		kind = BX_JSON_FLOAT;
	}
	if (p < end && (*p | 0x20) == 'e') {
		const uint8_t *digits = p + 1;

		if (digits < end && (*digits == '+' || *digits == '-'))
			digits++;
		if (digits == end || !bx_scan_is_digit(*digits))
			return bad(r, t, p, "malformed number");
		p = bx_scan_digits(digits, end);
		kind = BX_JSON_FLOAT;
	}
	/* What follows ("01", "1.") is caught as a missing separator. */
	return token(r, t, kind, (size_t)(p - r->at));
}

static enum bx_json_kind
open_token(struct bx_json_reader *r, struct bx_json_token *t, bool object)
{
	uint32_t d = r->depth;

	if (d == BX_JSON_DEPTH)
		return bad(r, t, r->at, "nested too deeply");

	uint8_t bit = (uint8_t)(1u << (d % 8));

	if (object)
		r->in_object[d / 8] |= bit;
	else
		r->in_object[d / 8] &= (uint8_t)~bit;
	r->depth = d + 1;
	r->state = object ? WANT_FIRST_KEY : WANT_FIRST_ITEM;
	return token(r, t, object ? BX_JSON_OBJECT : BX_JSON_ARRAY, 1);
}

static enum bx_json_kind
close_token(struct bx_json_reader *r, struct bx_json_token *t)
{
	enum bx_json_kind kind = in_object(r) ? BX_JSON_OBJECT_END : BX_JSON_ARRAY_END;

	r->depth--;
	r->state = AFTER_VALUE;
	return token(r, t, kind, 1);
}

static enum bx_json_kind
word_token(struct bx_json_reader *r, struct bx_json_token *t, enum bx_json_kind kind,
	   const char *word, size_t len)
{
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return bad(r, t, r->at, "expected a value");
	return token(r, t, kind, len);
}

static enum bx_json_kind
value_token(struct bx_json_reader *r, struct bx_json_token *t)
{
	if (r->at == r->end)
		return bad(r, t, r->at, "expected a value");
	switch (*r->at) {
	case '"':
		r->state = AFTER_VALUE;
		return string_token(r, t, BX_JSON_STRING);
	case '[':
		return open_token(r, t, false);
	case '{':
		return open_token(r, t, true);
	case 't':
		r->state = AFTER_VALUE;
		return word_token(r, t, BX_JSON_TRUE, "true", 4);
	case 'f':
		r->state = AFTER_VALUE;
		return word_token(r, t, BX_JSON_FALSE, "false", 5);
	case 'n':
		r->state = AFTER_VALUE;
		return word_token(r, t, BX_JSON_NULL, "null", 4);
	default:
		r->state = AFTER_VALUE;
		return number_token(r, t);
	}
}

enum bx_json_kind
bx_json_next(struct bx_json_reader *r, struct bx_json_token *t)
{
	if (r->state == IS_BAD)
		return bad(r, t, r->at, r->why);

	const uint8_t *p = bx_scan_space(r->at, r->end);
	uint8_t c = p < r->end ? *p : 0;

	r->at = p;
	switch (r->state) {
	case WANT_FIRST_ITEM:
		if (c == ']')
			return close_token(r, t);
		break;
	case WANT_FIRST_KEY:
		if (c == '}')
			return close_token(r, t);
		return key_token(r, t);
	case WANT_KEY:
		return key_token(r, t);
	case AFTER_VALUE:
		if (r->depth == 0) {
			if (p < r->end)
				return bad(r, t, p, "something follows the value");
			r->state = IS_OVER;
			return token(r, t, BX_JSON_END, 0);
		}
		if (c == (in_object(r) ? '}' : ']'))
			return close_token(r, t);
		if (c != ',')
			return bad(r, t, p, "expected \",\" or the end of the container");
		r->at = bx_scan_space(p + 1, r->end);
		if (in_object(r))
			return key_token(r, t);
		break;
	case IS_OVER:
		return token(r, t, BX_JSON_END, 0);
	default:
		break;
	}
	return value_token(r, t);
}

bool
bx_json_skip(struct bx_json_reader *r, const struct bx_json_token *t, struct bx_span *whole)
{
	const uint8_t *begin = t->text.ptr;

	if (t->kind == BX_JSON_BAD)
		return false;
	if (t->kind == BX_JSON_STRING)
		begin--;
	if (t->kind == BX_JSON_ARRAY || t->kind == BX_JSON_OBJECT) {
		uint32_t outer = r->depth - 1;
		struct bx_json_token inner;

		do {
			if (bx_json_next(r, &inner) == BX_JSON_BAD)
				return false;
		} while (r->depth > outer);
	}
	*whole = (struct bx_span){ begin, (size_t)(r->at - begin) };
	return true;
}

bool
bx_json_text(struct bx_span raw, struct bx_writer *w)
{
	const uint8_t *p = raw.ptr;
	const uint8_t *end = raw.ptr + raw.len;

	while (p < end) {
		const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));

		if (slash == NULL)
			slash = end;
		bx_put(w, p, (size_t)(slash - p));
		p = slash;
		if (p == end)
			break;

		struct bx_scan_char c = bx_scan_next_char(&p, end);

		if (c.code >= 0xD800 && c.code <= 0xDFFF)
			return false;

		uint8_t utf8[4];

		bx_put(w, utf8, bx_scan_utf8(c.code, utf8));
	}
	return !w->full;
}

bool
bx_json_text_is(struct bx_span raw, const char *text)
{
	const uint8_t *p = raw.ptr;
	const uint8_t *end = raw.ptr + raw.len;

	while (p < end) {
		/* A raw byte above 0x7F never equals an ASCII one, so bytes and codes compare. */
		uint32_t c = bx_scan_next_char(&p, end).code;

		if (*text == '\0' || c != (uint8_t)*text)
			return false;
		text++;
	}
	return *text == '\0';
}

bool
bx_json_binary(struct bx_span raw, struct bx_writer *w, bool *exact)
{
	const uint8_t *p = raw.ptr + 6; /* after \u0000 */
	const uint8_t *end = raw.ptr + raw.len;
	struct bx_span text = { p, (size_t)(end - p) };

	if (memchr(p, '\\', text.len) == NULL)
		return bx_base64_decode_lenient(text, w, exact);

	/* Nothing in standard base64 needs an escape: tidy into the room, decode that in place. */
	struct bx_base64_tidy t = { 0 };
	struct bx_writer tidy = { w->at, w->at, w->end, w->full };
	size_t len;

	while (p < end)
		if (!bx_base64_tidy_feed(&t, bx_scan_next_char(&p, end).code, &tidy))
			return false;
	if (!bx_base64_tidy_end(&t, &tidy))
		return false;
	if (tidy.full) {
		w->full = true;
		return false;
	}
	if (!bx_base64_decode(bx_since(&tidy, w->at), w->at, &len))
		return false;
	w->at += len;
	*exact = false;
	return true;
}

bool
bx_json_int(struct bx_span text, bool *negative, uint64_t *magnitude)
{
	const uint8_t *p = text.ptr;
	const uint8_t *end = text.ptr + text.len;
	bool minus = p < end && *p == '-';
	uint64_t v = 0;

	if (minus)
		p++;
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (!bx_scan_is_digit(*p) || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	}
	if (minus && v > (uint64_t)1 << 63)
		return false;
	*negative = minus && v != 0;
	*magnitude = v;
	return true;
}
