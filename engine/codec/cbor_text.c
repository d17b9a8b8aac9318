#include "codec/cbor.h"

#include "base/base64.h"
#include "base/json_writer.h"

/*
 * One loop over the values, each of which is written as it is read. `e` and `in` live in
 * registers: what is hot is inlined into the one function that has them, and what is not gets
 * copies of them.
 */
struct text {
	struct bx_input in;
	struct bx_emit e;
	uint32_t marks;
};

#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))

INLINE enum bx_coded
wrote(bool fits)
{
	return fits ? BX_CODED_OK : BX_CODED_FULL;
}

INLINE enum bx_coded
bad(struct text *t, const char *why)
{
	t->in.why = why;
	return BX_CODED_BAD;
}

INLINE enum bx_coded
cut(struct text *t)
{
	return bad(t, "message ends inside a value");
}

INLINE void
mark_if(struct text *t, bool reencoded)
{
	t->marks |= reencoded ? BX_MARK_REENCODED : 0;
}

/* The argument of a head whose first byte, passed already, is `b`; false: cut, or none. */
INLINE bool
argument(struct text *t, uint8_t b, uint64_t *v)
{
	unsigned info = b & 31u;

	*v = info;
	if (info < 24)
		return true;
	if (info > 27)
		return false;

	unsigned width = 1u << (info - 24);
	const uint8_t *p = t->in.at;

	if (bx_input_left(&t->in) < width)
		return false;
	*v = bx_head_load(p, width);
	t->in.at = p + width;
	mark_if(t, width == 1 ? *v < 24 : *v >> (4 * width) == 0);
	return true;
}

static struct bx_writer
writer_of(const struct bx_emit *e)
{
	return (struct bx_writer){ e->at, e->at, e->end, false };
}

/* Text in chunks; `in` is after its head. */
static enum bx_coded
chunked_text(struct bx_input *in, struct bx_emit *e)
{
	struct bx_writer w = writer_of(e);
	struct bx_span chunk;

	bx_put_u8(&w, '"');
	do {
		if (!bx_cbor_chunk(in, BX_HEAD_TEXT, &chunk))
			return BX_CODED_BAD;
		if (chunk.ptr != NULL)
			bx_json_put_string_body(&w, chunk);
	} while (chunk.ptr != NULL);
	bx_put_u8(&w, '"');
	e->at = w.at;
	return wrote(!w.full);
}

/* Base64 of bytes that come in pieces: groups of three, what is over waits in `rest`. */
struct base64_pieces {
	uint8_t rest[3];
	size_t rest_len;
};

static void
put_base64(struct bx_writer *w, struct bx_span bytes)
{
	uint8_t *p = bx_reserve(w, bx_base64_len(bytes.len));

	if (p != NULL)
		bx_base64_encode(bytes, p);
}

static void
put_base64_piece(struct base64_pieces *b, struct bx_span piece, struct bx_writer *w)
{
	size_t whole;

	while (b->rest_len != 0 && b->rest_len < 3 && piece.len != 0) {
		b->rest[b->rest_len++] = *piece.ptr++;
		piece.len--;
	}
	if (b->rest_len == 3) {
		put_base64(w, (struct bx_span){ b->rest, 3 });
		b->rest_len = 0;
	}
	if (piece.len == 0)
		return;
	whole = piece.len - piece.len % 3;
	put_base64(w, (struct bx_span){ piece.ptr, whole });
	memcpy(b->rest, piece.ptr + whole, piece.len - whole);
	b->rest_len = piece.len - whole;
}

static enum bx_coded
chunked_binary(struct bx_input *in, struct bx_emit *e)
{
	struct bx_writer w = writer_of(e);
	struct base64_pieces pieces = { .rest_len = 0 };
	struct bx_span chunk;

	bx_put_text(&w, "\"\\u0000");
	do {
		if (!bx_cbor_chunk(in, BX_HEAD_BINARY, &chunk))
			return BX_CODED_BAD;
		put_base64_piece(&pieces, chunk, &w);
	} while (chunk.ptr != NULL);
	put_base64(&w, (struct bx_span){ pieces.rest, pieces.rest_len });
	bx_put_u8(&w, '"');
	e->at = w.at;
	return wrote(!w.full);
}

/* RFC 8949 appendix D */
static double
double_of_half(unsigned half)
{
	unsigned exponent = half >> 10 & 31;
	unsigned fraction = half & 1023;
	double v;

	if (exponent == 0)
		v = fraction * 0x1p-24;
	else if (exponent == 31)
		v = fraction == 0 ? __builtin_inf() : __builtin_nan("");
	else
		v = (1024 + fraction) * 0x1p-25 * (1u << exponent);
	return half & 0x8000 ? -v : v;
}

