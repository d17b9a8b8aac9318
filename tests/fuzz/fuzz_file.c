/*
 * A whole file through walk, tally, catalog, salvage and resume. The first byte: bit 0 repairs the
 * CRCs of every block found, as an attacker would; bit 1 gives an identity.
 */
#include <stdlib.h>
#include <string.h>

#include "archive/resume.h"
#include "archive/salvage.h"
#include "archive/catalog.h"
#include "archive/tally.h"
#include "base/crc32c.h"
#include "base/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static enum bx_err
read_at(void *context, uint64_t off, uint8_t *out, size_t len, struct bx_fail *fail)
{
	(void)fail;
	memcpy(out, (const uint8_t *)context + off, len);
	return BX_OK;
}

static void
repair(uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at + BX_HEADER_LEN <= len; at += BX_PAGE) {
		uint32_t body_len = bx_load_le32(bytes + at + 40);

		if (memcmp(bytes + at, BX_ARCHIVE_MAGIC, BX_ARCHIVE_MAGIC_LEN) != 0)
			continue;
		if (body_len <= len - at - BX_HEADER_LEN)
			bx_store_le32(
			    bytes + at + 44,
			    bx_crc32c(0, (struct bx_span){ bytes + at + BX_HEADER_LEN, body_len }));
		bx_store_le32(bytes + at + 12, 0);
		bx_store_le32(bytes + at + 12,
			      bx_crc32c(0, (struct bx_span){ bytes + at, BX_HEADER_LEN }));
	}
}

static uint64_t
read_strictly(struct bx_span file, const struct bx_walk_options *options, enum bx_status *status)
{
	struct bx_tally_options check = { .check_index = true };
	struct bx_block_reader *r;
	struct bx_walk *walk;
	struct bx_tally *tally;
	struct bx_walk_block block;
	struct bx_fault walk_fault = { 0 };
	struct bx_tally_report report;
	uint64_t need;

	must(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL) == BX_OK);
	must(bx_walk_new(&walk, options, NULL) == BX_OK);
	must(bx_tally_new(&tally, &check, NULL) == BX_OK);
	while (bx_walk_next(walk,
			    (struct bx_span){ file.ptr + bx_walk_at(walk),
					      file.len - (size_t)bx_walk_at(walk) },
			    true, &block, &need, &walk_fault) == BX_STEP_ITEM) {
		struct bx_fault fault = { 0 };
		bool head = block.header.type == BX_BLOCK_HEAD;
		enum bx_status loaded = BX_STATUS_CLEAN;

		if (!head)
			loaded =
			    bx_block_reader_load(r, block.bytes, &block.key,
						 BX_LOAD_BODIES | BX_LOAD_DIGEST, block.at, &fault);
		(void)bx_tally_add(tally, &block, head ? NULL : r, loaded, &fault);
	}
	*status = bx_tally_end(tally, bx_walk_ending(walk), &walk_fault, NULL);
	bx_tally_report(tally, &report);
	bx_tally_free(tally);
	bx_walk_free(walk);
	bx_block_reader_free(r);
	return report.totals.records;
}

static uint64_t
salvage(const struct bx_bytes *bytes, const struct bx_walk_options *options)
{
	struct bx_salvage_options o = { *options, BX_READ_LIMITS_DEFAULT };
	struct bx_salvage *s;
	struct bx_salvage_item item;
	struct bx_salvage_report report;
	uint64_t steps = 0;

	must(bx_salvage_new(&s, bytes, &o, NULL) == BX_OK);
	while (bx_salvage_next(s, &item, NULL) == BX_STATUS_CLEAN && item.kind != BX_SALVAGE_END)
		must(steps++ < bytes->size + 16);
	bx_salvage_report(s, &report);
	bx_salvage_free(s);
	return report.totals.records;
}

static void
look_up(const struct bx_bytes *bytes, const struct bx_walk_options *options)
{
	struct bx_catalog *c = NULL;
	struct bx_index *root = bx_index_new(), *leaf = bx_index_new();
	enum bx_status status = bx_catalog_open(&c, bytes, options, NULL);

	must((c != NULL) == (status <= BX_STATUS_INCOMPLETE_STREAM));
	/* What it says does not matter here, only that it says something. */
	for (size_t i = 0; c != NULL && i < bx_catalog_count(c); i++) {
		size_t count;

		(void)bx_catalog_meta(c, i, &status, NULL);
		if (bx_catalog_root(c, i, root, NULL) != BX_STATUS_CLEAN)
			continue;

		const struct bx_index_entry *leaves = bx_index_entries(root, &count);

		for (size_t k = 0; k < count; k++)
			must(bx_catalog_leaf(c, i, &leaves[k], leaf, NULL) <= BX_STATUS_SYS);
	}
	bx_catalog_free(c);
	bx_index_free(root);
	bx_index_free(leaf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t identity[32] = { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
					      0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
					      0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
					      0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11 };
	const uint8_t *identities[1] = { identity };
	struct bx_walk_options options = { .allow_plain = true, .digest = true };
	struct bx_bytes bytes = { NULL, 0, read_at, NULL };
	struct bx_resume resume;
	enum bx_status status;
	uint64_t strict;
	uint8_t *copy;

	if (size < 2 || size > 1u << 20)
		return 0;
	copy = malloc(size - 1);
	must(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	if ((data[0] & 1) != 0)
		repair(copy, size - 1);
	options.identities = identities;
	options.identity_count = data[0] >> 1 & 1;
	bytes.context = copy;
	bytes.size = size - 1;
	strict = read_strictly((struct bx_span){ copy, size - 1 }, &options, &status);
	/* Salvage gives at least what a strict reading gives; a segment may not count twice in it.
	 */
	if (status == BX_STATUS_CLEAN || status == BX_STATUS_OPEN)
		must(salvage(&bytes, &options) >= strict);
	else
		(void)salvage(&bytes, &options);
	look_up(&bytes, &options);
	must(bx_resume_inspect(&resume, &bytes, NULL) == BX_STATUS_CLEAN);
	must(resume.append_at <= bytes.size + BX_PAGE);
	free(copy);
	return 0;
}
