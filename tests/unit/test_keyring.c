/* keys/keyring: Autobahn's vectors, the rules of cli.md "Keyring file", lookup, and wiping. */
#include "boxcar/keyring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PRIV_A "TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM="
#define PUB_A "QmPYz6OTBRqK3b+aPcamHNdvPgY2goLj0pjB6HmpHhw="
#define PRIV_B "cO7NKtE97iCineGj2M6ALYWrHnJyPPtQACJEiNBtLPU="
#define PUB_B "kpfpWnbZ4lNUwWX5yqoWh3aQcILNBa2soPcRlWGPblk="
#define SHARED_AB "e8b4341ef9997b331170863005710c55e18935e9187ab24dcd34a5a60fe67321"
/* Of order 8: the result of X25519 with it is all zero. */
#define LOW_ORDER "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA="
#define ZERO_KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

static struct bx_keyring *
parse(const char *json)
{
	struct bx_keyring *ring = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_keyring_parse(&ring, span(json), "ring.json", &fail), BX_OK, "%s: %s", json,
		     fail.msg);
	return ring;
}

/* Refused, with `part` in the message, and no key in it. */
static void
refuse(const char *json, const char *part)
{
	struct bx_keyring *ring = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_keyring_parse(&ring, span(json), "ring.json", &fail), BX_ERR_USAGE,
		     "accepted: %s", json);
	cr_assert_null(ring);
	cr_assert_not_null(strstr(fail.msg, part), "'%s' lacks '%s'", fail.msg, part);
	cr_assert_null(strstr(fail.msg, "TXMRcZCSiABWnbDF"), "%s", fail.msg);
	cr_assert_eq(strncmp(fail.msg, "ring.json ", 10), 0, "%s", fail.msg);
}

static void
expect_hex(const uint8_t *bytes, const char *hex)
{
	char text[65];

	cr_assert_not_null(bytes);
	sodium_bin2hex(text, sizeof(text), bytes, 32);
	cr_assert_str_eq(text, hex);
}

static void
expect_entry(const struct bx_keyring *ring, const char *uri, enum bx_role role,
	     enum bx_key_match match, const char *entry)
{
	const struct bx_key *key = NULL;

	cr_assert_eq(bx_keyring_find(ring, span(uri), role, &key), match, "%s", uri);
	if (entry == NULL) {
		cr_assert_null(key);
		return;
	}
	cr_assert_not_null(key);

	const struct bx_span got = bx_key_uri(key);

	cr_assert(got.len == strlen(entry) &&
		      (got.len == 0 || memcmp(got.ptr, entry, got.len) == 0),
		  "%s: %.*s, not %s", uri, (int)got.len, (const char *)got.ptr, entry);
}

/* --- vectors made by Autobahn ----------------------------------------------------------------- */

