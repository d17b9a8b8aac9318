#include "keys/route_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 4u

static uint32_t
turn_cap(uint32_t slot_count)
{
	return slot_count / 4 * 3;
}

static size_t
block_bytes(uint32_t slot_count)
{
	return slot_count * sizeof(struct bx_route_slot) +
	       turn_cap(slot_count) * sizeof(struct bx_route_turn);
}

size_t
bx_route_table_bytes(const struct bx_route_table *t)
{
	return block_bytes(t->slot_count);
}

/*
 * With its turns used up a table closes the gaps that removed entries left, or doubles when more
 * than half of the turns are live. It stops doubling at the size at which `limit` entries leave a
 * fifth of the turns for gaps, so closing them costs a few moves for each put.
 */
size_t
bx_route_table_growth(const struct bx_route_table *t, uint32_t limit)
{
	const uint32_t cap = turn_cap(t->slot_count);

	if (t->turn_used < cap || (cap != 0 && t->live <= cap / 2) ||
	    (uint64_t)cap * 4 >= (uint64_t)limit * 5)
		return 0;
	if (t->slot_count == 0)
		return block_bytes(FIRST_SLOTS);
	return block_bytes(t->slot_count * 2) - block_bytes(t->slot_count);
}

bool
bx_route_table_is_full(const struct bx_route_table *t, uint32_t limit, bool may_grow)
{
	const uint32_t cap = turn_cap(t->slot_count);

	return t->live >= limit ||
	       (!may_grow && t->turn_used == cap && (uint64_t)t->live * 5 > (uint64_t)cap * 4);
}

static void
settle(struct bx_route_table *t, struct bx_route_slot entry, uint64_t factor)
{
	uint32_t i = bx_route_table_home(t, entry.key, factor);

	while (t->slots[i].turn != 0)
		i = (i + 1) & (t->slot_count - 1);
	t->slots[i] = entry;
}

static bool
grow(struct bx_route_table *t, uint64_t factor)
{
	const uint32_t slot_count = t->slot_count == 0 ? FIRST_SLOTS : t->slot_count * 2;
	struct bx_route_table wide = { calloc(1, block_bytes(slot_count)), slot_count, 0, 0, 0 };

	if (wide.slots == NULL)
		return false;

	const struct bx_route_turn *from = t->live == 0 ? NULL : bx_route_table_turns(t);
	struct bx_route_turn *to = bx_route_table_turns(&wide);

	for (uint32_t i = t->turn_first; from != NULL && i < t->turn_used; i++) {
		if (from[i].extra == BX_ROUTE_TURN_GONE)
			continue;

		struct bx_route_slot entry = *bx_route_table_find(t, from[i].key, factor);

		to[wide.turn_used++] = from[i];
		entry.turn = wide.turn_used;
		settle(&wide, entry, factor);
	}
	wide.live = t->live;
	free(t->slots);
	*t = wide;
	return true;
}

static void
close_gaps(struct bx_route_table *t, uint64_t factor)
{
	struct bx_route_turn *turns = bx_route_table_turns(t);
	uint32_t kept = 0;

	for (uint32_t i = t->turn_first; i < t->turn_used; i++) {
		if (turns[i].extra == BX_ROUTE_TURN_GONE)
			continue;
		turns[kept++] = turns[i];
		bx_route_table_find(t, turns[kept - 1].key, factor)->turn = kept;
	}
	t->turn_first = 0;
	t->turn_used = kept;
}

bool
bx_route_table_put(struct bx_route_table *t, uint64_t key, uint32_t value, uint64_t extra,
		   uint64_t factor, bool may_grow)
{
	assert(extra != BX_ROUTE_TURN_GONE);
	if (t->turn_used == turn_cap(t->slot_count)) {
		if (!may_grow || !grow(t, factor)) {
			if (t->live == turn_cap(t->slot_count))
				return false;
			close_gaps(t, factor);
		}
	}
	bx_route_table_turns(t)[t->turn_used++] = (struct bx_route_turn){ key, extra };
	settle(t, (struct bx_route_slot){ key, value, t->turn_used }, factor);
	t->live++;
	return true;
}

void
bx_route_table_remove(struct bx_route_table *t, struct bx_route_slot *slot, uint64_t factor)
{
	const uint32_t mask = t->slot_count - 1;
	uint32_t hole = (uint32_t)(slot - t->slots);

	bx_route_table_turns(t)[slot->turn - 1].extra = BX_ROUTE_TURN_GONE;
	t->live--;
	if (t->live == 0) {
		/* Nothing to keep in order: begin again, which spares most gap closing. */
		t->turn_used = 0;
		t->turn_first = 0;
	}
	/* Those that probed past the hole move up, so that no tombstone is needed. */
	for (uint32_t i = (hole + 1) & mask; t->slots[i].turn != 0; i = (i + 1) & mask) {
		const uint32_t home = bx_route_table_home(t, t->slots[i].key, factor);

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole].turn = 0;
}

struct bx_route_slot *
bx_route_table_oldest(struct bx_route_table *t, uint64_t factor)
{
	if (t->live == 0)
		return NULL;

	const struct bx_route_turn *turns = bx_route_table_turns(t);

	while (turns[t->turn_first].extra == BX_ROUTE_TURN_GONE)
		t->turn_first++;
	return bx_route_table_find(t, turns[t->turn_first].key, factor);
}

void
bx_route_table_free(struct bx_route_table *t)
{
	free(t->slots);
	*t = (struct bx_route_table){ 0 };
}
