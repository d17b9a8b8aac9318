#include "archive/digest.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/writer.h"

enum { ALG_NONE = 0, ALG_ED25519 = 1, AT_SIGNER = 8, AT_SIGNATURE = 40 };

static_assert(AT_SIGNATURE + crypto_sign_BYTES == BX_SIG_LEN, "algorithm, key, signature");

static const char head_label[16] = "boxcar-v1 head";
static const char labels[2][16] = {
	[BX_DIGEST_INDEX] = "boxcar-v1 indx",
	[BX_DIGEST_TAIL] = "boxcar-v1 tail",
};

static void
hash_two(uint8_t out[static 32], const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, 32);
	(void)crypto_generichash_update(&state, a, a_len);
	(void)crypto_generichash_update(&state, b, b_len);
	(void)crypto_generichash_final(&state, out, 32);
}

void
bx_digest_body(struct bx_span body, uint8_t digest[static 32])
{
	(void)crypto_generichash(digest, 32, body.ptr, body.len, NULL, 0);
}

void
bx_digest_block(const uint8_t header[static 128], const uint8_t body_digest[static 32],
		uint8_t d[static 32])
{
	hash_two(d, header, BX_HEADER_LEN, body_digest, 32);
}

void
bx_digest_chain_add(struct bx_digest_chain *chain, const uint8_t d[static 32])
{
	if (chain->begun)
		hash_two(chain->r, chain->r, 32, d, 32);
	else
		memcpy(chain->r, d, 32);
	chain->begun = true;
}

void
bx_digest_link(const uint8_t header[static 128], uint8_t link[static 32])
{
	(void)crypto_generichash(link, 32, header, BX_HEADER_LEN, NULL, 0);
}

static void
sign(uint8_t sig[static 104], const uint8_t *message, size_t len, const uint8_t *secret)
{
	memset(sig, 0, BX_SIG_LEN);
	sig[0] = ALG_ED25519;
	(void)crypto_sign_ed25519_sk_to_pk(sig + AT_SIGNER, secret);
	(void)crypto_sign_detached(sig + AT_SIGNATURE, NULL, message, len, secret);
}

static bool
verify(const uint8_t sig[static 104], const uint8_t *message, size_t len)
{
	return sig[0] == ALG_ED25519 &&
	       crypto_sign_verify_detached(sig + AT_SIGNATURE, message, len, sig + AT_SIGNER) == 0;
}

void
bx_digest_sign_head(uint8_t sig[static 104], const uint8_t d0[static 32],
		    const uint8_t secret[static 64])
{
	uint8_t message[48];

	memcpy(message, head_label, 16);
	memcpy(message + 16, d0, 32);
	sign(sig, message, sizeof(message), secret);
}

bool
bx_digest_verify_head(const uint8_t sig[static 104], const uint8_t d0[static 32])
{
	uint8_t message[48];

	memcpy(message, head_label, 16);
	memcpy(message + 16, d0, 32);
	return verify(sig, message, sizeof(message));
}

static void
make_message(uint8_t message[static 72], struct bx_span inner, size_t sig_at,
	     enum bx_digest_kind kind, const uint8_t *segment_id, uint64_t seq)
{
	static const uint8_t none[BX_SIG_LEN] = { 0 };
	crypto_generichash_state state;
	size_t after = sig_at + BX_SIG_LEN;

	assert(after <= inner.len);
	(void)crypto_generichash_init(&state, NULL, 0, 32);
	(void)crypto_generichash_update(&state, inner.ptr, sig_at);
	(void)crypto_generichash_update(&state, none, sizeof(none));
	(void)crypto_generichash_update(&state, inner.ptr + after, inner.len - after);
	memcpy(message, labels[kind], 16);
	memcpy(message + 16, segment_id, 16);
	bx_store_le64(message + 32, seq);
	(void)crypto_generichash_final(&state, message + 40, 32);
}

void
bx_digest_sign(uint8_t *inner, size_t inner_len, size_t sig_at, enum bx_digest_kind kind,
	       const uint8_t segment_id[static 16], uint64_t seq, const uint8_t secret[static 64])
{
	uint8_t message[72];

	make_message(message, (struct bx_span){ inner, inner_len }, sig_at, kind, segment_id, seq);
	sign(inner + sig_at, message, sizeof(message), secret);
}

bool
bx_digest_verify(struct bx_span inner, size_t sig_at, enum bx_digest_kind kind,
		 const uint8_t segment_id[static 16], uint64_t seq)
{
	uint8_t message[72];

	make_message(message, inner, sig_at, kind, segment_id, seq);
	return verify(inner.ptr + sig_at, message, sizeof(message));
}
