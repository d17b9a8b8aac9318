#include "frame_help.h"

#include <dirent.h>
#include <jansson.h>

#include "frame/sniff.h"
#include "frame/trace.h"

#define MIB ((size_t)1 << 20)
#define FULL ((size_t)1 << 24)

static struct bx_framer_options
options_of(enum bx_format format)
{
	return (struct bx_framer_options){ .format = format, .message_max = 2 * FULL };
}

/* --- recorded traffic ------------------------------------------------------------------------ */

#define CONN_MAX 8

struct expected {
	struct help_log trace[CONN_MAX][2]; /* bodies as the trace recording has them */
	size_t counts[CONN_MAX][2];         /* messages as the manifest counts them */
	char transport[CONN_MAX][16];
	enum bx_ser ser[CONN_MAX];
	bool batched[CONN_MAX];
	size_t conns;
};

static void
read_manifest(const char *dir, struct expected *e)
{
	char path[2048];
	json_error_t error;

	snprintf(path, sizeof(path), "%s/manifest.json", dir);

	json_t *root = json_load_file(path, 0, &error);

	cr_assert(root != NULL, "%s: %s", path, error.text);

	json_t *conns = json_object_get(root, "connections");

	e->conns = json_array_size(conns);
	cr_assert(e->conns > 0 && e->conns <= CONN_MAX);
	for (size_t i = 0; i < e->conns; i++) {
		json_t *conn = json_array_get(conns, i);
		const char *ser = json_string_value(json_object_get(conn, "serializer"));
		const char *dot = strchr(ser, '.');
		size_t len = dot != NULL ? (size_t)(dot - ser) : strlen(ser);

		cr_assert_eq(json_integer_value(json_object_get(conn, "conn")), (json_int_t)i);
		snprintf(e->transport[i], sizeof(e->transport[i]), "%s",
			 json_string_value(json_object_get(conn, "transport")));
		e->ser[i] = bx_ser_of_name((struct bx_span){ (const uint8_t *)ser, len });
		e->batched[i] = dot != NULL;
		for (int d = 0; d < 2; d++) {
			json_t *by_type = json_object_get(json_object_get(conn, "messages"),
							  d == 0 ? "c2r" : "r2c");
			const char *type;
			json_t *count;

			json_object_foreach(by_type, type, count)
			{
				e->counts[i][d] += (size_t)json_integer_value(count);
			}
		}
	}
	json_decref(root);
}

static void
read_trace(const char *dir, struct expected *e)
{
	char path[2048];
	struct help_bytes text = { 0 };
	struct help_log log;
	size_t room = 4 * MIB;
	uint8_t *buf = malloc(room);

	snprintf(path, sizeof(path), "%s/capture.trace.jsonl", dir);
	cr_assert(help_read_file(path, &text), "%s", path);
	help_cut(options_of(BX_FORMAT_TRACE), help_span(&text), help_step_all, NULL, 1000, false,
		 &log);
	cr_assert_eq(log.end, BX_STEP_END);
	cr_assert_eq(log.messages, log.count);
	cr_assert(bx_span_equal(help_span(&log.wholes), help_span(&text)));
	for (size_t i = 0; i < log.count; i++) {
		struct bx_writer scratch = bx_writer_over(buf, room);
		struct bx_trace_line line;
		const char *what = NULL;
		size_t at = 0;

		cr_assert(bx_trace_parse(help_body(&log, i), &scratch, &line, &what, &at),
			  "%s: line %zu at %zu: %s", path, i, at, what);
		cr_assert(line.has_ts && line.has_conn && line.dir != BX_DIR_UNKNOWN);
		cr_assert(line.conn < CONN_MAX);

		struct bx_frame frame = { { NULL, 0 }, line.body, BX_FRAME_MESSAGE, line.ser };

		help_log_frame(&e->trace[line.conn][line.dir], &frame);
	}
	help_log_free(&log);
	help_free(&text);
	free(buf);
}

