/* For the tests of frame/: files, a log of what a framer cut, and feeding in steps of any size. */
#ifndef BX_TEST_FRAME_HELP_H
#define BX_TEST_FRAME_HELP_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "frame/frame.h"

struct help_bytes {
	uint8_t *ptr;
	size_t len;
	size_t cap;
};

/* Grows by doubling, so that many small additions stay cheap. */
static inline void
help_add(struct help_bytes *b, const void *bytes, size_t len)
{
	if (b->len + len > b->cap) {
		b->cap = (b->len + len) * 2;
		b->ptr = realloc(b->ptr, b->cap);
		cr_assert(b->ptr != NULL);
	}
	if (len != 0)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
}

static inline void
help_free(struct help_bytes *b)
{
	free(b->ptr);
	*b = (struct help_bytes){ 0 };
}

static inline struct bx_span
help_span(const struct help_bytes *b)
{
	return (struct bx_span){ b->ptr, b->len };
}

/* The file, or, when there is none, the file with ".zst" behind its name, inflated. */
static inline bool
help_read_file(const char *path, struct help_bytes *out)
{
	char name[1024];
	char buf[65536];
	size_t n;
	FILE *f = fopen(path, "rb");
	bool zst = f == NULL || (strlen(path) > 4 && strcmp(path + strlen(path) - 4, ".zst") == 0);
	struct help_bytes raw = { 0 };

	if (f == NULL) {
		snprintf(name, sizeof(name), "%s.zst", path);
		f = fopen(name, "rb");
	}
	if (f == NULL)
		return false;
	while ((n = fread(buf, 1, sizeof(buf), f)) != 0)
		help_add(&raw, buf, n);
	fclose(f);
	if (!zst) {
		*out = raw;
		return true;
	}

	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	ZSTD_inBuffer in = { raw.ptr, raw.len, 0 };
	bool more = true;

	while (more) {
		ZSTD_outBuffer piece = { buf, sizeof(buf), 0 };
		size_t ret = ZSTD_decompressStream(ctx, &piece, &in);

		cr_assert(!ZSTD_isError(ret), "%s: %s", path, ZSTD_getErrorName(ret));
		help_add(out, buf, piece.pos);
		more = in.pos < in.size || piece.pos == piece.size;
	}
	ZSTD_freeDCtx(ctx);
	help_free(&raw);
	return true;
}

/* One frame as it was cut; `body` is a copy in the log's bytes. */
struct help_frame {
	uint8_t kind;
	uint8_t ser;
	size_t whole_len;
	size_t body_at;
	size_t body_len;
};

struct help_log {
	struct help_frame *frames;
	size_t count;
	size_t cap;
	size_t messages;
	struct help_bytes bodies;
	struct help_bytes wholes; /* every `whole`, one after the other */
	enum bx_step end;         /* END or FAIL */
	struct bx_fail fail;
	enum bx_ser ser;
	enum bx_dir dir;
	uint8_t separator;
	char subprotocol[40];
};

static inline struct bx_span
help_body(const struct help_log *log, size_t i)
{
	cr_assert(i < log->count);
	if (log->frames[i].body_len == 0)
		return (struct bx_span){ NULL, 0 };
	return (struct bx_span){ log->bodies.ptr + log->frames[i].body_at,
				 log->frames[i].body_len };
}

static inline void
help_log_frame(struct help_log *log, const struct bx_frame *frame)
{
	if (log->count == log->cap) {
		log->cap = log->cap * 2 + 64;
		log->frames = realloc(log->frames, log->cap * sizeof(*log->frames));
		cr_assert(log->frames != NULL);
	}
	log->frames[log->count++] = (struct help_frame){ frame->kind, frame->ser, frame->whole.len,
							 log->bodies.len, frame->body.len };
	log->messages += frame->kind == BX_FRAME_MESSAGE;
	help_add(&log->bodies, frame->body.ptr, frame->body.len);
	help_add(&log->wholes, frame->whole.ptr, frame->whole.len);
}

static inline void
help_log_free(struct help_log *log)
{
	free(log->frames);
	help_free(&log->bodies);
	help_free(&log->wholes);
}

/* How many bytes to give on, when the framer wants more. */
typedef size_t (*help_step_fn)(void *state);

static inline size_t
help_step_one(void *state)
{
	(void)state;
	return 1;
}

/* xorshift; mostly small steps, now and then a large one */
static inline size_t
help_step_random(void *state)
{
	uint64_t *x = state;

	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (*x & 15) == 0 ? 1 + (*x >> 8) % 100000 : 1 + (*x >> 8) % 700;
}

static inline size_t
help_step_all(void *state)
{
	(void)state;
	return SIZE_MAX / 2;
}

