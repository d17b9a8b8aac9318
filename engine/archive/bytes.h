/* The bytes of a file, as far as this room knows of files: its caller reads them. */
#ifndef BX_ARCHIVE_BYTES_H
#define BX_ARCHIVE_BYTES_H

#include "boxcar/fail.h"

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

#endif
