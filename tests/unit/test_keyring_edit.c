/* keys/keyring_edit, keyring_check, keygen: the text stays, the halves fit, findings are found. */
#include "boxcar/keyring_edit.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/key_text.h"

#define PRIV_A "TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM="
#define PUB_A "QmPYz6OTBRqK3b+aPcamHNdvPgY2goLj0pjB6HmpHhw="
#define PRIV_B "cO7NKtE97iCineGj2M6ALYWrHnJyPPtQACJEiNBtLPU="
#define PUB_B "kpfpWnbZ4lNUwWX5yqoWh3aQcILNBa2soPcRlWGPblk="
#define LOW_ORDER "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA="
#define STRING_A "\"key\": \"" PRIV_A "\""

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

static struct bx_keyring_file *
file_of(const char *text)
{
	struct bx_keyring_file *file = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_keyring_file_new(&file, span(text), "ring.json", &fail), BX_OK, "%s",
		     fail.msg);
	return file;
}

static void
expect_text(const struct bx_keyring_file *file, const char *text)
{
	const struct bx_span got = bx_keyring_file_text(file);

	cr_assert(got.len == strlen(text) && memcmp(got.ptr, text, got.len) == 0,
		  "got:\n%.*s\nwanted:\n%s", (int)got.len, (const char *)got.ptr, text);
}

/* Adds the keys of `given`, so that the text is known. */
static void
add_given(struct bx_keyring_file *file, const char *uri, const char *given, const char *note)
{
	struct bx_fail fail = { 0 };
	const struct bx_keyring_addition a = { .uri = span(uri),
					       .source = BX_KEYRING_GIVEN,
					       .given = span(given),
					       .given_name = "given.json",
					       .note = span(note) };

	cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_OK, "%s", fail.msg);
}

static void
remove_uri(struct bx_keyring_file *file, const char *uri)
{
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_keyring_file_remove(file, span(uri), &fail), BX_OK, "%s", fail.msg);
}

static const struct bx_key *
key_at(const struct bx_keyring_file *file, size_t index)
{
	return bx_keyring_at(bx_keyring_file_ring(file), index);
}

/* --- the text --------------------------------------------------------------------------------- */

#define GIVEN "{" STRING_A "}"
#define NEW_HEAD "{\n  \"version\": 1,\n  \"keys\": ["

Test(keyring_edit, a_new_file_and_back)
{
	struct bx_keyring_file *file = file_of("");

	expect_text(file, NEW_HEAD "]\n}\n");
	add_given(file, "a.", GIVEN, "");
	expect_text(file, NEW_HEAD "\n    { \"uri\": \"a.\", " STRING_A " }\n  ]\n}\n");
	add_given(file, "b.", GIVEN, "to \"b\"\n\xc3\xa9");
	expect_text(file, NEW_HEAD "\n    { \"uri\": \"a.\", " STRING_A
				   " },\n    { \"uri\": \"b.\", " STRING_A
				   ", \"note\": \"to \\\"b\\\"\\n\xc3\xa9\" }\n  ]\n}\n");
	cr_assert_eq(bx_keyring_file_note(file, 1).len, 9);
	cr_assert_eq(memcmp(bx_keyring_file_note(file, 1).ptr, "to \"b\"\n\xc3\xa9", 9), 0);
	cr_assert_eq(bx_keyring_file_note(file, 0).len, 0);
	add_given(file, "", GIVEN, "");
	expect_text(file, "{\n  \"default\": { " STRING_A
			  " },\n  \"version\": 1,\n  \"keys\": [\n    { \"uri\": \"a.\", " STRING_A
			  " },\n    { \"uri\": \"b.\", " STRING_A
			  ", \"note\": \"to \\\"b\\\"\\n\xc3\xa9\" }\n  ]\n}\n");
	remove_uri(file, "");
	remove_uri(file, "a.");
	expect_text(file,
		    "{\n  \"default\": null,\n  \"version\": 1,\n  \"keys\": [\n    { \"uri\": "
		    "\"b.\", " STRING_A ", \"note\": \"to \\\"b\\\"\\n\xc3\xa9\" }\n  ]\n}\n");
	remove_uri(file, "b.");
	expect_text(file, "{\n  \"default\": null,\n  \"version\": 1,\n  \"keys\": []\n}\n");
	bx_keyring_file_free(file);
	bx_keyring_file_free(NULL);
}

