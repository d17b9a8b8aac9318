/*
 * The content of DATA and INDEX blocks that is wrong although every CRC is right: columns, tables,
 * lengths, zstd frames, bombs (fault-matrix rows 11 and 12).
 */
#include <criterion/criterion.h>

#include "archive/data_layout.h"
#include "archive/index_layout.h"
#include "archive/zstd_frame.h"
#include "archive_kit.h"

TestSuite(block, .timeout = 60);

static const struct bx_block_key no_key = { .encrypted = false };

/* A plain block around `inner`. */
static size_t
wrap(uint8_t *block, uint8_t type, const uint8_t *inner, size_t len)
{
	size_t total = (size_t)bx_block_header_total((uint32_t)len);
	struct bx_block_header h = { .type = type, .seq = 1, .body_len = (uint32_t)len };

	memset(block, 0, total);
	memcpy(block + 128, inner, len);
	bx_block_key_finish(&no_key, &h, block, total);
	bx_block_header_place(block, 1, 0);
	return total;
}

static enum bx_status
load(uint8_t type, const uint8_t *inner, size_t len, const char **what)
{
	uint8_t *block = malloc(len + 2 * BX_PAGE);
	size_t total = wrap(block, type, inner, len);
	struct bx_block_reader *r;
	struct bx_fault fault = { 0 };
	enum bx_status status;

	cr_assert_eq(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL), BX_OK);
	status = bx_block_reader_load(r, (struct bx_span){ block, total }, &no_key, BX_LOAD_BODIES,
				      0, &fault);
	if (type == BX_BLOCK_DATA)
		cr_assert_eq(bx_block_reader_columns(r) != NULL, status == BX_STATUS_CLEAN);
	if (what != NULL)
		*what = fault.what == NULL ? "" : fault.what;
	bx_block_reader_free(r);
	free(block);
	return status;
}

/*
 * The inner part of a block with four records, stored: channels at 96 (two of them), realms at 144
 * (1 + 3 bytes), topics at 148 (1 + 2 + 2 bytes: "", "a", "b"), columns from 153.
 */
enum { M_AT = 96, REALMS = 144, TOPICS = 148, COLUMNS = 153 };

static size_t
make(uint8_t inner[1024])
{
	struct bx_archive_channel up = { .conn = 1,
					 .dir = 0,
					 .flags = BX_CHANNEL_HAS_CONN,
					 .realm = { (const uint8_t *)"rr", 2 } };
	struct bx_archive_channel down = { .dir = 1, .realm = { (const uint8_t *)"rr", 2 } };
	struct bx_archive_record records[4] = {
		{ 1000, &up, { (const uint8_t *)"a", 1 }, { (const uint8_t *)"body0", 5 }, 16, 1 },
		{ 1001,
		  &down,
		  { (const uint8_t *)"b", 1 },
		  { (const uint8_t *)"body01", 6 },
		  36,
		  0 },
		{ 999, &up, { NULL, 0 }, { (const uint8_t *)"b", 1 }, 300, 2 },
		{ 1300, &up, { (const uint8_t *)"a", 1 }, { NULL, 0 }, 1, 16 },
	};
	struct bx_block_builder_options o = BX_BLOCK_BUILDER_DEFAULT;
	struct bx_block_ticket ticket = { .seq = 1 };
	struct bx_sealed_block sealed;
	struct bx_block_builder *b;
	uint8_t block[BX_PAGE];
	uint32_t len;

	o.stored = true;
	cr_assert_eq(bx_block_builder_new(&b, &o, NULL), BX_OK);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(bx_block_builder_add(b, &records[i]), BX_BLOCK_ADDED);
	cr_assert_eq(bx_block_builder_seal(b, block, sizeof(block), &ticket, &sealed, NULL), BX_OK);
	memcpy(&len, block + 40, 4);
	memcpy(inner, block + 128, len);
	bx_block_builder_free(b);
	return len;
}

