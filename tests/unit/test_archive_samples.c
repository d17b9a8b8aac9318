/*
 * Files for a second reader (tests/reader), and files kept for ever.
 *
 * With BX_SAMPLES_OUT=DIR in the environment, sample files are written there: NAME.boxcar, what
 * they hold as JSON lines (NAME.jsonl), how to read them (NAME.json) and small changes to them with
 * what this reader says of each (NAME.mutations: offset, byte to xor, status, records released). In
 * any case tests/data/archive/golden-*.boxcar must read as their .jsonl says.
 */
#include <criterion/criterion.h>

#include "archive_kit.h"

TestSuite(samples, .timeout = 120);

struct text {
	char *ptr;
	size_t len, cap;
};

static void
put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->cap - t->len < 300000) {
		t->cap = t->cap * 2 + 600000;
		t->ptr = realloc(t->ptr, t->cap);
	}
	va_start(ap, fmt);
	n = vsnprintf(t->ptr + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	cr_assert(n >= 0 && (size_t)n < t->cap - t->len);
	t->len += (size_t)n;
}

static void
put_hex(struct text *t, const char *name, struct bx_span s)
{
	put(t, "\"%s\":\"", name);
	for (size_t i = 0; i < s.len; i++)
		put(t, "%02x", s.ptr[i]);
	put(t, "\",");
}

static void
put_record(struct text *t, const struct bx_archive_record *r)
{
	const struct bx_archive_channel *c = r->channel;

	if (r->flags & BX_RECORD_NO_TIME)
		put(t, "{\"ts\":null,");
	else
		put(t, "{\"ts\":%lld,", (long long)r->ts);
	if (c->flags & BX_CHANNEL_HAS_SESSION)
		put(t, "\"session\":%llu,", (unsigned long long)c->session);
	else
		put(t, "\"session\":null,");
	if (c->flags & BX_CHANNEL_HAS_CONN)
		put(t, "\"conn\":%llu,", (unsigned long long)c->conn);
	else
		put(t, "\"conn\":null,");
	put_hex(t, "realm", c->realm);
	put(t, "\"dir\":%u,\"ser\":%u,\"transport\":%u,\"batched\":%s,", c->dir, c->ser,
	    c->transport, c->flags & BX_CHANNEL_BATCHED ? "true" : "false");
	put_hex(t, "uri", r->uri);
	put(t, "\"code\":%u,\"flags\":%u,", r->code, r->flags);
	put_hex(t, "body", r->body);
	t->ptr[t->len - 1] = '}';
	put(t, "\n");
}

/* Reads strictly and prints all records that are released. */
static enum bx_status
print_file(struct text *t, struct bx_span file, const struct bx_walk_options *options)
{
	struct bx_walk *walk;
	struct bx_tally *tally;
	struct bx_tally_options check = { .check_index = true };
	struct bx_block_reader *reader;
	struct bx_walk_block block;
	struct bx_fault walk_fault = { 0 };
	enum bx_status status;
	uint64_t need;

	cr_assert_eq(bx_walk_new(&walk, options, NULL), BX_OK);
	cr_assert_eq(bx_tally_new(&tally, &check, NULL), BX_OK);
	cr_assert_eq(bx_block_reader_new(&reader, BX_READ_LIMITS_DEFAULT, NULL), BX_OK);
	while (bx_walk_next(walk,
			    (struct bx_span){ file.ptr + bx_walk_at(walk),
					      file.len - (size_t)bx_walk_at(walk) },
			    true, &block, &need, &walk_fault) == BX_STEP_ITEM) {
		struct bx_fault fault = { 0 };
		const struct bx_columns *c;
		unsigned what = BX_LOAD_BODIES | (block.digest ? BX_LOAD_DIGEST : 0);

		status = BX_STATUS_CLEAN;
		if (block.header.type != BX_BLOCK_HEAD)
			status = bx_block_reader_load(reader, block.bytes, &block.key, what,
						      block.at, &fault);
		status =
		    bx_tally_add(tally, &block, block.header.type == BX_BLOCK_HEAD ? NULL : reader,
				 status, &fault);
		if (status != BX_STATUS_CLEAN || block.header.type != BX_BLOCK_DATA)
			continue;
		c = bx_block_reader_columns(reader);
		for (uint32_t i = 0; i < c->count; i++) {
			struct bx_archive_record r;

			bx_block_reader_record(c, i, &r);
			put_record(t, &r);
		}
	}
	status = bx_tally_end(tally, bx_walk_ending(walk), &walk_fault, NULL);
	bx_block_reader_free(reader);
	bx_tally_free(tally);
	bx_walk_free(walk);
	return status;
}

