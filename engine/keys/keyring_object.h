/* Writing the object of one keyring entry, set like those around it. */
#ifndef BX_KEYS_KEYRING_OBJECT_H
#define BX_KEYS_KEYRING_OBJECT_H

#include "base/writer.h"
#include "keys/keyring_text.h"

/* How the members of an object are set: the space after "{", between members, and before "}". */
struct bx_keyring_layout {
	struct bx_span open;
	struct bx_span between;
	struct bx_span close;
};

/* That of an entry (valid as long as its text), or, for NULL, single spaces. */
struct bx_keyring_layout bx_keyring_object_layout(const struct bx_keyring_entry *like);

/* Writes the object of a new entry, member by member. */
struct bx_keyring_object {
	struct bx_writer *w;
	struct bx_keyring_layout layout;
	bool begun;
};

void bx_keyring_object_text(struct bx_keyring_object *o, const char *name, struct bx_span utf8);
/* `raw` is JSON string text already. */
void bx_keyring_object_raw(struct bx_keyring_object *o, const char *name, struct bx_span raw);
void bx_keyring_object_key(struct bx_keyring_object *o, const char *name,
			   const uint8_t key[static 32]);
void bx_keyring_object_end(struct bx_keyring_object *o);

/* White space before `at`, but not before `begin`. */
struct bx_span bx_keyring_object_gap_before(const uint8_t *begin, const uint8_t *at);

struct bx_span bx_keyring_object_span(const char *text);

#endif
