/*
 * Blocks and segments deleted, repeated, swapped, relabelled, exchanged for those of other files:
 * all pairs in small files, plain and encrypted (fault-matrix rows 5 and 6).
 */
#include <criterion/criterion.h>

#include "archive/catalog.h"
#include "archive_salvage_kit.h"

TestSuite(order, .timeout = 120);

static struct kit_pair identity;
static const uint8_t *identities[1];
static uint8_t recipients[1][32];

static struct kit_options
options_for(bool encrypted, uint64_t seed)
{
	struct kit_options o = KIT_OPTIONS;

	identity = kit_pair(1);
	identities[0] = identity.secret;
	memcpy(recipients[0], identity.public_key, 32);
	o.seed = seed;
	o.block_records = 4;
	o.writer.leaf_blocks = 2;
	o.writer.recipients = (const uint8_t(*)[32])recipients;
	o.writer.recipient_count = encrypted ? 1 : 0;
	return o;
}

static struct kit_how
how_for(bool encrypted, const struct kit_records *k)
{
	struct kit_how how = KIT_HOW;

	how.records = k->at;
	how.record_count = k->count;
	how.walk.identities = identities;
	how.walk.identity_count = encrypted ? 1 : 0;
	return how;
}

/* The blocks of `f` in the order of `list`. */
static struct kit_file *
arrange(const struct kit_file *f, const size_t *list, size_t count)
{
	struct kit_file *out = kit_file_new();

	for (size_t i = 0; i < count; i++)
		kit_put(out, (struct bx_span){ f->bytes + f->blocks[list[i]].at,
					       f->blocks[list[i]].len });
	return out;
}

static void
expect_fault(const struct kit_file *f, const struct kit_how *how, const char *what, size_t i,
	     size_t j)
{
	struct kit_reading got = kit_read(kit_span(f), how);
	struct kit_salvaged saved = kit_salvage(kit_span(f), how);

	cr_assert_neq(got.status, BX_STATUS_CLEAN, "%s %zu %zu", what, i, j);
	cr_assert(got.exact, "%s %zu %zu", what, i, j);
	cr_assert(saved.in_order, "%s %zu %zu", what, i, j);
	cr_assert_geq(saved.records, got.records, "%s %zu %zu", what, i, j);
}

static void
rearrange_all(bool encrypted)
{
	struct kit_records k = kit_make(3, 12);
	struct kit_file *f = kit_file_new();
	struct kit_options o = options_for(encrypted, 1);
	struct kit_how how = how_for(encrypted, &k);
	size_t list[64];
	size_t n;

	kit_segment(f, &o, k.at, k.count);
	n = f->block_count;
	for (size_t i = 0; i < n; i++) {
		struct kit_file *g;
		size_t count = 0;

		for (size_t b = 0; b < n; b++)
			if (b != i)
				list[count++] = b;
		g = arrange(f, list, count);
		expect_fault(g, &how, "without", i, i);
		if (f->blocks[i].type != BX_BLOCK_HEAD) {
			struct kit_salvaged saved = kit_salvage(kit_span(g), &how);

			cr_assert_eq(saved.records, k.count - f->blocks[i].records,
				     "block %zu deleted: %zu", i, saved.records);
		}
		kit_file_free(g);
		for (size_t j = 0; j <= n; j++) { /* a copy of i before j */
			count = 0;
			for (size_t b = 0; b < n; b++) {
				if (b == j)
					list[count++] = i;
				list[count++] = b;
			}
			if (j == n)
				list[count++] = i;
			g = arrange(f, list, count);
			expect_fault(g, &how, "again", i, j);
			kit_file_free(g);
		}
		for (size_t j = i + 1; j < n; j++) {
			for (size_t b = 0; b < n; b++)
				list[b] = b == i ? j : b == j ? i : b;
			g = arrange(f, list, n);
			expect_fault(g, &how, "swap", i, j);
			kit_file_free(g);
		}
	}
	kit_file_free(f);
	kit_records_free(&k);
}

Test(order, plain)
{
	rearrange_all(false);
}

Test(order, encrypted)
{
	rearrange_all(true);
}

/* A block put in the place of another, relabelled with number and place, CRCs repaired. */
static void
relabel(uint8_t *to, const uint8_t *from, size_t len)
{
	uint8_t id[16], seq[8], page_off[8];

	memcpy(id, to + 16, 16);
	memcpy(seq, to + 32, 8);
	memcpy(page_off, to + 96, 8);
	memcpy(to, from, len);
	memcpy(to + 16, id, 16);
	memcpy(to + 32, seq, 8);
	memcpy(to + 96, page_off, 8);
	kit_repair(to, len);
}

