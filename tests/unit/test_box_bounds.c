/* box: kernels stay inside the buffers, touch nothing of what fails, and leave no secret behind. */
#include "box/box_kernel.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "box_kit.h"

/* --- guard pages ----------------------------------------------------------------------------- */

/* Memory between two pages that fault: what is placed at either edge cannot be overrun there. */
struct fence {
	uint8_t *begin;
	uint8_t *end;
};

static struct fence
fence_make(size_t cap)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = (cap + page - 1) / page * page;
	uint8_t *map =
	    mmap(NULL, len + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(map, MAP_FAILED);
	cr_assert_eq(mprotect(map, page, PROT_NONE), 0);
	cr_assert_eq(mprotect(map + page + len, page, PROT_NONE), 0);
	return (struct fence){ map + page, map + page + len };
}

static uint8_t *
fence_place(const struct fence *f, size_t len, bool at_end)
{
	return at_end ? f->end - len : f->begin;
}

#define FENCED 9u
#define FENCED_MAX 3000u

struct fenced {
	struct fence key[FENCED], nonce[FENCED], text[FENCED], box[FENCED];
	struct bx_box_item items[FENCED];
	size_t len[FENCED];
};

static void
fenced_seal(struct fenced *f, const struct bx_box_kernel *kernel, size_t count, bool at_end,
	    uint64_t *state)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *key = fence_place(&f->key[i], 32, at_end);
		uint8_t *nonce = fence_place(&f->nonce[i], 24, at_end);
		uint8_t *text = fence_place(&f->text[i], f->len[i], at_end);
		uint8_t *box = fence_place(&f->box[i], f->len[i] + 16, at_end);

		for (size_t k = 0; k < 32; k++)
			key[k] = (uint8_t)random_next(state);
		memset(nonce, (int)i, 24);
		memset(text, (int)f->len[i], f->len[i]);
		f->items[i] = (struct bx_box_item){ key, nonce, text, box, f->len[i], false };
	}
	bx_box_seal_many(kernel, f->items, count);
	for (size_t i = 0; i < count; i++) {
		static uint8_t wanted[FENCED_MAX + 16];
		const struct bx_box_item *m = &f->items[i];

		cr_assert_eq(crypto_box_easy_afternm(wanted, m->in, m->len, m->nonce, m->key), 0);
		cr_assert_eq(memcmp(wanted, m->out, m->len + 16), 0);
	}
}

static void
fenced_open(struct fenced *f, const struct bx_box_kernel *kernel, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *text = (uint8_t *)(uintptr_t)f->items[i].in;

		f->items[i].in = f->items[i].out;
		f->items[i].out = text;
		memset(text, 0xee, f->len[i]);
	}
	bx_box_open_many(kernel, f->items, count);
	for (size_t i = 0; i < count; i++) {
		cr_assert(f->items[i].ok);
		for (size_t k = 0; k < f->len[i]; k++)
			cr_assert_eq(f->items[i].out[k], (uint8_t)f->len[i]);
	}
}

Test(box_bounds, nothing_is_read_or_written_beside_the_buffers)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	static struct fenced f;
	uint64_t state = 5;

	for (size_t i = 0; i < FENCED; i++) {
		f.key[i] = fence_make(32);
		f.nonce[i] = fence_make(24);
		f.text[i] = fence_make(FENCED_MAX);
		f.box[i] = fence_make(FENCED_MAX + 16);
	}
	for (size_t k = 0; k < kernel_count; k++) {
		for (size_t len = 0; len < 2400; len += len < 400 ? 1 : 37) {
			for (unsigned at_end = 0; at_end < 2; at_end++) {
				size_t count = len % 3 == 0 ? 1 : FENCED;

				for (size_t i = 0; i < count; i++)
					f.len[i] = i == 0 ? len : random_below(&state, len + 70);
				fenced_seal(&f, kernels[k], count, at_end != 0, &state);
				fenced_open(&f, kernels[k], count);
			}
		}
	}
}

