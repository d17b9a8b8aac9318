/* Batches for the tests of the box kernels: laid out, sealed by libsodium, compared. */
#ifndef BX_TESTS_BOX_KIT_H
#define BX_TESTS_BOX_KIT_H

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "box/box_kernel.h"
#include "seeded.h"

#define BOX_KERNELS_MAX 8

/* A kernel that the CPU lacks is left out and named; one that fails its self-test is an error. */
static inline void
box_kit_refused(void *context, const char *kernel, const char *why)
{
	(void)context;
	cr_assert_neq(strcmp(why, "self-test failed"), 0, "%s: %s", kernel, why);
	fprintf(stderr, "skipped: kernel %s: %s\n", kernel, why);
}

static inline size_t
box_kit_kernels(const struct bx_box_kernel *kernels[BOX_KERNELS_MAX])
{
	size_t count = 0;

	cr_assert_geq(sodium_init(), 0);
	for (size_t i = 0; bx_box_kernel_name_at(i) != NULL; i++) {
		struct bx_fail fail = { 0 };

		if (bx_box_pick(&kernels[count], bx_box_kernel_name_at(i), box_kit_refused, NULL,
				&fail) == BX_OK)
			count++;
	}
	cr_assert_gt(count, 0);
	return count;
}

/* How a batch is made. Zero is: one key, random nonces, out of place. */
struct box_shape {
	unsigned keys;      /* taken at random; 0 is 1 */
	bool shared_prefix; /* nonces of a car */
	bool in_place;
	bool gaps; /* up to 40 bytes between the buffers: all alignments */
};

/*
 * `count` messages over three areas of their own. Every byte that does not belong to a message is
 * 0xa5 before and has to be 0xa5 after.
 */
struct box_batch {
	size_t count;
	size_t area_len;
	uint8_t *text;   /* plaintexts; message i at at[i] + 16 */
	uint8_t *boxes;  /* what the kernel sealed; message i at at[i] */
	uint8_t *wanted; /* what libsodium sealed */
	uint8_t *opened; /* like text */
	size_t *at;
	size_t *len;
	uint8_t (*nonce)[BX_BOX_NONCE_LEN];
	uint8_t (*keys)[BX_BOX_KEY_LEN];
	unsigned *key_of;
	struct bx_box_item *items;
	bool in_place;
};

#define BOX_FILL 0xa5

static inline void *
box_kit_alloc(size_t len)
{
	void *p = malloc(len + 1);

	cr_assert_not_null(p);
	return p;
}

static inline void
box_batch_random(struct box_batch *b, const struct box_shape *shape, uint64_t *state)
{
	unsigned keys = shape->keys == 0 ? 1 : shape->keys;

	for (unsigned k = 0; k < keys; k++) {
		for (size_t i = 0; i < BX_BOX_KEY_LEN; i++)
			b->keys[k][i] = (uint8_t)random_next(state);
	}
	for (size_t i = 0; i < b->count; i++) {
		uint64_t words[3] = { random_next(state), random_next(state), random_next(state) };

		memcpy(b->nonce[i], words, sizeof(words));
		if (shape->shared_prefix)
			memcpy(b->nonce[i], b->nonce[0], 16);
		b->key_of[i] = (unsigned)random_below(state, keys);
		for (size_t k = 0; k < b->len[i]; k++)
			b->text[b->at[i] + 16 + k] = (uint8_t)random_next(state);
	}
}

static inline void
box_batch_seal_wanted(struct box_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		cr_assert_eq(crypto_box_easy_afternm(b->wanted + b->at[i], b->text + b->at[i] + 16,
						     b->len[i], b->nonce[i], b->keys[b->key_of[i]]),
			     0);
}

static inline void
box_batch_init(struct box_batch *b, const size_t *lens, size_t count, const struct box_shape *shape,
	       uint64_t seed)
{
	uint64_t state = seed;
	size_t at = 32;

	memset(b, 0, sizeof(*b));
	b->count = count;
	b->in_place = shape->in_place;
	b->at = box_kit_alloc(count * sizeof(*b->at));
	b->len = box_kit_alloc(count * sizeof(*b->len));
	b->nonce = box_kit_alloc(count * sizeof(*b->nonce));
	b->keys = box_kit_alloc((shape->keys + 1) * sizeof(*b->keys));
	b->key_of = box_kit_alloc(count * sizeof(*b->key_of));
	b->items = box_kit_alloc(count * sizeof(*b->items));
	for (size_t i = 0; i < count; i++) {
		if (shape->gaps)
			at += random_below(&state, 41);
		b->at[i] = at;
		b->len[i] = lens[i];
		at += lens[i] + 16;
	}
	b->area_len = at + 32;
	b->text = box_kit_alloc(b->area_len);
	b->boxes = box_kit_alloc(b->area_len);
	b->wanted = box_kit_alloc(b->area_len);
	b->opened = box_kit_alloc(b->area_len);
	memset(b->text, BOX_FILL, b->area_len);
	memset(b->wanted, BOX_FILL, b->area_len);
	box_batch_random(b, shape, &state);
	box_batch_seal_wanted(b);
}

