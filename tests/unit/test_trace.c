#include "frame_help.h"

#include "frame/trace.h"

#define LINE                                                                                       \
	"{\"ts\":1795433137727763535,\"conn\":3,\"dir\":\"c2r\",\"ser\":\"json\",\"b64\":"         \
	"\"WzEsMl0=\"}"

static struct bx_span
text_span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

/* Parses a copy in memory of exactly its size; `buf` takes the decoded body. */
static bool
parse(const char *text, uint8_t *buf, size_t cap, struct bx_trace_line *line, const char **what,
      size_t *at)
{
	struct bx_writer scratch = bx_writer_over(buf, cap);

	*what = NULL;
	*at = SIZE_MAX;
	return bx_trace_parse(text_span(text), &scratch, line, what, at);
}

Test(trace, a_line)
{
	uint8_t buf[256];
	struct bx_trace_line line;
	const char *what;
	size_t at;

	cr_assert(parse(LINE, buf, sizeof(buf), &line, &what, &at));
	cr_assert(line.has_ts && line.ts == 1795433137727763535);
	cr_assert(line.has_conn && line.conn == 3);
	cr_assert(!line.has_session && line.realm.len == 0);
	cr_assert_eq(line.dir, BX_DIR_C2R);
	cr_assert_eq(line.ser, BX_SER_JSON);
	cr_assert_eq(line.form, BX_TRACE_B64);
	cr_assert_eq(line.forms, 1u << BX_TRACE_B64);
	cr_assert(bx_span_equal(line.body, HELP_SPAN("[1,2]")));
	cr_assert(bx_span_equal(line.value, HELP_SPAN("\"WzEsMl0=\"")));
}

struct accepted {
	const char *text;
	enum bx_trace_form form;
	const char *body;
	int64_t ts;
	uint64_t conn;
	uint64_t session;
	const char *realm;
	enum bx_dir dir;
	enum bx_ser ser;
};

#define U BX_DIR_UNKNOWN

