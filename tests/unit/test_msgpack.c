#include "codec_kit.h"

static const struct bx_codec *const codec = &bx_msgpack_codec;

static struct kit_bytes bytes, out;

/* --- vectors of Autobahn ---------------------------------------------------------------------- */

Test(msgpack, vectors)
{
	cr_assert_eq(kit_each_vector(codec, kit_check_vector), 74);
}

Test(msgpack, vectors_cut_at_every_byte)
{
	(void)kit_each_vector(codec, kit_check_cuts);
}

Test(msgpack, vectors_with_any_room)
{
	(void)kit_each_vector(codec, kit_check_room);
}

/* --- values ----------------------------------------------------------------------------------- */

Test(msgpack, integers_to_json)
{
	kit_expect_json(codec, "00", "0", false);
	kit_expect_json(codec, "09", "9", false);
	kit_expect_json(codec, "0a", "10", false);
	kit_expect_json(codec, "7f", "127", false);
	kit_expect_json(codec, "cc80", "128", false);
	kit_expect_json(codec, "ccff", "255", false);
	kit_expect_json(codec, "cd0100", "256", false);
	kit_expect_json(codec, "cdffff", "65535", false);
	kit_expect_json(codec, "ce00010000", "65536", false);
	kit_expect_json(codec, "cf0000000100000000", "4294967296", false);
	kit_expect_json(codec, "cfffffffffffffffff", "18446744073709551615", false);
	kit_expect_json(codec, "ff", "-1", false);
	kit_expect_json(codec, "e0", "-32", false);
	kit_expect_json(codec, "d0df", "-33", false);
	kit_expect_json(codec, "d080", "-128", false);
	kit_expect_json(codec, "d1ff7f", "-129", false);
	kit_expect_json(codec, "d18000", "-32768", false);
	kit_expect_json(codec, "d2ffff7fff", "-32769", false);
	kit_expect_json(codec, "d280000000", "-2147483648", false);
	kit_expect_json(codec, "d3ffffffff7fffffff", "-2147483649", false);
	kit_expect_json(codec, "d38000000000000000", "-9223372036854775808", false);
}

Test(msgpack, integers_that_are_not_minimal)
{
	kit_expect_json(codec, "cc7f", "127", true);
	kit_expect_json(codec, "cd00ff", "255", true);
	kit_expect_json(codec, "ce0000ffff", "65535", true);
	kit_expect_json(codec, "cf00000000ffffffff", "4294967295", true);
	kit_expect_json(codec, "d000", "0", true);
	kit_expect_json(codec, "d07f", "127", true);
	kit_expect_json(codec, "d0e0", "-32", true);
	kit_expect_json(codec, "d1ff80", "-128", true);
	kit_expect_json(codec, "d17fff", "32767", true);
	kit_expect_json(codec, "d2ffff8000", "-32768", true);
	kit_expect_json(codec, "d27fffffff", "2147483647", true);
	kit_expect_json(codec, "d3ffffffff80000000", "-2147483648", true);
	kit_expect_json(codec, "d37fffffffffffffff", "9223372036854775807", true);
}

Test(msgpack, floats_to_json)
{
	kit_expect_json(codec, "cb0000000000000000", "0.0", false);
	kit_expect_json(codec, "cb8000000000000000", "-0.0", false);
	kit_expect_json(codec, "cb3ff8000000000000", "1.5", false);
	kit_expect_json(codec, "cb4042f5c28f5c28f6", "37.92", false);
	kit_expect_json(codec, "cb3f1a36e2eb1c432d", "0.0001", false);
	kit_expect_json(codec, "cb3ee4f8b588e368f1", "1e-05", false);
	kit_expect_json(codec, "cb41cdcd64fffffff8", "999999999.999999", false);
	kit_expect_json(codec, "cb41cdcd6500000000", "1000000000.0", false);
	kit_expect_json(codec, "cb7ff0000000000000", "Infinity", false);
	kit_expect_json(codec, "cbfff0000000000000", "-Infinity", false);
	kit_expect_json(codec, "cb7ff8000000000000", "NaN", false);
	kit_expect_json(codec, "cbfff8000000000000", "NaN", true);
	kit_expect_json(codec, "cb7ff8000000000001", "NaN", true);
	kit_expect_json(codec, "cb7ff0000000000001", "NaN", true);
	kit_expect_json(codec, "ca3fc00000", "1.5", true);
	kit_expect_json(codec, "ca3dcccccd", "0.10000000149011612", true);
}

