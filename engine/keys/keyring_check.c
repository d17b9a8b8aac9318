#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "boxcar/keyring_edit.h"
#include "keys/keyring_entry.h"
#include "keys/keyring_text.h"

#define NO_ENTRY SIZE_MAX

static const char *const names[BX_FINDING_COUNT] = {
	"malformed",  "duplicate",  "bad-key",     "open-prefix",
	"hides-role", "string-key", "public-only", "lax-file",
};

const char *
bx_finding_name(enum bx_finding_kind kind)
{
	return kind < BX_FINDING_COUNT ? names[kind] : "unknown";
}

/* A finding that waits for its turn: they are told in the order of the file. */
struct kept {
	enum bx_finding_kind kind;
	struct bx_span uri;
	const uint8_t *at;
	char message[160];
};

/* What is known of an entry whose keys are good. */
struct good {
	const struct bx_keyring_entry *entry;
	bool has_role[2];
	bool same_keys; /* one key pair for both roles */
};

struct checking {
	struct kept *kept;
	size_t kept_count;
	size_t kept_cap;
	struct good *goods;
	size_t good_count;
	bool out_of_memory;
};

static void
keep(void *context, enum bx_finding_kind kind, const struct bx_keyring_entry *entry,
     const uint8_t *at, const char *message)
{
	struct checking *c = context;

	if (c->kept_count == c->kept_cap) {
		const size_t cap = c->kept_cap == 0 ? 16 : c->kept_cap * 2;
		void *kept = realloc(c->kept, cap * sizeof(*c->kept));

		if (kept == NULL) {
			c->out_of_memory = true;
			return;
		}
		c->kept = kept;
		c->kept_cap = cap;
	}

	struct kept *k = &c->kept[c->kept_count++];

	*k = (struct kept){ .kind = kind, .at = at };
	if (entry != NULL)
		k->uri = entry->uri;
	(void)snprintf(k->message, sizeof(k->message), "%s", message);
}

/* An untrusted URI for a message. */
struct printable {
	char text[64];
};

static struct printable
printable(struct bx_span uri)
{
	struct printable p;
	struct bx_writer w = bx_writer_over((uint8_t *)p.text, sizeof(p.text) - 1);

	bx_json_put_safe(&w, uri, 48);
	*w.at = '\0';
	return p;
}

/* --- what an entry is by itself --------------------------------------------------------------- */

static void
check_entry(struct checking *c, const struct good *g)
{
	const struct bx_keyring_entry *e = g->entry;
	const uint8_t *at = e->whole.ptr;
	char message[160];

	if (e->uri.len != 0 && e->uri.ptr[e->uri.len - 1] != '.') {
		const struct printable p = printable(e->uri);

		(void)snprintf(message, sizeof(message),
			       "does not end in \".\", so it serves %sx too", p.text);
		keep(c, BX_FINDING_OPEN_PREFIX, e, at, message);
	}
	if (!g->has_role[0] && !g->has_role[1])
		keep(c, BX_FINDING_NO_SHARED_KEY, e, at,
		     "holds public keys only: it neither seals nor opens");
	if (g->same_keys && g->has_role[0])
		keep(c, BX_FINDING_STRING_KEY, e, at,
		     "one private key for both roles: whoever can open can also forge");
}

/* Reads the keys of every entry that is well-formed. */
static void
check_entries(struct checking *c, struct bx_keyring_text *text, struct bx_entry_keys *keys)
{
	for (size_t i = 0; i < text->entry_count; i++) {
		struct bx_keyring_entry *e = &text->entries[i];

		if (e->is_bad || !bx_entry_keys_read(keys, e, keep, c))
			continue;

		struct good *g = &c->goods[c->good_count++];

		g->entry = e;
		g->has_role[BX_ROLE_ORIGINATOR] = keys->has_originator_priv;
		g->has_role[BX_ROLE_RESPONDER] = keys->has_responder_priv;
		g->same_keys = memcmp(keys->originator_pub, keys->responder_pub, 32) == 0;
		check_entry(c, g);
	}
}

