#include "frame_help.h"

#include <zlib.h>

#include "frame/websocket.h"
#include "seeded.h"

#define MIB ((size_t)1 << 20)

#define REQUEST(more)                                                                              \
	"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"                            \
	"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n" more "\r\n"
#define RESPONSE(more)                                                                             \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" more   \
	"\r\n"
#define PROTO(name) "Sec-WebSocket-Protocol: " name "\r\n"
#define DEFLATE(params) "Sec-WebSocket-Extensions: permessage-deflate" params "\r\n"

static struct bx_framer_options
options_max(size_t max)
{
	return (struct bx_framer_options){ .format = BX_FORMAT_WEBSOCKET, .message_max = max };
}

/* --- making streams -------------------------------------------------------------------------- */

static void
put_text(struct help_bytes *b, const char *text)
{
	help_add(b, text, strlen(text));
}

/* One frame with the shortest length; `mask` NULL: not masked. Written apart from the engine's. */
static void
put_frame(struct help_bytes *b, uint8_t first, const char *mask, struct bx_span payload)
{
	uint8_t head[10] = { first };
	size_t head_len = 2;
	uint8_t bit = mask != NULL ? 0x80 : 0;

	if (payload.len < 126) {
		head[1] = (uint8_t)(bit | payload.len);
	} else if (payload.len < 65536) {
		head[1] = bit | 126;
		bx_store_be16(head + 2, (uint16_t)payload.len);
		head_len = 4;
	} else {
		head[1] = bit | 127;
		bx_store_be64(head + 2, payload.len);
		head_len = 10;
	}
	help_add(b, head, head_len);
	if (mask == NULL) {
		help_add(b, payload.ptr, payload.len);
		return;
	}
	help_add(b, mask, 4);
	for (size_t i = 0; i < payload.len; i++) {
		uint8_t c = payload.ptr[i] ^ (uint8_t)mask[i % 4];

		help_add(b, &c, 1);
	}
}

static const char mask[4] = { 0x37, (char)0xe5, 0, (char)0xff };

/* --- small streams --------------------------------------------------------------------------- */

struct want {
	enum bx_frame_kind kind;
	struct bx_span body; /* of messages */
};

#define BYTES(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}
#define MSG(text)                                                                                  \
	{                                                                                          \
		BX_FRAME_MESSAGE, BYTES(text)                                                      \
	}
#define CTL                                                                                        \
	{                                                                                          \
		BX_FRAME_CONTROL, BYTES("")                                                        \
	}
#define HND                                                                                        \
	{                                                                                          \
		BX_FRAME_HANDSHAKE, BYTES("")                                                      \
	}
#define BLK                                                                                        \
	{                                                                                          \
		BX_FRAME_BLANK, BYTES("")                                                          \
	}

static void
check_log(const struct help_log *log, const char *name, const struct want *want, size_t count)
{
	cr_assert_eq(log->count, count, "%s: %zu frames, %s", name, log->count, log->fail.msg);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(log->frames[i].kind, want[i].kind, "%s: frame %zu", name, i);
		cr_assert(want[i].kind != BX_FRAME_MESSAGE ||
			      bx_span_equal(help_body(log, i), want[i].body),
			  "%s: frame %zu: %.*s", name, i, (int)log->frames[i].body_len,
			  help_body(log, i).ptr);
	}
}

/* Cuts in all ways; checks frames, that no byte is lost, and the code of the end. */
static void
check(const char *name, struct bx_framer_options options, const struct help_bytes *bytes,
      const struct want *want, size_t count, enum bx_err code, struct help_log *log)
{
	help_cut_all_ways(options, help_span(bytes), log);
	check_log(log, name, want, count);
	cr_assert_eq(log->fail.code, code, "%s: %s", name, log->fail.msg);
	cr_assert(log->wholes.len <= bytes->len &&
		      memcmp(log->wholes.ptr, bytes->ptr, log->wholes.len) == 0,
		  "%s: a gap", name);
	cr_assert(code != BX_OK || log->wholes.len == bytes->len, "%s: bytes are missing", name);
}