static const struct change {
	const char *what;
	size_t at, len;
	uint64_t value;
	enum bx_status status;
} changes[] = {
	{ "as it is", 9, 1, 0, BX_STATUS_CLEAN },
	{ "inner_len short", 0, 4, 100, BX_STATUS_DAMAGED },
	{ "inner_len long", 0, 4, 1000, BX_STATUS_DAMAGED },
	{ "meta_len 95", 4, 2, 95, BX_STATUS_DAMAGED },
	{ "meta_len 97", 4, 2, 97, BX_STATUS_DAMAGED },
	{ "meta_len 65535", 4, 2, 65535, BX_STATUS_DAMAGED },
	{ "codec of M 2", 6, 1, 2, BX_STATUS_UNSUPPORTED },
	{ "codec of B 2", 7, 1, 2, BX_STATUS_UNSUPPORTED },
	{ "M is no frame", 6, 1, 1, BX_STATUS_DAMAGED },
	{ "layout 0", 8, 1, 0, BX_STATUS_UNSUPPORTED },
	{ "layout 2", 8, 1, 2, BX_STATUS_UNSUPPORTED },
	{ "no records", 12, 4, 0, BX_STATUS_DAMAGED },
	{ "3 records", 12, 4, 3, BX_STATUS_DAMAGED },
	{ "5 records", 12, 4, 5, BX_STATUS_DAMAGED },
	{ "2^20 records", 12, 4, 1 << 20, BX_STATUS_DAMAGED },
	{ "2^20+1 records", 12, 4, (1 << 20) + 1, BX_STATUS_DAMAGED },
	{ "first_record huge", 16, 8, UINT64_MAX, BX_STATUS_DAMAGED },
	{ "ts_first +1", 24, 8, 1001, BX_STATUS_DAMAGED },
	{ "ts_min", 32, 8, 998, BX_STATUS_DAMAGED },
	{ "ts_max", 40, 8, 1301, BX_STATUS_DAMAGED },
	{ "M stored -1", 48, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
	{ "M raw huge", 52, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
	{ "M raw 128 MiB", 52, 4, 128 << 20, BX_STATUS_LIMIT },
	{ "M raw 70 MiB", 52, 4, 70 << 20, BX_STATUS_DAMAGED },
	{ "B raw huge", 60, 4, (128 << 20) + 1, BX_STATUS_DAMAGED },
	{ "B raw 0", 60, 4, 0, BX_STATUS_DAMAGED },
	{ "no channels", 64, 4, 0, BX_STATUS_DAMAGED },
	{ "1 channel", 64, 4, 1, BX_STATUS_DAMAGED },
	{ "channels huge", 64, 4, 0x0FFFFFFF, BX_STATUS_DAMAGED },
	{ "no topics", 68, 4, 0, BX_STATUS_DAMAGED },
	{ "2 topics", 68, 4, 2, BX_STATUS_DAMAGED },
	{ "topics huge", 68, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
	{ "w_ts 9", 72, 1, 9, BX_STATUS_DAMAGED },
	{ "w_chan 4", 73, 1, 4, BX_STATUS_DAMAGED },
	{ "w_topic 4", 74, 1, 4, BX_STATUS_DAMAGED },
	{ "w_code 3", 75, 1, 3, BX_STATUS_DAMAGED },
	{ "w_len 5", 76, 1, 5, BX_STATUS_DAMAGED },
	{ "w_flags 2", 77, 1, 2, BX_STATUS_DAMAGED },
	{ "w_len 0", 76, 1, 0, BX_STATUS_DAMAGED },
	{ "no realms", 88, 4, 0, BX_STATUS_DAMAGED },
	{ "1 realm", 88, 4, 1, BX_STATUS_DAMAGED },
	{ "9 realms", 88, 4, 9, BX_STATUS_DAMAGED },
	{ "reserved", 92, 4, 7, BX_STATUS_CLEAN },
	{ "realm of a channel", M_AT + 16, 4, 2, BX_STATUS_DAMAGED },
	{ "direction 3", M_AT + 20, 1, 3, BX_STATUS_DAMAGED },
	{ "serializer 200", M_AT + 21, 1, 200, BX_STATUS_CLEAN },
	{ "channel flag", M_AT + 23, 1, 8, BX_STATUS_DAMAGED },
	{ "session without flag", M_AT, 8, 5, BX_STATUS_DAMAGED },
	{ "conn without flag", M_AT + 23, 1, 0, BX_STATUS_DAMAGED },
	{ "realm 0 not empty", REALMS, 1, 1, BX_STATUS_DAMAGED },
	{ "realm too long", REALMS + 1, 1, 100, BX_STATUS_DAMAGED },
	{ "topic 0 not empty", TOPICS, 1, 1, BX_STATUS_DAMAGED },
	{ "topic twice", TOPICS + 4, 1, 'a', BX_STATUS_DAMAGED },
	{ "uleb unterminated", TOPICS + 1, 1, 0x81, BX_STATUS_DAMAGED },
	{ "uleb overlong", TOPICS + 1, 2, 0x0081, BX_STATUS_DAMAGED },
	{ "uleb of five bytes", TOPICS + 1, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
	{ "chan = n_channels", COLUMNS + 8, 1, 2, BX_STATUS_DAMAGED },
	{ "topic = n_topics", COLUMNS + 12, 1, 3, BX_STATUS_DAMAGED },
	{ "sum of lengths +1", COLUMNS + 24, 1, 6, BX_STATUS_DAMAGED },
	{ "sum of lengths -1", COLUMNS + 24, 1, 4, BX_STATUS_DAMAGED },
	{ "code", COLUMNS + 16, 1, 17, BX_STATUS_CLEAN },
	{ "unknown flag bits", COLUMNS + 28, 1, 0xE1, BX_STATUS_CLEAN },
};

Test(block, columns)
{
	uint8_t inner[1024], kept[1024];
	size_t len = make(inner);

	cr_assert_eq(len, COLUMNS + 32 + 12); /* 2+1+1+2+1+1 planes of 4 */
	memcpy(kept, inner, len);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *what;
		enum bx_status status;

		memcpy(inner, kept, len);
		memcpy(inner + changes[i].at, &changes[i].value, changes[i].len);
		status = load(BX_BLOCK_DATA, inner, len, &what);
		cr_assert_eq(status, changes[i].status, "%s: %s (%s)", changes[i].what,
			     bx_status_name(status), what);
	}
	for (size_t cut = 0; cut < len; cut++) /* too short, whatever inner_len says */
		cr_assert_eq(load(BX_BLOCK_DATA, kept, cut, NULL), BX_STATUS_DAMAGED);
}

/* A later minor version: longer meta, bytes after the columns. */
Test(block, extensions)
{
	uint8_t inner[1024], longer[1100];
	size_t len = make(inner);
	uint32_t m_raw;

	memcpy(longer, inner, 96);
	memset(longer + 96, 0xEE, 16);
	memcpy(longer + 112, inner + 96, len - 96);
	longer[4] = 112;
	bx_store_le32(longer, (uint32_t)(len + 16));
	cr_assert_eq(load(BX_BLOCK_DATA, longer, len + 16, NULL), BX_STATUS_CLEAN);

	memcpy(&m_raw, inner + 52, 4);
	memcpy(longer, inner, 96 + m_raw);
	memset(longer + 96 + m_raw, 0xEE, 9);
	memcpy(longer + 96 + m_raw + 9, inner + 96 + m_raw, len - 96 - m_raw);
	bx_store_le32(longer, (uint32_t)(len + 9));
	bx_store_le32(longer + 48, m_raw + 9);
	bx_store_le32(longer + 52, m_raw + 9);
	cr_assert_eq(load(BX_BLOCK_DATA, longer, len + 9, NULL), BX_STATUS_CLEAN);
}

/* --- zstd ------------------------------------------------------------------------------------ */

enum frame {
	FRAME_GOOD,
	FRAME_NO_SIZE,
	FRAME_NO_CHECKSUM,
	FRAME_DICTIONARY,
	FRAME_WINDOW,
	FRAME_TWO,
	FRAME_SKIPPABLE,
	FRAME_TRAILING,
	FRAME_CUT,
	FRAME_CHECKSUM_WRONG,
	FRAME_COUNT
};

static size_t
make_frame(enum frame kind, struct bx_span raw, uint8_t *out, size_t cap)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t len;

	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, kind != FRAME_NO_CHECKSUM);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, kind != FRAME_NO_SIZE);
	if (kind == FRAME_DICTIONARY) { /* a dictionary with an id, made by hand */
		(void)ZSTD_CCtx_setParameter(c, ZSTD_c_dictIDFlag, 1);
	}
	len = ZSTD_compress2(c, out, cap, raw.ptr, raw.len);
	cr_assert(!ZSTD_isError(len));
	if (kind == FRAME_DICTIONARY) {
		/* A frame that names dictionary 5: the descriptor says one byte, and there it is.
		 */
		size_t at = out[4] & 0x20 ? 5 : 6;

		memmove(out + at + 1, out + at, len - at);
		out[at] = 5;
		out[4] |= 1;
		len++;
	} else if (kind == FRAME_WINDOW) {
		/* Window of 2 GiB: not single segment, a window descriptor, size in four bytes. */
		size_t size_len = (size_t[]){ 1, 2, 4, 8 }[out[4] >> 6];

		memmove(out + 10, out + 5 + size_len, len - 5 - size_len);
		len = len - size_len + 5;
		out[4] = (uint8_t)(2u << 6 | 4u);
		out[5] = 21 << 3;
		bx_store_le32(out + 6, (uint32_t)raw.len);
	} else if (kind == FRAME_TWO) {
		size_t half = ZSTD_compress2(c, out, cap, raw.ptr, raw.len / 2);

		len = half + ZSTD_compress2(c, out + half, cap - half, raw.ptr + raw.len / 2,
					    raw.len - raw.len / 2);
	} else if (kind == FRAME_SKIPPABLE) {
		memmove(out + 12, out, len);
		bx_store_le32(out, 0x184D2A50);
		bx_store_le32(out + 4, 4);
		len += 12;
	} else if (kind == FRAME_TRAILING) {
		out[len++] = 0;
	} else if (kind == FRAME_CUT) {
		len--;
	} else if (kind == FRAME_CHECKSUM_WRONG) {
		out[len - 1] ^= 1;
	}
	ZSTD_freeCCtx(c);
	return len;
}

