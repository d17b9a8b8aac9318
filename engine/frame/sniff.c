#include "frame/sniff.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "frame/rawsocket.h"

/* A set of formats: bit per enum bx_format. */
#define SET(format) (1u << (format))

/* So many frames of a length-prefixed stream are looked at. */
#define CHAIN 4u

/* A batched message that claims more is something else, not a recording. */
#define BATCHED_MAX (1u << 28)

/* --- one message ----------------------------------------------------------------------------- */

static bool
is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct bx_span
without_blanks(struct bx_span s)
{
	while (s.len != 0 && is_blank(s.ptr[0]))
		s = (struct bx_span){ s.ptr + 1, s.len - 1 };
	return s;
}

/* After '[': a message code in digits, or UBJSON's marker of an integer (or of a typed array). */
static enum bx_ser
ser_after_bracket(struct bx_span body)
{
	static const uint8_t markers[] = "iUIulmLM$#";

	if (body.len < 2 || memchr(markers, body.ptr[1], sizeof(markers) - 1) == NULL)
		return BX_SER_JSON;
	return BX_SER_UBJSON;
}

/*
 * 0x98-0x9b: CBOR array with a count of 1, 2, 4, 8 bytes, not minimal as a message has at most 7
 * elements, or MsgPack array of 8 to 11 elements, which no message has: the small count decides.
 */
static enum bx_ser
ser_of_counted(struct bx_span body)
{
	size_t count_len = (size_t)1 << (body.ptr[0] - 0x98);

	if (body.len <= count_len)
		return BX_SER_MSGPACK;
	for (size_t i = 1; i < count_len; i++) {
		if (body.ptr[i] != 0)
			return BX_SER_MSGPACK;
	}
	return body.ptr[count_len] >= 1 && body.ptr[count_len] <= 7 ? BX_SER_CBOR : BX_SER_MSGPACK;
}

enum bx_ser
bx_sniff_ser(struct bx_span body)
{
	if (body.len == 0)
		return BX_SER_UNKNOWN;

	uint8_t first = body.ptr[0];

	if (first == '[')
		return ser_after_bracket(body);
	if (is_blank(first)) {
		body = without_blanks(body);
		return body.len != 0 && body.ptr[0] == '[' ? BX_SER_JSON : BX_SER_UNKNOWN;
	}
	if ((first >= 0x80 && first <= 0x8f) || first == 0x9f)
		return BX_SER_CBOR;
	if (first >= 0x98 && first <= 0x9b)
		return ser_of_counted(body);
	if ((first >= 0x90 && first <= 0x9e) || first == 0xdc || first == 0xdd)
		return BX_SER_MSGPACK;
	/* Tag 55799, "self-described CBOR", around the whole message. */
	if (body.len >= 3 && memcmp(body.ptr, "\xd9\xd9\xf7", 3) == 0)
		return BX_SER_CBOR;
	return BX_SER_UNKNOWN;
}

/* Does an array begin, and with an integer (the message code) as far as it can be seen? */
static bool
is_msgpack_message(struct bx_span head)
{
	size_t at = head.ptr[0] == 0xdc ? 3 : head.ptr[0] == 0xdd ? 5 : 1;

	if (bx_sniff_ser(head) != BX_SER_MSGPACK)
		return false;
	return head.len <= at || head.ptr[at] < 0x80 ||
	       (head.ptr[at] >= 0xcc && head.ptr[at] <= 0xcf);
}

static bool
is_cbor_message(struct bx_span head)
{
	size_t at = head.ptr[0] >= 0x98 && head.ptr[0] <= 0x9b
			? 1 + ((size_t)1 << (head.ptr[0] - 0x98))
			: 1;

	if (bx_sniff_ser(head) != BX_SER_CBOR)
		return false;
	if (head.ptr[0] == 0xd9)
		return true;
	return head.len <= at || head.ptr[at] <= 0x1b;
}

/* --- a recording ----------------------------------------------------------------------------- */

static bool
begins_with(struct bx_span head, const void *bytes, size_t len)
{
	return head.len >= len && memcmp(head.ptr, bytes, len) == 0;
}

/* container-format.md; MCAP "Magic"; libpcap savefile(5), both byte orders, us and ns; pcapng 4.1.
 */
