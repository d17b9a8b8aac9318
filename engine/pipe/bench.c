/* The ladder: the rooms' own functions, one stage at a time, over messages held in memory. */
#include "boxcar/bench.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "frame/sniff.h"
#include "pipe/extent.h"
#include "pipe/pipe.h"

#define BYTES_DEFAULT ((uint64_t)32 << 20)
#define ROUNDS_MAX 64u
#define FRAMES 256u

/* One message on its way: what each rung leaves for the next. */
struct sample {
	struct bx_span body;
	struct bx_message m;
	struct bx_span uri; /* own copy */
	const uint8_t *shared;
	size_t plain_at, plain_len; /* in `plain` */
	size_t box_at;              /* in `boxes`: nonce, tag, ciphertext */
	bool seals;
};

struct ladder {
	const struct bx_bench *bench;
	struct bx_bench_result *result;
	struct bx_fail *fail;
	struct bx_source *source;
	enum bx_format format;
	uint8_t *bytes;
	size_t len;
	struct sample *samples;
	size_t count, cap;
	uint8_t *keep, *plain, *boxes, *text, *out;
	size_t keep_cap, plain_cap, boxes_cap, out_cap, plain_len, out_len;
	struct bx_keyview_cache *keys;
	const struct bx_box_kernel *kernel;
	struct bx_nonce_source nonces;
	struct bx_box_item *items;
	uint8_t *nonce_bytes;
	struct bx_inner *inners;
	size_t sealed;
	double times[BX_RUNG_COUNT][ROUNDS_MAX];
	int scratch_fd;
};

const char *
bx_rung_name(enum bx_rung rung)
{
	static const char *const names[BX_RUNG_COUNT] = { "memory", "read",   "frame",     "scan",
							  "route",  "key",    "transcode", "nonce",
							  "seal",   "splice", "write",     "open",
							  "inner",  "restore" };

	return names[rung];
}

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static enum bx_err
no_memory(struct bx_fail *fail)
{
	return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
}

/* --- what is measured ------------------------------------------------------------------------- */

/* Cuts the bytes; stores the bodies when there is room for them. Returns how many messages. */
static size_t
cut(struct ladder *l, bool store)
{
	struct bx_framer_options options = {
		.format = l->format,
		.message_max = BX_MESSAGE_MAX,
		.extent = bx_extent_of(l->format),
	};
	struct bx_framer *framer = NULL;
	struct bx_fail ignored = { 0 };
	struct bx_frame frames[FRAMES];
	struct bx_span left = { l->bytes, l->len };
	size_t messages = 0;

	if (bx_framer_new(&framer, options, &ignored) != BX_OK)
		return 0;
	for (;;) {
		struct bx_writer scratch = bx_writer_over(l->keep, l->keep_cap);
		size_t count = 0, used = 0, need = 0;
		enum bx_step step = bx_framer_cut(framer, left, 0, false, &scratch, frames, FRAMES,
						  &count, &used, &need, &ignored);

		left.ptr += used;
		left.len -= used;
		for (size_t i = 0; i < count; i++) {
			if (frames[i].kind != BX_FRAME_MESSAGE)
				continue;
			if (store && messages < l->cap) {
				l->samples[messages].body = frames[i].body;
				l->samples[messages].m.ser = frames[i].ser;
			}
			messages++;
		}
		if (step != BX_STEP_ITEM)
			break;
	}
	bx_framer_free(framer);
	return messages;
}

static void
rung_memory(struct ladder *l)
{
	memcpy(l->out, l->bytes, l->len);
}

static void
rung_read(struct ladder *l)
{
	size_t at = 0;

	while (at < l->len) {
		size_t want = l->len - at < (256u << 10) ? l->len - at : (256u << 10);
		ssize_t got = pread(bx_source_fd(l->source), l->out + at, want,
				    (off_t)(bx_source_start(l->source) + at));

		if (got <= 0)
			return;
		at += (size_t)got;
	}
}

static void
rung_frame(struct ladder *l)
{
	(void)cut(l, false);
}

static void
rung_scan(struct ladder *l)
{
	struct bx_writer w = bx_writer_over(l->keep, l->keep_cap);
	struct bx_defect why;

	for (size_t i = 0; i < l->count; i++) {
		struct sample *s = &l->samples[i];

		s->m.bytes = s->body.ptr;
		s->m.len = (uint32_t)s->body.len;
		if (bx_codec_of((enum bx_ser)s->m.ser) == NULL ||
		    !bx_codec_of((enum bx_ser)s->m.ser)->scan(&s->m, &w, &why))
			s->m.type = 0;
	}
}

