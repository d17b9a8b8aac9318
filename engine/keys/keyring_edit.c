#include "boxcar/keyring_edit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/utf8.h"
#include "keys/keyring_entry.h"
#include "keys/keyring_object.h"
#include "keys/keyring_text.h"

#define NEW_FILE "{\n  \"version\": 1,\n  \"keys\": []\n}\n"

struct bx_keyring_file {
	uint8_t *bytes; /* guarded */
	size_t len;
	struct bx_keyring_text text;
	struct bx_keyring *ring;
	struct bx_span *notes; /* by entry; in note_bytes */
	uint8_t *note_bytes;
	char *name;
};

/* --- a file in memory ------------------------------------------------------------------------- */

/* The text was parsed as a ring before: there are no problems left to tell. */
static void
no_problem(void *context, enum bx_finding_kind kind, const struct bx_keyring_entry *entry,
	   const uint8_t *at, const char *message)
{
	(void)context, (void)kind, (void)entry, (void)at, (void)message;
}

static void
read_notes(struct bx_keyring_file *file)
{
	struct bx_writer w = bx_writer_over(file->note_bytes, file->len);

	for (size_t i = 0; i < file->text.entry_count; i++) {
		const struct bx_span raw = file->text.entries[i].note;
		uint8_t *from = w.at;

		if (raw.ptr == NULL)
			continue;
		/* What has no UTF-8 (a lone surrogate) is shown as it is written. */
		if (!bx_json_text(raw, &w)) {
			w.at = from;
			w.full = false;
			bx_put_span(&w, raw);
		}
		file->notes[i] = bx_since(&w, from);
	}
}

/* Takes over `bytes` (guarded), on failure too. */
static enum bx_err
adopt(struct bx_keyring_file **file, uint8_t *bytes, size_t len, const char *name,
      struct bx_fail *fail)
{
	const struct bx_span json = { bytes, len };
	struct bx_keyring *ring;
	const enum bx_err err = bx_keyring_parse(&ring, json, name, fail);

	if (err != BX_OK) {
		sodium_free(bytes);
		return err;
	}

	struct bx_keyring_file *made = calloc(1, sizeof(*made));

	if (made == NULL) {
		bx_keyring_free(ring);
		sodium_free(bytes);
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s", name);
	}
	made->bytes = bytes;
	made->len = len;
	made->ring = ring;
	made->name = strdup(name);
	made->note_bytes = malloc(len + 1);
	made->notes = calloc(bx_keyring_count(ring) + 1, sizeof(*made->notes));
	if (made->name == NULL || made->note_bytes == NULL || made->notes == NULL ||
	    !bx_keyring_text_read(&made->text, json, name, no_problem, NULL, fail)) {
		bx_keyring_file_free(made);
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s", name);
	}
	read_notes(made);
	*file = made;
	return BX_OK;
}

enum bx_err
bx_keyring_file_new(struct bx_keyring_file **file, struct bx_span text, const char *name,
		    struct bx_fail *fail)
{
	const struct bx_span fresh = { (const uint8_t *)NEW_FILE, sizeof(NEW_FILE) - 1 };
	const struct bx_span from = text.len == 0 ? fresh : text;

	if (sodium_init() < 0)
		return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "libsodium cannot start");

	uint8_t *bytes = sodium_malloc(from.len);

	if (bytes == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s", name);
	memcpy(bytes, from.ptr, from.len);
	return adopt(file, bytes, from.len, name, fail);
}

void
bx_keyring_file_free(struct bx_keyring_file *file)
{
	if (file == NULL)
		return;
	bx_keyring_text_wipe(&file->text);
	bx_keyring_free(file->ring);
	sodium_free(file->bytes);
	free(file->note_bytes);
	free(file->notes);
	free(file->name);
	free(file);
}

struct bx_span
bx_keyring_file_text(const struct bx_keyring_file *file)
{
	return (struct bx_span){ file->bytes, file->len };
}

const struct bx_keyring *
bx_keyring_file_ring(const struct bx_keyring_file *file)
{
	return file->ring;
}

struct bx_span
bx_keyring_file_note(const struct bx_keyring_file *file, size_t index)
{
	return file->notes[index];
}

/* --- editing ---------------------------------------------------------------------------------- */

/*
 * Replaces the text between two places of the file by `with`, and reads the result anew. `with`
 * is guarded, too. On failure the file is as it was.
 */
