#include "archive/block_builder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/data_layout.h"
#include "archive/digest.h"
#include "archive/intern.h"
#include "archive/planes.h"
#include "archive/uleb.h"
#include "archive/zstd_frame.h"
#include "base/hash.h"

/* What is kept of a record until the block is sealed. Columns are arrays of `cap` elements. */
struct columns {
	uint64_t *ts; /* zigzag of the difference to the record before */
	uint32_t *chan;
	uint32_t *topic;
	uint32_t *len;
	uint16_t *code;
	uint8_t *flags;
	const uint8_t **body;
	uint32_t cap;
};

/* A growing array of rows of counters. */
struct rows {
	struct bx_type_count *at;
	uint32_t count, cap;
};

struct buffer {
	uint8_t *ptr;
	size_t cap;
};

/* A channel numbered before, found by a few of its bits: most records come by one of a few. */
struct seen {
	struct bx_archive_channel channel; /* its realm is not looked at */
	uint32_t realm;
	uint32_t number; /* BX_INTERN_NONE: nothing here */
};

enum { SEEN_COUNT = 64 };

struct bx_block_builder {
	struct bx_block_builder_options options;
	ZSTD_CCtx *cctx;

	struct columns col;
	uint32_t count;
	struct bx_totals totals;
	int64_t ts_first;
	int64_t ts_last;
	uint64_t largest[BX_COLUMN_COUNT]; /* all values of a column or-ed together */
	unsigned row_width;                /* bytes of one record in M */

	struct bx_intern realms, channels, topics;
	struct rows channel_rows, topic_rows, type_rows;
	uint16_t *type_at;  /* for each code its row, plus 1 */
	uint32_t table_len; /* bytes of the three tables in M */
	struct seen seen[SEEN_COUNT];

	struct buffer m, b;
	uint32_t *topic_at; /* where the next body of each topic goes */
	uint32_t topic_at_cap;
	struct bx_archive_channel *channel_list;
	uint32_t channel_list_cap;
	struct bx_span *topic_list;
	uint32_t topic_list_cap;
	struct bx_block_summary summary;
};

enum { RECORDS_FIRST = 1024, ROWS_FIRST = 16, GOAL_MAX = 64 << 20 };

/* --- memory --------------------------------------------------------------------------------- */

static bool
grow_array(void *array, uint32_t *cap, uint32_t need, size_t size)
{
	void *old;
	uint32_t next = *cap == 0 ? ROWS_FIRST : *cap;

	if (need <= *cap)
		return true;
	while (next < need)
		next *= 2;
	memcpy(&old, array, sizeof(old));

	void *grown = realloc(old, (size_t)next * size);

	if (grown == NULL)
		return false;
	memcpy(array, &grown, sizeof(grown));
	*cap = next;
	return true;
}

static bool
grow_column(void *column, uint32_t cap, size_t size)
{
	uint32_t none = 0;

	return grow_array(column, &none, cap, size);
}

static bool
grow_columns(struct columns *c)
{
	uint32_t cap = c->cap == 0 ? RECORDS_FIRST : c->cap * 2;

	if (!grow_column(&c->ts, cap, sizeof(c->ts[0])) ||
	    !grow_column(&c->chan, cap, sizeof(c->chan[0])) ||
	    !grow_column(&c->topic, cap, sizeof(c->topic[0])) ||
	    !grow_column(&c->len, cap, sizeof(c->len[0])) ||
	    !grow_column(&c->code, cap, sizeof(c->code[0])) ||
	    !grow_column(&c->flags, cap, sizeof(c->flags[0])) ||
	    !grow_column(&c->body, cap, sizeof(c->body[0])))
		return false;
	c->cap = cap;
	return true;
}

static bool
grow_buffer(struct buffer *b, size_t need)
{
	if (need <= b->cap)
		return true;
	free(b->ptr);
	b->ptr = malloc(need);
	b->cap = b->ptr == NULL ? 0 : need;
	return b->ptr != NULL;
}

static bool
add_row(struct rows *rows, uint16_t code)
{
	if (!grow_array(&rows->at, &rows->cap, rows->count + 1, sizeof(rows->at[0])))
		return false;
	rows->at[rows->count++] = (struct bx_type_count){ .code = code };
	return true;
}

