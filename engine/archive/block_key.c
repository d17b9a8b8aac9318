#include "archive/block_key.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/crc32c.h"

/*
 *	K_seg  = BLAKE2b-256(key = FK, "boxcar-v1 seg" 00 00 00 || segment_id)
 *	K_mac  = crypto_kdf(K_seg, 1, "boxcarv1")	K_blk = crypto_kdf(K_seg, 2, "boxcarv1")
 *	K_seq  = crypto_kdf(K_blk, seq, "boxblock")
 */
struct bx_segment_key {
	uint8_t mac[32];
	uint8_t blk[32];
};

static_assert(crypto_kdf_KEYBYTES == 32, "K_blk is a KDF key");
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32, "K_seq is an AEAD key");
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == 24, "nonce field");
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == 16, "tag field");

static const char segment_label[16] = "boxcar-v1 seg";
static const char segment_context[crypto_kdf_CONTEXTBYTES] = { 'b', 'o', 'x', 'c',
							       'a', 'r', 'v', '1' };
static const char block_context[crypto_kdf_CONTEXTBYTES] = {
	'b', 'o', 'x', 'b', 'l', 'o', 'c', 'k'
};

void
bx_block_key_wipe(struct bx_block_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

struct bx_segment_key *
bx_segment_key_new(const uint8_t fk[static 32], const uint8_t segment_id[static 16])
{
	struct bx_segment_key *key;
	uint8_t message[32];
	uint8_t seg[32];

	/* Guarded memory needs it; a no-op after the first time. */
	if (sodium_init() < 0)
		return NULL;
	key = sodium_malloc(sizeof(*key));
	if (key == NULL)
		return NULL;
	memcpy(message, segment_label, 16);
	memcpy(message + 16, segment_id, 16);
	(void)crypto_generichash(seg, sizeof(seg), message, sizeof(message), fk, 32);
	(void)crypto_kdf_derive_from_key(key->mac, 32, 1, segment_context, seg);
	(void)crypto_kdf_derive_from_key(key->blk, 32, 2, segment_context, seg);
	sodium_memzero(seg, sizeof(seg));
	(void)sodium_mprotect_readonly(key);
	return key;
}

void
bx_segment_key_free(struct bx_segment_key *key)
{
	sodium_free(key);
}

void
bx_segment_key_block(const struct bx_segment_key *key, uint64_t seq, struct bx_block_key *out)
{
	out->encrypted = true;
	(void)crypto_kdf_derive_from_key(out->key, 32, seq, block_context, key->blk);
}

void
bx_segment_key_commit(const struct bx_segment_key *key, const uint8_t header[static 128],
		      struct bx_span body, uint8_t commit[static 32])
{
	crypto_generichash_state state;
	uint8_t ad[BX_HEADER_LEN];

	/* HEAD has neither nonce nor tag, so its AD is its header with both CRCs and hints 0. */
	bx_block_header_ad(header, ad);
	(void)crypto_generichash_init(&state, key->mac, 32, 32);
	(void)crypto_generichash_update(&state, ad, sizeof(ad));
	(void)crypto_generichash_update(&state, body.ptr, body.len);
	(void)crypto_generichash_final(&state, commit, 32);
	sodium_memzero(&state, sizeof(state));
}

void
bx_block_key_seal(const struct bx_block_key *key, struct bx_block_header *h, uint8_t *body)
{
	uint8_t stored[BX_HEADER_LEN];
	uint8_t ad[BX_HEADER_LEN];

	assert(key->encrypted);
	bx_block_header_store(h, stored);
	bx_block_header_ad(stored, ad);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
	    body, h->tag, NULL, body, h->body_len, ad, sizeof(ad), NULL, h->nonce, key->key);
}

void
bx_block_key_finish(const struct bx_block_key *key, struct bx_block_header *h, uint8_t *block,
		    size_t total)
{
	uint8_t *body = block + BX_HEADER_LEN;

	if (key->encrypted) {
		h->flags |= BX_BLOCK_ENCRYPTED;
		h->suite = BX_SUITE_XCHACHA20POLY1305;
		h->body_len = (uint32_t)(total - BX_HEADER_LEN);
		bx_block_key_seal(key, h, body);
	} else {
		memset(h->nonce, 0, sizeof(h->nonce));
	}
	h->body_crc = bx_crc32c(0, (struct bx_span){ body, h->body_len });
	bx_block_header_store(h, block);
}

bool
bx_block_key_open(const struct bx_block_key *key, const uint8_t header[static 128],
		  struct bx_span body, uint8_t *out)
{
	uint8_t ad[BX_HEADER_LEN];
	const uint8_t *nonce = header + 48;
	const uint8_t *tag = header + 72;

	assert(key->encrypted);
	bx_block_header_ad(header, ad);
	/* libsodium verifies the tag over the whole body before it decrypts a byte. */
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
		   out, NULL, body.ptr, body.len, tag, ad, sizeof(ad), nonce, key->key) == 0;
}

void
bx_block_key_mac(const struct bx_block_key *key, const uint8_t header[static 128],
		 struct bx_span body, uint8_t tag[static 16])
{
	crypto_generichash_state state;
	uint8_t ad[BX_HEADER_LEN];

	bx_block_header_ad(header, ad);
	(void)crypto_generichash_init(&state, key->key, 32, 16);
	(void)crypto_generichash_update(&state, ad, sizeof(ad));
	(void)crypto_generichash_update(&state, body.ptr, body.len);
	(void)crypto_generichash_final(&state, tag, 16);
	sodium_memzero(&state, sizeof(state));
}
