/*
 * Block headers and HEAD: each field with wrong values (CRCs repaired), stanzas, commitment,
 * downgrades, signatures (fault-matrix rows 7 to 10).
 */
#include <criterion/criterion.h>

#include "archive/digest.h"
#include "archive/head.h"
#include "archive_salvage_kit.h"

TestSuite(head, .timeout = 60);

static struct kit_records records;
static struct kit_pair identity;
static const uint8_t *identities[1];
static uint8_t recipients[1][32];

static struct kit_file *
make(bool encrypted)
{
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;

	identity = kit_pair(1);
	identities[0] = identity.secret;
	memcpy(recipients[0], identity.public_key, 32);
	records = kit_make(3, 20);
	o.writer.recipients = (const uint8_t(*)[32])recipients;
	o.writer.recipient_count = encrypted ? 1 : 0;
	kit_segment(f, &o, records.at, 20);
	return f;
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

static void
drop(struct kit_file *f)
{
	kit_file_free(f);
	kit_records_free(&records);
}

static const struct kit_block *
first_of(const struct kit_file *f, uint8_t type)
{
	const struct kit_block *b = f->blocks;

	while (b->type != type)
		b++;
	return b;
}

/* --- fields of the block header -------------------------------------------------------------- */

static const struct field_case {
	uint8_t block; /* type of the first block that is changed */
	size_t at, len;
	uint64_t value;
	enum bx_status plain, encrypted;
} fields[] = {
	{ BX_BLOCK_DATA, 8, 1, 0, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 8, 1, 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 8, 1, 4, BX_STATUS_DAMAGED, BX_STATUS_AEAD },
	{ BX_BLOCK_DATA, 8, 1, 6, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 8, 1, 7, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 8, 1, 0x7F, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 8, 1, 0x80, BX_STATUS_DAMAGED, BX_STATUS_AEAD }, /* records missing */
	{ BX_BLOCK_DATA, 8, 1, 0xFF, BX_STATUS_DAMAGED, BX_STATUS_AEAD },
	{ BX_BLOCK_DATA, 9, 1, 0x02, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 9, 1, 0x04, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 9, 1, 0x08, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 9, 1, 0x80, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 10, 1, 0, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 10, 1, 2, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 11, 1, 2, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_DATA, 32, 8, 0, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 32, 8, 1ull << 48, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 32, 8, UINT64_MAX, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 32, 8, 7, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 40, 4, 0, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 40, 4, 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 40, 4, 1 << 28, BX_STATUS_OPEN, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 40, 4, (1 << 28) - 128, BX_STATUS_OPEN, BX_STATUS_OPEN },
	{ BX_BLOCK_DATA, 40, 4, (1 << 28) + 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 40, 4, UINT32_MAX, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 48, 8, 1, BX_STATUS_DAMAGED, BX_STATUS_AEAD },
	{ BX_BLOCK_DATA, 72, 8, 1, BX_STATUS_DAMAGED, BX_STATUS_AEAD },
	{ BX_BLOCK_DATA, 88, 8, UINT64_MAX, BX_STATUS_CLEAN, BX_STATUS_CLEAN }, /* a hint */
	{ BX_BLOCK_DATA, 96, 8, 0, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 96, 8, UINT64_MAX, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_DATA, 104, 8, UINT64_MAX, BX_STATUS_CLEAN, BX_STATUS_AEAD }, /* reserved */
	{ BX_BLOCK_TAIL, 9, 1, 0, BX_STATUS_INCOMPLETE_STREAM, BX_STATUS_DAMAGED },
	{ BX_BLOCK_TAIL, 40, 4, 3969, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 40, 4, (512 << 10) + 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 40, 4, 223, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 88, 8, 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 96, 8, 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 32, 8, 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 9, 1, 1, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	/* HEAD's body */
	{ BX_BLOCK_HEAD, 128, 2, 0, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_HEAD, 128, 2, 2, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_HEAD, 130, 2, 1, BX_STATUS_CLEAN, BX_STATUS_HEADER_AUTH },
	{ BX_BLOCK_HEAD, 132, 1, 13, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_HEAD, 133, 1, 2, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_HEAD, 134, 2, 2, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 134, 2, 257, BX_STATUS_DAMAGED, BX_STATUS_DAMAGED },
	{ BX_BLOCK_HEAD, 136, 8, 1ull << 63, BX_STATUS_CLEAN, BX_STATUS_HEADER_AUTH },
	{ BX_BLOCK_HEAD, 144, 8, 1, BX_STATUS_CLEAN, BX_STATUS_HEADER_AUTH },
	{ BX_BLOCK_HEAD, 152, 8, 2, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_HEAD, 152, 8, 3, BX_STATUS_UNSUPPORTED, BX_STATUS_UNSUPPORTED },
	{ BX_BLOCK_HEAD, 176, 8, 1, BX_STATUS_INCOMPLETE_STREAM, BX_STATUS_HEADER_AUTH },
	{ BX_BLOCK_HEAD, 184, 8, 2, BX_STATUS_INCOMPLETE_STREAM, BX_STATUS_HEADER_AUTH },
	{ BX_BLOCK_HEAD, 192, 8, 5, BX_STATUS_CLEAN, BX_STATUS_DAMAGED }, /* created */
	{ BX_BLOCK_HEAD, 200, 8, 5, BX_STATUS_INCOMPLETE_STREAM, BX_STATUS_HEADER_AUTH },
	{ BX_BLOCK_HEAD, 256, 8, 5, BX_STATUS_CLEAN, BX_STATUS_HEADER_AUTH }, /* reserved */
};

Test(head, fields)
{
	for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
		struct kit_file *f = make(encrypted);
		struct kit_how how = how_for(encrypted);

		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			const struct field_case *c = &fields[i];
			const struct kit_block *b = first_of(f, c->block);
			uint8_t *block = f->bytes + b->at;
			uint8_t saved[BX_PAGE];
			enum bx_status want = encrypted ? c->encrypted : c->plain;
			struct kit_reading got;

			memcpy(saved, block, BX_PAGE);
			memcpy(block + c->at, &c->value, c->len);
			kit_repair(block, f->len - b->at);
			got = kit_read(kit_span(f), &how);
			cr_assert_eq(got.status, want, "case %zu (%s): %s, %s", i,
				     encrypted ? "encrypted" : "plain", bx_status_name(got.status),
				     got.fault.what);
			cr_assert(got.exact);
			(void)kit_salvage(kit_span(f), &how);
			memcpy(block, saved, BX_PAGE);
		}
		cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_CLEAN);
		drop(f);
	}
}

