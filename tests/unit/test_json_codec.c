/* codec/json: envelopes, canonical text, sealing and opening; against Autobahn's own bytes. */
#include <criterion/criterion.h>
#include <zstd.h>

#include "base/base64.h"
#include "codec/codec.h"
#include "guard.h"
#include "vectors.h"

#define ROOM (4u << 20)

static uint8_t scratch_bytes[ROOM];
static uint8_t out_bytes[ROOM];
static uint8_t box_bytes[ROOM];

static const struct bx_codec *const json = &bx_json_codec;

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

static bool
scan_span(struct bx_span text, struct bx_message *m, struct bx_defect *why)
{
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));

	*m = (struct bx_message){ .bytes = text.ptr, .len = (uint32_t)text.len };
	return json->scan(m, &scratch, why);
}

static struct bx_message
scan(const char *text)
{
	struct bx_defect why = { 0 };
	struct bx_message m;

	cr_assert(scan_span(span(text), &m, &why), "%s: %s at %zu", text, why.what, why.at);
	cr_assert_eq(m.ser, BX_SER_JSON);
	return m;
}

static void
expect(struct bx_span got, const char *text)
{
	cr_assert(bx_span_is(got, text), "'%.*s' is not '%s'", (int)got.len, (const char *)got.ptr,
		  text);
}

static void
refused(const char *text)
{
	struct bx_defect why = { 0 };
	struct bx_message m;

	cr_assert(!scan_span(span(text), &m, &why), "accepted: %s", text);
	cr_assert_not_null(why.what);
	cr_assert_leq(why.at, strlen(text));
}

Test(json_codec, every_type_without_payload)
{
	struct bx_message m = scan("[1,\"realm1\",{\"roles\":{}}]");

	cr_assert_eq(m.type, BX_HELLO);
	expect(bx_message_uri(&m), "realm1");
	expect(bx_message_piece(&m, m.dict), "{\"roles\":{}}");
	m = scan("[1,null,{}]");
	cr_assert_null(m.uri);
	m = scan("[2,9007199254740992,{\"a\":1}]");
	cr_assert_eq(m.subject, 9007199254740992u);
	m = scan("[3,{\"message\":\"x\"},\"wamp.error.no_such_realm\"]");
	expect(bx_message_uri(&m), "wamp.error.no_such_realm");
	m = scan("[4,\"ticket\",{}]");
	cr_assert_eq(m.type, BX_CHALLENGE);
	m = scan("[5,\"secret\",{}]");
	cr_assert_eq(m.type, BX_AUTHENTICATE);
	m = scan("[6,{},\"wamp.close.normal\"]");
	expect(bx_message_uri(&m), "wamp.close.normal");
	m = scan("[17,1,2]");
	cr_assert(m.request == 1 && m.publication == 2);
	m = scan("[32,5,{\"match\":\"prefix\"},\"com.acme.\"]");
	cr_assert(m.request == 5 && m.match == BX_MATCH_PREFIX);
	cr_assert(m.flags & BX_MSG_URI_IN_ENVELOPE);
	m = scan("[33,5,6]");
	cr_assert(m.request == 5 && m.subject == 6);
	m = scan("[34,7,6]");
	cr_assert(m.request == 7 && m.subject == 6 && m.dict.len == 0);
	m = scan("[34,7,6,{}]");
	cr_assert_eq(m.dict.len, 2);
	m = scan("[35,7]");
	cr_assert_eq(m.request, 7);
	m = scan("[35,0,{\"subscription\":77,\"reason\":\"x\"}]");
	cr_assert(m.request == 0 && m.subject == 77);
	m = scan("[49,8,{\"mode\":\"kill\"}]");
	cr_assert_eq(m.request, 8);
	m = scan("[64,9,{\"match\":\"wildcard\"},\"com..x\"]");
	cr_assert(m.request == 9 && m.match == BX_MATCH_WILDCARD);
	m = scan("[65,9,10]");
	cr_assert_eq(m.subject, 10);
	m = scan("[66,11,10]");
	cr_assert(m.request == 11 && m.subject == 10);
	m = scan("[67,0,{\"registration\":78}]");
	cr_assert_eq(m.subject, 78);
	m = scan("[69,12,{}]");
	cr_assert_eq(m.request, 12);
	m = scan("[337,13]");
	cr_assert(m.type == BX_EVENT_RECEIVED && m.publication == 13);
	m = scan("[256]");
	cr_assert(m.type == 256 && m.flags == BX_MSG_EXTENSION && m.dict.len == 0);
	m = scan(" [ 1023 , [ 1 , { } ] , \"x\" ] ");
	cr_assert_eq(m.flags, BX_MSG_EXTENSION);
	cr_assert_eq(m.payload, BX_PAYLOAD_NONE);
}

