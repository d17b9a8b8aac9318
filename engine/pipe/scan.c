/* Bodies and shapes of a car's records (parallel), then the URIs they do not carry (in order). */
#include "pipe/pipe.h"

#include "base/hash.h"
#include "frame/sniff.h"

/* A trace line: its body is one of its members. */
static void
open_line(struct bx_car *car, struct bx_record *r)
{
	struct bx_trace_line *line = &car->lines[car->line_count];
	const char *what = NULL;
	size_t at = 0;

	r->line = (uint32_t)car->line_count++;
	if (!bx_trace_parse(r->frame.body, &car->keep_writer, line, &what, &at)) {
		*line = (struct bx_trace_line){ .dir = BX_DIR_UNKNOWN };
		r->failure = BX_FAILURE_MALFORMED;
		r->why = what;
		r->why_at = (uint32_t)at;
		return;
	}
	r->m.bytes = line->body.ptr;
	r->m.len = (uint32_t)line->body.len;
	r->m.ser = line->form == BX_TRACE_MSG ? BX_SER_JSON : line->ser;
	r->conn ^= line->has_conn ? line->conn : 0;
}

bool
bx_check_rest(const struct bx_record *r, struct bx_defect *why)
{
	if (r->m.payload != BX_PAYLOAD_PLAIN)
		return true;
	return bx_codec_of((enum bx_ser)r->m.ser)->check_rest(&r->m, why);
}

static void
scan_record(struct bx_worker *worker, struct bx_car *car, struct bx_record *r)
{
	r->m.bytes = r->frame.body.ptr;
	r->m.len = (uint32_t)r->frame.body.len;
	r->m.ser = r->frame.ser;
	if (worker->pipe->from == BX_FORMAT_TRACE)
		open_line(car, r);
	if (r->failure != BX_FAILURE_NONE)
		return;
	if (r->m.ser == BX_SER_UNKNOWN)
		r->m.ser = (uint8_t)worker->pipe->default_ser;
	if (r->m.ser == BX_SER_UNKNOWN)
		r->m.ser = (uint8_t)bx_sniff_ser(bx_message_span(&r->m));

	const struct bx_codec *codec = bx_codec_of((enum bx_ser)r->m.ser);

	if (codec == NULL) {
		if (r->m.ser == BX_SER_UNKNOWN) {
			r->failure = BX_FAILURE_MALFORMED;
			r->why = "not a message of any known serializer";
		}
		return;
	}

	struct bx_defect why = { 0 };

	if (codec->scan(&r->m, &car->keep_writer, &why) &&
	    (!worker->pipe->checks_rest || bx_check_rest(r, &why))) {
		r->scanned = true;
		return;
	}
	r->failure = BX_FAILURE_MALFORMED;
	r->why = why.what;
	r->why_at = (uint32_t)why.at;
}

void
bx_scan_car(struct bx_worker *worker, struct bx_car *car)
{
	for (size_t i = 0; i < car->count; i++)
		if (car->records[i].frame.kind == BX_FRAME_MESSAGE)
			scan_record(worker, car, &car->records[i]);
}

/* --- in order -------------------------------------------------------------------------------- */

static void
refuse_mixed_serializers(const struct bx_pipe *pipe, struct bx_car *car, const struct bx_record *r)
{
	(void)bx_fail_set(&car->fail, BX_ERR_USAGE, 0, bx_record_offset(car, r),
			  "%.100s: message %llu: mixed serializers (%s, %s), and %s holds one",
			  car->file_name, (unsigned long long)r->number,
			  bx_ser_name((enum bx_ser)pipe->seen_ser),
			  bx_ser_name((enum bx_ser)r->m.ser), bx_format_name(pipe->to));
	bx_fail_hint(&car->fail, "convert --serializer json|msgpack|cbor makes them one");
}

static void
refuse_several_streams(const struct bx_pipe *pipe, struct bx_car *car, const struct bx_record *r)
{
	(void)bx_fail_set(&car->fail, BX_ERR_USAGE, 0, bx_record_offset(car, r),
			  "%.100s holds several connections or directions, and %s holds one",
			  car->file_name, bx_format_name(pipe->to));
	bx_fail_hint(&car->fail, "pick one with convert --conn N --dir c2r|r2c, or write -t trace");
}

