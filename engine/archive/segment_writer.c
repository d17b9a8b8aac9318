#include "archive/segment_writer.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "archive/digest.h"
#include "archive/head.h"
#include "archive/index_builder.h"
#include "archive/index_layout.h"
#include "archive/tail_layout.h"
#include "base/cursor.h"
#include "base/writer.h"

enum { META_TEXT_MAX = 65535, META_TEXTS = 5 };

/* What is given out ahead of what is written. */
struct ticket_state {
	uint64_t seq; /* of the next DATA block */
	uint64_t data_blocks;
	uint64_t records;
};

struct bx_segment_writer {
	struct bx_segment_writer_options options;
	struct bx_random random;
	struct bx_head head;
	struct bx_segment_key *key; /* NULL: plain */
	uint8_t *head_block;        /* header and body, for every HEADCOPY */
	size_t head_len;            /* without padding */
	uint8_t *meta;              /* inner part of META, or NULL */
	size_t meta_len;
	size_t meta_sig; /* offset of the signature in it, or 0 */

	struct ticket_state ticket;
	/* Nonces of INDEX blocks are drawn with the tickets, so that they do not depend on how far
	 * the tickets run ahead of the blocks. */
	uint8_t (*index_nonces)[24];
	size_t nonce_count, nonce_used, nonce_cap;

	uint64_t seq;      /* of the next block */
	uint64_t pages;    /* given out */
	uint64_t index_at; /* page of the last INDEX, valid when has_index */
	bool has_index;
	uint64_t data_blocks;
	struct bx_totals totals;
	uint8_t last_header[BX_HEADER_LEN];
	struct bx_digest_chain chain;

	ZSTD_CCtx *cctx;
	struct bx_index_builder *leaf;
	struct bx_index_builder *root;
	struct bx_totals leaf_totals;
	uint64_t leaf_first_block, leaf_first_record;

	uint8_t *out; /* service blocks of one call */
	size_t out_len, out_cap;
	bool ended;
};

/* --- making one ------------------------------------------------------------------------------ */

static enum bx_err
nomem(struct bx_fail *fail)
{
	return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for writing a segment");
}

static enum bx_err
check_options(const struct bx_segment_writer_options *o, struct bx_fail *fail)
{
	const struct bx_span *texts[META_TEXTS] = { &o->writer, &o->realm, &o->router, &o->clock,
						    &o->label };

	if (o->recipient_count > BX_STANZAS_MAX)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "at most %u recipients for one recording", BX_STANZAS_MAX);
	if (o->leaf_blocks == 0 || o->leaf_blocks > BX_LEAF_BLOCKS_MAX)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "1 to %u blocks for one index", BX_LEAF_BLOCKS_MAX);
	if (o->list_limit > BX_RAW_LEN_MAX / 2)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "index lists of at most 64 MiB");
	if (o->place.segment_total != 0 && o->place.segment_no >= o->place.segment_total)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "the segment's number is beyond their total");
	for (size_t i = 0; i < META_TEXTS; i++)
		if (texts[i]->len > META_TEXT_MAX)
			return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
					   "a text about the recording is over 64 KiB");
	return BX_OK;
}

/* Segment id, stream id, FK and HEAD. */
static enum bx_err
make_head(struct bx_segment_writer *w, struct bx_fail *fail)
{
	const struct bx_segment_writer_options *o = &w->options;
	const struct bx_segment_place *place = &o->place;
	uint8_t *fk = NULL;
	size_t bad = 0;
	bool ok;

	w->random.fill(w->random.context, w->head.segment_id, 16);
	if (place->has_stream)
		memcpy(w->head.stream_id, place->stream_id, 16);
	else
		w->random.fill(w->random.context, w->head.stream_id, 16);
	w->head.segment_no = place->segment_no;
	w->head.segment_total = place->segment_total;
	w->head.created = o->created;
	w->head.encrypted = o->recipient_count != 0;
	w->head.digest = o->digest || o->signer != NULL;
	w->head.stanza_count = (uint16_t)o->recipient_count;
	if (place->has_prev) {
		memcpy(w->head.prev_segment_id, place->prev_segment_id, 16);
		memcpy(w->head.prev_link, place->prev_link, 32);
		w->head.prev_blocks = place->prev_blocks;
	}
	w->head_len = BX_HEADER_LEN + bx_head_body_len(o->recipient_count);
	w->head_block = malloc(w->head_len);
	if (w->head_block == NULL)
		return nomem(fail);
	if (w->head.encrypted) {
		fk = sodium_init() < 0 ? NULL : sodium_malloc(32);
		if (fk == NULL)
			return nomem(fail);
		w->random.fill(w->random.context, fk, 32);
		w->key = bx_segment_key_new(fk, w->head.segment_id);
		if (w->key == NULL) {
			sodium_free(fk);
			return nomem(fail);
		}
	}
	ok = bx_head_store(w->head_block, &w->head, w->key, fk, o->recipients, o->recipient_count,
			   w->random, &bad);
	sodium_free(fk); /* wipes; from here on only its stanzas know FK */
	if (!ok)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "recipient %zu is no usable public key", bad + 1);
	return BX_OK;
}

