/* keys/route: every row of spec section 3, sessions, tombstones, limits, and a naive model. */
#include "keys/route.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bx_message
message(uint16_t type, uint64_t request, uint64_t subject)
{
	return (struct bx_message){ .type = type, .request = request, .subject = subject };
}

static struct bx_message
with_uri(struct bx_message m, const char *uri, unsigned flags)
{
	m.uri = (const uint8_t *)uri;
	m.uri_len = (uint32_t)strlen(uri);
	m.flags = (uint16_t)(m.flags | flags);
	return m;
}

static struct bx_route *
new_route(struct bx_route_limits limits)
{
	struct bx_route *r = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_route_new(&r, limits, &fail), BX_OK, "%s", fail.msg);
	return r;
}

static enum bx_routed
feed(struct bx_route *r, uint64_t conn, struct bx_message m)
{
	struct bx_span uri;

	return bx_route_feed(r, conn, &m, &uri);
}

/* Feeds a message that needs a URI and compares. */
static void
expect(struct bx_route *r, uint64_t conn, struct bx_message m, enum bx_routed routed,
       const char *uri)
{
	struct bx_span got = { NULL, 0 };
	const enum bx_routed is = bx_route_feed(r, conn, &m, &got);

	cr_assert_eq(is, routed, "type %u: %d, not %d", m.type, is, routed);
	if (uri != NULL)
		cr_assert(got.len == strlen(uri) && memcmp(got.ptr, uri, got.len) == 0,
			  "'%.*s', not '%s'", (int)got.len, (const char *)got.ptr, uri);
	else
		cr_assert_null(got.ptr, "uri set without an answer");
}

static void
subscribe(struct bx_route *r, uint64_t conn, uint64_t request, const char *topic, uint8_t match,
	  uint64_t subscription)
{
	struct bx_message m =
	    with_uri(message(BX_SUBSCRIBE, request, 0), topic, BX_MSG_URI_IN_ENVELOPE);

	m.match = match;
	cr_assert_eq(feed(r, conn, m), BX_ROUTED_NOT_NEEDED);
	feed(r, conn, message(BX_SUBSCRIBED, request, subscription));
}

static void
enroll(struct bx_route *r, uint64_t conn, uint64_t request, const char *procedure, uint8_t match,
       uint64_t registration)
{
	struct bx_message m =
	    with_uri(message(BX_REGISTER, request, 0), procedure, BX_MSG_URI_IN_ENVELOPE);

	m.match = match;
	cr_assert_eq(feed(r, conn, m), BX_ROUTED_NOT_NEEDED);
	feed(r, conn, message(BX_REGISTERED, request, registration));
}

static struct bx_message
call(uint64_t request, const char *procedure)
{
	return with_uri(message(BX_CALL, request, 0), procedure, BX_MSG_URI_IN_ENVELOPE);
}

static struct bx_message
progressive(struct bx_message m)
{
	m.flags |= BX_MSG_PROGRESS;
	return m;
}

static struct bx_message
error(uint16_t request_type, uint64_t request)
{
	struct bx_message m =
	    with_uri(message(BX_ERROR, request, 0), "com.acme.error", BX_MSG_URI_IN_ENVELOPE);

	m.request_type = request_type;
	return m;
}

static struct bx_message
event(uint64_t subscription)
{
	return message(BX_EVENT, 0, subscription);
}

static struct bx_message
invocation(uint64_t request, uint64_t registration)
{
	return message(BX_INVOCATION, request, registration);
}

/* --- rows of section 3 ------------------------------------------------------------------------ */

Test(route, messages_with_their_own_uri_need_nothing)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);
	struct bx_message m = with_uri(message(BX_PUBLISH, 1, 0), "t", BX_MSG_URI_IN_ENVELOPE);

	expect(r, 1, m, BX_ROUTED_NOT_NEEDED, NULL);
	cr_assert_not(bx_route_wants(&m));
	expect(r, 1, call(1, "p"), BX_ROUTED_NOT_NEEDED, NULL);
	expect(r, 1, error(BX_CALL, 1), BX_ROUTED_NOT_NEEDED, NULL);
	expect(r, 1, with_uri(event(5), "t", BX_MSG_URI_IN_DETAILS), BX_ROUTED_NOT_NEEDED, NULL);
	expect(r, 1, message(BX_EVENT_RECEIVED, 0, 0), BX_ROUTED_NOT_NEEDED, NULL);
	expect(r, 1, message(300, 0, 0), BX_ROUTED_NOT_NEEDED, NULL);
	bx_route_free(r);
}

