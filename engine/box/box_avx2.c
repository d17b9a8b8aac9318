/* The AVX2 kernel: 8 lanes of Salsa20, 4 lanes of Poly1305. */
#include "box/box_kernel.h"

#include <immintrin.h>

#include "base/cpu.h"
#include "box/box_chunk.h"

#define LANES 8u

typedef __m256i vec;

#define vec_add(a, b) _mm256_add_epi32(a, b)
#define vec_mix(x, t, n)                                                                           \
	_mm256_xor_si256(_mm256_xor_si256(x, _mm256_slli_epi32(t, n)),                             \
			 _mm256_srli_epi32(t, 32 - (n)))

#include "box/salsa_rounds.h"
#include "box/poly_avx2.h"

/* "expa" "nd 3" "2-by" "te k" */
static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

/* Nothing is kept between calls. */
struct lanes {
	char unused;
};

static inline vec
splat(uint32_t v)
{
	return _mm256_set1_epi32((int)v);
}

/* 16 bytes each, as the low and the high half of a vector. */
static inline vec
two_quarters(const uint8_t *low, const uint8_t *high)
{
	return _mm256_inserti128_si256(
	    _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
	    _mm_loadu_si128((const __m128i *)high), 1);
}

/* Transposes the 4x4 blocks of words in the halves of r[0..4). */
static inline __attribute__((always_inline)) void
transpose4(vec r[4])
{
	vec a = _mm256_unpacklo_epi32(r[0], r[1]);
	vec b = _mm256_unpackhi_epi32(r[0], r[1]);
	vec c = _mm256_unpacklo_epi32(r[2], r[3]);
	vec d = _mm256_unpackhi_epi32(r[2], r[3]);

	r[0] = _mm256_unpacklo_epi64(a, c);
	r[1] = _mm256_unpackhi_epi64(a, c);
	r[2] = _mm256_unpacklo_epi64(b, d);
	r[3] = _mm256_unpackhi_epi64(b, d);
}

/* 16 bytes at `at` of 8 rows to 4 words of 8 lanes. */
static inline __attribute__((always_inline)) void
load_quarters(vec w[4], const uint8_t *const row[8], size_t at)
{
	for (int i = 0; i < 4; i++)
		w[i] = two_quarters(row[i] + at, row[i + 4] + at);
	transpose4(w);
}

/*
 * 8 words of 8 lanes to 32 bytes of 8 rows: rows 0..3 in low[], rows 4..7 in high[].
 */
static inline __attribute__((always_inline)) void
turn_halves(vec low[4], vec high[4], const vec w[8])
{
	vec a[4] = { w[0], w[1], w[2], w[3] };
	vec b[4] = { w[4], w[5], w[6], w[7] };

	transpose4(a);
	transpose4(b);
	for (int i = 0; i < 4; i++) {
		low[i] = _mm256_permute2x128_si256(a[i], b[i], 0x20);
		high[i] = _mm256_permute2x128_si256(a[i], b[i], 0x31);
	}
}

/* 8 words of 8 lanes to 8 rows of 32 bytes, `pitch` bytes apart. */
static inline __attribute__((always_inline)) void
store_rows(uint8_t *rows, size_t pitch, const vec w[8])
{
	vec low[4], high[4];

	turn_halves(low, high, w);
	for (size_t i = 0; i < 4; i++) {
		_mm256_store_si256((__m256i *)(rows + i * pitch), low[i]);
		_mm256_store_si256((__m256i *)(rows + (i + 4) * pitch), high[i]);
	}
}

static inline __attribute__((always_inline)) void
split64(vec *low, vec *high, const uint64_t v[8])
{
	vec a = _mm256_loadu_si256((const __m256i *)v);
	vec b = _mm256_loadu_si256((const __m256i *)(v + 4));
	__m256 x = _mm256_castsi256_ps(a);
	__m256 y = _mm256_castsi256_ps(b);

	/* Words 0 1 4 5 | 2 3 6 7 of either kind, then in order. */
	*low = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(x, y, 0x88)), 0xd8);
	*high = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(x, y, 0xdd)), 0xd8);
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

