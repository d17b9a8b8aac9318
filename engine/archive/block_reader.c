#include "archive/block_reader.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "archive/column_reader.h"
#include "archive/digest.h"
#include "archive/head.h"
#include "archive/index_layout.h"
#include "archive/tail_layout.h"
#include "base/crc32c.h"
#include "base/cursor.h"

struct bx_block_reader {
	struct bx_read_limits limits;
	ZSTD_DCtx *dctx;
	struct bx_block_header header;
	uint64_t offset;
	bool loaded;
	bool dirty_padding;
	uint8_t body_digest[32];

	struct bx_column_buffer inner; /* the decrypted body, or a copy of the plain one */
	struct bx_column_reader *columns;
	struct bx_index *index;
	struct bx_tail tail;
	struct bx_segment_meta meta;
	struct bx_span signature;   /* inside `inner`; empty: none */
	struct bx_span signed_part; /* what an INDEX or TAIL signature covers */
};

enum { KEEP_MAX = 8 << 20 };

enum bx_err
bx_block_reader_new(struct bx_block_reader **reader, struct bx_read_limits limits,
		    struct bx_fail *fail)
{
	struct bx_block_reader *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->limits = limits;
		r->dctx = ZSTD_createDCtx();
		r->columns = bx_column_reader_new(limits);
		r->index = bx_index_new();
	}
	if (r == NULL || r->dctx == NULL || r->columns == NULL || r->index == NULL) {
		bx_block_reader_free(r);
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE,
				   "no memory for a block reader");
	}
	*reader = r;
	return BX_OK;
}

/* What was decrypted does not outlive its use. */
static void
wipe_inner(struct bx_block_reader *r)
{
	if (r->inner.ptr != NULL)
		sodium_memzero(r->inner.ptr, r->inner.cap);
}

void
bx_block_reader_free(struct bx_block_reader *r)
{
	if (r == NULL)
		return;
	wipe_inner(r);
	bx_column_buffer_free(&r->inner);
	bx_column_reader_free(r->columns);
	bx_index_free(r->index);
	ZSTD_freeDCtx(r->dctx);
	free(r);
}

void
bx_block_reader_trim(struct bx_block_reader *r)
{
	r->loaded = false;
	if (r->inner.cap > KEEP_MAX) {
		wipe_inner(r);
		bx_column_buffer_free(&r->inner);
	}
	bx_column_reader_trim(r->columns, KEEP_MAX);
}

