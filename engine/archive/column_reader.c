#include "archive/column_reader.h"

#include <stdlib.h>
#include <string.h>

#include "archive/block_builder.h"
#include "archive/data_layout.h"
#include "archive/intern.h"
#include "archive/planes.h"
#include "archive/uleb.h"

/* The front of the inner part, checked. */
struct front {
	uint32_t records, channels, realms, topics;
	uint64_t first_record;
	int64_t ts_first, ts_min, ts_max;
	uint64_t dropped;
	struct bx_span m, b; /* as stored */
	uint32_t m_raw, b_raw;
	uint8_t m_codec, b_codec;
	uint8_t widths[BX_COLUMN_COUNT];
};

struct bx_column_reader {
	struct bx_read_limits limits;
	struct front front;
	struct bx_columns columns;

	struct bx_column_buffer m, b;
	struct bx_column_buffer ts, chan, topic, off, len, code, flags;
	struct bx_column_buffer channels, realms, topics, topic_at;
	struct bx_intern names; /* to find topics that stand twice */

	struct bx_block_summary summary;
	struct bx_column_buffer type_rows, channel_rows, topic_rows, type_at;
};

bool
bx_column_buffer_fit(struct bx_column_buffer *b, size_t need)
{
	if (need <= b->cap && b->ptr != NULL)
		return true;
	free(b->ptr);
	/* A little more than asked for, so that slowly growing blocks do not ask each time. */
	b->cap = need + need / 8 + 64;
	b->ptr = malloc(b->cap);
	if (b->ptr == NULL)
		b->cap = 0;
	return b->ptr != NULL;
}

void
bx_column_buffer_free(struct bx_column_buffer *b)
{
	free(b->ptr);
	*b = (struct bx_column_buffer){ NULL, 0 };
}

struct bx_column_reader *
bx_column_reader_new(struct bx_read_limits limits)
{
	struct bx_column_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->limits = limits;
	bx_intern_init(&r->names, limits.hash_seed);
	return r;
}

/* All buffers that grow with the blocks. */
static void
buffers_of(struct bx_column_reader *r, struct bx_column_buffer *all[static 17])
{
	struct bx_column_buffer *list[17] = {
		&r->m,          &r->b,       &r->ts,       &r->chan,      &r->topic,
		&r->off,        &r->len,     &r->code,     &r->flags,     &r->channels,
		&r->realms,     &r->topics,  &r->topic_at, &r->type_rows, &r->channel_rows,
		&r->topic_rows, &r->type_at,
	};

	memcpy(all, list, sizeof(list));
}

void
bx_column_reader_free(struct bx_column_reader *r)
{
	struct bx_column_buffer *all[17];

	if (r == NULL)
		return;
	buffers_of(r, all);
	for (size_t i = 0; i < 17; i++)
		bx_column_buffer_free(all[i]);
	bx_intern_wipe(&r->names);
	free(r);
}

void
bx_column_reader_trim(struct bx_column_reader *r, size_t keep)
{
	struct bx_column_buffer *all[17];

	buffers_of(r, all);
	for (size_t i = 0; i < 17; i++)
		if (all[i]->cap > keep)
			bx_column_buffer_free(all[i]);
	if (r->names.text_cap > keep)
		bx_intern_wipe(&r->names);
	r->names.seed = r->limits.hash_seed;
	r->columns = (struct bx_columns){ 0 };
}

static enum bx_status
damaged(uint64_t offset, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_DAMAGED, offset, what);
}

/* --- the front ------------------------------------------------------------------------------- */