static void
put_item(struct bx_writer *out, uint16_t id, struct bx_span bytes)
{
	uint8_t front[8] = { 0 };

	bx_store_le16(front, id);
	bx_store_le32(front + 4, (uint32_t)bytes.len);
	bx_put(out, front, sizeof(front));
	bx_put_span(out, bytes);
}

/* The inner part of META; its signature is made when HEAD's digest is known. */
static enum bx_err
make_meta(struct bx_segment_writer *w, struct bx_fail *fail)
{
	const struct bx_segment_writer_options *o = &w->options;
	const struct {
		uint16_t id;
		struct bx_span text;
	} texts[META_TEXTS] = {
		{ BX_META_WRITER, o->writer }, { BX_META_REALM, o->realm },
		{ BX_META_ROUTER, o->router }, { BX_META_CLOCK, o->clock },
		{ BX_META_LABEL, o->label },
	};
	size_t cap = 4 + 8 + 8 + 8 + BX_SIG_LEN;

	for (size_t i = 0; i < META_TEXTS; i++)
		cap += 8 + texts[i].text.len;
	w->meta = malloc(cap);
	if (w->meta == NULL)
		return nomem(fail);

	struct bx_writer out = bx_writer_over(w->meta, cap);

	(void)bx_reserve(&out, 4);
	if (w->head.encrypted && o->created != 0) {
		uint8_t created[8];

		bx_store_le64(created, (uint64_t)o->created);
		put_item(&out, BX_META_CREATED, (struct bx_span){ created, 8 });
	}
	for (size_t i = 0; i < META_TEXTS; i++)
		if (texts[i].text.len != 0)
			put_item(&out, texts[i].id, texts[i].text);
	if (o->signer != NULL) {
		static const uint8_t none[BX_SIG_LEN] = { 0 };

		put_item(&out, BX_META_SIGNER, (struct bx_span){ none, BX_SIG_LEN });
		w->meta_sig = bx_written(&out) - BX_SIG_LEN;
	}
	assert(!out.full);
	w->meta_len = bx_written(&out);
	bx_store_le32(w->meta, (uint32_t)w->meta_len);
	return BX_OK;
}

enum bx_err
bx_segment_writer_new(struct bx_segment_writer **writer,
		      const struct bx_segment_writer_options *options, struct bx_random random,
		      struct bx_fail *fail)
{
	struct bx_segment_writer *w;
	enum bx_err err = check_options(options, fail);

	if (err != BX_OK)
		return err;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return nomem(fail);
	w->options = *options;
	w->random = random;
	w->totals = BX_TOTALS_NONE;
	w->leaf_totals = BX_TOTALS_NONE;
	w->cctx = bx_zstd_frame_compressor(options->level);
	w->leaf = bx_index_builder_new(options->list_limit, options->hash_seed);
	w->root = bx_index_builder_new(0, options->hash_seed);
	if (w->cctx == NULL || w->leaf == NULL || w->root == NULL) {
		err = nomem(fail);
		goto undo;
	}
	err = make_head(w, fail);
	if (err == BX_OK && !options->no_meta)
		err = make_meta(w, fail);
	if (err != BX_OK)
		goto undo;
	w->ticket.seq = 1u + (w->meta != NULL) + (w->key != NULL);
	*writer = w;
	return BX_OK;
undo:
	bx_segment_writer_free(w);
	return err;
}