Test(order, relabelled)
{
	struct kit_records k = kit_make(3, 40);
	struct kit_file *f = kit_file_new(), *other = kit_file_new();
	struct kit_options o = options_for(true, 1);
	struct kit_how how = how_for(true, &k);

	kit_segment(f, &o, k.at, 20);
	o.seed = 2; /* another file for the same recipient */
	kit_segment(other, &o, k.at + 20, 20);
	for (size_t i = 1; i < f->block_count; i++) {
		for (size_t j = 1; j < other->block_count; j++) {
			for (unsigned source = 0; source < 2; source++) {
				const struct kit_file *from = source ? other : f;
				const struct kit_block *a = &f->blocks[i], *b = &from->blocks[j];
				uint8_t saved[BX_PAGE];
				struct kit_reading got;

				if (a->len != b->len || a->len != BX_PAGE || (!source && i == j))
					continue;
				memcpy(saved, f->bytes + a->at, BX_PAGE);
				relabel(f->bytes + a->at, from->bytes + b->at, BX_PAGE);
				got = kit_read(kit_span(f), &how);
				cr_assert(got.status == BX_STATUS_AEAD ||
					      got.status == BX_STATUS_DAMAGED,
					  "%zu by %zu: %s", i, j, bx_status_name(got.status));
				if (b->type == a->type && a->type == BX_BLOCK_DATA)
					cr_assert_eq(got.status, BX_STATUS_AEAD);
				cr_assert(got.exact);
				cr_assert_eq(got.fault.offset, a->at);
				memcpy(f->bytes + a->at, saved, BX_PAGE);
			}
		}
	}
	kit_file_free(f);
	kit_file_free(other);
	kit_records_free(&k);
}

/* Another valid version of the same block (a rewrite, a snapshot put back): only its id tells. */
Test(order, other_version)
{
	struct kit_records k = kit_make(3, 20), changed = kit_make(4, 20);

	for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
		struct kit_file *f = kit_file_new(), *g = kit_file_new();
		struct kit_options o = options_for(encrypted, 1);
		struct kit_how how = how_for(encrypted, &k);
		struct kit_reading got;

		kit_segment(f, &o, k.at, 20);
		kit_segment(g, &o, changed.at, 20); /* same seed: same keys and ids */
		for (size_t i = 0; i < f->block_count; i++) {
			const struct kit_block *a = &f->blocks[i];

			if (a->type != BX_BLOCK_DATA)
				continue;
			cr_assert_eq(a->len, g->blocks[i].len);
			cr_assert_eq(a->at, g->blocks[i].at);
			memcpy(f->bytes + a->at, g->bytes + a->at, a->len);
			got = kit_read(kit_span(f), &how);
			cr_assert_eq(got.status, BX_STATUS_INDEX_MISMATCH, "%s",
				     bx_status_name(got.status));

			/* Read through the index, the block is not released. */
			struct bx_bytes bytes = kit_bytes(kit_span(f));
			struct bx_catalog *c;
			struct bx_index *root = bx_index_new(), *leaf = bx_index_new();
			const struct bx_index_entry *leaves, *entries;
			size_t leaf_count, count;
			bool refused = false;

			cr_assert_eq(bx_catalog_open(&c, &bytes, &how.walk, NULL), BX_STATUS_CLEAN);
			cr_assert_eq(bx_catalog_root(c, 0, root, NULL), BX_STATUS_CLEAN);
			leaves = bx_index_entries(root, &leaf_count);
			for (size_t l = 0; l < leaf_count; l++) {
				cr_assert_eq(bx_catalog_leaf(c, 0, &leaves[l], leaf, NULL),
					     BX_STATUS_CLEAN);
				entries = bx_index_entries(leaf, &count);
				for (size_t e = 0; e < count; e++) {
					uint64_t len;
					uint64_t at = bx_catalog_block_at(c, 0, &entries[e], &len);
					enum bx_status status = bx_catalog_check(
					    c, 0, &entries[e],
					    (struct bx_span){ f->bytes + at, (size_t)len }, NULL);

					if (at == a->at)
						refused = status == BX_STATUS_INDEX_MISMATCH;
					else
						cr_assert_eq(status, BX_STATUS_CLEAN);
				}
			}
			cr_assert(refused);
			bx_index_free(root);
			bx_index_free(leaf);
			bx_catalog_free(c);
			f->len = 0;
			f->block_count = 0;
			f->segments = 0;
			f->records = 0;
			kit_segment(f, &o, k.at, 20);
		}
		kit_file_free(f);
		kit_file_free(g);
	}
	kit_records_free(&k);
	kit_records_free(&changed);
}