static json_t *
vectors(void)
{
	json_error_t error;
	json_t *all = json_load_file(BX_TEST_DATA "/cryptobox-vectors.json",
				     JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

	cr_assert_not_null(all, "%s", error.text);
	return all;
}

static json_t *
entry_of(json_t *keys, const char *uri)
{
	json_t *entry = json_deep_copy(keys);

	json_object_set_new(entry, "uri", json_string(uri));
	return entry;
}

/* KeyRing(default), then set_key for each op: "" is the default, None removes. */
static struct bx_keyring *
ring_of_ops(json_t *vector, json_t *keys)
{
	json_t *entries = json_array();
	json_t *name = json_object_get(vector, "default");
	json_t *op;
	size_t i;

	if (json_is_string(name))
		json_array_append_new(entries,
				      entry_of(json_object_get(keys, json_string_value(name)), ""));
	json_array_foreach(json_object_get(vector, "ops"), i, op)
	{
		json_t *uri = json_object_get(op, "set_key");
		json_t *key = json_object_get(op, "key");

		for (size_t k = json_array_size(entries); k-- > 0;)
			if (json_equal(json_object_get(json_array_get(entries, k), "uri"), uri))
				json_array_remove(entries, k);
		if (json_is_string(key))
			json_array_append_new(
			    entries, entry_of(json_object_get(keys, json_string_value(key)),
					      json_string_value(uri)));
	}

	json_t *root = json_pack("{s:n, s:o}", "default", "keys", entries);
	char *text = json_dumps(root, 0);
	struct bx_keyring *ring = parse(text);

	free(text);
	json_decref(root);
	return ring;
}

Test(keyring, lookups_of_autobahn)
{
	json_t *all = vectors();
	json_t *keys = json_object_get(all, "keyring_keys");
	json_t *vector, *query;
	size_t i, j, queries = 0;

	json_array_foreach(json_object_get(all, "keyring"), i, vector)
	{
		struct bx_keyring *ring = ring_of_ops(vector, keys);

		json_array_foreach(json_object_get(vector, "queries"), j, query)
		{
			const char *uri = json_string_value(json_object_get(query, "uri"));
			const char *shared =
			    json_string_value(json_object_get(query, "shared_key_hex"));
			const bool originating =
			    json_is_true(json_object_get(query, "is_originating"));
			const struct bx_key *key;
			const enum bx_key_match match =
			    bx_keyring_find(ring, span(uri), (enum bx_role)originating, &key);

			cr_assert_eq(match == BX_KEY_FOUND, shared != NULL, "%s: %s",
				     json_string_value(json_object_get(vector, "id")), uri);
			if (shared != NULL)
				expect_hex(bx_key_shared(key), shared);
			queries++;
		}
		bx_keyring_free(ring);
	}
	cr_assert_geq(queries, 25);
	json_decref(all);
}

/* Which key the ring gives for each message vector, told by whether it opens the payload. */
static void
check_payload(json_t *vector, const char *uri, bool opens, bool has_role)
{
	json_t *root = json_pack("{s:[o]}", "keys", entry_of(json_object_get(vector, "keys"), uri));
	char *text = json_dumps(root, 0);
	struct bx_keyring *ring = parse(text);
	const bool originating = json_is_true(json_object_get(vector, "is_originating"));
	const char *hex = json_string_value(json_object_get(vector, "payload_hex"));
	const struct bx_key *key;
	const enum bx_key_match match =
	    bx_keyring_find(ring, span(uri), (enum bx_role)originating, &key);
	uint8_t payload[4096], plain[4096];
	size_t len;

	cr_assert_eq(match, has_role ? BX_KEY_FOUND : BX_KEY_NO_ROLE);
	cr_assert_eq(bx_keyring_find(ring, span(uri), BX_ROLE_EITHER, &key), BX_KEY_FOUND);
	cr_assert_eq(sodium_hex2bin(payload, sizeof(payload), hex, strlen(hex), NULL, &len, NULL),
		     0);
	if (len >= 40)
		cr_assert_eq(crypto_secretbox_open_easy(plain, payload + 24, len - 24, payload,
							bx_key_shared(key)) == 0,
			     opens, "%s", json_string_value(json_object_get(vector, "id")));
	bx_keyring_free(ring);
	free(text);
	json_decref(root);
}

Test(keyring, negative_vectors_of_autobahn)
{
	json_t *all = vectors();
	json_t *vector;
	size_t i, opened = 0, refused = 0;

	json_array_foreach(json_object_get(all, "negative"), i, vector)
	{
		const char *id = json_string_value(json_object_get(vector, "id"));
		const char *uri = json_string_value(json_object_get(vector, "uri"));
		json_t *expect = json_object_get(vector, "expect");
		const char *exception = json_string_value(json_object_get(expect, "exception"));
		const bool bad_tag = exception != NULL && strcmp(exception, "CryptoError") == 0;
		const bool role = strcmp(id, "negative/role-missing") != 0;

		check_payload(vector, uri, !bad_tag, role);
		opened += !bad_tag;
		refused += bad_tag;
	}
	cr_assert_gt(opened, 10);
	cr_assert_gt(refused, 4);
	json_decref(all);
}

/* --- the file --------------------------------------------------------------------------------- */

Test(keyring, the_example_of_the_manual)
{
	struct bx_keyring *ring = parse(
	    "{ \"default\": null,\n  \"keys\": [ { \"uri\": \"com.acme.\", \"originator_priv\": "
	    "\"" PRIV_A "\", \"responder_pub\": \"" PUB_B "\" },\n"
	    "{ \"uri\": \"com.acme.alerts\", \"key\": \"" PRIV_A "\" } ] }");
	const struct bx_key *first = bx_keyring_at(ring, 0);
	const struct bx_key *second = bx_keyring_at(ring, 1);

	cr_assert_eq(bx_keyring_count(ring), 2);
	cr_assert(bx_key_has_role(first, BX_ROLE_ORIGINATOR));
	cr_assert_not(bx_key_has_role(first, BX_ROLE_RESPONDER));
	cr_assert(bx_key_has_role(first, BX_ROLE_EITHER));
	cr_assert_not(bx_key_is_string(first));
	expect_hex(bx_key_shared(first), SHARED_AB);
	cr_assert(bx_key_is_string(second));
	cr_assert(bx_key_has_role(second, BX_ROLE_ORIGINATOR));
	cr_assert(bx_key_has_role(second, BX_ROLE_RESPONDER));
	cr_assert_eq(memcmp(bx_key_originator_pub(second), bx_key_responder_pub(second), 32), 0);
	cr_assert_eq(memcmp(bx_key_originator_pub(second), bx_key_originator_pub(first), 32), 0);
	expect_entry(ring, "com.acme.temp", BX_ROLE_ORIGINATOR, BX_KEY_FOUND, "com.acme.");
	expect_entry(ring, "com.acme.temp", BX_ROLE_RESPONDER, BX_KEY_NO_ROLE, "com.acme.");
	expect_entry(ring, "com.acme.temp", BX_ROLE_EITHER, BX_KEY_FOUND, "com.acme.");
	expect_entry(ring, "com.acme.alertsX", BX_ROLE_RESPONDER, BX_KEY_FOUND, "com.acme.alerts");
	expect_entry(ring, "com.acme", BX_ROLE_EITHER, BX_KEY_NONE, NULL);
	bx_keyring_free(ring);
}

/* All ways to state the pair A, B give the same shared key. */
Test(keyring, every_form_of_an_entry)
{
	static const struct {
		const char *parts;
		bool originator, responder;
	} forms[] = {
		{ "\"originator_priv\":\"" PRIV_A "\",\"responder_pub\":\"" PUB_B "\"", true,
		  false },
		{ "\"originator_pub\":\"" PUB_A "\",\"responder_priv\":\"" PRIV_B "\"", false,
		  true },
		{ "\"originator_priv\":\"" PRIV_A "\",\"responder_priv\":\"" PRIV_B "\"", true,
		  true },
		{ "\"originator_priv\":\"" PRIV_A "\",\"originator_pub\":\"" PUB_A
		  "\",\"responder_priv\":\"" PRIV_B "\",\"responder_pub\":\"" PUB_B "\"",
		  true, true },
		{ "\"originator_priv\":\"" PRIV_A "\",\"originator_pub\":null,\"key\":null,"
		  "\"responder_priv\":null,\"responder_pub\":\"" PUB_B "\",\"note\":null",
		  true, false },
		{ "\"note\":\"n\\ud83d\",\"originator_priv\":\" \\n\\t" PRIV_A
		  "\\r\\n \",\"responder_pub\":\"   " PUB_B " \"",
		  true, false },
		{ "\"originator_priv\":\"\\u0054XMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM=\","
		  "\"responder\\u005fpub\":\"" PUB_B "\"",
		  true, false },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char json[1024];

		snprintf(json, sizeof(json), "{\"version\":1,\"keys\":[{\"uri\":\"a\",%s}]}",
			 forms[i].parts);

		struct bx_keyring *ring = parse(json);
		const struct bx_key *key = bx_keyring_at(ring, 0);

		expect_hex(bx_key_shared(key), SHARED_AB);
		cr_assert_eq(bx_key_has_role(key, BX_ROLE_ORIGINATOR), forms[i].originator);
		cr_assert_eq(bx_key_has_role(key, BX_ROLE_RESPONDER), forms[i].responder);
		bx_keyring_free(ring);
	}
}

Test(keyring, public_keys_alone_are_valid_and_useless)
{
	struct bx_keyring *ring = parse("{\"keys\":[{\"uri\":\"a\",\"originator_pub\":\"" PUB_A
					"\",\"responder_pub\":\"" PUB_B "\"}]}");
	const struct bx_key *key = bx_keyring_at(ring, 0);

	cr_assert_null(bx_key_shared(key));
	cr_assert_not(bx_key_has_role(key, BX_ROLE_EITHER));
	expect_entry(ring, "ab", BX_ROLE_EITHER, BX_KEY_NO_ROLE, "a");
	expect_entry(ring, "ab", BX_ROLE_ORIGINATOR, BX_KEY_NO_ROLE, "a");
	bx_keyring_free(ring);
}

Test(keyring, defaults)
{
	struct bx_keyring *ring = parse("{\"keys\":[{\"uri\":\"\",\"key\":\"" PRIV_A
					"\"},{\"uri\":\"b\",\"key\":\"" PRIV_B "\"}]}");

	/* The default is last whichever way it is written. */
	cr_assert_eq(bx_key_uri(bx_keyring_at(ring, 1)).len, 0);
	expect_entry(ring, "", BX_ROLE_RESPONDER, BX_KEY_FOUND, "");
	expect_entry(ring, "a", BX_ROLE_RESPONDER, BX_KEY_FOUND, "");
	expect_entry(ring, "bb", BX_ROLE_RESPONDER, BX_KEY_FOUND, "b");
	bx_keyring_free(ring);

	ring = parse("{\"default\":{\"key\":\"" PRIV_A "\",\"note\":\"all\"}}");
	cr_assert_eq(bx_keyring_count(ring), 1);
	expect_entry(ring, "x", BX_ROLE_RESPONDER, BX_KEY_FOUND, "");
	bx_keyring_free(ring);

	ring = parse(" {\"keys\":[],\"default\":null}\n");
	cr_assert_eq(bx_keyring_count(ring), 0);
	expect_entry(ring, "x", BX_ROLE_EITHER, BX_KEY_NONE, NULL);
	expect_entry(ring, "", BX_ROLE_EITHER, BX_KEY_NONE, NULL);
	bx_keyring_free(ring);
	bx_keyring_free(NULL);
}

#define ENTRY(members) "{\"keys\":[{\"uri\":\"a.b\"," members "}]}"
#define PAIR "\"originator_priv\":\"" PRIV_A "\",\"responder_pub\":\"" PUB_B "\""

Test(keyring, refused_by_name)
{
	refuse("", "line 1 is not JSON");
	refuse("[]", "not an object");
	refuse("\"x\"", "not an object");
	refuse("{\"keys\":[]} x", "is not JSON");
	refuse("{\"keys\":[\n\n{]}", "line 3 is not JSON");
	refuse("{\"keys\":[],}", "is not JSON");
	refuse("\xef\xbb\xbf{\"keys\":[]}", "is not JSON");
	refuse("{}", "keys is missing");
	refuse("{\"version\":1}", "keys is missing");
	refuse("{\"keys\":null}", "keys is not a list");
	refuse("{\"keys\":{}}", "keys is not a list");
	refuse("{\"keys\":[],\"keys\":[]}", "keys stands twice");
	refuse("{\"keys\":[1]}", "an item of keys is not an object");
	refuse("{\"keys\":[],\"version\":2}", "version is not 1");
	refuse("{\"keys\":[],\"version\":1.0}", "version is not 1");
	refuse("{\"keys\":[],\"version\":\"1\"}", "version is not 1");
	refuse("{\"keys\":[],\"note\":\"x\"}", "unknown member note");
	refuse("{\"keys\":[],\"default\":\"" PRIV_A "\"}", "default is neither");
	refuse("{\"keys\":[],\"default\":{\"uri\":\"\",\"key\":\"" PRIV_A "\"}}",
	       "the default has no uri");
	refuse("{\"keys\":[{\"key\":\"" PRIV_A "\"}]}", "uri is missing");
	refuse("{\"keys\":[{\"uri\":null,\"key\":\"" PRIV_A "\"}]}", "uri is not text");
	refuse("{\"keys\":[{\"uri\":\"\\ud800\",\"key\":\"" PRIV_A "\"}]}", "lone surrogate");
	refuse("{\"keys\":[\n{\"uri\":\"a.b\",\n\"originator_pirv\":\"\"}]}",
	       "line 3: a.b: unknown member originator_pirv");
	refuse(ENTRY(PAIR ",\"uri\":\"a.c\""), "uri stands twice");
	refuse(ENTRY(PAIR ",\"responder_pub\":null"), "a.b: responder_pub stands twice");
	refuse(ENTRY(PAIR ",\"note\":1"), "a.b: note is not text");
	refuse(ENTRY(PAIR ",\"key\":\"" PRIV_A "\""), "cannot stand beside it");
	refuse(ENTRY("\"note\":\"x\""), "there is no key");
	refuse(ENTRY("\"originator_priv\":\"" PRIV_A "\""),
	       "responder_priv or responder_pub is missing");
	refuse(ENTRY("\"responder_priv\":\"" PRIV_A "\",\"originator_pub\":null"),
	       "originator_priv or originator_pub is missing");
	refuse(ENTRY("\"key\":5"), "key is not text");
	refuse(ENTRY("\"key\":[\"" PRIV_A "\"]"), "key is not text");
	refuse(ENTRY("\x1b[1m\"x\":1"), "is not JSON");
	refuse(ENTRY("\"\\u001b[1m\\u202e\":1"), "unknown member \\u001b[1m\\u202e");
}

Test(keyring, refused_keys)
{
	static const char *const bad[] = {
		"",
		"=",
		"TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM",   /* no padding */
		"TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vN=",  /* spare bits */
		"TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM==", /* one = too many */
		"TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3g==",  /* 31 bytes */
		"TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vMA",  /* 33 bytes */
		"TXMRcZCSiABWnbDFf0u4kZmZ NgOEma2SYxNDtY8K3vM=", /* space inside */
		"TXMRcZCSiABWnbDFf0u4\\nkZmZNgOEma2SYxNDtY8K3vM=",
		"TXMRcZCSiABWnbDFf0u4-ZmZNgOEma2SYxNDtY8K3vM=", /* URL-safe */
		"TXMRcZCSiABWnbDFf0u4!kZmZNgOEma2SYxNDtY8K3vM=",
		"\\u0000TXMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM=",
		"\\ud83d\\ude00XMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM=",
		"\xc3\xa9XMRcZCSiABWnbDFf0u4kZmZNgOEma2SYxNDtY8K3vM=",
		"4d73117190928800569db0c57f4bb8919999360384 99ad92631343b58f0adef3",
		"4d73117190928800569db0c57f4bb891999936038499ad92631343b58f0adef3", /* hex */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char json[512];

		snprintf(json, sizeof(json), ENTRY("\"key\":\"%s\""), bad[i]);
		refuse(json, "a.b: key is not base64 of 32 bytes");
		snprintf(json, sizeof(json),
			 ENTRY("\"originator_priv\":\"" PRIV_A "\",\"responder_pub\":\"%s\""),
			 bad[i]);
		refuse(json, "a.b: responder_pub is not base64 of 32 bytes");
	}
	refuse(ENTRY(PAIR ",\"originator_pub\":\"" PUB_B "\""),
	       "originator_pub is not the public key of originator_priv");
	refuse(ENTRY("\"originator_priv\":\"" PRIV_A "\",\"responder_pub\":\"" LOW_ORDER "\""),
	       "responder_pub is of low order");
	refuse(ENTRY("\"originator_pub\":\"" ZERO_KEY "\",\"responder_priv\":\"" PRIV_A "\""),
	       "originator_pub is of low order");
	refuse(ENTRY("\"originator_pub\":\"" PUB_A "\",\"responder_pub\":\"" LOW_ORDER "\""),
	       "responder_pub is of low order");
	/* A private key of zeros is a private key like any other. */
	bx_keyring_free(parse(ENTRY("\"key\":\"" ZERO_KEY "\"")));
}

Test(keyring, two_entries_for_one_uri)
{
#define STRING "\"key\":\"" PRIV_A "\"}"
	refuse("{\"keys\":[{\"uri\":\"a\"," STRING ",{\"uri\":\"b\"," STRING
	       ",\n{\"uri\":\"\\u0061\"," STRING "]}",
	       "line 2: a: there is an entry for it on line 1 already");
	refuse("{\"default\":{" STRING ",\"keys\":[{\"uri\":\"\"," STRING "]}",
	       "there is an entry for it");
	refuse("{\"keys\":[{\"uri\":\"\"," STRING ",{\"uri\":\"\"," STRING "]}",
	       "there is an entry for it");
	/* Case and trailing dots make another URI. */
	bx_keyring_free(parse("{\"keys\":[{\"uri\":\"a\"," STRING ",{\"uri\":\"A\"," STRING
			      ",{\"uri\":\"a.\"," STRING "]}"));
}

/* --- lookup ----------------------------------------------------------------------------------- */

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A short text over few letters, so that prefixes of prefixes are common; é is two bytes. */
static size_t
random_uri(uint64_t *state, size_t most, char *out)
{
	static const char *const letters[] = { "a", "b", ".", "\xc3\xa9", "aaaaaaaaa", "com." };
	const size_t count = next_random(state) % (most + 1);
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		const char *letter = letters[next_random(state) % 6];

		memcpy(out + len, letter, strlen(letter));
		len += strlen(letter);
	}
	out[len] = '\0';
	return len;
}

