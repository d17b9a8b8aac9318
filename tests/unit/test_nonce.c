/* box/nonce: shapes of the modes, uniqueness, and that fixed nonces are what they are said to be.
 */
#include "box/nonce.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAR 512u

struct nonce {
	uint8_t bytes[24];
};

static void
fill(struct bx_nonce_source *source, struct nonce *out, size_t count)
{
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_nonce_fill(source, 12345, 678, NULL, out->bytes, count, &fail), BX_OK, "%s",
		     fail.msg);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nonce));
}

static void
check_unique(struct nonce *all, size_t count)
{
	qsort(all, count, sizeof(*all), compare);
	for (size_t i = 1; i < count; i++)
		cr_assert_neq(compare(&all[i - 1], &all[i]), 0, "a nonce came twice");
}

static uint64_t
tail_of(const struct nonce *n)
{
	uint64_t tail = 0;

	for (int i = 0; i < 8; i++)
		tail |= (uint64_t)n->bytes[16 + i] << 8 * i;
	return tail;
}

Test(nonce, a_car_shares_16_bytes_and_counts)
{
	static struct nonce n[CAR];
	struct bx_nonce_source source = { .mode = BX_NONCE_CAR };

	for (size_t count = BX_NONCE_CAR_MIN; count <= CAR; count += 64) {
		fill(&source, n, count);
		for (size_t i = 0; i < count; i++) {
			cr_assert_eq(memcmp(n[i].bytes, n[0].bytes, 16), 0);
			cr_assert_eq(tail_of(&n[i]), i);
		}
	}
}

Test(nonce, cars_differ)
{
	static struct nonce n[64 * 200], car[64];
	struct bx_nonce_source source = { .mode = BX_NONCE_CAR };

	for (size_t i = 0; i < 200; i++) {
		fill(&source, car, 64);
		memcpy(&n[64 * i], car, sizeof(car));
	}
	check_unique(n, 64 * 200);
	cr_assert_eq(source.car_counter, 200);
}

/* Two threads start with the same source: they must not draw the same. */
Test(nonce, sources_in_the_same_state_differ)
{
	static struct nonce a[CAR], b[CAR];
	struct bx_nonce_source one = { .mode = BX_NONCE_CAR };
	struct bx_nonce_source two = one;

	fill(&one, a, CAR);
	fill(&two, b, CAR);
	cr_assert_neq(memcmp(a[0].bytes, b[0].bytes, 16), 0);
}

Test(nonce, a_fork_draws_afresh)
{
	static struct nonce mine[CAR], theirs[CAR];
	struct bx_nonce_source source = { .mode = BX_NONCE_CAR };
	int ends[2];
	pid_t child;
	int status;

	fill(&source, mine, CAR);
	cr_assert_eq(pipe(ends), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		struct bx_fail fail = { 0 };
		ssize_t want = sizeof(theirs);

		if (bx_nonce_fill(&source, 12345, 678, NULL, theirs->bytes, CAR, &fail) != BX_OK)
			_exit(1);
		_exit(write(ends[1], theirs, sizeof(theirs)) == want ? 0 : 1);
	}
	fill(&source, mine, CAR);
	for (size_t got = 0; got < sizeof(theirs);) {
		ssize_t n = read(ends[0], (uint8_t *)theirs + got, sizeof(theirs) - got);

		cr_assert_gt(n, 0);
		got += (size_t)n;
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_neq(memcmp(mine[0].bytes, theirs[0].bytes, 16), 0);
}

/* Nothing about the bytes but that no pair shares a prefix, and that all bits come up. */
static void
check_random(const struct nonce *n, size_t count)
{
	uint8_t ones[24] = { 0 };
	uint8_t zeros[24] = { 0 };

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			cr_assert_neq(memcmp(n[i].bytes, n[k].bytes, 16), 0);
		for (size_t k = 0; k < 24; k++) {
			ones[k] |= n[i].bytes[k];
			zeros[k] |= (uint8_t)~n[i].bytes[k];
		}
	}
	for (size_t k = 0; k < 24; k++)
		cr_assert(ones[k] == 0xff && zeros[k] == 0xff, "byte %zu is not random", k);
}

Test(nonce, random_mode_shares_nothing)
{
	static struct nonce n[CAR];
	struct bx_nonce_source source = { .mode = BX_NONCE_RANDOM };

	fill(&source, n, CAR);
	check_random(n, CAR);
	cr_assert_eq(source.car_counter, 0);
}

Test(nonce, a_short_car_is_random)
{
	static struct nonce n[BX_NONCE_CAR_MIN - 1];
	struct bx_nonce_source source = { .mode = BX_NONCE_CAR };

	fill(&source, n, BX_NONCE_CAR_MIN - 1);
	check_random(n, BX_NONCE_CAR_MIN - 1);
	fill(&source, n, 1);
	fill(&source, n, 0);
}

/* getrandom gives at most 32 MiB at a time. */
Test(nonce, many_at_once)
{
	size_t count = ((size_t)36 << 20) / 24;
	struct nonce *n = malloc(count * sizeof(*n));
	struct bx_nonce_source source = { .mode = BX_NONCE_RANDOM };

	cr_assert_not_null(n);
	fill(&source, n, count);
	check_unique(n, count);
	free(n);
}

Test(nonce, fixed_is_the_hash_of_seed_and_number)
{
	struct bx_nonce_source source = { .mode = BX_NONCE_FIXED,
					  .fixed_seed = 0x0102030405060708 };
	uint64_t numbers[] = { 0, 1, 7, 0xfedcba9876543210, 7 };
	struct nonce n[5];
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_nonce_fill(&source, 1, 2, numbers, n->bytes, 5, &fail), BX_OK);
	for (size_t i = 0; i < 5; i++) {
		uint8_t text[16];
		uint8_t wanted[24];

		for (int k = 0; k < 8; k++) {
			text[k] = (uint8_t)(source.fixed_seed >> 8 * k);
			text[8 + k] = (uint8_t)(numbers[i] >> 8 * k);
		}
		crypto_generichash(wanted, 24, text, 16, NULL, 0);
		cr_assert_eq(memcmp(wanted, n[i].bytes, 24), 0);
	}
	cr_assert_eq(memcmp(n[2].bytes, n[4].bytes, 24), 0);
	/* Clock and pid do not matter; the split into calls does not either. */
	cr_assert_eq(bx_nonce_fill(&source, 9, 9, numbers + 1, n[0].bytes, 1, &fail), BX_OK);
	cr_assert_eq(memcmp(n[0].bytes, n[1].bytes, 24), 0);
}
