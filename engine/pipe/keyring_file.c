#include "boxcar/keyring_edit.h"

#include "io/secret_file.h"

/* Largest key file: a keyring of some 100,000 entries. */
#define FILE_MAX_LEN ((size_t)16 << 20)

enum bx_err
bx_secret_text_load(struct bx_span *text, const char *path, bool allow_lax_modes, bool *was_lax,
		    struct bx_fail *fail)
{
	uint8_t *bytes;
	size_t len;
	const enum bx_err err =
	    bx_secret_read(&bytes, &len, path, FILE_MAX_LEN, allow_lax_modes, was_lax, fail);

	if (err == BX_OK)
		*text = (struct bx_span){ bytes, len };
	return err;
}

void
bx_secret_text_free(struct bx_span text)
{
	bx_secret_free((uint8_t *)(uintptr_t)text.ptr, text.len);
}

enum bx_err
bx_secret_text_save(struct bx_span text, const char *path, bool force, struct bx_fail *fail)
{
	return bx_secret_write(path, text.ptr, text.len, force, fail);
}

enum bx_err
bx_keyring_load(struct bx_keyring **ring, const char *path, bool allow_lax_modes, bool *was_lax,
		struct bx_fail *fail)
{
	struct bx_span text;
	enum bx_err err = bx_secret_text_load(&text, path, allow_lax_modes, was_lax, fail);

	if (err != BX_OK)
		return err;
	err = bx_keyring_parse(ring, text, path, fail);
	bx_secret_text_free(text);
	return err;
}

enum bx_err
bx_keyring_file_load(struct bx_keyring_file **file, const char *path, bool allow_lax_modes,
		     bool *was_lax, struct bx_fail *fail)
{
	struct bx_span text;
	enum bx_err err = bx_secret_text_load(&text, path, allow_lax_modes, was_lax, fail);

	if (err != BX_OK)
		return err;
	/* An empty text would make a new file: an empty file is no keyring. */
	if (text.len == 0)
		err = bx_fail_set(fail, BX_ERR_USAGE, 0, 0, "%s is empty, not a keyring", path);
	else
		err = bx_keyring_file_new(file, text, path, fail);
	bx_secret_text_free(text);
	return err;
}

enum bx_err
bx_keyring_check_file(const char *path, bx_finding_fn found, void *context, struct bx_fail *fail)
{
	struct bx_span text;
	bool was_lax = false;
	enum bx_err err = bx_secret_text_load(&text, path, true, &was_lax, fail);

	if (err != BX_OK)
		return err;

	const struct bx_finding lax = { BX_FINDING_LAX_FILE,
					{ NULL, 0 },
					0,
					"others may use the file, or it belongs to somebody else: "
					"chmod 600" };

	if (was_lax)
		found(context, &lax);
	err = bx_keyring_check(text, path, found, context, fail);
	bx_secret_text_free(text);
	return err;
}
