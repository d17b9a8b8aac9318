/* For the tests of engine/archive: seeded records, files made of them, and reading them back. */
#ifndef ARCHIVE_KIT_H
#define ARCHIVE_KIT_H

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/segment_writer.h"
#include "archive/tally.h"
#include "base/crc32c.h"
#include "base/writer.h"

/* Release builds have no assert. */
#define kit_must(what)                                                                             \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);           \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* --- randomness ------------------------------------------------------------------------------ */

struct kit_rng {
	uint64_t state;
};

static inline uint64_t
kit_next(struct kit_rng *r) /* splitmix64 */
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline uint64_t
kit_below(struct kit_rng *r, uint64_t n)
{
	return kit_next(r) % n;
}

static inline void
kit_fill(void *context, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)kit_next(context);
}

static inline struct bx_random
kit_random(struct kit_rng *r)
{
	return (struct bx_random){ r, kit_fill };
}

/* --- records --------------------------------------------------------------------------------- */

struct kit_records {
	struct bx_archive_record *at;
	struct bx_archive_channel *channels;
	size_t count;
	uint8_t *text; /* what the spans point into */
};

static inline void
kit_records_free(struct kit_records *k)
{
	free(k->at);
	free(k->channels);
	free(k->text);
}

enum { KIT_URI_MAX = 40, KIT_BODY_MAX = 120, KIT_CHANNELS = 6, KIT_TOPICS = 9 };

static inline struct kit_records
kit_make(uint64_t seed, size_t count)
{
	static const char *const realms[] = { "realm1", "", "com.example" };
	static const uint16_t codes[] = { 1, 2, 16, 36, 48, 50, 8, 337, 300, 0 };
	struct kit_rng r = { seed };
	struct kit_records k = { calloc(count + 1, sizeof(k.at[0])),
				 calloc(KIT_CHANNELS, sizeof(k.channels[0])), count,
				 malloc((count + 1) * (KIT_URI_MAX + KIT_BODY_MAX)) };
	uint8_t *text = k.text;
	int64_t ts = 1700000000000000000;

	for (size_t i = 0; i < KIT_CHANNELS; i++) {
		const char *realm = realms[i % 3];

		k.channels[i] = (struct bx_archive_channel){
			.session = i == 5 ? 0 : 9007199254740992u - i,
			.conn = i == 4 ? 0 : i,
			.realm = { (const uint8_t *)realm, strlen(realm) },
			.dir = (uint8_t)(i % 3),
			.ser = (uint8_t)(i % 6),
			.transport = (uint8_t)(i % 3),
			.flags = (uint8_t)((i == 5 ? 0 : BX_CHANNEL_HAS_SESSION) |
					   (i == 4 ? 0 : BX_CHANNEL_HAS_CONN) |
					   (i == 2 ? BX_CHANNEL_BATCHED : 0)),
		};
	}
	for (size_t i = 0; i < count; i++) {
		struct bx_archive_record *a = &k.at[i];
		uint64_t topic = kit_below(&r, KIT_TOPICS);
		size_t body = kit_below(&r, 8) == 0 ? 0 : kit_below(&r, KIT_BODY_MAX);

		a->channel = &k.channels[kit_below(&r, KIT_CHANNELS)];
		a->uri.ptr = text;
		if (topic != 0)
			a->uri.len = (size_t)sprintf((char *)text, "com.acme.topic%u.\xff%c",
						     (unsigned)topic, (char)(topic & 1));
		text += KIT_URI_MAX;
		a->body = (struct bx_span){ text, body };
		for (size_t b = 0; b < body; b++)
			text[b] = (uint8_t)(b % 3 == 0 ? kit_next(&r) : 'a' + b % 7);
		text += KIT_BODY_MAX;
		a->code = codes[kit_below(&r, sizeof(codes) / sizeof(codes[0]))];
		a->flags = (uint8_t)kit_below(&r, 32);
		/* Mostly forward, sometimes back, sometimes far. */
		ts = (int64_t)((uint64_t)ts +
			       (kit_below(&r, 50) == 0 ? kit_next(&r) : kit_below(&r, 3000)));
		a->ts = ts;
	}
	return k;
}

static inline bool
kit_same(const struct bx_archive_record *a, const struct bx_archive_record *b)
{
	const struct bx_archive_channel *c = a->channel;
	const struct bx_archive_channel *d = b->channel;

	return a->code == b->code && a->flags == b->flags &&
	       ((a->flags & BX_RECORD_NO_TIME) != 0 || a->ts == b->ts) &&
	       bx_span_equal(a->uri, b->uri) && bx_span_equal(a->body, b->body) &&
	       c->session == d->session && c->conn == d->conn && c->dir == d->dir &&
	       c->ser == d->ser && c->transport == d->transport && c->flags == d->flags &&
	       bx_span_equal(c->realm, d->realm);
}

/* --- keys ------------------------------------------------------------------------------------ */

struct kit_pair {
	uint8_t secret[32];
	uint8_t public_key[32];
};