/* --- making one ------------------------------------------------------------------------------ */

enum bx_err
bx_block_builder_new(struct bx_block_builder **builder,
		     const struct bx_block_builder_options *options, struct bx_fail *fail)
{
	struct bx_block_builder *b;

	if (options->body_goal == 0 || options->body_goal > GOAL_MAX || options->meta_goal == 0 ||
	    options->meta_goal > GOAL_MAX || options->record_goal == 0 ||
	    options->record_goal > BX_RECORDS_MAX)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "block size: 1 byte to 64 MiB and 1 to 2^20 records");
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		goto nomem;
	b->options = *options;
	bx_intern_init(&b->realms, options->hash_seed);
	bx_intern_init(&b->channels, options->hash_seed);
	bx_intern_init(&b->topics, options->hash_seed);
	b->type_at = calloc(BX_CODE_REST, sizeof(b->type_at[0]));
	b->cctx = bx_zstd_frame_compressor(options->level);
	if (b->type_at == NULL || b->cctx == NULL)
		goto nomem;
	bx_block_builder_begin(b);
	*builder = b;
	return BX_OK;
nomem:
	bx_block_builder_free(b);
	return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for a block builder");
}

void
bx_block_builder_free(struct bx_block_builder *b)
{
	if (b == NULL)
		return;
	free(b->col.ts);
	free(b->col.chan);
	free(b->col.topic);
	free(b->col.len);
	free(b->col.code);
	free(b->col.flags);
	free(b->col.body);
	bx_intern_wipe(&b->realms);
	bx_intern_wipe(&b->channels);
	bx_intern_wipe(&b->topics);
	free(b->channel_rows.at);
	free(b->topic_rows.at);
	free(b->type_rows.at);
	free(b->type_at);
	free(b->m.ptr);
	free(b->b.ptr);
	free(b->topic_at);
	free(b->channel_list);
	free(b->topic_list);
	ZSTD_freeCCtx(b->cctx);
	free(b);
}

void
bx_block_builder_begin(struct bx_block_builder *b)
{
	for (uint32_t i = 0; i < b->type_rows.count; i++)
		b->type_at[b->type_rows.at[i].code] = 0;
	b->type_rows.count = 0;
	b->channel_rows.count = 0;
	b->topic_rows.count = 0;
	bx_intern_clear(&b->realms);
	bx_intern_clear(&b->channels);
	bx_intern_clear(&b->topics);
	b->table_len = 0;
	b->count = 0;
	b->totals = BX_TOTALS_NONE;
	b->ts_first = 0;
	b->ts_last = 0;
	memset(b->largest, 0, sizeof(b->largest));
	b->row_width = 0;
	for (unsigned i = 0; i < SEEN_COUNT; i++)
		b->seen[i].number = BX_INTERN_NONE;
}

uint32_t
bx_block_builder_count(const struct bx_block_builder *b)
{
	return b->count;
}

uint32_t
bx_block_builder_raw(const struct bx_block_builder *b)
{
	return (uint32_t)b->totals.raw_bytes;
}

/* --- adding ---------------------------------------------------------------------------------- */

static struct seen *
seen_slot(struct bx_block_builder *b, const struct bx_archive_channel *c)
{
	uint64_t bits = c->session ^ c->conn * 4 ^ c->dir;

	return &b->seen[bx_hash_mix(bits, 0xe7037ed1a0b428dbull) % SEEN_COUNT];
}

static bool
was_seen(const struct bx_block_builder *b, const struct seen *s, const struct bx_archive_channel *c)
{
	const struct bx_archive_channel *d = &s->channel;

	return s->number != BX_INTERN_NONE && c->session == d->session && c->conn == d->conn &&
	       c->dir == d->dir && c->ser == d->ser && c->transport == d->transport &&
	       c->flags == d->flags && bx_span_equal(c->realm, bx_intern_at(&b->realms, s->realm));
}

/* Numbers a string and makes its row when it is new. */
static uint32_t
number_of(struct bx_block_builder *b, struct bx_intern *table, struct rows *rows, struct bx_span s,
	  size_t stored_len)
{
	uint32_t number = bx_intern_put(table, s);

	if (number == BX_INTERN_NONE || number < rows->count)
		return number;
	if (!add_row(rows, 0))
		return BX_INTERN_NONE;
	b->table_len += (uint32_t)stored_len;
	return number;
}

