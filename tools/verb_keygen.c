/* boxcar keygen */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "boxcar/keyring_edit.h"
#include "cli.h"

struct choices {
	const char *output;
	bool cryptobox, sign, archive, force, json;
};

/* Room for one pair and what is said around it. */
#define TEXT_CAP 512

static const char *const kind_names[] = { "cryptobox", "sign", "archive" };

/* What stands in the file, or on stdout when there is no file. */
static void
secret_text(char text[static TEXT_CAP], enum bx_keygen kind, const struct bx_keygen_pair *pair,
	    const struct choices *c)
{
	const bool to_file = c->output != NULL;
	char when[32] = "";
	const time_t now = time(NULL);
	struct tm utc;

	if (gmtime_r(&now, &utc) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (kind == BX_KEYGEN_CRYPTOBOX)
		(void)snprintf(text, TEXT_CAP, "{\"priv\": \"%s\", \"pub\": \"%s\"}\n",
			       pair->secret, pair->public_key);
	else if (to_file)
		(void)snprintf(text, TEXT_CAP, "# created: %s\n# public key: %s\n%s\n", when,
			       pair->public_key, pair->secret);
	else if (c->json)
		(void)snprintf(text, TEXT_CAP,
			       "{\"schema\": 1, \"kind\": \"%s\", \"secret\": \"%s\", "
			       "\"public\": \"%s\"}\n",
			       kind_names[kind], pair->secret, pair->public_key);
	else
		(void)snprintf(text, TEXT_CAP, "%s\n%s\n", pair->public_key, pair->secret);
}

/* What goes to stdout when the secret went to a file. */
static void
public_text(char text[static TEXT_CAP], enum bx_keygen kind, const struct bx_keygen_pair *pair,
	    bool json)
{
	if (json)
		(void)snprintf(text, TEXT_CAP,
			       "{\"schema\": 1, \"kind\": \"%s\", \"public\": \"%s\"}\n",
			       kind_names[kind], pair->public_key);
	else
		(void)snprintf(text, TEXT_CAP, "%s\n", pair->public_key);
}

static int
put(const char *text)
{
	if (bx_cli_out(text, strlen(text)))
		return BX_EXIT_OK;
	bx_cli_error("stdout: %s", strerror(errno));
	return BX_EXIT_FAILED;
}

static int
put_pair(enum bx_keygen kind, const struct bx_keygen_pair *pair, const struct choices *c)
{
	struct bx_fail fail = { 0 };
	char text[TEXT_CAP];
	int code;

	secret_text(text, kind, pair, c);
	if (c->output == NULL) {
		code = put(text);
		bx_keygen_wipe(text, sizeof(text));
		return code;
	}

	const struct bx_span bytes = { (const uint8_t *)text, strlen(text) };
	const enum bx_err err = bx_secret_text_save(bytes, c->output, c->force, &fail);

	bx_keygen_wipe(text, sizeof(text));
	if (err != BX_OK)
		return bx_cli_fail(&fail);
	public_text(text, kind, pair, c->json);
	return put(text);
}

int
bx_verb_keygen(int argc, char **argv)
{
	struct choices c = { 0 };
	const struct bx_cli_option options[] = {
		{ "cryptobox", 0, BX_CLI_FLAG, &c.cryptobox, NULL,
		  "X25519 pair for WAMP payloads: one JSON object with priv and pub (base64)" },
		{ "archive", 0, BX_CLI_FLAG, &c.archive, NULL,
		  "recipient (boxcar1...) and its identity (BOXCAR-SECRET-KEY-1...)" },
		{ "sign", 0, BX_CLI_FLAG, &c.sign, NULL,
		  "Ed25519 pair: boxcar-sign1... and BOXCAR-SIGN-KEY-1..." },
		{ "output", 'o', BX_CLI_TEXT, &c.output, "FILE",
		  "write the secret there, mode 0600, and only the public key to stdout" },
		{ "force", 0, BX_CLI_FLAG, &c.force, NULL, "replace an existing FILE" },
		{ "json", 0, BX_CLI_FLAG, &c.json, NULL, "the result as one JSON object" },
	};
	const struct bx_cli_command command = {
		.verb = "keygen",
		.usage = "keygen --cryptobox | --archive | --sign [-o FILE]",
		.about = "Makes a key. Without -o the secret goes to stdout, too.",
		.example = "boxcar keygen --archive -o me.key",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = 0,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code != -1)
		return code;
	if (c.cryptobox + c.sign + c.archive != 1) {
		bx_cli_error("keygen: say which key: --cryptobox, --archive or --sign");
		bx_cli_hint("boxcar help keygen");
		return BX_EXIT_USAGE;
	}
	if (c.output != NULL && strcmp(c.output, "-") == 0)
		c.output = NULL;

	const enum bx_keygen kind = c.cryptobox ? BX_KEYGEN_CRYPTOBOX
				    : c.sign    ? BX_KEYGEN_SIGN
						: BX_KEYGEN_ARCHIVE;
	struct bx_keygen_pair pair;
	struct bx_fail fail = { 0 };

	if (bx_keygen_make(&pair, kind, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	code = put_pair(kind, &pair, &c);
	bx_keygen_wipe(&pair, sizeof(pair));
	return code;
}
