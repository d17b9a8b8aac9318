/*
 * The input is one line. What parses must survive a space in front (which takes the other way
 * through the parser), an edit with its own body, and a new line made from it.
 */
#include "frame_drive.h"

#include "frame/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
parse(struct bx_span line, struct bx_writer *scratch, struct bx_trace_line *out)
{
	const char *what = NULL;
	size_t at = SIZE_MAX;
	bool good = bx_trace_parse(line, scratch, out, &what, &at);

	DRIVE_CHECK(good || (what != NULL && at <= line.len));
	return good;
}

static bool
same(const struct bx_trace_line *a, const struct bx_trace_line *b)
{
	return a->ts == b->ts && a->conn == b->conn && a->session == b->session &&
	       a->has_ts == b->has_ts && a->has_conn == b->has_conn &&
	       a->has_session == b->has_session && a->dir == b->dir && a->ser == b->ser &&
	       bx_span_equal(a->realm, b->realm) && bx_span_equal(a->body, b->body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cap = size * 4 + 512;
	uint8_t *bufs = malloc(4 * cap);
	struct bx_writer scratch = bx_writer_over(bufs, cap);
	struct bx_writer other_scratch = bx_writer_over(bufs + cap, cap);
	struct bx_writer w = bx_writer_over(bufs + 2 * cap, 2 * cap);
	struct bx_span line = { data, size };
	struct bx_trace_line parsed, again;

	DRIVE_CHECK(bufs != NULL);
	bx_put_u8(&w, ' ');
	bx_put_span(&w, line);

	bool good = parse(line, &scratch, &parsed);

	DRIVE_CHECK(good == parse(bx_since(&w, w.begin), &other_scratch, &again));
	if (!good) {
		free(bufs);
		return 0;
	}
	DRIVE_CHECK(same(&parsed, &again) && parsed.form == again.form &&
		    parsed.forms == again.forms);

	w.at = w.begin;
	bx_trace_edit(line, &parsed, parsed.body, &w);
	DRIVE_CHECK(!w.full && parse(bx_since(&w, w.begin), &other_scratch, &again));
	DRIVE_CHECK(same(&parsed, &again) && again.form == parsed.form &&
		    again.forms == 1u << parsed.form);

	w.at = w.begin;
	bx_trace_put(&parsed, parsed.body, &w);
	DRIVE_CHECK(!w.full && parse(bx_since(&w, w.begin), &other_scratch, &again));
	DRIVE_CHECK(same(&parsed, &again) && again.form == BX_TRACE_B64);
	free(bufs);
	return 0;
}
