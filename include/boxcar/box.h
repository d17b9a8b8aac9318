/* crypto_box on many messages at once, byte-identical with libsodium's crypto_box_easy_afternm. */
#ifndef BOXCAR_BOX_H
#define BOXCAR_BOX_H

#include <stdbool.h>

#include "boxcar/fail.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NaCl "crypto_box": X25519 + HSalsa20 (key), XSalsa20 (stream), Poly1305 (tag). */
#define BX_BOX_KEY_LEN 32u
#define BX_BOX_NONCE_LEN 24u
#define BX_BOX_TAG_LEN 16u

/*
 * One message. `key` is the shared key of 32 bytes (crypto_box_beforenm), `nonce` 24 bytes.
 * seal: reads in[0..len), writes out[0..16) tag and out[16..16+len) ciphertext.
 * open: reads in[0..16) tag and in[16..16+len) ciphertext, writes out[0..len) plaintext, sets `ok`.
 *       A message that does not verify leaves its `out` untouched.
 * In place is allowed only where the text does not move: seal with out + 16 == in, open with
 * out == in + 16. Apart from that an item's out overlaps nothing, its own nonce included. `len` may
 * be 0.
 */
struct bx_box_item {
	const uint8_t *key;
	const uint8_t *nonce;
	const uint8_t *in;
	uint8_t *out;
	size_t len;
	bool ok;
};

struct bx_box_kernel;

/* Names of the kernels, widest first: "avx512", "avx2", "portable". NULL past the end. */
BX_PUBLIC const char *bx_box_kernel_name_at(size_t index);

/* Told of every kernel that is not used: its name and why ("the CPU lacks ifma", "self-test
 * failed"). */
typedef void (*bx_box_refused_fn)(void *context, const char *kernel, const char *why);

/*
 * Chooses a kernel: by `name`, or the widest that this CPU has when name is NULL or "auto". Every
 * candidate proves itself against libsodium first. A kernel asked for by name that cannot run is
 * BX_ERR_USAGE. `refused` may be NULL. The result is static and may be used from any thread.
 */
BX_PUBLIC enum bx_err bx_box_pick(const struct bx_box_kernel **kernel, const char *name,
				  bx_box_refused_fn refused, void *context,
				  struct bx_fail *fail) BX_MUST_USE;

BX_PUBLIC const char *bx_box_kernel_name(const struct bx_box_kernel *kernel);

/*
 * Any count, lengths, keys and nonces; consecutive items that share key and the first 16 nonce
 * bytes cost one HSalsa20 between them. Never allocates; leaves no secret on its stack.
 */
BX_PUBLIC void bx_box_seal_many(const struct bx_box_kernel *kernel, struct bx_box_item *items,
				size_t count);
BX_PUBLIC void bx_box_open_many(const struct bx_box_kernel *kernel, struct bx_box_item *items,
				size_t count);

/*
 * X25519 + HSalsa20: the shared key of a secret and a public key. False: the public key is of low
 * order (all-zero result), `shared` is wiped.
 */
BX_PUBLIC bool bx_box_shared_key(uint8_t shared[32], const uint8_t secret[32],
				 const uint8_t public_key[32]) BX_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