static inline struct kit_pair
kit_pair(uint8_t n)
{
	struct kit_pair p;

	memset(p.secret, n, 32);
	(void)crypto_scalarmult_base(p.public_key, p.secret);
	return p;
}

/* Ed25519 secret key of 64 bytes. */
static inline void
kit_signer(uint8_t n, uint8_t secret[64], uint8_t public_key[32])
{
	uint8_t seed[32];

	memset(seed, n, 32);
	(void)crypto_sign_seed_keypair(public_key, secret, seed);
}

/* --- files ----------------------------------------------------------------------------------- */

struct kit_block {
	size_t at, len;
	uint8_t type;
	uint64_t seq;
	unsigned segment;
	size_t first; /* records before it, in the whole file; DATA */
	size_t records;
};

struct kit_file {
	uint8_t *bytes;
	size_t len, cap;
	struct kit_block blocks[4096];
	size_t block_count;
	unsigned segments;
	size_t records; /* written so far */
};

static inline struct kit_file *
kit_file_new(void)
{
	return calloc(1, sizeof(struct kit_file));
}

static inline void
kit_file_free(struct kit_file *f)
{
	free(f->bytes);
	free(f);
}

static inline void
kit_put(struct kit_file *f, struct bx_span s)
{
	if (f->cap - f->len < s.len) {
		f->cap = (f->len + s.len) * 2;
		f->bytes = realloc(f->bytes, f->cap);
	}
	if (s.len != 0)
		memcpy(f->bytes + f->len, s.ptr, s.len);
	f->len += s.len;
}

/* Notes the blocks from `from` on. */
static inline void
kit_note(struct kit_file *f, size_t from, size_t first, size_t records)
{
	while (from < f->len) {
		struct bx_block_header h;

		kit_must(bx_block_header_parse(&h, f->bytes + from, from, NULL) == BX_STATUS_CLEAN);
		kit_must(f->block_count < 4096);

		struct kit_block *b = &f->blocks[f->block_count++];

		*b = (struct kit_block){
			.at = from,
			.len = (size_t)bx_block_header_total(h.body_len),
			.type = h.type,
			.seq = h.seq,
			.segment = f->segments - 1,
			.first = first,
			.records = h.type == BX_BLOCK_DATA ? records : 0,
		};
		from += b->len;
	}
}

struct kit_options {
	struct bx_segment_writer_options writer;
	struct bx_block_builder_options builder;
	size_t block_records;
	uint64_t seed; /* of the random function */
	bool no_tail;
	bool not_last;
	size_t ahead; /* tickets given before the first is appended; 0: one by one */
	struct bx_segment_place *next; /* receives the place of the next segment */
};

#define KIT_OPTIONS                                                                                \
	((struct kit_options){ .writer = BX_SEGMENT_WRITER_DEFAULT,                                \
			       .builder = BX_BLOCK_BUILDER_DEFAULT,                                \
			       .block_records = 10,                                                \
			       .seed = 1 })

enum { KIT_AHEAD_MAX = 64 };

/* Appends one segment with records[from..to). Aborts on any error: these are our own files. */
static inline void
kit_segment(struct kit_file *f, const struct kit_options *o,
	    const struct bx_archive_record *records, size_t count)
{
	struct kit_rng rng = { o->seed };
	struct bx_segment_writer *w = NULL;
	struct bx_block_builder *builders[KIT_AHEAD_MAX];
	struct bx_block_ticket tickets[KIT_AHEAD_MAX];
	size_t ahead = o->ahead == 0 ? 1 : o->ahead;
	size_t done = 0;
	struct bx_span bytes;
	size_t from = f->len;

	for (size_t i = 0; i < ahead; i++)
		kit_must(bx_block_builder_new(&builders[i], &o->builder, NULL) == BX_OK);
	kit_must(bx_segment_writer_new(&w, &o->writer, kit_random(&rng), NULL) == BX_OK);
	f->segments++;
	kit_must(bx_segment_writer_start(w, &bytes, NULL) == BX_OK);
	kit_put(f, bytes);
	kit_note(f, from, f->records, 0);
	while (done < count) {
		size_t k = 0;

		for (; k < ahead && done < count; k++) {
			bx_block_builder_begin(builders[k]);
			for (size_t i = 0; i < o->block_records && done < count; i++) {
				enum bx_block_added added =
				    bx_block_builder_add(builders[k], &records[done]);

				if (added == BX_BLOCK_FULL)
					break;
				kit_must(added == BX_BLOCK_ADDED);
				done++;
			}
			bx_segment_writer_ticket(w, bx_block_builder_count(builders[k]), 0,
						 &tickets[k]);
		}
		for (size_t i = 0; i < k; i++) {
			struct bx_sealed_block sealed;
			size_t n = bx_block_builder_count(builders[i]);
			size_t cap = bx_block_builder_bound(builders[i]);
			uint8_t *out = malloc(cap);

			kit_must(bx_block_builder_seal(builders[i], out, cap, &tickets[i], &sealed,
						       NULL) == BX_OK);
			kit_must(bx_segment_writer_append(w, &sealed, &bytes, NULL) == BX_OK);
			from = f->len;
			kit_put(f, (struct bx_span){ sealed.bytes, sealed.len });
			kit_put(f, bytes);
			kit_note(f, from, f->records, n);
			f->records += n;
			free(out);
		}
	}
	if (!o->no_tail) {
		kit_must(bx_segment_writer_finish(w, !o->not_last, &bytes, NULL) == BX_OK);
		from = f->len;
		kit_put(f, bytes);
		kit_note(f, from, f->records, 0);
	}
	kit_must(bx_segment_writer_len(w) % BX_PAGE == 0);
	if (o->next != NULL)
		bx_segment_writer_next_place(w, o->next);
	for (size_t i = 0; i < ahead; i++)
		bx_block_builder_free(builders[i]);
	bx_segment_writer_free(w);
}