Test(json_codec, every_type_with_payload)
{
	struct bx_message m = scan("[16,1,{\"acknowledge\":true},\"com.t\",[1],{\"a\":2}]");

	cr_assert_eq(m.type, BX_PUBLISH);
	cr_assert_eq(m.payload, BX_PAYLOAD_PLAIN);
	cr_assert_eq(m.flags, BX_MSG_URI_IN_ENVELOPE | BX_MSG_ACKNOWLEDGE);
	expect(bx_message_uri(&m), "com.t");
	expect(bx_message_piece(&m, m.dict), "{\"acknowledge\":true}");
	expect(bx_message_piece(&m, m.rest), "[1],{\"a\":2}");
	m = scan("[36,3,4,{\"topic\":\"com.x\",\"retained\":true}]");
	cr_assert(m.subject == 3 && m.publication == 4 && m.payload == BX_PAYLOAD_NONE);
	cr_assert_eq(m.flags, BX_MSG_URI_IN_DETAILS | BX_MSG_RETAINED);
	expect(bx_message_uri(&m), "com.x");
	cr_assert_eq(m.rest.len, 0);
	m = scan("[36,3,4,{\"topic\":null},[]]");
	cr_assert(m.uri == NULL && (m.flags & BX_MSG_URI_IN_DETAILS) == 0);
	m = scan("[48,1,{\"progress\":true},\"com.p\",null,{\"a\":2}]");
	cr_assert_eq(m.flags, BX_MSG_URI_IN_ENVELOPE | BX_MSG_PROGRESS);
	cr_assert_eq(m.payload, BX_PAYLOAD_PLAIN);
	m = scan("[50,1,{\"progress\":1},[]]");
	cr_assert(m.request == 1 && m.flags == 0 && m.payload == BX_PAYLOAD_PLAIN);
	m = scan("[68,5,6,{\"procedure\":\"com.p\"},[]]");
	cr_assert(m.request == 5 && m.subject == 6);
	expect(bx_message_uri(&m), "com.p");
	m = scan("[70,5,{}]");
	cr_assert_eq(m.payload, BX_PAYLOAD_NONE);
	m = scan("[8,48,9,{},\"com.err\",[\"x\"]]");
	cr_assert(m.request_type == 48 && m.request == 9);
	expect(bx_message_uri(&m), "com.err");
	expect(bx_message_piece(&m, m.rest), "[\"x\"]");
	/* Real recordings hold a null here; Autobahn would not read it. */
	cr_assert_eq(scan("[16,1,{},\"t\",null]").payload, BX_PAYLOAD_PLAIN);
}

Test(json_codec, payload_kinds)
{
	cr_assert_eq(scan("[16,1,{},\"t\",\"\\u0000QUJD\"]").payload, BX_PAYLOAD_BINARY);
	cr_assert_eq(scan("[16,1,{},\"t\",\"\\u0000QUJD\"]").flags, BX_MSG_URI_IN_ENVELOPE);
	cr_assert(scan("[16,1,{},\"t\" , \"\\u0000\" ] ").flags & BX_MSG_BOX_EMPTY);
	cr_assert_eq(scan("[16,1,{},\"t\",\"\\u0000QUJD\",{}]").payload, BX_PAYLOAD_ODD);
	cr_assert_eq(scan("[16,1,{},\"t\",\"text\"]").payload, BX_PAYLOAD_ODD);
	cr_assert_eq(scan("[16,1,{},\"t\",\"\"]").payload, BX_PAYLOAD_ODD);
	cr_assert_eq(scan("[16,1,{},\"t\",\"\\u0001QUJD\"]").payload, BX_PAYLOAD_ODD);
	cr_assert_eq(scan("[16,1,{},\"t\",{}]").payload, BX_PAYLOAD_ODD);
	cr_assert_eq(scan("[16,1,{},\"t\",7]").payload, BX_PAYLOAD_ODD);
}

Test(json_codec, enc_keys)
{
	struct bx_message m = scan("[50,1,{\"enc_algo\":\"cryptobox\",\"enc_serializer\":\"json\"},"
				   "\"\\u0000QUJD\"]");

	cr_assert_eq(m.enc_algo, BX_ENC_OURS);
	cr_assert_eq(m.enc_serializer, BX_ENC_OURS);
	cr_assert_eq(m.flags, BX_MSG_ENC_KEYS);
	m = scan("[50,1,{\"enc_algo\":\"xbr\",\"enc_serializer\":\"x_my\"},[]]");
	cr_assert(m.enc_algo == BX_ENC_FOREIGN && m.enc_serializer == BX_ENC_FOREIGN);
	m = scan("[50,1,{\"enc_algo\":\"rot13\",\"enc_serializer\":\"\"},[]]");
	cr_assert(m.enc_algo == BX_ENC_INVALID && m.enc_serializer == BX_ENC_INVALID);
	/* Not a string: a protocol error, left to the caller; null is absent. */
	m = scan("[50,1,{\"enc_algo\":1,\"enc_serializer\":null},[]]");
	cr_assert(m.enc_algo == BX_ENC_INVALID && m.enc_serializer == BX_ENC_ABSENT);
	cr_assert_eq(m.flags, BX_MSG_ENC_KEYS);
	m = scan("[50,1,{\"enc_algo\":\"\\u0000QUJD\"},[]]");
	cr_assert_eq(m.enc_algo, BX_ENC_INVALID);
	m = scan("[50,1,{\"enc_key\":\"k\"},[]]");
	cr_assert(m.enc_algo == BX_ENC_ABSENT && m.flags == BX_MSG_ENC_KEYS);
	m = scan("[50,1,{\"encalgo\":\"cryptobox\"},[]]");
	cr_assert(m.enc_algo == BX_ENC_ABSENT && m.flags == 0);
	/* Escapes, in key and value; the last of two counts. */
	m = scan("[50,1,{\"\\u0065nc_alg\\u006f\":\"crypto\\u0062ox\"},[]]");
	cr_assert(m.enc_algo == BX_ENC_OURS && m.flags == BX_MSG_ENC_KEYS);
	m = scan("[50,1,{\"enc_algo\":\"mqtt\",\"enc_algo\":\"cryptobox\"},[]]");
	cr_assert_eq(m.enc_algo, BX_ENC_OURS);
	m = scan("[50,1,{\"enc_algo\":\"cryptobox\",\"enc_algo\":null},[]]");
	cr_assert_eq(m.enc_algo, BX_ENC_ABSENT);
	/* A key deeper down is somebody else's. */
	m = scan("[50,1,{\"x\":{\"enc_algo\":\"cryptobox\"}},[]]");
	cr_assert(m.enc_algo == BX_ENC_ABSENT && m.flags == 0);
}