Test(route, event_by_exact_subscription)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	expect(r, 1, event(7), BX_ROUTED_UNKNOWN, NULL);
	subscribe(r, 1, 1, "com.acme.a", BX_MATCH_EXACT, 7);
	subscribe(r, 1, 2, "com.acme.b", BX_MATCH_EXACT, (uint64_t)1 << 53);
	expect(r, 1, event(7), BX_ROUTED_FOUND, "com.acme.a");
	expect(r, 1, event((uint64_t)1 << 53), BX_ROUTED_FOUND, "com.acme.b");
	expect(r, 1, event(8), BX_ROUTED_UNKNOWN, NULL);
	expect(r, 2, event(7), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, subscribed_without_its_request_teaches_nothing)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	feed(r, 1, message(BX_SUBSCRIBED, 1, 7));
	expect(r, 1, event(7), BX_ROUTED_UNKNOWN, NULL);
	/* A REGISTER with the same request id is not its request either. */
	feed(r, 1, with_uri(message(BX_REGISTER, 2, 0), "p", BX_MSG_URI_IN_ENVELOPE));
	feed(r, 1, message(BX_SUBSCRIBED, 2, 7));
	expect(r, 1, event(7), BX_ROUTED_UNKNOWN, NULL);
	feed(r, 1, message(BX_REGISTERED, 2, 7));
	expect(r, 1, invocation(1, 7), BX_ROUTED_FOUND, "p");
	bx_route_free(r);
}

Test(route, pattern_subscription_without_topic_is_no_uri)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	subscribe(r, 1, 1, "com.acme.", BX_MATCH_PREFIX, 7);
	subscribe(r, 1, 2, "com..x", BX_MATCH_WILDCARD, 8);
	subscribe(r, 1, 3, "com.odd", BX_MATCH_ODD, 9);
	expect(r, 1, event(7), BX_ROUTED_PATTERN, "com.acme.");
	expect(r, 1, event(8), BX_ROUTED_PATTERN, "com..x");
	expect(r, 1, event(9), BX_ROUTED_PATTERN, "com.odd");
	expect(r, 1, with_uri(event(7), "com.acme.t", BX_MSG_URI_IN_DETAILS), BX_ROUTED_NOT_NEEDED,
	       NULL);
	bx_route_free(r);
}

Test(route, refused_subscription_is_forgotten)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	feed(r, 1, with_uri(message(BX_SUBSCRIBE, 1, 0), "a", BX_MSG_URI_IN_ENVELOPE));
	feed(r, 1, error(BX_SUBSCRIBE, 1));
	feed(r, 1, message(BX_SUBSCRIBED, 1, 7));
	expect(r, 1, event(7), BX_ROUTED_UNKNOWN, NULL);

	feed(r, 1, with_uri(message(BX_REGISTER, 2, 0), "a", BX_MSG_URI_IN_ENVELOPE));
	feed(r, 1, error(BX_REGISTER, 2));
	feed(r, 1, message(BX_REGISTERED, 2, 7));
	expect(r, 1, invocation(1, 7), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, unsubscribed_leaves_a_tombstone)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	subscribe(r, 1, 1, "a", BX_MATCH_EXACT, 7);
	feed(r, 1, message(BX_UNSUBSCRIBE, 2, 7));
	expect(r, 1, event(7), BX_ROUTED_FOUND, "a"); /* still on its way until UNSUBSCRIBED */
	feed(r, 1, message(BX_UNSUBSCRIBED, 2, 0));
	expect(r, 1, event(7), BX_ROUTED_STALE, "a");
	/* A later SUBSCRIBED with the same id overwrites. */
	subscribe(r, 1, 3, "b", BX_MATCH_EXACT, 7);
	expect(r, 1, event(7), BX_ROUTED_FOUND, "b");
	/* Even one whose request is not known: the id may mean something else now. */
	feed(r, 1, message(BX_UNSUBSCRIBE, 4, 7));
	feed(r, 1, message(BX_UNSUBSCRIBED, 4, 0));
	expect(r, 1, event(7), BX_ROUTED_STALE, "b");
	feed(r, 1, message(BX_SUBSCRIBED, 99, 7));
	expect(r, 1, event(7), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, refused_unsubscribe_keeps_the_subscription)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	subscribe(r, 1, 1, "a", BX_MATCH_EXACT, 7);
	feed(r, 1, message(BX_UNSUBSCRIBE, 2, 7));
	feed(r, 1, error(BX_UNSUBSCRIBE, 2));
	feed(r, 1, message(BX_UNSUBSCRIBED, 2, 0)); /* of nothing */
	expect(r, 1, event(7), BX_ROUTED_FOUND, "a");

	enroll(r, 1, 3, "p", BX_MATCH_EXACT, 8);
	feed(r, 1, message(BX_UNREGISTER, 4, 8));
	feed(r, 1, error(BX_UNREGISTER, 4));
	feed(r, 1, message(BX_UNREGISTERED, 4, 0));
	expect(r, 1, invocation(1, 8), BX_ROUTED_FOUND, "p");
	bx_route_free(r);
}

