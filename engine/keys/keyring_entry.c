#include "keys/keyring_entry.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_reader.h"

static_assert(crypto_box_BEFORENMBYTES == 32 && crypto_box_PUBLICKEYBYTES == 32 &&
		  crypto_box_SECRETKEYBYTES == 32 && crypto_scalarmult_BYTES == 32,
	      "X25519 keys are 32 bytes");

/* Characters of base64 of 32 bytes. */
#define KEY_TEXT_LEN 44u

/* libsodium's X25519 leaves field elements on the stack; this is more than it uses. */
#define STACK_USED 8192u

struct bx_entry_keys *
bx_entry_keys_new(void)
{
	struct bx_entry_keys *keys = sodium_malloc(sizeof(*keys));

	if (keys != NULL)
		sodium_memzero(keys, sizeof(*keys));
	return keys;
}

void
bx_entry_keys_free(struct bx_entry_keys *keys)
{
	sodium_free(keys);
}

static void BX_PRINTF(4, 5) tell(bx_keyring_problem_fn problem, void *context,
				 struct bx_keyring_entry *entry, const char *fmt, ...)
{
	char message[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	entry->is_bad = true;
	problem(context, BX_FINDING_BAD_KEY, entry, entry->whole.ptr, message);
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bx_span
trimmed(struct bx_span text)
{
	while (text.len != 0 && is_space(text.ptr[0])) {
		text.ptr++;
		text.len--;
	}
	while (text.len != 0 && is_space(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

/*
 * `raw` is JSON string text. Escapes ("\/", "\n") are taken out first, into the scratch, in pieces
 * that fit: white space of any length may stand around the key.
 */
static bool
decode(uint8_t *scratch, struct bx_span raw, uint8_t out[static 32])
{
	struct bx_span text = trimmed(raw);
	size_t len = 0;
	const char *end = NULL;

	if (text.len != KEY_TEXT_LEN || memchr(text.ptr, '\\', text.len) != NULL) {
		size_t used = 0;
		struct bx_cursor c = bx_cursor_over(text);

		/* No more than one character at a time: an escape, or a byte. */
		while (bx_left(&c) != 0) {
			const size_t unit = c.at[0] != '\\'                     ? 1
					    : bx_left(&c) > 1 && c.at[1] == 'u' ? 6
										: 2;
			uint8_t character[4];
			struct bx_writer w = bx_writer_over(character, sizeof(character));

			if (c.at[0] >= 0x80 || !bx_json_text(bx_take(&c, unit), &w) ||
			    bx_written(&w) != 1)
				return false;
			if (is_space(character[0]) && (used == 0 || used == KEY_TEXT_LEN))
				continue;
			if (used == KEY_TEXT_LEN)
				return false;
			scratch[used++] = character[0];
		}
		text = (struct bx_span){ scratch, used };
	}
	return sodium_base642bin(out, 32, (const char *)text.ptr, text.len, NULL, &len, &end,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       len == 32 && end == (const char *)text.ptr + text.len;
}

/* X25519; false: the result is all zero, as `pub` is of low order. */
static bool
exchange(uint8_t out[static 32], const uint8_t priv[static 32], const uint8_t pub[static 32])
{
	return crypto_scalarmult(out, priv, pub) == 0;
}

/* One side: its private key, its public key, or both if they agree. */
static bool
read_side(struct bx_entry_keys *keys, struct bx_keyring_entry *entry, enum bx_entry_part priv_part,
	  uint8_t *priv, uint8_t *pub, bool *has_priv, bx_keyring_problem_fn problem, void *context)
{
	const struct bx_span priv_text = entry->parts[priv_part];
	const struct bx_span pub_text = entry->parts[priv_part + 1];
	const char *priv_name = bx_keyring_text_part_name(priv_part);
	const char *pub_name = bx_keyring_text_part_name(priv_part + 1);
	uint8_t *derived = keys->scratch;

	*has_priv = priv_text.ptr != NULL;
	if (*has_priv) {
		if (!decode(keys->scratch, priv_text, priv)) {
			tell(problem, context, entry, "%s is not base64 of 32 bytes", priv_name);
			return false;
		}
		(void)crypto_scalarmult_base(derived, priv);
		memcpy(pub, derived, 32);
	}
	if (pub_text.ptr == NULL)
		return true;

	uint8_t given[32];

	if (!decode(keys->scratch, pub_text, given)) {
		tell(problem, context, entry, "%s is not base64 of 32 bytes", pub_name);
		return false;
	}
	if (*has_priv && memcmp(given, pub, 32) != 0) {
		tell(problem, context, entry, "%s is not the public key of %s", pub_name,
		     priv_name);
		return false;
	}
	memcpy(pub, given, 32);
	/* Any private key will do: a multiple of eight takes a low-order point to zero. */
	if (!*has_priv && !exchange(keys->scratch, (const uint8_t[32]){ 8 }, given)) {
		tell(problem, context, entry, "%s is of low order", pub_name);
		return false;
	}
	return true;
}

/* crypto_box_beforenm, without its copy of the X25519 result on the stack. */
static bool
derive_shared(struct bx_entry_keys *keys)
{
	static const uint8_t zero[crypto_core_hsalsa20_INPUTBYTES] = { 0 };
	const bool done = keys->has_originator_priv
			      ? exchange(keys->scratch, keys->originator_priv, keys->responder_pub)
			      : exchange(keys->scratch, keys->responder_priv, keys->originator_pub);

	if (done)
		(void)crypto_core_hsalsa20(keys->shared, zero, keys->scratch, NULL);
	return done;
}

static bool
read_sides(struct bx_entry_keys *keys, struct bx_keyring_entry *entry,
	   bx_keyring_problem_fn problem, void *context)
{
	struct bx_keyring_entry both = *entry;

	/* "key": one private key, in both places. */
	keys->is_string = entry->parts[BX_ENTRY_KEY].ptr != NULL;
	if (keys->is_string) {
		if (!decode(keys->scratch, entry->parts[BX_ENTRY_KEY], keys->originator_priv)) {
			tell(problem, context, entry, "key is not base64 of 32 bytes");
			return false;
		}
		both.parts[BX_ENTRY_ORIGINATOR_PRIV] = entry->parts[BX_ENTRY_KEY];
		both.parts[BX_ENTRY_RESPONDER_PRIV] = entry->parts[BX_ENTRY_KEY];
	}

	const bool read =
	    read_side(keys, &both, BX_ENTRY_ORIGINATOR_PRIV, keys->originator_priv,
		      keys->originator_pub, &keys->has_originator_priv, problem, context) &&
	    read_side(keys, &both, BX_ENTRY_RESPONDER_PRIV, keys->responder_priv,
		      keys->responder_pub, &keys->has_responder_priv, problem, context);

	entry->is_bad = both.is_bad;
	if (!read || !bx_entry_keys_have_shared(keys))
		return read;
	if (!derive_shared(keys)) {
		tell(problem, context, entry, "the keys give an all-zero shared key");
		return false;
	}
	return true;
}

bool
bx_entry_keys_read(struct bx_entry_keys *keys, struct bx_keyring_entry *entry,
		   bx_keyring_problem_fn problem, void *context)
{
	sodium_memzero(keys, sizeof(*keys));

	const bool read = read_sides(keys, entry, problem, context);

	sodium_memzero(keys->scratch, sizeof(keys->scratch));
	sodium_stackzero(STACK_USED);
	return read;
}