Test(json_codec, ppt)
{
	cr_assert(scan("[50,1,{\"ppt_scheme\":\"wamp\"},[\"\\u0000QUJD\"]]").flags & BX_MSG_PPT);
	cr_assert(scan("[50,1,{\"ppt_scheme\":\"wamp\"}, [ \"\\u0000QUJD\" ] , { } ]").flags &
		  BX_MSG_PPT);
	cr_assert_eq(scan("[50,1,{\"ppt_scheme\":\"\"},[\"\\u0000QUJD\"]]").flags, 0);
	cr_assert_eq(scan("[50,1,{\"ppt_scheme\":7},[\"\\u0000QUJD\"]]").flags, 0);
	cr_assert_eq(scan("[50,1,{\"ppt_scheme\":\"wamp\"},[\"QUJD\"]]").flags, 0);
	cr_assert_eq(scan("[50,1,{\"ppt_scheme\":\"wamp\"},[\"\\u0000QUJD\",1]]").flags, 0);
	cr_assert_eq(scan("[50,1,{\"ppt_scheme\":\"wamp\"},[\"\\u0000QUJD\"],{\"a\":1}]").flags, 0);
	cr_assert_eq(scan("[50,1,{\"ppt_scheme\":\"wamp\"},[]]").flags, 0);
	cr_assert_eq(scan("[50,1,{\"ppt_scheme\":\"wamp\"},\"\\u0000QUJD\"]").flags, 0);
}

Test(json_codec, escaped_uris_are_decoded)
{
	struct bx_message m = scan("[48,1,{},\"com\\u002ep\\u00e9\",[]]");

	expect(bx_message_uri(&m), "com.p\xC3\xA9");
	m = scan("[36,1,2,{\"topic\":\"a\\/b\"},[]]");
	expect(bx_message_uri(&m), "a/b");

	/* No room to decode into. */
	struct bx_span text = span("[48,1,{},\"com\\u002ep\",[]]");
	struct bx_writer none = bx_writer_over(scratch_bytes, 3);
	struct bx_defect why;

	m = (struct bx_message){ .bytes = text.ptr, .len = (uint32_t)text.len };
	cr_assert(!json->scan(&m, &none, &why));
}

Test(json_codec, malformed_envelopes)
{
	static const char *const bad[] = {
		"",
		" ",
		"]",
		"[",
		"[]",
		"{}",
		"16",
		"[16]",
		"[16,1]",
		"[16,1,{}]",
		"[\"16\",1,{},\"t\"]",
		"[16.0,1,{},\"t\"]",
		"[16e0,1,{},\"t\"]",
		"[true,1,{},\"t\"]",
		"[null,1,{},\"t\"]",
		"[0,1]",
		"[7,1]",
		"[255,1]",
		"[1024,1]",
		"[18446744073709551632,1,{},\"t\"]",
		"[16,1.0,{},\"t\"]",
		"[16,2.0,{},\"t\"]",
		"[16,1e3,{},\"t\"]",
		"[16,true,{},\"t\"]",
		"[16,\"1\",{},\"t\"]",
		"[16,null,{},\"t\"]",
		"[16,-1,{},\"t\"]",
		"[16,01,{},\"t\"]",
		"[16,9007199254740993,{},\"t\"]",
		"[16,18446744073709551617,{},\"t\"]",
		"[16,100000000000000000000000001,{},\"t\"]",
		"[16,1,[],\"t\"]",
		"[16,1,null,\"t\"]",
		"[16,1,{,\"t\"]",
		"[16,1,{\"a\"},\"t\"]",
		"[16,1,{\"a\":1,},\"t\"]",
		"[16,1,{\"a\":1 \"b\":2},\"t\"]",
		"[16,1,{\"a\":01},\"t\"]",
		"[16,1,{\"a\":\"\xFF\"},\"t\"]",
		"[16,1,{\"a\":\"\\u0000abc\"},\"t\"]",
		"[16,1,{},7]",
		"[16,1,{},null]",
		"[16,1,{},\"\xFF\"]",
		"[16,1,{},\"a\nb\"]",
		"[16,1,{},\"\\ud800\"]",
		"[16,1,{},\"\\u0000YWJj\"]",
		"[16,1,{},\"t\",]",
		"[16,1,{},\"t\"",
		"[16,1,{},\"t\"]]",
		"[16,1,{},\"t\"] ]",
		"[16,1,{} \"t\"]",
		"[16 1,{},\"t\"]",
		"x[16,1,{},\"t\"]",
		"[16,1,{},\"t\"]x",
		"\xEF\xBB\xBF[16,1,{},\"t\"]",
		"[8,48,1,{}]",
		"[8,50,1,{},\"e\"]",
		"[8,0,1,{},\"e\"]",
		"[8,16.0,1,{},\"e\"]",
		"[17,1]",
		"[17,1,2,3]",
		"[32,1,{},\"t\",[]]",
		"[34,1,2,{},{}]",
		"[34,1,2,null]",
		"[35]",
		"[35,1,{},1]",
		"[36,1,2]",
		"[36,1,{},{}]",
		"[3,\"x\",{}]",
		"[4,7,{}]",
		"[4,\"\\u0000YWJj\",{}]",
		"[256,]",
		"[256,01]",
		"[256,[}]",
		"[1,7,{}]",
		"[2,-1,{}]",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i]);
}

static bool
rest_is_good(const char *text)
{
	struct bx_message m = scan(text);
	struct bx_defect why = { 0 };
	bool ok = json->check_rest(&m, &why);

	cr_assert(ok || (why.what != NULL && why.at >= m.rest.off && why.at <= strlen(text)));
	return ok;
}

