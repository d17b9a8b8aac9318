#include "archive/streams.h"

#include <stdlib.h>
#include <string.h>

#include "archive/intern.h"

struct segment {
	uint32_t stream;
	uint64_t blocks;
	uint8_t link[32];
	bool ended; /* bx_streams_end was called */
};

struct stream {
	uint64_t next_no;
	uint64_t total;   /* 0: not known */
	uint32_t segment; /* the last one */
	uint64_t offset;  /* of its HEAD */
	bool open;        /* it has no TAIL */
	bool last;        /* its TAIL ends the stream */
};

struct bx_streams {
	struct bx_intern stream_ids, segment_ids; /* numbers are indexes below */
	struct stream *streams;
	struct segment *segments;
	uint32_t stream_cap, segment_cap;
	uint32_t current; /* stream of the current segment */
	uint32_t segment; /* the current segment; BX_INTERN_NONE: one that stands twice */
	struct bx_fault fault;
};

struct bx_streams *
bx_streams_new(uint64_t hash_seed)
{
	struct bx_streams *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	bx_intern_init(&s->stream_ids, hash_seed);
	bx_intern_init(&s->segment_ids, hash_seed);
	s->segment = BX_INTERN_NONE;
	return s;
}

void
bx_streams_free(struct bx_streams *s)
{
	if (s == NULL)
		return;
	bx_intern_wipe(&s->stream_ids);
	bx_intern_wipe(&s->segment_ids);
	free(s->streams);
	free(s->segments);
	free(s);
}

static bool
make_room(struct bx_streams *s)
{
	if (s->stream_ids.count == s->stream_cap) {
		uint32_t cap = s->stream_cap == 0 ? 4 : s->stream_cap * 2;
		struct stream *grown = realloc(s->streams, cap * sizeof(grown[0]));

		if (grown == NULL)
			return false;
		s->streams = grown;
		s->stream_cap = cap;
	}
	if (s->segment_ids.count == s->segment_cap) {
		uint32_t cap = s->segment_cap == 0 ? 4 : s->segment_cap * 2;
		struct segment *grown = realloc(s->segments, cap * sizeof(grown[0]));

		if (grown == NULL)
			return false;
		s->segments = grown;
		s->segment_cap = cap;
	}
	return true;
}

static void
incomplete(struct bx_streams *s, uint64_t offset, const char *what)
{
	(void)bx_status_set(&s->fault, BX_STATUS_INCOMPLETE_STREAM, offset, what);
}

static bool
is_none(const uint8_t id[static 16])
{
	static const uint8_t none[16] = { 0 };

	return memcmp(id, none, 16) == 0;
}

/* Does the segment link to one that was seen, as that one was? */
static bool
link_holds(const struct bx_streams *s, const struct bx_head *head)
{
	uint32_t number =
	    bx_intern_find(&s->segment_ids, (struct bx_span){ head->prev_segment_id, 16 });
	const struct segment *prev;

	if (number == BX_INTERN_NONE)
		return false;
	prev = &s->segments[number];
	return prev->ended && prev->blocks == head->prev_blocks &&
	       memcmp(prev->link, head->prev_link, 32) == 0;
}

/* The rules for a segment that is not the first of its stream in this file. */
static void
check_next(struct bx_streams *s, const struct stream *stream, const struct bx_head *head,
	   uint64_t offset)
{
	bool linked = !is_none(head->prev_segment_id);

	if (stream->last)
		incomplete(s, offset, "a segment after the end of its stream");
	else if (head->segment_no != stream->next_no)
		incomplete(s, offset, "a segment of a stream is missing, repeated or out of order");
	else if (stream->total != 0 && head->segment_total != 0 &&
		 stream->total != head->segment_total)
		incomplete(s, offset, "segments of a stream disagree about their total");
	else if (linked && !link_holds(s, head))
		incomplete(s, offset, "a segment does not follow the one that it names");
	else if (!linked && stream->open)
		incomplete(s, offset, "a segment without TAIL is followed by one without link");
}

static void
check_first(struct bx_streams *s, const struct bx_head *head, uint64_t offset)
{
	if (head->segment_no != 0)
		incomplete(s, offset, "the first segment of a stream is missing");
	else if (!is_none(head->prev_segment_id) && !link_holds(s, head))
		incomplete(s, offset, "the recording that this one continues is missing");
}

bool
bx_streams_begin(struct bx_streams *s, const struct bx_head *head, uint64_t offset)
{
	uint32_t known = s->stream_ids.count;
	uint32_t segments = s->segment_ids.count;
	struct stream *stream;

	if (!make_room(s))
		return false;
	s->current = bx_intern_put(&s->stream_ids, (struct bx_span){ head->stream_id, 16 });
	if (s->current == BX_INTERN_NONE)
		return false;
	stream = &s->streams[s->current];
	if (s->current == known) {
		*stream = (struct stream){ 0 };
		check_first(s, head, offset);
	} else {
		check_next(s, stream, head, offset);
	}
	s->segment = bx_intern_put(&s->segment_ids, (struct bx_span){ head->segment_id, 16 });
	if (s->segment == BX_INTERN_NONE)
		return false;
	if (s->segment < segments) {
		incomplete(s, offset, "a segment stands twice");
		s->segment = BX_INTERN_NONE;
	} else {
		s->segments[s->segment] = (struct segment){ .stream = s->current };
		stream->segment = s->segment;
	}
	if (head->segment_no >= stream->next_no)
		stream->next_no = head->segment_no + 1;
	if (head->segment_total != 0)
		stream->total = head->segment_total;
	stream->offset = offset;
	stream->open = true;
	stream->last = false;
	return true;
}

void
bx_streams_end(struct bx_streams *s, uint64_t blocks, const uint8_t link[static 32], bool has_tail,
	       bool last)
{
	struct stream *stream = &s->streams[s->current];

	if (s->segment != BX_INTERN_NONE) {
		struct segment *segment = &s->segments[s->segment];

		segment->blocks = blocks;
		memcpy(segment->link, link, 32);
		segment->ended = true;
	}
	stream->open = !has_tail;
	stream->last = last;
	if (last && stream->total != 0 && stream->next_no != stream->total)
		incomplete(s, stream->offset, "a stream ends before its last segment");
}

enum bx_status
bx_streams_verdict(const struct bx_streams *s, bool cut, struct bx_fault *fault)
{
	struct bx_fault open = { 0 };

	if (s->fault.status != BX_STATUS_CLEAN) {
		if (fault != NULL && fault->status == BX_STATUS_CLEAN)
			*fault = s->fault;
		return s->fault.status;
	}
	for (uint32_t i = 0; i < s->stream_ids.count; i++) {
		const struct stream *stream = &s->streams[i];

		if (stream->open) {
			(void)bx_status_set(&open, BX_STATUS_OPEN, stream->offset,
					    "a segment has no end (TAIL)");
			continue;
		}
		if (cut || stream->last || (stream->total != 0 && stream->next_no == stream->total))
			continue;
		return bx_status_set(fault, BX_STATUS_INCOMPLETE_STREAM, stream->offset,
				     "the last segment of a stream is missing");
	}
	if (open.status != BX_STATUS_CLEAN && fault != NULL && fault->status == BX_STATUS_CLEAN)
		*fault = open;
	return open.status;
}
