/* What the subcommands of boxcar keyring share. */
#ifndef BX_TOOLS_KEYRING_CLI_H
#define BX_TOOLS_KEYRING_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "boxcar/keyring_edit.h"
#include "cli.h"

/* Values of the options of all subcommands; each has its own table of those that it takes. */
struct bx_keyring_cli {
	const char *keyring, *from, *note, *output;
	bool is_default, string, force, json, insecure;
	struct bx_cli_list operands;
	const char *ring; /* the file */
	const char *uri;  /* NULL: none given */
};

#define BX_KEYRING_CLI_RING(c)                                                                     \
	{                                                                                          \
		"keyring", 'k', BX_CLI_TEXT, &(c)->keyring, "RING",                                \
		    "the file, instead of an operand"                                              \
	}
#define BX_KEYRING_CLI_JSON(c)                                                                     \
	{                                                                                          \
		"json", 0, BX_CLI_FLAG, &(c)->json, NULL, "the result as one JSON object"          \
	}
#define BX_KEYRING_CLI_INSECURE(c)                                                                 \
	{                                                                                          \
		"insecure-key-modes", 0, BX_CLI_FLAG, &(c)->insecure, NULL,                        \
		    "only warn of key files that others may read"                                  \
	}

/* Untrusted text on a terminal: everything but printable ASCII is escaped. */
void bx_keyring_cli_print(FILE *out, struct bx_span text);
/* The same, or "(default)". */
void bx_keyring_cli_print_uri(FILE *out, struct bx_span uri);

/* "originator and responder", "originator", "responder" or "public keys only". */
const char *bx_keyring_cli_roles(const struct bx_key *key);

/* New references; null where the text is not UTF-8. */
json_t *bx_keyring_cli_json_text(struct bx_span text);
json_t *bx_keyring_cli_json_key(const struct bx_key *key);

/* Ends a run: prints and frees `o` (may be NULL), and looks whether stdout took everything. */
int bx_keyring_cli_finish(json_t *o, int code);

/*
 * RING first (unless -k names it), then `least` to `most` URIs. Returns -1 to
 * go on, else the exit code.
 */
int bx_keyring_cli_operands(struct bx_keyring_cli *c, const char *verb, size_t least, size_t most);

/* Loads the file, warning of its modes where they are allowed. Returns as above. */
int bx_keyring_cli_load(const struct bx_keyring_cli *c, struct bx_keyring_file **file);

struct bx_span bx_keyring_cli_span(const char *text);

/* Subcommands that write. */
int bx_keyring_cli_add(int argc, char **argv);
int bx_keyring_cli_rm(int argc, char **argv);
int bx_keyring_cli_split(int argc, char **argv);

#endif
