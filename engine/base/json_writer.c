#include "base/json_writer.h"

#include "base/base64.h"
#include "base/json_scan.h"
#include "base/number.h"

static const uint8_t hex_digits[16] = "0123456789abcdef";

/* The escape of a byte that needs one: 2 or 6 characters. */
static size_t
escape(uint8_t c, uint8_t out[static 6])
{
	out[0] = '\\';
	switch (c) {
	case '"':
	case '\\':
		out[1] = c;
		return 2;
	case '\b':
		out[1] = 'b';
		return 2;
	case '\f':
		out[1] = 'f';
		return 2;
	case '\n':
		out[1] = 'n';
		return 2;
	case '\r':
		out[1] = 'r';
		return 2;
	case '\t':
		out[1] = 't';
		return 2;
	default:
		memcpy(out + 1, "u00", 3);
		out[4] = hex_digits[c >> 4];
		out[5] = hex_digits[c & 15];
		return 6;
	}
}

void
bx_json_put_string_body(struct bx_writer *w, struct bx_span utf8)
{
	const uint8_t *p = utf8.ptr;
	const uint8_t *end = utf8.ptr + utf8.len;
	const uint8_t *kept = p; /* from here on bytes go out as they are */

	while ((p = bx_scan_special(utf8.ptr, p, end)) < end) {
		uint8_t text[6];

		if (*p >= 0x80) {
			do
				p++;
			while (p < end && *p >= 0x80);
			continue;
		}
		bx_put(w, kept, (size_t)(p - kept));
		bx_put(w, text, escape(*p, text));
		kept = ++p;
	}
	bx_put(w, kept, (size_t)(end - kept));
}

void
bx_json_put_string(struct bx_writer *w, struct bx_span utf8)
{
	bx_put_u8(w, '"');
	bx_json_put_string_body(w, utf8);
	bx_put_u8(w, '"');
}

void
bx_json_put_binary(struct bx_writer *w, struct bx_span bytes)
{
	size_t text_len = bx_base64_len(bytes.len);
	uint8_t *p = bx_reserve(w, text_len + 8);

	if (p == NULL)
		return;
	memcpy(p, "\"\\u0000", 7);
	bx_base64_encode(bytes, p + 7);
	p[7 + text_len] = '"';
}

void
bx_json_put_u64(struct bx_writer *w, uint64_t v)
{
	char text[20];

	bx_put(w, text, bx_u64_text(v, text));
}

void
bx_json_put_i64(struct bx_writer *w, int64_t v)
{
	char text[21];
	size_t len;

	if (v >= 0) {
		bx_json_put_u64(w, (uint64_t)v);
		return;
	}
	text[0] = '-';
	len = bx_u64_text(0 - (uint64_t)v, text + 1);
	bx_put(w, text, len + 1);
}

void
bx_json_put_double(struct bx_writer *w, double v)
{
	char text[BX_DOUBLE_TEXT_MAX];

	bx_put(w, text, bx_double_text(v, text));
}

void
bx_json_put_safe(struct bx_writer *w, struct bx_span untrusted, size_t max)
{
	size_t used = 0;

	for (size_t i = 0; i < untrusted.len; i++) {
		uint8_t c = untrusted.ptr[i];
		uint8_t text[4] = { '\\', 'x', hex_digits[c >> 4], hex_digits[c & 15] };
		size_t len = 4;

		if (c >= 0x20 && c < 0x7F) {
			text[0] = c;
			len = 1;
		}
		if (used + len > max) {
			bx_put_text(w, "...");
			return;
		}
		bx_put(w, text, len);
		used += len;
	}
}
