/* The formats of recordings, their names and how they are recognised (cli.md "Formats"). */
#ifndef BOXCAR_FORMAT_H
#define BOXCAR_FORMAT_H

#include <stdbool.h>

#include "boxcar/fail.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bx_format {
	BX_FORMAT_UNKNOWN = 0,
	BX_FORMAT_RAWSOCKET,
	BX_FORMAT_MSGPACK,
	BX_FORMAT_CBOR,
	BX_FORMAT_JSONL,
	BX_FORMAT_TRACE,
	BX_FORMAT_WEBSOCKET, /* input only */
	BX_FORMAT_BATCHED_JSON,
	BX_FORMAT_BATCHED_MSGPACK,
	BX_FORMAT_BATCHED_CBOR,
	BX_FORMAT_BOXCAR,
	BX_FORMAT_MCAP,
	BX_FORMAT_PCAP,
	BX_FORMAT_PCAPNG,
	BX_FORMAT_COUNT
};

/* "rawsocket", ..., or "unknown". */
BX_PUBLIC const char *bx_format_name(enum bx_format format);

/* "rawsocket", "rawsocket.zst", "jsonl.zst", ...; UNKNOWN when there is none. *zst may be NULL. */
BX_PUBLIC enum bx_format bx_format_of_name(const char *name, bool *zst);

/* By the suffix of a file name (".rs", ".trace.jsonl.zst", ...). */
BX_PUBLIC enum bx_format bx_format_of_path(const char *path, bool *zst);

/* Nearest name for "did you mean", or NULL. */
BX_PUBLIC const char *bx_format_nearest(const char *name);

#ifdef __cplusplus
}
#endif

#endif
