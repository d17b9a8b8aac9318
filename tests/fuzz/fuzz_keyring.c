/*
 * Keyring files: parse, look up, check and edit. What is parsed must be found by its own URIs,
 * check must call exactly the refused files bad, and an edit must change nothing else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boxcar/keyring.h"
#include "boxcar/keyring_edit.h"

/* X25519 takes 0.1 ms an entry: longer lists only make the fuzzer slow. */
#define MOST 4096u

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
note_bad(void *context, const struct bx_finding *f)
{
	bool *bad = context;

	*bad |= f->kind <= BX_FINDING_BAD_KEY;
	require(f->message[0] != '\0' && f->line != 0);
}

static void
look_up(const struct bx_keyring *ring)
{
	for (size_t i = 0; i < bx_keyring_count(ring); i++) {
		const struct bx_key *key = bx_keyring_at(ring, i);
		const struct bx_span uri = bx_key_uri(key);
		const struct bx_key *found;
		uint8_t longer[MOST + 1];

		(void)bx_keyring_find(ring, uri, BX_ROLE_ORIGINATOR, &found);
		require(found == key);
		/* One byte more finds it, too, or an entry that is longer still. */
		if (uri.len != 0)
			memcpy(longer, uri.ptr, uri.len);
		longer[uri.len] = 'x';
		(void)bx_keyring_find(ring, (struct bx_span){ longer, uri.len + 1 }, BX_ROLE_EITHER,
				      &found);
		require(found != NULL && bx_key_uri(found).len >= uri.len);
		require((bx_key_shared(key) != NULL) == bx_key_has_role(key, BX_ROLE_EITHER));
	}
}

/* Adds an entry and removes it: the same bytes, but for the space of an empty list. */
static void
edit(const struct bx_span text)
{
	static const char given[] = "{\"key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}";
	const struct bx_keyring_addition addition = {
		.uri = { (const uint8_t *)"fuzz.only", 9 },
		.source = BX_KEYRING_GIVEN,
		.given = { (const uint8_t *)given, sizeof(given) - 1 },
	};
	struct bx_keyring_file *file;

	require(bx_keyring_file_new(&file, text, "fuzz", NULL) == BX_OK);

	const size_t count = bx_keyring_count(bx_keyring_file_ring(file));

	if (bx_keyring_file_add(file, &addition, NULL) == BX_OK) {
		require(bx_keyring_count(bx_keyring_file_ring(file)) == count + 1);
		require(bx_keyring_file_remove(file, addition.uri, NULL) == BX_OK);
		require(bx_keyring_count(bx_keyring_file_ring(file)) == count);

		const struct bx_span after = bx_keyring_file_text(file);

		if (count > 1)
			require(after.len == text.len &&
				memcmp(after.ptr, text.ptr, text.len) == 0);
	}
	bx_keyring_file_free(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bx_span text = { data, size };
	struct bx_keyring *ring = NULL;
	struct bx_fail fail = { 0 };
	bool bad = false;

	if (size > MOST)
		return 0;

	const enum bx_err parsed = bx_keyring_parse(&ring, text, "fuzz", &fail);
	const enum bx_err checked = bx_keyring_check(text, "fuzz", note_bad, &bad, NULL);

	require((parsed == BX_OK) == (checked == BX_OK && !bad));
	if (parsed != BX_OK) {
		require(parsed == BX_ERR_USAGE && fail.code == parsed && fail.msg[0] != '\0');
		return 0;
	}
	look_up(ring);
	if (bx_keyring_count(ring) < 4 && size != 0)
		edit(text);
	bx_keyring_free(ring);
	return 0;
}
