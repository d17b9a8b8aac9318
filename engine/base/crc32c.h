/* CRC-32C (Castagnoli), as RFC 3720 B.4: reflected, initial value and final xor FFFFFFFF. */
#ifndef BX_BASE_CRC32C_H
#define BX_BASE_CRC32C_H

#include "boxcar/span.h"

/*
 * The CRC of `bytes`, going on from `crc` (0 to begin): crc32c("123456789") is e3069283, and
 * bx_crc32c(bx_crc32c(0, a), b) is the CRC of a followed by b. Uses SSE4.2 where the CPU has it.
 */
uint32_t bx_crc32c(uint32_t crc, struct bx_span bytes);

/* The same from a table alone: the readable reference. */
uint32_t bx_crc32c_table(uint32_t crc, struct bx_span bytes);

#endif
