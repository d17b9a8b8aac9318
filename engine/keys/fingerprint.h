/* Fingerprints: which input and which keyrings a state file speaks of, without giving them away. */
#ifndef BX_KEYS_FINGERPRINT_H
#define BX_KEYS_FINGERPRINT_H

#include "boxcar/keyring.h"

#define BX_FINGERPRINT_LEN 32u

/* BLAKE2b-256 of the bytes. */
void bx_fingerprint_bytes(struct bx_span bytes, uint8_t out[static BX_FINGERPRINT_LEN]);

/*
 * BLAKE2b-256 over every entry's URI, roles and shared key, in file order. One-way: keys have 256
 * bits. Two files with the same entries have the same fingerprint whatever their spelling.
 */
void bx_fingerprint_ring(const struct bx_keyring *ring, uint8_t out[static BX_FINGERPRINT_LEN]);

#endif
