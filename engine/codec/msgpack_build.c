#include "codec/msgpack.h"

#include "base/base64.h"
#include "base/json_reader.h"
#include "base/json_scan.h"
#include "base/number.h"

struct build;

#define PUT_NULL 0xC0
#define PUT_FALSE 0xC2
#define PUT_TRUE 0xC3
#define SHORT_TEXT 0xA0
#define UINT_TOP UINT64_MAX
#define NEGINT_TOP ((uint64_t)INT64_MAX)

/* One byte, then `v` in 1, 2, 4 or 8 bytes: the first of four neighbouring codes. */
static inline size_t
put_wide(uint8_t *o, uint8_t first, uint64_t v)
{
	if (v <= UINT8_MAX) {
		o[0] = first;
		o[1] = (uint8_t)v;
		return 2;
	}
	if (v <= UINT16_MAX) {
		o[0] = first + 1;
		bx_store_be16(o + 1, (uint16_t)v);
		return 3;
	}
	if (v <= UINT32_MAX) {
		o[0] = first + 2;
		bx_store_be32(o + 1, (uint32_t)v);
		return 5;
	}
	o[0] = first + 3;
	bx_store_be64(o + 1, v);
	return 9;
}

static inline size_t
put_uint(uint8_t *o, uint64_t v)
{
	if (v < 0x80) {
		o[0] = (uint8_t)v;
		return 1;
	}
	return put_wide(o, 0xCC, v);
}

static inline size_t
put_negint(uint8_t *o, uint64_t v)
{
	if (v < 32) {
		o[0] = (uint8_t)~v;
		return 1;
	}
	if (v <= INT8_MAX) {
		o[0] = 0xD0;
		o[1] = (uint8_t)~v;
		return 2;
	}
	if (v <= INT16_MAX) {
		o[0] = 0xD1;
		bx_store_be16(o + 1, (uint16_t)~v);
		return 3;
	}
	if (v <= INT32_MAX) {
		o[0] = 0xD2;
		bx_store_be32(o + 1, (uint32_t)~v);
		return 5;
	}
	o[0] = 0xD3;
	bx_store_be64(o + 1, ~v);
	return 9;
}

static inline size_t
put_double(uint8_t *o, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, 8);
	o[0] = 0xCB;
	bx_store_be64(o + 1, bits);
	return 9;
}

static inline size_t
text_head_len(uint64_t len)
{
	if (len < 32)
		return 1;
	return len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
}

static inline void
put_text_head(uint8_t *o, uint64_t len)
{
	if (len < 32)
		o[0] = (uint8_t)(0xA0 | len);
	else
		(void)put_wide(o, 0xD9, len);
}

static inline size_t
binary_head_len(uint64_t len)
{
	return len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
}

static inline void
put_binary_head(uint8_t *o, uint64_t len)
{
	(void)put_wide(o, 0xC4, len);
}

static inline size_t
count_head_len(uint64_t count)
{
	return count < 16 ? 1 : count <= UINT16_MAX ? 3 : 5;
}

static inline void
put_count_head(uint8_t *o, bool map, uint64_t count)
{
	if (count < 16) {
		o[0] = (uint8_t)((map ? 0x80 : 0x90) | count);
	} else if (count <= UINT16_MAX) {
		o[0] = map ? 0xDE : 0xDC;
		bx_store_be16(o + 1, (uint16_t)count);
	} else {
		o[0] = map ? 0xDF : 0xDD;
		bx_store_be32(o + 1, (uint32_t)count);
	}
}

#include "codec/build_body.h"

/* MessagePack ends at -2^63 and 2^64 - 1; Python reads no more than 4300 digits anyway. */
static enum bx_coded
put_big(struct build *b, bool minus, struct bx_span digits)
{
	(void)minus;
	if (digits.len > BX_INT_DIGITS_MAX)
		return bad(b, "integer has too many digits");
	return BX_CODED_NOT_REPRESENTABLE;
}

enum bx_coded
bx_msgpack_build(struct bx_span json, struct bx_writer *w, uint32_t depth, uint32_t *marks,
		 struct bx_defect *why)
{
	return build_all(json, w, depth, marks, why);
}
