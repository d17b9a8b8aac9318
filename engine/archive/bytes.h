/* The bytes of a file, as far as this room knows of files: its caller reads them. */
#ifndef BX_ARCHIVE_BYTES_H
#define BX_ARCHIVE_BYTES_H

#include <stdbool.h>

#include "archive/block_header.h"
#include "archive/status.h"

/*
 * read() fills out[0..len) with the file's bytes from `off`; the range is always inside `size`.
 * A failure must fill `fail`; the function that asked then returns BX_STATUS_SYS.
 */
struct bx_bytes {
	void *context;
	uint64_t size;
	enum bx_err (*read)(void *context, uint64_t off, uint8_t *out, size_t len,
			    struct bx_fail *fail);
	struct bx_fail *fail; /* given to read(); may be NULL */
};

/* As read(), but a range beyond the end is DAMAGED. */
enum bx_status bx_bytes_read(const struct bx_bytes *bytes, uint64_t off, uint8_t *out, size_t len,
			     struct bx_fault *fault) BX_MUST_USE;

/* *zero: nothing but zero bytes in [off, end). */
enum bx_status bx_bytes_zero(const struct bx_bytes *bytes, uint64_t off, uint64_t end, bool *zero,
			     struct bx_fault *fault) BX_MUST_USE;

/* A buffer for one block. Start it at { 0 }. */
struct bx_bytes_block {
	uint8_t *ptr;
	size_t len, cap;
};
void bx_bytes_block_free(struct bx_bytes_block *block);

/* Reads the whole block at `off`: first its header, then, when that is good, all of it. */
enum bx_status bx_bytes_block(const struct bx_bytes *bytes, uint64_t off,
			      struct bx_bytes_block *block, struct bx_block_header *header,
			      struct bx_fault *fault) BX_MUST_USE;

#endif
