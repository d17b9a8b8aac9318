#include "archive/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "archive/digest.h"
#include "archive/streams.h"
#include "base/crc32c.h"

/* A segment, and what only this file needs of it. */
struct item {
	struct bx_catalog_segment segment;
	struct bx_segment_key *key; /* NULL: plain, or headers_only */
	uint64_t blocks;
	uint8_t link[32]; /* of its last block */
};

struct bx_catalog {
	struct bx_bytes bytes;
	struct bx_walk_options options;
	struct bx_block_reader *reader;
	struct bx_bytes_block block;
	struct item *items; /* in file order once open() is done */
	size_t count, cap;
	bool trailing; /* zeros, or a cut block, after the last segment */
	struct bx_fault fault;
};

void
bx_catalog_free(struct bx_catalog *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		bx_segment_key_free(c->items[i].key);
	free(c->items);
	bx_bytes_block_free(&c->block);
	bx_block_reader_free(c->reader);
	free(c);
}

static enum bx_status
nomem(struct bx_fault *fault)
{
	return bx_status_set(fault, BX_STATUS_NOMEM, BX_NOWHERE, "no memory for reading");
}

static enum bx_status
damaged(uint64_t at, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_DAMAGED, at, what);
}

static enum bx_status
mismatch(uint64_t at, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_INDEX_MISMATCH, at, what);
}

static bool
add_item(struct bx_catalog *c, const struct item *item)
{
	if (c->count == c->cap) {
		size_t cap = c->cap == 0 ? 4 : c->cap * 2;
		struct item *grown = realloc(c->items, cap * sizeof(grown[0]));

		if (grown == NULL)
			return false;
		c->items = grown;
		c->cap = cap;
	}
	c->items[c->count++] = *item;
	return true;
}

static void
block_key(const struct item *item, uint64_t seq, struct bx_block_key *key)
{
	key->encrypted = false;
	if (item->key != NULL)
		bx_segment_key_block(item->key, seq, key);
}

/* Loads the block that `c->block` holds. */
static enum bx_status
load(struct bx_catalog *c, const struct item *item, const struct bx_block_header *h, uint64_t at,
     struct bx_fault *fault)
{
	struct bx_block_key key;
	enum bx_status status;

	block_key(item, h->seq, &key);
	status = bx_block_reader_load(c->reader, (struct bx_span){ c->block.ptr, c->block.len },
				      &key, 0, at, fault);
	bx_block_key_wipe(&key);
	return status;
}

/* --- HEAD and TAIL --------------------------------------------------------------------------- */