Test(box_bounds, an_empty_text_may_be_nowhere)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	static const uint8_t key[32] = { 1 };
	static const uint8_t nonce[24] = { 2 };

	for (size_t k = 0; k < kernel_count; k++) {
		uint8_t tags[40][16];
		struct bx_box_item items[40];

		for (size_t i = 0; i < 40; i++)
			items[i] = (struct bx_box_item){ key, nonce, NULL, tags[i], 0, false };
		bx_box_seal_many(kernels[k], items, 40);
		for (size_t i = 0; i < 40; i++)
			items[i] = (struct bx_box_item){ key, nonce, tags[i], NULL, 0, false };
		bx_box_open_many(kernels[k], items, 40);
		for (size_t i = 0; i < 40; i++)
			cr_assert(items[i].ok);
		bx_box_seal_many(kernels[k], NULL, 0);
		bx_box_open_many(kernels[k], NULL, 0);
	}
}

/* --- what does not verify -------------------------------------------------------------------- */

/* Byte `at` of message `bad` in [tag 16][text][nonce 24], counted on. */
static void
damage(struct box_batch *b, size_t bad, size_t at)
{
	if (at < b->len[bad] + 16)
		b->boxes[b->at[bad] + at] ^= 0x10;
	else
		b->nonce[bad][at - b->len[bad] - 16] ^= 0x10;
}

/* Opens `b`, in which message `bad` is damaged (none when it is SIZE_MAX). */
static void
open_damaged(struct box_batch *b, const struct bx_box_kernel *kernel, size_t bad)
{
	uint8_t *before = box_kit_alloc(b->area_len);
	uint8_t *opened;

	box_batch_open_items(b);
	opened = b->in_place ? b->boxes : b->opened;
	memcpy(before, opened, b->area_len);
	bx_box_open_many(kernel, b->items, b->count);
	for (size_t i = 0; i < b->count; i++) {
		const uint8_t *want = (i == bad ? before : b->text) + b->at[i] + 16;

		cr_assert_eq(b->items[i].ok, i != bad, "%s: message %zu of %zu, damaged is %zu",
			     kernel->name, i, b->count, bad);
		cr_assert_eq(memcmp(opened + b->at[i] + 16, want, b->len[i]), 0,
			     "%s: message %zu of %zu, damaged is %zu", kernel->name, i, b->count,
			     bad);
	}
	free(before);
}

Test(box_bounds, one_damaged_message_at_every_place_of_every_group)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	uint64_t state = 11;

	for (size_t k = 0; k < kernel_count; k++) {
		for (size_t count = 1; count <= 40; count++) {
			size_t lens[40];

			for (size_t i = 0; i < count; i++)
				lens[i] = random_below(&state, count % 2 ? 90 : 700);
			for (size_t bad = 0; bad < count; bad++) {
				struct box_shape shape = { .keys = 2,
							   .shared_prefix = bad & 1,
							   .in_place = bad >> 1 & 1 };
				struct box_batch b;

				box_batch_init(&b, lens, count, &shape, state);
				box_batch_seal(&b, kernels[k]);
				damage(&b, bad, random_below(&state, lens[bad] + 40));
				open_damaged(&b, kernels[k], bad);
				box_batch_free(&b);
			}
		}
	}
}

Test(box_bounds, every_byte_of_a_box_and_its_nonce_counts)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	static const size_t sizes[] = { 0, 1, 16, 31, 33, 100, 256, 515 };

	for (size_t k = 0; k < kernel_count; k++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			size_t lens[17];
			struct box_shape shape = { .keys = 1 };
			struct box_batch b;

			for (size_t i = 0; i < 17; i++)
				lens[i] = sizes[s];
			box_batch_init(&b, lens, 17, &shape, s);
			box_batch_seal(&b, kernels[k]);
			for (size_t at = 0; at < sizes[s] + 40; at++) {
				damage(&b, at % 17, at);
				open_damaged(&b, kernels[k], at % 17);
				damage(&b, at % 17, at);
			}
			open_damaged(&b, kernels[k], SIZE_MAX);
			box_batch_free(&b);
		}
	}
}

