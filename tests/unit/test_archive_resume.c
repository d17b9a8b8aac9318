/*
 * Resuming without a key: torn tails, damage, preallocated space (fault-matrix row 17); and a disk
 * that loses power at every write (row 16).
 */
#include <criterion/criterion.h>

#include "archive/resume.h"
#include "archive_salvage_kit.h"

TestSuite(resume, .timeout = 120);

static struct kit_records records;
static uint8_t recipients[1][32];
static struct kit_pair identity;
static const uint8_t *identities[1];

static struct kit_options
options_for(bool encrypted, uint64_t seed)
{
	struct kit_options o = KIT_OPTIONS;

	identity = kit_pair(1);
	identities[0] = identity.secret;
	memcpy(recipients[0], identity.public_key, 32);
	o.seed = seed;
	o.block_records = 5;
	o.writer.leaf_blocks = 3;
	o.writer.recipients = (const uint8_t(*)[32])recipients;
	o.writer.recipient_count = encrypted ? 1 : 0;
	return o;
}

static struct kit_how
how_for(bool encrypted)
{
	struct kit_how how = KIT_HOW;

	how.records = records.at;
	how.record_count = records.count;
	how.walk.identities = identities;
	how.walk.identity_count = encrypted ? 1 : 0;
	return how;
}

static struct bx_resume
inspect(struct bx_span file)
{
	struct bx_bytes bytes = kit_bytes(file);
	struct bx_resume r;

	cr_assert_eq(bx_resume_inspect(&r, &bytes, NULL), BX_STATUS_CLEAN);
	return r;
}

/* Goes on where `r` says, with records[from..from + count). */
static void
go_on(struct kit_file *f, const struct bx_resume *r, bool encrypted, size_t from, size_t count,
      uint64_t seed)
{
	struct kit_options o = options_for(encrypted, seed);

	f->len = (size_t)r->append_at;
	o.writer.place = r->place;
	kit_segment(f, &o, records.at + from, count);
}

/* Every length of an open file: the good blocks stay, the rest is torn; then it goes on. */
Test(resume, every_cut)
{
	records = kit_make(3, 60);
	for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
		struct kit_file *f = kit_file_new();
		struct kit_options o = options_for(encrypted, 1);
		struct kit_how how = how_for(encrypted);

		o.no_tail = true;
		kit_segment(f, &o, records.at, 40);
		for (size_t len = 0; len <= f->len; len += len % BX_PAGE < 130 ? 7 : 331) {
			struct bx_resume r = inspect((struct bx_span){ f->bytes, len });
			size_t good = 0, kept = 0;

			for (size_t i = 0; i < f->block_count; i++) {
				const struct kit_block *b = &f->blocks[i];

				if (b->at + b->len > len)
					break;
				good = b->at + b->len;
				kept += b->records;
			}
			cr_assert_eq(r.kind, good == 0 ? BX_RESUME_EMPTY : BX_RESUME_OPEN,
				     "length %zu", len);
			cr_assert_eq(r.append_at, good);
			cr_assert_eq(r.torn_bytes, len - good);
			cr_assert(!r.read_only);
			if (len % 5 == 0 && good != 0) {
				struct kit_file *g = kit_file_new();
				struct bx_archive_record all[60];
				struct kit_reading got;

				kit_put(g, (struct bx_span){ f->bytes, len });
				go_on(g, &r, encrypted, 40, 20, 2);
				memcpy(all, records.at, kept * sizeof(all[0]));
				memcpy(all + kept, records.at + 40, 20 * sizeof(all[0]));
				how.records = all;
				how.record_count = kept + 20;
				got = kit_read(kit_span(g), &how);
				cr_assert_eq(got.status, BX_STATUS_CLEAN, "length %zu: %s", len,
					     got.fault.what);
				cr_assert_eq(got.records, kept + 20);
				cr_assert(got.exact);
				kit_file_free(g);
			}
		}
		kit_file_free(f);
	}
	kit_records_free(&records);
}

Test(resume, closed)
{
	records = kit_make(3, 60);
	for (unsigned last = 0; last < 2; last++) {
		struct kit_file *f = kit_file_new();
		struct kit_options o = options_for(true, 1);
		struct kit_how how = how_for(true);
		struct bx_resume r;
		struct kit_reading got;

		o.not_last = !last;
		kit_segment(f, &o, records.at, 40);
		r = inspect(kit_span(f));
		cr_assert_eq(r.kind, BX_RESUME_CLOSED);
		cr_assert_eq(r.append_at, f->len);
		cr_assert_eq(r.torn_bytes, 0);
		cr_assert_eq(r.stream_ended, last);
		cr_assert_eq(r.place.has_stream, !last);
		cr_assert_eq(r.place.segment_no, last ? 0 : 1);
		go_on(f, &r, true, 40, 20, 2);
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status, BX_STATUS_CLEAN, "%s", got.fault.what);
		cr_assert_eq(got.records, 60);
		/* Its first part taken away: the link is missing. */
		if (last) {
			struct kit_file *g = kit_file_new();

			kit_put(g, (struct bx_span){ f->bytes + r.append_at,
						     f->len - (size_t)r.append_at });
			how.records += 40;
			cr_assert_eq(kit_read(kit_span(g), &how).status,
				     BX_STATUS_INCOMPLETE_STREAM);
			kit_file_free(g);
		}
		kit_file_free(f);
	}
	kit_records_free(&records);
}

