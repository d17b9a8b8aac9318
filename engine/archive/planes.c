#include "archive/planes.h"

#include <string.h>

/* Plain loops over one plane at a time: compilers make vector code of them. */

void
bx_planes_split64(uint8_t *out, unsigned width, const uint64_t *values, size_t n)
{
	for (unsigned b = 0; b < width; b++, out += n)
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(values[i] >> (8 * b));
}

void
bx_planes_split32(uint8_t *out, unsigned width, const uint32_t *values, size_t n)
{
	for (unsigned b = 0; b < width; b++, out += n)
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(values[i] >> (8 * b));
}

void
bx_planes_split16(uint8_t *out, unsigned width, const uint16_t *values, size_t n)
{
	for (unsigned b = 0; b < width; b++, out += n)
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(values[i] >> (8 * b));
}

void
bx_planes_join64(uint64_t *values, unsigned width, const uint8_t *in, size_t n)
{
	if (n == 0)
		return;
	memset(values, 0, n * sizeof(values[0]));
	for (unsigned b = 0; b < width; b++, in += n)
		for (size_t i = 0; i < n; i++)
			values[i] |= (uint64_t)in[i] << (8 * b);
}

void
bx_planes_join32(uint32_t *values, unsigned width, const uint8_t *in, size_t n)
{
	if (n == 0)
		return;
	memset(values, 0, n * sizeof(values[0]));
	for (unsigned b = 0; b < width; b++, in += n)
		for (size_t i = 0; i < n; i++)
			values[i] |= (uint32_t)in[i] << (8 * b);
}

void
bx_planes_join16(uint16_t *values, unsigned width, const uint8_t *in, size_t n)
{
	if (n == 0)
		return;
	memset(values, 0, n * sizeof(values[0]));
	for (unsigned b = 0; b < width; b++, in += n)
		for (size_t i = 0; i < n; i++)
			values[i] = (uint16_t)(values[i] | (unsigned)in[i] << (8 * b));
}
