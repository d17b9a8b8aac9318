/* box: every kernel against libsodium, known answers, and how a kernel is chosen. */
#include "box/box_kernel.h"

#include "base/cpu.h"
#include "box_kit.h"
#include "vectors.h"

#define MAX_LEN 4096u

/* --- the same bytes as libsodium ------------------------------------------------------------- */

Test(box, every_length_is_sealed_and_opened_as_by_libsodium)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);

	for (size_t k = 0; k < kernel_count; k++) {
		for (size_t from = 0; from <= MAX_LEN; from += 67) {
			size_t lens[67];
			size_t count = 0;

			for (size_t len = from; len < from + 67 && len <= MAX_LEN; len++)
				lens[count++] = len;
			for (unsigned i = 0; i < 4; i++) {
				struct box_shape shape = { .keys = 3,
							   .shared_prefix = i & 1,
							   .in_place = i >> 1 & 1,
							   .gaps = true };

				box_kit_round(kernels[k], lens, count, &shape, from + i);
			}
		}
	}
}

Test(box, a_message_alone_and_copies_of_it)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	static const size_t copies[] = { 1, 2, 7, 16, 33 };

	for (size_t k = 0; k < kernel_count; k++) {
		for (size_t len = 0; len <= 700; len++) {
			size_t lens[33];
			size_t count = copies[len % 5];
			struct box_shape shape = { .shared_prefix = len & 1,
						   .in_place = len >> 1 & 1 };

			for (size_t i = 0; i < count; i++)
				lens[i] = len;
			box_kit_round(kernels[k], lens, count, &shape, len);
		}
	}
}

Test(box, every_count_up_to_70)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);

	for (size_t k = 0; k < kernel_count; k++) {
		for (size_t count = 0; count <= 70; count++) {
			uint64_t state = count;
			size_t lens[70];

			for (unsigned round = 0; round < 6; round++) {
				/* All short, all middling, a few long ones among short ones. */
				static const size_t most[] = { 33, 200, 1500 };
				struct box_shape shape = { .keys = round < 3 ? 1 : 40,
							   .shared_prefix = round & 1,
							   .in_place = round >> 1 & 1,
							   .gaps = true };

				for (size_t i = 0; i < count; i++)
					lens[i] = random_below(&state, most[round % 3]);
				if (count != 0 && round % 3 == 2)
					lens[random_below(&state, count)] = 3000 + count;
				box_kit_round(kernels[k], lens, count, &shape, state);
			}
		}
	}
}

Test(box, mixed_batches)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	uint64_t state = 7;
	uint64_t rounds = random_count("BX_BOX_ROUNDS", 150);

	for (uint64_t round = 0; round < rounds; round++) {
		size_t lens[700];
		size_t count = 1 + random_below(&state, 700);
		struct box_shape shape = { .keys = (unsigned)(1 + random_below(&state, 300)),
					   .shared_prefix = random_below(&state, 2),
					   .in_place = random_below(&state, 2),
					   .gaps = random_below(&state, 2) };

		for (size_t i = 0; i < count; i++) {
			/* Every order of size up to 2^13. */
			lens[i] = random_next(&state) >> (51 + random_below(&state, 13));
		}
		for (size_t k = 0; k < kernel_count; k++)
			box_kit_round(kernels[k], lens, count, &shape, state);
	}
}

Test(box, long_messages)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	static const size_t lens[] = { 4u << 20,   (4u << 20) - 1, 1000003, 65536 + 32, 65536,
				       65535 - 32, 262144 + 31,    5,       2080,       2079 };

	for (size_t k = 0; k < kernel_count; k++) {
		for (unsigned i = 0; i < 2; i++) {
			struct box_shape shape = { .keys = 2, .in_place = i };

			box_kit_round(kernels[k], lens, sizeof(lens) / sizeof(lens[0]), &shape, i);
			box_kit_round(kernels[k], lens, 1, &shape, i);
		}
	}
}

Test(box, lengths_sampled_to_4_mib)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	uint64_t state = 99;

	for (unsigned round = 0; round < 12; round++) {
		size_t lens[9];
		struct box_shape shape = { .keys = 4, .shared_prefix = round & 1, .gaps = true };

		for (size_t i = 0; i < 9; i++)
			lens[i] = random_next(&state) >> (42 + random_below(&state, 12));
		for (size_t k = 0; k < kernel_count; k++)
			box_kit_round(kernels[k], lens, 9, &shape, state);
	}
}

