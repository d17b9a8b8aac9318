#include "archive/salvage.h"

#include <stdlib.h>
#include <string.h>

#include "archive/block_finder.h"
#include "archive/digest.h"
#include "archive/intern.h"
#include "archive/streams.h"
#include "base/crc32c.h"

/* What is known of a segment. It is kept for the whole file: a segment may come a second time. */
struct state {
	struct bx_head head;
	struct bx_segment_key *key; /* NULL: plain, or locked */
	bool head_lost;
	bool locked; /* its blocks cannot be opened */
	bool has_tail;
	uint64_t start;    /* where it seems to begin; a hint */
	uint64_t seq;      /* expected next: one more than that of the last block that was good */
	uint64_t reported; /* blocks below were good or reported as lost; at least seq */
	uint64_t record;   /* expected next */
	uint64_t number;   /* in order of appearance */
};

enum { QUEUE_LEN = 4 };

struct bx_salvage {
	struct bx_bytes bytes;
	struct bx_salvage_options options;
	struct bx_block_reader *reader;
	struct bx_bytes_block block;
	struct bx_block_finder finder;
	struct bx_streams *streams;
	struct bx_intern ids; /* numbers are indexes of states */
	struct state *states;
	uint32_t state_cap;
	uint32_t current; /* BX_INTERN_NONE: none yet */
	bool in_stream;   /* bx_streams_begin was called for the current one */
	uint8_t link[32];

	uint64_t at;
	bool ended;
	struct bx_salvage_item queue[QUEUE_LEN];
	size_t queued, taken;
	struct bx_salvage_report report;
	struct bx_fault locked; /* the first segment that could not be opened */
	bool any_opened;
};

enum bx_err
bx_salvage_new(struct bx_salvage **salvage, const struct bx_bytes *bytes,
	       const struct bx_salvage_options *options, struct bx_fail *fail)
{
	struct bx_salvage *s = calloc(1, sizeof(*s));

	if (s == NULL)
		goto nomem;
	s->bytes = *bytes;
	s->options = *options;
	s->current = BX_INTERN_NONE;
	s->report.totals = BX_TOTALS_NONE;
	s->report.records_lost_exact = true;
	bx_intern_init(&s->ids, options->limits.hash_seed);
	s->streams = bx_streams_new(options->limits.hash_seed);
	if (s->streams == NULL || bx_block_reader_new(&s->reader, options->limits, fail) != BX_OK)
		goto nomem;
	*salvage = s;
	return BX_OK;
nomem:
	bx_salvage_free(s);
	return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for salvage");
}

void
bx_salvage_free(struct bx_salvage *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->ids.count; i++)
		bx_segment_key_free(s->states[i].key);
	free(s->states);
	bx_intern_wipe(&s->ids);
	bx_streams_free(s->streams);
	bx_block_finder_free(&s->finder);
	bx_bytes_block_free(&s->block);
	bx_block_reader_free(s->reader);
	free(s);
}

struct bx_block_reader *
bx_salvage_reader(struct bx_salvage *s)
{
	return s->reader;
}

static struct state *
state_of(struct bx_salvage *s)
{
	return s->current == BX_INTERN_NONE ? NULL : &s->states[s->current];
}

/* --- items ----------------------------------------------------------------------------------- */

static struct bx_salvage_item *
push(struct bx_salvage *s, enum bx_salvage_kind kind, uint64_t at)
{
	struct bx_salvage_item *item = &s->queue[s->queued++];
	const struct state *state = state_of(s);

	*item = (struct bx_salvage_item){ .kind = kind,
					  .at = at,
					  .segment = state == NULL ? 0 : state->number };
	return item;
}

static void
worsen(struct bx_salvage *s, enum bx_status status)
{
	if (status > s->report.status)
		s->report.status = status;
}

/* Reports what is wrong at `at`; `bytes` of the file are lost by it. */
static struct bx_salvage_item *
push_gap(struct bx_salvage *s, uint64_t at, uint64_t bytes, enum bx_status status, const char *what)
{
	struct bx_salvage_item *item = push(s, BX_SALVAGE_GAP, at);

	item->bytes = bytes;
	(void)bx_status_set(&item->fault, status, at, what);
	item->fault.segment = item->segment;
	worsen(s, status);
	if (status == BX_STATUS_AEAD || status == BX_STATUS_DOWNGRADE ||
	    status == BX_STATUS_HEADER_AUTH)
		s->report.auth_failures++;
	return item;
}

