/* The small parts of engine/archive: numbers, planes, string tables, padding, statuses. */
#include <criterion/criterion.h>

#include "archive/block_finder.h"
#include "archive/intern.h"
#include "archive/planes.h"
#include "archive/uleb.h"
#include "archive_salvage_kit.h"

Test(parts, uleb)
{
	static const uint64_t values[] = { 0,     1,          127,        128,        16383,
					   16384, UINT32_MAX, 1ull << 62, 1ull << 63, UINT64_MAX };
	static const uint8_t bad[][11] = {
		{ 0x80 },       /* cut */
		{ 0x80, 0x00 }, /* longer than needed */
		{ 0xFF, 0x80, 0x00 },
		{ 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02 }, /* 2^64 */
		{ 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00 },
	};
	static const size_t bad_len[] = { 1, 2, 3, 10, 11 };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint8_t bytes[10];
		struct bx_writer w = bx_writer_over(bytes, sizeof(bytes));
		struct bx_cursor c;

		bx_uleb_put(&w, values[i]);
		cr_assert_eq(bx_written(&w), bx_uleb_len(values[i]));
		c = bx_cursor_over(bx_since(&w, bytes));
		cr_assert_eq(bx_uleb_take(&c, UINT64_MAX), values[i]);
		cr_assert(!c.bad && bx_left(&c) == 0);
		if (values[i] != 0) {
			c = bx_cursor_over(bx_since(&w, bytes));
			(void)bx_uleb_take(&c, values[i] - 1);
			cr_assert(c.bad);
		}
	}
	for (size_t i = 0; i < 5; i++) {
		struct bx_cursor c = bx_cursor_over((struct bx_span){ bad[i], bad_len[i] });

		(void)bx_uleb_take(&c, UINT64_MAX);
		cr_assert(c.bad, "case %zu", i);
	}
}

Test(parts, planes)
{
	enum { N = 1000 };
	static uint64_t in64[N], out64[N];
	static uint32_t in32[N], out32[N];
	static uint16_t in16[N], out16[N];
	static uint8_t planes[8 * N];
	struct kit_rng r = { 1 };

	for (unsigned width = 0; width <= 8; width++) {
		uint64_t mask = width == 8 ? UINT64_MAX : (1ull << 8 * width) - 1;

		for (size_t n = 1; n <= N; n = n * 3 + 1) {
			for (size_t i = 0; i < n; i++) {
				in64[i] = kit_next(&r) & mask;
				in32[i] = (uint32_t)in64[i];
				in16[i] = (uint16_t)in64[i];
			}
			bx_planes_split64(planes, width, in64, n);
			for (unsigned b = 0; b < width; b++)
				cr_assert_eq(planes[b * n + n / 2],
					     (uint8_t)(in64[n / 2] >> 8 * b));
			bx_planes_join64(out64, width, planes, n);
			cr_assert_eq(memcmp(in64, out64, n * 8), 0);
			if (width <= 4) {
				bx_planes_split32(planes, width, in32, n);
				bx_planes_join32(out32, width, planes, n);
				cr_assert_eq(memcmp(in32, out32, n * 4), 0);
			}
			if (width <= 2) {
				bx_planes_split16(planes, width, in16, n);
				bx_planes_join16(out16, width, planes, n);
				cr_assert_eq(memcmp(in16, out16, n * 2), 0);
			}
		}
	}
	cr_assert_eq(bx_planes_width(0), 0);
	cr_assert_eq(bx_planes_width(255), 1);
	cr_assert_eq(bx_planes_width(256), 2);
	cr_assert_eq(bx_planes_width(UINT64_MAX), 8);
}

Test(parts, intern)
{
	struct bx_intern t;
	char text[16];

	bx_intern_init(&t, 7);
	cr_assert_eq(bx_intern_find(&t, (struct bx_span){ NULL, 0 }), BX_INTERN_NONE);
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			struct bx_span s = { (uint8_t *)text,
					     (size_t)snprintf(text, sizeof(text), "%u", i) };

			cr_assert_eq(bx_intern_find(&t, s), BX_INTERN_NONE);
			cr_assert_eq(bx_intern_put(&t, s), i);
			cr_assert_eq(bx_intern_put(&t, s), i);
			cr_assert_eq(bx_intern_find(&t, s), i);
		}
		cr_assert_eq(bx_intern_put(&t, (struct bx_span){ NULL, 0 }), 5000);
		cr_assert_eq(bx_intern_put(&t, (struct bx_span){ (const uint8_t *)"", 0 }), 5000);
		cr_assert(bx_span_is(bx_intern_at(&t, 4321), "4321"));
		bx_intern_clear(&t);
		cr_assert_eq(t.count, 0);
	}
	bx_intern_wipe(&t);
}