static void
check_half(const char *path, struct bx_span bytes, const struct expected *e, size_t conn, int dir)
{
	bool rawsocket = strcmp(e->transport[conn], "rawsocket") == 0;
	enum bx_format format = BX_FORMAT_UNKNOWN;
	struct bx_span head = { bytes.ptr, bytes.len < 65536 ? bytes.len : 65536 };
	struct help_log log, other;
	const struct help_log *trace = &e->trace[conn][dir];
	uint64_t seed = bytes.len + 1;
	size_t message = 0;

	cr_assert_eq(bx_sniff(head, head.len == bytes.len, BX_FORMAT_UNKNOWN, BX_FORMAT_UNKNOWN,
			      &format, NULL),
		     BX_OK);
	cr_assert_eq(format, rawsocket ? BX_FORMAT_RAWSOCKET : BX_FORMAT_WEBSOCKET, "%s", path);
	help_cut(options_of(format), bytes, help_step_all, NULL, 512, false, &log);
	cr_assert_eq(log.end, BX_STEP_END, "%s: %s", path, log.fail.msg);
	cr_assert_eq(log.messages, e->counts[conn][dir], "%s: %zu messages, the manifest has %zu",
		     path, log.messages, e->counts[conn][dir]);
	cr_assert_eq(log.messages, trace->messages, "%s", path);
	cr_assert_eq(log.frames[0].kind, BX_FRAME_HANDSHAKE);
	cr_assert_eq(log.ser, e->ser[conn]);
	cr_assert(bx_span_equal(help_span(&log.wholes), bytes), "%s: a gap", path);
	if (!rawsocket) {
		cr_assert_eq(log.dir, dir == 0 ? BX_DIR_C2R : BX_DIR_R2C);
		cr_assert_eq(strstr(log.subprotocol, ".batched") != NULL, e->batched[conn]);
		cr_assert_eq(log.frames[log.count - 1].kind, BX_FRAME_CONTROL, "no close frame");
	}
	for (size_t i = 0; i < log.count; i++) {
		if (log.frames[i].kind != BX_FRAME_MESSAGE)
			continue;
		cr_assert(log.frames[i].whole_len != 0);
		cr_assert_eq(log.frames[i].ser, e->ser[conn]);
		cr_assert_eq(trace->frames[message].ser, e->ser[conn]);
		cr_assert(bx_span_equal(help_body(&log, i), help_body(trace, message)),
			  "%s: message %zu", path, message);
		message++;
	}
	help_cut(options_of(format), bytes, help_step_random, &seed, 5, false, &other);
	help_same(&log, &other, path);
	help_log_free(&other);
	help_cut(options_of(format), bytes, help_step_one, NULL, 5, false, &other);
	help_same(&log, &other, path);
	help_log_free(&other);
	help_log_free(&log);
}

/* Returns how many halves of connections it had. */
static size_t
check_set(const char *dir)
{
	struct expected *e = calloc(1, sizeof(*e));
	size_t halves = 0;

	read_manifest(dir, e);
	read_trace(dir, e);
	for (size_t i = 0; i < e->conns; i++) {
		for (int d = 0; d < 2; d++) {
			char path[2048];
			struct help_bytes bytes = { 0 };

			snprintf(path, sizeof(path), "%s/%03zu.%s.raw", dir, i,
				 d == 0 ? "c2r" : "r2c");
			if (help_read_file(path, &bytes)) {
				check_half(path, help_span(&bytes), e, i, d);
				halves++;
			}
			help_free(&bytes);
			help_log_free(&e->trace[i][d]);
		}
	}
	free(e);
	return halves;
}

/* Every half has the messages of its manifest, and the bodies are those of the trace recording. */
Test(framer, captures)
{
	DIR *dir = opendir(BX_TEST_DATA "/captures");
	size_t sets = 0, halves = 0;

	cr_assert(dir != NULL);
	for (struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
		char path[1024];

		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), BX_TEST_DATA "/captures/%s", d->d_name);
		halves += check_set(path);
		sets++;
	}
	closedir(dir);
	cr_assert(sets >= 10 && halves >= 100, "%zu sets, %zu halves", sets, halves);
}

/* --- tables of small streams ----------------------------------------------------------------- */

struct want {
	enum bx_frame_kind kind;
	const char *body;
	size_t len;
};

#define MSG(text)                                                                                  \
	{                                                                                          \
		BX_FRAME_MESSAGE, text, sizeof(text) - 1                                           \
	}
#define CTL(text)                                                                                  \
	{                                                                                          \
		BX_FRAME_CONTROL, text, sizeof(text) - 1                                           \
	}
#define HND                                                                                        \
	{                                                                                          \
		BX_FRAME_HANDSHAKE, "", 0                                                          \
	}
#define BLK                                                                                        \
	{                                                                                          \
		BX_FRAME_BLANK, "", 0                                                              \
	}

struct stream {
	const char *name;
	struct bx_span bytes;
	size_t want_count;
	struct want want[6];
	enum bx_err code; /* of the end; BX_OK: END */
	uint64_t offset;
};

#define BYTES(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

static void
check_stream(struct bx_framer_options options, const struct stream *s, struct help_log *log)
{
	help_cut_all_ways(options, s->bytes, log);
	cr_assert_eq(log->count, s->want_count, "%s: %zu frames, %s", s->name, log->count,
		     log->fail.msg);
	cr_assert_eq(log->fail.code, s->code, "%s: %s", s->name, log->fail.msg);
	cr_assert_eq(log->end, s->code == BX_OK ? BX_STEP_END : BX_STEP_FAIL, "%s", s->name);
	if (s->code != BX_OK) {
		cr_assert_eq(log->fail.offset, s->offset, "%s: offset %llu", s->name,
			     (unsigned long long)log->fail.offset);
		cr_assert(log->fail.msg[0] != '\0');
	}
	for (size_t i = 0; i < s->want_count; i++) {
		cr_assert_eq(log->frames[i].kind, s->want[i].kind, "%s: frame %zu", s->name, i);
		cr_assert(bx_span_equal(
			      help_body(log, i),
			      (struct bx_span){ (const uint8_t *)s->want[i].body, s->want[i].len }),
			  "%s: frame %zu", s->name, i);
	}
	cr_assert(log->wholes.len <= s->bytes.len &&
		      (log->wholes.len == 0 ||
		       memcmp(log->wholes.ptr, s->bytes.ptr, log->wholes.len) == 0),
		  "%s: a gap", s->name);
}

static void
check_streams(struct bx_framer_options options, const struct stream *streams, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct help_log log;

		check_stream(options, &streams[i], &log);
		help_log_free(&log);
	}
}