Test(box, equal_keys_at_different_addresses_and_back)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	size_t lens[64];

	for (size_t i = 0; i < 64; i++)
		lens[i] = i * 5;
	for (size_t k = 0; k < kernel_count; k++) {
		struct box_batch b;
		struct box_shape shape = { .keys = 64, .shared_prefix = true };

		box_batch_init(&b, lens, 64, &shape, 3);
		/* Two keys, 32 addresses each, in turn; and two prefixes. */
		for (size_t i = 0; i < 64; i++) {
			memcpy(b.keys[i], b.keys[i & 1], BX_BOX_KEY_LEN);
			b.key_of[i] = (unsigned)i;
			b.nonce[i][15] = (uint8_t)(i >> 1 & 1);
		}
		box_batch_seal_wanted(&b);
		box_batch_seal(&b, kernels[k]);
		box_batch_check_sealed(&b, kernels[k]);
		box_batch_open(&b, kernels[k]);
		box_batch_check_opened(&b, kernels[k]);
		box_batch_free(&b);
	}
}

/* --- known answers --------------------------------------------------------------------------- */

/* One field of tests/kat/box.txt, "name: hex"; false at the blank line that ends a case. */
static bool
read_field(FILE *f, char name[16], uint8_t *bytes, size_t *len)
{
	static char line[20000];
	char *hex;

	do {
		if (fgets(line, sizeof(line), f) == NULL)
			return false;
	} while (line[0] == '#');
	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '\0')
		return false;
	hex = strstr(line, ": ");
	cr_assert_not_null(hex, "%s", line);
	*hex = '\0';
	hex += 2;
	(void)snprintf(name, 16, "%.15s", line);
	if (strcmp(name, "expect") == 0) {
		*len = strlen(hex);
		memcpy(bytes, hex, *len + 1);
		return true;
	}
	cr_assert_eq(sodium_hex2bin(bytes, 8192, hex, strlen(hex), NULL, len, NULL), 0);
	return true;
}

struct answer {
	char expect[64];
	uint8_t key[32];
	uint8_t nonce[24];
	uint8_t text[8192];
	uint8_t box[8192];
	size_t text_len;
	size_t box_len;
};

static bool
read_answer(FILE *f, struct answer *a)
{
	char name[16];
	static uint8_t bytes[8192];
	size_t len;
	bool any = false;

	memset(a, 0, sizeof(*a));
	while (read_field(f, name, bytes, &len)) {
		any = true;
		if (strcmp(name, "expect") == 0)
			(void)snprintf(a->expect, sizeof(a->expect), "%s", (char *)bytes);
		else if (strcmp(name, "key") == 0)
			memcpy(a->key, bytes, 32);
		else if (strcmp(name, "nonce") == 0)
			memcpy(a->nonce, bytes, 24);
		else if (strcmp(name, "text") == 0)
			memcpy(a->text, bytes, a->text_len = len);
		else if (strcmp(name, "box") == 0)
			memcpy(a->box, bytes, a->box_len = len);
		else
			cr_assert_fail("a field of the name %s", name);
	}
	return any;
}

static void
check_answer(const struct answer *a, const struct bx_box_kernel *kernel)
{
	uint8_t out[8192 + 16];
	bool opens = strcmp(a->expect, "success") == 0;
	struct bx_box_item item = { a->key, a->nonce, a->box, out, a->box_len - 16, !opens };

	memset(out, 0x5a, sizeof(out));
	bx_box_open_many(kernel, &item, 1);
	cr_assert_eq(item.ok, opens, "%s: %s", kernel->name, a->expect);
	if (!opens) {
		for (size_t i = 0; i < sizeof(out); i++)
			cr_assert_eq(out[i], 0x5a);
		return;
	}
	cr_assert_eq(memcmp(out, a->text, a->text_len), 0);
	item = (struct bx_box_item){ a->key, a->nonce, a->text, out, a->text_len, false };
	bx_box_seal_many(kernel, &item, 1);
	cr_assert_eq(memcmp(out, a->box, a->box_len), 0, "%s: %zu bytes", kernel->name,
		     a->text_len);
}