void
bx_segment_writer_free(struct bx_segment_writer *w)
{
	if (w == NULL)
		return;
	bx_segment_key_free(w->key);
	free(w->head_block);
	free(w->meta);
	free(w->index_nonces);
	ZSTD_freeCCtx(w->cctx);
	bx_index_builder_free(w->leaf);
	bx_index_builder_free(w->root);
	free(w->out);
	free(w);
}

/* --- giving out blocks ----------------------------------------------------------------------- */

/* Completes a block that is next in the segment: place, links, digests, counts. */
static void
place(struct bx_segment_writer *w, uint8_t *block, size_t len, const uint8_t *body_digest)
{
	uint64_t back = w->has_index ? w->pages - w->index_at : 0;

	assert(len % BX_PAGE == 0);
	bx_block_header_place(block, w->pages, back);
	memcpy(w->last_header, block, BX_HEADER_LEN);
	if (w->head.digest) {
		uint8_t d[32];

		bx_digest_block(block, body_digest, d);
		bx_digest_chain_add(&w->chain, d);
	}
	w->pages += len / BX_PAGE;
	w->seq++;
}

/* Room for a service block of `inner_len` bytes at the end of `out`, zeroed. */
static uint8_t *
reserve_block(struct bx_segment_writer *w, size_t total)
{
	size_t need = w->out_len + total;

	if (need > w->out_cap) {
		uint8_t *grown = realloc(w->out, need);

		if (grown == NULL)
			return NULL;
		w->out = grown;
		w->out_cap = need;
	}
	memset(w->out + w->out_len, 0, total);
	return w->out + w->out_len;
}

static size_t
total_for(const struct bx_segment_writer *w, size_t inner_len, bool padded)
{
	if (padded && w->key != NULL)
		return (size_t)bx_padding_total(w->options.pad, BX_HEADER_LEN + inner_len);
	return (size_t)bx_block_header_total((uint32_t)inner_len);
}

/*
 * Seals and places the service block at the end of `out`, whose inner part stands behind its
 * header. `reserved` bytes were asked for; `total` of them are used.
 */
static void
emit(struct bx_segment_writer *w, struct bx_block_header *h, size_t total)
{
	uint8_t *block = w->out + w->out_len;
	struct bx_block_key key = { .encrypted = false };
	uint8_t body_digest[32] = { 0 };

	h->seq = w->seq;
	memcpy(h->segment_id, w->head.segment_id, 16);
	if (w->key != NULL)
		bx_segment_key_block(w->key, h->seq, &key);
	if (h->type == BX_BLOCK_HEADCOPY) {
		h->flags = BX_BLOCK_MAC_ONLY;
		h->suite = BX_SUITE_XCHACHA20POLY1305;
		bx_block_header_store(h, block);
		bx_block_key_mac(&key, block,
				 (struct bx_span){ block + BX_HEADER_LEN, h->body_len }, h->tag);
		bx_block_key_wipe(
		    &key); /* no longer `encrypted`: finish stores the body as it is */
	}
	bx_block_key_finish(&key, h, block, total);
	bx_block_key_wipe(&key);
	if (w->head.digest)
		bx_digest_body((struct bx_span){ block + BX_HEADER_LEN, h->body_len }, body_digest);
	place(w, block, total, body_digest);
	w->out_len += total;
}

static enum bx_err
emit_headcopy(struct bx_segment_writer *w, struct bx_fail *fail)
{
	size_t total = total_for(w, w->head_len, false);
	struct bx_block_header h = { .type = BX_BLOCK_HEADCOPY, .body_len = (uint32_t)w->head_len };
	uint8_t *block = reserve_block(w, total);

	if (block == NULL)
		return nomem(fail);
	memcpy(block + BX_HEADER_LEN, w->head_block, w->head_len);
	emit(w, &h, total);
	return BX_OK;
}

static enum bx_err
emit_meta(struct bx_segment_writer *w, struct bx_fail *fail)
{
	size_t total = total_for(w, w->meta_len, true);
	struct bx_block_header h = { .type = BX_BLOCK_META, .body_len = (uint32_t)w->meta_len };
	uint8_t *block = reserve_block(w, total);

	if (block == NULL)
		return nomem(fail);
	/* R_0 is D_0: the chain holds just HEAD. */
	if (w->meta_sig != 0)
		bx_digest_sign_head(w->meta + w->meta_sig, w->chain.r, w->options.signer);
	memcpy(block + BX_HEADER_LEN, w->meta, w->meta_len);
	if (w->key != NULL)
		w->random.fill(w->random.context, h.nonce, sizeof(h.nonce));
	emit(w, &h, total);
	return BX_OK;
}