Test(block, zstd)
{
	uint8_t inner[1024], packed[2048], frame[1024];
	size_t len = make(inner);
	uint32_t m_raw, b_raw;

	memcpy(&m_raw, inner + 52, 4);
	memcpy(&b_raw, inner + 60, 4);
	for (unsigned part = 0; part < 2; part++) {
		for (enum frame kind = 0; kind < FRAME_COUNT; kind++) {
			struct bx_span raw = part ? (struct bx_span){ inner + 96 + m_raw, b_raw }
						  : (struct bx_span){ inner + 96, m_raw };
			size_t n = make_frame(kind, raw, frame, sizeof(frame));
			size_t total = len - raw.len + n;
			enum bx_status status;

			memcpy(packed, inner, 96);
			if (part) {
				memcpy(packed + 96, inner + 96, m_raw);
				memcpy(packed + 96 + m_raw, frame, n);
			} else {
				memcpy(packed + 96, frame, n);
				memcpy(packed + 96 + n, inner + 96 + m_raw, b_raw);
			}
			packed[6 + part] = 1;
			bx_store_le32(packed, (uint32_t)total);
			bx_store_le32(packed + 48 + 8 * part, (uint32_t)n);
			status = load(BX_BLOCK_DATA, packed, total, NULL);
			cr_assert_eq(status,
				     kind == FRAME_GOOD ? BX_STATUS_CLEAN : BX_STATUS_DAMAGED,
				     "part %u frame %d: %s", part, kind, bx_status_name(status));
			/* A raw length other than the frame's. */
			bx_store_le32(packed + 52 + 8 * part, (uint32_t)raw.len + 1);
			cr_assert_eq(load(BX_BLOCK_DATA, packed, total, NULL), BX_STATUS_DAMAGED);
		}
	}
}

