/* The grammar of WAMP envelopes, shared by the three walkers: which element is what. */
#ifndef BX_CODEC_SHAPE_H
#define BX_CODEC_SHAPE_H

#include "base/message.h"

/* Kinds of envelope elements (spec 1.1). */
enum bx_slot {
	BX_SLOT_REQUEST,      /* id -> request */
	BX_SLOT_SUBJECT,      /* id -> subject */
	BX_SLOT_PUBLICATION,  /* id -> publication */
	BX_SLOT_REQUEST_TYPE, /* ERROR's request.type */
	BX_SLOT_DICT,         /* -> dict */
	BX_SLOT_DICT_LAST,    /* an optional dict that ends the message (UNSUBSCRIBE options) */
	BX_SLOT_URI,          /* string -> uri */
	BX_SLOT_URI_OR_NULL,  /* HELLO's realm */
	BX_SLOT_TEXT,         /* a string that is not kept (signature, method) */
};

/*
 * One row for each type: the elements after the code, in order, then how many array elements (the
 * code included) are the least and the most. payload_at is P, or 0 for types without payload.
 */
struct bx_shape {
	uint16_t type;
	uint8_t slot_count;
	uint8_t min_len;
	uint8_t max_len;
	uint8_t payload_at;
	uint8_t slots[4];
};

/* NULL: no such type (an extension, or a protocol error). */
const struct bx_shape *bx_shape_of(uint64_t code);

/* Largest id (spec 1.1): 2^53. */
#define BX_ID_MAX (1ull << 53)

/* Keys of options and details that are looked at; anything else is BX_DICT_OTHER. */
enum bx_dict_key {
	BX_DICT_OTHER = 0,
	BX_DICT_ENC_ALGO,
	BX_DICT_ENC_SERIALIZER,
	BX_DICT_ENC_KEY,
	BX_DICT_TOPIC,     /* EVENT */
	BX_DICT_PROCEDURE, /* INVOCATION */
	BX_DICT_PROGRESS,
	BX_DICT_MATCH,       /* SUBSCRIBE, REGISTER */
	BX_DICT_ACKNOWLEDGE, /* PUBLISH */
	BX_DICT_RETAINED,    /* EVENT */
	BX_DICT_PPT_SCHEME,
	BX_DICT_SUBSCRIPTION, /* UNSUBSCRIBED, router-initiated -> subject */
	BX_DICT_REGISTRATION, /* UNREGISTERED, router-initiated -> subject */
};

/* Which key this is for a message of `type`; cheap: decided by length first. */
enum bx_dict_key bx_shape_key(uint16_t type, struct bx_span key);

/* enc_algo and enc_serializer values by the grammar of spec 1.3. */
enum bx_enc bx_shape_enc_algo(struct bx_span name);
enum bx_enc bx_shape_enc_serializer(struct bx_span name);
enum bx_match bx_shape_match(struct bx_span name);

#endif