Test(json_codec, check_rest)
{
	static const char *const good[] = {
		"[16,1,{},\"t\"]",
		"[16,1,{},\"t\",[]]",
		"[16,1,{},\"t\",null]",
		"[16,1,{},\"t\" , [ 1 , \"\xC3\xA9\" ] , { \"a\" : [ NaN ] } ] ",
		"[16,1,{},\"t\",null,{}]",
		"[16,1,{},\"t\",\"\\u0000QUJD\"]",
		"[16,1,{},\"t\",\"\\u0000QUJD\",{}]",
		"[16,1,{},\"t\",\"text\"]",
		"[16,1,{},\"t\",{},7]",
		"[70,1,{},[\"\\ud800\"]]",
		"[17,1,2]",
		"[300,[],[]]",
	};
	static const char *const bad[] = {
		"[16,1,{},\"t\",nul]",
		"[16,1,{},\"t\",[]]]",
		"[16,1,{},\"t\",[],]",
		"[16,1,{},\"t\",[],null]",
		"[16,1,{},\"t\",[],[]]",
		"[16,1,{},\"t\",[],{},1]",
		"[16,1,{},\"t\",[01]]",
		"[16,1,{},\"t\",[\"\\u0000abc\"]]",
		"[16,1,{},\"t\",[\"\xC3\"]]",
		"[16,1,{},\"t\",[] {}]",
		"[16,1,{},\"t\",\"\\u0000abc\"]",
		"[16,1,{},\"t\",\"\\u0000QUJD\",\"x\"]",
		"[16,1,{},\"t\",\"\\u0000QUJD\\\"]",
		"[16,1,{},\"t\",{},1,1]",
		"[16,1,{},\"t\",[\"]",
		"[50,1,{},[],{},{}]",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert(rest_is_good(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(!rest_is_good(bad[i]), "%s", bad[i]);
}

static enum bx_coded
inner_of(const struct bx_message *m, struct bx_span *members, uint32_t *marks)
{
	struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
	struct bx_defect why = { 0 };
	enum bx_coded coded = json->args_to_inner(m, &w, marks, &why);

	cr_assert_eq(coded == BX_CODED_OK, why.what == NULL);
	*members = bx_since(&w, out_bytes);
	return coded;
}

static void
expect_inner(const char *message, const char *members, uint32_t marks)
{
	struct bx_message m = scan(message);
	struct bx_span got;
	uint32_t found = 0;

	cr_assert_eq(inner_of(&m, &got, &found), BX_CODED_OK, "%s", message);
	expect(got, members);
	cr_assert_eq(found, marks, "%s: marks %u", message, found);
}

Test(json_codec, lossless_mapping)
{
	expect_inner("[50,1,{}]", "\"args\":null,\"kwargs\":null", 0);
	expect_inner("[50,1,{},[]]", "\"args\":[],\"kwargs\":null", 0);
	expect_inner("[50,1,{},[1],{}]", "\"args\":[1],\"kwargs\":{}", 0);
	expect_inner("[50,1,{},null,{\"a\":1}]", "\"args\":null,\"kwargs\":{\"a\":1}", 0);
	/* The one that opening does not give back. */
	expect_inner("[50,1,{},null]", "\"args\":null,\"kwargs\":null", BX_MARK_REENCODED);
	/* White space in the envelope is kept as it is. */
	expect_inner(" [ 50 , 1 , { } , [],{}]", "\"args\":[],\"kwargs\":{}", 0);
	expect_inner(" [ 50 , 1 , { }]", "\"args\":null,\"kwargs\":null", 0);
	expect_inner("[50,1,{} ]", "\"args\":null,\"kwargs\":null", BX_MARK_REENCODED);
	expect_inner("[50,1,{}] ", "\"args\":null,\"kwargs\":null", BX_MARK_REENCODED);
	expect_inner("[50,1,{},[] ]", "\"args\":[],\"kwargs\":null", BX_MARK_REENCODED);
	expect_inner("[50,1,{},[]] ", "\"args\":[],\"kwargs\":null", BX_MARK_REENCODED);
	expect_inner("[50,1,{},[] ,{}]", "\"args\":[],\"kwargs\":{}", BX_MARK_REENCODED);
	expect_inner("[50,1,{},[], {}]", "\"args\":[],\"kwargs\":{}", BX_MARK_REENCODED);
	/* enc_* over a list are replaced (decisions.md 10). */
	expect_inner("[50,1,{\"enc_key\":null},[]]", "\"args\":[],\"kwargs\":null",
		     BX_MARK_REENCODED);
}

/* A value, its canonical form, and whether that is other text. */
static const struct {
	const char *value;
	const char *canonical;
} canon[] = {
	{ "[ 1 ,\t2 ]", "[1,2]" },
	{ "{ \"a\" : { } }", "{\"a\":{}}" },
	{ "[-0]", "[0]" },
	{ "[-0.0,0.0,-0]", "[-0.0,0.0,0]" },
	{ "[1E2]", "[100.0]" },
	{ "[1.50,1e-5,1e16,1e400,-1e400]", "[1.5,1e-05,1e+16,Infinity,-Infinity]" },
	{ "[0.10000000000000001,0.1]", "[0.1,0.1]" },
	{ "[100000000000000000000000000.0]", "[1e+26]" },
	{ "[12345678901234567890123456789012345678901]", NULL },
	{ "[\"\\/\"]", "[\"/\"]" },
	{ "[\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"]",
	  "[\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"]" },
	{ "[\"\\u0008\\u0009\\u000a\\u000C\\u000d\"]", "[\"\\b\\t\\n\\f\\r\"]" },
	{ "[\"\\u001F\\u000B\"]", "[\"\\u001f\\u000b\"]" },
	{ "[\"\\u0022\\u005c\\u002f\\u007f\"]", "[\"\\\"\\\\/\x7F\"]" },
	{ "[\"a\\u0000\\u0041\"]", "[\"a\\u0000A\"]" },
	{ "{\"\\u0000\\u0061\":1}", "{\"\\u0000a\":1}" },
	{ "[\"\\u0000YW-Jj\"]", "[\"\\u0000YWJj\"]" },
	{ "[\"\\u0000YWK=\"]", "[\"\\u0000YWI=\"]" },
	{ "[\"\\u0000YWI==\"]", "[\"\\u0000YWI=\"]" },
	{ "[\"\\u0000YWI=YWI=\"]", "[\"\\u0000YWI=\"]" },
	{ "[\"\\u0000YWI\\/\",\"\\u0000\\u0059Q==\"]", "[\"\\u0000YWI/\",\"\\u0000YQ==\"]" },
	/* Canonical as they are. */
	{ "[]", NULL },
	{ "{}", NULL },
	{ "null", NULL },
	{ "-12", NULL },
	{ "1e+16", NULL },
	{ "1.7976931348623157e+308", NULL },
	{ "\"a\"", NULL },
	{ "[NaN,Infinity,-Infinity]", NULL },
	{ "[0.1,0.0001,1e-05,123456789012345.6,1234567890123456.0,0.30000000000000004]", NULL },
	{ "[\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f/\"]", NULL },
	{ "[\"\\u0000\",\"\\u0000YWI/\",\"\\u0000YQ==\"]", NULL },
	{ "{\"z\":1,\"a\":{\"z\":1,\"a\":2},\"z\":3}", NULL },
	{ "[true,false,null,[[[]]],{\"\":\"\"}]", NULL },
};

Test(json_codec, canonical_forms)
{
	for (size_t i = 0; i < sizeof(canon) / sizeof(canon[0]); i++) {
		struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
		const char *expected = canon[i].canonical ? canon[i].canonical : canon[i].value;
		struct bx_defect why = { 0 };
		uint32_t marks = 0;
		char padded[400];

		cr_assert_eq(json->to_json(span(canon[i].value), &w, &marks, &why), BX_CODED_OK,
			     "%s", canon[i].value);
		expect(bx_since(&w, out_bytes), expected);
		cr_assert_eq(marks, canon[i].canonical ? BX_MARK_REENCODED : 0, "%s",
			     canon[i].value);

		/* Far from the end of the text numbers take another way. */
		snprintf(padded, sizeof(padded), "[%s,\"%040d\"]", canon[i].value, 0);
		w = bx_writer_over(out_bytes, sizeof(out_bytes));
		marks = 0;
		cr_assert_eq(json->from_json(span(padded), &w, &marks, &why), BX_CODED_OK);
		snprintf(padded, sizeof(padded), "[%s,\"%040d\"]", expected, 0);
		expect(bx_since(&w, out_bytes), padded);
		cr_assert_eq(marks, canon[i].canonical ? BX_MARK_REENCODED : 0);

		/* Every size of the room but the last is too small, and says so. */
		for (size_t cap = 0; cap <= strlen(expected); cap++) {
			struct guard g = { 0 };

			guard_init(&g, cap + 1);
			w = bx_writer_over(g.end - cap, cap);
			cr_assert_eq(json->to_json(span(canon[i].value), &w, &marks, &why),
				     cap < strlen(expected) ? BX_CODED_FULL : BX_CODED_OK, "%s",
				     canon[i].value);
			guard_free(&g);
		}
	}
}

Test(json_codec, values_refused)
{
	static const char *const bad[] = {
		"",      "[1",      "[1]]", "[01]",        "[\"\\u0000a\"]",
		"[1] 2", "{\"a\"}", "[.5]", "[\"\\u12\"]", "[\"\xFF\"]"
	};
	static const char *const lone[] = { "[\"\\ud800\"]", "\"\\udfffx\"", "{\"\\ud800\":1}",
					    "[\"\\ud83d\\u0041\\ude00\"]" };
	struct bx_defect why;
	uint32_t marks = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));

		cr_assert_eq(json->to_json(span(bad[i]), &w, &marks, &why), BX_CODED_BAD, "%s",
			     bad[i]);
		cr_assert_leq(why.at, strlen(bad[i]));
	}
	for (size_t i = 0; i < sizeof(lone) / sizeof(lone[0]); i++) {
		struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));

		cr_assert_eq(json->to_json(span(lone[i]), &w, &marks, &why),
			     BX_CODED_NOT_REPRESENTABLE, "%s", lone[i]);
	}
}

