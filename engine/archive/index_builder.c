#include "archive/index_builder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/index_layout.h"
#include "archive/intern.h"
#include "archive/uleb.h"

/* Counters of one string in one block. Sums of a block fit 32 bits. */
struct posting {
	uint32_t list; /* number of the string */
	uint32_t entry;
	uint32_t count, sealed, plain, bytes;
};

/* The strings of one kind and their postings in order of entry. */
struct lists {
	struct bx_intern names;
	struct posting *at;
	size_t count, cap;
};

/* A type in an entry; a leaf's sums may pass 32 bits. */
struct type_posting {
	uint32_t entry;
	struct bx_type_count sums;
};

struct bx_index_builder {
	size_t list_limit;
	size_t list_len; /* raw bytes of channels, realms and topics so far, at most */
	struct bx_index_entry *entries;
	size_t entry_count, entry_cap;
	struct type_posting *types;
	size_t type_count, type_cap;
	struct bx_intern realms;
	struct lists channels, topics;

	struct bx_type_count *type_sums;
	size_t type_sum_cap;
	uint8_t *raw;
	size_t raw_cap;
};

struct bx_index_builder *
bx_index_builder_new(size_t list_limit, uint64_t hash_seed)
{
	struct bx_index_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->list_limit = list_limit;
	bx_intern_init(&b->realms, hash_seed);
	bx_intern_init(&b->channels.names, hash_seed);
	bx_intern_init(&b->topics.names, hash_seed);
	return b;
}

void
bx_index_builder_free(struct bx_index_builder *b)
{
	if (b == NULL)
		return;
	free(b->entries);
	free(b->types);
	bx_intern_wipe(&b->realms);
	bx_intern_wipe(&b->channels.names);
	bx_intern_wipe(&b->topics.names);
	free(b->channels.at);
	free(b->topics.at);
	free(b->type_sums);
	free(b->raw);
	free(b);
}

void
bx_index_builder_clear(struct bx_index_builder *b)
{
	b->list_len = 0;
	b->entry_count = 0;
	b->type_count = 0;
	b->channels.count = 0;
	b->topics.count = 0;
	bx_intern_clear(&b->realms);
	bx_intern_clear(&b->channels.names);
	bx_intern_clear(&b->topics.names);
}

size_t
bx_index_builder_count(const struct bx_index_builder *b)
{
	return b->entry_count;
}

/* --- adding ---------------------------------------------------------------------------------- */

static bool
make_room(void *array, size_t *cap, size_t need, size_t size)
{
	size_t next = *cap == 0 ? 64 : *cap;
	void *old;

	if (need <= *cap)
		return true;
	while (next < need)
		next *= 2;
	memcpy(&old, array, sizeof(old));

	void *grown = realloc(old, next * size);

	if (grown == NULL)
		return false;
	memcpy(array, &grown, sizeof(grown));
	*cap = next;
	return true;
}

static bool
add_entry(struct bx_index_builder *b, const struct bx_index_entry *entry,
	  const struct bx_type_count *types, size_t type_count)
{
	if (!make_room(&b->entries, &b->entry_cap, b->entry_count + 1, sizeof(b->entries[0])) ||
	    !make_room(&b->types, &b->type_cap, b->type_count + type_count, sizeof(b->types[0])))
		return false;
	for (size_t i = 0; i < type_count; i++)
		b->types[b->type_count++] =
		    (struct type_posting){ (uint32_t)b->entry_count, types[i] };
	b->entries[b->entry_count++] = *entry;
	return true;
}

bool
bx_index_builder_add_leaf(struct bx_index_builder *b, const struct bx_index_entry *entry,
			  const struct bx_type_count *types, size_t type_count)
{
	return add_entry(b, entry, types, type_count);
}

/* Raw bytes of a posting. Its entry step is at most two bytes: a leaf has 1024 entries. */
static size_t
posting_len(const struct bx_type_count *row)
{
	return 2 + bx_uleb_len(row->count) + bx_uleb_len(row->sealed) + bx_uleb_len(row->plain) +
	       bx_uleb_len(row->bytes);
}

