/* Keys of an encrypted segment, and the encryption of single blocks. */
#ifndef BX_ARCHIVE_BLOCK_KEY_H
#define BX_ARCHIVE_BLOCK_KEY_H

#include <stdbool.h>

#include "archive/block_header.h"

/*
 * K_seq: all that is needed to seal or open one block. By value, so that a job needs nothing else
 * of its segment; wipe it after use. `encrypted` false: a block of a plain segment, no key.
 */
struct bx_block_key {
	bool encrypted;
	uint8_t key[32];
};

void bx_block_key_wipe(struct bx_block_key *key);

/* K_mac and K_blk of a segment, in guarded memory. Read-only after it is made: any thread. */
struct bx_segment_key;

/* Derives from FK and the segment id (docs/format.md "Keys"). NULL: no memory. */
struct bx_segment_key *bx_segment_key_new(const uint8_t fk[static 32],
					  const uint8_t segment_id[static 16]);
void bx_segment_key_free(struct bx_segment_key *key);

/* The key of block `seq`. */
void bx_segment_key_block(const struct bx_segment_key *key, uint64_t seq, struct bx_block_key *out);

/* commit over the stored HEAD header and its body without the last 32 bytes. */
void bx_segment_key_commit(const struct bx_segment_key *key, const uint8_t header[static 128],
			   struct bx_span body, uint8_t commit[static 32]);

/*
 * Completes the block at block[0..total), whose body stands at block + BX_HEADER_LEN with zeros
 * after it. The caller has set type, flags, segment_id, seq, body_len and, for an encrypted block,
 * nonce. Encrypts (then the body fills all of `total`), and stores the header with body_crc;
 * page_off and index_back come later, by bx_block_header_place.
 */
void bx_block_key_finish(const struct bx_block_key *key, struct bx_block_header *h, uint8_t *block,
			 size_t total);

/*
 * Encrypts body[0..h->body_len) in place; fills h->tag. The header's other fields but body_crc,
 * index_back and page_off must be final.
 */
void bx_block_key_seal(const struct bx_block_key *key, struct bx_block_header *h, uint8_t *body);

/*
 * Checks the tag of `body` under the stored header, then decrypts into out (may be body.ptr).
 * False: not authentic; out[0..body.len) is then zero, or untouched.
 */
bool bx_block_key_open(const struct bx_block_key *key, const uint8_t header[static 128],
		       struct bx_span body, uint8_t *out) BX_MUST_USE;

/* The tag of a MAC_ONLY block. */
void bx_block_key_mac(const struct bx_block_key *key, const uint8_t header[static 128],
		      struct bx_span body, uint8_t tag[static 16]);

#endif