static const struct accepted accepted[] = {
	{ "{\"b64\":\"\"}", BX_TRACE_B64, "", 0, 0, 0, "", U, 0 },
	{ "{\"b64\":\"WzEsMl0=\"}", BX_TRACE_B64, "[1,2]", 0, 0, 0, "", U, 0 },
	{ "{\"b64\":\"WzEsMl0=\",\"ts\":-5}", BX_TRACE_B64, "[1,2]", -5, 0, 0, "", U, 0 },
	{ "{\"hex\":\"5b312C5D\",\"dir\":\"r2c\"}", BX_TRACE_HEX, "[1,]", 0, 0, 0, "", BX_DIR_R2C,
	  0 },
	{ "{\"msg\":[1,{\"b64\":[]},\"]}\"],\"ser\":\"cbor\"}", BX_TRACE_MSG,
	  "[1,{\"b64\":[]},\"]}\"]", 0, 0, 0, "", U, BX_SER_CBOR },
	/* b64 before hex before msg, wherever they stand and whatever the others hold. */
	{ "{\"msg\":[9],\"hex\":\"zz\",\"b64\":\"WzEsMl0=\"}", BX_TRACE_B64, "[1,2]", 0, 0, 0, "",
	  U, 0 },
	{ "{\"msg\":[9],\"hex\":\"5b5d\"}", BX_TRACE_HEX, "[]", 0, 0, 0, "", U, 0 },
	{ "{\"hex\":\"5b5d\",\"msg\":7}", BX_TRACE_HEX, "[]", 0, 0, 0, "", U, 0 },
	{ "{\"b64\":null,\"hex\":null,\"msg\":[9]}", BX_TRACE_MSG, "[9]", 0, 0, 0, "", U, 0 },
	/* Null is as good as absent. */
	{ "{\"ts\":null,\"conn\":null,\"session\":null,\"realm\":null,\"dir\":null,\"ser\":null,"
	  "\"b64\":\"\"}",
	  BX_TRACE_B64, "", 0, 0, 0, "", U, 0 },
	{ "{\"session\":9007199254740992,\"realm\":\"a\\u00e9\\\"\",\"conn\":18446744073709551615,"
	  "\"ts\":9223372036854775807,\"msg\":[]}",
	  BX_TRACE_MSG, "[]", INT64_MAX, UINT64_MAX, 9007199254740992, "a\\u00e9\\\"", U, 0 },
	{ "{\"ts\":-9223372036854775808,\"b64\":\"\"}", BX_TRACE_B64, "", INT64_MIN, 0, 0, "", U,
	  0 },
	{ "{\"ts\":-0,\"b64\":\"\"}", BX_TRACE_B64, "", 0, 0, 0, "", U, 0 },
	/* Spelling: white space, escapes in names and values, "/" as "\/". */
	{ " { \"ts\" : 1 , \"dir\":\"\\u0063\\u0032r\" ,\t\"b64\" : \"WzEsMl0=\" } \r",
	  BX_TRACE_B64, "[1,2]", 1, 0, 0, "", BX_DIR_C2R, 0 },
	{ "{\"\\u006264\":\"WzEsMl0=\"}", BX_TRACE_B64, "[1,2]", 0, 0, 0, "", U, 0 },
	{ "{\"b64\":\"\\/\\/8=\"}", BX_TRACE_B64, "\xff\xff", 0, 0, 0, "", U, 0 },
	{ "{\"b64\":\"\\u0057zEsMl0=\"}", BX_TRACE_B64, "[1,2]", 0, 0, 0, "", U, 0 },
	/* Members that are not known, also twice. */
	{ "{\"x\":1,\"x\":{\"b64\":\"no\"},\"b64\":\"WzEsMl0=\",\"seq\":[]}", BX_TRACE_B64, "[1,2]",
	  0, 0, 0, "", U, 0 },
	{ "{\"B64\":\"x\",\"b64 \":\"y\",\"b64\":\"WzEsMl0=\"}", BX_TRACE_B64, "[1,2]", 0, 0, 0, "",
	  U, 0 },
	/* The name of a serializer in all its dresses. */
	{ "{\"ser\":\"json.batched\",\"b64\":\"\"}", BX_TRACE_B64, "", 0, 0, 0, "", U,
	  BX_SER_JSON },
	{ "{\"ser\":\"wamp.2.msgpack\",\"b64\":\"\"}", BX_TRACE_B64, "", 0, 0, 0, "", U,
	  BX_SER_MSGPACK },
	{ "{\"ser\":\"wamp.2.cbor.batched\",\"b64\":\"\"}", BX_TRACE_B64, "", 0, 0, 0, "", U,
	  BX_SER_CBOR },
	{ "{\"ser\":\"ubjson\",\"b64\":\"\"}", BX_TRACE_B64, "", 0, 0, 0, "", U, BX_SER_UBJSON },
	{ "{\"ser\":\"flatbuffers\",\"b64\":\"\"}", BX_TRACE_B64, "", 0, 0, 0, "", U,
	  BX_SER_FLATBUFFERS },
};

static void
check_accepted(const char *text, const struct accepted *want)
{
	uint8_t buf[256];
	struct bx_trace_line line;
	const char *what;
	size_t at;

	cr_assert(parse(text, buf, sizeof(buf), &line, &what, &at), "%s: %zu: %s", text, at, what);
	cr_assert_eq(line.form, want->form, "%s", text);
	cr_assert(bx_span_is(line.body, want->body), "%s: body", text);
	cr_assert_eq(line.ts, want->ts, "%s", text);
	cr_assert_eq(line.conn, want->conn, "%s", text);
	cr_assert_eq(line.session, want->session, "%s", text);
	cr_assert(bx_span_is(line.realm, want->realm), "%s: realm", text);
	cr_assert_eq(line.dir, want->dir, "%s", text);
	cr_assert_eq(line.ser, want->ser, "%s", text);
}

Test(trace, accepted)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		char spaced[512];

		check_accepted(accepted[i].text, &accepted[i]);
		/* A space at either end takes the other way through the parser. */
		snprintf(spaced, sizeof(spaced), " %s ", accepted[i].text);
		check_accepted(spaced, &accepted[i]);
	}
}

