/*
 * Poly1305 (RFC 8439 2.5) for groups of messages with AVX2, 4 lanes of 64 bits, limbs of 26 bits.
 *
 *   lanes    lane = message, two 16-byte blocks per reduction (r^2, r)
 *   spread   one message over all lanes, lane = block modulo 4, eight blocks per reduction
 *
 * As in poly_avx512.h blocks are counted from the end, and what is missing at the front of a lane
 * are blocks of zeros.
 */

#define MASK26 ((1u << 26) - 1)

/* Bytes of a step of the lanes way, and of a set of the spread way. */
#define STEP_LEN 32u
#define SET_LEN 64u

/* What a spread message costs before its first block, in blocks of the lanes way. */
#define SPREAD_SETUP 10u

/* Messages whose tags are computed together: FOURS times four. */
#define FOURS 4u

typedef __m256i limb;

struct number {
	limb v[5];
};

/* A multiplier: the limbs, and 5 times limbs 1 to 4 (2^130 = 5 modulo 2^130 - 5). */
struct factor {
	limb r[5];
	limb s[5]; /* s[0] is not used */
};

/* Where a message's bytes lie on a scale that ends at a multiple of the step. */
struct scale {
	limb start;
	limb end;
};

struct four {
	struct number r;
	struct factor power[2]; /* r, r^2 */
	struct number sum;
	limb s_low;
	limb s_high;
	alignas(32) uint64_t len[4];
	uintptr_t text[4];
	uint64_t blocks[4]; /* 16-byte blocks, the last one perhaps in part */
	uint64_t most;      /* of blocks[] */
	uint64_t least;
	uint64_t total;
	uint32_t count; /* lanes in use; the others repeat the first message */
	bool whole;     /* no message ends inside a block */
};

static inline limb
splat64(uint64_t v)
{
	return _mm256_set1_epi64x((long long)v);
}

static inline limb
times5(limb v)
{
	return _mm256_add_epi64(v, _mm256_slli_epi64(v, 2));
}

static inline __attribute__((always_inline)) struct factor
factor_of(struct number a)
{
	struct factor f;

	for (int i = 0; i < 5; i++) {
		f.r[i] = a.v[i];
		f.s[i] = times5(a.v[i]);
	}
	return f;
}

static inline __attribute__((always_inline)) struct number
add(struct number a, struct number b)
{
	for (int i = 0; i < 5; i++)
		a.v[i] = _mm256_add_epi64(a.v[i], b.v[i]);
	return a;
}

static inline __attribute__((always_inline)) struct number
zero_number(void)
{
	const limb zero = _mm256_setzero_si256();

	return (struct number){ { zero, zero, zero, zero, zero } };
}

/* sum += a * f; limbs of a and f below 2^28, of the sum below 2^63. */
static inline __attribute__((always_inline)) void
multiply_add(struct number *sum, struct number a, const struct factor *f)
{
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 5; k++) {
			limb b = k >= i ? f->r[k - i] : f->s[k + 5 - i];

			sum->v[k] = _mm256_add_epi64(sum->v[k], _mm256_mul_epu32(a.v[i], b));
		}
	}
}

/* Moves what limb `from` has above 26 bits, `times` times, to limb `to`. */
static inline __attribute__((always_inline)) void
carry_on(struct number *h, int from, int to)
{
	limb high = _mm256_srli_epi64(h->v[from], 26);

	h->v[from] = _mm256_and_si256(h->v[from], splat64(MASK26));
	h->v[to] = _mm256_add_epi64(h->v[to], to == 0 ? times5(high) : high);
}

/* Limbs of 26 bits and a little: fit for another multiplication. Two chains side by side. */
static inline __attribute__((always_inline)) struct number
reduce(struct number h)
{
	carry_on(&h, 0, 1);
	carry_on(&h, 3, 4);
	carry_on(&h, 1, 2);
	carry_on(&h, 4, 0);
	carry_on(&h, 2, 3);
	carry_on(&h, 0, 1);
	carry_on(&h, 3, 4);
	return h;
}

static inline __attribute__((always_inline)) struct number
multiply(struct number a, const struct factor *f)
{
	struct number h = zero_number();

	multiply_add(&h, a, f);
	return reduce(h);
}

/* 16 bytes per lane to limbs; `top` is the bit above whole blocks, 2^128, where it belongs. */
static inline __attribute__((always_inline)) struct number
number_of(limb low, limb high, limb top)
{
	const limb mask = splat64(MASK26);
	limb middle = _mm256_or_si256(_mm256_srli_epi64(low, 52), _mm256_slli_epi64(high, 12));

	return (struct number){ {
	    _mm256_and_si256(low, mask),
	    _mm256_and_si256(_mm256_srli_epi64(low, 26), mask),
	    _mm256_and_si256(middle, mask),
	    _mm256_and_si256(_mm256_srli_epi64(high, 14), mask),
	    _mm256_or_si256(_mm256_srli_epi64(high, 40), top),
	} };
}

