/* CRC-32C: RFC 3720 B.4 and the catalogue's check value, and the fast one against the table. */
#include <criterion/criterion.h>

#include "archive_kit.h"

static uint32_t
both(uint32_t crc, const uint8_t *p, size_t len)
{
	uint32_t fast = bx_crc32c(crc, (struct bx_span){ p, len });

	cr_assert_eq(fast, bx_crc32c_table(crc, (struct bx_span){ p, len }));
	return fast;
}

Test(crc32c, known_answers)
{
	uint8_t bytes[32] = { 0 };

	cr_assert_eq(both(0, (const uint8_t *)"123456789", 9), 0xe3069283);
	cr_assert_eq(both(0, bytes, 0), 0);
	cr_assert_eq(both(0, bytes, 32), 0x8a9136aa); /* RFC 3720: the bytes aa 36 91 8a */
	memset(bytes, 0xff, 32);
	cr_assert_eq(both(0, bytes, 32), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	cr_assert_eq(both(0, bytes, 32), 0x46dd794e);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(31 - i);
	cr_assert_eq(both(0, bytes, 32), 0x113fdb5c);
}

/* Every length around the lanes, every alignment, and in pieces. */
Test(crc32c, lengths)
{
	enum { LEN = 20000 };
	static uint8_t bytes[LEN + 16];
	struct kit_rng r = { 1 };

	kit_fill(&r, bytes, sizeof(bytes));
	for (size_t len = 0; len < 300; len++)
		for (size_t off = 0; off < 9; off++)
			(void)both((uint32_t)kit_next(&r), bytes + off, len);
	for (size_t len = 3060; len < 3090; len++)
		(void)both(0, bytes + len % 8, len);
	for (unsigned i = 0; i < 300; i++) {
		size_t cut = kit_below(&r, LEN);
		uint32_t whole = both(0, bytes, LEN);

		cr_assert_eq(both(both(0, bytes, cut), bytes + cut, LEN - cut), whole);
	}
}