static inline __attribute__((always_inline)) void
nothing_beside(void *work, int step)
{
	(void)work;
	(void)step;
}

static inline __attribute__((always_inline)) void
salsa_core(vec x[16])
{
	vec start[16];

	memcpy(start, x, sizeof(start));
	salsa_rounds(x, nothing_beside, NULL);
	for (int i = 0; i < 16; i++)
		x[i] = vec_add(x[i], start[i]);
}

static __attribute__((noinline)) void
lanes_subkeys(struct lanes *l, struct chunk *c, uint32_t slot)
{
	vec x[16], key[8], nonce[4];
	vec out[8];

	(void)l;
	load_quarters(key, c->slot_key + slot, 0);
	load_quarters(key + 4, c->slot_key + slot, 16);
	load_quarters(nonce, c->slot_nonce + slot, 0);
	set_state(x, key, nonce[0], nonce[1], nonce[2], nonce[3]);
	salsa_rounds(x, nothing_beside, NULL);
	for (int i = 0; i < 4; i++) {
		out[i] = x[5 * i];
		out[4 + i] = x[6 + i];
	}
	store_rows(c->subkey[slot], 32, out);
}

/* The subkeys of 8 messages; a car of one key has only one. */
static inline __attribute__((always_inline)) void
load_subkeys(vec key[8], const struct chunk *c, const uint8_t *const row[8])
{
	if (c->slot_count != 1) {
		load_quarters(key, row, 0);
		load_quarters(key + 4, row, 16);
		return;
	}
	for (int i = 0; i < 8; i++) {
		uint32_t word;

		memcpy(&word, c->subkey[0] + 4 * i, 4);
		key[i] = splat(word);
	}
}

static __attribute__((noinline)) void
lanes_block0(struct lanes *l, struct chunk *c, uint32_t p)
{
	vec x[16], key[8], nonce_low, nonce_high;
	const uint8_t *row[LANES];

	(void)l;
	for (uint32_t i = 0; i < LANES; i++)
		row[i] = c->subkey[c->slot[p + i]];
	load_subkeys(key, c, row);
	split64(&nonce_low, &nonce_high, c->nonce_tail + p);
	set_state(x, key, nonce_low, nonce_high, _mm256_setzero_si256(), _mm256_setzero_si256());
	salsa_core(x);
	store_rows(c->polykey[p], 32, x);
	store_rows(c->first[p], 32, x + 8);
}

static inline void
xor32(uintptr_t dst, uintptr_t src, vec stream)
{
	vec v = _mm256_loadu_si256((const __m256i *)src);

	_mm256_storeu_si256((__m256i *)dst, _mm256_xor_si256(v, stream));
}

/* Bytes 0..len of up to `len` < 64, which need not be a multiple of anything. */
static inline void
xor_short(uintptr_t dst, uintptr_t src, const uint8_t *stream, uint64_t len)
{
	alignas(32) uint8_t text[64];

	memcpy(text, (const void *)src, len);
	for (int i = 0; i < 64; i += 32)
		xor32((uintptr_t)text + (uintptr_t)i, (uintptr_t)text + (uintptr_t)i,
		      _mm256_loadu_si256((const __m256i *)(stream + i)));
	memcpy((void *)dst, text, len);
}

static __attribute__((noinline)) void
lanes_first(const struct chunk *c, uint32_t p, uint32_t count)
{
	for (uint32_t i = p; i < p + count; i++) {
		alignas(32) uint8_t stream[64] = { 0 };

		if (c->len[i] >= FIRST_LEN) {
			xor32(c->dst[i], c->src[i],
			      _mm256_load_si256((const __m256i *)c->first[i]));
			continue;
		}
		memcpy(stream, c->first[i], FIRST_LEN);
		if (c->len[i] != 0) /* `in` or `out` may be nothing at all */
			xor_short(c->dst[i], c->src[i], stream, c->len[i]);
	}
}