/* --- stanzas --------------------------------------------------------------------------------- */

static uint8_t fk[32], other_fk[32], segment_id[16];

/* A HEAD block in `block`; stanzas are given as they are, the commitment is over `committed`. */
struct stanza {
	uint16_t type, len;
	uint8_t bytes[100];
};

static size_t
build(uint8_t *block, const struct stanza *stanzas, size_t count, const uint8_t *committed)
{
	struct bx_head head = { .encrypted = true, .stanza_count = (uint16_t)count };
	struct bx_segment_key *key = bx_segment_key_new(committed, segment_id);
	struct bx_random none = { NULL, NULL };
	struct bx_block_header h = { .type = BX_BLOCK_HEAD };
	uint8_t *p = block + 128 + 192;
	size_t bad;

	memcpy(head.segment_id, segment_id, 16);
	cr_assert(bx_head_store(block, &head, NULL, NULL, NULL, 0, none, &bad));
	for (size_t i = 0; i < count; i++) {
		bx_store_le16(p, stanzas[i].type);
		bx_store_le16(p + 2, stanzas[i].len);
		memcpy(p + 4, stanzas[i].bytes, stanzas[i].len);
		p += 4 + stanzas[i].len;
	}
	memcpy(h.segment_id, segment_id, 16);
	h.body_len = (uint32_t)(p + 32 - block - 128);
	bx_block_header_store(&h, block);
	bx_segment_key_commit(key, block, (struct bx_span){ block + 128, h.body_len - 32 }, p);
	kit_repair(block, 128 + h.body_len);
	bx_segment_key_free(key);
	return 128 + h.body_len;
}