static enum bx_status
stop(struct bx_salvage *s, struct bx_fault *fault, enum bx_status status, uint64_t at)
{
	s->ended = true;
	return bx_status_set(fault, status, at,
			     status == BX_STATUS_SYS ? "reading failed" : "no memory for salvage");
}

static bool
ends_it(enum bx_status status)
{
	return status == BX_STATUS_SYS || status == BX_STATUS_NOMEM;
}

/* --- segments -------------------------------------------------------------------------------- */

/* The current segment is left: what is known of its end. */
static void
leave(struct bx_salvage *s)
{
	struct state *state = state_of(s);

	if (state == NULL)
		return;
	if (!state->has_tail)
		s->report.records_lost_exact = false;
	if (s->in_stream)
		bx_streams_end(s->streams, state->seq, s->link, state->has_tail, false);
	s->in_stream = false;
	s->current = BX_INTERN_NONE;
}

/* Makes the segment with this id the current one; *fresh: it was not seen before. */
static bool
enter(struct bx_salvage *s, const uint8_t id[static 16], uint64_t start, bool *fresh)
{
	uint32_t known = s->ids.count;
	uint32_t number;

	if (known == s->state_cap) {
		uint32_t cap = s->state_cap == 0 ? 4 : s->state_cap * 2;
		struct state *grown = realloc(s->states, cap * sizeof(grown[0]));

		if (grown == NULL)
			return false;
		s->states = grown;
		s->state_cap = cap;
	}
	leave(s);
	number = bx_intern_put(&s->ids, (struct bx_span){ id, 16 });
	if (number == BX_INTERN_NONE)
		return false;
	*fresh = number == known;
	if (*fresh)
		s->states[number] = (struct state){ .number = number };
	s->states[number].start = start;
	s->current = number;
	return true;
}

/* Takes over a HEAD (of its own, or out of a HEADCOPY): parses and unlocks it. */
static enum bx_status
adopt(struct bx_salvage *s, struct state *state, const uint8_t *header, struct bx_span body,
      uint64_t at, struct bx_fault *fault)
{
	struct bx_head head;
	struct bx_segment_key *key = NULL;
	enum bx_status status = bx_head_parse(&head, header, body, at, fault);

	if (status != BX_STATUS_CLEAN)
		return status;
	status = bx_walk_unlock(&key, &s->options.walk, header, body, &head, at, fault);
	if (status == BX_STATUS_NOMEM)
		return status;
	bx_segment_key_free(state->key);
	state->key = key;
	state->head = head;
	state->head_lost = false;
	state->locked = status != BX_STATUS_CLEAN;
	return status;
}

static void
announce(struct bx_salvage *s, uint64_t at)
{
	const struct state *state = state_of(s);
	struct bx_salvage_item *item = push(s, BX_SALVAGE_SEGMENT, at);

	item->head = state->head;
	item->head_lost = state->head_lost;
	s->any_opened = true;
	s->report.segments++;
}

static void
lock_out(struct bx_salvage *s, uint64_t at, const struct bx_fault *why)
{
	if (s->locked.status == BX_STATUS_CLEAN)
		s->locked = *why;
	(void)push_gap(s, at, 0, why->status, why->what);
}

/* Looks for a HEADCOPY of the current segment from `from` on that can be unlocked. */
static enum bx_status
find_headcopy(struct bx_salvage *s, uint64_t from, struct bx_fault *why, struct bx_fault *fault)
{
	struct state *state = state_of(s);
	struct bx_span id = bx_intern_at(&s->ids, s->current);
	uint64_t at = from;
	bool found;

	for (;; at++) {
		struct bx_block_header h, inner;
		struct bx_span body;
		enum bx_status status = bx_block_finder_next(&s->finder, &s->bytes, at,
							     s->bytes.size, &found, &at, &h, fault);

		if (status != BX_STATUS_CLEAN)
			return status;
		if (!found)
			break;
		if (h.type != BX_BLOCK_HEADCOPY || memcmp(h.segment_id, id.ptr, 16) != 0)
			continue;
		status = bx_bytes_block(&s->bytes, at, &s->block, &h, NULL);
		if (ends_it(status))
			return stop(s, fault, status, at);
		if (status != BX_STATUS_CLEAN)
			continue;
		body = (struct bx_span){ s->block.ptr + BX_HEADER_LEN, h.body_len };
		if (bx_crc32c(0, body) != h.body_crc || body.len < BX_HEADER_LEN ||
		    bx_block_header_parse(&inner, body.ptr, at, NULL) != BX_STATUS_CLEAN ||
		    memcmp(inner.segment_id, id.ptr, 16) != 0)
			continue;
		*why = (struct bx_fault){ 0 };
		status =
		    adopt(s, state, body.ptr,
			  (struct bx_span){ body.ptr + BX_HEADER_LEN, body.len - BX_HEADER_LEN },
			  at, why);
		if (status == BX_STATUS_NOMEM)
			return stop(s, fault, status, at);
		if (status == BX_STATUS_CLEAN)
			return status;
	}
	if (why->status == BX_STATUS_CLEAN)
		(void)bx_status_set(why, BX_STATUS_DAMAGED, from,
				    "HEAD and all its copies are lost");
	return BX_STATUS_CLEAN;
}

