/* The keys of one keyring entry: from base64 to the shared key. */
#ifndef BX_KEYS_KEYRING_ENTRY_H
#define BX_KEYS_KEYRING_ENTRY_H

#include "keys/keyring_text.h"

/*
 * What an entry's text means. It holds secrets: it lives in guarded memory (bx_entry_keys_new) and
 * is used for one entry after the other.
 */
struct bx_entry_keys {
	uint8_t originator_priv[32];
	uint8_t originator_pub[32];
	uint8_t responder_priv[32];
	uint8_t responder_pub[32];
	uint8_t shared[32];
	uint8_t scratch[64];
	bool has_originator_priv;
	bool has_responder_priv;
	bool is_string; /* originator and responder are the same key */
};

struct bx_entry_keys *bx_entry_keys_new(void);
void bx_entry_keys_free(struct bx_entry_keys *keys);

/*
 * Decodes the parts of `entry` (which passed bx_keyring_text_read), derives the public keys and,
 * where one private key is there, the shared key. False: the problem was told. Standard base64 of
 * exactly 32 bytes (spec 2.4); white space around it is allowed. Public keys of low order are
 * refused (spec 2.2).
 */
bool bx_entry_keys_read(struct bx_entry_keys *keys, struct bx_keyring_entry *entry,
			bx_keyring_problem_fn problem, void *context);

static inline bool
bx_entry_keys_have_shared(const struct bx_entry_keys *keys)
{
	return keys->has_originator_priv || keys->has_responder_priv;
}

#endif
