/*
 * Poly1305 (RFC 8439 2.5) for groups of messages with AVX-512 IFMA, 8 lanes of 64 bits.
 *
 * Numbers modulo 2^130 - 5 are limbs of 44, 44 and 42 bits; products use the 52-bit multiplier, so
 * high halves weigh 2^8 more than the next limb. Two ways, the cheaper one is taken:
 *
 *   lanes    lane = message, four 16-byte blocks per reduction (r^4, r^3, r^2, r)
 *   spread   one message over all lanes, lane = block modulo 8, 32 blocks per reduction
 *
 * Both count blocks from the end: what is missing at the front of a lane are blocks of zeros before
 * the first, which leave the sum at zero. So all lanes end together, whatever their lengths.
 */

#define MASK44 ((1ull << 44) - 1)
#define MASK42 ((1ull << 42) - 1)

/* What a lane step costs, what a spread message costs before its first block, in lane steps. */
#define SPREAD_SETUP 6u

/* From this many blocks on, four powers pay. */
#define FOUR_POWERS_MIN 16u

/* Messages whose tags are computed together, so that one can go on where another waits. */
#define EIGHTS 4u

/* Blocks per register, registers per reduction in the spread way. */
#define SET_BLOCKS 8u
#define STEP_SETS 4u

typedef __m512i limb;

struct number {
	limb v[3];
};

/* A multiplier: the limbs, and 20 times limbs 1 and 2 (2^132 = 20 modulo 2^130 - 5). */
struct factor {
	limb r[3];
	limb s1;
	limb s2;
};

/* Sums of products, low and high halves of each limb. */
struct sums {
	limb low[3];
	limb high[3];
};

static inline limb
splat64(uint64_t v)
{
	return _mm512_set1_epi64((long long)v);
}

static inline limb
times20(limb v)
{
	return _mm512_add_epi64(_mm512_slli_epi64(v, 4), _mm512_slli_epi64(v, 2));
}

static inline struct factor
factor_of(struct number a)
{
	return (struct factor){ { a.v[0], a.v[1], a.v[2] }, times20(a.v[1]), times20(a.v[2]) };
}

static inline struct number
add(struct number a, struct number b)
{
	for (int i = 0; i < 3; i++)
		a.v[i] = _mm512_add_epi64(a.v[i], b.v[i]);
	return a;
}

static inline void
accumulate(limb *low, limb *high, limb a, limb b)
{
	*low = _mm512_madd52lo_epu64(*low, a, b);
	*high = _mm512_madd52hi_epu64(*high, a, b);
}

/* s += a * f */
static inline __attribute__((always_inline)) void
multiply_add(struct sums *s, struct number a, const struct factor *f)
{
	accumulate(&s->low[0], &s->high[0], a.v[0], f->r[0]);
	accumulate(&s->low[1], &s->high[1], a.v[0], f->r[1]);
	accumulate(&s->low[2], &s->high[2], a.v[0], f->r[2]);
	accumulate(&s->low[0], &s->high[0], a.v[1], f->s2);
	accumulate(&s->low[1], &s->high[1], a.v[1], f->r[0]);
	accumulate(&s->low[2], &s->high[2], a.v[1], f->r[1]);
	accumulate(&s->low[0], &s->high[0], a.v[2], f->s1);
	accumulate(&s->low[1], &s->high[1], a.v[2], f->s2);
	accumulate(&s->low[2], &s->high[2], a.v[2], f->r[0]);
}