/* --- RawSocket ------------------------------------------------------------------------------- */

Test(framer, rawsocket_forms)
{
	static const struct stream streams[] = {
		{ "empty", BYTES(""), 0, { MSG("") }, BX_OK, 0 },
		{ "no handshake", BYTES("\0\0\0\3[1]"), 1, { MSG("[1]") }, BX_OK, 0 },
		{ "handshake",
		  BYTES("\x7f\xf1\0\0\0\0\0\3[1]\0\0\0\4[33]"),
		  3,
		  { HND, MSG("[1]"), MSG("[33]") },
		  BX_OK,
		  0 },
		{ "handshake only", BYTES("\x7f\x05\0\0"), 1, { HND }, BX_OK, 0 },
		{ "refusals", BYTES("\x7f\x40\0\0"), 1, { HND }, BX_OK, 0 },
		{ "no serializer, no error", BYTES("\x7f\0\0\0"), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "error of no meaning", BYTES("\x7f\x50\0\0"), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "unknown serializer", BYTES("\x7f\xf6\0\0"), 0, { HND }, BX_ERR_UNSUPPORTED, 0 },
		{ "reserved bytes", BYTES("\x7f\xf1\0\1"), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "half a handshake", BYTES("\x7f\xf1\0"), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "second handshake",
		  BYTES("\x7f\xf1\0\0\x7f\xf1\0\0"),
		  1,
		  { HND },
		  BX_ERR_FORMAT,
		  4 },
		{ "ping and pong",
		  BYTES("\1\0\0\2hi\2\0\0\2hi\0\0\0\3[1]\2\0\0\0"),
		  4,
		  { CTL("hi"), CTL("hi"), MSG("[1]"), CTL("") },
		  BX_OK,
		  0 },
		{ "empty ping at the end",
		  BYTES("\0\0\0\3[1]\1\0\0\0"),
		  2,
		  { MSG("[1]"), CTL("") },
		  BX_OK,
		  0 },
		{ "empty pings",
		  BYTES("\1\0\0\0\1\0\0\0\0\0\0\3[1]"),
		  3,
		  { CTL(""), CTL(""), MSG("[1]") },
		  BX_OK,
		  0 },
		{ "empty ping, then half a head",
		  BYTES("\1\0\0\0\0\0"),
		  1,
		  { CTL("") },
		  BX_ERR_FORMAT,
		  4 },
		{ "2^24 of Twisted, cut",
		  BYTES("\1\0\0\0[36,1"),
		  0,
		  { CTL("") },
		  BX_ERR_FORMAT,
		  0 },
		{ "2^24 of Twisted, cut early",
		  BYTES("\1\0\0\0["),
		  0,
		  { CTL("") },
		  BX_ERR_FORMAT,
		  0 },
		{ "empty message",
		  BYTES("\0\0\0\0\0\0\0\3[1]"),
		  2,
		  { MSG(""), MSG("[1]") },
		  BX_OK,
		  0 },
		{ "reserved bits",
		  BYTES("\0\0\0\3[1]\x10\0\0\3[1]"),
		  1,
		  { MSG("[1]") },
		  BX_ERR_FORMAT,
		  7 },
		{ "type 3", BYTES("\3\0\0\3[1]"), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "type 7", BYTES("\7\0\0\0"), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "X with a length", BYTES("\x08\0\0\1["), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "X, cut", BYTES("\x08\0\0\0["), 0, { HND }, BX_ERR_FORMAT, 0 },
		{ "cut head", BYTES("\0\0\0\3[1]\0\0"), 1, { MSG("[1]") }, BX_ERR_FORMAT, 7 },
		{ "cut body",
		  BYTES("\0\0\0\3[1]\0\0\0\4[33"),
		  1,
		  { MSG("[1]") },
		  BX_ERR_FORMAT,
		  7 },
		{ "text", BYTES("GET / HTTP/1.1\r\n"), 0, { HND }, BX_ERR_FORMAT, 0 },
	};

	check_streams(options_of(BX_FORMAT_RAWSOCKET), streams,
		      sizeof(streams) / sizeof(streams[0]));
}

