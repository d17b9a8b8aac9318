/* For the tests of the two binary codecs: the vectors, and what must hold for any message. */
#ifndef BX_TESTS_CODEC_KIT_H
#define BX_TESTS_CODEC_KIT_H

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "codec/codec.h"
#include "codec/shape.h"
#include "guard.h"
#include "seeded.h"
#include "vectors.h"

#define KIT_ROOM (1u << 20)

/* Functions that not every test uses. */
#define KIT static __attribute__((unused))

/* --- bytes ----------------------------------------------------------------------------------- */

struct kit_bytes {
	uint8_t b[KIT_ROOM];
	size_t len;
};

/* Hex digits, white space between them allowed. */
KIT struct bx_span
kit_hex(const char *hex, struct kit_bytes *out)
{
	unsigned digit, high = 16;

	out->len = 0;
	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		digit = (unsigned)(*hex <= '9' ? *hex - '0' : (*hex | 0x20) - 'a' + 10);
		cr_assert_lt(digit, 16);
		if (high == 16) {
			high = digit;
			continue;
		}
		out->b[out->len++] = (uint8_t)(high << 4 | digit);
		high = 16;
	}
	return (struct bx_span){ out->b, out->len };
}

/* --- one call each, with room and defaults ---------------------------------------------------- */

KIT bool
kit_scan(const struct bx_codec *codec, struct bx_span bytes, struct bx_message *m,
	 struct bx_defect *why)
{
	static uint8_t room[KIT_ROOM];
	struct bx_writer scratch = bx_writer_over(room, sizeof(room));

	m->bytes = bytes.ptr;
	m->len = (uint32_t)bytes.len;
	return codec->scan(m, &scratch, why);
}

struct kit_result {
	enum bx_coded coded;
	uint32_t marks;
	struct bx_defect why;
	struct bx_span out; /* in the bytes given */
};

KIT struct kit_result
kit_result(enum bx_coded coded, uint32_t marks, struct bx_defect why, const struct bx_writer *w)
{
	return (struct kit_result){ coded, marks, why, { w->begin, bx_written(w) } };
}

KIT struct kit_result
kit_to_json(const struct bx_codec *codec, struct bx_span value, struct kit_bytes *out)
{
	struct bx_writer w = bx_writer_over(out->b, sizeof(out->b));
	struct bx_defect why = { 0 };
	uint32_t marks = 0;
	enum bx_coded coded = codec->to_json(value, &w, &marks, &why);

	return kit_result(coded, marks, why, &w);
}

KIT struct kit_result
kit_from_json(const struct bx_codec *codec, struct bx_span json, struct kit_bytes *out)
{
	struct bx_writer w = bx_writer_over(out->b, sizeof(out->b));
	struct bx_defect why = { 0 };
	uint32_t marks = 0;
	enum bx_coded coded = codec->from_json(json, &w, &marks, &why);

	return kit_result(coded, marks, why, &w);
}

/* Begins after what `out` holds. */
KIT struct kit_result
kit_args(const struct bx_codec *codec, const struct bx_message *m, struct kit_bytes *out)
{
	struct bx_writer w = bx_writer_over(out->b, sizeof(out->b));
	struct bx_defect why = { 0 };
	uint32_t marks = 0;
	enum bx_coded coded = codec->args_to_inner(m, &w, &marks, &why);

	return kit_result(coded, marks, why, &w);
}

KIT struct kit_result
kit_open(const struct bx_codec *codec, const struct bx_message *m, struct bx_span plaintext,
	 struct kit_bytes *out)
{
	static uint8_t room[KIT_ROOM];
	struct bx_writer scratch = bx_writer_over(room, sizeof(room));
	struct bx_writer w = bx_writer_over(out->b, sizeof(out->b));
	struct bx_defect why = { 0 };
	struct bx_inner inner;

	cr_assert_eq(bx_inner_parse(plaintext, &scratch, &inner), BX_INNER_OK);
	return kit_result(codec->open(m, &inner, &w, &why), 0, why, &w);
}

