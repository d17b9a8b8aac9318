/* The AVX-512 kernel: 16 lanes of Salsa20, 8 lanes of Poly1305 with 52-bit multiplication. */
#include "box/box_kernel.h"

#include <immintrin.h>

#include "base/cpu.h"
#include "box/box_chunk.h"

#define LANES 16u

typedef __m512i vec;

#define vec_add(a, b) _mm512_add_epi32(a, b)
#define vec_mix(x, t, n) _mm512_xor_si512(x, _mm512_rol_epi32(t, n))

#include "box/salsa_rounds.h"
#include "box/poly_avx512.h"

/* "expa" "nd 3" "2-by" "te k" */
static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

static inline vec
splat(uint32_t v)
{
	return _mm512_set1_epi32((int)v);
}

/* Row i of the low half and row i of the high half: what one register of transpose8 holds. */
static inline vec
two_rows(const uint8_t *low, const uint8_t *high)
{
	return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)low)),
				  _mm256_loadu_si256((const __m256i *)high), 1);
}

/* Transposes the 4x4 blocks of words in the 128-bit lanes of r[0..4). */
static inline __attribute__((always_inline)) void
transpose4(vec r[4])
{
	vec a = _mm512_unpacklo_epi32(r[0], r[1]);
	vec b = _mm512_unpackhi_epi32(r[0], r[1]);
	vec c = _mm512_unpacklo_epi32(r[2], r[3]);
	vec d = _mm512_unpackhi_epi32(r[2], r[3]);

	r[0] = _mm512_unpacklo_epi64(a, c);
	r[1] = _mm512_unpackhi_epi64(a, c);
	r[2] = _mm512_unpacklo_epi64(b, d);
	r[3] = _mm512_unpackhi_epi64(b, d);
}

/* 16 rows of 32 bytes to 8 words of 16 lanes. */
static inline __attribute__((always_inline)) void
load_rows32(vec w[8], const uint8_t *const row[16])
{
	vec a[4], b[4];

	for (int i = 0; i < 4; i++) {
		a[i] = two_rows(row[i], row[i + 4]);
		b[i] = two_rows(row[i + 8], row[i + 12]);
	}
	transpose4(a);
	transpose4(b);
	for (int i = 0; i < 4; i++) {
		w[i] = _mm512_shuffle_i32x4(a[i], b[i], 0x88);
		w[i + 4] = _mm512_shuffle_i32x4(a[i], b[i], 0xdd);
	}
}

/*
 * 4 words of 16 lanes to 16 rows of 16 bytes, `pitch` bytes apart. Stores of quarters are free,
 * shuffles are not.
 */
static inline __attribute__((always_inline)) void
store_quarters(uint8_t *rows, size_t pitch, vec a, vec b, vec c, vec d)
{
	vec r[4] = { a, b, c, d };

	transpose4(r);
	/* Quarter q of r[i] is row 4q + i. */
	for (size_t i = 0; i < 4; i++) {
		uint8_t *to = rows + i * pitch;

		_mm_store_si128((__m128i *)to, _mm512_castsi512_si128(r[i]));
		_mm_store_si128((__m128i *)(to + 4 * pitch), _mm512_extracti32x4_epi32(r[i], 1));
		_mm_store_si128((__m128i *)(to + 8 * pitch), _mm512_extracti32x4_epi32(r[i], 2));
		_mm_store_si128((__m128i *)(to + 12 * pitch), _mm512_extracti32x4_epi32(r[i], 3));
	}
}

/* Splits 16 values of 64 bits into their low and high words. */
static inline __attribute__((always_inline)) void
split64(vec *low, vec *high, vec first8, vec last8)
{
	*low = _mm512_permutex2var_epi32(
	    first8, _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0),
	    last8);
	*high = _mm512_permutex2var_epi32(
	    first8, _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1),
	    last8);
}

/* The reverse, for lanes 0..7 and 8..15. */
static inline __attribute__((always_inline)) void
join64(uint64_t out[16], vec low, vec high)
{
	_mm512_store_si512(
	    out, _mm512_permutex2var_epi32(
		     low, _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0),
		     high));
	_mm512_store_si512(
	    out + 8,
	    _mm512_permutex2var_epi32(
		low, _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8),
		high));
}

static inline __attribute__((always_inline)) void
set_state(vec x[16], const vec key[8], vec nonce_low, vec nonce_high, vec block_low, vec block_high)
{
	x[0] = splat(sigma[0]);
	x[5] = splat(sigma[1]);
	x[10] = splat(sigma[2]);
	x[15] = splat(sigma[3]);
	for (int i = 0; i < 4; i++) {
		x[1 + i] = key[i];
		x[11 + i] = key[4 + i];
	}
	x[6] = nonce_low;
	x[7] = nonce_high;
	x[8] = block_low;
	x[9] = block_high;
}