/* Raw bytes that a new string of `len` bytes takes besides its postings, whose number takes 2. */
static size_t
name_len(size_t len)
{
	return bx_uleb_len(len) + len + 2;
}

/*
 * Raw bytes that the lists of the block add, strings already known left out. It does not depend on
 * anything but the blocks added before, so that the same blocks always give the same INDEX.
 */
static size_t
cost_of(const struct bx_index_builder *b, const struct bx_block_summary *s)
{
	size_t len = 0;

	for (uint32_t i = 0; i < s->channel_count; i++) {
		len += posting_len(&s->channel_counts[i]) + BX_CHANNEL_LEN + 2;
		if (bx_intern_find(&b->realms, s->channels[i].realm) == BX_INTERN_NONE)
			len += name_len(s->channels[i].realm.len);
	}
	for (uint32_t i = 0; i < s->topic_count; i++) {
		if (s->topic_counts[i].count == 0)
			continue;
		len += posting_len(&s->topic_counts[i]);
		if (bx_intern_find(&b->topics.names, s->topics[i]) == BX_INTERN_NONE)
			len += name_len(s->topics[i].len);
	}
	return len;
}

static bool
add_posting(struct lists *lists, struct bx_span name, uint32_t entry,
	    const struct bx_type_count *row)
{
	uint32_t list = bx_intern_put(&lists->names, name);

	if (list == BX_INTERN_NONE ||
	    !make_room(&lists->at, &lists->cap, lists->count + 1, sizeof(lists->at[0])))
		return false;
	lists->at[lists->count++] = (struct posting){
		.list = list,
		.entry = entry,
		.count = (uint32_t)row->count,
		.sealed = (uint32_t)row->sealed,
		.plain = (uint32_t)row->plain,
		.bytes = (uint32_t)row->bytes,
	};
	return true;
}

static bool
add_lists(struct bx_index_builder *b, uint32_t entry, const struct bx_block_summary *s)
{
	/* Realm 0 is "not known". */
	if (b->realms.count == 0 &&
	    bx_intern_put(&b->realms, (struct bx_span){ NULL, 0 }) == BX_INTERN_NONE)
		return false;
	for (uint32_t i = 0; i < s->channel_count; i++) {
		uint8_t stored[BX_CHANNEL_LEN];
		uint32_t realm = bx_intern_put(&b->realms, s->channels[i].realm);

		if (realm == BX_INTERN_NONE)
			return false;
		bx_record_channel_store(&s->channels[i], realm, stored);
		if (!add_posting(&b->channels, (struct bx_span){ stored, sizeof(stored) }, entry,
				 &s->channel_counts[i]))
			return false;
	}
	for (uint32_t i = 0; i < s->topic_count; i++)
		if (s->topic_counts[i].count != 0 &&
		    !add_posting(&b->topics, s->topics[i], entry, &s->topic_counts[i]))
			return false;
	return true;
}

bool
bx_index_builder_add(struct bx_index_builder *b, struct bx_index_entry *entry,
		     const struct bx_block_summary *summary)
{
	size_t cost = cost_of(b, summary);
	uint32_t number = (uint32_t)b->entry_count;

	entry->unlisted = b->list_len + cost > b->list_limit;
	if (!add_entry(b, entry, summary->types, summary->type_count))
		return false;
	if (entry->unlisted)
		return true;
	b->list_len += cost;
	return add_lists(b, number, summary);
}

/* --- sums by type ---------------------------------------------------------------------------- */

static int
by_code_and_entry(const void *left, const void *right)
{
	const struct type_posting *a = left;
	const struct type_posting *b = right;

	if (a->sums.code != b->sums.code)
		return (a->sums.code > b->sums.code) - (a->sums.code < b->sums.code);
	return (a->entry > b->entry) - (a->entry < b->entry);
}

