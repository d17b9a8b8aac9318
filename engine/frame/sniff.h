/* Which format bytes are in: by magic and content, checked against the name (decisions.md 15). */
#ifndef BX_FRAME_SNIFF_H
#define BX_FRAME_SNIFF_H

#include "boxcar/fail.h"
#include "boxcar/format.h"
#include "base/message.h"

/*
 * `head` is the first bytes of the (inflated) input, up to 64 KiB, `whole` true when it is all of
 * it. `forced`: what -f said (or UNKNOWN), returned as it is. `by_name`: what the suffix said (or
 * UNKNOWN). Content decides; a content that contradicts the name is BX_ERR_FORMAT with a message
 * that lists the candidates and the hint to say -f. An empty input takes the name's format.
 */
enum bx_err bx_sniff(struct bx_span head, bool whole, enum bx_format forced, enum bx_format by_name,
		     enum bx_format *format, struct bx_fail *fail) BX_MUST_USE;

/* Serializer of one message body by its first bytes: '[' JSON, 0x8x/0x9f CBOR, 0x9x/0xdc/0xdd
 * msgpack. */
enum bx_ser bx_sniff_ser(struct bx_span body);

#endif