static bool
number_realm(struct bx_block_builder *b, struct bx_span realm, uint32_t *number)
{
	uint32_t before = b->realms.count;

	if (before == 0) { /* realm 0 is "not known" */
		if (bx_intern_put(&b->realms, (struct bx_span){ NULL, 0 }) == BX_INTERN_NONE)
			return false;
		b->table_len += 1;
	}
	before = b->realms.count;
	*number = bx_intern_put(&b->realms, realm);
	if (*number == BX_INTERN_NONE)
		return false;
	if (b->realms.count != before)
		b->table_len += (uint32_t)(bx_uleb_len(realm.len) + realm.len);
	return true;
}

static uint32_t
number_channel(struct bx_block_builder *b, const struct bx_archive_channel *channel)
{
	struct seen *seen = seen_slot(b, channel);
	uint8_t stored[BX_CHANNEL_LEN];
	uint32_t realm, number;

	if (was_seen(b, seen, channel))
		return seen->number;
	if (!number_realm(b, channel->realm, &realm))
		return BX_INTERN_NONE;
	bx_record_channel_store(channel, realm, stored);
	number = number_of(b, &b->channels, &b->channel_rows,
			   (struct bx_span){ stored, sizeof(stored) }, sizeof(stored));
	*seen = (struct seen){ *channel, realm, number };
	return number;
}

static uint32_t
number_topic(struct bx_block_builder *b, struct bx_span uri)
{
	if (b->topics.count == 0) { /* topic 0 is "not known" */
		struct bx_span none = { NULL, 0 };

		if (number_of(b, &b->topics, &b->topic_rows, none, 1) == BX_INTERN_NONE)
			return BX_INTERN_NONE;
	}
	return number_of(b, &b->topics, &b->topic_rows, uri, bx_uleb_len(uri.len) + uri.len);
}

static struct bx_type_count *
type_row(struct bx_block_builder *b, uint16_t code)
{
	if (b->type_at[code] == 0) {
		if (!add_row(&b->type_rows, code))
			return NULL;
		b->type_at[code] = (uint16_t)b->type_rows.count;
	}
	return &b->type_rows.at[b->type_at[code] - 1];
}

static void
count_record(struct bx_type_count *row, uint8_t flags, uint32_t len)
{
	row->count++;
	row->sealed += flags & BX_RECORD_SEALED ? 1 : 0;
	row->plain += flags & BX_RECORD_PLAIN ? 1 : 0;
	row->bytes += len;
}

static void
count_totals(struct bx_totals *totals, uint8_t flags, uint32_t len, int64_t ts)
{
	totals->records++;
	totals->sealed += flags & BX_RECORD_SEALED ? 1 : 0;
	totals->plain += flags & BX_RECORD_PLAIN ? 1 : 0;
	totals->ppt += flags & BX_RECORD_PPT ? 1 : 0;
	totals->unparsed += flags & BX_RECORD_UNPARSED ? 1 : 0;
	totals->raw_bytes += len;
	if ((flags & BX_RECORD_NO_TIME) != 0)
		return;
	if (ts < totals->ts_min)
		totals->ts_min = ts;
	if (ts > totals->ts_max)
		totals->ts_max = ts;
}

/* Keeps track of how wide a record is in M. */
static void
widen(struct bx_block_builder *b, const uint64_t values[static BX_COLUMN_COUNT])
{
	unsigned width = 0;
	uint64_t fresh = 0;

	for (unsigned i = 0; i < BX_COLUMN_COUNT; i++) {
		fresh |= values[i] & ~b->largest[i];
		b->largest[i] |= values[i];
	}
	if (fresh == 0)
		return;
	for (unsigned i = 0; i < BX_COLUMN_COUNT; i++)
		width += bx_planes_width(b->largest[i]);
	b->row_width = width;
}

