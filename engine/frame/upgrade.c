#include "frame/upgrade.h"

#include <string.h>
#include <strings.h>

static const char *const names[BX_SUBPROTOCOL_END] = {
	[2 * BX_SER_JSON] = "wamp.2.json",
	[2 * BX_SER_JSON + 1] = "wamp.2.json.batched",
	[2 * BX_SER_MSGPACK] = "wamp.2.msgpack",
	[2 * BX_SER_MSGPACK + 1] = "wamp.2.msgpack.batched",
	[2 * BX_SER_CBOR] = "wamp.2.cbor",
	[2 * BX_SER_CBOR + 1] = "wamp.2.cbor.batched",
	[2 * BX_SER_UBJSON] = "wamp.2.ubjson",
	[2 * BX_SER_UBJSON + 1] = "wamp.2.ubjson.batched",
	[2 * BX_SER_FLATBUFFERS] = "wamp.2.flatbuffers",
};

static const char request_start[] = "GET ";
static const char response_start[] = "HTTP/1.";
static const char head_end[] = "\r\n\r\n";
#define HEAD_END_LEN (sizeof(head_end) - 1)

const char *
bx_subprotocol_name(uint8_t subprotocol)
{
	return subprotocol < BX_SUBPROTOCOL_END ? names[subprotocol] : NULL;
}

uint8_t
bx_subprotocol_of_name(struct bx_span name)
{
	for (uint8_t i = 0; i < BX_SUBPROTOCOL_END; i++) {
		if (names[i] != NULL && bx_span_is(name, names[i]))
			return i;
	}
	return 0;
}

/* Does one of the two begin with the other? */
static bool
agrees(struct bx_span bytes, const char *start)
{
	size_t len = strlen(start);

	return memcmp(bytes.ptr, start, bytes.len < len ? bytes.len : len) == 0;
}

enum bx_step
bx_upgrade_find(struct bx_span bytes, size_t from, size_t *len)
{
	if (bytes.len == 0)
		return BX_STEP_MORE;
	if (!agrees(bytes, request_start) && !agrees(bytes, response_start))
		return BX_STEP_FAIL;

	/* The end may have begun in what was looked at before. */
	size_t start = from < HEAD_END_LEN ? 0 : from - HEAD_END_LEN;
	size_t limit = bytes.len < BX_UPGRADE_MAX ? bytes.len : BX_UPGRADE_MAX;
	const uint8_t *end = memmem(bytes.ptr + start, limit - start, head_end, HEAD_END_LEN);

	if (end == NULL)
		return bytes.len < BX_UPGRADE_MAX ? BX_STEP_MORE : BX_STEP_FAIL;
	*len = (size_t)(end - bytes.ptr) + HEAD_END_LEN;
	return BX_STEP_ITEM;
}

static struct bx_span
trimmed(struct bx_span s)
{
	while (s.len != 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = (struct bx_span){ s.ptr + 1, s.len - 1 };
	while (s.len != 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cuts off what stands before the next `mark` (or all), trimmed; the mark itself is dropped. */
static struct bx_span
next_part(struct bx_span *list, uint8_t mark)
{
	const uint8_t *at = list->len != 0 ? memchr(list->ptr, mark, list->len) : NULL;
	size_t len = at != NULL ? (size_t)(at - list->ptr) : list->len;
	struct bx_span part = { list->ptr, len };
	size_t skip = at != NULL ? len + 1 : len;

	*list = (struct bx_span){ list->ptr + skip, list->len - skip };
	return trimmed(part);
}

/* Names of HTTP headers and of extensions are compared without case. */
static bool
is_word(struct bx_span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp((const char *)s.ptr, word, s.len) == 0;
}

static struct bx_span
unquoted(struct bx_span s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return (struct bx_span){ s.ptr + 1, s.len - 2 };
	return s;
}

/* server_max_window_bits: 8..15 in decimal, without leading zero (RFC 7692 7.1.2.1). */
static bool
is_window_bits(struct bx_span value)
{
	struct bx_span text = unquoted(trimmed(value));

	if (text.len == 1)
		return text.ptr[0] == '8' || text.ptr[0] == '9';
	return text.len == 2 && text.ptr[0] == '1' && text.ptr[1] >= '0' && text.ptr[1] <= '5';
}

/*
 * "permessage-deflate; server_no_context_takeover; ...". Only the server's parameters in a response
 * bind what is read here: a request merely offers, and what the client may send then is at most
 * what a full window reads.
 */
static bool
read_extension(struct bx_span extension, struct bx_upgrade *out, const char **what)
{
	struct bx_span name = next_part(&extension, ';');

	if (name.len == 0)
		return true;
	if (!is_word(name, "permessage-deflate")) {
		*what = "the upgrade agrees on an extension other than permessage-deflate";
		return !out->response;
	}
	out->deflate = true;
	while (out->response && extension.len != 0) {
		struct bx_span value = next_part(&extension, ';');
		struct bx_span key = next_part(&value, '=');

		if (is_word(key, "server_no_context_takeover"))
			out->no_context = true;
		if (is_word(key, "server_max_window_bits") && !is_window_bits(value)) {
			*what = "server_max_window_bits is not 8 to 15";
			return false;
		}
	}
	return true;
}

static void
read_subprotocols(struct bx_span list, struct bx_upgrade *out)
{
	while (list.len != 0) {
		struct bx_span name = next_part(&list, ',');
		uint8_t known = bx_subprotocol_of_name(name);

		if (name.len != 0)
			out->named++;
		if (known != 0)
			out->subprotocols |= (uint16_t)(1u << known);
	}
}

static bool
has_word(struct bx_span list, const char *word)
{
	while (list.len != 0) {
		if (is_word(next_part(&list, ','), word))
			return true;
	}
	return false;
}

static bool
read_first_line(struct bx_span line, struct bx_upgrade *out, const char **what)
{
	if (agrees(line, response_start)) {
		(void)next_part(&line, ' ');
		out->response = true;
		*what = "the server did not agree to the upgrade: HTTP status is not 101";
		return bx_span_is(next_part(&line, ' '), "101");
	}

	(void)next_part(&line, ' ');
	(void)next_part(&line, ' ');
	*what = "the HTTP request line is malformed";
	return line.len == 8 && agrees(line, response_start);
}

/* One header line; *upgrade becomes true with "Upgrade: websocket". */
static bool
read_header(struct bx_span line, struct bx_upgrade *out, bool *upgrade, const char **what)
{
	struct bx_span name = next_part(&line, ':');

	if (is_word(name, "upgrade"))
		*upgrade = *upgrade || has_word(line, "websocket");
	else if (is_word(name, "sec-websocket-protocol"))
		read_subprotocols(line, out);
	else if (is_word(name, "sec-websocket-extensions")) {
		while (line.len != 0) {
			if (!read_extension(next_part(&line, ','), out, what))
				return false;
		}
	}
	return true;
}

bool
bx_upgrade_parse(struct bx_span head, struct bx_upgrade *out, const char **what)
{
	struct bx_upgrade upgrade = { 0 };
	bool is_websocket = false;
	bool first = true;

	while (head.len != 0) {
		struct bx_span line = next_part(&head, '\n');

		if (line.len != 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (first ? !read_first_line(line, &upgrade, what)
			  : !read_header(line, &upgrade, &is_websocket, what))
			return false;
		first = false;
	}
	if (!is_websocket) {
		*what = "the HTTP head asks for no upgrade to WebSocket";
		return false;
	}
	*out = upgrade;
	return true;
}
