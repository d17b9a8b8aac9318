#include "archive/block_header.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/writer.h"

/*
 * off size  field                      off size  field
 *   0    8  magic                       44    4  body_crc
 *   8    1  type                        48   24  nonce
 *   9    1  flags                       72   16  tag
 *  10    1  version                     88    8  index_back
 *  11    1  suite                       96    8  page_off
 *  12    4  header_crc                 104   24  zero
 *  16   16  segment_id
 *  32    8  seq
 *  40    4  body_len
 */
enum {
	AT_TYPE = 8,
	AT_FLAGS = 9,
	AT_VERSION = 10,
	AT_SUITE = 11,
	AT_CRC = 12,
	AT_SEGMENT = 16,
	AT_SEQ = 32,
	AT_BODY_LEN = 40,
	AT_BODY_CRC = 44,
	AT_NONCE = 48,
	AT_TAG = 72,
	AT_INDEX_BACK = 88,
	AT_PAGE_OFF = 96,
	AT_ZERO = 104,
};

enum { HEADER_VERSION = 1 };

static uint32_t
header_crc(const uint8_t *bytes)
{
	static const uint8_t zero[4] = { 0 };
	uint32_t crc = bx_crc32c(0, (struct bx_span){ bytes, AT_CRC });

	crc = bx_crc32c(crc, (struct bx_span){ zero, 4 });
	return bx_crc32c(crc, (struct bx_span){ bytes + AT_CRC + 4, BX_HEADER_LEN - AT_CRC - 4 });
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* The bits, the suite, the nonce and the tag that each type may have. */
static bool
flags_fit(const struct bx_block_header *h)
{
	bool covered = (h->flags & (BX_BLOCK_ENCRYPTED | BX_BLOCK_MAC_ONLY)) != 0;

	if (covered != (h->suite != BX_SUITE_NONE))
		return false;
	if ((!covered && !is_zero(h->tag, sizeof(h->tag))) ||
	    ((h->flags & BX_BLOCK_ENCRYPTED) == 0 && !is_zero(h->nonce, sizeof(h->nonce))))
		return false;
	if ((h->flags & BX_BLOCK_LAST) != 0 && h->type != BX_BLOCK_TAIL)
		return false;
	if (h->type == BX_BLOCK_HEAD)
		return h->flags == 0;
	if (h->type == BX_BLOCK_HEADCOPY)
		return h->flags == BX_BLOCK_MAC_ONLY;
	return (h->flags & BX_BLOCK_MAC_ONLY) == 0;
}

static enum bx_status
check(const struct bx_block_header *h, uint64_t offset, struct bx_fault *fault)
{
	if (h->type == 0 || (h->type > BX_BLOCK_HEADCOPY && h->type < BX_BLOCK_IGNORABLE))
		return bx_status_set(fault, BX_STATUS_UNSUPPORTED, offset,
				     "a block of a type that this version does not know");
	if ((h->flags & ~(unsigned)BX_BLOCK_FLAGS) != 0)
		return bx_status_set(fault, BX_STATUS_UNSUPPORTED, offset,
				     "a block with flags that this version does not know");
	if (h->suite > BX_SUITE_XCHACHA20POLY1305)
		return bx_status_set(fault, BX_STATUS_UNSUPPORTED, offset,
				     "a block encrypted in a way that this version does not know");
	if (!flags_fit(h))
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset,
				     "the flags of a block header contradict its type");
	if (h->body_len > BX_BODY_LEN_MAX)
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset,
				     "the body of a block is longer than 2^28 bytes");
	if ((h->type == BX_BLOCK_HEAD && h->body_len > BX_HEAD_LEN_MAX) ||
	    (h->type == BX_BLOCK_HEADCOPY && h->body_len > BX_HEADER_LEN + BX_HEAD_LEN_MAX) ||
	    (h->type == BX_BLOCK_TAIL && h->body_len > BX_PAGE - BX_HEADER_LEN))
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset,
				     "a block is longer than its type can be");
	if (h->seq > BX_SEQ_MAX)
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset,
				     "the number of a block is over 2^48");
	if ((h->flags & BX_BLOCK_ENCRYPTED) != 0 &&
	    (BX_HEADER_LEN + (uint64_t)h->body_len) % BX_PAGE != 0)
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset,
				     "an encrypted block does not fill its pages");
	if ((h->type == BX_BLOCK_HEAD) != (h->seq == 0))
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset,
				     "HEAD and only HEAD is block 0");
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_block_header_parse(struct bx_block_header *h, const uint8_t bytes[static 128], uint64_t offset,
		      struct bx_fault *fault)
{
	if (memcmp(bytes, BX_ARCHIVE_MAGIC, BX_ARCHIVE_MAGIC_LEN) != 0)
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset, "no block begins here");
	if (bx_load_le32(bytes + AT_CRC) != header_crc(bytes))
		return bx_status_set(fault, BX_STATUS_DAMAGED, offset,
				     "the CRC of a block header does not match");
	if (bytes[AT_VERSION] != HEADER_VERSION)
		return bx_status_set(fault, BX_STATUS_UNSUPPORTED, offset,
				     "a block header of a version that is not known");

	struct bx_block_header got = {
		.type = bytes[AT_TYPE],
		.flags = bytes[AT_FLAGS],
		.suite = bytes[AT_SUITE],
		.seq = bx_load_le64(bytes + AT_SEQ),
		.body_len = bx_load_le32(bytes + AT_BODY_LEN),
		.body_crc = bx_load_le32(bytes + AT_BODY_CRC),
		.index_back = bx_load_le64(bytes + AT_INDEX_BACK),
		.page_off = bx_load_le64(bytes + AT_PAGE_OFF),
	};

	memcpy(got.segment_id, bytes + AT_SEGMENT, sizeof(got.segment_id));
	memcpy(got.nonce, bytes + AT_NONCE, sizeof(got.nonce));
	memcpy(got.tag, bytes + AT_TAG, sizeof(got.tag));

	enum bx_status status = check(&got, offset, fault);

	if (status == BX_STATUS_CLEAN)
		*h = got;
	return status;
}

