#include "frame/trace_find.h"

#include <assert.h>

static const struct {
	const char *name;
	size_t len;
} members[BX_MEMBER_COUNT] = {
	[BX_MEMBER_B64] = { "b64", 3 },     [BX_MEMBER_HEX] = { "hex", 3 },
	[BX_MEMBER_MSG] = { "msg", 3 },     [BX_MEMBER_TS] = { "ts", 2 },
	[BX_MEMBER_CONN] = { "conn", 4 },   [BX_MEMBER_SESSION] = { "session", 7 },
	[BX_MEMBER_REALM] = { "realm", 5 }, [BX_MEMBER_DIR] = { "dir", 3 },
	[BX_MEMBER_SER] = { "ser", 3 },
};

static_assert(BX_MEMBER_B64 == (int)BX_TRACE_B64 && BX_MEMBER_HEX == (int)BX_TRACE_HEX &&
		  BX_MEMBER_MSG == (int)BX_TRACE_MSG,
	      "members and forms share their numbers");

static enum bx_trace_member
member_of(struct bx_span key)
{
	for (unsigned i = 0; i < BX_MEMBER_COUNT; i++) {
		if (key.len == members[i].len && memcmp(key.ptr, members[i].name, key.len) == 0)
			return (enum bx_trace_member)i;
	}
	return BX_MEMBER_COUNT;
}

static enum bx_trace_member
member_of_escaped(struct bx_span key)
{
	for (unsigned i = 0; i < BX_MEMBER_COUNT; i++) {
		if (bx_json_text_is(key, members[i].name))
			return (enum bx_trace_member)i;
	}
	return BX_MEMBER_COUNT;
}

/* --- finding the values: the usual spelling, in one pass ------------------------------------- */

/*
 * No white space, known members only, nothing escaped: what every writer of traces makes. Whatever
 * is not so goes to the tokenizer, which also finds the words for what is wrong.
 */

static bool
expect(struct bx_cursor *c, uint8_t byte)
{
	return bx_take_u8(c) == byte && !c->bad;
}

static bool
peek_is(const struct bx_cursor *c, uint8_t byte)
{
	return c->at != c->end && *c->at == byte;
}

/* The rest of a string after its opening quote: ASCII without escapes, the quotes left out. */
static bool
take_plain_text(struct bx_cursor *c, struct bx_span *text)
{
	struct bx_cursor start = *c;

	while (c->at != c->end && *c->at >= 0x20 && *c->at < 0x7f && *c->at != '"' &&
	       *c->at != '\\')
		(void)bx_take_u8(c);
	*text = bx_take(&start, (size_t)(c->at - start.at));
	return expect(c, '"');
}

/* As above for b64 and hex, whose characters are checked when they are decoded. */
static bool
take_coded_text(struct bx_cursor *c, struct bx_span *text)
{
	const uint8_t *end = c->at != c->end ? memchr(c->at, '"', bx_left(c)) : NULL;

	if (end == NULL)
		return false;
	*text = bx_take(c, (size_t)(end - c->at));
	return expect(c, '"');
}

/* -?(0|[1-9][0-9]*) */
static bool
take_integer(struct bx_cursor *c)
{
	if (peek_is(c, '-'))
		(void)bx_take_u8(c);

	bool zero = peek_is(c, '0');
	size_t digits = 0;

	while (c->at != c->end && *c->at >= '0' && *c->at <= '9') {
		(void)bx_take_u8(c);
		digits++;
	}
	return digits == 1 || (digits != 0 && !zero);
}

static bool
take_array(struct bx_cursor *c)
{
	struct bx_json_reader r;
	struct bx_json_token t;
	struct bx_span whole;

	bx_json_begin(&r, (struct bx_span){ c->at, bx_left(c) });
	if (bx_json_next(&r, &t) != BX_JSON_ARRAY || !bx_json_skip(&r, &t, &whole))
		return false;
	(void)bx_take(c, whole.len);
	return true;
}

static bool
take_value(struct bx_cursor *c, enum bx_trace_member member)
{
	struct bx_span text;

	switch (member) {
	case BX_MEMBER_B64:
	case BX_MEMBER_HEX:
		return expect(c, '"') && take_coded_text(c, &text);
	case BX_MEMBER_REALM:
	case BX_MEMBER_DIR:
	case BX_MEMBER_SER:
		return expect(c, '"') && take_plain_text(c, &text);
	case BX_MEMBER_MSG:
		return take_array(c);
	default:
		return take_integer(c);
	}
}

/* A second form is not read, so nothing would check that its text is JSON. */
static unsigned
form_count(const struct bx_trace_values *values)
{
	unsigned count = 0;

	for (unsigned i = 0; i < BX_TRACE_FORM_COUNT; i++)
		count += values->of[i].len != 0;
	return count;
}

bool
bx_trace_find_usual(struct bx_span line, struct bx_trace_values *values)
{
	struct bx_cursor c = bx_cursor_over(line);

	if (!expect(&c, '{'))
		return false;
	for (;;) {
		struct bx_span key;

		if (!expect(&c, '"') || !take_plain_text(&c, &key) || !expect(&c, ':'))
			return false;

		enum bx_trace_member member = member_of(key);
		struct bx_cursor start = c;

		if (member == BX_MEMBER_COUNT || values->of[member].len != 0 ||
		    !take_value(&c, member))
			return false;
		values->of[member] = bx_take(&start, (size_t)(c.at - start.at));

		uint8_t next = bx_take_u8(&c);

		if (next == '}')
			return !c.bad && bx_left(&c) == 0 && form_count(values) < 2;
		if (next != ',')
			return false;
	}
}

enum bx_trace_member
bx_trace_member_of(const struct bx_json_token *key)
{
	return key->escaped ? member_of_escaped(key->text) : member_of(key->text);
}

/* --- finding the values: any JSON ------------------------------------------------------------ */

static bool
bad_json(const struct bx_trace_refusal *refusal, const struct bx_json_reader *r)
{
	return bx_trace_refuse(refusal, r->why, r->at);
}

bool
bx_trace_find_any(struct bx_span line, struct bx_trace_values *values,
		  const struct bx_trace_refusal *refusal)
{
	struct bx_json_reader r;
	struct bx_json_token t;

	bx_json_begin(&r, line);
	if (bx_json_next(&r, &t) == BX_JSON_BAD)
		return bad_json(refusal, &r);
	if (t.kind != BX_JSON_OBJECT)
		return bx_trace_refuse(refusal, "a trace line is not a JSON object", line.ptr);
	while (bx_json_next(&r, &t) == BX_JSON_KEY) {
		enum bx_trace_member member = bx_trace_member_of(&t);
		const uint8_t *key = t.text.ptr;
		struct bx_span value;

		(void)bx_json_next(&r, &t);
		if (!bx_json_skip(&r, &t, &value))
			return bad_json(refusal, &r);
		if (member == BX_MEMBER_COUNT)
			continue;
		if (values->of[member].len != 0)
			return bx_trace_refuse(refusal, "a member of a trace line stands twice",
					       key);
		values->of[member] = value;
	}
	if (t.kind == BX_JSON_BAD || bx_json_next(&r, &t) == BX_JSON_BAD)
		return bad_json(refusal, &r);
	return true;
}
