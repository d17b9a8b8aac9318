#include "frame_help.h"

#include "frame/sniff.h"

#define BYTES(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}
#define NONE BX_FORMAT_UNKNOWN

static enum bx_format
sniff(struct bx_span head, bool whole, enum bx_format by_name, struct bx_fail *fail)
{
	enum bx_format format = BX_FORMAT_COUNT;
	enum bx_err err = bx_sniff(head, whole, NONE, by_name, &format, fail);

	cr_assert_eq(err == BX_OK, format != BX_FORMAT_COUNT, "set exactly on success");
	cr_assert(err == BX_OK || err == BX_ERR_FORMAT);
	return err == BX_OK ? format : BX_FORMAT_UNKNOWN;
}

static const struct {
	const char *name;
	struct bx_span head;
	enum bx_format format; /* UNKNOWN: not recognised */
} contents[] = {
	{ "boxcar",
	  BYTES("\x89"
		"BXC\r\n\x1a\n...."),
	  BX_FORMAT_BOXCAR },
	{ "mcap", BYTES("\x89MCAP0\r\n\1"), BX_FORMAT_MCAP },
	{ "pcap us", BYTES("\xd4\xc3\xb2\xa1\2\0\4\0"), BX_FORMAT_PCAP },
	{ "pcap us, big-endian", BYTES("\xa1\xb2\xc3\xd4\0\2\0\4"), BX_FORMAT_PCAP },
	{ "pcap ns", BYTES("\x4d\x3c\xb2\xa1\2\0\4\0"), BX_FORMAT_PCAP },
	{ "pcap ns, big-endian", BYTES("\xa1\xb2\x3c\x4d\0\2\0\4"), BX_FORMAT_PCAP },
	{ "pcapng", BYTES("\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0"), BX_FORMAT_PCAPNG },
	{ "pcapng, big-endian", BYTES("\n\r\r\n\0\0\0\x1c\x1a\x2b\x3c\x4d\0\1"), BX_FORMAT_PCAPNG },
	{ "request", BYTES("GET /ws HTTP/1.1\r\nHost: x\r\n"), BX_FORMAT_WEBSOCKET },
	{ "request, cut", BYTES("GET /ws"), BX_FORMAT_WEBSOCKET },
	{ "response", BYTES("HTTP/1.1 101 Switching Protocols\r\n"), BX_FORMAT_WEBSOCKET },
	{ "no request", BYTES("GET lost\nnow"), BX_FORMAT_UNKNOWN },
	{ "handshake", BYTES("\x7f\xf1\0\0"), BX_FORMAT_RAWSOCKET },
	{ "half a handshake", BYTES("\x7f\xf1"), BX_FORMAT_RAWSOCKET },
	{ "ELF",
	  BYTES("\x7f"
		"ELF\2\1\1"),
	  BX_FORMAT_UNKNOWN },
	{ "trace",
	  BYTES("{\"ts\":1,\"conn\":0,\"dir\":\"c2r\",\"ser\":\"json\",\"b64\":\"WzFd\"}\n"),
	  BX_FORMAT_TRACE },
	{ "trace with msg", BYTES(" {\"msg\" : [1]}"), BX_FORMAT_TRACE },
	{ "trace with hex", BYTES("{\"hex\":\"00\"}"), BX_FORMAT_TRACE },
	{ "some JSON object", BYTES("{\"default\":null,\"keys\":[]}\n"), BX_FORMAT_UNKNOWN },
	{ "lines", BYTES("[1,\"realm1\",{}]\n[33,1,2]\n"), BX_FORMAT_JSONL },
	{ "one line without newline", BYTES("[1,\"realm1\",{}]"), BX_FORMAT_JSONL },
	{ "lines, blank first", BYTES("\n\n [1]\n"), BX_FORMAT_JSONL },
	{ "batched, Autobahn", BYTES("[1,\"realm1\",{}]\x18[33,1,2]\x18"), BX_FORMAT_BATCHED_JSON },
	{ "batched, RFC", BYTES("[1,\"realm1\",{}]\x1e"), BX_FORMAT_BATCHED_JSON },
	{ "rawsocket json", BYTES("\0\0\0\3[1]\0\0\0\3[2]"), BX_FORMAT_RAWSOCKET },
	{ "rawsocket msgpack", BYTES("\0\0\0\3\x93\1\2"), BX_FORMAT_RAWSOCKET },
	{ "rawsocket cbor, cut", BYTES("\0\0\1\0\x83\1\2"), BX_FORMAT_RAWSOCKET },
	{ "rawsocket ubjson", BYTES("\0\0\0\3[U\1"), BX_FORMAT_RAWSOCKET },
	{ "rawsocket, PING first", BYTES("\1\0\0\2hi\0\0\0\3\x93\1\2"), BX_FORMAT_RAWSOCKET },
	{ "rawsocket, 2^24 first", BYTES("\x08\0\0\0\x93\1\2"), BX_FORMAT_RAWSOCKET },
	{ "rawsocket, 2^24 of Twisted", BYTES("\1\0\0\0\x93\1\2"), BX_FORMAT_RAWSOCKET },
	{ "too long for rawsocket", BYTES("\3\0\0\0\x93\1\2"), BX_FORMAT_BATCHED_MSGPACK },
	{ "msgpack", BYTES("\x93\x01\xa6realm1\x80"), BX_FORMAT_MSGPACK },
	{ "msgpack, one byte", BYTES("\x94"), BX_FORMAT_MSGPACK },
	{ "msgpack array16", BYTES("\xdc\0\3\1\xa0\x80"), BX_FORMAT_MSGPACK },
	{ "msgpack EVENT_RECEIVED", BYTES("\x92\xcd\1\x51\1"), BX_FORMAT_MSGPACK },
	{ "msgpack, no code", BYTES("\x93\xa1\x61\x80\x80"), BX_FORMAT_UNKNOWN },
	{ "cbor", BYTES("\x83\x01\x66realm1\xa0"), BX_FORMAT_CBOR },
	{ "cbor, code 68", BYTES("\x84\x18\x44\1\2\xa0"), BX_FORMAT_CBOR },
	{ "cbor indefinite", BYTES("\x9f\x01\x66realm1\xa0\xff"), BX_FORMAT_CBOR },
	{ "cbor count of one byte", BYTES("\x98\x03\x01\x66realm1\xa0"), BX_FORMAT_CBOR },
	{ "cbor tag 55799", BYTES("\xd9\xd9\xf7\x83\x01\x60\xa0"), BX_FORMAT_CBOR },
	{ "cbor map", BYTES("\xa1\x01\x02"), BX_FORMAT_UNKNOWN },
	{ "zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0"), BX_FORMAT_UNKNOWN },
	{ "text", BYTES("hello, world\n"), BX_FORMAT_UNKNOWN },
	{ "blank", BYTES(" \n\n"), BX_FORMAT_UNKNOWN },
	{ "zstd", BYTES("\x28\xb5\x2f\xfd\0"), BX_FORMAT_UNKNOWN },
};