/* New entries are set like those around them; everything else stays byte for byte. */
Test(keyring_edit, formatting_of_the_file_is_kept)
{
	struct bx_keyring_file *file;

	file = file_of("{\"keys\":[{\"uri\":\"a\"," STRING_A "}],\"default\":null}");
	add_given(file, "b", GIVEN, "");
	expect_text(file, "{\"keys\":[{\"uri\":\"a\"," STRING_A "},{\"uri\": \"b\", " STRING_A
			  "}],\"default\":null}");
	add_given(file, "", GIVEN, "");
	expect_text(file, "{\"keys\":[{\"uri\":\"a\"," STRING_A "},{\"uri\": \"b\", " STRING_A
			  "}],\"default\":{ " STRING_A " }}");
	bx_keyring_file_free(file);

	file = file_of("{\n\t\"keys\": [\n\t\t{\n\t\t\t\"note\": \"n\" ,\n\t\t\t\"uri\": "
		       "\"a\",\n\t\t\t" STRING_A "\n\t\t}\n\t]\n}");
	add_given(file, "b", GIVEN, "");
	expect_text(file,
		    "{\n\t\"keys\": [\n\t\t{\n\t\t\t\"note\": \"n\" ,\n\t\t\t\"uri\": "
		    "\"a\",\n\t\t\t" STRING_A
		    "\n\t\t},\n\t\t{\n\t\t\t\"uri\": \"b\",\n\t\t\t" STRING_A "\n\t\t}\n\t]\n}");
	remove_uri(file, "a");
	expect_text(file, "{\n\t\"keys\": [\n\t\t{\n\t\t\t\"uri\": \"b\",\n\t\t\t" STRING_A
			  "\n\t\t}\n\t]\n}");
	bx_keyring_file_free(file);

	file = file_of("{\"default\": {" STRING_A "}}");
	add_given(file, "b", GIVEN, "");
	expect_text(file, "{\n  \"keys\": [\n    { \"uri\": \"b\", " STRING_A
			  " }\n  ],\"default\": {" STRING_A "}}");
	bx_keyring_file_free(file);
}

/* A default written as "" is the last of bx_keyring_at, but not of the text. */
Test(keyring_edit, default_inside_the_list)
{
	struct bx_keyring_file *file =
	    file_of("{\"keys\": [{\"uri\": \"\", " STRING_A "}, {\"uri\": \"a\", " STRING_A "}]}");
	struct bx_fail fail = { 0 };
	const struct bx_keyring_addition again = { .source = BX_KEYRING_FRESH_PAIR };

	cr_assert_eq(bx_keyring_file_add(file, &again, &fail), BX_ERR_USAGE);
	cr_assert_not_null(strstr(fail.msg, "the default"), "%s", fail.msg);
	add_given(file, "b", GIVEN, "");
	expect_text(file, "{\"keys\": [{\"uri\": \"\", " STRING_A "}, {\"uri\": \"a\", " STRING_A
			  "}, {\"uri\": \"b\", " STRING_A "}]}");
	remove_uri(file, "");
	expect_text(file,
		    "{\"keys\": [{\"uri\": \"a\", " STRING_A "}, {\"uri\": \"b\", " STRING_A "}]}");
	bx_keyring_file_free(file);
}

Test(keyring_edit, given_keys_keep_their_form)
{
	struct bx_keyring_file *file = file_of("");

	/* Autobahn's object form: absent ones are null. */
	add_given(
	    file, "a.",
	    " { \"originator_priv\" : \"" PRIV_A
	    "\", \"originator_pub\": null, \"responder_priv\": null,\n\"responder_pub\":\" " PUB_B
	    "\\n\", \"note\": \"\\u00e9\"}\n",
	    "");
	expect_text(file, NEW_HEAD "\n    { \"uri\": \"a.\", \"originator_priv\": \"" PRIV_A
				   "\", \"responder_pub\": \" " PUB_B
				   "\\n\", \"note\": \"\\u00e9\" }\n  ]\n}\n");
	bx_keyring_file_free(file);
}