static bool
already(char (*uris)[128], size_t count, const char *uri)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(uris[i], uri) == 0)
			return true;
	return false;
}

Test(keyring, longest_prefix_agrees_with_trying_every_entry)
{
	static char uris[300][128];
	uint64_t state = 42;

	for (int round = 0; round < 6; round++) {
		json_t *keys = json_array();
		size_t count = 0;

		for (int i = 0; i < 200; i++) {
			random_uri(&state, 6, uris[count]);
			/* Without a default in every other round. */
			if (already(uris, count, uris[count]) ||
			    (uris[count][0] == '\0' && round % 2 == 0))
				continue;
			json_array_append_new(
			    keys, json_pack("{s:s, s:s}", "uri", uris[count], "key", PRIV_A));
			count++;
		}

		json_t *root = json_pack("{s:o}", "keys", keys);
		char *text = json_dumps(root, 0);
		struct bx_keyring *ring = parse(text);

		cr_assert_eq(bx_keyring_count(ring), count);
		for (int i = 0; i < 20000; i++) {
			char uri[256];
			const size_t len = random_uri(&state, 12, uri);
			const char *best = NULL;

			for (size_t k = 0; k < count; k++)
				if (strlen(uris[k]) <= len &&
				    memcmp(uris[k], uri, strlen(uris[k])) == 0 &&
				    (best == NULL || strlen(uris[k]) > strlen(best)))
					best = uris[k];
			expect_entry(ring, uri, BX_ROLE_ORIGINATOR,
				     best == NULL ? BX_KEY_NONE : BX_KEY_FOUND, best);
		}
		bx_keyring_free(ring);
		free(text);
		json_decref(root);
	}
}

