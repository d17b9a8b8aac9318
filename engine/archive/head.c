#include "archive/head.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/writer.h"

/*
 * off size  field                        off size  field
 *   0    2  version major = 1             56    8  segment_total
 *   2    2  version minor                 64    8  created
 *   4    1  page_log2 = 12                72   16  prev_segment_id
 *   5    1  suite                         88    8  prev_blocks
 *   6    2  n_stanzas                     96   32  prev_link
 *   8    8  feat_compat                  128   64  zero
 *  16    8  feat_ro_compat               192    .  stanzas: u16 type, u16 len, len bytes
 *  24    8  feat_incompat              end-32  32  commit
 *  32   16  stream_id
 *  48    8  segment_no
 */
enum {
	AT_MINOR = 2,
	AT_PAGE_LOG2 = 4,
	AT_SUITE = 5,
	AT_STANZAS = 6,
	AT_COMPAT = 8,
	AT_RO_COMPAT = 16,
	AT_INCOMPAT = 24,
	AT_STREAM = 32,
	AT_NO = 48,
	AT_TOTAL = 56,
	AT_CREATED = 64,
	AT_PREV_ID = 72,
	AT_PREV_BLOCKS = 88,
	AT_PREV_LINK = 96,
	COMMIT_LEN = 32,
	STANZA_HEAD_LEN = 4,
	MAJOR = 1,
	PAGE_LOG2 = 12,
};

static_assert(crypto_box_SEALBYTES + 32 == BX_STANZA_X25519_LEN, "a sealed FK");

static enum bx_status
damaged(uint64_t offset, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_DAMAGED, offset, what);
}

static enum bx_status
unsupported(uint64_t offset, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_UNSUPPORTED, offset, what);
}

static void
load(struct bx_head *head, const struct bx_block_header *h, const uint8_t *p)
{
	*head = (struct bx_head){
		.segment_no = bx_load_le64(p + AT_NO),
		.segment_total = bx_load_le64(p + AT_TOTAL),
		.created = (int64_t)bx_load_le64(p + AT_CREATED),
		.prev_blocks = bx_load_le64(p + AT_PREV_BLOCKS),
		.feat_compat = bx_load_le64(p + AT_COMPAT),
		.feat_ro_compat = bx_load_le64(p + AT_RO_COMPAT),
		.encrypted = (bx_load_le64(p + AT_INCOMPAT) & BX_FEAT_ENCRYPTED) != 0,
		.digest = (bx_load_le64(p + AT_COMPAT) & BX_FEAT_DIGEST) != 0,
		.stanza_count = bx_load_le16(p + AT_STANZAS),
	};
	memcpy(head->segment_id, h->segment_id, 16);
	memcpy(head->stream_id, p + AT_STREAM, 16);
	memcpy(head->prev_segment_id, p + AT_PREV_ID, 16);
	memcpy(head->prev_link, p + AT_PREV_LINK, 32);
}

static bool
stanzas_fit(const struct bx_head *head, struct bx_span body)
{
	struct bx_cursor c = bx_cursor_over((struct bx_span){
	    body.ptr + BX_HEAD_FIXED_LEN, body.len - BX_HEAD_FIXED_LEN - COMMIT_LEN });

	for (unsigned i = 0; i < head->stanza_count; i++) {
		struct bx_span front = bx_take(&c, STANZA_HEAD_LEN);

		if (c.bad)
			return false;
		(void)bx_take(&c, bx_load_le16(front.ptr + 2));
	}
	return !c.bad && bx_left(&c) == 0;
}

