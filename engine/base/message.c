#include "base/message.h"

#include <strings.h>

#include "base/cursor.h"

static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	{ BX_HELLO, "HELLO" },
	{ BX_WELCOME, "WELCOME" },
	{ BX_ABORT, "ABORT" },
	{ BX_CHALLENGE, "CHALLENGE" },
	{ BX_AUTHENTICATE, "AUTHENTICATE" },
	{ BX_GOODBYE, "GOODBYE" },
	{ BX_ERROR, "ERROR" },
	{ BX_PUBLISH, "PUBLISH" },
	{ BX_PUBLISHED, "PUBLISHED" },
	{ BX_SUBSCRIBE, "SUBSCRIBE" },
	{ BX_SUBSCRIBED, "SUBSCRIBED" },
	{ BX_UNSUBSCRIBE, "UNSUBSCRIBE" },
	{ BX_UNSUBSCRIBED, "UNSUBSCRIBED" },
	{ BX_EVENT, "EVENT" },
	{ BX_CALL, "CALL" },
	{ BX_CANCEL, "CANCEL" },
	{ BX_RESULT, "RESULT" },
	{ BX_REGISTER, "REGISTER" },
	{ BX_REGISTERED, "REGISTERED" },
	{ BX_UNREGISTER, "UNREGISTER" },
	{ BX_UNREGISTERED, "UNREGISTERED" },
	{ BX_INVOCATION, "INVOCATION" },
	{ BX_INTERRUPT, "INTERRUPT" },
	{ BX_YIELD, "YIELD" },
	{ BX_EVENT_RECEIVED, "EVENT_RECEIVED" },
};

static const char *const serializers[] = { "unknown", "json",   "msgpack",
					   "cbor",    "ubjson", "flatbuffers" };

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

const char *
bx_type_name(uint16_t type)
{
	for (size_t i = 0; i < ITEMS(types); i++)
		if (types[i].type == type)
			return types[i].name;
	return type >= 256 && type <= 1023 ? "EXTENSION" : "UNKNOWN";
}

uint16_t
bx_type_of_name(struct bx_span name)
{
	for (size_t i = 0; i < ITEMS(types); i++)
		if (strlen(types[i].name) == name.len &&
		    strncasecmp(types[i].name, (const char *)name.ptr, name.len) == 0)
			return types[i].type;
	return 0;
}

const char *
bx_ser_name(enum bx_ser ser)
{
	return (size_t)ser < ITEMS(serializers) ? serializers[ser] : serializers[0];
}

enum bx_ser
bx_ser_of_name(struct bx_span name)
{
	for (size_t i = 1; i < ITEMS(serializers); i++)
		if (bx_span_is(name, serializers[i]))
			return (enum bx_ser)i;
	return BX_SER_UNKNOWN;
}
