/* permessage-deflate (RFC 7692), the receiving side: raw deflate that ends at message edges. */
#ifndef BX_FRAME_INFLATE_H
#define BX_FRAME_INFLATE_H

#include <stdbool.h>

#include "frame/assembly.h"

struct bx_inflate;

/*
 * Always reads with the full window of 2^15: that takes whatever window was agreed on.
 * `no_context`: the sender starts each message with an empty window. BX_ERR_NOMEM.
 */
enum bx_err bx_inflate_new(struct bx_inflate **inflate, bool no_context) BX_MUST_USE;
void bx_inflate_free(struct bx_inflate *inflate);

/*
 * The next payload bytes of a compressed message; what they inflate to is added to `out`.
 * BX_ERR_FORMAT: not deflate, *what says why (static text). BX_ERR_LIMIT: beyond out->max.
 */
enum bx_err bx_inflate_add(struct bx_inflate *inflate, struct bx_span in, struct bx_assembly *out,
			   const char **what) BX_MUST_USE;

/* The message is over (RFC 7692 7.2.2: 00 00 FF FF is put back). Errors as above. */
enum bx_err bx_inflate_finish(struct bx_inflate *inflate, struct bx_assembly *out,
			      const char **what) BX_MUST_USE;

#endif