Test(box_bounds, every_bit_of_a_tag_counts)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);

	for (size_t k = 0; k < kernel_count; k++) {
		/* 128 messages, in each another bit is wrong: all fail, and nothing is written. */
		size_t lens[129];
		struct box_shape shape = { .keys = 1, .shared_prefix = true };
		struct box_batch b;

		for (size_t i = 0; i < 129; i++)
			lens[i] = 50;
		box_batch_init(&b, lens, 129, &shape, 1);
		box_batch_seal(&b, kernels[k]);
		for (size_t i = 0; i < 128; i++)
			b.boxes[b.at[i] + i / 8] ^= (uint8_t)(1u << i % 8);
		box_batch_open(&b, kernels[k]);
		for (size_t i = 0; i < 129; i++)
			cr_assert_eq(b.items[i].ok, i == 128);
		for (size_t i = 0; i < b.at[128] + 16; i++)
			cr_assert_eq(b.opened[i], BOX_FILL);
		box_batch_free(&b);
	}
}

/* --- secrets on the stack -------------------------------------------------------------------- */

/* A sanitizer keeps frames elsewhere and copies of its own: there is nothing to be said then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACKS_MOVED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACKS_MOVED true
#endif
#endif
#if !defined(STACKS_MOVED)
#define STACKS_MOVED false
#endif

#define STACK_LEN ((size_t)1 << 20)
#define SECRETS_MAX 4096u

/* Words that must not be found on the stack after a call. */
struct secrets {
	size_t count32;
	size_t count64;
	uint32_t word32[SECRETS_MAX];
	uint64_t word64[SECRETS_MAX];
};

static void
add_words(struct secrets *s, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 4 <= len; i += 4) {
		cr_assert_lt(s->count32, SECRETS_MAX);
		memcpy(&s->word32[s->count32++], bytes + i, 4);
	}
}

/* All that may not leak of one message: keys, keystream, text, Poly1305's r and its limbs. */
static void
add_message(struct secrets *s, const struct box_batch *b, size_t i)
{
	const uint8_t *key = b->keys[b->key_of[i]];
	uint8_t subkey[32];
	uint8_t stream[192];
	uint64_t r[2];

	cr_assert_eq(crypto_core_hsalsa20(subkey, b->nonce[i], key, NULL), 0);
	cr_assert_eq(crypto_stream_salsa20(stream, sizeof(stream), b->nonce[i] + 16, subkey), 0);
	add_words(s, key, 32);
	add_words(s, subkey, 32);
	add_words(s, stream, sizeof(stream));
	add_words(s, b->text + b->at[i] + 16, b->len[i] < 96 ? b->len[i] : 96);
	memcpy(r, stream, 16);
	r[0] &= 0x0ffffffc0fffffff;
	r[1] &= 0x0ffffffc0ffffffc;
	cr_assert_lt(s->count64 + 8, SECRETS_MAX);
	s->word64[s->count64++] = r[0];
	s->word64[s->count64++] = r[1];
	s->word64[s->count64++] = r[0] & ((1ull << 44) - 1);
	s->word64[s->count64++] = (r[0] >> 44 | r[1] << 20) & ((1ull << 44) - 1);
	s->word64[s->count64++] = r[1] >> 24;
}

static int
compare32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* How many secret words lie on the stack; one by chance is to be expected in 2^32 / (n m). */
static size_t
count_secrets(struct secrets *s, const uint8_t *stack)
{
	size_t found = 0;

	qsort(s->word32, s->count32, sizeof(s->word32[0]), compare32);
	for (size_t at = 0; at + 8 <= STACK_LEN; at += 4) {
		uint32_t w;
		uint64_t v;

		memcpy(&w, stack + at, 4);
		memcpy(&v, stack + at, 8);
		if (w != 0 && bsearch(&w, s->word32, s->count32, 4, compare32) != NULL)
			found++;
		for (size_t i = 0; at % 8 == 0 && i < s->count64; i++)
			found += v == s->word64[i];
	}
	return found;
}