Test(trace, refused)
{
	static const struct {
		const char *text;
		const char *what; /* a part of it; "" any */
		size_t at;
	} cases[] = {
		{ "", "", 0 },
		{ "[1,\"realm1\",{}]", "not a JSON object", 0 },
		{ "{}", "none of b64, hex, msg", 0 },
		{ "{\"ts\":1,\"b64\":null}", "none of b64, hex, msg", 0 },
		{ "{\"b64\":\"\",\"b64\":\"\"}", "twice", 11 },
		{ "{\"ts\":1,\"ts\":1,\"b64\":\"\"}", "twice", 9 },
		{ "{\"ts\":1,\"\\u0074s\":1,\"b64\":\"\"}", "twice", 9 },
		{ "{\"msg\":[],\"hex\":\"\",\"msg\":[]}", "twice", 20 },
		{ "{\"ts\":1.0,\"b64\":\"\"}", "ts is not an integer", 6 },
		{ "{\"ts\":1e3,\"b64\":\"\"}", "ts is not an integer", 6 },
		{ "{\"ts\":\"1\",\"b64\":\"\"}", "ts is not an integer", 6 },
		{ "{\"ts\":true,\"b64\":\"\"}", "ts is not an integer", 6 },
		{ "{\"ts\":9223372036854775808,\"b64\":\"\"}", "ts is not an integer", 6 },
		{ "{\"ts\":-9223372036854775809,\"b64\":\"\"}", "ts is not an integer", 6 },
		{ "{\"conn\":-1,\"b64\":\"\"}", "conn is not", 8 },
		{ "{\"conn\":1.5,\"b64\":\"\"}", "conn is not", 8 },
		{ "{\"conn\":\"0\",\"b64\":\"\"}", "conn is not", 8 },
		{ "{\"conn\":18446744073709551616,\"b64\":\"\"}", "conn is not", 8 },
		{ "{\"session\":[],\"b64\":\"\"}", "session is not", 11 },
		{ "{\"realm\":1,\"b64\":\"\"}", "realm is not", 9 },
		{ "{\"dir\":\"C2R\",\"b64\":\"\"}", "dir is neither", 7 },
		{ "{\"dir\":\"\",\"b64\":\"\"}", "dir is neither", 7 },
		{ "{\"dir\":0,\"b64\":\"\"}", "dir is neither", 7 },
		{ "{\"ser\":\"xml\",\"b64\":\"\"}", "ser names no", 7 },
		{ "{\"ser\":\"\",\"b64\":\"\"}", "ser names no", 7 },
		{ "{\"ser\":\"unknown\",\"b64\":\"\"}", "ser names no", 7 },
		{ "{\"ser\":2,\"b64\":\"\"}", "ser is not", 7 },
		{ "{\"b64\":\"WzEsMl0\"}", "b64 is not padded", 7 },
		{ "{\"b64\":\"WzEsMl1=\"}", "b64 is not padded", 7 },
		{ "{\"b64\":\"Wz Es\"}", "b64 is not padded", 7 },
		{ "{\"b64\":\"W-_s\"}", "b64 is not padded", 7 },
		{ "{\"b64\":\"\\ud800==\"}", "b64 is not padded", 7 },
		{ "{\"b64\":[],\"msg\":[1]}", "b64 is not a string", 7 },
		{ "{\"hex\":\"123\"}", "hex is not hexadecimal", 7 },
		{ "{\"hex\":\"1g\"}", "hex is not hexadecimal", 7 },
		{ "{\"hex\":\"0x12\"}", "hex is not hexadecimal", 7 },
		{ "{\"hex\":12}", "hex is not a string", 7 },
		{ "{\"msg\":{}}", "msg is not an array", 7 },
		{ "{\"msg\":\"[1]\"}", "msg is not an array", 7 },
		{ "{\"msg\":[1,}", "", SIZE_MAX },
		{ "{\"msg\":[1]", "", SIZE_MAX },
		{ "{\"b64\":\"\"", "", SIZE_MAX },
		{ "{\"b64\":\"\"}}", "", SIZE_MAX },
		{ "{\"b64\":\"\"} {}", "", SIZE_MAX },
		{ "{\"b64\":\"\",}", "", SIZE_MAX },
		{ "{\"b64\" \"\"}", "", SIZE_MAX },
		{ "{b64:\"\"}", "", SIZE_MAX },
		{ "{\"ts\":01,\"b64\":\"\"}", "", SIZE_MAX },
		{ "{\"ts\":-,\"b64\":\"\"}", "", SIZE_MAX },
		{ "{\"realm\":\"\t\",\"b64\":\"\"}", "", SIZE_MAX },
		{ "{\"realm\":\"\xff\",\"b64\":\"\"}", "", SIZE_MAX },
		/* A form that is not read has to be JSON nevertheless. */
		{ "{\"b64\":\"\",\"hex\":\"\1\"}", "", SIZE_MAX },
		{ "{\"b64\":\"\",\"msg\":[}", "", SIZE_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[256];
		struct bx_trace_line line = { .ts = 77 };
		const char *what;
		size_t at;

		cr_assert(!parse(cases[i].text, buf, sizeof(buf), &line, &what, &at), "%s",
			  cases[i].text);
		cr_assert(what != NULL && what[0] != '\0', "%s", cases[i].text);
		cr_assert(strstr(what, cases[i].what) != NULL, "%s: %s", cases[i].text, what);
		cr_assert(at <= strlen(cases[i].text), "%s: %zu", cases[i].text, at);
		cr_assert(cases[i].at == SIZE_MAX || at == cases[i].at, "%s: at %zu", cases[i].text,
			  at);
		cr_assert_eq(line.ts, 77, "outputs stay as they were");
	}
}

/* Neither a beginning of a line nor a line with one byte changed reads where it should not. */
Test(trace, beginnings_and_changed_bytes)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		size_t len = strlen(accepted[i].text);
		size_t last = len;
		uint8_t buf[256];
		const char *what;
		size_t at;
		struct bx_trace_line line;

		while (accepted[i].text[last - 1] != '}')
			last--;
		for (size_t n = 0; n < len; n++) {
			uint8_t *copy = malloc(n);
			struct bx_writer scratch = bx_writer_over(buf, sizeof(buf));

			memcpy(copy, accepted[i].text, n);

			bool good = bx_trace_parse((struct bx_span){ copy, n }, &scratch, &line,
						   &what, &at);

			cr_assert_eq(good, n >= last, "%s: the first %zu", accepted[i].text, n);
			free(copy);
		}
		for (size_t n = 0; n < len; n++) {
			for (unsigned flip = 1; flip < 256; flip++) {
				uint8_t *copy = malloc(len);
				struct bx_writer scratch = bx_writer_over(buf, sizeof(buf));

				memcpy(copy, accepted[i].text, len);
				copy[n] ^= (uint8_t)flip;
				(void)bx_trace_parse((struct bx_span){ copy, len }, &scratch, &line,
						     &what, &at);
				free(copy);
			}
		}
	}
}

