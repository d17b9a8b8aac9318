/* The digest chain over the blocks of a segment, and signatures over its state. */
#ifndef BX_ARCHIVE_DIGEST_H
#define BX_ARCHIVE_DIGEST_H

#include <stdbool.h>

#include "archive/layout.h"
#include "boxcar/span.h"

/*
 *	D_i = BLAKE2b-256(header as stored || BLAKE2b-256(body as stored))
 *	R_0 = D_0	R_i = BLAKE2b-256(R_{i-1} || D_i)
 * The hash over the body is the work of whoever has the body; the rest is cheap and in order.
 */
void bx_digest_body(struct bx_span body, uint8_t digest[static 32]);
void bx_digest_block(const uint8_t header[static 128], const uint8_t body_digest[static 32],
		     uint8_t d[static 32]);

struct bx_digest_chain {
	uint8_t r[32];
	bool begun;
};
void bx_digest_chain_add(struct bx_digest_chain *chain, const uint8_t d[static 32]);

/* The hash of a header that the next segment links to. */
void bx_digest_link(const uint8_t header[static 128], uint8_t link[static 32]);

/*
 * Signatures, 104 bytes: u8 algorithm (0 none, 1 Ed25519), 7 zero, public key 32, signature 64,
 *over HEAD   "boxcar-v1 head" 00 00 || D_0			(it stands in META) INDEX "boxcar-v1
 *indx" 00 00 || segment_id || u64 seq || BLAKE2b-256(inner, sig zeroed) TAIL   "boxcar-v1 tail" 00
 *00 || segment_id || u64 seq || BLAKE2b-256(inner, sig zeroed)
 */
enum bx_digest_kind { BX_DIGEST_INDEX, BX_DIGEST_TAIL };

void bx_digest_sign_head(uint8_t sig[static 104], const uint8_t d0[static 32],
			 const uint8_t secret[static 64]);
bool bx_digest_verify_head(const uint8_t sig[static 104], const uint8_t d0[static 32]) BX_MUST_USE;

/* `inner` is inner_len bytes; the signature stands in it at sig_at and is taken as zero. */
void bx_digest_sign(uint8_t *inner, size_t inner_len, size_t sig_at, enum bx_digest_kind kind,
		    const uint8_t segment_id[static 16], uint64_t seq,
		    const uint8_t secret[static 64]);
bool bx_digest_verify(struct bx_span inner, size_t sig_at, enum bx_digest_kind kind,
		      const uint8_t segment_id[static 16], uint64_t seq) BX_MUST_USE;

/* The public key inside a signature. */
static inline const uint8_t *
bx_digest_signer(const uint8_t sig[static 104])
{
	return sig + 8;
}

#endif
