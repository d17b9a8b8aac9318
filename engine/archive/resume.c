#include "archive/resume.h"

#include <string.h>

#include "archive/digest.h"
#include "archive/head.h"
#include "base/crc32c.h"

/* A segment as far as it was followed. */
struct trail {
	uint64_t start;
	struct bx_head head;
	uint64_t blocks; /* good ones */
	uint64_t end;    /* after the last of them */
	uint8_t last_header[BX_HEADER_LEN];
	bool has_tail;
	bool last; /* TAIL.LAST */
	bool known;
};

struct inspection {
	const struct bx_bytes *bytes;
	struct bx_bytes_block block;
	struct trail trail; /* the last segment that has a good HEAD */
	bool read_only;
};

/* Is the whole block at `at` there, with good CRCs? It is in x->block then. */
static enum bx_status
good_block(struct inspection *x, uint64_t at, struct bx_block_header *h, bool *good,
	   struct bx_fault *fault)
{
	enum bx_status status = bx_bytes_block(x->bytes, at, &x->block, h, NULL);

	*good = false;
	if (status == BX_STATUS_SYS || status == BX_STATUS_NOMEM)
		return bx_status_set(fault, status, at, "reading failed");
	if (status != BX_STATUS_CLEAN)
		return BX_STATUS_CLEAN;
	*good = bx_crc32c(0, (struct bx_span){ x->block.ptr + BX_HEADER_LEN, h->body_len }) ==
		h->body_crc;
	return BX_STATUS_CLEAN;
}

static bool
follows(const struct trail *t, const struct bx_block_header *h, uint64_t at)
{
	return t->known && !t->has_tail && memcmp(h->segment_id, t->head.segment_id, 16) == 0 &&
	       h->seq == t->blocks && h->page_off == (at - t->start) / BX_PAGE;
}

static void
extend(struct trail *t, const struct bx_block_header *h, const uint8_t *header, uint64_t at)
{
	t->blocks++;
	t->end = at + bx_block_header_total(h->body_len);
	memcpy(t->last_header, header, BX_HEADER_LEN);
	t->has_tail = h->type == BX_BLOCK_TAIL;
	t->last = (h->flags & BX_BLOCK_LAST) != 0;
}

/* A new segment; false: its HEAD is not good. */
static enum bx_status
begin(struct inspection *x, uint64_t at, bool *good, struct bx_fault *fault)
{
	struct trail t = { .start = at, .known = true };
	struct bx_block_header h;
	enum bx_status status = good_block(x, at, &h, good, fault);
	struct bx_span body;

	if (status != BX_STATUS_CLEAN || !*good)
		return status;
	body = (struct bx_span){ x->block.ptr + BX_HEADER_LEN, h.body_len };
	status = bx_head_parse(&t.head, x->block.ptr, body, at, NULL);
	*good = status == BX_STATUS_CLEAN || status == BX_STATUS_UNSUPPORTED;
	if (!*good)
		return BX_STATUS_CLEAN;
	/* Of a version that we do not know: its blocks can be counted, but nothing appended. */
	if (status == BX_STATUS_UNSUPPORTED)
		memcpy(t.head.segment_id, h.segment_id, 16);
	x->read_only =
	    x->read_only || status == BX_STATUS_UNSUPPORTED || t.head.feat_ro_compat != 0;
	extend(&t, &h, x->block.ptr, at);
	x->trail = t;
	return BX_STATUS_CLEAN;
}

/* Over all segments by headers; stops where no block follows. */
static enum bx_status
pass_headers(struct inspection *x, struct bx_fault *fault)
{
	uint64_t at = 0;

	while (at < x->bytes->size && x->bytes->size - at >= BX_HEADER_LEN) {
		uint8_t front[BX_HEADER_LEN];
		struct bx_block_header h;
		bool good = true;
		enum bx_status status = bx_bytes_read(x->bytes, at, front, sizeof(front), fault);

		if (status != BX_STATUS_CLEAN)
			return status;
		if (bx_block_header_parse(&h, front, at, NULL) != BX_STATUS_CLEAN)
			break;
		if (h.type == BX_BLOCK_HEAD) {
			status = begin(x, at, &good, fault);
			if (status != BX_STATUS_CLEAN || !good)
				return status;
		} else if (follows(&x->trail, &h, at) &&
			   bx_block_header_total(h.body_len) <= x->bytes->size - at) {
			extend(&x->trail, &h, front, at);
		} else {
			break;
		}
		at = x->trail.end;
	}
	return BX_STATUS_CLEAN;
}

