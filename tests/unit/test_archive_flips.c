/*
 * Every bit, every length: small files of several blocks and segments, plain and encrypted, with
 * one thing wrong. Two or all bits of each header byte are flipped, and one of every third to 29th
 * byte of the bodies; with BX_EXHAUSTIVE set every bit of the files is tried (some minutes).
 */
#include <criterion/criterion.h>

#include "archive_salvage_kit.h"

TestSuite(flips, .timeout = 900);

enum { RECORDS = 24 };

static struct kit_records records;
static struct kit_pair identity;
static const uint8_t *identities[1];

static struct kit_file *
make(bool encrypted)
{
	static uint8_t recipients[2][32];
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;
	struct bx_segment_place next;

	identity = kit_pair(1);
	identities[0] = identity.secret;
	memcpy(recipients[0], kit_pair(2).public_key, 32);
	memcpy(recipients[1], identity.public_key, 32);
	records = kit_make(3, RECORDS);
	o.block_records = 6;
	o.next = &next;
	o.writer.digest = true;
	o.writer.recipients = (const uint8_t(*)[32])recipients;
	o.writer.recipient_count = encrypted ? 2 : 0;
	o.not_last = true;
	kit_segment(f, &o, records.at, 12);
	o.not_last = false;
	o.seed = 2;
	o.writer.place = next;
	kit_segment(f, &o, records.at + 12, 12);
	return f;
}

static struct kit_how
how_to_read(bool encrypted)
{
	struct kit_how how = KIT_HOW;

	how.records = records.at;
	how.record_count = records.count;
	how.walk.identities = identities;
	how.walk.identity_count = encrypted ? 1 : 0;
	return how;
}

static const struct kit_block *
block_at(const struct kit_file *f, size_t at)
{
	const struct kit_block *b = f->blocks;

	while (b->at + b->len <= at)
		b++;
	return b;
}

/* Records before the block. */
static size_t
records_before(const struct kit_file *f, const struct kit_block *b)
{
	size_t n = 0;

	for (const struct kit_block *i = f->blocks; i < b; i++)
		n += i->records;
	return n;
}

/* The bits that nothing has to protect: the hint index_back, when the header's CRC is right. */
static bool
is_hint(const struct kit_block *b, size_t at)
{
	return at - b->at >= 88 && at - b->at < 96;
}

static bool
exhaustive(void)
{
	return getenv("BX_EXHAUSTIVE") != NULL;
}

static void
flip_all(bool encrypted, bool repair)
{
	struct kit_file *f = make(encrypted);
	struct kit_how how = how_to_read(encrypted);
	struct bx_block_reader *reader;
	struct kit_reading clean = kit_read(kit_span(f), &how);
	unsigned step = exhaustive() ? 1 : repair ? 29 : encrypted ? 13 : 3;

	cr_assert_eq(clean.status, BX_STATUS_CLEAN, "%s", clean.fault.what);
	cr_assert_eq(bx_block_reader_new(&reader, how.limits, NULL), BX_OK);
	for (size_t at = 0; at < f->len; at++) {
		const struct kit_block *b = block_at(f, at);
		bool in_header = at - b->at < BX_HEADER_LEN;
		uint8_t *block = f->bytes + b->at;
		uint8_t saved[BX_HEADER_LEN];

		if (!in_header && at % step != 0)
			continue;
		for (unsigned bit = 0; bit < 8; bit++) {
			struct kit_reading got;

			if (!exhaustive() && bit != (in_header ? at : at / step) % 8 &&
			    (!in_header || (encrypted && bit != (at + 3) % 8)))
				continue;
			memcpy(saved, block, sizeof(saved));
			f->bytes[at] ^= (uint8_t)(1u << bit);
			if (repair)
				kit_repair(block, f->len - b->at);
			got = kit_read_with(reader, kit_span(f), &how);
			if (repair && (is_hint(b, at) || (at - b->at >= 12 && at - b->at < 16) ||
				       (at - b->at >= 44 && at - b->at < 48))) {
				/* The repair undid it, or it is a hint. */
				cr_assert(got.exact);
			} else {
				cr_assert_neq(got.status, BX_STATUS_CLEAN,
					      "bit %u of byte %zu (block type %u, +%zu)", bit, at,
					      b->type, at - b->at);
				cr_assert(got.exact, "byte %zu", at);
				cr_assert_leq(got.records, clean.records);
				/* Located: everything before the block is there. */
				cr_assert_geq(got.records, records_before(f, b), "byte %zu", at);
				if (!repair || !in_header)
					cr_assert_eq(got.fault.offset, b->at, "byte %zu: %s", at,
						     got.fault.what);
			}
			f->bytes[at] ^= (uint8_t)(1u << bit);
			memcpy(block, saved, sizeof(saved));
		}
	}
	bx_block_reader_free(reader);
	kit_file_free(f);
	kit_records_free(&records);
}

Test(flips, plain)
{
	flip_all(false, false);
}

Test(flips, encrypted)
{
	flip_all(true, false);
}

/* An attacker repairs both CRCs: only the tags can tell. */
Test(flips, repaired)
{
	flip_all(true, true);
}

