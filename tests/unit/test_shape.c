/* codec/shape: the table of spec 1.1 and the names of spec 1.3. */
#include "codec/shape.h"

#include <criterion/criterion.h>
#include <string.h>

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

/* Typed anew from spec 1.1: code, slots, least and most elements, P. */
static const struct {
	uint64_t code;
	const char
	    *slots; /* r q(request) s(ubject) p(ublication) d(ict) D(ict, last) u(ri) n(ull) t */
	unsigned least;
	unsigned most;
	unsigned payload_at;
} rows[] = {
	{ 1, "nd", 3, 3, 0 },   { 2, "sd", 3, 3, 0 },   { 3, "du", 3, 3, 0 },
	{ 4, "td", 3, 3, 0 },   { 5, "td", 3, 3, 0 },   { 6, "du", 3, 3, 0 },
	{ 8, "rqdu", 5, 7, 5 }, { 16, "qdu", 4, 6, 4 }, { 17, "qp", 3, 3, 0 },
	{ 32, "qdu", 4, 4, 0 }, { 33, "qs", 3, 3, 0 },  { 34, "qsD", 3, 4, 0 },
	{ 35, "qD", 2, 3, 0 },  { 36, "spd", 4, 6, 4 }, { 48, "qdu", 4, 6, 4 },
	{ 49, "qd", 3, 3, 0 },  { 50, "qd", 3, 5, 3 },  { 64, "qdu", 4, 4, 0 },
	{ 65, "qs", 3, 3, 0 },  { 66, "qsD", 3, 4, 0 }, { 67, "qD", 2, 3, 0 },
	{ 68, "qsd", 4, 6, 4 }, { 69, "qd", 3, 3, 0 },  { 70, "qd", 3, 5, 3 },
	{ 337, "p", 2, 2, 0 },
};

static char
letter(enum bx_slot slot)
{
	switch (slot) {
	case BX_SLOT_REQUEST:
		return 'q';
	case BX_SLOT_SUBJECT:
		return 's';
	case BX_SLOT_PUBLICATION:
		return 'p';
	case BX_SLOT_REQUEST_TYPE:
		return 'r';
	case BX_SLOT_DICT:
		return 'd';
	case BX_SLOT_DICT_LAST:
		return 'D';
	case BX_SLOT_URI:
		return 'u';
	case BX_SLOT_URI_OR_NULL:
		return 'n';
	case BX_SLOT_TEXT:
		return 't';
	}
	return '?';
}

Test(shape, every_code)
{
	size_t at = 0;

	for (uint64_t code = 0; code < 2000; code++) {
		const struct bx_shape *shape = bx_shape_of(code);

		if (at == sizeof(rows) / sizeof(rows[0]) || rows[at].code != code) {
			cr_assert_null(shape, "code %u", (unsigned)code);
			continue;
		}
		cr_assert_not_null(shape, "code %u", (unsigned)code);
		cr_assert_eq(shape->type, code);
		cr_assert_eq(shape->slot_count, strlen(rows[at].slots));
		for (size_t i = 0; i < shape->slot_count; i++)
			cr_assert_eq(letter((enum bx_slot)shape->slots[i]), rows[at].slots[i],
				     "code %u slot %zu", (unsigned)code, i);
		cr_assert_eq(shape->min_len, rows[at].least, "code %u", (unsigned)code);
		cr_assert_eq(shape->max_len, rows[at].most, "code %u", (unsigned)code);
		cr_assert_eq(shape->payload_at, rows[at].payload_at, "code %u", (unsigned)code);
		cr_assert_eq(shape->payload_at != 0, bx_type_has_payload((uint16_t)code));
		at++;
	}
	cr_assert_eq(at, sizeof(rows) / sizeof(rows[0]));
	cr_assert_null(bx_shape_of(UINT64_MAX));
	cr_assert_null(bx_shape_of(65536 + BX_PUBLISH));
}