/* The header of a frame is enough to refuse it; and the check reads nothing beyond. */
Test(block, frame_headers)
{
	uint8_t raw[100000] = { 0 }, frame[200000];

	for (size_t n = 1; n < sizeof(raw); n = n * 3 + 1) {
		size_t len =
		    make_frame(FRAME_GOOD, (struct bx_span){ raw, n }, frame, sizeof(frame));

		cr_assert(bx_zstd_frame_check((struct bx_span){ frame, len }, n));
		cr_assert(!bx_zstd_frame_check((struct bx_span){ frame, len }, n - 1));
		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *exact = malloc(cut + 1); /* for the sanitizer */

			memcpy(exact, frame, cut);
			cr_assert(!bx_zstd_frame_check((struct bx_span){ exact, cut }, n));
			free(exact);
		}
	}
}

/* 10,000:1 and more: refused by the limit before memory is taken, else inflated into the limit. */
Test(block, bomb)
{
	uint8_t inner[1024], *raw = calloc(1, 90 << 20), *packed = malloc(1 << 20);
	size_t len = make(inner);
	uint32_t m_raw, b_raw;

	memcpy(&m_raw, inner + 52, 4);
	memcpy(&b_raw, inner + 60, 4);
	(void)len;
	for (size_t mib = 60; mib <= 90; mib += 30) {
		size_t n = make_frame(FRAME_GOOD, (struct bx_span){ raw, mib << 20 },
				      packed + 96 + m_raw, (1 << 20) - 96 - m_raw);

		memcpy(packed, inner, 96 + m_raw);
		packed[7] = 1;
		bx_store_le32(packed, (uint32_t)(96 + m_raw + n));
		bx_store_le32(packed + 56, (uint32_t)n);
		bx_store_le32(packed + 60, (uint32_t)(mib << 20));
		cr_assert_eq(load(BX_BLOCK_DATA, packed, 96 + m_raw + n, NULL),
			     mib == 90 ? BX_STATUS_LIMIT : BX_STATUS_DAMAGED);
	}
	/* M: tables that claim more than their records can use. */
	{
		size_t n = make_frame(FRAME_GOOD, (struct bx_span){ raw, 70 << 20 }, packed + 96,
				      (1 << 20) - 96);

		memcpy(packed, inner, 96);
		packed[6] = 1;
		memcpy(packed + 96 + n, inner + 96 + m_raw, b_raw);
		bx_store_le32(packed, (uint32_t)(96 + n + b_raw));
		bx_store_le32(packed + 48, (uint32_t)n);
		bx_store_le32(packed + 52, 70 << 20);
		bx_store_le32(packed + 68, 60 << 20); /* topics */
		cr_assert_eq(load(BX_BLOCK_DATA, packed, 96 + n + b_raw, NULL), BX_STATUS_DAMAGED);
	}
	free(raw);
	free(packed);
}

