#include "keys/route_state.h"

#include <stdlib.h>

#include "base/hash.h"

enum bx_err
bx_route_new(struct bx_route **route, struct bx_route_limits limits, struct bx_fail *fail)
{
	if (limits.connections == 0 || limits.pending == 0 || limits.subjects == 0 ||
	    limits.connections > 1u << 30 || limits.pending > 1u << 28 ||
	    limits.subjects > 1u << 28)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "limits of the route must lie between 1 and 2^28");

	struct bx_route *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for the route");
	/* The address is the secret: it differs from run to run, and nothing that is answered
	 * depends on it. */
	r->factor = bx_hash_mix((uintptr_t)r, 0x9e3779b97f4a7c15ull) | 1;
	r->limits = limits;
	bx_route_text_init(&r->texts, limits.text_bytes, r->factor);
	*route = r;
	return BX_OK;
}

uint64_t
bx_route_evicted(const struct bx_route *route)
{
	return route->evicted + route->texts.lost_holds;
}

/* --- entries ---------------------------------------------------------------------------------- */

static void
drop_value(struct bx_route *r, uint32_t value)
{
	if ((value & BX_ROUTE_TEXT_MASK) != BX_ROUTE_TEXT_NONE)
		bx_route_text_drop(&r->texts, value & BX_ROUTE_TEXT_MASK);
}

/* Counts an entry that the limits are about to drop, unless its text was dropped (and counted). */
static void
count_evicted(struct bx_route *r, uint32_t value)
{
	struct bx_span text;

	if ((value & BX_ROUTE_TEXT_MASK) == BX_ROUTE_TEXT_NONE ||
	    bx_route_text_get(&r->texts, value & BX_ROUTE_TEXT_MASK, &text))
		r->evicted++;
}

void
bx_route_state_remove(struct bx_route *r, struct bx_route_table *t, struct bx_route_slot *slot)
{
	const uint32_t value = slot->value;

	bx_route_table_remove(t, slot, r->factor);
	drop_value(r, value);
}

void
bx_route_state_remove_key(struct bx_route *r, struct bx_route_session *s, unsigned table,
			  uint64_t key)
{
	struct bx_route_slot *slot = bx_route_table_find(&s->tables[table], key, r->factor);

	if (slot != NULL)
		bx_route_state_remove(r, &s->tables[table], slot);
}

/* Lets go of every entry. Small blocks are kept: a session is often followed by another. */
static void
clear_table(struct bx_route *r, struct bx_route_table *t, bool is_eviction)
{
	struct bx_route_slot *slot;

	while ((slot = bx_route_table_oldest(t, r->factor)) != NULL) {
		if (is_eviction)
			count_evicted(r, slot->value);
		bx_route_state_remove(r, t, slot);
	}
	if (t->slot_count > 64) {
		r->table_bytes -= bx_route_table_bytes(t);
		bx_route_table_free(t);
	}
}

void
bx_route_state_clear(struct bx_route *r, struct bx_route_session *s)
{
	for (unsigned i = 0; i < BX_ROUTE_TABLES; i++)
		clear_table(r, &s->tables[i], false);
	s->greeted = false;
}

/* --- sessions --------------------------------------------------------------------------------- */

struct bx_route_session *
bx_route_state_find(struct bx_route *r, uint64_t conn)
{
	const struct bx_route_slot *slot = bx_route_table_find(&r->conns, conn, r->factor);

	r->last_conn = conn;
	r->last = slot == NULL ? NULL : r->sessions[slot->value];
	return r->last;
}

static void
forget_session(struct bx_route *r, struct bx_route_slot *slot)
{
	const uint32_t place = slot->value;
	struct bx_route_session *s = r->sessions[place];

	for (unsigned i = 0; i < BX_ROUTE_TABLES; i++) {
		clear_table(r, &s->tables[i], true);
		r->table_bytes -= bx_route_table_bytes(&s->tables[i]);
		bx_route_table_free(&s->tables[i]);
	}
	r->table_bytes -= sizeof(*s);
	if (r->last == s)
		r->last = NULL;
	free(s);
	r->sessions[place] = NULL;
	r->free_places[r->free_count++] = place;
	bx_route_table_remove(&r->conns, slot, r->factor);
}

/* The table of connections stands outside BX_ROUTE_TABLE_BYTES: about 40 bytes for each. */
static bool
put_conn(struct bx_route *r, uint64_t conn, uint32_t place)
{
	const bool may_grow = bx_route_table_growth(&r->conns, r->limits.connections) != 0;

	return bx_route_table_put(&r->conns, conn, place, 0, r->factor, may_grow);
}

