#include "codec/msgpack.h"

#include "codec/text_emit.h"

/*
 * One loop over the values, each of which is written as it is read. `e` and `in` live in
 * registers: everything here is inlined into the one function that has them.
 */
struct text {
	struct bx_input in;
	struct bx_emit e;
	uint32_t marks;
};

#define INLINE static inline __attribute__((always_inline))

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

/* Passes `len` bytes; NULL when there are not as many. */
INLINE const uint8_t *
take(struct text *t, uint64_t len)
{
	const uint8_t *p = t->in.at;

	if (bx_input_left(&t->in) < len)
		return NULL;
	t->in.at += len;
	return p;
}

INLINE enum bx_coded
cut(struct text *t)
{
	return bad(t, "message ends inside a value");
}

/* Loads the number of `width` bytes after a first byte. */
INLINE bool
load(struct text *t, unsigned width, uint64_t *v)
{
	const uint8_t *p = take(t, width);

	if (p == NULL)
		return false;
	*v = bx_head_load(p, width);
	return true;
}

INLINE void
mark_if(struct text *t, bool reencoded)
{
	t->marks |= reencoded ? BX_MARK_REENCODED : 0;
}

/* d0 to d3. Canonical is the shortest form, and for numbers from 0 on the unsigned one. */
INLINE enum bx_coded
put_signed(struct text *t, unsigned width)
{
	uint64_t raw;

	if (!load(t, width, &raw))
		return cut(t);

	unsigned shift = 64 - 8 * width;
	int64_t v = (int64_t)(raw << shift) >> shift;
	int64_t canonical_below = width == 1 ? -32 : -((int64_t)1 << (4 * width - 1));

	mark_if(t, v >= canonical_below);
	if (v >= 0)
		return wrote(bx_emit_u64(&t->e, (uint64_t)v));
	return wrote(bx_emit_negint(&t->e, ~(uint64_t)v));
}

/* cc to cf */
INLINE enum bx_coded
put_unsigned(struct text *t, unsigned width)
{
	uint64_t v;

	if (!load(t, width, &v))
		return cut(t);
	mark_if(t, width == 1 ? v < 128 : v >> (4 * width) == 0);
	return wrote(bx_emit_u64(&t->e, v));
}

/* The one NaN that Python's float("nan") packs to. */
#define PLAIN_NAN 0x7FF8000000000000u

INLINE enum bx_coded
put_double(struct text *t)
{
	uint64_t bits;
	double v;

	if (!load(t, 8, &bits))
		return cut(t);
	memcpy(&v, &bits, 8);
	mark_if(t, (bits & INT64_MAX) > 0x7FF0000000000000u && bits != PLAIN_NAN);
	return wrote(bx_emit_double(&t->e, v));
}

INLINE enum bx_coded
put_float(struct text *t)
{
	uint64_t raw;
	uint32_t bits;
	float v;

	if (!load(t, 4, &raw))
		return cut(t);
	bits = (uint32_t)raw;
	memcpy(&v, &bits, 4);
	mark_if(t, true);
	return wrote(bx_emit_double(&t->e, (double)v));
}

/* Text of `len` bytes at in.at. */
INLINE enum bx_coded
put_text(struct text *t, uint64_t len)
{
	const uint8_t *p = take(t, len);

	if (p == NULL)
		return cut(t);

	enum bx_emitted emitted = bx_emit_text(&t->e, (struct bx_span){ p, len }, t->in.end);

	if (emitted == BX_EMIT_NOT_UTF8) {
		t->in.at = p;
		return bad(t, "string is not UTF-8");
	}
	return wrote(emitted == BX_EMITTED);
}

/* A string value: one that begins with U+0000 would be read back as binary. */
INLINE enum bx_coded
put_string(struct text *t, uint64_t len)
{
	mark_if(t, len != 0 && t->in.at != t->in.end && *t->in.at == 0);
	return put_text(t, len);
}