Test(trace, scratch)
{
	uint8_t buf[16];
	struct bx_trace_line line;
	const char *what;
	size_t at;

	cr_assert(parse("{\"b64\":\"AAAAAAAA\"}", buf, 6, &line, &what, &at));
	cr_assert(!parse("{\"b64\":\"AAAAAAAA\"}", buf, 5, &line, &what, &at));
	cr_assert_str_eq(what, "the message is too long");
	cr_assert(parse("{\"hex\":\"00112233\"}", buf, 4, &line, &what, &at));
	cr_assert(!parse("{\"hex\":\"00112233\"}", buf, 3, &line, &what, &at));
	cr_assert(!parse("{\"b64\":\"\\/\\/\\/\\/\\/\\/\\/\\/\"}", buf, 15, &line, &what, &at));
	cr_assert_str_eq(what, "the message is too long");
	cr_assert(parse("{\"b64\":\"\\/\\/\\/\\/\\/\\/\\/\\/\"}", buf, 16, &line, &what, &at));
	cr_assert(parse("{\"msg\":[1,2,3,4]}", buf, 0, &line, &what, &at));

	/* What stands in the scratch already stays. */
	struct bx_writer scratch = bx_writer_over(buf, sizeof(buf));

	bx_put_text(&scratch, "keep");
	cr_assert(bx_trace_parse(text_span(LINE), &scratch, &line, &what, &at));
	cr_assert_eq(memcmp(buf, "keep[1,2]", 9), 0);
	cr_assert_eq(bx_written(&scratch), 9);
	cr_assert_eq(line.body.ptr, buf + 4);
}