Test(json_codec, what_can_not_be_sealed)
{
	struct bx_message m = scan("[50,1,{},[\"\\ud800\"]]");
	struct bx_span got;
	uint32_t marks = 0;

	cr_assert_eq(inner_of(&m, &got, &marks), BX_CODED_NOT_REPRESENTABLE);
	m = scan("[50,1,{},[\"\\u0000abc\"]]");
	cr_assert_eq(inner_of(&m, &got, &marks), BX_CODED_BAD);
	m = scan("[50,1,{},[],[]]");
	cr_assert_eq(inner_of(&m, &got, &marks), BX_CODED_BAD);
	m = scan("[50,1,{},[],{},1]");
	cr_assert_eq(inner_of(&m, &got, &marks), BX_CODED_BAD);
	m = scan("[50,1,{},\"\\u0000QUJD\"]");
	cr_assert_eq(inner_of(&m, &got, &marks), BX_CODED_BAD);
	m = scan("[50,1,{},\"text\"]");
	cr_assert_eq(inner_of(&m, &got, &marks), BX_CODED_BAD);
}

/* seal_head, a box, and the end, in out_bytes. */
static struct bx_span
seal(const struct bx_message *m, struct bx_span box)
{
	struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
	uint8_t *text;

	json->seal_head(m, box.len, &w);
	text = bx_reserve(&w, bx_base64_len(box.len));
	cr_assert_not_null(text);
	bx_base64_encode(box, text);
	bx_put_text(&w, "\"]");
	cr_assert(!w.full);
	return bx_since(&w, out_bytes);
}

static void
expect_sealed(const char *message, const char *sealed)
{
	struct bx_message m = scan(message);

	expect(seal(&m, span("abc")), sealed);
}

#define KEYS "\"enc_algo\":\"cryptobox\",\"enc_serializer\":\"json\""
#define BOX "\"\\u0000YWJj\"]"