/* Limbs of at most 44 bits and a little: fit for another multiplication. */
static inline __attribute__((always_inline)) struct number
reduce(const struct sums *s)
{
	const limb mask44 = splat64(MASK44);
	const limb mask42 = splat64(MASK42);
	struct number h;
	limb carry;

	carry = _mm512_srli_epi64(s->low[0], 44);
	h.v[0] = _mm512_and_si512(s->low[0], mask44);
	h.v[1] = _mm512_add_epi64(s->low[1], _mm512_slli_epi64(s->high[0], 8));
	h.v[1] = _mm512_add_epi64(h.v[1], carry);
	carry = _mm512_srli_epi64(h.v[1], 44);
	h.v[1] = _mm512_and_si512(h.v[1], mask44);
	h.v[2] = _mm512_add_epi64(s->low[2], _mm512_slli_epi64(s->high[1], 8));
	h.v[2] = _mm512_add_epi64(h.v[2], carry);
	carry = _mm512_srli_epi64(h.v[2], 42);
	h.v[2] = _mm512_and_si512(h.v[2], mask42);
	/* 2^130 = 5; the high half of limb 2 weighs 2^140. */
	carry = _mm512_add_epi64(carry, _mm512_slli_epi64(s->high[2], 10));
	carry = _mm512_add_epi64(carry, _mm512_slli_epi64(carry, 2));
	h.v[0] = _mm512_add_epi64(h.v[0], carry);
	carry = _mm512_srli_epi64(h.v[0], 44);
	h.v[0] = _mm512_and_si512(h.v[0], mask44);
	h.v[1] = _mm512_add_epi64(h.v[1], carry);
	return h;
}

static inline __attribute__((always_inline)) struct sums
no_sums(void)
{
	const limb zero = _mm512_setzero_si512();

	return (struct sums){ { zero, zero, zero }, { zero, zero, zero } };
}

static inline struct number
multiply(struct number a, const struct factor *f)
{
	struct sums s = no_sums();

	multiply_add(&s, a, f);
	return reduce(&s);
}

/* 16 bytes per lane to limbs; lanes of `whole` get the bit above the block, 2^128. */
static inline __attribute__((always_inline)) struct number
number_of(limb low, limb high, __mmask8 whole)
{
	const limb mask44 = splat64(MASK44);
	limb top = _mm512_srli_epi64(high, 24);

	return (struct number){ {
	    _mm512_and_si512(low, mask44),
	    _mm512_and_si512(_mm512_shrdi_epi64(low, high, 44), mask44),
	    _mm512_mask_or_epi64(top, whole, top, splat64(1ull << 40)),
	} };
}

/* Eight messages under one roof: their keys, and where their bytes lie. */
struct eight {
	struct number r;
	struct number square;
	struct factor power[4]; /* r, r^2, r^3, r^4; the last two when they are wanted */
	struct number sum;
	limb s_low;
	limb s_high;
	limb len;
	alignas(64) uintptr_t text[8];
	alignas(64) uint64_t bytes[8];
	alignas(64) uint64_t blocks[8]; /* 16-byte blocks, the last one perhaps in part */
	uint64_t most;                  /* of blocks[] */
	uint64_t least;
	uint64_t total;
	uint32_t count; /* lanes in use; the others repeat the first message */
	bool whole;     /* no message ends inside a block */
};

static inline __attribute__((always_inline)) void
load_eight(struct eight *e, const struct chunk *c, uint32_t p, uint32_t count,
	   const uintptr_t *text)
{
	/* lanes_block0 left 16 messages together. */
	const uint64_t *key = (const uint64_t *)(const void *)c->polykey[p & ~15u] + (p & 8);
	limb low = _mm512_and_si512(_mm512_load_si512(key), splat64(0x0ffffffc0fffffff));
	limb high = _mm512_and_si512(_mm512_load_si512(key + 16), splat64(0x0ffffffc0ffffffc));
	__mmask8 used = (__mmask8)((1u << count) - 1);
	uint64_t ends = 0;

	e->r = number_of(low, high, 0);
	e->s_low = _mm512_load_si512(key + 32);
	e->s_high = _mm512_load_si512(key + 48);
	e->len = _mm512_mask_loadu_epi64(splat64(c->len[p]), used, c->len + p);
	e->count = count;
	_mm512_store_si512(e->text, _mm512_mask_loadu_epi64(splat64(text[p]), used, text + p));
	_mm512_store_si512(e->bytes, e->len);
	_mm512_store_si512(e->blocks, _mm512_srli_epi64(_mm512_add_epi64(e->len, splat64(15)), 4));
	e->most = 0;
	e->least = UINT64_MAX;
	e->total = 0;
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t blocks = e->blocks[i];

		e->most = blocks > e->most ? blocks : e->most;
		e->least = blocks < e->least ? blocks : e->least;
		e->total += i < count ? blocks : 0;
		ends |= i < count ? c->len[p + i] : 0;
	}
	e->whole = ends % 16 == 0;
}