Test(route, router_revokes_with_request_0)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	subscribe(r, 1, 1, "a", BX_MATCH_EXACT, 7);
	enroll(r, 1, 2, "p", BX_MATCH_EXACT, 8);
	feed(r, 1, message(BX_UNSUBSCRIBED, 0, 7));
	feed(r, 1, message(BX_UNREGISTERED, 0, 8));
	expect(r, 1, event(7), BX_ROUTED_STALE, "a");
	expect(r, 1, invocation(1, 8), BX_ROUTED_STALE, "p");
	expect(r, 1, message(BX_YIELD, 1, 0), BX_ROUTED_STALE, "p");
	bx_route_free(r);
}

Test(route, invocation_and_yield)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	enroll(r, 1, 1, "com.acme.p", BX_MATCH_EXACT, 7);
	expect(r, 1, invocation(1, 7), BX_ROUTED_FOUND, "com.acme.p");
	expect(r, 1, invocation(2, 7), BX_ROUTED_FOUND, "com.acme.p");
	expect(r, 1, progressive(message(BX_YIELD, 2, 0)), BX_ROUTED_FOUND, "com.acme.p");
	expect(r, 1, message(BX_YIELD, 1, 0), BX_ROUTED_FOUND, "com.acme.p");
	expect(r, 1, message(BX_YIELD, 1, 0), BX_ROUTED_UNKNOWN, NULL);
	expect(r, 1, message(BX_INTERRUPT, 2, 0), BX_ROUTED_NOT_NEEDED, NULL);
	expect(r, 1, message(BX_YIELD, 2, 0), BX_ROUTED_FOUND, "com.acme.p");
	expect(r, 1, message(BX_YIELD, 2, 0), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, invocation_names_its_procedure)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	enroll(r, 1, 1, "com.acme.", BX_MATCH_PREFIX, 7);
	expect(r, 1, with_uri(invocation(1, 7), "com.acme.q", BX_MSG_URI_IN_DETAILS),
	       BX_ROUTED_NOT_NEEDED, NULL);
	expect(r, 1, message(BX_YIELD, 1, 0), BX_ROUTED_FOUND, "com.acme.q");
	/* No registration is needed for that. */
	expect(r, 2, with_uri(invocation(1, 9), "com.acme.r", BX_MSG_URI_IN_DETAILS),
	       BX_ROUTED_NOT_NEEDED, NULL);
	expect(r, 2, message(BX_YIELD, 1, 0), BX_ROUTED_FOUND, "com.acme.r");
	/* A pattern without details.procedure resolves neither it nor its answer. */
	expect(r, 1, invocation(2, 7), BX_ROUTED_PATTERN, "com.acme.");
	expect(r, 1, message(BX_YIELD, 2, 0), BX_ROUTED_PATTERN, "com.acme.");
	expect(r, 1, invocation(3, 70), BX_ROUTED_UNKNOWN, NULL);
	expect(r, 1, message(BX_YIELD, 3, 0), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, an_invocation_survives_its_registration)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	enroll(r, 1, 1, "p", BX_MATCH_EXACT, 7);
	feed(r, 1, invocation(1, 7));
	feed(r, 1, message(BX_UNREGISTER, 2, 7));
	expect(r, 1, invocation(2, 7), BX_ROUTED_FOUND, "p");
	feed(r, 1, message(BX_UNREGISTERED, 2, 0));
	expect(r, 1, invocation(3, 7), BX_ROUTED_STALE, "p");
	expect(r, 1, message(BX_YIELD, 1, 0), BX_ROUTED_FOUND, "p");
	expect(r, 1, message(BX_YIELD, 2, 0), BX_ROUTED_FOUND, "p");
	expect(r, 1, message(BX_YIELD, 3, 0), BX_ROUTED_STALE, "p");
	bx_route_free(r);
}

