#include "archive/block_finder.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW_LEN = 1 << 20 };

void
bx_block_finder_free(struct bx_block_finder *f)
{
	free(f->window);
	*f = (struct bx_block_finder){ NULL, 0, 0 };
}

/* Makes the window hold the bytes from `from` on. */
static enum bx_status
fill(struct bx_block_finder *f, const struct bx_bytes *bytes, uint64_t from, struct bx_fault *fault)
{
	uint64_t left = bytes->size - from;
	enum bx_status status;

	if (f->window == NULL) {
		f->window = malloc(WINDOW_LEN);
		if (f->window == NULL)
			return bx_status_set(fault, BX_STATUS_NOMEM, from, "no memory for reading");
	}
	f->at = from;
	f->len = left < WINDOW_LEN ? (size_t)left : WINDOW_LEN;
	status = bx_bytes_read(bytes, from, f->window, f->len, fault);
	if (status != BX_STATUS_CLEAN)
		f->len = 0;
	return status;
}

enum bx_status
bx_block_finder_next(struct bx_block_finder *f, const struct bx_bytes *bytes, uint64_t from,
		     uint64_t limit, bool *found, uint64_t *at, struct bx_block_header *header,
		     struct bx_fault *fault)
{
	*found = false;
	while (from < limit && from < bytes->size && bytes->size - from >= BX_HEADER_LEN) {
		const uint8_t *hit;

		if (f->len == 0 || from < f->at || from - f->at + BX_HEADER_LEN > f->len) {
			enum bx_status status = fill(f, bytes, from, fault);

			if (status != BX_STATUS_CLEAN)
				return status;
		}
		hit = memmem(f->window + (from - f->at), f->len - (size_t)(from - f->at),
			     BX_ARCHIVE_MAGIC, BX_ARCHIVE_MAGIC_LEN);
		if (hit == NULL) {
			/* The magic may begin in the last bytes of the window. */
			from = f->at + f->len - (BX_ARCHIVE_MAGIC_LEN - 1);
			if (f->at + f->len == bytes->size)
				return BX_STATUS_CLEAN;
			continue;
		}
		from = f->at + (uint64_t)(hit - f->window);
		if (from >= limit || bytes->size - from < BX_HEADER_LEN)
			return BX_STATUS_CLEAN;
		if (from - f->at + BX_HEADER_LEN > f->len)
			continue; /* known to begin here: the window moves up to it */
		if (bx_block_header_parse(header, hit, from, NULL) == BX_STATUS_CLEAN) {
			*found = true;
			*at = from;
			return BX_STATUS_CLEAN;
		}
		from++;
	}
	return BX_STATUS_CLEAN;
}