/* The float whose head has just been passed; it stands before in->at. */
static double
float_of(const struct bx_head *h)
{
	uint32_t single = (uint32_t)h->value;
	float f;
	double d;

	if (h->width == 2)
		return double_of_half((unsigned)h->value);
	if (h->width == 4) {
		memcpy(&f, &single, 4);
		return (double)f;
	}
	memcpy(&d, &h->value, 8);
	return d;
}

/* Canonical are halves for what is not finite, with the one NaN, and doubles for the rest. */
static bool
float_is_canonical(const struct bx_head *h)
{
	if (h->width == 2)
		return h->value == 0x7E00 || h->value == 0x7C00 || h->value == 0xFC00;
	return h->width == 8 && (h->value >> 52 & 0x7FF) != 0x7FF;
}

static enum bx_coded
bignum(struct bx_input *in, bool minus, struct bx_emit *e)
{
	struct bx_writer w = writer_of(e);
	enum bx_coded coded;

	if (minus)
		bx_put_u8(&w, '-');
	coded = bx_cbor_bignum_digits(in, minus, &w);
	e->at = w.at;
	return coded == BX_CODED_OK && w.full ? BX_CODED_FULL : coded;
}

static enum bx_coded
decimal(struct bx_input *in, bool binary, struct bx_emit *e)
{
	struct bx_writer w = writer_of(e);
	enum bx_coded coded;

	bx_put_u8(&w, '"');
	coded = bx_cbor_decimal(in, binary, &w);
	bx_put_u8(&w, '"');
	e->at = w.at;
	return coded == BX_CODED_OK && w.full ? BX_CODED_FULL : coded;
}

/* Tags that Autobahn's reader passes over. */
static bool
is_transparent(uint64_t tag)
{
	return tag == BX_CBOR_TAG_SELF_DESCRIBED || tag == BX_CBOR_TAG_SHAREABLE ||
	       tag == BX_CBOR_TAG_STRINGREF_NAMESPACE;
}

/* A tag that is no transparent one, with its value. */
static enum bx_coded
tagged_value(struct bx_input *in, uint64_t tag, struct bx_emit *e)
{
	switch (tag) {
	case BX_CBOR_TAG_BIGNUM:
		return bignum(in, false, e);
	case BX_CBOR_TAG_NEGATIVE_BIGNUM:
		return bignum(in, true, e);
	case BX_CBOR_TAG_DECIMAL:
		return decimal(in, false, e);
	case BX_CBOR_TAG_BIGFLOAT:
		return decimal(in, true, e);
	default:
		return BX_CODED_NOT_REPRESENTABLE;
	}
}

/* Big integers are canonical when they are beyond 64 bits and begin with no zero byte. */
static bool
bignum_is_canonical(const uint8_t *tag_at, const uint8_t *end)
{
	struct bx_input in =
	    bx_input_over((struct bx_span){ tag_at + 1, (size_t)(end - tag_at) - 1 });
	struct bx_head h;

	if ((tag_at[0] != 0xC2 && tag_at[0] != 0xC3) || !bx_cbor_head(&in, &h) || h.indefinite)
		return false;
	if (h.width > 1 ? h.value >> (4 * h.width) == 0 : h.width == 1 && h.value < 24)
		return false;
	return h.kind == BX_HEAD_BINARY && h.value > 8 && in.at[0] != 0;
}

/* Any value that is not common: `in` is at its first byte. Containers do not come here. */
APART enum bx_coded
odd_value(struct bx_input *in, struct bx_emit *e, uint32_t *marks)
{
	const uint8_t *from = in->at;
	enum bx_coded coded = BX_CODED_NOT_REPRESENTABLE;
	bool canonical = false;
	struct bx_head h;

	if (!bx_cbor_head(in, &h))
		return BX_CODED_BAD;
	switch (h.kind) {
	case BX_HEAD_FLOAT:
		coded = wrote(bx_emit_double(e, float_of(&h)));
		canonical = float_is_canonical(&h);
		break;
	case BX_HEAD_TEXT:
		coded = chunked_text(in, e);
		break;
	case BX_HEAD_BINARY:
		coded = chunked_binary(in, e);
		break;
	case BX_HEAD_EXT:
		coded = tagged_value(in, h.value, e);
		canonical = coded == BX_CODED_OK && bignum_is_canonical(from, in->at);
		break;
	case BX_HEAD_BREAK:
		in->at = from;
		bx_input_fail(in, "break where a value is due");
		return BX_CODED_BAD;
	default:
		break;
	}
	if (!canonical)
		*marks |= BX_MARK_REENCODED;
	return coded;
}

