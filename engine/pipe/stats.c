#include "pipe/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_writer.h"

struct row {
	uint8_t *text;
	size_t len;
	uint64_t hash;
	uint64_t id;
	uint64_t messages, bytes, sealed, plain;
};

/* Open addressing over twice the bound. */
struct table {
	struct row *rows;
	uint32_t *slots; /* row number + 1, or 0 */
	size_t count, cap;
};

#define SLOTS (BX_STATS_ROWS * 2u)

struct bx_stats {
	struct table types, uris, sessions, streams;
	uint64_t left_out;
	bool has_time;
	int64_t ts_min, ts_max;
};

static bool
table_init(struct table *t)
{
	t->slots = calloc(SLOTS, sizeof(*t->slots));
	return t->slots != NULL;
}

static void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i].text);
	free(t->rows);
	free(t->slots);
}

struct bx_stats *
bx_stats_new(void)
{
	struct bx_stats *stats = calloc(1, sizeof(*stats));

	if (stats == NULL)
		return NULL;
	if (!table_init(&stats->types) || !table_init(&stats->uris) ||
	    !table_init(&stats->sessions) || !table_init(&stats->streams)) {
		bx_stats_free(stats);
		return NULL;
	}
	return stats;
}

void
bx_stats_free(struct bx_stats *stats)
{
	if (stats == NULL)
		return;
	table_free(&stats->types);
	table_free(&stats->uris);
	table_free(&stats->sessions);
	table_free(&stats->streams);
	free(stats);
}

static bool
table_grow(struct table *t)
{
	size_t cap = t->cap == 0 ? 64 : t->cap * 2;
	struct row *rows = realloc(t->rows, cap * sizeof(*rows));

	if (rows == NULL)
		return false;
	t->rows = rows;
	t->cap = cap;
	return true;
}

/* The row of `text`; NULL with *full when the table is full, NULL without when out of memory. */
static struct row *
table_row(struct table *t, struct bx_span text, uint64_t id, bool *full)
{
	uint64_t hash = bx_hash(text, id);
	size_t at = (size_t)(hash % SLOTS);

	*full = false;
	for (; t->slots[at] != 0; at = (at + 1) % SLOTS) {
		struct row *row = &t->rows[t->slots[at] - 1];

		if (row->hash == hash && row->id == id && row->len == text.len &&
		    (text.len == 0 || memcmp(row->text, text.ptr, text.len) == 0))
			return row;
	}
	if (t->count == BX_STATS_ROWS) {
		*full = true;
		return NULL;
	}
	if (t->count == t->cap && !table_grow(t))
		return NULL;

	uint8_t *copy = malloc(text.len + 1);

	if (copy == NULL)
		return NULL;
	if (text.len != 0)
		memcpy(copy, text.ptr, text.len);
	t->rows[t->count] = (struct row){ .text = copy, .len = text.len, .hash = hash, .id = id };
	t->slots[at] = (uint32_t)(t->count + 1);
	return &t->rows[t->count++];
}

static bool
bump(struct table *t, struct bx_span text, uint64_t id, const struct row *add, uint64_t *left_out)
{
	bool full;
	struct row *row = table_row(t, text, id, &full);

	if (row == NULL) {
		*left_out += add->messages;
		return full;
	}
	row->messages += add->messages;
	row->bytes += add->bytes;
	row->sealed += add->sealed;
	row->plain += add->plain;
	return true;
}

static void
see_time(struct bx_stats *stats, int64_t low, int64_t high)
{
	if (!stats->has_time || low < stats->ts_min)
		stats->ts_min = low;
	if (!stats->has_time || high > stats->ts_max)
		stats->ts_max = high;
	stats->has_time = true;
}

bool
bx_stats_add(struct bx_stats *stats, const struct bx_stats_sample *s)
{
	struct bx_span type = { (const uint8_t *)s->type, strlen(s->type) };
	struct row add = {
		.messages = 1, .bytes = s->bytes, .sealed = s->sealed, .plain = s->plain
	};
	uint64_t ignored = 0;

	if (s->has_ts)
		see_time(stats, s->ts, s->ts);
	if (s->dir != NULL &&
	    !bump(&stats->streams, (struct bx_span){ (const uint8_t *)s->dir, strlen(s->dir) },
		  s->conn, &add, &ignored))
		return false;
	return bump(&stats->types, type, 0, &add, &ignored) &&
	       (!s->has_uri || bump(&stats->uris, s->uri, 0, &add, &stats->left_out)) &&
	       (!s->has_session ||
		bump(&stats->sessions, (struct bx_span){ 0 }, s->session, &add, &ignored));
}

static bool
merge_table(struct table *into, const struct table *from, uint64_t *left_out)
{
	for (size_t i = 0; i < from->count; i++)
		if (!bump(into, (struct bx_span){ from->rows[i].text, from->rows[i].len },
			  from->rows[i].id, &from->rows[i], left_out))
			return false;
	return true;
}

bool
bx_stats_merge(struct bx_stats *into, const struct bx_stats *from)
{
	uint64_t ignored = 0;

	into->left_out += from->left_out;
	if (from->has_time)
		see_time(into, from->ts_min, from->ts_max);
	return merge_table(&into->types, &from->types, &ignored) &&
	       merge_table(&into->uris, &from->uris, &into->left_out) &&
	       merge_table(&into->sessions, &from->sessions, &ignored) &&
	       merge_table(&into->streams, &from->streams, &ignored);
}

/* Most messages first, then by name and number, so that the order is the same for every run. */
static int
by_messages(const void *a, const void *b)
{
	const struct bx_info_row *x = a, *y = b;

	if (x->messages != y->messages)
		return x->messages < y->messages ? 1 : -1;
	if (x->id != y->id)
		return x->id > y->id ? 1 : -1;
	return strcmp(x->name, y->name);
}

static struct bx_info_row *
rows_of(const struct table *t, size_t *count)
{
	struct bx_info_row *rows = calloc(t->count + 1, sizeof(*rows));

	if (rows == NULL)
		return NULL;
	for (size_t i = 0; i < t->count; i++) {
		const struct row *row = &t->rows[i];
		char *name = malloc(row->len * 4 + 8);

		if (name == NULL) {
			*count = i;
			return rows;
		}

		struct bx_writer w = bx_writer_over((uint8_t *)name, row->len * 4 + 7);

		bx_json_put_safe(&w, (struct bx_span){ row->text, row->len }, SIZE_MAX);
		*w.at = '\0';
		rows[i] = (struct bx_info_row){ name,       row->id,     row->messages,
						row->bytes, row->sealed, row->plain };
	}
	*count = t->count;
	qsort(rows, t->count, sizeof(*rows), by_messages);
	return rows;
}

bool
bx_stats_finish(struct bx_stats *stats, struct bx_job_result *result)
{
	result->types = rows_of(&stats->types, &result->type_count);
	result->uris = rows_of(&stats->uris, &result->uri_count);
	result->sessions = rows_of(&stats->sessions, &result->session_count);
	result->streams = rows_of(&stats->streams, &result->stream_count);
	result->uris_left_out = stats->left_out;
	result->has_time = stats->has_time;
	result->ts_min = stats->ts_min;
	result->ts_max = stats->ts_max;
	return result->types != NULL && result->uris != NULL && result->sessions != NULL &&
	       result->streams != NULL;
}
