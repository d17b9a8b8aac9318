/*
 * JSON text to a binary serializer in one pass: the body of msgpack_build.c and cbor_build.c.
 *
 * The including file has defined, as static inline functions that write canonical forms to memory
 * with room for them and return the bytes written:
 *	size_t put_uint(uint8_t *o, uint64_t v)		at most 9
 *	size_t put_negint(uint8_t *o, uint64_t v)	-1 - v; at most 9
 *	size_t put_double(uint8_t *o, double v)		at most 9
 *	size_t text_head_len(uint64_t len), void put_text_head(uint8_t *o, uint64_t len)
 *	size_t binary_head_len(uint64_t len), void put_binary_head(uint8_t *o, uint64_t len)
 *	size_t count_head_len(uint64_t count)
 *	void put_count_head(uint8_t *o, bool map, uint64_t count)
 *	enum bx_coded put_big(struct build *b, bool minus, struct bx_span digits)
 *		an integer beyond put_uint and put_negint
 * and the constants
 *	PUT_NULL, PUT_FALSE, PUT_TRUE			bytes
 *	UINT_TOP, NEGINT_TOP				the largest v of put_uint, put_negint
 *	SHORT_TEXT					the head of a text below 16 bytes, without
 *its length
 *
 * A container's head is one byte until it is closed; then, if its count wants more, what was
 * written inside is moved up. This costs less than counting first.
 */

#define INLINE static inline __attribute__((always_inline))

struct build {
	const uint8_t *begin;
	const uint8_t *at;
	const uint8_t *end;
	uint8_t *out;
	uint8_t *out_end;
	const char *why;
	bool judge;     /* find out whether the text is canonical */
	bool reencoded; /* it is not */
};

struct level {
	uint8_t *head;
	uint32_t count;
	bool map;
};

static enum bx_coded put_big(struct build *b, bool minus, struct bx_span digits);

INLINE size_t
room(const struct build *b)
{
	return (size_t)(b->out_end - b->out);
}

INLINE enum bx_coded
bad(struct build *b, const char *why)
{
	b->why = why;
	return BX_CODED_BAD;
}

INLINE enum bx_coded
put_byte(struct build *b, uint8_t byte)
{
	if (b->out == b->out_end)
		return BX_CODED_FULL;
	*b->out++ = byte;
	return BX_CODED_OK;
}

/* What was built in `small`, where there was no room to build it in place. */
static enum bx_coded
put_small(struct build *b, const uint8_t *small, size_t len)
{
	if (room(b) < len)
		return BX_CODED_FULL;
	memcpy(b->out, small, len);
	b->out += len;
	return BX_CODED_OK;
}

INLINE enum bx_coded
build_uint(struct build *b, uint64_t v)
{
	uint8_t small[16];

	if (room(b) < sizeof(small))
		return put_small(b, small, put_uint(small, v));
	b->out += put_uint(b->out, v);
	return BX_CODED_OK;
}

INLINE enum bx_coded
build_negint(struct build *b, uint64_t v)
{
	uint8_t small[16];

	if (room(b) < sizeof(small))
		return put_small(b, small, put_negint(small, v));
	b->out += put_negint(b->out, v);
	return BX_CODED_OK;
}

INLINE enum bx_coded
build_double(struct build *b, double v)
{
	uint8_t small[16];

	if (room(b) < sizeof(small))
		return put_small(b, small, put_double(small, v));
	b->out += put_double(b->out, v);
	return BX_CODED_OK;
}

/* Text without escapes: [p, p + len), with its head. */
static enum bx_coded
build_plain_text(struct build *b, const uint8_t *p, size_t len)
{
	size_t head = text_head_len(len);

	if (room(b) < head + len)
		return BX_CODED_FULL;
	put_text_head(b->out, len);
	memcpy(b->out + head, p, len);
	b->out += head + len;
	return BX_CODED_OK;
}

/* Moves the `len` bytes after a head of one byte up, to where `head` bytes of it end. */
static bool
widen(struct build *b, size_t len, size_t head)
{
	if (room(b) < head + len)
		return false;
	memmove(b->out + head, b->out + 1, len);
	return true;
}

/*
 * True when each escape of `raw` is the one that the canonical writer uses: the short forms, and
 * \u00xx in lower case for the other control characters.
 */
