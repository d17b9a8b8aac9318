#include "codec_kit.h"

static const struct bx_codec *const codec = &bx_cbor_codec;

static struct kit_bytes bytes, out;

/* --- vectors of Autobahn ---------------------------------------------------------------------- */

Test(cbor, vectors)
{
	cr_assert_eq(kit_each_vector(codec, kit_check_vector), 74);
}

Test(cbor, vectors_cut_at_every_byte)
{
	(void)kit_each_vector(codec, kit_check_cuts);
}

Test(cbor, vectors_with_any_room)
{
	(void)kit_each_vector(codec, kit_check_room);
}

/* --- values ----------------------------------------------------------------------------------- */

Test(cbor, integers_to_json)
{
	kit_expect_json(codec, "00", "0", false);
	kit_expect_json(codec, "17", "23", false);
	kit_expect_json(codec, "1818", "24", false);
	kit_expect_json(codec, "18ff", "255", false);
	kit_expect_json(codec, "190100", "256", false);
	kit_expect_json(codec, "1a00010000", "65536", false);
	kit_expect_json(codec, "1b0000000100000000", "4294967296", false);
	kit_expect_json(codec, "1bffffffffffffffff", "18446744073709551615", false);
	kit_expect_json(codec, "20", "-1", false);
	kit_expect_json(codec, "37", "-24", false);
	kit_expect_json(codec, "3818", "-25", false);
	kit_expect_json(codec, "3b7fffffffffffffff", "-9223372036854775808", false);
	kit_expect_json(codec, "3b8000000000000000", "-9223372036854775809", false);
	kit_expect_json(codec, "3bffffffffffffffff", "-18446744073709551616", false);
	kit_expect_json(codec, "1817", "23", true);
	kit_expect_json(codec, "1900ff", "255", true);
	kit_expect_json(codec, "1a0000ffff", "65535", true);
	kit_expect_json(codec, "1b00000000ffffffff", "4294967295", true);
	kit_expect_json(codec, "3800", "-1", true);
}

Test(cbor, big_integers_to_json)
{
	kit_expect_json(codec, "c249010000000000000000", "18446744073709551616", false);
	kit_expect_json(codec, "c349010000000000000000", "-18446744073709551617", false);
	kit_expect_json(codec, "c24d0c9f2c9cd04674edea40000000", "1000000000000000000000000000000",
			false);
	kit_expect_json(codec, "c240", "0", true);
	kit_expect_json(codec, "c340", "-1", true);
	kit_expect_json(codec, "c2420001", "1", true);
	kit_expect_json(codec, "c248ffffffffffffffff", "18446744073709551615", true);
	kit_expect_json(codec, "c348ffffffffffffffff", "-18446744073709551616", true);
	kit_expect_json(codec, "c34a00ffffffffffffffffff", "-4722366482869645213696", true);
	kit_expect_json(codec, "c25f4501000000004400000000ff", "18446744073709551616", true);
	kit_expect_json(codec, "c25809010000000000000000", "18446744073709551616", true);
	kit_expect_json(codec, "d802420100", "256", true);
	kit_expect_json(codec, "81d9d9f7c249010000000000000000", "[18446744073709551616]", true);
}

Test(cbor, integers_have_at_most_4300_digits)
{
	static char text[5000];
	struct kit_result r;

	memset(text, '9', 4301);
	cr_assert_eq(kit_from_json(codec, kit_text(text), &out).coded, BX_CODED_BAD);
	text[4300] = '\0';
	r = kit_from_json(codec, kit_text(text), &out);
	cr_assert_eq(r.coded, BX_CODED_OK);
	r = kit_to_json(codec, r.out, &bytes);
	cr_assert_eq(r.coded, BX_CODED_OK);
	cr_assert_eq(r.marks, 0);
	cr_assert(bx_span_is(r.out, text));

	/* 10^4300 in bytes is the one above. */
	memcpy(out.b, "\xC2\x59\x20\x00", 4);
	memset(out.b + 4, 0xFF, 0x2000);
	r = kit_to_json(codec, (struct bx_span){ out.b, 4 + 0x2000 }, &bytes);
	cr_assert_eq(r.coded, BX_CODED_NOT_REPRESENTABLE);
	memset(out.b + 4, 0, 0x2000 - 3);
	r = kit_to_json(codec, (struct bx_span){ out.b, 4 + 0x2000 }, &bytes);
	cr_assert_eq(r.coded, BX_CODED_OK);
	cr_assert(bx_span_is(r.out, "16777215"));
}