static void
load_front(struct front *f, const uint8_t *p)
{
	*f = (struct front){
		.records = bx_load_le32(p + BX_DATA_RECORDS),
		.channels = bx_load_le32(p + BX_DATA_CHANNELS),
		.realms = bx_load_le32(p + BX_DATA_REALMS),
		.topics = bx_load_le32(p + BX_DATA_TOPICS),
		.first_record = bx_load_le64(p + BX_DATA_FIRST_RECORD),
		.ts_first = (int64_t)bx_load_le64(p + BX_DATA_TS_FIRST),
		.ts_min = (int64_t)bx_load_le64(p + BX_DATA_TS_MIN),
		.ts_max = (int64_t)bx_load_le64(p + BX_DATA_TS_MAX),
		.dropped = bx_load_le64(p + BX_DATA_DROPPED),
		.m_raw = bx_load_le32(p + BX_DATA_M_RAW),
		.b_raw = bx_load_le32(p + BX_DATA_B_RAW),
		.m_codec = p[BX_DATA_CODEC_M],
		.b_codec = p[BX_DATA_CODEC_B],
	};
	memcpy(f->widths, p + BX_DATA_WIDTHS, sizeof(f->widths));
}

static bool
is_zero(struct bx_span s)
{
	return s.len == 0 || (s.ptr[0] == 0 && memcmp(s.ptr, s.ptr + 1, s.len - 1) == 0);
}

/* Everything that can be said before memory is taken. */
static enum bx_status
check_front(const struct bx_column_reader *r, const struct front *f, uint64_t offset,
	    struct bx_fault *fault)
{
	static const uint8_t widths_max[BX_COLUMN_COUNT] = BX_COLUMN_WIDTHS_MAX;
	uint64_t row = 0;

	if (f->records == 0 || f->records > BX_RECORDS_MAX)
		return damaged(offset, fault, "a block has an impossible number of records");
	for (unsigned i = 0; i < BX_COLUMN_COUNT; i++) {
		if (f->widths[i] > widths_max[i])
			return damaged(offset, fault, "a column is wider than it can be");
		row += f->widths[i];
	}
	if (f->m_raw > BX_RAW_LEN_MAX || f->b_raw > BX_RAW_LEN_MAX)
		return damaged(offset, fault, "a block has an impossible raw length");
	if (f->m_raw > r->limits.raw_max || f->b_raw > r->limits.raw_max)
		return bx_status_set(fault, BX_STATUS_LIMIT, offset,
				     "a block is larger than the limit of this reader");
	if ((f->m_codec == BX_CODEC_STORED && f->m.len != f->m_raw) ||
	    (f->b_codec == BX_CODEC_STORED && f->b.len != f->b_raw))
		return damaged(offset, fault, "a stored part has two lengths");
	if (f->channels == 0 || f->realms == 0 || f->topics == 0)
		return damaged(offset, fault, "a table of a block is empty");
	/* Every channel, realm and topic but numbers 0 is used by a record: no room for a bomb. */
	if (f->channels > f->records || f->realms > f->channels + 1 || f->topics > f->records + 1)
		return damaged(offset, fault, "a table of a block is longer than its records need");
	if ((uint64_t)f->channels * BX_CHANNEL_LEN + f->realms + f->topics + row * f->records >
	    f->m_raw)
		return damaged(offset, fault, "a block counts more than it can hold");
	if (f->first_record > UINT64_MAX / 2)
		return damaged(offset, fault, "the number of a record is impossible");
	if ((f->m_codec == BX_CODEC_ZSTD && !bx_zstd_frame_check(f->m, f->m_raw)) ||
	    (f->b_codec == BX_CODEC_ZSTD && !bx_zstd_frame_check(f->b, f->b_raw)))
		return damaged(offset, fault, "a zstd frame is not as it must be");
	return BX_STATUS_CLEAN;
}

