/* A thread's cache of what the keyrings say of a URI, so that a message costs one hash. */
#ifndef BX_PIPE_KEYVIEW_H
#define BX_PIPE_KEYVIEW_H

#include "boxcar/job.h"

/* Most rings given with -k. */
#define BX_RINGS_MAX 16u

struct bx_key_candidate {
	const struct bx_key *key;
	const uint8_t *shared; /* 32 bytes */
};

/* All answers for one URI. */
struct bx_keyview {
	/* Sealing: the entry of the sealing ring, by role. */
	uint8_t seal_match[2]; /* enum bx_key_match, index enum bx_role */
	const struct bx_key *seal_key[2];
	/* Opening what was sealed in that role: distinct shared keys among the rings' entries. */
	uint8_t open_count[2];
	bool surprise;        /* an entry serves it whose prefix ends inside a component */
	bool open_no_role[2]; /* an entry matched, but lacks the role (--strict-roles) or any key */
	struct bx_key_candidate open[2][BX_RINGS_MAX];
};

struct bx_keyview_cache;

/* `seal_ring` may be NULL. Rings are kept until free. */
struct bx_keyview_cache *bx_keyview_cache_new(const struct bx_keyring *const *rings,
					      size_t ring_count, const struct bx_keyring *seal_ring,
					      bool strict_roles);
void bx_keyview_cache_free(struct bx_keyview_cache *cache);

/* Valid until 4096 other URIs have been looked up: use it before the next batch. */
const struct bx_keyview *bx_keyview_find(struct bx_keyview_cache *cache, struct bx_span uri);

#endif
