#include "archive/walk.h"

#include <stdlib.h>
#include <string.h>

#include "archive/digest.h"
#include "base/crc32c.h"

enum state {
	STATE_BEGIN,  /* nothing read */
	STATE_INSIDE, /* in a segment */
	STATE_AFTER,  /* after a TAIL */
	STATE_ZEROS,  /* in what may be preallocated space */
	STATE_ENDED,
};

struct bx_walk {
	struct bx_walk_options options;
	enum state state;
	bool after_tail; /* in ZEROS: where they began */
	uint64_t at;
	enum bx_walk_ending ending;
	struct bx_fault fault;

	uint64_t segments; /* begun so far */
	uint64_t segment_at;
	struct bx_head head;
	struct bx_segment_key *key; /* NULL: plain, or headers_only */
	uint64_t seq;               /* expected next */
	uint64_t data_blocks;
};

enum bx_err
bx_walk_new(struct bx_walk **walk, const struct bx_walk_options *options, struct bx_fail *fail)
{
	struct bx_walk *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for reading");
	w->options = *options;
	w->ending = BX_WALK_STOPPED;
	*walk = w;
	return BX_OK;
}

void
bx_walk_free(struct bx_walk *w)
{
	if (w == NULL)
		return;
	bx_segment_key_free(w->key);
	free(w);
}

uint64_t
bx_walk_at(const struct bx_walk *w)
{
	return w->at;
}