/* Rows of 64 bytes, one per lane, to 8 columns: low and high halves of four blocks. */
static inline __attribute__((always_inline)) void
transpose8x8(limb z[8])
{
	limb a[8], b[8];

	for (int i = 0; i < 4; i++) {
		a[i] = _mm512_unpacklo_epi64(z[2 * i], z[2 * i + 1]);
		a[4 + i] = _mm512_unpackhi_epi64(z[2 * i], z[2 * i + 1]);
	}
	for (int i = 0; i < 8; i += 2) {
		b[i] = _mm512_shuffle_i64x2(a[i], a[i + 1], 0x88);
		b[i + 1] = _mm512_shuffle_i64x2(a[i], a[i + 1], 0xdd);
	}
	/* b[0..4): even columns of lanes 0..3 and 4..7; b[4..8): odd columns. */
	for (int i = 0; i < 2; i++) {
		z[2 * i] = _mm512_shuffle_i64x2(b[i], b[2 + i], 0x88);
		z[2 * i + 4] = _mm512_shuffle_i64x2(b[i], b[2 + i], 0xdd);
		z[2 * i + 1] = _mm512_shuffle_i64x2(b[4 + i], b[6 + i], 0x88);
		z[2 * i + 5] = _mm512_shuffle_i64x2(b[4 + i], b[6 + i], 0xdd);
	}
}

/* Rows of 32 bytes to 4 columns: two blocks. */
static inline __attribute__((always_inline)) void
transpose8x4(limb z[4], const __m256i row[8])
{
	limb a[4], even[2], odd[2];

	for (int i = 0; i < 4; i++) {
		int low = i / 2 * 4 + i % 2;

		a[i] = _mm512_inserti64x4(_mm512_castsi256_si512(row[low]), row[low + 2], 1);
	}
	for (int i = 0; i < 2; i++) {
		even[i] = _mm512_unpacklo_epi64(a[2 * i], a[2 * i + 1]);
		odd[i] = _mm512_unpackhi_epi64(a[2 * i], a[2 * i + 1]);
	}
	z[0] = _mm512_shuffle_i64x2(even[0], even[1], 0x88);
	z[1] = _mm512_shuffle_i64x2(odd[0], odd[1], 0x88);
	z[2] = _mm512_shuffle_i64x2(even[0], even[1], 0xdd);
	z[3] = _mm512_shuffle_i64x2(odd[0], odd[1], 0xdd);
}

/* Where the lanes' messages lie on their common scale of bytes; they end within its last block. */
struct scale {
	limb start;
	limb end;
	uint64_t length;     /* bytes; a multiple of 16 */
	uint64_t fronts_end; /* up to here some lanes have not begun */
	alignas(
	    64) uintptr_t origin[8]; /* address of byte 0 of the scale; may lie before the text */
};

/* Bit k of mask[i]: byte at + k of the scale belongs to lane i. */
static inline void
masks_at(uint64_t mask[8], const struct scale *s, uint64_t at)
{
	const limb ones = splat64(UINT64_MAX);
	limb begin = _mm512_max_epi64(_mm512_sub_epi64(s->start, splat64(at)), splat64(0));
	limb end = _mm512_max_epi64(_mm512_sub_epi64(s->end, splat64(at)), splat64(0));

	/* Shifts by 64 and more give 0. */
	_mm512_store_si512(mask, _mm512_andnot_si512(_mm512_sllv_epi64(ones, end),
						     _mm512_sllv_epi64(ones, begin)));
}

/* The byte 1 after a last block that is not whole. */
static inline void
end_mark(limb *low, limb *high, limb len)
{
	limb in_block = _mm512_and_si512(len, splat64(15));
	__mmask8 partial = _mm512_test_epi64_mask(in_block, in_block);
	limb bits = _mm512_slli_epi64(in_block, 3);

	*low = _mm512_mask_or_epi64(*low, partial, *low, _mm512_sllv_epi64(splat64(1), bits));
	*high = _mm512_or_si512(*high,
				_mm512_sllv_epi64(splat64(1), _mm512_sub_epi64(bits, splat64(64))));
}