static enum bx_format
format_of_magic(struct bx_span head)
{
	static const char pcap[4][5] = { "\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1", "\xa1\xb2\x3c\x4d",
					 "\x4d\x3c\xb2\xa1" };

	if (begins_with(head, "\x89\x42\x58\x43\x0d\x0a\x1a\x0a", 8))
		return BX_FORMAT_BOXCAR;
	if (begins_with(head, "\x89MCAP0\r\n", 8))
		return BX_FORMAT_MCAP;
	for (size_t i = 0; i < 4; i++) {
		if (begins_with(head, pcap[i], 4))
			return BX_FORMAT_PCAP;
	}
	if (begins_with(head, "\x0a\x0d\x0d\x0a", 4) && head.len >= 12 &&
	    (memcmp(head.ptr + 8, "\x1a\x2b\x3c\x4d", 4) == 0 ||
	     memcmp(head.ptr + 8, "\x4d\x3c\x2b\x1a", 4) == 0))
		return BX_FORMAT_PCAPNG;
	return BX_FORMAT_UNKNOWN;
}

static bool
contains(struct bx_span text, const char *word)
{
	return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static struct bx_span
first_line(struct bx_span head)
{
	const uint8_t *end = memchr(head.ptr, '\n', head.len);

	return (struct bx_span){ head.ptr, end != NULL ? (size_t)(end - head.ptr) : head.len };
}

static bool
is_upgrade(struct bx_span head)
{
	if (begins_with(head, "HTTP/1.", 7))
		return true;
	return begins_with(head, "GET ", 4) &&
	       (contains(first_line(head), " HTTP/1.") || first_line(head).len == head.len);
}

/* A trace line names its message; the key stands before the value that may be long. */
static bool
is_trace(struct bx_span head, bool whole)
{
	struct bx_span line = first_line(head);

	if (contains(line, "\"b64\"") || contains(line, "\"hex\"") || contains(line, "\"msg\""))
		return true;
	return !whole && line.len == head.len &&
	       (contains(line, "\"ts\"") || contains(line, "\"dir\"") || contains(line, "\"ser\""));
}

/* JSON arrays: what stands first after one, a newline or a separator, tells; perhaps neither does.
 */
static uint32_t
json_formats(struct bx_span head)
{
	for (size_t i = 0; i < head.len; i++) {
		if (head.ptr[i] == '\n')
			return SET(BX_FORMAT_JSONL);
		if (head.ptr[i] == 0x18 || head.ptr[i] == 0x1e)
			return SET(BX_FORMAT_BATCHED_JSON);
	}
	return SET(BX_FORMAT_JSONL) | SET(BX_FORMAT_BATCHED_JSON);
}

/*
 * One frame; `*ser` is that of the messages before it, or UNKNOWN. A RawSocket PING or PONG carries
 * no message. False: no frame of a recording begins like this.
 */
static bool
chain_frame(struct bx_cursor *c, bool rawsocket, enum bx_ser *ser, bool *any)
{
	uint32_t word = bx_take_be32(c);
	bool control = false;

	if (c->bad)
		return *any; /* cut inside a head */
	if (rawsocket ? !bx_rawsocket_head_valid(word) : word > BATCHED_MAX)
		return false;

	struct bx_cursor after = *c;
	size_t left = bx_left(c);

	if (rawsocket && word >= BX_RAWSOCKET_FULL) {
		/* 2^24 as Twisted writes it, if a message follows: else it is a PING. */
		bool twisted = word == BX_RAWSOCKET_AMBIGUOUS &&
			       bx_sniff_ser(bx_take(&after, left)) != BX_SER_UNKNOWN;
		bool full = twisted || (word >> 24 & BX_RAWSOCKET_X) != 0;

		control = !twisted && (word >> 24 & BX_RAWSOCKET_TYPE) != 0;
		word = full ? BX_RAWSOCKET_FULL : word & (BX_RAWSOCKET_FULL - 1);
	}

	struct bx_span body = bx_take(c, word < left ? word : left);
	enum bx_ser found = bx_sniff_ser(body);

	if (control || (word == 0 && rawsocket && *any))
		return true;
	if (body.len == 0)
		return *any;
	if (found == BX_SER_UNKNOWN || (*ser != BX_SER_UNKNOWN && found != *ser))
		return false;
	*ser = found;
	*any = true;
	return true;
}

/* UNKNOWN: not length-prefixed messages. */
static enum bx_ser
ser_of_chain(struct bx_span head, bool rawsocket)
{
	struct bx_cursor c = bx_cursor_over(head);
	enum bx_ser ser = BX_SER_UNKNOWN;
	bool any = false;

	for (unsigned i = 0; i < CHAIN && bx_left(&c) != 0; i++) {
		if (!chain_frame(&c, rawsocket, &ser, &any))
			return BX_SER_UNKNOWN;
		if (c.bad)
			break;
	}
	return ser;
}

/* The formats that `head` can be, by its content. */
static uint32_t
formats_of_content(struct bx_span head, bool whole)
{
	uint8_t first = head.ptr[0];
	struct bx_span text = without_blanks(head);

	if (is_upgrade(head))
		return SET(BX_FORMAT_WEBSOCKET);
	if (first == BX_RAWSOCKET_MAGIC)
		return head.len < 4 || bx_load_be16(head.ptr + 2) == 0 ? SET(BX_FORMAT_RAWSOCKET)
								       : 0;
	if (text.len != 0 && text.ptr[0] == '{')
		return is_trace(text, whole) ? SET(BX_FORMAT_TRACE) : 0;
	if (text.len != 0 && text.ptr[0] == '[')
		return json_formats(text);
	if (is_msgpack_message(head))
		return SET(BX_FORMAT_MSGPACK);
	if (is_cbor_message(head))
		return SET(BX_FORMAT_CBOR);

	uint32_t found = 0;

	if (ser_of_chain(head, true) != BX_SER_UNKNOWN)
		found |= SET(BX_FORMAT_RAWSOCKET);
	if (ser_of_chain(head, false) == BX_SER_MSGPACK)
		found |= SET(BX_FORMAT_BATCHED_MSGPACK);
	if (ser_of_chain(head, false) == BX_SER_CBOR)
		found |= SET(BX_FORMAT_BATCHED_CBOR);
	return found;
}

/* --- the verdict ----------------------------------------------------------------------------- */

/* "rawsocket or batched-cbor" */
static void
list_formats(uint32_t set, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 1; i < BX_FORMAT_COUNT && len < cap; i++) {
		if ((set & SET(i)) == 0)
			continue;

		int n = snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : " or ",
				 bx_format_name((enum bx_format)i));

		len += n > 0 ? (size_t)n : 0;
	}
}

