#include "archive/index.h"

#include <stdlib.h>
#include <string.h>

#include "archive/index_layout.h"
#include "archive/uleb.h"
#include "archive/zstd_frame.h"

enum { FLAGS_AT = 9, BODY_CRC_AT = 44, TAG_AT = 72 };

/* What the block says of itself before its content is read. */
struct front {
	uint32_t entries, types, realms, channels, topics;
	uint32_t stored, raw;
	uint8_t codec, kind;
};

struct bx_index {
	ZSTD_DCtx *dctx;
	uint8_t *raw; /* the content; lists point into it */
	size_t raw_cap;
	struct bx_index_entry *entries;
	size_t entry_cap;
	struct bx_span *realms;
	size_t realm_cap;

	struct front front;
	uint64_t first_block;
	uint8_t r[BX_R_LEN];
	struct bx_span lists[3]; /* by enum bx_index_kind */
};

void
bx_index_entry_id(uint8_t id[static 16], const uint8_t header[static 128])
{
	if ((header[FLAGS_AT] & BX_BLOCK_ENCRYPTED) != 0) {
		memcpy(id, header + TAG_AT, 16);
		return;
	}
	memset(id, 0, 16);
	memcpy(id, header + BODY_CRC_AT, 4);
}

struct bx_index *
bx_index_new(void)
{
	struct bx_index *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->dctx = ZSTD_createDCtx();
	if (x->dctx == NULL) {
		free(x);
		return NULL;
	}
	return x;
}

void
bx_index_free(struct bx_index *x)
{
	if (x == NULL)
		return;
	ZSTD_freeDCtx(x->dctx);
	free(x->raw);
	free(x->entries);
	free(x->realms);
	free(x);
}

static void
make_empty(struct bx_index *x)
{
	memset(&x->front, 0, sizeof(x->front));
	memset(x->lists, 0, sizeof(x->lists));
}

static enum bx_status
damaged(uint64_t offset, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_DAMAGED, offset, what);
}

/* --- the front ------------------------------------------------------------------------------- */

static enum bx_status
parse_front(struct bx_index *x, struct bx_span inner, struct front *f, struct bx_span *content,
	    uint64_t offset, struct bx_fault *fault)
{
	const uint8_t *p = inner.ptr;
	size_t meta_len;

	if (inner.len < BX_INDEX_META_LEN)
		return damaged(offset, fault, "an INDEX is too short");
	meta_len = bx_load_le16(p + BX_INDEX_META_LEN_AT);
	*f = (struct front){
		.entries = bx_load_le32(p + BX_INDEX_N_ENTRIES),
		.types = bx_load_le32(p + BX_INDEX_N_TYPES),
		.realms = bx_load_le32(p + BX_INDEX_N_REALMS),
		.channels = bx_load_le32(p + BX_INDEX_N_CHANNELS),
		.topics = bx_load_le32(p + BX_INDEX_N_TOPICS),
		.stored = bx_load_le32(p + BX_INDEX_STORED),
		.raw = bx_load_le32(p + BX_INDEX_RAW),
		.codec = p[BX_INDEX_CODEC],
		.kind = p[BX_INDEX_KIND_AT],
	};
	if (meta_len < BX_INDEX_META_LEN || meta_len > inner.len ||
	    inner.len - meta_len != f->stored)
		return damaged(offset, fault, "the lengths of an INDEX contradict each other");
	if (f->codec > BX_CODEC_ZSTD || f->kind > BX_INDEX_ROOT)
		return bx_status_set(fault, BX_STATUS_UNSUPPORTED, offset,
				     "an INDEX of a kind that this version does not know");
	if (f->raw > BX_RAW_LEN_MAX || (f->codec == BX_CODEC_STORED && f->stored != f->raw))
		return damaged(offset, fault, "an INDEX has an impossible raw length");
	/* Each thing counted takes bytes of the content, so this bounds every allocation. */
	if ((uint64_t)f->entries * BX_INDEX_ENTRY_LEN + (uint64_t)f->types * 2 + f->realms +
		(uint64_t)f->channels * BX_CHANNEL_LEN + (uint64_t)f->topics * 2 >
	    f->raw)
		return damaged(offset, fault, "an INDEX counts more than it can hold");
	if (f->kind == BX_INDEX_LEAF && f->entries > BX_LEAF_BLOCKS_MAX)
		return damaged(offset, fault, "an INDEX covers more than 1024 blocks");
	x->first_block = bx_load_le64(p + BX_INDEX_FIRST_BLOCK);
	memcpy(x->r, p + BX_INDEX_R, BX_R_LEN);
	*content = (struct bx_span){ p + meta_len, f->stored };
	return BX_STATUS_CLEAN;
}

static bool
make_room(void *array, size_t *cap, size_t need, size_t size)
{
	void *old;

	if (need <= *cap)
		return true;
	memcpy(&old, array, sizeof(old));

	void *grown = realloc(old, need * size);

	if (grown == NULL)
		return false;
	memcpy(array, &grown, sizeof(grown));
	*cap = need;
	return true;
}