/* Is there room for one more? Asks before anything of the record is taken over. */
static bool
is_full(const struct bx_block_builder *b, const struct bx_archive_record *r)
{
	const struct bx_block_builder_options *o = &b->options;
	uint64_t m_len = b->table_len + (uint64_t)b->count * b->row_width;

	if (b->count == 0)
		return false;
	return b->count >= o->record_goal || m_len >= o->meta_goal ||
	       b->totals.raw_bytes >= o->body_goal ||
	       r->body.len > o->body_goal - b->totals.raw_bytes;
}

enum bx_block_added
bx_block_builder_add(struct bx_block_builder *b, const struct bx_archive_record *r)
{
	uint8_t flags = (uint8_t)(r->flags & BX_RECORD_FLAGS_KNOWN);
	uint16_t code = r->code;

	if (r->body.len > BX_ARCHIVE_BODY_MAX || r->uri.len > BX_ARCHIVE_URI_MAX ||
	    r->channel->realm.len > BX_ARCHIVE_URI_MAX)
		return BX_BLOCK_TOO_BIG;
	if (is_full(b, r))
		return BX_BLOCK_FULL;
	if (b->count == b->col.cap && !grow_columns(&b->col))
		return BX_BLOCK_NOMEM;
	if (code == BX_CODE_REST) {
		code = 0;
		flags |= BX_RECORD_UNPARSED;
	}

	uint32_t chan = number_channel(b, r->channel);
	uint32_t topic = number_topic(b, r->uri);
	struct bx_type_count *type = type_row(b, code);

	if (chan == BX_INTERN_NONE || topic == BX_INTERN_NONE || type == NULL)
		return BX_BLOCK_NOMEM;

	int64_t ts = (flags & BX_RECORD_NO_TIME) != 0 ? b->ts_last : r->ts;
	uint32_t len = (uint32_t)r->body.len;
	uint32_t i = b->count;

	if (i == 0) {
		b->ts_first = ts;
		b->ts_last = ts;
	}

	/* Differences are modulo 2^64: any two times are a valid pair. */
	uint64_t step = (uint64_t)ts - (uint64_t)b->ts_last;
	uint64_t zigzag = (step << 1) ^ (0 - (step >> 63));

	b->ts_last = ts;
	b->col.ts[i] = zigzag;
	b->col.chan[i] = chan;
	b->col.topic[i] = topic;
	b->col.len[i] = len;
	b->col.code[i] = code;
	b->col.flags[i] = flags;
	b->col.body[i] = r->body.ptr;
	widen(b, (const uint64_t[]){ zigzag, chan, topic, code, len, flags });
	count_record(type, flags, len);
	count_record(&b->channel_rows.at[chan], flags, len);
	count_record(&b->topic_rows.at[topic], flags, len);
	count_totals(&b->totals, flags, len, ts);
	b->count++;
	return BX_BLOCK_ADDED;
}

/* --- sealing --------------------------------------------------------------------------------- */

static size_t
m_len_of(const struct bx_block_builder *b)
{
	return b->table_len + (size_t)b->count * b->row_width;
}

static uint64_t
total_of(const struct bx_block_builder *b, bool encrypted, size_t inner_len)
{
	uint64_t total = bx_block_header_total((uint32_t)inner_len);

	return encrypted ? bx_padding_total(b->options.pad, BX_HEADER_LEN + inner_len) : total;
}

size_t
bx_block_builder_bound(const struct bx_block_builder *b)
{
	size_t inner = BX_DATA_META_LEN + m_len_of(b) + (size_t)b->totals.raw_bytes;

	return (size_t)total_of(b, true, inner);
}

static void
put_table(struct bx_writer *w, const struct bx_intern *table)
{
	for (uint32_t i = 0; i < table->count; i++) {
		struct bx_span s = bx_intern_at(table, i);

		bx_uleb_put(w, s.len);
		bx_put_span(w, s);
	}
}