Test(route, invocation_error_ends_it)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	enroll(r, 1, 1, "p", BX_MATCH_EXACT, 7);
	feed(r, 1, invocation(1, 7));
	feed(r, 1, error(BX_CALL, 1)); /* of a call, not of the invocation */
	expect(r, 1, progressive(message(BX_YIELD, 1, 0)), BX_ROUTED_FOUND, "p");
	feed(r, 1, error(BX_INVOCATION, 1));
	expect(r, 1, message(BX_YIELD, 1, 0), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, call_and_result)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	feed(r, 1, call(1, "com.acme.p"));
	feed(r, 1, call(2, "com.acme.q"));
	expect(r, 1, progressive(message(BX_RESULT, 1, 0)), BX_ROUTED_FOUND, "com.acme.p");
	expect(r, 1, progressive(message(BX_RESULT, 1, 0)), BX_ROUTED_FOUND, "com.acme.p");
	feed(r, 1, message(BX_CANCEL, 1, 0)); /* does not end it */
	expect(r, 1, message(BX_RESULT, 1, 0), BX_ROUTED_FOUND, "com.acme.p");
	expect(r, 1, message(BX_RESULT, 1, 0), BX_ROUTED_UNKNOWN, NULL);
	feed(r, 1, error(BX_INVOCATION, 2));
	feed(r, 1, error(BX_PUBLISH, 2));
	expect(r, 1, progressive(message(BX_RESULT, 2, 0)), BX_ROUTED_FOUND, "com.acme.q");
	feed(r, 1, error(BX_CALL, 2));
	expect(r, 1, message(BX_RESULT, 2, 0), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, progressive_call_takes_the_latest_uri)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	feed(r, 1, progressive(call(1, "p")));
	feed(r, 1, progressive(call(1, "p")));
	expect(r, 1, progressive(message(BX_RESULT, 1, 0)), BX_ROUTED_FOUND, "p");
	feed(r, 1, call(1, "q"));
	expect(r, 1, message(BX_RESULT, 1, 0), BX_ROUTED_FOUND, "q");
	expect(r, 1, message(BX_RESULT, 1, 0), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

/* --- sessions --------------------------------------------------------------------------------- */

static void
fill_session(struct bx_route *r, uint64_t conn)
{
	subscribe(r, conn, 1, "t", BX_MATCH_EXACT, 7);
	enroll(r, conn, 2, "p", BX_MATCH_EXACT, 8);
	feed(r, conn, call(3, "c"));
	feed(r, conn, invocation(1, 8));
	subscribe(r, conn, 4, "gone", BX_MATCH_EXACT, 9);
	feed(r, conn, message(BX_UNSUBSCRIBED, 0, 9));
	feed(r, conn, with_uri(message(BX_SUBSCRIBE, 5, 0), "late", BX_MSG_URI_IN_ENVELOPE));
}

static void
expect_full(struct bx_route *r, uint64_t conn)
{
	expect(r, conn, event(7), BX_ROUTED_FOUND, "t");
	expect(r, conn, invocation(2, 8), BX_ROUTED_FOUND, "p");
	expect(r, conn, message(BX_RESULT, 3, 0), BX_ROUTED_FOUND, "c");
	expect(r, conn, message(BX_YIELD, 1, 0), BX_ROUTED_FOUND, "p");
	expect(r, conn, event(9), BX_ROUTED_STALE, "gone");
	feed(r, conn, message(BX_SUBSCRIBED, 5, 10));
	expect(r, conn, event(10), BX_ROUTED_FOUND, "late");
}

static void
expect_empty(struct bx_route *r, uint64_t conn)
{
	expect(r, conn, event(7), BX_ROUTED_UNKNOWN, NULL);
	expect(r, conn, invocation(2, 8), BX_ROUTED_UNKNOWN, NULL);
	expect(r, conn, message(BX_RESULT, 3, 0), BX_ROUTED_UNKNOWN, NULL);
	expect(r, conn, message(BX_YIELD, 1, 0), BX_ROUTED_UNKNOWN, NULL);
	expect(r, conn, event(9), BX_ROUTED_UNKNOWN, NULL);
	feed(r, conn, message(BX_SUBSCRIBED, 5, 10));
	expect(r, conn, event(10), BX_ROUTED_UNKNOWN, NULL);
}

Test(route, every_end_and_every_beginning_resets)
{
	static const uint16_t types[] = { BX_HELLO, BX_WELCOME, BX_ABORT, BX_GOODBYE };

	for (size_t i = 0; i < 4; i++) {
		struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

		fill_session(r, 1);
		fill_session(r, 2);
		feed(r, 1, message(types[i], 0, 0));
		expect_empty(r, 1);
		expect_full(r, 2); /* the other connection is not touched */
		bx_route_free(r);
	}
}

Test(route, other_messages_do_not_reset)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	fill_session(r, 1);
	feed(r, 1, message(BX_CHALLENGE, 0, 0));
	feed(r, 1, message(BX_AUTHENTICATE, 0, 0));
	feed(r, 1, message(BX_PUBLISHED, 3, 0));
	expect_full(r, 1);
	bx_route_free(r);
}

