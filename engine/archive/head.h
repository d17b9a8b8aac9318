/* HEAD: who may read a segment and where it stands in its stream. */
#ifndef BX_ARCHIVE_HEAD_H
#define BX_ARCHIVE_HEAD_H

#include "archive/block_key.h"
#include "archive/random.h"

/* Format: docs/format.md "HEAD". */
struct bx_head {
	uint8_t segment_id[16];
	uint8_t stream_id[16];
	uint64_t segment_no;
	uint64_t segment_total;
	int64_t created; /* 0 when encrypted (META has it) or not known */
	uint8_t prev_segment_id[16];
	uint64_t prev_blocks;
	uint8_t prev_link[32];
	uint64_t feat_compat;
	uint64_t feat_ro_compat;
	bool encrypted;
	bool digest;
	uint16_t stanza_count;
};

/*
 * `header` and `body` of a HEAD, or the body of a HEADCOPY cut in two; CRCs are the caller's.
 * Checks versions, features, lengths and the stanza list.
 */
enum bx_status bx_head_parse(struct bx_head *head, const uint8_t header[static 128],
			     struct bx_span body, uint64_t offset,
			     struct bx_fault *fault) BX_MUST_USE;

/*
 * Tries each identity (X25519 secret key, 32 bytes) on each stanza and checks the commitment, in
 * constant time. NO_KEY: nothing opens; HEADER_AUTH: something opens, but HEAD is not what its
 * writer committed to. The caller frees *key. `body` must have passed bx_head_parse.
 */
enum bx_status bx_head_unlock(struct bx_segment_key **key, const uint8_t header[static 128],
			      struct bx_span body, const uint8_t *const *identities,
			      size_t identity_count, uint64_t offset,
			      struct bx_fault *fault) BX_MUST_USE;

/* Bytes of a HEAD body with that many stanzas of type 1. */
size_t bx_head_body_len(size_t recipient_count);

/*
 * Writes header and body of a HEAD into block[0..128 + bx_head_body_len). A plain one:
 * recipient_count 0, key and fk NULL. False: recipients[*bad] is not a usable public key.
 */
bool bx_head_store(uint8_t *block, const struct bx_head *head, const struct bx_segment_key *key,
		   const uint8_t *fk, const uint8_t (*recipients)[32], size_t recipient_count,
		   struct bx_random random, size_t *bad) BX_MUST_USE;

/* Writes a stanza of type 1: crypto_box_seal(fk, recipient) with the given ephemeral secret. */
bool bx_head_stanza(uint8_t stanza[static 80], const uint8_t fk[static 32],
		    const uint8_t recipient[static 32],
		    const uint8_t ephemeral[static 32]) BX_MUST_USE;

#endif