/* URIs that are not text: bytes above 127 sort as unsigned, NUL is a byte like any other. */
Test(keyring, lookup_of_any_bytes)
{
	struct bx_keyring *ring =
	    parse("{\"keys\":[{\"uri\":\"a\\u0000b\"," STRING ",{\"uri\":\"a\"," STRING
		  ",{\"uri\":\"\\u00e9\"," STRING "]}");
	const struct bx_key *key;

	cr_assert_eq(bx_keyring_find(ring, (struct bx_span){ (const uint8_t *)"a\0bc", 4 },
				     BX_ROLE_EITHER, &key),
		     BX_KEY_FOUND);
	cr_assert_eq(bx_key_uri(key).len, 3);
	expect_entry(ring, "a\xff\xff", BX_ROLE_EITHER, BX_KEY_FOUND, "a");
	expect_entry(ring, "\xc3\xa9t\xc3\xa9", BX_ROLE_EITHER, BX_KEY_FOUND, "\xc3\xa9");
	expect_entry(ring, "\xc3", BX_ROLE_EITHER, BX_KEY_NONE, NULL);
	expect_entry(ring, "\xff", BX_ROLE_EITHER, BX_KEY_NONE, NULL);
	cr_assert_eq(bx_keyring_find(ring, (struct bx_span){ NULL, 0 }, BX_ROLE_EITHER, &key),
		     BX_KEY_NONE);
	bx_keyring_free(ring);
}

