#include "archive/identity.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/cursor.h"
#include "base/writer.h"

#define MAGIC                                                                                      \
	"\x89"                                                                                     \
	"BXI\r\n\x1a\n"

enum {
	AT_VERSION = 8,
	AT_KIND = 9,
	AT_KDF = 10,
	AT_OPS = 12,
	AT_MEM = 16,
	AT_SALT = 24,
	AT_NONCE = 40,
	AT_PUBLIC = 64,
	AT_COMMIT = 96,
	AT_BOX = 128,
	BOX_LEN = 48,
	VERSION = 1,
	KDF_ARGON2ID13 = 1,
};

static_assert(AT_BOX + BOX_LEN == BX_IDENTITY_LEN, "layout");
static_assert(crypto_pwhash_SALTBYTES == AT_NONCE - AT_SALT, "salt field");
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == AT_PUBLIC - AT_NONCE, "nonce field");
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES + 32 == BOX_LEN, "box field");

static const char commit_label[] = "boxcar-v1 identity";

bool
bx_identity_is(struct bx_span bytes)
{
	return bytes.len == BX_IDENTITY_LEN && memcmp(bytes.ptr, MAGIC, 8) == 0;
}

/* The wrapping key, in guarded memory. NULL: no memory, Argon2id's included. */
static uint8_t *
stretch(const uint8_t *file, struct bx_span passphrase)
{
	uint8_t *key = sodium_init() < 0 ? NULL : sodium_malloc(32);

	if (key == NULL)
		return NULL;
	if (crypto_pwhash(key, 32, (const char *)passphrase.ptr, passphrase.len, file + AT_SALT,
			  bx_load_le32(file + AT_OPS), (size_t)bx_load_le64(file + AT_MEM),
			  crypto_pwhash_ALG_ARGON2ID13) != 0) {
		sodium_free(key);
		return NULL;
	}
	return key;
}

/* Binds the file to one key: without it a file could open under two passphrases. */
static void
commit_to(uint8_t commit[static 32], const uint8_t *key, const uint8_t *file)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, key, 32, 32);
	(void)crypto_generichash_update(&state, (const uint8_t *)commit_label,
					sizeof(commit_label) - 1);
	(void)crypto_generichash_update(&state, file, AT_COMMIT);
	(void)crypto_generichash_final(&state, commit, 32);
	sodium_memzero(&state, sizeof(state));
}

static bool
cost_is_valid(struct bx_identity_cost cost)
{
	return cost.ops >= crypto_pwhash_OPSLIMIT_MIN && cost.mem >= crypto_pwhash_MEMLIMIT_MIN &&
	       cost.mem <= crypto_pwhash_MEMLIMIT_MAX;
}

enum bx_err
bx_identity_wrap(uint8_t out[static BX_IDENTITY_LEN], enum bx_identity_kind kind,
		 const uint8_t secret[static 32], const uint8_t public_key[static 32],
		 struct bx_span passphrase, struct bx_identity_cost cost, struct bx_random random,
		 struct bx_fail *fail)
{
	uint8_t file[BX_IDENTITY_LEN] = { 0 };
	uint8_t *key;

	if (!cost_is_valid(cost) || passphrase.len > crypto_pwhash_PASSWD_MAX)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "Argon2id does not take this cost or passphrase");
	memcpy(file, MAGIC, 8);
	file[AT_VERSION] = VERSION;
	file[AT_KIND] = (uint8_t)kind;
	file[AT_KDF] = KDF_ARGON2ID13;
	bx_store_le32(file + AT_OPS, cost.ops);
	bx_store_le64(file + AT_MEM, cost.mem);
	random.fill(random.context, file + AT_SALT, AT_NONCE - AT_SALT);
	random.fill(random.context, file + AT_NONCE, AT_PUBLIC - AT_NONCE);
	memcpy(file + AT_PUBLIC, public_key, 32);
	key = stretch(file, passphrase);
	if (key == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE,
				   "no memory for the passphrase (Argon2id)");
	commit_to(file + AT_COMMIT, key, file);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(file + AT_BOX, NULL, secret, 32, file,
							 AT_BOX, NULL, file + AT_NONCE, key);
	sodium_free(key);
	memcpy(out, file, BX_IDENTITY_LEN);
	return BX_OK;
}

static enum bx_err
check(const uint8_t *file, enum bx_identity_kind kind, struct bx_identity_cost max,
      struct bx_fail *fail)
{
	struct bx_identity_cost cost = { bx_load_le32(file + AT_OPS), bx_load_le64(file + AT_MEM) };

	if (file[AT_VERSION] != VERSION || file[AT_KDF] != KDF_ARGON2ID13)
		return bx_fail_set(fail, BX_ERR_UNSUPPORTED, 0, BX_NOWHERE,
				   "an identity file of a version that is not known");
	if (file[AT_KIND] != (uint8_t)kind)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "this file holds a key for another purpose");
	if (cost.ops > max.ops || cost.mem > max.mem)
		return bx_fail_set(fail, BX_ERR_LIMIT, 0, BX_NOWHERE,
				   "the identity file asks for %u passes and %llu MiB of memory",
				   cost.ops, (unsigned long long)(cost.mem >> 20));
	if (file[AT_KDF + 1] != 0 || !cost_is_valid(cost))
		return bx_fail_set(fail, BX_ERR_FORMAT, 0, BX_NOWHERE,
				   "the identity file is damaged");
	return BX_OK;
}

enum bx_err
bx_identity_unwrap(uint8_t secret[static 32], uint8_t public_key[static 32], struct bx_span bytes,
		   enum bx_identity_kind kind, struct bx_span passphrase,
		   struct bx_identity_cost max, struct bx_fail *fail)
{
	const uint8_t *file = bytes.ptr;
	uint8_t commit[32];
	enum bx_err err;
	uint8_t *key;
	bool good;

	if (!bx_identity_is(bytes))
		return bx_fail_set(fail, BX_ERR_FORMAT, 0, BX_NOWHERE, "this is no identity file");
	err = check(file, kind, max, fail);
	if (err != BX_OK)
		return err;
	key = stretch(file, passphrase);
	if (key == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE,
				   "no memory for the passphrase (Argon2id)");
	commit_to(commit, key, file);
	good =
	    sodium_memcmp(commit, file + AT_COMMIT, 32) == 0 &&
	    crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, file + AT_BOX, BOX_LEN,
						       file, AT_BOX, file + AT_NONCE, key) == 0;
	sodium_free(key);
	if (!good)
		return bx_fail_set(fail, BX_ERR_AUTH, 0, BX_NOWHERE,
				   "the passphrase does not fit, or the identity file is damaged");
	memcpy(public_key, file + AT_PUBLIC, 32);
	return BX_OK;
}
