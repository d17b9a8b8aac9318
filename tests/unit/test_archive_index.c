/*
 * The catalog: what it finds is what a scan finds, it reads nothing else than it says, and lies of
 * an INDEX are seen (fault-matrix row 13).
 */
#include <criterion/criterion.h>

#include "archive/catalog.h"
#include "archive_salvage_kit.h"

TestSuite(catalog, .timeout = 60);

static struct kit_pair identity;
static const uint8_t *identities[1];
static uint8_t recipients[1][32];

static struct kit_options
options_for(bool encrypted)
{
	struct kit_options o = KIT_OPTIONS;

	identity = kit_pair(1);
	identities[0] = identity.secret;
	memcpy(recipients[0], identity.public_key, 32);
	o.writer.recipients = (const uint8_t(*)[32])recipients;
	o.writer.recipient_count = encrypted ? 1 : 0;
	o.writer.leaf_blocks = 3;
	o.writer.label = (struct bx_span){ (const uint8_t *)"label", 5 };
	return o;
}

static struct bx_walk_options
walk_for(bool encrypted)
{
	return (struct bx_walk_options){ .identities = identities,
					 .identity_count = encrypted ? 1 : 0 };
}

/* Bytes of a file that notes which were read. */
struct noted {
	const struct kit_file *file;
	uint8_t *read; /* one byte for each */
};

static enum bx_err
read_noted(void *context, uint64_t off, uint8_t *out, size_t len, struct bx_fail *fail)
{
	struct noted *n = context;

	(void)fail;
	memcpy(out, n->file->bytes + off, len);
	memset(n->read + off, 1, len);
	return BX_OK;
}

/* --- sums ------------------------------------------------------------------------------------ */

struct sums {
	uint64_t by_code[1024][4];
	uint64_t by_topic[KIT_TOPICS + 1][4];
	uint64_t by_conn[16][4];
	struct bx_totals totals;
	size_t blocks;
};

static unsigned
topic_number(struct bx_span uri)
{
	return uri.len == 0 ? 0 : (unsigned)(uri.ptr[14] - '0');
}

static unsigned
channel_number(const struct bx_archive_channel *c)
{
	return (unsigned)c->conn + (c->flags & BX_CHANNEL_HAS_CONN ? 0 : 10);
}

static void
add(uint64_t row[4], const struct bx_type_count *c)
{
	row[0] += c->count;
	row[1] += c->sealed;
	row[2] += c->plain;
	row[3] += c->bytes;
}

static void
add_record(struct sums *s, const struct bx_archive_record *r)
{
	struct bx_type_count c = { .count = 1,
				   .sealed = r->flags & BX_RECORD_SEALED ? 1 : 0,
				   .plain = r->flags & BX_RECORD_PLAIN ? 1 : 0,
				   .bytes = r->body.len };

	add(s->by_code[r->code], &c);
	add(s->by_topic[topic_number(r->uri)], &c);
	add(s->by_conn[channel_number(r->channel)], &c);
}

static void
add_leaf(struct sums *s, const struct bx_index *leaf)
{
	struct bx_span at = { NULL, 0 };
	struct bx_index_list list;
	struct bx_index_posting p;
	size_t count;
	const struct bx_index_entry *entries = bx_index_entries(leaf, &count);

	for (size_t i = 0; i < count; i++)
		bx_record_sum(&s->totals, &entries[i].totals);
	s->blocks += count;
	while (bx_index_next_list(leaf, BX_INDEX_TYPES, &at, &list))
		while (bx_index_next_posting(&list, &p))
			add(s->by_code[list.code], &p.sums);
	at = (struct bx_span){ NULL, 0 };
	while (bx_index_next_list(leaf, BX_INDEX_TOPICS, &at, &list))
		while (bx_index_next_posting(&list, &p))
			add(s->by_topic[topic_number(list.topic)], &p.sums);
	at = (struct bx_span){ NULL, 0 };
	while (bx_index_next_list(leaf, BX_INDEX_CHANNELS, &at, &list))
		while (bx_index_next_posting(&list, &p))
			add(s->by_conn[channel_number(&list.channel)], &p.sums);
}

