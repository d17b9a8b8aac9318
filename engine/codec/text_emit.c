#include "codec/text_emit.h"

#include <assert.h>

#include "base/json_writer.h"
#include "base/utf8.h"

/* clang-format off */
const char bx_text_emit_pairs[200] =
	"00010203040506070809" "10111213141516171819" "20212223242526272829"
	"30313233343536373839" "40414243444546474849" "50515253545556575859"
	"60616263646566676869" "70717273747576777879" "80818283848586878889"
	"90919293949596979899";
/* clang-format on */

static uint8_t *
written(const struct bx_writer *w)
{
	return w->full ? NULL : w->at;
}

static size_t
room(const uint8_t *at, const uint8_t *end)
{
	return (size_t)(end - at);
}

/* Text that was made elsewhere for want of room. */
static uint8_t *
put_tight(uint8_t *at, const uint8_t *end, const char *text, size_t len)
{
	if (room(at, end) < len)
		return NULL;
	memcpy(at, text, len);
	return at + len;
}

#define EIGHT_ZEROS 0x3030303030303030u

/*
 * The eight digits of v < 10^8 in the bytes of a word, the first lowest: split into pairs of four,
 * two and one digits, with a multiplication for all at a time.
 */
static inline uint64_t
eight_digits(uint32_t v)
{
	uint64_t fours = v / 10000 | (uint64_t)(v % 10000) << 32;
	uint64_t tops = (fours * 10486 >> 20) & 0x0000007F0000007Fu;
	uint64_t twos = ((fours - 100 * tops) << 16) + tops;
	uint64_t tens = (twos * 103 >> 10) & 0x000F000F000F000Fu;

	return ((twos - 10 * tens) << 8) + tens;
}

/* Room for the longest number, and for the last of its words. */
#define U64_ROOM 28

static inline uint8_t *
put_eight(uint8_t *at, uint32_t v)
{
	bx_store_le64(at, eight_digits(v) + EIGHT_ZEROS);
	return at + 8;
}

/* Without zeros in front. v is below 10^8; at least one digit is written. */
static inline uint8_t *
put_up_to_eight(uint8_t *at, uint32_t v)
{
	uint64_t digits = eight_digits(v);
	unsigned zeros = (unsigned)__builtin_ctzll(digits | (uint64_t)1 << 56) / 8;

	bx_store_le64(at, (digits + EIGHT_ZEROS) >> (8 * zeros));
	return at + 8 - zeros;
}

/* There is U64_ROOM. */
static uint8_t *
put_u64(uint8_t *at, uint64_t v)
{
	const uint64_t eight = 100000000;

	if (v < 10) {
		*at = (uint8_t)('0' + v);
		return at + 1;
	}
	if (v < 100) {
		memcpy(at, bx_text_emit_pairs + 2 * v, 2);
		return at + 2;
	}
	if (v < eight)
		return put_up_to_eight(at, (uint32_t)v);
	if (v < eight * eight) {
		at = put_up_to_eight(at, (uint32_t)(v / eight));
		return put_eight(at, (uint32_t)(v % eight));
	}
	at = put_up_to_eight(at, (uint32_t)(v / (eight * eight)));
	at = put_eight(at, (uint32_t)(v / eight % eight));
	return put_eight(at, (uint32_t)(v % eight));
}

uint8_t *
bx_text_emit_u64(uint8_t *at, uint8_t *end, uint64_t v)
{
	char text[20];

	if (room(at, end) >= U64_ROOM)
		return put_u64(at, v);
	return put_tight(at, end, text, bx_u64_text(v, text));
}

uint8_t *
bx_text_emit_negint(uint8_t *at, uint8_t *end, uint64_t v)
{
	if (at == end)
		return NULL;
	*at++ = '-';
	if (v == UINT64_MAX)
		return put_tight(at, end, "18446744073709551616", 20);
	return bx_text_emit_u64(at, end, v + 1);
}

/* Measured values have few decimals: tried are as many as this. */
#define PLACES 6
#define PLACES_POWER 1000000

/*
 * |v| as a decimal of at most 15 digits, 6 of them after the point, if it is one: then there is no
 * shorter text for it, as decimals of up to 15 digits all read as different doubles. (The quotient
 * of two exact doubles is rounded once, as reading the text would.) Returns its end, or NULL. Both
 * 0.0001 and 1e9 bound what repr writes without exponent and what has 15 digits.
 */
static uint8_t *
short_decimal(uint8_t *at, double v)
{
	double magnitude = __builtin_fabs(v);

	if (!(magnitude >= 0.0001 && magnitude < 1e9))
		return NULL;

	int64_t scaled = (int64_t)(magnitude * PLACES_POWER + 0.5);

	if ((double)scaled / PLACES_POWER != magnitude)
		return NULL;
	if (v < 0)
		*at++ = '-';
	at = put_u64(at, (uint64_t)scaled / PLACES_POWER);

	uint64_t places =
	    eight_digits((uint32_t)((uint64_t)scaled % PLACES_POWER)) >> (8 * (8 - PLACES));
	unsigned last = (63 - (unsigned)__builtin_clzll(places | 1)) / 8;

	*at++ = '.';
	bx_store_le64(at, places + EIGHT_ZEROS);
	return at + last + 1;
}

uint8_t *
bx_text_emit_double(uint8_t *at, uint8_t *end, double v)
{
	char text[BX_DOUBLE_TEXT_MAX];
	uint8_t *after;

	static_assert(BX_DOUBLE_TEXT_MAX >= U64_ROOM, "a short decimal has room");
	if (room(at, end) < BX_DOUBLE_TEXT_MAX)
		return put_tight(at, end, text, bx_double_text(v, text));
	after = short_decimal(at, v);
	return after != NULL ? after : at + bx_double_text(v, (char *)at);
}

uint8_t *
bx_text_emit_binary(uint8_t *at, uint8_t *end, struct bx_span bytes)
{
	struct bx_writer w = { at, at, end, false };

	bx_json_put_binary(&w, bytes);
	return written(&w);
}

uint8_t *
bx_text_emit_text(uint8_t *at, uint8_t *end, struct bx_span s, bool *utf8)
{
	const uint8_t *s_end = s.ptr + s.len;
	struct bx_writer w = { at, at, end, false };

	if (bx_scan_special(s.ptr, s.ptr, s_end) == s_end) {
		if (room(at, end) < s.len + 2)
			return NULL;
		at[0] = '"';
		memcpy(at + 1, s.ptr, s.len);
		at[1 + s.len] = '"';
		return at + s.len + 2;
	}
	*utf8 = bx_utf8_valid(s);
	if (!*utf8)
		return NULL;
	bx_json_put_string(&w, s);
	return written(&w);
}