static enum bx_status
parse_front(const struct bx_column_reader *r, struct front *f, struct bx_span inner, bool encrypted,
	    uint64_t offset, struct bx_fault *fault)
{
	size_t inner_len, meta_len;
	struct bx_cursor c;

	if (inner.len < BX_DATA_META_LEN)
		return damaged(offset, fault, "a DATA block is too short");
	inner_len = bx_load_le32(inner.ptr + BX_DATA_INNER_LEN);
	meta_len = bx_load_le16(inner.ptr + BX_DATA_META_LEN_AT);
	if (inner_len > inner.len || (!encrypted && inner_len != inner.len) ||
	    meta_len < BX_DATA_META_LEN || meta_len > inner_len)
		return damaged(offset, fault, "the lengths of a block contradict each other");
	if (!is_zero((struct bx_span){ inner.ptr + inner_len, inner.len - inner_len }))
		return damaged(offset, fault, "the padding of a block is not zero");
	if (inner.ptr[BX_DATA_LAYOUT] != 1 || inner.ptr[BX_DATA_CODEC_M] > BX_CODEC_ZSTD ||
	    inner.ptr[BX_DATA_CODEC_B] > BX_CODEC_ZSTD)
		return bx_status_set(fault, BX_STATUS_UNSUPPORTED, offset,
				     "a layout or codec that this version does not know");
	load_front(f, inner.ptr);
	c = bx_cursor_over((struct bx_span){ inner.ptr + meta_len, inner_len - meta_len });
	f->m = bx_take(&c, bx_load_le32(inner.ptr + BX_DATA_M_STORED));
	f->b = bx_take(&c, bx_load_le32(inner.ptr + BX_DATA_B_STORED));
	if (c.bad || bx_left(&c) != 0)
		return damaged(offset, fault, "the parts of a block do not fill it");
	return check_front(r, f, offset, fault);
}

/* --- tables ---------------------------------------------------------------------------------- */

static bool
take_texts(struct bx_cursor *c, struct bx_span *texts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		texts[i] = bx_take(c, bx_uleb_take(c, BX_ARCHIVE_URI_MAX));
	return !c->bad && texts[0].len == 0;
}

static bool
take_channels(struct bx_column_reader *r, const struct bx_span stored, const struct bx_span *realms)
{
	struct bx_archive_channel *channels = (struct bx_archive_channel *)r->channels.ptr;

	for (uint32_t i = 0; i < r->front.channels; i++) {
		uint32_t realm;

		if (!bx_record_channel_load(&channels[i], &realm,
					    stored.ptr + (size_t)i * BX_CHANNEL_LEN) ||
		    realm >= r->front.realms)
			return false;
		channels[i].realm = realms[realm];
	}
	return true;
}

/* Topics must be distinct. */
static enum bx_status
check_distinct(struct bx_column_reader *r, const struct bx_span *topics, uint64_t offset,
	       struct bx_fault *fault)
{
	bx_intern_clear(&r->names);
	for (uint32_t i = 0; i < r->front.topics; i++) {
		uint32_t number = bx_intern_put(&r->names, topics[i]);

		if (number == BX_INTERN_NONE)
			return bx_status_set(fault, BX_STATUS_NOMEM, offset,
					     "no memory for a block");
		if (number != i)
			return damaged(offset, fault, "a topic stands twice in the table");
	}
	return BX_STATUS_CLEAN;
}

/* --- columns --------------------------------------------------------------------------------- */

static bool
fit_columns(struct bx_column_reader *r)
{
	const struct front *f = &r->front;
	size_t n = f->records;

	return bx_column_buffer_fit(&r->ts, n * sizeof(int64_t)) &&
	       bx_column_buffer_fit(&r->chan, n * sizeof(uint32_t)) &&
	       bx_column_buffer_fit(&r->topic, n * sizeof(uint32_t)) &&
	       bx_column_buffer_fit(&r->off, n * sizeof(uint32_t)) &&
	       bx_column_buffer_fit(&r->len, n * sizeof(uint32_t)) &&
	       bx_column_buffer_fit(&r->code, n * sizeof(uint16_t)) &&
	       bx_column_buffer_fit(&r->flags, n) &&
	       bx_column_buffer_fit(&r->channels,
				    f->channels * sizeof(struct bx_archive_channel)) &&
	       bx_column_buffer_fit(&r->realms, f->realms * sizeof(struct bx_span)) &&
	       bx_column_buffer_fit(&r->topics, f->topics * sizeof(struct bx_span)) &&
	       bx_column_buffer_fit(&r->topic_at, f->topics * sizeof(uint32_t));
}

static bool
all_below(const uint32_t *values, size_t n, uint32_t limit)
{
	uint32_t most = 0;

	for (size_t i = 0; i < n; i++)
		most = values[i] > most ? values[i] : most;
	return most < limit;
}