/* All blocks of the file through the index, in order; true when all is as it should be. */
static void
read_all(struct bx_catalog *c, const struct kit_file *f, const struct kit_records *k,
	 struct sums *sums)
{
	struct bx_index *root = bx_index_new(), *leaf = bx_index_new();
	struct bx_block_reader *r;
	size_t records = 0;

	cr_assert_eq(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL), BX_OK);
	for (size_t s = 0; s < bx_catalog_count(c); s++) {
		const struct bx_index_entry *leaves, *entries;
		size_t leaf_count, count;

		cr_assert_eq(bx_catalog_root(c, s, root, NULL), BX_STATUS_CLEAN);
		leaves = bx_index_entries(root, &leaf_count);
		for (size_t l = 0; l < leaf_count; l++) {
			cr_assert_eq(bx_catalog_leaf(c, s, &leaves[l], leaf, NULL),
				     BX_STATUS_CLEAN);
			add_leaf(sums, leaf);
			entries = bx_index_entries(leaf, &count);
			for (size_t e = 0; e < count; e++) {
				uint64_t len, at = bx_catalog_block_at(c, s, &entries[e], &len);
				struct bx_span bytes = { f->bytes + at, (size_t)len };
				struct bx_block_key key;
				const struct bx_columns *columns;

				cr_assert_eq(bx_catalog_check(c, s, &entries[e], bytes, NULL),
					     BX_STATUS_CLEAN);
				bx_catalog_key(c, s, entries[e].seq, &key);
				cr_assert_eq(
				    bx_block_reader_load(r, bytes, &key, BX_LOAD_META, at, NULL),
				    BX_STATUS_CLEAN);
				columns = bx_block_reader_columns(r);
				cr_assert_eq(columns->bodies.len, 0);
				cr_assert_eq(bx_catalog_confirm(&entries[e], columns, at, NULL),
					     BX_STATUS_CLEAN);
				cr_assert_eq(bx_block_reader_load_bodies(r, NULL), BX_STATUS_CLEAN);
				for (uint32_t i = 0; i < columns->count; i++) {
					struct bx_archive_record record;

					bx_block_reader_record(columns, i, &record);
					cr_assert(kit_same(&record, &k->at[records++]));
				}
			}
		}
	}
	cr_assert_eq(records, k->count);
	bx_block_reader_free(r);
	bx_index_free(root);
	bx_index_free(leaf);
}

Test(catalog, finds_all_and_reads_little)
{
	struct kit_records k = kit_make(3, 200);

	for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
		struct kit_file *f = kit_file_new();
		struct kit_options o = options_for(encrypted);
		struct bx_segment_place next;
		struct noted noted = { f, NULL };
		struct bx_bytes bytes = { &noted, 0, read_noted, NULL };
		struct bx_walk_options walk = walk_for(encrypted);
		struct bx_catalog *c;
		static struct sums by_index, by_scan;
		const struct bx_segment_meta *meta;
		enum bx_status status;

		memset(&by_index, 0, sizeof(by_index));
		memset(&by_scan, 0, sizeof(by_scan));
		o.next = &next;
		for (unsigned s = 0; s < 4; s++) {
			o.seed = s + 1;
			o.not_last = s != 3;
			kit_segment(f, &o, k.at + 50 * s, 50);
			o.writer.place = next;
		}
		noted.read = calloc(1, f->len);
		bytes.size = f->len;
		cr_assert_eq(bx_catalog_open(&c, &bytes, &walk, NULL), BX_STATUS_CLEAN);
		cr_assert_eq(bx_catalog_count(c), 4);
		meta = bx_catalog_meta(c, 2, &status, NULL);
		cr_assert_not_null(meta);
		cr_assert(bx_span_is(meta->label, "label"));
		by_index.totals = BX_TOTALS_NONE;
		read_all(c, f, &k, &by_index);
		for (size_t i = 0; i < k.count; i++)
			add_record(&by_scan, &k.at[i]);
		cr_assert_eq(memcmp(by_index.by_code, by_scan.by_code, sizeof(by_scan.by_code)), 0);
		cr_assert_eq(memcmp(by_index.by_topic, by_scan.by_topic, sizeof(by_scan.by_topic)),
			     0);
		cr_assert_eq(memcmp(by_index.by_conn, by_scan.by_conn, sizeof(by_scan.by_conn)), 0);
		cr_assert_eq(by_index.totals.records, 200);
		cr_assert_eq(by_index.blocks, 20);
		/* No byte of a DATA block and of a HEADCOPY was asked for. */
		for (size_t i = 0; i < f->block_count; i++) {
			const struct kit_block *b = &f->blocks[i];
			size_t bytes_read = 0;

			for (size_t n = 0; n < b->len; n++)
				bytes_read += noted.read[b->at + n];
			if (b->type == BX_BLOCK_DATA || b->type == BX_BLOCK_HEADCOPY)
				cr_assert_eq(bytes_read, 0);
		}
		/* TAIL says the same without any INDEX. */
		for (size_t s = 0; s < 4; s++)
			cr_assert_eq(bx_catalog_at(c, s)->tail.totals.records, 50);
		bx_catalog_free(c);
		free(noted.read);
		kit_file_free(f);
	}
	kit_records_free(&k);
}