/* A stream format holds one direction of one connection, in one serializer. */
static bool
stream_allows(struct bx_pipe *pipe, struct bx_car *car, struct bx_record *r)
{
	const struct bx_filter *filter = &pipe->job->filter;
	bool from_trace = pipe->from == BX_FORMAT_TRACE;
	uint8_t dir = from_trace ? car->lines[r->line].dir : (uint8_t)BX_DIR_UNKNOWN;
	uint64_t conn = from_trace ? car->lines[r->line].conn : 0;

	if (!pipe->seen_stream) {
		pipe->seen_stream = true;
		pipe->seen_conn = conn;
		pipe->seen_dir = dir;
		pipe->seen_ser = r->m.ser;
	}
	if ((conn != pipe->seen_conn && !filter->has_conn && !filter->has_session) ||
	    (dir != pipe->seen_dir && !filter->has_dir)) {
		refuse_several_streams(pipe, car, r);
		return false;
	}
	if (r->m.ser != pipe->seen_ser && pipe->target_ser == BX_SER_UNKNOWN) {
		refuse_mixed_serializers(pipe, car, r);
		return false;
	}
	return true;
}

/* Trace and container keep what a stream cannot: connection, direction, serializer. */
static bool
to_stream(const struct bx_pipe *pipe)
{
	enum bx_verb verb = pipe->job->verb;

	if (verb == BX_VERB_CAT || verb == BX_VERB_INFO || verb == BX_VERB_VERIFY)
		return false;
	return pipe->to == BX_FORMAT_RAWSOCKET ||
	       (pipe->to != BX_FORMAT_TRACE && pipe->to != BX_FORMAT_BOXCAR &&
		pipe->to != pipe->from);
}

static void
route_record(struct bx_pipe *pipe, struct bx_car *car, struct bx_record *r)
{
	struct bx_span uri;

	r->routed = (uint8_t)bx_route_feed(pipe->route, r->conn, &r->m, &uri);
	if (r->routed == BX_ROUTED_NOT_NEEDED || r->routed == BX_ROUTED_UNKNOWN)
		return;

	/* The route's text lives until its next feed: the car keeps its own copy. */
	uint8_t *copy = bx_reserve(&car->keep_writer, uri.len);

	if (copy == NULL) {
		r->routed = BX_ROUTED_UNKNOWN;
		return;
	}
	if (uri.len != 0)
		memcpy(copy, uri.ptr, uri.len);
	r->m.uri = copy;
	r->m.uri_len = (uint32_t)uri.len;
}

/* The session of a record: what its line says, else the last WELCOME of its connection. */
static void
find_session(struct bx_pipe *pipe, const struct bx_car *car, struct bx_record *r)
{
	if (car->line_count != 0 && car->lines[r->line].has_session) {
		r->session = car->lines[r->line].session;
		r->has_session = true;
		return;
	}

	struct bx_seen_session *seen =
	    &pipe->sessions[bx_hash_mix(r->conn ^ 0x9e3779b97f4a7c15ull, 0xe7037ed1a0b428dbull) %
			    BX_SEEN_SESSIONS];

	if (r->scanned && (r->m.type == BX_WELCOME || r->m.type == BX_HELLO))
		*seen = (struct bx_seen_session){ r->conn, r->m.subject, r->m.type == BX_WELCOME };
	r->has_session = seen->known && seen->conn == r->conn;
	r->session = r->has_session ? seen->session : 0;
}

bool
bx_route_car(struct bx_worker *worker, struct bx_car *car)
{
	struct bx_pipe *pipe = worker->pipe;
	bool check = to_stream(pipe);

	if (!bx_turn_enter(&pipe->route_turn, car->seq))
		return false;
	for (size_t i = 0; i < car->count; i++) {
		struct bx_record *r = &car->records[i];

		if (r->frame.kind != BX_FRAME_MESSAGE)
			continue;
		if (pipe->needs_sessions)
			find_session(pipe, car, r);
		if (check && !bx_filter_drops_stream(&pipe->job->filter, car, r) &&
		    !stream_allows(pipe, car, r)) {
			car->count = i;
			break;
		}
		if (r->scanned && pipe->needs_route && bx_route_wants(&r->m))
			route_record(pipe, car, r);
	}
	bx_turn_leave(&pipe->route_turn);
	return true;
}
