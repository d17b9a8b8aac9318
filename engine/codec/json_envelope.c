#include "codec/json_envelope.h"

#include "base/json_reader.h"
#include "codec/json_dict.h"
#include "codec/json_walk.h"
#include "codec/shape.h"

struct scan {
	struct bx_json_walk k;
	struct bx_message *m;
	struct bx_writer *scratch;
	const uint8_t *close; /* the final "]" */
	bool has_ppt_scheme;
};

static bool
fail(struct scan *s, const char *why)
{
	return bx_json_walk_fail(&s->k, s->k.at, why);
}

static uint32_t
offset(const struct scan *s, const uint8_t *at)
{
	return (uint32_t)(at - s->m->bytes);
}

static const uint8_t *
take_digits(struct scan *s, uint64_t *value)
{
	const uint8_t *p = s->k.at;
	const uint8_t *end = s->k.end;
	uint64_t v = 0;

#if defined(__SSE2__)
	/* The usual case without a branch for each digit: ids have one to sixteen of them. */
	if (end - p > 16) {
		unsigned count = (unsigned)__builtin_ctz(bx_scan_nondigit_mask(p) | 0x10000);

		if (count == 0)
			return p;
		*value = bx_scan_digits_value(p, count);
		return p + count;
	}
#endif
	/* 17 digits cannot overflow, and are more than 2^53 has. */
	for (; p < end && bx_scan_is_digit(*p) && p - s->k.at < 17; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	*value = v;
	return p;
}

/* A whole number from 0 to 2^53; in JSON 2.0 and 2e0 are none. */
static bool
take_id(struct scan *s, uint64_t *value)
{
	const uint8_t *first = s->k.at;
	uint64_t v = 0;
	const uint8_t *p = take_digits(s, &v);
	uint8_t next = p < s->k.end ? *p : 0;

	if (p == first || (*first == '0' && p - first > 1) || v > BX_ID_MAX || next == '.' ||
	    (next | 0x20) == 'e' || bx_scan_is_digit(next))
		return fail(s, "id is not an integer from 0 to 2^53");
	s->k.at = p;
	*value = v;
	return true;
}

/* What a value in the envelope is, where text is hoped for. */
enum kind { KIND_TEXT, KIND_NULL, KIND_OTHER };

/* Any value at nesting `depth`; of text the decoded form, which may go to the scratch. */
static bool
take_text(struct scan *s, uint32_t depth, enum kind *kind, struct bx_span *text)
{
	struct bx_json_walk *k = &s->k;
	uint8_t first = bx_json_walk_peek(k);
	struct bx_span raw;

	*kind = first == 'n' ? KIND_NULL : KIND_OTHER;
	if (first != '"')
		return bx_json_walk_value(k, depth);
	if (!bx_json_walk_string(k, &raw))
		return false;
	*text = raw;
	*kind = KIND_TEXT;
	if (!k->escaped)
		return true;
	*kind = KIND_OTHER;
	if (bx_json_walk_is_binary(raw))
		return true;

	uint8_t *from = s->scratch->at;

	if (!bx_json_text(raw, s->scratch))
		return fail(s, s->scratch->full ? "no room for a decoded text"
						: "a lone surrogate in a text of the envelope");
	*text = bx_since(s->scratch, from);
	*kind = KIND_TEXT;
	return true;
}

static void
set_flag(struct bx_message *m, unsigned flag, bool on)
{
	m->flags = (uint16_t)(on ? m->flags | flag : m->flags & ~flag);
}

static void
set_uri(struct bx_message *m, unsigned flag, bool present, struct bx_span text)
{
	set_flag(m, flag, present);
	m->uri = present ? text.ptr : NULL;
	m->uri_len = present ? (uint32_t)text.len : 0;
}

/* The value of a key that is looked at. Of a repeated key the last value counts (Python). */
static bool
known_value(struct scan *s, enum bx_dict_key key)
{
	struct bx_message *m = s->m;
	struct bx_span text = { NULL, 0 };
	const uint8_t *from = s->k.at;
	enum kind kind;

	if (!take_text(s, 2, &kind, &text))
		return false;

	bool is_text = kind == KIND_TEXT;
	bool is_true = *from == 't';
	uint8_t odd = kind == KIND_NULL ? BX_ENC_ABSENT : BX_ENC_INVALID;

	switch (key) {
	case BX_DICT_ENC_ALGO:
		m->enc_algo = is_text ? (uint8_t)bx_shape_enc_algo(text) : odd;
		m->flags |= BX_MSG_ENC_KEYS;
		break;
	case BX_DICT_ENC_SERIALIZER:
		m->enc_serializer = is_text ? (uint8_t)bx_shape_enc_serializer(text) : odd;
		m->flags |= BX_MSG_ENC_KEYS;
		break;
	case BX_DICT_ENC_KEY:
		m->flags |= BX_MSG_ENC_KEYS;
		break;
	case BX_DICT_TOPIC:
	case BX_DICT_PROCEDURE:
		set_uri(m, BX_MSG_URI_IN_DETAILS, is_text, text);
		break;
	case BX_DICT_PROGRESS:
		set_flag(m, BX_MSG_PROGRESS, is_true);
		break;
	case BX_DICT_ACKNOWLEDGE:
		set_flag(m, BX_MSG_ACKNOWLEDGE, is_true);
		break;
	case BX_DICT_RETAINED:
		set_flag(m, BX_MSG_RETAINED, is_true);
		break;
	case BX_DICT_MATCH:
		m->match = BX_MATCH_EXACT;
		if (kind != KIND_NULL)
			m->match = is_text ? (uint8_t)bx_shape_match(text) : BX_MATCH_ODD;
		break;
	case BX_DICT_PPT_SCHEME:
		s->has_ppt_scheme = is_text && text.len != 0;
		break;
	default:
		break;
	}
	return true;
}

/* UNSUBSCRIBED and UNREGISTERED by the router name their subject in the details. */
static bool
subject_value(struct scan *s)
{
	uint8_t first = bx_json_walk_peek(&s->k);

	if (bx_scan_is_digit(first))
		return take_id(s, &s->m->subject);
	return bx_json_walk_value(&s->k, 2);
}

/* Takes both of our enc_* members at once where they stand as sealing writes them. */
static bool
take_enc_pair(struct scan *s)
{
	struct bx_json_walk *k = &s->k;

	if ((size_t)(k->end - k->at) < BX_JSON_DICT_ENC_LEN ||
	    memcmp(k->at, BX_JSON_DICT_ENC, BX_JSON_DICT_ENC_LEN) != 0)
		return false;
	k->at += BX_JSON_DICT_ENC_LEN;
	s->m->enc_algo = BX_ENC_OURS;
	s->m->enc_serializer = BX_ENC_OURS;
	s->m->flags |= BX_MSG_ENC_KEYS;
	return true;
}

static bool
take_member(struct scan *s)
{
	struct bx_json_walk *k = &s->k;
	struct bx_span raw;

	if (take_enc_pair(s))
		return true;
	if (!bx_json_walk_key(k, &raw))
		return false;

	enum bx_dict_key key = bx_json_dict_key(s->m->type, raw, k->escaped);

	if (key == BX_DICT_OTHER)
		return bx_json_walk_value(k, 2);
	if (key == BX_DICT_SUBSCRIPTION || key == BX_DICT_REGISTRATION)
		return subject_value(s);
	return known_value(s, key);
}

static bool
take_dict(struct scan *s)
{
	struct bx_json_walk *k = &s->k;
	const uint8_t *from = k->at;

	if (bx_json_walk_peek(k) != '{')
		return fail(s, "options or details are not a dict");
	k->at++;
	bx_json_walk_space(k);
	while (bx_json_walk_peek(k) != '}') {
		if (!take_member(s))
			return false;
		bx_json_walk_space(k);
		if (bx_json_walk_peek(k) == '}')
			break;
		if (bx_json_walk_peek(k) != ',')
			return fail(s, "expected \",\" or the end of the dict");
		k->at++;
		bx_json_walk_space(k);
		if (bx_json_walk_peek(k) == '}')
			return fail(s, "expected a member name");
	}
	k->at++;
	s->m->dict = (struct bx_piece){ offset(s, from), (uint32_t)(k->at - from) };
	return true;
}

static bool
take_uri(struct scan *s, bool may_be_null)
{
	uint16_t type = s->m->type;
	bool names_payload = type == BX_PUBLISH || type == BX_CALL || type == BX_ERROR ||
			     type == BX_SUBSCRIBE || type == BX_REGISTER;
	struct bx_span text;
	enum kind kind;

	if (!take_text(s, 1, &kind, &text))
		return false;
	if (kind == KIND_NULL && may_be_null)
		return true;
	if (kind != KIND_TEXT)
		return fail(s, "URI is not a string");
	set_uri(s->m, names_payload ? BX_MSG_URI_IN_ENVELOPE : 0, true, text);
	return true;
}

static bool
take_request_type(struct scan *s)
{
	uint64_t v;

	if (!take_id(s, &v))
		return false;
	switch (v) {
	case BX_PUBLISH:
	case BX_SUBSCRIBE:
	case BX_UNSUBSCRIBE:
	case BX_CALL:
	case BX_REGISTER:
	case BX_UNREGISTER:
	case BX_INVOCATION:
		s->m->request_type = (uint16_t)v;
		return true;
	default:
		return fail(s, "ERROR's request type is none");
	}
}

static bool
take_slot(struct scan *s, enum bx_slot slot)
{
	struct bx_message *m = s->m;
	struct bx_span text;
	enum kind kind;

	switch (slot) {
	case BX_SLOT_REQUEST:
		return take_id(s, &m->request);
	case BX_SLOT_SUBJECT:
		return take_id(s, &m->subject);
	case BX_SLOT_PUBLICATION:
		return take_id(s, &m->publication);
	case BX_SLOT_REQUEST_TYPE:
		return take_request_type(s);
	case BX_SLOT_DICT:
	case BX_SLOT_DICT_LAST:
		return take_dict(s);
	case BX_SLOT_URI:
		return take_uri(s, false);
	case BX_SLOT_URI_OR_NULL:
		return take_uri(s, true);
	case BX_SLOT_TEXT:
		if (!take_text(s, 1, &kind, &text))
			return false;
		return kind == KIND_TEXT || fail(s, "signature or method is not a string");
	}
	return false;
}

/* Goes to the next element, or says that the array ends here. */
static bool
next_element(struct scan *s, bool *more)
{
	struct bx_json_walk *k = &s->k;

	bx_json_walk_space(k);
	*more = bx_json_walk_peek(k) == ',';
	if (*more) {
		k->at++;
		bx_json_walk_space(k);
		return true;
	}
	if (k->at == s->close)
		return true;
	return fail(s, bx_json_walk_peek(k) == ']' ? "something follows the message"
						   : "expected \",\" or the end of the message");
}

/* An extension: any elements, all of them well-formed. */
static bool
take_extension(struct scan *s)
{
	bool more;

	s->m->flags |= BX_MSG_EXTENSION;
	for (;;) {
		if (!next_element(s, &more))
			return false;
		if (!more)
			return true;
		if (!bx_json_walk_value(&s->k, 1))
			return false;
	}
}

/* True for `["\u0000..."]`, alone or with an empty dict after it. */
static bool
is_one_binary(const struct bx_message *m)
{
	struct bx_json_walk k = bx_json_walk_over(bx_message_piece(m, m->rest), NULL);
	struct bx_span raw;

	k.at++;
	bx_json_walk_space(&k);
	if (bx_json_walk_peek(&k) != '"' || !bx_json_walk_string(&k, &raw) ||
	    !bx_json_walk_is_binary(raw))
		return false;
	bx_json_walk_space(&k);
	if (bx_json_walk_peek(&k) != ']')
		return false;
	k.at++;
	bx_json_walk_space(&k);
	if (bx_json_walk_peek(&k) == ',') {
		k.at++;
		bx_json_walk_space(&k);
		if (bx_json_walk_peek(&k) != '{')
			return false;
		k.at++;
		bx_json_walk_space(&k);
		if (bx_json_walk_peek(&k) != '}')
			return false;
		k.at++;
		bx_json_walk_space(&k);
	}
	return k.at == k.end;
}

/*
 * What stands at P. A binary is a string that begins with \u0000 and is the last element: then the
 * last byte before "]" is a quote. (So it is when kwargs is a string, which is malformed and found
 * by check_rest and box.)
 */
static void
classify(struct scan *s)
{
	struct bx_message *m = s->m;
	const uint8_t *p = s->k.at;
	const uint8_t *last = bx_json_walk_before_space(p, s->close);

	m->rest = (struct bx_piece){ offset(s, p), (uint32_t)(s->close - p) };
	m->payload = BX_PAYLOAD_ODD;
	if (*p == '[' || *p == 'n') {
		m->payload = BX_PAYLOAD_PLAIN;
		if (s->has_ppt_scheme && *p == '[' && is_one_binary(m))
			m->flags |= BX_MSG_PPT;
	} else if (last - p >= 8 && memcmp(p, "\"\\u0000", 7) == 0 && last[-1] == '"') {
		m->payload = BX_PAYLOAD_BINARY;
		if (last - p == 8)
			m->flags |= BX_MSG_BOX_EMPTY;
	}
}

static bool
take_elements(struct scan *s)
{
	struct bx_json_walk *k = &s->k;
	struct bx_message *m = s->m;
	uint64_t code;
	bool more = true;

	bx_json_walk_space(k);
	if (bx_json_walk_peek(k) != '[')
		return fail(s, "message is not a list");
	k->at++;
	bx_json_walk_space(k);
	if (!take_id(s, &code))
		return fail(s, "message type is not an integer");

	const struct bx_shape *shape = bx_shape_of(code);

	if (shape == NULL && (code < 256 || code > 1023))
		return fail(s, "no such message type");
	m->type = (uint16_t)code;
	if (shape == NULL)
		return take_extension(s);
	for (unsigned i = 0; i < shape->slot_count; i++) {
		if (!next_element(s, &more))
			return false;
		if (!more && i + 1 < shape->min_len)
			return fail(s, "message has too few elements");
		if (!more)
			break;
		if (!take_slot(s, shape->slots[i]))
			return false;
	}
	if (more && !next_element(s, &more))
		return false;
	m->rest = (struct bx_piece){ offset(s, s->close), 0 };
	if (!more)
		return true;
	if (shape->payload_at == 0)
		return fail(s, "message has too many elements");
	if (k->at >= s->close)
		return fail(s, "expected a value");
	classify(s);
	return true;
}

bool
bx_json_envelope_scan(struct bx_message *m, struct bx_writer *scratch, struct bx_defect *why)
{
	*m = (struct bx_message){ .bytes = m->bytes, .len = m->len, .ser = BX_SER_JSON };
	if (m->len > BX_MESSAGE_MAX) {
		*why = (struct bx_defect){ "message is longer than 64 MiB", 0 };
		return false;
	}

	struct scan s = { .k = bx_json_walk_over(bx_message_span(m), NULL),
			  .m = m,
			  .scratch = scratch };
	const uint8_t *last = bx_json_walk_before_space(s.k.begin, s.k.end);

	if (last == s.k.begin || last[-1] != ']') {
		*why = (struct bx_defect){ "message does not end with \"]\"", offset(&s, last) };
		return false;
	}
	s.close = last - 1;
	if (!take_elements(&s)) {
		*why = (struct bx_defect){ s.k.why, offset(&s, s.k.at) };
		return false;
	}
	return true;
}

/* Elements from P on, by what P is; `most` of them. */
static bool
check_elements(struct bx_json_walk *k, enum bx_payload payload, unsigned most)
{
	for (unsigned i = 0;; i++) {
		if (i == most)
			return bx_json_walk_fail(k, k->at, "message has too many elements");
		if (payload == BX_PAYLOAD_BINARY && i == 1)
			return bx_json_walk_fail(k, k->at, "something follows the payload");
		if (payload == BX_PAYLOAD_PLAIN && i == 1 && bx_json_walk_peek(k) != '{')
			return bx_json_walk_fail(k, k->at, "kwargs is not a dict");
		if (!bx_json_walk_value(k, 1))
			return false;
		bx_json_walk_space(k);
		if (k->at == k->end)
			return true;
		if (*k->at != ',')
			return bx_json_walk_fail(k, k->at, "expected \",\" or the end");
		k->at++;
		bx_json_walk_space(k);
	}
}

bool
bx_json_envelope_check_rest(const struct bx_message *m, struct bx_defect *why)
{
	const struct bx_shape *shape = bx_shape_of(m->type);
	struct bx_json_walk k = bx_json_walk_over(bx_message_piece(m, m->rest), NULL);

	if (m->payload == BX_PAYLOAD_NONE || shape == NULL)
		return true;
	k.begin = m->bytes;
	if (check_elements(&k, (enum bx_payload)m->payload,
			   (unsigned)(shape->max_len - shape->payload_at)))
		return true;
	*why = (struct bx_defect){ k.why, (size_t)(k.at - m->bytes) };
	return false;
}