const struct bx_type_count *
bx_index_builder_types(struct bx_index_builder *b, size_t *count)
{
	size_t n = 0;

	if (!make_room(&b->type_sums, &b->type_sum_cap, b->type_count + 1, sizeof(b->type_sums[0])))
		return NULL;
	if (b->type_count != 0)
		qsort(b->types, b->type_count, sizeof(b->types[0]), by_code_and_entry);
	for (size_t i = 0; i < b->type_count; i++) {
		const struct bx_type_count *row = &b->types[i].sums;

		if (n == 0 || b->type_sums[n - 1].code != row->code)
			b->type_sums[n++] = (struct bx_type_count){ .code = row->code };
		bx_record_count(&b->type_sums[n - 1], row);
	}
	*count = n;
	return b->type_sums;
}

/* --- content --------------------------------------------------------------------------------- */

static void
put_posting(struct bx_writer *w, uint32_t step, const struct bx_type_count *row)
{
	bx_uleb_put(w, step);
	bx_uleb_put(w, row->count);
	bx_uleb_put(w, row->sealed);
	bx_uleb_put(w, row->plain);
	bx_uleb_put(w, row->bytes);
}

static void
put_types(struct bx_writer *w, struct bx_index_builder *b)
{
	if (b->type_count != 0)
		qsort(b->types, b->type_count, sizeof(b->types[0]), by_code_and_entry);
	for (size_t i = 0; i < b->type_count;) {
		uint16_t code = b->types[i].sums.code;
		size_t end = i;
		uint32_t last = 0;

		while (end < b->type_count && b->types[end].sums.code == code)
			end++;
		bx_uleb_put(w, code);
		bx_uleb_put(w, end - i);
		for (; i < end; i++) {
			put_posting(w, b->types[i].entry - last, &b->types[i].sums);
			last = b->types[i].entry;
		}
	}
}

/* A string and where its postings are once they are grouped. */
struct named {
	struct bx_span name;
	size_t first, count;
};