static enum bx_status
damaged(uint64_t offset, struct bx_fault *fault, const char *what)
{
	return bx_status_set(fault, BX_STATUS_DAMAGED, offset, what);
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* --- the inner part -------------------------------------------------------------------------- */

static enum bx_status
check_stored(struct bx_block_reader *r, struct bx_span bytes, unsigned what, struct bx_fault *fault)
{
	struct bx_span body = { bytes.ptr + BX_HEADER_LEN, r->header.body_len };
	size_t end = BX_HEADER_LEN + body.len;

	if (bx_crc32c(0, body) != r->header.body_crc)
		return damaged(r->offset, fault, "the CRC of a block does not match");
	r->dirty_padding = !is_zero(bytes.ptr + end, bytes.len - end);
	if (r->dirty_padding && (what & BX_LOAD_LAX) == 0)
		return damaged(r->offset, fault, "the padding of a block is not zero");
	if ((what & BX_LOAD_DIGEST) != 0)
		bx_digest_body(body, r->body_digest);
	return BX_STATUS_CLEAN;
}

/* HEADCOPY is not encrypted but authenticated; it must hold a HEAD of its own segment. */
static enum bx_status
check_headcopy(struct bx_block_reader *r, struct bx_span bytes, const struct bx_block_key *key,
	       struct bx_fault *fault)
{
	struct bx_span body = { bytes.ptr + BX_HEADER_LEN, r->header.body_len };
	struct bx_head head;
	uint8_t tag[16];

	bx_block_key_mac(key, bytes.ptr, body, tag);
	if (sodium_memcmp(tag, r->header.tag, sizeof(tag)) != 0)
		return bx_status_set(fault, BX_STATUS_AEAD, r->offset,
				     "the tag of a HEADCOPY does not verify");
	if (body.len < BX_HEADER_LEN ||
	    bx_head_parse(&head, body.ptr,
			  (struct bx_span){ body.ptr + BX_HEADER_LEN, body.len - BX_HEADER_LEN },
			  r->offset, NULL) != BX_STATUS_CLEAN ||
	    memcmp(head.segment_id, r->header.segment_id, 16) != 0)
		return damaged(r->offset, fault, "a HEADCOPY holds no HEAD of its segment");
	return BX_STATUS_CLEAN;
}

static enum bx_status
open_inner(struct bx_block_reader *r, struct bx_span bytes, const struct bx_block_key *key,
	   struct bx_span *inner, struct bx_fault *fault)
{
	struct bx_span body = { bytes.ptr + BX_HEADER_LEN, r->header.body_len };
	bool encrypted = (r->header.flags & BX_BLOCK_ENCRYPTED) != 0;

	if (key->encrypted && !encrypted)
		return bx_status_set(fault, BX_STATUS_DOWNGRADE, r->offset,
				     "a plain block in an encrypted segment");
	if (!key->encrypted && encrypted)
		return damaged(r->offset, fault, "an encrypted block in a plain segment");
	if (!bx_column_buffer_fit(&r->inner, body.len + 1))
		return bx_status_set(fault, BX_STATUS_NOMEM, r->offset, "no memory for a block");
	if (!encrypted)
		memcpy(r->inner.ptr, body.ptr, body.len);
	else if (!bx_block_key_open(key, bytes.ptr, body, r->inner.ptr))
		return bx_status_set(fault, BX_STATUS_AEAD, r->offset,
				     "the tag of a block does not verify");
	*inner = (struct bx_span){ r->inner.ptr, body.len };
	return BX_STATUS_CLEAN;
}

/* INDEX, TAIL, META: cuts off the zeros of an encrypted block. */
static enum bx_status
cut_inner(struct bx_block_reader *r, struct bx_span *inner, struct bx_fault *fault)
{
	size_t len = inner->len < 4 ? 0 : bx_load_le32(inner->ptr);
	bool encrypted = (r->header.flags & BX_BLOCK_ENCRYPTED) != 0;

	if (len < 4 || len > inner->len || (!encrypted && len != inner->len) ||
	    !is_zero(inner->ptr + len, inner->len - len))
		return damaged(r->offset, fault, "the lengths of a block contradict each other");
	inner->len = len;
	return BX_STATUS_CLEAN;
}

/* --- TAIL and META --------------------------------------------------------------------------- */

static bool
take_types(struct bx_tail *tail, const uint8_t *p)
{
	for (uint32_t i = 0; i < tail->type_count; i++, p += BX_TAIL_TYPE_LEN) {
		tail->types[i] = (struct bx_type_count){
			.code = bx_load_le16(p),
			.count = bx_load_le64(p + 8),
			.sealed = bx_load_le64(p + 16),
			.plain = bx_load_le64(p + 24),
			.bytes = bx_load_le64(p + 32),
		};
		if (i != 0 && tail->types[i].code <= tail->types[i - 1].code)
			return false;
	}
	return true;
}

static enum bx_status
parse_tail(struct bx_block_reader *r, struct bx_span inner, struct bx_fault *fault)
{
	const uint8_t *p = inner.ptr;
	struct bx_tail tail = { .last = (r->header.flags & BX_BLOCK_LAST) != 0 };
	size_t meta_len;

	if (inner.len < BX_TAIL_META_LEN || inner.len > BX_PAGE - BX_HEADER_LEN)
		return damaged(r->offset, fault, "a TAIL has an impossible length");
	meta_len = bx_load_le16(p + BX_TAIL_META_LEN_AT);
	tail.type_count = bx_load_le16(p + BX_TAIL_N_TYPES);
	if (meta_len < BX_TAIL_META_LEN || meta_len > inner.len ||
	    tail.type_count > BX_TAIL_TYPES_MAX ||
	    tail.type_count * BX_TAIL_TYPE_LEN > inner.len - meta_len)
		return damaged(r->offset, fault, "the lengths of a TAIL contradict each other");
	tail.seq = bx_load_le64(p + BX_TAIL_SEQ);
	tail.data_blocks = bx_load_le64(p + BX_TAIL_DATA_BLOCKS);
	tail.root_page_off = bx_load_le64(p + BX_TAIL_ROOT);
	tail.pages = bx_load_le64(p + BX_TAIL_PAGES);
	bx_record_totals_load(&tail.totals, p + BX_TAIL_TOTALS);
	memcpy(tail.r, p + BX_TAIL_R, BX_R_LEN);
	if (!take_types(&tail, p + meta_len) || tail.seq != r->header.seq || tail.pages == 0 ||
	    tail.pages - 1 != r->header.page_off || tail.root_page_off >= r->header.page_off)
		return damaged(r->offset, fault, "a TAIL does not fit its place");
	r->tail = tail;
	r->signature = (struct bx_span){ p + BX_TAIL_SIG, BX_SIG_LEN };
	return BX_STATUS_CLEAN;
}

static void
take_item(struct bx_block_reader *r, uint16_t id, struct bx_span bytes)
{
	switch (id) {
	case BX_META_CREATED:
		r->meta.has_created = bytes.len == 8;
		r->meta.created = bytes.len == 8 ? (int64_t)bx_load_le64(bytes.ptr) : 0;
		break;
	case BX_META_WRITER:
		r->meta.writer = bytes;
		break;
	case BX_META_REALM:
		r->meta.realm = bytes;
		break;
	case BX_META_ROUTER:
		r->meta.router = bytes;
		break;
	case BX_META_CLOCK:
		r->meta.clock = bytes;
		break;
	case BX_META_SIGNER:
		if (bytes.len == BX_SIG_LEN)
			r->signature = bytes;
		break;
	case BX_META_LABEL:
		r->meta.label = bytes;
		break;
	default: /* of a later version, or private */
		break;
	}
}

static enum bx_status
parse_meta(struct bx_block_reader *r, struct bx_span inner, struct bx_fault *fault)
{
	struct bx_cursor c = bx_cursor_over((struct bx_span){ inner.ptr + 4, inner.len - 4 });

	r->meta = (struct bx_segment_meta){ 0 };
	while (bx_left(&c) != 0) {
		struct bx_span front = bx_take(&c, 8);

		if (c.bad)
			break;
		take_item(r, bx_load_le16(front.ptr), bx_take(&c, bx_load_le32(front.ptr + 4)));
	}
	return c.bad ? damaged(r->offset, fault, "the items of META do not fill it")
		     : BX_STATUS_CLEAN;
}

/* --- loading --------------------------------------------------------------------------------- */

static enum bx_status
parse_inner(struct bx_block_reader *r, struct bx_span inner, unsigned what, struct bx_fault *fault)
{
	enum bx_status status;

	if (r->header.type == BX_BLOCK_DATA) {
		bool meta = (what & (BX_LOAD_META | BX_LOAD_BODIES)) != 0;

		status = bx_column_reader_load(r->columns, inner,
					       (r->header.flags & BX_BLOCK_ENCRYPTED) != 0, meta,
					       r->dctx, r->offset, fault);
		if (status == BX_STATUS_CLEAN && (what & BX_LOAD_BODIES) != 0)
			status = bx_column_reader_bodies(r->columns, r->dctx, r->offset, fault);
		return status;
	}
	if (r->header.type >= BX_BLOCK_IGNORABLE)
		return BX_STATUS_CLEAN;
	status = cut_inner(r, &inner, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	r->signed_part = inner;
	if (r->header.type == BX_BLOCK_TAIL)
		return parse_tail(r, inner, fault);
	if (r->header.type == BX_BLOCK_META)
		return parse_meta(r, inner, fault);
	status = bx_index_parse(r->index, inner, r->offset, fault);
	if (status == BX_STATUS_CLEAN)
		r->signature = (struct bx_span){ inner.ptr + BX_INDEX_SIG, BX_SIG_LEN };
	return status;
}

enum bx_status
bx_block_reader_load(struct bx_block_reader *r, struct bx_span bytes,
		     const struct bx_block_key *key, unsigned what, uint64_t offset,
		     struct bx_fault *fault)
{
	struct bx_span inner = { NULL, 0 };
	enum bx_status status;

	r->loaded = false;
	r->offset = offset;
	r->signature = (struct bx_span){ NULL, 0 };
	if (bytes.len < BX_HEADER_LEN)
		return damaged(offset, fault, "a block is cut");
	status = bx_block_header_parse(&r->header, bytes.ptr, offset, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	if (bytes.len != bx_block_header_total(r->header.body_len) ||
	    r->header.type == BX_BLOCK_HEAD)
		return damaged(offset, fault, "a block is cut");
	status = check_stored(r, bytes, what, fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	if (r->header.type == BX_BLOCK_HEADCOPY) {
		if (!key->encrypted)
			return damaged(offset, fault, "a HEADCOPY in a plain segment");
		status = check_headcopy(r, bytes, key, fault);
	} else {
		status = open_inner(r, bytes, key, &inner, fault);
		if (status == BX_STATUS_CLEAN)
			status = parse_inner(r, inner, what, fault);
	}
	r->loaded = status == BX_STATUS_CLEAN;
	return status;
}

enum bx_status
bx_block_reader_load_bodies(struct bx_block_reader *r, struct bx_fault *fault)
{
	enum bx_status status;

	if (bx_block_reader_columns(r) == NULL)
		return damaged(r->offset, fault, "there is no block to take bodies from");
	status = bx_column_reader_bodies(r->columns, r->dctx, r->offset, fault);
	r->loaded = status == BX_STATUS_CLEAN;
	return status;
}

/* --- results --------------------------------------------------------------------------------- */

bool
bx_block_reader_dirty_padding(const struct bx_block_reader *r)
{
	return r->dirty_padding;
}

const struct bx_block_header *
bx_block_reader_header(const struct bx_block_reader *r)
{
	return &r->header;
}

const uint8_t *
bx_block_reader_body_digest(const struct bx_block_reader *r)
{
	return r->body_digest;
}

static bool
holds(const struct bx_block_reader *r, enum bx_block_type type)
{
	return r->loaded && r->header.type == type;
}

const struct bx_columns *
bx_block_reader_columns(const struct bx_block_reader *r)
{
	return holds(r, BX_BLOCK_DATA) ? bx_column_reader_columns(r->columns) : NULL;
}

void
bx_block_reader_record(const struct bx_columns *c, uint32_t i, struct bx_archive_record *record)
{
	*record = (struct bx_archive_record){
		.ts = c->ts[i],
		.channel = &c->channels[c->chan[i]],
		.uri = c->topics[c->topic[i]],
		.body = { c->bodies.ptr + c->off[i], c->len[i] },
		.code = c->code[i],
		.flags = c->flags[i],
	};
}

const struct bx_block_summary *
bx_block_reader_summary(struct bx_block_reader *r)
{
	return bx_block_reader_columns(r) == NULL ? NULL : bx_column_reader_summary(r->columns);
}

const struct bx_index *
bx_block_reader_index(const struct bx_block_reader *r)
{
	return holds(r, BX_BLOCK_INDEX) ? r->index : NULL;
}

void
bx_block_reader_take_index(struct bx_block_reader *r, struct bx_index *into)
{
	bx_index_swap(r->index, into);
	r->loaded = false;
}

const struct bx_tail *
bx_block_reader_tail(const struct bx_block_reader *r)
{
	return holds(r, BX_BLOCK_TAIL) ? &r->tail : NULL;
}

const struct bx_segment_meta *
bx_block_reader_meta(const struct bx_block_reader *r)
{
	return holds(r, BX_BLOCK_META) ? &r->meta : NULL;
}

enum bx_status
bx_block_reader_signature(const struct bx_block_reader *r, const uint8_t *d0,
			  uint8_t signer[static 32])
{
	bool good = false;

	if (!r->loaded || r->signature.len == 0)
		return BX_STATUS_NOT_SIGNED;
	if (r->header.type == BX_BLOCK_META)
		good = d0 != NULL && bx_digest_verify_head(r->signature.ptr, d0);
	else if (r->header.type == BX_BLOCK_INDEX)
		good = bx_digest_verify(r->signed_part, BX_INDEX_SIG, BX_DIGEST_INDEX,
					r->header.segment_id, r->header.seq);
	else if (r->header.type == BX_BLOCK_TAIL)
		good = bx_digest_verify(r->signed_part, BX_TAIL_SIG, BX_DIGEST_TAIL,
					r->header.segment_id, r->header.seq);
	if (!good)
		return BX_STATUS_NOT_SIGNED;
	memcpy(signer, bx_digest_signer(r->signature.ptr), 32);
	return BX_STATUS_CLEAN;
}
