#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "boxcar/format.h"

Test(format, names_there_and_back)
{
	for (unsigned i = 1; i < BX_FORMAT_COUNT; i++) {
		bool zst = true;
		char name[64];

		cr_assert_eq(bx_format_of_name(bx_format_name(i), &zst), i);
		cr_assert(!zst);
		snprintf(name, sizeof(name), "%s.zst", bx_format_name(i));
		cr_assert_eq(bx_format_of_name(name, &zst), i);
		cr_assert(zst);
		cr_assert_eq(bx_format_of_name(name, NULL), i);
		snprintf(name, sizeof(name), "dir.x/a.b.%s", bx_format_name(i));
		cr_assert_eq(bx_format_of_path(name, &zst), i, "%s", name);
	}
	cr_assert_str_eq(bx_format_name(BX_FORMAT_UNKNOWN), "unknown");
	cr_assert_str_eq(bx_format_name((enum bx_format)99), "unknown");
}

Test(format, words_that_are_no_names)
{
	static const char *const words[] = { "",         "unknown",       "raw",   "rawsockets",
					     "JSONL",    ".zst",          "zst",   "rs",
					     "jsonl.gz", "jsonl.zst.zst", ".jsonl" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_assert_eq(bx_format_of_name(words[i], NULL), BX_FORMAT_UNKNOWN, "%s", words[i]);
}

Test(format, suffixes)
{
	static const struct {
		const char *path;
		enum bx_format format;
		bool zst;
	} cases[] = {
		{ "day.rs", BX_FORMAT_RAWSOCKET, false },
		{ "/a/b.c/day.rs.zst", BX_FORMAT_RAWSOCKET, true },
		{ "DAY.RS.ZST", BX_FORMAT_RAWSOCKET, true },
		{ "day.msgpack", BX_FORMAT_MSGPACK, false },
		{ "day.cbor", BX_FORMAT_CBOR, false },
		{ "day.jsonl", BX_FORMAT_JSONL, false },
		{ "day.trace.jsonl", BX_FORMAT_TRACE, false },
		{ "day.trace.jsonl.zst", BX_FORMAT_TRACE, true },
		{ "daytrace.jsonl", BX_FORMAT_JSONL, false },
		{ "day.ws", BX_FORMAT_WEBSOCKET, false },
		{ "day.boxcar", BX_FORMAT_BOXCAR, false },
		{ "day.mcap", BX_FORMAT_MCAP, false },
		{ "day.pcap", BX_FORMAT_PCAP, false },
		{ "day.pcapng.zst", BX_FORMAT_PCAPNG, true },
		{ "day.raw.zst", BX_FORMAT_UNKNOWN, true },
		{ "day.rs.gz", BX_FORMAT_UNKNOWN, false },
		{ "rs", BX_FORMAT_UNKNOWN, false },
		{ "dayrs", BX_FORMAT_UNKNOWN, false },
		{ "cbor", BX_FORMAT_UNKNOWN, false },
		{ "a.rs/b", BX_FORMAT_UNKNOWN, false },
		{ "", BX_FORMAT_UNKNOWN, false },
		{ "-", BX_FORMAT_UNKNOWN, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool zst = !cases[i].zst;

		cr_assert_eq(bx_format_of_path(cases[i].path, &zst), cases[i].format, "%s",
			     cases[i].path);
		cr_assert_eq(zst, cases[i].zst, "%s", cases[i].path);
	}
}

Test(format, nearest)
{
	cr_assert_str_eq(bx_format_nearest("rawsockt"), "rawsocket");
	cr_assert_str_eq(bx_format_nearest("json"), "jsonl");
	cr_assert_str_eq(bx_format_nearest("msgpak.zst"), "msgpack");
	cr_assert_str_eq(bx_format_nearest("batched-mspack"), "batched-msgpack");
	cr_assert_str_eq(bx_format_nearest("CBOR") == NULL ? "cbor" : "", "cbor");
	cr_assert_str_eq(bx_format_nearest("pcap-ng"), "pcapng");
	cr_assert_null(bx_format_nearest(""));
	cr_assert_null(bx_format_nearest("x"));
	cr_assert_null(bx_format_nearest("something quite different from all of them"));
}