KIT struct bx_span
kit_text(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

KIT void
kit_expect_same(struct bx_span got, struct bx_span want, const char *what)
{
	cr_assert(bx_span_equal(got, want), "%s: %zu bytes instead of %zu", what, got.len,
		  want.len);
}

/* The value, given in hex, is this JSON, with or without the mark. */
KIT void
kit_expect_json(const struct bx_codec *codec, const char *hex, const char *json, bool reencoded)
{
	static struct kit_bytes value, out;
	struct kit_result r = kit_to_json(codec, kit_hex(hex, &value), &out);

	cr_assert_eq(r.coded, BX_CODED_OK, "%s: %d, %s", hex, r.coded, r.why.what);
	cr_assert(bx_span_is(r.out, json), "%s: %.*s", hex, (int)r.out.len,
		  (const char *)r.out.ptr);
	cr_assert_eq((r.marks & BX_MARK_REENCODED) != 0, reencoded, "%s: mark", hex);
}

/* The value, given in hex, is refused so, as an argument of a message and alone. */
KIT void
kit_expect_refused(const struct bx_codec *codec, const char *hex, enum bx_coded coded)
{
	static struct kit_bytes value, out;
	struct kit_result r = kit_to_json(codec, kit_hex(hex, &value), &out);

	cr_assert_eq(r.coded, coded, "%s: %d", hex, r.coded);
	cr_assert_eq(r.out.len, 0, "%s: something was written", hex);
	cr_assert_not_null(r.why.what, "%s: no reason", hex);
	cr_assert_leq(r.why.at, value.len);
}

/* The JSON text gives this value, in hex. */
KIT void
kit_expect_value(const struct bx_codec *codec, const char *json, const char *hex, bool reencoded)
{
	static struct kit_bytes want, out;
	struct kit_result r = kit_from_json(codec, kit_text(json), &out);

	cr_assert_eq(r.coded, BX_CODED_OK, "%s: %d, %s", json, r.coded, r.why.what);
	kit_expect_same(r.out, kit_hex(hex, &want), json);
	cr_assert_eq((r.marks & BX_MARK_REENCODED) != 0, reencoded, "%s: mark", json);
}

/* --- the vectors ------------------------------------------------------------------------------ */

struct kit_vector {
	const char *id;
	struct bx_span plaintext;
	struct bx_span payload;
	struct bx_span plain; /* ptr NULL: Autobahn cannot write it */
	struct bx_span sealed;
};

typedef void kit_vector_fn(const struct bx_codec *codec, const struct kit_vector *v);

/* Calls `each` for all vectors of one serializer; returns how many there were. */
KIT unsigned
kit_each_vector(const struct bx_codec *codec, kit_vector_fn *each)
{
	json_t *root = vectors_load();
	const char *name = bx_ser_name(codec->ser);
	unsigned count = 0;
	size_t i;
	json_t *o;

	json_array_foreach(json_object_get(root, "vectors"), i, o)
	{
		struct kit_vector v;

		if (strcmp(json_string_value(json_object_get(o, "serializer")), name) != 0)
			continue;
		v.id = json_string_value(json_object_get(o, "id"));
		v.plaintext = vectors_hex(o, "plaintext_hex");
		v.payload = vectors_hex(o, "payload_hex");
		v.plain = vectors_hex(o, "plain_message_hex");
		v.sealed = vectors_hex(o, "sealed_message_hex");
		each(codec, &v);
		count++;
		free((void *)(uintptr_t)v.plaintext.ptr);
		free((void *)(uintptr_t)v.payload.ptr);
		free((void *)(uintptr_t)v.plain.ptr);
		free((void *)(uintptr_t)v.sealed.ptr);
	}
	json_decref(root);
	return count;
}

/* The part of a plaintext from `"args":` on, without the closing brace. */
KIT struct bx_span
kit_members(struct bx_span plaintext)
{
	const uint8_t *p = memmem(plaintext.ptr, plaintext.len, "\"args\":", 7);

	cr_assert_not_null(p);
	return (struct bx_span){ p, (size_t)(plaintext.ptr + plaintext.len - 1 - p) };
}

/* Empty args or kwargs are not written in plain messages (spec 1.2): they come back as null. */
KIT bool
kit_has_empty_part(const struct kit_vector *v)
{
	return strstr(v->id, "/empty-both/") != NULL ||
	       strstr(v->id, "/args-empty-kwargs/") != NULL;
}

/* A string that begins with U+0000 turns into binary. */
KIT bool
kit_is_ambiguous(const struct kit_vector *v)
{
	return strstr(v->id, "/nul-string/") != NULL;
}

KIT void
kit_check_plain(const struct bx_codec *codec, const struct kit_vector *v)
{
	static struct kit_bytes out;
	struct bx_message m;
	struct bx_defect why;
	struct kit_result r;

	cr_assert(kit_scan(codec, v->plain, &m, &why), "%s: %s", v->id, why.what);
	cr_assert(m.payload == BX_PAYLOAD_PLAIN || m.payload == BX_PAYLOAD_NONE, "%s", v->id);
	cr_assert_eq(m.flags & BX_MSG_ENC_KEYS, 0, "%s", v->id);
	cr_assert(codec->check_rest(&m, &why), "%s: %s", v->id, why.what);
	r = kit_args(codec, &m, &out);
	cr_assert_eq(r.coded, BX_CODED_OK, "%s: %s", v->id, r.why.what);
	cr_assert_eq(r.marks != 0, kit_is_ambiguous(v), "%s: mark", v->id);
	if (!kit_has_empty_part(v))
		kit_expect_same(r.out, kit_members(v->plaintext), v->id);

	struct bx_writer w = bx_writer_over(out.b, sizeof(out.b));

	codec->seal_head(&m, v->payload.len, &w);
	bx_put_span(&w, v->payload);
	kit_expect_same(bx_since(&w, out.b), v->sealed, v->id);
}

KIT void
kit_check_sealed(const struct bx_codec *codec, const struct kit_vector *v)
{
	static struct kit_bytes out;
	static uint8_t room[KIT_ROOM];
	struct bx_writer scratch = bx_writer_over(room, sizeof(room));
	struct bx_message m;
	struct bx_defect why;
	struct bx_span box;
	struct kit_result r;

	cr_assert(kit_scan(codec, v->sealed, &m, &why), "%s: %s", v->id, why.what);
	cr_assert_eq(m.payload, BX_PAYLOAD_BINARY, "%s", v->id);
	cr_assert_eq(m.enc_algo, BX_ENC_OURS, "%s", v->id);
	cr_assert_eq(m.enc_serializer, BX_ENC_OURS, "%s", v->id);
	cr_assert(codec->box(&m, &scratch, &box, &why), "%s: %s", v->id, why.what);
	kit_expect_same(box, v->payload, v->id);
	cr_assert(codec->check_rest(&m, &why), "%s: %s", v->id, why.what);
	r = kit_open(codec, &m, v->plaintext, &out);
	if (v->plain.ptr == NULL) {
		cr_assert_eq(r.coded, BX_CODED_NOT_REPRESENTABLE, "%s", v->id);
		cr_assert_eq(r.out.len, 0, "%s: something was written", v->id);
		return;
	}
	cr_assert_eq(r.coded, BX_CODED_OK, "%s: %s", v->id, r.why.what);
	if (!kit_has_empty_part(v) && !kit_is_ambiguous(v))
		kit_expect_same(r.out, v->plain, v->id);
}

KIT void
kit_check_vector(const struct bx_codec *codec, const struct kit_vector *v)
{
	if (v->plain.ptr != NULL)
		kit_check_plain(codec, v);
	kit_check_sealed(codec, v);
}

/* --- truncation ------------------------------------------------------------------------------- */

/* All that can be called for bytes that are no whole message, right before a guard page. */
KIT void
kit_check_cut(const struct bx_codec *codec, struct guard *g, struct bx_span message, size_t len,
	      const char *id)
{
	static struct kit_bytes out;
	struct bx_span cut = { guard_copy(g, message.ptr, len), len };
	struct bx_message m;
	struct bx_defect why = { 0 };
	size_t extent;

	cr_assert_eq(codec->extent(cut, &extent, &why), BX_STEP_MORE, "%s cut at %zu", id, len);
	cr_assert_eq(kit_to_json(codec, cut, &out).coded, BX_CODED_BAD, "%s cut at %zu", id, len);
	if (!kit_scan(codec, cut, &m, &why)) {
		cr_assert_not_null(why.what);
		cr_assert_leq(why.at, len);
		return;
	}
	cr_assert_not(codec->check_rest(&m, &why), "%s cut at %zu", id, len);
	cr_assert_leq(why.at, len);
	if (m.payload == BX_PAYLOAD_PLAIN || m.payload == BX_PAYLOAD_NONE)
		cr_assert_eq(kit_args(codec, &m, &out).coded, BX_CODED_BAD, "%s cut at %zu", id,
			     len);
}

KIT void
kit_check_cuts(const struct bx_codec *codec, const struct kit_vector *v)
{
	struct guard g = { 0 };
	struct bx_span messages[2] = { v->plain, v->sealed };
	struct bx_defect why;
	size_t extent;

	if (v->sealed.len > 2000)
		return;
	guard_init(&g, 4096);
	for (int i = 0; i < 2; i++) {
		struct bx_span whole = messages[i];

		if (whole.ptr == NULL)
			continue;
		for (size_t len = 0; len < whole.len; len++)
			kit_check_cut(codec, &g, whole, len, v->id);
		whole.ptr = guard_copy(&g, whole.ptr, whole.len);
		cr_assert_eq(codec->extent(whole, &extent, &why), BX_STEP_ITEM);
		cr_assert_eq(extent, whole.len);
	}
	guard_free(&g);
}

/* --- no room ---------------------------------------------------------------------------------- */

/* Each writer succeeds with exactly the room it needs, and says FULL with less. */
KIT void
kit_check_room(const struct bx_codec *codec, const struct kit_vector *v)
{
	static struct kit_bytes json, value;
	struct guard g = { 0 }, in = { 0 };
	struct bx_span whole = v->plain;
	struct bx_span text;
	struct kit_result r;
	struct bx_defect why;
	uint32_t marks = 0;

	if (whole.ptr == NULL || whole.len > 1000)
		return;
	guard_init(&g, 8192);
	guard_init(&in, 8192);
	r = kit_to_json(codec, whole, &json);
	cr_assert_eq(r.coded, BX_CODED_OK);
	json.len = r.out.len;
	for (size_t cap = json.len + 1; cap-- != 0;) {
		struct bx_writer w = bx_writer_over(g.end - cap, cap);
		enum bx_coded want = cap == json.len ? BX_CODED_OK : BX_CODED_FULL;

		cr_assert_eq(codec->to_json(whole, &w, &marks, &why), want, "%s %zu", v->id, cap);
		cr_assert_eq(w.full, want == BX_CODED_FULL);
	}
	text = (struct bx_span){ guard_copy(&in, json.b, json.len), json.len };
	r = kit_from_json(codec, text, &value);
	cr_assert_eq(r.coded, BX_CODED_OK);
	value.len = r.out.len;
	for (size_t cap = value.len + 1; cap-- != 0;) {
		struct bx_writer w = bx_writer_over(g.end - cap, cap);
		enum bx_coded want = cap == value.len ? BX_CODED_OK : BX_CODED_FULL;

		cr_assert_eq(codec->from_json(text, &w, &marks, &why), want, "%s %zu", v->id, cap);
		cr_assert_eq(w.full, want == BX_CODED_FULL);
	}
	guard_free(&in);
	guard_free(&g);
}

/* --- an oracle for JSON text ------------------------------------------------------------------ */

/* Written the slow and obvious way, for values that another library has decoded. */
struct oracle {
	char text[KIT_ROOM];
	size_t len;
	bool has_no_json; /* a value that Autobahn's encoder refuses */
};

KIT void
oracle_put(struct oracle *o, const char *text)
{
	size_t len = strlen(text);

	cr_assert_lt(o->len + len, sizeof(o->text));
	memcpy(o->text + o->len, text, len + 1);
	o->len += len;
}

KIT void
oracle_u64(struct oracle *o, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	oracle_put(o, text);
}

KIT void
oracle_i64(struct oracle *o, int64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, v);
	oracle_put(o, text);
}