static bool
escapes_are_canonical(struct bx_span raw)
{
	const uint8_t *end = raw.ptr + raw.len;

	for (const uint8_t *p = raw.ptr; p < end;) {
		const uint8_t *from = p;
		struct bx_scan_char c = bx_scan_next_char(&p, end);

		if (c.raw || from[1] != 'u') {
			if (!c.raw && from[1] == '/')
				return false;
			continue;
		}
		if (c.code >= 0x20 || c.code == '\b' || c.code == '\f' || c.code == '\n' ||
		    c.code == '\r' || c.code == '\t' || (from[5] >= 'A' && from[5] <= 'F'))
			return false;
	}
	return true;
}

static enum bx_coded
build_escaped_text(struct build *b, struct bx_span raw)
{
	if (room(b) == 0)
		return BX_CODED_FULL;

	struct bx_writer w = bx_writer_over(b->out + 1, room(b) - 1);

	if (!bx_json_text(raw, &w))
		return w.full ? BX_CODED_FULL : BX_CODED_NOT_REPRESENTABLE;

	size_t len = bx_written(&w);
	size_t head = text_head_len(len);

	if (head != 1 && !widen(b, len, head))
		return BX_CODED_FULL;
	put_text_head(b->out, len);
	b->out += head + len;
	if (b->judge && !escapes_are_canonical(raw))
		b->reencoded = true;
	return BX_CODED_OK;
}

/*
 * Strict base64 `text` to the bytes after a head of `least` bytes, in pieces: the decoder wants
 * room for its padding, too, and this is for when that is not there. False: no room, or not strict.
 */
static bool
decode_tight(const struct build *b, struct bx_span text, size_t least, size_t *len)
{
	struct bx_writer w = bx_writer_over(b->out + least, room(b) - least);
	uint8_t piece[768];
	size_t piece_len;

	while (text.len != 0 && !w.full) {
		size_t part = text.len < 1024 ? text.len : 1024;

		if (!bx_base64_decode((struct bx_span){ text.ptr, part }, piece, &piece_len))
			return false;
		bx_put(&w, piece, piece_len);
		text.ptr += part;
		text.len -= part;
	}
	*len = bx_written(&w);
	return !w.full;
}

/* A string value that begins with \u0000 is base64 of binary (spec 2.1). */
static enum bx_coded
build_binary(struct build *b, struct bx_span raw)
{
	const size_t least = binary_head_len(0);
	bool exact = true;

	if (room(b) < least)
		return BX_CODED_FULL;

	struct bx_writer w = bx_writer_over(b->out + least, room(b) - least);

	size_t len;

	if (bx_json_binary(raw, &w, &exact)) {
		len = bx_written(&w);
	} else if (!w.full) {
		b->at = raw.ptr;
		return bad(b, "binary is not base64");
	} else if (!decode_tight(b, (struct bx_span){ raw.ptr + 6, raw.len - 6 }, least, &len)) {
		return BX_CODED_FULL;
	}

	size_t head = binary_head_len(len);

	if (room(b) < head + len)
		return BX_CODED_FULL;
	if (head != least)
		memmove(b->out + head, b->out + least, len);
	put_binary_head(b->out, len);
	b->out += head + len;
	b->reencoded |= !exact;
	return BX_CODED_OK;
}

/* Passes the escape at `p`. NULL: malformed. */
static const uint8_t *
escape_end(const uint8_t *p, const uint8_t *end)
{
	if (end - p < 2)
		return NULL;
	if (p[1] == 'u')
		return end - p >= 6 && bx_scan_hex4(p + 2) != UINT32_MAX ? p + 6 : NULL;
	return p[1] != 0 && strchr("\"\\/bfnrt", p[1]) != NULL ? p + 2 : NULL;
}

/*
 * A string from its first special byte `p` on, b->at being at its opening quote: finds its end,
 * checking everything. Of a value, the rule for \u0000 is applied.
 */
static __attribute__((noinline)) enum bx_coded
build_long_string(struct build *b, const uint8_t *p, bool key)
{
	const uint8_t *text = b->at + 1;
	bool escaped = false;

	for (;; p = bx_scan_special(b->begin, p, b->end)) {
		if (p == b->end)
			return bad(b, "string is not closed");
		if (*p == '"')
			break;
		if (*p == '\\') {
			const uint8_t *next = escape_end(p, b->end);

			if (next == NULL) {
				b->at = p;
				return bad(b, "bad escape");
			}
			escaped = true;
			p = next;
		} else if (*p < 0x20) {
			b->at = p;
			return bad(b, "control character in string");
		} else {
			unsigned len = bx_utf8_sequence(p, b->end);

			if (len == 0) {
				b->at = p;
				return bad(b, "string is not UTF-8");
			}
			p += len;
		}
	}

	struct bx_span raw = { text, (size_t)(p - text) };

	b->at = p + 1;
	if (!escaped)
		return build_plain_text(b, raw.ptr, raw.len);
	if (!key && raw.len >= 6 && memcmp(raw.ptr, "\\u0000", 6) == 0)
		return build_binary(b, raw);
	return build_escaped_text(b, raw);
}

