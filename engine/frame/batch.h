/* A batch: the messages inside one WebSocket payload of a ".batched" subprotocol. */
#ifndef BX_FRAME_BATCH_H
#define BX_FRAME_BATCH_H

#include "base/cursor.h"
#include "base/message.h"

/*
 * The next message of the batch. JSON: text that ends with 0x18 or 0x1e, which *separator is set
 * to; blank text is passed over. Others: 4-byte big-endian length, then the message. END: no more.
 * FAIL: cut off, *what (static text) says how.
 */
enum bx_step bx_batch_next(enum bx_ser ser, struct bx_cursor *c, struct bx_span *body,
			   uint8_t *separator, const char **what);

#endif