/* --- reading --------------------------------------------------------------------------------- */

struct kit_reading {
	enum bx_status status;
	struct bx_fault fault;
	size_t records; /* released */
	bool exact;     /* they are the first ones of what was written */
	struct bx_tally_report report;
};

struct kit_how {
	struct bx_walk_options walk;
	struct bx_tally_options tally;
	struct bx_read_limits limits;
	size_t window; /* bytes offered at a time; 0: all */
	const struct bx_archive_record *records;
	size_t record_count;
};

#define KIT_HOW                                                                                    \
	((struct kit_how){ .limits = BX_READ_LIMITS_DEFAULT, .tally = { .check_index = true } })

static inline void
kit_compare(struct kit_reading *got, const struct kit_how *how, const struct bx_columns *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		struct bx_archive_record r;

		bx_block_reader_record(c, i, &r);
		if (got->records >= how->record_count || !kit_same(&r, &how->records[got->records]))
			got->exact = false;
		got->records++;
	}
}

/* A strict reading of the whole file, as a pipe does it. */
static inline struct kit_reading
kit_read_with(struct bx_block_reader *reader, struct bx_span file, const struct kit_how *how)
{
	struct kit_reading got = { .exact = true };
	struct bx_walk *walk;
	struct bx_tally *tally;
	struct bx_walk_block block;
	struct bx_fault walk_fault = { 0 };
	size_t window = how->window == 0 ? file.len : how->window;
	unsigned what = BX_LOAD_BODIES | (how->walk.digest ? BX_LOAD_DIGEST : 0);

	kit_must(bx_walk_new(&walk, &how->walk, NULL) == BX_OK);
	kit_must(bx_tally_new(&tally, &how->tally, NULL) == BX_OK);
	for (;;) {
		uint64_t at = bx_walk_at(walk);
		size_t left = file.len - (size_t)at;
		size_t len = window < left ? window : left;
		uint64_t need = 0;
		enum bx_step step = bx_walk_next(walk, (struct bx_span){ file.ptr + at, len },
						 len == left, &block, &need, &walk_fault);

		if (step == BX_STEP_MORE) {
			kit_must(need <= (1ull << 28) + BX_PAGE);
			kit_must(need > len || bx_walk_at(walk) != at);
			window = need > window ? (size_t)need : window;
			continue;
		}
		if (step != BX_STEP_ITEM)
			break;
		if (how->window != 0)
			window = how->window;

		struct bx_fault fault = { 0 };
		enum bx_status status = BX_STATUS_CLEAN;

		if (block.header.type != BX_BLOCK_HEAD)
			status = bx_block_reader_load(reader, block.bytes, &block.key, what,
						      block.at, &fault);
		status =
		    bx_tally_add(tally, &block, block.header.type == BX_BLOCK_HEAD ? NULL : reader,
				 status, &fault);
		if (status == BX_STATUS_CLEAN && block.header.type == BX_BLOCK_DATA)
			kit_compare(&got, how, bx_block_reader_columns(reader));
	}
	got.status = bx_tally_end(tally, bx_walk_ending(walk), &walk_fault, &got.fault);
	bx_tally_report(tally, &got.report);
	bx_tally_free(tally);
	bx_walk_free(walk);
	return got;
}

static inline struct kit_reading
kit_read(struct bx_span file, const struct kit_how *how)
{
	struct bx_block_reader *reader;
	struct kit_reading got;

	kit_must(bx_block_reader_new(&reader, how->limits, NULL) == BX_OK);
	got = kit_read_with(reader, file, how);
	bx_block_reader_free(reader);
	return got;
}

static inline struct bx_span
kit_span(const struct kit_file *f)
{
	return (struct bx_span){ f->bytes, f->len };
}

/* Makes the CRCs of the block at `block` right again, as an attacker would. */
static inline void
kit_repair(uint8_t *block, size_t room)
{
	uint32_t len;

	memcpy(&len, block + 40, 4);
	if (len <= room - BX_HEADER_LEN)
		bx_store_le32(block + 44, bx_crc32c(0, (struct bx_span){ block + 128, len }));
	memset(block + 12, 0, 4);
	bx_store_le32(block + 12, bx_crc32c(0, (struct bx_span){ block, 128 }));
}

#endif