/* As above, for the loop: its own `in` and `e` never have an address. */
INLINE enum bx_coded
put_odd(struct text *t, const uint8_t *at)
{
	struct bx_input in = t->in;
	struct bx_emit e = t->e;
	uint32_t marks = 0;
	enum bx_coded coded;

	in.at = at;
	coded = odd_value(&in, &e, &marks);
	t->in = in;
	t->e = e;
	t->marks |= marks;
	return coded;
}

/* Text of `len` bytes at in.at. */
INLINE enum bx_coded
put_text(struct text *t, uint64_t len)
{
	const uint8_t *p = t->in.at;
	enum bx_emitted emitted;

	if (bx_input_left(&t->in) < len)
		return cut(t);
	emitted = bx_emit_text(&t->e, (struct bx_span){ p, len }, t->in.end);
	if (emitted == BX_EMIT_NOT_UTF8)
		return bad(t, "string is not UTF-8");
	t->in.at = p + len;
	return wrote(emitted == BX_EMITTED);
}

INLINE enum bx_coded
put_binary(struct text *t, uint64_t len)
{
	const uint8_t *p = t->in.at;

	if (bx_input_left(&t->in) < len)
		return cut(t);
	t->in.at = p + len;
	return wrote(bx_emit_binary(&t->e, (struct bx_span){ p, len }));
}

/* False, true, null and doubles; the other simple values are odd. */
INLINE enum bx_coded
put_simple(struct text *t, const uint8_t *at)
{
	uint64_t bits;
	double v;

	switch (*at) {
	case 0xF4:
		return wrote(bx_emit_word(&t->e, "false", 5));
	case 0xF5:
		return wrote(bx_emit_word(&t->e, "true", 4));
	case 0xF6:
		return wrote(bx_emit_word(&t->e, "null", 4));
	case 0xFB:
		if (bx_input_left(&t->in) < 8)
			return cut(t);
		bits = bx_load_be64(t->in.at);
		if ((bits >> 52 & 0x7FF) == 0x7FF)
			break;
		memcpy(&v, &bits, 8);
		t->in.at += 8;
		return wrote(bx_emit_double(&t->e, v));
	default:
		break;
	}
	return put_odd(t, at);
}

/* Any value but a container, or a transparent tag, which is passed; its first byte is at `at`. */
INLINE enum bx_coded
put_scalar(struct text *t, const uint8_t *at)
{
	unsigned major = *at >> 5;
	uint64_t v;

	if (major == 7)
		return put_simple(t, at);
	if (major == 6 || !argument(t, *at, &v))
		return put_odd(t, at); /* chunks, and what is malformed, too */
	switch (major) {
	case 0:
		return wrote(bx_emit_u64(&t->e, v));
	case 1:
		return wrote(bx_emit_negint(&t->e, v));
	case 2:
		return put_binary(t, v);
	default:
		mark_if(t, v != 0 && t->in.at != t->in.end && *t->in.at == 0);
		return put_text(t, v);
	}
}

enum tags { TAGS_NONE, TAGS_PASSED, TAGS_BAD };

/* Passes transparent tags. */
APART enum tags
pass_tags(struct bx_input *in)
{
	uint32_t tags = 0;

	for (;;) {
		struct bx_input look = *in;
		struct bx_head h;

		if (in->at == in->end || *in->at >> 5 != 6)
			return tags == 0 ? TAGS_NONE : TAGS_PASSED;
		if (!bx_cbor_head(&look, &h)) {
			*in = look;
			return TAGS_BAD;
		}
		if (!is_transparent(h.value))
			return tags == 0 ? TAGS_NONE : TAGS_PASSED;
		if (++tags > BX_CODEC_DEPTH) {
			bx_input_fail(in, "nested too deeply");
			return TAGS_BAD;
		}
		*in = look;
	}
}

INLINE enum bx_coded
put_tags(struct text *t)
{
	if (t->in.at == t->in.end || *t->in.at >> 5 != 6)
		return BX_CODED_OK;

	struct bx_input in = t->in;
	enum tags found = pass_tags(&in);

	t->in = in;
	mark_if(t, found == TAGS_PASSED);
	return found == TAGS_BAD ? BX_CODED_BAD : BX_CODED_OK;
}

