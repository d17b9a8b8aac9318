/* What the route remembers: sessions of connections, their tables, and the bounds of both. */
#ifndef BX_KEYS_ROUTE_STATE_H
#define BX_KEYS_ROUTE_STATE_H

#include <assert.h>

#include "keys/route.h"
#include "keys/route_table.h"
#include "keys/route_text.h"

/* A table's value: an interned text (BX_ROUTE_TEXT_NONE: none), and how far it may be trusted. */
#define BX_ROUTE_TEXT_MASK 0x3fffffffu
#define BX_ROUTE_IS_PATTERN 0x40000000u /* match is not exact: a pattern, not the URI */
#define BX_ROUTE_IS_STALE 0x80000000u   /* of an invocation through an ended registration */

static_assert(BX_ROUTE_TEXT_MASK == BX_ROUTE_TEXT_NONE, "an absent text is a value of its own");

/* Requests of four types share one table; a key is the id (at most 2^53) and the type. */
#define BX_ROUTE_REQUEST_KEY(type, id) ((id) | (uint64_t)(type) << 56)

/* Up to REQUESTS "pending" bounds a table, from SUBSCRIPTIONS on "subjects" does. */
enum {
	BX_ROUTE_CALLS,
	BX_ROUTE_INVOCATIONS,
	BX_ROUTE_REQUESTS,
	BX_ROUTE_SUBSCRIPTIONS,
	BX_ROUTE_REGISTRATIONS,
	BX_ROUTE_ENDED_SUBS,
	BX_ROUTE_ENDED_REGS,
	BX_ROUTE_TABLES
};

/* One WAMP session of one connection: spec section 3, "one state per (connection, session)". */
struct bx_route_session {
	struct bx_route_table tables[BX_ROUTE_TABLES];
	uint64_t conn;
	bool greeted; /* a HELLO came, its WELCOME not yet */
	bool touched; /* since the search for an idle one last passed */
};

struct bx_route {
	struct bx_route_session *last; /* of last_conn; NULL: it has none */
	uint64_t last_conn;
	uint64_t factor;
	struct bx_route_texts texts;
	struct bx_route_session **sessions; /* session_cap places; free ones are NULL */
	uint32_t *free_places;
	uint32_t free_count;
	uint32_t session_cap;
	struct bx_route_table conns; /* conn -> place in sessions */
	struct bx_route_limits limits;
	size_t table_bytes;
	uint64_t evicted;
};

/* The session of a connection, or NULL when nothing was learnt of it. */
struct bx_route_session *bx_route_state_find(struct bx_route *r, uint64_t conn);

static inline struct bx_route_session *
bx_route_state_of(struct bx_route *r, uint64_t conn)
{
	struct bx_route_session *s = r->last_conn == conn ? r->last : bx_route_state_find(r, conn);

	if (s != NULL)
		s->touched = true;
	return s;
}

/* As above, but makes one. NULL: memory could not be had. */
struct bx_route_session *bx_route_state_need(struct bx_route *r, uint64_t conn);

/* Forgets all of a session, at its end or at the beginning of the next. */
void bx_route_state_clear(struct bx_route *r, struct bx_route_session *s);

/*
 * Adds or replaces an entry; takes over the hold on the value's text. Evicts and counts what the
 * bounds ask for.
 */
void bx_route_state_put(struct bx_route *r, struct bx_route_session *s, unsigned table,
			uint64_t key, uint32_t value, uint64_t extra);

void bx_route_state_remove(struct bx_route *r, struct bx_route_table *t,
			   struct bx_route_slot *slot);
void bx_route_state_remove_key(struct bx_route *r, struct bx_route_session *s, unsigned table,
			       uint64_t key);

#endif