Test(keyring, key_ids)
{
	struct bx_keyring *ring = parse(ENTRY(PAIR));
	char id[BX_KEY_ID_CAP], expected[BX_KEY_ID_CAP];
	uint8_t text[10 + 64], hash[16];

	memcpy(text, "boxcar-kid", 10);
	sodium_base642bin(text + 10, 32, PUB_A, 44, NULL, NULL, NULL,
			  sodium_base64_VARIANT_ORIGINAL);
	sodium_base642bin(text + 42, 32, PUB_B, 44, NULL, NULL, NULL,
			  sodium_base64_VARIANT_ORIGINAL);
	crypto_generichash(hash, 16, text, sizeof(text), NULL, 0);
	sodium_bin2hex(expected, sizeof(expected), hash, 16);
	bx_key_id(bx_keyring_at(ring, 0), id);
	cr_assert_str_eq(id, expected);
	bx_keyring_free(ring);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Patterns are kept XORed with this, so that the test's own copy is not found. */
enum { VEIL = 0x5a, PATTERN = 16 };

static uint8_t scan_buffer[1 << 16];

static size_t
count_in(const uint8_t *bytes, size_t len, const uint8_t *veiled)
{
	size_t count = 0;

	const uint8_t *end = bytes + len;
	const uint8_t *p = bytes;

	while (p < end && (p = memchr(p, veiled[0] ^ VEIL, (size_t)(end - p))) != NULL) {
		size_t k = 1;

		while (k < PATTERN && p + k < end && (p[k] ^ VEIL) == veiled[k])
			k++;
		count += k == PATTERN;
		p++;
	}
	return count;
}

/* How often the pattern stands in this process's writable memory. */
static size_t
count_in_memory(const uint8_t *veiled)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	const int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned long from, to;
	char modes[8], line[512];
	size_t count = 0;

	cr_assert(maps != NULL && mem != -1);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, modes) != 3 || modes[0] != 'r' ||
		    to - from > 1ul << 30)
			continue;
		for (unsigned long at = from; at < to; at += sizeof(scan_buffer) - PATTERN) {
			const size_t want =
			    to - at < sizeof(scan_buffer) ? to - at : sizeof(scan_buffer);
			const ssize_t got = pread(mem, scan_buffer, want, (off_t)at);
			const unsigned long own = (unsigned long)scan_buffer;

			/* What was just read into the buffer is not a second copy. */
			if (got <= 0 || (at < own + sizeof(scan_buffer) && own < at + want))
				continue;
			count += count_in(scan_buffer, (size_t)got, veiled);
		}
	}
	memset(scan_buffer, 0, sizeof(scan_buffer));
	fclose(maps);
	close(mem);
	return count;
}