static struct stanza
stanza_for(const uint8_t public_key[32], const uint8_t *key, uint8_t ephemeral)
{
	struct stanza s = { .type = 1, .len = 80 };
	uint8_t secret[32];

	memset(secret, ephemeral, 32);
	cr_assert(bx_head_stanza(s.bytes, key, public_key, secret));
	return s;
}

static enum bx_status
unlock(const uint8_t *block, size_t len)
{
	struct bx_head head;
	struct bx_segment_key *key = NULL;
	struct bx_span body = { block + 128, len - 128 };
	enum bx_status status = bx_head_parse(&head, block, body, 0, NULL);

	if (status == BX_STATUS_CLEAN)
		status = bx_head_unlock(&key, block, body, identities, 1, 0, NULL);
	if (status == BX_STATUS_CLEAN) {
		struct bx_segment_key *want = bx_segment_key_new(fk, segment_id);
		struct bx_block_key a, b;

		bx_segment_key_block(key, 5, &a);
		bx_segment_key_block(want, 5, &b);
		cr_assert_eq(memcmp(a.key, b.key, 32), 0);
		bx_segment_key_free(want);
	}
	bx_segment_key_free(key);
	return status;
}

Test(head, stanzas)
{
	struct kit_pair me = kit_pair(1), you = kit_pair(2);
	struct stanza mine, yours, odd, list[260];
	uint8_t *block = malloc(64 << 10);

	identities[0] = me.secret;
	memset(fk, 7, 32);
	memset(other_fk, 8, 32);
	memset(segment_id, 9, 16);
	cr_assert_geq(sodium_init(), 0);
	mine = stanza_for(me.public_key, fk, 20);
	yours = stanza_for(you.public_key, fk, 21);

	/* Counts; mine comes last. 44 fit into one page, 45 do not. */
	for (size_t count = 0; count <= 257; count++) {
		static const size_t interesting[] = { 0, 1, 2, 44, 45, 256, 257 };
		bool skip = true;
		size_t len;

		for (size_t i = 0; i < 7; i++)
			skip = skip && interesting[i] != count;
		if (skip)
			continue;
		for (size_t i = 0; i < count; i++)
			list[i] = i + 1 == count ? mine : yours;
		len = build(block, list, count, fk);
		cr_assert_eq(len <= BX_PAGE, count <= 44);
		cr_assert_eq(unlock(block, len),
			     count == 0 || count == 257 ? BX_STATUS_DAMAGED : BX_STATUS_CLEAN,
			     "%zu stanzas", count);
	}

	/* Unknown types, wrong lengths, and grease are passed over. */
	odd = (struct stanza){ .type = 2, .len = 7 };
	list[0] = odd;
	list[1] = (struct stanza){ .type = 0xFFFF, .len = 0 };
	list[2] = mine;
	cr_assert_eq(unlock(block, build(block, list, 3, fk)), BX_STATUS_CLEAN);
	for (uint16_t len = 79; len <= 81; len += 2) {
		list[0] = mine;
		list[0].len = len;
		cr_assert_eq(unlock(block, build(block, list, 1, fk)), BX_STATUS_NO_KEY);
		list[1] = mine;
		cr_assert_eq(unlock(block, build(block, list, 2, fk)), BX_STATUS_CLEAN);
	}
	list[0] = yours;
	cr_assert_eq(unlock(block, build(block, list, 1, fk)), BX_STATUS_NO_KEY);

	/* Low-order and non-canonical ephemeral keys. */
	for (unsigned i = 0; i < 4; i++) {
		static const uint8_t order8[32] = {
			0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
			0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
			0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00
		};
		list[0] = mine;
		memset(list[0].bytes, i == 2 ? 0xff : 0, 32);
		list[0].bytes[0] = i == 1 ? 1 : list[0].bytes[0];
		if (i == 3)
			memcpy(list[0].bytes, order8, 32);
		cr_assert_eq(unlock(block, build(block, list, 1, fk)), BX_STATUS_NO_KEY);
	}

	/* Two of mine with different FKs: the one that HEAD commits to, in either order. */
	list[0] = stanza_for(me.public_key, other_fk, 22);
	list[1] = mine;
	cr_assert_eq(unlock(block, build(block, list, 2, fk)), BX_STATUS_CLEAN);
	list[0] = mine;
	list[1] = stanza_for(me.public_key, other_fk, 22);
	cr_assert_eq(unlock(block, build(block, list, 2, fk)), BX_STATUS_CLEAN);

	/* Commitment: a stanza that gives me another FK than the others get. */
	list[0] = stanza_for(me.public_key, other_fk, 22);
	list[1] = yours;
	cr_assert_eq(unlock(block, build(block, list, 2, fk)), BX_STATUS_HEADER_AUTH);
	free(block);
}