Test(msgpack, strings_and_binaries_to_json)
{
	kit_expect_json(codec, "a0", "\"\"", false);
	kit_expect_json(codec, "a3616263", "\"abc\"", false);
	kit_expect_json(codec, "a522 5c 0a 01 7f", "\"\\\"\\\\\\n\\u0001\x7F\"", false);
	kit_expect_json(codec, "a2c3a9", "\"\xC3\xA9\"", false);
	kit_expect_json(codec, "d903616263", "\"abc\"", true);
	kit_expect_json(codec, "da0003616263", "\"abc\"", true);
	kit_expect_json(codec, "db00000003616263", "\"abc\"", true);
	kit_expect_json(codec, "a100", "\"\\u0000\"", true); /* would come back as binary */
	kit_expect_json(codec, "a3610062", "\"a\\u0000b\"", false);
	kit_expect_json(codec, "c400", "\"\\u0000\"", false);
	kit_expect_json(codec, "c403000102", "\"\\u0000AAEC\"", false);
	kit_expect_json(codec, "c50003000102", "\"\\u0000AAEC\"", true);
	kit_expect_json(codec, "c600000003000102", "\"\\u0000AAEC\"", true);
}

Test(msgpack, containers_to_json)
{
	kit_expect_json(codec, "90", "[]", false);
	kit_expect_json(codec, "80", "{}", false);
	kit_expect_json(codec, "93c0c2c3", "[null,false,true]", false);
	kit_expect_json(codec, "92 9180 81a161 90", "[[{}],{\"a\":[]}]", false);
	kit_expect_json(codec, "82a16101a16102", "{\"a\":1,\"a\":2}", false);
	kit_expect_json(codec, "dc0001c0", "[null]", true);
	kit_expect_json(codec, "dd00000001c0", "[null]", true);
	kit_expect_json(codec, "de0001a161c0", "{\"a\":null}", true);
	kit_expect_json(codec, "df00000001a161c0", "{\"a\":null}", true);
	kit_expect_json(codec, "81d90161c0", "{\"a\":null}", true);
	kit_expect_json(codec, "81a100c0", "{\"\\u0000\":null}", false); /* keys are never binary */
}

Test(msgpack, ext_becomes_a_pair)
{
	kit_expect_json(codec, "d405ff", "[5,\"\\u0000/w==\"]", true);
	kit_expect_json(codec, "d8000102030405060708090a0b0c0d0e0f10",
			"[0,\"\\u0000AQIDBAUGBwgJCgsMDQ4PEA==\"]", true);
	kit_expect_json(codec, "c7007f", "[127,\"\\u0000\"]", true);
	kit_expect_json(codec, "92c8000301aabbcc01", "[[1,\"\\u0000qrvM\"],1]", true);
	kit_expect_json(codec, "c90000000102ee", "[2,\"\\u00007g==\"]", true);
}

Test(msgpack, what_cannot_be_sealed)
{
	kit_expect_refused(codec, "d6ff00000000", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "d7ff0000000000000000", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "c70cff3b9ac9ff0000000000000000", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "81c40161c0", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "9281c40161c0c1", BX_CODED_BAD); /* malformed further on */
}

Test(msgpack, malformed_values)
{
	kit_expect_refused(codec, "", BX_CODED_BAD);
	kit_expect_refused(codec, "c1", BX_CODED_BAD);
	kit_expect_refused(codec, "c0c0", BX_CODED_BAD);
	kit_expect_refused(codec, "a1ff", BX_CODED_BAD);
	kit_expect_refused(codec, "a2c0af", BX_CODED_BAD);
	kit_expect_refused(codec, "a3eda080", BX_CODED_BAD);
	kit_expect_refused(codec, "81a1ffc0", BX_CODED_BAD);
	kit_expect_refused(codec, "8101c0", BX_CODED_BAD);
	kit_expect_refused(codec, "81c0c0", BX_CODED_BAD);
	kit_expect_refused(codec, "8190c0", BX_CODED_BAD);
	kit_expect_refused(codec, "d4fe00", BX_CODED_BAD);
	kit_expect_refused(codec, "d4ff00", BX_CODED_BAD);
	kit_expect_refused(codec, "d7ffffffffff00000000", BX_CODED_BAD);
	kit_expect_refused(codec, "c70cff3b9aca000000000000000000", BX_CODED_BAD);
}

