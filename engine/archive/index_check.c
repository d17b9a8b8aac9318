#include "archive/index_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hash.h"

/*
 * Lists are compared by sums of hashes: each posting is hashed with its string, and the hashes of
 * one block are added up. So nothing of the lists has to be kept, and their order does not matter.
 * The seed is not known to who made the file.
 */
struct expected {
	struct bx_index_entry entry;
	uint64_t lists[3]; /* by enum bx_index_kind */
	bool has_lists;
};

struct row {
	struct expected *at;
	size_t count, cap;
};

struct bx_index_check {
	uint64_t seed;
	struct row blocks; /* since the last leaf */
	struct row leaves;
	uint64_t *found; /* sums of the lists of an INDEX, three for each entry */
	size_t found_cap;
	uint64_t data_blocks;
	uint64_t first_block; /* ordinal of blocks.at[0] */
	struct bx_totals totals;
	uint64_t root_page_off;
	bool has_root;

	struct bx_type_count *types; /* of the segment, ascending by code */
	size_t type_count, type_cap;
	bool types_known;
};

struct bx_index_check *
bx_index_check_new(uint64_t hash_seed)
{
	struct bx_index_check *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->seed = hash_seed;
	bx_index_check_begin(x);
	return x;
}

void
bx_index_check_free(struct bx_index_check *x)
{
	if (x == NULL)
		return;
	free(x->blocks.at);
	free(x->leaves.at);
	free(x->found);
	free(x->types);
	free(x);
}

void
bx_index_check_begin(struct bx_index_check *x)
{
	x->blocks.count = 0;
	x->leaves.count = 0;
	x->data_blocks = 0;
	x->first_block = 0;
	x->totals = BX_TOTALS_NONE;
	x->has_root = false;
	x->type_count = 0;
	x->types_known = true;
}

const struct bx_totals *
bx_index_check_totals(const struct bx_index_check *x)
{
	return &x->totals;
}

uint64_t
bx_index_check_blocks(const struct bx_index_check *x)
{
	return x->data_blocks;
}

static enum bx_status
mismatch(uint64_t offset, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_INDEX_MISMATCH, offset, what);
}

/* --- hashes of postings ---------------------------------------------------------------------- */

static uint64_t
hash_counts(const struct bx_index_check *x, uint64_t name, const struct bx_type_count *c)
{
	const uint64_t words[5] = { name, c->count, c->sealed, c->plain, c->bytes };

	return bx_hash((struct bx_span){ (const uint8_t *)words, sizeof(words) }, x->seed);
}

static uint64_t
hash_channel(const struct bx_index_check *x, const struct bx_archive_channel *c)
{
	const uint64_t words[4] = {
		c->session,
		c->conn,
		bx_hash(c->realm, x->seed),
		(uint64_t)c->dir << 24 | (uint64_t)c->ser << 16 | (uint64_t)c->transport << 8 |
		    c->flags,
	};

	return bx_hash((struct bx_span){ (const uint8_t *)words, sizeof(words) }, x->seed);
}

static void
sum_summary(const struct bx_index_check *x, const struct bx_block_summary *s,
	    uint64_t sums[static 3])
{
	for (uint32_t i = 0; i < s->type_count; i++)
		sums[BX_INDEX_TYPES] += hash_counts(x, s->types[i].code, &s->types[i]);
	for (uint32_t i = 0; i < s->channel_count; i++)
		if (s->channel_counts[i].count != 0)
			sums[BX_INDEX_CHANNELS] +=
			    hash_counts(x, hash_channel(x, &s->channels[i]), &s->channel_counts[i]);
	for (uint32_t i = 0; i < s->topic_count; i++)
		if (s->topic_counts[i].count != 0)
			sums[BX_INDEX_TOPICS] +=
			    hash_counts(x, bx_hash(s->topics[i], x->seed), &s->topic_counts[i]);
}

static uint64_t
hash_name(const struct bx_index_check *x, enum bx_index_kind kind, const struct bx_index_list *list)
{
	if (kind == BX_INDEX_TYPES)
		return list->code;
	if (kind == BX_INDEX_CHANNELS)
		return hash_channel(x, &list->channel);
	return bx_hash(list->topic, x->seed);
}

