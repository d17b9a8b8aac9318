#include "archive/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "archive/layout.h"

enum bx_status
bx_bytes_read(const struct bx_bytes *bytes, uint64_t off, uint8_t *out, size_t len,
	      struct bx_fault *fault)
{
	if (off > bytes->size || len > bytes->size - off)
		return bx_status_set(fault, BX_STATUS_DAMAGED, off, "the file ends too early");
	if (len != 0 && bytes->read(bytes->context, off, out, len, bytes->fail) != BX_OK)
		return bx_status_set(fault, BX_STATUS_SYS, off, "reading failed");
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_bytes_zero(const struct bx_bytes *bytes, uint64_t off, uint64_t end, bool *zero,
	      struct bx_fault *fault)
{
	uint8_t chunk[64 * 1024];

	*zero = true;
	while (off < end && *zero) {
		size_t len = end - off < sizeof(chunk) ? (size_t)(end - off) : sizeof(chunk);
		enum bx_status status = bx_bytes_read(bytes, off, chunk, len, fault);

		if (status != BX_STATUS_CLEAN)
			return status;
		*zero = chunk[0] == 0 && memcmp(chunk, chunk + 1, len - 1) == 0;
		off += len;
	}
	return BX_STATUS_CLEAN;
}

void
bx_bytes_block_free(struct bx_bytes_block *block)
{
	free(block->ptr);
	*block = (struct bx_bytes_block){ NULL, 0, 0 };
}

enum bx_status
bx_bytes_block(const struct bx_bytes *bytes, uint64_t off, struct bx_bytes_block *block,
	       struct bx_block_header *header, struct bx_fault *fault)
{
	uint8_t front[BX_HEADER_LEN];
	enum bx_status status = bx_bytes_read(bytes, off, front, sizeof(front), fault);
	uint64_t total;

	if (status == BX_STATUS_CLEAN)
		status = bx_block_header_parse(header, front, off, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	total = bx_block_header_total(header->body_len);
	if (total > bytes->size - off)
		return bx_status_set(fault, BX_STATUS_DAMAGED, off, "a block is cut");
	if (total > block->cap) {
		uint8_t *grown = realloc(block->ptr, (size_t)total);

		if (grown == NULL)
			return bx_status_set(fault, BX_STATUS_NOMEM, off, "no memory for a block");
		block->ptr = grown;
		block->cap = (size_t)total;
	}
	block->len = (size_t)total;
	status = bx_bytes_read(bytes, off, block->ptr, block->len, fault);
	if (status == BX_STATUS_CLEAN && memcmp(front, block->ptr, BX_HEADER_LEN) != 0)
		return bx_status_set(fault, BX_STATUS_DAMAGED, off,
				     "the file changes while it is read");
	return status;
}