/* A segment without TAIL is found and left to a walk; damage is said. */
Test(catalog, open_and_damaged)
{
	struct kit_records k = kit_make(3, 60);

	for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
		struct kit_file *f = kit_file_new();
		struct kit_options o = options_for(encrypted);
		struct bx_segment_place next;
		struct bx_walk_options walk = walk_for(encrypted);
		struct bx_bytes bytes;
		struct bx_catalog *c = NULL;
		size_t first_len;
		struct bx_index *root = bx_index_new();

		o.next = &next;
		o.no_tail = true;
		kit_segment(f, &o, k.at, 30);
		first_len = f->len;
		bytes = kit_bytes(kit_span(f));
		cr_assert_eq(bx_catalog_open(&c, &bytes, &walk, NULL), BX_STATUS_OPEN);
		cr_assert_eq(bx_catalog_count(c), 1);
		cr_assert(bx_catalog_at(c, 0)->open);
		cr_assert_eq(bx_catalog_root(c, 0, root, NULL), BX_STATUS_INDEX_MISMATCH);
		bx_catalog_free(c);
		o.writer.place = next;
		o.no_tail = false;
		o.seed = 2;
		kit_segment(f, &o, k.at + 30, 30);
		bytes = kit_bytes(kit_span(f));
		cr_assert_eq(bx_catalog_open(&c, &bytes, &walk, NULL), BX_STATUS_CLEAN);
		cr_assert_eq(bx_catalog_count(c), 2);
		cr_assert(bx_catalog_at(c, 0)->open);
		cr_assert_eq(bx_catalog_at(c, 0)->len, first_len);
		cr_assert(!bx_catalog_at(c, 1)->open);
		bx_catalog_free(c);
		/* Zeros after the last TAIL. */
		bytes.size = f->len + BX_PAGE;
		f->bytes = realloc(f->bytes, f->len + BX_PAGE);
		memset(f->bytes + f->len, 0, BX_PAGE);
		bytes.context = f->bytes;
		cr_assert_eq(bx_catalog_open(&c, &bytes, &walk, NULL), BX_STATUS_OPEN);
		bx_catalog_free(c);
		/* Garbage after it, and a damaged TAIL. */
		memset(f->bytes + f->len, 0xAA, BX_PAGE);
		cr_assert_eq(bx_catalog_open(&c, &bytes, &walk, NULL), BX_STATUS_DAMAGED);
		bytes.size = f->len;
		f->bytes[f->len - BX_PAGE + 128 + 9] ^= 1;
		cr_assert_eq(bx_catalog_open(&c, &bytes, &walk, NULL), BX_STATUS_DAMAGED);
		bytes.size = 0;
		cr_assert_eq(bx_catalog_open(&c, &bytes, &walk, NULL), BX_STATUS_DAMAGED);
		bx_index_free(root);
		kit_file_free(f);
	}
	kit_records_free(&k);
}

