#include "keys/keyring_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/json_writer.h"

/* What a file's reading needs beside its result. */
struct reading {
	struct bx_keyring_text *text;
	bx_keyring_problem_fn problem;
	void *context;
	const char *name;
	struct bx_fail *fail;
	size_t entry_cap;
	bool out_of_memory;
};

static const char *const part_names[BX_ENTRY_PARTS] = {
	"originator_priv", "originator_pub", "responder_priv", "responder_pub", "key",
};

const char *
bx_keyring_text_part_name(enum bx_entry_part part)
{
	return part_names[part];
}

uint64_t
bx_keyring_text_line(struct bx_span json, const uint8_t *at)
{
	uint64_t line = 1;

	for (const uint8_t *p = json.ptr; p < at; p++)
		line += *p == '\n';
	return line;
}

int
bx_keyring_text_compare(struct bx_span a, struct bx_span b)
{
	const size_t len = a.len < b.len ? a.len : b.len;
	const int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

static void BX_PRINTF(5, 6)
    tell(struct reading *r, enum bx_finding_kind kind, struct bx_keyring_entry *entry,
	 const uint8_t *at, const char *fmt, ...)
{
	char message[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (entry != NULL)
		entry->is_bad = true;
	r->problem(r->context, kind, entry, at, message);
}

/* A member's name, cut and made printable. */
struct safe_name {
	char text[64];
};

static struct safe_name
safe(struct bx_span name)
{
	struct safe_name s;
	struct bx_writer w = bx_writer_over((uint8_t *)s.text, sizeof(s.text) - 1);

	bx_json_put_safe(&w, name, 48);
	*w.at = '\0';
	return s;
}

/* --- one object ------------------------------------------------------------------------------- */

/* One member: its name and value, the latter as a token and as its whole text. */
struct member {
	struct bx_span name; /* raw */
	struct bx_json_token value;
	struct bx_span whole;
};

/* The text was found well-formed before, so there is an end and no error. */
static bool
next_member(struct bx_json_reader *json, struct member *m)
{
	struct bx_json_token key;

	if (bx_json_next(json, &key) != BX_JSON_KEY)
		return false;
	m->name = key.text;
	(void)bx_json_next(json, &m->value);
	return bx_json_skip(json, &m->value, &m->whole);
}

/* The place of `name` among `names`, or `count`. Tells of a second one. */
static size_t
which_member(struct reading *r, struct bx_keyring_entry *entry, const struct member *m,
	     const char *const *names, size_t count, unsigned *seen)
{
	for (size_t i = 0; i < count; i++) {
		if (!bx_json_text_is(m->name, names[i]))
			continue;
		if ((*seen & 1u << i) != 0)
			tell(r, BX_FINDING_MALFORMED, entry, m->whole.ptr, "%s stands twice",
			     names[i]);
		*seen |= 1u << i;
		return i;
	}
	tell(r, BX_FINDING_MALFORMED, entry, m->name.ptr, "unknown member %s", safe(m->name).text);
	return count;
}

static void
read_uri(struct reading *r, struct bx_keyring_entry *entry, const struct member *m)
{
	struct bx_keyring_text *text = r->text;
	struct bx_writer w =
	    bx_writer_over(text->uris + text->uris_used, text->json.len - text->uris_used);

	if (entry->is_default_member) {
		tell(r, BX_FINDING_MALFORMED, entry, m->name.ptr, "the default has no uri");
		return;
	}
	if (m->value.kind != BX_JSON_STRING) {
		tell(r, BX_FINDING_MALFORMED, entry, m->whole.ptr, "uri is not text");
		return;
	}
	if (!bx_json_text(m->value.text, &w)) {
		tell(r, BX_FINDING_MALFORMED, entry, m->whole.ptr, "uri holds a lone surrogate");
		return;
	}
	entry->uri = bx_since(&w, w.begin);
	text->uris_used += entry->uri.len;
}

static void
read_text(struct reading *r, struct bx_keyring_entry *entry, const struct member *m,
	  const char *name, struct bx_span *out)
{
	if (m->value.kind == BX_JSON_STRING)
		*out = m->value.text;
	else if (m->value.kind != BX_JSON_NULL)
		tell(r, BX_FINDING_MALFORMED, entry, m->whole.ptr, "%s is not text", name);
}

/* "One of originator_priv|originator_pub and one of responder_priv|responder_pub, or key." */
static void
check_parts(struct reading *r, struct bx_keyring_entry *entry)
{
	bool has[BX_ENTRY_PARTS];

	for (size_t i = 0; i < BX_ENTRY_PARTS; i++)
		has[i] = entry->parts[i].ptr != NULL;

	const bool originator = has[BX_ENTRY_ORIGINATOR_PRIV] || has[BX_ENTRY_ORIGINATOR_PUB];
	const bool responder = has[BX_ENTRY_RESPONDER_PRIV] || has[BX_ENTRY_RESPONDER_PUB];
	const uint8_t *at = entry->whole.ptr;

	if (has[BX_ENTRY_KEY] && (originator || responder))
		tell(r, BX_FINDING_MALFORMED, entry, at,
		     "key is for both roles: originator and responder keys cannot stand beside it");
	else if (!has[BX_ENTRY_KEY] && !originator && !responder)
		tell(r, BX_FINDING_MALFORMED, entry, at, "there is no key");
	else if (!has[BX_ENTRY_KEY] && !originator)
		tell(r, BX_FINDING_MALFORMED, entry, at,
		     "originator_priv or originator_pub is missing");
	else if (!has[BX_ENTRY_KEY] && !responder)
		tell(r, BX_FINDING_MALFORMED, entry, at,
		     "responder_priv or responder_pub is missing");
}

static void
read_entry(struct reading *r, struct bx_keyring_entry *entry)
{
	enum { URI = BX_ENTRY_PARTS, NOTE, MEMBERS };
	static const char *const names[MEMBERS] = {
		"originator_priv",
		"originator_pub",
		"responder_priv",
		"responder_pub",
		"key",
		"uri",
		"note",
	};
	struct bx_json_reader json;
	struct bx_json_token token;
	struct member m;
	unsigned seen = 0;

	bx_json_begin(&json, entry->whole);
	(void)bx_json_next(&json, &token);
	while (next_member(&json, &m)) {
		const size_t member = which_member(r, entry, &m, names, MEMBERS, &seen);

		if (member == URI)
			read_uri(r, entry, &m);
		else if (member == NOTE)
			read_text(r, entry, &m, "note", &entry->note);
		else if (member < BX_ENTRY_PARTS)
			read_text(r, entry, &m, names[member], &entry->parts[member]);
	}
	if ((seen & 1u << URI) == 0 && !entry->is_default_member)
		tell(r, BX_FINDING_MALFORMED, entry, entry->whole.ptr, "uri is missing");
	if (!entry->is_bad)
		check_parts(r, entry);
}

/* --- the file --------------------------------------------------------------------------------- */

static void
add_entry(struct reading *r, struct bx_span whole, bool is_default_member)
{
	struct bx_keyring_text *text = r->text;

	if (text->entry_count == r->entry_cap) {
		const size_t cap = r->entry_cap == 0 ? 16 : r->entry_cap * 2;
		void *entries = realloc(text->entries, cap * sizeof(*text->entries));

		if (entries == NULL) {
			r->out_of_memory = true;
			return;
		}
		text->entries = entries;
		r->entry_cap = cap;
	}

	struct bx_keyring_entry *entry = &text->entries[text->entry_count++];

	*entry =
	    (struct bx_keyring_entry){ .whole = whole, .is_default_member = is_default_member };
	read_entry(r, entry);
}

static void
read_keys(struct reading *r, const struct member *m)
{
	struct bx_json_reader json;
	struct bx_json_token token;
	struct bx_span whole;

	if (m->value.kind != BX_JSON_ARRAY) {
		tell(r, BX_FINDING_MALFORMED, NULL, m->whole.ptr, "keys is not a list");
		return;
	}
	r->text->keys = m->whole;
	bx_json_begin(&json, m->whole);
	(void)bx_json_next(&json, &token);
	while (bx_json_next(&json, &token) != BX_JSON_ARRAY_END) {
		const bool is_object = token.kind == BX_JSON_OBJECT;

		if (!bx_json_skip(&json, &token, &whole))
			return;
		if (is_object)
			add_entry(r, whole, false);
		else
			tell(r, BX_FINDING_MALFORMED, NULL, whole.ptr,
			     "an item of keys is not an object");
	}
}

static void
read_default(struct reading *r, const struct member *m)
{
	r->text->default_value = m->whole;
	if (m->value.kind == BX_JSON_OBJECT)
		add_entry(r, m->whole, true);
	else if (m->value.kind != BX_JSON_NULL)
		tell(r, BX_FINDING_MALFORMED, NULL, m->whole.ptr,
		     "default is neither an entry nor null");
}

static void
read_root(struct reading *r)
{
	enum { DEFAULT, KEYS, VERSION, MEMBERS };
	static const char *const names[MEMBERS] = { "default", "keys", "version" };
	struct bx_json_reader json;
	struct bx_json_token token;
	struct member m;
	unsigned seen = 0;

	bx_json_begin(&json, r->text->root);
	(void)bx_json_next(&json, &token);
	while (next_member(&json, &m)) {
		const unsigned before = seen;
		const size_t member = which_member(r, NULL, &m, names, MEMBERS, &seen);

		if (seen == before)
			continue; /* unknown, or a second one: told of, and not read */
		if (member == DEFAULT)
			read_default(r, &m);
		else if (member == KEYS)
			read_keys(r, &m);
		else if (m.value.kind != BX_JSON_INT || !bx_span_is(m.value.text, "1"))
			tell(r, BX_FINDING_MALFORMED, NULL, m.whole.ptr, "version is not 1");
	}
	if ((seen & (1u << DEFAULT | 1u << KEYS)) == 0)
		tell(r, BX_FINDING_MALFORMED, NULL, r->text->root.ptr, "keys is missing");
}

/* "Entries in file order, the default last." */
static void
default_last(struct bx_keyring_text *text)
{
	for (size_t i = 0; i + 1 < text->entry_count; i++) {
		const struct bx_keyring_entry entry = text->entries[i];

		if (entry.uri.len != 0 || (entry.is_bad && !entry.is_default_member))
			continue;
		memmove(&text->entries[i], &text->entries[i + 1],
			(text->entry_count - i - 1) * sizeof(entry));
		text->entries[text->entry_count - 1] = entry;
		return;
	}
}

static int
by_uri_then_place(const void *a, const void *b)
{
	const struct bx_keyring_entry *x = *(struct bx_keyring_entry *const *)a;
	const struct bx_keyring_entry *y = *(struct bx_keyring_entry *const *)b;
	const int order = bx_keyring_text_compare(x->uri, y->uri);

	return order != 0 ? order : (x->whole.ptr > y->whole.ptr) - (x->whole.ptr < y->whole.ptr);
}

static void
find_duplicates(struct reading *r)
{
	struct bx_keyring_text *text = r->text;
	struct bx_keyring_entry **sorted =
	    malloc(text->entry_count * sizeof(struct bx_keyring_entry *));
	size_t count = 0;

	if (sorted == NULL) {
		r->out_of_memory = text->entry_count != 0;
		return;
	}
	for (size_t i = 0; i < text->entry_count; i++)
		if (text->entries[i].uri.len != 0 || text->entries[i].is_default_member ||
		    !text->entries[i].is_bad)
			sorted[count++] = &text->entries[i];
	qsort(sorted, count, sizeof(*sorted), by_uri_then_place);
	for (size_t i = 1; i < count; i++) {
		if (!bx_span_equal(sorted[i - 1]->uri, sorted[i]->uri))
			continue;

		const uint64_t line = bx_keyring_text_line(text->json, sorted[i - 1]->whole.ptr);

		tell(r, BX_FINDING_DUPLICATE, sorted[i], sorted[i]->whole.ptr,
		     "there is an entry for it on line %llu already", (unsigned long long)line);
	}
	free(sorted);
}

/* Finds the one value; false (and fail) when the text is no JSON object. */
static bool
find_root(struct reading *r)
{
	struct bx_json_reader json;
	struct bx_json_token token;
	const struct bx_span all = r->text->json;

	bx_json_begin(&json, all);

	const bool is_object = bx_json_next(&json, &token) == BX_JSON_OBJECT;
	const bool is_json = token.kind != BX_JSON_BAD &&
			     bx_json_skip(&json, &token, &r->text->root) &&
			     bx_json_next(&json, &token) == BX_JSON_END;

	if (is_json && is_object)
		return true;

	const uint64_t offset = (uint64_t)(json.at - all.ptr);

	if (is_json)
		(void)bx_fail_set(r->fail, BX_ERR_USAGE, 0, 0,
				  "%s is not a keyring: it is JSON, but not an object", r->name);
	else
		(void)bx_fail_set(r->fail, BX_ERR_USAGE, 0, offset,
				  "%s is not a keyring: line %llu is not JSON (%s)", r->name,
				  (unsigned long long)bx_keyring_text_line(all, json.at),
				  json.why == NULL ? "malformed" : json.why);
	return false;
}

bool
bx_keyring_text_read(struct bx_keyring_text *text, struct bx_span json, const char *name,
		     bx_keyring_problem_fn problem, void *context, struct bx_fail *fail)
{
	struct reading r = {
		.text = text, .problem = problem, .context = context, .name = name, .fail = fail
	};

	if (json.len == 0)
		json.ptr = (const uint8_t *)""; /* it may be NULL */
	*text = (struct bx_keyring_text){ .json = json };
	if (!find_root(&r))
		return false;
	/* The URIs, decoded, are shorter than the text. They are no secrets. */
	text->uris = malloc(json.len);
	if (text->uris != NULL) {
		read_root(&r);
		default_last(text);
		find_duplicates(&r);
	}
	if (text->uris == NULL || r.out_of_memory) {
		(void)bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s", name);
		bx_keyring_text_wipe(text);
		return false;
	}
	return true;
}

void
bx_keyring_text_wipe(struct bx_keyring_text *text)
{
	free(text->entries);
	free(text->uris);
	*text = (struct bx_keyring_text){ 0 };
}