/*
 * `blocks` (2 or 4) blocks of all lanes at byte `at` of the scale, as numbers. `edge`: some lane
 * has not begun, or this is the last step and some message ends inside a block.
 */
static inline __attribute__((always_inline)) void
load_step(struct number *m, const struct eight *e, const struct scale *s, uint64_t at, int blocks,
	  bool edge, bool last)
{
	alignas(64) uint64_t mask[8];
	limb z[8];
	__m256i row[8];

	if (edge)
		masks_at(mask, s, at);
	for (int i = 0; i < 8; i++) {
		const void *from = (const void *)(s->origin[i] + at);

		if (blocks == 4)
			z[i] = edge ? _mm512_maskz_loadu_epi8(mask[i], from)
				    : _mm512_loadu_si512(from);
		else
			row[i] = edge ? _mm256_maskz_loadu_epi8((__mmask32)mask[i], from)
				      : _mm256_loadu_si256((const __m256i *)from);
	}
	if (blocks == 4)
		transpose8x8(z);
	else
		transpose8x4(z, row);
	if (edge && last)
		end_mark(&z[2 * blocks - 2], &z[2 * blocks - 1], e->len);
	for (int i = 0; i < blocks; i++) {
		__mmask8 whole = 0xff;

		if (edge) {
			limb block_end = splat64(at + 16 * (uint64_t)(i + 1));

			whole = _mm512_cmple_epi64_mask(block_end, s->end) &
				_mm512_cmplt_epi64_mask(s->start, block_end);
		}
		m[i] = number_of(z[2 * i], z[2 * i + 1], whole);
	}
}

/* h = (h + m[0]) r^n + m[1] r^(n-1) + ... + m[n-1] r */
static inline __attribute__((always_inline)) struct number
horner(struct number h, const struct number *m, int n, const struct factor *power)
{
	struct sums s = no_sums();

	for (int i = n - 1; i > 0; i--)
		multiply_add(&s, m[i], &power[n - 1 - i]);
	multiply_add(&s, add(h, m[0]), &power[n - 1]);
	return reduce(&s);
}

static inline void
make_square(struct eight *e)
{
	e->power[0] = factor_of(e->r);
	if (e->most <= 2) /* not wanted */
		return;
	e->square = multiply(e->r, &e->power[0]);
	e->power[1] = factor_of(e->square);
}

static inline void
make_powers(struct eight *e)
{
	e->power[2] = factor_of(multiply(e->square, &e->power[0]));
	e->power[3] = factor_of(multiply(e->square, &e->power[1]));
}

/* One step of 4 blocks: with four powers one reduction, with two of them two. */
static inline __attribute__((always_inline)) struct number
step_of_four(struct number h, const struct number m[4], const struct eight *e, bool powers)
{
	if (powers)
		return horner(h, m, 4, e->power);
	h = horner(h, m, 2, e->power);
	return horner(h, m + 2, 2, e->power);
}

/* A step at the front or the end of some message. */
static __attribute__((noinline)) void
load_edge_step(struct number *m, const struct eight *e, const struct scale *s, uint64_t at,
	       bool last)
{
	load_step(m, e, s, at, 4, true, last);
}

static inline __attribute__((always_inline)) void
load_four(struct number m[4], const struct eight *e, const struct scale *s, uint64_t at)
{
	bool last = at + 64 == s->length;

	if (at < s->fronts_end || (last && !e->whole))
		load_edge_step(m, e, s, at, last);
	else
		load_step(m, e, s, at, 4, false, false);
}

/*
 * The blocks of the next step are loaded before those at hand are multiplied: no lane waits for
 * memory or shuffles.
 */
