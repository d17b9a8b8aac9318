/*
 * A chunk of a batch, laid out for kernels whose lanes run across messages: sorted by length, with
 * one subkey for every pair of (key, first 16 nonce bytes). Included by the ISA files only.
 *
 * The text of a message is enciphered with the XSalsa20 blocks 0, 1, 2, ... (NaCl secretbox): the
 * first 32 bytes of block 0 are the Poly1305 key, its other half goes over text bytes 0..31, and
 * block b >= 1 over text bytes [64 b - 32, 64 b + 32).
 */
#ifndef BX_BOX_BOX_CHUNK_H
#define BX_BOX_BOX_CHUNK_H

#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include "box/box_kernel.h"

/* Messages per chunk: enough for sorting to pay, few enough for the tables to stay in L1. */
#define CHUNK 256u

/* Bytes of text after which a chunk is closed: what is enciphered is still in L2 for its tag. */
#define CHUNK_TEXT (256u << 10)

/* Messages whose blocks are queued before the queues are worked off. */
#define GROUP 32u

/* The widest lanes of any kernel: tables have room for as many padding messages. */
#define MAX_LANES 16u

/* Tables by row have MAX_LANES more rows from here on, for lanes that have nothing to do. */
#define IDLE_ROW (CHUNK + MAX_LANES)

/* Block 0 serves this many bytes of text. */
#define FIRST_LEN 32u

/* A queue item is message << ITEM_SHIFT | block number: 2^54 bytes of text and more fit. */
#define ITEM_SHIFT 48
static_assert(CHUNK + MAX_LANES <= 1u << (64 - ITEM_SHIFT), "a message fits into a queue item");

/* From this many full blocks on a message is enciphered by itself, lanes across its blocks. */
#define RUN_MIN 32u

#define BUCKETS 256u

/* Entries of the cache in front of the slot table. */
#define CACHE_BITS 8

/*
 * Lives on the stack of seal_many/open_many. Index p is a message in sorted order, longest first;
 * p in [count, count + MAX_LANES) are padding that reads and writes `dump`.
 */
struct chunk {
	/* Secret, wiped after use. */
	alignas(64) uint8_t subkey[IDLE_ROW + MAX_LANES][32];       /* by slot */
	alignas(64) uint8_t polykey[IDLE_ROW + MAX_LANES][32];      /* in the layout of the ISA */
	alignas(64) uint8_t first[IDLE_ROW + MAX_LANES][FIRST_LEN]; /* keystream of block 0 */
	alignas(64) uint64_t tag[CHUNK + MAX_LANES][2];
	alignas(64) uint8_t dump[128];

	/* Public. */
	alignas(64) uint64_t nonce_tail[CHUNK + MAX_LANES]; /* nonce bytes 16..23 */
	uint64_t len[CHUNK + MAX_LANES];
	uintptr_t src[CHUNK + MAX_LANES]; /* addresses of the texts */
	uintptr_t dst[CHUNK + MAX_LANES];
	uint16_t slot[CHUNK + MAX_LANES]; /* index of the subkey */
	uint16_t item[CHUNK];             /* index in items[] */
	const uint8_t *slot_key[CHUNK + MAX_LANES];
	const uint8_t *slot_nonce[CHUNK + MAX_LANES];
	uint32_t count;
	uint32_t slot_count;
};

static inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* Sort key: 16-byte blocks, exact below 2 KiB, then eight steps per doubling. Long first. */
static inline uint32_t
bucket_of(size_t len)
{
	uint64_t blocks = (len >> 4) + 1;
	uint32_t exponent = 63 - (uint32_t)__builtin_clzll(blocks | 128);
	uint32_t coarse = 128 + (exponent - 7) * 8 + (uint32_t)(blocks >> (exponent - 3) & 7);
	uint32_t bucket = blocks < 128 ? (uint32_t)blocks : coarse;

	return BUCKETS - 1 - (bucket < BUCKETS ? bucket : BUCKETS - 1);
}