/*
 * Cuts the whole of `bytes`, giving it on in steps. Each window is a copy of its own in memory of
 * exactly its size when `exact`, so that a sanitizer sees every read beyond it. Checks on the way
 * what the contract promises of counts, use and need.
 */
static inline void
help_cut(struct bx_framer_options options, struct bx_span bytes, help_step_fn step, void *state,
	 size_t cap, bool exact, struct help_log *log)
{
	struct bx_framer *framer = NULL;
	struct bx_frame *frames = calloc(cap, sizeof(*frames));
	size_t scratch_len = options.message_max + 1;
	uint8_t *scratch_buf = malloc(scratch_len);
	size_t from = 0;
	size_t to = 0;
	size_t promised = 0; /* where the last `need` said that something would be complete */

	*log = (struct help_log){ 0 };
	cr_assert_eq(bx_framer_new(&framer, options, &log->fail), BX_OK, "%s", log->fail.msg);
	for (;;) {
		size_t count = 99, used = 99, need = 99;
		struct bx_span window = { bytes.ptr + from, to - from };
		struct bx_writer scratch = bx_writer_over(scratch_buf, scratch_len);
		uint8_t *copy = NULL;
		bool final = to == bytes.len;

		if (exact) {
			copy = malloc(window.len);
			if (window.len != 0)
				memcpy(copy, window.ptr, window.len);
			window.ptr = copy;
		}

		enum bx_step got = bx_framer_cut(framer, window, from, final, &scratch, frames, cap,
						 &count, &used, &need, &log->fail);

		cr_assert(count <= cap && used <= window.len);
		for (size_t i = 0; i < count; i++)
			help_log_frame(log, &frames[i]);
		free(copy);
		from += used;
		if (got == BX_STEP_ITEM) {
			cr_assert(count > 0, "a scratch of message_max is always enough");
			cr_assert(final || to >= promised, "a frame came before it was due");
			promised = 0;
			continue;
		}
		cr_assert(count == 0 && used == 0);
		if (got != BX_STEP_MORE) {
			log->end = got;
			break;
		}
		cr_assert(!final);
		cr_assert(need == 0 || need > to - from, "more is asked for than is there");
		promised = from + need;

		size_t more = step(state);

		to = bytes.len - to < more ? bytes.len : to + more;
	}
	log->ser = bx_framer_ser(framer);
	log->dir = bx_framer_dir(framer);
	log->separator = bx_framer_separator(framer);
	if (bx_framer_subprotocol(framer) != NULL)
		snprintf(log->subprotocol, sizeof(log->subprotocol), "%s",
			 bx_framer_subprotocol(framer));
	cr_assert(log->end != BX_STEP_END || from == bytes.len);
	bx_framer_free(framer);
	free(frames);
	free(scratch_buf);
}

static inline void
help_same(const struct help_log *a, const struct help_log *b, const char *what)
{
	cr_assert_eq(a->end, b->end, "%s: end", what);
	cr_assert_eq(a->fail.code, b->fail.code, "%s: %s / %s", what, a->fail.msg, b->fail.msg);
	cr_assert_eq(a->fail.offset, b->fail.offset, "%s: offset", what);
	cr_assert_eq(a->count, b->count, "%s: %zu frames, %zu frames", what, a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct help_frame *x = &a->frames[i];
		const struct help_frame *y = &b->frames[i];

		cr_assert(x->kind == y->kind && x->ser == y->ser && x->whole_len == y->whole_len &&
			      x->body_len == y->body_len,
			  "%s: frame %zu", what, i);
	}
	cr_assert(bx_span_equal(help_span(&a->bodies), help_span(&b->bodies)), "%s: bodies", what);
	cr_assert(bx_span_equal(help_span(&a->wholes), help_span(&b->wholes)), "%s: wholes", what);
}

/* Whole, in steps of one byte, in random steps, and one frame a call: all must agree. */
static inline void
help_cut_all_ways(struct bx_framer_options options, struct bx_span bytes, struct help_log *log)
{
	uint64_t seed = 0x9e3779b97f4a7c15u ^ bytes.len;
	struct help_log other;

	help_cut(options, bytes, help_step_all, NULL, 1000, false, log);
	help_cut(options, bytes, help_step_all, NULL, 1, false, &other);
	help_same(log, &other, "one frame a call");
	help_log_free(&other);
	help_cut(options, bytes, help_step_random, &seed, 7, false, &other);
	help_same(log, &other, "random steps");
	help_log_free(&other);
	help_cut(options, bytes, help_step_one, NULL, 3, bytes.len < 4096, &other);
	help_same(log, &other, "steps of one byte");
	help_log_free(&other);
}

#define HELP_SPAN(text) ((struct bx_span){ (const uint8_t *)(text), sizeof(text) - 1 })

#endif
