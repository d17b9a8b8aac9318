#include "frame/websocket.h"

static bool
opcode_known(uint8_t opcode)
{
	return opcode <= BX_WS_BINARY || (opcode >= BX_WS_CLOSE && opcode <= BX_WS_PONG);
}

/* The rules that a head can break by itself (RFC 6455 5.2, 5.5). */
static const char *
head_defect(const struct bx_websocket_head *head, uint8_t first, uint8_t len7)
{
	if ((first & 0x30) != 0)
		return "reserved bits of a WebSocket frame are set";
	if (!opcode_known(head->opcode))
		return "WebSocket frame of a reserved opcode";
	if (head->opcode >= BX_WS_CLOSE) {
		if (!head->fin)
			return "a WebSocket control frame is fragmented";
		if (head->len > 125)
			return "a WebSocket control frame is longer than 125 bytes";
		if (head->compressed)
			return "a WebSocket control frame is compressed";
		if (head->opcode == BX_WS_CLOSE && head->len == 1)
			return "a WebSocket close frame has half a status code";
	}
	if (head->len >> 63 != 0)
		return "a WebSocket length has its top bit set";
	if ((len7 == 126 && head->len < 126) || (len7 == 127 && head->len <= UINT16_MAX))
		return "a WebSocket length is not in its shortest form";
	return NULL;
}

enum bx_step
bx_websocket_head(struct bx_cursor *c, struct bx_websocket_head *head, const char **what)
{
	uint8_t first = bx_take_u8(c);
	uint8_t second = bx_take_u8(c);

	*head = (struct bx_websocket_head){ .head_len = 2 };
	if (c->bad)
		return BX_STEP_MORE;

	uint8_t len7 = second & 0x7f;

	head->opcode = first & 0x0f;
	head->fin = (first & 0x80) != 0;
	head->compressed = (first & 0x40) != 0;
	head->masked = (second & 0x80) != 0;
	head->len = len7;
	if (len7 == 126)
		head->len = bx_take_be16(c);
	else if (len7 == 127)
		head->len = bx_take_be64(c);
	head->head_len += len7 == 126 ? 2 : len7 == 127 ? 8 : 0;
	head->head_len += head->masked ? 4 : 0;
	if (c->bad)
		return BX_STEP_MORE;
	*what = head_defect(head, first, len7);
	if (*what != NULL)
		return BX_STEP_FAIL;
	if (!head->masked)
		return BX_STEP_ITEM;

	struct bx_span mask = bx_take(c, 4);

	if (c->bad)
		return BX_STEP_MORE;
	memcpy(head->mask, mask.ptr, 4);
	return BX_STEP_ITEM;
}

void
bx_websocket_unmask(const uint8_t *in, size_t len, const uint8_t mask[static 4], size_t phase,
		    uint8_t *out)
{
	uint8_t turned[8];
	uint64_t word;
	size_t i = 0;

	for (size_t j = 0; j < sizeof(turned); j++)
		turned[j] = mask[(phase + j) & 3];
	memcpy(&word, turned, sizeof(word));
	for (; len - i >= 8; i += 8) {
		uint64_t v;

		memcpy(&v, in + i, 8);
		v ^= word;
		memcpy(out + i, &v, 8);
	}
	for (; i < len; i++)
		out[i] = in[i] ^ turned[i & 7];
}
