/* Keyring files as text that is changed, checked and split; and making keys. */
#ifndef BOXCAR_KEYRING_EDIT_H
#define BOXCAR_KEYRING_EDIT_H

#include "boxcar/keyring.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- making keys ------------------------------------------------------------------------------ */

enum bx_keygen {
	BX_KEYGEN_CRYPTOBOX, /* X25519 for WAMP payloads: base64, base64 */
	BX_KEYGEN_SIGN,      /* Ed25519: BOXCAR-SIGN-KEY-1... (the seed), boxcar-sign1... */
	BX_KEYGEN_ARCHIVE,   /* X25519: BOXCAR-SECRET-KEY-1..., boxcar1... (bech32, as age does) */
};

/* Most characters of a key's text, its NUL included. */
#define BX_KEYGEN_TEXT_CAP 96

/* Texts end with a NUL. `secret` is the caller's to wipe (bx_keygen_wipe). */
struct bx_keygen_pair {
	char secret[BX_KEYGEN_TEXT_CAP];
	char public_key[BX_KEYGEN_TEXT_CAP];
};

BX_PUBLIC enum bx_err bx_keygen_make(struct bx_keygen_pair *pair, enum bx_keygen kind,
				     struct bx_fail *fail) BX_MUST_USE;
BX_PUBLIC void bx_keygen_wipe(void *bytes, size_t len);

/* Base64 of a public key, and a NUL. */
#define BX_KEY_BASE64_CAP 45
BX_PUBLIC void bx_key_base64(const uint8_t *public_key, char *text);

/* --- a keyring file --------------------------------------------------------------------------- */

/*
 * The text of a keyring file and the ring it says. Changes are made in the text: order, notes,
 * white space and every entry that is not concerned stay as they are. The text lives in guarded
 * memory. Used by one thread at a time.
 */
struct bx_keyring_file;

/* From `text`, which is copied; an empty span makes a new file without entries. */
BX_PUBLIC enum bx_err bx_keyring_file_new(struct bx_keyring_file **file, struct bx_span text,
					  const char *name, struct bx_fail *fail) BX_MUST_USE;
BX_PUBLIC void bx_keyring_file_free(struct bx_keyring_file *file);

/* Both are valid until the next change. */
BX_PUBLIC struct bx_span bx_keyring_file_text(const struct bx_keyring_file *file);
BX_PUBLIC const struct bx_keyring *bx_keyring_file_ring(const struct bx_keyring_file *file);

/* The note of bx_keyring_at(ring, index), decoded; empty when there is none. */
BX_PUBLIC struct bx_span bx_keyring_file_note(const struct bx_keyring_file *file, size_t index);

/* Where a new entry's keys come from. */
enum bx_keyring_source {
	BX_KEYRING_FRESH_PAIR,   /* two fresh private keys, originator_priv and responder_priv */
	BX_KEYRING_FRESH_STRING, /* one fresh private key for both roles */
	BX_KEYRING_GIVEN,        /* `given`: a JSON object as in "keys", without "uri" */
};

struct bx_keyring_addition {
	struct bx_span uri; /* "" for the default */
	enum bx_keyring_source source;
	struct bx_span given;
	const char *given_name; /* for messages */
	struct bx_span note;    /* UTF-8; empty: none */
};

/* Adds an entry after the others. BX_ERR_USAGE: there is one for that URI, or `given` is not one.
 */
BX_PUBLIC enum bx_err bx_keyring_file_add(struct bx_keyring_file *file,
					  const struct bx_keyring_addition *addition,
					  struct bx_fail *fail) BX_MUST_USE;

/* Removes the entry for exactly `uri` ("" for the default). BX_ERR_USAGE: there is none. */
BX_PUBLIC enum bx_err bx_keyring_file_remove(struct bx_keyring_file *file, struct bx_span uri,
					     struct bx_fail *fail) BX_MUST_USE;