/* The stanza is what libsodium's crypto_box_seal makes, and the writer refuses bad recipients. */
Test(head, recipients)
{
	struct kit_pair me = kit_pair(1);
	uint8_t low[2][32] = { { 0 }, { 0 } }, got[32];
	struct stanza s;
	struct bx_segment_writer_options o = BX_SEGMENT_WRITER_DEFAULT;
	struct bx_segment_writer *w = NULL;
	struct bx_fail fail = { 0 };

	memset(fk, 7, 32);
	s = stanza_for(me.public_key, fk, 20);
	cr_assert_eq(crypto_box_seal_open(got, s.bytes, 80, me.public_key, me.secret), 0);
	cr_assert_eq(memcmp(got, fk, 32), 0);
	memcpy(low[0], me.public_key, 32);
	o.recipients = (const uint8_t(*)[32])low;
	o.recipient_count = 2;
	cr_assert_eq(bx_segment_writer_new(&w, &o, bx_random_system(), &fail), BX_ERR_USAGE);
	cr_assert(strstr(fail.msg, "recipient 2") != NULL);
	cr_assert_null(w);
	o.recipient_count = 257;
	cr_assert_eq(bx_segment_writer_new(&w, &o, bx_random_system(), NULL), BX_ERR_USAGE);
	o.recipient_count = 0;
	o.leaf_blocks = 0;
	cr_assert_eq(bx_segment_writer_new(&w, &o, bx_random_system(), NULL), BX_ERR_USAGE);
	o.leaf_blocks = 1025;
	cr_assert_eq(bx_segment_writer_new(&w, &o, bx_random_system(), NULL), BX_ERR_USAGE);
}

Test(head, wrong_identity)
{
	struct kit_file *f = make(true);
	struct kit_how how = how_for(true);
	struct kit_pair you = kit_pair(2);
	struct kit_reading got;

	how.walk.identity_count = 0;
	got = kit_read(kit_span(f), &how);
	cr_assert_eq(got.status, BX_STATUS_NO_KEY);
	cr_assert_eq(got.records, 0);
	identities[0] = you.secret;
	how.walk.identity_count = 1;
	cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_NO_KEY);
	cr_assert_eq(kit_salvage(kit_span(f), &how).result, BX_STATUS_NO_KEY);
	drop(f);
}

/* --- downgrade ------------------------------------------------------------------------------- */