/*
 * Forgets the session that came first among those not used since the search last passed them
 * ("second chance"), but never `keep`. False: there is no other.
 */
static bool
forget_idle_session(struct bx_route *r, const struct bx_route_session *keep)
{
	for (uint64_t tries = (uint64_t)r->conns.live * 2; tries != 0; tries--) {
		struct bx_route_slot *slot = bx_route_table_oldest(&r->conns, r->factor);
		struct bx_route_session *s = r->sessions[slot->value];
		const uint32_t place = slot->value;

		if (s != keep && !s->touched) {
			forget_session(r, slot);
			return true;
		}
		s->touched = false;
		bx_route_table_remove(&r->conns, slot, r->factor);

		const bool kept = put_conn(r, s->conn, place);

		assert(kept); /* in the room of the one just removed */
		(void)kept;
	}
	return false;
}

/* True when `bytes` more may be allocated for tables. */
static bool
make_table_room(struct bx_route *r, const struct bx_route_session *keep, size_t bytes)
{
	while (r->table_bytes + bytes > BX_ROUTE_TABLE_BYTES)
		if (!forget_idle_session(r, keep))
			return false;
	return true;
}

static bool
grow_places(struct bx_route *r)
{
	const uint32_t cap = r->session_cap == 0 ? 16 : r->session_cap * 2;
	struct bx_route_session **sessions =
	    realloc(r->sessions, cap * sizeof(struct bx_route_session *));

	if (sessions == NULL)
		return false;
	r->sessions = sessions;

	uint32_t *places = realloc(r->free_places, cap * sizeof(*places));

	if (places == NULL)
		return false;
	r->free_places = places;
	for (uint32_t i = cap; i > r->session_cap; i--) {
		sessions[i - 1] = NULL;
		places[r->free_count++] = i - 1;
	}
	r->session_cap = cap;
	return true;
}

static struct bx_route_session *
add_session(struct bx_route *r, uint64_t conn)
{
	if (r->conns.live >= r->limits.connections)
		(void)forget_idle_session(r, NULL);
	if (!make_table_room(r, NULL, sizeof(struct bx_route_session)))
		return NULL;
	if (r->free_count == 0 && !grow_places(r))
		return NULL;

	struct bx_route_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conn = conn;
	s->touched = true;

	const uint32_t place = r->free_places[r->free_count - 1];

	if (!put_conn(r, conn, place)) {
		free(s);
		return NULL;
	}
	r->free_count--;
	r->sessions[place] = s;
	r->table_bytes += sizeof(*s);
	r->last_conn = conn;
	r->last = s;
	return s;
}

struct bx_route_session *
bx_route_state_need(struct bx_route *r, uint64_t conn)
{
	struct bx_route_session *s = bx_route_state_of(r, conn);

	return s != NULL ? s : add_session(r, conn);
}

/* --- bounds ---------------------------------------------------------------------------------- */

void
bx_route_state_put(struct bx_route *r, struct bx_route_session *s, unsigned table, uint64_t key,
		   uint32_t value, uint64_t extra)
{
	struct bx_route_table *t = &s->tables[table];
	struct bx_route_slot *slot = bx_route_table_find(t, key, r->factor);
	const bool is_subject = table >= BX_ROUTE_SUBSCRIPTIONS;
	const uint32_t limit = is_subject ? r->limits.subjects : r->limits.pending;

	if (slot != NULL)
		bx_route_state_remove(r, t, slot);

	const size_t bytes = bx_route_table_growth(t, limit);
	const bool may_grow = bytes != 0 && make_table_room(r, s, bytes);

	if (bx_route_table_is_full(t, limit, may_grow) && t->live != 0) {
		struct bx_route_slot *oldest = bx_route_table_oldest(t, r->factor);

		count_evicted(r, oldest->value);
		bx_route_state_remove(r, t, oldest);
	}

	const size_t before = bx_route_table_bytes(t);

	if (!bx_route_table_put(t, key, value, extra, r->factor, may_grow)) {
		drop_value(r, value);
		r->evicted++;
	}
	r->table_bytes += bx_route_table_bytes(t) - before;
}

void
bx_route_free(struct bx_route *route)
{
	if (route == NULL)
		return;
	for (uint32_t i = 0; i < route->session_cap; i++) {
		for (unsigned t = 0; route->sessions[i] != NULL && t < BX_ROUTE_TABLES; t++)
			bx_route_table_free(&route->sessions[i]->tables[t]);
		free(route->sessions[i]);
	}
	free(route->sessions);
	free(route->free_places);
	bx_route_table_free(&route->conns);
	bx_route_text_wipe(&route->texts);
	free(route);
}