Test(json_codec, sealing_edits_the_dict_in_place)
{
	expect_sealed("[50,1,{}]", "[50,1,{" KEYS "}," BOX);
	expect_sealed("[50,1,{},[1]]", "[50,1,{" KEYS "}," BOX);
	expect_sealed("[50,1,{},[1],{\"a\":1}]", "[50,1,{" KEYS "}," BOX);
	expect_sealed("[50,1,{\"b\":2,\"a\":1},[1]]", "[50,1,{\"b\":2,\"a\":1," KEYS "}," BOX);
	expect_sealed(" [ 50 , 1 , { \"a\" : 1e0 } , [1] ]",
		      " [ 50 , 1 , { \"a\" : 1e0," KEYS " } , " BOX);
	expect_sealed("[50,1,{ },[1]]", "[50,1,{ " KEYS "}," BOX);
	expect_sealed("[50, 1, {} ]", "[50, 1, {" KEYS "}," BOX);
	expect_sealed("[48,1,{}, \"p\"]", "[48,1,{" KEYS "}, \"p\"," BOX);
	expect_sealed("[8,68,1,{\"x\":{}}, \"e\" , [] ]",
		      "[8,68,1,{\"x\":{}," KEYS "}, \"e\" , " BOX);
	/* Old enc_* go, wherever they stand. */
	expect_sealed("[50,1,{\"enc_algo\":\"xbr\"},[1]]", "[50,1,{" KEYS "}," BOX);
	expect_sealed("[50,1,{\"enc_algo\":\"xbr\",\"a\":1},[1]]", "[50,1,{\"a\":1," KEYS "}," BOX);
	expect_sealed("[50,1,{\"a\":1,\"enc_algo\":\"xbr\"},[1]]", "[50,1,{\"a\":1," KEYS "}," BOX);
	expect_sealed("[50,1,{\"a\":1,\"enc_key\":\"k\",\"b\":2},[1]]",
		      "[50,1,{\"a\":1,\"b\":2," KEYS "}," BOX);
}

/* A sealed message with an inner JSON becomes `plain`; coded as told. */
static enum bx_coded
open_as(const char *sealed, const char *inner_text, struct bx_span *plain)
{
	static uint8_t inner_scratch[1000];
	struct bx_writer scratch = bx_writer_over(inner_scratch, sizeof(inner_scratch));
	struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
	struct bx_message m = scan(sealed);
	struct bx_defect why = { 0 };
	struct bx_inner inner;
	enum bx_coded coded;

	cr_assert_eq(m.payload, BX_PAYLOAD_BINARY);
	cr_assert_eq(bx_inner_parse(span(inner_text), &scratch, &inner), BX_INNER_OK, "%s",
		     inner_text);
	coded = json->open(&m, &inner, &w, &why);
	*plain = bx_since(&w, out_bytes);
	return coded;
}

static void
expect_opened(const char *sealed, const char *inner, const char *plain)
{
	struct bx_span got;

	cr_assert_eq(open_as(sealed, inner, &got), BX_CODED_OK);
	expect(got, plain);
}

Test(json_codec, opening_inverts_the_mapping)
{
	const char *sealed = "[50,1,{" KEYS "}," BOX;

	expect_opened(sealed, "{}", "[50,1,{}]");
	expect_opened(sealed, "{\"args\":null,\"kwargs\":null}", "[50,1,{}]");
	expect_opened(sealed, "{\"args\":[],\"kwargs\":null}", "[50,1,{},[]]");
	expect_opened(sealed, "{\"args\":[1],\"kwargs\":{}}", "[50,1,{},[1],{}]");
	expect_opened(sealed, "{\"args\":null,\"kwargs\":{\"a\":1}}", "[50,1,{},null,{\"a\":1}]");
	expect_opened(sealed, "{\"kwargs\":{}}", "[50,1,{},null,{}]");
	/* Other peers' spelling becomes canonical. */
	expect_opened(sealed, "{\"args\" : [ 1.50 , \"\\/\" ] , \"kwargs\":{ \"a\":-0 }}",
		      "[50,1,{},[1.5,\"/\"],{\"a\":0}]");
	expect_opened(sealed, "{\"args\":[0.12345678901234567,0.30000000000000004]}",
		      "[50,1,{},[0.12345678901234566,0.30000000000000004]]");

	struct bx_span got;

	cr_assert_eq(open_as(sealed, "{\"args\":[\"\\ud800\"]}", &got), BX_CODED_NOT_REPRESENTABLE);
	cr_assert_eq(open_as(sealed, "{\"kwargs\":{\"\\ud800\":1}}", &got),
		     BX_CODED_NOT_REPRESENTABLE);
}

Test(json_codec, opening_removes_exactly_the_enc_keys)
{
	static const char *const dicts[][2] = {
		{ "{" KEYS "}", "{}" },
		{ "{ " KEYS "}", "{ }" },
		{ "{ " KEYS " }", "{  }" },
		{ "{\"a\":1," KEYS "}", "{\"a\":1}" },
		{ "{ \"a\" : 1," KEYS " }", "{ \"a\" : 1 }" },
		{ "{" KEYS ",\"a\":1}", "{\"a\":1}" },
		{ "{\"enc_algo\":\"cryptobox\",\"a\":1,\"enc_serializer\":\"json\"}", "{\"a\":1}" },
		{ "{\"a\":1,\"enc_algo\":\"cryptobox\",\"b\":2,\"enc_serializer\":\"json\",\"c\":"
		  "3}",
		  "{\"a\":1,\"b\":2,\"c\":3}" },
		{ "{\"a\":1, \"enc_key\":\"k\", \"b\":2, " KEYS "}", "{\"a\":1, \"b\":2}" },
		{ "{" KEYS ",\"enc_algo\":\"cryptobox\"}", "{}" },
		{ "{\"enc_\\u0061lgo\":\"cryptobox\",\"enc_serializer\":\"json\",\"x\":[1,{\"enc_"
		  "algo\":2}]}",
		  "{\"x\":[1,{\"enc_algo\":2}]}" },
		{ "{\"enc_algos\":1,\"Enc_algo\":2," KEYS "}", "{\"enc_algos\":1,\"Enc_algo\":2}" },
	};

	for (size_t i = 0; i < sizeof(dicts) / sizeof(dicts[0]); i++) {
		char sealed[300];
		char plain[300];

		snprintf(sealed, sizeof(sealed), "[68,1,2,%s , " BOX, dicts[i][0]);
		snprintf(plain, sizeof(plain), "[68,1,2,%s , [\"x\"]]", dicts[i][1]);
		expect_opened(sealed, "{\"args\":[\"x\"]}", plain);
		/* Nothing inside: the separator goes, too. */
		snprintf(plain, sizeof(plain), "[68,1,2,%s]", dicts[i][1]);
		expect_opened(sealed, "{}", plain);
	}
}

