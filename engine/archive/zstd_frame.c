#include "archive/zstd_frame.h"

#include "base/cursor.h"

/* Bits of the frame header descriptor. */
enum {
	SINGLE_SEGMENT = 1u << 5,
	RESERVED = 1u << 3,
	CHECKSUM = 1u << 2,
	DICTIONARY_ID = 3u,
};

enum { WINDOW_LOG_MAX = 27 };

ZSTD_CCtx *
bx_zstd_frame_compressor(int level)
{
	ZSTD_CCtx *cctx = ZSTD_createCCtx();

	if (cctx == NULL)
		return NULL;
	if (ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_dictIDFlag, 0))) {
		ZSTD_freeCCtx(cctx);
		return NULL;
	}
	return cctx;
}

size_t
bx_zstd_frame_pack(ZSTD_CCtx *cctx, struct bx_span raw, uint8_t *out, size_t cap)
{
	size_t len = ZSTD_compress2(cctx, out, cap, raw.ptr, raw.len);

	return ZSTD_isError(len) || len >= raw.len ? 0 : len;
}

bool
bx_zstd_frame_check(struct bx_span stored, size_t raw_len)
{
	static const uint8_t size_lens[4] = { 0, 2, 4, 8 };
	struct bx_cursor c = bx_cursor_over(stored);
	struct bx_span magic = bx_take(&c, 4);
	uint8_t descriptor = bx_take_u8(&c);
	bool single = (descriptor & SINGLE_SEGMENT) != 0;
	size_t size_len = size_lens[descriptor >> 6];
	uint64_t size = 0;

	if (c.bad || bx_load_le32(magic.ptr) != ZSTD_MAGICNUMBER)
		return false;
	if ((descriptor & (RESERVED | DICTIONARY_ID)) != 0 || (descriptor & CHECKSUM) == 0)
		return false;
	if (!single && 10 + (bx_take_u8(&c) >> 3) > WINDOW_LOG_MAX)
		return false;
	if (size_len == 0 && single)
		size_len = 1;

	struct bx_span digits = bx_take(&c, size_len);

	if (c.bad || size_len == 0)
		return false;
	for (size_t i = 0; i < size_len; i++)
		size |= (uint64_t)digits.ptr[i] << (8 * i);
	if (size_len == 2)
		size += 256;
	if (size != raw_len)
		return false;
	return ZSTD_findFrameCompressedSize(stored.ptr, stored.len) == stored.len;
}

bool
bx_zstd_frame_unpack(ZSTD_DCtx *dctx, struct bx_span stored, uint8_t *out, size_t raw_len)
{
	if (!bx_zstd_frame_check(stored, raw_len))
		return false;
	return ZSTD_decompressDCtx(dctx, out, raw_len, stored.ptr, stored.len) == raw_len;
}