/*
 * The common string, key or value: below 16 bytes, nothing escaped, the byte `after` behind it, and
 * enough bytes around both ends of the copy that one check does for all of them.
 */
INLINE bool
build_short_string(struct build *b, uint8_t after)
{
#if defined(__SSE2__)
	const uint8_t *p = b->at;
	unsigned mask;
	unsigned len;

	if (b->end - p < 18 || room(b) < 17 || *p != '"')
		return false;
	mask = bx_scan_special_mask(p + 1);
	if (mask == 0)
		return false;
	len = (unsigned)__builtin_ctz(mask);
	if (p[1 + len] != '"' || p[2 + len] != after)
		return false;
	*b->out = (uint8_t)(SHORT_TEXT | len);
	memcpy(b->out + 1, p + 1, 16);
	b->out += 1 + len;
	b->at = p + len + 3;
	return true;
#else
	(void)b;
	(void)after;
	return false;
#endif
}

/* The string at b->at, an opening quote. */
INLINE enum bx_coded
build_string(struct build *b, bool key)
{
	const uint8_t *text = b->at + 1;
	const uint8_t *p = bx_scan_special(b->begin, text, b->end);

	if (p != b->end && *p == '"') {
		b->at = p + 1;
		return build_plain_text(b, text, (size_t)(p - text));
	}

	/* A copy, so that the loop's own never has an address. */
	struct build copy = *b;
	enum bx_coded coded = build_long_string(&copy, p, key);

	*b = copy;
	return coded;
}

/* An integer's text that does not fit 64 bits, or that would be too slow to look at twice. */
static __attribute__((noinline)) enum bx_coded
build_long_int(struct build *b, bool minus, struct bx_span digits)
{
	uint64_t v = 0;

	for (size_t i = 0; i < digits.len; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(digits.ptr[i] - '0'), &v))
			return put_big(b, minus, digits);
	if (!minus)
		return v <= UINT_TOP ? build_uint(b, v) : put_big(b, minus, digits);
	return v - 1 <= NEGINT_TOP ? build_negint(b, v - 1) : put_big(b, minus, digits);
}

static const double powers_of_ten[] = {
	1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* Any float text [from, at): what the short cut below does not cover. */
static __attribute__((noinline)) enum bx_coded
build_long_float(struct build *b, const uint8_t *from)
{
	bool exact = true;
	double v = bx_double_of_text((struct bx_span){ from, (size_t)(b->at - from) }, &exact);

	b->reencoded |= !exact;
	return build_double(b, v);
}

static __attribute__((noinline)) enum bx_coded
build_nonfinite(struct build *b)
{
	const uint8_t *from = b->at;
	size_t len = bx_scan_nonfinite(from, b->end);

	if (len == 0)
		return bad(b, "expected a value");
	b->at += len;
	return build_long_float(b, from);
}

/* The exponent of a number, b->at being at its "e". */
static __attribute__((noinline)) enum bx_coded
build_exponent(struct build *b, const uint8_t *from)
{
	const uint8_t *p = b->at + 1;

	if (p < b->end && (*p == '+' || *p == '-'))
		p++;
	if (p == b->end || !bx_scan_is_digit(*p))
		return bad(b, "malformed number");
	b->at = bx_scan_digits(p, b->end);
	return build_long_float(b, from);
}

/*
 * The part of a number from its point on; `v` holds the `count` digits before it. An integer below
 * 2^53 divided by a power of ten up to 10^22 is rounded once, so it is the nearest double (Clinger,
 * "How to read floating point numbers accurately").
 */
static enum bx_coded
build_fraction(struct build *b, const uint8_t *from, uint64_t v, size_t count)
{
	const uint8_t *begin = b->at + 1;
	const uint8_t *p = begin;

	for (; p < b->end && bx_scan_is_digit(*p); p++)
		v = v * 10 + (uint64_t)(*p - '0');

	size_t places = (size_t)(p - begin);

	if (places == 0)
		return bad(b, "malformed number");
	b->at = p;
	if (p < b->end && (*p | 0x20) == 'e')
		return build_exponent(b, from);
	if (b->judge || count + places > 15)
		return build_long_float(b, from);

	double magnitude = (double)(int64_t)v / powers_of_ten[places];

	return build_double(b, *from == '-' ? -magnitude : magnitude);
}

/* Any number at b->at, or what stands there instead of a value. */
static __attribute__((noinline)) enum bx_coded
build_long_number(struct build *b)
{
	const uint8_t *from = b->at;
	const uint8_t *digits = from + (*from == '-');
	const uint8_t *p = digits;
	uint64_t v = 0;

	for (; p < b->end && bx_scan_is_digit(*p); p++)
		v = v * 10 + (uint64_t)(*p - '0');

	size_t count = (size_t)(p - digits);

	if (count == 0)
		return build_nonfinite(b);
	if (*digits == '0' && count > 1)
		return bad(b, "number begins with 0");
	b->at = p;
	if (p < b->end && *p == '.')
		return build_fraction(b, from, v, count);
	if (p < b->end && (*p | 0x20) == 'e')
		return build_exponent(b, from);
	if (count > 18)
		return build_long_int(b, *from == '-', (struct bx_span){ digits, count });
	if (*from != '-')
		return build_uint(b, v);
	if (v == 0) {
		b->reencoded = true; /* "-0" reads as the integer 0 */
		return build_uint(b, 0);
	}
	return build_negint(b, v - 1);
}

#if defined(__SSE2__)
/* One bit for each of the 16 bytes at `p` that is a digit. */
INLINE unsigned
digit_mask(const uint8_t *p)
{
	const __m128i nine = _mm_set1_epi8(9);
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);

	v = _mm_sub_epi8(v, _mm_set1_epi8('0'));
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, nine), v));
}