/* Python's repr: the fewest digits that read back, laid out by its rules. */
KIT void
oracle_double(struct oracle *o, double v)
{
	char digits[40], text[64], *mantissa = digits;
	int precision = 0, exponent;
	size_t count;

	if (isnan(v) || isinf(v)) {
		oracle_put(o, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
		return;
	}
	do
		snprintf(digits, sizeof(digits), "%.*e", precision, v);
	while (strtod(digits, NULL) != v && precision++ < 17);
	if (*mantissa == '-') {
		oracle_put(o, "-");
		mantissa++;
	}
	exponent = atoi(strchr(mantissa, 'e') + 1);
	*strchr(mantissa, 'e') = '\0';
	if (mantissa[1] == '.')
		memmove(mantissa + 1, mantissa + 2, strlen(mantissa + 2) + 1);
	count = strlen(mantissa);
	if (exponent < -4 || exponent >= 16) {
		snprintf(text, sizeof(text), "%c%s%se%c%02d", mantissa[0], count > 1 ? "." : "",
			 mantissa + 1, exponent < 0 ? '-' : '+', abs(exponent));
	} else if (exponent < 0) {
		snprintf(text, sizeof(text), "0.%.*s%s", -1 - exponent, "0000", mantissa);
	} else if ((size_t)exponent + 1 >= count) {
		snprintf(text, sizeof(text), "%s%.*s.0", mantissa, exponent + 1 - (int)count,
			 "0000000000000000");
	} else {
		snprintf(text, sizeof(text), "%.*s.%s", exponent + 1, mantissa,
			 mantissa + exponent + 1);
	}
	oracle_put(o, text);
}

KIT void
oracle_string(struct oracle *o, const char *s, size_t len)
{
	static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";

	oracle_put(o, "\"");
	for (size_t i = 0; i < len; i++) {
		char text[8] = { s[i], '\0' };
		unsigned char c = (unsigned char)s[i];

		for (const char *p = shorts; *p != '\0'; p += 2)
			if (*p == s[i]) {
				text[0] = '\\';
				text[1] = p[1];
				text[2] = '\0';
			}
		if (text[0] != '\\' && c < 0x20)
			snprintf(text, sizeof(text), "\\u%04x", c);
		oracle_put(o, text);
	}
	oracle_put(o, "\"");
}

KIT void
oracle_binary(struct oracle *o, const void *bytes, size_t len)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *b = bytes;

	oracle_put(o, "\"\\u0000");
	for (size_t i = 0; i < len; i += 3) {
		unsigned left = len - i < 3 ? (unsigned)(len - i) : 3;
		unsigned v = (unsigned)b[i] << 16 | (left > 1 ? (unsigned)b[i + 1] << 8 : 0) |
			     (left > 2 ? b[i + 2] : 0);
		char text[5] = { alphabet[v >> 18], alphabet[v >> 12 & 63],
				 left > 1 ? alphabet[v >> 6 & 63] : '=',
				 left > 2 ? alphabet[v & 63] : '=', '\0' };

		oracle_put(o, text);
	}
	oracle_put(o, "\"");
}

