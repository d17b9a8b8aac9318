/* One message as the container keeps it, and the channel it came through. */
#ifndef BX_ARCHIVE_RECORD_H
#define BX_ARCHIVE_RECORD_H

#include "base/message.h"

/* Bits of bx_archive_record.flags: the flags column of DATA (docs/format.md "DATA"). */
enum {
	BX_RECORD_SEALED = 1u << 0,   /* the payload is a cryptobox */
	BX_RECORD_PPT = 1u << 1,      /* the payload is under payload passthru */
	BX_RECORD_UNPARSED = 1u << 2, /* not understood; kept as it came */
	BX_RECORD_NO_TIME = 1u << 3,  /* the time is not known */
	BX_RECORD_PLAIN = 1u << 4,    /* of a payload-bearing type, and not sealed */
};

/* Transports. */
enum bx_transport {
	BX_TRANSPORT_UNKNOWN = 0,
	BX_TRANSPORT_WEBSOCKET = 1,
	BX_TRANSPORT_RAWSOCKET = 2,
};

/* Bits of bx_archive_channel.flags. */
enum {
	BX_CHANNEL_BATCHED = 1u << 0,
	BX_CHANNEL_HAS_CONN = 1u << 1,    /* else conn is 0 */
	BX_CHANNEL_HAS_SESSION = 1u << 2, /* else session is 0 */
};

struct bx_archive_channel {
	uint64_t session;
	uint64_t conn;
	struct bx_span realm; /* empty: not known */
	uint8_t dir;          /* enum bx_dir */
	uint8_t ser;          /* enum bx_ser */
	uint8_t transport;    /* enum bx_transport */
	uint8_t flags;        /* BX_CHANNEL_... */
};

struct bx_archive_record {
	int64_t ts; /* ns since the epoch; with BX_RECORD_NO_TIME it is not looked at */
	const struct bx_archive_channel *channel;
	struct bx_span uri; /* empty: not known. At most BX_ARCHIVE_URI_MAX bytes of any value */
	struct bx_span body;
	uint16_t code; /* WAMP code, 0: not known; 65535 is not allowed */
	uint8_t flags; /* BX_RECORD_... */
};

/* Sums over records: of a block, a leaf, a segment. Times are of records that have one. */
struct bx_totals {
	uint64_t records;
	uint64_t sealed;
	uint64_t plain;
	uint64_t ppt;
	uint64_t unparsed;
	uint64_t dropped;   /* lost by the recorder, as it said */
	uint64_t raw_bytes; /* message bodies */
	int64_t ts_min;     /* no times: INT64_MAX */
	int64_t ts_max;     /* no times: INT64_MIN */
};

#define BX_TOTALS_NONE ((struct bx_totals){ .ts_min = INT64_MAX, .ts_max = INT64_MIN })

/* 72 bytes on disk: the seven counters, ts_min, ts_max (docs/format.md "Totals"). */
void bx_record_totals_store(const struct bx_totals *totals, uint8_t *out);
void bx_record_totals_load(struct bx_totals *totals, const uint8_t *in);

/* 24 bytes on disk; the realm is a number in a table that the caller keeps. */
void bx_record_channel_store(const struct bx_archive_channel *channel, uint32_t realm,
			     uint8_t *out);
/* Sets all but the realm's text; *realm is its number. False: an unknown direction or flag. */
bool bx_record_channel_load(struct bx_archive_channel *channel, uint32_t *realm, const uint8_t *in);

/* sum += part; counters saturate. */
void bx_record_sum(struct bx_totals *sum, const struct bx_totals *part);

/* One row of counters by WAMP code. */
struct bx_type_count {
	uint16_t code; /* BX_CODE_REST: all the others */
	uint64_t count;
	uint64_t sealed;
	uint64_t plain;
	uint64_t bytes;
};

/* sum += part, saturating; the code is left alone. */
void bx_record_count(struct bx_type_count *sum, const struct bx_type_count *part);

#endif
