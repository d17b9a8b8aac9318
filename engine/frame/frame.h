/* Raw framings: where a message starts and ends in a stream of bytes. */
#ifndef BX_FRAME_FRAME_H
#define BX_FRAME_FRAME_H

#include "base/cursor.h"
#include "base/message.h"
#include "base/writer.h"
#include "boxcar/fail.h"
#include "boxcar/format.h"

enum bx_frame_kind {
	BX_FRAME_MESSAGE, /* `body` is one serialized WAMP message (TRACE: one line, see trace.h) */
	BX_FRAME_HANDSHAKE, /* RawSocket handshake or the HTTP upgrade */
	BX_FRAME_CONTROL,   /* RawSocket PING/PONG, WebSocket ping, pong, close */
	BX_FRAME_BLANK,     /* an empty line, the space between batched JSON messages; WEBSOCKET: a
			       piece of a message that comes in a later frame */
};

/* What ends a message in BATCHED_JSON: Autobahn and Crossbar write '\30', the RFC says RS. */
#define BX_SEPARATOR_AUTOBAHN 0x18
#define BX_SEPARATOR_RFC 0x1e

/*
 * `whole` is every byte of the frame as recorded; `body` the message. Both point into the bytes
 * given to cut, or (WEBSOCKET bodies) into its scratch. Consecutive frames' `whole` cover the input
 * without a gap. A WebSocket message that is not one frame (fragments, permessage-deflate, a batch
 * of other than one) comes as BLANK frames for its bytes and then MESSAGE frames with an empty
 * `whole`: such a message cannot be passed through.
 * Of control frames only a RawSocket PING or PONG has a body.
 */
struct bx_frame {
	struct bx_span whole;
	struct bx_span body;
	uint8_t kind; /* enum bx_frame_kind */
	uint8_t ser;  /* enum bx_ser; UNKNOWN until something tells */
};

/* The codec's "extent", handed in by pipe because rooms do not see each other. */
typedef enum bx_step (*bx_extent_fn)(struct bx_span bytes, size_t *len, const char **what);

struct bx_framer_options {
	enum bx_format format;
	enum bx_ser ser;    /* RAWSOCKET without handshake: what --serializer said, or UNKNOWN (then
			       looked at) */
	size_t message_max; /* refuse larger messages */
	bx_extent_fn extent; /* MSGPACK and CBOR only */
	bool joined;         /* not the first file: a handshake may stand at the start again, of the
				serializer `ser` */
	const char *subprotocol; /* WEBSOCKET, client half: what the server chose
				    ("wamp.2.json", see bx_framer_subprotocol), or NULL; borrowed
				    for bx_framer_new */
};

/*
 * State of one stream, fed in order by one thread at a time. For WEBSOCKET: the upgrade, fragments,
 * masking and permessage-deflate (zlib). For RAWSOCKET all forms of spec 5.1 are read: the plain
 * 32-bit length of Twisted, TTT 0/1/2, and X (2^24).
 */
struct bx_framer;

enum bx_err bx_framer_new(struct bx_framer **framer, struct bx_framer_options options,
			  struct bx_fail *fail) BX_MUST_USE;
void bx_framer_free(struct bx_framer *framer);

/*
 * Cuts frames from `bytes`, which begins where the last cut stopped (unconsumed bytes come again,
 * with more after them). Fills frames[0..*count), count <= cap, and *used, the bytes consumed.
 * `base` is the offset of bytes in the stream, for messages. `final`: nothing follows `bytes`.
 *   ITEM  frames were cut (call again: there may be more). With *count 0 (WEBSOCKET only): the
 *         scratch has no room for the next body; call again with the same bytes and a scratch that
 *         has (message_max is always enough)
 *   MORE  not one complete frame; give more bytes (*need > 0: at least that many in all)
 *   END   final, and nothing is left
 *   FAIL  broken framing (BX_ERR_FORMAT, BX_ERR_LIMIT), or final and cut inside a message; frames
 *         before the fault have been returned by earlier calls
 */
enum bx_step bx_framer_cut(struct bx_framer *framer, struct bx_span bytes, uint64_t base,
			   bool final, struct bx_writer *scratch, struct bx_frame *frames,
			   size_t cap, size_t *count, size_t *used, size_t *need,
			   struct bx_fail *fail);

/* What the stream says of itself so far: serializer by handshake or subprotocol, direction. */
enum bx_ser bx_framer_ser(const struct bx_framer *framer);
enum bx_dir bx_framer_dir(const struct bx_framer *framer);

/* BATCHED_JSON, or WEBSOCKET with such a subprotocol: the separator seen last; 0: none yet. */
uint8_t bx_framer_separator(const struct bx_framer *framer);

/* WEBSOCKET: "wamp.2.cbor.batched", ...; NULL while unknown, and for every other format. Static. */
const char *bx_framer_subprotocol(const struct bx_framer *framer);

/*
 * A place in the middle of a RAWSOCKET or BATCHED_MSGPACK/CBOR stream where a message seems to
 * begin: the first offset of `bytes` from which 8 frames chain, or from which at least one does and
 * the chain runs exactly onto or over the end. SIZE_MAX: none. A guess: who uses it must still
 * prove that the frames before it end exactly there (io-pipeline.md 2a).
 */
size_t bx_frame_guess_start(enum bx_format format, struct bx_span bytes);

/* --- writing --------------------------------------------------------------------------------- */

/* Largest body that `format` can frame (RAWSOCKET: 2^24 - 1). */
size_t bx_frame_body_max(enum bx_format format);

/*
 * What stands before and after a body of `len` bytes in `format` (not TRACE, see trace.h).
 * JSONL: "\n" after. BATCHED_JSON: `separator` (0x18 or 0x1e) after.
 */
void bx_frame_put_head(enum bx_format format, size_t len, struct bx_writer *w);
void bx_frame_put_tail(enum bx_format format, uint8_t separator, struct bx_writer *w);
size_t bx_frame_overhead(enum bx_format format);

/* `7F FS 00 00`: the RawSocket handshake with the largest length. */
void bx_frame_put_handshake(enum bx_ser ser, struct bx_writer *w);

#endif