Test(framer, rawsocket_serializer)
{
	static const struct {
		struct bx_span bytes;
		enum bx_ser given;
		bool joined;
		enum bx_ser ser;
		enum bx_err code;
	} cases[] = {
		{ BYTES("\x7f\xf2\0\0"), BX_SER_UNKNOWN, false, BX_SER_MSGPACK, BX_OK },
		{ BYTES("\x7f\xf2\0\0"), BX_SER_JSON, false, BX_SER_MSGPACK, BX_OK },
		{ BYTES("\x7f\xf2\0\0"), BX_SER_MSGPACK, true, BX_SER_MSGPACK, BX_OK },
		{ BYTES("\x7f\xf2\0\0"), BX_SER_JSON, true, BX_SER_JSON, BX_ERR_FORMAT },
		{ BYTES("\x7f\x30\0\0"), BX_SER_JSON, true, BX_SER_JSON, BX_OK },
		{ BYTES("\0\0\0\3[1]"), BX_SER_UNKNOWN, false, BX_SER_JSON, BX_OK },
		{ BYTES("\0\0\0\3[1]"), BX_SER_UBJSON, false, BX_SER_UBJSON, BX_OK },
		{ BYTES("\1\0\0\1[\0\0\0\3\x93\1\2"), BX_SER_UNKNOWN, false, BX_SER_MSGPACK,
		  BX_OK },
		{ BYTES("\0\0\0\0\0\0\0\3\x83\1\2"), BX_SER_UNKNOWN, false, BX_SER_CBOR, BX_OK },
		{ BYTES("\0\0\0\3[U\1"), BX_SER_UNKNOWN, false, BX_SER_UBJSON, BX_OK },
		{ BYTES("\0\0\0\1{"), BX_SER_UNKNOWN, false, BX_SER_UNKNOWN, BX_OK },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bx_framer_options options = options_of(BX_FORMAT_RAWSOCKET);
		struct help_log log;

		options.ser = cases[i].given;
		options.joined = cases[i].joined;
		help_cut(options, cases[i].bytes, help_step_all, NULL, 10, false, &log);
		cr_assert_eq(log.ser, cases[i].ser, "case %zu", i);
		cr_assert_eq(log.fail.code, cases[i].code, "case %zu: %s", i, log.fail.msg);
		help_log_free(&log);
	}
}

/* A message of exactly 2^24 bytes behind `head`, a small message behind that. */
static void
check_full(const char head[4], bool control)
{
	struct help_bytes bytes = { 0 };
	struct help_log log, other;
	uint8_t *body = malloc(FULL);
	uint64_t seed = 7;

	memset(body, ' ', FULL);
	memcpy(body, "[16,1,{},\"a\",[\"", 15);
	memcpy(body + FULL - 3, "\"]]", 3);
	help_add(&bytes, "\0\0\0\3[1]", 7);
	help_add(&bytes, head, 4);
	help_add(&bytes, body, FULL);
	help_add(&bytes, "\0\0\0\4[33]", 8);
	help_cut(options_of(BX_FORMAT_RAWSOCKET), help_span(&bytes), help_step_all, NULL, 10, false,
		 &log);
	cr_assert_eq(log.end, BX_STEP_END, "%s", log.fail.msg);
	cr_assert_eq(log.count, 3);
	cr_assert_eq(log.frames[1].kind, control ? BX_FRAME_CONTROL : BX_FRAME_MESSAGE);
	cr_assert_eq(log.frames[1].body_len, FULL);
	cr_assert_eq(memcmp(help_body(&log, 1).ptr, body, FULL), 0);
	cr_assert(bx_span_equal(help_body(&log, 2), HELP_SPAN("[33]")));
	help_cut(options_of(BX_FORMAT_RAWSOCKET), help_span(&bytes), help_step_random, &seed, 10,
		 false, &other);
	help_same(&log, &other, "2^24");
	help_log_free(&other);
	help_log_free(&log);

	/* One byte less, and it is cut. */
	bytes.len -= 9;
	help_cut(options_of(BX_FORMAT_RAWSOCKET), help_span(&bytes), help_step_all, NULL, 10, false,
		 &log);
	cr_assert_eq(log.fail.code, BX_ERR_FORMAT);
	cr_assert_eq(log.fail.offset, 7);
	help_log_free(&log);

	/* One byte less allowed, and it is too large; that is known without its body. */
	struct bx_framer_options options = options_of(BX_FORMAT_RAWSOCKET);

	options.message_max = FULL - 1;
	bytes.len = 7 + 4 + 4;
	help_cut(options, help_span(&bytes), help_step_all, NULL, 10, false, &log);
	cr_assert_eq(log.fail.code, BX_ERR_LIMIT);
	cr_assert_eq(log.fail.offset, 7);
	help_log_free(&log);
	help_free(&bytes);
	free(body);
}

Test(framer, rawsocket_full_by_x)
{
	check_full("\x08\0\0\0", false);
}

Test(framer, rawsocket_full_ping)
{
	check_full("\x09\0\0\0", true);
}

/* Twisted's Int32StringReceiver: a plain 32-bit length. */
Test(framer, rawsocket_full_by_twisted)
{
	check_full("\1\0\0\0", false);
}

/* --- lengths --------------------------------------------------------------------------------- */

