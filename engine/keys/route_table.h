/* A map from ids to small values that forgets its oldest entries: the tables of the route. */
#ifndef BX_KEYS_ROUTE_TABLE_H
#define BX_KEYS_ROUTE_TABLE_H

#include <stdbool.h>

#include "boxcar/span.h"

/* Open addressing with linear probing over a power of two of places, at most three quarters full.
 */
struct bx_route_slot {
	uint64_t key;
	uint32_t value;
	uint32_t turn; /* 1 + its place in `turns`; 0: free */
};

/* The order of arrival. `extra` is a second value; BX_ROUTE_TURN_GONE marks a removed entry. */
struct bx_route_turn {
	uint64_t key;
	uint64_t extra;
};

#define BX_ROUTE_TURN_GONE UINT64_MAX

/* Zero bytes are an empty table. Owned by one thread at a time. */
struct bx_route_table {
	struct bx_route_slot *slots; /* slot_count, then slot_count / 4 * 3 turns in one block */
	uint32_t slot_count;         /* 0, or a power of two from 4 */
	uint32_t live;
	uint32_t turn_used;
	uint32_t turn_first; /* no entry is older than this turn */
};

/* `factor` is odd and secret, so that ids from a hostile recording cannot be made to collide. */
static inline uint32_t
bx_route_table_home(const struct bx_route_table *t, uint64_t key, uint64_t factor)
{
	return (uint32_t)((key * factor) >> 32) & (t->slot_count - 1);
}

static inline struct bx_route_slot *
bx_route_table_find(const struct bx_route_table *t, uint64_t key, uint64_t factor)
{
	if (t->live == 0)
		return NULL;
	for (uint32_t i = bx_route_table_home(t, key, factor);; i = (i + 1) & (t->slot_count - 1)) {
		struct bx_route_slot *slot = &t->slots[i];

		if (slot->turn == 0)
			return NULL;
		if (slot->key == key)
			return slot;
	}
}

static inline struct bx_route_turn *
bx_route_table_turns(const struct bx_route_table *t)
{
	return (struct bx_route_turn *)(void *)(t->slots + t->slot_count);
}

static inline uint64_t
bx_route_table_extra(const struct bx_route_table *t, const struct bx_route_slot *slot)
{
	return bx_route_table_turns(t)[slot->turn - 1].extra;
}

/* Bytes that the next put would add to the table's block; 0 when it has room. */
size_t bx_route_table_growth(const struct bx_route_table *t, uint32_t limit);
size_t bx_route_table_bytes(const struct bx_route_table *t);

/* True: an entry must be removed (the oldest) before the next put. */
bool bx_route_table_is_full(const struct bx_route_table *t, uint32_t limit, bool may_grow);

/*
 * Adds a key that is not there, as the newest. The table is not full (bx_route_table_is_full).
 * False: memory could not be had, nothing changed.
 */
bool bx_route_table_put(struct bx_route_table *t, uint64_t key, uint32_t value, uint64_t extra,
			uint64_t factor, bool may_grow) BX_MUST_USE;

void bx_route_table_remove(struct bx_route_table *t, struct bx_route_slot *slot, uint64_t factor);

/* The entry that was put first, or NULL. */
struct bx_route_slot *bx_route_table_oldest(struct bx_route_table *t, uint64_t factor);

void bx_route_table_free(struct bx_route_table *t);

#endif