/* The number of 1 to 8 digits at `p`, where 8 bytes are readable; pairs, fours, eights at once. */
INLINE uint64_t
short_digits(const uint8_t *p, unsigned count)
{
	uint64_t v;

	memcpy(&v, p, 8);
	v = (v - 0x3030303030303030u) << (64 - 8 * count);
	v = v * 10 + (v >> 8);
	v = ((v & 0x00FF00FF00FF00FFu) * 0x00640001u) >> 16;
	return ((v & 0x0000FFFF0000FFFFu) * 0x0000271000000001u) >> 32;
}
#endif

static const uint32_t small_powers_of_ten[] = { 1,      10,      100,      1000,     10000,
						100000, 1000000, 10000000, 100000000 };

/*
 * The common number: up to 8 digits, a fraction of as many, no exponent, and 18 bytes to look at.
 * Where its digits end is found without a loop, which would be left at another place each time.
 */
INLINE bool
build_short_number(struct build *b, enum bx_coded *coded)
{
#if defined(__SSE2__)
	const uint8_t *p = b->at;
	bool minus = *p == '-';
	unsigned mask, count, places;
	uint64_t v;

	p += minus;
	if (b->end - p < 18)
		return false;
	mask = digit_mask(p);
	count = (unsigned)__builtin_ctz(~mask);
	if (count - 1 > 7 || (*p == '0' && count > 1))
		return false;
	v = short_digits(p, count);
	if (p[count] != '.') {
		if ((p[count] | 0x20) == 'e' || (minus && v == 0))
			return false;
		b->at = p + count;
		*coded = minus ? build_negint(b, v - 1) : build_uint(b, v);
		return true;
	}
	places = (unsigned)__builtin_ctz(~(mask >> (count + 1)));
	if (places - 1 > 6 || count + places > 14 || (p[count + 1 + places] | 0x20) == 'e')
		return false;

	double magnitude;

	v = v * small_powers_of_ten[places] + short_digits(p + count + 1, places);
	magnitude = (double)(int64_t)v / powers_of_ten[places];
	if (b->judge)
		b->reencoded |=
		    (places > 1 && p[count + places] == '0') || (v != 0 && magnitude < 1e-4);
	b->at = p + count + 1 + places;
	*coded = build_double(b, __builtin_copysign(magnitude, minus ? -1.0 : 1.0));
	return true;
#else
	(void)b;
	(void)coded;
	return false;
#endif
}

/* The number at b->at, or what stands there instead of a value. */
INLINE enum bx_coded
build_number(struct build *b)
{
	enum bx_coded coded = BX_CODED_OK;

	if (build_short_number(b, &coded))
		return coded;

	struct build copy = *b;

	coded = build_long_number(&copy);
	*b = copy;
	return coded;
}

INLINE enum bx_coded
build_word(struct build *b, const char *word, size_t len, uint8_t byte)
{
	if ((size_t)(b->end - b->at) < len || memcmp(b->at, word, len) != 0)
		return bad(b, "expected a value");
	b->at += len;
	return put_byte(b, byte);
}