/* --- random values -----------------------------------------------------------------------------
 */

/* Numbers near the edges of all widths. */
KIT uint64_t
kit_random_u64(uint64_t *random)
{
	unsigned bits = (unsigned)random_below(random, 65);
	uint64_t v = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;

	switch (random_below(random, 4)) {
	case 0:
		return v;
	case 1:
		return v + random_below(random, 3);
	case 2:
		return v - random_below(random, 9);
	default:
		return random_next(random) & v;
	}
}

KIT double
kit_random_double(uint64_t *random)
{
	uint64_t bits = random_next(random);
	double v;

	switch (random_below(random, 4)) {
	case 0:
		memcpy(&v, &bits, 8);
		return v;
	case 1:
		return (double)((int64_t)bits >> random_below(random, 64));
	case 2:
		return (double)(int64_t)random_below(random, 2000000) / 1000 - 1000;
	default:
		return (double)random_below(random, 1000000000) / pow(10, (double)(bits % 12));
	}
}

/* A text of up to `max` bytes, mostly short and plain, sometimes with anything. */
KIT size_t
kit_random_text(uint64_t *random, char *out, size_t max)
{
	static const char *const pieces[] = { "a",        "temp",         "\"",
					      "\\",       "\n",           "\x01",
					      "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80",
					      "/",        "\x7F" };
	size_t want = random_below(random, random_below(random, 8) == 0 ? max : 24);
	bool plain = random_below(random, 3) != 0;
	size_t len = 0;

	while (len < want) {
		const char *piece = plain ? "z" : pieces[random_below(random, 11)];

		if (len + strlen(piece) > max)
			break;
		memcpy(out + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return len;
}

/* Changes, drops or inserts some bytes. */
KIT void
kit_mutate(uint64_t *random, struct kit_bytes *bytes)
{
	for (uint64_t n = 1 + random_below(random, 3); n != 0 && bytes->len != 0; n--) {
		size_t at = random_below(random, bytes->len);

		switch (random_below(random, 4)) {
		case 0:
			memmove(bytes->b + at, bytes->b + at + 1, bytes->len - at - 1);
			bytes->len--;
			break;
		case 1:
			memmove(bytes->b + at + 1, bytes->b + at, bytes->len - at);
			bytes->b[at] = (uint8_t)random_next(random);
			bytes->len++;
			break;
		default:
			bytes->b[at] = (uint8_t)random_next(random);
			break;
		}
	}
}

#endif