/* The sums over the lists of an INDEX, for each entry; and of a leaf's types as one row of root. */
static void
sum_index(struct bx_index_check *x, const struct bx_index *index, uint64_t *leaf_types)
{
	for (unsigned k = 0; k < 3; k++) {
		struct bx_span at = { NULL, 0 };
		struct bx_index_list list;
		struct bx_index_posting p;

		while (bx_index_next_list(index, (enum bx_index_kind)k, &at, &list)) {
			uint64_t name = hash_name(x, (enum bx_index_kind)k, &list);
			struct bx_type_count sum = { 0 };

			while (bx_index_next_posting(&list, &p)) {
				x->found[p.entry * 3 + k] += hash_counts(x, name, &p.sums);
				bx_record_count(&sum, &p.sums);
			}
			if (k == BX_INDEX_TYPES)
				*leaf_types += hash_counts(x, name, &sum);
		}
	}
}

/* --- blocks ---------------------------------------------------------------------------------- */

static bool
add(struct row *row, const struct expected *e)
{
	if (row->count == row->cap) {
		size_t cap = row->cap == 0 ? 64 : row->cap * 2;
		struct expected *grown = realloc(row->at, cap * sizeof(grown[0]));

		if (grown == NULL)
			return false;
		row->at = grown;
		row->cap = cap;
	}
	row->at[row->count++] = *e;
	return true;
}

static bool
add_type(struct bx_index_check *x, const struct bx_type_count *row)
{
	size_t i = 0;

	while (i < x->type_count && x->types[i].code < row->code)
		i++;
	if (i == x->type_count || x->types[i].code != row->code) {
		if (x->type_count == x->type_cap) {
			size_t cap = x->type_cap == 0 ? 32 : x->type_cap * 2;
			struct bx_type_count *grown = realloc(x->types, cap * sizeof(grown[0]));

			if (grown == NULL)
				return false;
			x->types = grown;
			x->type_cap = cap;
		}
		memmove(x->types + i + 1, x->types + i, (x->type_count - i) * sizeof(x->types[0]));
		x->types[i] = (struct bx_type_count){ .code = row->code };
		x->type_count++;
	}
	bx_record_count(&x->types[i], row);
	return true;
}

static void
entry_of_header(struct bx_index_entry *e, const uint8_t header[static 128])
{
	uint32_t body_len = bx_load_le32(header + 40);

	e->seq = bx_load_le64(header + 32);
	e->page_off = bx_load_le64(header + 96);
	e->pages = (uint32_t)(bx_block_header_total(body_len) / BX_PAGE);
	bx_index_entry_id(e->id, header);
}

bool
bx_index_check_data(struct bx_index_check *x, const uint8_t header[static 128],
		    const struct bx_totals *totals, const struct bx_block_summary *summary)
{
	struct expected e = { .entry = { .first_record = x->totals.records, .totals = *totals } };

	entry_of_header(&e.entry, header);
	if (summary != NULL) {
		sum_summary(x, summary, e.lists);
		e.has_lists = true;
		for (uint32_t i = 0; i < summary->type_count; i++)
			if (!add_type(x, &summary->types[i]))
				return false;
	} else {
		x->types_known = false;
	}
	bx_record_sum(&x->totals, totals);
	x->data_blocks++;
	/* More blocks than a leaf may cover, and no leaf: they stay unchecked, memory is bounded.
	 */
	return x->blocks.count > BX_LEAF_BLOCKS_MAX || add(&x->blocks, &e);
}

/* --- INDEX ----------------------------------------------------------------------------------- */

static bool
same_totals(const struct bx_totals *a, const struct bx_totals *b)
{
	return a->records == b->records && a->sealed == b->sealed && a->plain == b->plain &&
	       a->ppt == b->ppt && a->unparsed == b->unparsed && a->dropped == b->dropped &&
	       a->raw_bytes == b->raw_bytes && a->ts_min == b->ts_min && a->ts_max == b->ts_max;
}

static bool
same_entry(const struct bx_index_entry *a, const struct bx_index_entry *b)
{
	return a->seq == b->seq && a->page_off == b->page_off && a->pages == b->pages &&
	       a->first_record == b->first_record && memcmp(a->id, b->id, sizeof(a->id)) == 0 &&
	       same_totals(&a->totals, &b->totals);
}

static bool
same_lists(const struct expected *e, const struct bx_index_entry *theirs, const uint64_t *found,
	   bool leaf)
{
	if (!e->has_lists)
		return true;
	if (e->lists[BX_INDEX_TYPES] != found[BX_INDEX_TYPES])
		return false;
	if (!leaf || theirs->unlisted)
		return found[BX_INDEX_CHANNELS] == 0 && found[BX_INDEX_TOPICS] == 0;
	return e->lists[BX_INDEX_CHANNELS] == found[BX_INDEX_CHANNELS] &&
	       e->lists[BX_INDEX_TOPICS] == found[BX_INDEX_TOPICS];
}