/* Any value but a container. */
INLINE enum bx_coded
build_scalar(struct build *b)
{
	switch (*b->at) {
	case '"':
		return build_string(b, false);
	case 't':
		return build_word(b, "true", 4, PUT_TRUE);
	case 'f':
		return build_word(b, "false", 5, PUT_FALSE);
	case 'n':
		return build_word(b, "null", 4, PUT_NULL);
	default:
		return build_number(b);
	}
}

/* Passes white space, which canonical text has none of. The next byte; 0 at the end. */
INLINE uint8_t
next_byte(struct build *b)
{
	const uint8_t *p = b->at;

	if (p<b->end && * p> ' ')
		return *p;
	p = bx_scan_space(p, b->end);
	b->reencoded |= p != b->at;
	b->at = p;
	return p < b->end ? *p : 0;
}

INLINE enum bx_coded
build_key(struct build *b)
{
	enum bx_coded coded;

	if (next_byte(b) != '"')
		return bad(b, "expected a member name");
	coded = build_string(b, true);
	if (coded != BX_CODED_OK)
		return coded;
	if (next_byte(b) != ':')
		return bad(b, "expected \":\" after the member name");
	b->at++;
	return BX_CODED_OK;
}

/* Writes the head of a container that has ended. */
INLINE enum bx_coded
close_container(struct build *b, const struct level *l)
{
	size_t head = count_head_len(l->count);

	if (head != 1) {
		size_t inside = (size_t)(b->out - l->head) - 1;

		if (room(b) < head - 1)
			return BX_CODED_FULL;
		memmove(l->head + head, l->head + 1, inside);
		b->out += head - 1;
	}
	put_count_head(l->head, l->map, l->count);
	return BX_CODED_OK;
}

/* The loop: `l` is the innermost open container, outer[] those around it. */
INLINE enum bx_coded
build_value(struct build *b, uint32_t depth)
{
	struct level outer[BX_CODEC_DEPTH + 1];
	struct level l = { NULL, 0, false };
	uint32_t base = depth;
	enum bx_coded coded;

	for (;;) {
		uint8_t c;

		if (l.map && !build_short_string(b, ':') && (coded = build_key(b)) != BX_CODED_OK)
			return coded;
		if (depth != base && build_short_string(b, ',')) {
			l.count++;
			continue;
		}
		c = next_byte(b);
		if (c == '[' || c == '{') {
			if (depth == BX_CODEC_DEPTH)
				return bad(b, "nested too deeply");
			outer[depth++] = l;
			l = (struct level){ b->out, 0, c == '{' };
			if (put_byte(b, 0) != BX_CODED_OK)
				return BX_CODED_FULL;
			b->at++;
			c = next_byte(b);
			if (c != (l.map ? '}' : ']'))
				continue;
		} else {
			if (c == 0)
				return bad(b, "expected a value");
			coded = build_scalar(b);
			if (coded != BX_CODED_OK)
				return coded;
			if (depth == base)
				return BX_CODED_OK;
			l.count++;
			c = next_byte(b);
		}
		while (c == (l.map ? '}' : ']')) {
			b->at++;
			if (close_container(b, &l) != BX_CODED_OK)
				return BX_CODED_FULL;
			l = outer[--depth];
			if (depth == base)
				return BX_CODED_OK;
			l.count++;
			c = next_byte(b);
		}
		if (c != ',')
			return bad(b, "expected \",\" or the end of the container");
		b->at++;
	}
}

/* The exported function: one JSON value in `json`, white space around it allowed. */
static enum bx_coded
build_all(struct bx_span json, struct bx_writer *w, uint32_t depth, uint32_t *marks,
	  struct bx_defect *why)
{
	struct build b = { json.ptr, json.ptr, json.ptr + json.len, w->at,
			   w->end,   NULL,     marks != NULL,       false };
	enum bx_coded coded = w->full ? BX_CODED_FULL : build_value(&b, depth);

	if (coded == BX_CODED_OK) {
		(void)next_byte(&b);
		if (b.at != b.end)
			coded = bad(&b, "something follows the value");
	}
	if (coded == BX_CODED_BAD)
		*why = (struct bx_defect){ b.why, (size_t)(b.at - b.begin) };
	if (coded == BX_CODED_NOT_REPRESENTABLE)
		*why = (struct bx_defect){ "value has no such form", (size_t)(b.at - b.begin) };
	if (coded == BX_CODED_FULL)
		w->full = true;
	if (coded == BX_CODED_OK)
		w->at = b.out;
	if (marks != NULL && b.reencoded)
		*marks |= BX_MARK_REENCODED;
	return coded;
}