static inline limb
whole_top(void)
{
	return splat64(1u << 24);
}

/* 4 rows of 4 words to 4 columns. */
static inline __attribute__((always_inline)) void
transpose4x4(limb z[4])
{
	limb a = _mm256_unpacklo_epi64(z[0], z[1]);
	limb b = _mm256_unpackhi_epi64(z[0], z[1]);
	limb c = _mm256_unpacklo_epi64(z[2], z[3]);
	limb d = _mm256_unpackhi_epi64(z[2], z[3]);

	z[0] = _mm256_permute2x128_si256(a, c, 0x20);
	z[1] = _mm256_permute2x128_si256(b, d, 0x20);
	z[2] = _mm256_permute2x128_si256(a, c, 0x31);
	z[3] = _mm256_permute2x128_si256(b, d, 0x31);
}

static inline void
load_four(struct four *f, const struct chunk *c, uint32_t p, uint32_t count, const uintptr_t *text)
{
	limb key[4];
	uint64_t ends = 0;

	f->count = count;
	f->most = 0;
	f->least = UINT64_MAX;
	f->total = 0;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t lane = p + (i < count ? i : 0);

		key[i] = _mm256_load_si256((const __m256i *)c->polykey[lane]);
		f->len[i] = c->len[lane];
		f->text[i] = text[lane];
		f->blocks[i] = f->len[i] / 16 + (f->len[i] % 16 != 0);
		f->most = f->blocks[i] > f->most ? f->blocks[i] : f->most;
		f->least = f->blocks[i] < f->least ? f->blocks[i] : f->least;
		f->total += i < count ? f->blocks[i] : 0;
		ends |= f->len[i];
	}
	f->whole = ends % 16 == 0;
	transpose4x4(key);
	key[0] = _mm256_and_si256(key[0], splat64(0x0ffffffc0fffffff));
	key[1] = _mm256_and_si256(key[1], splat64(0x0ffffffc0ffffffc));
	f->r = number_of(key[0], key[1], _mm256_setzero_si256());
	f->s_low = key[2];
	f->s_high = key[3];
	f->power[0] = factor_of(f->r);
}

/* Copies bytes [at, at + size) of a scale on which the text lies at [start, start + len). */
static inline void
copy_part(uint8_t *to, size_t size, uintptr_t text, uint64_t start, uint64_t len, uint64_t at)
{
	uint64_t from = at > start ? at : start;
	uint64_t end = start + len < at + size ? start + len : at + size;

	memset(to, 0, size);
	if (from >= end)
		return;
	memcpy(to + (from - at), (const void *)(text + (from - start)), end - from);
	/* The byte 1 after a last block that is not whole. */
	if (end == start + len && end % 16 != 0)
		to[end - at] = 1;
}

/* 2^128 for the lanes in which the block that ends at `block_end` is there and whole. */
static inline limb
top_at(const struct scale *s, uint64_t block_end)
{
	limb end = splat64(block_end);
	limb whole =
	    _mm256_andnot_si256(_mm256_cmpgt_epi64(end, s->end), _mm256_cmpgt_epi64(end, s->start));

	return _mm256_and_si256(whole, whole_top());
}

static inline __attribute__((always_inline)) void
numbers_of_rows(struct number m[2], limb row[4], limb top0, limb top1)
{
	transpose4x4(row);
	m[0] = number_of(row[0], row[1], top0);
	m[1] = number_of(row[2], row[3], top1);
}

/* A step in which some lane has not begun yet, or ends inside a block. */
static __attribute__((noinline)) void
load_edge_step(struct number m[2], const struct four *f, uint64_t scale_len, uint64_t at)
{
	limb row[4];
	struct scale s;
	uint64_t start[4];

	for (int i = 0; i < 4; i++) {
		alignas(32) uint8_t bytes[STEP_LEN];

		start[i] = scale_len - f->blocks[i] * 16;
		copy_part(bytes, sizeof(bytes), f->text[i], start[i], f->len[i], at);
		row[i] = _mm256_load_si256((const __m256i *)bytes);
	}
	s.start = _mm256_loadu_si256((const __m256i *)start);
	s.end = _mm256_add_epi64(s.start, _mm256_load_si256((const __m256i *)f->len));
	numbers_of_rows(m, row, top_at(&s, at + 16), top_at(&s, at + 32));
}

