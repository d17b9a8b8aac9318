/*
 * Known answers of docs/format.md section 13: tests/data/archive/known_answers.txt and
 * tests/data/container-kat-block.bin. tests/reader computes them again with other code. With
 * BX_WRITE_ANSWERS=DIR in the environment they are written there instead of compared.
 */
#include <criterion/criterion.h>

#include "archive/digest.h"
#include "archive/head.h"
#include "archive/identity.h"
#include "archive_kit.h"

static uint8_t fk[32], segment_id[16];

static void
counting(uint8_t *out, size_t len, uint8_t from)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(from + i);
}

/* Gives the bytes it is told to. */
static void
fill_const(void *context, uint8_t *out, size_t len)
{
	uint8_t *from = context;

	if (*from == 2)
		memset(out, 2, len);
	else
		counting(out, len, *from);
	if (*from == 0x10)
		*from = 0x20;
}

struct answers {
	char text[4096];
	size_t len;
};

static void
answer(struct answers *a, const char *name, const uint8_t *bytes, size_t len)
{
	char hex[512];

	(void)sodium_bin2hex(hex, sizeof(hex), bytes, len);
	a->len +=
	    (size_t)snprintf(a->text + a->len, sizeof(a->text) - a->len, "%-8s = %s\n", name, hex);
}

static void
answer_keys(struct answers *a)
{
	uint8_t message[32], seg[32], mac[32], blk[32];
	struct bx_segment_key *key = bx_segment_key_new(fk, segment_id);
	struct bx_block_key k1;

	memcpy(message, "boxcar-v1 seg\0\0", 16);
	memcpy(message + 16, segment_id, 16);
	(void)crypto_generichash(seg, 32, message, 32, fk, 32);
	(void)crypto_kdf_derive_from_key(mac, 32, 1, "boxcarv1", seg);
	(void)crypto_kdf_derive_from_key(blk, 32, 2, "boxcarv1", seg);
	answer(a, "K_seg", seg, 32);
	answer(a, "K_mac", mac, 32);
	answer(a, "K_blk", blk, 32);
	bx_segment_key_block(key, 1, &k1);
	answer(a, "K_1", k1.key, 32);
	bx_segment_key_free(key);
}

static void
answer_head(struct answers *a)
{
	struct kit_pair alice = kit_pair(1);
	uint8_t recipients[1][32], block[BX_PAGE] = { 0 }, copy[2 * BX_PAGE] = { 0 };
	uint8_t two = 2, digest[32], d0[32], link[32], tag[16];
	struct bx_segment_key *key = bx_segment_key_new(fk, segment_id);
	struct bx_head head = { .encrypted = true, .stanza_count = 1 };
	size_t len = bx_head_body_len(1), bad;
	struct bx_block_header h = { .type = BX_BLOCK_HEADCOPY,
				     .flags = BX_BLOCK_MAC_ONLY,
				     .suite = BX_SUITE_XCHACHA20POLY1305,
				     .seq = 2,
				     .body_len = (uint32_t)(128 + len) };
	struct bx_block_key k2;

	memcpy(recipients[0], alice.public_key, 32);
	memcpy(head.segment_id, segment_id, 16);
	counting(head.stream_id, 16, 0xb0);
	cr_assert(bx_head_store(block, &head, key, fk, (const uint8_t(*)[32])recipients, 1,
				(struct bx_random){ &two, fill_const }, &bad));
	answer(a, "stanza", block + 128 + 192 + 4, 80);
	answer(a, "commit", block + 128 + len - 32, 32);
	bx_digest_body((struct bx_span){ block + 128, len }, digest);
	bx_digest_block(block, digest, d0);
	answer(a, "D_0", d0, 32);
	bx_digest_link(block, link);
	answer(a, "link_0", link, 32);
	memcpy(h.segment_id, segment_id, 16);
	bx_block_header_store(&h, copy);
	bx_segment_key_block(key, 2, &k2);
	bx_block_key_mac(&k2, copy, (struct bx_span){ block, 128 + len }, tag);
	answer(a, "copy_2", tag, 16);
	bx_segment_key_free(key);
}

