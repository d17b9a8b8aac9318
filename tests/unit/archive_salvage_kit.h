/* For the tests of engine/archive: salvage of a file, compared with what was written. */
#ifndef ARCHIVE_SALVAGE_KIT_H
#define ARCHIVE_SALVAGE_KIT_H

#include "archive/salvage.h"
#include "archive_kit.h"

static inline enum bx_err
kit_bytes_read(void *context, uint64_t off, uint8_t *out, size_t len, struct bx_fail *fail)
{
	(void)fail;
	memcpy(out, (const uint8_t *)context + off, len);
	return BX_OK;
}

static inline struct bx_bytes
kit_bytes(struct bx_span file)
{
	return (struct bx_bytes){ (void *)(uintptr_t)file.ptr, file.len, kit_bytes_read, NULL };
}

struct kit_salvaged {
	enum bx_status result; /* of bx_salvage_next */
	struct bx_salvage_report report;
	size_t records;
	bool in_order; /* the released records are a subsequence of what was written */
	size_t blocks, gaps, segments;
	uint64_t block_at[512]; /* where released blocks were found */
	struct bx_fault first_gap;
};

static inline bool
kit_was_released(const struct kit_salvaged *s, uint64_t at)
{
	for (size_t i = 0; i < s->blocks; i++)
		if (s->block_at[i] == at)
			return true;
	return false;
}

static inline void
kit_match(struct kit_salvaged *got, const struct kit_how *how, const struct bx_columns *c,
	  size_t *next)
{
	for (uint32_t i = 0; i < c->count; i++) {
		struct bx_archive_record r;

		bx_block_reader_record(c, i, &r);
		while (*next < how->record_count && !kit_same(&r, &how->records[*next]))
			(*next)++;
		if (*next == how->record_count)
			got->in_order = false;
		else
			(*next)++;
		got->records++;
	}
}

static inline struct kit_salvaged
kit_salvage(struct bx_span file, const struct kit_how *how)
{
	struct kit_salvaged got = { .in_order = true };
	struct bx_bytes bytes = kit_bytes(file);
	struct bx_salvage_options o = { how->walk, how->limits };
	struct bx_salvage *s;
	struct bx_salvage_item item;
	size_t next = 0;
	size_t steps = 0;

	kit_must(bx_salvage_new(&s, &bytes, &o, NULL) == BX_OK);
	for (;;) {
		kit_must(steps++ < 100000);
		got.result = bx_salvage_next(s, &item, NULL);
		if (got.result != BX_STATUS_CLEAN || item.kind == BX_SALVAGE_END)
			break;
		if (item.kind == BX_SALVAGE_SEGMENT)
			got.segments++;
		if (item.kind == BX_SALVAGE_GAP && got.gaps++ == 0)
			got.first_gap = item.fault;
		if (item.kind != BX_SALVAGE_BLOCK)
			continue;
		if (got.blocks < 512)
			got.block_at[got.blocks] = item.at;
		got.blocks++;
		kit_match(&got, how, bx_block_reader_columns(bx_salvage_reader(s)), &next);
	}
	bx_salvage_report(s, &got.report);
	bx_salvage_free(s);
	return got;
}

#endif
