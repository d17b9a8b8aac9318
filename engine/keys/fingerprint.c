#include "keys/fingerprint.h"

#include <sodium.h>

void
bx_fingerprint_bytes(struct bx_span bytes, uint8_t out[static BX_FINGERPRINT_LEN])
{
	(void)crypto_generichash(out, BX_FINGERPRINT_LEN, bytes.ptr, bytes.len, NULL, 0);
}

static void
add_key(crypto_generichash_state *state, const struct bx_key *key)
{
	struct bx_span uri = bx_key_uri(key);
	uint64_t len = uri.len;
	uint8_t roles[2] = { bx_key_has_role(key, BX_ROLE_RESPONDER),
			     bx_key_has_role(key, BX_ROLE_ORIGINATOR) };
	const uint8_t *shared = bx_key_shared(key);

	(void)crypto_generichash_update(state, (const uint8_t *)&len, sizeof(len));
	(void)crypto_generichash_update(state, uri.ptr, uri.len);
	(void)crypto_generichash_update(state, roles, sizeof(roles));
	if (shared != NULL)
		(void)crypto_generichash_update(state, shared, 32);
}

void
bx_fingerprint_ring(const struct bx_keyring *ring, uint8_t out[static BX_FINGERPRINT_LEN])
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, BX_FINGERPRINT_LEN);
	for (size_t i = 0; i < bx_keyring_count(ring); i++)
		add_key(&state, bx_keyring_at(ring, i));
	(void)crypto_generichash_final(&state, out, BX_FINGERPRINT_LEN);
	sodium_memzero(&state, sizeof(state));
}
