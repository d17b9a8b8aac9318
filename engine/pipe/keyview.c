#include "pipe/keyview.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hash.h"

/*
 * Direct-mapped: a collision overwrites. Pointers handed out stay valid memory (slots are never
 * freed), and a batch copies what it needs before it looks up the next URI.
 */
#define SLOTS 4096u
#define TEXT_MAX 104u

struct slot {
	uint64_t hash;
	uint32_t len; /* UINT32_MAX: empty */
	uint8_t text[TEXT_MAX];
	struct bx_keyview view;
};

struct bx_keyview_cache {
	const struct bx_keyring *const *rings;
	size_t ring_count;
	const struct bx_keyring *seal_ring;
	bool strict_roles;
	struct slot *slots;
	struct slot uncached; /* for URIs longer than TEXT_MAX */
};

struct bx_keyview_cache *
bx_keyview_cache_new(const struct bx_keyring *const *rings, size_t ring_count,
		     const struct bx_keyring *seal_ring, bool strict_roles)
{
	struct bx_keyview_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		return NULL;
	cache->rings = rings;
	cache->ring_count = ring_count < BX_RINGS_MAX ? ring_count : BX_RINGS_MAX;
	cache->seal_ring = seal_ring;
	cache->strict_roles = strict_roles;
	cache->slots = malloc(SLOTS * sizeof(*cache->slots));
	if (cache->slots == NULL) {
		free(cache);
		return NULL;
	}
	for (size_t i = 0; i < SLOTS; i++)
		cache->slots[i].len = UINT32_MAX;
	return cache;
}

void
bx_keyview_cache_free(struct bx_keyview_cache *cache)
{
	if (cache == NULL)
		return;
	free(cache->slots);
	free(cache);
}

static void
add_candidate(struct bx_keyview *view, unsigned role, const struct bx_key *key)
{
	const uint8_t *shared = bx_key_shared(key);

	if (shared == NULL) {
		view->open_no_role[role] = true;
		return;
	}
	/* Two rings that hold the same key are one candidate: not ambiguous. */
	for (unsigned i = 0; i < view->open_count[role]; i++)
		if (memcmp(view->open[role][i].shared, shared, 32) == 0)
			return;
	view->open[role][view->open_count[role]++] = (struct bx_key_candidate){ key, shared };
}

/* "com.acme" serves "com.acmecorp.pay" too: right by Autobahn's rule, seldom meant. */
static bool
is_surprise(struct bx_span prefix, struct bx_span uri)
{
	return prefix.len != 0 && prefix.len < uri.len && prefix.ptr[prefix.len - 1] != '.' &&
	       uri.ptr[prefix.len] != '.';
}

static void
look_up(const struct bx_keyview_cache *cache, struct bx_span uri, struct bx_keyview *view)
{
	*view = (struct bx_keyview){ .seal_match = { BX_KEY_NONE, BX_KEY_NONE } };
	for (unsigned role = 0; role < 2; role++) {
		if (cache->seal_ring != NULL)
			view->seal_match[role] = (uint8_t)bx_keyring_find(
			    cache->seal_ring, uri, (enum bx_role)role, &view->seal_key[role]);

		/* Who opens is on the other side of who sealed (table 2.3). */
		enum bx_role opener =
		    role == BX_ROLE_ORIGINATOR ? BX_ROLE_RESPONDER : BX_ROLE_ORIGINATOR;
		enum bx_role asked = cache->strict_roles ? opener : BX_ROLE_EITHER;

		for (size_t i = 0; i < cache->ring_count; i++) {
			const struct bx_key *key = NULL;
			enum bx_key_match match =
			    bx_keyring_find(cache->rings[i], uri, asked, &key);

			if (match == BX_KEY_FOUND && is_surprise(bx_key_uri(key), uri))
				view->surprise = true;
			if (match == BX_KEY_FOUND)
				add_candidate(view, role, key);
			else if (match == BX_KEY_NO_ROLE)
				view->open_no_role[role] = true;
		}
	}
}

const struct bx_keyview *
bx_keyview_find(struct bx_keyview_cache *cache, struct bx_span uri)
{
	uint64_t hash = bx_hash(uri, 0);
	struct slot *slot = &cache->slots[hash % SLOTS];

	if (slot->hash == hash && slot->len == uri.len &&
	    (uri.len == 0 || memcmp(slot->text, uri.ptr, uri.len) == 0))
		return &slot->view;
	if (uri.len > TEXT_MAX) {
		look_up(cache, uri, &cache->uncached.view);
		return &cache->uncached.view;
	}
	slot->hash = hash;
	slot->len = (uint32_t)uri.len;
	if (uri.len != 0)
		memcpy(slot->text, uri.ptr, uri.len);
	look_up(cache, uri, &slot->view);
	return &slot->view;
}