static void
refuse_given(const char *given, const char *part)
{
	struct bx_keyring_file *file = file_of("");
	struct bx_fail fail = { 0 };
	const struct bx_keyring_addition a = { .uri = span("a."),
					       .source = BX_KEYRING_GIVEN,
					       .given = span(given),
					       .given_name = "given.json" };

	cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_ERR_USAGE, "%s", given);
	cr_assert_not_null(strstr(fail.msg, part), "'%s' lacks '%s'", fail.msg, part);
	cr_assert_eq(strncmp(fail.msg, "given.json", 10), 0, "%s", fail.msg);
	expect_text(file, NEW_HEAD "]\n}\n");
	bx_keyring_file_free(file);
}

Test(keyring_edit, given_keys_are_checked)
{
	refuse_given("", "not one JSON object");
	refuse_given("null", "not one JSON object");
	refuse_given("\"" PRIV_A "\"", "not one JSON object");
	refuse_given("{" STRING_A "} {}", "not one JSON object");
	/* Not a way to smuggle in more than one entry. */
	refuse_given("null,\"keys\":[{\"uri\":\"x\"," STRING_A "}]", "not one JSON object");
	refuse_given("{" STRING_A "},\"keys\":[]", "not one JSON object");
	refuse_given("{" STRING_A ", \"uri\": \"b\"}", "has no uri");
	refuse_given("{\"priv\": \"" PRIV_A "\"}", "unknown member priv");
	refuse_given("{}", "there is no key");
	refuse_given("{\"key\": \"abc\"}", "not base64 of 32 bytes");
}

Test(keyring_edit, fresh_keys)
{
	struct bx_keyring_file *file = file_of("");
	struct bx_fail fail = { 0 };
	struct bx_keyring_addition a = { .uri = span("a\"\xc3\xa9."),
					 .source = BX_KEYRING_FRESH_PAIR };

	cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_OK, "%s", fail.msg);
	a.uri = span("b.");
	cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_OK, "%s", fail.msg);
	a.uri = span("c.");
	a.source = BX_KEYRING_FRESH_STRING;
	cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_OK, "%s", fail.msg);

	const struct bx_key *first = key_at(file, 0), *second = key_at(file, 1);
	const struct bx_key *string = key_at(file, 2);

	cr_assert_eq(bx_key_uri(first).len, 5);
	cr_assert_eq(memcmp(bx_key_uri(first).ptr, "a\"\xc3\xa9.", 5), 0);
	cr_assert(bx_key_has_role(first, BX_ROLE_ORIGINATOR));
	cr_assert(bx_key_has_role(first, BX_ROLE_RESPONDER));
	cr_assert_not(bx_key_is_string(first));
	cr_assert_neq(memcmp(bx_key_originator_pub(first), bx_key_responder_pub(first), 32), 0);
	cr_assert_neq(memcmp(bx_key_shared(first), bx_key_shared(second), 32), 0);
	cr_assert(bx_key_is_string(string));
	cr_assert_neq(memcmp(bx_key_shared(string), bx_key_shared(second), 32), 0);

	cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_ERR_USAGE);
	cr_assert_not_null(strstr(fail.msg, "ring.json has an entry for c."), "%s", fail.msg);
	fail = (struct bx_fail){ 0 };
	a.uri = span("\xff");
	cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_ERR_USAGE);
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(bx_keyring_file_remove(file, span("c"), &fail), BX_ERR_USAGE);
	cr_assert_not_null(strstr(fail.msg, "no entry for c"), "%s", fail.msg);
	cr_assert_eq(bx_keyring_count(bx_keyring_file_ring(file)), 3);
	bx_keyring_file_free(file);
}