enum bx_keyring_part {
	BX_KEYRING_PART_ORIGINATOR, /* originator_priv, responder_pub */
	BX_KEYRING_PART_RESPONDER,  /* responder_priv, originator_pub */
	BX_KEYRING_PART_PUBLIC,     /* originator_pub, responder_pub */
};

/*
 * A new file with that part of each entry, in order, with notes. An entry that lacks the part's
 * private key keeps its place with public keys only, so that every URI still finds the same entry;
 * *without_role (may be NULL) counts those. A string key gives both halves the same private key;
 * *strings (may be NULL) counts those.
 */
BX_PUBLIC enum bx_err bx_keyring_file_split(struct bx_keyring_file **part,
					    const struct bx_keyring_file *file,
					    enum bx_keyring_part which, size_t *without_role,
					    size_t *strings, struct bx_fail *fail) BX_MUST_USE;

/* --- findings --------------------------------------------------------------------------------- */

enum bx_finding_kind {
	BX_FINDING_MALFORMED,   /* a member that is unknown, missing, doubled or of a wrong type */
	BX_FINDING_DUPLICATE,   /* a second entry for a URI */
	BX_FINDING_BAD_KEY,     /* not base64 of 32 bytes, of low order, or keys that disagree */
	BX_FINDING_OPEN_PREFIX, /* does not end in ".": serves longer names too */
	BX_FINDING_HIDES,       /* lacks a role that the shorter entry behind it has */
	BX_FINDING_STRING_KEY,  /* one private key for both roles */
	BX_FINDING_NO_SHARED_KEY, /* public keys only: neither seals nor opens */
	BX_FINDING_LAX_FILE,      /* mode or owner of the file (decisions.md 3) */
	BX_FINDING_COUNT
};

/* "malformed", "duplicate", ... */
BX_PUBLIC const char *bx_finding_name(enum bx_finding_kind kind);

/* Everything is borrowed for the call. `uri` is untrusted text; `message` is printable. */
struct bx_finding {
	enum bx_finding_kind kind;
	struct bx_span uri; /* of the entry, "" for the default or none */
	uint64_t line;      /* from 1; 0: of the file as a whole */
	const char *message;
};

typedef void (*bx_finding_fn)(void *context, const struct bx_finding *finding);

/*
 * Tells of everything that is wrong with, or surprising in, a keyring file, by line. With the first
 * three kinds the file is one that bx_keyring_parse refuses. BX_ERR_USAGE: it is no JSON object at
 * all.
 */
BX_PUBLIC enum bx_err bx_keyring_check(struct bx_span text, const char *name, bx_finding_fn found,
				       void *context, struct bx_fail *fail) BX_MUST_USE;

/* --- files ------------------------------------------------------------------------------------ */

/* As bx_keyring_load reads. */
BX_PUBLIC enum bx_err bx_keyring_file_load(struct bx_keyring_file **file, const char *path,
					   bool allow_lax_modes, bool *was_lax,
					   struct bx_fail *fail) BX_MUST_USE;

/* The check of a file, its mode and owner included. */
BX_PUBLIC enum bx_err bx_keyring_check_file(const char *path, bx_finding_fn found, void *context,
					    struct bx_fail *fail) BX_MUST_USE;

/*
 * Reads, and writes, a file that holds secrets: mode 0600, under a temporary name until it is
 * complete and synced. An existing target needs `force`. What was read is freed with
 * bx_secret_text_free.
 */
BX_PUBLIC enum bx_err bx_secret_text_load(struct bx_span *text, const char *path,
					  bool allow_lax_modes, bool *was_lax,
					  struct bx_fail *fail) BX_MUST_USE;
BX_PUBLIC void bx_secret_text_free(struct bx_span text);
BX_PUBLIC enum bx_err bx_secret_text_save(struct bx_span text, const char *path, bool force,
					  struct bx_fail *fail) BX_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