/* A HEAD at `at` whose block is in s->block with a good CRC. */
static enum bx_status
begin_segment(struct bx_salvage *s, uint64_t at, const struct bx_block_header *h,
	      struct bx_fault *fault)
{
	struct bx_span body = { s->block.ptr + BX_HEADER_LEN, h->body_len };
	struct bx_fault why = { 0 };
	struct state *state;
	enum bx_status status;
	bool fresh;

	if (!enter(s, h->segment_id, at, &fresh))
		return stop(s, fault, BX_STATUS_NOMEM, at);
	state = state_of(s);
	if (!fresh && !state->head_lost && !state->locked) {
		(void)push_gap(s, at, s->block.len, BX_STATUS_INCOMPLETE_STREAM,
			       "a segment stands twice");
		return BX_STATUS_CLEAN;
	}
	status = adopt(s, state, s->block.ptr, body, at, &why);
	if (status == BX_STATUS_NOMEM)
		return stop(s, fault, status, at);
	if (state->seq == 0)
		state->seq = state->reported = 1;
	bx_digest_link(s->block.ptr, s->link);
	if (status == BX_STATUS_DAMAGED || status == BX_STATUS_HEADER_AUTH) {
		/* Not what was written; a copy may be. */
		(void)push_gap(s, at, s->block.len, status, why.what);
		state->locked = true;
		status = find_headcopy(s, at + 1, &why, fault);
		if (ends_it(status))
			return status;
		status = state->locked ? why.status : BX_STATUS_CLEAN;
	}
	if (status != BX_STATUS_CLEAN) {
		state->locked = true;
		lock_out(s, at, &why);
		return BX_STATUS_CLEAN;
	}
	if (!bx_streams_begin(s->streams, &state->head, at))
		return stop(s, fault, BX_STATUS_NOMEM, at);
	s->in_stream = true;
	announce(s, at);
	return BX_STATUS_CLEAN;
}

/* A block of a segment whose HEAD was not seen. */
static enum bx_status
begin_headless(struct bx_salvage *s, uint64_t at, const struct bx_block_header *h,
	       struct bx_fault *fault)
{
	bool covered = (h->flags & (BX_BLOCK_ENCRYPTED | BX_BLOCK_MAC_ONLY)) != 0;
	uint64_t back = h->page_off * BX_PAGE;
	struct bx_fault why = { 0 };
	struct state *state;
	enum bx_status status;
	bool fresh;

