/* Writing and reading back: every shape of records, every way of cutting and sealing them. */
#include <criterion/criterion.h>

#include "archive_kit.h"

TestSuite(roundtrip, .timeout = 60);

/* All of them come back, in order, and the file is CLEAN. */
static void
expect_clean(const struct kit_file *f, struct kit_how how, const struct kit_records *k)
{
	how.records = k->at;
	how.record_count = k->count;

	struct kit_reading got = kit_read(kit_span(f), &how);

	cr_assert_eq(got.status, BX_STATUS_CLEAN, "%s: %s at %llu", bx_status_name(got.status),
		     got.fault.what, (unsigned long long)got.fault.offset);
	cr_assert(got.exact);
	cr_assert_eq(got.records, k->count);
	cr_assert_eq(got.report.totals.records, k->count);
}

Test(roundtrip, plain)
{
	for (size_t n = 0; n < 60; n += 7) {
		struct kit_records k = kit_make(n, n);
		struct kit_file *f = kit_file_new();
		struct kit_options o = KIT_OPTIONS;

		o.writer.leaf_blocks = 3;
		kit_segment(f, &o, k.at, k.count);
		expect_clean(f, KIT_HOW, &k);
		kit_file_free(f);
		kit_records_free(&k);
	}
}

Test(roundtrip, every_option)
{
	struct kit_pair alice = kit_pair(1), bob = kit_pair(2);
	uint8_t recipients[2][32], signer[64], signer_public[32];
	const uint8_t *bob_only[1] = { bob.secret };
	struct kit_records k = kit_make(7, 500);

	memcpy(recipients[0], alice.public_key, 32);
	memcpy(recipients[1], bob.public_key, 32);
	kit_signer(3, signer, signer_public);
	for (unsigned bits = 0; bits < 64; bits++) {
		struct kit_options o = KIT_OPTIONS;
		struct kit_how how = KIT_HOW;
		struct kit_file *f = kit_file_new();

		o.block_records = 1 + (bits * 37) % 90;
		o.writer.leaf_blocks = bits % 2 ? 2 : 64;
		if (bits & 2) {
			o.writer.recipients = (const uint8_t(*)[32])recipients;
			o.writer.recipient_count = 2;
			how.walk.identities = bob_only;
			how.walk.identity_count = 1;
		}
		if (bits & 4) {
			o.writer.signer = signer;
			how.walk.digest = true;
			how.tally.require_signature = true;
			how.tally.signer = signer_public;
		}
		o.writer.no_meta = (bits & 8) != 0;
		o.builder.stored = (bits & 16) != 0;
		o.ahead = bits & 32 ? 5 : 0;
		o.writer.created = 1234567890;
		o.writer.label = (struct bx_span){ (const uint8_t *)"label", 5 };
		o.builder.pad.kind = o.writer.pad.kind = (enum bx_padding_kind)(bits % 3);
		o.builder.pad.fixed = o.writer.pad.fixed = 12288;
		how.window = bits % 5 == 0 ? 100 : 0;
		kit_segment(f, &o, k.at, k.count);
		expect_clean(f, how, &k);
		kit_file_free(f);
	}
	kit_records_free(&k);
}

/* The bytes are the same however far the tickets run ahead of the blocks. */
Test(roundtrip, tickets_ahead)
{
	struct kit_pair alice = kit_pair(1);
	uint8_t recipients[1][32];
	struct kit_records k = kit_make(9, 300);
	struct kit_file *first = kit_file_new();
	struct kit_options o = KIT_OPTIONS;

	memcpy(recipients[0], alice.public_key, 32);
	o.writer.recipients = (const uint8_t(*)[32])recipients;
	o.writer.recipient_count = 1;
	o.writer.leaf_blocks = 4;
	kit_segment(first, &o, k.at, k.count);
	for (size_t ahead = 2; ahead <= 40; ahead += 19) {
		struct kit_file *f = kit_file_new();

		o.ahead = ahead;
		kit_segment(f, &o, k.at, k.count);
		cr_assert_eq(f->len, first->len);
		cr_assert_eq(memcmp(f->bytes, first->bytes, f->len), 0);
		kit_file_free(f);
	}
	kit_file_free(first);
	kit_records_free(&k);
}

