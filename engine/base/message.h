/* The shape of one WAMP message: what `codec` fills, and what `keys` and `pipe` read. */
#ifndef BX_BASE_MESSAGE_H
#define BX_BASE_MESSAGE_H

#include <stdbool.h>

#include "boxcar/span.h"

/* Serializers. The values are those of the RawSocket handshake and of the container. */
enum bx_ser {
	BX_SER_UNKNOWN = 0,
	BX_SER_JSON = 1,
	BX_SER_MSGPACK = 2,
	BX_SER_CBOR = 3,
	BX_SER_UBJSON = 4,      /* carried, never looked into */
	BX_SER_FLATBUFFERS = 5, /* carried, never looked into */
};

/* Directions. The values are those of the container. */
enum bx_dir { BX_DIR_C2R = 0, BX_DIR_R2C = 1, BX_DIR_UNKNOWN = 2 };

/* WAMP message codes (WAMP "Message Codes and Direction"). */
enum bx_type {
	BX_HELLO = 1,
	BX_WELCOME = 2,
	BX_ABORT = 3,
	BX_CHALLENGE = 4,
	BX_AUTHENTICATE = 5,
	BX_GOODBYE = 6,
	BX_ERROR = 8,
	BX_PUBLISH = 16,
	BX_PUBLISHED = 17,
	BX_SUBSCRIBE = 32,
	BX_SUBSCRIBED = 33,
	BX_UNSUBSCRIBE = 34,
	BX_UNSUBSCRIBED = 35,
	BX_EVENT = 36,
	BX_CALL = 48,
	BX_CANCEL = 49,
	BX_RESULT = 50,
	BX_REGISTER = 64,
	BX_REGISTERED = 65,
	BX_UNREGISTER = 66,
	BX_UNREGISTERED = 67,
	BX_INVOCATION = 68,
	BX_INTERRUPT = 69,
	BX_YIELD = 70,
	BX_EVENT_RECEIVED = 337,
};

/* What stands at the payload slot P of the seven payload-bearing types. */
enum bx_payload {
	BX_PAYLOAD_NONE = 0, /* not such a type, or the array ends before P */
	BX_PAYLOAD_PLAIN,    /* a list or null at P (args), perhaps kwargs after it */
	BX_PAYLOAD_BINARY,   /* one bare binary at P, nothing after it: payload transparency */
	BX_PAYLOAD_ODD,      /* anything else at P (text, binary plus kwargs, map, ...) */
};

/* Options "enc_algo" and "enc_serializer". Absent and null are the same. */
enum bx_enc {
	BX_ENC_ABSENT = 0,
	BX_ENC_OURS,    /* "cryptobox" / "json" */
	BX_ENC_FOREIGN, /* another valid name: mqtt, xbr, x_...; msgpack, cbor, ... */
	BX_ENC_INVALID, /* a name outside the grammar, or not a string: a protocol error */
};

/* SUBSCRIBE and REGISTER option "match". */
enum bx_match { BX_MATCH_EXACT = 0, BX_MATCH_PREFIX, BX_MATCH_WILDCARD, BX_MATCH_ODD };

/* Bits of bx_message.flags. */
enum {
	BX_MSG_URI_IN_ENVELOPE = 1u << 0, /* uri is the topic, procedure or error of the array */
	BX_MSG_URI_IN_DETAILS = 1u << 1,  /* uri is details.topic or details.procedure */
	BX_MSG_PROGRESS = 1u << 2,        /* options/details hold progress:true */
	BX_MSG_ENC_KEYS = 1u << 3, /* the dict holds any of enc_algo, enc_serializer, enc_key */
	BX_MSG_PPT = 1u << 4, /* non-empty ppt_scheme and the args are one list of one binary */
	BX_MSG_BOX_EMPTY = 1u << 5,   /* payload is BINARY of length 0 */
	BX_MSG_EXTENSION = 1u << 6,   /* code 256..1023: passed through, not looked into */
	BX_MSG_ACKNOWLEDGE = 1u << 7, /* PUBLISH option acknowledge:true */
	BX_MSG_RETAINED = 1u << 8,    /* EVENT detail retained:true */
};

/* A piece of the message, relative to bx_message.bytes. */
struct bx_piece {
	uint32_t off;
	uint32_t len;
};

/*
 * Filled by bx_codec.scan from `bytes`/`len`, which the caller sets first. All pieces lie inside
 * the message. `uri` is decoded UTF-8: it points into the message, or, where the text was escaped
 * or chunked, into the scratch given to the scan; it lives as long as both.
 */
struct bx_message {
	const uint8_t *bytes;
	uint32_t len;
	uint16_t type;          /* enum bx_type, or an extension code */
	uint8_t ser;            /* enum bx_ser */
	uint8_t payload;        /* enum bx_payload */
	uint16_t flags;         /* BX_MSG_... */
	uint16_t request_type;  /* ERROR only: 16, 32, 34, 48, 64, 66 or 68 */
	uint8_t enc_algo;       /* enum bx_enc */
	uint8_t enc_serializer; /* enum bx_enc */
	uint8_t match;          /* enum bx_match */
	uint8_t count_known;    /* binary serializers with a definite array: 1 */
	struct bx_piece
	    dict; /* options or details, delimiters included; len 0: the type has none */
	struct bx_piece
	    rest; /* from slot P to the end of the message (JSON: up to, not with, "]") */
	uint32_t rest_count; /* elements in `rest` when count_known, else 0 */
	uint32_t uri_len;
	const uint8_t
	    *uri; /* topic, procedure, error URI; realm of HELLO; reason of ABORT, GOODBYE */
	uint64_t request;     /* request id, where the type has one */
	uint64_t subject;     /* subscription or registration id; WELCOME: session id */
	uint64_t publication; /* PUBLISHED, EVENT, EVENT_RECEIVED */
};

static inline struct bx_span
bx_message_span(const struct bx_message *m)
{
	return (struct bx_span){ m->bytes, m->len };
}

static inline struct bx_span
bx_message_piece(const struct bx_message *m, struct bx_piece p)
{
	return (struct bx_span){ m->bytes + p.off, p.len };
}

static inline struct bx_span
bx_message_uri(const struct bx_message *m)
{
	return (struct bx_span){ m->uri, m->uri_len };
}

/* True for the seven types that carry a payload. */
static inline bool
bx_type_has_payload(uint16_t type)
{
	return type == BX_PUBLISH || type == BX_EVENT || type == BX_CALL || type == BX_RESULT ||
	       type == BX_INVOCATION || type == BX_YIELD || type == BX_ERROR;
}

/* "PUBLISH", ...; "EXTENSION" for 256..1023, "UNKNOWN" for the rest. */
const char *bx_type_name(uint16_t type);

/* Inverse of bx_type_name for the table's names (any case); 0 when there is none. */
uint16_t bx_type_of_name(struct bx_span name);

/* "json", "msgpack", "cbor", "ubjson", "flatbuffers", "unknown". */
const char *bx_ser_name(enum bx_ser ser);
enum bx_ser bx_ser_of_name(struct bx_span name);

#endif