/* --- samples --------------------------------------------------------------------------------- */

static struct kit_records records;
static uint8_t recipients[3][32];
static const uint8_t *identity[1];
static struct kit_pair mine;
static uint8_t signer[64], signer_public[32];

static struct kit_options
options_for(bool encrypted, bool signed_too)
{
	struct kit_options o = KIT_OPTIONS;

	mine = kit_pair(0x11);
	identity[0] = mine.secret;
	for (uint8_t i = 0; i < 3; i++)
		memcpy(recipients[i], kit_pair((uint8_t)(0x10 + i)).public_key, 32);
	kit_signer(0x20, signer, signer_public);
	if (encrypted) {
		o.writer.recipients = (const uint8_t(*)[32])recipients;
		o.writer.recipient_count = 3;
	}
	if (signed_too)
		o.writer.signer = signer;
	o.writer.created = 1700000000000000000;
	o.writer.writer = (struct bx_span){ (const uint8_t *)"test", 4 };
	o.writer.leaf_blocks = 4;
	return o;
}

static void
make_plain(struct kit_file *f)
{
	struct kit_options o = options_for(false, false);

	kit_segment(f, &o, records.at, 100);
}

static void
make_sealed(struct kit_file *f)
{
	struct kit_options o = options_for(true, true);

	o.builder.pad.kind = BX_PADDING_PADME;
	kit_segment(f, &o, records.at, 100);
}

/* Three segments, the second without TAIL, then a stream that continues the first. */
static void
make_streams(struct kit_file *f)
{
	struct bx_segment_place next;

	for (unsigned i = 0; i < 4; i++) {
		struct kit_options o = options_for(i % 2 == 0, i != 3);

		o.seed = i + 1;
		o.next = &next;
		o.no_tail = i == 1;
		o.not_last = i < 2;
		if (i != 0)
			o.writer.place = next;
		kit_segment(f, &o, records.at + 30 * i, 30);
	}
}

static void
make_shards(struct kit_file *f)
{
	for (unsigned i = 0; i < 3; i++) {
		struct kit_options o = options_for(true, false);

		o.seed = i + 1;
		o.not_last = true;
		o.builder.stored = i == 1;
		o.writer.place = (struct bx_segment_place){ .has_stream = true,
							    .segment_no = i,
							    .segment_total = 3 };
		kit_segment(f, &o, records.at + 30 * i, 30);
	}
}

static void
make_large(struct kit_file *f)
{
	struct kit_options o = options_for(false, true);

	o.block_records = 700;
	o.writer.list_limit = 3000;
	o.writer.leaf_blocks = 2;
	kit_segment(f, &o, records.at, records.count);
}

static void
make_open(struct kit_file *f)
{
	struct kit_options o = options_for(true, false);
	static const uint8_t zeros[3 * BX_PAGE];

	o.no_tail = true;
	kit_segment(f, &o, records.at, 60);
	kit_put(f, (struct bx_span){ zeros, sizeof(zeros) });
}

static void
make_empty(struct kit_file *f)
{
	struct kit_options o = options_for(true, true);

	kit_segment(f, &o, records.at, 0);
}

static const struct sample {
	const char *name;
	void (*make)(struct kit_file *f);
	bool allow_plain;
	bool encrypted;
} samples[] = {
	{ "plain", make_plain, false, false },   { "sealed", make_sealed, false, true },
	{ "streams", make_streams, true, true }, { "shards", make_shards, false, true },
	{ "large", make_large, false, false },   { "open", make_open, false, true },
	{ "empty", make_empty, false, true },
};

static void
write_file(const char *dir, const char *name, const char *suffix, const void *bytes, size_t len)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
	f = fopen(path, "wb");
	cr_assert_not_null(f, "%s", path);
	cr_assert_eq(fwrite(bytes, 1, len, f), len);
	(void)fclose(f);
}

static size_t
count_lines(const struct text *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->len; i++)
		n += t->ptr[i] == '\n';
	return n;
}