static enum bx_err
splice(struct bx_keyring_file *file, const uint8_t *from, const uint8_t *to, struct bx_span with,
       struct bx_fail *fail)
{
	const size_t before = (size_t)(from - file->bytes);
	const size_t after = (size_t)(file->bytes + file->len - to);
	const size_t len = before + with.len + after;
	uint8_t *bytes = sodium_malloc(len);
	struct bx_keyring_file *edited;

	if (bytes == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s",
				   file->name);

	struct bx_writer w = bx_writer_over(bytes, len);

	bx_put(&w, file->bytes, before);
	bx_put_span(&w, with);
	bx_put(&w, to, after);

	const enum bx_err err = adopt(&edited, bytes, len, file->name, fail);

	if (err != BX_OK)
		return err;

	const struct bx_keyring_file old = *file;

	*file = *edited;
	*edited = old;
	bx_keyring_file_free(edited);
	return BX_OK;
}

/* One fresh private key; `scratch` is guarded. */
static void
put_fresh_key(struct bx_keyring_object *o, const char *name, uint8_t scratch[static 32])
{
	randombytes_buf(scratch, 32);
	bx_keyring_object_key(o, name, scratch);
	sodium_memzero(scratch, 32);
}

/* The entry of `given`, an object without uri, checked as the default of a file of its own. */
static enum bx_err
read_given(struct bx_keyring_file **alone, const struct bx_keyring_addition *a,
	   struct bx_fail *fail)
{
	const char *name = a->given_name != NULL ? a->given_name : "the given entry";
	struct bx_json_reader json;
	struct bx_json_token token;
	struct bx_span whole;

	bx_json_begin(&json, a->given);
	if (bx_json_next(&json, &token) != BX_JSON_OBJECT || !bx_json_skip(&json, &token, &whole) ||
	    bx_json_next(&json, &token) != BX_JSON_END)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%s is not one JSON object with keys", name);

	const size_t cap = a->given.len + 16;
	uint8_t *bytes = sodium_malloc(cap);