static bool
box_of(const char *message, struct bx_span *box)
{
	struct bx_writer w = bx_writer_over(box_bytes, sizeof(box_bytes));
	struct bx_message m = scan(message);
	struct bx_defect why = { 0 };
	bool ok = json->box(&m, &w, box, &why);

	cr_assert_eq(m.payload, BX_PAYLOAD_BINARY, "%s", message);
	cr_assert_eq(ok, why.what == NULL);
	return ok;
}

Test(json_codec, boxes)
{
	struct bx_span box;

	cr_assert(box_of("[50,1,{},\"\\u0000YWJj\"]", &box));
	expect(box, "abc");
	cr_assert(box_of("[50,1,{}, \"\\u0000YWJj\" ] ", &box));
	expect(box, "abc");
	cr_assert(box_of("[50,1,{},\"\\u0000\"]", &box));
	cr_assert_eq(box.len, 0);
	/* As Python reads it. */
	cr_assert(box_of("[50,1,{},\"\\u0000YW Jj\\n\"]", &box));
	expect(box, "abc");
	cr_assert(box_of("[50,1,{},\"\\u0000YWI\\/\"]", &box));
	expect(box, "ab?");
	cr_assert(box_of("[50,1,{},\"\\u0000YWJjZA==x\"]", &box));
	expect(box, "abcd");
	cr_assert(!box_of("[50,1,{},\"\\u0000YWJ\"]", &box));
	cr_assert(!box_of("[50,1,{},\"\\u0000YWJj\xC3\xA9\"]", &box));
	cr_assert(!box_of("[50,1,{},\"\\u0000YWJj\xC3\"]", &box));
	cr_assert(!box_of("[50,1,{},\"\\u0000YWJj\",\"x\"]", &box));
	cr_assert(!box_of("[50,1,{},\"\\u0000YWJj\\\"]", &box));

	/* No room. */
	struct bx_message m = scan("[50,1,{},\"\\u0000YWJj\"]");
	struct bx_writer w = bx_writer_over(box_bytes, 2);
	struct bx_defect why;

	cr_assert(!json->box(&m, &w, &box, &why));
}

/* The members of a plaintext, without the braces and the URI. */
static struct bx_span
members_of(struct bx_span plaintext)
{
	const uint8_t *p = memmem(plaintext.ptr, plaintext.len, "\"args\":", 7);

	return (struct bx_span){ p, (size_t)(plaintext.ptr + plaintext.len - 1 - p) };
}

/* One vector of Autobahn, both ways. */
static void
check_vector(json_t *v)
{
	const char *id = json_string_value(json_object_get(v, "id"));
	struct bx_span plain = vectors_hex(v, "plain_message_hex");
	struct bx_span sealed = vectors_hex(v, "sealed_message_hex");
	struct bx_span payload = vectors_hex(v, "payload_hex");
	struct bx_span plaintext = vectors_hex(v, "plaintext_hex");
	struct bx_writer box_room = bx_writer_over(box_bytes, sizeof(box_bytes));
	struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	struct bx_defect why = { 0 };
	struct bx_message m;
	struct bx_inner inner;
	struct bx_span got;
	uint32_t marks = 0;
	/* Autobahn leaves an empty {} out of the plain message: it can not come back from there. */
	bool invertible =
	    strstr(id, "/empty-both/") == NULL && strstr(id, "/args-empty-kwargs/") == NULL;

	cr_assert_not_null(plain.ptr, "%s", id);
	cr_assert(scan_span(plain, &m, &why), "%s: %s", id, why.what);
	cr_assert(json->check_rest(&m, &why), "%s: %s", id, why.what);
	cr_assert_eq(inner_of(&m, &got, &marks), BX_CODED_OK, "%s", id);
	cr_assert_eq(bx_span_equal(got, members_of(plaintext)), invertible, "%s: %.*s", id,
		     (int)got.len, (const char *)got.ptr);
	cr_assert_eq(marks, 0, "%s", id);
	cr_assert(bx_span_equal(seal(&m, payload), sealed), "%s", id);

	cr_assert(scan_span(sealed, &m, &why), "%s: %s", id, why.what);
	cr_assert(json->check_rest(&m, &why), "%s: %s", id, why.what);
	cr_assert_eq(m.payload, BX_PAYLOAD_BINARY);
	cr_assert(m.enc_algo == BX_ENC_OURS && m.enc_serializer == BX_ENC_OURS);
	cr_assert(json->box(&m, &box_room, &got, &why), "%s: %s", id, why.what);
	cr_assert(bx_span_equal(got, payload), "%s", id);
	cr_assert_eq(bx_inner_parse(plaintext, &scratch, &inner), BX_INNER_OK, "%s", id);
	cr_assert_eq(json->open(&m, &inner, &w, &why), BX_CODED_OK, "%s", id);
	cr_assert_eq(bx_span_equal(bx_since(&w, out_bytes), plain), invertible, "%s: %.*s", id,
		     (int)bx_written(&w), (const char *)out_bytes);
	free((void *)(uintptr_t)plain.ptr);
	free((void *)(uintptr_t)sealed.ptr);
	free((void *)(uintptr_t)payload.ptr);
	free((void *)(uintptr_t)plaintext.ptr);
}

Test(json_codec, vectors)
{
	json_t *root = vectors_load();
	unsigned count = 0;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(root, "vectors"), i, v)
	{
		if (strcmp(json_string_value(json_object_get(v, "serializer")), "json") != 0)
			continue;
		check_vector(v);
		count++;
	}
	cr_assert_eq(count, 74);

	/* What a live session sent. */
	json_array_foreach(json_object_get(root, "session"), i, v)
	{
		struct bx_span sealed = vectors_hex(json_object_get(v, "message_hex"), "json");
		struct bx_span payload = vectors_hex(v, "payload_hex");
		struct bx_writer w = bx_writer_over(box_bytes, sizeof(box_bytes));
		struct bx_defect why = { 0 };
		struct bx_message m;
		struct bx_span box;

		if (sealed.ptr != NULL && payload.ptr != NULL) {
			cr_assert(scan_span(sealed, &m, &why), "%s", why.what);
			cr_assert(json->box(&m, &w, &box, &why), "%s", why.what);
			cr_assert(bx_span_equal(box, payload));
			count++;
		}
		free((void *)(uintptr_t)sealed.ptr);
		free((void *)(uintptr_t)payload.ptr);
	}
	cr_assert_geq(count, 74 + 15);
	json_decref(root);
}

