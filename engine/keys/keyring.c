#include "boxcar/keyring.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "keys/keyring_entry.h"
#include "keys/keyring_text.h"

#define NO_PLACE UINT32_MAX

struct bx_key {
	struct bx_span uri;    /* in the ring's uris */
	const uint8_t *shared; /* in the ring's guarded memory, or NULL */
	uint8_t originator_pub[32];
	uint8_t responder_pub[32];
	bool has_role[2]; /* by enum bx_role */
	bool is_string;
};

/* One URI in sorted order. */
struct place {
	const uint8_t *uri;
	uint32_t uri_len;
	uint32_t parent; /* longest other URI that is a prefix of this one, or NO_PLACE */
	uint32_t key;
};

/*
 * Private keys are not kept: what sealing and opening need is the shared key, and whether a role
 * could derive it. The shared keys are the only secrets here; their pages are read-only.
 */
struct bx_keyring {
	struct bx_key *keys; /* in file order, the default last */
	size_t key_count;
	const struct bx_key *fallback; /* the default, or NULL */
	struct place *places;
	size_t place_count;
	uint8_t *uris;
	uint8_t *shared; /* 32 bytes for each key */
	bool is_locked;
};

/* --- lookup ----------------------------------------------------------------------------------- */

/* Length of the common prefix of two texts that agree up to `from`. */
static size_t
common_prefix(const uint8_t *a, const uint8_t *b, size_t from, size_t max)
{
	size_t i = from;

	for (; i + 8 <= max; i += 8) {
		const uint64_t differ = bx_load_le64(a + i) ^ bx_load_le64(b + i);

		if (differ != 0)
			return i + (size_t)__builtin_ctzll(differ) / 8;
	}
	while (i < max && a[i] == b[i])
		i++;
	return i;
}

/*
 * Every entry that is a prefix of `uri` sorts at or before it, and everything between that entry
 * and `uri` begins with the entry. So the longest one is the last entry that is not after `uri`,
 * or else one of its own prefixes. The two ends of the search remember how much of `uri` they
 * share: what lies between them shares as much.
 */
static uint32_t
find_place(const struct bx_keyring *ring, struct bx_span uri)
{
	size_t low = SIZE_MAX, high = ring->place_count; /* low + 1: candidates begin */
	size_t low_shared = 0, high_shared = 0;

	while (high - (low + 1) != 0) {
		const size_t middle = low + 1 + (high - (low + 1)) / 2;
		const struct place *p = &ring->places[middle];
		const size_t max = p->uri_len < uri.len ? p->uri_len : uri.len;
		const size_t known = low_shared < high_shared ? low_shared : high_shared;
		const size_t shared = common_prefix(p->uri, uri.ptr, known, max);

		if (shared == p->uri_len || (shared < max && p->uri[shared] < uri.ptr[shared])) {
			low = middle;
			low_shared = shared;
		} else {
			high = middle;
			high_shared = shared;
		}
	}
	if (low == SIZE_MAX)
		return NO_PLACE;

	uint32_t at = (uint32_t)low;

	while (at != NO_PLACE && ring->places[at].uri_len > low_shared)
		at = ring->places[at].parent;
	return at;
}

enum bx_key_match
bx_keyring_find(const struct bx_keyring *ring, struct bx_span uri, enum bx_role role,
		const struct bx_key **key)
{
	const uint32_t at = find_place(ring, uri);
	const struct bx_key *found =
	    at == NO_PLACE ? ring->fallback : &ring->keys[ring->places[at].key];

	*key = found;
	if (found == NULL)
		return BX_KEY_NONE;
	return bx_key_has_role(found, role) ? BX_KEY_FOUND : BX_KEY_NO_ROLE;
}

static int
by_uri(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return bx_keyring_text_compare((struct bx_span){ x->uri, x->uri_len },
				       (struct bx_span){ y->uri, y->uri_len });
}

static bool
is_prefix(const struct place *prefix, const struct place *of)
{
	return prefix->uri_len <= of->uri_len && memcmp(prefix->uri, of->uri, prefix->uri_len) == 0;
}

static void
sort_places(struct bx_keyring *ring)
{
	for (size_t i = 0; i < ring->key_count; i++) {
		const struct bx_key *key = &ring->keys[i];

		if (key->uri.len == 0)
			ring->fallback = key;
		else
			ring->places[ring->place_count++] =
			    (struct place){ key->uri.ptr, (uint32_t)key->uri.len, NO_PLACE,
					    (uint32_t)i };
	}
	qsort(ring->places, ring->place_count, sizeof(*ring->places), by_uri);
	for (size_t i = 1; i < ring->place_count; i++) {
		uint32_t parent = (uint32_t)i - 1;

		while (parent != NO_PLACE && !is_prefix(&ring->places[parent], &ring->places[i]))
			parent = ring->places[parent].parent;
		ring->places[i].parent = parent;
	}
}

/* --- making ----------------------------------------------------------------------------------- */

/* The first problem becomes the error. */
struct first_problem {
	struct bx_span json;
	const char *name;
	struct bx_fail *fail;
	bool found;
};

static void
fail_on_problem(void *context, enum bx_finding_kind kind, const struct bx_keyring_entry *entry,
		const uint8_t *at, const char *message)
{
	struct first_problem *first = context;
	char uri[80];
	struct bx_writer w = bx_writer_over((uint8_t *)uri, sizeof(uri) - 1);

	(void)kind;
	if (first->found)
		return;
	first->found = true;
	if (entry == NULL)
		bx_put_text(&w, "");
	else if (entry->uri.len == 0)
		bx_put_text(&w, entry->is_default_member ? "default: " : "entry: ");
	else {
		bx_json_put_safe(&w, entry->uri, 64);
		bx_put_text(&w, ": ");
	}
	*w.at = '\0';
	(void)bx_fail_set(first->fail, BX_ERR_USAGE, 0, (uint64_t)(at - first->json.ptr),
			  "%s line %llu: %s%s", first->name,
			  (unsigned long long)bx_keyring_text_line(first->json, at), uri, message);
	bx_fail_hint(first->fail, "boxcar keyring check %s lists all that is wrong", first->name);
}