/* h = (h + m[0]) r^2 + m[1] r */
static inline __attribute__((always_inline)) struct number
horner(struct number h, const struct number m[2], const struct factor power[2])
{
	struct number sum = zero_number();

	multiply_add(&sum, m[1], &power[0]);
	multiply_add(&sum, add(h, m[0]), &power[1]);
	return reduce(sum);
}

static __attribute__((noinline)) void
sum_lanes(struct four *f)
{
	uint64_t length = (f->most + 1) / 2 * STEP_LEN;
	uint64_t fronts_end = length - 16 * f->least;
	uintptr_t origin[4];
	struct number h = zero_number();

	for (int i = 0; i < 4; i++)
		origin[i] = f->text[i] - (length - f->blocks[i] * 16);
	for (uint64_t at = 0; at < length; at += STEP_LEN) {
		struct number m[2];
		limb row[4];

		if (at < fronts_end || (at + STEP_LEN == length && !f->whole)) {
			load_edge_step(m, f, length, at);
		} else {
			for (int i = 0; i < 4; i++)
				row[i] = _mm256_loadu_si256((const __m256i *)(origin[i] + at));
			numbers_of_rows(m, row, whole_top(), whole_top());
		}
		h = horner(h, m, f->power);
	}
	f->sum = h;
}

/* The four blocks of a set; unpacking puts them into lanes 0, 2, 1, 3. */
static inline __attribute__((always_inline)) struct number
number_of_set(const uint8_t *from, limb top)
{
	limb a = _mm256_loadu_si256((const __m256i *)from);
	limb b = _mm256_loadu_si256((const __m256i *)(from + 32));

	return number_of(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b), top);
}

/* The first or the last set of a message, which may begin late or end inside a block. */
static __attribute__((noinline)) struct number
load_edge_set(const struct four *f, uint32_t i, uint64_t length, uint64_t at)
{
	alignas(32) uint8_t bytes[SET_LEN];
	const limb ends = _mm256_set_epi64x(64, 32, 48, 16);
	uint64_t start = length - f->blocks[i] * 16;
	struct scale s = { splat64(start), splat64(start + f->len[i]) };
	limb end = _mm256_add_epi64(ends, splat64(at));
	limb whole =
	    _mm256_andnot_si256(_mm256_cmpgt_epi64(end, s.end), _mm256_cmpgt_epi64(end, s.start));

	copy_part(bytes, sizeof(bytes), f->text[i], start, f->len[i], at);
	return number_of_set(bytes, _mm256_and_si256(whole, whole_top()));
}

/* The power of message i in all lanes. */
static inline struct number
pick(const struct number *power, uint32_t i)
{
	struct number a;

	for (int k = 0; k < 5; k++) {
		uint64_t word[4];

		_mm256_storeu_si256((__m256i *)word, power->v[k]);
		a.v[k] = splat64(word[i]);
	}
	return a;
}

/* Powers r^4, r^2, r^3, r^1 of message i: what the blocks in lanes 0 to 3 of the last set get. */
static inline struct number
pick_lanes(const struct number power[4], uint32_t i)
{
	struct number a;

	for (int k = 0; k < 5; k++) {
		uint64_t word[4][4];

		for (int n = 0; n < 4; n++)
			_mm256_storeu_si256((__m256i *)word[n], power[n].v[k]);
		a.v[k] = _mm256_set_epi64x((long long)word[0][i], (long long)word[2][i],
					   (long long)word[1][i], (long long)word[3][i]);
	}
	return a;
}

/* One message over all lanes; the sum still has to be added up over them. */
static inline struct number
spread_message(const struct four *f, uint32_t i, const struct number power[4],
	       const struct number *eighth)
{
	uint64_t length = (f->blocks[i] + 3) / 4 * SET_LEN;
	uint64_t last = length - SET_LEN;
	uintptr_t origin = f->text[i] - (length - f->blocks[i] * 16);
	struct factor step[2] = { factor_of(pick(&power[3], i)), factor_of(pick(eighth, i)) };
	struct factor lanes = factor_of(pick_lanes(power, i));
	struct number h = load_edge_set(f, i, length, 0);
	uint64_t at = 0;

	if (length / SET_LEN % 2 == 0) {
		at += SET_LEN;
		h = multiply(h, &step[0]);
		h = add(h, at == last ? load_edge_set(f, i, length, at)
				      : number_of_set((const uint8_t *)(origin + at), whole_top()));
	}
	while (at != last) {
		struct number sum = zero_number();

		multiply_add(&sum,
			     number_of_set((const uint8_t *)(origin + at + SET_LEN), whole_top()),
			     &step[0]);
		multiply_add(&sum, h, &step[1]);
		at += 2 * SET_LEN;
		h = add(reduce(sum),
			at == last ? load_edge_set(f, i, length, at)
				   : number_of_set((const uint8_t *)(origin + at), whole_top()));
	}
	return multiply(h, &lanes);
}