/* A bad block followed by good ones is damage, wherever it is; nothing may be cut off. */
Test(resume, damage)
{
	records = kit_make(3, 60);
	for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
		struct kit_file *f = kit_file_new();
		struct kit_options o = options_for(encrypted, 1);

		o.no_tail = true;
		kit_segment(f, &o, records.at, 40);
		for (size_t i = 0; i < f->block_count; i++) {
			const struct kit_block *b = &f->blocks[i];

			for (unsigned where = 0; where < 2; where++) {
				size_t at = b->at + (where ? 128 : 20);
				struct bx_resume r;

				f->bytes[at] ^= 1;
				r = inspect(kit_span(f));
				if (i + 1 < f->block_count && i != 0) {
					cr_assert_eq(r.kind, BX_RESUME_DAMAGED, "block %zu", i);
					cr_assert_eq(r.damage_at, b->at);
					cr_assert_eq(r.append_at, f->len);
				} else if (i != 0) {
					cr_assert_eq(r.kind, BX_RESUME_OPEN);
					cr_assert_eq(r.append_at, b->at);
				} else {
					/* HEAD: what follows belongs to nothing that is known. */
					cr_assert(r.kind == BX_RESUME_EMPTY ||
						  r.kind == BX_RESUME_DAMAGED);
				}
				f->bytes[at] ^= 1;
			}
		}
		kit_file_free(f);
	}
	kit_records_free(&records);
}

Test(resume, others)
{
	static uint8_t bytes[3 * BX_PAGE];
	struct kit_file *f = kit_file_new();
	struct kit_options o;
	struct bx_resume r;
	size_t len;

	records = kit_make(3, 60);
	o = options_for(false, 1);
	cr_assert_eq(inspect((struct bx_span){ bytes, 0 }).kind, BX_RESUME_EMPTY);
	r = inspect((struct bx_span){ bytes, sizeof(bytes) }); /* preallocated, nothing written */
	cr_assert_eq(r.kind, BX_RESUME_EMPTY);
	cr_assert_eq(r.append_at, 0);
	memset(bytes, 'x', sizeof(bytes));
	cr_assert_eq(inspect((struct bx_span){ bytes, sizeof(bytes) }).kind, BX_RESUME_FOREIGN);
	cr_assert_eq(inspect((struct bx_span){ bytes, 5 }).kind, BX_RESUME_FOREIGN);
	cr_assert_eq(inspect((struct bx_span){ (const uint8_t *)BX_ARCHIVE_MAGIC, 5 }).kind,
		     BX_RESUME_EMPTY);

	/* Preallocated space behind the last block, and half a TAIL. */
	o.no_tail = true;
	kit_segment(f, &o, records.at, 20);
	len = f->len;
	memset(bytes, 0, sizeof(bytes));
	kit_put(f, (struct bx_span){ bytes, sizeof(bytes) });
	r = inspect(kit_span(f));
	cr_assert_eq(r.kind, BX_RESUME_OPEN);
	cr_assert_eq(r.append_at, len);
	cr_assert_eq(r.torn_bytes, sizeof(bytes));
	kit_file_free(f);
	f = kit_file_new();
	o.no_tail = false;
	kit_segment(f, &o, records.at, 20);
	memset(f->bytes + f->len - 2048, 0, 2048); /* zeros anyway: TAIL is shorter */
	cr_assert_eq(inspect(kit_span(f)).kind, BX_RESUME_CLOSED);
	memset(f->bytes + f->len - BX_PAGE + 256, 0, BX_PAGE - 256);
	r = inspect(kit_span(f));
	cr_assert_eq(r.kind, BX_RESUME_OPEN);
	cr_assert_eq(r.append_at, f->len - BX_PAGE);

	/* A feature that forbids to append. */
	kit_file_free(f);
	f = kit_file_new();
	kit_segment(f, &o, records.at, 20);
	f->bytes[128 + 16] = 1;
	kit_repair(f->bytes, BX_PAGE);
	cr_assert(inspect(kit_span(f)).read_only);
	kit_file_free(f);
	kit_records_free(&records);
}

/* --- power loss ------------------------------------------------------------------------------ */