/* The last segment again, bodies included. */
static enum bx_status
pass_bodies(struct inspection *x, struct bx_fault *fault)
{
	struct trail found = x->trail;
	uint64_t stop = found.end;
	bool good;
	enum bx_status status = begin(x, found.start, &good, fault);

	while (status == BX_STATUS_CLEAN && x->trail.end < stop) {
		struct bx_block_header h;
		uint64_t at = x->trail.end;

		status = good_block(x, at, &h, &good, fault);
		if (status != BX_STATUS_CLEAN || !good)
			break;
		extend(&x->trail, &h, x->block.ptr, at);
	}
	return status;
}

/* Is there a good block after `from` that belongs behind it? */
static enum bx_status
search(struct inspection *x, uint64_t from, bool *found, struct bx_fault *fault)
{
	const struct trail *t = &x->trail;

	*found = false;
	for (uint64_t at = from + BX_PAGE; at < x->bytes->size; at += BX_PAGE) {
		uint8_t front[BX_HEADER_LEN];
		struct bx_block_header h;
		enum bx_status status;
		bool good;

		if (x->bytes->size - at < BX_HEADER_LEN)
			break;
		status = bx_bytes_read(x->bytes, at, front, sizeof(front), fault);
		if (status != BX_STATUS_CLEAN)
			return status;
		if (bx_block_header_parse(&h, front, at, NULL) != BX_STATUS_CLEAN)
			continue;
		if (h.type != BX_BLOCK_HEAD && t->known &&
		    (memcmp(h.segment_id, t->head.segment_id, 16) != 0 || h.seq < t->blocks))
			continue;
		status = good_block(x, at, &h, &good, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
		if (good) {
			*found = true;
			return BX_STATUS_CLEAN;
		}
	}
	return BX_STATUS_CLEAN;
}

static void
next_place(const struct trail *t, struct bx_segment_place *place)
{
	*place = (struct bx_segment_place){ .has_prev = true, .prev_blocks = t->blocks };
	memcpy(place->prev_segment_id, t->head.segment_id, 16);
	bx_digest_link(t->last_header, place->prev_link);
	/* A stream that ended, by LAST or by its count, is continued by a new one. */
	if (t->last || t->head.segment_no + 1 == t->head.segment_total)
		return;
	place->has_stream = true;
	memcpy(place->stream_id, t->head.stream_id, 16);
	place->segment_no = t->head.segment_no + 1;
	place->segment_total = t->head.segment_total;
}

static bool
begins_like_one(struct inspection *x, struct bx_fault *fault, enum bx_status *status)
{
	uint8_t magic[BX_ARCHIVE_MAGIC_LEN];
	size_t len = x->bytes->size < sizeof(magic) ? (size_t)x->bytes->size : sizeof(magic);

	*status = bx_bytes_read(x->bytes, 0, magic, len, fault);
	return *status == BX_STATUS_CLEAN && memcmp(magic, BX_ARCHIVE_MAGIC, len) == 0;
}

static enum bx_status
decide(struct inspection *x, struct bx_resume *resume, struct bx_fault *fault)
{
	uint64_t size = x->bytes->size;
	uint64_t end = x->trail.known ? x->trail.end : 0;
	bool zero, found;
	enum bx_status status = bx_bytes_zero(x->bytes, end, size, &zero, fault);

	resume->read_only = x->read_only;
	resume->append_at = end;
	resume->torn_bytes = size - end;
	if (status != BX_STATUS_CLEAN)
		return status;
	if (!zero) {
		status = search(x, end, &found, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
		if (found) {
			resume->kind = BX_RESUME_DAMAGED;
			resume->damage_at = end;
			resume->append_at = (size + BX_PAGE - 1) / BX_PAGE * BX_PAGE;
			resume->torn_bytes = 0;
		} else if (!x->trail.known && !begins_like_one(x, fault, &status)) {
			resume->kind = BX_RESUME_FOREIGN;
			return status;
		}
	}
	if (x->trail.known) {
		resume->stream_ended = x->trail.last;
		next_place(&x->trail, &resume->place);
	}
	if (resume->kind != BX_RESUME_DAMAGED)
		resume->kind = !x->trail.known     ? BX_RESUME_EMPTY
			       : x->trail.has_tail ? BX_RESUME_CLOSED
						   : BX_RESUME_OPEN;
	return BX_STATUS_CLEAN;
}

enum bx_status
bx_resume_inspect(struct bx_resume *resume, const struct bx_bytes *bytes, struct bx_fault *fault)
{
	struct inspection x = { .bytes = bytes };
	enum bx_status status;

	*resume = (struct bx_resume){ .kind = BX_RESUME_EMPTY };
	status = pass_headers(&x, fault);
	if (status == BX_STATUS_CLEAN && x.trail.known)
		status = pass_bodies(&x, fault);
	if (status == BX_STATUS_CLEAN)
		status = decide(&x, resume, fault);
	bx_bytes_block_free(&x.block);
	return status;
}