/* Many additions and removals against a plain list of what should be there, in order. */
Test(keyring_edit, random_edits_keep_order)
{
	struct bx_keyring_file *file = file_of("{ \"keys\" : [ ] }");
	uint64_t list[64];
	size_t count = 0;
	uint32_t state = 7;
	struct bx_fail fail = { 0 };

	for (int i = 0; i < 150; i++) {
		state = state * 1664525 + 1013904223;

		const uint64_t id = state >> 24 & 31;
		size_t at = 0;
		char uri[16];

		while (at < count && list[at] != id)
			at++;
		snprintf(uri, sizeof(uri), "u%u.", (unsigned)id);
		if (at < count) {
			remove_uri(file, uri);
			memmove(&list[at], &list[at + 1], (--count - at) * sizeof(*list));
		} else {
			const struct bx_keyring_addition a = { .uri = span(uri),
							       .source = BX_KEYRING_FRESH_STRING };

			cr_assert_eq(bx_keyring_file_add(file, &a, &fail), BX_OK, "%s", fail.msg);
			list[count++] = id;
		}
		cr_assert_eq(bx_keyring_count(bx_keyring_file_ring(file)), count);
		for (size_t k = 0; k < count; k++) {
			snprintf(uri, sizeof(uri), "u%u.", (unsigned)list[k]);
			cr_assert_eq(memcmp(bx_key_uri(key_at(file, k)).ptr, uri, strlen(uri)), 0);
		}
	}
	bx_keyring_file_free(file);
}

/* --- splitting -------------------------------------------------------------------------------- */

#define PAIR_ENTRY "\"originator_priv\": \"" PRIV_A "\", \"responder_priv\": \"" PRIV_B "\""
#define ORIGINATOR_ENTRY "\"originator_priv\": \"" PRIV_A "\", \"responder_pub\": \"" PUB_B "\""
#define RESPONDER_ENTRY "\"originator_pub\": \"" PUB_A "\", \"responder_priv\": \"" PRIV_B "\""
#define PUBLIC_ENTRY "\"originator_pub\": \"" PUB_A "\", \"responder_pub\": \"" PUB_B "\""
#define HALF(entry)                                                                                \
	"{\n  \"version\": 1,\n  \"keys\": [\n    { \"uri\": \"a.\", " entry                       \
	", \"note\": \"n\" }\n  ]\n}\n"

static struct bx_keyring_file *
split(const struct bx_keyring_file *file, enum bx_keyring_part which, size_t lacking,
      size_t strings)
{
	struct bx_keyring_file *part = NULL;
	struct bx_fail fail = { 0 };
	size_t got_lacking = 99, got_strings = 99;

	cr_assert_eq(bx_keyring_file_split(&part, file, which, &got_lacking, &got_strings, &fail),
		     BX_OK, "%s", fail.msg);
	cr_assert_eq(got_lacking, lacking);
	cr_assert_eq(got_strings, strings);
	return part;
}

Test(keyring_edit, split_of_a_pair)
{
	static const char *const parts[] = { HALF(ORIGINATOR_ENTRY), HALF(RESPONDER_ENTRY),
					     HALF(PUBLIC_ENTRY) };
	struct bx_keyring_file *file =
	    file_of("{\"keys\":[{\"uri\":\"a.\"," PAIR_ENTRY ",\"note\":\"n\"}]}");

	for (int i = 0; i < 3; i++) {
		struct bx_keyring_file *part = split(file, (enum bx_keyring_part)i, 0, 0);

		expect_text(part, parts[i]);
		cr_assert_eq(bx_key_has_role(key_at(part, 0), BX_ROLE_ORIGINATOR), i == 0);
		cr_assert_eq(bx_key_has_role(key_at(part, 0), BX_ROLE_RESPONDER), i == 1);
		if (i < 2)
			cr_assert_eq(memcmp(bx_key_shared(key_at(part, 0)),
					    bx_key_shared(key_at(file, 0)), 32),
				     0);
		bx_keyring_file_free(part);
	}
	bx_keyring_file_free(file);
}