/* --- editing --------------------------------------------------------------------------------- */

static void
check_edit(const char *text, const char *body, const char *want)
{
	uint8_t buf[256], out[512];
	struct bx_trace_line line;
	struct bx_writer w = bx_writer_over(out, sizeof(out));
	const char *what;
	size_t at;

	cr_assert(parse(text, buf, sizeof(buf), &line, &what, &at), "%s: %s", text, what);
	bx_trace_edit(text_span(text), &line, text_span(body), &w);
	cr_assert(!w.full);
	cr_assert(bx_span_is(bx_since(&w, out), want), "%s: %.*s", text, (int)bx_written(&w), out);

	/* A writer without room for it says so. */
	for (size_t cap = 0; cap < strlen(want); cap++) {
		w = bx_writer_over(out, cap);
		bx_trace_edit(text_span(text), &line, text_span(body), &w);
		cr_assert(w.full, "%zu of %zu", cap, strlen(want));
	}
}

/* decisions.md 16. */
Test(trace, edit)
{
	check_edit(LINE, "[16]",
		   "{\"ts\":1795433137727763535,\"conn\":3,\"dir\":\"c2r\",\"ser\":\"json\","
		   "\"b64\":\"WzE2XQ==\"}");
	check_edit("{\"b64\":\"\"}", "[16]", "{\"b64\":\"WzE2XQ==\"}");
	check_edit("{ \"hex\" : \"5B5D\" , \"x\" : 1.50 } ", "[1]",
		   "{ \"hex\" : \"5b315d\" , \"x\" : 1.50 } ");
	check_edit("{\"note\":\"a\\u0041\",\"msg\":[1, 2],\"z\":{}}", "[3]",
		   "{\"note\":\"a\\u0041\",\"msg\":[3],\"z\":{}}");
	/* The other two forms go, with their comma. */
	check_edit("{\"b64\":\"WzFd\",\"hex\":\"5b315d\",\"msg\":[1]}", "[2]",
		   "{\"b64\":\"WzJd\"}");
	check_edit("{\"msg\":[1],\"hex\":\"5b315d\",\"b64\":\"WzFd\"}", "[2]",
		   "{\"b64\":\"WzJd\"}");
	check_edit("{\"hex\":\"5b315d\",\"b64\":\"WzFd\",\"msg\":[1]}", "[2]",
		   "{\"b64\":\"WzJd\"}");
	check_edit("{\"ts\":1,\"msg\":[1],\"b64\":\"WzFd\",\"conn\":2}", "[2]",
		   "{\"ts\":1,\"b64\":\"WzJd\",\"conn\":2}");
	check_edit("{ \"msg\": [1], \"ts\": 1,  \"hex\": \"5b315d\" ,\"b64\":null, \"conn\": 2 }",
		   "[2]", "{ \"ts\": 1,  \"hex\": \"5b325d\", \"conn\": 2 }");
	check_edit("{\"\\u006dsg\":[1],\"x\":[{\"msg\":0}],\"b64\":\"WzFd\"}", "[2]",
		   "{\"x\":[{\"msg\":0}],\"b64\":\"WzJd\"}");
	check_edit("{\"msg\":[1],\"b64\":null}", "[2]", "{\"msg\":[2]}");
}