/* As str(cbor2.loads(...)) with cbor2 5.4.6 and 6.3.0. */
Test(cbor, decimals_become_strings)
{
	static const struct {
		const char *hex;
		const char *text;
	} cases[] = {
		{ "c48221196ab3", "273.15" },
		{ "c4820a01", "1E+10" },
		{ "c4822b196ab3", "2.7315E-8" },
		{ "c4822001", "0.1" },
		{ "c4820103", "3E+1" },
		{ "c4820020", "-1" },
		{ "c48219ffff00", "0E+65535" },
		{ "c482182820", "-1E+40" },
		{ "c4822500", "0.000000" },
		{ "c4822600", "0E-7" },
		{ "c4822601", "1E-7" },
		{ "c482250c", "0.000012" },
		{ "c49f2001ff", "0.1" },
		{ "c482203bffffffffffffffff", "-1844674407370955161.6" },
		{ "c48221c249010000000000000000", "184467440737095516.16" },
		{ "c48221c349010000000000000000", "-184467440737095516.17" },
		{ "c5822003", "1.5" },
		{ "c5820003", "3" },
		{ "c5820a20", "-1024" },
		{ "c5822000", "0.0" },
		{ "c58220c249010000000000000000", "9223372036854775808.0" },
		{ "c582382701", "9.094947017729282379150390625E-13" },
		{ "c582185d01", "9903520314283042199192993792" },
		{ "c58218401bffffffffffffffff", "3.402823669209384634449278634E+38" },
		{ "c582382737", "-2.182787284255027770996093750E-11" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char json[100];

		snprintf(json, sizeof(json), "\"%s\"", cases[i].text);
		kit_expect_json(codec, cases[i].hex, json, true);
	}
	kit_expect_refused(codec, "c401", BX_CODED_BAD);
	kit_expect_refused(codec, "c4810101", BX_CODED_BAD);
	kit_expect_refused(codec, "c483010203", BX_CODED_BAD);
	kit_expect_refused(codec, "c48201f93c00", BX_CODED_BAD);
	kit_expect_refused(codec, "c482f93c0001", BX_CODED_BAD);
	kit_expect_refused(codec, "c49f010203ff", BX_CODED_BAD);
	kit_expect_refused(codec, "c4821bffffffffffffffff01", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "c582186401", BX_CODED_NOT_REPRESENTABLE);
}

Test(cbor, floats_to_json)
{
	kit_expect_json(codec, "fb0000000000000000", "0.0", false);
	kit_expect_json(codec, "fb8000000000000000", "-0.0", false);
	kit_expect_json(codec, "fb4042f5c28f5c28f6", "37.92", false);
	kit_expect_json(codec, "f97e00", "NaN", false);
	kit_expect_json(codec, "f97c00", "Infinity", false);
	kit_expect_json(codec, "f9fc00", "-Infinity", false);
	kit_expect_json(codec, "f97e01", "NaN", true);
	kit_expect_json(codec, "f9fe00", "NaN", true);
	kit_expect_json(codec, "f93c00", "1.0", true);
	kit_expect_json(codec, "f90001", "5.960464477539063e-08", true);
	kit_expect_json(codec, "f98000", "-0.0", true);
	kit_expect_json(codec, "f97bff", "65504.0", true);
	kit_expect_json(codec, "f90400", "6.103515625e-05", true);
	kit_expect_json(codec, "f9c400", "-4.0", true);
	kit_expect_json(codec, "fa3fc00000", "1.5", true);
	kit_expect_json(codec, "fa7f800000", "Infinity", true);
	kit_expect_json(codec, "fb7ff0000000000000", "Infinity", true);
	kit_expect_json(codec, "fb7ff8000000000000", "NaN", true);
}

Test(cbor, strings_and_binaries_to_json)
{
	kit_expect_json(codec, "60", "\"\"", false);
	kit_expect_json(codec, "63616263", "\"abc\"", false);
	kit_expect_json(codec, "62c3a9", "\"\xC3\xA9\"", false);
	kit_expect_json(codec, "6122", "\"\\\"\"", false);
	kit_expect_json(codec, "6100", "\"\\u0000\"", true);
	kit_expect_json(codec, "7803616263", "\"abc\"", true);
	kit_expect_json(codec, "7f616162c3a960ff", "\"a\xC3\xA9\"", true);
	kit_expect_json(codec, "7fff", "\"\"", true);
	kit_expect_json(codec, "40", "\"\\u0000\"", false);
	kit_expect_json(codec, "43000102", "\"\\u0000AAEC\"", false);
	kit_expect_json(codec, "5803000102", "\"\\u0000AAEC\"", true);
	kit_expect_json(codec, "5f410041014102ff", "\"\\u0000AAEC\"", true);
	kit_expect_json(codec, "5f4400010203420405ff", "\"\\u0000AAECAwQF\"", true);
	kit_expect_json(codec, "5f42000140440203040541064107ff", "\"\\u0000AAECAwQFBgc=\"", true);
	kit_expect_json(codec, "5f4100ff", "\"\\u0000AA==\"", true);
	kit_expect_json(codec, "5fff", "\"\\u0000\"", true);
}

Test(cbor, containers_to_json)
{
	kit_expect_json(codec, "80", "[]", false);
	kit_expect_json(codec, "a0", "{}", false);
	kit_expect_json(codec, "83f6f4f5", "[null,false,true]", false);
	kit_expect_json(codec, "9fff", "[]", true);
	kit_expect_json(codec, "bfff", "{}", true);
	kit_expect_json(codec, "9f01820203ff", "[1,[2,3]]", true);
	kit_expect_json(codec, "839f9f01ffff02bf616103ff", "[[[1]],2,{\"a\":3}]", true);
	kit_expect_json(codec, "bf61619fff6162bfffff", "{\"a\":[],\"b\":{}}", true);
	kit_expect_json(codec, "9801f6", "[null]", true);
	kit_expect_json(codec, "b90001616101", "{\"a\":1}", true);
	kit_expect_json(codec, "a1780161f6", "{\"a\":null}", true);
	kit_expect_json(codec, "a16100f6", "{\"\\u0000\":null}", false);
}

/* Python writes such keys as strings. */
Test(cbor, keys_that_are_no_strings)
{
	kit_expect_json(codec, "a10102", "{\"1\":2}", true);
	kit_expect_json(codec, "a12002", "{\"-1\":2}", true);
	kit_expect_json(codec, "a13bffffffffffffffff02", "{\"-18446744073709551616\":2}", true);
	kit_expect_json(codec, "a1fb3ff800000000000002", "{\"1.5\":2}", true);
	kit_expect_json(codec, "a1f97e0002", "{\"NaN\":2}", true);
	kit_expect_json(codec, "a1f502", "{\"true\":2}", true);
	kit_expect_json(codec, "a1f402", "{\"false\":2}", true);
	kit_expect_json(codec, "a1f602", "{\"null\":2}", true);
	kit_expect_json(codec, "a1c24901000000000000000002", "{\"18446744073709551616\":2}", true);
	kit_expect_json(codec, "a17f61616162ff02", "{\"ab\":2}", true);
	kit_expect_json(codec, "a1d9d9f7616102", "{\"a\":2}", true);
	kit_expect_refused(codec, "a1410002", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "a1810102", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "a1a002", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "a1f702", BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "a1c482200102", BX_CODED_NOT_REPRESENTABLE);
}

Test(cbor, tags_that_are_passed_over)
{
	kit_expect_json(codec, "d9d9f78101", "[1]", true);
	kit_expect_json(codec, "82d9d9f7d9d9f70102", "[1,2]", true);
	kit_expect_json(codec, "d81c8101", "[1]", true);
	kit_expect_json(codec, "d9010081a0", "[{}]", true);
}

Test(cbor, what_cannot_be_sealed)
{
	static const char *const values[] = {
		"81f7", /* undefined */
		"f8ff",
		"e0",
		"f3",           /* simple values */
		"c11a00000000", /* a date */
		"c074323031332d30332d32315432303a30343a30305a",
		"d8204161",
		"d8184161", /* URI, encoded CBOR */
		"d9010281f6",
		"d81e820102", /* a set, a rational */
		"d81d00",
		"c600",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		kit_expect_refused(codec, values[i], BX_CODED_NOT_REPRESENTABLE);
	kit_expect_refused(codec, "82c1001c", BX_CODED_BAD); /* malformed further on */
}

/* Members without a value, as JavaScript peers write options that are not set. */
Test(cbor, undefined_members_are_left_out)
{
	kit_expect_json(codec, "a16161f7", "{}", true);
	kit_expect_json(codec, "a26161f7616201", "{\"b\":1}", true);
	kit_expect_json(codec, "a261610161 62f7", "{\"a\":1}", true);
	kit_expect_json(codec, "a36161f76162f7616303", "{\"c\":3}", true);
	kit_expect_json(codec, "bf61610161 62f76163f7ff", "{\"a\":1}", true);
	kit_expect_json(codec, "841820 01 a1656d61746368f7 6161", "[32,1,{},\"a\"]", true);
	kit_expect_json(codec, "82a16161f702", "[{},2]", true);

	struct bx_message m;
	struct bx_defect why;

	cr_assert(kit_scan(codec, kit_hex("85100 1a0616181a16161f7", &bytes), &m, &why));
	cr_assert_eq(kit_args(codec, &m, &out).coded, BX_CODED_NOT_REPRESENTABLE);
}

Test(cbor, malformed_values)
{
	static const char *const values[] = {
		"",
		"ff",
		"81ff",
		"1c",
		"1d",
		"1e",
		"1f",
		"3f",
		"df",
		"fc",
		"fd",
		"fe",
		"f814",
		"f81f",
		"61ff",
		"62c0af",
		"63eda080",
		"7f61c361a9ff", /* a character in two chunks */
		"5f6161ff",
		"7f4161ff", /* chunks of another type */
		"5f5f4161ffff",
		"7f01ff",   /* chunks that are none */
		"bf6161ff", /* a key without a value */
		"d9d9f7ff",
		"9fd9d9f7ff",
		"c2ff",
		"c201",
		"c26161",
		"c3f6",
		"7f",
		"5f41",
		"9f",
		"bf",
		"8202",
		"a16161",
		"d9d9f7",
		"c2",
		"f9",
		"f97e",
		"fb00",
		"18",
		"1901",
		"78",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		kit_expect_refused(codec, values[i], BX_CODED_BAD);
}

Test(cbor, lengths_that_are_not_there)
{
	static const char *const heads[] = {
		"9affffffff",
		"bbffffffffffffffff",
		"9bffffffffffffffff",
		"7bffffffffffffffff",
		"5bffffffffffffffff",
		"9b8000000000000000",
		"bb8000000000000000",
		"97",
		"b7",
		"59ffff",
		"7affffffff",
		"c25bffffffffffffffff",
		"5f5bffffffffffffffffff",
		"829bffffffffffffffff00",
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		kit_expect_refused(codec, heads[i], BX_CODED_BAD);
}

Test(cbor, json_to_values)
{
	kit_expect_value(codec, "[0,23,24,256,65536,4294967296,18446744073709551615]",
			 "8700171818190100 1a00010000 1b0000000100000000 1bffffffffffffffff",
			 false);
	kit_expect_value(codec, "[-1,-24,-25,-257,-65537,-4294967297]",
			 "8620373818 390100 3a00010000 3b0000000100000000", false);
	kit_expect_value(codec, "18446744073709551616", "c249010000000000000000", false);
	kit_expect_value(codec, "-9223372036854775809", "3b8000000000000000", false);
	kit_expect_value(codec, "-18446744073709551615", "3bfffffffffffffffe", false);
	kit_expect_value(codec, "-18446744073709551616", "3bffffffffffffffff", false);
	kit_expect_value(codec, "-18446744073709551617", "c349010000000000000000", false);
	kit_expect_value(codec, "-4722366482869645213696", "c349ffffffffffffffffff", false);
	kit_expect_value(codec, "[1.0,-0.0,NaN,Infinity,-Infinity]",
			 "85fb3ff0000000000000 fb8000000000000000 f97e00f97c00f9fc00", false);
	kit_expect_value(codec, "{\"a\":[null,true,false],\"b\":{}}", "a2616183f6f5f46162a0",
			 false);
	kit_expect_value(codec, "\"\\u0000AAEC\"", "43000102", false);
	kit_expect_value(codec, "\"\\u0000\"", "40", false);
	kit_expect_value(codec, "{\"\\u0000AAEC\":1}", "a16500414145 4301", false);
	kit_expect_value(codec, "[1e2, -0]", "82fb405900000000000000", true);
}

Test(cbor, json_without_such_a_value)
{
	cr_assert_eq(kit_from_json(codec, kit_text("[\"\\ud83d\"]"), &out).coded,
		     BX_CODED_NOT_REPRESENTABLE);
}

/* A container whose head outgrows the byte that was reserved for it. */
Test(cbor, heads_grow_when_containers_close)
{
	static char json[1 << 19];

	for (size_t count = 22; count < 66000;
	     count = count < 26 ? count + 1 : count * 2999 / 1000) {
		char *p = json;

		p += sprintf(p, "[[");
		for (size_t i = 0; i < count; i++)
			p += sprintf(p, "%s%zu", i == 0 ? "" : ",", i % 7);
		p += sprintf(p, "],\"tail\",{}]");

		struct kit_result r = kit_from_json(codec, kit_text(json), &out);
		size_t head = count < 24 ? 1 : count < 256 ? 2 : count < 65536 ? 3 : 5;

		cr_assert_eq(r.coded, BX_CODED_OK);
		cr_assert_eq(r.out.len, 1 + head + count + 6);
		cr_assert_eq(memcmp(r.out.ptr + 1 + head + count, "\x64tail\xA0", 6), 0);
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

Test(cbor, nesting_stops_at_512)
{
	static const struct {
		uint8_t open, last;
		bool breaks;
	} kinds[] = { { 0x81, 0x80, false }, { 0x9F, 0x9F, true } };
	struct bx_message m;
	struct bx_defect why;

	for (size_t k = 0; k < 2; k++) {
		for (size_t depth = 512; depth <= 513; depth++) {
			size_t len = kinds[k].breaks ? 2 * depth : depth;
			enum bx_coded want = depth == 512 ? BX_CODED_OK : BX_CODED_BAD;

			memset(bytes.b, kinds[k].open, depth);
			bytes.b[depth - 1] = kinds[k].last;
			memset(bytes.b + depth, 0xFF, len - depth);
			cr_assert_eq(
			    kit_to_json(codec, (struct bx_span){ bytes.b, len }, &out).coded, want);
			cr_assert_eq(codec->extent((struct bx_span){ bytes.b, len }, &len, &why),
				     depth == 512 ? BX_STEP_ITEM : BX_STEP_FAIL);

			/* One less as arguments: the message is the outermost container. */
			struct bx_span s = kit_hex("85100 1a06161", &out);

			memcpy(out.b + s.len, bytes.b + 1, depth - 1);
			memset(out.b + s.len + depth - 1, 0xFF, kinds[k].breaks ? depth - 1 : 0);
			s.len += kinds[k].breaks ? 2 * (depth - 1) : depth - 1;
			cr_assert(kit_scan(codec, s, &m, &why));
			cr_assert_eq(codec->check_rest(&m, &why), depth == 512);
			cr_assert_eq(kit_args(codec, &m, &bytes).coded, want);
		}
	}
	/* Tags nest, too. */
	memset(bytes.b, 0xC6, 600);
	bytes.b[600] = 0;
	cr_assert_eq(codec->extent((struct bx_span){ bytes.b, 601 }, &(size_t){ 0 }, &why),
		     BX_STEP_FAIL);
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

Test(cbor, extents)
{
	size_t len = 0;

	cr_assert_eq(extent("85100 1a06161 80 8510", &len), BX_STEP_ITEM);
	cr_assert_eq(len, 7);
	cr_assert_eq(extent("9f7f6161ffbf01c2410 0ffff 00", &len), BX_STEP_ITEM);
	cr_assert_eq(len, 12);
	cr_assert_eq(extent("d9d9f700 00", &len), BX_STEP_ITEM);
	cr_assert_eq(len, 4);
	cr_assert_eq(extent("", &len), BX_STEP_MORE);
	cr_assert_eq(extent("9f", &len), BX_STEP_MORE);
	cr_assert_eq(extent("9a00001000", &len), BX_STEP_MORE);
	cr_assert_eq(extent("bf00", &len), BX_STEP_MORE);
	cr_assert_eq(extent("82001c", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("ff", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("9affffffff", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("bbffffffffffffffff", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("5bffffffffffffffff", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("7a04000001", &len), BX_STEP_FAIL);
	cr_assert_eq(extent("7a03fffffb", &len), BX_STEP_MORE); /* 64 MiB with its head */
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

Test(cbor, scan_fills_the_message)
{
	struct bx_message m;

	cr_assert(scan("86 10 191234 a1 6b61636b6e6f776c65646765 f5 63612e62 8107 a0", &m));
	cr_assert_eq(m.type, BX_PUBLISH);
	cr_assert_eq(m.ser, BX_SER_CBOR);
	cr_assert_eq(m.request, 0x1234);
	cr_assert(bx_span_is(bx_message_uri(&m), "a.b"));
	cr_assert_eq(m.flags, BX_MSG_URI_IN_ENVELOPE | BX_MSG_ACKNOWLEDGE);
	cr_assert_eq(m.payload, BX_PAYLOAD_PLAIN);
	cr_assert_eq(m.dict.off, 5);
	cr_assert_eq(m.dict.len, 14);
	cr_assert_eq(m.rest.off, 23);
	cr_assert_eq(m.rest_count, 2);
	cr_assert_eq(m.count_known, 1);

	/* All that can be indefinite is. */
	cr_assert(scan("9f 1824 1b0020000000000000 02 bf 7f6274 6f63706963ff 7f6161 6162ff"
		       "68726574 61696e6564 f5 ff 9f ff ff",
		       &m));
	cr_assert_eq(m.type, BX_EVENT);
	cr_assert_eq(m.subject, BX_ID_MAX);
	cr_assert_eq(m.flags, BX_MSG_URI_IN_DETAILS | BX_MSG_RETAINED);
	cr_assert(bx_span_is(bx_message_uri(&m), "ab"));
	cr_assert_eq(m.payload, BX_PAYLOAD_PLAIN);
	cr_assert_eq(m.count_known, 0);
	cr_assert_eq(m.rest.len, 3);

	/* What JavaScript peers leave undefined is absent. */
	cr_assert(scan("841820 01 a1656d61746368f7 6161", &m));
	cr_assert_eq(m.match, BX_MATCH_EXACT);
	cr_assert(scan("841820 01 a1656d61746368687769 6c6463617264 6161", &m));
	cr_assert_eq(m.match, BX_MATCH_WILDCARD);
	/* Tag 55799 in front, and everywhere. */
	cr_assert(scan("d9d9f784 d9d9f710 01 d9d9f7a0 d9d9f76161", &m));
	cr_assert(bx_span_is(bx_message_uri(&m), "a"));
	cr_assert_eq(m.dict.off, 12);
	cr_assert_eq(m.dict.len, 1);
	/* Trailing bytes. */
	cr_assert(scan("8318210102 ff00", &m));
	cr_assert(scan("8410 01a06161 00", &m));
	cr_assert_eq(m.payload, BX_PAYLOAD_NONE);
	cr_assert(scan("9f18230 1ff 00", &m));
}

static void
expect_payload(const char *rest, unsigned count, enum bx_payload payload, unsigned flags)
{
	char hex[200];
	struct bx_message m;

	for (int indefinite = 0; indefinite < 2; indefinite++) {
		snprintf(hex, sizeof(hex), "%02x 10 01 a0 6161 %s %s",
			 indefinite ? 0x9F : 0x84 + count, rest, indefinite ? "ff" : "");
		cr_assert(scan(hex, &m), "%s", hex);
		cr_assert_eq(m.payload, payload, "%s: %d", hex, m.payload);
		cr_assert_eq(m.flags & ~BX_MSG_URI_IN_ENVELOPE, flags, "%s: %x", hex, m.flags);
	}
}

Test(cbor, kinds_of_payload)
{
	expect_payload("", 0, BX_PAYLOAD_NONE, 0);
	expect_payload("80", 1, BX_PAYLOAD_PLAIN, 0);
	expect_payload("9fff", 1, BX_PAYLOAD_PLAIN, 0);
	expect_payload("f6", 1, BX_PAYLOAD_PLAIN, 0);
	expect_payload("f6 a0", 2, BX_PAYLOAD_PLAIN, 0);
	expect_payload("4101", 1, BX_PAYLOAD_BINARY, 0);
	expect_payload("5a0000000101", 1, BX_PAYLOAD_BINARY, 0);
	expect_payload("5f41014102ff", 1, BX_PAYLOAD_BINARY, 0);
	expect_payload("40", 1, BX_PAYLOAD_BINARY, BX_MSG_BOX_EMPTY);
	expect_payload("5f40ff", 1, BX_PAYLOAD_BINARY, BX_MSG_BOX_EMPTY);
	expect_payload("d9d9f74101", 1, BX_PAYLOAD_BINARY, 0);
	expect_payload("d8184101", 1, BX_PAYLOAD_ODD, 0);
	expect_payload("4101 a0", 2, BX_PAYLOAD_ODD, 0);
	expect_payload("6161", 1, BX_PAYLOAD_ODD, 0);
	expect_payload("a0", 1, BX_PAYLOAD_ODD, 0);
	expect_payload("f7", 1, BX_PAYLOAD_ODD, 0);
}

Test(cbor, envelopes_that_are_refused)
{
	static const char *const messages[] = {
		"",
		"80",
		"9fff",
		"a0",
		"81f6",
		"8107",
		"81190400",
		"8120",
		"9f10",                /* the break is missing */
		"9f10ff",              /* too short */
		"8310 01a0",           /* too short */
		"9f10 01a0ff",         /* too short */
		"8710 01a0616180a0f6", /* too long */
		"8410 f5a06161",       /* bool as id */
		"8410 f93c00a06161",   /* float as id */
		"8410 20a06161",       /* negative id */
		"8410 1b0020000000000001a06161",
		"8410 c24101a06161",     /* bignum as id */
		"8410 01806161",         /* options are a list */
		"8410 01f66161",         /* options are null */
		"8410 01a101f66161",     /* key is an integer */
		"8410 01a14161f66161",   /* key is binary */
		"8410 01bf61616161",     /* the break of the map is missing */
		"8410 01bf6161ff6161",   /* a key without a value */
		"8410 01a161ff f66161",  /* key is no UTF-8 */
		"8410 01a16161ff6161",   /* break as a value */
		"8410 01a0f6",           /* topic is null */
		"8410 01a04161",         /* topic is binary */
		"8410 01a061ff",         /* topic is no UTF-8 */
		"8410 01a07f61c361a9ff", /* topic is no UTF-8 in its chunks */
		"8510 01a061614201",     /* binary is cut */
		"8510 01a06161",         /* payload is missing */
		"8510 01a061611c",       /* payload is malformed */
		"8510 01a061615f4101",   /* the break of the binary is missing */
		"8410 01bbffffffffffffffff6161",
		"9bffffffffffffffff1001a06161",
		"8508 0501a06165",  /* request type of ERROR */
		"9f1821 0102 03ff", /* SUBSCRIBED with an element more */
		"9f1821 0102",      /* the break of the list is missing */
		"8219012c1c",       /* malformed extension */
	};
	struct bx_message m;

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		cr_assert_not(scan(messages[i], &m), "%s", messages[i]);
}

Test(cbor, rests_that_are_refused)
{
	static const char *const rests[] = {
		"8510 01a0616181",     "8510 01a06161811c",     "8610 01a0616180f6",
		"8610 01a061618080",   "8610 01a0616180",       "9f10 01a0616180",
		"9f10 01a0616180a0",   "9f10 01a0616180a0a0ff", "9f10 01a0616180f6ff",
		"8510 01a061618161ff", "8510 01a061619f",       "8510 01a0616181ff",
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

/* A URI in chunks needs scratch; a scan without enough of it fails. */
Test(cbor, chunked_text_needs_scratch)
{
	uint8_t room[4];
	struct bx_defect why = { 0 };
	struct bx_span s = kit_hex("8410 01a07f626162626364ff", &bytes);
	struct bx_message m = { .bytes = s.ptr, .len = (uint32_t)s.len };
	struct bx_writer scratch = bx_writer_over(room, 4);

	cr_assert(codec->scan(&m, &scratch, &why));
	cr_assert(bx_span_is(bx_message_uri(&m), "abcd"));
	scratch = bx_writer_over(room, 3);
	cr_assert_not(codec->scan(&m, &scratch, &why));
}

/* Boxes in chunks are joined. */
Test(cbor, boxes)
{
	uint8_t room[4];
	struct bx_writer scratch = bx_writer_over(room, 4);
	struct bx_message m;
	struct bx_defect why;
	struct bx_span box;

	cr_assert(scan("8510 01a06161 5f420102 40 420304ff 00", &m));
	cr_assert(codec->box(&m, &scratch, &box, &why));
	cr_assert(bx_span_is(box, "\x01\x02\x03\x04"));
	cr_assert_eq(box.ptr, room);
	scratch = bx_writer_over(room, 3);
	cr_assert_not(codec->box(&m, &scratch, &box, &why));
	cr_assert(scan("8510 01a06161 d9d9f7420102 00", &m));
	cr_assert(codec->box(&m, &scratch, &box, &why));
	cr_assert(bx_span_is(box, "\x01\x02"));
	cr_assert(scan("8510 01a06161 80", &m));
	cr_assert_not(codec->box(&m, &scratch, &box, &why));
}

/* --- enc_* and ppt_* -------------------------------------------------------------------------- */

static void
expect_enc(const char *pairs, unsigned count, enum bx_enc algo, enum bx_enc serializer)
{
	char hex[300];
	struct bx_message m;

	snprintf(hex, sizeof(hex), "85 10 01 %02x %s 6161 4101", 0xA0 + count, pairs);
	cr_assert(scan(hex, &m));
	cr_assert_eq(m.enc_algo, algo, "%s: %d", pairs, m.enc_algo);
	cr_assert_eq(m.enc_serializer, serializer, "%s", pairs);
	cr_assert_eq((m.flags & BX_MSG_ENC_KEYS) != 0, count != 0);
}

#define ENC_ALGO "68656e635f616c676f "
#define ENC_SERIALIZER "6e656e635f73657269616c697a6572 "
#define ENC_KEY "67656e635f6b6579 "
#define CRYPTOBOX "6963727970746f626f78 "
#define JSON "646a736f6e "

Test(cbor, enc_members)
{
	expect_enc("", 0, BX_ENC_ABSENT, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX, 1, BX_ENC_OURS, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX ENC_SERIALIZER JSON, 2, BX_ENC_OURS, BX_ENC_OURS);
	expect_enc(ENC_ALGO "f6", 1, BX_ENC_ABSENT, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "f7", 1, BX_ENC_ABSENT, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "646d717474", 1, BX_ENC_FOREIGN, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "4161", 1, BX_ENC_INVALID, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX ENC_ALGO "f6", 2, BX_ENC_ABSENT, BX_ENC_ABSENT);
	expect_enc("7f64656e635f64616c676fff " CRYPTOBOX, 1, BX_ENC_OURS, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO "7f656372797074646f626f78ff", 1, BX_ENC_OURS, BX_ENC_ABSENT);
	expect_enc(ENC_ALGO CRYPTOBOX ENC_KEY "01", 2, BX_ENC_INVALID, BX_ENC_ABSENT);
}

#define SCHEME "6a7070745f736368656d65 "

Test(cbor, payload_passthru)
{
	static const struct {
		const char *message;
		bool ppt;
	} cases[] = {
		{ "85 10 01 a1 " SCHEME "6477616d70 6161 814101", true },
		{ "85 10 01 b90001 " SCHEME "6477616d70 6161 9f4101ff", true },
		{ "85 10 01 a1 " SCHEME "6477616d70 6161 815f4101ff", true },
		{ "9f 10 01 a1 " SCHEME "6477616d70 6161 814101 ff", true },
		{ "9f 10 01 a1 " SCHEME "6477616d70 6161 814101 bfff ff", true },
		{ "86 10 01 a1 " SCHEME "6477616d70 6161 814101 a0", true },
		{ "86 10 01 a1 " SCHEME "6477616d70 6161 814101 a16161f6", false },
		{ "9f 10 01 a1 " SCHEME "6477616d70 6161 814101 a16161f6 ff", false },
		{ "85 10 01 a1 " SCHEME "60 6161 814101", false },
		{ "85 10 01 a1 " SCHEME "f7 6161 814101", false },
		{ "85 10 01 a1 " SCHEME "6477616d70 6161 9f41014101ff", false },
		{ "85 10 01 a1 " SCHEME "6477616d70 6161 816161", false },
		{ "85 10 01 a0 6161 814101", false },
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
	cr_assert_eq(r.coded, BX_CODED_OK, "%s: %s", plain, r.why.what);
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

Test(cbor, splices)
{
	expect_splice("84 10 01 a0 6161", "85 10 01 a2 " OURS "6161 4177", true);
	expect_splice("85 10 01 a0 6161 80", "85 10 01 a2 " OURS "6161 4177", true);
	expect_splice("86 10 01 a1617807 6161 f6 a0", "85 10 01 a3617807 " OURS "6161 4177", true);
	expect_splice("83 1832 01 a0", "84 1832 01 a2 " OURS "4177", true);
	expect_splice("86 08 1830 01 a0 6165 80", "86 08 1830 01 a2 " OURS "6165 4177", true);
	/* A lone null is left out when opening. */
	expect_splice("85 10 01 a0 6161 f6", "85 10 01 a2 " OURS "6161 4177", false);
	/* Heads that are wider than they must be stay so, and a dict without a count, too. */
	expect_splice("990005 10 190001 b90000 780161 80",
		      "990005 10 190001 b90002 " OURS "780161 4177", true);
	expect_splice("9b0000000000000004 10 01 bb0000000000000001617807 6161",
		      "9b0000000000000005 10 01 bb0000000000000003617807 " OURS "6161 4177", true);
	expect_splice("84 10 01 bf617807ff 6161", "85 10 01 bf617807 " OURS "ff 6161 4177", true);
	/* Old enc_* are replaced. */
	expect_splice("85 10 01 a3 " ENC_KEY "6178 617807 " ENC_ALGO "646d717474 6161 80",
		      "85 10 01 a3 617807 " OURS "6161 4177", false);
	expect_splice("85 10 01 bf " ENC_KEY "6178 617807 " ENC_ALGO "646d717474 ff 6161 80",
		      "85 10 01 bf 617807 " OURS "ff 6161 4177", false);
	/* The message gets a count, and loses the tag around it and what follows it. */
	expect_splice("9f 10 01 a0 6161 80 ff", "85 10 01 a2 " OURS "6161 4177", false);
	expect_splice("d9d9f784 10 01 a0 6161", "85 10 01 a2 " OURS "6161 4177", false);
	expect_splice("85 10 01 a0 6161 80 00", "85 10 01 a2 " OURS "6161 4177", false);
	expect_splice("84 10 01 a0 6161 00", "85 10 01 a2 " OURS "6161 4177", false);
}

#define PAIRS_OF_11 "616100616200616300616400616500616600616700616800616900616a00616b00 "
#define PAIRS_OF_22                                                                                \
	PAIRS_OF_11 "616c00616d00616e00616f00617000617100617200617300617400617500617600 "

Test(cbor, dict_heads_grow_and_shrink)
{
	expect_splice("84 10 01 b5 " PAIRS_OF_11
		      "616c00616d00616e00616f00617000617100617200617300617400617500 6161",
		      "85 10 01 b7 " PAIRS_OF_11
		      "616c00616d00616e00616f00617000617100617200617300617400617500 " OURS
		      "6161 4177",
		      true);
	expect_splice("84 10 01 b6 " PAIRS_OF_22 "6161",
		      "85 10 01 b818 " PAIRS_OF_22 OURS "6161 4177", true);
	/* From a head of two bytes that becomes the shortest: opening cannot know. */
	expect_splice("84 10 01 b816 " PAIRS_OF_22 "6161",
		      "85 10 01 b818 " PAIRS_OF_22 OURS "6161 4177", false);
}

Test(cbor, heads_of_boxes)
{
	static const size_t lens[] = { 1, 40, 255, 256, 65535, 65536, 60u << 20 };
	static const uint8_t heads[] = { 0x41, 0x58, 0x58, 0x59, 0x59, 0x5A, 0x5A };
	struct bx_message m;

	for (size_t i = 0; i < 7; i++) {
		struct bx_writer w = bx_writer_over(out.b, sizeof(out.b));
		ptrdiff_t width = heads[i] < 0x58 ? 0 : (ptrdiff_t)1 << (heads[i] - 0x58);

		cr_assert(scan("831832 01 a0", &m));
		codec->seal_head(&m, lens[i], &w);
		cr_assert_eq(w.at[-1 - width], heads[i]);
		if (width != 0)
			cr_assert_eq(w.at[-1], (uint8_t)lens[i]);
	}
	for (size_t cap = 0; cap < 20; cap++) {
		struct bx_writer w = bx_writer_over(out.b, cap);

		codec->seal_head(&m, 40, &w);
		cr_assert(w.full);
	}
}