/* A key that is not text: Python writes numbers, true, false and null as strings. */
APART enum bx_coded
odd_key(struct bx_input *in, struct bx_emit *e)
{
	struct bx_input look = *in;
	bool fits = true;
	struct bx_head h;

	if (!bx_cbor_head(&look, &h)) {
		*in = look;
		return BX_CODED_BAD;
	}
	if (h.kind == BX_HEAD_TEXT) { /* chunked, or the fast path would have had it */
		*in = look;
		return chunked_text(in, e);
	}
	fits = bx_emit_char(e, '"');
	switch (h.kind) {
	case BX_HEAD_UINT:
		fits = fits && bx_emit_u64(e, h.value);
		break;
	case BX_HEAD_NEGINT:
		fits = fits && bx_emit_negint(e, h.value);
		break;
	case BX_HEAD_NULL:
		fits = fits && bx_emit_word(e, "null", 4);
		break;
	case BX_HEAD_FALSE:
		fits = fits && bx_emit_word(e, "false", 5);
		break;
	case BX_HEAD_TRUE:
		fits = fits && bx_emit_word(e, "true", 4);
		break;
	case BX_HEAD_FLOAT:
		fits = fits && bx_emit_double(e, float_of(&h));
		break;
	case BX_HEAD_EXT:
		if (h.value == BX_CBOR_TAG_BIGNUM || h.value == BX_CBOR_TAG_NEGATIVE_BIGNUM) {
			enum bx_coded coded =
			    bignum(&look, h.value == BX_CBOR_TAG_NEGATIVE_BIGNUM, e);

			if (coded != BX_CODED_OK) {
				*in = look;
				return coded;
			}
			break;
		}
		return BX_CODED_NOT_REPRESENTABLE;
	case BX_HEAD_BREAK:
		bx_input_fail(in, "break where a value is due");
		return BX_CODED_BAD;
	default:
		return BX_CODED_NOT_REPRESENTABLE;
	}
	*in = look;
	return wrote(fits && bx_emit_char(e, '"'));
}

/* The key of a pair and its colon. */
INLINE enum bx_coded
put_key(struct text *t)
{
	const uint8_t *at = t->in.at;
	enum bx_coded coded = put_tags(t);
	uint64_t len;

	if (coded != BX_CODED_OK)
		return coded;
	at = t->in.at;
	if (at == t->in.end)
		return cut(t);
	t->in.at++;
	if (*at >> 5 == 3 && argument(t, *at, &len)) {
		coded = put_text(t, len);
	} else {
		struct bx_input in = t->in;
		struct bx_emit e = t->e;

		in.at = at;
		coded = odd_key(&in, &e);
		t->in = in;
		t->e = e;
		mark_if(t, true);
	}
	return coded != BX_CODED_OK ? coded : wrote(bx_emit_char(&t->e, ':'));
}

/*
 * The common string, value or key: up to 16 bytes with nothing to escape, and enough bytes around
 * both ends of the copy that one check does for all of them. `after` is the byte to follow it.
 */
INLINE bool
put_short_text(struct text *t, uint8_t after)
{
#if defined(__SSE2__)
	const uint8_t *p = t->in.at;
	uint8_t *o = t->e.at;
	unsigned len;

	if (bx_input_left(&t->in) < 17 || bx_emit_room(&t->e) < 19)
		return false;
	len = (unsigned)*p - 0x60;
	if (len > 16 || (bx_scan_special_mask(p + 1) & ((1u << len) - 1)) != 0)
		return false;
	o[0] = '"';
	memcpy(o + 1, p + 1, 16);
	o[1 + len] = '"';
	o[2 + len] = after;
	t->e.at = o + len + 3;
	t->in.at = p + 1 + len;
	return true;
#else
	(void)t;
	(void)after;
	return false;
#endif
}

/* What is left in a container, and of what kind it is. */
#define MAP_BIT 0x80000000u
#define INDEFINITE_BIT 0x40000000u /* nothing is counted */
#define KIND_BITS (MAP_BIT | INDEFINITE_BIT)

INLINE enum bx_coded
container(struct text *t, uint8_t b, uint32_t *level)
{
	uint64_t count;
	bool map = b >= 0xA0;

	if ((b & 31) == 31) {
		mark_if(t, true);
		*level = INDEFINITE_BIT;
	} else {
		if (!argument(t, b, &count) || count << map > bx_input_left(&t->in) ||
		    count > BX_MESSAGE_MAX)
			return cut(t);
		*level = (uint32_t)count;
	}
	*level |= map ? MAP_BIT : 0;
	return wrote(bx_emit_char(&t->e, map ? '{' : '['));
}

/* What the loop works on besides: `level` is the innermost container, outer[] are those around. */
struct nest {
	uint32_t level;
	uint32_t depth;
	uint32_t base;
	uint32_t outer[BX_CODEC_DEPTH + 1];
};