/* Merged stream: the WELCOME that answers a HELLO loses nothing; the next one begins anew. */
Test(route, welcome_after_hello_keeps_what_came_between)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	feed(r, 1, message(BX_HELLO, 0, 0));
	fill_session(r, 1); /* a client that does not wait */
	feed(r, 1, message(BX_CHALLENGE, 0, 0));
	feed(r, 1, message(BX_WELCOME, 0, 99));
	expect_full(r, 1);
	feed(r, 1, message(BX_WELCOME, 0, 100));
	expect_empty(r, 1);
	bx_route_free(r);
}

/* Halves: c2r shows HELLO only, r2c WELCOME only. Two sessions in a row on each. */
Test(route, halves_of_a_connection)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	feed(r, 1, message(BX_HELLO, 0, 0));
	feed(r, 1, call(1, "first"));
	feed(r, 1, message(BX_HELLO, 0, 0));
	expect(r, 1, message(BX_RESULT, 1, 0), BX_ROUTED_UNKNOWN, NULL);

	feed(r, 2, message(BX_WELCOME, 0, 5));
	feed(r, 2, with_uri(invocation(1, 8), "p", BX_MSG_URI_IN_DETAILS));
	feed(r, 2, message(BX_WELCOME, 0, 6));
	expect(r, 2, message(BX_YIELD, 1, 0), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, request_ids_restart_in_the_next_session)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	for (int session = 0; session < 3; session++) {
		char topic[32];

		snprintf(topic, sizeof(topic), "topic%d", session);
		feed(r, 1, message(BX_HELLO, 0, 0));
		feed(r, 1, message(BX_WELCOME, 0, 1));
		expect(r, 1, event(7), BX_ROUTED_UNKNOWN, NULL);
		subscribe(r, 1, 1, topic, BX_MATCH_EXACT, 7);
		expect(r, 1, event(7), BX_ROUTED_FOUND, topic);
		feed(r, 1, message(BX_GOODBYE, 0, 0));
		feed(r, 1, message(BX_GOODBYE, 0, 0));
	}
	bx_route_free(r);
}

/* --- limits ----------------------------------------------------------------------------------- */

Test(route, oldest_calls_are_evicted_and_counted)
{
	struct bx_route *r = new_route((struct bx_route_limits){ 4, 10, 10, 1 << 20 });

	for (uint64_t i = 0; i < 25; i++)
		feed(r, 1, call(i, "p"));
	cr_assert_eq(bx_route_evicted(r), 15);
	for (uint64_t i = 0; i < 25; i++)
		expect(r, 1, message(BX_RESULT, i, 0), i < 15 ? BX_ROUTED_UNKNOWN : BX_ROUTED_FOUND,
		       i < 15 ? NULL : "p");
	cr_assert_eq(bx_route_evicted(r), 15);
	bx_route_free(r);
}

/* A call that stays open while many others come and go is not evicted for them. */
Test(route, finished_calls_take_no_room)
{
	struct bx_route *r = new_route((struct bx_route_limits){ 4, 10, 10, 1 << 20 });

	feed(r, 1, call(0, "long"));
	for (uint64_t i = 1; i < 10000; i++) {
		feed(r, 1, call(i, "short"));
		if (i > 5)
			expect(r, 1, message(BX_RESULT, i - 5, 0), BX_ROUTED_FOUND, "short");
	}
	expect(r, 1, message(BX_RESULT, 0, 0), BX_ROUTED_FOUND, "long");
	cr_assert_eq(bx_route_evicted(r), 0);
	bx_route_free(r);
}

Test(route, subjects_are_bounded_apart_from_their_tombstones)
{
	struct bx_route *r = new_route((struct bx_route_limits){ 4, 10, 3, 1 << 20 });

	subscribe(r, 1, 1, "kept", BX_MATCH_EXACT, 1000);
	for (uint64_t i = 0; i < 50; i++) {
		subscribe(r, 1, 2, "brief", BX_MATCH_EXACT, i);
		feed(r, 1, message(BX_UNSUBSCRIBED, 0, i));
	}
	expect(r, 1, event(1000), BX_ROUTED_FOUND, "kept");
	expect(r, 1, event(49), BX_ROUTED_STALE, "brief");
	expect(r, 1, event(46), BX_ROUTED_UNKNOWN, NULL);
	cr_assert_eq(bx_route_evicted(r), 47);
	for (uint64_t i = 0; i < 3; i++)
		subscribe(r, 1, 3, "new", BX_MATCH_EXACT, 2000 + i);
	expect(r, 1, event(1000), BX_ROUTED_UNKNOWN, NULL);
	cr_assert_eq(bx_route_evicted(r), 48);
	bx_route_free(r);
}