/* --- lies ------------------------------------------------------------------------------------ */

enum lie {
	LIE_NONE,
	LIE_RECORDS,
	LIE_SEALED,
	LIE_TIME,
	LIE_BYTES,
	LIE_TYPE,
	LIE_TYPE_SEALED,
	LIE_CHANNEL,
	LIE_REALM,
	LIE_TOPIC,
	LIE_TOPIC_COUNT,
	LIE_TOPIC_MISSING,
	LIE_COUNT
};

/* A file whose writer was told something wrong about its second block. */
static struct kit_file *
make_lying(const struct kit_records *k, enum lie lie)
{
	struct kit_file *f = kit_file_new();
	struct kit_rng rng = { 1 };
	struct bx_segment_writer_options wo = BX_SEGMENT_WRITER_DEFAULT;
	struct bx_block_builder_options bo = BX_BLOCK_BUILDER_DEFAULT;
	struct bx_segment_writer *w;
	struct bx_block_builder *b;
	struct bx_span bytes;

	cr_assert_eq(bx_segment_writer_new(&w, &wo, kit_random(&rng), NULL), BX_OK);
	cr_assert_eq(bx_block_builder_new(&b, &bo, NULL), BX_OK);
	cr_assert_eq(bx_segment_writer_start(w, &bytes, NULL), BX_OK);
	kit_put(f, bytes);
	for (unsigned n = 0; n < 3; n++) {
		struct bx_block_ticket ticket;
		struct bx_sealed_block sealed;
		struct bx_block_summary told;
		struct bx_type_count rows[16], channel_rows[16], topic_rows[16];
		struct bx_archive_channel channels[16];
		struct bx_span topics[16];
		size_t cap;
		uint8_t *out;

		bx_block_builder_begin(b);
		for (unsigned i = 0; i < 20; i++)
			cr_assert_eq(bx_block_builder_add(b, &k->at[n * 20 + i]), BX_BLOCK_ADDED);
		cap = bx_block_builder_bound(b);
		out = malloc(cap);
		bx_segment_writer_ticket(w, 20, 0, &ticket);
		cr_assert_eq(bx_block_builder_seal(b, out, cap, &ticket, &sealed, NULL), BX_OK);
		told = *sealed.summary;
		cr_assert_lt(told.type_count, 16);
		memcpy(rows, told.types, told.type_count * sizeof(rows[0]));
		memcpy(channel_rows, told.channel_counts, told.channel_count * sizeof(rows[0]));
		memcpy(topic_rows, told.topic_counts, told.topic_count * sizeof(rows[0]));
		memcpy(channels, told.channels, told.channel_count * sizeof(channels[0]));
		memcpy(topics, told.topics, told.topic_count * sizeof(topics[0]));
		told.types = rows;
		told.channel_counts = channel_rows;
		told.topic_counts = topic_rows;
		told.channels = channels;
		told.topics = topics;
		if (n == 1) {
			told.totals.sealed += lie == LIE_SEALED;
			told.totals.ts_max += lie == LIE_TIME;
			told.totals.raw_bytes += lie == LIE_BYTES;
			told.totals.unparsed -= lie == LIE_RECORDS;
			rows[0].code = (uint16_t)(rows[0].code + (lie == LIE_TYPE ? 9 : 0));
			rows[1].sealed += lie == LIE_TYPE_SEALED;
			channels[1].session += lie == LIE_CHANNEL;
			if (lie == LIE_REALM)
				channels[1].realm = (struct bx_span){ (const uint8_t *)"x", 1 };
			if (lie == LIE_TOPIC)
				topics[2] =
				    (struct bx_span){ (const uint8_t *)"com.acme.topic7x", 16 };
			topic_rows[2].count += lie == LIE_TOPIC_COUNT;
			topic_rows[2].count *= lie != LIE_TOPIC_MISSING;
		}
		sealed.summary = &told;
		cr_assert_eq(bx_segment_writer_append(w, &sealed, &bytes, NULL), BX_OK);
		kit_put(f, (struct bx_span){ sealed.bytes, sealed.len });
		kit_put(f, bytes);
		free(out);
	}
	cr_assert_eq(bx_segment_writer_finish(w, true, &bytes, NULL), BX_OK);
	kit_put(f, bytes);
	bx_block_builder_free(b);
	bx_segment_writer_free(w);
	return f;
}