/* True when no value follows in the innermost container; a break is passed. */
INLINE enum bx_coded
is_over(struct text *t, struct nest *n, bool *over)
{
	if ((n->level & INDEFINITE_BIT) == 0) {
		*over = (--n->level & ~KIND_BITS) == 0;
		return BX_CODED_OK;
	}
	if (t->in.at == t->in.end)
		return cut(t);
	*over = *t->in.at == BX_CBOR_BREAK;
	t->in.at += *over;
	return BX_CODED_OK;
}

/*
 * After the last value of a container: its end, and those of all that end with it. *done: with
 * them the one value. Else the comma before the next one is written.
 */
INLINE enum bx_coded
close_containers(struct text *t, struct nest *n, bool *done)
{
	enum bx_coded coded;
	bool over = true;

	while (over) {
		*done = n->depth == n->base;
		if (*done)
			return BX_CODED_OK;
		if (!bx_emit_char(&t->e, (n->level & MAP_BIT) != 0 ? '}' : ']'))
			return BX_CODED_FULL;
		n->level = n->outer[--n->depth];
		if ((coded = is_over(t, n, &over)) != BX_CODED_OK)
			return coded;
	}
	return wrote(bx_emit_char(&t->e, ','));
}

/* Opens a container. *empty: it has ended at once. */
INLINE enum bx_coded
open_container(struct text *t, struct nest *n, uint8_t b, bool *empty)
{
	enum bx_coded coded;

	if (n->depth == BX_CODEC_DEPTH)
		return bad(t, "nested too deeply");
	n->outer[n->depth++] = n->level;
	if ((coded = container(t, b, &n->level)) != BX_CODED_OK)
		return coded;
	if ((n->level & INDEFINITE_BIT) != 0)
		return is_over(t, n, empty);
	*empty = (n->level & ~KIND_BITS) == 0;
	return BX_CODED_OK;
}

/* The member whose key stands at `pair` and whose value is undefined is left out. */
INLINE void
drop_pair(struct text *t, uint8_t *pair, bool over)
{
	t->e.at = over && pair[-1] == ',' ? pair - 1 : pair;
	mark_if(t, true);
}

INLINE enum bx_coded
run(struct text *t, uint32_t depth, bool lenient)
{
	struct nest n; /* not cleared: outer[] is large */
	enum bx_coded coded;
	bool done = false;

	n.level = 1;
	n.depth = depth;
	n.base = depth;
	while (!done) {
		uint8_t *pair = t->e.at;
		bool over = false;
		const uint8_t *at;

		if ((n.level & MAP_BIT) != 0 && !put_short_text(t, ':') &&
		    (coded = put_key(t)) != BX_CODED_OK)
			return coded;
		if (put_short_text(t, ',')) {
			if ((coded = is_over(t, &n, &over)) != BX_CODED_OK)
				return coded;
			if (!over)
				continue;
			t->e.at--; /* the comma, which is wrong */
			if ((coded = close_containers(t, &n, &done)) != BX_CODED_OK)
				return coded;
			continue;
		}
		if ((coded = put_tags(t)) != BX_CODED_OK)
			return coded;
		at = t->in.at;
		if (at == t->in.end)
			return cut(t);
		t->in.at++;
		if (*at >= 0x80 && *at < 0xC0) {
			if ((coded = open_container(t, &n, *at, &over)) != BX_CODED_OK)
				return coded;
		} else {
			bool drop = *at == 0xF7 && lenient && (n.level & MAP_BIT) != 0;

			if (!drop && (coded = put_scalar(t, at)) != BX_CODED_OK)
				return coded;
			if ((coded = is_over(t, &n, &over)) != BX_CODED_OK)
				return coded;
			if (drop)
				drop_pair(t, pair, over);
			else if (!over && !bx_emit_char(&t->e, ','))
				return BX_CODED_FULL;
		}
		if (over && (coded = close_containers(t, &n, &done)) != BX_CODED_OK)
			return coded;
	}
	return BX_CODED_OK;
}

enum bx_coded
bx_cbor_text(struct bx_input *in, struct bx_writer *w, uint32_t depth, uint32_t *marks,
	     bool lenient)
{
	struct text t = { *in, { w->at, w->end }, 0 };
	enum bx_coded coded = w->full ? BX_CODED_FULL : run(&t, depth, lenient);

	/* Not in one piece: that would wait for its parts to reach memory. */
	in->at = t.in.at;
	in->why = t.in.why;
	in->lacks = t.in.lacks;
	*marks |= t.marks;
	if (coded == BX_CODED_OK)
		w->at = t.e.at;
	if (coded == BX_CODED_FULL)
		w->full = true;
	return coded;
}