static inline __attribute__((always_inline)) struct number
sum_steps(struct number h, const struct eight *e, const struct scale *s, uint64_t at, bool powers)
{
	struct number a[4], b[4];

	load_four(a, e, s, at);
	for (;;) {
		at += 64;
		if (at == s->length)
			return step_of_four(h, a, e, powers);
		load_four(b, e, s, at);
		h = step_of_four(h, a, e, powers);
		at += 64;
		if (at == s->length)
			return step_of_four(h, b, e, powers);
		load_four(a, e, s, at);
		h = step_of_four(h, b, e, powers);
	}
}

static __attribute__((noinline)) void
sum_lanes(struct eight *e)
{
	struct scale s;
	struct number h = { { splat64(0), splat64(0), splat64(0) } };
	struct number m[2];
	bool half = e->most % 4 - 1 < 2; /* 1 or 2 blocks above a multiple of 4 */
	limb blocks = _mm512_load_si512(e->blocks);

	s.length = 16 * (half ? e->most / 4 * 4 + 2 : (e->most + 3) / 4 * 4);
	s.fronts_end = s.length - 16 * e->least;
	s.start = _mm512_sub_epi64(splat64(s.length), _mm512_slli_epi64(blocks, 4));
	s.end = _mm512_add_epi64(s.start, e->len);
	_mm512_store_si512(s.origin, _mm512_sub_epi64(_mm512_load_si512(e->text), s.start));
	if (half) {
		bool last = s.length == 32;

		if (s.fronts_end > 0 || (last && !e->whole))
			load_step(m, e, &s, 0, 2, true, last);
		else
			load_step(m, e, &s, 0, 2, false, false);
		if (last) {
			h = multiply(m[0], &e->power[0]);
			h = multiply(add(h, m[1]), &e->power[0]);
		} else {
			h = horner(h, m, 2, e->power);
		}
	}
	if (s.length >= 64 && e->most >= FOUR_POWERS_MIN)
		h = sum_steps(h, e, &s, half ? 32 : 0, true);
	else if (s.length >= 64)
		h = sum_steps(h, e, &s, half ? 32 : 0, false);
	e->sum = h;
}

/* Powers of r for the spread way, transposed so that one message's can be picked out. */
struct spread {
	alignas(64) uint64_t lane[3][SET_BLOCKS][8]; /* limb, exponent - 1, message */
	alignas(64) uint64_t step[STEP_SETS][5][8];  /* r^8, r^16, ...: factor, message */
};

static inline void
make_spread(struct spread *sp, const struct eight *e)
{
	struct factor r = factor_of(e->r);
	struct factor r8;
	struct number power = e->r;

	for (uint32_t k = 0; k < SET_BLOCKS; k++) {
		if (k != 0)
			power = multiply(power, &r);
		for (int i = 0; i < 3; i++)
			_mm512_store_si512(sp->lane[i][k], power.v[i]);
	}
	r8 = factor_of(power);
	for (uint32_t k = 0; k < STEP_SETS; k++) {
		struct factor f;

		if (k != 0)
			power = multiply(power, &r8);
		f = factor_of(power);
		for (int i = 0; i < 3; i++)
			_mm512_store_si512(sp->step[k][i], f.r[i]);
		_mm512_store_si512(sp->step[k][3], f.s1);
		_mm512_store_si512(sp->step[k][4], f.s2);
	}
}

/* Lane of a block in a set, after unpacking: 0 4 1 5 2 6 3 7. */
static inline limb
set_order(void)
{
	return _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
}

/* A set of 8 blocks, 128 bytes of one message. */
static inline __attribute__((always_inline)) struct number
load_set(uintptr_t from)
{
	limb a = _mm512_loadu_si512((const void *)from);
	limb b = _mm512_loadu_si512((const void *)(from + 64));

	return number_of(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), 0xff);
}