static enum bx_err
not_recognised(struct bx_fail *fail, const char *what)
{
	enum bx_err err = bx_fail_set(fail, BX_ERR_FORMAT, 0, BX_NOWHERE, "%s", what);

	bx_fail_hint(fail, "say which format it is with -f");
	return err;
}

static enum bx_err
contradiction(uint32_t found, enum bx_format by_name, struct bx_fail *fail)
{
	char list[96];

	list_formats(found, list, sizeof(list));

	enum bx_err err = bx_fail_set(fail, BX_ERR_FORMAT, 0, BX_NOWHERE,
				      "the content looks like %s, the name says %s", list,
				      bx_format_name(by_name));

	bx_fail_hint(fail, "say which it is: -f %s or -f %s",
		     bx_format_name((enum bx_format)__builtin_ctz(found)), bx_format_name(by_name));
	return err;
}

enum bx_err
bx_sniff(struct bx_span head, bool whole, enum bx_format forced, enum bx_format by_name,
	 enum bx_format *format, struct bx_fail *fail)
{
	if (forced != BX_FORMAT_UNKNOWN) {
		*format = forced;
		return BX_OK;
	}
	if (head.len == 0 && by_name == BX_FORMAT_UNKNOWN)
		return not_recognised(fail, "the input is empty and has no known suffix");

	/* A magic number leaves no doubt, whatever the name says (decisions.md 15). */
	enum bx_format magic = format_of_magic(head);

	if (magic != BX_FORMAT_UNKNOWN) {
		*format = magic;
		return BX_OK;
	}

	uint32_t found = head.len != 0 ? formats_of_content(head, whole) : 0;

	if (found == 0 && by_name == BX_FORMAT_UNKNOWN)
		return not_recognised(fail, "the format of the input is not recognised");
	if (found == 0 || (found & SET(by_name)) != 0) {
		*format = by_name;
		return BX_OK;
	}
	/* Trace lines are JSON lines: a plain ".jsonl" does not contradict them. */
	if (by_name != BX_FORMAT_UNKNOWN &&
	    !(by_name == BX_FORMAT_JSONL && found == SET(BX_FORMAT_TRACE)))
		return contradiction(found, by_name, fail);
	/* The lowest number is the usual one: rawsocket before batched-*, jsonl before
	 * batched-json.
	 */
	*format = (enum bx_format)__builtin_ctz(found);
	return BX_OK;
}