/* From zigzag differences to times, in place; and their bounds. */
static void
restore_times(struct bx_column_reader *r, struct bx_totals *totals)
{
	uint64_t *ts = (uint64_t *)r->ts.ptr;
	const uint8_t *flags = r->flags.ptr;
	uint64_t now = (uint64_t)r->front.ts_first;

	for (uint32_t i = 0; i < r->front.records; i++) {
		now += (ts[i] >> 1) ^ (0 - (ts[i] & 1));
		ts[i] = now;
		if ((flags[i] & BX_RECORD_NO_TIME) != 0)
			continue;
		if ((int64_t)now < totals->ts_min)
			totals->ts_min = (int64_t)now;
		if ((int64_t)now > totals->ts_max)
			totals->ts_max = (int64_t)now;
	}
}

static void
count_flags(const struct bx_column_reader *r, struct bx_totals *totals)
{
	const uint8_t *flags = r->flags.ptr;

	for (uint32_t i = 0; i < r->front.records; i++) {
		totals->sealed += flags[i] & BX_RECORD_SEALED ? 1 : 0;
		totals->plain += flags[i] & BX_RECORD_PLAIN ? 1 : 0;
		totals->ppt += flags[i] & BX_RECORD_PPT ? 1 : 0;
		totals->unparsed += flags[i] & BX_RECORD_UNPARSED ? 1 : 0;
	}
}

/* Where each body starts in B: one counting pass over topics. The sum was checked. */
static void
find_bodies(struct bx_column_reader *r)
{
	const uint32_t *topic = (const uint32_t *)r->topic.ptr;
	const uint32_t *len = (const uint32_t *)r->len.ptr;
	uint32_t *off = (uint32_t *)r->off.ptr;
	uint32_t *at = (uint32_t *)r->topic_at.ptr;
	uint32_t sum = 0;

	memset(at, 0, r->front.topics * sizeof(at[0]));
	for (uint32_t i = 0; i < r->front.records; i++)
		at[topic[i]] += len[i];
	for (uint32_t t = 0; t < r->front.topics; t++) {
		uint32_t bytes = at[t];

		at[t] = sum;
		sum += bytes;
	}
	for (uint32_t i = 0; i < r->front.records; i++) {
		off[i] = at[topic[i]];
		at[topic[i]] += len[i];
	}
}

static bool
lengths_fit(const struct bx_column_reader *r)
{
	const uint32_t *len = (const uint32_t *)r->len.ptr;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->front.records; i++)
		sum += len[i];
	return sum == r->front.b_raw && all_below(len, r->front.records, BX_ARCHIVE_BODY_MAX + 1);
}

static bool
take_planes(struct bx_column_reader *r, struct bx_cursor *c)
{
	const struct front *f = &r->front;
	size_t n = f->records;
	struct bx_span planes[BX_COLUMN_COUNT];

	for (unsigned i = 0; i < BX_COLUMN_COUNT; i++)
		planes[i] = bx_take(c, n * f->widths[i]);
	if (c->bad)
		return false;
	bx_planes_join64((uint64_t *)r->ts.ptr, f->widths[BX_COLUMN_TS], planes[BX_COLUMN_TS].ptr,
			 n);
	bx_planes_join32((uint32_t *)r->chan.ptr, f->widths[BX_COLUMN_CHAN],
			 planes[BX_COLUMN_CHAN].ptr, n);
	bx_planes_join32((uint32_t *)r->topic.ptr, f->widths[BX_COLUMN_TOPIC],
			 planes[BX_COLUMN_TOPIC].ptr, n);
	bx_planes_join16((uint16_t *)r->code.ptr, f->widths[BX_COLUMN_CODE],
			 planes[BX_COLUMN_CODE].ptr, n);
	bx_planes_join32((uint32_t *)r->len.ptr, f->widths[BX_COLUMN_LEN],
			 planes[BX_COLUMN_LEN].ptr, n);
	for (size_t i = 0; i < n; i++)
		r->flags.ptr[i] = f->widths[BX_COLUMN_FLAGS] == 0
				      ? 0
				      : planes[BX_COLUMN_FLAGS].ptr[i] & BX_RECORD_FLAGS_KNOWN;
	return true;
}