/*
 * The slot of (key, nonce prefix): a direct-mapped cache in front of the slot table. Pairs that
 * evict each other are only computed twice. Keys are told apart by address, not by content: key
 * bytes decide nothing here.
 */
static inline uint32_t
slot_of(struct chunk *c, uint16_t *cache, const struct bx_box_item *item)
{
	uint64_t low = load64(item->nonce);
	uint64_t high = load64(item->nonce + 8);
	uint64_t mixed = (low ^ (high << 32 | high >> 32) ^ (uint64_t)(uintptr_t)item->key) *
			 0x9e3779b97f4a7c15u;
	uint16_t *entry = &cache[mixed >> (64 - CACHE_BITS)];
	uint32_t slot = *entry;
	const uint8_t *nonce = c->slot_nonce[slot];

	/* A branch, as it is well predicted: the next item need not wait for this one's lookup. */
	if (c->slot_key[slot] == item->key &&
	    ((load64(nonce) ^ low) | (load64(nonce + 8) ^ high)) == 0)
		return slot;
	slot = c->slot_count++;
	c->slot_key[slot] = item->key;
	c->slot_nonce[slot] = item->nonce;
	*entry = (uint16_t)slot;
	return slot;
}

/*
 * place[b] becomes the first sorted index of bucket b. False: all are in one bucket, and the order
 * of the items will do.
 */
static inline bool
count_lengths(uint16_t *place, uint8_t *bucket, const struct bx_box_item *items, uint32_t count)
{
	uint32_t first = BUCKETS - 1;
	uint32_t last = 0;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t b = bucket_of(items[i].len);

		bucket[i] = (uint8_t)b;
		first = b < first ? b : first;
		last = b > last ? b : last;
	}
	if (first == last)
		return false;
	memset(place, 0, BUCKETS * sizeof(*place));
	for (uint32_t i = 0; i < count; i++)
		place[bucket[i]]++;
	for (uint32_t b = first; b <= last; b++) {
		uint32_t here = place[b];

		place[b] = (uint16_t)sum;
		sum += here;
	}
	return true;
}

static inline void
pad_chunk(struct chunk *c)
{
	for (uint32_t p = c->count; p < c->count + MAX_LANES; p++) {
		c->nonce_tail[p] = 0;
		c->len[p] = FIRST_LEN + 64; /* its block 1 is whole */
		c->src[p] = (uintptr_t)c->dump;
		c->dst[p] = (uintptr_t)c->dump;
		c->slot[p] = 0;
	}
	for (uint32_t s = c->slot_count; s < c->slot_count + MAX_LANES; s++) {
		c->slot_key[s] = c->slot_key[0];
		c->slot_nonce[s] = c->slot_nonce[0];
	}
}

static inline void
place_item(struct chunk *c, uint16_t *cache, const struct bx_box_item *item, uint32_t p, uint32_t i)
{
	c->src[p] = (uintptr_t)item->in;
	c->dst[p] = (uintptr_t)item->out;
	c->len[p] = item->len;
	c->nonce_tail[p] = load64(item->nonce + 16);
	c->slot[p] = (uint16_t)slot_of(c, cache, item);
	c->item[p] = (uint16_t)i;
}

static inline void
plan_chunk(struct chunk *c, const struct bx_box_item *items, uint32_t count)
{
	uint16_t cache[1u << CACHE_BITS] = { 0 };
	uint16_t place[BUCKETS];
	uint8_t bucket[CHUNK];

	c->count = count;
	c->slot_count = 0;
	c->slot_key[0] = NULL;
	c->slot_nonce[0] = items[0].nonce;
	if (count_lengths(place, bucket, items, count)) {
		for (uint32_t i = 0; i < count; i++)
			place_item(c, cache, &items[i], place[bucket[i]]++, i);
	} else {
		for (uint32_t i = 0; i < count; i++)
			place_item(c, cache, &items[i], i, i);
	}
	pad_chunk(c);
}

#endif