static enum bx_status
unpack(struct bx_index *x, const struct front *f, struct bx_span content, uint64_t offset,
       struct bx_fault *fault)
{
	/* The frame's own header is looked at before memory is taken for what it claims. */
	if (f->codec == BX_CODEC_ZSTD && !bx_zstd_frame_check(content, f->raw))
		return damaged(offset, fault, "the frame of an INDEX is not as it must be");
	if (!make_room(&x->raw, &x->raw_cap, (size_t)f->raw + 1, 1) ||
	    !make_room(&x->entries, &x->entry_cap, (size_t)f->entries + 1, sizeof(x->entries[0])) ||
	    !make_room(&x->realms, &x->realm_cap, (size_t)f->realms + 1, sizeof(x->realms[0])))
		return bx_status_set(fault, BX_STATUS_NOMEM, offset, "no memory for an INDEX");
	if (f->codec == BX_CODEC_STORED) {
		memcpy(x->raw, content.ptr, content.len);
		return BX_STATUS_CLEAN;
	}
	if (!bx_zstd_frame_unpack(x->dctx, content, x->raw, f->raw))
		return damaged(offset, fault, "an INDEX does not inflate");
	return BX_STATUS_CLEAN;
}

/* --- the content ----------------------------------------------------------------------------- */

static bool
take_entry(struct bx_cursor *c, struct bx_index_entry *e)
{
	struct bx_span s = bx_take(c, BX_INDEX_ENTRY_LEN);

	if (c->bad)
		return false;
	e->seq = bx_load_le64(s.ptr + BX_ENTRY_SEQ);
	e->page_off = bx_load_le64(s.ptr + BX_ENTRY_PAGE_OFF);
	e->first_record = bx_load_le64(s.ptr + BX_ENTRY_FIRST_RECORD);
	bx_record_totals_load(&e->totals, s.ptr + BX_ENTRY_TOTALS);
	e->pages = bx_load_le32(s.ptr + BX_ENTRY_PAGES);
	e->unlisted = (bx_load_le32(s.ptr + BX_ENTRY_FLAGS) & BX_ENTRY_UNLISTED) != 0;
	memcpy(e->id, s.ptr + BX_ENTRY_ID, sizeof(e->id));
	return e->seq <= BX_SEQ_MAX && e->pages != 0 && e->pages <= BX_BODY_LEN_MAX / BX_PAGE + 1 &&
	       e->page_off < UINT64_MAX / BX_PAGE / 2;
}

static bool
take_entries(struct bx_index *x, const struct front *f, struct bx_cursor *c)
{
	for (uint32_t i = 0; i < f->entries; i++) {
		struct bx_index_entry *e = &x->entries[i];

		if (!take_entry(c, e))
			return false;
		if (i != 0 && (e->seq <= e[-1].seq || e->page_off < e[-1].page_off + e[-1].pages))
			return false;
	}
	return true;
}

static bool
take_posting(struct bx_cursor *c, uint32_t *entry, bool first, struct bx_type_count *sums)
{
	uint64_t step = bx_uleb_take(c, UINT32_MAX);

	sums->count = bx_uleb_take(c, UINT64_MAX);
	sums->sealed = bx_uleb_take(c, UINT64_MAX);
	sums->plain = bx_uleb_take(c, UINT64_MAX);
	sums->bytes = bx_uleb_take(c, UINT64_MAX);
	if (c->bad || step > UINT32_MAX - *entry || (!first && step == 0))
		return false;
	*entry += (uint32_t)step;
	return sums->count != 0;
}

static bool
skip_postings(struct bx_cursor *c, uint32_t entries)
{
	uint64_t n = bx_uleb_take(c, entries);
	uint32_t entry = 0;
	struct bx_type_count sums;

	for (uint64_t i = 0; i < n; i++)
		if (!take_posting(c, &entry, i == 0, &sums) || entry >= entries)
			return false;
	return !c->bad && n != 0;
}

static int
compare(struct bx_span a, struct bx_span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool
take_types(const struct front *f, struct bx_cursor *c)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < f->types; i++) {
		uint64_t code = bx_uleb_take(c, BX_CODE_REST);

		if ((i != 0 && code <= last) || !skip_postings(c, f->entries))
			return false;
		last = code;
	}
	return !c->bad;
}

static bool
take_realms(struct bx_index *x, const struct front *f, struct bx_cursor *c)
{
	for (uint32_t i = 0; i < f->realms; i++) {
		x->realms[i] = bx_take(c, bx_uleb_take(c, BX_ARCHIVE_URI_MAX));
		if (i == 0 && x->realms[i].len != 0)
			return false;
	}
	return !c->bad;
}

static bool
take_channels(const struct front *f, struct bx_cursor *c)
{
	struct bx_span last = { NULL, 0 };
	struct bx_archive_channel channel;
	uint32_t realm;

	for (uint32_t i = 0; i < f->channels; i++) {
		struct bx_span s = bx_take(c, BX_CHANNEL_LEN);

		if (c->bad || !bx_record_channel_load(&channel, &realm, s.ptr) ||
		    realm >= f->realms || (i != 0 && compare(s, last) <= 0) ||
		    !skip_postings(c, f->entries))
			return false;
		last = s;
	}
	return true;
}