/* No entry is left out: else a shorter one would serve its URIs, with the wrong key. */
Test(keyring_edit, split_keeps_every_entry_in_place)
{
	struct bx_keyring_file *file =
	    file_of("{\"keys\":[{\"uri\":\"a.\"," PAIR_ENTRY "},{\"uri\":\"a.b.\"," ORIGINATOR_ENTRY
		    "},{\"uri\":\"\"," STRING_A "},{\"uri\":\"c\",\"key\":\"" PRIV_B "\"}]}");
	static const size_t lacking[] = { 0, 1, 0 };

	for (int i = 0; i < 3; i++) {
		struct bx_keyring_file *part = split(file, (enum bx_keyring_part)i, lacking[i], 2);
		const struct bx_keyring *ring = bx_keyring_file_ring(part);
		const struct bx_key *key;

		cr_assert_eq(bx_keyring_count(ring), 4);
		cr_assert_eq(bx_keyring_find(ring, span("a.b.c"), BX_ROLE_EITHER, &key),
			     i == 0 ? BX_KEY_FOUND : BX_KEY_NO_ROLE);
		cr_assert_eq(bx_key_uri(key).len, 4);
		cr_assert_eq(bx_keyring_find(ring, span("zzz"), (enum bx_role)(i == 0), &key),
			     i == 2 ? BX_KEY_NO_ROLE : BX_KEY_FOUND);
		for (size_t k = 0; k < 4; k++)
			cr_assert_eq(memcmp(bx_key_originator_pub(bx_keyring_at(ring, k)),
					    bx_key_originator_pub(key_at(file, k)), 32),
				     0);
		bx_keyring_file_free(part);
	}
	bx_keyring_file_free(file);
}

Test(keyring_edit, split_of_nothing_and_of_a_default_alone)
{
	struct bx_keyring_file *file = file_of("{\"keys\":[]}");
	struct bx_keyring_file *part = split(file, BX_KEYRING_PART_PUBLIC, 0, 0);

	expect_text(part, NEW_HEAD "]\n}\n");
	bx_keyring_file_free(part);
	bx_keyring_file_free(file);

	file = file_of("{\"default\":{" PAIR_ENTRY "}}");
	part = split(file, BX_KEYRING_PART_PUBLIC, 0, 0);
	expect_text(part, NEW_HEAD "],\n  \"default\": { " PUBLIC_ENTRY " }\n}\n");
	bx_keyring_file_free(part);
	bx_keyring_file_free(file);
}

/* --- findings --------------------------------------------------------------------------------- */

struct told {
	char text[4096];
	size_t len;
};

static void
note_finding(void *context, const struct bx_finding *f)
{
	struct told *told = context;

	told->len +=
	    (size_t)snprintf(told->text + told->len, sizeof(told->text) - told->len,
			     "%llu %s %.*s;", (unsigned long long)f->line, bx_finding_name(f->kind),
			     (int)f->uri.len, f->uri.ptr == NULL ? "" : (const char *)f->uri.ptr);
	cr_assert_null(strstr(f->message, "TXMRcZCSiABWnbDF"));
	cr_assert_gt(strlen(f->message), 0);
}

static void
expect_findings(const char *json, const char *findings)
{
	struct told told = { "", 0 };
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_keyring_check(span(json), "ring.json", note_finding, &told, &fail), BX_OK,
		     "%s", fail.msg);
	cr_assert_str_eq(told.text, findings);
}

Test(keyring_edit, a_good_ring_has_no_findings)
{
	expect_findings("{\"keys\":[]}", "");
	expect_findings("{\"version\":1,\"default\":{" PAIR_ENTRY
			"},\"keys\":[{\"uri\":\"a.\"," PAIR_ENTRY "},{\"uri\":\"a.b.\"," PAIR_ENTRY
			",\"note\":\"\"}]}",
			"");
	/* A half: all lack the same role. */
	expect_findings("{\"keys\":[{\"uri\":\"a.\"," ORIGINATOR_ENTRY
			"},{\"uri\":\"a.b.\"," ORIGINATOR_ENTRY "}]}",
			"");
}

