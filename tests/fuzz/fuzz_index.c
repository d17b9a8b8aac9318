/* The inner parts of INDEX, TAIL and META; the first byte chooses which. */
#include <stdlib.h>
#include <string.h>

#include "archive/block_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bx_block_key no_key = { .encrypted = false };

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
walk_lists(const struct bx_index *index)
{
	size_t count;
	const struct bx_index_entry *entries = bx_index_entries(index, &count);

	for (size_t i = 1; i < count; i++)
		must(entries[i].seq > entries[i - 1].seq);
	for (unsigned kind = 0; kind < 3; kind++) {
		struct bx_span at = { NULL, 0 };
		struct bx_index_list list;
		struct bx_index_posting p;

		while (bx_index_next_list(index, (enum bx_index_kind)kind, &at, &list)) {
			uint32_t n = 0;

			for (; bx_index_next_posting(&list, &p); n++)
				must(p.entry < count && p.sums.count != 0);
			must(n == list.posting_count);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t types[] = { BX_BLOCK_INDEX, BX_BLOCK_TAIL, BX_BLOCK_META };
	struct bx_block_header h = { .seq = 1 };
	struct bx_block_reader *r;
	size_t total;
	uint8_t *block;

	if (size == 0 || size > 1u << 20)
		return 0;
	h.type = types[data[0] % 3];
	h.body_len = (uint32_t)(size - 1);
	total = (size_t)bx_block_header_total(h.body_len);
	block = calloc(1, total);
	must(block != NULL);
	memcpy(block + BX_HEADER_LEN, data + 1, size - 1);
	bx_block_key_finish(&no_key, &h, block, total);
	must(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL) == BX_OK);
	if (bx_block_reader_load(r, (struct bx_span){ block, total }, &no_key, 0, 0, NULL) ==
		BX_STATUS_CLEAN &&
	    h.type == BX_BLOCK_INDEX)
		walk_lists(bx_block_reader_index(r));
	bx_block_reader_free(r);
	free(block);
	return 0;
}
