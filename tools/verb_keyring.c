/* boxcar keyring */
#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "boxcar/keyring_edit.h"
#include "cli.h"

/* Values of the options of all subcommands; each has its own table of those that it takes. */
struct choices {
	const char *keyring, *from, *note, *output;
	bool is_default, string, force, json, insecure;
	struct bx_cli_list operands;
	const char *ring; /* the file */
	const char *uri;  /* NULL: none given */
};

#define OPTION_RING(c)                                                                             \
	{                                                                                          \
		"keyring", 'k', BX_CLI_TEXT, &(c)->keyring, "RING",                                \
		    "the file, instead of an operand"                                              \
	}
#define OPTION_JSON(c)                                                                             \
	{                                                                                          \
		"json", 0, BX_CLI_FLAG, &(c)->json, NULL, "the result as one JSON object"          \
	}
#define OPTION_INSECURE(c)                                                                         \
	{                                                                                          \
		"insecure-key-modes", 0, BX_CLI_FLAG, &(c)->insecure, NULL,                        \
		    "only warn of key files that others may read"                                  \
	}

/* --- shared ----------------------------------------------------------------------------------- */

/* Untrusted text on a terminal: everything but printable ASCII is escaped. */
static void
print_safe(FILE *out, struct bx_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		const uint8_t c = text.ptr[i];

		if (c >= 0x20 && c < 0x7f)
			(void)fputc(c, out);
		else
			(void)fprintf(out, "\\x%02x", c);
	}
}

static void
print_uri(FILE *out, struct bx_span uri)
{
	if (uri.len == 0)
		(void)fputs("(default)", out);
	else
		print_safe(out, uri);
}

/* "originator and responder", "originator", "responder" or "neither role". */
static const char *
roles_of(const struct bx_key *key)
{
	const bool originator = bx_key_has_role(key, BX_ROLE_ORIGINATOR);
	const bool responder = bx_key_has_role(key, BX_ROLE_RESPONDER);

	if (originator && responder)
		return "originator and responder";
	return originator ? "originator" : responder ? "responder" : "public keys only";
}

static json_t *
json_of_text(struct bx_span text)
{
	json_t *value = json_stringn((const char *)text.ptr, text.len);

	return value != NULL ? value : json_null();
}

static json_t *
json_of_key(const struct bx_key *key)
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
			 json_of_text(bx_key_uri(key)), "default", bx_key_uri(key).len == 0,
			 "roles", roles, "string", bx_key_is_string(key), "id", id,
			 "originator_pub", originator, "responder_pub", responder);
}

/* Ends a run: prints and frees `o` (may be NULL), and looks whether stdout took everything. */
static int
finish(json_t *o, int code)
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

/*
 * RING first (unless -k names it), then the URI. `uris`: how many URIs there may be. Returns -1 to
 * go on, else the exit code.
 */
static int
take_operands(struct choices *c, const char *verb, size_t least, size_t most)
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

/* The URI of add and rm: one operand, or --default. */
static int
take_entry_name(struct choices *c, const char *verb)
{
	const int code = take_operands(c, verb, 0, 1);

	if (code != -1)
		return code;
	if (c->is_default == (c->uri != NULL)) {
		bx_cli_error("%s: give a URI, or --default", verb);
		return BX_EXIT_USAGE;
	}
	if (c->uri == NULL)
		c->uri = "";
	else if (c->uri[0] == '\0') {
		bx_cli_error("%s: an empty URI is the default: say --default", verb);
		return BX_EXIT_USAGE;
	}
	return -1;
}

