#include <assert.h>
#include <sodium.h>

#include "base/key_text.h"
#include "boxcar/keyring_edit.h"

static_assert(crypto_sign_SEEDBYTES == 32 && crypto_sign_PUBLICKEYBYTES == 32,
	      "Ed25519 seeds and public keys are 32 bytes");

static void
put_bech32(char text[static BX_KEYGEN_TEXT_CAP], const char *prefix, const uint8_t bytes[static 32],
	   bool upper)
{
	struct bx_writer w = bx_writer_over((uint8_t *)text, BX_KEYGEN_TEXT_CAP - 1);

	bx_bech32_encode(&w, prefix, (struct bx_span){ bytes, 32 }, upper);
	assert(!w.full);
	*w.at = '\0';
}

static void
put_base64(char text[static BX_KEYGEN_TEXT_CAP], const uint8_t bytes[static 32])
{
	(void)sodium_bin2base64(text, BX_KEYGEN_TEXT_CAP, bytes, 32,
				sodium_base64_VARIANT_ORIGINAL);
}

/* keys[0..32) secret, [32..64) public, [64..128) room for Ed25519's long form of the secret. */
static void
make(struct bx_keygen_pair *pair, enum bx_keygen kind, uint8_t keys[static 128])
{
	uint8_t *secret = keys, *public_key = keys + 32;

	randombytes_buf(secret, 32);
	if (kind == BX_KEYGEN_SIGN)
		(void)crypto_sign_seed_keypair(public_key, keys + 64, secret);
	else
		(void)crypto_scalarmult_base(public_key, secret);
	if (kind == BX_KEYGEN_CRYPTOBOX) {
		put_base64(pair->secret, secret);
		put_base64(pair->public_key, public_key);
	} else if (kind == BX_KEYGEN_SIGN) {
		put_bech32(pair->secret, BX_KEY_TEXT_SIGN_SEED, secret, true);
		put_bech32(pair->public_key, BX_KEY_TEXT_SIGNER, public_key, false);
	} else {
		put_bech32(pair->secret, BX_KEY_TEXT_IDENTITY, secret, true);
		put_bech32(pair->public_key, BX_KEY_TEXT_RECIPIENT, public_key, false);
	}
}

enum bx_err
bx_keygen_make(struct bx_keygen_pair *pair, enum bx_keygen kind, struct bx_fail *fail)
{
	if (sodium_init() < 0)
		return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "libsodium cannot start");

	uint8_t *keys = sodium_malloc(128);

	if (keys == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for a key");
	make(pair, kind, keys);
	sodium_free(keys);
	sodium_stackzero(8192);
	return BX_OK;
}

void
bx_keygen_wipe(void *bytes, size_t len)
{
	sodium_memzero(bytes, len);
}

void
bx_key_base64(const uint8_t *public_key, char *text)
{
	(void)sodium_bin2base64(text, BX_KEY_BASE64_CAP, public_key, 32,
				sodium_base64_VARIANT_ORIGINAL);
}