static enum bx_status
check(const struct bx_head *head, struct bx_span body, uint64_t offset, struct bx_fault *fault)
{
	uint8_t suite = body.ptr[AT_SUITE];

	if (suite > BX_SUITE_XCHACHA20POLY1305)
		return unsupported(offset, fault, "a cipher suite that is not known");
	if (head->encrypted != (suite != BX_SUITE_NONE))
		return damaged(offset, fault, "HEAD contradicts itself about encryption");
	if (head->encrypted ? head->stanza_count == 0 || head->stanza_count > BX_STANZAS_MAX
			    : head->stanza_count != 0)
		return damaged(offset, fault, "HEAD has an impossible number of stanzas");
	if (head->encrypted && head->created != 0)
		return damaged(offset, fault, "HEAD of an encrypted segment tells a time");
	if (head->segment_total != 0 && head->segment_no >= head->segment_total)
		return damaged(offset, fault, "the segment's number is beyond their total");
	if (!stanzas_fit(head, body))
		return damaged(offset, fault, "the stanzas do not fit into HEAD");
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_head_parse(struct bx_head *head, const uint8_t header[static 128], struct bx_span body,
	      uint64_t offset, struct bx_fault *fault)
{
	struct bx_block_header h;
	enum bx_status status = bx_block_header_parse(&h, header, offset, fault);

	if (status != BX_STATUS_CLEAN)
		return status;
	if (h.type != BX_BLOCK_HEAD || h.body_len != body.len || h.page_off != 0 ||
	    h.index_back != 0)
		return damaged(offset, fault, "this is not the header of a HEAD");
	if (body.len < BX_HEAD_FIXED_LEN + COMMIT_LEN || body.len > BX_HEAD_LEN_MAX)
		return damaged(offset, fault, "HEAD has an impossible length");
	if (bx_load_le16(body.ptr) != MAJOR)
		return unsupported(offset, fault, "a later version of the format");
	if (body.ptr[AT_PAGE_LOG2] != PAGE_LOG2)
		return unsupported(offset, fault, "a page size that is not 4096");
	if ((bx_load_le64(body.ptr + AT_INCOMPAT) & ~(uint64_t)BX_FEAT_ENCRYPTED) != 0)
		return unsupported(offset, fault, "features that this version cannot read");

	struct bx_head got;

	load(&got, &h, body.ptr);
	status = check(&got, body, offset, fault);
	if (status == BX_STATUS_CLEAN)
		*head = got;
	return status;
}

/* FK of one stanza by one identity; makes the key and checks the commitment. */
static enum bx_status
try_stanza(struct bx_segment_key **key, const uint8_t *sealed, const uint8_t *identity,
	   const uint8_t *public_key, const uint8_t *header, struct bx_span body)
{
	uint8_t fk[32];
	uint8_t commit[COMMIT_LEN];
	struct bx_span committed = { body.ptr, body.len - COMMIT_LEN };
	struct bx_segment_key *made;

	if (crypto_box_seal_open(fk, sealed, BX_STANZA_X25519_LEN, public_key, identity) != 0)
		return BX_STATUS_NO_KEY;
	made = bx_segment_key_new(fk, header + 16);
	sodium_memzero(fk, sizeof(fk));
	if (made == NULL)
		return BX_STATUS_NOMEM;
	bx_segment_key_commit(made, header, committed, commit);
	if (sodium_memcmp(commit, body.ptr + committed.len, COMMIT_LEN) != 0) {
		bx_segment_key_free(made);
		return BX_STATUS_HEADER_AUTH;
	}
	*key = made;
	return BX_STATUS_CLEAN;
}

/* All stanzas with one identity. A stanza that opens to a wrong FK does not end the search. */
static enum bx_status
try_identity(struct bx_segment_key **key, const uint8_t *identity, const uint8_t *header,
	     struct bx_span body)
{
	enum bx_status worst = BX_STATUS_NO_KEY;
	uint8_t public_key[32];
	struct bx_cursor c = bx_cursor_over((struct bx_span){
	    body.ptr + BX_HEAD_FIXED_LEN, body.len - BX_HEAD_FIXED_LEN - COMMIT_LEN });

	if (crypto_scalarmult_base(public_key, identity) != 0)
		return BX_STATUS_NO_KEY;
	while (bx_left(&c) != 0) {
		struct bx_span front = bx_take(&c, STANZA_HEAD_LEN);
		uint16_t type = front.len == 0 ? 0 : bx_load_le16(front.ptr);
		struct bx_span stanza =
		    bx_take(&c, front.len == 0 ? 0 : bx_load_le16(front.ptr + 2));

		if (c.bad)
			break;
		if (type != BX_STANZA_X25519 || stanza.len != BX_STANZA_X25519_LEN)
			continue;

		enum bx_status status =
		    try_stanza(key, stanza.ptr, identity, public_key, header, body);

		if (status == BX_STATUS_CLEAN || status == BX_STATUS_NOMEM)
			return status;
		if (status == BX_STATUS_HEADER_AUTH)
			worst = status;
	}
	return worst;
}

enum bx_status
bx_head_unlock(struct bx_segment_key **key, const uint8_t header[static 128], struct bx_span body,
	       const uint8_t *const *identities, size_t identity_count, uint64_t offset,
	       struct bx_fault *fault)
{
	enum bx_status worst = BX_STATUS_NO_KEY;

	for (size_t i = 0; i < identity_count; i++) {
		enum bx_status status = try_identity(key, identities[i], header, body);

		if (status == BX_STATUS_CLEAN)
			return status;
		if (status == BX_STATUS_NOMEM)
			return bx_status_set(fault, status, offset, "no memory for keys");
		if (status == BX_STATUS_HEADER_AUTH)
			worst = status;
	}
	return bx_status_set(fault, worst, offset,
			     worst == BX_STATUS_HEADER_AUTH
				 ? "HEAD is not what its writer committed to"
				 : "no identity opens this segment");
}

bool
bx_head_stanza(uint8_t stanza[static 80], const uint8_t fk[static 32],
	       const uint8_t recipient[static 32], const uint8_t ephemeral[static 32])
{
	crypto_generichash_state state;
	uint8_t nonce[crypto_box_NONCEBYTES];

	/* crypto_box_seal, with the ephemeral key given: nonce = BLAKE2b-192(epk || recipient). */
	if (crypto_scalarmult_base(stanza, ephemeral) != 0)
		return false;
	(void)crypto_generichash_init(&state, NULL, 0, sizeof(nonce));
	(void)crypto_generichash_update(&state, stanza, 32);
	(void)crypto_generichash_update(&state, recipient, 32);
	(void)crypto_generichash_final(&state, nonce, sizeof(nonce));
	return crypto_box_easy(stanza + 32, fk, 32, nonce, recipient, ephemeral) == 0;
}

size_t
bx_head_body_len(size_t recipient_count)
{
	return BX_HEAD_FIXED_LEN + recipient_count * (STANZA_HEAD_LEN + BX_STANZA_X25519_LEN) +
	       COMMIT_LEN;
}

static void
store_fixed(uint8_t *p, const struct bx_head *head)
{
	bx_store_le16(p, MAJOR);
	p[AT_PAGE_LOG2] = PAGE_LOG2;
	p[AT_SUITE] = head->encrypted ? BX_SUITE_XCHACHA20POLY1305 : BX_SUITE_NONE;
	bx_store_le16(p + AT_STANZAS, head->stanza_count);
	bx_store_le64(p + AT_COMPAT, head->digest ? BX_FEAT_DIGEST : 0);
	bx_store_le64(p + AT_INCOMPAT, head->encrypted ? BX_FEAT_ENCRYPTED : 0);
	memcpy(p + AT_STREAM, head->stream_id, 16);
	bx_store_le64(p + AT_NO, head->segment_no);
	bx_store_le64(p + AT_TOTAL, head->segment_total);
	bx_store_le64(p + AT_CREATED, head->encrypted ? 0 : (uint64_t)head->created);
	memcpy(p + AT_PREV_ID, head->prev_segment_id, 16);
	bx_store_le64(p + AT_PREV_BLOCKS, head->prev_blocks);
	memcpy(p + AT_PREV_LINK, head->prev_link, 32);
}

bool
bx_head_store(uint8_t *block, const struct bx_head *head, const struct bx_segment_key *key,
	      const uint8_t *fk, const uint8_t (*recipients)[32], size_t recipient_count,
	      struct bx_random random, size_t *bad)
{
	size_t len = bx_head_body_len(recipient_count);
	uint8_t *body = block + BX_HEADER_LEN;
	uint8_t *stanza = body + BX_HEAD_FIXED_LEN;
	struct bx_block_header h = { .type = BX_BLOCK_HEAD, .body_len = (uint32_t)len };

	memset(body, 0, len);
	store_fixed(body, head);
	for (size_t i = 0; i < recipient_count; i++) {
		uint8_t ephemeral[32];

		random.fill(random.context, ephemeral, sizeof(ephemeral));
		bx_store_le16(stanza, BX_STANZA_X25519);
		bx_store_le16(stanza + 2, BX_STANZA_X25519_LEN);

		bool ok = bx_head_stanza(stanza + STANZA_HEAD_LEN, fk, recipients[i], ephemeral);

		sodium_memzero(ephemeral, sizeof(ephemeral));
		if (!ok) {
			*bad = i;
			return false;
		}
		stanza += STANZA_HEAD_LEN + BX_STANZA_X25519_LEN;
	}
	memcpy(h.segment_id, head->segment_id, 16);
	bx_block_header_store(&h, block);
	if (key != NULL)
		bx_segment_key_commit(key, block, (struct bx_span){ body, len - COMMIT_LEN },
				      stanza);
	h.body_crc = bx_crc32c(0, (struct bx_span){ body, len });
	bx_block_header_store(&h, block);
	return true;
}