static void
rung_route(struct ladder *l)
{
	struct bx_writer w = bx_writer_over(l->keep, l->keep_cap);
	struct bx_route *route = NULL;
	struct bx_fail ignored = { 0 };

	if (bx_route_new(&route, BX_ROUTE_LIMITS_DEFAULT, &ignored) != BX_OK)
		return;
	for (size_t i = 0; i < l->count; i++) {
		struct sample *s = &l->samples[i];
		struct bx_span uri = bx_message_uri(&s->m);

		if (s->m.type != 0 && bx_route_wants(&s->m))
			(void)bx_route_feed(route, 0, &s->m, &uri);
		if (uri.ptr != s->m.uri && uri.len != 0) {
			uint8_t *copy = bx_reserve(&w, uri.len);

			if (copy == NULL)
				break;
			memcpy(copy, uri.ptr, uri.len);
			uri.ptr = copy;
		}
		s->uri = uri;
	}
	bx_route_free(route);
}

static void
rung_key(struct ladder *l)
{
	l->sealed = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct sample *s = &l->samples[i];

		s->seals = false;
		if (!bx_type_has_payload(s->m.type) || s->uri.len == 0 ||
		    (s->m.payload != BX_PAYLOAD_PLAIN && s->m.payload != BX_PAYLOAD_NONE))
			continue;

		const struct bx_keyview *view = bx_keyview_find(l->keys, s->uri);
		enum bx_role role = bx_role_of(s->m.type);

		if (view->seal_match[role] != BX_KEY_FOUND)
			continue;
		s->shared = bx_key_shared(view->seal_key[role]);
		s->seals = true;
		l->sealed++;
	}
}

static void
rung_transcode(struct ladder *l)
{
	struct bx_writer w = bx_writer_over(l->plain, l->plain_cap);
	struct bx_defect why;
	uint32_t marks;

	for (size_t i = 0; i < l->count; i++) {
		struct sample *s = &l->samples[i];

		if (!s->seals)
			continue;
		s->plain_at = bx_written(&w);
		bx_put(&w, "{\"uri\":", 7);
		bx_json_put_string(&w, s->uri);
		bx_put_u8(&w, ',');
		marks = 0;
		if (bx_codec_of((enum bx_ser)s->m.ser)->args_to_inner(&s->m, &w, &marks, &why) !=
		    BX_CODED_OK) {
			w.at = w.begin + s->plain_at;
			s->seals = false;
			l->sealed--;
			continue;
		}
		bx_put_u8(&w, '}');
		s->plain_len = bx_written(&w) - s->plain_at;
	}
	l->plain_len = bx_written(&w);
}

static void
rung_nonce(struct ladder *l)
{
	for (size_t at = 0; at < l->sealed; at += BX_BATCH) {
		size_t n = l->sealed - at < BX_BATCH ? l->sealed - at : BX_BATCH;

		if (bx_nonce_fill(&l->nonces, 1, 1, NULL, l->nonce_bytes + at * BX_BOX_NONCE_LEN, n,
				  l->fail) != BX_OK)
			return;
	}
}

static void
rung_seal(struct ladder *l)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct sample *s = &l->samples[i];

		if (!s->seals)
			continue;
		s->box_at = at;
		memcpy(l->boxes + at, l->nonce_bytes + n * BX_BOX_NONCE_LEN, BX_BOX_NONCE_LEN);
		l->items[n] = (struct bx_box_item){ .key = s->shared,
						    .nonce = l->boxes + at,
						    .in = l->plain + s->plain_at,
						    .out = l->boxes + at + BX_BOX_NONCE_LEN,
						    .len = s->plain_len };
		at += BX_BOX_NONCE_LEN + BX_BOX_TAG_LEN + s->plain_len;
		n++;
	}
	for (size_t first = 0; first < n; first += BX_BATCH)
		bx_box_seal_many(l->kernel, l->items + first,
				 n - first < BX_BATCH ? n - first : BX_BATCH);
}

static void
rung_splice(struct ladder *l)
{
	struct bx_writer w = bx_writer_over(l->out, l->out_cap);

	for (size_t i = 0; i < l->count; i++) {
		const struct sample *s = &l->samples[i];

		if (!s->seals)
			continue;
		bx_codec_of((enum bx_ser)s->m.ser)
		    ->seal_head(&s->m, BX_BOX_NONCE_LEN + BX_BOX_TAG_LEN + s->plain_len, &w);
		bx_put(&w, l->boxes + s->box_at, BX_BOX_NONCE_LEN + BX_BOX_TAG_LEN + s->plain_len);
	}
	l->out_len = bx_written(&w);
}