/*
 * Tiles: 16 states in one go. What a tile has computed is stored by words and only turned into rows
 * and written during the rounds of the next tile of its kind, where the ports have room for it.
 */
struct words {
	vec word[16];
};

struct stream {
	struct words words;              /* keystream that is not written yet */
	alignas(64) uint8_t row[16][64]; /* the same by blocks, when it has been turned */
	uint64_t items[16];              /* where it belongs */
	const struct chunk *chunk;
};

struct lanes {
	struct words words; /* of subkeys and blocks 0 */
	struct stream full;
	struct stream tail;
	uint32_t subkey_at; /* where `words` belong */
	uint32_t block0_at;
	struct chunk *chunk;
};

/* Salsa20: rounds, then the initial state once more. */
static inline __attribute__((always_inline)) void
salsa_core(struct words *out, vec x[16], void (*beside)(void *, int), void *work)
{
	vec start[16];

	memcpy(start, x, sizeof(start));
	salsa_rounds(x, beside, work);
	for (int i = 0; i < 16; i++)
		out->word[i] = vec_add(x[i], start[i]);
}

static inline __attribute__((always_inline)) void
subkeys_beside(void *work, int step)
{
	struct lanes *l = work;
	const vec *w = l->words.word;
	uint8_t *rows = l->chunk->subkey[l->subkey_at];

	if (step == 1)
		store_quarters(rows, 32, w[0], w[5], w[10], w[15]);
	if (step == 3)
		store_quarters(rows + 16, 32, w[6], w[7], w[8], w[9]);
}

static __attribute__((noinline)) void
lanes_subkeys(struct lanes *l, struct chunk *c, uint32_t slot)
{
	vec x[16], key[8], nonce[4];

	load_rows32(key, c->slot_key + slot);
	for (int i = 0; i < 4; i++) {
		const uint8_t *const *row = c->slot_nonce + slot + i;
		vec v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)row[0]));

		v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)row[4]), 1);
		v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)row[8]), 2);
		nonce[i] = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)row[12]), 3);
	}
	transpose4(nonce);
	set_state(x, key, nonce[0], nonce[1], nonce[2], nonce[3]);
	salsa_rounds(x, subkeys_beside, l);
	memcpy(l->words.word, x, sizeof(l->words.word));
	l->subkey_at = slot;
}

/* The subkeys of 16 messages; a car of one key has only one. */
static inline __attribute__((always_inline)) void
load_subkeys(vec key[8], const struct chunk *c, const uint8_t *const row[16])
{
	if (c->slot_count != 1) {
		load_rows32(key, row);
		return;
	}
	for (int i = 0; i < 8; i++) {
		uint32_t word;

		memcpy(&word, c->subkey[0] + 4 * i, 4);
		key[i] = splat(word);
	}
}

static inline __attribute__((always_inline)) void
block0_beside(void *work, int step)
{
	struct lanes *l = work;
	const vec *w = l->words.word;
	struct chunk *c = l->chunk;
	uint64_t *poly = (uint64_t *)(void *)c->polykey[l->block0_at];

	/* For 16 messages: r low, r high, s low, s high. */
	if (step < 4)
		join64(poly + 16 * step, w[2 * step], w[2 * step + 1]);
	if (step == 5)
		store_quarters(c->first[l->block0_at], 32, w[8], w[9], w[10], w[11]);
	if (step == 7)
		store_quarters(c->first[l->block0_at] + 16, 32, w[12], w[13], w[14], w[15]);
}

static __attribute__((noinline)) void
lanes_block0(struct lanes *l, struct chunk *c, uint32_t p)
{
	vec x[16], key[8], nonce_low, nonce_high;
	const uint8_t *row[16];

	for (uint32_t i = 0; i < LANES; i++)
		row[i] = c->subkey[c->slot[p + i]];
	load_subkeys(key, c, row);
	split64(&nonce_low, &nonce_high, _mm512_loadu_si512(c->nonce_tail + p),
		_mm512_loadu_si512(c->nonce_tail + p + 8));
	set_state(x, key, nonce_low, nonce_high, _mm512_setzero_si512(), _mm512_setzero_si512());
	salsa_core(&l->words, x, block0_beside, l);
	l->block0_at = p;
}

static inline void
xor_first(uintptr_t dst, uintptr_t src, const uint8_t *stream, __mmask32 mask)
{
	__m256i v = _mm256_maskz_loadu_epi8(mask, (const void *)src);

	_mm256_mask_storeu_epi8((void *)dst, mask,
				_mm256_xor_si256(v, _mm256_load_si256((const __m256i *)stream)));
}