static bool
take_topics(const struct front *f, struct bx_cursor *c)
{
	struct bx_span last = { NULL, 0 };

	for (uint32_t i = 0; i < f->topics; i++) {
		struct bx_span s = bx_take(c, bx_uleb_take(c, BX_ARCHIVE_URI_MAX));

		if (c->bad || (i != 0 && compare(s, last) <= 0) || !skip_postings(c, f->entries))
			return false;
		last = s;
	}
	return true;
}

static struct bx_span
between(const uint8_t *from, const struct bx_cursor *c)
{
	return (struct bx_span){ from, (size_t)(c->at - from) };
}

static bool
take_content(struct bx_index *x, const struct front *f)
{
	struct bx_cursor c = bx_cursor_over((struct bx_span){ x->raw, f->raw });
	const uint8_t *from;

	if (!take_entries(x, f, &c))
		return false;
	from = c.at;
	if (!take_types(f, &c))
		return false;
	x->lists[BX_INDEX_TYPES] = between(from, &c);
	if (!take_realms(x, f, &c))
		return false;
	from = c.at;
	if (!take_channels(f, &c))
		return false;
	x->lists[BX_INDEX_CHANNELS] = between(from, &c);
	from = c.at;
	if (!take_topics(f, &c))
		return false;
	x->lists[BX_INDEX_TOPICS] = between(from, &c);
	/* What follows was added by a later version. */
	return true;
}

enum bx_status
bx_index_parse(struct bx_index *x, struct bx_span inner, uint64_t offset, struct bx_fault *fault)
{
	struct front f = { 0 };
	struct bx_span content = { NULL, 0 };
	enum bx_status status;

	make_empty(x);
	status = parse_front(x, inner, &f, &content, offset, fault);
	if (status == BX_STATUS_CLEAN)
		status = unpack(x, &f, content, offset, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	if (!take_content(x, &f)) {
		make_empty(x);
		return damaged(offset, fault, "the content of an INDEX breaks its rules");
	}
	x->front = f;
	return BX_STATUS_CLEAN;
}

/* --- reading --------------------------------------------------------------------------------- */

void
bx_index_swap(struct bx_index *a, struct bx_index *b)
{
	struct bx_index kept = *a;

	*a = *b;
	*b = kept;
}

bool
bx_index_is_root(const struct bx_index *x)
{
	return x->front.kind == BX_INDEX_ROOT;
}

uint64_t
bx_index_first_block(const struct bx_index *x)
{
	return x->first_block;
}

const uint8_t *
bx_index_r(const struct bx_index *x)
{
	return x->r;
}

const struct bx_index_entry *
bx_index_entries(const struct bx_index *x, size_t *count)
{
	*count = x->front.entries;
	return x->entries;
}

bool
bx_index_next_list(const struct bx_index *x, enum bx_index_kind kind, struct bx_span *at,
		   struct bx_index_list *list)
{
	struct bx_cursor c = bx_cursor_over(at->ptr == NULL ? x->lists[kind] : *at);
	struct bx_type_count sums;
	uint32_t entry = 0;
	uint32_t realm;

	if (bx_left(&c) == 0)
		return false;
	*list = (struct bx_index_list){ 0 };
	if (kind == BX_INDEX_TYPES) {
		list->code = (uint16_t)bx_uleb_take(&c, BX_CODE_REST);
	} else if (kind == BX_INDEX_CHANNELS) {
		struct bx_span stored = bx_take(&c, BX_CHANNEL_LEN);

		(void)bx_record_channel_load(&list->channel, &realm, stored.ptr);
		list->channel.realm = x->realms[realm];
	} else {
		list->topic = bx_take(&c, bx_uleb_take(&c, BX_ARCHIVE_URI_MAX));
	}
	list->posting_count = (uint32_t)bx_uleb_take(&c, UINT32_MAX);
	list->rest = (struct bx_span){ c.at, bx_left(&c) };
	/* Parsing has checked all of it, so this only finds the end. */
	for (uint32_t i = 0; i < list->posting_count; i++)
		(void)take_posting(&c, &entry, i == 0, &sums);
	list->rest.len = (size_t)(c.at - list->rest.ptr);
	*at = (struct bx_span){ c.at, bx_left(&c) };
	return true;
}

bool
bx_index_next_posting(struct bx_index_list *list, struct bx_index_posting *posting)
{
	struct bx_cursor c = bx_cursor_over(list->rest);

	if (bx_left(&c) == 0)
		return false;
	posting->sums = (struct bx_type_count){ 0 };
	(void)take_posting(&c, &list->entry, false, &posting->sums);
	posting->entry = list->entry;
	list->rest = (struct bx_span){ c.at, bx_left(&c) };
	return true;
}