Test(framer, hostile_lengths)
{
	static const struct {
		enum bx_format format;
		struct bx_span bytes;
		enum bx_err code;
	} cases[] = {
		{ BX_FORMAT_RAWSOCKET, BYTES("\0\xff\xff\xff["), BX_ERR_LIMIT },
		{ BX_FORMAT_RAWSOCKET, BYTES("\0\0\x03\xe9["), BX_ERR_LIMIT },
		{ BX_FORMAT_RAWSOCKET, BYTES("\0\0\x03\xe8["), BX_ERR_FORMAT }, /* cut */
		{ BX_FORMAT_RAWSOCKET, BYTES("\1\xff\xff\xff["), BX_ERR_LIMIT },
		{ BX_FORMAT_RAWSOCKET, BYTES("\x08\0\0\0"), BX_ERR_LIMIT },
		{ BX_FORMAT_RAWSOCKET, BYTES("\1\0\0\0[1,1"), BX_ERR_LIMIT },
		/* The head behind it could not be accepted, so this one is a length. */
		{ BX_FORMAT_RAWSOCKET, BYTES("\1\0\0\0\0\xff\xff\xff"), BX_ERR_LIMIT },
		{ BX_FORMAT_BATCHED_MSGPACK, BYTES("\xff\xff\xff\xff"), BX_ERR_LIMIT },
		{ BX_FORMAT_BATCHED_CBOR, BYTES("\0\0\x03\xe9"), BX_ERR_LIMIT },
		{ BX_FORMAT_BATCHED_CBOR, BYTES("\0\0\x03\xe8"), BX_ERR_FORMAT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bx_framer_options options = options_of(cases[i].format);
		struct help_log log;

		options.message_max = 1000;
		help_cut_all_ways(options, cases[i].bytes, &log);
		cr_assert_eq(log.fail.code, cases[i].code, "case %zu: %s", i, log.fail.msg);
		cr_assert_eq(log.fail.offset, 0);
		help_log_free(&log);
	}
}

/* The limit is exact and does not depend on how the input is chopped. */
Test(framer, limit_of_text)
{
	static const struct {
		enum bx_format format;
		struct bx_span bytes;
		size_t messages;
		enum bx_err code;
	} cases[] = {
		{ BX_FORMAT_JSONL, BYTES("[123456]\n"), 1, BX_OK },
		{ BX_FORMAT_JSONL, BYTES("[123456]\r\n"), 1, BX_OK },
		{ BX_FORMAT_JSONL, BYTES("[123456]"), 1, BX_OK },
		{ BX_FORMAT_JSONL, BYTES("[1234567]\n"), 0, BX_ERR_LIMIT },
		{ BX_FORMAT_JSONL, BYTES("[1234567]"), 0, BX_ERR_LIMIT },
		{ BX_FORMAT_JSONL, BYTES("[1234567890"), 0, BX_ERR_LIMIT },
		{ BX_FORMAT_JSONL, BYTES("          \n"), 0, BX_ERR_LIMIT },
		{ BX_FORMAT_BATCHED_JSON, BYTES("[123456]\x18"), 1, BX_OK },
		{ BX_FORMAT_BATCHED_JSON, BYTES("[1234567]\x18"), 0, BX_ERR_LIMIT },
		{ BX_FORMAT_BATCHED_JSON, BYTES("[1234567890"), 0, BX_ERR_LIMIT },
		{ BX_FORMAT_BATCHED_JSON, BYTES("[123456"), 0, BX_ERR_FORMAT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bx_framer_options options = options_of(cases[i].format);
		struct help_log log;

		options.message_max = 8;
		help_cut_all_ways(options, cases[i].bytes, &log);
		cr_assert_eq(log.fail.code, cases[i].code, "case %zu: %s", i, log.fail.msg);
		cr_assert_eq(log.messages, cases[i].messages, "case %zu", i);
		help_log_free(&log);
	}
}

/* --- lines ----------------------------------------------------------------------------------- */

Test(framer, lines)
{
	static const struct stream streams[] = {
		{ "empty", BYTES(""), 0, { MSG("") }, BX_OK, 0 },
		{ "two", BYTES("[1]\n[2,3]\n"), 2, { MSG("[1]"), MSG("[2,3]") }, BX_OK, 0 },
		{ "no newline at the end",
		  BYTES("[1]\n[2]"),
		  2,
		  { MSG("[1]"), MSG("[2]") },
		  BX_OK,
		  0 },
		{ "returns", BYTES("[1]\r\n[2]\r\n"), 2, { MSG("[1]"), MSG("[2]") }, BX_OK, 0 },
		{ "return and no newline", BYTES("[1]\r"), 1, { MSG("[1]") }, BX_OK, 0 },
		{ "blank",
		  BYTES("\n[1]\n \t\r\n\r\n"),
		  4,
		  { BLK, MSG("[1]"), BLK, BLK },
		  BX_OK,
		  0 },
		{ "blank end", BYTES("[1]\n  "), 2, { MSG("[1]"), BLK }, BX_OK, 0 },
		{ "U+2028 is no newline",
		  BYTES("[\"\xe2\x80\xa8\"]\n"),
		  1,
		  { MSG("[\"\xe2\x80\xa8\"]") },
		  BX_OK,
		  0 },
		{ "anything else is the codec's", BYTES("\0\1{\n"), 1, { MSG("\0\1{") }, BX_OK, 0 },
	};

	check_streams(options_of(BX_FORMAT_JSONL), streams, sizeof(streams) / sizeof(streams[0]));
	check_streams(options_of(BX_FORMAT_TRACE), streams, sizeof(streams) / sizeof(streams[0]));
}

/* --- batches --------------------------------------------------------------------------------- */

Test(framer, batched_json)
{
	static const struct stream streams[] = {
		{ "empty", BYTES(""), 0, { MSG("") }, BX_OK, 0 },
		{ "Autobahn", BYTES("[1]\x18[2]\x18"), 2, { MSG("[1]"), MSG("[2]") }, BX_OK, 0 },
		{ "RFC", BYTES("[1]\x1e[2]\x1e"), 2, { MSG("[1]"), MSG("[2]") }, BX_OK, 0 },
		{ "mixed",
		  BYTES("[1]\x1e[22222222222]\x18"),
		  2,
		  { MSG("[1]"), MSG("[22222222222]") },
		  BX_OK,
		  0 },
		{ "blanks",
		  BYTES(" \x18[1]\x18\x18\n"),
		  4,
		  { BLK, MSG("[1]"), BLK, BLK },
		  BX_OK,
		  0 },
		{ "no separator", BYTES("[1]"), 0, { MSG("") }, BX_ERR_FORMAT, 0 },
		{ "cut", BYTES("[1]\x18[2"), 1, { MSG("[1]") }, BX_ERR_FORMAT, 4 },
		{ "long",
		  BYTES("[1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\x18"),
		  1,
		  { MSG("[1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]") },
		  BX_OK,
		  0 },
		{ "near misses",
		  BYTES("\x17\x19\x1d\x1f\x98\x9e\x08\x38\x0e\x3e\x18"),
		  1,
		  { MSG("\x17\x19\x1d\x1f\x98\x9e\x08\x38\x0e\x3e") },
		  BX_OK,
		  0 },
	};

	check_streams(options_of(BX_FORMAT_BATCHED_JSON), streams,
		      sizeof(streams) / sizeof(streams[0]));
}

/* Each offset within a word, each length, both separators. */
Test(framer, separator_is_found_anywhere)
{
	for (size_t len = 1; len < 40; len++) {
		for (size_t at = 0; at < len; at++) {
			uint8_t text[40];
			struct help_log log;

			memset(text, 0x17 + len % 3 * 2, len); /* 17, 19, 1b */
			text[at] = at % 2 != 0 ? 0x18 : 0x1e;
			help_cut(options_of(BX_FORMAT_BATCHED_JSON), (struct bx_span){ text, len },
				 help_step_all, NULL, 1, false, &log);
			cr_assert_eq(log.count, 1);
			cr_assert_eq(log.frames[0].whole_len, at + 1);
			cr_assert_eq(log.end, at + 1 == len ? BX_STEP_END : BX_STEP_FAIL);
			cr_assert_eq(log.separator, text[at]);
			help_log_free(&log);
		}
	}
}

Test(framer, batched_binary)
{
	static const struct stream streams[] = {
		{ "empty", BYTES(""), 0, { MSG("") }, BX_OK, 0 },
		{ "two",
		  BYTES("\0\0\0\3\x93\1\2\0\0\0\1\x90"),
		  2,
		  { MSG("\x93\1\2"), MSG("\x90") },
		  BX_OK,
		  0 },
		{ "empty message", BYTES("\0\0\0\0"), 1, { MSG("") }, BX_OK, 0 },
		{ "no PING here", BYTES("\1\0\0\0"), 0, { MSG("") }, BX_ERR_FORMAT, 0 },
		{ "cut head", BYTES("\0\0\0\1\x90\0\0\0"), 1, { MSG("\x90") }, BX_ERR_FORMAT, 5 },
		{ "cut body",
		  BYTES("\0\0\0\1\x90\0\0\0\2\x90"),
		  1,
		  { MSG("\x90") },
		  BX_ERR_FORMAT,
		  5 },
	};
	struct help_log log;

	check_streams(options_of(BX_FORMAT_BATCHED_MSGPACK), streams,
		      sizeof(streams) / sizeof(streams[0]));
	check_stream(options_of(BX_FORMAT_BATCHED_CBOR), &streams[1], &log);
	cr_assert_eq(log.frames[0].ser, BX_SER_CBOR);
	help_log_free(&log);
}

/* --- sequences ------------------------------------------------------------------------------- */

/* A stand-in for a codec: a value is a byte n below 0x80 and n bytes after it. */
static enum bx_step
toy_extent(struct bx_span bytes, size_t *len, const char **what)
{
	cr_assert(bytes.len != 0);
	*what = "a byte that begins no value";
	if (bytes.ptr[0] >= 0x80)
		return BX_STEP_FAIL;
	if (bytes.len <= bytes.ptr[0])
		return BX_STEP_MORE;
	*len = (size_t)bytes.ptr[0] + 1;
	return BX_STEP_ITEM;
}

Test(framer, sequences)
{
	static const struct stream streams[] = {
		{ "empty", BYTES(""), 0, { MSG("") }, BX_OK, 0 },
		{ "two", BYTES("\2ab\1c"), 2, { MSG("\2ab"), MSG("\1c") }, BX_OK, 0 },
		{ "cut", BYTES("\2ab\2c"), 1, { MSG("\2ab") }, BX_ERR_FORMAT, 3 },
		{ "malformed", BYTES("\2ab\xff"), 1, { MSG("\2ab") }, BX_ERR_FORMAT, 3 },
		{ "just short enough", BYTES("\7abcdefg"), 1, { MSG("\7abcdefg") }, BX_OK, 0 },
		{ "too long",
		  BYTES("\x08"
			"abcdefgh"),
		  0,
		  { MSG("") },
		  BX_ERR_LIMIT,
		  0 },
		{ "too long and cut",
		  BYTES("\x7f"
			"abcdefgh"),
		  0,
		  { MSG("") },
		  BX_ERR_LIMIT,
		  0 },
	};
	struct bx_framer_options options = options_of(BX_FORMAT_MSGPACK);
	struct help_log log;

	options.extent = toy_extent;
	options.message_max = 8;
	check_streams(options, streams, sizeof(streams) / sizeof(streams[0]));
	options.format = BX_FORMAT_CBOR;
	check_stream(options, &streams[1], &log);
	cr_assert_eq(log.frames[1].ser, BX_SER_CBOR);
	help_log_free(&log);
	check_stream(options, &streams[3], &log);
	cr_assert(strstr(log.fail.msg, "a byte that begins no value") != NULL);
	help_log_free(&log);
}

/* --- cuts ------------------------------------------------------------------------------------ */

/* A stream cut at every byte: clean on the edge of a message, a failure at its start elsewhere. */
static void
check_cuts(enum bx_format format, struct bx_span bytes)
{
	struct help_log whole;
	size_t edge = 0, frame = 0;

	help_cut(options_of(format), bytes, help_step_all, NULL, 100, false, &whole);
	cr_assert_eq(whole.end, BX_STEP_END);
	for (size_t len = 0; len <= bytes.len; len++) {
		struct help_log log;

		if (frame < whole.count && len == edge + whole.frames[frame].whole_len)
			edge += whole.frames[frame++].whole_len;
		help_cut(options_of(format), (struct bx_span){ bytes.ptr, len }, help_step_all,
			 NULL, 100, true, &log);
		cr_assert_eq(log.count, frame);
		cr_assert_eq(log.end, len == edge ? BX_STEP_END : BX_STEP_FAIL, "cut at %zu", len);
		cr_assert(len == edge ||
			      (log.fail.code == BX_ERR_FORMAT && log.fail.offset == edge),
			  "cut at %zu", len);
		help_log_free(&log);
	}
	help_log_free(&whole);
}

Test(framer, cut_at_every_byte)
{
	struct help_bytes bytes = { 0 };
	static const char handshake[] = { 0x7f, (char)0xf1, 0, 0 };
	static const char ping[] = { 1, 0, 0, 5, 'h', 'e', 'l', 'l', 'o' };

	help_add(&bytes, handshake, 4);
	for (int i = 0; i < 6; i++) {
		char text[200];
		int n = snprintf(text, sizeof(text), "[36,%d,{},\"%.*s\"]", i, i * 20,
				 "--------------------------------------------------------------"
				 "--------------------------------------------------------------");
		uint8_t head[4];

		bx_store_be32(head, (uint32_t)n);
		help_add(&bytes, head, 4);
		help_add(&bytes, text, (size_t)n);
		help_add(&bytes, ping, sizeof(ping));
	}
	check_cuts(BX_FORMAT_RAWSOCKET, help_span(&bytes));
	help_free(&bytes);
	check_cuts(BX_FORMAT_BATCHED_JSON, HELP_SPAN("[1,2]\x18[3]\x1e[4,{}]\x18"));
	check_cuts(BX_FORMAT_BATCHED_CBOR, HELP_SPAN("\0\0\0\3\x83\1\2\0\0\0\1\x81\0\0\0\0"));
}

/* After a failure every call says the same, whatever it is given. */
Test(framer, failure_stays)
{
	struct bx_framer *framer = NULL;
	struct bx_frame frames[4];
	struct bx_fail fail = { 0 };
	size_t count, used, need;
	struct bx_span bytes = HELP_SPAN("\0\0\0\3[1]\xff\0\0\0");

	cr_assert_eq(bx_framer_new(&framer, options_of(BX_FORMAT_RAWSOCKET), NULL), BX_OK);
	cr_assert_eq(
	    bx_framer_cut(framer, bytes, 1000, false, NULL, frames, 4, &count, &used, &need, &fail),
	    BX_STEP_ITEM);
	cr_assert(count == 1 && used == 7 && fail.code == BX_OK);
	for (int i = 0; i < 3; i++) {
		fail = (struct bx_fail){ 0 };
		cr_assert_eq(bx_framer_cut(framer, (struct bx_span){ bytes.ptr, 7 }, 9, true, NULL,
					   frames, 4, &count, &used, &need, &fail),
			     BX_STEP_FAIL);
		cr_assert(count == 0 && used == 0 && fail.code == BX_ERR_FORMAT);
		cr_assert_eq(fail.offset, 1007);
	}
	bx_framer_free(framer);
	bx_framer_free(NULL);
}

Test(framer, formats_that_are_no_streams)
{
	static const enum bx_format formats[] = { BX_FORMAT_UNKNOWN, BX_FORMAT_BOXCAR,
						  BX_FORMAT_MCAP, BX_FORMAT_PCAP,
						  BX_FORMAT_PCAPNG };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct bx_framer *framer = NULL;
		struct bx_fail fail = { 0 };

		cr_assert_eq(bx_framer_new(&framer, options_of(formats[i]), &fail), BX_ERR_USAGE);
		cr_assert_null(framer);
	}
}

/* --- writing --------------------------------------------------------------------------------- */

Test(framer, what_is_written_is_read)
{
	static const enum bx_format formats[] = { BX_FORMAT_RAWSOCKET, BX_FORMAT_JSONL,
						  BX_FORMAT_BATCHED_JSON, BX_FORMAT_BATCHED_MSGPACK,
						  BX_FORMAT_BATCHED_CBOR };
	const struct bx_span body = HELP_SPAN("[36,1,2,{}]");

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		uint8_t buf[200];
		struct bx_writer w = bx_writer_over(buf, sizeof(buf));
		struct help_log log;

		if (formats[i] == BX_FORMAT_RAWSOCKET)
			bx_frame_put_handshake(BX_SER_JSON, &w);
		for (int n = 0; n < 5; n++) {
			size_t before = bx_written(&w);

			bx_frame_put_head(formats[i], body.len, &w);
			bx_put_span(&w, body);
			bx_frame_put_tail(formats[i], BX_SEPARATOR_RFC, &w);
			cr_assert_eq(bx_written(&w) - before,
				     body.len + bx_frame_overhead(formats[i]));
		}
		cr_assert(!w.full);
		help_cut(options_of(formats[i]), bx_since(&w, buf), help_step_all, NULL, 10, false,
			 &log);
		cr_assert_eq(log.end, BX_STEP_END);
		cr_assert_eq(log.messages, 5);
		for (size_t n = log.count - 5; n < log.count; n++)
			cr_assert(bx_span_equal(help_body(&log, n), body));
		help_log_free(&log);
	}
	cr_assert_eq(bx_frame_body_max(BX_FORMAT_RAWSOCKET), FULL - 1);
	cr_assert_eq(bx_frame_body_max(BX_FORMAT_BATCHED_CBOR), UINT32_MAX);
	cr_assert_eq(bx_frame_body_max(BX_FORMAT_MSGPACK), SIZE_MAX);
	cr_assert_eq(bx_frame_overhead(BX_FORMAT_CBOR), 0);
}