/* M raw: tables and planes. */
static void
lay_out_m(struct bx_block_builder *b, uint8_t widths[static BX_COLUMN_COUNT])
{
	struct bx_writer w = bx_writer_over(b->m.ptr, m_len_of(b));
	size_t n = b->count;

	bx_put(&w, b->channels.text, b->channels.text_len);
	put_table(&w, &b->realms);
	put_table(&w, &b->topics);
	for (unsigned i = 0; i < BX_COLUMN_COUNT; i++)
		widths[i] = (uint8_t)bx_planes_width(b->largest[i]);
	bx_planes_split64(bx_reserve(&w, n * widths[BX_COLUMN_TS]), widths[BX_COLUMN_TS], b->col.ts,
			  n);
	bx_planes_split32(bx_reserve(&w, n * widths[BX_COLUMN_CHAN]), widths[BX_COLUMN_CHAN],
			  b->col.chan, n);
	bx_planes_split32(bx_reserve(&w, n * widths[BX_COLUMN_TOPIC]), widths[BX_COLUMN_TOPIC],
			  b->col.topic, n);
	bx_planes_split16(bx_reserve(&w, n * widths[BX_COLUMN_CODE]), widths[BX_COLUMN_CODE],
			  b->col.code, n);
	bx_planes_split32(bx_reserve(&w, n * widths[BX_COLUMN_LEN]), widths[BX_COLUMN_LEN],
			  b->col.len, n);
	bx_put(&w, b->col.flags, n * widths[BX_COLUMN_FLAGS]);
	assert(!w.full && bx_room(&w) == 0);
}

/* B raw: bodies grouped by topic, in record order within a topic. One counting pass. */
static void
gather_bodies(struct bx_block_builder *b)
{
	uint32_t at = 0;

	for (uint32_t t = 0; t < b->topic_rows.count; t++) {
		b->topic_at[t] = at;
		at += (uint32_t)b->topic_rows.at[t].bytes;
	}
	for (uint32_t i = 0; i < b->count; i++) {
		uint32_t len = b->col.len[i];
		uint32_t *to = &b->topic_at[b->col.topic[i]];

		if (len != 0)
			memcpy(b->b.ptr + *to, b->col.body[i], len);
		*to += len;
	}
}

/* Writes `raw` packed or as it is; returns the stored length. */
static size_t
store(struct bx_block_builder *b, struct bx_span raw, struct bx_writer *w, uint8_t *codec)
{
	size_t len = 0;

	if (!b->options.stored && raw.len != 0)
		len = bx_zstd_frame_pack(b->cctx, raw, w->at, bx_room(w));
	if (len != 0) {
		w->at += len;
		*codec = BX_CODEC_ZSTD;
		return len;
	}
	bx_put_span(w, raw);
	*codec = BX_CODEC_STORED;
	return raw.len;
}

static int
by_code(const void *left, const void *right)
{
	const struct bx_type_count *a = left;
	const struct bx_type_count *b = right;

	return (a->code > b->code) - (a->code < b->code);
}

/* Fills the summary; sorts the rows of types, so that adding must begin anew afterwards. */
static bool
summarize(struct bx_block_builder *b, uint64_t dropped)
{
	if (!grow_array(&b->channel_list, &b->channel_list_cap, b->channels.count,
			sizeof(b->channel_list[0])) ||
	    !grow_array(&b->topic_list, &b->topic_list_cap, b->topics.count,
			sizeof(b->topic_list[0])))
		return false;
	for (uint32_t i = 0; i < b->channels.count; i++) {
		uint32_t realm;

		(void)bx_record_channel_load(&b->channel_list[i], &realm,
					     bx_intern_at(&b->channels, i).ptr);
		b->channel_list[i].realm = bx_intern_at(&b->realms, realm);
	}
	for (uint32_t i = 0; i < b->topics.count; i++)
		b->topic_list[i] = bx_intern_at(&b->topics, i);
	qsort(b->type_rows.at, b->type_rows.count, sizeof(b->type_rows.at[0]), by_code);
	for (uint32_t i = 0; i < b->type_rows.count; i++)
		b->type_at[b->type_rows.at[i].code] = (uint16_t)(i + 1);
	b->totals.dropped = dropped;
	b->summary = (struct bx_block_summary){
		.totals = b->totals,
		.types = b->type_rows.at,
		.type_count = b->type_rows.count,
		.channels = b->channel_list,
		.channel_counts = b->channel_rows.at,
		.channel_count = b->channels.count,
		.topics = b->topic_list,
		.topic_counts = b->topic_rows.at,
		.topic_count = b->topics.count,
	};
	return true;
}

