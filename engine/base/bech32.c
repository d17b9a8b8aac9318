#include "base/bech32.h"

#include "base/cursor.h"

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* 0xff if a == b, else 0; a and b are below 256. */
static uint8_t
equal_mask(unsigned a, unsigned b)
{
	return (uint8_t)(((a ^ b) - 1) >> 8);
}

static uint8_t
character_of(unsigned value)
{
	unsigned c = 0;

	for (unsigned i = 0; i < 32; i++)
		c |= (unsigned)equal_mask(i, value) & (uint8_t)alphabet[i];
	return (uint8_t)c;
}

/* 0..31, with bit 7 set if `c` (lower case) is not in the alphabet. */
static uint8_t
value_of(uint8_t c)
{
	unsigned value = 0, found = 0;

	for (unsigned i = 0; i < 32; i++) {
		const unsigned hit = equal_mask((uint8_t)alphabet[i], c);

		value |= hit & i;
		found |= hit;
	}
	return (uint8_t)(value | (~found & 0x80));
}

/* One step of the BCH code of BIP 173. */
static uint32_t
absorb(uint32_t state, uint8_t value)
{
	static const uint32_t generator[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
					       0x2a1462b3 };
	const uint32_t top = state >> 25;

	state = (state & 0x1ffffff) << 5 ^ value;
	for (unsigned i = 0; i < 5; i++)
		state ^= generator[i] & (0 - (top >> i & 1));
	return state;
}

static uint32_t
absorb_prefix(const char *prefix)
{
	uint32_t state = 1;

	for (const char *p = prefix; *p != '\0'; p++)
		state = absorb(state, (uint8_t)((uint8_t)*p >> 5));
	state = absorb(state, 0);
	for (const char *p = prefix; *p != '\0'; p++)
		state = absorb(state, (uint8_t)*p & 31);
	return state;
}

/* Letters (all lower case) become upper case by arithmetic. */
static uint8_t
in_case(uint8_t c, bool upper)
{
	const unsigned is_letter = (unsigned)('a' - 1 - c) >> 8 & 0x20;

	return (uint8_t)(c - (upper ? is_letter : 0));
}

static void
put_value(struct bx_writer *w, unsigned value, bool upper)
{
	bx_put_u8(w, in_case(character_of(value), upper));
}

void
bx_bech32_encode(struct bx_writer *w, const char *prefix, struct bx_span bytes, bool upper)
{
	uint32_t state = absorb_prefix(prefix);
	uint32_t bits = 0;
	unsigned have = 0;

	for (const char *p = prefix; *p != '\0'; p++)
		bx_put_u8(w, in_case((uint8_t)*p, upper));
	bx_put_u8(w, '1');
	for (size_t i = 0; i < bytes.len; i++) {
		bits = (bits << 8 | bytes.ptr[i]) & 0xfff;
		for (have += 8; have >= 5; have -= 5) {
			const uint8_t value = bits >> (have - 5) & 31;

			state = absorb(state, value);
			put_value(w, value, upper);
		}
	}
	if (have != 0) {
		const uint8_t value = bits << (5 - have) & 31;

		state = absorb(state, value);
		put_value(w, value, upper);
	}
	for (unsigned i = 0; i < 6; i++)
		state = absorb(state, 0);
	state ^= 1;
	for (unsigned i = 0; i < 6; i++)
		put_value(w, state >> (25 - 5 * i) & 31, upper);
}

/* True when no two letters of the text differ in case. */
static bool
one_case(struct bx_span text)
{
	unsigned seen_lower = 0, seen_upper = 0;

	for (size_t i = 0; i < text.len; i++) {
		const unsigned c = text.ptr[i];

		/* Sign bits: 1 when 'a' <= c <= 'z', when 'A' <= c <= 'Z'. */
		seen_lower |= (('a' - 1u - c) & (c - 'z' - 1u)) >> 31;
		seen_upper |= (('A' - 1u - c) & (c - 'Z' - 1u)) >> 31;
	}
	return (seen_lower & seen_upper) == 0;
}

/* Only the case bit of letters is changed; anything else stays, and is no letter of the alphabet.
 */
static uint8_t
lowered(uint8_t character)
{
	const unsigned c = character;
	const unsigned is_upper = (('A' - 1u - c) & (c - 'Z' - 1u)) >> 31;

	return (uint8_t)(c + is_upper * 0x20);
}

static bool
take_prefix(struct bx_cursor *c, const char *prefix)
{
	bool same = true;

	for (const char *p = prefix; *p != '\0'; p++)
		same &= lowered(bx_take_u8(c)) == (uint8_t)*p;
	same &= bx_take_u8(c) == '1';
	return same && !c->bad;
}

bool
bx_bech32_decode(struct bx_span text, const char *prefix, uint8_t *out, size_t out_len)
{
	struct bx_cursor c = bx_cursor_over(text);
	uint32_t state = absorb_prefix(prefix);
	uint32_t bits = 0;
	unsigned have = 0, bad = 0;

	if (!one_case(text) || text.len != bx_bech32_len(strlen(prefix), out_len) ||
	    !take_prefix(&c, prefix))
		return false;
	for (size_t left = bx_left(&c) - 6; left != 0; left--) {
		const uint8_t value = value_of(lowered(bx_take_u8(&c)));

		bad |= value & 0x80u;
		state = absorb(state, value & 31);
		bits = (bits << 5 | (value & 31u)) & 0xfff;
		have += 5;
		if (have >= 8) {
			have -= 8;
			*out++ = (uint8_t)(bits >> have);
		}
	}
	bad |= bits & ((1u << have) - 1);
	while (bx_left(&c) != 0) {
		const uint8_t value = value_of(lowered(bx_take_u8(&c)));

		bad |= value & 0x80u;
		state = absorb(state, value & 31);
	}
	return bad == 0 && state == 1;
}