/* The HEAD of the segment at item->segment.at, walked as a walk would: checked and unlocked. */
static enum bx_status
read_head(struct bx_catalog *c, struct item *item, struct bx_fault *fault)
{
	struct bx_block_header h;
	uint64_t at = item->segment.at;
	enum bx_status status = bx_bytes_block(&c->bytes, at, &c->block, &h, fault);
	struct bx_span body;

	if (status != BX_STATUS_CLEAN)
		return status;
	body = (struct bx_span){ c->block.ptr + BX_HEADER_LEN, h.body_len };
	if (bx_crc32c(0, body) != h.body_crc)
		return damaged(at, fault, "the CRC of a HEAD does not match");
	status = bx_head_parse(&item->segment.head, c->block.ptr, body, at, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	item->segment.encrypted = item->segment.head.encrypted;
	return bx_walk_unlock(&item->key, &c->options, c->block.ptr, body, &item->segment.head, at,
			      fault);
}

/* The TAIL at `at`, which is in c->block. */
static enum bx_status
read_tail(struct bx_catalog *c, struct item *item, uint64_t at, struct bx_fault *fault)
{
	struct bx_block_header h;
	enum bx_status status = bx_bytes_block(&c->bytes, at, &c->block, &h, fault);

	if (status != BX_STATUS_CLEAN)
		return status;
	if (h.type != BX_BLOCK_TAIL || memcmp(h.segment_id, item->segment.head.segment_id, 16) != 0)
		return damaged(at, fault, "a TAIL of another segment");
	item->blocks = h.seq + 1;
	bx_digest_link(c->block.ptr, item->link);
	if (c->options.headers_only && item->segment.encrypted) {
		item->segment.tail.last = (h.flags & BX_BLOCK_LAST) != 0;
		return BX_STATUS_CLEAN;
	}
	status = load(c, item, &h, at, fault);
	if (status == BX_STATUS_CLEAN)
		item->segment.tail = *bx_block_reader_tail(c->reader);
	return status;
}

static enum bx_status
finish_item(struct bx_catalog *c, struct item *item, struct bx_fault *fault)
{
	enum bx_status status = read_head(c, item, fault);

	if (status == BX_STATUS_CLEAN && !item->segment.open)
		status = read_tail(c, item, item->segment.at + item->segment.len - BX_PAGE, fault);
	if (status == BX_STATUS_CLEAN && !add_item(c, item))
		status = nomem(fault);
	if (status != BX_STATUS_CLEAN)
		bx_segment_key_free(item->key);
	return status;
}

/* --- finding segments ------------------------------------------------------------------------ */

/* Backwards by TAILs. *whole false: somewhere there is none, the file has to be gone through. */
static enum bx_status
find_backwards(struct bx_catalog *c, bool *whole, struct bx_fault *fault)
{
	uint64_t end = c->bytes.size;

	*whole = false;
	while (end != 0) {
		struct item item = { 0 };
		uint8_t front[BX_HEADER_LEN];
		struct bx_block_header h;
		enum bx_status status;

		if (end < BX_PAGE)
			return BX_STATUS_CLEAN;
		status = bx_bytes_read(&c->bytes, end - BX_PAGE, front, sizeof(front), fault);
		if (status != BX_STATUS_CLEAN)
			return status;
		if (bx_block_header_parse(&h, front, end, NULL) != BX_STATUS_CLEAN ||
		    h.type != BX_BLOCK_TAIL || h.page_off > (end - BX_PAGE) / BX_PAGE)
			return BX_STATUS_CLEAN;
		item.segment.at = end - BX_PAGE - h.page_off * BX_PAGE;
		item.segment.len = end - item.segment.at;
		status = finish_item(c, &item, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
		end = item.segment.at;
	}
	*whole = c->count != 0;
	/* They were found from the last to the first. */
	for (size_t i = 0; i < c->count / 2; i++) {
		struct item kept = c->items[i];

		c->items[i] = c->items[c->count - 1 - i];
		c->items[c->count - 1 - i] = kept;
	}
	return BX_STATUS_CLEAN;
}

/* What a pass over the headers knows of the segment it is in. */
struct pass {
	struct item item;
	uint8_t id[16];
	bool inside;
};

static enum bx_status
close_item(struct bx_catalog *c, struct pass *p, uint64_t at, bool open, struct bx_fault *fault)
{
	if (!p->inside)
		return BX_STATUS_CLEAN;
	p->inside = false;
	p->item.segment.len = at - p->item.segment.at;
	p->item.segment.open = open;
	return finish_item(c, &p->item, fault);
}

/* One header. *len 0: the file ends here in a way that a walk will judge. */
static enum bx_status
pass_header(struct bx_catalog *c, struct pass *p, uint64_t at, uint64_t *len,
	    struct bx_fault *fault)
{
	uint64_t left = c->bytes.size - at;
	uint8_t front[BX_HEADER_LEN];
	struct bx_block_header h;
	enum bx_status status;
	bool zero;

	*len = 0;
	status = bx_bytes_zero(&c->bytes, at, at + (left < 128 ? left : 128), &zero, fault);
	if (status == BX_STATUS_CLEAN && zero)
		status = bx_bytes_zero(&c->bytes, at, c->bytes.size, &zero, fault);
	if (status != BX_STATUS_CLEAN || zero || left < BX_HEADER_LEN)
		return status;
	status = bx_bytes_read(&c->bytes, at, front, sizeof(front), fault);
	if (status == BX_STATUS_CLEAN)
		status = bx_block_header_parse(&h, front, at, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	if (h.type == BX_BLOCK_HEAD) {
		status = close_item(c, p, at, true, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
		p->item = (struct item){ .segment = { .at = at } };
		memcpy(p->id, h.segment_id, 16);
		p->inside = true;
	}
	if (!p->inside || memcmp(p->id, h.segment_id, 16) != 0 || h.seq != p->item.blocks ||
	    h.page_off != (at - p->item.segment.at) / BX_PAGE)
		return damaged(at, fault, "a block is missing, repeated or out of order");
	if (bx_block_header_total(h.body_len) > left)
		return BX_STATUS_CLEAN;
	*len = bx_block_header_total(h.body_len);
	p->item.blocks++;
	bx_digest_link(front, p->item.link);
	return h.type == BX_BLOCK_TAIL ? close_item(c, p, at + *len, false, fault)
				       : BX_STATUS_CLEAN;
}

/* Forwards by headers: a segment has no TAIL, or bytes follow the last one. */
static enum bx_status
find_forwards(struct bx_catalog *c, struct bx_fault *fault)
{
	struct pass p = { .inside = false };
	uint64_t at = 0;
	enum bx_status status = BX_STATUS_CLEAN;

	while (at < c->bytes.size) {
		uint64_t len;

		status = pass_header(c, &p, at, &len, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
		if (len == 0)
			break;
		at += len;
	}
	c->trailing = at < c->bytes.size;
	status = close_item(c, &p, c->bytes.size, true, fault);
	if (status == BX_STATUS_CLEAN && c->count == 0)
		return damaged(0, fault, "the file holds no segment");
	return status;
}

static enum bx_status
judge(struct bx_catalog *c, struct bx_fault *fault)
{
	struct bx_streams *streams = bx_streams_new(0);
	enum bx_status status = BX_STATUS_CLEAN;

	if (streams == NULL)
		return nomem(fault);
	for (size_t i = 0; i < c->count; i++) {
		const struct item *item = &c->items[i];

		if (!bx_streams_begin(streams, &item->segment.head, item->segment.at)) {
			status = nomem(fault);
			break;
		}
		bx_streams_end(streams, item->blocks, item->link, !item->segment.open,
			       item->segment.tail.last);
	}
	if (status == BX_STATUS_CLEAN &&
	    bx_streams_verdict(streams, c->trailing, &c->fault) == BX_STATUS_CLEAN && c->trailing)
		(void)bx_status_set(&c->fault, BX_STATUS_OPEN, BX_NOWHERE,
				    "the file was not closed");
	bx_streams_free(streams);
	return status;
}

enum bx_status
bx_catalog_open(struct bx_catalog **catalog, const struct bx_bytes *bytes,
		const struct bx_walk_options *options, struct bx_fault *fault)
{
	struct bx_catalog *c = calloc(1, sizeof(*c));
	enum bx_status status;
	bool whole = false;

	if (c == NULL || bx_block_reader_new(&c->reader, BX_READ_LIMITS_DEFAULT, NULL) != BX_OK) {
		free(c);
		return nomem(fault);
	}
	c->bytes = *bytes;
	c->options = *options;
	status = find_backwards(c, &whole, fault);
	if (status == BX_STATUS_CLEAN && !whole) {
		for (size_t i = 0; i < c->count; i++)
			bx_segment_key_free(c->items[i].key);
		c->count = 0;
		status = find_forwards(c, fault);
	}
	if (status == BX_STATUS_CLEAN)
		status = judge(c, fault);
	if (status != BX_STATUS_CLEAN) {
		bx_catalog_free(c);
		return status;
	}
	*catalog = c;
	return c->fault.status;
}

enum bx_status
bx_catalog_status(const struct bx_catalog *c, struct bx_fault *fault)
{
	if (fault != NULL)
		*fault = c->fault;
	return c->fault.status;
}

size_t
bx_catalog_count(const struct bx_catalog *c)
{
	return c->count;
}

const struct bx_catalog_segment *
bx_catalog_at(const struct bx_catalog *c, size_t segment)
{
	return &c->items[segment].segment;
}

/* --- INDEX ----------------------------------------------------------------------------------- */

static enum bx_status
read_index(struct bx_catalog *c, size_t segment, uint64_t page_off, struct bx_index *into,
	   struct bx_fault *fault)
{
	const struct item *item = &c->items[segment];
	uint64_t at = item->segment.at + page_off * BX_PAGE;
	struct bx_block_header h;
	enum bx_status status = bx_bytes_block(&c->bytes, at, &c->block, &h, fault);

	if (status != BX_STATUS_CLEAN)
		return status;
	if (h.type != BX_BLOCK_INDEX || h.page_off != page_off ||
	    memcmp(h.segment_id, item->segment.head.segment_id, 16) != 0)
		return mismatch(at, fault, "there is no INDEX where one is said to be");
	status = load(c, item, &h, at, fault);
	if (status == BX_STATUS_CLEAN)
		bx_block_reader_take_index(c->reader, into);
	return status;
}

static bool
same_totals(const struct bx_totals *a, const struct bx_totals *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void
sum_entries(const struct bx_index *index, struct bx_totals *sum)
{
	size_t count;
	const struct bx_index_entry *entries = bx_index_entries(index, &count);

	*sum = BX_TOTALS_NONE;
	for (size_t i = 0; i < count; i++)
		bx_record_sum(sum, &entries[i].totals);
}

/* All entries lie inside the segment. */
static bool
inside(const struct bx_index *index, uint64_t pages)
{
	size_t count;
	const struct bx_index_entry *entries = bx_index_entries(index, &count);

	for (size_t i = 0; i < count; i++)
		if (entries[i].page_off >= pages || entries[i].pages > pages - entries[i].page_off)
			return false;
	return true;
}

enum bx_status
bx_catalog_root(struct bx_catalog *c, size_t segment, struct bx_index *root, struct bx_fault *fault)
{
	const struct bx_catalog_segment *s = &c->items[segment].segment;
	uint64_t at = s->at + s->tail.root_page_off * BX_PAGE;
	struct bx_totals sum;
	enum bx_status status;

	if (s->open)
		return mismatch(s->at, fault, "a segment without TAIL has no root INDEX");
	status = read_index(c, segment, s->tail.root_page_off, root, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	sum_entries(root, &sum);
	if (!bx_index_is_root(root) || !inside(root, s->tail.root_page_off) ||
	    !same_totals(&sum, &s->tail.totals))
		return mismatch(at, fault, "the root INDEX is not what TAIL says");
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_catalog_leaf(struct bx_catalog *c, size_t segment, const struct bx_index_entry *entry,
		struct bx_index *leaf, struct bx_fault *fault)
{
	const struct bx_catalog_segment *s = &c->items[segment].segment;
	uint64_t at = s->at + entry->page_off * BX_PAGE;
	struct bx_totals sum;
	uint8_t id[16];
	enum bx_status status = read_index(c, segment, entry->page_off, leaf, fault);

	if (status != BX_STATUS_CLEAN)
		return status;
	bx_index_entry_id(id, c->block.ptr);
	sum_entries(leaf, &sum);
	if (bx_index_is_root(leaf) || !inside(leaf, entry->page_off) ||
	    memcmp(id, entry->id, sizeof(id)) != 0 ||
	    bx_block_reader_header(c->reader)->seq != entry->seq ||
	    !same_totals(&sum, &entry->totals))
		return mismatch(at, fault, "an INDEX is not what the root INDEX says");
	return BX_STATUS_CLEAN;
}

const struct bx_segment_meta *
bx_catalog_meta(struct bx_catalog *c, size_t segment, enum bx_status *status,
		struct bx_fault *fault)
{
	const struct item *item = &c->items[segment];
	uint64_t at;
	uint8_t front[BX_HEADER_LEN];
	struct bx_block_header h;

	/* HEAD's length is in its own header. */
	*status = bx_bytes_read(&c->bytes, item->segment.at, front, sizeof(front), fault);
	if (*status == BX_STATUS_CLEAN)
		*status = bx_block_header_parse(&h, front, item->segment.at, fault);
	if (*status != BX_STATUS_CLEAN)
		return NULL;
	at = item->segment.at + bx_block_header_total(h.body_len);
	if (at - item->segment.at >= item->segment.len)
		return NULL;
	*status = bx_bytes_read(&c->bytes, at, front, sizeof(front), fault);
	if (*status == BX_STATUS_CLEAN)
		*status = bx_block_header_parse(&h, front, at, fault);
	if (*status != BX_STATUS_CLEAN || h.type != BX_BLOCK_META)
		return NULL;
	*status = bx_bytes_block(&c->bytes, at, &c->block, &h, fault);
	if (*status == BX_STATUS_CLEAN)
		*status = load(c, item, &h, at, fault);
	return *status == BX_STATUS_CLEAN ? bx_block_reader_meta(c->reader) : NULL;
}

/* --- blocks ---------------------------------------------------------------------------------- */

uint64_t
bx_catalog_block_at(const struct bx_catalog *c, size_t segment, const struct bx_index_entry *entry,
		    uint64_t *len)
{
	*len = (uint64_t)entry->pages * BX_PAGE;
	return c->items[segment].segment.at + entry->page_off * BX_PAGE;
}

void
bx_catalog_key(const struct bx_catalog *c, size_t segment, uint64_t seq, struct bx_block_key *key)
{
	block_key(&c->items[segment], seq, key);
}

enum bx_status
bx_catalog_check(const struct bx_catalog *c, size_t segment, const struct bx_index_entry *entry,
		 struct bx_span bytes, struct bx_fault *fault)
{
	const struct bx_catalog_segment *s = &c->items[segment].segment;
	uint64_t at = s->at + entry->page_off * BX_PAGE;
	struct bx_block_header h;
	uint8_t id[16];
	enum bx_status status;

	if (bytes.len < BX_HEADER_LEN)
		return damaged(at, fault, "a block is cut");
	status = bx_block_header_parse(&h, bytes.ptr, at, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	bx_index_entry_id(id, bytes.ptr);
	if (h.type != BX_BLOCK_DATA || memcmp(h.segment_id, s->head.segment_id, 16) != 0 ||
	    h.seq != entry->seq || h.page_off != entry->page_off ||
	    bx_block_header_total(h.body_len) != bytes.len ||
	    memcmp(id, entry->id, sizeof(id)) != 0)
		return mismatch(at, fault, "a block is not the one that the INDEX names");
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_catalog_confirm(const struct bx_index_entry *entry, const struct bx_columns *columns,
		   uint64_t offset, struct bx_fault *fault)
{
	if (columns->first_record != entry->first_record ||
	    !same_totals(&columns->totals, &entry->totals))
		return mismatch(offset, fault, "a block holds other records than the INDEX says");
	return BX_STATUS_CLEAN;
}
