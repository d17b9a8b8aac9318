/* Files that hold secrets: opened and checked so that nobody else could have read or placed them.
 */
#ifndef BX_IO_SECRET_FILE_H
#define BX_IO_SECRET_FILE_H

#include <stdbool.h>

#include "boxcar/fail.h"

/*
 * Reads a whole secret file of at most `max` bytes into guarded memory (between two inaccessible
 * pages, locked, not dumped, not inherited); the caller frees it with bx_secret_free. Opened
 * O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK and checked by fstat on the descriptor: regular, owned by the
 * effective user or root, no group or world bits (threat-model.md section 6). A mode or owner that
 * is wrong is BX_ERR_USAGE with the hint `chmod 600 FILE`, unless `allow_lax_modes` (then *was_lax
 * tells); a FIFO, symlink or directory is BX_ERR_USAGE always.
 */
enum bx_err bx_secret_read(uint8_t **bytes, size_t *len, const char *path, size_t max,
			   bool allow_lax_modes, bool *was_lax, struct bx_fail *fail) BX_MUST_USE;
void bx_secret_free(uint8_t *bytes, size_t len);

/*
 * Writes a new 0600 file (O_TMPFILE or a temporary name, fsync, rename, fsync of the folder). An
 * existing one needs `force`, else it is BX_ERR_USAGE.
 */
enum bx_err bx_secret_write(const char *path, const uint8_t *bytes, size_t len, bool force,
			    struct bx_fail *fail) BX_MUST_USE;

#endif
