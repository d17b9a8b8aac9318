/* Route: which URI a message belongs to that does not carry it (spec section 3). */
#ifndef BX_KEYS_ROUTE_H
#define BX_KEYS_ROUTE_H

#include "base/message.h"
#include "boxcar/fail.h"

/*
 * One table for all connections of a recording. Fed every message in recording order by one thread
 * at a time. Memory is bounded by the limits; what is evicted (oldest first) reads as unknown and
 * is counted. The tables of all connections together take at most BX_ROUTE_TABLE_BYTES: beyond it
 * the connections that were idle longest are forgotten. When memory cannot be had, an entry is
 * evicted instead; feeding never fails.
 */
struct bx_route;

struct bx_route_limits {
	uint32_t connections; /* states kept at once */
	uint32_t pending;     /* calls, invocations and requests in flight per connection */
	uint32_t subjects;    /* subscriptions, and as many registrations, per connection */
	size_t text_bytes;    /* of all URIs together, 80 for each distinct one included */
};

/* One connection with every table full takes 25 MiB; one with a few ids about half a KiB. */
#define BX_ROUTE_TABLE_BYTES ((size_t)32 << 20)

#define BX_ROUTE_LIMITS_DEFAULT ((struct bx_route_limits){ 65536, 65536, 65536, (size_t)24 << 20 })

enum bx_routed {
	BX_ROUTED_NOT_NEEDED, /* no payload-bearing type, or the URI is in the message */
	BX_ROUTED_FOUND,      /* *uri is set */
	BX_ROUTED_UNKNOWN,    /* nothing is known of this id (or it was evicted) */
	BX_ROUTED_STALE,   /* after UNSUBSCRIBED/UNREGISTERED: *uri is set, good for opening only */
	BX_ROUTED_PATTERN, /* a pattern subscription without details.topic: *uri is the pattern, not
			      the topic */
};

enum bx_err bx_route_new(struct bx_route **route, struct bx_route_limits limits,
			 struct bx_fail *fail) BX_MUST_USE;
void bx_route_free(struct bx_route *route);

/*
 * Learns from `m` and answers for it. `conn` tells connections apart; sessions within one
 * connection are told apart by HELLO/WELCOME/GOODBYE/ABORT: each begins from nothing, except that
 * a WELCOME which answers a HELLO keeps what was learnt between the two. *uri is set for FOUND,
 * STALE and PATTERN (else it is left alone) and lives until the next feed.
 */
enum bx_routed bx_route_feed(struct bx_route *route, uint64_t conn, const struct bx_message *m,
			     struct bx_span *uri);

/* True when feeding `m` can change or need the state (else the call may be left out). */
static inline bool
bx_route_wants(const struct bx_message *m)
{
	return m->type != BX_PUBLISH && m->type != BX_PUBLISHED;
}

/* Entries dropped by the limits so far. */
uint64_t bx_route_evicted(const struct bx_route *route);

#endif