Test(sniff, contents)
{
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct bx_fail fail = { 0 };

		cr_assert_eq(sniff(contents[i].head, true, NONE, &fail), contents[i].format,
			     "%s: %s", contents[i].name, fail.msg);
		if (contents[i].format != BX_FORMAT_UNKNOWN)
			continue;
		cr_assert(strstr(fail.hint, "-f") != NULL);
		/* What is not recognised is what its name says. */
		cr_assert_eq(sniff(contents[i].head, true, BX_FORMAT_CBOR, &fail), BX_FORMAT_CBOR,
			     "%s", contents[i].name);
	}
}

/* Reads nothing behind its input (each is given in memory of its size), at any length. */
Test(sniff, every_prefix)
{
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		for (size_t len = 0; len <= contents[i].head.len; len++) {
			uint8_t *copy = malloc(len);
			enum bx_format format = NONE;

			if (len != 0)
				memcpy(copy, contents[i].head.ptr, len);
			(void)!bx_sniff((struct bx_span){ copy, len }, false, NONE, NONE, &format,
					NULL);
			(void)bx_sniff_ser((struct bx_span){ copy, len });
			free(copy);
		}
	}
}

/* decisions.md 15: only content against suffix is an error, and it names the candidates. */
Test(sniff, names)
{
	static const struct bx_span cbor_frames = BYTES("\0\0\0\3\x83\1\2\0\0\0\3\x83\1\2");
	static const struct bx_span msgpack_frames = BYTES("\0\0\0\3\x93\1\2");
	static const struct bx_span trace = BYTES("{\"b64\":\"WzFd\"}\n");
	static const struct bx_span lines = BYTES("[1]\n");
	struct bx_fail fail = { 0 };

	cr_assert_eq(sniff(cbor_frames, true, BX_FORMAT_BATCHED_CBOR, &fail),
		     BX_FORMAT_BATCHED_CBOR);
	cr_assert_eq(sniff(cbor_frames, true, BX_FORMAT_RAWSOCKET, &fail), BX_FORMAT_RAWSOCKET);
	cr_assert_eq(sniff(msgpack_frames, true, BX_FORMAT_BATCHED_MSGPACK, &fail),
		     BX_FORMAT_BATCHED_MSGPACK);
	cr_assert_eq(sniff(HELP_SPAN("[1]"), true, BX_FORMAT_BATCHED_JSON, &fail),
		     BX_FORMAT_BATCHED_JSON);
	cr_assert_eq(sniff(trace, true, BX_FORMAT_JSONL, &fail), BX_FORMAT_TRACE);
	cr_assert_eq(sniff(HELP_SPAN("\x89"
				     "BXC\r\n\x1a\n"),
			   true, BX_FORMAT_RAWSOCKET, &fail),
		     BX_FORMAT_BOXCAR);
	cr_assert_eq(fail.code, BX_OK);

	cr_assert_eq(sniff(lines, true, BX_FORMAT_RAWSOCKET, &fail), NONE);
	cr_assert_str_eq(fail.msg, "the content looks like jsonl, the name says rawsocket");
	cr_assert_str_eq(fail.hint, "say which it is: -f jsonl or -f rawsocket");

	fail = (struct bx_fail){ 0 };
	cr_assert_eq(sniff(cbor_frames, true, BX_FORMAT_BATCHED_MSGPACK, &fail), NONE);
	cr_assert_str_eq(
	    fail.msg,
	    "the content looks like rawsocket or batched-cbor, the name says batched-msgpack");

	fail = (struct bx_fail){ 0 };
	cr_assert_eq(sniff(lines, true, BX_FORMAT_TRACE, &fail), NONE);
	cr_assert_eq(fail.code, BX_ERR_FORMAT);
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(sniff(lines, true, BX_FORMAT_BOXCAR, &fail), NONE);
	cr_assert_eq(fail.code, BX_ERR_FORMAT);
}

