#include "codec/cbor.h"

#include "base/base64.h"
#include "base/json_reader.h"
#include "base/json_scan.h"
#include "base/number.h"

#define PUT_NULL 0xF6
#define PUT_FALSE 0xF4
#define PUT_TRUE 0xF5
#define SHORT_TEXT 0x60
#define UINT_TOP UINT64_MAX
#define NEGINT_TOP UINT64_MAX

static inline size_t
head_len(uint64_t v)
{
	if (v < 24)
		return 1;
	return v <= UINT8_MAX ? 2 : v <= UINT16_MAX ? 3 : v <= UINT32_MAX ? 5 : 9;
}

/* The shortest head of a major type, given shifted into place. */
static inline size_t
put_head(uint8_t *o, uint8_t major, uint64_t v)
{
	if (v < 24) {
		o[0] = major | (uint8_t)v;
		return 1;
	}
	if (v <= UINT8_MAX) {
		o[0] = major | 24;
		o[1] = (uint8_t)v;
		return 2;
	}
	if (v <= UINT16_MAX) {
		o[0] = major | 25;
		bx_store_be16(o + 1, (uint16_t)v);
		return 3;
	}
	if (v <= UINT32_MAX) {
		o[0] = major | 26;
		bx_store_be32(o + 1, (uint32_t)v);
		return 5;
	}
	o[0] = major | 27;
	bx_store_be64(o + 1, v);
	return 9;
}

static inline size_t
put_uint(uint8_t *o, uint64_t v)
{
	return put_head(o, 0x00, v);
}

static inline size_t
put_negint(uint8_t *o, uint64_t v)
{
	return put_head(o, 0x20, v);
}

/* What is not finite as a half float, as cbor2 does. */
static inline size_t
put_double(uint8_t *o, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, 8);
	if ((bits >> 52 & 0x7FF) == 0x7FF) {
		uint16_t infinity = bits >> 63 != 0 ? 0xFC00 : 0x7C00;

		o[0] = 0xF9;
		bx_store_be16(o + 1, bits << 12 != 0 ? 0x7E00 : infinity);
		return 3;
	}
	o[0] = 0xFB;
	bx_store_be64(o + 1, bits);
	return 9;
}

static inline size_t
text_head_len(uint64_t len)
{
	return head_len(len);
}

static inline void
put_text_head(uint8_t *o, uint64_t len)
{
	(void)put_head(o, 0x60, len);
}

static inline size_t
binary_head_len(uint64_t len)
{
	return head_len(len);
}

static inline void
put_binary_head(uint8_t *o, uint64_t len)
{
	(void)put_head(o, 0x40, len);
}

static inline size_t
count_head_len(uint64_t count)
{
	return head_len(count);
}

static inline void
put_count_head(uint8_t *o, bool map, uint64_t count)
{
	(void)put_head(o, map ? 0xA0 : 0x80, count);
}

#include "codec/build_body.h"

/* magnitude -= 1; it is not 0. Returns how many zero bytes are in front now: 0 or 1. */
static size_t
minus_one(uint8_t *bytes, size_t len)
{
	while (bytes[--len]-- == 0)
		;
	return bytes[0] == 0;
}

/* Tag 2, or 3 with -1 - v. One value comes here that still fits an integer: -2^64. */
static enum bx_coded
put_big(struct build *b, bool minus, struct bx_span digits)
{
	uint8_t magnitude[BX_CBOR_MAGNITUDE_MAX];
	struct bx_writer w = bx_writer_over(magnitude, sizeof(magnitude));
	size_t skip = 0;
	size_t len;

	if (!bx_bigint_of_text(digits, &w))
		return bad(b, "integer has too many digits");
	len = bx_written(&w);
	if (minus)
		skip = minus_one(magnitude, len);
	len -= skip;
	if (len <= 8)
		return build_negint(b, UINT64_MAX);
	if (room(b) < 1 + head_len(len) + len)
		return BX_CODED_FULL;
	*b->out++ = minus ? 0xC3 : 0xC2;
	b->out += put_head(b->out, 0x40, len);
	memcpy(b->out, magnitude + skip, len);
	b->out += len;
	return BX_CODED_OK;
}

enum bx_coded
bx_cbor_build(struct bx_span json, struct bx_writer *w, uint32_t depth, uint32_t *marks,
	      struct bx_defect *why)
{
	return build_all(json, w, depth, marks, why);
}
