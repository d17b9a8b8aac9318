#include "frame/trace.h"

#include "base/base64.h"
#include "base/json_writer.h"
#include "frame/trace_find.h"

/* --- reading the values ---------------------------------------------------------------------- */

static bool
is_absent(struct bx_span value)
{
	return value.len == 0 || bx_span_is(value, "null");
}

/* The text between the quotes of a string; false when the value is none. */
static bool
text_of(struct bx_span value, struct bx_span *text)
{
	if (value.len < 2 || value.ptr[0] != '"')
		return false;
	*text = (struct bx_span){ value.ptr + 1, value.len - 2 };
	return true;
}

static bool
read_ts(struct bx_span value, struct bx_trace_line *out, const struct bx_trace_refusal *refusal)
{
	bool negative;
	uint64_t magnitude;

	if (is_absent(value))
		return true;
	if (!bx_json_int(value, &negative, &magnitude) ||
	    (!negative && magnitude > (uint64_t)INT64_MAX))
		return bx_trace_refuse(refusal, "ts is not an integer of nanoseconds in 64 bits",
				       value.ptr);
	out->ts = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	out->has_ts = true;
	return true;
}

static bool
read_number(struct bx_span value, uint64_t *number, bool *has, const char *what,
	    const struct bx_trace_refusal *refusal)
{
	bool negative;

	if (is_absent(value))
		return true;
	if (!bx_json_int(value, &negative, number) || negative)
		return bx_trace_refuse(refusal, what, value.ptr);
	*has = true;
	return true;
}

static bool
read_dir(struct bx_span value, struct bx_trace_line *out, const struct bx_trace_refusal *refusal)
{
	struct bx_span text;

	if (is_absent(value))
		return true;
	if (text_of(value, &text) && bx_json_text_is(text, "c2r"))
		out->dir = BX_DIR_C2R;
	else if (text_of(value, &text) && bx_json_text_is(text, "r2c"))
		out->dir = BX_DIR_R2C;
	else
		return bx_trace_refuse(refusal, "dir is neither c2r nor r2c", value.ptr);
	return true;
}

/* "msgpack", "json.batched", "wamp.2.cbor": the name of the serializer is what counts. */
static bool
read_ser(struct bx_span value, struct bx_trace_line *out, const struct bx_trace_refusal *refusal)
{
	static const char prefix[] = "wamp.2.";
	const size_t prefix_len = sizeof(prefix) - 1;
	struct bx_span name;

	if (is_absent(value))
		return true;
	if (!text_of(value, &name))
		return bx_trace_refuse(refusal, "ser is not a string", value.ptr);
	if (name.len > prefix_len && memcmp(name.ptr, prefix, prefix_len) == 0)
		name = (struct bx_span){ name.ptr + prefix_len, name.len - prefix_len };

	const uint8_t *dot = name.len != 0 ? memchr(name.ptr, '.', name.len) : NULL;

	if (dot != NULL)
		name.len = (size_t)(dot - name.ptr);
	out->ser = (uint8_t)bx_ser_of_name(name);
	if (out->ser == BX_SER_UNKNOWN)
		return bx_trace_refuse(refusal, "ser names no known serializer", value.ptr);
	return true;
}

static bool
read_realm(struct bx_span value, struct bx_trace_line *out, const struct bx_trace_refusal *refusal)
{
	if (is_absent(value) || text_of(value, &out->realm))
		return true;
	return bx_trace_refuse(refusal, "realm is not a string", value.ptr);
}