/* Single changed bytes: every field of some headers, and bodies here and there. */
static void
mutate(struct text *out, struct kit_file *f, const struct bx_walk_options *walk)
{
	struct kit_rng r = { 77 };
	struct text lines = { 0 };

	for (unsigned i = 0; i < 60; i++) {
		const struct kit_block *b = &f->blocks[kit_below(&r, f->block_count)];
		size_t at = b->at + (i % 2 ? kit_below(&r, 128) : kit_below(&r, b->len));
		uint8_t with = (uint8_t)(1 + kit_below(&r, 255));
		bool repair = i % 3 == 0;
		uint8_t saved[BX_HEADER_LEN];
		enum bx_status status;

		memcpy(saved, f->bytes + b->at, sizeof(saved));
		f->bytes[at] ^= with;
		if (repair)
			kit_repair(f->bytes + b->at, f->len - b->at);
		lines.len = 0;
		status = print_file(&lines, kit_span(f), walk);
		put(out, "%zu %u %zu %s %zu\n", at, with, repair ? b->at : SIZE_MAX,
		    bx_status_name(status), count_lines(&lines));
		f->bytes[at] ^= with;
		memcpy(f->bytes + b->at, saved, sizeof(saved));
	}
	free(lines.ptr);
}

Test(samples, write)
{
	const char *dir = getenv("BX_SAMPLES_OUT");

	records = kit_make(99, 2000);
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct kit_file *f = kit_file_new();
		struct text lines = { 0 }, how = { 0 }, mutations = { 0 };
		struct bx_walk_options walk = { 0 };
		enum bx_status status;

		samples[i].make(f);
		walk.digest = true;
		walk.identities = identity;
		walk.identity_count = samples[i].encrypted ? 1 : 0;
		walk.allow_plain = samples[i].allow_plain;
		put(&lines, "%s", "");
		status = print_file(&lines, kit_span(f), &walk);
		cr_assert_eq(count_lines(&lines), f->records);
		cr_assert_eq(status,
			     samples[i].make == make_open ? BX_STATUS_OPEN : BX_STATUS_CLEAN, "%s",
			     samples[i].name);
		if (dir != NULL) {
			put(&how, "{\"status\":\"%s\",\"allow_plain\":%s,\"identity\":\"",
			    bx_status_name(status), samples[i].allow_plain ? "true" : "false");
			for (size_t k = 0; k < 32 && samples[i].encrypted; k++)
				put(&how, "%02x", mine.secret[k]);
			put(&how, "\"}\n");
			mutate(&mutations, f, &walk);
			write_file(dir, samples[i].name, ".boxcar", f->bytes, f->len);
			write_file(dir, samples[i].name, ".jsonl", lines.ptr, lines.len);
			write_file(dir, samples[i].name, ".json", how.ptr, how.len);
			write_file(dir, samples[i].name, ".mutations", mutations.ptr,
				   mutations.len);
		}
		free(lines.ptr);
		free(how.ptr);
		free(mutations.ptr);
		kit_file_free(f);
	}
	kit_records_free(&records);
}

/* --- golden files ---------------------------------------------------------------------------- */

static struct bx_span
load(const char *name, const char *suffix)
{
	char path[512];
	FILE *f;
	uint8_t *bytes = malloc(4 << 20);
	size_t len;

	(void)snprintf(path, sizeof(path), BX_TEST_DATA "/archive/%s%s", name, suffix);
	f = fopen(path, "rb");
	cr_assert_not_null(f, "%s", path);
	len = fread(bytes, 1, 4 << 20, f);
	(void)fclose(f);
	return (struct bx_span){ bytes, len };
}

Test(samples, golden)
{
	static const char *const names[] = { "golden-plain", "golden-sealed", "golden-streams" };
	struct kit_options unused = options_for(true, true); /* sets the identity */

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		struct bx_span file = load(names[i], ".boxcar"), want = load(names[i], ".jsonl");
		struct bx_walk_options walk = { .identities = identity,
						.identity_count = 1,
						.allow_plain = true,
						.digest = true };
		struct text lines = { 0 };

		cr_assert_eq(print_file(&lines, file, &walk), BX_STATUS_CLEAN, "%s", names[i]);
		cr_assert_eq(lines.len, want.len);
		cr_assert_eq(memcmp(lines.ptr, want.ptr, want.len), 0, "%s", names[i]);
		free(lines.ptr);
		free((void *)(uintptr_t)file.ptr);
		free((void *)(uintptr_t)want.ptr);
	}
}