enum bx_err
bx_segment_writer_start(struct bx_segment_writer *w, struct bx_span *bytes, struct bx_fail *fail)
{
	size_t total = total_for(w, w->head_len - BX_HEADER_LEN, false);
	uint8_t body_digest[32] = { 0 };
	uint8_t *block;
	enum bx_err err = BX_OK;

	assert(w->seq == 0);
	w->out_len = 0;
	block = reserve_block(w, total);
	if (block == NULL)
		return nomem(fail);
	memcpy(block, w->head_block, w->head_len);
	if (w->head.digest)
		bx_digest_body(
		    (struct bx_span){ block + BX_HEADER_LEN, w->head_len - BX_HEADER_LEN },
		    body_digest);
	place(w, block, total, body_digest);
	w->out_len = total;
	if (w->meta != NULL)
		err = emit_meta(w, fail);
	if (err == BX_OK && w->key != NULL)
		err = emit_headcopy(w, fail);
	*bytes = (struct bx_span){ w->out, w->out_len };
	return err;
}

/* --- INDEX ----------------------------------------------------------------------------------- */

static void
index_front(const struct bx_segment_writer *w, uint8_t kind, struct bx_index_front *front)
{
	front->kind = kind;
	front->first_block = kind == BX_INDEX_LEAF ? w->leaf_first_block : 0;
	if (w->head.digest)
		memcpy(front->r, w->chain.r, BX_R_LEN);
	else
		memset(front->r, 0, BX_R_LEN);
}

static enum bx_err
emit_index(struct bx_segment_writer *w, struct bx_index_builder *b, uint8_t kind,
	   const uint8_t *nonce, struct bx_fail *fail)
{
	struct bx_block_header h = { .type = BX_BLOCK_INDEX };
	struct bx_index_front front;
	struct bx_span raw;
	uint64_t page = w->pages;
	uint8_t *block;
	uint8_t *inner;
	size_t most, inner_len, total;

	if (!bx_index_builder_content(b, &raw))
		return nomem(fail);
	most = total_for(w, BX_INDEX_META_LEN + raw.len, true);
	block = reserve_block(w, most);
	if (block == NULL)
		return nomem(fail);
	inner = block + BX_HEADER_LEN;
	index_front(w, kind, &front);
	inner_len = bx_index_builder_lay_out(b, raw, &front, w->cctx, inner, most - BX_HEADER_LEN);
	total = total_for(w, inner_len, true);
	/* The compressor may have used what lies behind its result. */
	memset(inner + inner_len, 0, most - BX_HEADER_LEN - inner_len);
	if (w->options.signer != NULL)
		bx_digest_sign(inner, inner_len, BX_INDEX_SIG, BX_DIGEST_INDEX, w->head.segment_id,
			       w->seq, w->options.signer);
	h.body_len = (uint32_t)inner_len;
	memcpy(h.nonce, nonce, sizeof(h.nonce));
	emit(w, &h, total);
	w->index_at = page;
	w->has_index = true;
	return BX_OK;
}

/* A leaf for the blocks since the last one, its entry in the root, and a HEADCOPY. */
static enum bx_err
emit_leaf(struct bx_segment_writer *w, const uint8_t *nonce, struct bx_fail *fail)
{
	struct bx_index_entry entry = {
		.seq = w->seq,
		.page_off = w->pages,
		.first_record = w->leaf_first_record,
		.totals = w->leaf_totals,
	};
	size_t type_count;
	const struct bx_type_count *types;
	enum bx_err err = emit_index(w, w->leaf, BX_INDEX_LEAF, nonce, fail);

	if (err != BX_OK)
		return err;
	entry.pages = (uint32_t)(w->pages - entry.page_off);
	bx_index_entry_id(entry.id, w->last_header);
	types = bx_index_builder_types(w->leaf, &type_count);
	if (types == NULL || !bx_index_builder_add_leaf(w->root, &entry, types, type_count))
		return nomem(fail);
	bx_index_builder_clear(w->leaf);
	w->leaf_totals = BX_TOTALS_NONE;
	w->leaf_first_block = w->data_blocks;
	w->leaf_first_record = w->totals.records;
	return w->key == NULL ? BX_OK : emit_headcopy(w, fail);
}