/* Columns of every width: times, lengths, topics, channels, codes. */
Test(roundtrip, widths)
{
	static const uint8_t body[70000];
	struct bx_archive_channel channels[300];
	struct bx_archive_record records[300];
	char uris[300][8];

	for (unsigned w = 0; w <= 8; w++) {
		struct kit_records k = { records, channels, 300, NULL };
		struct kit_file *f = kit_file_new();
		struct kit_options o = KIT_OPTIONS;
		uint64_t ts = 5;

		for (size_t i = 0; i < 300; i++) {
			channels[i] =
			    (struct bx_archive_channel){ .session = w < 3 ? 7 : i,
							 .flags = BX_CHANNEL_HAS_SESSION };
			(void)snprintf(uris[i], sizeof(uris[i]), "%u", (unsigned)(w < 4 ? 0 : i));
			if (i % 2 == 1 && w != 0)
				ts += 1ull << (8 * w - 2);
			records[i] = (struct bx_archive_record){
				.ts = (int64_t)ts,
				.channel = &channels[i],
				.uri = { (const uint8_t *)uris[i], w == 0 ? 0 : strlen(uris[i]) },
				.body = { body, w == 0    ? 0
						: i == 17 ? 1ull << (4 * w % 17)
							  : i },
				.code = (uint16_t)(w == 0   ? 0
						   : w == 1 ? 36
							    : i * 200),
				.flags = (uint8_t)(w == 0 ? 0 : i % 32 & ~8),
			};
		}
		o.block_records = 300;
		kit_segment(f, &o, k.at, k.count);
		expect_clean(f, KIT_HOW, &k);
		kit_file_free(f);
	}
}

/* Any two times may follow each other. */
Test(roundtrip, times)
{
	static const int64_t times[] = { 0, INT64_MIN, INT64_MAX, INT64_MIN, -1, 1, INT64_MAX, 0 };
	struct bx_archive_channel channel = { .dir = 2 };
	struct bx_archive_record records[8];
	struct kit_records k = { records, &channel, 8, NULL };
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;

	for (size_t i = 0; i < 8; i++)
		records[i] = (struct bx_archive_record){ .ts = times[i], .channel = &channel };
	kit_segment(f, &o, records, 8);
	expect_clean(f, KIT_HOW, &k);
	kit_file_free(f);
}

/* Records without time give no bounds. */
Test(roundtrip, no_times)
{
	struct bx_archive_channel channel = { .dir = 1 };
	struct bx_archive_record records[3];
	struct kit_records k = { records, &channel, 3, NULL };
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;

	for (size_t i = 0; i < 3; i++)
		records[i] = (struct bx_archive_record){ .ts = 99,
							 .channel = &channel,
							 .flags = BX_RECORD_NO_TIME };
	kit_segment(f, &o, records, 3);
	expect_clean(f, KIT_HOW, &k);

	struct kit_how how = KIT_HOW;

	how.records = records;
	how.record_count = 3;

	struct kit_reading got = kit_read(kit_span(f), &how);

	cr_assert_eq(got.report.totals.ts_min, INT64_MAX);
	cr_assert_eq(got.report.totals.ts_max, INT64_MIN);
	kit_file_free(f);
}

/* The largest message, and one byte more. */
Test(roundtrip, largest)
{
	size_t len = 64 << 20;
	uint8_t *body = calloc(1, len + 1);
	struct bx_archive_channel channel = { .dir = 0 };
	struct bx_archive_record records[3] = {
		{ .channel = &channel, .body = { body, 5 } },
		{ .channel = &channel, .body = { body, len } },
		{ .channel = &channel, .body = { body, 1 } },
	};
	struct kit_records k = { records, &channel, 3, NULL };
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;
	struct bx_block_builder *b;

	memset(body + 1000, 'x', len - 5000);
	kit_segment(f, &o, records, 3);
	expect_clean(f, KIT_HOW, &k);

	struct kit_how small = KIT_HOW;

	small.limits.raw_max = 1 << 20;
	small.records = records;
	small.record_count = 3;

	struct kit_reading got = kit_read(kit_span(f), &small);

	cr_assert_eq(got.status, BX_STATUS_LIMIT);
	cr_assert_eq(got.records, 1);
	cr_assert(got.exact);

	cr_assert_eq(bx_block_builder_new(&b, &o.builder, NULL), BX_OK);
	records[1].body.len = len + 1;
	cr_assert_eq(bx_block_builder_add(b, &records[1]), BX_BLOCK_TOO_BIG);
	records[0].uri = (struct bx_span){ body, 65536 };
	cr_assert_eq(bx_block_builder_add(b, &records[0]), BX_BLOCK_TOO_BIG);
	records[0].uri.len = 65535;
	cr_assert_eq(bx_block_builder_add(b, &records[0]), BX_BLOCK_ADDED);
	bx_block_builder_free(b);
	free(body);
	kit_file_free(f);
}

