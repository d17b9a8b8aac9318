/* WAMP cryptobox keyrings: which key seals and opens which URI, as Autobahn's KeyRing does. */
#ifndef BOXCAR_KEYRING_H
#define BOXCAR_KEYRING_H

#include <stdbool.h>

#include "boxcar/fail.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Format: cli.md "Keyring file". A ring is immutable after it is made and may be read from any
 * thread. All key bytes live in guarded, locked, non-dumpable memory and are wiped by free.
 */
struct bx_keyring;

/* One entry, owned by its ring. */
struct bx_key;

/* Autobahn's is_originating: true = ORIGINATOR. EITHER: any entry with a shared key (opening). */
enum bx_role { BX_ROLE_RESPONDER = 0, BX_ROLE_ORIGINATOR = 1, BX_ROLE_EITHER = 2 };

enum bx_key_match {
	BX_KEY_FOUND,
	BX_KEY_NONE,    /* no entry is a prefix of the URI, and there is no default */
	BX_KEY_NO_ROLE, /* the longest entry lacks the role; shorter ones are not tried (spec 2.4)
			 */
};

/*
 * From the text of a keyring file. `name` is used in messages only. BX_ERR_USAGE: not such a file,
 * with the place and the member. Borrows both for the call. The text is read in place (not with
 * jansson): no copy of a key is made outside guarded memory, and no process-wide allocator is set.
 */
BX_PUBLIC enum bx_err bx_keyring_parse(struct bx_keyring **ring, struct bx_span json,
				       const char *name, struct bx_fail *fail) BX_MUST_USE;

/*
 * Reads a file: regular, no symlink, owned by the user or root, mode without group and world bits
 * (decisions.md 3), else BX_ERR_USAGE with the hint "chmod 600 FILE". With `allow_lax_modes` the
 * mode is not checked; *was_lax (may be NULL) tells whether it would have failed.
 */
BX_PUBLIC enum bx_err bx_keyring_load(struct bx_keyring **ring, const char *path,
				      bool allow_lax_modes, bool *was_lax,
				      struct bx_fail *fail) BX_MUST_USE;

BX_PUBLIC void bx_keyring_free(struct bx_keyring *ring);

/*
 * Longest entry that is a per-character prefix of `uri`, else the default; then the role. *key is
 * set when FOUND; on NO_ROLE it is the entry that matched, else NULL.
 */
BX_PUBLIC enum bx_key_match bx_keyring_find(const struct bx_keyring *ring, struct bx_span uri,
					    enum bx_role role, const struct bx_key **key);

/* Entries in file order, the default (if any) last. */
BX_PUBLIC size_t bx_keyring_count(const struct bx_keyring *ring);
BX_PUBLIC const struct bx_key *bx_keyring_at(const struct bx_keyring *ring, size_t index);

/* False: the limit for locked memory (ulimit -l) is too low, so keys might be swapped out. */
BX_PUBLIC bool bx_keyring_is_locked(const struct bx_keyring *ring);

/* The entry's URI prefix; "" for the default. Lives as long as the ring. */
BX_PUBLIC struct bx_span bx_key_uri(const struct bx_key *key);

/* The 32-byte shared key (crypto_box_beforenm); the same for both roles. NULL: not computable. */
BX_PUBLIC const uint8_t *bx_key_shared(const struct bx_key *key);
BX_PUBLIC bool bx_key_has_role(const struct bx_key *key, enum bx_role role);
BX_PUBLIC bool bx_key_is_string(const struct bx_key *key); /* one private key for both roles */

/* Public keys of the sides, 32 bytes; given, or derived from the private ones. */
BX_PUBLIC const uint8_t *bx_key_originator_pub(const struct bx_key *key);
BX_PUBLIC const uint8_t *bx_key_responder_pub(const struct bx_key *key);

/* Names the key in public: hex BLAKE2b-128("boxcar-kid" || originator_pub || responder_pub). */
#define BX_KEY_ID_CAP 33
BX_PUBLIC void bx_key_id(const struct bx_key *key, char *id);

#ifdef __cplusplus
}
#endif

#endif