Test(catalog, lies)
{
	struct kit_records k = kit_make(3, 60);

	for (enum lie lie = LIE_NONE; lie < LIE_COUNT; lie++) {
		struct kit_file *f = make_lying(&k, lie);
		struct kit_how how = KIT_HOW;
		struct kit_reading got;

		how.records = k.at;
		how.record_count = k.count;
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status,
			     lie == LIE_NONE ? BX_STATUS_CLEAN : BX_STATUS_INDEX_MISMATCH,
			     "lie %d: %s", lie, bx_status_name(got.status));
		cr_assert_eq(got.records, 60); /* a lie of the index keeps no record back */
		cr_assert(got.exact);
		kit_file_free(f);
	}
	kit_records_free(&k);
}

/* TAIL that names another root, counts wrong, or roots that lead outside. */
Test(catalog, wrong_tail)
{
	static const struct {
		size_t at;
		uint64_t value;
	} changes[] = { { 16, 9 }, { 24, 1 }, { 24, 0 }, { 40, 61 }, { 96, 5 }, { 248 + 8, 77 } };
	struct kit_records k = kit_make(3, 60);
	struct kit_file *f = make_lying(&k, LIE_NONE);
	struct kit_how how = KIT_HOW;

	how.records = k.at;
	how.record_count = k.count;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint8_t *tail = f->bytes + f->len - BX_PAGE, saved[BX_PAGE];
		struct bx_bytes bytes = kit_bytes(kit_span(f));
		struct bx_catalog *c = NULL;
		struct bx_index *root = bx_index_new();
		struct kit_reading got;

		memcpy(saved, tail, BX_PAGE);
		bx_store_le64(tail + 128 + changes[i].at, changes[i].value);
		kit_repair(tail, BX_PAGE);
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status, BX_STATUS_INDEX_MISMATCH, "change %zu", i);
		cr_assert_eq(bx_catalog_open(&c, &bytes, &how.walk, NULL), BX_STATUS_CLEAN);
		if (changes[i].at == 24 || changes[i].at == 40)
			cr_assert_eq(bx_catalog_root(c, 0, root, NULL), BX_STATUS_INDEX_MISMATCH,
				     "change %zu", i);
		bx_catalog_free(c);
		bx_index_free(root);
		memcpy(tail, saved, BX_PAGE);
	}
	kit_file_free(f);
	kit_records_free(&k);
}

/* Without any key: headers and CRCs of an encrypted file can be scrubbed. */
Test(catalog, scrub)
{
	struct kit_records k = kit_make(3, 60);
	struct kit_file *f = kit_file_new();
	struct kit_options o = options_for(true);
	struct bx_walk_options walk = { .headers_only = true };
	struct bx_walk *w;
	struct bx_walk_block block;
	struct bx_fault fault = { 0 };
	uint64_t need;
	size_t blocks = 0;

	kit_segment(f, &o, k.at, 60);
	cr_assert_eq(bx_walk_new(&w, &walk, NULL), BX_OK);
	for (;;) {
		struct bx_span window = { f->bytes + bx_walk_at(w), f->len - bx_walk_at(w) };
		enum bx_step step = bx_walk_next(w, window, true, &block, &need, &fault);

		if (step != BX_STEP_ITEM)
			break;
		cr_assert_eq(
		    bx_crc32c(0, (struct bx_span){ block.bytes.ptr + 128, block.header.body_len }),
		    block.header.body_crc);
		cr_assert(!block.key.encrypted);
		blocks++;
	}
	cr_assert_eq(bx_walk_ending(w), BX_WALK_AT_TAIL);
	cr_assert_eq(blocks, f->block_count);
	bx_walk_free(w);
	kit_file_free(f);
	kit_records_free(&k);
}