Test(json_codec, values_of_the_vectors_are_canonical)
{
	json_t *root = vectors_load();
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(root, "json_values"), i, v)
	{
		struct bx_span value = vectors_hex(v, "json_utf8_hex");
		struct bx_writer w = bx_writer_over(out_bytes, sizeof(out_bytes));
		struct bx_defect why = { 0 };
		uint32_t marks = 0;

		cr_assert_eq(json->to_json(value, &w, &marks, &why), BX_CODED_OK);
		cr_assert(bx_span_equal(bx_since(&w, out_bytes), value));
		cr_assert_eq(marks, 0);
		free((void *)(uintptr_t)value.ptr);
	}
	cr_assert_eq(i, 37);
	json_decref(root);
}

/* A whole recording in memory; free it. */
static char *
load_trace(const char *set, size_t *len)
{
	char path[400];
	char *packed;
	char *text;
	size_t packed_len;
	FILE *f;

	snprintf(path, sizeof(path), BX_TEST_DATA "/captures/%s/capture.trace.jsonl.zst", set);
	f = fopen(path, "rb");
	cr_assert_not_null(f, "%s", path);
	fseek(f, 0, SEEK_END);
	packed_len = (size_t)ftell(f);
	rewind(f);
	packed = malloc(packed_len);
	cr_assert_eq(fread(packed, 1, packed_len, f), packed_len);
	fclose(f);
	text = malloc(64u << 20);
	*len = ZSTD_decompress(text, 64u << 20, packed, packed_len);
	cr_assert(!ZSTD_isError(*len));
	free(packed);
	return text;
}

/* Seals with the plaintext itself in place of a box, opens again: the same bytes must come back. */
static void
there_and_back(struct bx_span text)
{
	static uint8_t inner_bytes[ROOM];
	struct bx_writer w = bx_writer_over(inner_bytes, sizeof(inner_bytes));
	struct bx_writer room = bx_writer_over(box_bytes, sizeof(box_bytes));
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	struct bx_defect why = { 0 };
	struct bx_message m;
	struct bx_inner inner;
	struct bx_span plaintext;
	uint32_t marks = 0;

	cr_assert(scan_span(text, &m, &why), "%.*s: %s", (int)text.len, text.ptr, why.what);
	bx_put_text(&w, "{\"uri\":\"u\",");
	cr_assert_eq(json->args_to_inner(&m, &w, &marks, &why), BX_CODED_OK, "%s", why.what);
	bx_put_u8(&w, '}');
	cr_assert_eq(marks, 0, "%.*s", (int)text.len, (const char *)text.ptr);

	struct bx_span sealed = seal(&m, bx_since(&w, inner_bytes));
	struct guard g = { 0 };

	guard_init(&g, sealed.len);
	sealed.ptr = guard_copy(&g, sealed.ptr, sealed.len);
	cr_assert(scan_span(sealed, &m, &why), "%s", why.what);
	cr_assert(json->box(&m, &room, &plaintext, &why), "%s", why.what);
	cr_assert_eq(bx_inner_parse(plaintext, &scratch, &inner), BX_INNER_OK);
	w = bx_writer_over(out_bytes, sizeof(out_bytes));
	cr_assert_eq(json->open(&m, &inner, &w, &why), BX_CODED_OK);
	cr_assert(bx_span_equal(bx_since(&w, out_bytes), text), "%.*s", (int)text.len,
		  (const char *)text.ptr);
	guard_free(&g);
}

/* Every message that Crossbar and Autobahn exchanged in JSON. */
static unsigned
walk_trace(const char *set, unsigned *sealed)
{
	unsigned payloads = 0;
	size_t len;
	char *text = load_trace(set, &len);
	char *line = text;

	*sealed = 0;
	while (line < text + len) {
		char *end = memchr(line, '\n', (size_t)(text + len - line));
		char *b64 = memmem(line, (size_t)(end - line), "\"b64\":\"", 7);
		char *close = memchr(b64 + 7, '"', (size_t)(end - b64 - 7));
		struct bx_span encoded = { (uint8_t *)b64 + 7, (size_t)(close - b64 - 7) };
		uint8_t *bytes = malloc(encoded.len + 1);
		struct bx_span message = { bytes, 0 };
		struct bx_defect why = { 0 };
		struct bx_message m;

		cr_assert(bx_base64_decode(encoded, bytes, &message.len));
		cr_assert(scan_span(message, &m, &why), "%.*s: %s", (int)message.len, bytes,
			  why.what);
		cr_assert(json->check_rest(&m, &why), "%s", why.what);
		if (bx_type_has_payload(m.type)) {
			payloads++;
			if (m.payload == BX_PAYLOAD_BINARY && (m.flags & BX_MSG_ENC_KEYS) != 0)
				(*sealed)++;
			else if (m.payload == BX_PAYLOAD_PLAIN || m.payload == BX_PAYLOAD_NONE)
				there_and_back(message);
		}
		free(bytes);
		line = end + 1;
	}
	free(text);
	return payloads;
}

Test(json_codec, captures)
{
	unsigned sealed;

	cr_assert_gt(walk_trace("rs-json-plain", &sealed), 1000);
	cr_assert_eq(sealed, 0);
	cr_assert_gt(walk_trace("ws-json-plain", &sealed), 1000);
	cr_assert_gt(walk_trace("rs-json-sealed", &sealed), 1000);
	cr_assert_eq(sealed, 985);
}