static __attribute__((noinline)) void
lanes_first(const struct chunk *c, uint32_t p, uint32_t count)
{
	const uint8_t(*first)[FIRST_LEN] = c->first + p;

	/* Sorted: when the last one is long enough, all are. */
	if (c->len[p + count - 1] >= FIRST_LEN) {
		for (uint32_t i = 0; i < count; i++) {
			__m256i v = _mm256_loadu_si256((const __m256i *)c->src[p + i]);

			v = _mm256_xor_si256(v, _mm256_load_si256((const __m256i *)first[i]));
			_mm256_storeu_si256((__m256i *)c->dst[p + i], v);
		}
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t len = c->len[p + i] < FIRST_LEN ? c->len[p + i] : FIRST_LEN;

		if (len != 0) /* `out` may be nothing at all */
			xor_first(c->dst[p + i], c->src[p + i], first[i],
				  _bzhi_u32(UINT32_MAX, (uint32_t)len));
	}
}

/* Where a queued block lies, from the text's start. */
static inline uint64_t
item_offset(uint64_t item)
{
	return (item << (64 - ITEM_SHIFT) >> (64 - ITEM_SHIFT)) * 64 - FIRST_LEN;
}

static inline __attribute__((always_inline)) void
turn_stream(struct stream *s, int quarter)
{
	const vec *w = s->words.word + 4 * quarter;

	store_quarters(s->row[0] + 16 * quarter, 64, w[0], w[1], w[2], w[3]);
}

static inline __attribute__((always_inline)) void
full_beside(void *work, int step)
{
	struct stream *s = work;

	if (step < 4)
		turn_stream(s, step);
	/* Rows are read whole, but were written in quarters: better when these have left for L1. */
	if (step < 6)
		return;
	for (int i = 4 * (step - 6); i < 4 * (step - 5); i++) {
		uint64_t p = s->items[i] >> ITEM_SHIFT;
		uint64_t offset = item_offset(s->items[i]);
		vec v = _mm512_loadu_si512((const void *)(s->chunk->src[p] + offset));

		v = _mm512_xor_si512(v, _mm512_load_si512(s->row[i]));
		_mm512_storeu_si512((void *)(s->chunk->dst[p] + offset), v);
	}
}

static inline __attribute__((always_inline)) void
tail_beside(void *work, int step)
{
	struct stream *s = work;

	if (step < 4)
		turn_stream(s, step);
	if (step < 6)
		return;
	for (int i = 4 * (step - 6); i < 4 * (step - 5); i++) {
		uint64_t p = s->items[i] >> ITEM_SHIFT;
		uint64_t offset = item_offset(s->items[i]);
		__mmask64 mask = _bzhi_u64(UINT64_MAX, (uint32_t)(s->chunk->len[p] - offset));
		vec v = _mm512_maskz_loadu_epi8(mask, (const void *)(s->chunk->src[p] + offset));

		v = _mm512_xor_si512(v, _mm512_load_si512(s->row[i]));
		_mm512_mask_storeu_epi8((void *)(s->chunk->dst[p] + offset), mask, v);
	}
}

static inline __attribute__((always_inline)) void
set_queued(vec x[16], const struct chunk *c, const uint64_t *items)
{
	vec key[8], nonce_low, nonce_high, block_low, block_high;
	const uint8_t *row[16];
	vec low8 = _mm512_loadu_si512(items);
	vec high8 = _mm512_loadu_si512(items + 8);

	if (c->slot_count != 1) {
		for (uint32_t i = 0; i < LANES; i++)
			row[i] = c->subkey[c->slot[items[i] >> ITEM_SHIFT]];
	}
	load_subkeys(key, c, row);
	split64(&nonce_low, &nonce_high,
		_mm512_i64gather_epi64(_mm512_srli_epi64(low8, ITEM_SHIFT), c->nonce_tail, 8),
		_mm512_i64gather_epi64(_mm512_srli_epi64(high8, ITEM_SHIFT), c->nonce_tail, 8));
	split64(&block_low, &block_high, low8, high8);
	block_high = _mm512_and_si512(block_high, splat((1u << (ITEM_SHIFT - 32)) - 1));
	set_state(x, key, nonce_low, nonce_high, block_low, block_high);
}

static __attribute__((noinline)) void
lanes_full(struct lanes *l, struct chunk *c, const uint64_t *items)
{
	vec x[16];

	set_queued(x, c, items);
	salsa_core(&l->full.words, x, full_beside, &l->full);
	memcpy(l->full.items, items, sizeof(l->full.items));
}