static void
fill_key(struct bx_keyring *ring, size_t index, const struct bx_entry_keys *from)
{
	struct bx_key *key = &ring->keys[index];
	uint8_t *shared = ring->shared + index * 32;

	memcpy(key->originator_pub, from->originator_pub, 32);
	memcpy(key->responder_pub, from->responder_pub, 32);
	key->has_role[BX_ROLE_ORIGINATOR] = from->has_originator_priv;
	key->has_role[BX_ROLE_RESPONDER] = from->has_responder_priv;
	key->is_string = from->is_string;
	if (!bx_entry_keys_have_shared(from))
		return;
	memcpy(shared, from->shared, 32);
	key->shared = shared;
}

static bool
reserve(struct bx_keyring *ring, const struct bx_keyring_text *text)
{
	const size_t count = text->entry_count;

	ring->keys = calloc(count + 1, sizeof(*ring->keys));
	ring->places = calloc(count + 1, sizeof(*ring->places));
	ring->uris = malloc(text->uris_used + 1);
	ring->shared = sodium_malloc((count + 1) * 32);
	return ring->keys != NULL && ring->places != NULL && ring->uris != NULL &&
	       ring->shared != NULL;
}

static enum bx_err
fill_ring(struct bx_keyring *ring, struct bx_keyring_text *text, struct first_problem *first)
{
	struct bx_entry_keys *scratch = bx_entry_keys_new();
	uint8_t *uri = ring->uris;

	if (scratch == NULL)
		return bx_fail_set(first->fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s",
				   first->name);
	for (size_t i = 0; i < text->entry_count && !first->found; i++) {
		struct bx_keyring_entry *entry = &text->entries[i];

		if (!bx_entry_keys_read(scratch, entry, fail_on_problem, first))
			break;
		if (entry->uri.len != 0)
			memcpy(uri, entry->uri.ptr, entry->uri.len);
		ring->keys[i].uri = (struct bx_span){ uri, entry->uri.len };
		uri += entry->uri.len;
		fill_key(ring, i, scratch);
		ring->key_count++;
	}
	bx_entry_keys_free(scratch);
	if (first->found)
		return BX_ERR_USAGE;
	sort_places(ring);
	/* sodium_malloc locks too, but does not say whether it could. */
	ring->is_locked = sodium_mlock(ring->shared, (ring->key_count + 1) * 32) == 0;
	(void)sodium_mprotect_readonly(ring->shared);
	return BX_OK;
}

enum bx_err
bx_keyring_parse(struct bx_keyring **ring, struct bx_span json, const char *name,
		 struct bx_fail *fail)
{
	struct bx_keyring_text text;
	struct first_problem first = { json, name, fail, false };

	if (sodium_init() < 0)
		return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "libsodium cannot start");
	if (!bx_keyring_text_read(&text, json, name, fail_on_problem, &first, fail))
		return fail == NULL ? BX_ERR_USAGE : fail->code;

	struct bx_keyring *made = calloc(1, sizeof(*made));
	enum bx_err err = BX_ERR_USAGE;

	if (made == NULL || !reserve(made, &text))
		err = bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s", name);
	else if (!first.found)
		err = fill_ring(made, &text, &first);
	bx_keyring_text_wipe(&text);
	if (err != BX_OK)
		bx_keyring_free(made);
	else
		*ring = made;
	return err;
}

void
bx_keyring_free(struct bx_keyring *ring)
{
	if (ring == NULL)
		return;
	sodium_free(ring->shared); /* wipes */
	free(ring->keys);
	free(ring->places);
	free(ring->uris);
	free(ring);
}

/* --- looking ---------------------------------------------------------------------------------- */

size_t
bx_keyring_count(const struct bx_keyring *ring)
{
	return ring->key_count;
}

const struct bx_key *
bx_keyring_at(const struct bx_keyring *ring, size_t index)
{
	assert(index < ring->key_count);
	return &ring->keys[index];
}

bool
bx_keyring_is_locked(const struct bx_keyring *ring)
{
	return ring->is_locked;
}

struct bx_span
bx_key_uri(const struct bx_key *key)
{
	return key->uri;
}

const uint8_t *
bx_key_shared(const struct bx_key *key)
{
	return key->shared;
}

bool
bx_key_has_role(const struct bx_key *key, enum bx_role role)
{
	return role == BX_ROLE_EITHER ? key->shared != NULL : key->has_role[role];
}

bool
bx_key_is_string(const struct bx_key *key)
{
	return key->is_string;
}

const uint8_t *
bx_key_originator_pub(const struct bx_key *key)
{
	return key->originator_pub;
}

const uint8_t *
bx_key_responder_pub(const struct bx_key *key)
{
	return key->responder_pub;
}

void
bx_key_id(const struct bx_key *key, char *id)
{
	static const char label[] = "boxcar-kid";
	crypto_generichash_state state;
	uint8_t hash[16];

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	(void)crypto_generichash_update(&state, (const uint8_t *)label, sizeof(label) - 1);
	(void)crypto_generichash_update(&state, key->originator_pub, 32);
	(void)crypto_generichash_update(&state, key->responder_pub, 32);
	(void)crypto_generichash_final(&state, hash, sizeof(hash));
	(void)sodium_bin2hex(id, BX_KEY_ID_CAP, hash, sizeof(hash));
}