/* The example frames of RFC 6455 5.7. */
Test(websocket, rfc_examples)
{
	struct help_bytes bytes = { 0 };
	struct help_log log;
	uint8_t *data = calloc(1, 65536);
	struct want server[] = { HND,
				 MSG("Hello"),
				 BLK,
				 BLK,
				 MSG("Hello"),
				 CTL,
				 { BX_FRAME_MESSAGE, { data, 256 } },
				 { BX_FRAME_MESSAGE, { data, 65536 } } };
	static const struct want client[] = { HND, MSG("Hello"), CTL };
	static const struct want text[] = { HND, MSG("Hello"), BLK, BLK, MSG("Hello"), CTL };

	put_text(&bytes, RESPONSE(PROTO("wamp.2.json")));
	help_add(&bytes, "\x81\x05\x48\x65\x6c\x6c\x6f", 7);
	help_add(&bytes, "\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", 9);
	help_add(&bytes, "\x89\x05\x48\x65\x6c\x6c\x6f", 7);
	check("server, text", options_max(MIB), &bytes, text, 6, BX_OK, &log);
	cr_assert_eq(log.dir, BX_DIR_R2C);
	help_log_free(&log);
	help_free(&bytes);

	put_text(&bytes, REQUEST(PROTO("wamp.2.json")));
	help_add(&bytes, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	help_add(&bytes, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	check("client", options_max(MIB), &bytes, client, 3, BX_OK, &log);
	cr_assert_eq(log.dir, BX_DIR_C2R);
	help_log_free(&log);
	help_free(&bytes);

	put_text(&bytes, RESPONSE(PROTO("wamp.2.msgpack")));
	help_add(&bytes, "\x82\x05Hello\x02\x03Hel\x80\x02lo\x89\x05Hello", 7 + 9 + 7);
	help_add(&bytes, "\x82\x7e\x01\x00", 4);
	help_add(&bytes, data, 256);
	help_add(&bytes, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
	help_add(&bytes, data, 65536);
	check("server, binary", options_max(MIB), &bytes, server, 8, BX_OK, &log);
	help_log_free(&log);
	help_free(&bytes);
	free(data);
}

Test(websocket, fragments_with_control_frames_between)
{
	static const struct want want[] = { HND,        BLK, CTL, BLK,
					    CTL,        BLK, BLK, MSG("[1,2,3]"),
					    MSG("[4]"), CTL };
	struct help_bytes bytes = { 0 };
	struct help_log log;

	put_text(&bytes, REQUEST(PROTO("wamp.2.json")));
	put_frame(&bytes, 0x01, mask, HELP_SPAN("[1"));
	put_frame(&bytes, 0x89, mask, HELP_SPAN("ping"));
	put_frame(&bytes, 0x00, mask, HELP_SPAN(""));
	put_frame(&bytes, 0x8a, "abcd", HELP_SPAN(""));
	put_frame(&bytes, 0x00, "wxyz", HELP_SPAN(",2,"));
	put_frame(&bytes, 0x80, mask, HELP_SPAN("3]"));
	put_frame(&bytes, 0x81, mask, HELP_SPAN("[4]"));
	put_frame(&bytes, 0x88, mask,
		  HELP_SPAN("\x03\xe8"
			    "bye"));
	check("fragments", options_max(MIB), &bytes, want, 10, BX_OK, &log);
	cr_assert_eq(log.frames[7].whole_len, 0, "cannot be passed through");
	cr_assert_eq(log.frames[8].whole_len, 2 + 4 + 3);
	help_log_free(&log);
	help_free(&bytes);
}

/* --- subprotocols ---------------------------------------------------------------------------- */

struct subprotocol_case {
	const char *name;
	const char *head;
	const char *given; /* options.subprotocol */
	uint8_t opcode;
	struct bx_span payload;
	enum bx_err code;
	const char *subprotocol;
	enum bx_ser ser;
	size_t messages;
};

#define OFFER                                                                                      \
	PROTO("wamp.2.cbor.batched, wamp.2.msgpack , wamp.2.json")                                 \
	PROTO("wamp.2.json.batched,wamp.2.msgpack.batched,wamp.2.ubjson,wamp.2.flatbuffers")
#define BATCH "\0\0\0\3\x83\1\2\0\0\0\3\x83\1\3"

static const struct subprotocol_case subprotocols[] = {
	{ "chosen", RESPONSE(PROTO("wamp.2.cbor")), NULL, 2, BYTES("\x83\1\2"), BX_OK,
	  "wamp.2.cbor", BX_SER_CBOR, 1 },
	{ "header name without case", RESPONSE("sec-websocket-PROTOCOL:wamp.2.cbor\r\n"), NULL, 2,
	  BYTES("\x83\1\2"), BX_OK, "wamp.2.cbor", BX_SER_CBOR, 1 },
	{ "chosen, batched", RESPONSE(PROTO("wamp.2.cbor.batched")), NULL, 2, BYTES(BATCH), BX_OK,
	  "wamp.2.cbor.batched", BX_SER_CBOR, 2 },
	{ "none chosen: JSON", RESPONSE(""), NULL, 1, BYTES("[1]"), BX_OK, "wamp.2.json",
	  BX_SER_JSON, 1 },
	{ "none chosen, binary", RESPONSE(""), NULL, 2, BYTES("\x83\1\2"), BX_ERR_FORMAT,
	  "wamp.2.json", BX_SER_JSON, 0 },
	{ "foreign", RESPONSE(PROTO("mqtt")), NULL, 2, BYTES("x"), BX_ERR_UNSUPPORTED, NULL,
	  BX_SER_UNKNOWN, 0 },
	{ "two chosen", RESPONSE(PROTO("wamp.2.json, wamp.2.cbor")), NULL, 1, BYTES("[1]"),
	  BX_ERR_FORMAT, NULL, BX_SER_UNKNOWN, 0 },
	{ "text where binary is due", RESPONSE(PROTO("wamp.2.msgpack")), NULL, 1, BYTES("[1]"),
	  BX_ERR_FORMAT, "wamp.2.msgpack", BX_SER_MSGPACK, 0 },
	{ "binary where text is due", RESPONSE(PROTO("wamp.2.json")), NULL, 2, BYTES("[1]"),
	  BX_ERR_FORMAT, "wamp.2.json", BX_SER_JSON, 0 },
	{ "one offered", REQUEST(PROTO("wamp.2.ubjson")), NULL, 2, BYTES("[U\1]"), BX_OK,
	  "wamp.2.ubjson", BX_SER_UBJSON, 1 },
	{ "one known offered", REQUEST(PROTO("wamp.3.x,wamp.2.json")), NULL, 1, BYTES("[1]"), BX_OK,
	  "wamp.2.json", BX_SER_JSON, 1 },
	{ "only foreign offered", REQUEST(PROTO("mqtt, soap")), NULL, 1, BYTES("[1]"),
	  BX_ERR_UNSUPPORTED, NULL, BX_SER_UNKNOWN, 0 },
	{ "none offered", REQUEST(""), NULL, 1, BYTES("[1]"), BX_OK, "wamp.2.json", BX_SER_JSON,
	  1 },
	{ "looked at: json", REQUEST(OFFER), NULL, 1, BYTES("[1]"), BX_OK, "wamp.2.json",
	  BX_SER_JSON, 1 },
	{ "looked at: json.batched", REQUEST(OFFER), NULL, 1, BYTES("[1]\x18[2]\x18"), BX_OK,
	  "wamp.2.json.batched", BX_SER_JSON, 2 },
	{ "looked at: json.batched, RFC", REQUEST(OFFER), NULL, 1, BYTES("[1]\x1e"), BX_OK,
	  "wamp.2.json.batched", BX_SER_JSON, 1 },
	{ "looked at: msgpack", REQUEST(OFFER), NULL, 2, BYTES("\x93\1\2"), BX_OK, "wamp.2.msgpack",
	  BX_SER_MSGPACK, 1 },
	{ "looked at: msgpack.batched", REQUEST(OFFER), NULL, 2, BYTES("\0\0\0\3\x93\1\2"), BX_OK,
	  "wamp.2.msgpack.batched", BX_SER_MSGPACK, 1 },
	{ "looked at: cbor.batched", REQUEST(OFFER), NULL, 2, BYTES(BATCH), BX_OK,
	  "wamp.2.cbor.batched", BX_SER_CBOR, 2 },
	{ "looked at: ubjson", REQUEST(OFFER), NULL, 2, BYTES("[U\1]"), BX_OK, "wamp.2.ubjson",
	  BX_SER_UBJSON, 1 },
	{ "looked at: flatbuffers", REQUEST(OFFER), NULL, 2, BYTES("\x0c\0\0\0"), BX_OK,
	  "wamp.2.flatbuffers", BX_SER_FLATBUFFERS, 1 },
	{ "looked at: not offered", REQUEST(OFFER), NULL, 2, BYTES("\x83\1\2"), BX_ERR_FORMAT, NULL,
	  BX_SER_UNKNOWN, 0 },
	{ "told", REQUEST(OFFER), "wamp.2.cbor.batched", 2, BYTES(BATCH), BX_OK,
	  "wamp.2.cbor.batched", BX_SER_CBOR, 2 },
	{ "told, and not so", REQUEST(OFFER), "wamp.2.json", 2, BYTES(BATCH), BX_ERR_FORMAT,
	  "wamp.2.json", BX_SER_JSON, 0 },
	{ "the server's word stands", RESPONSE(PROTO("wamp.2.cbor")), "wamp.2.json", 2,
	  BYTES("\x83\1\2"), BX_OK, "wamp.2.cbor", BX_SER_CBOR, 1 },
};

Test(websocket, subprotocols)
{
	for (size_t i = 0; i < sizeof(subprotocols) / sizeof(subprotocols[0]); i++) {
		const struct subprotocol_case *c = &subprotocols[i];
		struct bx_framer_options options = options_max(MIB);
		struct help_bytes bytes = { 0 };
		struct help_log log;

		options.subprotocol = c->given;
		put_text(&bytes, c->head);
		put_frame(&bytes, 0x80 | c->opcode, c->head[0] == 'G' ? mask : NULL, c->payload);
		help_cut_all_ways(options, help_span(&bytes), &log);
		cr_assert_eq(log.fail.code, c->code, "%s: %s", c->name, log.fail.msg);
		cr_assert_str_eq(log.subprotocol, c->subprotocol != NULL ? c->subprotocol : "",
				 "%s", c->name);
		cr_assert_eq(log.ser, c->ser, "%s", c->name);
		cr_assert_eq(log.messages, c->messages, "%s", c->name);
		for (size_t f = 1; f < log.count; f++)
			cr_assert(log.frames[f].kind != BX_FRAME_MESSAGE ||
				      log.frames[f].ser == c->ser,
				  "%s", c->name);
		help_log_free(&log);
		help_free(&bytes);
	}
}

Test(websocket, told_of_a_foreign_subprotocol)
{
	struct bx_framer_options options = options_max(MIB);
	struct bx_framer *framer = NULL;
	struct bx_fail fail = { 0 };

	options.subprotocol = "mqtt";
	cr_assert_eq(bx_framer_new(&framer, options, &fail), BX_ERR_UNSUPPORTED);
	cr_assert_null(framer);
}

/* --- upgrades -------------------------------------------------------------------------------- */

Test(websocket, upgrades)
{
	static const struct {
		struct bx_span head;
		enum bx_err code;
	} cases[] = {
		{ BYTES(REQUEST(PROTO("wamp.2.json"))), BX_OK },
		{ BYTES("GET /ws HTTP/1.1\r\nUPGRADE:h2c,  WebSocket\r\n\r\n"), BX_OK },
		{ BYTES("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n"), BX_ERR_FORMAT },
		{ BYTES("GET /ws HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"), BX_ERR_FORMAT },
		{ BYTES("GET /ws HTTP/2\r\nUpgrade: websocket\r\n\r\n"), BX_ERR_FORMAT },
		{ BYTES("GET /ws\r\nUpgrade: websocket\r\n\r\n"), BX_ERR_FORMAT },
		{ BYTES("POST /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), BX_ERR_FORMAT },
		{ BYTES("HTTP/1.1 400 Bad Request\r\nUpgrade: websocket\r\n\r\n"), BX_ERR_FORMAT },
		{ BYTES("HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n\r\n"), BX_ERR_FORMAT },
		{ BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), BX_OK },
		{ BYTES("HTTP/1.1 101\r\nUpgrade: websocket\r\n\r\n"), BX_OK },
		{ BYTES("\x81\x03[1]"), BX_ERR_FORMAT },
		{ BYTES("GOT"), BX_ERR_FORMAT },
		{ BYTES("G"), BX_ERR_FORMAT },                                          /* cut */
		{ BYTES("GET /ws HTTP/1.1\r\n"), BX_ERR_FORMAT },                       /* cut */
		{ BYTES("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r"), BX_ERR_FORMAT }, /* cut */
		{ BYTES(RESPONSE(DEFLATE(""))), BX_OK },
		{ BYTES(RESPONSE(DEFLATE("; server_max_window_bits=8"))), BX_OK },
		{ BYTES(RESPONSE(DEFLATE("; server_max_window_bits=\"15\""))), BX_OK },
		{ BYTES(RESPONSE(DEFLATE("; server_max_window_bits=16"))), BX_ERR_FORMAT },
		{ BYTES(RESPONSE(DEFLATE("; server_max_window_bits=7"))), BX_ERR_FORMAT },
		{ BYTES(RESPONSE(DEFLATE("; server_max_window_bits=08"))), BX_ERR_FORMAT },
		{ BYTES(RESPONSE(DEFLATE("; server_max_window_bits"))), BX_ERR_FORMAT },
		{ BYTES(RESPONSE("Sec-WebSocket-Extensions: permessage-bzip2\r\n")),
		  BX_ERR_FORMAT },
		{ BYTES(REQUEST("Sec-WebSocket-Extensions: x-foo, permessage-deflate; "
				"client_max_window_bits\r\n")),
		  BX_OK },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct help_log log;

		help_cut_all_ways(options_max(MIB), cases[i].head, &log);
		cr_assert_eq(log.fail.code, cases[i].code, "case %zu: %s", i, log.fail.msg);
		cr_assert_eq(log.count, cases[i].code == BX_OK ? 1 : 0, "case %zu", i);
		help_log_free(&log);
	}
}

Test(websocket, upgrade_without_end)
{
	struct help_bytes bytes = { 0 };
	struct help_log log, other;
	uint64_t seed = 3;

	put_text(&bytes, "GET /ws HTTP/1.1\r\n");
	for (int i = 0; i < 9000; i++)
		put_text(&bytes, "X-A: bc\r\n");
	put_text(&bytes, "\r\n");
	help_cut(options_max(MIB), help_span(&bytes), help_step_all, NULL, 1, false, &log);
	cr_assert_eq(log.fail.code, BX_ERR_FORMAT);
	help_cut(options_max(MIB), help_span(&bytes), help_step_random, &seed, 1, false, &other);
	help_same(&log, &other, "too long");
	help_log_free(&log);
	help_log_free(&other);
	help_free(&bytes);
}

/* --- what breaks the rules ------------------------------------------------------------------- */

Test(websocket, broken_frames)
{
	static const struct {
		const char *name;
		bool client;
		struct bx_span bytes; /* behind a good message */
	} cases[] = {
		{ "RSV2", false, BYTES("\xa1\x03[1]") },
		{ "RSV3", false, BYTES("\x91\x03[1]") },
		{ "RSV1 without deflate", false, BYTES("\xc1\x03[1]") },
		{ "opcode 3", false, BYTES("\x83\x03[1]") },
		{ "opcode 11", false, BYTES("\x8b\x00") },
		{ "masked server frame", false, BYTES("\x81\x83\0\0\0\0[1]") },
		{ "unmasked client frame", true, BYTES("\x81\x03[1]") },
		{ "unmasked client ping", true, BYTES("\x89\x00") },
		{ "16-bit length too small", false, BYTES("\x81\x7e\0\x7d") },
		{ "64-bit length too small", false, BYTES("\x81\x7f\0\0\0\0\0\0\xff\xff") },
		{ "negative length", false, BYTES("\x81\x7f\x80\0\0\0\0\0\0\0") },
		{ "fragmented ping", false, BYTES("\x09\x00") },
		{ "long ping", false, BYTES("\x89\x7e\0\x7e") },
		{ "compressed ping", false, BYTES("\xc9\x00") },
		{ "close of one byte", false, BYTES("\x88\x01x") },
		{ "continuation of nothing", false, BYTES("\x80\x03[1]") },
		{ "message within a message", false, BYTES("\x01\x01[\x81\x03[1]") },
		{ "frame after close", false, BYTES("\x88\0\x81\x03[1]") },
		{ "close after close", false, BYTES("\x88\0\x88\0") },
		{ "binary", false, BYTES("\x82\x03[1]") },
		{ "binary fragment", false, BYTES("\x02\x01[\x80\x01]") },
		{ "cut head", false, BYTES("\x81") },
		{ "cut length", false, BYTES("\x81\x7e\0") },
		{ "cut mask", true, BYTES("\x81\x83\0\0\0") },
		{ "cut payload", false, BYTES("\x81\x03[1") },
		{ "cut between fragments", false, BYTES("\x01\x03[1,") },
		{ "cut between fragments, after ping", false, BYTES("\x01\x03[1,\x89\0") },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct help_bytes bytes = { 0 };
		struct help_log log;

		put_text(&bytes, cases[i].client ? REQUEST(PROTO("wamp.2.json"))
						 : RESPONSE(PROTO("wamp.2.json")));
		put_frame(&bytes, 0x81, cases[i].client ? mask : NULL, HELP_SPAN("[33]"));
		help_add(&bytes, cases[i].bytes.ptr, cases[i].bytes.len);
		help_cut_all_ways(options_max(MIB), help_span(&bytes), &log);
		cr_assert_eq(log.end, BX_STEP_FAIL, "%s", cases[i].name);
		cr_assert_eq(log.fail.code, BX_ERR_FORMAT, "%s: %s", cases[i].name, log.fail.msg);
		cr_assert_eq(log.messages, 1, "%s", cases[i].name);
		cr_assert(log.fail.offset >= bytes.len - cases[i].bytes.len &&
			      log.fail.offset <= bytes.len,
			  "%s: offset %llu", cases[i].name, (unsigned long long)log.fail.offset);
		help_log_free(&log);
		help_free(&bytes);
	}
}

/* Every cut of a stream is either on an edge (END) or found out. */
Test(websocket, cut_at_every_byte)
{
	struct help_bytes bytes = { 0 };
	bool edge[2048] = { false };

	put_text(&bytes, REQUEST(PROTO("wamp.2.json")));
	edge[0] = edge[bytes.len] = true;
	for (int i = 0; i < 4; i++) {
		put_frame(&bytes, 0x81, mask, HELP_SPAN("[33,1,2]"));
		edge[bytes.len] = true;
		put_frame(&bytes, 0x01, mask, HELP_SPAN("[33"));
		put_frame(&bytes, 0x89, mask, HELP_SPAN(""));
		put_frame(&bytes, 0x80, mask, HELP_SPAN(",1,2]"));
		edge[bytes.len] = true;
	}
	put_frame(&bytes, 0x88, mask, HELP_SPAN("\x03\xe8"));
	edge[bytes.len] = true;
	cr_assert(bytes.len < sizeof(edge));
	for (size_t len = 0; len <= bytes.len; len++) {
		struct help_log log;

		help_cut(options_max(MIB), (struct bx_span){ bytes.ptr, len }, help_step_all, NULL,
			 100, true, &log);
		cr_assert_eq(log.end, edge[len] ? BX_STEP_END : BX_STEP_FAIL, "cut at %zu", len);
		cr_assert_eq(log.fail.code, edge[len] ? BX_OK : BX_ERR_FORMAT);
		help_log_free(&log);
	}
	help_free(&bytes);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void
check_limit(const char *name, const struct help_bytes *bytes, size_t max, enum bx_err code)
{
	struct help_log log;

	help_cut_all_ways(options_max(max), help_span(bytes), &log);
	cr_assert_eq(log.fail.code, code, "%s, limit %zu: %s", name, max, log.fail.msg);
	help_log_free(&log);
}

Test(websocket, limits)
{
	static const struct bx_span huge[] = { BYTES("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
					       BYTES("\x81\x7f\0\0\0\0\x10\0\0\0"),
					       BYTES("\x81\x7e\xff\xff") };
	struct help_bytes bytes = { 0 };

	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		put_text(&bytes, RESPONSE(""));
		help_add(&bytes, huge[i].ptr, huge[i].len);
		check_limit("length", &bytes, 1000, BX_ERR_LIMIT);
		help_free(&bytes);
	}

	put_text(&bytes, RESPONSE(""));
	put_frame(&bytes, 0x81, NULL, HELP_SPAN("[1,23456]"));
	check_limit("one frame", &bytes, 9, BX_OK);
	check_limit("one frame", &bytes, 8, BX_ERR_LIMIT);
	help_free(&bytes);

	put_text(&bytes, REQUEST(""));
	put_frame(&bytes, 0x81, mask, HELP_SPAN("[1,23456]"));
	check_limit("masked", &bytes, 9, BX_OK);
	check_limit("masked", &bytes, 8, BX_ERR_LIMIT);
	help_free(&bytes);

	put_text(&bytes, RESPONSE(""));
	put_frame(&bytes, 0x01, NULL, HELP_SPAN("[1,2"));
	put_frame(&bytes, 0x80, NULL, HELP_SPAN("3456]"));
	check_limit("fragments", &bytes, 9, BX_OK);
	check_limit("fragments", &bytes, 8, BX_ERR_LIMIT);
	help_free(&bytes);

	put_text(&bytes, RESPONSE(PROTO("wamp.2.cbor.batched")));
	put_frame(&bytes, 0x82, NULL, HELP_SPAN("\0\0\0\5\x83\1\2\3\4\0\0\0\3\x83\1\3"));
	check_limit("batch", &bytes, 5, BX_OK);
	check_limit("batch", &bytes, 4, BX_ERR_LIMIT);
	help_free(&bytes);

	/* Fragments without end do not grow without end. */
	put_text(&bytes, RESPONSE(""));
	put_frame(&bytes, 0x01, NULL, HELP_SPAN("["));
	for (int i = 0; i < 200; i++)
		put_frame(&bytes, 0x00, NULL, HELP_SPAN("          "));
	check_limit("many fragments", &bytes, 1000, BX_ERR_LIMIT);
	help_free(&bytes);
}

/* --- batches --------------------------------------------------------------------------------- */

Test(websocket, batches)
{
	static const struct {
		const char *name;
		const char *subprotocol;
		struct bx_span payload;
		enum bx_err code;
		size_t count;
		struct want want[5]; /* behind the handshake */
	} cases[] = {
		{ "one", "wamp.2.json.batched", BYTES("[1]\x18"), BX_OK, 1, { MSG("[1]") } },
		{ "three",
		  "wamp.2.json.batched",
		  BYTES("[1]\x18[2]\x1e[3]\x18"),
		  BX_OK,
		  4,
		  { BLK, MSG("[1]"), MSG("[2]"), MSG("[3]") } },
		{ "blanks",
		  "wamp.2.json.batched",
		  BYTES("\x18 [1]\x18 \n\x18[3]\x18 "),
		  BX_OK,
		  3,
		  { BLK, MSG(" [1]"), MSG("[3]") } },
		{ "none", "wamp.2.json.batched", BYTES(""), BX_OK, 1, { BLK } },
		{ "open end",
		  "wamp.2.json.batched",
		  BYTES("[1]\x18[2]"),
		  BX_ERR_FORMAT,
		  0,
		  { BLK } },
		{ "no separator", "wamp.2.json.batched", BYTES("[1]"), BX_ERR_FORMAT, 0, { BLK } },
		{ "binary one",
		  "wamp.2.msgpack.batched",
		  BYTES("\0\0\0\3\x93\1\2"),
		  BX_OK,
		  1,
		  { MSG("\x93\1\2") } },
		{ "binary three",
		  "wamp.2.msgpack.batched",
		  BYTES("\0\0\0\1\x90\0\0\0\0\0\0\0\2\x91\1"),
		  BX_OK,
		  4,
		  { BLK, MSG("\x90"), MSG(""), MSG("\x91\1") } },
		{ "binary none", "wamp.2.msgpack.batched", BYTES(""), BX_OK, 1, { BLK } },
		{ "binary, cut head",
		  "wamp.2.msgpack.batched",
		  BYTES("\0\0\0\1\x90\0\0\0"),
		  BX_ERR_FORMAT,
		  0,
		  { BLK } },
		{ "binary, too long",
		  "wamp.2.msgpack.batched",
		  BYTES("\0\0\0\1\x90\0\0\0\2\x91"),
		  BX_ERR_FORMAT,
		  0,
		  { BLK } },
		{ "not batched, empty", "wamp.2.msgpack", BYTES(""), BX_OK, 1, { MSG("") } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool text = strstr(cases[i].subprotocol, "json") != NULL;

		for (int client = 0; client < 2; client++) {
			for (int fragments = 0; fragments < 2; fragments++) {
				struct want want[8] = { HND, BLK };
				struct help_bytes bytes = { 0 };
				struct help_log log;
				char head[512];
				uint8_t opcode = text ? 1 : 2;
				const char *m = client ? mask : NULL;
				size_t count = 1;

				snprintf(head, sizeof(head),
					 client ? REQUEST(PROTO("%s")) : RESPONSE(PROTO("%s")),
					 cases[i].subprotocol);
				put_text(&bytes, head);
				if (fragments) {
					put_frame(&bytes, opcode, m, HELP_SPAN(""));
					put_frame(&bytes, 0x80, m, cases[i].payload);
					count = 2;
				} else {
					put_frame(&bytes, 0x80 | opcode, m, cases[i].payload);
				}
				/* What is one message in one frame alone is not blank there. */
				if (fragments && cases[i].want[0].kind == BX_FRAME_MESSAGE)
					want[count++] = (struct want)BLK;
				for (size_t k = 0; k < cases[i].count; k++)
					want[count++] = cases[i].want[k];
				check(cases[i].name, options_max(MIB), &bytes, want, count,
				      cases[i].code, &log);
				help_log_free(&log);
				help_free(&bytes);
			}
		}
	}
}

/* A scratch without room: nothing is lost, and the frames come when there is some. */
Test(websocket, small_scratch)
{
	struct help_bytes bytes = { 0 };
	struct help_bytes got = { 0 };
	struct bx_framer *framer = NULL;
	struct bx_frame frames[16];
	uint8_t buf[64];
	size_t from = 0, stuck = 0;
	static const char want[] = "[1,22222][333,44444444][5][6]";

	put_text(&bytes, REQUEST(PROTO("wamp.2.json.batched")));
	put_frame(&bytes, 0x81, mask, HELP_SPAN("[1,22222]\x18"));
	put_frame(&bytes, 0x81, mask, HELP_SPAN("[333,44444444]\x18[5]\x18"));
	put_frame(&bytes, 0x81, mask, HELP_SPAN("[6]\x18"));
	cr_assert_eq(bx_framer_new(&framer, options_max(14), NULL), BX_OK);
	for (;;) {
		/* Too small, unless the last call was stuck. */
		struct bx_writer scratch = bx_writer_over(buf, stuck % 2 != 0 ? 14 : 2);
		size_t count, used, need;
		struct bx_fail fail = { 0 };
		enum bx_step step =
		    bx_framer_cut(framer, (struct bx_span){ bytes.ptr + from, bytes.len - from },
				  from, true, &scratch, frames, 16, &count, &used, &need, &fail);

		if (step == BX_STEP_END)
			break;
		cr_assert_eq(step, BX_STEP_ITEM, "%s", fail.msg);
		for (size_t i = 0; i < count; i++) {
			if (frames[i].kind == BX_FRAME_MESSAGE)
				help_add(&got, frames[i].body.ptr, frames[i].body.len);
		}
		from += used;
		cr_assert(count != 0 || used == 0);
		stuck += count == 0;
		if (count != 0 && stuck % 2 != 0)
			stuck++;
		cr_assert(stuck < 100);
	}
	cr_assert(stuck > 2);
	cr_assert(bx_span_equal(help_span(&got), HELP_SPAN(want)));
	bx_framer_free(framer);
	help_free(&got);
	help_free(&bytes);
}

/* --- unmasking ------------------------------------------------------------------------------- */

Test(websocket, unmask)
{
	uint64_t seed = 11;
	uint8_t in[100], out[100];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)random_next(&seed);
	for (size_t len = 0; len <= sizeof(in); len++) {
		for (size_t phase = 0; phase < 9; phase++) {
			memset(out, 0xaa, sizeof(out));
			bx_websocket_unmask(in, len, (const uint8_t *)mask, phase, out);
			for (size_t i = 0; i < len; i++)
				cr_assert_eq(out[i], in[i] ^ (uint8_t)mask[(phase + i) % 4]);
			cr_assert(len == sizeof(out) || out[len] == 0xaa);
		}
	}
}

/* --- permessage-deflate ---------------------------------------------------------------------- */

struct deflater {
	z_stream stream;
	bool no_context;
};

static void
deflater_init(struct deflater *d, int bits, int level, bool no_context)
{
	*d = (struct deflater){ .no_context = no_context };
	cr_assert_eq(deflateInit2(&d->stream, level, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY),
		     Z_OK);
}

/* RFC 7692 7.2.1: compress, flush, take 00 00 FF FF off. */
static struct help_bytes
deflate_message(struct deflater *d, struct bx_span message)
{
	struct help_bytes out = { 0 };
	uint8_t buf[4096];

	if (d->no_context)
		deflateReset(&d->stream);
	d->stream.next_in = (Bytef *)(uintptr_t)message.ptr;
	d->stream.avail_in = (uInt)message.len;
	do {
		d->stream.next_out = buf;
		d->stream.avail_out = sizeof(buf);
		cr_assert(deflate(&d->stream, Z_SYNC_FLUSH) != Z_STREAM_ERROR);
		help_add(&out, buf, sizeof(buf) - d->stream.avail_out);
	} while (d->stream.avail_out == 0);
	cr_assert(out.len >= 4 && memcmp(out.ptr + out.len - 4, "\0\0\xff\xff", 4) == 0);
	out.len -= 4;
	return out;
}

/* Messages that share much with those before them, so that the window matters. */
static struct help_bytes
make_message(size_t n, uint64_t *seed)
{
	struct help_bytes out = { 0 };
	char text[128];
	size_t fill = n % 7 == 3 ? 40000 + random_below(seed, 30000) : random_below(seed, 600);

	snprintf(text, sizeof(text), "[36,5512315355,4429313566,{},[\"com.acme.telemetry\",%zu,\"",
		 n);
	put_text(&out, text);
	for (size_t i = 0; i < fill; i++) {
		char c = (char)('a' + random_below(seed, 4 + n % 20));

		help_add(&out, &c, 1);
	}
	put_text(&out, "\"]]");
	return out;
}

static void
put_compressed(struct help_bytes *b, struct bx_span payload, const char *m, size_t pieces)
{
	for (size_t i = 0; i < pieces; i++) {
		size_t from = payload.len * i / pieces;
		size_t to = payload.len * (i + 1) / pieces;
		uint8_t first = (i == 0 ? 0x41 : 0) | (i + 1 == pieces ? 0x80 : 0);

		put_frame(b, first, m, (struct bx_span){ payload.ptr + from, to - from });
		if (i + 1 != pieces)
			put_frame(b, 0x89, m, HELP_SPAN("still there?"));
	}
}

static void
check_deflate(const char *head, int bits, int level, bool no_context)
{
	struct deflater d;
	struct help_bytes bytes = { 0 };
	struct help_bytes want = { 0 };
	struct help_log log;
	uint64_t seed = (uint64_t)(bits * 100 + level);
	const char *m = head[0] == 'G' ? mask : NULL;
	size_t messages = 40, n = 0;

	deflater_init(&d, bits, level, no_context);
	put_text(&bytes, head);
	for (size_t i = 0; i < messages; i++) {
		struct help_bytes message = make_message(i, &seed);

		help_add(&want, message.ptr, message.len);
		if (i % 5 == 4) { /* a message may go uncompressed */
			put_frame(&bytes, 0x81, m, help_span(&message));
		} else {
			struct help_bytes small = deflate_message(&d, help_span(&message));

			put_compressed(&bytes, help_span(&small), m, 1 + i % 3);
			help_free(&small);
		}
		help_free(&message);
	}
	deflateEnd(&d.stream);
	help_cut_all_ways(options_max(100000), help_span(&bytes), &log);
	cr_assert_eq(log.end, BX_STEP_END, "%s", log.fail.msg);
	cr_assert_eq(log.messages, messages);

	struct help_bytes got = { 0 };

	for (size_t i = 0; i < log.count; i++) {
		if (log.frames[i].kind != BX_FRAME_MESSAGE)
			continue;
		cr_assert_eq(log.frames[i].whole_len != 0, n % 5 == 4, "message %zu", n);
		help_add(&got, help_body(&log, i).ptr, help_body(&log, i).len);
		n++;
	}
	cr_assert(bx_span_equal(help_span(&got), help_span(&want)));
	cr_assert(bx_span_equal(help_span(&log.wholes), help_span(&bytes)), "a gap");
	help_free(&got);
	help_free(&want);
	help_log_free(&log);
	help_free(&bytes);
}

Test(websocket, deflate)
{
	check_deflate(RESPONSE(PROTO("wamp.2.json") DEFLATE("")), 15, 6, false);
	check_deflate(RESPONSE(PROTO("wamp.2.json") DEFLATE("; server_no_context_takeover")), 15, 9,
		      true);
	check_deflate(RESPONSE(PROTO("wamp.2.json") DEFLATE(";server_max_window_bits=9")), 9, 9,
		      false);
	check_deflate(RESPONSE(PROTO("wamp.2.json")
				   DEFLATE("; server_max_window_bits=12; server_no_context_takeover"
					   "; client_max_window_bits=9")),
		      12, 1, true);
	check_deflate(REQUEST(PROTO("wamp.2.json")
				  DEFLATE("; client_max_window_bits; client_no_context_takeover")),
		      15, 6, false);
	check_deflate(REQUEST(PROTO("wamp.2.json") DEFLATE("; client_max_window_bits=10")), 15, 6,
		      true);
	/* Stored blocks only. */
	check_deflate(RESPONSE(PROTO("wamp.2.json") DEFLATE("")), 15, 0, false);
}

/* The examples of RFC 7692 7.2.3. */
Test(websocket, deflate_rfc_examples)
{
	static const struct want want[] = { HND, BLK,          MSG("Hello"), BLK,
					    BLK, MSG("Hello"), BLK,          MSG("Hello"),
					    BLK, MSG("Hello"), BLK,          MSG("Hello"),
					    BLK, MSG("Hello") };
	struct help_bytes bytes = { 0 };
	struct help_log log;

	put_text(&bytes, RESPONSE(DEFLATE("")));
	/* 7.2.3.1: one frame, then two */
	help_add(&bytes, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9);
	help_add(&bytes, "\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", 11);
	/* 7.2.3.2: sharing the window */
	help_add(&bytes, "\xc1\x05\xf2\x00\x11\x00\x00", 7);
	/* 7.2.3.3: no compression */
	help_add(&bytes, "\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 13);
	/* 7.2.3.4: BFINAL set */
	help_add(&bytes, "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 10);
	/* the window outlives BFINAL */
	help_add(&bytes, "\xc1\x05\xf2\x00\x11\x00\x00", 7);
	check("RFC 7692", options_max(MIB), &bytes, want, 14, BX_OK, &log);
	help_log_free(&log);
	help_free(&bytes);
}

/* 7.2.3.5: two blocks in one message. */
Test(websocket, deflate_two_blocks)
{
	static const struct want want[] = { HND, BLK, MSG("Hello"), BLK, MSG("") };
	struct help_bytes bytes = { 0 };
	struct help_log log;

	put_text(&bytes, RESPONSE(DEFLATE("")));
	help_add(&bytes, "\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 15);
	help_add(&bytes, "\xc1\x01\x00", 3); /* an empty message, 7.2.3.6 */
	check("two blocks", options_max(MIB), &bytes, want, 5, BX_OK, &log);
	help_log_free(&log);
	help_free(&bytes);
}

Test(websocket, deflate_broken)
{
	static const struct {
		const char *name;
		const char *params;
		struct bx_span bytes;
	} cases[] = {
		{ "block type 3", "", BYTES("\xc1\x01\x07") },
		{ "stored length", "", BYTES("\xc1\x06\x00\x05\x00\x00\x00H") },
		{ "cut inside a block", "", BYTES("\xc1\x03\xf2\x48\xcd") },
		{ "cut inside a stored block", "",
		  BYTES("\xc1\x08\x00\x05\x00\xfa\xff\x48\x65\x6c") },
		{ "reaches before the start", "", BYTES("\xc1\x05\xf2\x00\x11\x00\x00") },
		{ "reaches into a message before", "; server_no_context_takeover",
		  BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00") },
		{ "RSV1 on a continuation", "",
		  BYTES("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00") },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct help_bytes bytes = { 0 };
		struct help_log log;
		char head[512];

		snprintf(head, sizeof(head), RESPONSE(DEFLATE("%s")), cases[i].params);
		put_text(&bytes, head);
		help_add(&bytes, cases[i].bytes.ptr, cases[i].bytes.len);
		help_cut_all_ways(options_max(MIB), help_span(&bytes), &log);
		cr_assert_eq(log.fail.code, BX_ERR_FORMAT, "%s: %s", cases[i].name, log.fail.msg);
		help_log_free(&log);
		help_free(&bytes);
	}
}

/* 64 MiB of zeros in 64 KiB: stopped at the limit, exactly. */
Test(websocket, deflate_bomb)
{
	struct deflater d;
	struct help_bytes bytes = { 0 };
	struct help_log log;
	size_t len = 64 * MIB;
	uint8_t *zeros = calloc(1, len);

	deflater_init(&d, 15, 9, false);

	struct help_bytes small = deflate_message(&d, (struct bx_span){ zeros, len });

	put_text(&bytes, RESPONSE(PROTO("wamp.2.json") DEFLATE("")));
	put_compressed(&bytes, help_span(&small), NULL, 1);
	help_cut(options_max(MIB), help_span(&bytes), help_step_all, NULL, 10, false, &log);
	cr_assert_eq(log.fail.code, BX_ERR_LIMIT);
	help_log_free(&log);
	help_free(&small);
	bytes.len = 0;
	deflateReset(&d.stream);
	small = deflate_message(&d, (struct bx_span){ zeros, MIB });
	put_text(&bytes, RESPONSE(PROTO("wamp.2.json") DEFLATE("")));
	put_compressed(&bytes, help_span(&small), NULL, 1);
	help_cut(options_max(MIB), help_span(&bytes), help_step_all, NULL, 10, false, &log);
	cr_assert_eq(log.end, BX_STEP_END, "%s", log.fail.msg);
	cr_assert_eq(log.messages, 1);
	help_log_free(&log);
	help_cut(options_max(MIB - 1), help_span(&bytes), help_step_all, NULL, 10, false, &log);
	cr_assert_eq(log.fail.code, BX_ERR_LIMIT);
	help_log_free(&log);
	help_free(&small);
	help_free(&bytes);
	deflateEnd(&d.stream);
	free(zeros);
}