struct call {
	const struct bx_box_kernel *kernel;
	struct bx_box_item *items;
	size_t count;
	bool open;
};

static void *
run_call(void *arg)
{
	struct call *c = arg;

	if (c->open)
		bx_box_open_many(c->kernel, c->items, c->count);
	else
		bx_box_seal_many(c->kernel, c->items, c->count);
	return NULL;
}

static size_t
secrets_left(struct box_batch *b, struct call *call)
{
	static struct secrets s;
	uint8_t *stack =
	    mmap(NULL, STACK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;
	size_t found;

	cr_assert_neq(stack, MAP_FAILED);
	s.count32 = 0;
	s.count64 = 0;
	for (size_t i = 0; i < b->count; i++)
		add_message(&s, b, i);
	cr_assert_eq(pthread_attr_init(&attr), 0);
	cr_assert_eq(pthread_attr_setstack(&attr, stack, STACK_LEN), 0);
	cr_assert_eq(pthread_create(&thread, &attr, run_call, call), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	found = count_secrets(&s, stack);
	pthread_attr_destroy(&attr);
	munmap(stack, STACK_LEN);
	return found;
}

static size_t
secrets_left_by(const struct bx_box_kernel *kernel, const size_t *lens, size_t count, bool open,
		bool damaged)
{
	struct box_shape shape = { .keys = 3, .shared_prefix = count % 2 == 0 };
	struct box_batch b;
	struct call call = { .kernel = kernel, .count = count, .open = open };
	size_t found;

	box_batch_init(&b, lens, count, &shape, count);
	if (open) {
		memcpy(b.boxes, b.wanted, b.area_len);
		for (size_t i = 0; damaged && i < count; i += 3)
			b.boxes[b.at[i]] ^= 1;
		box_batch_open_items(&b);
	} else {
		box_batch_seal_items(&b);
	}
	call.items = b.items;
	found = secrets_left(&b, &call);
	box_batch_free(&b);
	return found;
}

/* A kernel that keeps a copy of its keys on the stack: what the search has to find. */
static void
seal_carelessly(struct bx_box_item *items, size_t count)
{
	uint8_t keys[32][32];

	for (size_t i = 0; i < count && i < 32; i++)
		memcpy(keys[i], items[i].key, 32);
	__asm__ volatile("" : : "r"(keys) : "memory");
}

Test(box_bounds, the_search_for_secrets_finds_some, .disabled = STACKS_MOVED)
{
	struct bx_box_kernel careless = bx_box_portable;
	size_t lens[10] = { 0 };

	careless.seal_many = seal_carelessly;
	cr_assert_geq(secrets_left_by(&careless, lens, 10, false, false), 8 * 3);
}

/* libsodium wipes what it calls secret; registers that its own code spills are not ours to clear.
 */
Test(box_bounds, no_secret_is_left_on_the_stack, .disabled = STACKS_MOVED)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	static const size_t counts[] = { 1, 3, 8, 16, 21 };

	for (size_t k = 0; k < kernel_count; k++) {
		if (kernels[k] == &bx_box_portable)
			continue;
		for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
			for (unsigned way = 0; way < 6; way++) {
				size_t lens[21];

				/* Short; with tails; long enough for runs and the spread way. */
				for (size_t i = 0; i < counts[c]; i++)
					lens[i] = way % 3 == 0   ? 20 + i
						  : way % 3 == 1 ? 100 + 13 * i
								 : 2100 + 500 * (i % 4);
				cr_assert_leq(
				    secrets_left_by(kernels[k], lens, counts[c], false, false), 0,
				    "%s: sealing %zu messages, way %u", kernels[k]->name, counts[c],
				    way);
				cr_assert_leq(
				    secrets_left_by(kernels[k], lens, counts[c], true, way >= 3), 0,
				    "%s: opening %zu messages, way %u", kernels[k]->name, counts[c],
				    way);
			}
		}
	}
}