Test(box, known_answers)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	static struct answer a;
	FILE *f = fopen(BX_TEST_DATA "/../kat/box.txt", "r");
	unsigned good = 0;
	unsigned bad = 0;

	cr_assert_not_null(f);
	while (!feof(f)) {
		if (!read_answer(f, &a))
			continue;
		for (size_t k = 0; k < kernel_count; k++)
			check_answer(&a, kernels[k]);
		if (strcmp(a.expect, "success") == 0)
			good++;
		else
			bad++;
	}
	fclose(f);
	cr_assert_gt(good, 20);
	cr_assert_gt(bad, 10);
}

/* All of Autobahn's vectors that have a nonce and a plaintext, in one batch. */
Test(box, autobahn_vectors)
{
	const struct bx_box_kernel *kernels[BOX_KERNELS_MAX];
	size_t kernel_count = box_kit_kernels(kernels);
	json_t *root = vectors_load();
	json_t *list = json_object_get(root, "vectors");
	size_t count = json_array_size(list);
	struct bx_box_item *items = calloc(count, sizeof(*items));
	struct bx_span *wanted = calloc(count, sizeof(*wanted));
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		json_t *v = json_array_get(list, i);
		struct bx_span payload = vectors_hex(v, "payload_hex");
		struct bx_span text = vectors_hex(v, "plaintext_hex");

		if (payload.ptr == NULL || text.ptr == NULL)
			continue;
		wanted[n] = payload;
		items[n] = (struct bx_box_item){ .key = vectors_hex(v, "shared_key_hex").ptr,
						 .nonce = payload.ptr,
						 .in = text.ptr,
						 .out = calloc(1, text.len + 16),
						 .len = text.len };
		cr_assert_not_null(items[n].key);
		cr_assert_eq(payload.len, text.len + 40);
		n++;
	}
	cr_assert_geq(n, 200);
	for (size_t k = 0; k < kernel_count; k++) {
		bx_box_seal_many(kernels[k], items, n);
		for (size_t i = 0; i < n; i++) {
			cr_assert_eq(memcmp(items[i].out, wanted[i].ptr + 24, items[i].len + 16), 0,
				     "%s: vector %zu", kernels[k]->name, i);
			memset(items[i].out, 0, items[i].len + 16);
		}
	}
	json_decref(root);
}

/* --- shared keys ----------------------------------------------------------------------------- */

Test(box, shared_key_is_that_of_both_sides)
{
	uint8_t a[32], b[32], pub_a[32], pub_b[32], shared[32], other[32], wanted[32];

	cr_assert_geq(sodium_init(), 0);
	crypto_box_keypair(pub_a, a);
	crypto_box_keypair(pub_b, b);
	cr_assert(bx_box_shared_key(shared, a, pub_b));
	cr_assert(bx_box_shared_key(other, b, pub_a));
	cr_assert_eq(crypto_box_beforenm(wanted, pub_b, a), 0);
	cr_assert_eq(memcmp(shared, other, 32), 0);
	cr_assert_eq(memcmp(shared, wanted, 32), 0);
}

Test(box, points_of_low_order_give_no_key)
{
	/* https://cr.yp.to/ecdh.html#validate, those below 2^255 */
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t secret[32] = { 1, 2, 3 };

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		uint8_t point[32], shared[32];

		cr_assert_eq(sodium_hex2bin(point, 32, points[i], 64, NULL, NULL, NULL), 0);
		memset(shared, 0x77, sizeof(shared));
		cr_assert_not(bx_box_shared_key(shared, secret, point), "%s", points[i]);
		cr_assert(sodium_is_zero(shared, sizeof(shared)));
	}
}

/* --- choosing a kernel ----------------------------------------------------------------------- */

struct refusals {
	unsigned count;
	char kernel[8][16];
	char why[8][64];
};

static void
note_refusal(void *context, const char *kernel, const char *why)
{
	struct refusals *r = context;

	(void)snprintf(r->kernel[r->count], 16, "%s", kernel);
	(void)snprintf(r->why[r->count], 64, "%s", why);
	r->count++;
}

Test(box, a_cpu_without_features_gets_portable)
{
	const struct bx_box_kernel *kernel = NULL;
	struct refusals r = { 0 };
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_box_pick_for(&kernel, NULL, 0, note_refusal, &r, &fail), BX_OK);
	cr_assert_str_eq(bx_box_kernel_name(kernel), "portable");