Test(msgpack, lengths_that_are_not_there)
{
	static const char *const heads[] = {
		"ddffffffff", "dfffffffff", "dcffff",     "deffff",     "dbffffffff",
		"c6ffffffff", "daffff",     "c5ffff",     "c9ffffffff", "c8ffff",
		"9f",         "8f",         "dd80000000", "df80000000", "93ddffffffffc0",
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		kit_expect_refused(codec, heads[i], BX_CODED_BAD);
}

Test(msgpack, json_to_values)
{
	kit_expect_value(codec, "[0,127,128,256,65536,4294967296,18446744073709551615]",
			 "97007fcc80cd0100ce00010000cf0000000100000000cfffffffffffffffff", false);
	kit_expect_value(codec, "[-1,-32,-33,-129,-32769,-2147483649,-9223372036854775808]",
			 "97ffe0d0dfd1ff7fd2ffff7fffd3ffffffff7fffffffd38000000000000000", false);
	kit_expect_value(codec, "[1.0,-0.0,NaN,Infinity,-Infinity]",
			 "95cb3ff0000000000000cb8000000000000000cb7ff8000000000000"
			 "cb7ff0000000000000cbfff0000000000000",
			 false);
	kit_expect_value(codec, "{\"a\":[null,true,false],\"b\":{}}", "82a16193c0c3c2a16280",
			 false);
	kit_expect_value(codec, "\"\\u0000AAEC\"", "c403000102", false);
	kit_expect_value(codec, "{\"\\u0000AAEC\":1}", "81a50041414543 01", false);
	kit_expect_value(codec, "\"\\u0001\\n\\\"\"", "a3010a22", false);
	kit_expect_value(codec, "12345678901234567", "cf002bdc545d6b4b87", false);
	kit_expect_value(codec, "-1234567890123456789", "d3eeddef0b82167eeb", false);
}

Test(msgpack, json_that_is_not_canonical)
{
	kit_expect_value(codec, " [ 1 , 2 ] ", "920102", true);
	kit_expect_value(codec, "-0", "00", true);
	kit_expect_value(codec, "1e2", "cb4059000000000000", true);
	kit_expect_value(codec, "[1.50]", "91cb3ff8000000000000", true);
	kit_expect_value(codec, "[0.00001,1                 ]", "92cb3ee4f8b588e368f101", true);
	kit_expect_value(codec, "\"\\/\"", "a12f", true);
	kit_expect_value(codec, "\"\\u0041\"", "a141", true);
	kit_expect_value(codec, "\"\\u001F\"", "a11f", true);
	kit_expect_value(codec, "\"\\ud83d\\ude00\"", "a4f09f9880", true);
	kit_expect_value(codec, "\"\\u0000QUI-=\"", "c4024142", true);
	kit_expect_value(codec, "1e400", "cb7ff0000000000000", true);
}

static void
expect_json_refused(const char *json, enum bx_coded coded)
{
	struct kit_result r = kit_from_json(codec, kit_text(json), &out);

	cr_assert_eq(r.coded, coded, "%s: %d", json, r.coded);
	cr_assert_eq(r.out.len, 0, "%s", json);
	cr_assert_not_null(r.why.what);
}

Test(msgpack, json_without_such_a_value)
{
	expect_json_refused("18446744073709551616", BX_CODED_NOT_REPRESENTABLE);
	expect_json_refused("-9223372036854775809", BX_CODED_NOT_REPRESENTABLE);
	expect_json_refused("[1,[100000000000000000000000000000]]", BX_CODED_NOT_REPRESENTABLE);
	expect_json_refused("\"\\ud83d\"", BX_CODED_NOT_REPRESENTABLE);
	expect_json_refused("{\"\\ude00\":1}", BX_CODED_NOT_REPRESENTABLE);
}

Test(msgpack, malformed_json)
{
	static const char *const texts[] = {
		"",
		" ",
		"[",
		"]",
		"[1",
		"[1,]",
		"[,1]",
		"{",
		"{1:2}",
		"{\"a\"}",
		"{\"a\":",
		"{\"a\":1,}",
		"{\"a\":1",
		"[1}",
		"{\"a\":1]",
		"1 2",
		"01",
		"-",
		"-01",
		"1.",
		".5",
		"1e",
		"1e+",
		"+1",
		"nul",
		"truE",
		"\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\t\"",
		"\"\xFF\"",
		"\"\xC3\"",
		"'a'",
		"nan",
		"\"\\u0000A\"",
		"\"\\u0000\xC3\xA9\"",
		"[1 2]",
		("\xEF\xBB\xBF"
		 "1"),
		"[\"a\" \"b\"]",
		"{\"abc\" 1                      }",
		"[1]]",
		"Infinit",
		"-Inf",
		"1.5.5",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_json_refused(texts[i], BX_CODED_BAD);
	cr_assert_eq(
	    kit_from_json(codec, (struct bx_span){ (const uint8_t *)"1\0", 2 }, &out).coded,
	    BX_CODED_BAD);
}

Test(msgpack, integers_have_at_most_4300_digits)
{
	static char text[5000];

	memset(text, '9', 4301);
	expect_json_refused(text, BX_CODED_BAD);
	text[4300] = '\0';
	expect_json_refused(text, BX_CODED_NOT_REPRESENTABLE);
}

/* A container whose head outgrows the byte that was reserved for it. */
Test(msgpack, heads_grow_when_containers_close)
{
	static char json[1 << 19];

	for (size_t count = 14; count < 66000;
	     count = count < 17 ? count + 1 : count * 4001 / 1000) {
		char *p = json;

		p += sprintf(p, "[[");
		for (size_t i = 0; i < count; i++)
			p += sprintf(p, "%s%zu", i == 0 ? "" : ",", i % 7);
		p += sprintf(p, "],\"tail\",{}]");

		struct kit_result r = kit_from_json(codec, kit_text(json), &out);
		size_t head = count < 16 ? 1 : count < 65536 ? 3 : 5;

		cr_assert_eq(r.coded, BX_CODED_OK);
		cr_assert_eq(r.out.len, 1 + head + count + 6);
		cr_assert_eq(memcmp(r.out.ptr + 1 + head + count, "\xA4tail\x80", 6), 0);
		for (size_t i = 0; i < count; i++)
			cr_assert_eq(r.out.ptr[1 + head + i], i % 7);
		bytes.len = r.out.len;
		memcpy(bytes.b, r.out.ptr, r.out.len);
		r = kit_to_json(codec, (struct bx_span){ bytes.b, bytes.len }, &out);
		cr_assert_eq(r.coded, BX_CODED_OK);
		cr_assert_eq(r.marks, 0);
		cr_assert(bx_span_is(r.out, json));
	}
}

Test(msgpack, nesting_stops_at_512)
{
	struct bx_defect why;
	struct kit_result r;

	memset(bytes.b, 0x91, 512);
	bytes.b[511] = 0x90;
	r = kit_to_json(codec, (struct bx_span){ bytes.b, 512 }, &out);
	cr_assert_eq(r.coded, BX_CODED_OK);
	cr_assert_eq(r.out.len, 1024);
	r = kit_from_json(codec, (struct bx_span){ out.b, 1024 }, &bytes);
	cr_assert_eq(r.coded, BX_CODED_OK);
	cr_assert_eq(r.out.len, 512);
	memset(bytes.b, 0x91, 513);
	bytes.b[512] = 0x90;
	cr_assert_eq(kit_to_json(codec, (struct bx_span){ bytes.b, 513 }, &out).coded,
		     BX_CODED_BAD);
	memset(out.b, '[', 513);
	memset(out.b + 513, ']', 513);
	cr_assert_eq(kit_from_json(codec, (struct bx_span){ out.b, 1026 }, &bytes).coded,
		     BX_CODED_BAD);

	/* As arguments: the message is the outermost container. */
	struct bx_span m_bytes = kit_hex("95100180a161", &bytes);
	struct bx_message m;

	for (size_t depth = 511; depth <= 512; depth++) {
		memset(bytes.b + 6, 0x91, depth);
		bytes.b[6 + depth - 1] = 0x90;
		m_bytes.len = 6 + depth;
		cr_assert(kit_scan(codec, m_bytes, &m, &why));
		cr_assert_eq(codec->check_rest(&m, &why), depth == 511);
		cr_assert_eq(kit_args(codec, &m, &out).coded,
			     depth == 511 ? BX_CODED_OK : BX_CODED_BAD);
	}
}

/* --- sequences -------------------------------------------------------------------------------- */

static enum bx_step
extent(const char *hex, size_t *len)
{
	struct bx_defect why = { 0 };
	enum bx_step step = codec->extent(kit_hex(hex, &bytes), len, &why);

	cr_assert_eq(step == BX_STEP_FAIL, why.what != NULL);
	return step;
}

Test(msgpack, extents)
{
	size_t len = 0;

	cr_assert_eq(extent("95100180a16190 9510", &len), BX_STEP_ITEM);
	cr_assert_eq(len, 7);
	cr_assert_eq(extent("81a161c4020102 00", &len), BX_STEP_ITEM);
	cr_assert_eq(len, 7);
	cr_assert_eq(extent("d7ff0102030405060708", &len), BX_STEP_ITEM);
	cr_assert_eq(len, 10);
	cr_assert_eq(extent("", &len), BX_STEP_MORE);
	cr_assert_eq(extent("dd00001000", &len), BX_STEP_MORE);
	cr_assert_eq(extent("c9000000", &len), BX_STEP_MORE);
	cr_assert_eq(extent("92c1", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("ddffffffff", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("dfffffffff", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("c6ffffffff", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("db04000001", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("db03fffffb", &len), BX_STEP_MORE); /* 64 MiB with its head */
}

/* --- envelopes -------------------------------------------------------------------------------- */

static bool
scan(const char *hex, struct bx_message *m)
{
	struct bx_defect why = { 0 };
	bool ok = kit_scan(codec, kit_hex(hex, &bytes), m, &why);

	cr_assert(ok || (why.what != NULL && why.at <= bytes.len), "%s", hex);
	return ok;
}

Test(msgpack, scan_fills_the_message)
{
	struct bx_message m;

	cr_assert(scan("96 10 cd1234 81 ab61636b6e6f776c65646765 c3 a3612e62 91 07 80", &m));
	cr_assert_eq(m.type, BX_PUBLISH);
	cr_assert_eq(m.ser, BX_SER_MSGPACK);
	cr_assert_eq(m.request, 0x1234);
	cr_assert(bx_span_is(bx_message_uri(&m), "a.b"));
	cr_assert_eq(m.flags, BX_MSG_URI_IN_ENVELOPE | BX_MSG_ACKNOWLEDGE);
	cr_assert_eq(m.payload, BX_PAYLOAD_PLAIN);
	cr_assert_eq(m.dict.off, 5);
	cr_assert_eq(m.dict.len, 14);
	cr_assert_eq(m.rest.off, 23);
	cr_assert_eq(m.rest.len, 3);
	cr_assert_eq(m.rest_count, 2);
	cr_assert_eq(m.count_known, 1);

	cr_assert(
	    scan("94 24 cf0020000000000000 02 82 a5746f706963 a178 a87265746169 6e6564 c3", &m));
	cr_assert_eq(m.type, BX_EVENT);
	cr_assert_eq(m.subject, BX_ID_MAX);
	cr_assert_eq(m.publication, 2);
	cr_assert_eq(m.flags, BX_MSG_URI_IN_DETAILS | BX_MSG_RETAINED);
	cr_assert(bx_span_is(bx_message_uri(&m), "x"));
	cr_assert_eq(m.payload, BX_PAYLOAD_NONE);
	cr_assert_eq(m.rest.len, 0);

	cr_assert(scan("94 32 05 81 a870726f6772657373 c3 c0", &m));
	cr_assert_eq(m.type, BX_RESULT);
	cr_assert_eq(m.flags, BX_MSG_PROGRESS);
	cr_assert_eq(m.payload, BX_PAYLOAD_PLAIN);

	cr_assert(scan("95 08 44 07 80 a165", &m));
	cr_assert_eq(m.request_type, BX_INVOCATION);
	cr_assert_eq(m.request, 7);

	cr_assert(scan("94 20 01 81 a56d61746368 a6707265666978 a161", &m));
	cr_assert_eq(m.match, BX_MATCH_PREFIX);
	cr_assert(scan("93 23 00 81 ac737562736372697074696f6e 09", &m));
	cr_assert_eq(m.subject, 9);
	cr_assert(scan("92 cd0151 07", &m));
	cr_assert_eq(m.type, BX_EVENT_RECEIVED);
	cr_assert_eq(m.publication, 7);
	cr_assert(scan("93 01 c0 80", &m));
	cr_assert_null(m.uri);
	cr_assert(scan("93 03 80 a177", &m));
	cr_assert_eq(m.flags, 0);
	cr_assert(bx_span_is(bx_message_uri(&m), "w"));
	cr_assert(scan("94 cd012c c0 80 91c0", &m));
	cr_assert_eq(m.flags, BX_MSG_EXTENSION);
	cr_assert_eq(m.type, 300);
}

/* The message as a Criterion parameter would be: what is at P. */
static void
expect_payload(const char *rest, unsigned count, enum bx_payload payload, unsigned flags)
{
	char hex[200];
	struct bx_message m;

	snprintf(hex, sizeof(hex), "%02x 10 01 80 a161 %s", 0x94 + count, rest);
	cr_assert(scan(hex, &m), "%s", rest);
	cr_assert_eq(m.payload, payload, "%s: %d", rest, m.payload);
	cr_assert_eq(m.flags & ~BX_MSG_URI_IN_ENVELOPE, flags, "%s: %x", rest, m.flags);
}

Test(msgpack, kinds_of_payload)
{
	expect_payload("", 0, BX_PAYLOAD_NONE, 0);
	expect_payload("90", 1, BX_PAYLOAD_PLAIN, 0);
	expect_payload("dc0000", 1, BX_PAYLOAD_PLAIN, 0);
	expect_payload("c0", 1, BX_PAYLOAD_PLAIN, 0);
	expect_payload("c0 80", 2, BX_PAYLOAD_PLAIN, 0);
	expect_payload("c40101", 1, BX_PAYLOAD_BINARY, 0);
	expect_payload("c60000000101", 1, BX_PAYLOAD_BINARY, 0);
	expect_payload("c400", 1, BX_PAYLOAD_BINARY, BX_MSG_BOX_EMPTY);
	expect_payload("c40101 80", 2, BX_PAYLOAD_ODD, 0);
	expect_payload("a161", 1, BX_PAYLOAD_ODD, 0);
	expect_payload("80", 1, BX_PAYLOAD_ODD, 0);
	expect_payload("01", 1, BX_PAYLOAD_ODD, 0);
	expect_payload("d40501", 1, BX_PAYLOAD_ODD, 0);
}

Test(msgpack, envelopes_that_are_refused)
{
	static const char *const messages[] = {
		"",
		"90",                               /* empty */
		"80",                               /* a map */
		"a161",                             /* text */
		"91 c0",                            /* no code */
		"91 07",                            /* unknown code */
		"91 cc91",                          /* unknown code */
		"91 cd0400",                        /* beyond the extensions */
		"91 ff",                            /* negative code */
		"91 10",                            /* too short */
		"93 10 01 80",                      /* too short */
		"97 10 01 80 a161 90 80 c0",        /* too long */
		"94 10 c3 80 a161",                 /* bool as id */
		"94 10 cb4000000000000000 80 a161", /* float as id */
		"94 10 ff 80 a161",                 /* negative id */
		"94 10 cf0020000000000001 80 a161", /* 2^53 + 1 */
		"94 10 01 90 a161",                 /* options are a list */
		"94 10 01 c0 a161",                 /* options are null */
		"94 10 01 8101c0 a161",             /* key is an integer */
		"94 10 01 81c40161c0 a161",         /* key is binary */
		"94 10 01 81a1ffc0 a161",           /* key is no UTF-8 */
		"94 10 01 81a161a1ff a161",         /* value is no UTF-8 */
		"94 10 01 81a161c1 a161",           /* value is malformed */
		"94 10 01 80 c0",                   /* topic is null */
		"94 10 01 80 c40161",               /* topic is binary */
		"94 10 01 80 a1ff",                 /* topic is no UTF-8 */
		"94 10 01 80 a161 00",              /* trailing byte */
		"95 10 01 80 a161 c40101 00",       /* trailing byte after a binary */
		"95 10 01 80 a161 c40201",          /* binary is cut */
		"95 10 01 80 a161",                 /* payload is missing */
		"95 10 01 80 a161 c1",              /* payload is malformed */
		"94 10 01 dfffffffff a161",         /* a large map */
		"ddffffffff 10 01 80 a161",         /* a large list */
		"95 08 05 01 80 a165",              /* request type of ERROR */
		"93 21 01 02 00",                   /* SUBSCRIBED and a byte more */
		"93 21 01 a102",                    /* SUBSCRIBED with a text */
		"93 01 c0 c0",                      /* HELLO without details */
		"93 04 01 80",                      /* CHALLENGE with an integer as method */
		"92 cd012c c1",                     /* malformed extension */
	};
	struct bx_message m;

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		cr_assert_not(scan(messages[i], &m), "%s", messages[i]);
}

Test(msgpack, rests_that_are_refused)
{
	static const char *const rests[] = {
		"95 10 01 80 a161 91",       "95 10 01 80 a161 91c1",
		"95 10 01 80 a161 90 00",    "96 10 01 80 a161 90 c0", /* null as kwargs */
		"96 10 01 80 a161 90 90",    "96 10 01 80 a161 90",
		"96 10 01 80 a161 90 80 80", "96 10 01 80 a161 90 8101c0",
		"95 10 01 80 a161 91a1ff",
	};
	struct bx_message m;
	struct bx_defect why;

	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		cr_assert(scan(rests[i], &m), "%s", rests[i]);
		cr_assert_eq(m.payload, BX_PAYLOAD_PLAIN);
		why = (struct bx_defect){ 0 };
		cr_assert_not(codec->check_rest(&m, &why), "%s", rests[i]);
		cr_assert_not_null(why.what);
		cr_assert_leq(why.at, bytes.len);
		cr_assert_eq(kit_args(codec, &m, &out).coded, BX_CODED_BAD, "%s", rests[i]);
	}
}

/* --- enc_* and ppt_* -------------------------------------------------------------------------- */

static void
expect_enc(const char *pairs, unsigned count, enum bx_enc algo, enum bx_enc serializer)
{
	char hex[300];
	struct bx_message m;

	snprintf(hex, sizeof(hex), "95 10 01 %02x %s a161 c40101", 0x80 + count, pairs);
	cr_assert(scan(hex, &m));
	cr_assert_eq(m.enc_algo, algo, "%s: %d", pairs, m.enc_algo);
	cr_assert_eq(m.enc_serializer, serializer, "%s", pairs);
	cr_assert_eq((m.flags & BX_MSG_ENC_KEYS) != 0, count != 0);
}

#define ENC_ALGO "a8656e635f616c676f "
#define ENC_SERIALIZER "ae656e635f73657269616c697a6572 "
#define ENC_KEY "a7656e635f6b6579 "
#define CRYPTOBOX "a963727970746f626f78 "
#define JSON "a46a736f6e "

Test(msgpack, enc_members)
{
	expect_enc("", 0, BX_ENC_ABSENT, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX, 1, BX_ENC_OURS, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX ENC_SERIALIZER JSON, 2, BX_ENC_OURS, BX_ENC_OURS);
	expect_enc(ENC_ALGO "c0", 1, BX_ENC_ABSENT, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "a46d717474", 1, BX_ENC_FOREIGN, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "01", 1, BX_ENC_INVALID, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "c40161", 1, BX_ENC_INVALID, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "81a16190", 1, BX_ENC_INVALID, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX ENC_ALGO "c0", 2, BX_ENC_ABSENT, BX_ENC_ABSENT);
	expect_enc("d908656e635f616c676f " CRYPTOBOX, 1, BX_ENC_OURS, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX ENC_KEY "a178", 2, BX_ENC_OURS, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX ENC_KEY "01", 2, BX_ENC_INVALID, BX_ENC_ABSENT);
}

#define SCHEME "aa7070745f736368656d65 "

Test(msgpack, payload_passthru)
{
	static const struct {
		const char *message;
		bool ppt;
	} cases[] = {
		{ "95 10 01 81 " SCHEME "a477616d70 a161 91c40101", true },
		{ "95 10 01 81 " SCHEME "a477616d70 a161 dc0001c40101", true },
		{ "96 10 01 81 " SCHEME "a477616d70 a161 91c40101 80", true },
		{ "96 10 01 81 " SCHEME "a477616d70 a161 91c40101 de0000", true },
		{ "96 10 01 81 " SCHEME "a477616d70 a161 91c40101 81a161c0", false },
		{ "95 10 01 81 " SCHEME "a0 a161 91c40101", false },
		{ "95 10 01 81 " SCHEME "c0 a161 91c40101", false },
		{ "95 10 01 81 " SCHEME "a477616d70 a161 90", false },
		{ "95 10 01 81 " SCHEME "a477616d70 a161 92c40101c40101", false },
		{ "95 10 01 81 " SCHEME "a477616d70 a161 91a161", false },
		{ "95 10 01 81 " SCHEME "a477616d70 a161 c40101", false },
		{ "95 10 01 80 a161 91c40101", false },
	};
	struct bx_message m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(scan(cases[i].message, &m), "%s", cases[i].message);
		cr_assert_eq((m.flags & BX_MSG_PPT) != 0, cases[i].ppt, "%s", cases[i].message);
	}
}

/* --- sealing and opening by splicing ---------------------------------------------------------- */

/* Seals `plain` with a box of one byte, which must give `sealed`; opens that with the members. */
static void
expect_splice(const char *plain, const char *sealed, bool survives)
{
	static struct kit_bytes sealed_bytes, plain_bytes, inner;
	struct bx_span want = kit_hex(sealed, &sealed_bytes);
	struct bx_span source = kit_hex(plain, &plain_bytes);
	struct bx_message m;
	struct bx_defect why;
	struct kit_result r;
	struct bx_writer w = bx_writer_over(out.b, sizeof(out.b));

	cr_assert(kit_scan(codec, source, &m, &why), "%s: %s", plain, why.what);
	codec->seal_head(&m, 1, &w);
	bx_put_u8(&w, 0x77);
	kit_expect_same(bx_since(&w, out.b), want, plain);
	r = kit_args(codec, &m, &inner);
	cr_assert_eq(r.coded, BX_CODED_OK);
	cr_assert_eq(r.marks == 0, survives, "%s: mark", plain);
	memmove(inner.b + 1, inner.b, r.out.len);
	inner.b[0] = '{';
	inner.b[1 + r.out.len] = '}';
	cr_assert(kit_scan(codec, want, &m, &why), "%s: %s", sealed, why.what);
	r = kit_open(codec, &m, (struct bx_span){ inner.b, r.out.len + 2 }, &out);
	cr_assert_eq(r.coded, BX_CODED_OK);
	cr_assert_eq(bx_span_equal(r.out, source), survives, "%s: opened", plain);
}

#define OURS ENC_ALGO CRYPTOBOX ENC_SERIALIZER JSON

Test(msgpack, splices)
{
	expect_splice("94 10 01 80 a161", "95 10 01 82 " OURS "a161 c40177", true);
	expect_splice("95 10 01 80 a161 90", "95 10 01 82 " OURS "a161 c40177", true);
	expect_splice("96 10 01 81a17807 a161 c0 80", "95 10 01 83a17807 " OURS "a161 c40177",
		      true);
	expect_splice("95 24 01 02 80 91c2", "95 24 01 02 82 " OURS "c40177", true);
	expect_splice("93 32 01 80", "94 32 01 82 " OURS "c40177", true);
	expect_splice("96 08 30 01 80 a165 90", "96 08 30 01 82 " OURS "a165 c40177", true);
	/* A lone null is left out when opening. */
	expect_splice("95 10 01 80 a161 c0", "95 10 01 82 " OURS "a161 c40177", false);
	/* Heads that are wider than they must be stay so. */
	expect_splice("dc0005 10 cd0001 de0000 d90161 90",
		      "dc0005 10 cd0001 de0002 " OURS "d90161 c40177", true);
	expect_splice("dd00000004 10 01 df00000001a17807 a161",
		      "dd00000005 10 01 df00000003a17807 " OURS "a161 c40177", true);
	/* Old enc_* are replaced. */
	expect_splice("95 10 01 83 " ENC_KEY "a178 a17807 " ENC_ALGO "a46d717474 a161 90",
		      "95 10 01 83 a17807 " OURS "a161 c40177", false);
}

/* 14 members of one byte key and value. */
#define FOURTEEN                                                                                   \
	"a16100a16200a16300a16400a16500a16600a16700a16800a16900a16a00a16b00a16c00a16d00a16e00 "

Test(msgpack, dict_heads_grow_and_shrink)
{
	expect_splice(
	    "94 10 01 8d a17807 " /* 13 */
	    "a16200a16300a16400a16500a16600a16700a16800a16900a16a00a16b00a16c00a16d00 a161",
	    "95 10 01 8f a17807 "
	    "a16200a16300a16400a16500a16600a16700a16800a16900a16a00a16b00a16c00a16d00 " OURS
	    "a161 c40177",
	    true);
	expect_splice("94 10 01 8e " FOURTEEN "a161",
		      "95 10 01 de0010 " FOURTEEN OURS "a161 c40177", true);
	/* From a head of three bytes that becomes the shortest: opening cannot know. */
	expect_splice("94 10 01 de000e " FOURTEEN "a161",
		      "95 10 01 de0010 " FOURTEEN OURS "a161 c40177", false);
}

Test(msgpack, heads_of_boxes)
{
	static const size_t lens[] = { 40, 255, 256, 65535, 65536, 60u << 20 };
	static const uint8_t codes[] = { 0xC4, 0xC4, 0xC5, 0xC5, 0xC6, 0xC6 };
	struct bx_message m;

	for (size_t i = 0; i < 6; i++) {
		struct bx_writer w = bx_writer_over(out.b, sizeof(out.b));
		size_t width = (size_t)1 << (codes[i] - 0xC4);

		cr_assert(scan("93 32 01 80", &m));
		codec->seal_head(&m, lens[i], &w);
		cr_assert_eq(w.at[-1 - (ptrdiff_t)width], codes[i]);
		cr_assert_eq(w.at[-1], (uint8_t)lens[i]);
	}
	for (size_t cap = 0; cap < 20; cap++) {
		struct bx_writer w = bx_writer_over(out.b, cap);

		codec->seal_head(&m, 40, &w);
		cr_assert(w.full);
	}
}