Test(route, idle_connections_are_forgotten)
{
	struct bx_route *r = new_route((struct bx_route_limits){ 3, 10, 10, 1 << 20 });

	for (uint64_t conn = 0; conn < 3; conn++)
		subscribe(r, conn, 1, "a", BX_MATCH_EXACT, 7);
	subscribe(r, UINT64_MAX, 1, "b", BX_MATCH_EXACT, 7);
	expect(r, 0, event(7), BX_ROUTED_UNKNOWN, NULL);
	expect(r, 1, event(7), BX_ROUTED_FOUND, "a");
	expect(r, UINT64_MAX, event(7), BX_ROUTED_FOUND, "b");
	cr_assert_eq(bx_route_evicted(r), 1);
	/* 2 was not used since, 1 and the last one were. */
	subscribe(r, 4, 1, "c", BX_MATCH_EXACT, 7);
	expect(r, 1, event(7), BX_ROUTED_FOUND, "a");
	expect(r, 2, event(7), BX_ROUTED_UNKNOWN, NULL);
	expect(r, UINT64_MAX, event(7), BX_ROUTED_FOUND, "b");
	expect(r, 4, event(7), BX_ROUTED_FOUND, "c");
	cr_assert_eq(bx_route_evicted(r), 2);
	bx_route_free(r);
}

Test(route, many_connections_stay_within_the_table_bound)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);

	/* More tables than fit: 400 connections of 2,000 calls each. */
	for (uint64_t conn = 0; conn < 1600; conn++)
		for (uint64_t i = 0; i < 2000; i++)
			feed(r, conn, call(i, "p"));
	cr_assert_gt(bx_route_evicted(r), 0);
	cr_assert_eq(bx_route_evicted(r) % 2000, 0);
	expect(r, 1599, message(BX_RESULT, 0, 0), BX_ROUTED_FOUND, "p");
	expect(r, 0, message(BX_RESULT, 0, 0), BX_ROUTED_UNKNOWN, NULL);
	bx_route_free(r);
}

Test(route, texts_are_bounded)
{
	/* Room for ten texts of 20 bytes. */
	struct bx_route *r = new_route((struct bx_route_limits){ 4, 1000, 1000, 1000 });
	char uri[32];

	subscribe(r, 1, 1, "com.acme.kept.......", BX_MATCH_EXACT, 7);
	/* Those of finished calls make room for new ones; the subscription's stays. */
	for (uint64_t i = 0; i < 100; i++) {
		snprintf(uri, sizeof(uri), "com.acme.brief.%05u", (unsigned)i);
		feed(r, 1, call(i, uri));
		expect(r, 1, message(BX_RESULT, i, 0), BX_ROUTED_FOUND, uri);
	}
	expect(r, 1, event(7), BX_ROUTED_FOUND, "com.acme.kept.......");
	cr_assert_eq(bx_route_evicted(r), 0);
	/* Ten open calls push it out. */
	for (uint64_t i = 0; i < 10; i++) {
		snprintf(uri, sizeof(uri), "com.acme.open..%05u", (unsigned)i);
		feed(r, 1, call(i, uri));
	}
	expect(r, 1, event(7), BX_ROUTED_UNKNOWN, NULL);
	cr_assert_eq(bx_route_evicted(r), 1);
	for (uint64_t i = 0; i < 10; i++) {
		snprintf(uri, sizeof(uri), "com.acme.open..%05u", (unsigned)i);
		expect(r, 1, message(BX_RESULT, i, 0), BX_ROUTED_FOUND, uri);
	}
	bx_route_free(r);
}

Test(route, a_text_larger_than_all_room_is_unknown)
{
	struct bx_route *r = new_route((struct bx_route_limits){ 4, 10, 10, 200 });
	char uri[300];

	memset(uri, 'a', sizeof(uri) - 1);
	uri[sizeof(uri) - 1] = '\0';
	feed(r, 1, call(1, "p"));
	feed(r, 1, call(1, uri)); /* the same call; its earlier URI holds no longer */
	expect(r, 1, message(BX_RESULT, 1, 0), BX_ROUTED_UNKNOWN, NULL);
	cr_assert_eq(bx_route_evicted(r), 1);
	bx_route_free(r);
}