Test(keyring_edit, every_kind_of_finding)
{
	expect_findings("{\"keys\":[\n{\"uri\":\"com.acme\"," PAIR_ENTRY "}]}",
			"2 open-prefix com.acme;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\"," STRING_A "}]}", "2 string-key a.;");
	/* The same pair written as one of each side. */
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\",\"originator_priv\":\"" PRIV_A
			"\",\"responder_priv\":\"" PRIV_A "\"}]}",
			"2 string-key a.;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\"," PUBLIC_ENTRY "}]}", "2 public-only a.;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.b.\"," ORIGINATOR_ENTRY
			"},\n{\"uri\":\"a.\"," PAIR_ENTRY "},\n{\"uri\":\"a.b.c.\"," PAIR_ENTRY
			"}]}",
			"2 hides-role a.b.;");
	expect_findings("{\"default\":{" RESPONDER_ENTRY
			"},\"keys\":[\n{\"uri\":\"a.\"," ORIGINATOR_ENTRY "}]}",
			"2 hides-role a.;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\"," PAIR_ENTRY "},\n{\"uri\":\"a.\"," PAIR_ENTRY
			"}]}",
			"3 duplicate a.;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\",\"key\":\"x\"}]}", "2 bad-key a.;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\",\"originator_priv\":\"" PRIV_A
			"\",\"responder_pub\":\"" LOW_ORDER "\"}]}",
			"2 bad-key a.;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\"," PAIR_ENTRY ",\"originator_pub\":\"" PUB_B
			"\"}]}",
			"2 bad-key a.;");
	expect_findings("{\"keys\":[\n{\"uri\":\"a.\"}]}", "2 malformed a.;");
	expect_findings("{\"version\":2}", "1 malformed ;1 malformed ;");
}

/* Reading goes on after a problem: everything is told, in the order of the file. */
Test(keyring_edit, all_findings_at_once)
{
	expect_findings("{\"kyes\": 1, \"keys\":[\n7,\n{\"uri\":\"x\"," PAIR_ENTRY
			"},\n{\"uri\":\"b.\",\"key\":\"\"},\n{\"uri\":\"c.\",\"k\":1," STRING_A
			"},\n{\"uri\":\"x\"," PAIR_ENTRY "},\n{\"uri\":\"d.\"," STRING_A
			"}],\n\"version\":3}",
			"1 malformed ;2 malformed ;3 open-prefix x;4 bad-key b.;5 malformed c.;"
			"6 duplicate x;7 string-key d.;8 malformed ;");
}

Test(keyring_edit, check_of_what_is_no_keyring)
{
	struct told told = { "", 0 };
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_keyring_check(span("[1]"), "r", note_finding, &told, &fail), BX_ERR_USAGE);
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(bx_keyring_check(span("{\"keys\":["), "r", note_finding, &told, &fail),
		     BX_ERR_USAGE);
	cr_assert_eq(told.len, 0);
}

/* --- files ------------------------------------------------------------------------------------ */

Test(keyring_edit, files)
{
	char folder[] = "/tmp/test_keyring_edit.XXXXXX", path[64], command[64];
	struct bx_keyring_file *file = file_of(""), *again = NULL;
	struct bx_keyring *ring = NULL;
	struct told told = { "", 0 };
	struct bx_fail fail = { 0 };
	bool lax = true;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/ring.json", folder);
	add_given(file, "a.", "{" PAIR_ENTRY "}", "");
	cr_assert_eq(bx_secret_text_save(bx_keyring_file_text(file), path, false, &fail), BX_OK);
	cr_assert_eq(bx_keyring_file_load(&again, path, false, &lax, &fail), BX_OK);
	cr_assert_not(lax);
	cr_assert_eq(bx_keyring_file_text(again).len, bx_keyring_file_text(file).len);
	cr_assert_eq(bx_keyring_load(&ring, path, false, NULL, &fail), BX_OK);
	cr_assert_eq(bx_keyring_count(ring), 1);
	cr_assert_eq(bx_keyring_check_file(path, note_finding, &told, &fail), BX_OK);
	cr_assert_eq(told.len, 0);

	cr_assert_eq(chmod(path, 0640), 0);
	cr_assert_eq(bx_keyring_check_file(path, note_finding, &told, &fail), BX_OK);
	cr_assert_str_eq(told.text, "0 lax-file ;");
	bx_keyring_free(ring);
	ring = NULL;
	cr_assert_eq(bx_keyring_load(&ring, path, false, NULL, &fail), BX_ERR_USAGE);
	cr_assert_not_null(strstr(fail.hint, "chmod 600"));
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(bx_keyring_load(&ring, path, true, &lax, &fail), BX_OK);
	cr_assert(lax);
	bx_keyring_free(ring);

	cr_assert_eq(bx_secret_text_save((struct bx_span){ NULL, 0 }, path, true, &fail), BX_OK);
	cr_assert_eq(bx_keyring_load(&ring, path, false, NULL, &fail), BX_ERR_USAGE);
	fail = (struct bx_fail){ 0 };
	bx_keyring_file_free(again);
	cr_assert_eq(bx_keyring_file_load(&again, path, false, NULL, &fail), BX_ERR_USAGE);
	cr_assert_not_null(strstr(fail.msg, "is empty"));
	bx_keyring_file_free(file);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_assert_eq(system(command), 0);
}

