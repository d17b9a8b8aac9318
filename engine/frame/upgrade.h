/* The HTTP upgrade that opens a WebSocket connection: what it says of the frames behind it. */
#ifndef BX_FRAME_UPGRADE_H
#define BX_FRAME_UPGRADE_H

#include <stdbool.h>

#include "base/cursor.h"
#include "base/message.h"

/* A longer head is refused (Autobahn's own limit is far lower). */
#define BX_UPGRADE_MAX 65536u

/*
 * A WAMP subprotocol ("wamp.2.json", "wamp.2.cbor.batched"): 2 * enum bx_ser + (batched ? 1 : 0).
 * 0 is none. FlatBuffers cannot be batched.
 */
#define BX_SUBPROTOCOL_END 12u

static inline uint8_t
bx_subprotocol_of(enum bx_ser ser, bool batched)
{
	return (uint8_t)(2 * (unsigned)ser + (batched ? 1 : 0));
}

static inline enum bx_ser
bx_subprotocol_ser(uint8_t subprotocol)
{
	return (enum bx_ser)(subprotocol / 2);
}

static inline bool
bx_subprotocol_batched(uint8_t subprotocol)
{
	return (subprotocol & 1) != 0;
}

/* "wamp.2.json", ...; NULL for 0. Static. */
const char *bx_subprotocol_name(uint8_t subprotocol);

/* 0: not one of ours. */
uint8_t bx_subprotocol_of_name(struct bx_span name);

/* Source: RFC 6455 section 4, RFC 7692 section 7.1. */
struct bx_upgrade {
	bool response; /* the server's half; else the client's */
	uint16_t
	    subprotocols; /* bit per known one: offered by the request, chosen by the response */
	unsigned named;   /* subprotocols named at all */
	bool deflate;     /* permessage-deflate was offered, or agreed on */
	bool no_context;  /* response only: server_no_context_takeover */
};

/*
 * Could `bytes` be the beginning of an upgrade? ITEM: yes, and it is all there, *len bytes long
 * (looked for from `from` on, a place up to which an earlier call found none). MORE: so far.
 * FAIL: it is something else, or longer than BX_UPGRADE_MAX.
 */
enum bx_step bx_upgrade_find(struct bx_span bytes, size_t from, size_t *len);

/* Reads a whole one. False: *what (static text) says why it is none that frames can follow. */
bool bx_upgrade_parse(struct bx_span head, struct bx_upgrade *out, const char **what) BX_MUST_USE;

#endif