/* A plain file cannot defend itself against that; nothing may crash or read out of bounds. */
Test(flips, repaired_plain)
{
	struct kit_file *f = make(false);
	struct kit_how how = how_to_read(false);
	struct bx_block_reader *reader;

	cr_assert_eq(bx_block_reader_new(&reader, how.limits, NULL), BX_OK);
	for (size_t at = 0; at < f->len; at += exhaustive() ? 1 : 3) {
		uint8_t *block = f->bytes + block_at(f, at)->at;
		uint8_t saved[BX_HEADER_LEN];

		memcpy(saved, block, sizeof(saved));
		f->bytes[at] ^= (uint8_t)(1u << at % 8);
		kit_repair(block, f->len - (size_t)(block - f->bytes));
		(void)kit_read_with(reader, kit_span(f), &how);
		f->bytes[at] ^= (uint8_t)(1u << at % 8);
		memcpy(block, saved, sizeof(saved));
	}
	cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_CLEAN);
	bx_block_reader_free(reader);
	kit_file_free(f);
	kit_records_free(&records);
}

/* One byte wrong: salvage still gives every block but the one it is in. */
static void
salvage_all(bool encrypted)
{
	struct kit_file *f = make(encrypted);
	struct kit_how how = how_to_read(encrypted);
	size_t step = exhaustive() ? 1 : encrypted ? 331 : 101;

	for (size_t at = 0; at < f->len; at += step) {
		const struct kit_block *b = block_at(f, at);
		struct kit_salvaged got;

		f->bytes[at] ^= (uint8_t)(1u << at % 8);
		got = kit_salvage(kit_span(f), &how);
		cr_assert_eq(got.result, BX_STATUS_CLEAN, "byte %zu: %s", at,
			     bx_status_name(got.result));
		cr_assert(got.in_order);
		cr_assert_neq(got.report.status, BX_STATUS_CLEAN, "byte %zu", at);
		for (size_t i = 0; i < f->block_count; i++)
			if (f->blocks[i].type == BX_BLOCK_DATA && &f->blocks[i] != b)
				cr_assert(kit_was_released(&got, f->blocks[i].at),
					  "byte %zu: block at %zu is lost", at, f->blocks[i].at);
		if (b->type == BX_BLOCK_DATA && !kit_was_released(&got, b->at)) {
			cr_assert_eq(got.report.records_lost, b->records, "byte %zu: %lu", at,
				     got.report.records_lost);
			cr_assert(got.report.records_lost_exact);
			cr_assert_eq(got.report.blocks_lost, 1);
		}
		f->bytes[at] ^= (uint8_t)(1u << at % 8);
	}
	kit_file_free(f);
	kit_records_free(&records);
}

Test(flips, salvage_plain)
{
	salvage_all(false);
}

Test(flips, salvage_encrypted)
{
	salvage_all(true);
}

/* Every length: a prefix, and what it is said to be. */
static void
cut_all(bool encrypted)
{
	struct kit_file *f = make(encrypted);
	struct kit_how how = how_to_read(encrypted);
	struct bx_block_reader *reader;
	size_t step = exhaustive() ? 1 : encrypted ? 397 : 61;

	cr_assert_eq(bx_block_reader_new(&reader, how.limits, NULL), BX_OK);
	for (size_t len = 0; len < f->len; len += len % BX_PAGE < 140 ? 1 : step) {
		struct bx_span cut = { f->bytes, len };
		struct kit_reading got = kit_read_with(reader, cut, &how);
		size_t whole = 0;
		bool at_edge = false;

		for (size_t i = 0; i < f->block_count; i++) {
			const struct kit_block *b = &f->blocks[i];

			if (b->at + b->len <= len)
				whole += b->records;
			at_edge = at_edge || (b->at + b->len == len && b->type == BX_BLOCK_TAIL);
		}
		cr_assert(got.exact);
		cr_assert_eq(got.records, whole, "length %zu", len);
		if (len == 0)
			cr_assert_eq(got.status, BX_STATUS_DAMAGED);
		else if (at_edge)
			cr_assert_eq(got.status, BX_STATUS_INCOMPLETE_STREAM, "length %zu", len);
		else
			cr_assert_eq(got.status, BX_STATUS_OPEN, "length %zu: %s", len,
				     got.fault.what);
		if (len % 1021 == 0 && len != 0) {
			struct kit_salvaged s = kit_salvage(cut, &how);

			cr_assert(s.in_order);
			cr_assert_eq(s.records, whole);
		}
	}
	bx_block_reader_free(reader);
	kit_file_free(f);
	kit_records_free(&records);
}

Test(flips, cut_plain)
{
	cut_all(false);
}

Test(flips, cut_encrypted)
{
	cut_all(true);
}

/* Bytes after the end: reported, and nothing of the file is lost by them. */
Test(flips, appended)
{
	struct kit_file *f = make(true);
	struct kit_how how = how_to_read(true);
	uint8_t extra[2 * BX_PAGE] = { 0 };
	size_t len = f->len;

	for (unsigned i = 0; i < 4; i++) {
		static const size_t lens[] = { 1, 127, 4096, 8192 };
		struct kit_reading got;

		memset(extra, 0, sizeof(extra));
		kit_put(f, (struct bx_span){ extra, lens[i] });
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status, BX_STATUS_OPEN, "%zu zeros", lens[i]);
		cr_assert_eq(got.records, RECORDS);
		f->len = len;
		memset(extra, 0xA5, sizeof(extra));
		kit_put(f, (struct bx_span){ extra, lens[i] });
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status, BX_STATUS_DAMAGED, "%zu bytes", lens[i]);
		cr_assert_eq(got.records, RECORDS);
		cr_assert_eq(got.fault.offset, len);
		f->len = len;
		kit_put(f, (struct bx_span){ f->bytes, lens[i] > 4096 ? 2000 : lens[i] / 2 });
		if (f->len > len) {
			got = kit_read(kit_span(f), &how);
			cr_assert_eq(got.status, BX_STATUS_OPEN, "half a HEAD");
			cr_assert_eq(got.records, RECORDS);
		}
		f->len = len;
	}
	kit_file_free(f);
	kit_records_free(&records);
}