/* --- what an entry is among the others -------------------------------------------------------- */

static int
by_uri(const void *a, const void *b)
{
	const struct good *x = a, *y = b;

	return bx_keyring_text_compare(x->entry->uri, y->entry->uri);
}

static bool
is_prefix(struct bx_span prefix, struct bx_span of)
{
	return prefix.len <= of.len &&
	       (prefix.len == 0 || memcmp(prefix.ptr, of.ptr, prefix.len) == 0);
}

static void
check_hiding(struct checking *c, const struct good *g, const struct good *behind)
{
	static const char *const roles[2] = { "responder", "originator" };
	char message[160];

	if (!g->has_role[0] && !g->has_role[1])
		return; /* told of as public-only */
	for (int role = 0; role < 2; role++) {
		if (g->has_role[role] || !behind->has_role[role])
			continue;

		const struct printable p = printable(behind->entry->uri);

		(void)snprintf(message, sizeof(message),
			       "has no %s side, and hides %s%s, which has one", roles[role],
			       behind->entry->uri.len == 0 ? "the default" : "the entry for ",
			       p.text);
		keep(c, BX_FINDING_HIDES, g->entry, g->entry->whole.ptr, message);
	}
}

/* With the URIs sorted (the default, "", first), an entry's prefixes are on a chain before it. */
static void
check_prefixes(struct checking *c)
{
	size_t *parents = malloc((c->good_count + 1) * sizeof(*parents));

	if (parents == NULL) {
		c->out_of_memory = true;
		return;
	}
	qsort(c->goods, c->good_count, sizeof(*c->goods), by_uri);
	parents[0] = NO_ENTRY;
	for (size_t i = 1; i < c->good_count; i++) {
		size_t at = i - 1;

		while (at != NO_ENTRY &&
		       !is_prefix(c->goods[at].entry->uri, c->goods[i].entry->uri))
			at = parents[at];
		parents[i] = at;
		if (at != NO_ENTRY)
			check_hiding(c, &c->goods[i], &c->goods[at]);
	}
	free(parents);
}

/* --- the file --------------------------------------------------------------------------------- */

static int
by_place(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static void
tell_all(struct checking *c, struct bx_span json, bx_finding_fn found, void *context)
{
	struct bx_span rest = json;
	uint64_t line = 1;

	if (c->kept_count != 0)
		qsort(c->kept, c->kept_count, sizeof(*c->kept), by_place);
	for (size_t i = 0; i < c->kept_count; i++) {
		const struct kept *k = &c->kept[i];

		line += bx_keyring_text_line(rest, k->at) - 1;
		rest.ptr = k->at;

		const struct bx_finding finding = { k->kind, k->uri, line, k->message };

		found(context, &finding);
	}
}

static void
check_text(struct checking *c, struct bx_keyring_text *text)
{
	struct bx_entry_keys *keys = bx_entry_keys_new();

	c->goods = calloc(text->entry_count + 1, sizeof(*c->goods));
	if (keys == NULL || c->goods == NULL) {
		c->out_of_memory = true;
	} else {
		check_entries(c, text, keys);
		check_prefixes(c);
	}
	bx_entry_keys_free(keys);
	free(c->goods);
}

enum bx_err
bx_keyring_check(struct bx_span json, const char *name, bx_finding_fn found, void *context,
		 struct bx_fail *fail)
{
	struct bx_keyring_text text;
	struct checking c = { 0 };
	struct bx_fail own = { 0 };

	if (sodium_init() < 0)
		return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "libsodium cannot start");
	if (!bx_keyring_text_read(&text, json, name, keep, &c, &own)) {
		free(c.kept);
		return bx_fail_set(fail, own.code, 0, own.offset, "%s", own.msg);
	}
	check_text(&c, &text);
	if (!c.out_of_memory)
		tell_all(&c, json, found, context);
	bx_keyring_text_wipe(&text);
	free(c.kept);
	if (c.out_of_memory)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s", name);
	return BX_OK;
}