	if (!enter(s, h->segment_id, back <= at ? at - back : 0, &fresh))
		return stop(s, fault, BX_STATUS_NOMEM, at);
	state = state_of(s);
	if (!fresh)
		return BX_STATUS_CLEAN;
	memcpy(state->head.segment_id, h->segment_id, 16);
	state->head_lost = true;
	state->locked = true;
	if (covered && !s->options.walk.headers_only) {
		status = find_headcopy(s, at, &why, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
	} else if (s->options.walk.identity_count != 0 && !s->options.walk.allow_plain) {
		(void)bx_status_set(&why, BX_STATUS_DOWNGRADE, at,
				    "a plain segment, though an identity was given");
	} else {
		state->locked = false;
	}
	/* Block 0 is what is missing; the loss of others shows when the block is counted. */
	push_gap(s, at, 0, BX_STATUS_DAMAGED, "the HEAD of a segment is lost")->has_seqs = true;
	s->report.blocks_lost++;
	state->seq = state->reported = 1;
	if (state->locked) {
		lock_out(s, at, &why);
		return BX_STATUS_CLEAN;
	}
	if (!state->head_lost && !bx_streams_begin(s->streams, &state->head, at))
		return stop(s, fault, BX_STATUS_NOMEM, at);
	s->in_stream = !state->head_lost;
	announce(s, at);
	return BX_STATUS_CLEAN;
}

/* --- going on after damage ------------------------------------------------------------------- */

/*
 * The next block to try from `from` on. A block of the current segment at its own place is taken
 * before anything else that is found up to one block's length further: a plain body may hold a
 * whole .boxcar file, and its blocks are not ours.
 */
static enum bx_status
resync(struct bx_salvage *s, uint64_t from, bool *found, uint64_t *at, struct bx_fault *fault)
{
	const struct state *state = state_of(s);
	const uint8_t *id = state == NULL ? NULL : bx_intern_at(&s->ids, s->current).ptr;
	uint64_t limit = s->bytes.size;
	uint64_t pos = from;
	bool hit;

	*found = false;
	for (;;) {
		struct bx_block_header h;
		enum bx_status status =
		    bx_block_finder_next(&s->finder, &s->bytes, pos, limit, &hit, &pos, &h, fault);

		if (status != BX_STATUS_CLEAN || !hit)
			return status;
		if (id != NULL && memcmp(h.segment_id, id, 16) == 0) {
			bool exact = pos - state->start == h.page_off * BX_PAGE;

			if (h.seq >= state->seq && (exact || !*found)) {
				*found = true;
				*at = pos;
				return BX_STATUS_CLEAN;
			}
		} else if (!*found && (h.type == BX_BLOCK_HEAD || pos % BX_PAGE == 0)) {
			*found = true;
			*at = pos;
			if (id == NULL)
				return BX_STATUS_CLEAN;
			if (limit - pos > (uint64_t)BX_BODY_LEN_MAX + BX_PAGE)
				limit = pos + BX_BODY_LEN_MAX + BX_PAGE;
		}
		pos++;
	}
}

/* Reports the bytes from `bad` on as lost up to the next block, and goes there. */
static enum bx_status
skip_damage(struct bx_salvage *s, uint64_t bad, uint64_t from, struct bx_salvage_item *gap,
	    struct bx_fault *fault)
{
	bool found;
	uint64_t at = 0;
	enum bx_status status = resync(s, from, &found, &at, fault);

	if (status != BX_STATUS_CLEAN)
		return status;
	s->at = found ? at : s->bytes.size;
	gap->bytes = s->at - bad;
	return BX_STATUS_CLEAN;
}

/* --- blocks ---------------------------------------------------------------------------------- */

/*
 * A good block with this number came: what lies between it and the one before is missing. Only good
 * blocks move the numbers on, so that a forged header cannot make later blocks look repeated.
 */
static void
move_on(struct bx_salvage *s, uint64_t at, uint64_t seq)
{
	struct state *state = state_of(s);

	if (seq > state->reported) {
		struct bx_salvage_item *gap =
		    push_gap(s, at, 0, BX_STATUS_DAMAGED, "blocks are missing");

		gap->has_seqs = true;
		gap->seq_from = state->reported;
		gap->seq_to = seq - 1;
		s->report.blocks_lost += seq - state->reported;
	}
	state->seq = seq + 1;
	if (state->reported < state->seq)
		state->reported = state->seq;
}

static void
release_data(struct bx_salvage *s, uint64_t at, uint64_t seq)
{
	struct state *state = state_of(s);
	const struct bx_columns *columns = bx_block_reader_columns(s->reader);
	struct bx_salvage_item *item = push(s, BX_SALVAGE_BLOCK, at);

	item->seq = seq;
	if (columns->first_record > state->record)
		item->records_lost = columns->first_record - state->record;
	s->report.records_lost += item->records_lost;
	state->record = columns->first_record + columns->count;
	bx_record_sum(&s->report.totals, &columns->totals);
	s->report.data_blocks++;
}

static void
take_tail(struct bx_salvage *s, uint64_t at)
{
	struct state *state = state_of(s);
	const struct bx_tail *tail = bx_block_reader_tail(s->reader);

	if (tail->totals.records > state->record) {
		struct bx_salvage_item *gap =
		    push_gap(s, at, 0, BX_STATUS_DAMAGED, "records before the end are missing");

		gap->records_lost = tail->totals.records - state->record;
		s->report.records_lost += gap->records_lost;
	}
	state->has_tail = true;
	if (s->in_stream)
		bx_streams_end(s->streams, state->seq, s->link, true, tail->last);
	s->in_stream = false;
}

/*
 * From a block that was not as it should be to the next: believes its length when a fitting header
 * stands behind it, else looks for one from `from` on.
 */
static enum bx_status
go_on(struct bx_salvage *s, uint64_t at, const struct bx_block_header *h, uint64_t from,
      struct bx_salvage_item *gap, struct bx_fault *fault)
{
	uint64_t next = at + bx_block_header_total(h->body_len);
	uint8_t front[BX_HEADER_LEN];
	struct bx_block_header n;
	enum bx_status status;