static void
veil(uint8_t *veiled, const void *bytes)
{
	for (size_t i = 0; i < PATTERN; i++)
		veiled[i] = ((const uint8_t *)bytes)[i] ^ VEIL;
}

/* Writes a ring with fresh keys into `page`; keeps veiled pieces of each. */
static void
write_fresh_ring(char *page, size_t cap, uint8_t veiled[6][PATTERN])
{
	struct {
		uint8_t priv[32];
		char text[45];
	} *key = sodium_malloc(sizeof(*key) * 3);

	for (int i = 0; i < 3; i++) {
		randombytes_buf(key[i].priv, 32);
		sodium_bin2base64(key[i].text, 45, key[i].priv, 32, sodium_base64_VARIANT_ORIGINAL);
		veil(veiled[i * 2], key[i].priv + 8);
		veil(veiled[i * 2 + 1], key[i].text + 12);
	}
	/* The second has an escape, which is taken out on the way. */
	snprintf(
	    page, cap,
	    "{\"keys\":[{\"uri\":\"a\",\"originator_priv\":\"%s\",\"responder_priv\":\"\\n%s\"},"
	    "{\"uri\":\"b\",\"key\":\"%s\"}]}",
	    key[0].text, key[1].text, key[2].text);
	sodium_free(key);
	sodium_stackzero(16384); /* of snprintf */
}