#if defined(BX_BOX_X86)
	cr_assert_eq(r.count, 2);
	cr_assert_str_eq(r.kernel[0], "avx512");
	cr_assert_str_eq(r.why[0], "the CPU lacks avx2");
	cr_assert_str_eq(r.kernel[1], "avx2");
#endif
}

#if defined(BX_BOX_X86)
Test(box, one_missing_feature_is_named_and_costs_the_kernel)
{
	static const struct {
		uint32_t bit;
		const char *why;
	} features[] = {
		{ BX_CPU_AVX512F, "the CPU lacks avx512f" },
		{ BX_CPU_AVX512BW, "the CPU lacks avx512bw" },
		{ BX_CPU_AVX512VL, "the CPU lacks avx512vl" },
		{ BX_CPU_AVX512VBMI2, "the CPU lacks vbmi2" },
		{ BX_CPU_AVX512IFMA, "the CPU lacks ifma" },
	};
	uint32_t cpu = bx_cpu_features();

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const struct bx_box_kernel *kernel = NULL;
		struct refusals r = { 0 };
		struct bx_fail fail = { 0 };
		uint32_t needs = bx_box_avx512.needs;

		/* Nothing of it is run, so the machine need not have it. */
		cr_assert_eq(bx_box_pick_for(&kernel, "avx512", needs & ~features[i].bit,
					     note_refusal, &r, &fail),
			     BX_ERR_USAGE);
		cr_assert_null(kernel);
		cr_assert_str_eq(r.why[0], features[i].why);
		cr_assert_not_null(strstr(fail.msg, features[i].why), "%s", fail.msg);
		if ((cpu & BX_CPU_AVX2) == 0 || (cpu & BX_CPU_BMI2) == 0)
			continue;
		cr_assert_eq(bx_box_pick_for(&kernel, "auto", cpu & ~features[i].bit, note_refusal,
					     &r, &fail),
			     BX_OK);
		cr_assert_str_eq(bx_box_kernel_name(kernel), "avx2");
	}
}
#endif

Test(box, names_of_kernels)
{
	const struct bx_box_kernel *kernel = NULL;
	struct bx_fail fail = { 0 };
	size_t count = 0;

	while (bx_box_kernel_name_at(count) != NULL)
		count++;
	cr_assert_str_eq(bx_box_kernel_name_at(count - 1), "portable");
	cr_assert_eq(bx_box_pick(&kernel, "avx1024", NULL, NULL, &fail), BX_ERR_USAGE);
	cr_assert_null(kernel);
	cr_assert_not_null(strstr(fail.msg, "avx1024"));
	cr_assert_not_null(strstr(fail.hint, "portable"));
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(bx_box_pick(&kernel, "portable", NULL, NULL, &fail), BX_OK);
	cr_assert_str_eq(bx_box_kernel_name(kernel), "portable");
}

/* Kernels that are wrong in one way each: the self-test has to see it. */
static void
seal_one_bit_off(struct bx_box_item *items, size_t count)
{
	bx_box_portable.seal_many(items, count);
	items[count / 2].out[16 + items[count / 2].len / 2] ^= 4;
}

static void
open_anything(struct bx_box_item *items, size_t count)
{
	bx_box_portable.open_many(items, count);
	for (size_t i = 0; i < count; i++)
		items[i].ok = true;
}

static void
open_and_touch(struct bx_box_item *items, size_t count)
{
	bx_box_portable.open_many(items, count);
	for (size_t i = 0; i < count; i++) {
		if (!items[i].ok && items[i].len != 0)
			items[i].out[items[i].len - 1] = 0;
	}
}

static void
open_nothing(struct bx_box_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		items[i].ok = false;
}

Test(box, self_test_sees_what_is_wrong)
{
	struct bx_box_kernel k = bx_box_portable;

	cr_assert_geq(sodium_init(), 0);
	cr_assert(bx_box_self_test(&k));
	k.seal_many = seal_one_bit_off;
	cr_assert_not(bx_box_self_test(&k));
	k.seal_many = bx_box_portable.seal_many;
	k.open_many = open_anything;
	cr_assert_not(bx_box_self_test(&k));
	k.open_many = open_and_touch;
	cr_assert_not(bx_box_self_test(&k));
	k.open_many = open_nothing;
	cr_assert_not(bx_box_self_test(&k));
}