/* What edit makes is a line that has the new body and else says the same. */
Test(trace, edit_and_parse_again)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		uint8_t buf[256], out[512];
		struct bx_trace_line line;
		struct bx_writer w = bx_writer_over(out, sizeof(out) - 1);
		struct accepted want = accepted[i];
		const char *what;
		size_t at;

		cr_assert(parse(accepted[i].text, buf, sizeof(buf), &line, &what, &at));
		bx_trace_edit(text_span(accepted[i].text), &line, text_span("[36,1]"), &w);
		cr_assert(!w.full);
		*w.at = '\0';
		want.body = "[36,1]";
		check_accepted((char *)out, &want);
		cr_assert(parse((char *)out, buf, sizeof(buf), &line, &what, &at));
		cr_assert_eq(line.forms, 1u << line.form);
	}
}

/* --- new lines ------------------------------------------------------------------------------- */

static void
check_put(const struct bx_trace_line *line, const char *want)
{
	uint8_t out[256];
	struct bx_writer w = bx_writer_over(out, sizeof(out));

	bx_trace_put(line, text_span("[1,2]"), &w);
	cr_assert(bx_span_is(bx_since(&w, out), want), "%.*s", (int)bx_written(&w), out);
	for (size_t cap = 0; cap < strlen(want); cap++) {
		w = bx_writer_over(out, cap);
		bx_trace_put(line, text_span("[1,2]"), &w);
		cr_assert(w.full);
	}
}

Test(trace, put)
{
	struct bx_trace_line line = { .dir = BX_DIR_UNKNOWN };

	check_put(&line, "{\"b64\":\"WzEsMl0=\"}");
	line.has_ts = true;
	line.ts = -12;
	line.dir = BX_DIR_R2C;
	line.ser = BX_SER_MSGPACK;
	check_put(&line, "{\"ts\":-12,\"dir\":\"r2c\",\"ser\":\"msgpack\",\"b64\":\"WzEsMl0=\"}");
	line.has_conn = true;
	line.conn = UINT64_MAX;
	line.has_session = true;
	line.session = 9;
	line.realm = HELP_SPAN("a\\\"b");
	line.dir = BX_DIR_C2R;
	check_put(&line, "{\"ts\":-12,\"dir\":\"c2r\",\"conn\":18446744073709551615,\"session\":9,"
			 "\"realm\":\"a\\\"b\",\"ser\":\"msgpack\",\"b64\":\"WzEsMl0=\"}");
}

/* --- recorded traffic ------------------------------------------------------------------------ */

/* Editing with the same body gives the same line; a new line says what the old one said. */
Test(trace, captures)
{
	static const char *const sets[] = { "mixed-sealed", "rs-ubjson-sealed", "ws-json-sealed" };
	size_t room = (size_t)4 << 20;
	uint8_t *buf = malloc(room), *out = malloc(room);

	for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++) {
		char path[1024];
		struct help_bytes text = { 0 };
		struct help_log log;
		struct bx_framer_options options = { .format = BX_FORMAT_TRACE,
						     .message_max = room };

		snprintf(path, sizeof(path), BX_TEST_DATA "/captures/%s/capture.trace.jsonl",
			 sets[s]);
		cr_assert(help_read_file(path, &text), "%s", path);
		help_cut(options, help_span(&text), help_step_all, NULL, 100, false, &log);
		cr_assert(log.end == BX_STEP_END && log.count > 1000);
		for (size_t i = 0; i < log.count; i++) {
			struct bx_span bytes = help_body(&log, i);
			struct bx_writer scratch = bx_writer_over(buf, room);
			struct bx_writer w = bx_writer_over(out, room);
			struct bx_trace_line line, again;
			const char *what;
			size_t at;

			cr_assert(bx_trace_parse(bytes, &scratch, &line, &what, &at));
			bx_trace_edit(bytes, &line, line.body, &w);
			cr_assert(bx_span_equal(bx_since(&w, out), bytes));

			uint8_t *from = w.at;

			bx_trace_put(&line, line.body, &w);
			cr_assert(!w.full);
			cr_assert(bx_trace_parse(bx_since(&w, from), &scratch, &again, &what, &at));
			cr_assert(again.ts == line.ts && again.conn == line.conn &&
				  again.dir == line.dir && again.ser == line.ser &&
				  bx_span_equal(again.body, line.body));
		}
		help_log_free(&log);
		help_free(&text);
	}
	free(buf);
	free(out);
}