/* As many records as a block can have, and a block's goals. */
Test(roundtrip, fullest)
{
	size_t n = (1 << 20) + 1;
	struct bx_archive_channel channel = { .dir = 0 };
	struct bx_archive_record *records = calloc(n, sizeof(records[0]));
	struct kit_records k = { records, &channel, n, NULL };
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;

	for (size_t i = 0; i < n; i++)
		records[i] = (struct bx_archive_record){ .channel = &channel };
	o.block_records = SIZE_MAX;
	kit_segment(f, &o, records, n);
	cr_assert_eq(f->blocks[2].records, 1 << 20);
	cr_assert_eq(f->blocks[3].records, 1);
	expect_clean(f, KIT_HOW, &k);
	kit_file_free(f);
	free(records);
}

Test(roundtrip, goals)
{
	static const uint8_t body[100];
	struct bx_archive_channel channel = { .dir = 0 };
	struct bx_archive_record r = { .channel = &channel, .body = { body, 100 } };
	struct bx_block_builder_options o = BX_BLOCK_BUILDER_DEFAULT;
	struct bx_block_builder *b;

	o.body_goal = 1000;
	cr_assert_eq(bx_block_builder_new(&b, &o, NULL), BX_OK);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(bx_block_builder_add(b, &r), BX_BLOCK_ADDED);
	r.body.len = 1;
	cr_assert_eq(bx_block_builder_add(b, &r), BX_BLOCK_FULL);
	bx_block_builder_begin(b);
	r.body = (struct bx_span){ body, 100 };
	cr_assert_eq(bx_block_builder_add(b, &r), BX_BLOCK_ADDED);
	bx_block_builder_free(b);

	o = BX_BLOCK_BUILDER_DEFAULT;
	o.meta_goal = 100;
	cr_assert_eq(bx_block_builder_new(&b, &o, NULL), BX_OK);
	for (int i = 0; i < 74; i++) { /* 24 + 1 + 1 in tables, 1 byte of length each */
		cr_assert_eq(bx_block_builder_add(b, &r), BX_BLOCK_ADDED);
	}
	cr_assert_eq(bx_block_builder_add(b, &r), BX_BLOCK_FULL);
	bx_block_builder_free(b);

	o = BX_BLOCK_BUILDER_DEFAULT;
	o.record_goal = (1 << 20) + 1;
	cr_assert_eq(bx_block_builder_new(&b, &o, NULL), BX_ERR_USAGE);
}

/* An index list too long is left out, and said to be. */
Test(roundtrip, unlisted)
{
	struct kit_records k = kit_make(11, 200);
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;

	o.writer.list_limit = 900;
	kit_segment(f, &o, k.at, k.count);
	expect_clean(f, KIT_HOW, &k);
	kit_file_free(f);
	kit_records_free(&k);
}

/* Many segments of one stream, shards, and streams one after the other. */
Test(roundtrip, segments)
{
	struct kit_records k = kit_make(5, 90);
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;
	struct bx_segment_place next;

	o.next = &next;
	for (unsigned i = 0; i < 9; i++) {
		o.seed = 100 + i;
		o.not_last = i % 3 != 2; /* three streams, each linked to the one before */
		o.no_tail = i == 4;      /* a crash */
		kit_segment(f, &o, k.at + i * 10, 10);
		o.writer.place = next;
	}
	expect_clean(f, KIT_HOW, &k);
	kit_file_free(f);
	f = kit_file_new();
	for (unsigned i = 0; i < 9; i++) { /* shards: no links */
		o = KIT_OPTIONS;
		o.seed = 100 + i;
		o.not_last = true;
		o.writer.place = (struct bx_segment_place){ .has_stream = true,
							    .segment_no = i,
							    .segment_total = 9 };
		kit_segment(f, &o, k.at + i * 10, 10);
	}
	expect_clean(f, KIT_HOW, &k);
	kit_file_free(f);
	kit_records_free(&k);
}