Test(keyring, no_key_stays_behind)
{
	const size_t cap = 65536;
	uint8_t veiled[6][PATTERN], veiled_shared[PATTERN];
	struct bx_keyring *ring = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_geq(sodium_init(), 0);

	char *page = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq((void *)page, MAP_FAILED);
	write_fresh_ring(page, cap, veiled);
	for (int i = 1; i < 6; i += 2)
		cr_assert_eq(count_in_memory(veiled[i]), 1, "the search finds what is there");
	cr_assert_eq(bx_keyring_parse(&ring, span(page), "ring", &fail), BX_OK, "%s", fail.msg);
	munmap(page, cap);
	for (int i = 0; i < 6; i++)
		cr_assert_eq(count_in_memory(veiled[i]), 0, "private key %d in memory", i);
	veil(veiled_shared, bx_key_shared(bx_keyring_at(ring, 0)));
	cr_assert_eq(count_in_memory(veiled_shared), 1);
	bx_keyring_free(ring);
	cr_assert_eq(count_in_memory(veiled_shared), 0);
	for (int i = 0; i < 6; i++)
		cr_assert_eq(count_in_memory(veiled[i]), 0);
}

/* A refused file leaves nothing either, whatever it is refused for. */
Test(keyring, no_key_of_a_refused_file_stays_behind)
{
	const size_t cap = 65536;
	uint8_t veiled[6][PATTERN];
	struct bx_keyring *ring = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_geq(sodium_init(), 0);

	char *page = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq((void *)page, MAP_FAILED);
	write_fresh_ring(page, cap, veiled);
	page[strlen(page) - 5] = '!'; /* the last key's text: the others were read before */
	cr_assert_eq(bx_keyring_parse(&ring, span(page), "ring", &fail), BX_ERR_USAGE);
	cr_assert_not_null(strstr(fail.msg, "key is not base64"), "%s", fail.msg);
	munmap(page, cap);
	for (int i = 0; i < 6; i++)
		cr_assert_eq(count_in_memory(veiled[i]), 0, "private key %d in memory", i);
}

Test(keyring, shared_keys_are_read_only)
{
	struct bx_keyring *ring = parse(ENTRY(PAIR));
	int ends[2];

	/* The kernel refuses to write there for us. */
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(read(ends[0], (void *)(uintptr_t)bx_key_shared(bx_keyring_at(ring, 0)), 1),
		     -1);
	cr_assert_eq(errno, EFAULT);
	close(ends[0]);
	close(ends[1]);
	bx_keyring_free(ring);
}
