/* RawSocket frame heads: one rule for the framer, the recogniser and the guess of a start. */
#ifndef BX_FRAME_RAWSOCKET_H
#define BX_FRAME_RAWSOCKET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Source: WAMP "RawSocket transport", and spec 5.1 for what Twisted does.
 *
 *   handshake  7F LS 00 00    L: log2 of the largest length - 9; S: serializer, 0 in a refusal
 *   frame      RRRRXTTT len24 R 0; T 0 message, 1 PING, 2 PONG; X 1 and len 0: exactly 2^24 bytes
 */
#define BX_RAWSOCKET_MAGIC 0x7fu
#define BX_RAWSOCKET_FULL (1u << 24)
#define BX_RAWSOCKET_RESERVED 0xf0u
#define BX_RAWSOCKET_X 0x08u
#define BX_RAWSOCKET_TYPE 0x07u

/* The head that is an empty PING by the RFC, and a message of 2^24 bytes as Twisted writes it. */
#define BX_RAWSOCKET_AMBIGUOUS 0x01000000u

/* Can `top` be the first byte of a frame head? */
static inline bool
bx_rawsocket_top_valid(uint8_t top)
{
	return (top & BX_RAWSOCKET_RESERVED) == 0 && (top & BX_RAWSOCKET_TYPE) <= 2;
}

static inline bool
bx_rawsocket_head_valid(uint32_t head)
{
	uint8_t top = (uint8_t)(head >> 24);

	return bx_rawsocket_top_valid(top) &&
	       ((top & BX_RAWSOCKET_X) == 0 || (head & (BX_RAWSOCKET_FULL - 1)) == 0);
}

#endif