/* --- INDEX, TAIL, META ----------------------------------------------------------------------- */

/* The inner part of the first block of a type in a small plain file. */
static size_t
inner_of(uint8_t type, uint8_t *inner, bool root)
{
	struct kit_records k = kit_make(3, 20);
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;
	size_t len = 0;

	o.writer.label = (struct bx_span){ (const uint8_t *)"label", 5 };
	kit_segment(f, &o, k.at, 20);
	for (size_t i = 0; i < f->block_count; i++) {
		const uint8_t *block = f->bytes + f->blocks[i].at;

		if (f->blocks[i].type != type ||
		    (type == BX_BLOCK_INDEX && (block[128 + 7] == 1) != root))
			continue;
		len = 0;
		memcpy(&len, block + 40, 4);
		memcpy(inner, block + 128, len);
	}
	kit_file_free(f);
	kit_records_free(&k);
	return len;
}

/* Inflates the content of an INDEX, so that it can be changed. */
static size_t
unpack_index(uint8_t *inner, size_t len)
{
	uint8_t raw[BX_PAGE];
	uint32_t raw_len;

	memcpy(&raw_len, inner + BX_INDEX_RAW, 4);
	if (inner[BX_INDEX_CODEC] == 0)
		return len;
	cr_assert_eq(ZSTD_decompress(raw, sizeof(raw), inner + 184, len - 184), raw_len);
	memcpy(inner + 184, raw, raw_len);
	inner[BX_INDEX_CODEC] = 0;
	bx_store_le32(inner + BX_INDEX_STORED, raw_len);
	bx_store_le32(inner, 184 + raw_len);
	return 184 + raw_len;
}