/* --- DATA ------------------------------------------------------------------------------------ */

static void
draw_index_nonce(struct bx_segment_writer *w)
{
	if (w->nonce_used == w->nonce_count) {
		w->nonce_used = 0;
		w->nonce_count = 0;
	}
	if (w->nonce_count == w->nonce_cap) {
		size_t cap = w->nonce_cap == 0 ? 8 : w->nonce_cap * 2;
		uint8_t(*grown)[24] = realloc(w->index_nonces, cap * sizeof(grown[0]));

		if (grown == NULL)
			return; /* found missing when it is needed: append() fails */
		w->index_nonces = grown;
		w->nonce_cap = cap;
	}
	w->random.fill(w->random.context, w->index_nonces[w->nonce_count++], 24);
}

void
bx_segment_writer_ticket(struct bx_segment_writer *w, uint32_t records, uint64_t dropped,
			 struct bx_block_ticket *ticket)
{
	assert(!w->ended);
	*ticket = (struct bx_block_ticket){
		.seq = w->ticket.seq,
		.first_record = w->ticket.records,
		.dropped = dropped,
		.digest = w->head.digest,
	};
	memcpy(ticket->segment_id, w->head.segment_id, 16);
	if (w->key != NULL) {
		w->random.fill(w->random.context, ticket->nonce, sizeof(ticket->nonce));
		bx_segment_key_block(w->key, ticket->seq, &ticket->key);
	}
	w->ticket.seq++;
	w->ticket.records += records;
	w->ticket.data_blocks++;
	if (w->ticket.data_blocks % w->options.leaf_blocks == 0) {
		w->ticket.seq += 1u + (w->key != NULL);
		if (w->key != NULL)
			draw_index_nonce(w);
	}
}

static const uint8_t *
next_index_nonce(struct bx_segment_writer *w)
{
	static const uint8_t none[24] = { 0 };

	if (w->key == NULL)
		return none;
	return w->nonce_used == w->nonce_count ? NULL : w->index_nonces[w->nonce_used++];
}

enum bx_err
bx_segment_writer_append(struct bx_segment_writer *w, struct bx_sealed_block *block,
			 struct bx_span *after, struct bx_fail *fail)
{
	struct bx_index_entry entry = {
		.seq = w->seq,
		.page_off = w->pages,
		.first_record = w->totals.records,
		.totals = block->summary->totals,
		.pages = (uint32_t)(block->len / BX_PAGE),
	};

	assert(w->seq != 0 && !w->ended);
	assert(bx_load_le64(block->bytes + 32) == w->seq);
	w->out_len = 0;
	*after = (struct bx_span){ w->out, 0 };
	bx_index_entry_id(entry.id, block->bytes);
	if (!bx_index_builder_add(w->leaf, &entry, block->summary))
		return nomem(fail);
	place(w, block->bytes, block->len, block->body_digest);
	bx_record_sum(&w->totals, &block->summary->totals);
	bx_record_sum(&w->leaf_totals, &block->summary->totals);
	w->data_blocks++;
	if (w->data_blocks % w->options.leaf_blocks != 0)
		return BX_OK;

	const uint8_t *nonce = next_index_nonce(w);
	enum bx_err err = nonce == NULL ? nomem(fail) : emit_leaf(w, nonce, fail);

	*after = (struct bx_span){ w->out, w->out_len };
	return err;
}

/* --- the end --------------------------------------------------------------------------------- */

/* At most 64 rows: the codes beyond them are summed up in the last one. */
static uint16_t
store_types(uint8_t *out, const struct bx_type_count *types, size_t count)
{
	struct bx_type_count rest = { .code = BX_CODE_REST };
	size_t own = count <= BX_TAIL_TYPES_MAX ? count : BX_TAIL_TYPES_MAX - 1;

	for (size_t i = own; i < count; i++)
		bx_record_count(&rest, &types[i]);
	for (size_t i = 0; i < own + (count > own); i++, out += BX_TAIL_TYPE_LEN) {
		const struct bx_type_count *row = i < own ? &types[i] : &rest;

		bx_store_le16(out, row->code);
		bx_store_le64(out + 8, row->count);
		bx_store_le64(out + 16, row->sealed);
		bx_store_le64(out + 24, row->plain);
		bx_store_le64(out + 32, row->bytes);
	}
	return (uint16_t)(own + (count > own));
}