enum bx_walk_ending
bx_walk_ending(const struct bx_walk *w)
{
	return w->ending;
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* --- ends ------------------------------------------------------------------------------------ */

static enum bx_step
end(struct bx_walk *w, enum bx_walk_ending ending)
{
	w->state = STATE_ENDED;
	w->ending = ending;
	return BX_STEP_END;
}

static enum bx_step
fail_at(struct bx_walk *w, struct bx_fault *fault, uint64_t seq)
{
	uint64_t segment = w->segments == 0 ? 0 : w->segments - 1;

	(void)bx_status_at(&w->fault, w->fault.status, segment, seq);
	w->state = STATE_ENDED;
	w->ending = BX_WALK_FAULT;
	*fault = w->fault;
	return BX_STEP_FAIL;
}

static enum bx_step
fail(struct bx_walk *w, struct bx_fault *fault, enum bx_status status, const char *what)
{
	(void)bx_status_set(&w->fault, status, w->at, what);
	return fail_at(w, fault, w->state == STATE_INSIDE ? w->seq : BX_NOWHERE);
}

/* The file ends with less than a header. */
static enum bx_step
short_end(struct bx_walk *w, struct bx_span window, struct bx_fault *fault)
{
	size_t magic = window.len < BX_ARCHIVE_MAGIC_LEN ? window.len : BX_ARCHIVE_MAGIC_LEN;

	if (window.len == 0 && w->state == STATE_BEGIN)
		return fail(w, fault, BX_STATUS_DAMAGED, "the file is empty");
	if (window.len == 0)
		return end(w, w->state == STATE_AFTER ? BX_WALK_AT_TAIL : BX_WALK_NO_TAIL);
	if (is_zero(window.ptr, window.len) && w->state != STATE_BEGIN)
		return end(w, BX_WALK_ZEROS);
	if (memcmp(window.ptr, BX_ARCHIVE_MAGIC, magic) == 0)
		return end(w, BX_WALK_CUT);
	return fail(w, fault, BX_STATUS_DAMAGED, "no block begins here");
}

/* Zero bytes where a header should be: to the very end, or something is wrong. */
static enum bx_step
pass_zeros(struct bx_walk *w, struct bx_span window, bool eof, uint64_t *need,
	   struct bx_fault *fault)
{
	if (!is_zero(window.ptr, window.len)) {
		w->state = w->after_tail ? STATE_AFTER : STATE_INSIDE;
		return fail(w, fault, BX_STATUS_DAMAGED, "zeros where a block should be");
	}
	w->at += window.len;
	if (eof)
		return end(w, BX_WALK_ZEROS);
	*need = 1;
	return BX_STEP_MORE;
}

/* --- blocks ---------------------------------------------------------------------------------- */

/* Is this block the one that must come next? */
static enum bx_status
check_order(const struct bx_walk *w, const struct bx_block_header *h, const char **what)
{
	bool covered = (h->flags & (BX_BLOCK_ENCRYPTED | BX_BLOCK_MAC_ONLY)) != 0;

	if (h->type == BX_BLOCK_HEAD) {
		*what = "a segment begins a second time";
		return w->state == STATE_INSIDE &&
			       memcmp(h->segment_id, w->head.segment_id, 16) == 0
			   ? BX_STATUS_DAMAGED
			   : BX_STATUS_CLEAN;
	}
	if (w->state != STATE_INSIDE) {
		*what = "a segment does not begin with its HEAD";
		return BX_STATUS_DAMAGED;
	}
	if (memcmp(h->segment_id, w->head.segment_id, 16) != 0) {
		*what = "a block of another segment";
		return BX_STATUS_DAMAGED;
	}
	if (w->head.encrypted && !covered) {
		*what = "a plain block in an encrypted segment";
		return BX_STATUS_DOWNGRADE;
	}
	if (!w->head.encrypted && covered) {
		*what = "an encrypted block in a plain segment";
		return BX_STATUS_DAMAGED;
	}
	if (h->seq != w->seq || h->page_off != (w->at - w->segment_at) / BX_PAGE) {
		*what = "a block is missing, repeated or out of order";
		return BX_STATUS_DAMAGED;
	}
	if (h->type == BX_BLOCK_META && h->seq != 1) {
		*what = "a META that is not block 1";
		return BX_STATUS_DAMAGED;
	}
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_walk_unlock(struct bx_segment_key **key, const struct bx_walk_options *o,
	       const uint8_t header[static 128], struct bx_span body, const struct bx_head *head,
	       uint64_t offset, struct bx_fault *fault)
{
	*key = NULL;
	if (o->headers_only)
		return BX_STATUS_CLEAN;
	if (!head->encrypted && o->identity_count != 0 && !o->allow_plain)
		return bx_status_set(fault, BX_STATUS_DOWNGRADE, offset,
				     "a plain segment, though an identity was given");
	if (!head->encrypted)
		return BX_STATUS_CLEAN;
	if (o->identity_count == 0)
		return bx_status_set(fault, BX_STATUS_NO_KEY, offset,
				     "this recording is encrypted");
	return bx_head_unlock(key, header, body, o->identities, o->identity_count, offset, fault);
}

static enum bx_status
begin_segment(struct bx_walk *w, struct bx_span bytes, const struct bx_block_header *h,
	      struct bx_walk_block *block)
{
	struct bx_span body = { bytes.ptr + BX_HEADER_LEN, h->body_len };
	size_t end_at = BX_HEADER_LEN + body.len;
	struct bx_segment_key *key = NULL;
	struct bx_head head;
	enum bx_status status;

	if (bx_crc32c(0, body) != h->body_crc)
		return bx_status_set(&w->fault, BX_STATUS_DAMAGED, w->at,
				     "the CRC of a HEAD does not match");
	if (!is_zero(bytes.ptr + end_at, bytes.len - end_at))
		return bx_status_set(&w->fault, BX_STATUS_DAMAGED, w->at,
				     "the padding of a block is not zero");
	status = bx_head_parse(&head, bytes.ptr, body, w->at, &w->fault);
	if (status == BX_STATUS_CLEAN)
		status =
		    bx_walk_unlock(&key, &w->options, bytes.ptr, body, &head, w->at, &w->fault);
	if (status != BX_STATUS_CLEAN)
		return status;
	bx_segment_key_free(w->key);
	w->key = key;
	w->head = head;
	w->segment_at = w->at;
	w->seq = 0;
	w->data_blocks = 0;
	w->segments++;
	block->head = head;
	if (w->options.digest && head.digest)
		bx_digest_body(body, block->body_digest);
	return BX_STATUS_CLEAN;
}

static void
fill_block(struct bx_walk *w, struct bx_span bytes, const struct bx_block_header *h,
	   struct bx_walk_block *block)
{
	block->at = w->at;
	block->segment = w->segments - 1;
	block->segment_at = w->segment_at;
	block->data_no = w->data_blocks;
	block->bytes = bytes;
	block->header = *h;
	memcpy(block->header_bytes, bytes.ptr, BX_HEADER_LEN);
	block->digest = w->options.digest && w->head.digest;
	block->key.encrypted = false;
	if (w->key != NULL && h->type != BX_BLOCK_HEAD)
		bx_segment_key_block(w->key, h->seq, &block->key);
}

static enum bx_step
take_block(struct bx_walk *w, struct bx_span bytes, const struct bx_block_header *h,
	   struct bx_walk_block *block, struct bx_fault *fault)
{
	if (h->type == BX_BLOCK_HEAD && begin_segment(w, bytes, h, block) != BX_STATUS_CLEAN) {
		(void)bx_status_at(&w->fault, w->fault.status, w->segments, 0);
		return fail_at(w, fault, 0);
	}
	fill_block(w, bytes, h, block);
	w->at += bytes.len;
	w->seq = h->seq + 1;
	if (h->type == BX_BLOCK_DATA)
		w->data_blocks++;
	w->state = h->type == BX_BLOCK_TAIL ? STATE_AFTER : STATE_INSIDE;
	return BX_STEP_ITEM;
}

enum bx_step
bx_walk_next(struct bx_walk *w, struct bx_span window, bool eof, struct bx_walk_block *block,
	     uint64_t *need, struct bx_fault *fault)
{
	struct bx_block_header h;
	const char *what = "";
	enum bx_status status;
	uint64_t total;

	if (w->state == STATE_ENDED) {
		*fault = w->fault;
		return w->ending == BX_WALK_FAULT ? BX_STEP_FAIL : BX_STEP_END;
	}
	if (w->state == STATE_ZEROS)
		return pass_zeros(w, window, eof, need, fault);
	if (window.len < BX_HEADER_LEN) {
		*need = BX_PAGE;
		return eof ? short_end(w, window, fault) : BX_STEP_MORE;
	}
	if (w->state != STATE_BEGIN && is_zero(window.ptr, BX_HEADER_LEN)) {
		w->after_tail = w->state == STATE_AFTER;
		w->state = STATE_ZEROS;
		return pass_zeros(w, window, eof, need, fault);
	}
	status = bx_block_header_parse(&h, window.ptr, w->at, &w->fault);
	if (status != BX_STATUS_CLEAN)
		return fail_at(w, fault, w->state == STATE_INSIDE ? w->seq : BX_NOWHERE);
	status = check_order(w, &h, &what);
	if (status != BX_STATUS_CLEAN)
		return fail(w, fault, status, what);
	total = bx_block_header_total(h.body_len);
	if (window.len < total) {
		*need = total;
		return eof ? end(w, BX_WALK_CUT) : BX_STEP_MORE;
	}
	return take_block(w, (struct bx_span){ window.ptr, (size_t)total }, &h, block, fault);
}