static int
by_name(const void *left, const void *right)
{
	const struct named *a = left;
	const struct named *b = right;
	size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = len == 0 ? 0 : memcmp(a->name.ptr, b->name.ptr, len);

	if (order != 0)
		return order;
	return (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

/* Groups postings by string (they stay in order of entry), and the strings in their order. */
static bool
group(const struct lists *lists, struct named **named, struct posting **grouped)
{
	size_t n = lists->names.count;
	struct named *names = calloc(n + 1, sizeof(names[0]));
	struct posting *out = malloc((lists->count + 1) * sizeof(out[0]));
	size_t at = 0;

	if (names == NULL || out == NULL) {
		free(names);
		free(out);
		return false;
	}
	for (size_t i = 0; i < lists->count; i++)
		names[lists->at[i].list].count++;
	for (size_t i = 0; i < n; i++) {
		names[i].name = bx_intern_at(&lists->names, (uint32_t)i);
		names[i].first = at;
		at += names[i].count;
	}
	for (size_t i = 0; i < lists->count; i++)
		out[names[lists->at[i].list].first++] = lists->at[i];
	for (size_t i = 0; i < n; i++)
		names[i].first -= names[i].count;
	if (n != 0)
		qsort(names, n, sizeof(names[0]), by_name);
	*named = names;
	*grouped = out;
	return true;
}

static bool
put_lists(struct bx_writer *w, const struct lists *lists, bool with_len)
{
	struct named *names;
	struct posting *postings;

	if (!group(lists, &names, &postings))
		return false;
	for (size_t i = 0; i < lists->names.count; i++) {
		uint32_t last = 0;

		if (with_len)
			bx_uleb_put(w, names[i].name.len);
		bx_put_span(w, names[i].name);
		bx_uleb_put(w, names[i].count);
		for (size_t k = 0; k < names[i].count; k++) {
			const struct posting *p = &postings[names[i].first + k];

			put_posting(w, p->entry - last,
				    &(struct bx_type_count){ .count = p->count,
							     .sealed = p->sealed,
							     .plain = p->plain,
							     .bytes = p->bytes });
			last = p->entry;
		}
	}
	free(names);
	free(postings);
	return true;
}

static void
put_entry(struct bx_writer *w, const struct bx_index_entry *e)
{
	uint8_t *p = bx_reserve(w, BX_INDEX_ENTRY_LEN);

	if (p == NULL)
		return;
	bx_store_le64(p + BX_ENTRY_SEQ, e->seq);
	bx_store_le64(p + BX_ENTRY_PAGE_OFF, e->page_off);
	bx_store_le64(p + BX_ENTRY_FIRST_RECORD, e->first_record);
	bx_record_totals_store(&e->totals, p + BX_ENTRY_TOTALS);
	bx_store_le32(p + BX_ENTRY_PAGES, e->pages);
	bx_store_le32(p + BX_ENTRY_FLAGS, e->unlisted ? BX_ENTRY_UNLISTED : 0);
	memcpy(p + BX_ENTRY_ID, e->id, sizeof(e->id));
}

/* Most bytes that the content can take. */
static size_t
content_bound(const struct bx_index_builder *b)
{
	return b->entry_count * BX_INDEX_ENTRY_LEN + b->type_count * (5 + 4 * BX_ULEB_MAX + 3 + 5) +
	       b->list_len + 1;
}

bool
bx_index_builder_content(struct bx_index_builder *b, struct bx_span *raw)
{
	size_t bound = content_bound(b);

	if (!make_room(&b->raw, &b->raw_cap, bound, 1))
		return false;

	struct bx_writer w = bx_writer_over(b->raw, bound);

	for (size_t i = 0; i < b->entry_count; i++)
		put_entry(&w, &b->entries[i]);
	put_types(&w, b);
	for (uint32_t i = 0; i < b->realms.count; i++) {
		struct bx_span realm = bx_intern_at(&b->realms, i);

		bx_uleb_put(&w, realm.len);
		bx_put_span(&w, realm);
	}
	if (!put_lists(&w, &b->channels, false) || !put_lists(&w, &b->topics, true))
		return false;
	assert(!w.full);
	*raw = bx_since(&w, w.begin);
	return raw->len <= BX_RAW_LEN_MAX;
}

size_t
bx_index_builder_lay_out(struct bx_index_builder *b, struct bx_span raw,
			 const struct bx_index_front *front, ZSTD_CCtx *cctx, uint8_t *out,
			 size_t cap)
{
	size_t room = cap - BX_INDEX_META_LEN;
	size_t stored = 0;
	size_t n_types;

	assert(room >= raw.len);
	memset(out, 0, BX_INDEX_META_LEN);
	(void)bx_index_builder_types(b, &n_types);
	if (raw.len != 0)
		stored = bx_zstd_frame_pack(cctx, raw, out + BX_INDEX_META_LEN, room);
	out[BX_INDEX_CODEC] = stored != 0 ? BX_CODEC_ZSTD : BX_CODEC_STORED;
	if (stored == 0) {
		stored = raw.len;
		if (stored != 0)
			memcpy(out + BX_INDEX_META_LEN, raw.ptr, stored);
	}
	bx_store_le32(out + BX_INDEX_INNER_LEN, (uint32_t)(BX_INDEX_META_LEN + stored));
	bx_store_le16(out + BX_INDEX_META_LEN_AT, BX_INDEX_META_LEN);
	out[BX_INDEX_KIND_AT] = front->kind;
	bx_store_le32(out + BX_INDEX_N_ENTRIES, (uint32_t)b->entry_count);
	bx_store_le32(out + BX_INDEX_N_TYPES, (uint32_t)n_types);
	bx_store_le32(out + BX_INDEX_N_REALMS, b->realms.count);
	bx_store_le32(out + BX_INDEX_N_CHANNELS, b->channels.names.count);
	bx_store_le32(out + BX_INDEX_N_TOPICS, b->topics.names.count);
	bx_store_le32(out + BX_INDEX_STORED, (uint32_t)stored);
	bx_store_le32(out + BX_INDEX_RAW, (uint32_t)raw.len);
	bx_store_le64(out + BX_INDEX_FIRST_BLOCK, front->first_block);
	memcpy(out + BX_INDEX_R, front->r, BX_R_LEN);
	return BX_INDEX_META_LEN + stored;
}
