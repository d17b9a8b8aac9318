#include "keyring_cli.h"

#include <errno.h>
#include <string.h>

void
bx_keyring_cli_print(FILE *out, struct bx_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		const uint8_t c = text.ptr[i];

		if (c >= 0x20 && c < 0x7f)
			(void)fputc(c, out);
		else
			(void)fprintf(out, "\\x%02x", c);
	}
}

void
bx_keyring_cli_print_uri(FILE *out, struct bx_span uri)
{
	if (uri.len == 0)
		(void)fputs("(default)", out);
	else
		bx_keyring_cli_print(out, uri);
}

const char *
bx_keyring_cli_roles(const struct bx_key *key)
{
	const bool originator = bx_key_has_role(key, BX_ROLE_ORIGINATOR);
	const bool responder = bx_key_has_role(key, BX_ROLE_RESPONDER);

	if (originator && responder)
		return "originator and responder";
	return originator ? "originator" : responder ? "responder" : "public keys only";
}

json_t *
bx_keyring_cli_json_text(struct bx_span text)
{
	json_t *value = json_stringn((const char *)text.ptr, text.len);

	return value != NULL ? value : json_null();
}

json_t *
bx_keyring_cli_json_key(const struct bx_key *key)
{
	json_t *roles = json_array();
	char id[BX_KEY_ID_CAP], originator[BX_KEY_BASE64_CAP], responder[BX_KEY_BASE64_CAP];

	if (bx_key_has_role(key, BX_ROLE_ORIGINATOR))
		(void)json_array_append_new(roles, json_string("originator"));
	if (bx_key_has_role(key, BX_ROLE_RESPONDER))
		(void)json_array_append_new(roles, json_string("responder"));
	bx_key_id(key, id);
	bx_key_base64(bx_key_originator_pub(key), originator);
	bx_key_base64(bx_key_responder_pub(key), responder);
	return json_pack("{s:o, s:b, s:o, s:b, s:s, s:s, s:s}", "uri",
			 bx_keyring_cli_json_text(bx_key_uri(key)), "default",
			 bx_key_uri(key).len == 0, "roles", roles, "string", bx_key_is_string(key),
			 "id", id, "originator_pub", originator, "responder_pub", responder);
}

int
bx_keyring_cli_finish(json_t *o, int code)
{
	if (o != NULL) {
		(void)json_dumpf(o, stdout, JSON_COMPACT);
		(void)fputc('\n', stdout);
		json_decref(o);
	}
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	bx_cli_error("stdout: %s", strerror(errno));
	return BX_EXIT_FAILED;
}

int
bx_keyring_cli_operands(struct bx_keyring_cli *c, const char *verb, size_t least, size_t most)
{
	size_t at = 0;

	c->ring = c->keyring;
	if (c->ring == NULL && c->operands.count > 0)
		c->ring = c->operands.items[at++];
	if (c->ring == NULL) {
		bx_cli_error("%s: which keyring?", verb);
		bx_cli_hint("boxcar %s --help", verb);
		return BX_EXIT_USAGE;
	}

	const size_t left = c->operands.count - at;

	if (left < least || left > most) {
		if (left < least)
			bx_cli_error("%s: which URI?", verb);
		else
			bx_cli_error("%s: unexpected argument \"%.200s\"", verb,
				     c->operands.items[at + most]);
		bx_cli_hint("boxcar %s --help", verb);
		return BX_EXIT_USAGE;
	}
	if (left != 0)
		c->uri = c->operands.items[at];
	return -1;
}

struct bx_span
bx_keyring_cli_span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

int
bx_keyring_cli_load(const struct bx_keyring_cli *c, struct bx_keyring_file **file)
{
	struct bx_fail fail = { 0 };
	bool lax = false;

	if (bx_keyring_file_load(file, c->ring, c->insecure, &lax, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	if (lax)
		bx_cli_warn("%s: others may use this key file; chmod 600 %s", c->ring, c->ring);
	return -1;
}
