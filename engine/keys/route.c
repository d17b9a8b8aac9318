#include "keys/route.h"

#include "keys/route_state.h"

/* --- learning --------------------------------------------------------------------------------- */

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
	struct bx_route_session *s = bx_route_state_need(r, conn);

	if (s == NULL) {
		r->evicted++;
		return;
	}

	const uint32_t text = take_uri(r, m);

	if (text == BX_ROUTE_TEXT_NONE) {
		bx_route_state_remove_key(r, s, table, key); /* what it held is no longer true */
		return;
	}
	bx_route_state_put(r, s, table, key, text | flags, 0);
}

/* SUBSCRIBE, REGISTER */
static void
learn_request(struct bx_route *r, uint64_t conn, const struct bx_message *m)
{
	if ((m->flags & BX_MSG_URI_IN_ENVELOPE) == 0)
		return;
	learn_uri(r, conn, m, BX_ROUTE_REQUESTS, BX_ROUTE_REQUEST_KEY(m->type, m->request),
		  m->match == BX_MATCH_EXACT ? 0 : BX_ROUTE_IS_PATTERN);
}

/* UNSUBSCRIBE, UNREGISTER: the subject, by request, until the router's answer. */
static void
learn_end_request(struct bx_route *r, uint64_t conn, const struct bx_message *m)
{
	struct bx_route_session *s = bx_route_state_of(r, conn);

	if (s != NULL)
		bx_route_state_put(r, s, BX_ROUTE_REQUESTS,
				   BX_ROUTE_REQUEST_KEY(m->type, m->request), BX_ROUTE_TEXT_NONE,
				   m->subject);
}

/* SUBSCRIBED, REGISTERED */
static void
learn_subject(struct bx_route *r, struct bx_route_session *s, const struct bx_message *m,
	      uint16_t asked, unsigned live, unsigned ended)
{
	const uint64_t key = BX_ROUTE_REQUEST_KEY(asked, m->request);
	struct bx_route_slot *slot =
	    bx_route_table_find(&s->tables[BX_ROUTE_REQUESTS], key, r->factor);

	/* Whatever is known of an ended one with this id, it speaks of another now. */
	bx_route_state_remove_key(r, s, ended, m->subject);
	if (slot == NULL)
		return;

	const uint32_t value = slot->value;

	bx_route_table_remove(&s->tables[BX_ROUTE_REQUESTS], slot, r->factor);
	bx_route_state_put(r, s, live, m->subject, value, 0);
}

/* UNSUBSCRIBED, UNREGISTERED: the mapping becomes a tombstone, of use for opening only. */
static void
end_subject(struct bx_route *r, struct bx_route_session *s, const struct bx_message *m,
	    uint16_t asked, unsigned live, unsigned ended)
{
	uint64_t subject = m->subject; /* revoked by the router: details name it */

	if (m->request != 0) {
		const uint64_t key = BX_ROUTE_REQUEST_KEY(asked, m->request);
		struct bx_route_table *requests = &s->tables[BX_ROUTE_REQUESTS];
		struct bx_route_slot *request = bx_route_table_find(requests, key, r->factor);

		if (request == NULL)
			return;
		subject = bx_route_table_extra(requests, request);
		bx_route_state_remove(r, requests, request);
	}

	struct bx_route_slot *slot = bx_route_table_find(&s->tables[live], subject, r->factor);

	if (slot == NULL)
		return;

	const uint32_t value = slot->value;

	bx_route_table_remove(&s->tables[live], slot, r->factor);
	bx_route_state_put(r, s, ended, subject, value, 0);
}

static void
end_request(struct bx_route *r, struct bx_route_session *s, const struct bx_message *m)
{
	if (m->request_type == BX_CALL)
		bx_route_state_remove_key(r, s, BX_ROUTE_CALLS, m->request);
	else if (m->request_type == BX_INVOCATION)
		bx_route_state_remove_key(r, s, BX_ROUTE_INVOCATIONS, m->request);
	else
		bx_route_state_remove_key(r, s, BX_ROUTE_REQUESTS,
					  BX_ROUTE_REQUEST_KEY(m->request_type, m->request));
}

/* --- answering -------------------------------------------------------------------------------- */

static enum bx_routed
answer(const struct bx_route *r, uint32_t value, bool ended, struct bx_span *uri)
{
	if (!bx_route_text_get(&r->texts, value & BX_ROUTE_TEXT_MASK, uri))
		return BX_ROUTED_UNKNOWN;
	if ((value & BX_ROUTE_IS_PATTERN) != 0)
		return BX_ROUTED_PATTERN;
	return ended || (value & BX_ROUTE_IS_STALE) != 0 ? BX_ROUTED_STALE : BX_ROUTED_FOUND;
}

