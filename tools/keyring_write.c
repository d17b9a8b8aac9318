/* boxcar keyring add, rm, split */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "keyring_cli.h"

/* --- add, rm ---------------------------------------------------------------------------------- */

/* The URI of add and rm: one operand, or --default. */
static int
take_entry_name(struct bx_keyring_cli *c, const char *verb)
{
	const int code = bx_keyring_cli_operands(c, verb, 0, 1);

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

/* An existing ring, or a new one where there is no file. */
static int
load_or_new(const struct bx_keyring_cli *c, struct bx_keyring_file **file, bool *is_new)
{
	struct bx_fail fail = { 0 };
	struct stat st;

	*is_new = lstat(c->ring, &st) != 0 && errno == ENOENT;
	if (!*is_new)
		return bx_keyring_cli_load(c, file);
	if (bx_keyring_file_new(file, (struct bx_span){ NULL, 0 }, c->ring, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	return -1;
}

static void
warn_of_entry(const struct bx_keyring_cli *c, const struct bx_key *key)
{
	if (c->uri[0] != '\0' && c->uri[strlen(c->uri) - 1] != '.')
		bx_cli_warn("the entry does not end in \".\": it serves every URI that begins so, "
			    "not only whole names");
	if (bx_key_is_string(key))
		bx_cli_warn("a string key serves both roles: everyone who can open can also forge");
}

static int
save_added(const struct bx_keyring_cli *c, struct bx_keyring_file *file, bool is_new)
{
	struct bx_fail fail = { 0 };

	if (bx_secret_text_save(bx_keyring_file_text(file), c->ring, !is_new, &fail) != BX_OK)
		return bx_cli_fail(&fail);

	const struct bx_key *key = entry_named(bx_keyring_file_ring(file), c->uri);

	warn_of_entry(c, key);
	if (c->json) {
		json_t *o = bx_keyring_cli_json_key(key);

		(void)json_object_set_new(o, "schema", json_integer(1));
		(void)json_object_set_new(o, "file", json_string(c->ring));
		(void)json_object_set_new(o, "created", json_boolean(is_new));
		return bx_keyring_cli_finish(o, BX_EXIT_OK);
	}
	(void)fputs("added ", stdout);
	bx_keyring_cli_print_uri(stdout, bx_key_uri(key));
	(void)printf(" (%s) to %s\n", bx_keyring_cli_roles(key), c->ring);
	return bx_keyring_cli_finish(NULL, BX_EXIT_OK);
}

static int
add_to(const struct bx_keyring_cli *c, struct bx_keyring_file *file, bool is_new,
       struct bx_span given)
{
	struct bx_fail fail = { 0 };
	const struct bx_keyring_addition addition = {
		.uri = bx_keyring_cli_span(c->uri),
		.source = c->from != NULL ? BX_KEYRING_GIVEN
			  : c->string     ? BX_KEYRING_FRESH_STRING
					  : BX_KEYRING_FRESH_PAIR,
		.given = given,
		.given_name = c->from,
		.note =
		    c->note != NULL ? bx_keyring_cli_span(c->note) : (struct bx_span){ NULL, 0 },
	};

	if (bx_keyring_file_add(file, &addition, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	return save_added(c, file, is_new);
}

static int
run_add(struct bx_keyring_cli *c)
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

int
bx_keyring_cli_add(int argc, char **argv)
{
	struct bx_keyring_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_KEYRING_CLI_RING(&c),
		{ "default", 0, BX_CLI_FLAG, &c.is_default, NULL,
		  "the entry for every URI that no other serves" },
		{ "string", 0, BX_CLI_FLAG, &c.string, NULL,
		  "one private key for both roles (default: a key pair for each role)" },
		{ "from", 0, BX_CLI_TEXT, &c.from, "FILE",
		  "take the keys from a JSON object: originator_priv, responder_pub, ... or key" },
		{ "note", 0, BX_CLI_TEXT, &c.note, "TEXT", "a note in the entry" },
		BX_KEYRING_CLI_INSECURE(&c),
		BX_KEYRING_CLI_JSON(&c),
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
run_rm(struct bx_keyring_cli *c)
{
	struct bx_keyring_file *file = NULL;
	struct bx_fail fail = { 0 };
	int code = take_entry_name(c, "keyring rm");

	if (code == -1)
		code = bx_keyring_cli_load(c, &file);
	if (code != -1)
		return code;
	if (bx_keyring_file_remove(file, bx_keyring_cli_span(c->uri), &fail) != BX_OK ||
	    bx_secret_text_save(bx_keyring_file_text(file), c->ring, true, &fail) != BX_OK) {
		bx_keyring_file_free(file);
		return bx_cli_fail(&fail);
	}
	bx_keyring_file_free(file);
	if (c->json)
		return bx_keyring_cli_finish(
		    json_pack("{s:i, s:s, s:o}", "schema", 1, "file", c->ring, "uri",
			      bx_keyring_cli_json_text(bx_keyring_cli_span(c->uri))),
		    BX_EXIT_OK);
	(void)fputs("removed ", stdout);
	bx_keyring_cli_print_uri(stdout, bx_keyring_cli_span(c->uri));
	(void)printf(" from %s\n", c->ring);
	return bx_keyring_cli_finish(NULL, BX_EXIT_OK);
}

int
bx_keyring_cli_rm(int argc, char **argv)
{
	struct bx_keyring_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_KEYRING_CLI_RING(&c),
		{ "default", 0, BX_CLI_FLAG, &c.is_default, NULL, "the default entry" },
		BX_KEYRING_CLI_INSECURE(&c),
		BX_KEYRING_CLI_JSON(&c),
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

/* --- split ------------------------------------------------------------------------------------ */

enum { PARTS = 3 };

static const char *const part_names[PARTS] = { "originator", "responder", "public" };

/* "ring.json" -> "ring.originator.json" in the ring's folder, or in `folder`. */
static bool
part_path(char path[static PATH_MAX], const struct bx_keyring_cli *c, int part)
{
	const char *last = strrchr(c->ring, '/');
	const char *base = last != NULL ? last + 1 : c->ring;
	const char *folder = c->output != NULL ? c->output : c->ring;
	const int folder_len = (int)(c->output != NULL ? strlen(folder) : (size_t)(base - folder));
	const char *dot = strrchr(base, '.');
	const size_t stem = dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);
	const char *slash = folder_len == 0 || folder[folder_len - 1] == '/' ? "" : "/";
	const bool has_suffix = dot != NULL && dot != base;
	const int len = snprintf(path, PATH_MAX, "%.*s%s%.*s.%s%s", folder_len, folder, slash,
				 (int)stem, base, part_names[part], has_suffix ? dot : ".json");

	return len > 0 && len < PATH_MAX;
}

static int
find_paths(char paths[PARTS][PATH_MAX], const struct bx_keyring_cli *c)
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
write_parts(const struct bx_keyring_cli *c, const struct bx_keyring_file *file,
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
			bx_cli_warn("string keys: %zu; both halves hold the same private key",
				    strings);
		if (o != NULL)
			(void)json_object_set_new(o, part_names[i], json_string(paths[i]));
		else
			(void)printf("%s\n", paths[i]);
	}
	return bx_keyring_cli_finish(o, BX_EXIT_OK);
}

int
bx_keyring_cli_split(int argc, char **argv)
{
	struct bx_keyring_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_KEYRING_CLI_RING(&c),
		{ "output", 'o', BX_CLI_TEXT, &c.output, "DIR",
		  "folder of the parts (default: that of RING)" },
		{ "force", 0, BX_CLI_FLAG, &c.force, NULL, "replace existing parts" },
		BX_KEYRING_CLI_INSECURE(&c),
		BX_KEYRING_CLI_JSON(&c),
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
		code = bx_keyring_cli_operands(&c, "keyring split", 0, 0);
	if (code == -1)
		code = find_paths(paths, &c);
	if (code == -1)
		code = bx_keyring_cli_load(&c, &file);
	if (code != -1)
		return code;
	code = write_parts(&c, file, paths);
	bx_keyring_file_free(file);
	return code;
}
