/* Identity files: round trip, every bit, wrong passphrase, costs that a file may not ask for. */
#include <criterion/criterion.h>

#include "archive/identity.h"
#include "archive_kit.h"

static const struct bx_identity_cost cheap = { 1, 8192 };

static struct bx_span
text(const char *s)
{
	return (struct bx_span){ (const uint8_t *)s, strlen(s) };
}

static enum bx_err
unwrap(const uint8_t *file, size_t len, enum bx_identity_kind kind, const char *passphrase,
       struct bx_identity_cost max)
{
	uint8_t secret[32] = { 0 }, public_key[32] = { 0 }, none[32] = { 0 };
	struct kit_pair p = kit_pair(5);
	enum bx_err err = bx_identity_unwrap(secret, public_key, (struct bx_span){ file, len },
					     kind, text(passphrase), max, NULL);

	if (err == BX_OK) {
		cr_assert_eq(memcmp(secret, p.secret, 32), 0);
		cr_assert_eq(memcmp(public_key, p.public_key, 32), 0);
	} else {
		cr_assert_eq(memcmp(secret, none, 32), 0);
		cr_assert_eq(memcmp(public_key, none, 32), 0);
	}
	return err;
}

static void
wrap(uint8_t file[BX_IDENTITY_LEN], enum bx_identity_kind kind, struct bx_identity_cost cost)
{
	struct kit_pair p = kit_pair(5);

	cr_assert_eq(bx_identity_wrap(file, kind, p.secret, p.public_key, text("open sesame"), cost,
				      bx_random_system(), NULL),
		     BX_OK);
}

Test(identity, round_trip)
{
	uint8_t file[BX_IDENTITY_LEN], again[BX_IDENTITY_LEN];

	wrap(file, BX_IDENTITY_ARCHIVE, cheap);
	wrap(again, BX_IDENTITY_ARCHIVE, cheap);
	cr_assert_neq(memcmp(file, again, sizeof(file)), 0);
	cr_assert(bx_identity_is((struct bx_span){ file, sizeof(file) }));
	cr_assert_eq(unwrap(file, 176, BX_IDENTITY_ARCHIVE, "open sesame", BX_IDENTITY_COST_MAX),
		     BX_OK);
	cr_assert_eq(unwrap(file, 176, BX_IDENTITY_ARCHIVE, "open sesamf", BX_IDENTITY_COST_MAX),
		     BX_ERR_AUTH);
	cr_assert_eq(unwrap(file, 176, BX_IDENTITY_ARCHIVE, "", BX_IDENTITY_COST_MAX), BX_ERR_AUTH);
	cr_assert_eq(unwrap(file, 176, BX_IDENTITY_SIGNING, "open sesame", BX_IDENTITY_COST_MAX),
		     BX_ERR_USAGE);
	for (size_t len = 0; len < 176; len += 25)
		cr_assert_eq(
		    unwrap(file, len, BX_IDENTITY_ARCHIVE, "open sesame", BX_IDENTITY_COST_MAX),
		    BX_ERR_FORMAT);
}

Test(identity, every_byte)
{
	uint8_t file[BX_IDENTITY_LEN];

	wrap(file, BX_IDENTITY_SIGNING, cheap);
	for (size_t i = 0; i < sizeof(file); i++) {
		struct bx_identity_cost max = { 3, 64 << 10 };

		file[i] ^= (uint8_t)(1u << i % 8);
		cr_assert_neq(unwrap(file, 176, BX_IDENTITY_SIGNING, "open sesame", max), BX_OK,
			      "byte %zu", i);
		file[i] ^= (uint8_t)(1u << i % 8);
	}
	cr_assert_eq(unwrap(file, 176, BX_IDENTITY_SIGNING, "open sesame", BX_IDENTITY_COST_MAX),
		     BX_OK);
}

/* The costs stand in a file that anybody may have written: refused at once, not tried. */
Test(identity, costs)
{
	static const struct {
		uint32_t ops;
		uint64_t mem;
		enum bx_err err;
	} costs[] = {
		{ 11, 8192, BX_ERR_LIMIT },
		{ 0xFFFFFFFF, 8192, BX_ERR_LIMIT },
		{ 1, 1ull << 33, BX_ERR_LIMIT },
		{ 1, UINT64_MAX, BX_ERR_LIMIT },
		{ 1, (4ull << 30) + 1, BX_ERR_LIMIT },
		{ 0, 8192, BX_ERR_FORMAT },
		{ 1, 0, BX_ERR_FORMAT },
	};
	uint8_t file[BX_IDENTITY_LEN];
	struct bx_fail fail = { 0 };
	struct kit_pair p = kit_pair(5);

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		wrap(file, BX_IDENTITY_ARCHIVE, cheap);
		bx_store_le32(file + 12, costs[i].ops);
		bx_store_le64(file + 16, costs[i].mem);
		cr_assert_eq(unwrap(file, 176, BX_IDENTITY_ARCHIVE, "x", BX_IDENTITY_COST_MAX),
			     costs[i].err, "case %zu", i);
	}
	wrap(file, BX_IDENTITY_ARCHIVE, cheap);
	file[8] = 2;
	cr_assert_eq(unwrap(file, 176, BX_IDENTITY_ARCHIVE, "x", BX_IDENTITY_COST_MAX),
		     BX_ERR_UNSUPPORTED);
	file[8] = 1;
	file[10] = 2;
	cr_assert_eq(unwrap(file, 176, BX_IDENTITY_ARCHIVE, "x", BX_IDENTITY_COST_MAX),
		     BX_ERR_UNSUPPORTED);
	cr_assert_eq(bx_identity_wrap(file, BX_IDENTITY_ARCHIVE, p.secret, p.public_key, text("x"),
				      (struct bx_identity_cost){ 0, 8192 }, bx_random_system(),
				      &fail),
		     BX_ERR_USAGE);
}
