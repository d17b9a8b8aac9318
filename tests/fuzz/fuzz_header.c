/* Block headers, and HEAD with its stanzas: bytes 0..128 are a header, the rest the body of a HEAD.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "archive/head.h"
#include "base/crc32c.h"
#include "base/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t header[128], stored[128], identity[32];
	const uint8_t *identities[1] = { identity };
	struct bx_block_header h;
	struct bx_segment_key *key = NULL;
	struct bx_head head;
	struct bx_span body;

	if (size < sizeof(header))
		return 0;
	memcpy(header, data, sizeof(header));
	memcpy(header, BX_ARCHIVE_MAGIC, BX_ARCHIVE_MAGIC_LEN);
	bx_block_header_place(header, 0, 0); /* renews the CRC */
	if (bx_block_header_parse(&h, header, 0, NULL) != BX_STATUS_CLEAN)
		return 0;
	/* What was accepted is stored again as it was, reserved bytes aside. */
	bx_block_header_store(&h, stored);
	if (memcmp(header + 16, stored + 16, 88) != 0)
		abort();
	body = (struct bx_span){ data + sizeof(header), size - sizeof(header) };
	h.body_len = (uint32_t)body.len;
	bx_block_header_store(&h, header);
	if (bx_head_parse(&head, header, body, 0, NULL) != BX_STATUS_CLEAN)
		return 0;
	memset(identity, 0x11, sizeof(identity));
	if (bx_head_unlock(&key, header, body, identities, 1, 0, NULL) == BX_STATUS_CLEAN)
		bx_segment_key_free(key);
	return 0;
}
