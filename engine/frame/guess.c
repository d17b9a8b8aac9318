#include <assert.h>

#include "frame/frame.h"
#include "frame/rawsocket.h"
#include "frame/sniff.h"

#define HEAD_LEN 4u
#define CHAIN 8u

/* The codes of WAMP "Message Codes and Direction" that fit into a byte: 1-6, 8, 16 to 70. */
static bool
is_code(uint8_t byte)
{
	return (byte >= 1 && byte <= 8) || (byte >= 16 && byte <= 17) ||
	       (byte >= 32 && byte <= 36) || (byte >= 48 && byte <= 50) ||
	       (byte >= 64 && byte <= 70);
}

/*
 * Does the beginning of a body look like a message? Stricter than bx_sniff_ser, since a sealed
 * payload in MsgPack is a length (bin32) and random bytes that end where the message ends: only
 * those random bytes can tell that it is no frame.
 */
static bool
is_message(enum bx_ser ser, struct bx_span body)
{
	if (ser == BX_SER_UNKNOWN)
		return false;
	if (body.len < 3)
		return true;
	switch (ser) {
	case BX_SER_MSGPACK:
		return body.ptr[0] >= 0xdc ||
		       (body.ptr[0] <= 0x97 && (is_code(body.ptr[1]) || body.ptr[1] == 0xcd));
	case BX_SER_CBOR:
		if (body.ptr[0] > 0x8f)
			return true;
		return body.ptr[0] <= 0x87 &&
		       (body.ptr[1] == 0x19 ||
			is_code(body.ptr[1] == 0x18 ? body.ptr[2] : body.ptr[1]));
	default:
		return true;
	}
}

/*
 * A frame at the head of `c`, as far as its head and the first bytes of its body can tell. All of a
 * chain are of one serializer.
 */
static bool
take_plausible(enum bx_format format, struct bx_cursor *c, enum bx_ser *ser, bool *complete)
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

	if (control || body.len < 2)
		return true;

	enum bx_ser found = bx_sniff_ser(body);

	if (!is_message(found, body) || (*ser != BX_SER_UNKNOWN && *ser != found))
		return false;
	*ser = found;
	return true;
}

static bool
chains(enum bx_format format, struct bx_cursor c)
{
	enum bx_ser ser = BX_SER_UNKNOWN;

	for (unsigned i = 0; i < CHAIN; i++) {
		bool complete = false;

		if (bx_left(&c) < HEAD_LEN)
			return i != 0;
		if (!take_plausible(format, &c, &ser, &complete))
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
