#include "codec/shape.h"

#include "base/cursor.h"

#define REQUEST BX_SLOT_REQUEST
#define SUBJECT BX_SLOT_SUBJECT
#define PUBLICATION BX_SLOT_PUBLICATION
#define REQUEST_TYPE BX_SLOT_REQUEST_TYPE
#define DICT BX_SLOT_DICT
#define DICT_LAST BX_SLOT_DICT_LAST
#define URI BX_SLOT_URI
#define URI_OR_NULL BX_SLOT_URI_OR_NULL
#define TEXT BX_SLOT_TEXT

/* Spec 1.1 and 1.2. */
/* clang-format off */
static const struct bx_shape shapes[] = {
	{ 0, 0, 0, 0, 0, { 0 } }, /* no such type */
	{ BX_HELLO, 2, 3, 3, 0, { URI_OR_NULL, DICT } },
	{ BX_WELCOME, 2, 3, 3, 0, { SUBJECT, DICT } },
	{ BX_ABORT, 2, 3, 3, 0, { DICT, URI } },
	{ BX_CHALLENGE, 2, 3, 3, 0, { TEXT, DICT } },
	{ BX_AUTHENTICATE, 2, 3, 3, 0, { TEXT, DICT } },
	{ BX_GOODBYE, 2, 3, 3, 0, { DICT, URI } },
	{ BX_ERROR, 4, 5, 7, 5, { REQUEST_TYPE, REQUEST, DICT, URI } },
	{ BX_PUBLISH, 3, 4, 6, 4, { REQUEST, DICT, URI } },
	{ BX_PUBLISHED, 2, 3, 3, 0, { REQUEST, PUBLICATION } },
	{ BX_SUBSCRIBE, 3, 4, 4, 0, { REQUEST, DICT, URI } },
	{ BX_SUBSCRIBED, 2, 3, 3, 0, { REQUEST, SUBJECT } },
	{ BX_UNSUBSCRIBE, 3, 3, 4, 0, { REQUEST, SUBJECT, DICT_LAST } },
	{ BX_UNSUBSCRIBED, 2, 2, 3, 0, { REQUEST, DICT_LAST } },
	{ BX_EVENT, 3, 4, 6, 4, { SUBJECT, PUBLICATION, DICT } },
	{ BX_CALL, 3, 4, 6, 4, { REQUEST, DICT, URI } },
	{ BX_CANCEL, 2, 3, 3, 0, { REQUEST, DICT } },
	{ BX_RESULT, 2, 3, 5, 3, { REQUEST, DICT } },
	{ BX_REGISTER, 3, 4, 4, 0, { REQUEST, DICT, URI } },
	{ BX_REGISTERED, 2, 3, 3, 0, { REQUEST, SUBJECT } },
	{ BX_UNREGISTER, 3, 3, 4, 0, { REQUEST, SUBJECT, DICT_LAST } },
	{ BX_UNREGISTERED, 2, 2, 3, 0, { REQUEST, DICT_LAST } },
	{ BX_INVOCATION, 3, 4, 6, 4, { REQUEST, SUBJECT, DICT } },
	{ BX_INTERRUPT, 2, 3, 3, 0, { REQUEST, DICT } },
	{ BX_YIELD, 2, 3, 5, 3, { REQUEST, DICT } },
	{ BX_EVENT_RECEIVED, 1, 2, 2, 0, { PUBLICATION } },
};

/* Type code to row of the table above; 0: none. EVENT_RECEIVED stands apart. */
static const uint8_t rows[BX_YIELD + 1] = {
	[BX_HELLO] = 1, [BX_WELCOME] = 2, [BX_ABORT] = 3, [BX_CHALLENGE] = 4,
	[BX_AUTHENTICATE] = 5, [BX_GOODBYE] = 6, [BX_ERROR] = 7, [BX_PUBLISH] = 8,
	[BX_PUBLISHED] = 9, [BX_SUBSCRIBE] = 10, [BX_SUBSCRIBED] = 11, [BX_UNSUBSCRIBE] = 12,
	[BX_UNSUBSCRIBED] = 13, [BX_EVENT] = 14, [BX_CALL] = 15, [BX_CANCEL] = 16,
	[BX_RESULT] = 17, [BX_REGISTER] = 18, [BX_REGISTERED] = 19, [BX_UNREGISTER] = 20,
	[BX_UNREGISTERED] = 21, [BX_INVOCATION] = 22, [BX_INTERRUPT] = 23, [BX_YIELD] = 24,
};
/* clang-format on */