	if (bytes == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s", name);

	struct bx_writer w = bx_writer_over(bytes, cap);

	bx_put_text(&w, "{\"default\":");
	bx_put_span(&w, a->given);
	bx_put_u8(&w, '}');

	struct bx_fail own = { 0 };
	const enum bx_err err = adopt(alone, bytes, bx_written(&w), name, &own);

	if (err == BX_OK)
		return BX_OK;
	(void)bx_fail_set(fail, err, own.sys, BX_NOWHERE, "%s", own.msg);
	bx_fail_hint(fail, "it holds originator_priv or originator_pub, and responder_priv or "
			   "responder_pub; or key");
	return err;
}

/* Writes the whole entry. `given` is NULL for fresh keys. */
static void
put_entry(struct bx_writer *w, const struct bx_keyring_addition *a, struct bx_keyring_layout layout,
	  const struct bx_keyring_file *given, uint8_t scratch[static 32])
{
	const struct bx_keyring_entry *from = given == NULL ? NULL : &given->text.entries[0];
	struct bx_keyring_object o = { w, layout, false };

	if (a->uri.len != 0)
		bx_keyring_object_text(&o, "uri", a->uri);
	if (a->source == BX_KEYRING_FRESH_STRING) {
		put_fresh_key(&o, "key", scratch);
	} else if (a->source == BX_KEYRING_FRESH_PAIR) {
		put_fresh_key(&o, "originator_priv", scratch);
		put_fresh_key(&o, "responder_priv", scratch);
	}
	for (unsigned i = 0; from != NULL && i < BX_ENTRY_PARTS; i++)
		if (from->parts[i].ptr != NULL)
			bx_keyring_object_raw(&o, bx_keyring_text_part_name((enum bx_entry_part)i),
					      from->parts[i]);
	if (a->note.len != 0)
		bx_keyring_object_text(&o, "note", a->note);
	else if (from != NULL && from->note.ptr != NULL)
		bx_keyring_object_raw(&o, "note", from->note);
	bx_keyring_object_end(&o);
}

/* The entry of "keys" that stands last. */
static const struct bx_keyring_entry *
last_in_list(const struct bx_keyring_text *text)
{
	const struct bx_keyring_entry *last = NULL;

	for (size_t i = 0; i < text->entry_count; i++)
		if (!text->entries[i].is_default_member &&
		    (last == NULL || text->entries[i].whole.ptr > last->whole.ptr))
			last = &text->entries[i];
	return last;
}

/* A place in the file, and what to write there around the new entry. */
struct slot {
	const uint8_t *from;
	const uint8_t *to;
	struct bx_span before;
	struct bx_span gap; /* after `before` */
	struct bx_span after;
	struct bx_keyring_layout layout;
};

static struct slot
slot_for(const struct bx_keyring_file *file, bool is_default)
{
	const struct bx_keyring_text *text = &file->text;
	const struct bx_keyring_entry *last = last_in_list(text);
	const uint8_t *root = text->root.ptr + 1;
	struct slot s = { .layout = bx_keyring_object_layout(NULL) };

	if (is_default && text->default_value.ptr != NULL) {
		s.from = text->default_value.ptr; /* null */
		s.to = s.from + text->default_value.len;
	} else if (is_default) {
		s.from = s.to = root;
		s.before = bx_keyring_object_span("\n  \"default\": ");
		s.after = bx_keyring_object_span(",");
	} else if (last != NULL) {
		s.from = s.to = last->whole.ptr + last->whole.len;
		s.before = bx_keyring_object_span(",");
		s.gap = bx_keyring_object_gap_before(text->keys.ptr + 1, last->whole.ptr);
		s.layout = bx_keyring_object_layout(last);
	} else if (text->keys.ptr != NULL) {
		s.from = text->keys.ptr; /* an empty list */
		s.to = s.from + text->keys.len;
		s.before = bx_keyring_object_span("[\n    ");
		s.after = bx_keyring_object_span("\n  ]");
	} else {
		s.from = s.to = root;
		s.before = bx_keyring_object_span("\n  \"keys\": [\n    ");
		s.after = bx_keyring_object_span("\n  ],");
	}
	return s;
}

static const struct bx_keyring_entry *
find_entry(const struct bx_keyring_file *file, struct bx_span uri)
{
	for (size_t i = 0; i < file->text.entry_count; i++)
		if (bx_span_equal(file->text.entries[i].uri, uri))
			return &file->text.entries[i];
	return NULL;
}

/* An entry's name in a message: at most 100 printable characters. */
struct entry_name {
	char text[112];
};

static struct entry_name
name_entry(struct bx_span uri)
{
	struct entry_name name;
	struct bx_writer w = bx_writer_over((uint8_t *)name.text, sizeof(name.text) - 1);

	if (uri.len == 0)
		bx_put_text(&w, "the default");
	else
		bx_json_put_safe(&w, uri, 100);
	*w.at = '\0';
	return name;
}

static enum bx_err
add_entry(struct bx_keyring_file *file, const struct bx_keyring_addition *a,
	  const struct bx_keyring_file *given, struct bx_fail *fail)
{
	/* Escaped text is at most six times as long; names, keys and gaps take the rest. */
	const size_t cap = (a->uri.len + a->note.len) * 6 + a->given.len + 2048;
	uint8_t *bytes = sodium_malloc(32 + cap);

	if (bytes == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for %s",
				   file->name);

	struct bx_writer w = bx_writer_over(bytes + 32, cap);
	const struct slot slot = slot_for(file, a->uri.len == 0);

	bx_put_span(&w, slot.before);
	bx_put_span(&w, slot.gap);
	put_entry(&w, a, slot.layout, given, bytes);
	bx_put_span(&w, slot.after);

	const enum bx_err err =
	    w.full ? bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no room for the entry")
		   : splice(file, slot.from, slot.to, bx_since(&w, w.begin), fail);

	sodium_free(bytes);
	return err;
}

enum bx_err
bx_keyring_file_add(struct bx_keyring_file *file, const struct bx_keyring_addition *addition,
		    struct bx_fail *fail)
{
	struct bx_keyring_file *given = NULL;

	if (!bx_utf8_valid(addition->uri) || !bx_utf8_valid(addition->note))
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "the URI or the note is not UTF-8");
	if (find_entry(file, addition->uri) != NULL) {
		(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%s has an entry for %s",
				  file->name, name_entry(addition->uri).text);
		bx_fail_hint(fail, "boxcar keyring rm removes it");
		return BX_ERR_USAGE;
	}
	if (addition->source == BX_KEYRING_GIVEN) {
		const enum bx_err err = read_given(&given, addition, fail);

		if (err != BX_OK)
			return err;
	}

	const enum bx_err err = add_entry(file, addition, given, fail);

	bx_keyring_file_free(given);
	return err;
}

