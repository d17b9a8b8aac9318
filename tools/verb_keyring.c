/* boxcar keyring: the table of subcommands, and those that only look */
#include <string.h>

#include "keyring_cli.h"

/* --- list, which ------------------------------------------------------------------------------ */

static int
list_json(const struct bx_keyring_cli *c, const struct bx_keyring_file *file)
{
	const struct bx_keyring *ring = bx_keyring_file_ring(file);
	json_t *entries = json_array();

	for (size_t i = 0; i < bx_keyring_count(ring); i++) {
		json_t *entry = bx_keyring_cli_json_key(bx_keyring_at(ring, i));
		const struct bx_span note = bx_keyring_file_note(file, i);

		if (note.len != 0)
			(void)json_object_set_new(entry, "note", bx_keyring_cli_json_text(note));
		(void)json_array_append_new(entries, entry);
	}
	return bx_keyring_cli_finish(
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
		(void)printf("%s  %-24s  %s  ", id, bx_keyring_cli_roles(key),
			     bx_key_is_string(key) ? "string" : "pair  ");
		bx_keyring_cli_print_uri(stdout, bx_key_uri(key));
		if (note.len != 0) {
			(void)fputs("  # ", stdout);
			bx_keyring_cli_print(stdout, note);
		}
		(void)fputc('\n', stdout);
	}
	return bx_keyring_cli_finish(NULL, BX_EXIT_OK);
}

static int
bx_keyring_cli_list(int argc, char **argv)
{
	struct bx_keyring_cli c = { 0 };
	const struct bx_cli_option options[] = { BX_KEYRING_CLI_RING(&c),
						 BX_KEYRING_CLI_INSECURE(&c),
						 BX_KEYRING_CLI_JSON(&c) };
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
		code = bx_keyring_cli_operands(&c, "keyring list", 0, 0);
	if (code == -1)
		code = bx_keyring_cli_load(&c, &file);
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
say_which(const struct bx_keyring_cli *c, const struct bx_keyring *ring)
{
	const struct bx_key *key = NULL;
	const enum bx_key_match match =
	    bx_keyring_find(ring, bx_keyring_cli_span(c->uri), BX_ROLE_EITHER, &key);
	const int code = match == BX_KEY_FOUND ? BX_EXIT_OK : BX_EXIT_KEYS;

	if (c->json)
		return bx_keyring_cli_finish(
		    json_pack("{s:i, s:s, s:o, s:o}", "schema", 1, "file", c->ring, "uri",
			      bx_keyring_cli_json_text(bx_keyring_cli_span(c->uri)), "entry",
			      key != NULL ? bx_keyring_cli_json_key(key) : json_null()),
		    code);
	bx_keyring_cli_print(stdout, bx_keyring_cli_span(c->uri));
	if (key == NULL) {
		(void)printf(": no entry serves it, and there is no default\n");
		return bx_keyring_cli_finish(NULL, code);
	}
	(void)fputs(": served by ", stdout);
	bx_keyring_cli_print_uri(stdout, bx_key_uri(key));
	(void)printf(" as %s\n", bx_keyring_cli_roles(key));
	print_uses(key);
	return bx_keyring_cli_finish(NULL, code);
}

static int
bx_keyring_cli_which(int argc, char **argv)
{
	struct bx_keyring_cli c = { 0 };
	const struct bx_cli_option options[] = { BX_KEYRING_CLI_RING(&c),
						 BX_KEYRING_CLI_INSECURE(&c),
						 BX_KEYRING_CLI_JSON(&c) };
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
		code = bx_keyring_cli_operands(&c, "keyring which", 1, 1);
	if (code == -1)
		code = bx_keyring_cli_load(&c, &file);
	if (code != -1)
		return code;
	code = say_which(&c, bx_keyring_file_ring(file));
	bx_keyring_file_free(file);
	return code;
}

/* --- check ------------------------------------------------------------------------------------ */

struct findings {
	const struct bx_keyring_cli *c;
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
					 "uri", bx_keyring_cli_json_text(f->uri), "line",
					 (json_int_t)f->line, "message", f->message));
		return;
	}
	(void)printf("%s", all->c->ring);
	if (f->line != 0)
		(void)printf(":%llu", (unsigned long long)f->line);
	(void)printf(": %s: ", bx_finding_name(f->kind));
	if (f->uri.len != 0) {
		bx_keyring_cli_print(stdout, f->uri);
		(void)fputs(": ", stdout);
	}
	(void)printf("%s\n", f->message);
}

static int
bx_keyring_cli_check(int argc, char **argv)
{
	struct bx_keyring_cli c = { 0 };
	const struct bx_cli_option options[] = { BX_KEYRING_CLI_RING(&c), BX_KEYRING_CLI_JSON(&c) };
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
		code = bx_keyring_cli_operands(&c, "keyring check", 0, 0);
	if (code != -1)
		return code;

	struct findings all = { &c, c.json ? json_array() : NULL, 0 };

	if (bx_keyring_check_file(c.ring, take_finding, &all, &fail) != BX_OK) {
		json_decref(all.list);
		return bx_cli_fail(&fail);
	}
	code = all.count == 0 ? BX_EXIT_OK : BX_EXIT_LOSSES;
	if (c.json)
		return bx_keyring_cli_finish(
		    json_pack("{s:i, s:s, s:o}", "schema", 1, "file", c.ring, "findings", all.list),
		    code);
	if (all.count == 0)
		(void)printf("%s: nothing found\n", c.ring);
	return bx_keyring_cli_finish(NULL, code);
}

/* --- the verb --------------------------------------------------------------------------------- */

static const struct bx_cli_verb subverbs[] = {
	{ "add", bx_keyring_cli_add, "add an entry with fresh keys, or with those of a file" },
	{ "rm", bx_keyring_cli_rm, "remove an entry" },
	{ "list", bx_keyring_cli_list, "list the entries, without secrets" },
	{ "check", bx_keyring_cli_check, "tell of everything that is wrong or surprising" },
	{ "split", bx_keyring_cli_split, "write the halves to hand to peers, and the public part" },
	{ "which", bx_keyring_cli_which, "say the entry that serves a URI, and in which role" },
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
	return bx_keyring_cli_finish(NULL, BX_EXIT_OK);
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