static enum bx_err
emit_tail(struct bx_segment_writer *w, bool last, const uint8_t *nonce, struct bx_fail *fail)
{
	struct bx_block_header h = { .type = BX_BLOCK_TAIL, .flags = last ? BX_BLOCK_LAST : 0 };
	size_t count;
	const struct bx_type_count *types = bx_index_builder_types(w->root, &count);
	uint8_t *block = reserve_block(w, BX_PAGE);
	uint8_t *p;
	uint16_t n_types;

	if (types == NULL || block == NULL)
		return nomem(fail);
	p = block + BX_HEADER_LEN;
	n_types = store_types(p + BX_TAIL_META_LEN, types, count);
	h.body_len = BX_TAIL_META_LEN + (uint32_t)n_types * BX_TAIL_TYPE_LEN;
	bx_store_le32(p + BX_TAIL_INNER_LEN, h.body_len);
	bx_store_le16(p + BX_TAIL_META_LEN_AT, BX_TAIL_META_LEN);
	bx_store_le16(p + BX_TAIL_N_TYPES, n_types);
	bx_store_le64(p + BX_TAIL_SEQ, w->seq);
	bx_store_le64(p + BX_TAIL_DATA_BLOCKS, w->data_blocks);
	bx_store_le64(p + BX_TAIL_ROOT, w->index_at);
	bx_store_le64(p + BX_TAIL_PAGES, w->pages + 1);
	bx_record_totals_store(&w->totals, p + BX_TAIL_TOTALS);
	if (w->head.digest)
		memcpy(p + BX_TAIL_R, w->chain.r, BX_R_LEN);
	if (w->options.signer != NULL)
		bx_digest_sign(p, h.body_len, BX_TAIL_SIG, BX_DIGEST_TAIL, w->head.segment_id,
			       w->seq, w->options.signer);
	memcpy(h.nonce, nonce, sizeof(h.nonce));
	emit(w, &h, BX_PAGE);
	return BX_OK;
}

enum bx_err
bx_segment_writer_finish(struct bx_segment_writer *w, bool last, struct bx_span *bytes,
			 struct bx_fail *fail)
{
	uint8_t nonces[3][24] = { { 0 } };
	enum bx_err err = BX_OK;

	assert(w->seq != 0 && !w->ended);
	assert(w->ticket.data_blocks == w->data_blocks);
	w->out_len = 0;
	if (w->key != NULL)
		w->random.fill(w->random.context, nonces[0], sizeof(nonces));
	if (bx_index_builder_count(w->leaf) != 0)
		err = emit_leaf(w, nonces[0], fail);
	if (err == BX_OK)
		err = emit_index(w, w->root, BX_INDEX_ROOT, nonces[1], fail);
	if (err == BX_OK)
		err = emit_tail(w, last, nonces[2], fail);
	w->ended = err == BX_OK && last;
	*bytes = (struct bx_span){ w->out, w->out_len };
	return err;
}

uint64_t
bx_segment_writer_len(const struct bx_segment_writer *w)
{
	return w->pages * BX_PAGE;
}

const struct bx_totals *
bx_segment_writer_totals(const struct bx_segment_writer *w)
{
	return &w->totals;
}

const uint8_t *
bx_segment_writer_stream_id(const struct bx_segment_writer *w)
{
	return w->head.stream_id;
}

const uint8_t *
bx_segment_writer_segment_id(const struct bx_segment_writer *w)
{
	return w->head.segment_id;
}

void
bx_segment_writer_next_place(const struct bx_segment_writer *w, struct bx_segment_place *place)
{
	*place = (struct bx_segment_place){
		.has_prev = true,
		.prev_blocks = w->seq,
	};
	memcpy(place->prev_segment_id, w->head.segment_id, 16);
	bx_digest_link(w->last_header, place->prev_link);
	/* A stream that ended, by LAST or by its count, is continued by a new one. */
	if (w->ended || w->head.segment_no + 1 == w->head.segment_total)
		return;
	place->has_stream = true;
	memcpy(place->stream_id, w->head.stream_id, 16);
	place->segment_no = w->head.segment_no + 1;
	place->segment_total = w->head.segment_total;
}