static inline void
box_batch_free(struct box_batch *b)
{
	free(b->text);
	free(b->boxes);
	free(b->wanted);
	free(b->opened);
	free(b->at);
	free(b->len);
	free(b->nonce);
	free(b->keys);
	free(b->key_of);
	free(b->items);
}

/* Items that seal `text` to `boxes`, in place or not. */
static inline void
box_batch_seal_items(struct box_batch *b)
{
	if (b->in_place)
		memcpy(b->boxes, b->text, b->area_len);
	else
		memset(b->boxes, BOX_FILL, b->area_len);
	for (size_t i = 0; i < b->count; i++)
		b->items[i] = (struct bx_box_item){
			.key = b->keys[b->key_of[i]],
			.nonce = b->nonce[i],
			.in = (b->in_place ? b->boxes : b->text) + b->at[i] + 16,
			.out = b->boxes + b->at[i],
			.len = b->len[i],
		};
}

/* Items that open `boxes`, in place (the boxes are lost) or to `opened`. */
static inline void
box_batch_open_items(struct box_batch *b)
{
	memset(b->opened, BOX_FILL, b->area_len);
	for (size_t i = 0; i < b->count; i++)
		b->items[i] = (struct bx_box_item){
			.key = b->keys[b->key_of[i]],
			.nonce = b->nonce[i],
			.in = b->boxes + b->at[i],
			.out = (b->in_place ? b->boxes : b->opened) + b->at[i] + 16,
			.len = b->len[i],
			.ok = i % 2 == 0, /* whatever it was before */
		};
}

static inline void
box_batch_seal(struct box_batch *b, const struct bx_box_kernel *kernel)
{
	box_batch_seal_items(b);
	bx_box_seal_many(kernel, b->items, b->count);
}

static inline void
box_batch_open(struct box_batch *b, const struct bx_box_kernel *kernel)
{
	box_batch_open_items(b);
	bx_box_open_many(kernel, b->items, b->count);
}

static inline void
box_batch_check_sealed(const struct box_batch *b, const struct bx_box_kernel *kernel)
{
	for (size_t i = 0; i < b->count; i++)
		cr_assert_eq(memcmp(b->boxes + b->at[i], b->wanted + b->at[i], b->len[i] + 16), 0,
			     "%s: message %zu of %zu, %zu bytes: not sealed as libsodium does",
			     kernel->name, i, b->count, b->len[i]);
	/* And nothing in between was touched. */
	cr_assert_eq(memcmp(b->boxes, b->wanted, b->area_len), 0, "%s: wrote beside a box",
		     kernel->name);
}

static inline void
box_batch_check_opened(const struct box_batch *b, const struct bx_box_kernel *kernel)
{
	for (size_t i = 0; i < b->count; i++) {
		const uint8_t *out = (b->in_place ? b->boxes : b->opened) + b->at[i] + 16;

		cr_assert(b->items[i].ok, "%s: message %zu of %zu, %zu bytes: did not open",
			  kernel->name, i, b->count, b->len[i]);
		cr_assert_eq(memcmp(out, b->text + b->at[i] + 16, b->len[i]), 0,
			     "%s: message %zu of %zu, %zu bytes: opened to another text",
			     kernel->name, i, b->count, b->len[i]);
	}
	if (!b->in_place)
		cr_assert_eq(memcmp(b->opened, b->text, b->area_len), 0, "%s: wrote beside a text",
			     kernel->name);
}

/* Seals and opens `lens` in one batch and compares with libsodium. */
static inline void
box_kit_round(const struct bx_box_kernel *kernel, const size_t *lens, size_t count,
	      const struct box_shape *shape, uint64_t seed)
{
	struct box_batch b;

	box_batch_init(&b, lens, count, shape, seed);
	box_batch_seal(&b, kernel);
	box_batch_check_sealed(&b, kernel);
	box_batch_open(&b, kernel);
	box_batch_check_opened(&b, kernel);
	box_batch_free(&b);
}

#endif