static struct bx_span
span_of(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

static int
load_file(const struct choices *c, struct bx_keyring_file **file)
{
	struct bx_fail fail = { 0 };
	bool lax = false;

	if (bx_keyring_file_load(file, c->ring, c->insecure, &lax, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	if (lax)
		bx_cli_warn("%s: others may use this key file; chmod 600 %s", c->ring, c->ring);
	return -1;
}

/* The entry for exactly `uri`, or NULL. */
static const struct bx_key *
entry_named(const struct bx_keyring *ring, const char *uri)
{
	for (size_t i = 0; i < bx_keyring_count(ring); i++) {
		const struct bx_span name = bx_key_uri(bx_keyring_at(ring, i));

		if (name.len == strlen(uri) &&
		    (name.len == 0 || memcmp(name.ptr, uri, name.len) == 0))
			return bx_keyring_at(ring, i);
	}
	return NULL;
}

/* --- add, rm ---------------------------------------------------------------------------------- */

/* An existing ring, or a new one where there is no file. */
static int
load_or_new(const struct choices *c, struct bx_keyring_file **file, bool *is_new)
{
	struct bx_fail fail = { 0 };
	struct stat st;

	*is_new = lstat(c->ring, &st) != 0 && errno == ENOENT;
	if (!*is_new)
		return load_file(c, file);
	if (bx_keyring_file_new(file, (struct bx_span){ NULL, 0 }, c->ring, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	return -1;
}

static void
warn_of_entry(const struct choices *c, const struct bx_key *key)
{
	if (c->uri[0] != '\0' && c->uri[strlen(c->uri) - 1] != '.')
		bx_cli_warn("the entry does not end in \".\": it serves every URI that begins so, "
			    "not only whole names");
	if (bx_key_is_string(key))
		bx_cli_warn("a string key serves both roles: everyone who can open can also forge");
}

static int
save_added(const struct choices *c, struct bx_keyring_file *file, bool is_new)
{
	struct bx_fail fail = { 0 };

	if (bx_secret_text_save(bx_keyring_file_text(file), c->ring, !is_new, &fail) != BX_OK)
		return bx_cli_fail(&fail);

	const struct bx_key *key = entry_named(bx_keyring_file_ring(file), c->uri);

	warn_of_entry(c, key);
	if (c->json) {
		json_t *o = json_of_key(key);

		(void)json_object_set_new(o, "schema", json_integer(1));
		(void)json_object_set_new(o, "file", json_string(c->ring));
		(void)json_object_set_new(o, "created", json_boolean(is_new));
		return finish(o, BX_EXIT_OK);
	}
	(void)fputs("added ", stdout);
	print_uri(stdout, bx_key_uri(key));
	(void)printf(" (%s) to %s\n", roles_of(key), c->ring);
	return finish(NULL, BX_EXIT_OK);
}

static int
add_to(const struct choices *c, struct bx_keyring_file *file, bool is_new, struct bx_span given)
{
	struct bx_fail fail = { 0 };
	const struct bx_keyring_addition addition = {
		.uri = span_of(c->uri),
		.source = c->from != NULL ? BX_KEYRING_GIVEN
			  : c->string     ? BX_KEYRING_FRESH_STRING
					  : BX_KEYRING_FRESH_PAIR,
		.given = given,
		.given_name = c->from,
		.note = c->note != NULL ? span_of(c->note) : (struct bx_span){ NULL, 0 },
	};

	if (bx_keyring_file_add(file, &addition, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	return save_added(c, file, is_new);
}

static int
run_add(struct choices *c)
{
	struct bx_keyring_file *file = NULL;
	struct bx_span given = { NULL, 0 };
	struct bx_fail fail = { 0 };
	bool is_new, lax = false;
	int code = take_entry_name(c, "keyring add");

	if (code != -1)
		return code;
	if (c->from != NULL && c->string) {
		bx_cli_error("keyring add: --from brings its keys: --string does not fit");
		return BX_EXIT_USAGE;
	}
	code = load_or_new(c, &file, &is_new);
	if (code != -1)
		return code;
	if (c->from != NULL &&
	    bx_secret_text_load(&given, c->from, c->insecure, &lax, &fail) != BX_OK) {
		bx_keyring_file_free(file);
		return bx_cli_fail(&fail);
	}
	code = add_to(c, file, is_new, given);
	bx_secret_text_free(given);
	bx_keyring_file_free(file);
	return code;
}

static int
verb_add(int argc, char **argv)
{
	struct choices c = { 0 };
	const struct bx_cli_option options[] = {
		OPTION_RING(&c),
		{ "default", 0, BX_CLI_FLAG, &c.is_default, NULL,
		  "the entry for every URI that no other serves" },
		{ "string", 0, BX_CLI_FLAG, &c.string, NULL,
		  "one private key for both roles (default: a key pair for each role)" },
		{ "from", 0, BX_CLI_TEXT, &c.from, "FILE",
		  "take the keys from a JSON object: originator_priv, responder_pub, ... or key" },
		{ "note", 0, BX_CLI_TEXT, &c.note, "TEXT", "a note in the entry" },
		OPTION_INSECURE(&c),
		OPTION_JSON(&c),
	};
	const struct bx_cli_command command = {
		.verb = "keyring add",
		.usage = "keyring add RING URI|--default [options]",
		.about =
		    "Adds an entry with fresh keys; makes RING if there is none. Keys are never "
		    "taken\nfrom the command line.",
		.example = "boxcar keyring add ring.json com.acme.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	const int code = bx_cli_parse(&command, argc, argv, &c.operands);

	return code != -1 ? code : run_add(&c);
}

static int
run_rm(struct choices *c)
{
	struct bx_keyring_file *file = NULL;
	struct bx_fail fail = { 0 };
	int code = take_entry_name(c, "keyring rm");

	if (code == -1)
		code = load_file(c, &file);
	if (code != -1)
		return code;
	if (bx_keyring_file_remove(file, span_of(c->uri), &fail) != BX_OK ||
	    bx_secret_text_save(bx_keyring_file_text(file), c->ring, true, &fail) != BX_OK) {
		bx_keyring_file_free(file);
		return bx_cli_fail(&fail);
	}
	bx_keyring_file_free(file);
	if (c->json)
		return finish(json_pack("{s:i, s:s, s:o}", "schema", 1, "file", c->ring, "uri",
					json_of_text(span_of(c->uri))),
			      BX_EXIT_OK);
	(void)fputs("removed ", stdout);
	print_uri(stdout, span_of(c->uri));
	(void)printf(" from %s\n", c->ring);
	return finish(NULL, BX_EXIT_OK);
}

static int
verb_rm(int argc, char **argv)
{
	struct choices c = { 0 };
	const struct bx_cli_option options[] = {
		OPTION_RING(&c),
		{ "default", 0, BX_CLI_FLAG, &c.is_default, NULL, "the default entry" },
		OPTION_INSECURE(&c),
		OPTION_JSON(&c),
	};
	const struct bx_cli_command command = {
		.verb = "keyring rm",
		.usage = "keyring rm RING URI|--default",
		.about = "Removes the entry for exactly URI, with its keys. Shorter entries then "
			 "serve its URIs.",
		.example = "boxcar keyring rm ring.json com.acme.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	const int code = bx_cli_parse(&command, argc, argv, &c.operands);

	return code != -1 ? code : run_rm(&c);
}

/* --- list, which ------------------------------------------------------------------------------ */

static int
list_json(const struct choices *c, const struct bx_keyring_file *file)
{
	const struct bx_keyring *ring = bx_keyring_file_ring(file);
	json_t *entries = json_array();

	for (size_t i = 0; i < bx_keyring_count(ring); i++) {
		json_t *entry = json_of_key(bx_keyring_at(ring, i));
		const struct bx_span note = bx_keyring_file_note(file, i);

		if (note.len != 0)
			(void)json_object_set_new(entry, "note", json_of_text(note));
		(void)json_array_append_new(entries, entry);
	}
	return finish(
	    json_pack("{s:i, s:s, s:o}", "schema", 1, "file", c->ring, "entries", entries),
	    BX_EXIT_OK);
}

static int
list_text(const struct bx_keyring_file *file)
{
	const struct bx_keyring *ring = bx_keyring_file_ring(file);

	for (size_t i = 0; i < bx_keyring_count(ring); i++) {
		const struct bx_key *key = bx_keyring_at(ring, i);
		const struct bx_span note = bx_keyring_file_note(file, i);
		char id[BX_KEY_ID_CAP];

		bx_key_id(key, id);
		(void)printf("%s  %-24s  %s  ", id, roles_of(key),
			     bx_key_is_string(key) ? "string" : "pair  ");
		print_uri(stdout, bx_key_uri(key));
		if (note.len != 0) {
			(void)fputs("  # ", stdout);
			print_safe(stdout, note);
		}
		(void)fputc('\n', stdout);
	}
	return finish(NULL, BX_EXIT_OK);
}

static int
verb_list(int argc, char **argv)
{
	struct choices c = { 0 };
	const struct bx_cli_option options[] = { OPTION_RING(&c), OPTION_INSECURE(&c),
						 OPTION_JSON(&c) };
	const struct bx_cli_command command = {
		.verb = "keyring list",
		.usage = "keyring list RING",
		.about =
		    "Lists the entries: key id, roles, kind, URI, note; with --json the public "
		    "keys, too.\nNever prints a secret.",
		.example = "boxcar keyring list ring.json",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_keyring_file *file = NULL;
	int code = bx_cli_parse(&command, argc, argv, &c.operands);

	if (code == -1)
		code = take_operands(&c, "keyring list", 0, 0);
	if (code == -1)
		code = load_file(&c, &file);
	if (code != -1)
		return code;
	code = c.json ? list_json(&c, file) : list_text(file);
	bx_keyring_file_free(file);
	return code;
}

/* Which messages a key serves (spec 2.3). */
static void
print_uses(const struct bx_key *key)
{
	if (bx_key_has_role(key, BX_ROLE_ORIGINATOR))
		(void)printf("  originator: seals PUBLISH and CALL, opens RESULT and ERROR\n");
	if (bx_key_has_role(key, BX_ROLE_RESPONDER))
		(void)printf("  responder: seals YIELD and ERROR, opens EVENT and INVOCATION\n");
	if (!bx_key_has_role(key, BX_ROLE_EITHER))
		(void)printf("  public keys only: neither seals nor opens\n");
}

static int
say_which(const struct choices *c, const struct bx_keyring *ring)
{
	const struct bx_key *key = NULL;
	const enum bx_key_match match =
	    bx_keyring_find(ring, span_of(c->uri), BX_ROLE_EITHER, &key);
	const int code = match == BX_KEY_FOUND ? BX_EXIT_OK : BX_EXIT_KEYS;

	if (c->json)
		return finish(json_pack("{s:i, s:s, s:o, s:o}", "schema", 1, "file", c->ring, "uri",
					json_of_text(span_of(c->uri)), "entry",
					key != NULL ? json_of_key(key) : json_null()),
			      code);
	print_safe(stdout, span_of(c->uri));
	if (key == NULL) {
		(void)printf(": no entry serves it, and there is no default\n");
		return finish(NULL, code);
	}
	(void)fputs(": served by ", stdout);
	print_uri(stdout, bx_key_uri(key));
	(void)printf(" as %s\n", roles_of(key));
	print_uses(key);
	return finish(NULL, code);
}

static int
verb_which(int argc, char **argv)
{
	struct choices c = { 0 };
	const struct bx_cli_option options[] = { OPTION_RING(&c), OPTION_INSECURE(&c),
						 OPTION_JSON(&c) };
	const struct bx_cli_command command = {
		.verb = "keyring which",
		.usage = "keyring which URI -k RING",
		.about = "Says the entry that serves a URI, and in which role. Exits 5 when no key "
			 "does.",
		.example = "boxcar keyring which com.acme.temp -k ring.json",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_keyring_file *file = NULL;
	int code = bx_cli_parse(&command, argc, argv, &c.operands);

	if (code == -1)
		code = take_operands(&c, "keyring which", 1, 1);
	if (code == -1)
		code = load_file(&c, &file);
	if (code != -1)
		return code;
	code = say_which(&c, bx_keyring_file_ring(file));
	bx_keyring_file_free(file);
	return code;
}

/* --- check ------------------------------------------------------------------------------------ */

struct findings {
	const struct choices *c;
	json_t *list; /* NULL: print at once */
	size_t count;
};

static void
take_finding(void *context, const struct bx_finding *f)
{
	struct findings *all = context;

	all->count++;
	if (all->list != NULL) {
		(void)json_array_append_new(
		    all->list, json_pack("{s:s, s:o, s:I, s:s}", "kind", bx_finding_name(f->kind),
					 "uri", json_of_text(f->uri), "line", (json_int_t)f->line,
					 "message", f->message));
		return;
	}
	(void)printf("%s", all->c->ring);
	if (f->line != 0)
		(void)printf(":%llu", (unsigned long long)f->line);
	(void)printf(": %s: ", bx_finding_name(f->kind));
	if (f->uri.len != 0) {
		print_safe(stdout, f->uri);
		(void)fputs(": ", stdout);
	}
	(void)printf("%s\n", f->message);
}

static int
verb_check(int argc, char **argv)
{
	struct choices c = { 0 };
	const struct bx_cli_option options[] = { OPTION_RING(&c), OPTION_JSON(&c) };
	const struct bx_cli_command command = {
		.verb = "keyring check",
		.usage = "keyring check RING",
		.about =
		    "Tells of everything that is wrong or surprising: malformed and doubled "
		    "entries, keys that\ndo not fit, prefixes that do not end in \".\", entries "
		    "that hide a role, string keys, file\nmodes. Exits 3 when there is "
		    "something.",
		.example = "boxcar keyring check ring.json",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_fail fail = { 0 };
	int code = bx_cli_parse(&command, argc, argv, &c.operands);

	if (code == -1)
		code = take_operands(&c, "keyring check", 0, 0);
	if (code != -1)
		return code;

	struct findings all = { &c, c.json ? json_array() : NULL, 0 };

	if (bx_keyring_check_file(c.ring, take_finding, &all, &fail) != BX_OK) {
		json_decref(all.list);
		return bx_cli_fail(&fail);
	}
	code = all.count == 0 ? BX_EXIT_OK : BX_EXIT_LOSSES;
	if (c.json)
		return finish(
		    json_pack("{s:i, s:s, s:o}", "schema", 1, "file", c.ring, "findings", all.list),
		    code);
	if (all.count == 0)
		(void)printf("%s: nothing found\n", c.ring);
	return finish(NULL, code);
}

/* --- split ------------------------------------------------------------------------------------ */

enum { PARTS = 3 };

static const char *const part_names[PARTS] = { "originator", "responder", "public" };

/* "ring.json" -> "ring.originator.json" in the ring's folder, or in `folder`. */
static bool
part_path(char path[static PATH_MAX], const struct choices *c, int part)
{
	char copy[PATH_MAX], copy_too[PATH_MAX];

	if (strlen(c->ring) >= sizeof(copy))
		return false;
	strcpy(copy, c->ring);
	strcpy(copy_too, c->ring);

	const char *base = basename(copy);
	const bool beside = c->output == NULL && strchr(c->ring, '/') == NULL;
	const char *folder = c->output != NULL ? c->output : beside ? "" : dirname(copy_too);
	const char *dot = strrchr(base, '.');
	const size_t stem = dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);
	const char *slash = folder[0] == '\0' || folder[strlen(folder) - 1] == '/' ? "" : "/";
	const int len = snprintf(path, PATH_MAX, "%s%s%.*s.%s%s", folder, slash, (int)stem, base,
				 part_names[part], dot != NULL && dot != base ? dot : ".json");

	return len > 0 && len < PATH_MAX;
}

static int
find_paths(char paths[PARTS][PATH_MAX], const struct choices *c)
{
	struct stat st;

	for (int i = 0; i < PARTS; i++) {
		if (!part_path(paths[i], c, i)) {
			bx_cli_error("keyring split: the name of %s is too long", c->ring);
			return BX_EXIT_USAGE;
		}
		/* All are looked at before the first is written. */
		if (!c->force && lstat(paths[i], &st) == 0) {
			bx_cli_error("%s exists", paths[i]);
			bx_cli_hint("--force replaces it");
			return BX_EXIT_USAGE;
		}
	}
	return -1;
}

static int
write_parts(const struct choices *c, const struct bx_keyring_file *file,
	    char paths[PARTS][PATH_MAX])
{
	json_t *o = c->json ? json_pack("{s:i, s:s}", "schema", 1, "file", c->ring) : NULL;

	for (int i = 0; i < PARTS; i++) {
		struct bx_keyring_file *part = NULL;
		struct bx_fail fail = { 0 };
		size_t lacking = 0, strings = 0;

		if (bx_keyring_file_split(&part, file, (enum bx_keyring_part)i, &lacking, &strings,
					  &fail) != BX_OK ||
		    bx_secret_text_save(bx_keyring_file_text(part), paths[i], c->force, &fail) !=
			BX_OK) {
			bx_keyring_file_free(part);
			json_decref(o);
			return bx_cli_fail(&fail);
		}
		bx_keyring_file_free(part);
		if (lacking != 0)
			bx_cli_warn(
			    "%s: entries without a private %s key: %zu; they keep their place "
			    "with public keys",
			    paths[i], part_names[i], lacking);
		if (strings != 0 && i == 0)
			bx_cli_warn("%zu string keys: both halves hold the same private key",
				    strings);
		if (o != NULL)
			(void)json_object_set_new(o, part_names[i], json_string(paths[i]));
		else
			(void)printf("%s\n", paths[i]);
	}
	return finish(o, BX_EXIT_OK);
}

static int
verb_split(int argc, char **argv)
{
	struct choices c = { 0 };
	const struct bx_cli_option options[] = {
		OPTION_RING(&c),
		{ "output", 'o', BX_CLI_TEXT, &c.output, "DIR",
		  "folder of the parts (default: that of RING)" },
		{ "force", 0, BX_CLI_FLAG, &c.force, NULL, "replace existing parts" },
		OPTION_INSECURE(&c),
		OPTION_JSON(&c),
	};
	const struct bx_cli_command command = {
		.verb = "keyring split",
		.usage = "keyring split RING [-o DIR]",
		.about =
		    "Writes the originator half, the responder half and the public part as rings "
		    "that can be\nhanded to peers: ring.originator.json, ring.responder.json, "
		    "ring.public.json.",
		.example = "boxcar keyring split ring.json -o peers/",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	static char paths[PARTS][PATH_MAX];
	struct bx_keyring_file *file = NULL;
	int code = bx_cli_parse(&command, argc, argv, &c.operands);

	if (code == -1)
		code = take_operands(&c, "keyring split", 0, 0);
	if (code == -1)
		code = find_paths(paths, &c);
	if (code == -1)
		code = load_file(&c, &file);
	if (code != -1)
		return code;
	code = write_parts(&c, file, paths);
	bx_keyring_file_free(file);
	return code;
}

/* --- the verb --------------------------------------------------------------------------------- */

static const struct bx_cli_verb subverbs[] = {
	{ "add", verb_add, "add an entry with fresh keys, or with those of a file" },
	{ "rm", verb_rm, "remove an entry" },
	{ "list", verb_list, "list the entries, without secrets" },
	{ "check", verb_check, "tell of everything that is wrong or surprising" },
	{ "split", verb_split, "write the halves to hand to peers, and the public part" },
	{ "which", verb_which, "say the entry that serves a URI, and in which role" },
};

#define SUBVERB_COUNT (sizeof(subverbs) / sizeof(subverbs[0]))

static int
print_subverbs(void)
{
	(void)printf("usage: boxcar keyring add|rm|list|check|split|which ...\n\n"
		     "Makes and checks keyring files.\n\n");
	for (size_t i = 0; i < SUBVERB_COUNT; i++)
		(void)printf("  %-6s %s\n", subverbs[i].name, subverbs[i].summary);
	(void)printf("\nboxcar keyring add --help tells more of one.\n\nexample:\n"
		     "  boxcar keyring add ring.json com.acme.\n");
	return finish(NULL, BX_EXIT_OK);
}

int
bx_verb_keyring(int argc, char **argv)
{
	const char *names[SUBVERB_COUNT];

	if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0))
		return print_subverbs();
	if (argc == 0) {
		bx_cli_error("keyring: what to do? add, rm, list, check, split or which");
		bx_cli_hint("boxcar help keyring");
		return BX_EXIT_USAGE;
	}
	for (size_t i = 0; i < SUBVERB_COUNT; i++) {
		if (strcmp(argv[0], subverbs[i].name) == 0)
			return subverbs[i].run(argc - 1, argv + 1);
		names[i] = subverbs[i].name;
	}

	const char *near = bx_cli_nearest(argv[0], names, SUBVERB_COUNT);

	if (near != NULL)
		bx_cli_error("keyring: nothing called \"%.60s\"; did you mean %s?", argv[0], near);
	else
		bx_cli_error("keyring: nothing called \"%.60s\"", argv[0]);
	bx_cli_hint("boxcar help keyring");
	return BX_EXIT_USAGE;
}
