/* WebSocket heads: RFC 6455 section 5.2, what one frame says of itself, and unmasking. */
#ifndef BX_FRAME_WEBSOCKET_H
#define BX_FRAME_WEBSOCKET_H

#include <stdbool.h>

#include "base/cursor.h"

/*
 *   0  FIN RSV1 RSV2 RSV3 opcode4     RSV1: the message is compressed (RFC 7692), first frame only
 *   1  MASK len7                      126: 16-bit length follows, 127: 64-bit; minimal form
 *   +  mask, 4 bytes, when MASK       client to server: always; server to client: never
 */
enum bx_websocket_opcode {
	BX_WS_CONTINUATION = 0,
	BX_WS_TEXT = 1,
	BX_WS_BINARY = 2,
	BX_WS_CLOSE = 8,
	BX_WS_PING = 9,
	BX_WS_PONG = 10,
};

struct bx_websocket_head {
	uint64_t len;    /* of the payload */
	size_t head_len; /* of the head; MORE: at least so many bytes are needed */
	uint8_t opcode;
	bool fin;
	bool compressed; /* RSV1 */
	bool masked;
	uint8_t mask[4];
};

/* FAIL: no valid head by itself, *what (static text) says why. The cursor moves behind it. */
enum bx_step bx_websocket_head(struct bx_cursor *c, struct bx_websocket_head *head,
			       const char **what);

/* out[0..len) = in ^ mask, the first byte of `in` being at `phase` in the payload. */
void bx_websocket_unmask(const uint8_t *in, size_t len, const uint8_t mask[static 4], size_t phase,
			 uint8_t *out);

#endif