static enum bx_routed
answer_event(struct bx_route *r, uint64_t conn, const struct bx_message *m, struct bx_span *uri)
{
	const struct bx_route_session *s = bx_route_state_of(r, conn);
	const struct bx_route_slot *slot;

	if (s == NULL)
		return BX_ROUTED_UNKNOWN;
	slot = bx_route_table_find(&s->tables[BX_ROUTE_SUBSCRIPTIONS], m->subject, r->factor);
	if (slot != NULL)
		return answer(r, slot->value, false, uri);
	slot = bx_route_table_find(&s->tables[BX_ROUTE_ENDED_SUBS], m->subject, r->factor);
	return slot != NULL ? answer(r, slot->value, true, uri) : BX_ROUTED_UNKNOWN;
}

static enum bx_routed
answer_invocation(struct bx_route *r, uint64_t conn, const struct bx_message *m,
		  struct bx_span *uri)
{
	if ((m->flags & BX_MSG_URI_IN_DETAILS) != 0) {
		learn_uri(r, conn, m, BX_ROUTE_INVOCATIONS, m->request, 0);
		return BX_ROUTED_NOT_NEEDED;
	}

	struct bx_route_session *s = bx_route_state_of(r, conn);

	if (s == NULL)
		return BX_ROUTED_UNKNOWN;

	const struct bx_route_slot *slot =
	    bx_route_table_find(&s->tables[BX_ROUTE_REGISTRATIONS], m->subject, r->factor);
	const bool ended = slot == NULL;

	if (ended)
		slot = bx_route_table_find(&s->tables[BX_ROUTE_ENDED_REGS], m->subject, r->factor);
	if (slot == NULL) {
		bx_route_state_remove_key(r, s, BX_ROUTE_INVOCATIONS, m->request);
		return BX_ROUTED_UNKNOWN;
	}

	const uint32_t value = slot->value | (ended ? BX_ROUTE_IS_STALE : 0);

	bx_route_text_hold(&r->texts, value & BX_ROUTE_TEXT_MASK);
	bx_route_state_put(r, s, BX_ROUTE_INVOCATIONS, m->request, value, 0);
	return answer(r, value, ended, uri);
}

/* RESULT by its CALL, YIELD by its INVOCATION; without progress:true it is the last one. */
static enum bx_routed
answer_reply(struct bx_route *r, uint64_t conn, const struct bx_message *m, unsigned table,
	     struct bx_span *uri)
{
	struct bx_route_session *s = bx_route_state_of(r, conn);

	if (s == NULL)
		return BX_ROUTED_UNKNOWN;

	struct bx_route_slot *slot = bx_route_table_find(&s->tables[table], m->request, r->factor);

	if (slot == NULL)
		return BX_ROUTED_UNKNOWN;

	const enum bx_routed routed = answer(r, slot->value, false, uri);

	if ((m->flags & BX_MSG_PROGRESS) == 0)
		bx_route_state_remove(r, &s->tables[table], slot); /* the text's bytes outlive it */
	return routed;
}

/* --- the messages that change a session's state, calls apart ---------------------------------- */

static void
begin_session(struct bx_route *r, uint64_t conn, uint16_t type)
{
	struct bx_route_session *s =
	    type == BX_HELLO ? bx_route_state_need(r, conn) : bx_route_state_of(r, conn);

	if (s == NULL)
		return;
	if (type == BX_WELCOME && s->greeted) {
		s->greeted = false;
		return;
	}
	bx_route_state_clear(r, s);
	s->greeted = type == BX_HELLO;
}

static void
learn(struct bx_route *r, uint64_t conn, const struct bx_message *m)
{
	struct bx_route_session *s = bx_route_state_of(r, conn);

	if (s == NULL)
		return;
	switch (m->type) {
	case BX_ABORT:
	case BX_GOODBYE:
		bx_route_state_clear(r, s);
		break;
	case BX_SUBSCRIBED:
		learn_subject(r, s, m, BX_SUBSCRIBE, BX_ROUTE_SUBSCRIPTIONS, BX_ROUTE_ENDED_SUBS);
		break;
	case BX_REGISTERED:
		learn_subject(r, s, m, BX_REGISTER, BX_ROUTE_REGISTRATIONS, BX_ROUTE_ENDED_REGS);
		break;
	case BX_UNSUBSCRIBED:
		end_subject(r, s, m, BX_UNSUBSCRIBE, BX_ROUTE_SUBSCRIPTIONS, BX_ROUTE_ENDED_SUBS);
		break;
	case BX_UNREGISTERED:
		end_subject(r, s, m, BX_UNREGISTER, BX_ROUTE_REGISTRATIONS, BX_ROUTE_ENDED_REGS);
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
			learn_uri(route, conn, m, BX_ROUTE_CALLS, m->request, 0);
		return BX_ROUTED_NOT_NEEDED;
	case BX_RESULT:
		return answer_reply(route, conn, m, BX_ROUTE_CALLS, uri);
	case BX_INVOCATION:
		return answer_invocation(route, conn, m, uri);
	case BX_YIELD:
		return answer_reply(route, conn, m, BX_ROUTE_INVOCATIONS, uri);
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
