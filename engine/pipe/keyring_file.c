/* A keyring from its file: where io's checks of a secret file and keys' parser meet. */
#include "boxcar/keyring.h"
#include "io/secret_file.h"

#include <string.h>

/* A ring of thousands of entries stays far below this. */
#define KEYRING_FILE_MAX ((size_t)16 << 20)

enum bx_err
bx_keyring_load(struct bx_keyring **ring, const char *path, bool allow_lax_modes, bool *was_lax,
		struct bx_fail *fail)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	enum bx_err err =
	    bx_secret_read(&bytes, &len, path, KEYRING_FILE_MAX, allow_lax_modes, was_lax, fail);

	if (err != BX_OK)
		return err;
	err = bx_keyring_parse(ring, (struct bx_span){ bytes, len }, path, fail);
	bx_secret_free(bytes, len);
	return err;
}