Test(sniff, forced_and_empty)
{
	enum bx_format format = NONE;
	struct bx_fail fail = { 0 };

	cr_assert_eq(
	    bx_sniff(HELP_SPAN("[1]\n"), true, BX_FORMAT_CBOR, BX_FORMAT_RAWSOCKET, &format, &fail),
	    BX_OK);
	cr_assert_eq(format, BX_FORMAT_CBOR);
	cr_assert_eq(sniff(HELP_SPAN(""), true, BX_FORMAT_CBOR, &fail), BX_FORMAT_CBOR);
	cr_assert_eq(sniff((struct bx_span){ NULL, 0 }, true, BX_FORMAT_TRACE, &fail),
		     BX_FORMAT_TRACE);
	cr_assert_eq(fail.code, BX_OK);
	cr_assert_eq(sniff((struct bx_span){ NULL, 0 }, true, NONE, &fail), NONE);
	cr_assert_eq(fail.code, BX_ERR_FORMAT);
}

/* A line longer than what is looked at. */
Test(sniff, long_first_lines)
{
	size_t len = 65536;
	uint8_t *head = malloc(len);
	struct bx_fail fail = { 0 };

	memset(head, 'x', len);
	memcpy(head, "{\"ts\":1,\"note\":\"", 16);
	cr_assert_eq(sniff((struct bx_span){ head, len }, false, NONE, &fail), BX_FORMAT_TRACE);
	memcpy(head, "[16,1,{},\"x\",[\"", 15);
	cr_assert_eq(sniff((struct bx_span){ head, len }, false, NONE, &fail), BX_FORMAT_JSONL);
	cr_assert_eq(sniff((struct bx_span){ head, len }, false, BX_FORMAT_BATCHED_JSON, &fail),
		     BX_FORMAT_BATCHED_JSON);
	free(head);
}

Test(sniff, serializers)
{
	static const struct {
		struct bx_span body;
		enum bx_ser ser;
	} cases[] = {
		{ BYTES(""), BX_SER_UNKNOWN },
		{ BYTES("["), BX_SER_JSON },
		{ BYTES("[1]"), BX_SER_JSON },
		{ BYTES("[ 1]"), BX_SER_JSON },
		{ BYTES(" \n[1]"), BX_SER_JSON },
		{ BYTES(" "), BX_SER_UNKNOWN },
		{ BYTES(" {"), BX_SER_UNKNOWN },
		{ BYTES("[U\x10"), BX_SER_UBJSON },
		{ BYTES("[i\x10"), BX_SER_UBJSON },
		{ BYTES("[$U#"), BX_SER_UBJSON },
		{ BYTES("\x83\1"), BX_SER_CBOR },
		{ BYTES("\x9f"), BX_SER_CBOR },
		{ BYTES("\x98\5\x10"), BX_SER_CBOR },
		{ BYTES("\x99\0\5\x10"), BX_SER_CBOR },
		{ BYTES("\x9b\0\0\0\0\0\0\0\5\x10"), BX_SER_CBOR },
		{ BYTES("\x98\x10\5"), BX_SER_MSGPACK },
		{ BYTES("\x98"), BX_SER_MSGPACK },
		{ BYTES("\x93"), BX_SER_MSGPACK },
		{ BYTES("\xdc\0\5"), BX_SER_MSGPACK },
		{ BYTES("\xdd\0\0\0\5"), BX_SER_MSGPACK },
		{ BYTES("\xd9\xd9\xf7\x83"), BX_SER_CBOR },
		{ BYTES("\xd9\x05hello"), BX_SER_UNKNOWN },
		{ BYTES("{"), BX_SER_UNKNOWN },
		{ BYTES("\xa0"), BX_SER_UNKNOWN },
		{ BYTES("\1"), BX_SER_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(bx_sniff_ser(cases[i].body), cases[i].ser, "case %zu", i);
}