Test(route, empty_and_nul_uris)
{
	struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);
	struct bx_message m = call(1, "");
	struct bx_span uri = { NULL, 0 };

	feed(r, 1, m);
	m = call(2, "");
	m.uri = (const uint8_t *)"a\0b";
	m.uri_len = 3;
	feed(r, 1, m);
	m = message(BX_RESULT, 1, 0);
	cr_assert_eq(bx_route_feed(r, 1, &m, &uri), BX_ROUTED_FOUND);
	cr_assert_eq(uri.len, 0);
	m = message(BX_RESULT, 2, 0);
	cr_assert_eq(bx_route_feed(r, 1, &m, &uri), BX_ROUTED_FOUND);
	cr_assert(uri.len == 3 && memcmp(uri.ptr, "a\0b", 3) == 0);
	bx_route_free(r);
}

Test(route, bad_limits_are_refused)
{
	struct bx_route *r = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_route_new(&r, (struct bx_route_limits){ 0, 1, 1, 1 }, &fail), BX_ERR_USAGE);
	cr_assert_null(r);
	bx_route_free(NULL);
}

/* --- against a naive model -------------------------------------------------------------------- */

enum { MODEL_IDS = 12, MODEL_CONNS = 3 };

struct model {
	const char *subs_req[MODEL_IDS], *regs_req[MODEL_IDS], *subs[MODEL_IDS], *regs[MODEL_IDS];
	const char *subs_gone[MODEL_IDS], *regs_gone[MODEL_IDS], *calls[MODEL_IDS],
	    *invs[MODEL_IDS];
	bool inv_stale[MODEL_IDS];
	int unsub[MODEL_IDS], unreg[MODEL_IDS]; /* 1 + subject */
	bool greeted;
};

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
model_subject(const char **requests, const char **live, const char **gone, uint64_t request,
	      uint64_t subject)
{
	gone[subject] = NULL;
	if (requests[request] != NULL)
		live[subject] = requests[request];
	requests[request] = NULL;
}

static void
model_end(int *ends, const char **live, const char **gone, uint64_t request, uint64_t subject)
{
	if (request != 0) {
		if (ends[request] == 0)
			return;
		subject = (uint64_t)ends[request] - 1;
		ends[request] = 0;
	}
	if (live[subject] != NULL)
		gone[subject] = live[subject];
	live[subject] = NULL;
}

/* What the model says of `m`: NULL unknown; *stale. */
static const char *
model_feed(struct model *s, const struct bx_message *m, bool *stale)
{
	const uint64_t q = m->request, j = m->subject;
	const char *uri = NULL;

	*stale = false;
	switch (m->type) {
	case BX_HELLO:
		memset(s, 0, sizeof(*s));
		s->greeted = true;
		break;
	case BX_WELCOME:
		if (!s->greeted)
			memset(s, 0, sizeof(*s));
		s->greeted = false;
		break;
	case BX_GOODBYE:
	case BX_ABORT:
		memset(s, 0, sizeof(*s));
		break;
	case BX_SUBSCRIBE:
		s->subs_req[q] = (const char *)m->uri;
		break;
	case BX_REGISTER:
		s->regs_req[q] = (const char *)m->uri;
		break;
	case BX_SUBSCRIBED:
		model_subject(s->subs_req, s->subs, s->subs_gone, q, j);
		break;
	case BX_REGISTERED:
		model_subject(s->regs_req, s->regs, s->regs_gone, q, j);
		break;
	case BX_UNSUBSCRIBE:
		s->unsub[q] = (int)j + 1;
		break;
	case BX_UNREGISTER:
		s->unreg[q] = (int)j + 1;
		break;
	case BX_UNSUBSCRIBED:
		model_end(s->unsub, s->subs, s->subs_gone, q, j);
		break;
	case BX_UNREGISTERED:
		model_end(s->unreg, s->regs, s->regs_gone, q, j);
		break;
	case BX_CALL:
		s->calls[q] = (const char *)m->uri;
		break;
	case BX_EVENT:
		*stale = s->subs[j] == NULL;
		uri = *stale ? s->subs_gone[j] : s->subs[j];
		break;
	case BX_INVOCATION:
		*stale = s->regs[j] == NULL;
		uri = *stale ? s->regs_gone[j] : s->regs[j];
		s->invs[q] = uri;
		s->inv_stale[q] = *stale;
		break;
	case BX_RESULT:
		uri = s->calls[q];
		if ((m->flags & BX_MSG_PROGRESS) == 0)
			s->calls[q] = NULL;
		break;
	case BX_YIELD:
		uri = s->invs[q];
		*stale = s->inv_stale[q];
		if ((m->flags & BX_MSG_PROGRESS) == 0)
			s->invs[q] = NULL;
		break;
	default:
		if (m->request_type == BX_CALL)
			s->calls[q] = NULL;
		else if (m->request_type == BX_INVOCATION)
			s->invs[q] = NULL;
		else if (m->request_type == BX_SUBSCRIBE)
			s->subs_req[q] = NULL;
		else if (m->request_type == BX_REGISTER)
			s->regs_req[q] = NULL;
		else if (m->request_type == BX_UNSUBSCRIBE)
			s->unsub[q] = 0;
		else if (m->request_type == BX_UNREGISTER)
			s->unreg[q] = 0;
	}
	return uri;
}