static __attribute__((noinline)) void
sum_spread(struct four *f)
{
	alignas(32) uint64_t total[5][4] = { 0 };
	struct number power[4], eighth;
	struct factor fourth;

	power[0] = f->r;
	for (int n = 1; n < 4; n++)
		power[n] = multiply(power[n - 1], &f->power[0]);
	fourth = factor_of(power[3]);
	eighth = multiply(power[3], &fourth);
	for (uint32_t i = 0; i < f->count; i++) {
		struct number h;

		if (f->blocks[i] == 0)
			continue;
		h = spread_message(f, i, power, &eighth);
		for (int k = 0; k < 5; k++) {
			uint64_t word[4];

			_mm256_storeu_si256((__m256i *)word, h.v[k]);
			total[k][i] = word[0] + word[1] + word[2] + word[3];
		}
	}
	for (int k = 0; k < 5; k++)
		f->sum.v[k] = _mm256_load_si256((const __m256i *)total[k]);
}

/* a < b for unsigned numbers: all ones where it is true. */
static inline limb
less(limb a, limb b)
{
	const limb sign = splat64(1ull << 63);

	return _mm256_cmpgt_epi64(_mm256_xor_si256(b, sign), _mm256_xor_si256(a, sign));
}

/* The tags: (h mod 2^130 - 5) + s mod 2^128. */
static inline void
finish(uint64_t (*tag)[2], struct number h, limb s_low, limb s_high)
{
	struct number g;
	limb low, high, keep;

	for (int i = 0; i < 5; i++)
		carry_on(&h, i, (i + 1) % 5);
	for (int i = 0; i < 4; i++)
		carry_on(&h, i, i + 1);
	/* h - p = h + 5 - 2^130, when that is not negative. */
	g = h;
	g.v[0] = _mm256_add_epi64(g.v[0], splat64(5));
	for (int i = 0; i < 4; i++)
		carry_on(&g, i, i + 1);
	g.v[4] = _mm256_sub_epi64(g.v[4], splat64(1u << 26));
	keep = _mm256_cmpgt_epi64(_mm256_setzero_si256(), g.v[4]);
	for (int i = 0; i < 5; i++)
		h.v[i] = _mm256_blendv_epi8(g.v[i], h.v[i], keep);
	low = _mm256_or_si256(h.v[0], _mm256_slli_epi64(h.v[1], 26));
	low = _mm256_or_si256(low, _mm256_slli_epi64(h.v[2], 52));
	high = _mm256_or_si256(_mm256_srli_epi64(h.v[2], 12), _mm256_slli_epi64(h.v[3], 14));
	high = _mm256_or_si256(high, _mm256_slli_epi64(h.v[4], 40));
	low = _mm256_add_epi64(low, s_low);
	high = _mm256_add_epi64(high, s_high);
	high = _mm256_sub_epi64(high, less(low, s_low)); /* the carry, as -1 */
	keep = _mm256_unpacklo_epi64(low, high);
	high = _mm256_unpackhi_epi64(low, high);
	_mm256_storeu_si256((__m256i *)tag[0], _mm256_permute2x128_si256(keep, high, 0x20));
	_mm256_storeu_si256((__m256i *)tag[2], _mm256_permute2x128_si256(keep, high, 0x31));
}

static inline void
make_square(struct four *f)
{
	f->power[1] = factor_of(multiply(f->r, &f->power[0]));
}

static inline bool
spread_pays(const struct four *f)
{
	return f->most > f->total / 4 + SPREAD_SETUP * (f->count + 1);
}

/* Every stage for all messages before the next, see poly_avx512.h. */
static inline void
tag_fours(struct chunk *c, uint32_t p, const uintptr_t *text)
{
	struct four f[FOURS];
	uint32_t n = 0;

	for (; n < FOURS && p + 4 * n < c->count; n++) {
		uint32_t left = c->count - p - 4 * n;

		load_four(&f[n], c, p + 4 * n, left < 4 ? left : 4, text);
	}
	for (uint32_t i = 0; i < n; i++)
		make_square(&f[i]);
	for (uint32_t i = 0; i < n; i++) {
		if (spread_pays(&f[i]))
			sum_spread(&f[i]);
		else
			sum_lanes(&f[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		finish(c->tag + p + 4 * i, f[i].sum, f[i].s_low, f[i].s_high);
}

static __attribute__((noinline)) void
lanes_tags(struct chunk *c, const uintptr_t *text)
{
	for (uint32_t p = 0; p < c->count; p += 4 * FOURS)
		tag_fours(c, p, text);
}