static void
make_block(uint8_t block[BX_PAGE])
{
	struct bx_block_builder_options o = BX_BLOCK_BUILDER_DEFAULT;
	struct bx_archive_channel up = { .session = 4711,
					 .dir = BX_DIR_C2R,
					 .ser = BX_SER_JSON,
					 .flags = BX_CHANNEL_HAS_SESSION };
	struct bx_archive_channel down = { .session = 4712,
					   .dir = BX_DIR_R2C,
					   .ser = BX_SER_JSON,
					   .flags = BX_CHANNEL_HAS_SESSION };
	struct bx_span uri = { (const uint8_t *)"a.b.c", 5 };
	static const char publish[] = "[16,1,{},\"a.b.c\",[7]]", event[] = "[36,2,3,{},[7]]";
	struct bx_archive_record records[2] = {
		{ 1760000000000000000,
		  &up,
		  uri,
		  { (const uint8_t *)publish, 21 },
		  16,
		  BX_RECORD_PLAIN },
		{ 1760000000000001000,
		  &down,
		  uri,
		  { (const uint8_t *)event, 15 },
		  36,
		  BX_RECORD_PLAIN },
	};
	struct bx_segment_key *key = bx_segment_key_new(fk, segment_id);
	struct bx_block_ticket ticket = { .seq = 1 };
	struct bx_sealed_block sealed;
	struct bx_block_builder *b;

	memcpy(ticket.segment_id, segment_id, 16);
	counting(ticket.nonce, 24, 0x40);
	bx_segment_key_block(key, 1, &ticket.key);
	o.stored = true;
	cr_assert_eq(bx_block_builder_new(&b, &o, NULL), BX_OK);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(bx_block_builder_add(b, &records[i]), BX_BLOCK_ADDED);
	cr_assert_eq(bx_block_builder_seal(b, block, BX_PAGE, &ticket, &sealed, NULL), BX_OK);
	cr_assert_eq(sealed.len, BX_PAGE);
	bx_block_header_place(block, 1, 0);
	bx_block_builder_free(b);
	bx_segment_key_free(key);
}

static void
answer_identity(struct answers *a)
{
	struct kit_pair bob = kit_pair(3);
	uint8_t file[BX_IDENTITY_LEN];
	uint8_t from = 0x10;

	cr_assert_eq(bx_identity_wrap(file, BX_IDENTITY_ARCHIVE, bob.secret, bob.public_key,
				      (struct bx_span){ (const uint8_t *)"correct horse", 13 },
				      (struct bx_identity_cost){ 1, 8 << 20 },
				      (struct bx_random){ &from, fill_const }, NULL),
		     BX_OK);
	answer(a, "identity", file, sizeof(file));
}

static size_t
read_file(const char *path, uint8_t *out, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t len;

	cr_assert_not_null(f, "%s", path);
	len = fread(out, 1, cap, f);
	(void)fclose(f);
	return len;
}

static void
write_file(const char *dir, const char *name, const void *bytes, size_t len)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	cr_assert_not_null(f, "%s", path);
	cr_assert_eq(fwrite(bytes, 1, len, f), len);
	(void)fclose(f);
}

Test(archive_kat, answers)
{
	struct answers a = { .len = 0 };
	uint8_t block[BX_PAGE], kept[BX_PAGE + 1];
	char text[4096];
	const char *dir = getenv("BX_WRITE_ANSWERS");
	size_t len;

	cr_assert_geq(sodium_init(), 0);
	counting(fk, 32, 0);
	counting(segment_id, 16, 0xa0);
	make_block(block);
	answer_keys(&a);
	answer_head(&a);
	answer(&a, "tag_1", block + 72, 16);
	answer_identity(&a);
	if (dir != NULL) {
		write_file(dir, "archive/known_answers.txt", a.text, a.len);
		write_file(dir, "container-kat-block.bin", block, sizeof(block));
		return;
	}
	len = read_file(BX_TEST_DATA "/archive/known_answers.txt", (uint8_t *)text, sizeof(text));
	cr_assert_eq(len, a.len);
	cr_assert_eq(memcmp(text, a.text, len), 0);
	len = read_file(BX_TEST_DATA "/container-kat-block.bin", kept, sizeof(kept));
	cr_assert_eq(len, BX_PAGE);
	cr_assert_eq(memcmp(kept, block, len), 0);
}

/* The kept block opens to its records. */
Test(archive_kat, block)
{
	uint8_t kept[BX_PAGE + 1];
	size_t len = read_file(BX_TEST_DATA "/container-kat-block.bin", kept, sizeof(kept));
	struct bx_segment_key *key;
	struct bx_block_key k1;
	struct bx_block_reader *r;
	struct bx_archive_record record;
	const struct bx_columns *c;
	struct bx_fault fault = { 0 };

	cr_assert_geq(sodium_init(), 0);
	counting(fk, 32, 0);
	counting(segment_id, 16, 0xa0);
	key = bx_segment_key_new(fk, segment_id);
	bx_segment_key_block(key, 1, &k1);
	cr_assert_eq(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL), BX_OK);
	cr_assert_eq(
	    bx_block_reader_load(r, (struct bx_span){ kept, len }, &k1, BX_LOAD_BODIES, 0, &fault),
	    BX_STATUS_CLEAN, "%s", fault.what);
	c = bx_block_reader_columns(r);
	cr_assert_eq(c->count, 2);
	bx_block_reader_record(c, 1, &record);
	cr_assert_eq(record.ts, 1760000000000001000);
	cr_assert_eq(record.channel->session, 4712);
	cr_assert_eq(record.code, 36);
	cr_assert(bx_span_is(record.uri, "a.b.c"));
	cr_assert(bx_span_is(record.body, "[36,2,3,{},[7]]"));
	bx_block_reader_free(r);
	bx_segment_key_free(key);
}
