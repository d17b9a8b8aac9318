/* A secret key wrapped with a passphrase: Argon2id and XChaCha20-Poly1305. Bytes in, bytes out. */
#ifndef BX_ARCHIVE_IDENTITY_H
#define BX_ARCHIVE_IDENTITY_H

#include <stdbool.h>

#include "archive/random.h"
#include "boxcar/fail.h"

/*
 * Layout (docs/format.md "Identity files"), 176 bytes, little-endian:
 *   0   8  magic 89 "BXI" 0D 0A 1A 0A
 *   8   1  version 1        9  1  kind        10  1  kdf 1 = Argon2id13     11  1  zero
 *  12   4  opslimit        16  8  memlimit, bytes
 *  24  16  salt            40  24 nonce       64  32 public key
 *  96  32  commitment: BLAKE2b-256(key = K, "boxcar-v1 identity" || bytes 0..96)
 * 128  48  XChaCha20-Poly1305-IETF(K, nonce, AD = bytes 0..128, secret key) with its tag
 */
#define BX_IDENTITY_LEN 176u

enum bx_identity_kind {
	BX_IDENTITY_ARCHIVE = 1, /* X25519 */
	BX_IDENTITY_SIGNING = 2, /* Ed25519 seed */
};

struct bx_identity_cost {
	uint32_t ops;
	uint64_t mem; /* bytes */
};
#define BX_IDENTITY_MODERATE ((struct bx_identity_cost){ 3, 256ull << 20 })
#define BX_IDENTITY_SENSITIVE ((struct bx_identity_cost){ 4, 1024ull << 20 })
/* Reading accepts at most this, unless the user raises it: the numbers come from a file. */
#define BX_IDENTITY_COST_MAX ((struct bx_identity_cost){ 10, 4096ull << 20 })

bool bx_identity_is(struct bx_span bytes);

/* `public` is of the secret. `secret` must be in guarded memory; nothing else keeps it. */
enum bx_err bx_identity_wrap(uint8_t out[static BX_IDENTITY_LEN], enum bx_identity_kind kind,
			     const uint8_t secret[static 32], const uint8_t public_key[static 32],
			     struct bx_span passphrase, struct bx_identity_cost cost,
			     struct bx_random random, struct bx_fail *fail) BX_MUST_USE;

/*
 * BX_ERR_FORMAT: not such a file; BX_ERR_USAGE: another kind of key; BX_ERR_LIMIT: asks for more
 * than `max`; BX_ERR_AUTH: wrong passphrase or damaged; BX_ERR_NOMEM. `secret` and `public_key`
 * are set only on success.
 */
enum bx_err bx_identity_unwrap(uint8_t secret[static 32], uint8_t public_key[static 32],
			       struct bx_span bytes, enum bx_identity_kind kind,
			       struct bx_span passphrase, struct bx_identity_cost max,
			       struct bx_fail *fail) BX_MUST_USE;

#endif