	if (next == s->bytes.size) {
		s->at = next;
		return BX_STATUS_CLEAN;
	}
	if (s->bytes.size - next < BX_HEADER_LEN)
		return skip_damage(s, at, from, gap, fault);
	status = bx_bytes_read(&s->bytes, next, front, sizeof(front), fault);
	if (status != BX_STATUS_CLEAN)
		return stop(s, fault, status, next);
	if (bx_block_header_parse(&n, front, next, NULL) == BX_STATUS_CLEAN &&
	    (n.type == BX_BLOCK_HEAD ||
	     (memcmp(n.segment_id, h->segment_id, 16) == 0 && n.seq == h->seq + 1))) {
		s->at = next;
		return BX_STATUS_CLEAN;
	}
	return skip_damage(s, at, from, gap, fault);
}

/* A good block whose padding is not zero: the next one may begin in what should be padding. */
static enum bx_status
after_padding(struct bx_salvage *s, uint64_t at, const struct bx_block_header *h,
	      struct bx_fault *fault)
{
	uint64_t end = at + BX_HEADER_LEN + h->body_len;

	return go_on(s, at, h, end,
		     push_gap(s, at, 0, BX_STATUS_DAMAGED, "the padding of a block is not zero"),
		     fault);
}

/* The block in s->block does not load. */
static enum bx_status
pass_over(struct bx_salvage *s, uint64_t at, const struct bx_block_header *h,
	  const struct bx_fault *why, struct bx_fault *fault)
{
	struct state *state = state_of(s);
	struct bx_salvage_item *gap = push_gap(s, at, s->block.len, why->status, why->what);

	gap->fault.seq = h->seq;
	/* What did not authenticate says nothing about which block is lost. */
	if (bx_status_err(why->status) != BX_ERR_AUTH && h->seq == state->reported) {
		gap->has_seqs = true;
		gap->seq_from = h->seq;
		gap->seq_to = h->seq;
		state->reported = h->seq + 1;
		s->report.blocks_lost++;
	}
	return go_on(s, at, h, at + 1, gap, fault);
}

static enum bx_status
take_block(struct bx_salvage *s, uint64_t at, const struct bx_block_header *h,
	   struct bx_fault *fault)
{
	struct state *state = state_of(s);
	struct bx_salvage_item unused;
	struct bx_fault why = { 0 };
	struct bx_block_key key = { .encrypted = false };
	enum bx_status status;