/* The first or last set: only bytes [start, end) of its 128 belong to the message. */
static inline struct number
load_edge_set(uintptr_t from, uint32_t start, uint32_t end)
{
	const limb order = set_order();
	__mmask64 low_mask = _bzhi_u64(UINT64_MAX, end) & ~_bzhi_u64(UINT64_MAX, start);
	__mmask64 high_mask = _bzhi_u64(UINT64_MAX, end > 64 ? end - 64 : 0) &
			      ~_bzhi_u64(UINT64_MAX, start > 64 ? start - 64 : 0);
	limb a = _mm512_maskz_loadu_epi8(low_mask, (const void *)from);
	limb b = _mm512_maskz_loadu_epi8(high_mask, (const void *)(from + 64));
	limb low = _mm512_unpacklo_epi64(a, b);
	limb high = _mm512_unpackhi_epi64(a, b);
	__mmask8 whole = _mm512_cmpge_epi64_mask(order, splat64(start / 16)) &
			 _mm512_cmplt_epi64_mask(order, splat64(end / 16));

	if (end % 16 != 0) {
		limb len = _mm512_maskz_set1_epi64(0x80, end); /* the last block is in lane 7 */

		end_mark(&low, &high, len);
	}
	return number_of(low, high, whole);
}

static inline __attribute__((always_inline)) struct factor
step_factor(const struct spread *sp, uint32_t k, uint32_t i)
{
	return (struct factor){ { splat64(sp->step[k][0][i]), splat64(sp->step[k][1][i]),
				  splat64(sp->step[k][2][i]) },
				splat64(sp->step[k][3][i]),
				splat64(sp->step[k][4][i]) };
}

/* h = h r^(8n) + m[0] r^(8(n-1)) + ... + m[n-1] */
static inline __attribute__((always_inline)) struct number
spread_step(struct number h, const struct number *m, uint32_t n, const struct factor *step)
{
	struct sums s = no_sums();

	for (uint32_t k = 0; k + 1 < n; k++)
		multiply_add(&s, m[k], &step[n - 2 - k]);
	multiply_add(&s, h, &step[n - 1]);
	return add(reduce(&s), m[n - 1]);
}

/*
 * Lane l of h is the polynomial of the blocks in lane l, with r^8 as the variable; at the end it is
 * multiplied with the power of r that the lane's block in the last set has.
 */
static inline struct number
spread_message(const struct spread *sp, const struct eight *e, uint32_t i)
{
	uint64_t sets = (e->blocks[i] + SET_BLOCKS - 1) / SET_BLOCKS;
	uint32_t pad = (uint32_t)(sets * SET_BLOCKS - e->blocks[i]) * 16;
	uintptr_t at = e->text[i] - pad;
	uintptr_t last = at + (sets - 1) * 128;
	uint32_t end = (uint32_t)(e->text[i] + e->bytes[i] - last);
	const limb power_index =
	    _mm512_sub_epi64(splat64(7 * 8 + i), _mm512_slli_epi64(set_order(), 3));
	struct number h, m[STEP_SETS];
	struct factor step[STEP_SETS], lane_power;

	for (uint32_t k = 0; k < STEP_SETS; k++)
		step[k] = step_factor(sp, k, i);
	h = load_edge_set(at, pad, at == last ? end : 128);
	for (uint64_t n = (sets - 1) % STEP_SETS; n != 0; n--) {
		at += 128;
		m[0] = at == last ? load_edge_set(at, 0, end) : load_set(at);
		h = spread_step(h, m, 1, step);
	}
	while (at != last) {
		for (uint32_t k = 1; k < STEP_SETS; k++)
			m[k - 1] = load_set(at + k * 128);
		at += STEP_SETS * 128;
		m[STEP_SETS - 1] = at == last ? load_edge_set(at, 0, end) : load_set(at);
		h = spread_step(h, m, STEP_SETS, step);
	}
	for (int k = 0; k < 3; k++)
		lane_power.r[k] = _mm512_i64gather_epi64(power_index, sp->lane[k], 8);
	lane_power.s1 = times20(lane_power.r[1]);
	lane_power.s2 = times20(lane_power.r[2]);
	return multiply(h, &lane_power);
}

static __attribute__((noinline)) void
sum_spread(struct eight *e)
{
	alignas(64) uint64_t total[3][8] = { 0 };
	struct spread sp;

	make_spread(&sp, e);
	for (uint32_t i = 0; i < e->count; i++) {
		if (e->blocks[i] == 0)
			continue;

		struct number h = spread_message(&sp, e, i);

		for (int k = 0; k < 3; k++)
			total[k][i] = (uint64_t)_mm512_reduce_add_epi64(h.v[k]);
	}
	e->sum = (struct number){ { _mm512_load_si512(total[0]), _mm512_load_si512(total[1]),
				    _mm512_load_si512(total[2]) } };
}