/* --- segments -------------------------------------------------------------------------------- */

enum { SEGMENTS = 4 };

struct segments {
	struct kit_file *file[SEGMENTS];
	struct kit_records k;
};

/* Each segment in a file of its own. */
static struct segments
make_segments(bool shards, uint64_t seed)
{
	struct segments s = { .k = kit_make(seed, SEGMENTS * 8) };
	struct bx_segment_place next = { .has_stream = false };

	for (unsigned i = 0; i < SEGMENTS; i++) {
		struct kit_options o = options_for(true, seed + i);

		if (shards)
			next = (struct bx_segment_place){ .has_stream = true,
							  .stream_id = { (uint8_t)seed },
							  .segment_no = i,
							  .segment_total = SEGMENTS };
		o.writer.place = next;
		o.not_last = shards || i + 1 < SEGMENTS;
		o.next = &next;
		s.file[i] = kit_file_new();
		kit_segment(s.file[i], &o, s.k.at + i * 8, 8);
	}
	return s;
}

static void
free_segments(struct segments *s)
{
	for (unsigned i = 0; i < SEGMENTS; i++)
		kit_file_free(s->file[i]);
	kit_records_free(&s->k);
}

/* Status of the segments named by the digits of `list` ("0123" is the file as written). */
static enum bx_status
status_of(const struct segments *s, const char *list)
{
	struct kit_file *f = kit_file_new();
	struct kit_how how = how_for(true, &s->k);
	struct bx_bytes bytes;
	struct bx_catalog *c = NULL;
	enum bx_status status, by_catalog;

	for (const char *p = list; *p != '\0'; p++)
		kit_put(f, kit_span(s->file[*p - '0']));
	status = kit_read(kit_span(f), &how).status;
	bytes = kit_bytes(kit_span(f));
	by_catalog = bx_catalog_open(&c, &bytes, &how.walk, NULL);
	cr_assert_eq(by_catalog, status, "%s: %s, by catalog %s", list, bx_status_name(status),
		     bx_status_name(by_catalog));
	bx_catalog_free(c);
	kit_file_free(f);
	return status;
}

Test(order, segments)
{
	static const char *const wrong[] = { "123",   "023",    "013",  "012",  "0",
					     "3",     "3210",   "1023", "0132", "00123",
					     "01233", "012301", "0120", "01231" };

	for (unsigned shards = 0; shards < 2; shards++) {
		struct segments s = make_segments(shards, 10);

		cr_assert_eq(status_of(&s, "0123"), BX_STATUS_CLEAN);
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
			cr_assert_eq(status_of(&s, wrong[i]), BX_STATUS_INCOMPLETE_STREAM, "%s",
				     wrong[i]);
		free_segments(&s);
	}
}

/* Two streams in one file, one after the other and interleaved, each whole. */
Test(order, two_streams)
{
	static const char *const orders[] = { "01234567", "04152637", "45670123" };
	struct segments a = make_segments(false, 10), b = make_segments(true, 20);

	for (size_t i = 0; i < 3; i++) {
		struct kit_file *f = kit_file_new();
		struct kit_how how = how_for(true, &a.k);

		for (const char *p = orders[i]; *p != '\0'; p++)
			kit_put(f, kit_span(*p < '4' ? a.file[*p - '0'] : b.file[*p - '4']));
		cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_CLEAN);
		f->len -= b.file[3]->len; /* cut the last one, whichever it is */
		kit_file_free(f);
	}
	free_segments(&a);
	free_segments(&b);
}