Test(head, downgrade)
{
	struct kit_file *f = make(true), *plain;
	struct kit_how how = how_for(true);
	const struct kit_block *data = first_of(f, BX_BLOCK_DATA), *forged;
	struct kit_records kept = records;
	struct kit_salvaged saved;
	uint8_t *page;
	uint8_t saved_page[BX_PAGE];
	uint8_t number[8];

	plain = make(false);
	kit_records_free(&records);
	records = kept;
	cr_assert_eq(kit_read(kit_span(plain), &how).status, BX_STATUS_DOWNGRADE);
	how.walk.allow_plain = true;
	cr_assert_eq(kit_read(kit_span(plain), &how).status, BX_STATUS_CLEAN);
	how.walk.allow_plain = false;

	/* A plain DATA block with all the right numbers. */
	forged = first_of(plain, BX_BLOCK_DATA);
	page = f->bytes + data->at;
	memcpy(saved_page, page, BX_PAGE);
	memcpy(number, page + 32, 8);
	memcpy(plain->bytes + forged->at + 16, page + 16, 16);
	memcpy(plain->bytes + forged->at + 32, number, 8);
	memcpy(plain->bytes + forged->at + 96, page + 96, 8);
	memcpy(page, plain->bytes + forged->at, BX_PAGE);
	kit_repair(page, BX_PAGE);
	cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_DOWNGRADE);
	saved = kit_salvage(kit_span(f), &how);
	cr_assert(saved.in_order);
	cr_assert_eq(saved.records, 10);
	cr_assert_geq(saved.report.auth_failures, 1);

	/* The same inserted before the true block: that one is still salvaged. */
	memcpy(page, saved_page, BX_PAGE);
	{
		struct kit_file *g = kit_file_new();

		kit_put(g, (struct bx_span){ f->bytes, data->at });
		kit_put(g, (struct bx_span){ plain->bytes + forged->at, BX_PAGE });
		kit_repair(g->bytes + data->at, BX_PAGE);
		kit_put(g, (struct bx_span){ f->bytes + data->at, f->len - data->at });
		saved = kit_salvage(kit_span(g), &how);
		cr_assert(saved.in_order);
		cr_assert_eq(saved.records, 20);
		kit_file_free(g);
	}

	/* A HEADCOPY in the place of a DATA block, and the ENCRYPTED bit of HEAD taken away. */
	memcpy(page, f->bytes + first_of(f, BX_BLOCK_HEADCOPY)->at, BX_PAGE);
	memcpy(page + 32, number, 8);
	memcpy(page + 96, saved_page + 96, 8);
	kit_repair(page, BX_PAGE);
	cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_AEAD);
	memcpy(page, saved_page, BX_PAGE);
	f->bytes[128 + 24] = 0; /* feat_incompat */
	f->bytes[128 + 5] = 0;  /* suite */
	f->bytes[128 + 6] = 0;  /* n_stanzas */
	kit_repair(f->bytes, BX_PAGE);
	cr_assert_neq(kit_read(kit_span(f), &how).status, BX_STATUS_CLEAN);
	cr_assert_eq(kit_read(kit_span(f), &how).records, 0);
	how.walk.allow_plain = true;
	cr_assert_neq(kit_read(kit_span(f), &how).status, BX_STATUS_CLEAN);
	cr_assert_eq(kit_read(kit_span(f), &how).records, 0);
	kit_file_free(plain);
	drop(f);
}

/* --- signatures ------------------------------------------------------------------------------ */

Test(head, signatures)
{
	uint8_t signer[64], signer_public[32], other[64], other_public[32];
	struct kit_how how;
	struct kit_reading got;

	kit_signer(1, signer, signer_public);
	kit_signer(2, other, other_public);
	for (unsigned kind = 0; kind < 5; kind++) {
		struct kit_file *f = kit_file_new();
		struct kit_options o = KIT_OPTIONS;

		records = kit_make(3, 20);
		how = how_for(false);
		how.walk.identity_count = 0;
		how.walk.digest = true;
		how.tally.require_signature = true;
		how.tally.signer = kind == 1 ? NULL : signer_public;
		o.writer.signer = kind == 2 ? NULL : kind == 3 ? other : signer;
		o.writer.digest = true;
		kit_segment(f, &o, records.at, 20);
		if (kind == 4) { /* a body changed by someone who repairs the CRCs and knows R */
			const struct kit_block *b = first_of(f, BX_BLOCK_META);

			f->bytes[b->at + 128 + 4] ^= 1;
			kit_repair(f->bytes + b->at, BX_PAGE);
		}
		got = kit_read(kit_span(f), &how);
		cr_assert_eq(got.status, kind < 2 ? BX_STATUS_CLEAN : BX_STATUS_NOT_SIGNED,
			     "kind %u: %s", kind, bx_status_name(got.status));
		cr_assert_eq(got.report.signed_segments, kind < 2 ? 1 : 0);
		if (kind < 2)
			cr_assert_eq(memcmp(got.report.signer, signer_public, 32), 0);
		drop(f);
	}
}