enum bx_err
bx_keyring_file_remove(struct bx_keyring_file *file, struct bx_span uri, struct bx_fail *fail)
{
	const struct bx_keyring_entry *gone = find_entry(file, uri);
	const struct bx_keyring_entry *before = NULL, *after = NULL;
	const struct bx_keyring_text *text = &file->text;

	if (gone == NULL)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%s has no entry for %s",
				   file->name, name_entry(uri).text);

	const uint8_t *begin = gone->whole.ptr;
	const uint8_t *end = gone->whole.ptr + gone->whole.len;

	if (gone->is_default_member)
		return splice(file, begin, end, bx_keyring_object_span("null"), fail);
	for (size_t i = 0; i < text->entry_count; i++) {
		const struct bx_keyring_entry *e = &text->entries[i];

		if (e->is_default_member || e == gone)
			continue;
		if (e->whole.ptr < begin && (before == NULL || e->whole.ptr > before->whole.ptr))
			before = e;
		if (e->whole.ptr > begin && (after == NULL || e->whole.ptr < after->whole.ptr))
			after = e;
	}
	/* The comma goes along: the one before it, or else the one after it. */
	if (before != NULL)
		begin = before->whole.ptr + before->whole.len;
	else if (after != NULL)
		end = after->whole.ptr;
	else {
		begin = text->keys.ptr + 1;
		end = text->keys.ptr + text->keys.len - 1;
	}
	return splice(file, begin, end, (struct bx_span){ NULL, 0 }, fail);
}

/* --- splitting -------------------------------------------------------------------------------- */

/* True when the part's private key is there (or none is needed). */
static bool
put_part(struct bx_writer *w, const struct bx_keyring_entry *entry,
	 const struct bx_entry_keys *keys, enum bx_keyring_part which)
{
	struct bx_keyring_object o = { w, bx_keyring_object_layout(NULL), false };
	const bool originator = which == BX_KEYRING_PART_ORIGINATOR && keys->has_originator_priv;
	const bool responder = which == BX_KEYRING_PART_RESPONDER && keys->has_responder_priv;

	if (entry->uri.len != 0)
		bx_keyring_object_text(&o, "uri", entry->uri);
	bx_keyring_object_key(&o, originator ? "originator_priv" : "originator_pub",
			      originator ? keys->originator_priv : keys->originator_pub);
	bx_keyring_object_key(&o, responder ? "responder_priv" : "responder_pub",
			      responder ? keys->responder_priv : keys->responder_pub);
	if (entry->note.ptr != NULL)
		bx_keyring_object_raw(&o, "note", entry->note);
	bx_keyring_object_end(&o);
	return originator || responder || which == BX_KEYRING_PART_PUBLIC;
}

static void
put_parts(struct bx_writer *w, const struct bx_keyring_file *file, struct bx_entry_keys *keys,
	  enum bx_keyring_part which, size_t *without_role, size_t *strings)
{
	const size_t count = file->text.entry_count;

	*without_role = 0;
	*strings = 0;
	bx_put_text(w, "{\n  \"version\": 1,\n  \"keys\": [");
	for (size_t i = 0; i < count; i++) {
		struct bx_keyring_entry entry = file->text.entries[i];

		(void)bx_entry_keys_read(keys, &entry, no_problem, NULL);
		*strings += keys->is_string;
		/* The default stands last, after the list. */
		if (entry.uri.len == 0)
			bx_put_text(w, i == 0 ? "],\n  \"default\": " : "\n  ],\n  \"default\": ");
		else
			bx_put_text(w, i == 0 ? "\n    " : ",\n    ");
		*without_role += !put_part(w, &entry, keys, which);
	}

	const bool has_default = count != 0 && file->text.entries[count - 1].uri.len == 0;

	bx_put_text(w, has_default ? "\n}\n" : count == 0 ? "]\n}\n" : "\n  ]\n}\n");
}

enum bx_err
bx_keyring_file_split(struct bx_keyring_file **part, const struct bx_keyring_file *file,
		      enum bx_keyring_part which, size_t *without_role, size_t *strings,
		      struct bx_fail *fail)
{
	size_t lacking, doubled;
	const size_t cap = file->len * 6 + file->text.entry_count * 256 + 256;
	struct bx_entry_keys *keys = bx_entry_keys_new();
	uint8_t *room = sodium_malloc(cap);
	enum bx_err err = BX_ERR_NOMEM;

	if (keys != NULL && room != NULL) {
		struct bx_writer w = bx_writer_over(room, cap);

		put_parts(&w, file, keys, which, &lacking, &doubled);
		if (!w.full)
			err = bx_keyring_file_new(part, bx_since(&w, w.begin), file->name, fail);
	}
	bx_entry_keys_free(keys);
	sodium_free(room);
	if (err == BX_ERR_NOMEM)
		return bx_fail_set(fail, err, 0, BX_NOWHERE, "no memory for a part of %s",
				   file->name);
	if (err == BX_OK && without_role != NULL)
		*without_role = lacking;
	if (err == BX_OK && strings != NULL)
		*strings = doubled;
	return err;
}