Test(framer, handshake)
{
	uint8_t buf[5];
	struct bx_writer w = bx_writer_over(buf, sizeof(buf));

	bx_frame_put_handshake(BX_SER_CBOR, &w);
	cr_assert(bx_span_equal(bx_since(&w, buf), HELP_SPAN("\x7f\xf3\0\0")));
}

/* --- guessing a start ------------------------------------------------------------------------ */

static void
add_frame(struct help_bytes *bytes, struct bx_span body)
{
	uint8_t head[4];

	bx_store_be32(head, (uint32_t)body.len);
	help_add(bytes, head, 4);
	help_add(bytes, body.ptr, body.len);
}

/* From any place of recorded traffic the guess is the next edge of a message. */
Test(framer, guess_start)
{
	static const char *const files[] = { "rs-msgpack-sealed/001.c2r.raw",
					     "rs-json-plain/000.r2c.raw",
					     "mixed-sealed/000.r2c.raw",
					     "rs-ubjson-sealed/002.c2r.raw" };

	for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
		char path[2048];
		struct help_bytes bytes = { 0 };
		struct help_log log;
		size_t edge = 0, right = 0, tried = 0;

		snprintf(path, sizeof(path), BX_TEST_DATA "/captures/%s", files[f]);
		cr_assert(help_read_file(path, &bytes), "%s", path);
		help_cut(options_of(BX_FORMAT_RAWSOCKET), help_span(&bytes), help_step_all, NULL,
			 100, false, &log);
		cr_assert_eq(log.end, BX_STEP_END);
		for (size_t i = 0; i + 10 < log.count; i++) {
			size_t len = log.frames[i].whole_len;

			/* Just behind the first byte of frame i: the next edge is that of i + 1. */
			struct bx_span rest = { bytes.ptr + edge + 1, bytes.len - edge - 1 };

			edge += len;
			tried++;
			right += bx_frame_guess_start(BX_FORMAT_RAWSOCKET, rest) == len - 1;
		}
		cr_assert(tried > 100 && right == tried, "%s: %zu of %zu", path, right, tried);
		help_log_free(&log);
		help_free(&bytes);
	}
}