/* One segment with each kind of wrong place. */
Test(order, places)
{
	struct kit_records k = kit_make(3, 20);
	struct kit_how how = how_for(true, &k);
	struct bx_segment_place good;

	for (unsigned kind = 0; kind < 9; kind++) {
		struct kit_file *f = kit_file_new();
		struct kit_options o = options_for(true, 1);
		struct bx_segment_place place;
		struct kit_reading got;

		o.not_last = kind != 6;
		o.no_tail = kind == 7 || kind == 8;
		o.next = &good;
		kit_segment(f, &o, k.at, 10);
		place = good;
		if (kind == 1)
			place.prev_blocks++;
		else if (kind == 2)
			place.prev_link[5] ^= 1;
		else if (kind == 3)
			place.prev_segment_id[0] ^= 1;
		else if (kind == 4)
			place.segment_no++;
		else if (kind == 5)
			place.segment_total = 5; /* and there are two */
		else if (kind == 7)
			place.has_prev = false; /* after an open one */
		o = options_for(true, 2);
		if (kind == 6) { /* LAST twice in one stream */
			memcpy(place.stream_id, f->bytes + 128 + 32, 16);
			place.has_stream = true;
			place.segment_no = 1;
		}
		o.writer.place = place;
		kit_segment(f, &o, k.at + 10, 10);
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status,
			     kind == 0 || kind == 8 ? BX_STATUS_CLEAN : BX_STATUS_INCOMPLETE_STREAM,
			     "kind %u: %s", kind, bx_status_name(got.status));
		cr_assert_eq(got.records, 20);
		kit_file_free(f);
	}
	kit_records_free(&k);
}

/* --- salvage across files -------------------------------------------------------------------- */

/* A torn file and a whole one behind it: the second begins at no multiple of a page. */
Test(order, after_a_torn_one)
{
	struct kit_records k = kit_make(3, 40);

	for (unsigned kind = 0; kind < 4; kind++) {
		bool encrypted = kind % 2;
		/* In the body of a block, or (plain) in the padding behind it: then it is whole. */
		size_t into = kind < 2 ? 200 : 1500;
		struct kit_file *f = kit_file_new(), *g = kit_file_new();
		struct kit_options o = options_for(encrypted, 1);
		struct kit_how how = how_for(encrypted, &k);
		struct kit_reading got;
		struct kit_salvaged saved;

		kit_segment(f, &o, k.at, 20);
		cr_assert_eq(f->blocks[encrypted ? 4 : 5].type, BX_BLOCK_DATA);
		f->len = f->blocks[encrypted ? 4 : 5].at + into;
		o.seed = 2;
		kit_segment(g, &o, k.at + 20, 20);
		kit_put(f, kit_span(g));
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status, BX_STATUS_DAMAGED);
		cr_assert(got.exact);
		saved = kit_salvage(kit_span(f), &how);
		cr_assert(saved.in_order);
		cr_assert_eq(saved.records, got.records + 20 + (kind == 2 ? 4 : 0), "%zu and %zu",
			     got.records, saved.records);
		cr_assert_eq(saved.segments, 2);
		kit_file_free(f);
		kit_file_free(g);
	}
	kit_records_free(&k);
}

/* A message that is itself a .boxcar file, in a block that is damaged: its records are not ours. */
Test(order, file_in_a_body)
{
	struct kit_records inner_records = kit_make(8, 10), k = kit_make(3, 8);
	struct kit_file *inner = kit_file_new(), *f = kit_file_new();
	struct kit_options o = options_for(false, 9);
	struct kit_how how = how_for(false, &k);
	struct kit_salvaged saved;
	uint8_t *body, *found;

	kit_segment(inner, &o, inner_records.at, 10);
	body = calloc(1, inner->len + BX_PAGE);
	memset(body, 0xEE, BX_PAGE);
	k.at[4].body = (struct bx_span){ body, inner->len + BX_PAGE };
	o = options_for(false, 1);
	o.builder.stored = true;
	o.block_records = 2;
	/* Once to learn where the body stands, then with the inner file at a multiple of a page. */
	kit_segment(f, &o, k.at, 8);
	found = memmem(f->bytes, f->len, "\xEE\xEE\xEE\xEE\xEE\xEE\xEE\xEE", 8);
	cr_assert_not_null(found);
	memcpy(body + BX_PAGE - (size_t)(found - f->bytes) % BX_PAGE, inner->bytes, inner->len);
	kit_file_free(f);
	f = kit_file_new();
	kit_segment(f, &o, k.at, 8);
	cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_CLEAN);
	for (size_t i = 0; i < f->block_count; i++) {
		const struct kit_block *b = &f->blocks[i];

		if (b->type != BX_BLOCK_DATA || b->len < inner->len)
			continue;
		for (unsigned where = 0; where < 2; where++) {
			f->bytes[b->at + (where ? 200 : 20)] ^= 1;
			saved = kit_salvage(kit_span(f), &how);
			cr_assert(saved.in_order);
			cr_assert_eq(saved.records, 6, "%zu", saved.records);
			cr_assert_eq(saved.segments, 1);
			f->bytes[b->at + (where ? 200 : 20)] ^= 1;
		}
	}
	free(body);
	kit_file_free(inner);
	kit_file_free(f);
	kit_records_free(&k);
	kit_records_free(&inner_records);
}
