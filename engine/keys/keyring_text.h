/* The text of a keyring file taken apart: which entries there are and where their members stand. */
#ifndef BX_KEYS_KEYRING_TEXT_H
#define BX_KEYS_KEYRING_TEXT_H

#include "base/cursor.h"
#include "boxcar/keyring_edit.h"

/* Members of an entry that hold a key (cli.md "Keyring file"). */
enum bx_entry_part {
	BX_ENTRY_ORIGINATOR_PRIV,
	BX_ENTRY_ORIGINATOR_PUB,
	BX_ENTRY_RESPONDER_PRIV,
	BX_ENTRY_RESPONDER_PUB,
	BX_ENTRY_KEY,
	BX_ENTRY_PARTS
};

/* All spans but `uri` lie in the text; a ptr of NULL: absent (or, where allowed, null). */
struct bx_keyring_entry {
	struct bx_span whole;                 /* from { to } */
	struct bx_span uri;                   /* decoded; empty for the default */
	struct bx_span parts[BX_ENTRY_PARTS]; /* as JSON strings, without quotes */
	struct bx_span note;                  /* the same */
	bool is_default_member;               /* stands as "default" */
	bool is_bad;                          /* a problem was told */
};

/* Borrows the text it was read from. */
struct bx_keyring_text {
	struct bx_span json;
	struct bx_keyring_entry *entries; /* in file order, the default last */
	size_t entry_count;
	struct bx_span keys;          /* the value of "keys", from [ to ]; or NULL */
	struct bx_span default_value; /* the value of "default"; or NULL */
	struct bx_span root;          /* from { to } */
	uint8_t *uris;
	size_t uris_used;
};

/*
 * Told of each problem, in no particular order. `at` points into the text. `entry` is NULL where
 * no entry is concerned. `message` holds no bytes of a value of a key member.
 */
typedef void (*bx_keyring_problem_fn)(void *context, enum bx_finding_kind kind,
				      const struct bx_keyring_entry *entry, const uint8_t *at,
				      const char *message);

/*
 * Reads `json`. False: it is no JSON object, or memory could not be had, and `fail` is set. Else
 * the entries with problems are marked `is_bad`. Two entries for one URI are told of here too.
 */
bool bx_keyring_text_read(struct bx_keyring_text *text, struct bx_span json, const char *name,
			  bx_keyring_problem_fn problem, void *context, struct bx_fail *fail);
void bx_keyring_text_wipe(struct bx_keyring_text *text);

/* Line of a place in the text, from 1. */
uint64_t bx_keyring_text_line(struct bx_span json, const uint8_t *at);

/* "originator_priv", ... */
const char *bx_keyring_text_part_name(enum bx_entry_part part);

/* Order of URIs: bytes, then length. */
int bx_keyring_text_compare(struct bx_span a, struct bx_span b);

#endif
