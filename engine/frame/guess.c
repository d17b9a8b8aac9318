#include <assert.h>

#include "frame/frame.h"
#include "frame/rawsocket.h"
#include "frame/sniff.h"

#define HEAD_LEN 4u
#define CHAIN 8u

/* A frame at the head of `c`, as far as its head and the first bytes of its body can tell. */
static bool
take_plausible(enum bx_format format, struct bx_cursor *c, bool *complete)
{
	uint32_t word = bx_take_be32(c);
	bool control = false;

	if (format == BX_FORMAT_RAWSOCKET && word >= BX_RAWSOCKET_FULL) {
		/* Only control frames of the RFC's form: the rest is too rare to search for. */
		if (!bx_rawsocket_head_valid(word) || (word >> 24 & BX_RAWSOCKET_X) != 0)
			return false;
		control = (word >> 24 & BX_RAWSOCKET_TYPE) != 0;
		word &= BX_RAWSOCKET_FULL - 1;
	}
	if (word >= BX_RAWSOCKET_FULL || (word == 0 && !control))
		return false;

	size_t left = bx_left(c);

	*complete = left >= word;

	struct bx_span body = bx_take(c, *complete ? word : left);

	return control || body.len < 2 || bx_sniff_ser(body) != BX_SER_UNKNOWN;
}

static bool
chains(enum bx_format format, struct bx_cursor c)
{
	for (unsigned i = 0; i < CHAIN; i++) {
		bool complete = false;

		if (bx_left(&c) < HEAD_LEN)
			return i != 0;
		if (!take_plausible(format, &c, &complete))
			return false;
		if (!complete)
			return i != 0;
	}
	return true;
}

size_t
bx_frame_guess_start(enum bx_format format, struct bx_span bytes)
{
	struct bx_cursor c = bx_cursor_over(bytes);

	assert(format == BX_FORMAT_RAWSOCKET || format == BX_FORMAT_BATCHED_MSGPACK ||
	       format == BX_FORMAT_BATCHED_CBOR);
	while (bx_left(&c) > HEAD_LEN) {
		/* A message below 16 MiB begins with 0; memchr passes over what cannot be one. */
		const uint8_t *zero = memchr(c.at, 0, bx_left(&c));

		if (zero == NULL)
			return SIZE_MAX;
		(void)bx_take(&c, (size_t)(zero - c.at));
		if (chains(format, c))
			return (size_t)(c.at - bytes.ptr);
		(void)bx_take(&c, 1);
	}
	return SIZE_MAX;
}