static void
publish(struct bx_column_reader *r, const struct bx_totals *totals)
{
	r->columns = (struct bx_columns){
		.count = r->front.records,
		.first_record = r->front.first_record,
		.ts = (const int64_t *)r->ts.ptr,
		.chan = (const uint32_t *)r->chan.ptr,
		.topic = (const uint32_t *)r->topic.ptr,
		.off = (const uint32_t *)r->off.ptr,
		.len = (const uint32_t *)r->len.ptr,
		.code = (const uint16_t *)r->code.ptr,
		.flags = r->flags.ptr,
		.channels = (const struct bx_archive_channel *)r->channels.ptr,
		.channel_count = r->front.channels,
		.topics = (const struct bx_span *)r->topics.ptr,
		.topic_count = r->front.topics,
		.totals = *totals,
	};
}

static enum bx_status
parse_m(struct bx_column_reader *r, struct bx_span m, uint64_t offset, struct bx_fault *fault)
{
	const struct front *f = &r->front;
	struct bx_cursor c = bx_cursor_over(m);
	struct bx_span *realms = (struct bx_span *)r->realms.ptr;
	struct bx_span *topics = (struct bx_span *)r->topics.ptr;
	struct bx_span channels = bx_take(&c, (size_t)f->channels * BX_CHANNEL_LEN);
	struct bx_totals totals = BX_TOTALS_NONE;
	enum bx_status status;

	if (c.bad || !take_texts(&c, realms, f->realms) || !take_texts(&c, topics, f->topics) ||
	    !take_channels(r, channels, realms))
		return damaged(offset, fault, "a table of a block breaks its rules");
	status = check_distinct(r, topics, offset, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	if (!take_planes(r, &c))
		return damaged(offset, fault, "the columns of a block are cut");
	if (!all_below((const uint32_t *)r->chan.ptr, f->records, f->channels) ||
	    !all_below((const uint32_t *)r->topic.ptr, f->records, f->topics))
		return damaged(offset, fault,
			       "a record names a channel or topic that is not there");
	if (!lengths_fit(r))
		return damaged(offset, fault, "the lengths of the records do not fill the bodies");
	restore_times(r, &totals);
	if (totals.ts_min != f->ts_min || totals.ts_max != f->ts_max)
		return damaged(offset, fault, "the times of a block are not what it says");
	count_flags(r, &totals);
	totals.records = f->records;
	totals.dropped = f->dropped;
	totals.raw_bytes = f->b_raw;
	find_bodies(r);
	publish(r, &totals);
	return BX_STATUS_CLEAN;
}

/* A part as it was before compression, in `buffer`. */
static enum bx_status
unpack(struct bx_column_buffer *buffer, struct bx_span stored, uint8_t codec, uint32_t raw_len,
       ZSTD_DCtx *dctx, uint64_t offset, struct bx_fault *fault)
{
	if (!bx_column_buffer_fit(buffer, (size_t)raw_len + 1))
		return bx_status_set(fault, BX_STATUS_NOMEM, offset, "no memory for a block");
	if (codec == BX_CODEC_STORED) {
		if (raw_len != 0)
			memcpy(buffer->ptr, stored.ptr, raw_len);
		return BX_STATUS_CLEAN;
	}
	if (!bx_zstd_frame_unpack(dctx, stored, buffer->ptr, raw_len))
		return damaged(offset, fault, "a part of a block does not inflate");
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_column_reader_load(struct bx_column_reader *r, struct bx_span inner, bool encrypted, bool meta,
		      ZSTD_DCtx *dctx, uint64_t offset, struct bx_fault *fault)
{
	struct front f = { 0 };
	enum bx_status status;

	r->columns = (struct bx_columns){ 0 };
	status = parse_front(r, &f, inner, encrypted, offset, fault);
	if (status != BX_STATUS_CLEAN || !meta)
		return status;
	r->front = f;
	if (!fit_columns(r))
		return bx_status_set(fault, BX_STATUS_NOMEM, offset, "no memory for a block");
	status = unpack(&r->m, f.m, f.m_codec, f.m_raw, dctx, offset, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	return parse_m(r, (struct bx_span){ r->m.ptr, f.m_raw }, offset, fault);
}

enum bx_status
bx_column_reader_bodies(struct bx_column_reader *r, ZSTD_DCtx *dctx, uint64_t offset,
			struct bx_fault *fault)
{
	const struct front *f = &r->front;
	enum bx_status status = unpack(&r->b, f->b, f->b_codec, f->b_raw, dctx, offset, fault);

	if (status == BX_STATUS_CLEAN)
		r->columns.bodies = (struct bx_span){ r->b.ptr, f->b_raw };
	else
		r->columns = (struct bx_columns){ 0 };
	return status;
}

const struct bx_columns *
bx_column_reader_columns(const struct bx_column_reader *r)
{
	return r->columns.count == 0 ? NULL : &r->columns;
}

/* --- summary --------------------------------------------------------------------------------- */

static void
count_record(struct bx_type_count *row, uint8_t flags, uint32_t len)
{
	row->count++;
	row->sealed += flags & BX_RECORD_SEALED ? 1 : 0;
	row->plain += flags & BX_RECORD_PLAIN ? 1 : 0;
	row->bytes += len;
}

static int
by_code(const void *left, const void *right)
{
	const struct bx_type_count *a = left;
	const struct bx_type_count *b = right;

	return (a->code > b->code) - (a->code < b->code);
}

/* Rows by type; there are at most as many as records. */
static uint32_t
count_types(struct bx_column_reader *r)
{
	struct bx_type_count *rows = (struct bx_type_count *)r->type_rows.ptr;
	uint32_t *at = (uint32_t *)r->type_at.ptr; /* row of a code, plus 1 */
	uint32_t count = 0;

	memset(at, 0, 65536 * sizeof(at[0]));
	for (uint32_t i = 0; i < r->columns.count; i++) {
		uint16_t code = r->columns.code[i];

		if (at[code] == 0) {
			rows[count++] = (struct bx_type_count){ .code = code };
			at[code] = count;
		}
		count_record(&rows[at[code] - 1], r->columns.flags[i], r->columns.len[i]);
	}
	qsort(rows, count, sizeof(rows[0]), by_code);
	return count;
}

const struct bx_block_summary *
bx_column_reader_summary(struct bx_column_reader *r)
{
	const struct bx_columns *c = &r->columns;
	size_t type_max = c->count < 65536 ? c->count : 65536;
	size_t size = sizeof(struct bx_type_count);

	if (!bx_column_buffer_fit(&r->type_at, 65536 * sizeof(uint32_t)) ||
	    !bx_column_buffer_fit(&r->type_rows, type_max * size) ||
	    !bx_column_buffer_fit(&r->channel_rows, c->channel_count * size) ||
	    !bx_column_buffer_fit(&r->topic_rows, c->topic_count * size))
		return NULL;

	struct bx_type_count *channels = (struct bx_type_count *)r->channel_rows.ptr;
	struct bx_type_count *topics = (struct bx_type_count *)r->topic_rows.ptr;

	memset(channels, 0, c->channel_count * size);
	memset(topics, 0, c->topic_count * size);
	for (uint32_t i = 0; i < c->count; i++) {
		count_record(&channels[c->chan[i]], c->flags[i], c->len[i]);
		count_record(&topics[c->topic[i]], c->flags[i], c->len[i]);
	}
	r->summary = (struct bx_block_summary){
		.totals = c->totals,
		.types = (const struct bx_type_count *)r->type_rows.ptr,
		.type_count = count_types(r),
		.channels = c->channels,
		.channel_counts = channels,
		.channel_count = c->channel_count,
		.topics = c->topics,
		.topic_counts = topics,
		.topic_count = c->topic_count,
	};
	return &r->summary;
}
