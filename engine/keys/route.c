#include "keys/route.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "keys/route_table.h"
#include "keys/route_text.h"

/* What a table's value holds: an interned text, and how much it may be trusted. */
#define TEXT_MASK 0x3fffffffu
#define IS_PATTERN 0x40000000u /* match is not exact: the text is a pattern, not the URI */
#define IS_STALE 0x80000000u   /* of an invocation through a registration that had ended */

static_assert(TEXT_MASK == BX_ROUTE_TEXT_NONE, "an absent text is a value of its own");

/* Requests of four types share one table; a key is the id (at most 2^53) and the type. */
#define REQUEST_KEY(type, id) ((id) | (uint64_t)(type) << 56)

enum { CALLS, INVOCATIONS, REQUESTS, SUBSCRIPTIONS, REGISTRATIONS, ENDED_SUBS, ENDED_REGS, TABLES };

/* One WAMP session of one connection: spec section 3, "one state per (connection, session)". */
struct session {
	struct bx_route_table tables[TABLES];
	uint64_t conn;
	bool greeted; /* a HELLO came, its WELCOME not yet */
	bool touched; /* since the search for an idle one last passed */
};

struct bx_route {
	struct session *last; /* of last_conn; NULL: it has none */
	uint64_t last_conn;
	uint64_t factor;
	struct bx_route_texts texts;
	struct session **sessions; /* session_cap places; free ones are NULL */
	uint32_t *free_places;
	uint32_t free_count;
	uint32_t session_cap;
	struct bx_route_table conns; /* conn -> place in sessions */
	struct bx_route_limits limits;
	size_t table_bytes;
	uint64_t evicted;
};

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
	if ((value & TEXT_MASK) != BX_ROUTE_TEXT_NONE)
		bx_route_text_drop(&r->texts, value & TEXT_MASK);
}

/* Counts an entry that the limits are about to drop, unless its text was dropped (and counted). */
static void
count_evicted(struct bx_route *r, uint32_t value)
{
	struct bx_span text;

	if ((value & TEXT_MASK) == BX_ROUTE_TEXT_NONE ||
	    bx_route_text_get(&r->texts, value & TEXT_MASK, &text))
		r->evicted++;
}

static void
remove_entry(struct bx_route *r, struct bx_route_table *t, struct bx_route_slot *slot)
{
	const uint32_t value = slot->value;

	bx_route_table_remove(t, slot, r->factor);
	drop_value(r, value);
}

static void
remove_key(struct bx_route *r, struct session *s, unsigned table, uint64_t key)
{
	struct bx_route_slot *slot = bx_route_table_find(&s->tables[table], key, r->factor);

	if (slot != NULL)
		remove_entry(r, &s->tables[table], slot);
}

/* Lets go of every entry. Small blocks are kept: a session is often followed by another. */
static void
clear_table(struct bx_route *r, struct bx_route_table *t, bool is_eviction)
{
	struct bx_route_slot *slot;

	while ((slot = bx_route_table_oldest(t, r->factor)) != NULL) {
		if (is_eviction)
			count_evicted(r, slot->value);
		remove_entry(r, t, slot);
	}
	if (t->slot_count > 64) {
		r->table_bytes -= bx_route_table_bytes(t);
		bx_route_table_free(t);
	}
}

