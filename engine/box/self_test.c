#include "box/box_kernel.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

/*
 * A batch that visits every path of the kernels: several groups, every tail length, messages long
 * enough for the contiguous paths, few and many keys, shared and unlike nonce prefixes.
 */
#define ITEM_COUNT 75u
#define KEY_COUNT 3u
#define LONG_COUNT 3u
#define TEXT_TOTAL 36864u

struct bench {
	uint8_t keys[KEY_COUNT][BX_BOX_KEY_LEN];
	uint8_t nonces[ITEM_COUNT][BX_BOX_NONCE_LEN];
	struct bx_box_item items[ITEM_COUNT];
	uint8_t text[TEXT_TOTAL];
	uint8_t boxes[TEXT_TOTAL + ITEM_COUNT * BX_BOX_TAG_LEN];
	uint8_t wanted[TEXT_TOTAL + ITEM_COUNT * BX_BOX_TAG_LEN];
	uint8_t opened[TEXT_TOTAL];
};

static size_t
length_of(size_t i)
{
	static const uint16_t longest[LONG_COUNT] = { 2081, 4100, 6000 };

	/* 0..575 in an order that is not sorted, all residues of 16 and 64 among them. */
	return i < LONG_COUNT ? longest[i] : i * 37u % 576u;
}

static void
make_batch(struct bench *b)
{
	static const uint8_t seed[randombytes_SEEDBYTES] = "boxcar kernel self-test";

	randombytes_buf_deterministic(b->text, sizeof(b->text), seed);
	memcpy(b->keys, b->text + 1, sizeof(b->keys));
	memcpy(b->nonces, b->text + 1000, sizeof(b->nonces));
	/* The first third shares a prefix, as the messages of a car do. */
	for (size_t i = 1; i < ITEM_COUNT / 3; i++)
		memcpy(b->nonces[i], b->nonces[0], 16);
}

/* Lays the items over `from` and `to`; `in_gap`/`out_gap` are the tag's room on either side. */
static void
lay_items(struct bench *b, const uint8_t *from, size_t in_gap, uint8_t *to, size_t out_gap)
{
	size_t in_at = 0;
	size_t out_at = 0;

	for (size_t i = 0; i < ITEM_COUNT; i++) {
		size_t len = length_of(i);

		b->items[i] = (struct bx_box_item){ .key = b->keys[i % 7 % KEY_COUNT],
						    .nonce = b->nonces[i],
						    .in = from + in_at,
						    .out = to + out_at,
						    .len = len };
		in_at += len + in_gap;
		out_at += len + out_gap;
		assert(in_at <= TEXT_TOTAL + (i + 1) * in_gap);
	}
}

static bool
opens_all_but(struct bench *b, const struct bx_box_kernel *kernel, const size_t *bad, size_t bads)
{
	memset(b->opened, 0xaa, sizeof(b->opened));
	lay_items(b, b->boxes, BX_BOX_TAG_LEN, b->opened, 0);
	kernel->open_many(b->items, ITEM_COUNT);
	for (size_t i = 0, at = 0; i < ITEM_COUNT; at += length_of(i), i++) {
		bool want = true;
		size_t len = length_of(i);

		for (size_t k = 0; k < bads; k++)
			want = want && bad[k] != i;
		if (b->items[i].ok != want)
			return false;
		if (want && memcmp(b->opened + at, b->text + at, len) != 0)
			return false;
		for (size_t k = 0; !want && k < len; k++) {
			if (b->opened[at + k] != 0xaa)
				return false;
		}
	}
	return true;
}

bool
bx_box_self_test(const struct bx_box_kernel *kernel)
{
	struct bench b;
	static const size_t bad[] = { 1, 20, 74 };
	size_t at = 0;
	bool ok;

	make_batch(&b);
	memset(b.wanted, 0, sizeof(b.wanted));
	memset(b.boxes, 0, sizeof(b.boxes));
	lay_items(&b, b.text, 0, b.wanted, BX_BOX_TAG_LEN);
	for (size_t i = 0; i < ITEM_COUNT; i++) {
		const struct bx_box_item *item = &b.items[i];

		if (crypto_box_easy_afternm(item->out, item->in, item->len, item->nonce,
					    item->key) != 0)
			return false;
	}
	lay_items(&b, b.text, 0, b.boxes, BX_BOX_TAG_LEN);
	kernel->seal_many(b.items, ITEM_COUNT);
	if (memcmp(b.boxes, b.wanted, sizeof(b.boxes)) != 0)
		return false;
	if (!opens_all_but(&b, kernel, NULL, 0))
		return false;
	/* One bit of the tag, of the first and of the last byte of the text. */
	for (size_t i = 0; i < ITEM_COUNT; i++) {
		if (i == bad[0])
			b.boxes[at + 15] ^= 0x80;
		if (i == bad[1])
			b.boxes[at + 16] ^= 1;
		if (i == bad[2])
			b.boxes[at + 15 + length_of(i)] ^= 1;
		at += length_of(i) + BX_BOX_TAG_LEN;
	}
	ok = opens_all_but(&b, kernel, bad, sizeof(bad) / sizeof(bad[0]));
	sodium_memzero(&b, sizeof(b));
	return ok;
}