/* d9 to db, of a value. */
INLINE enum bx_coded
put_wide_string(struct text *t, unsigned width)
{
	uint64_t len;

	if (!load(t, width, &len))
		return cut(t);
	mark_if(t, width == 1 ? len < 32 : len >> (4 * width) == 0);
	return put_string(t, len);
}

/* c4 to c6 */
INLINE enum bx_coded
put_binary(struct text *t, unsigned width)
{
	uint64_t len;
	const uint8_t *p;

	if (!load(t, width, &len) || (p = take(t, len)) == NULL)
		return cut(t);
	mark_if(t, width != 1 && len >> (4 * width) == 0);
	return wrote(bx_emit_binary(&t->e, (struct bx_span){ p, len }));
}

/*
 * An ext value, given from its first byte on: Autobahn's encoder sees a pair. Types below 0 are
 * timestamps, which it cannot write, and such as its reader refuses.
 */
static enum bx_coded
ext_text(struct bx_input *in, struct bx_emit *e)
{
	struct bx_input walk = *in;
	struct bx_head h;

	if (!bx_msgpack_walk(&walk, BX_CODEC_DEPTH)) {
		*in = walk;
		return BX_CODED_BAD;
	}
	if (!bx_msgpack_head(in, &h))
		return BX_CODED_BAD;
	if (h.ext < 0)
		return BX_CODED_NOT_REPRESENTABLE;

	struct bx_span body = { in->at, h.value };

	in->at = walk.at;
	return wrote(bx_emit_char(e, '[') && bx_emit_u64(e, (uint8_t)h.ext) &&
		     bx_emit_char(e, ',') && bx_emit_binary(e, body) && bx_emit_char(e, ']'));
}

static __attribute__((noinline)) enum bx_coded
put_ext(struct bx_input *in, struct bx_emit *e)
{
	in->at--;
	return ext_text(in, e);
}

/* Any value but a container, after its first byte. */
INLINE enum bx_coded
put_scalar(struct text *t, uint8_t b)
{
	if (b >= 0xE0)
		return wrote(bx_emit_negint(&t->e, (uint8_t)~b));
	if (b < 0xC0)
		return put_string(t, b & 0x1Fu);
	switch (b) {
	case 0xC0:
		return wrote(bx_emit_word(&t->e, "null", 4));
	case 0xC2:
		return wrote(bx_emit_word(&t->e, "false", 5));
	case 0xC3:
		return wrote(bx_emit_word(&t->e, "true", 4));
	case 0xC4:
		return put_binary(t, 1);
	case 0xC5:
		return put_binary(t, 2);
	case 0xC6:
		return put_binary(t, 4);
	case 0xCA:
		return put_float(t);
	case 0xCB:
		return put_double(t);
	case 0xCC:
		return put_unsigned(t, 1);
	case 0xCD:
		return put_unsigned(t, 2);
	case 0xCE:
		return put_unsigned(t, 4);
	case 0xCF:
		return put_unsigned(t, 8);
	case 0xD0:
		return put_signed(t, 1);
	case 0xD1:
		return put_signed(t, 2);
	case 0xD2:
		return put_signed(t, 4);
	case 0xD3:
		return put_signed(t, 8);
	case 0xD9:
		return put_wide_string(t, 1);
	case 0xDA:
		return put_wide_string(t, 2);
	case 0xDB:
		return put_wide_string(t, 4);
	case 0xC1:
		t->in.at--;
		return bad(t, "byte c1 is never used");
	default: {
		/* Copies, so that the loop's own never have an address. */
		struct bx_input in = t->in;
		struct bx_emit e = t->e;
		enum bx_coded coded = put_ext(&in, &e);

		t->in = in;
		t->e = e;
		mark_if(t, true);
		return coded;
	}
	}
}