/* Carries limb i of `bits` bits into the next; returns what is left of it. */
static inline limb
carry_up(limb from, limb *to, unsigned bits)
{
	*to = _mm512_add_epi64(*to, _mm512_srli_epi64(from, bits));
	return _mm512_and_si512(from, splat64((1ull << bits) - 1));
}

/* The tags: (h mod 2^130 - 5) + s mod 2^128. Limbs of h up to 2^50. */
static inline __attribute__((always_inline)) void
finish(uint64_t tag[8][2], struct number h, limb s_low, limb s_high)
{
	const limb pairs_low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
	const limb pairs_high = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
	limb top = splat64(0);
	limb g[3];
	limb low, high;
	__mmask8 not_less, carry;

	h.v[0] = carry_up(h.v[0], &h.v[1], 44);
	h.v[1] = carry_up(h.v[1], &h.v[2], 44);
	h.v[2] = carry_up(h.v[2], &top, 42);
	h.v[0] = _mm512_add_epi64(h.v[0], _mm512_add_epi64(top, _mm512_slli_epi64(top, 2)));
	h.v[0] = carry_up(h.v[0], &h.v[1], 44);
	h.v[1] = carry_up(h.v[1], &h.v[2], 44);
	/* h - p = h + 5 - 2^130, when that is not negative. */
	g[1] = h.v[1];
	g[2] = _mm512_sub_epi64(h.v[2], splat64(1ull << 42));
	g[0] = carry_up(_mm512_add_epi64(h.v[0], splat64(5)), &g[1], 44);
	g[1] = carry_up(g[1], &g[2], 44);
	not_less = _mm512_cmpge_epi64_mask(g[2], splat64(0));
	for (int i = 0; i < 3; i++)
		h.v[i] = _mm512_mask_mov_epi64(h.v[i], not_less, g[i]);
	low = _mm512_or_si512(h.v[0], _mm512_slli_epi64(h.v[1], 44));
	high = _mm512_or_si512(_mm512_srli_epi64(h.v[1], 20), _mm512_slli_epi64(h.v[2], 24));
	low = _mm512_add_epi64(low, s_low);
	carry = _mm512_cmplt_epu64_mask(low, s_low);
	high = _mm512_add_epi64(high, s_high);
	high = _mm512_mask_add_epi64(high, carry, high, splat64(1));
	_mm512_storeu_si512(tag[0], _mm512_permutex2var_epi64(low, pairs_low, high));
	_mm512_storeu_si512(tag[4], _mm512_permutex2var_epi64(low, pairs_high, high));
}

static inline bool
spread_pays(const struct eight *e)
{
	return e->most > e->total / SET_BLOCKS + SPREAD_SETUP * e->count + SPREAD_SETUP;
}

/*
 * Every stage for all messages before the next: the chain of dependent products within one stage is
 * long, and the processor's window is too short to find the next message behind it.
 */
static inline void
tag_eights(struct chunk *c, uint32_t p, const uintptr_t *text)
{
	struct eight e[EIGHTS];
	uint32_t n = 0;

	for (; n < EIGHTS && p + 8 * n < c->count; n++) {
		uint32_t left = c->count - p - 8 * n;

		load_eight(&e[n], c, p + 8 * n, left < 8 ? left : 8, text);
	}
	for (uint32_t i = 0; i < n; i++)
		make_square(&e[i]);
	for (uint32_t i = 0; i < n; i++) {
		if (e[i].most >= FOUR_POWERS_MIN)
			make_powers(&e[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (spread_pays(&e[i]))
			sum_spread(&e[i]);
		else
			sum_lanes(&e[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		finish(c->tag + p + 8 * i, e[i].sum, e[i].s_low, e[i].s_high);
}

static __attribute__((noinline)) void
lanes_tags(struct chunk *c, const uintptr_t *text)
{
	for (uint32_t p = 0; p < c->count; p += 8 * EIGHTS)
		tag_eights(c, p, text);
}
