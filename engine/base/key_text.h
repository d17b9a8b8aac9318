/* How keys begin that are written as bech32 text (decisions.md 5). */
#ifndef BX_BASE_KEY_TEXT_H
#define BX_BASE_KEY_TEXT_H

#include "base/bech32.h"

/* 32 bytes each. Secrets are written in upper case, so that they look like none of the others. */
#define BX_KEY_TEXT_RECIPIENT "boxcar"            /* X25519 public key: boxcar1... */
#define BX_KEY_TEXT_IDENTITY "boxcar-secret-key-" /* X25519 secret key: BOXCAR-SECRET-KEY-1... */
#define BX_KEY_TEXT_SIGNER "boxcar-sign"          /* Ed25519 public key: boxcar-sign1... */
#define BX_KEY_TEXT_SIGN_SEED "boxcar-sign-key-"  /* Ed25519 seed: BOXCAR-SIGN-KEY-1... */

#endif