/* Where a queued block lies, from the text's start. */
static inline uint64_t
item_offset(uint64_t item)
{
	return (item << (64 - ITEM_SHIFT) >> (64 - ITEM_SHIFT)) * 64 - FIRST_LEN;
}

static inline __attribute__((always_inline)) void
queued_stream(vec x[16], const struct chunk *c, const uint64_t *items)
{
	vec key[8], nonce_low, nonce_high, block_low, block_high;
	const uint8_t *row[LANES];
	uint64_t tail[LANES];

	for (uint32_t i = 0; i < LANES; i++) {
		row[i] = c->subkey[c->slot[items[i] >> ITEM_SHIFT]];
		tail[i] = c->nonce_tail[items[i] >> ITEM_SHIFT];
	}
	load_subkeys(key, c, row);
	split64(&nonce_low, &nonce_high, tail);
	split64(&block_low, &block_high, items);
	block_high = _mm256_and_si256(block_high, splat((1u << (ITEM_SHIFT - 32)) - 1));
	set_state(x, key, nonce_low, nonce_high, block_low, block_high);
	salsa_core(x);
}

static inline __attribute__((always_inline)) void
xor_halves(const struct chunk *c, const uint64_t *items, const vec w[8], uint64_t at)
{
	vec row[8];

	turn_halves(row, row + 4, w);
	for (uint32_t i = 0; i < LANES; i++) {
		uint64_t p = items[i] >> ITEM_SHIFT;
		uint64_t offset = item_offset(items[i]) + at;

		xor32(c->dst[p] + offset, c->src[p] + offset, row[i]);
	}
}

static __attribute__((noinline)) void
lanes_full(struct lanes *l, struct chunk *c, const uint64_t *items)
{
	vec x[16];

	(void)l;
	queued_stream(x, c, items);
	xor_halves(c, items, x, 0);
	xor_halves(c, items, x + 8, 32);
}

static __attribute__((noinline)) void
lanes_tail(struct lanes *l, struct chunk *c, const uint64_t *items)
{
	vec x[16];
	alignas(32) uint8_t stream[LANES][64];

	(void)l;
	queued_stream(x, c, items);
	store_rows(stream[0], 64, x);
	store_rows(stream[0] + 32, 64, x + 8);
	for (uint32_t i = 0; i < LANES; i++) {
		uint64_t p = items[i] >> ITEM_SHIFT;
		uint64_t offset = item_offset(items[i]);

		xor_short(c->dst[p] + offset, c->src[p] + offset, stream[i], c->len[p] - offset);
	}
}

static __attribute__((noinline)) void
lanes_run(struct lanes *l, struct chunk *c, uint32_t p, uint64_t block, uint64_t end)
{
	uint64_t items[LANES];

	for (; block < end; block += LANES) {
		for (uint32_t i = 0; i < LANES; i++)
			items[i] = ((uint64_t)p << ITEM_SHIFT | block) + i;
		lanes_full(l, c, items);
	}
}

static inline void
lanes_begin(struct lanes *l, struct chunk *c)
{
	(void)c;
	l->unused = 0;
}

static inline void
lanes_end(struct lanes *l, struct chunk *c)
{
	(void)l;
	(void)c;
}

static inline void
lanes_wipe_registers(void)
{
	__asm__ volatile("vzeroall"
			 :
			 :
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#include "box/box_lanes.h"

const struct bx_box_kernel bx_box_avx2 = {
	.name = "avx2",
	.needs = BX_CPU_AVX2 | BX_CPU_BMI2,
	.lanes = LANES,
	.seal_many = seal_lanes,
	.open_many = open_lanes,
};
