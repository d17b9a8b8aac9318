/* The 128 bytes in front of every block: parsing, storing and what the tag covers of them. */
#ifndef BX_ARCHIVE_BLOCK_HEADER_H
#define BX_ARCHIVE_BLOCK_HEADER_H

#include <stdbool.h>

#include "archive/layout.h"
#include "archive/status.h"

/* Format: docs/format.md "Block header". */
struct bx_block_header {
	uint8_t type;  /* enum bx_block_type */
	uint8_t flags; /* BX_BLOCK_... */
	uint8_t suite;
	uint8_t segment_id[16];
	uint64_t seq;
	uint32_t body_len;
	uint32_t body_crc;
	uint8_t nonce[24];
	uint8_t tag[16];
	uint64_t index_back; /* pages back to the nearest earlier INDEX; 0: none. A hint */
	uint64_t page_off;   /* pages from the start of the segment */
};

/* Bytes of header, body and padding: a multiple of BX_PAGE. */
static inline uint64_t
bx_block_header_total(uint32_t body_len)
{
	return (BX_HEADER_LEN + (uint64_t)body_len + BX_PAGE - 1) / BX_PAGE * BX_PAGE;
}

/*
 * Checks magic, CRC, version, type, flags and the caps, in that order. DAMAGED: no such header, or
 * fields that contradict each other; UNSUPPORTED: a valid one of a later version. `offset` is for
 * the fault.
 */
enum bx_status bx_block_header_parse(struct bx_block_header *h, const uint8_t bytes[static 128],
				     uint64_t offset, struct bx_fault *fault) BX_MUST_USE;

/* Writes all 128 bytes, header_crc included. */
void bx_block_header_store(const struct bx_block_header *h, uint8_t bytes[static 128]);

/* The associated data: `bytes` with header_crc, body_crc, tag, index_back, page_off set to 0. */
void bx_block_header_ad(const uint8_t bytes[static 128], uint8_t ad[static 128]);

/* Changes page_off and index_back of a stored header and renews its CRC. */
void bx_block_header_place(uint8_t bytes[static 128], uint64_t page_off, uint64_t index_back);

#endif
