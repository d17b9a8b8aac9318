/*
 * Byte 0: which upgrade stands in front (7: none, the input has its own) and the limit; byte 1:
 * pace of feeding; then frames. Chopped feeding has to agree with whole feeding.
 */
#include "frame_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const heads[] = {
	"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: wamp.2.json\r\n"
	"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
	"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: wamp.2.json.batched\r\n"
	"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n",
	"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: "
	"wamp.2.cbor.batched\r\n\r\n",
	"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: wamp.2.msgpack\r\n\r\n",
	"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n"
	"Sec-WebSocket-Protocol: "
	"wamp.2.json,wamp.2.json.batched,wamp.2.cbor,wamp.2.cbor.batched\r\n"
	"Sec-WebSocket-Protocol: wamp.2.msgpack,wamp.2.msgpack.batched\r\n"
	"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
	"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: wamp.2.json\r\n\r\n",
	"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
	"",
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bx_framer_options options = { .format = BX_FORMAT_WEBSOCKET,
					     .message_max = DRIVE_MESSAGE_MAX };

	if (size < 2)
		return 0;

	const char *head = heads[data[0] % 8];
	size_t head_len = strlen(head);
	size_t len = head_len + size - 2;
	uint8_t *stream = malloc(len + 1);

	DRIVE_CHECK(stream != NULL);
	memcpy(stream, head, head_len);
	memcpy(stream + head_len, data + 2, size - 2);
	if (data[0] & 0x80)
		options.message_max = 64;
	drive_both(options, (struct bx_span){ stream, len }, data[1]);
	free(stream);
	return 0;
}