/* --- the body -------------------------------------------------------------------------------- */

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* May write over the text it reads, as bx_base64_decode may. */
static bool
hex_decode(struct bx_span text, uint8_t *out, size_t *out_len)
{
	if (text.len % 2 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_value(text.ptr[i]);
		int low = hex_value(text.ptr[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	*out_len = text.len / 2;
	return true;
}

/* Text and where it is decoded to. False: no room (then *what is set), or not of that form. */
static bool
decode(struct bx_span text, enum bx_trace_member form, struct bx_writer *scratch,
       struct bx_span *body, const char **what)
{
	uint8_t *at = scratch->at;
	size_t len = 0;

	*what = "the message is too long";
	if (bx_room(scratch) < (form == BX_MEMBER_B64 ? text.len / 4 * 3 : text.len / 2))
		return false;
	*what = form == BX_MEMBER_B64 ? "b64 is not padded base64" : "hex is not hexadecimal";
	if (!(form == BX_MEMBER_B64 ? bx_base64_decode(text, at, &len)
				    : hex_decode(text, at, &len)))
		return false;
	scratch->at += len;
	*body = (struct bx_span){ at, len };
	return true;
}

/*
 * Some writers of JSON escape "/" as "\/": such a text, which has come from the tokenizer, is
 * unescaped into the scratch and decoded in place there.
 */
static bool
decode_escaped(struct bx_span text, enum bx_trace_member form, struct bx_writer *scratch,
	       struct bx_span *body, const char **what)
{
	uint8_t *at = scratch->at;

	*what = "the message is too long";
	if (bx_room(scratch) < text.len)
		return false;
	/* Else a lone surrogate: the text as it is, which no decoder takes. */
	if (bx_json_text(text, scratch))
		text = bx_since(scratch, at);
	scratch->at = at;
	return decode(text, form, scratch, body, what);
}

static bool
read_coded(struct bx_span value, enum bx_trace_member form, bool usual, struct bx_writer *scratch,
	   struct bx_trace_line *out, const struct bx_trace_refusal *refusal)
{
	struct bx_span text;
	const char *what = form == BX_MEMBER_B64 ? "b64 is not a string" : "hex is not a string";
	bool good = false;

	if (!text_of(value, &text))
		return bx_trace_refuse(refusal, what, value.ptr);
	if (!usual && text.len != 0 && memchr(text.ptr, '\\', text.len) != NULL)
		good = decode_escaped(text, form, scratch, &out->body, &what);
	else
		good = decode(text, form, scratch, &out->body, &what);
	return good || bx_trace_refuse(refusal, what, value.ptr);
}

static bool
read_body(const struct bx_trace_values *values, bool usual, struct bx_writer *scratch,
	  struct bx_trace_line *out, const struct bx_trace_refusal *refusal)
{
	for (unsigned i = 0; i < BX_TRACE_FORM_COUNT; i++) {
		if (values->of[i].len != 0)
			out->forms |= (uint8_t)(1u << i);
	}

	enum bx_trace_member form = BX_MEMBER_B64;

	while (form <= BX_MEMBER_MSG && is_absent(values->of[form]))
		form++;
	if (form > BX_MEMBER_MSG)
		return bx_trace_refuse(refusal, "a trace line has none of b64, hex, msg",
				       refusal->begin);
	out->form = (uint8_t)form;
	out->value = values->of[form];
	if (form != BX_MEMBER_MSG)
		return read_coded(out->value, form, usual, scratch, out, refusal);
	if (out->value.ptr[0] != '[')
		return bx_trace_refuse(refusal, "msg is not an array", out->value.ptr);
	out->body = out->value;
	return true;
}

/* `usual`: the values come from find_usual, and the text of b64 or hex is unchecked yet. */
static bool
read_values(const struct bx_trace_values *values, bool usual, struct bx_writer *scratch,
	    struct bx_trace_line *out, const struct bx_trace_refusal *refusal)
{
	struct bx_trace_line line = { .dir = BX_DIR_UNKNOWN };

	if (!read_ts(values->of[BX_MEMBER_TS], &line, refusal) ||
	    !read_number(values->of[BX_MEMBER_CONN], &line.conn, &line.has_conn,
			 "conn is not a non-negative integer", refusal) ||
	    !read_number(values->of[BX_MEMBER_SESSION], &line.session, &line.has_session,
			 "session is not a non-negative integer", refusal) ||
	    !read_realm(values->of[BX_MEMBER_REALM], &line, refusal) ||
	    !read_dir(values->of[BX_MEMBER_DIR], &line, refusal) ||
	    !read_ser(values->of[BX_MEMBER_SER], &line, refusal) ||
	    !read_body(values, usual, scratch, &line, refusal))
		return false;
	*out = line;
	return true;
}

bool
bx_trace_parse(struct bx_span line, struct bx_writer *scratch, struct bx_trace_line *out,
	       const char **what, size_t *at)
{
	const struct bx_trace_refusal refusal = { line.ptr, what, at };
	struct bx_trace_values usual = { 0 };
	struct bx_trace_values any = { 0 };

	if (bx_trace_find_usual(line, &usual) && read_values(&usual, true, scratch, out, &refusal))
		return true;
	return bx_trace_find_any(line, &any, &refusal) &&
	       read_values(&any, false, scratch, out, &refusal);
}

/* --- writing --------------------------------------------------------------------------------- */

static void
put_base64(struct bx_writer *w, struct bx_span body)
{
	size_t len = bx_base64_len(body.len);
	uint8_t *p = bx_reserve(w, len + 2);

	if (p == NULL)
		return;
	p[0] = '"';
	bx_base64_encode(body, p + 1);
	p[len + 1] = '"';
}

static void
put_hex(struct bx_writer *w, struct bx_span body)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *p = bx_reserve(w, body.len * 2 + 2);

	if (p == NULL)
		return;
	*p++ = '"';
	for (size_t i = 0; i < body.len; i++) {
		*p++ = (uint8_t)digits[body.ptr[i] >> 4];
		*p++ = (uint8_t)digits[body.ptr[i] & 15];
	}
	*p = '"';
}

static void
put_value(struct bx_writer *w, enum bx_trace_form form, struct bx_span body)
{
	switch (form) {
	case BX_TRACE_B64:
		put_base64(w, body);
		break;
	case BX_TRACE_HEX:
		put_hex(w, body);
		break;
	case BX_TRACE_MSG:
		bx_put_span(w, body);
		break;
	}
}

/* Copies of the line what lies from `from` up to `to`. */
static void
put_range(struct bx_writer *w, const uint8_t *from, const uint8_t *to)
{
	bx_put(w, from, (size_t)(to - from));
}

/*
 * Drops the other two forms, each with the comma that parted it from the member before it, or, when
 * none was kept before it, from the one behind.
 */
static void
edit_slow(struct bx_span line, const struct bx_trace_line *parsed, struct bx_span body,
	  struct bx_writer *w)
{
	struct bx_json_reader r;
	struct bx_json_token t;
	const uint8_t *from = line.ptr; /* the next byte to be copied */
	bool kept = false;              /* a member was */
	bool resume = false;            /* copying goes on at the next key */

	bx_json_begin(&r, line);
	(void)bx_json_next(&r, &t);
	while (bx_json_next(&r, &t) == BX_JSON_KEY) {
		enum bx_trace_member member = bx_trace_member_of(&t);
		const uint8_t *key = t.text.ptr - 1;
		struct bx_span value;

		(void)bx_json_next(&r, &t);
		if (!bx_json_skip(&r, &t, &value))
			break;
		if (resume)
			from = key;
		resume = false;
		if (member >= BX_TRACE_FORM_COUNT) {
			put_range(w, from, r.at);
			kept = true;
		} else if (member == (enum bx_trace_member)parsed->form) {
			put_range(w, from, value.ptr);
			put_value(w, (enum bx_trace_form)parsed->form, body);
			kept = true;
		} else if (!kept) {
			put_range(w, from, key);
			resume = true;
		}
		from = r.at;
	}
	put_range(w, from, line.ptr + line.len);
}

void
bx_trace_edit(struct bx_span line, const struct bx_trace_line *parsed, struct bx_span body,
	      struct bx_writer *w)
{
	if (parsed->forms != 1u << parsed->form) {
		edit_slow(line, parsed, body, w);
		return;
	}
	put_range(w, line.ptr, parsed->value.ptr);
	put_value(w, (enum bx_trace_form)parsed->form, body);
	put_range(w, parsed->value.ptr + parsed->value.len, line.ptr + line.len);
}

/* `{"name":` or `,"name":` */
static void
put_name(struct bx_writer *w, const uint8_t *begin, const char *name)
{
	bx_put_text(w, w->at == begin ? "{\"" : ",\"");
	bx_put_text(w, name);
	bx_put_text(w, "\":");
}

void
bx_trace_put(const struct bx_trace_line *line, struct bx_span body, struct bx_writer *w)
{
	const uint8_t *begin = w->at;

	if (line->has_ts) {
		put_name(w, begin, "ts");
		bx_json_put_i64(w, line->ts);
	}
	if (line->dir != BX_DIR_UNKNOWN) {
		put_name(w, begin, "dir");
		bx_put_text(w, line->dir == BX_DIR_C2R ? "\"c2r\"" : "\"r2c\"");
	}
	if (line->has_conn) {
		put_name(w, begin, "conn");
		bx_json_put_u64(w, line->conn);
	}
	if (line->has_session) {
		put_name(w, begin, "session");
		bx_json_put_u64(w, line->session);
	}
	if (line->realm.len != 0) {
		put_name(w, begin, "realm");
		bx_put_u8(w, '"');
		bx_put_span(w, line->realm);
		bx_put_u8(w, '"');
	}
	if (line->ser != BX_SER_UNKNOWN) {
		put_name(w, begin, "ser");
		bx_put_u8(w, '"');
		bx_put_text(w, bx_ser_name((enum bx_ser)line->ser));
		bx_put_u8(w, '"');
	}
	put_name(w, begin, "b64");
	put_base64(w, body);
	bx_put_u8(w, '}');
}