static void
clear_session(struct bx_route *r, struct session *s)
{
	for (unsigned i = 0; i < TABLES; i++)
		clear_table(r, &s->tables[i], false);
	s->greeted = false;
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct session *
find_session(struct bx_route *r, uint64_t conn)
{
	const struct bx_route_slot *slot = bx_route_table_find(&r->conns, conn, r->factor);

	r->last_conn = conn;
	r->last = slot == NULL ? NULL : r->sessions[slot->value];
	return r->last;
}

static inline struct session *
session_of(struct bx_route *r, uint64_t conn)
{
	struct session *s = r->last_conn == conn ? r->last : find_session(r, conn);

	if (s != NULL)
		s->touched = true;
	return s;
}

static void
forget_session(struct bx_route *r, struct bx_route_slot *slot)
{
	const uint32_t place = slot->value;
	struct session *s = r->sessions[place];

	for (unsigned i = 0; i < TABLES; i++) {
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
forget_idle_session(struct bx_route *r, const struct session *keep)
{
	for (uint64_t tries = (uint64_t)r->conns.live * 2; tries != 0; tries--) {
		struct bx_route_slot *slot = bx_route_table_oldest(&r->conns, r->factor);
		struct session *s = r->sessions[slot->value];
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
make_table_room(struct bx_route *r, const struct session *keep, size_t bytes)
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
	struct session **sessions = realloc(r->sessions, cap * sizeof(struct session *));

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

static struct session *
add_session(struct bx_route *r, uint64_t conn)
{
	if (r->conns.live >= r->limits.connections)
		(void)forget_idle_session(r, NULL);
	if (!make_table_room(r, NULL, sizeof(struct session)))
		return NULL;
	if (r->free_count == 0 && !grow_places(r))
		return NULL;

	struct session *s = calloc(1, sizeof(*s));

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

static struct session *
need_session(struct bx_route *r, uint64_t conn)
{
	struct session *s = session_of(r, conn);

	return s != NULL ? s : add_session(r, conn);
}

/* --- learning --------------------------------------------------------------------------------- */

/* Adds or replaces; takes over the hold on the value's text. */
static void
put_entry(struct bx_route *r, struct session *s, unsigned table, uint64_t key, uint32_t value,
	  uint64_t extra)
{
	struct bx_route_table *t = &s->tables[table];
	struct bx_route_slot *slot = bx_route_table_find(t, key, r->factor);
	const bool is_subject = table >= SUBSCRIPTIONS;
	const uint32_t limit = is_subject ? r->limits.subjects : r->limits.pending;

	if (slot != NULL)
		remove_entry(r, t, slot);

	const size_t bytes = bx_route_table_growth(t, limit);
	const bool may_grow = bytes != 0 && make_table_room(r, s, bytes);

	if (bx_route_table_is_full(t, limit, may_grow) && t->live != 0) {
		struct bx_route_slot *oldest = bx_route_table_oldest(t, r->factor);

		count_evicted(r, oldest->value);
		remove_entry(r, t, oldest);
	}

	const size_t before = bx_route_table_bytes(t);

	if (!bx_route_table_put(t, key, value, extra, r->factor, may_grow)) {
		drop_value(r, value);
		r->evicted++;
	}
	r->table_bytes += bx_route_table_bytes(t) - before;
}

/* The message's own URI, interned; counts what cannot be kept. */
static uint32_t
take_uri(struct bx_route *r, const struct bx_message *m)
{
	const uint32_t text = bx_route_text_take(&r->texts, bx_message_uri(m));

	if (text == BX_ROUTE_TEXT_NONE)
		r->evicted++;
	return text;
}

static void
learn_uri(struct bx_route *r, uint64_t conn, const struct bx_message *m, unsigned table,
	  uint64_t key, uint32_t flags)
{
	struct session *s = need_session(r, conn);

	if (s == NULL) {
		r->evicted++;
		return;
	}

	const uint32_t text = take_uri(r, m);

	if (text == BX_ROUTE_TEXT_NONE) {
		remove_key(r, s, table, key); /* what it held is no longer true */
		return;
	}
	put_entry(r, s, table, key, text | flags, 0);
}

/* SUBSCRIBE, REGISTER */
static void
learn_request(struct bx_route *r, uint64_t conn, const struct bx_message *m)
{
	if ((m->flags & BX_MSG_URI_IN_ENVELOPE) == 0)
		return;
	learn_uri(r, conn, m, REQUESTS, REQUEST_KEY(m->type, m->request),
		  m->match == BX_MATCH_EXACT ? 0 : IS_PATTERN);
}

/* UNSUBSCRIBE, UNREGISTER: the subject, by request, until the router's answer. */
static void
learn_end_request(struct bx_route *r, uint64_t conn, const struct bx_message *m)
{
	struct session *s = session_of(r, conn);

	if (s != NULL)
		put_entry(r, s, REQUESTS, REQUEST_KEY(m->type, m->request), BX_ROUTE_TEXT_NONE,
			  m->subject);
}

/* SUBSCRIBED, REGISTERED */
static void
learn_subject(struct bx_route *r, struct session *s, const struct bx_message *m, uint16_t asked,
	      unsigned live, unsigned ended)
{
	const uint64_t key = REQUEST_KEY(asked, m->request);
	struct bx_route_slot *slot = bx_route_table_find(&s->tables[REQUESTS], key, r->factor);

	/* Whatever is known of an ended one with this id, it speaks of another now. */
	remove_key(r, s, ended, m->subject);
	if (slot == NULL)
		return;

	const uint32_t value = slot->value;

	bx_route_table_remove(&s->tables[REQUESTS], slot, r->factor);
	put_entry(r, s, live, m->subject, value, 0);
}

/* UNSUBSCRIBED, UNREGISTERED: the mapping becomes a tombstone, of use for opening only. */
static void
end_subject(struct bx_route *r, struct session *s, const struct bx_message *m, uint16_t asked,
	    unsigned live, unsigned ended)
{
	uint64_t subject = m->subject; /* revoked by the router: details name it */

	if (m->request != 0) {
		const uint64_t key = REQUEST_KEY(asked, m->request);
		struct bx_route_table *requests = &s->tables[REQUESTS];
		struct bx_route_slot *request = bx_route_table_find(requests, key, r->factor);

		if (request == NULL)
			return;
		subject = bx_route_table_extra(requests, request);
		remove_entry(r, requests, request);
	}

	struct bx_route_slot *slot = bx_route_table_find(&s->tables[live], subject, r->factor);

	if (slot == NULL)
		return;

	const uint32_t value = slot->value;

	bx_route_table_remove(&s->tables[live], slot, r->factor);
	put_entry(r, s, ended, subject, value, 0);
}

static void
end_request(struct bx_route *r, struct session *s, const struct bx_message *m)
{
	if (m->request_type == BX_CALL)
		remove_key(r, s, CALLS, m->request);
	else if (m->request_type == BX_INVOCATION)
		remove_key(r, s, INVOCATIONS, m->request);
	else
		remove_key(r, s, REQUESTS, REQUEST_KEY(m->request_type, m->request));
}

/* --- answering -------------------------------------------------------------------------------- */

static enum bx_routed
answer(const struct bx_route *r, uint32_t value, bool ended, struct bx_span *uri)
{
	if (!bx_route_text_get(&r->texts, value & TEXT_MASK, uri))
		return BX_ROUTED_UNKNOWN;
	if ((value & IS_PATTERN) != 0)
		return BX_ROUTED_PATTERN;
	return ended || (value & IS_STALE) != 0 ? BX_ROUTED_STALE : BX_ROUTED_FOUND;
}

static enum bx_routed
answer_event(struct bx_route *r, uint64_t conn, const struct bx_message *m, struct bx_span *uri)
{
	const struct session *s = session_of(r, conn);
	const struct bx_route_slot *slot;

	if (s == NULL)
		return BX_ROUTED_UNKNOWN;
	slot = bx_route_table_find(&s->tables[SUBSCRIPTIONS], m->subject, r->factor);
	if (slot != NULL)
		return answer(r, slot->value, false, uri);
	slot = bx_route_table_find(&s->tables[ENDED_SUBS], m->subject, r->factor);
	return slot != NULL ? answer(r, slot->value, true, uri) : BX_ROUTED_UNKNOWN;
}

static enum bx_routed
answer_invocation(struct bx_route *r, uint64_t conn, const struct bx_message *m,
		  struct bx_span *uri)
{
	if ((m->flags & BX_MSG_URI_IN_DETAILS) != 0) {
		learn_uri(r, conn, m, INVOCATIONS, m->request, 0);
		return BX_ROUTED_NOT_NEEDED;
	}

	struct session *s = session_of(r, conn);

	if (s == NULL)
		return BX_ROUTED_UNKNOWN;

	const struct bx_route_slot *slot =
	    bx_route_table_find(&s->tables[REGISTRATIONS], m->subject, r->factor);
	const bool ended = slot == NULL;

	if (ended)
		slot = bx_route_table_find(&s->tables[ENDED_REGS], m->subject, r->factor);
	if (slot == NULL) {
		remove_key(r, s, INVOCATIONS, m->request);
		return BX_ROUTED_UNKNOWN;
	}

	const uint32_t value = slot->value | (ended ? IS_STALE : 0);

	bx_route_text_hold(&r->texts, value & TEXT_MASK);
	put_entry(r, s, INVOCATIONS, m->request, value, 0);
	return answer(r, value, ended, uri);
}

/* RESULT by its CALL, YIELD by its INVOCATION; without progress:true it is the last one. */
static enum bx_routed
answer_reply(struct bx_route *r, uint64_t conn, const struct bx_message *m, unsigned table,
	     struct bx_span *uri)
{
	struct session *s = session_of(r, conn);

	if (s == NULL)
		return BX_ROUTED_UNKNOWN;

	struct bx_route_slot *slot = bx_route_table_find(&s->tables[table], m->request, r->factor);

	if (slot == NULL)
		return BX_ROUTED_UNKNOWN;

	const enum bx_routed routed = answer(r, slot->value, false, uri);

	if ((m->flags & BX_MSG_PROGRESS) == 0)
		remove_entry(r, &s->tables[table], slot); /* the text's bytes outlive it */
	return routed;
}

/* --- the messages that change a session's state, calls apart ---------------------------------- */

static void
begin_session(struct bx_route *r, uint64_t conn, uint16_t type)
{
	struct session *s = type == BX_HELLO ? need_session(r, conn) : session_of(r, conn);

	if (s == NULL)
		return;
	if (type == BX_WELCOME && s->greeted) {
		s->greeted = false;
		return;
	}
	clear_session(r, s);
	s->greeted = type == BX_HELLO;
}

static void
learn(struct bx_route *r, uint64_t conn, const struct bx_message *m)
{
	struct session *s = session_of(r, conn);

	if (s == NULL)
		return;
	switch (m->type) {
	case BX_ABORT:
	case BX_GOODBYE:
		clear_session(r, s);
		break;
	case BX_SUBSCRIBED:
		learn_subject(r, s, m, BX_SUBSCRIBE, SUBSCRIPTIONS, ENDED_SUBS);
		break;
	case BX_REGISTERED:
		learn_subject(r, s, m, BX_REGISTER, REGISTRATIONS, ENDED_REGS);
		break;
	case BX_UNSUBSCRIBED:
		end_subject(r, s, m, BX_UNSUBSCRIBE, SUBSCRIPTIONS, ENDED_SUBS);
		break;
	case BX_UNREGISTERED:
		end_subject(r, s, m, BX_UNREGISTER, REGISTRATIONS, ENDED_REGS);
		break;
	case BX_ERROR:
		end_request(r, s, m);
		break;
	default:
		break;
	}
}

enum bx_routed
bx_route_feed(struct bx_route *route, uint64_t conn, const struct bx_message *m,
	      struct bx_span *uri)
{
	switch (m->type) {
	case BX_EVENT:
		if ((m->flags & BX_MSG_URI_IN_DETAILS) != 0)
			return BX_ROUTED_NOT_NEEDED;
		return answer_event(route, conn, m, uri);
	case BX_CALL:
		if ((m->flags & BX_MSG_URI_IN_ENVELOPE) != 0)
			learn_uri(route, conn, m, CALLS, m->request, 0);
		return BX_ROUTED_NOT_NEEDED;
	case BX_RESULT:
		return answer_reply(route, conn, m, CALLS, uri);
	case BX_INVOCATION:
		return answer_invocation(route, conn, m, uri);
	case BX_YIELD:
		return answer_reply(route, conn, m, INVOCATIONS, uri);
	case BX_HELLO:
	case BX_WELCOME:
		begin_session(route, conn, m->type);
		return BX_ROUTED_NOT_NEEDED;
	case BX_SUBSCRIBE:
	case BX_REGISTER:
		learn_request(route, conn, m);
		return BX_ROUTED_NOT_NEEDED;
	case BX_UNSUBSCRIBE:
	case BX_UNREGISTER:
		learn_end_request(route, conn, m);
		return BX_ROUTED_NOT_NEEDED;
	default:
		learn(route, conn, m);
		return BX_ROUTED_NOT_NEEDED;
	}
}

void
bx_route_free(struct bx_route *route)
{
	if (route == NULL)
		return;
	for (uint32_t i = 0; i < route->session_cap; i++) {
		for (unsigned t = 0; route->sessions[i] != NULL && t < TABLES; t++)
			bx_route_table_free(&route->sessions[i]->tables[t]);
		free(route->sessions[i]);
	}
	free(route->sessions);
	free(route->free_places);
	bx_route_table_free(&route->conns);
	bx_route_text_wipe(&route->texts);
	free(route);
}