/* The key of a pair and its colon. Binary keys are read by Autobahn, but cannot be sealed. */
INLINE enum bx_coded
put_key(struct text *t)
{
	const uint8_t *p = take(t, 1);
	uint64_t len;

	if (p == NULL)
		return cut(t);
	if ((*p & 0xE0) == 0xA0) {
		len = *p & 0x1Fu;
	} else if (*p >= 0xD9 && *p <= 0xDB) {
		unsigned width = 1u << (*p - 0xD9);

		if (!load(t, width, &len))
			return cut(t);
		mark_if(t, width == 1 ? len < 32 : len >> (4 * width) == 0);
	} else {
		t->in.at = p;
		if (*p >= 0xC4 && *p <= 0xC6)
			return BX_CODED_NOT_REPRESENTABLE;
		return bad(t, "map key is neither a string nor binary");
	}

	enum bx_coded coded = put_text(t, len);

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
	len = (unsigned)*p - 0xA0;
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

#define MAP_BIT 0x80000000u

/* The count of a container after its first byte; MAP_BIT is set for maps. */
INLINE enum bx_coded
container(struct text *t, uint8_t b, uint32_t *level)
{
	uint64_t count = b & 0x0Fu;
	bool map = b < 0x90;

	if (b >= 0xDC) {
		unsigned width = b & 1 ? 4 : 2;

		map = b >= 0xDE;
		if (!load(t, width, &count))
			return cut(t);
		mark_if(t, width == 2 ? count < 16 : count >> 16 == 0);
	}
	if (count << map > bx_input_left(&t->in))
		return cut(t);
	if (!bx_emit_char(&t->e, map ? '{' : '['))
		return BX_CODED_FULL;
	*level = (uint32_t)count | (map ? MAP_BIT : 0);
	return BX_CODED_OK;
}

INLINE bool
is_container(uint8_t b)
{
	return (b >= 0x80 && b < 0xA0) || (b >= 0xDC && b < 0xE0);
}

/* The loop. `level` is what is left in the innermost container; outer[] the same of those around.
 */
INLINE enum bx_coded
run(struct text *t, uint32_t depth)
{
	uint32_t outer[BX_CODEC_DEPTH + 1];
	uint32_t base = depth;
	uint32_t level = 1;
	enum bx_coded coded;

	for (;;) {
		const uint8_t *p;

		if ((level & MAP_BIT) != 0 && !put_short_text(t, ':') &&
		    (coded = put_key(t)) != BX_CODED_OK)
			return coded;
		if (put_short_text(t, ',')) {
			if ((--level & ~MAP_BIT) != 0)
				continue;
			t->e.at--; /* the comma, which is wrong */
			goto over;
		}
		p = take(t, 1);
		if (p == NULL)
			return cut(t);
		if (*p < 0x80) {
			coded = wrote(bx_emit_u64(&t->e, *p));
		} else if (is_container(*p)) {
			if (depth == BX_CODEC_DEPTH)
				return bad(t, "nested too deeply");
			outer[depth++] = level;
			coded = container(t, *p, &level);
			if (coded == BX_CODED_OK && (level & ~MAP_BIT) != 0)
				continue;
			level++; /* as if its last item had just been passed */
		} else {
			coded = put_scalar(t, *p);
		}
		if (coded != BX_CODED_OK)
			return coded;
		if ((--level & ~MAP_BIT) == 0) {
		over:
			do {
				if (depth == base)
					return BX_CODED_OK;
				if (!bx_emit_char(&t->e, level != 0 ? '}' : ']'))
					return BX_CODED_FULL;
				level = outer[--depth];
			} while ((--level & ~MAP_BIT) == 0);
		}
		if (!bx_emit_char(&t->e, ','))
			return BX_CODED_FULL;
	}
}

enum bx_coded
bx_msgpack_text(struct bx_input *in, struct bx_writer *w, uint32_t depth, uint32_t *marks)
{
	struct text t = { *in, { w->at, w->end }, 0 };
	enum bx_coded coded = w->full ? BX_CODED_FULL : run(&t, depth);

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