static bool
fit_found(struct bx_index_check *x, size_t entries)
{
	size_t need = entries * 3 + 1;

	if (need > x->found_cap) {
		uint64_t *grown = realloc(x->found, need * sizeof(grown[0]));

		if (grown == NULL)
			return false;
		x->found = grown;
		x->found_cap = need;
	}
	memset(x->found, 0, need * sizeof(x->found[0]));
	return true;
}

/* Remembers a leaf for the root. Its own sums are what its blocks add up to. */
static bool
add_leaf(struct bx_index_check *x, const uint8_t header[static 128], uint64_t types)
{
	struct expected leaf = { .entry = { .totals = BX_TOTALS_NONE }, .has_lists = true };

	entry_of_header(&leaf.entry, header);
	for (size_t i = 0; i < x->blocks.count; i++) {
		if (i == 0)
			leaf.entry.first_record = x->blocks.at[0].entry.first_record;
		bx_record_sum(&leaf.entry.totals, &x->blocks.at[i].entry.totals);
		leaf.has_lists = leaf.has_lists && x->blocks.at[i].has_lists;
	}
	leaf.lists[BX_INDEX_TYPES] = types;
	x->blocks.count = 0;
	x->first_block = x->data_blocks;
	return add(&x->leaves, &leaf);
}

enum bx_status
bx_index_check_index(struct bx_index_check *x, const uint8_t header[static 128],
		     const struct bx_index *index, uint64_t offset, struct bx_fault *fault)
{
	bool leaf = !bx_index_is_root(index);
	struct row *row = leaf ? &x->blocks : &x->leaves;
	enum bx_status status = BX_STATUS_CLEAN;
	uint64_t leaf_types = 0;
	size_t count;
	const struct bx_index_entry *entries = bx_index_entries(index, &count);

	if (!fit_found(x, count))
		return bx_status_set(fault, BX_STATUS_NOMEM, offset, "no memory for an INDEX");
	sum_index(x, index, &leaf_types);
	if (count != row->count || bx_index_first_block(index) != (leaf ? x->first_block : 0))
		status = mismatch(offset, fault, "an INDEX does not cover the blocks before it");
	for (size_t i = 0; i < count && status == BX_STATUS_CLEAN; i++) {
		if (!same_entry(&row->at[i].entry, &entries[i]))
			status = mismatch(offset, fault,
					  "an entry of an INDEX is not what its block says");
		else if (!same_lists(&row->at[i], &entries[i], x->found + i * 3, leaf))
			status = mismatch(offset, fault,
					  "a list of an INDEX is not what its blocks hold");
	}
	if (!leaf) {
		x->root_page_off = bx_load_le64(header + 96);
		x->has_root = true;
	} else if (!add_leaf(x, header, leaf_types)) {
		return bx_status_set(fault, BX_STATUS_NOMEM, offset, "no memory for an INDEX");
	}
	return status;
}

/* --- TAIL ------------------------------------------------------------------------------------ */

static bool
same_row(const struct bx_type_count *a, const struct bx_type_count *b)
{
	return a->code == b->code && a->count == b->count && a->sealed == b->sealed &&
	       a->plain == b->plain && a->bytes == b->bytes;
}

static bool
same_types(const struct bx_index_check *x, const struct bx_tail *tail)
{
	size_t own = x->type_count <= BX_TAIL_TYPES_MAX ? x->type_count : BX_TAIL_TYPES_MAX - 1;
	struct bx_type_count rest = { .code = BX_CODE_REST };

	if (!x->types_known)
		return true;
	for (size_t i = own; i < x->type_count; i++)
		bx_record_count(&rest, &x->types[i]);
	if (tail->type_count != own + (x->type_count > own))
		return false;
	for (size_t i = 0; i < own; i++)
		if (!same_row(&x->types[i], &tail->types[i]))
			return false;
	return own == x->type_count || same_row(&rest, &tail->types[own]);
}

enum bx_status
bx_index_check_tail(struct bx_index_check *x, const struct bx_tail *tail, uint64_t offset,
		    struct bx_fault *fault)
{
	if (tail->data_blocks != x->data_blocks || !same_totals(&tail->totals, &x->totals))
		return mismatch(offset, fault, "TAIL counts other blocks or records");
	if (!x->has_root || x->root_page_off != tail->root_page_off)
		return mismatch(offset, fault, "TAIL names another root INDEX");
	if (x->blocks.count != 0)
		return mismatch(offset, fault, "blocks before TAIL are in no INDEX");
	if (!same_types(x, tail))
		return mismatch(offset, fault, "TAIL counts other messages by type");
	return BX_STATUS_CLEAN;
}