enum { SECTOR = 512, DISK_MAX = 1 << 20 };

/*
 * A disk whose writes live in a cache until a sync. Power loss keeps any part of the unsynced
 * sectors; a file never shows bytes beyond its length, new space reads as zeros.
 */
struct disk {
	uint8_t durable[DISK_MAX];
	uint8_t cache[DISK_MAX];
	size_t durable_len, cache_len;
};

static void
disk_write(struct disk *d, size_t at, struct bx_span s)
{
	cr_assert_leq(at + s.len, DISK_MAX);
	memcpy(d->cache + at, s.ptr, s.len);
	if (at + s.len > d->cache_len)
		d->cache_len = at + s.len;
}

static void
disk_sync(struct disk *d)
{
	memcpy(d->durable, d->cache, d->cache_len);
	d->durable_len = d->cache_len;
}

/* What is found after power loss: each unsynced sector is there or not. */
static struct bx_span
disk_after(const struct disk *d, struct kit_rng *r, uint8_t *out)
{
	size_t len = d->durable_len;

	if (d->cache_len > len) /* the length may have grown to any point */
		len += kit_below(r, d->cache_len - len + 1);
	memset(out, 0, len);
	memcpy(out, d->durable, d->durable_len < len ? d->durable_len : len);
	for (size_t at = 0; at < len; at += SECTOR) {
		size_t n = len - at < SECTOR ? len - at : SECTOR;

		if (memcmp(out + at, d->cache + at, n) != 0 && kit_below(r, 2))
			memcpy(out + at, d->cache + at, n);
	}
	return (struct bx_span){ out, len };
}

struct trace {
	struct {
		size_t at, len; /* in the finished file */
		size_t records; /* in it when this write is durable */
	} writes[64];
	size_t count;
};

/* Losing power at every write, several times each; synced records are never lost. */
static void
lose_power(bool encrypted, unsigned tries)
{
	static struct disk disk;
	static uint8_t found[DISK_MAX];
	struct kit_rng rng = { 5 };
	struct kit_file *f = kit_file_new();
	struct kit_options o = options_for(encrypted, 1);
	struct kit_how how = how_for(encrypted);
	struct trace trace = { .count = 0 };
	size_t total = 0;

	kit_segment(f, &o, records.at, 40);
	for (size_t i = 0; i < f->block_count; i++) {
		total += f->blocks[i].records;
		trace.writes[trace.count].at = f->blocks[i].at;
		trace.writes[trace.count].len = f->blocks[i].len;
		trace.writes[trace.count++].records = total;
	}
	for (size_t upto = 0; upto <= trace.count; upto++) {
		for (unsigned t = 0; t < tries; t++) {
			size_t synced = 0;
			struct bx_span left;
			struct kit_reading got;
			struct kit_salvaged saved;
			struct bx_resume r;

			memset(&disk, 0, sizeof(disk));
			for (size_t w = 0; w < upto; w++) {
				disk_write(&disk, trace.writes[w].at,
					   (struct bx_span){ f->bytes + trace.writes[w].at,
							     trace.writes[w].len });
				if (kit_below(&rng, 3) == 0) {
					disk_sync(&disk);
					synced = trace.writes[w].records;
				}
			}
			left = disk_after(&disk, &rng, found);
			if (left.len == 0)
				continue;
			got = kit_read(left, &how);
			saved = kit_salvage(left, &how);
			cr_assert(got.exact);
			cr_assert_geq(got.records, synced, "after write %zu", upto);
			cr_assert(saved.in_order || saved.records == 0);
			cr_assert_geq(saved.records, got.records);
			r = inspect(left);
			/* HEAD never arrived whole, and nothing was synced: nobody can tell. */
			if (r.kind == BX_RESUME_FOREIGN || r.kind == BX_RESUME_EMPTY)
				cr_assert_eq(disk.durable_len, 0);
			/* Nothing that was synced is cut off. */
			if (r.kind == BX_RESUME_OPEN || r.kind == BX_RESUME_CLOSED)
				cr_assert_geq(r.append_at, disk.durable_len, "after write %zu",
					      upto);
			if (r.kind == BX_RESUME_OPEN || r.kind == BX_RESUME_CLOSED) {
				struct kit_file *g = kit_file_new();

				kit_put(g, left);
				go_on(g, &r, encrypted, 40, 20, 100 + t);
				cr_assert_eq(kit_read(kit_span(g), &how).status, BX_STATUS_CLEAN);
				kit_file_free(g);
			}
		}
	}
	kit_file_free(f);
}

Test(resume, power_loss)
{
	unsigned tries = getenv("BX_EXHAUSTIVE") != NULL ? 5000 : 25;

	records = kit_make(3, 60);
	lose_power(false, tries);
	lose_power(true, tries);
	kit_records_free(&records);
}