/* META's signature over HEAD, and that of INDEX. */
Test(head, signatures_of_blocks)
{
	uint8_t signer[64], signer_public[32], who[32], d[32], d0[32];
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;
	struct bx_block_reader *r;
	struct bx_block_key none = { .encrypted = false };
	uint32_t head_len;

	kit_signer(1, signer, signer_public);
	records = kit_make(3, 20);
	o.writer.signer = signer;
	kit_segment(f, &o, records.at, 20);
	memcpy(&head_len, f->bytes + 40, 4);
	bx_digest_body((struct bx_span){ f->bytes + 128, head_len }, d);
	bx_digest_block(f->bytes, d, d0);
	cr_assert_eq(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL), BX_OK);
	for (unsigned i = 0; i < 2; i++) {
		const struct kit_block *b = first_of(f, i ? BX_BLOCK_INDEX : BX_BLOCK_META);
		struct bx_span bytes = { f->bytes + b->at, b->len };

		cr_assert_eq(bx_block_reader_load(r, bytes, &none, 0, 0, NULL), BX_STATUS_CLEAN);
		cr_assert_eq(bx_block_reader_signature(r, d0, who), BX_STATUS_CLEAN);
		cr_assert_eq(memcmp(who, signer_public, 32), 0);
		/* The ordinal of the first block; the signature itself. */
		f->bytes[b->at + 128 + (i ? 40 : 4 + 8 + 60)] ^= 1;
		kit_repair(f->bytes + b->at, b->len);
		cr_assert_eq(bx_block_reader_load(r, bytes, &none, 0, 0, NULL), BX_STATUS_CLEAN);
		cr_assert_eq(bx_block_reader_signature(r, d0, who), BX_STATUS_NOT_SIGNED);
	}
	bx_block_reader_free(r);
	drop(f);
}

/* --- HEAD lost ------------------------------------------------------------------------------- */

/* Every subset of HEAD and its copies lost: all is saved while one of them lives. */
Test(head, lost)
{
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;
	struct kit_how how;
	size_t heads[8], count = 0;
	uint8_t *kept;

	identity = kit_pair(1);
	identities[0] = identity.secret;
	memcpy(recipients[0], identity.public_key, 32);
	records = kit_make(3, 60);
	o.writer.recipients = (const uint8_t(*)[32])recipients;
	o.writer.recipient_count = 1;
	o.writer.leaf_blocks = 2;
	kit_segment(f, &o, records.at, 60);
	how = how_for(true);
	for (size_t i = 0; i < f->block_count; i++)
		if (f->blocks[i].type == BX_BLOCK_HEAD || f->blocks[i].type == BX_BLOCK_HEADCOPY)
			heads[count++] = f->blocks[i].at;
	cr_assert_eq(count, 5);
	kept = malloc(f->len);
	memcpy(kept, f->bytes, f->len);
	for (unsigned lost = 1; lost < 1u << count; lost++) {
		struct kit_salvaged saved;

		memcpy(f->bytes, kept, f->len);
		for (size_t i = 0; i < count; i++)
			if (lost & 1u << i)
				memset(f->bytes + heads[i], lost % 3 == 0 ? 0xAA : 0, BX_PAGE);
		saved = kit_salvage(kit_span(f), &how);
		cr_assert(saved.in_order);
		if (lost + 1 < 1u << count) {
			cr_assert_eq(saved.records, 60, "lost %x: %zu", lost, saved.records);
			cr_assert_neq(saved.report.status, BX_STATUS_CLEAN);
		} else {
			cr_assert_eq(saved.records, 0);
			cr_assert_eq(saved.result, BX_STATUS_DAMAGED);
		}
	}
	free(kept);
	drop(f);
}

/* A plain segment without HEAD gives its records all the same. */
Test(head, lost_plain)
{
	struct kit_file *f = make(false);
	struct kit_how how = how_for(false);
	struct kit_salvaged saved;

	memset(f->bytes, 0, BX_PAGE);
	saved = kit_salvage(kit_span(f), &how);
	cr_assert_eq(saved.records, 20);
	cr_assert(saved.in_order);
	cr_assert_eq(saved.segments, 1);
	drop(f);
}
