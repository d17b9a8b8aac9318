/* Byte planes: a column of n numbers of w bytes as w runs of n bytes, least significant first. */
#ifndef BX_ARCHIVE_PLANES_H
#define BX_ARCHIVE_PLANES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that the number needs: 0 for 0. */
static inline unsigned
bx_planes_width(uint64_t largest)
{
	return largest == 0 ? 0 : (unsigned)(63 - __builtin_clzll(largest)) / 8 + 1;
}

/* Writes width * n bytes. */
void bx_planes_split64(uint8_t *out, unsigned width, const uint64_t *values, size_t n);
void bx_planes_split32(uint8_t *out, unsigned width, const uint32_t *values, size_t n);
void bx_planes_split16(uint8_t *out, unsigned width, const uint16_t *values, size_t n);

/* Reads width * n bytes; the width fits the type. */
void bx_planes_join64(uint64_t *values, unsigned width, const uint8_t *in, size_t n);
void bx_planes_join32(uint32_t *values, unsigned width, const uint8_t *in, size_t n);
void bx_planes_join16(uint16_t *values, unsigned width, const uint8_t *in, size_t n);

#endif