	if (h->seq < state->seq)
		return go_on(
		    s, at, h, at + 1,
		    push_gap(s, at, s->block.len, BX_STATUS_DAMAGED, "a block stands twice"),
		    fault);
	if (state->locked) {
		s->report.blocks_lost++;
		return go_on(s, at, h, at + 1, &unused, fault);
	}
	if (state->key != NULL)
		bx_segment_key_block(state->key, h->seq, &key);
	status = bx_block_reader_load(s->reader, (struct bx_span){ s->block.ptr, s->block.len },
				      &key, BX_LOAD_BODIES | BX_LOAD_LAX, at, &why);
	bx_block_key_wipe(&key);
	if (status == BX_STATUS_NOMEM)
		return stop(s, fault, status, at);
	if (status != BX_STATUS_CLEAN)
		return pass_over(s, at, h, &why, fault);
	move_on(s, at, h->seq);
	s->at = at + s->block.len;
	bx_digest_link(s->block.ptr, s->link);
	if (bx_block_reader_dirty_padding(s->reader)) {
		status = after_padding(s, at, h, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
	}
	if (h->type == BX_BLOCK_DATA)
		release_data(s, at, h->seq);
	else if (h->type == BX_BLOCK_TAIL)
		take_tail(s, at);
	return BX_STATUS_CLEAN;
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* --- one step -------------------------------------------------------------------------------- */

static enum bx_status
take_header(struct bx_salvage *s, uint64_t at, const struct bx_block_header *h,
	    struct bx_fault *fault)
{
	struct bx_fault why = { 0 };
	struct bx_block_header again;
	uint32_t current = s->current;
	enum bx_status status;

	if (h->type != BX_BLOCK_HEAD &&
	    (current == BX_INTERN_NONE ||
	     memcmp(h->segment_id, bx_intern_at(&s->ids, current).ptr, 16) != 0)) {
		status = begin_headless(s, at, h, fault);
		/* Its items go out first; the block is taken by the next step. */
		if (status != BX_STATUS_CLEAN || s->queued != 0)
			return status;
	}
	status = bx_bytes_block(&s->bytes, at, &s->block, &again, &why);
	if (ends_it(status))
		return stop(s, fault, status, at);
	if (status != BX_STATUS_CLEAN) { /* cut by the end of the file */
		struct bx_salvage_item *gap = push_gap(s, at, s->bytes.size - at, BX_STATUS_OPEN,
						       "the file ends inside a block");

		return skip_damage(s, at, at + 1, gap, fault);
	}
	if (h->type != BX_BLOCK_HEAD)
		return take_block(s, at, h, fault);
	if (bx_crc32c(0, (struct bx_span){ s->block.ptr + BX_HEADER_LEN, h->body_len }) !=
	    h->body_crc)
		return skip_damage(
		    s, at, at + 1,
		    push_gap(s, at, 0, BX_STATUS_DAMAGED, "the CRC of a HEAD does not match"),
		    fault);
	s->at = at + s->block.len;
	if (!is_zero(s->block.ptr + BX_HEADER_LEN + h->body_len,
		     s->block.len - BX_HEADER_LEN - h->body_len)) {
		status = after_padding(s, at, h, fault);
		if (status != BX_STATUS_CLEAN)
			return status;
	}
	return begin_segment(s, at, h, fault);
}

static enum bx_status
finish(struct bx_salvage *s, struct bx_fault *fault)
{
	leave(s);
	worsen(s, bx_streams_verdict(s->streams, false, NULL));
	s->ended = true;
	if (!s->any_opened && s->locked.status != BX_STATUS_CLEAN) {
		if (fault != NULL && fault->status == BX_STATUS_CLEAN)
			*fault = s->locked;
		return s->locked.status;
	}
	if (!s->any_opened)
		return bx_status_set(fault, BX_STATUS_DAMAGED, 0, "the file holds no segment");
	(void)push(s, BX_SALVAGE_END, s->bytes.size);
	return BX_STATUS_CLEAN;
}

static enum bx_status
step(struct bx_salvage *s, struct bx_fault *fault)
{
	uint64_t at = s->at;
	uint8_t front[BX_HEADER_LEN];
	struct bx_block_header h;
	enum bx_status status;
	bool zero;

	if (at >= s->bytes.size)
		return finish(s, fault);
	if (s->bytes.size - at >= BX_HEADER_LEN) {
		status = bx_bytes_read(&s->bytes, at, front, sizeof(front), fault);
		if (status != BX_STATUS_CLEAN)
			return stop(s, fault, status, at);
		if (bx_block_header_parse(&h, front, at, NULL) == BX_STATUS_CLEAN)
			return take_header(s, at, &h, fault);
	}
	status = bx_bytes_zero(&s->bytes, at, s->bytes.size, &zero, fault);
	if (status != BX_STATUS_CLEAN)
		return stop(s, fault, status, at);
	if (zero) {
		worsen(s, BX_STATUS_OPEN);
		s->at = s->bytes.size;
		return BX_STATUS_CLEAN;
	}
	return skip_damage(s, at, at + 1,
			   push_gap(s, at, 0, BX_STATUS_DAMAGED, "no block begins here"), fault);
}

enum bx_status
bx_salvage_next(struct bx_salvage *s, struct bx_salvage_item *item, struct bx_fault *fault)
{
	if (s->taken == s->queued) {
		s->taken = 0;
		s->queued = 0;
	}
	while (s->queued == 0 && !s->ended) {
		enum bx_status status = step(s, fault);

		if (status != BX_STATUS_CLEAN)
			return status;
	}
	if (s->taken == s->queued) {
		*item = (struct bx_salvage_item){ .kind = BX_SALVAGE_END, .at = s->bytes.size };
		return BX_STATUS_CLEAN;
	}
	*item = s->queue[s->taken++];
	return BX_STATUS_CLEAN;
}

void
bx_salvage_report(const struct bx_salvage *s, struct bx_salvage_report *report)
{
	*report = s->report;
}