static void
compare_with_model(struct bx_route *r, struct model *models, uint64_t *state)
{
	static const uint16_t types[] = { BX_SUBSCRIBE,    BX_SUBSCRIBED, BX_UNSUBSCRIBE,
					  BX_UNSUBSCRIBED, BX_EVENT,      BX_REGISTER,
					  BX_REGISTERED,   BX_UNREGISTER, BX_UNREGISTERED,
					  BX_INVOCATION,   BX_YIELD,      BX_CALL,
					  BX_RESULT,       BX_ERROR,      BX_EVENT,
					  BX_SUBSCRIBE,    BX_SUBSCRIBED };
	static const uint16_t rare[] = { BX_HELLO, BX_WELCOME, BX_GOODBYE, BX_ABORT };
	static const uint16_t errors[] = { 16, 32, 34, 48, 64, 66, 68 };
	static const char *const uris[] = { "a", "com.acme.topic", "com.acme.topic2", "x.y.z", "" };
	const uint64_t conn = next_random(state) % MODEL_CONNS;
	const uint64_t pick = next_random(state);
	const uint16_t type = pick % 200 == 0 ? rare[pick / 200 % 4] : types[pick % 17];
	struct bx_message m =
	    message(type, next_random(state) % MODEL_IDS, next_random(state) % MODEL_IDS);

	if (type == BX_SUBSCRIBE || type == BX_REGISTER || type == BX_CALL)
		m = with_uri(m, uris[next_random(state) % 5], BX_MSG_URI_IN_ENVELOPE);
	if (type == BX_ERROR)
		m.request_type = errors[next_random(state) % 7];
	if (next_random(state) % 3 == 0)
		m.flags |= BX_MSG_PROGRESS;

	bool stale;
	const char *uri = model_feed(&models[conn], &m, &stale);
	const bool asks =
	    type == BX_EVENT || type == BX_INVOCATION || type == BX_RESULT || type == BX_YIELD;

	expect(r, conn, m,
	       !asks         ? BX_ROUTED_NOT_NEEDED
	       : uri == NULL ? BX_ROUTED_UNKNOWN
	       : stale       ? BX_ROUTED_STALE
			     : BX_ROUTED_FOUND,
	       asks ? uri : NULL);
}

Test(route, agrees_with_a_naive_model)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct bx_route *r = new_route(BX_ROUTE_LIMITS_DEFAULT);
		struct model models[MODEL_CONNS] = { 0 };
		uint64_t state = seed * 0x9e3779b97f4a7c15ull;

		for (int i = 0; i < 20000; i++)
			compare_with_model(r, models, &state);
		cr_assert_eq(bx_route_evicted(r), 0);
		bx_route_free(r);
	}
}

/* FIFO order under many ids, with removals in between, against a plain list. */
Test(route, eviction_order_agrees_with_a_plain_list)
{
	enum { LIMIT = 100, IDS = 4096 };
	struct bx_route *r = new_route((struct bx_route_limits){ 1, LIMIT, LIMIT, 1 << 20 });
	uint64_t list[LIMIT];
	size_t count = 0;
	uint64_t state = 88172645463325252ull;
	uint64_t evicted = 0;

	for (int i = 0; i < 200000; i++) {
		const uint64_t id = next_random(&state) % IDS;
		size_t at = 0;

		while (at < count && list[at] != id)
			at++;
		if (next_random(&state) % 5 < 3) {
			if (at < count)
				memmove(&list[at], &list[at + 1], (--count - at) * sizeof(*list));
			if (count == LIMIT) {
				memmove(list, list + 1, --count * sizeof(*list));
				evicted++;
			}
			list[count++] = id;
			feed(r, 0, call(id, "p"));
			continue;
		}
		expect(r, 0, message(BX_RESULT, id, 0),
		       at < count ? BX_ROUTED_FOUND : BX_ROUTED_UNKNOWN, at < count ? "p" : NULL);
		if (at < count)
			memmove(&list[at], &list[at + 1], (--count - at) * sizeof(*list));
	}
	cr_assert_eq(bx_route_evicted(r), evicted);
	cr_assert_gt(evicted, 1000);
	bx_route_free(r);
}
