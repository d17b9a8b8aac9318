/* Errors: a code to branch on, and a record with the message to print. */
#ifndef BOXCAR_FAIL_H
#define BOXCAR_FAIL_H

#include "boxcar/span.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bx_err {
	BX_OK = 0,
	BX_ERR_SYS,         /* a system call failed; `sys` holds errno       (exit 1) */
	BX_ERR_NOMEM,       /* memory could not be had                       (exit 1) */
	BX_ERR_USAGE,       /* an option, keyring or configuration is wrong  (exit 2) */
	BX_ERR_FORMAT,      /* the input is damaged or is something else     (exit 4) */
	BX_ERR_LIMIT,       /* larger or deeper than is accepted             (exit 4) */
	BX_ERR_NOKEY,       /* a key is missing or does not fit              (exit 5) */
	BX_ERR_AUTH,        /* something did not authenticate                (exit 5) */
	BX_ERR_PEER,        /* router or broker refused, closed, timed out   (exit 6) */
	BX_ERR_UNSUPPORTED, /* valid, but of a kind this version cannot read (exit 4) */
	BX_ERR_INTERRUPTED, /* the caller asked to stop                      (exit 130/143) */
};

/* Offset of a fail that has no place in the input. */
#define BX_NOWHERE UINT64_MAX

/*
 * Owned by the caller, filled once where the cause is first seen: the first cause wins.
 * `msg` and `hint` never hold key bytes or plaintext. Start it at { 0 }.
 */
struct bx_fail {
	enum bx_err code;
	int sys;         /* errno, or 0 */
	uint64_t offset; /* byte offset in the input, or BX_NOWHERE */
	char msg[256];   /* lower case, no final stop */
	char hint[160];  /* what to do next, or "" */
};

/*
 * Fills `fail` unless it is NULL or already filled, and returns `code`, so that a function can end
 * with `return bx_fail_set(...)`.
 */
BX_PUBLIC enum bx_err bx_fail_set(struct bx_fail *fail, enum bx_err code, int sys, uint64_t offset,
				  const char *fmt, ...) BX_PRINTF(5, 6);

/* Adds the next thing to do; only the first hint is kept. */
BX_PUBLIC void bx_fail_hint(struct bx_fail *fail, const char *fmt, ...) BX_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif

#endif