Test(parts, padding)
{
	static const struct {
		const char *text;
		bool good;
		enum bx_padding_kind kind;
		uint32_t fixed;
	} texts[] = {
		{ "page", true, BX_PADDING_PAGE, 0 },
		{ "padme", true, BX_PADDING_PADME, 0 },
		{ "fixed:4096", true, BX_PADDING_FIXED, 4096 },
		{ "fixed:64Ki", true, BX_PADDING_FIXED, 65536 },
		{ "fixed:1Mi", true, BX_PADDING_FIXED, 1 << 20 },
		{ "fixed:4096k", true, BX_PADDING_FIXED, 4096000 },
		{ "fixed:4097", false, 0, 0 },
		{ "fixed:0", false, 0, 0 },
		{ "fixed:65Mi", false, 0, 0 },
		{ "fixed:", false, 0, 0 },
		{ "fixed:99999999999999999999", false, 0, 0 },
		{ "fixed:4096x", false, 0, 0 },
		{ "none", false, 0, 0 },
		{ "", false, 0, 0 },
	};
	/* Padme of the paper: 2^E keeps floor(log2 E) + 1 bits below the first. */
	static const uint64_t padme[][2] = { { 1 << 20, 1 << 20 },
					     { (1 << 20) + 1, (1 << 20) + 32768 },
					     { 5000000, 5111808 } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bx_padding p = { 0 };

		cr_assert_eq(bx_padding_of_text(&p, texts[i].text), texts[i].good, "%s",
			     texts[i].text);
		cr_assert_eq(p.kind, texts[i].kind);
		cr_assert_eq(p.fixed, texts[i].fixed);
	}
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(
		    bx_padding_total((struct bx_padding){ BX_PADDING_PADME, 0 }, padme[i][0]),
		    padme[i][1], "%zu: %lu", i,
		    bx_padding_total((struct bx_padding){ BX_PADDING_PADME, 0 }, padme[i][0]));
	for (uint64_t total = 1; total <= (1ull << 28); total = total * 3 / 2 + 1) {
		for (unsigned kind = 0; kind < 3; kind++) {
			struct bx_padding p = { (enum bx_padding_kind)kind, 3 * BX_PAGE };
			uint64_t padded = bx_padding_total(p, total);

			cr_assert_geq(padded, total);
			cr_assert_eq(padded % BX_PAGE, 0);
			cr_assert_leq(padded - 128, BX_BODY_LEN_MAX);
			if (kind == BX_PADDING_PADME && total > 65536)
				cr_assert_leq(padded - total, total / 31 + BX_PAGE);
		}
	}
	cr_assert_eq(
	    bx_padding_total((struct bx_padding){ BX_PADDING_FIXED, 64 << 20 }, (1 << 28) - 5000),
	    1 << 28);
}

Test(parts, statuses)
{
	struct bx_fault fault = { 0 };
	struct bx_fail fail = { 0 };

	for (int s = BX_STATUS_CLEAN; s <= BX_STATUS_SYS; s++) {
		cr_assert_not_null(bx_status_name((enum bx_status)s));
		cr_assert_eq(bx_status_err((enum bx_status)s) == BX_OK, s == BX_STATUS_CLEAN);
	}
	cr_assert_eq(bx_status_err(BX_STATUS_AEAD), BX_ERR_AUTH);
	cr_assert_eq(bx_status_err(BX_STATUS_NO_KEY), BX_ERR_NOKEY);
	cr_assert_eq(bx_status_err(BX_STATUS_OPEN), BX_ERR_FORMAT);
	cr_assert_eq(bx_status_set(&fault, BX_STATUS_DAMAGED, 4096, "first"), BX_STATUS_DAMAGED);
	cr_assert_eq(bx_status_at(&fault, BX_STATUS_DAMAGED, 2, 7), BX_STATUS_DAMAGED);
	(void)bx_status_set(&fault, BX_STATUS_AEAD, 1, "second"); /* the first cause wins */
	cr_assert_eq(bx_status_fail(&fault, &fail), BX_ERR_FORMAT);
	cr_assert_str_eq(fail.msg, "segment 2, block 7: first (DAMAGED)");
	cr_assert_eq(fail.offset, 4096);
	cr_assert(strstr(fail.hint, "recover") != NULL);
}

/* Headers are found at any offset, across the finder's windows too. */
Test(parts, finder)
{
	size_t size = 3 << 20;
	uint8_t *bytes = malloc(size);
	struct kit_rng r = { 9 };
	struct bx_block_header h = { .type = BX_BLOCK_DATA, .seq = 5 };
	uint8_t header[128];
	static const size_t places[] = { 0,
					 1,
					 (1 << 20) - 130,
					 (1 << 20) - 100,
					 (1 << 20) - 5,
					 (1 << 20) + 3,
					 (2 << 20) - 1,
					 (3 << 20) - 128 };

	bx_block_header_store(&h, header);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct bx_block_finder f = { 0 };
		struct bx_bytes file = { bytes, size, kit_bytes_read, NULL };
		uint64_t at = 0;
		bool found;

		kit_fill(&r, bytes, size);
		memcpy(bytes + size / 2 - 4, BX_ARCHIVE_MAGIC, 8); /* a magic without header */
		memcpy(bytes + places[i], header, 128);
		cr_assert_eq(bx_block_finder_next(&f, &file, 0, size, &found, &at, &h, NULL),
			     BX_STATUS_CLEAN);
		cr_assert(found, "place %zu", places[i]);
		cr_assert_eq(at, places[i]);
		cr_assert_eq(bx_block_finder_next(&f, &file, at + 1, size, &found, &at, &h, NULL),
			     BX_STATUS_CLEAN);
		cr_assert(!found);
		cr_assert_eq(bx_block_finder_next(&f, &file, 0, places[i], &found, &at, &h, NULL),
			     BX_STATUS_CLEAN);
		cr_assert(!found);
		bx_block_finder_free(&f);
	}
	free(bytes);
}