/* The plain inner part at `inner`; returns its length. */
static size_t
lay_out_inner(struct bx_block_builder *b, uint8_t *inner, size_t cap,
	      const struct bx_block_ticket *ticket)
{
	struct bx_writer w = bx_writer_over(inner, cap);
	uint8_t *meta = bx_reserve(&w, BX_DATA_META_LEN);
	struct bx_span m = { b->m.ptr, m_len_of(b) };
	struct bx_span bodies = { b->b.ptr, (size_t)b->totals.raw_bytes };

	memset(meta, 0, BX_DATA_META_LEN);
	lay_out_m(b, meta + BX_DATA_WIDTHS);
	gather_bodies(b);

	size_t m_stored = store(b, m, &w, &meta[BX_DATA_CODEC_M]);
	size_t b_stored = store(b, bodies, &w, &meta[BX_DATA_CODEC_B]);

	assert(!w.full);
	bx_store_le32(meta + BX_DATA_INNER_LEN, (uint32_t)bx_written(&w));
	bx_store_le16(meta + BX_DATA_META_LEN_AT, BX_DATA_META_LEN);
	meta[BX_DATA_LAYOUT] = 1;
	bx_store_le32(meta + BX_DATA_RECORDS, b->count);
	bx_store_le64(meta + BX_DATA_FIRST_RECORD, ticket->first_record);
	bx_store_le64(meta + BX_DATA_TS_FIRST, (uint64_t)b->ts_first);
	bx_store_le64(meta + BX_DATA_TS_MIN, (uint64_t)b->totals.ts_min);
	bx_store_le64(meta + BX_DATA_TS_MAX, (uint64_t)b->totals.ts_max);
	bx_store_le32(meta + BX_DATA_M_STORED, (uint32_t)m_stored);
	bx_store_le32(meta + BX_DATA_M_RAW, (uint32_t)m.len);
	bx_store_le32(meta + BX_DATA_B_STORED, (uint32_t)b_stored);
	bx_store_le32(meta + BX_DATA_B_RAW, (uint32_t)bodies.len);
	bx_store_le32(meta + BX_DATA_CHANNELS, b->channels.count);
	bx_store_le32(meta + BX_DATA_TOPICS, b->topics.count);
	bx_store_le64(meta + BX_DATA_DROPPED, ticket->dropped);
	bx_store_le32(meta + BX_DATA_REALMS, b->realms.count);
	return bx_written(&w);
}

enum bx_err
bx_block_builder_seal(struct bx_block_builder *b, uint8_t *out, size_t cap,
		      const struct bx_block_ticket *ticket, struct bx_sealed_block *sealed,
		      struct bx_fail *fail)
{
	assert(b->count != 0);
	if (cap < bx_block_builder_bound(b))
		return bx_fail_set(fail, BX_ERR_LIMIT, 0, BX_NOWHERE,
				   "the buffer for a block is too small");
	/* One byte more than needed, so that an empty part has an address. */
	if (!grow_buffer(&b->m, m_len_of(b) + 1) ||
	    !grow_buffer(&b->b, (size_t)b->totals.raw_bytes + 1) ||
	    !grow_array(&b->topic_at, &b->topic_at_cap, b->topic_rows.count,
			sizeof(b->topic_at[0])) ||
	    !summarize(b, ticket->dropped))
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for a block");

	size_t inner_len = lay_out_inner(b, out + BX_HEADER_LEN, cap - BX_HEADER_LEN, ticket);
	size_t total = (size_t)total_of(b, ticket->key.encrypted, inner_len);

	memset(out + BX_HEADER_LEN + inner_len, 0, total - BX_HEADER_LEN - inner_len);

	struct bx_block_header h = {
		.type = BX_BLOCK_DATA,
		.seq = ticket->seq,
		.body_len = (uint32_t)inner_len,
	};

	memcpy(h.segment_id, ticket->segment_id, sizeof(h.segment_id));
	memcpy(h.nonce, ticket->nonce, sizeof(h.nonce));
	bx_block_key_finish(&ticket->key, &h, out, total);
	*sealed = (struct bx_sealed_block){ .bytes = out, .len = total, .summary = &b->summary };
	if (ticket->digest)
		bx_digest_body((struct bx_span){ out + BX_HEADER_LEN, h.body_len },
			       sealed->body_digest);
	return BX_OK;
}
