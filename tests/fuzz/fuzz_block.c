/* The inner part of a DATA block to columns; what is accepted must survive being written again. */
#include <stdlib.h>
#include <string.h>

#include "archive/block_builder.h"
#include "archive/block_reader.h"
#include "base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bx_block_key no_key = { .encrypted = false };

static void
must(bool good)
{
	if (!good)
		abort();
}

static struct bx_span
wrap(const uint8_t *inner, size_t len)
{
	size_t total = (size_t)bx_block_header_total((uint32_t)len);
	uint8_t *block = calloc(1, total);
	struct bx_block_header h = { .type = BX_BLOCK_DATA, .seq = 1, .body_len = (uint32_t)len };

	must(block != NULL);
	if (len != 0)
		memcpy(block + BX_HEADER_LEN, inner, len);
	bx_block_key_finish(&no_key, &h, block, total);
	return (struct bx_span){ block, total };
}

static bool
same_record(const struct bx_columns *a, const struct bx_columns *b, uint32_t i)
{
	struct bx_archive_record x, y;

	bx_block_reader_record(a, i, &x);
	bx_block_reader_record(b, i, &y);
	return x.code == y.code && x.flags == y.flags && bx_span_equal(x.uri, y.uri) &&
	       bx_span_equal(x.body, y.body) &&
	       ((x.flags & BX_RECORD_NO_TIME) != 0 || x.ts == y.ts) &&
	       x.channel->session == y.channel->session && x.channel->conn == y.channel->conn &&
	       bx_span_equal(x.channel->realm, y.channel->realm) &&
	       x.channel->flags == y.channel->flags;
}

/* Builds the same records again and compares. */
static void
write_again(const struct bx_columns *c)
{
	struct bx_block_builder_options o = BX_BLOCK_BUILDER_DEFAULT;
	struct bx_block_ticket ticket = { .seq = 1 };
	struct bx_block_builder *b;
	struct bx_block_reader *r;
	struct bx_sealed_block sealed;
	struct bx_fault fault = { 0 };
	size_t cap;
	uint8_t *out;

	o.body_goal = 64u << 20;
	o.meta_goal = 64u << 20;
	must(bx_block_builder_new(&b, &o, NULL) == BX_OK);
	must(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL) == BX_OK);
	for (uint32_t i = 0; i < c->count; i++) {
		struct bx_archive_record record;

		bx_block_reader_record(c, i, &record);
		if (record.code == BX_CODE_REST)
			goto done;
		if (bx_block_builder_add(b, &record) != BX_BLOCK_ADDED)
			goto done;
	}
	cap = bx_block_builder_bound(b);
	out = malloc(cap);
	must(out != NULL);
	ticket.dropped = c->totals.dropped;
	must(bx_block_builder_seal(b, out, cap, &ticket, &sealed, NULL) == BX_OK);
	must(bx_block_reader_load(r, (struct bx_span){ out, sealed.len }, &no_key, BX_LOAD_BODIES,
				  0, &fault) == BX_STATUS_CLEAN);
	must(memcmp(&bx_block_reader_columns(r)->totals, &c->totals, sizeof(c->totals)) == 0);
	for (uint32_t i = 0; i < c->count; i++)
		must(same_record(c, bx_block_reader_columns(r), i));
	free(out);
done:
	bx_block_builder_free(b);
	bx_block_reader_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bx_block_reader *r;
	struct bx_span block;
	const struct bx_columns *c;

	if (size > 1u << 20)
		return 0;
	block = wrap(data, size);
	must(bx_block_reader_new(&r, (struct bx_read_limits){ .raw_max = 4u << 20 }, NULL) ==
	     BX_OK);
	if (bx_block_reader_load(r, block, &no_key, BX_LOAD_BODIES, 0, NULL) == BX_STATUS_CLEAN) {
		c = bx_block_reader_columns(r);
		must(c != NULL && bx_block_reader_summary(r) != NULL);
		write_again(c);
	}
	bx_block_reader_free(r);
	free((void *)(uintptr_t)block.ptr);
	return 0;
}