static __attribute__((noinline)) void
lanes_tail(struct lanes *l, struct chunk *c, const uint64_t *items)
{
	vec x[16];

	set_queued(x, c, items);
	salsa_core(&l->tail.words, x, tail_beside, &l->tail);
	memcpy(l->tail.items, items, sizeof(l->tail.items));
}

static __attribute__((noinline)) void
lanes_run(struct lanes *l, struct chunk *c, uint32_t p, uint64_t block, uint64_t end)
{
	const vec iota = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	const uint8_t *subkey = c->subkey[c->slot[p]];
	uint64_t item = (uint64_t)p << ITEM_SHIFT;
	vec key[8];

	for (int i = 0; i < 8; i++) {
		uint32_t word;

		memcpy(&word, subkey + 4 * i, 4);
		key[i] = splat(word);
	}
	for (; block < end; block += LANES) {
		vec x[16];
		vec base = splat((uint32_t)block);
		vec low = _mm512_add_epi32(base, iota);
		vec high = splat((uint32_t)(block >> 32));
		__mmask16 carry = _mm512_cmplt_epu32_mask(low, base);

		high = _mm512_mask_add_epi32(high, carry, high, splat(1));
		set_state(x, key, splat((uint32_t)c->nonce_tail[p]),
			  splat((uint32_t)(c->nonce_tail[p] >> 32)), low, high);
		salsa_core(&l->full.words, x, full_beside, &l->full);
		for (uint32_t i = 0; i < LANES; i++)
			l->full.items[i] = (item | block) + i;
	}
}

/* Points all work that is still to be done beside rounds at places where it does no harm. */
static inline void
set_idle(struct lanes *l, const struct chunk *c)
{
	l->subkey_at = IDLE_ROW;
	l->block0_at = IDLE_ROW;
	for (uint32_t i = 0; i < LANES; i++) {
		l->full.items[i] = (uint64_t)c->count << ITEM_SHIFT | 1;
		l->tail.items[i] = (uint64_t)c->count << ITEM_SHIFT | 1;
	}
}

static inline void
lanes_begin(struct lanes *l, struct chunk *c)
{
	l->chunk = c;
	l->full.chunk = c;
	l->tail.chunk = c;
	set_idle(l, c);
}

static __attribute__((noinline)) void
lanes_end(struct lanes *l, struct chunk *c)
{
	for (int step = 0; step < 10; step++) {
		if (l->subkey_at != IDLE_ROW)
			subkeys_beside(l, step);
		if (l->block0_at != IDLE_ROW)
			block0_beside(l, step);
		if (l->full.items[0] >> ITEM_SHIFT < c->count)
			full_beside(&l->full, step);
		if (l->tail.items[0] >> ITEM_SHIFT < c->count)
			tail_beside(&l->tail, step);
	}
	set_idle(l, c);
}

static inline void
lanes_wipe_registers(void)
{
	/* vzeroall does not reach zmm16..31. */
	__asm__ volatile("vzeroall\n\t"
			 "vpxord %%zmm16, %%zmm16, %%zmm16\n\t"
			 "vpxord %%zmm17, %%zmm17, %%zmm17\n\t"
			 "vpxord %%zmm18, %%zmm18, %%zmm18\n\t"
			 "vpxord %%zmm19, %%zmm19, %%zmm19\n\t"
			 "vpxord %%zmm20, %%zmm20, %%zmm20\n\t"
			 "vpxord %%zmm21, %%zmm21, %%zmm21\n\t"
			 "vpxord %%zmm22, %%zmm22, %%zmm22\n\t"
			 "vpxord %%zmm23, %%zmm23, %%zmm23\n\t"
			 "vpxord %%zmm24, %%zmm24, %%zmm24\n\t"
			 "vpxord %%zmm25, %%zmm25, %%zmm25\n\t"
			 "vpxord %%zmm26, %%zmm26, %%zmm26\n\t"
			 "vpxord %%zmm27, %%zmm27, %%zmm27\n\t"
			 "vpxord %%zmm28, %%zmm28, %%zmm28\n\t"
			 "vpxord %%zmm29, %%zmm29, %%zmm29\n\t"
			 "vpxord %%zmm30, %%zmm30, %%zmm30\n\t"
			 "vpxord %%zmm31, %%zmm31, %%zmm31"
			 :
			 :
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16",
			   "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
			   "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

#include "box/box_lanes.h"

const struct bx_box_kernel bx_box_avx512 = {
	.name = "avx512",
	.needs = BX_CPU_AVX2 | BX_CPU_BMI2 | BX_CPU_AVX512F | BX_CPU_AVX512BW | BX_CPU_AVX512VL |
		 BX_CPU_AVX512VBMI2 | BX_CPU_AVX512IFMA,
	.lanes = LANES,
	.seal_many = seal_lanes,
	.open_many = open_lanes,
};