void
bx_block_header_store(const struct bx_block_header *h, uint8_t bytes[static 128])
{
	memset(bytes, 0, BX_HEADER_LEN);
	memcpy(bytes, BX_ARCHIVE_MAGIC, BX_ARCHIVE_MAGIC_LEN);
	bytes[AT_TYPE] = h->type;
	bytes[AT_FLAGS] = h->flags;
	bytes[AT_VERSION] = HEADER_VERSION;
	bytes[AT_SUITE] = h->suite;
	memcpy(bytes + AT_SEGMENT, h->segment_id, sizeof(h->segment_id));
	bx_store_le64(bytes + AT_SEQ, h->seq);
	bx_store_le32(bytes + AT_BODY_LEN, h->body_len);
	bx_store_le32(bytes + AT_BODY_CRC, h->body_crc);
	memcpy(bytes + AT_NONCE, h->nonce, sizeof(h->nonce));
	memcpy(bytes + AT_TAG, h->tag, sizeof(h->tag));
	bx_store_le64(bytes + AT_INDEX_BACK, h->index_back);
	bx_store_le64(bytes + AT_PAGE_OFF, h->page_off);
	bx_store_le32(bytes + AT_CRC, header_crc(bytes));
}

void
bx_block_header_ad(const uint8_t bytes[static 128], uint8_t ad[static 128])
{
	memcpy(ad, bytes, BX_HEADER_LEN);
	memset(ad + AT_CRC, 0, 4);
	memset(ad + AT_BODY_CRC, 0, 4);
	memset(ad + AT_TAG, 0, 16);
	memset(ad + AT_INDEX_BACK, 0, 8);
	memset(ad + AT_PAGE_OFF, 0, 8);
}

void
bx_block_header_place(uint8_t bytes[static 128], uint64_t page_off, uint64_t index_back)
{
	bx_store_le64(bytes + AT_INDEX_BACK, index_back);
	bx_store_le64(bytes + AT_PAGE_OFF, page_off);
	bx_store_le32(bytes + AT_CRC, header_crc(bytes));
}