Test(framer, guess_start_of_batches_and_of_none)
{
	struct help_bytes bytes = { 0 };
	uint8_t *zeros = calloc(1, 4096);

	help_add(&bytes, "\x00\x05\xff", 3);
	for (int i = 0; i < 12; i++)
		add_frame(&bytes, HELP_SPAN("\x84\x10\x01\xa0\x61\x61"));
	cr_assert_eq(bx_frame_guess_start(BX_FORMAT_BATCHED_CBOR, help_span(&bytes)), 3);
	cr_assert_eq(bx_frame_guess_start(BX_FORMAT_RAWSOCKET, help_span(&bytes)), 3);
	/* A frame that runs over the end does not count for a whole one. */
	cr_assert_eq(
	    bx_frame_guess_start(BX_FORMAT_BATCHED_CBOR, HELP_SPAN("\0\0\0\2\x81\1\0\0\0\x90\x81")),
	    0);
	cr_assert_eq(bx_frame_guess_start(BX_FORMAT_BATCHED_CBOR, HELP_SPAN("\0\0\0\x90\x81\1")),
		     SIZE_MAX);
	cr_assert_eq(bx_frame_guess_start(BX_FORMAT_RAWSOCKET, HELP_SPAN("")), SIZE_MAX);
	cr_assert_eq(bx_frame_guess_start(BX_FORMAT_RAWSOCKET, HELP_SPAN("no zero byte in here")),
		     SIZE_MAX);
	cr_assert_eq(bx_frame_guess_start(BX_FORMAT_RAWSOCKET, (struct bx_span){ zeros, 4096 }),
		     SIZE_MAX);
	free(zeros);
	help_free(&bytes);
}
