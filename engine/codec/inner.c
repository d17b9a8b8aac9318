#include "base/json_reader.h"
#include "codec/codec.h"
#include "codec/json_walk.h"

/* The members that matter. */
enum member { URI, ARGS, KWARGS, OTHER };

struct parse {
	struct bx_json_walk k;
	struct bx_writer *scratch;
	struct bx_inner *inner;
	bool seen[OTHER];
	bool fits[OTHER];      /* its last occurrence has the right type */
	bool canonical[OTHER]; /* its text is canonical */
};

static enum member
member_of(struct bx_span raw, bool escaped)
{
	if (raw.len == 3 && memcmp(raw.ptr, "uri", 3) == 0)
		return URI;
	if (raw.len == 4 && memcmp(raw.ptr, "args", 4) == 0)
		return ARGS;
	if (raw.len == 6 && memcmp(raw.ptr, "kwargs", 6) == 0)
		return KWARGS;
	if (!escaped)
		return OTHER;
	if (bx_json_text_is(raw, "uri"))
		return URI;
	if (bx_json_text_is(raw, "args"))
		return ARGS;
	return bx_json_text_is(raw, "kwargs") ? KWARGS : OTHER;
}

static bool
uri_value(struct parse *s)
{
	struct bx_inner *inner = s->inner;
	struct bx_span raw;

	inner->uri_present = false;
	inner->uri = (struct bx_span){ NULL, 0 };
	if (bx_json_walk_peek(&s->k) != '"')
		return bx_json_walk_value(&s->k, 1);
	if (!bx_json_walk_string(&s->k, &raw))
		return false;
	if (!s->k.escaped) {
		inner->uri = raw;
		inner->uri_present = true;
		return true;
	}
	/* A binary is no URI, and a lone surrogate can be in none that is compared with it. */
	if (bx_json_walk_is_binary(raw))
		return true;

	uint8_t *from = s->scratch->at;

	if (bx_json_text(raw, s->scratch)) {
		inner->uri = bx_since(s->scratch, from);
		inner->uri_present = true;
	}
	return !s->scratch->full;
}

static bool
member_value(struct parse *s, enum member m)
{
	uint8_t first = bx_json_walk_peek(&s->k);

	if (m == OTHER)
		return bx_json_walk_value(&s->k, 1);
	if (s->seen[m])
		s->inner->marks |= BX_MARK_DUPLICATE_KEY;
	s->seen[m] = true;
	if (m == URI)
		return uri_value(s);

	const uint8_t *from = s->k.at;

	s->k.changed = false;
	s->k.long_float = false;
	s->k.lone_surrogate = false;
	if (!bx_json_walk_value(&s->k, 1))
		return false;

	struct bx_span text = { from, (size_t)(s->k.at - from) };

	if (m == ARGS)
		s->inner->args = text;
	else
		s->inner->kwargs = text;
	s->fits[m] = first == 'n' || first == (m == ARGS ? '[' : '{');
	s->canonical[m] = !s->k.changed && !s->k.long_float;
	return true;
}

static bool
members(struct parse *s)
{
	struct bx_json_walk *k = &s->k;

	bx_json_walk_space(k);
	if (bx_json_walk_peek(k) == '}') {
		k->at++;
		return true;
	}
	for (;;) {
		struct bx_span raw;

		if (!bx_json_walk_key(k, &raw) || !member_value(s, member_of(raw, k->escaped)))
			return false;
		bx_json_walk_space(k);

		uint8_t c = bx_json_walk_peek(k);

		if (c != ',' && c != '}')
			return false;
		k->at++;
		if (c == '}')
			return true;
		bx_json_walk_space(k);
	}
}

enum bx_inner_result
bx_inner_parse(struct bx_span plaintext, struct bx_writer *scratch, struct bx_inner *inner)
{
	struct bx_inner result = { .marks = 0 };
	struct parse s = {
		.k = bx_json_walk_over(plaintext, NULL),
		.scratch = scratch,
		.inner = &result,
		.fits = { true, true, true },
		.canonical = { true, true, true },
	};

	bx_json_walk_space(&s.k);

	bool is_object = bx_json_walk_peek(&s.k) == '{';

	if (is_object) {
		s.k.at++;
		if (!members(&s))
			return BX_INNER_BAD_PLAINTEXT;
	} else if (!bx_json_walk_value(&s.k, 0)) {
		return BX_INNER_BAD_PLAINTEXT;
	}
	bx_json_walk_space(&s.k);
	if (s.k.at != s.k.end)
		return BX_INNER_BAD_PLAINTEXT;
	if (!is_object || !s.fits[ARGS] || !s.fits[KWARGS])
		return BX_INNER_WRONG_TYPE;
	result.canonical = s.canonical[ARGS] && s.canonical[KWARGS];
	*inner = result;
	return BX_INNER_OK;
}