/* --- keygen ----------------------------------------------------------------------------------- */

Test(keyring_edit, keygen_cryptobox)
{
	struct bx_keygen_pair pair, other;
	uint8_t secret[32], public_key[32], derived[32];
	size_t len;

	cr_assert_eq(bx_keygen_make(&pair, BX_KEYGEN_CRYPTOBOX, NULL), BX_OK);
	cr_assert_eq(bx_keygen_make(&other, BX_KEYGEN_CRYPTOBOX, NULL), BX_OK);
	cr_assert_str_neq(pair.secret, other.secret);
	cr_assert_eq(strlen(pair.secret), 44);
	cr_assert_eq(sodium_base642bin(secret, 32, pair.secret, 44, NULL, &len, NULL,
				       sodium_base64_VARIANT_ORIGINAL),
		     0);
	cr_assert_eq(sodium_base642bin(public_key, 32, pair.public_key, 44, NULL, &len, NULL,
				       sodium_base64_VARIANT_ORIGINAL),
		     0);
	crypto_scalarmult_base(derived, secret);
	cr_assert_eq(memcmp(derived, public_key, 32), 0);
	bx_keygen_wipe(&pair, sizeof(pair));
	for (size_t i = 0; i < sizeof(pair); i++)
		cr_assert_eq(((const uint8_t *)&pair)[i], 0);
}

Test(keyring_edit, keygen_archive)
{
	struct bx_keygen_pair pair;
	uint8_t secret[32], public_key[32], derived[32];

	cr_assert_eq(bx_keygen_make(&pair, BX_KEYGEN_ARCHIVE, NULL), BX_OK);
	cr_assert_eq(strncmp(pair.secret, "BOXCAR-SECRET-KEY-1", 19), 0);
	cr_assert_eq(strncmp(pair.public_key, "boxcar1", 7), 0);
	cr_assert(bx_bech32_decode(span(pair.secret), BX_KEY_TEXT_IDENTITY, secret, 32));
	cr_assert(bx_bech32_decode(span(pair.public_key), BX_KEY_TEXT_RECIPIENT, public_key, 32));
	crypto_scalarmult_base(derived, secret);
	cr_assert_eq(memcmp(derived, public_key, 32), 0);
}

Test(keyring_edit, keygen_sign)
{
	struct bx_keygen_pair pair;
	uint8_t seed[32], public_key[32], derived[32], secret[64];

	cr_assert_eq(bx_keygen_make(&pair, BX_KEYGEN_SIGN, NULL), BX_OK);
	cr_assert(bx_bech32_decode(span(pair.secret), BX_KEY_TEXT_SIGN_SEED, seed, 32));
	cr_assert(bx_bech32_decode(span(pair.public_key), BX_KEY_TEXT_SIGNER, public_key, 32));
	crypto_sign_seed_keypair(derived, secret, seed);
	cr_assert_eq(memcmp(derived, public_key, 32), 0);
	/* Kinds are told apart by how they begin. */
	cr_assert_not(bx_bech32_decode(span(pair.secret), BX_KEY_TEXT_IDENTITY, seed, 32));
	cr_assert_not(bx_bech32_decode(span(pair.public_key), BX_KEY_TEXT_RECIPIENT, seed, 32));
}