static void
rung_write(struct ladder *l)
{
	size_t at = 0;

	while (at < l->out_len) {
		size_t want = l->out_len - at < (256u << 10) ? l->out_len - at : (256u << 10);
		ssize_t put = pwrite(l->scratch_fd, l->out + at, want, (off_t)at);

		if (put <= 0)
			return;
		at += (size_t)put;
	}
}

static void
rung_open(struct ladder *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct sample *s = &l->samples[i];

		if (!s->seals)
			continue;
		l->items[n++] = (struct bx_box_item){ .key = s->shared,
						      .nonce = l->boxes + s->box_at,
						      .in = l->boxes + s->box_at + BX_BOX_NONCE_LEN,
						      .out = l->text + s->plain_at,
						      .len = s->plain_len };
	}
	for (size_t first = 0; first < n; first += BX_BATCH)
		bx_box_open_many(l->kernel, l->items + first,
				 n - first < BX_BATCH ? n - first : BX_BATCH);
}

static void
rung_inner(struct ladder *l)
{
	struct bx_writer w = bx_writer_over(l->keep, l->keep_cap);

	for (size_t i = 0; i < l->count; i++) {
		const struct sample *s = &l->samples[i];

		if (s->seals)
			(void)bx_inner_parse(
			    (struct bx_span){ l->text + s->plain_at, s->plain_len }, &w,
			    &l->inners[i]);
	}
}

static void
rung_restore(struct ladder *l)
{
	struct bx_writer w = bx_writer_over(l->out, l->out_cap);
	struct bx_defect why;

	for (size_t i = 0; i < l->count; i++) {
		const struct sample *s = &l->samples[i];

		if (s->seals)
			(void)bx_codec_of((enum bx_ser)s->m.ser)
			    ->open(&s->m, &l->inners[i], &w, &why);
	}
}

static void (*const rungs[BX_RUNG_COUNT])(struct ladder *) = {
	rung_memory, rung_read, rung_frame,  rung_scan,  rung_route, rung_key,   rung_transcode,
	rung_nonce,  rung_seal, rung_splice, rung_write, rung_open,  rung_inner, rung_restore,
};

/* --- setting up ------------------------------------------------------------------------------ */

static enum bx_err
load(struct ladder *l)
{
	const struct bx_bench *b = l->bench;
	struct bx_source_options options = { .path = b->input,
					     .stop_fd = b->stop_fd > 0 ? b->stop_fd : 0 };
	struct bx_span head;
	bool whole;
	enum bx_err err = bx_source_open(&l->source, &options, l->fail);

	if (err == BX_OK)
		err = bx_source_peek(l->source, &head, &whole, l->fail);
	if (err == BX_OK)
		err = bx_sniff(head, whole, b->from, bx_format_of_path(b->input, NULL), &l->format,
			       l->fail);
	if (err != BX_OK)
		return err;
	if (!bx_source_is_file(l->source) || l->format == BX_FORMAT_TRACE ||
	    l->format == BX_FORMAT_WEBSOCKET || l->format >= BX_FORMAT_BOXCAR) {
		(void)bx_fail_set(l->fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				  "bench wants a plain file in a raw stream format, not %s",
				  bx_format_name(l->format));
		bx_fail_hint(l->fail, "boxcar convert makes one");
		return BX_ERR_USAGE;
	}

	uint64_t size = bx_source_size(l->source) - bx_source_start(l->source);
	uint64_t max = b->bytes_max != 0 ? b->bytes_max : BYTES_DEFAULT;

	l->len = (size_t)(size < max ? size : max);
	l->bytes = malloc(l->len + 1);
	if (l->bytes == NULL)
		return no_memory(l->fail);
	for (size_t at = 0; at < l->len;) {
		size_t got = 0;

		err = bx_source_read(l->source, l->bytes + at, l->len - at, &got, l->fail);
		if (err != BX_OK || got == 0)
			break;
		at += got;
	}
	return err;
}