Test(block, index)
{
	static const struct change index_changes[] = {
		{ "as it is", 36, 4, 0, BX_STATUS_CLEAN },
		{ "meta_len", 4, 2, 183, BX_STATUS_DAMAGED },
		{ "codec", 6, 1, 2, BX_STATUS_UNSUPPORTED },
		{ "kind", 7, 1, 2, BX_STATUS_UNSUPPORTED },
		{ "entries 1", 8, 4, 1, BX_STATUS_DAMAGED },
		{ "entries huge", 8, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
		{ "types huge", 12, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
		{ "types 0", 12, 4, 0, BX_STATUS_DAMAGED },
		{ "realms huge", 16, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
		{ "realms 0", 16, 4, 0, BX_STATUS_DAMAGED },
		{ "channels huge", 20, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
		{ "topics huge", 24, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
		{ "stored", 28, 4, 5, BX_STATUS_DAMAGED },
		{ "raw", 32, 4, 5, BX_STATUS_DAMAGED },
		{ "raw huge", 32, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
		{ "seq not ascending", 184 + 120, 8, 2, BX_STATUS_DAMAGED },
		{ "seq huge", 184 + 120, 8, UINT64_MAX, BX_STATUS_DAMAGED },
		{ "page_off not ascending", 184 + 128, 8, 0, BX_STATUS_DAMAGED },
		{ "page_off huge", 184 + 128, 8, UINT64_MAX, BX_STATUS_DAMAGED },
		{ "pages 0", 184 + 96, 4, 0, BX_STATUS_DAMAGED },
		{ "pages huge", 184 + 96, 4, 0xFFFFFFFF, BX_STATUS_DAMAGED },
		{ "entry flags", 184 + 100, 4, 0xFFFFFFFF, BX_STATUS_CLEAN },
		{ "first type after the second", 184 + 240, 1, 127, BX_STATUS_DAMAGED },
		{ "no postings", 184 + 241, 1, 0, BX_STATUS_DAMAGED },
		{ "too many postings", 184 + 241, 1, 3, BX_STATUS_DAMAGED },
		{ "posting beyond the entries", 184 + 242, 1, 2, BX_STATUS_DAMAGED },
		{ "posting of nothing", 184 + 243, 1, 0, BX_STATUS_DAMAGED },
	};
	uint8_t inner[2 * BX_PAGE], kept[2 * BX_PAGE];
	size_t len = unpack_index(kept, inner_of(BX_BLOCK_INDEX, kept, false));

	for (size_t i = 0; i < sizeof(index_changes) / sizeof(index_changes[0]); i++) {
		const struct change *c = &index_changes[i];
		const char *what;
		enum bx_status status;

		memcpy(inner, kept, len);
		memcpy(inner + c->at, &c->value, c->len);
		status = load(BX_BLOCK_INDEX, inner, len, &what);
		cr_assert_eq(status, c->status, "%s: %s (%s)", c->what, bx_status_name(status),
			     what);
	}
	for (size_t cut = 0; cut < len; cut += 7) {
		memcpy(inner, kept, len);
		bx_store_le32(inner, (uint32_t)cut);
		cr_assert_eq(load(BX_BLOCK_INDEX, inner, cut, NULL), BX_STATUS_DAMAGED);
		if (cut >= 184) { /* lengths that agree, content that is cut */
			bx_store_le32(inner + 28, (uint32_t)(cut - 184));
			bx_store_le32(inner + 32, (uint32_t)(cut - 184));
			cr_assert_eq(load(BX_BLOCK_INDEX, inner, cut, NULL), BX_STATUS_DAMAGED);
		}
	}
}

Test(block, topics_of_index)
{
	uint8_t inner[2 * BX_PAGE];
	size_t len = unpack_index(inner, inner_of(BX_BLOCK_INDEX, inner, false));
	uint8_t *first = memmem(inner, len, "com.acme.topic", 14), *second;

	cr_assert_not_null(first);
	second = memmem(first + 14, len - (size_t)(first + 14 - inner), "com.acme.topic", 14);
	cr_assert_not_null(second);
	cr_assert_eq(load(BX_BLOCK_INDEX, inner, len, NULL), BX_STATUS_CLEAN);
	first[14] = '9';
	cr_assert_eq(load(BX_BLOCK_INDEX, inner, len, NULL), BX_STATUS_DAMAGED);
	memcpy(first, second, 17); /* twice the same */
	cr_assert_eq(load(BX_BLOCK_INDEX, inner, len, NULL), BX_STATUS_DAMAGED);
}

Test(block, tail_and_meta)
{
	static const struct change tail_changes[] = {
		{ "meta_len", 4, 2, 247, BX_STATUS_DAMAGED },
		{ "meta_len long", 4, 2, 4000, BX_STATUS_DAMAGED },
		{ "types 65", 6, 2, 65, BX_STATUS_DAMAGED },
		{ "types 64", 6, 2, 64, BX_STATUS_DAMAGED },
		{ "seq", 8, 8, 3, BX_STATUS_DAMAGED },
		{ "root behind", 24, 8, 5000, BX_STATUS_DAMAGED },
		{ "pages", 32, 8, 3, BX_STATUS_DAMAGED },
		{ "pages 0", 32, 8, 0, BX_STATUS_DAMAGED },
		{ "order of types", 248, 2, 999, BX_STATUS_DAMAGED },
	};
	uint8_t inner[BX_PAGE], kept[BX_PAGE];
	size_t len = inner_of(BX_BLOCK_TAIL, kept, false);
	const char *what;

	/* The block is wrapped as number 1 on page 1. */
	bx_store_le64(kept + 8, 1);
	bx_store_le64(kept + 24, 0);
	bx_store_le64(kept + 32, 2);
	cr_assert_eq(load(BX_BLOCK_TAIL, kept, len, &what), BX_STATUS_CLEAN, "%s", what);
	for (size_t i = 0; i < sizeof(tail_changes) / sizeof(tail_changes[0]); i++) {
		memcpy(inner, kept, len);
		memcpy(inner + tail_changes[i].at, &tail_changes[i].value, tail_changes[i].len);
		cr_assert_eq(load(BX_BLOCK_TAIL, inner, len, NULL), tail_changes[i].status, "%s",
			     tail_changes[i].what);
	}
	len = inner_of(BX_BLOCK_META, kept, false);
	cr_assert_eq(load(BX_BLOCK_META, kept, len, NULL), BX_STATUS_CLEAN);
	for (size_t cut = 5; cut < len; cut++) {
		memcpy(inner, kept, len);
		bx_store_le32(inner, (uint32_t)cut);
		cr_assert_eq(load(BX_BLOCK_META, inner, cut, NULL), BX_STATUS_DAMAGED);
	}
	bx_store_le32(kept + 4 + 4, 0xFFFFFFFF);
	cr_assert_eq(load(BX_BLOCK_META, kept, len, NULL), BX_STATUS_DAMAGED);
}

/* META comes back; more than 64 codes are folded in TAIL. */
Test(block, meta_and_types)
{
	struct bx_archive_channel channel = { .dir = 0 };
	struct bx_archive_record records[200];
	struct kit_file *f = kit_file_new();
	struct kit_options o = KIT_OPTIONS;
	struct kit_records k = { records, &channel, 200, NULL };
	struct kit_how how = KIT_HOW;
	struct bx_block_reader *r;
	const struct bx_tail *tail;
	const struct bx_segment_meta *meta;
	const struct kit_block *last;

	for (size_t i = 0; i < 200; i++)
		records[i] =
		    (struct bx_archive_record){ .channel = &channel, .code = (uint16_t)(i / 2) };
	o.writer.writer = (struct bx_span){ (const uint8_t *)"boxcar", 6 };
	o.writer.realm = (struct bx_span){ (const uint8_t *)"realm1", 6 };
	o.writer.label = (struct bx_span){ (const uint8_t *)"day", 3 };
	kit_segment(f, &o, records, 200);
	how.records = k.at;
	how.record_count = 200;
	cr_assert_eq(kit_read(kit_span(f), &how).status, BX_STATUS_CLEAN);
	cr_assert_eq(bx_block_reader_new(&r, BX_READ_LIMITS_DEFAULT, NULL), BX_OK);
	last = &f->blocks[f->block_count - 1];
	cr_assert_eq(bx_block_reader_load(r, (struct bx_span){ f->bytes + last->at, last->len },
					  &no_key, 0, 0, NULL),
		     BX_STATUS_CLEAN);
	tail = bx_block_reader_tail(r);
	cr_assert_eq(tail->type_count, 64);
	cr_assert_eq(tail->types[62].code, 62);
	cr_assert_eq(tail->types[62].count, 2);
	cr_assert_eq(tail->types[63].code, BX_CODE_REST);
	cr_assert_eq(tail->types[63].count, 200 - 63 * 2);
	cr_assert_eq(bx_block_reader_load(
			 r, (struct bx_span){ f->bytes + f->blocks[1].at, f->blocks[1].len },
			 &no_key, 0, 0, NULL),
		     BX_STATUS_CLEAN);
	meta = bx_block_reader_meta(r);
	cr_assert(bx_span_is(meta->writer, "boxcar"));
	cr_assert(bx_span_is(meta->realm, "realm1"));
	cr_assert(bx_span_is(meta->label, "day"));
	cr_assert_eq(meta->router.len, 0);
	cr_assert_null(bx_block_reader_tail(r));
	bx_block_reader_free(r);
	kit_file_free(f);
}