#define ROW_EVENT_RECEIVED 25

const struct bx_shape *
bx_shape_of(uint64_t code)
{
	if (code <= BX_YIELD)
		return rows[code] != 0 ? &shapes[rows[code]] : NULL;
	return code == BX_EVENT_RECEIVED ? &shapes[ROW_EVENT_RECEIVED] : NULL;
}

static bool
is(struct bx_span key, const char *text)
{
	return memcmp(key.ptr, text, key.len) == 0;
}

enum bx_dict_key
bx_shape_key(uint16_t type, struct bx_span key)
{
	switch (key.len) {
	case 5:
		if (type == BX_EVENT && is(key, "topic"))
			return BX_DICT_TOPIC;
		if ((type == BX_SUBSCRIBE || type == BX_REGISTER) && is(key, "match"))
			return BX_DICT_MATCH;
		break;
	case 7:
		if (is(key, "enc_key"))
			return BX_DICT_ENC_KEY;
		break;
	case 8:
		if (is(key, "enc_algo"))
			return BX_DICT_ENC_ALGO;
		if (is(key, "progress"))
			return BX_DICT_PROGRESS;
		if (type == BX_EVENT && is(key, "retained"))
			return BX_DICT_RETAINED;
		break;
	case 9:
		if (type == BX_INVOCATION && is(key, "procedure"))
			return BX_DICT_PROCEDURE;
		break;
	case 10:
		if (is(key, "ppt_scheme"))
			return BX_DICT_PPT_SCHEME;
		break;
	case 11:
		if (type == BX_PUBLISH && is(key, "acknowledge"))
			return BX_DICT_ACKNOWLEDGE;
		break;
	case 12:
		if (type == BX_UNSUBSCRIBED && is(key, "subscription"))
			return BX_DICT_SUBSCRIPTION;
		if (type == BX_UNREGISTERED && is(key, "registration"))
			return BX_DICT_REGISTRATION;
		break;
	case 14:
		if (is(key, "enc_serializer"))
			return BX_DICT_ENC_SERIALIZER;
		break;
	default:
		break;
	}
	return BX_DICT_OTHER;
}

/* ^x_([a-z][0-9a-z_]+)?$ of spec 1.3: "x_" and "x_ab", but not "x_a". */
static bool
is_custom(struct bx_span name)
{
	if (name.len < 2 || name.ptr[0] != 'x' || name.ptr[1] != '_')
		return false;
	if (name.len == 2)
		return true;
	if (name.len == 3 || name.ptr[2] < 'a' || name.ptr[2] > 'z')
		return false;
	for (size_t i = 3; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return true;
}

enum bx_enc
bx_shape_enc_algo(struct bx_span name)
{
	if (bx_span_is(name, "cryptobox"))
		return BX_ENC_OURS;
	if (bx_span_is(name, "mqtt") || bx_span_is(name, "xbr") || is_custom(name))
		return BX_ENC_FOREIGN;
	return BX_ENC_INVALID;
}

enum bx_enc
bx_shape_enc_serializer(struct bx_span name)
{
	if (bx_span_is(name, "json"))
		return BX_ENC_OURS;
	if (bx_span_is(name, "msgpack") || bx_span_is(name, "cbor") || bx_span_is(name, "ubjson") ||
	    bx_span_is(name, "flatbuffers") || is_custom(name))
		return BX_ENC_FOREIGN;
	return BX_ENC_INVALID;
}

enum bx_match
bx_shape_match(struct bx_span name)
{
	if (bx_span_is(name, "exact"))
		return BX_MATCH_EXACT;
	if (bx_span_is(name, "prefix"))
		return BX_MATCH_PREFIX;
	if (bx_span_is(name, "wildcard"))
		return BX_MATCH_WILDCARD;
	return BX_MATCH_ODD;
}