static enum bx_err
allocate(struct ladder *l)
{
	char path[] = "/dev/shm/boxcar-bench-XXXXXX";

	l->keep_cap = l->len * 2 + 65536;
	l->keep = malloc(l->keep_cap);
	if (l->keep == NULL)
		return no_memory(l->fail);
	l->cap = cut(l, false);
	l->plain_cap = l->len * 8 + l->cap * 64 + 65536;
	l->boxes_cap = l->plain_cap + l->cap * 40;
	l->out_cap = l->boxes_cap + l->len + l->cap * 64;
	l->samples = calloc(l->cap + 1, sizeof(*l->samples));
	l->items = calloc(l->cap + 1, sizeof(*l->items));
	l->inners = calloc(l->cap + 1, sizeof(*l->inners));
	l->nonce_bytes = malloc((l->cap + 1) * BX_BOX_NONCE_LEN);
	l->plain = malloc(l->plain_cap);
	l->text = malloc(l->plain_cap);
	l->boxes = malloc(l->boxes_cap);
	l->out = malloc(l->out_cap);
	l->keys = bx_keyview_cache_new(&l->bench->ring, 1, l->bench->ring, false);
	if (l->samples == NULL || l->items == NULL || l->inners == NULL || l->nonce_bytes == NULL ||
	    l->plain == NULL || l->text == NULL || l->boxes == NULL || l->out == NULL ||
	    l->keys == NULL)
		return no_memory(l->fail);
	l->scratch_fd = mkstemp(path);
	if (l->scratch_fd != -1)
		(void)unlink(path);
	l->count = cut(l, true);
	for (size_t i = 0; i < l->count; i++)
		if (l->samples[i].m.ser == BX_SER_UNKNOWN)
			l->samples[i].m.ser = (uint8_t)bx_sniff_ser(l->samples[i].body);
	return BX_OK;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(struct ladder *l, unsigned rounds)
{
	/* Rung after rung within a round, so that a slow phase of the machine meets all alike. */
	for (unsigned round = 0; round < rounds; round++)
		for (int r = 0; r < BX_RUNG_COUNT; r++) {
			double start = now();

			rungs[r](l);
			l->times[r][round] =
			    (now() - start) / (double)(l->count != 0 ? l->count : 1);
		}
	for (int r = 0; r < BX_RUNG_COUNT; r++) {
		/* The first round touches memory for the first time. */
		unsigned first = rounds > 1 ? 1 : 0, n = rounds - first;

		qsort(l->times[r] + first, n, sizeof(double), by_value);
		l->result->rungs[r] =
		    (struct bx_rung_time){ l->times[r][first], l->times[r][first + n / 2],
					   l->times[r][rounds - 1] };
	}
}

static void
add_up(struct bx_bench_result *result)
{
	static const enum bx_rung common[] = { BX_RUNG_READ,  BX_RUNG_FRAME, BX_RUNG_SCAN,
					       BX_RUNG_ROUTE, BX_RUNG_KEY,   BX_RUNG_WRITE };

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		result->seal_sum += result->rungs[common[i]].median;
		result->open_sum += result->rungs[common[i]].median;
	}
	result->seal_sum +=
	    result->rungs[BX_RUNG_TRANSCODE].median + result->rungs[BX_RUNG_NONCE].median +
	    result->rungs[BX_RUNG_SEAL].median + result->rungs[BX_RUNG_SPLICE].median;
	result->open_sum += result->rungs[BX_RUNG_OPEN].median +
			    result->rungs[BX_RUNG_INNER].median +
			    result->rungs[BX_RUNG_RESTORE].median;
}

static void
close_ladder(struct ladder *l)
{
	bx_source_close(l->source);
	bx_keyview_cache_free(l->keys);
	free(l->bytes);
	free(l->keep);
	free(l->samples);
	free(l->items);
	free(l->inners);
	free(l->nonce_bytes);
	free(l->plain);
	free(l->text);
	free(l->boxes);
	free(l->out);
	if (l->scratch_fd != -1)
		(void)close(l->scratch_fd);
}

enum bx_err
bx_bench_run(const struct bx_bench *bench, struct bx_bench_result *result, struct bx_fail *fail)
{
	struct ladder *l = calloc(1, sizeof(*l));
	unsigned rounds = bench->rounds == 0 ? 7 : bench->rounds;

	*result = (struct bx_bench_result){ 0 };
	if (l == NULL)
		return no_memory(fail);
	l->bench = bench;
	l->result = result;
	l->fail = fail;
	l->scratch_fd = -1;
	l->nonces.mode = bench->random_nonces ? BX_NONCE_RANDOM : BX_NONCE_CAR;

	enum bx_err err = bx_box_pick(&l->kernel, bench->kernel, NULL, NULL, fail);

	if (err == BX_OK)
		err = load(l);
	if (err == BX_OK)
		err = allocate(l);
	if (err == BX_OK) {
		measure(l, rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds);
		add_up(result);
		result->messages = l->count;
		result->sealed = l->sealed;
		result->bytes_in = l->len;
		result->bytes_sealed = l->out_len;
		result->kernel = bx_box_kernel_name(l->kernel);
		result->format = l->format;
		err = fail->code;
	}
	close_ladder(l);
	free(l);
	return err;
}