Test(shape, keys)
{
	static const char *const others[] = { "",          "enc",         "enc_alg",
					      "enc_algos", "ENC_ALGO",    "enc_keys",
					      "topic2",    "ppt_schemes", "enc_algo_ok",
					      "matches",   "retaine_",    "enc_serializer2" };

	cr_assert_eq(bx_shape_key(BX_PUBLISH, span("enc_algo")), BX_DICT_ENC_ALGO);
	cr_assert_eq(bx_shape_key(BX_YIELD, span("enc_serializer")), BX_DICT_ENC_SERIALIZER);
	cr_assert_eq(bx_shape_key(BX_ERROR, span("enc_key")), BX_DICT_ENC_KEY);
	cr_assert_eq(bx_shape_key(BX_RESULT, span("progress")), BX_DICT_PROGRESS);
	cr_assert_eq(bx_shape_key(BX_EVENT, span("ppt_scheme")), BX_DICT_PPT_SCHEME);
	/* Those that one type gives a meaning. */
	cr_assert_eq(bx_shape_key(BX_EVENT, span("topic")), BX_DICT_TOPIC);
	cr_assert_eq(bx_shape_key(BX_PUBLISH, span("topic")), BX_DICT_OTHER);
	cr_assert_eq(bx_shape_key(BX_INVOCATION, span("procedure")), BX_DICT_PROCEDURE);
	cr_assert_eq(bx_shape_key(BX_CALL, span("procedure")), BX_DICT_OTHER);
	cr_assert_eq(bx_shape_key(BX_SUBSCRIBE, span("match")), BX_DICT_MATCH);
	cr_assert_eq(bx_shape_key(BX_REGISTER, span("match")), BX_DICT_MATCH);
	cr_assert_eq(bx_shape_key(BX_PUBLISH, span("match")), BX_DICT_OTHER);
	cr_assert_eq(bx_shape_key(BX_PUBLISH, span("acknowledge")), BX_DICT_ACKNOWLEDGE);
	cr_assert_eq(bx_shape_key(BX_EVENT, span("retained")), BX_DICT_RETAINED);
	cr_assert_eq(bx_shape_key(BX_UNSUBSCRIBED, span("subscription")), BX_DICT_SUBSCRIPTION);
	cr_assert_eq(bx_shape_key(BX_UNREGISTERED, span("registration")), BX_DICT_REGISTRATION);
	cr_assert_eq(bx_shape_key(BX_UNREGISTERED, span("subscription")), BX_DICT_OTHER);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(bx_shape_key(BX_EVENT, span(others[i])), BX_DICT_OTHER, "%s",
			     others[i]);
}

Test(shape, enc_names)
{
	static const struct {
		const char *name;
		enum bx_enc algo;
		enum bx_enc serializer;
	} names[] = {
		{ "cryptobox", BX_ENC_OURS, BX_ENC_INVALID },
		{ "json", BX_ENC_INVALID, BX_ENC_OURS },
		{ "mqtt", BX_ENC_FOREIGN, BX_ENC_INVALID },
		{ "xbr", BX_ENC_FOREIGN, BX_ENC_INVALID },
		{ "msgpack", BX_ENC_INVALID, BX_ENC_FOREIGN },
		{ "cbor", BX_ENC_INVALID, BX_ENC_FOREIGN },
		{ "ubjson", BX_ENC_INVALID, BX_ENC_FOREIGN },
		{ "flatbuffers", BX_ENC_INVALID, BX_ENC_FOREIGN },
		{ "x_", BX_ENC_FOREIGN, BX_ENC_FOREIGN },
		{ "x_ab", BX_ENC_FOREIGN, BX_ENC_FOREIGN },
		{ "x_a0_", BX_ENC_FOREIGN, BX_ENC_FOREIGN },
		{ "x_a", BX_ENC_INVALID, BX_ENC_INVALID },
		{ "x_0a", BX_ENC_INVALID, BX_ENC_INVALID },
		{ "x_aB", BX_ENC_INVALID, BX_ENC_INVALID },
		{ "x_a-b", BX_ENC_INVALID, BX_ENC_INVALID },
		{ "X_ab", BX_ENC_INVALID, BX_ENC_INVALID },
		{ "x", BX_ENC_INVALID, BX_ENC_INVALID },
		{ "", BX_ENC_INVALID, BX_ENC_INVALID },
		{ "CRYPTOBOX", BX_ENC_INVALID, BX_ENC_INVALID },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cr_assert_eq(bx_shape_enc_algo(span(names[i].name)), names[i].algo, "%s",
			     names[i].name);
		cr_assert_eq(bx_shape_enc_serializer(span(names[i].name)), names[i].serializer,
			     "%s", names[i].name);
	}
	cr_assert_eq(bx_shape_match(span("exact")), BX_MATCH_EXACT);
	cr_assert_eq(bx_shape_match(span("prefix")), BX_MATCH_PREFIX);
	cr_assert_eq(bx_shape_match(span("wildcard")), BX_MATCH_WILDCARD);
	cr_assert_eq(bx_shape_match(span("regex")), BX_MATCH_ODD);
}
