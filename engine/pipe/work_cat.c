/* cat and info: what a recording holds, as lines and as counts. */
#include "pipe/pipe.h"

#include "base/json_writer.h"

static const struct bx_trace_line *
line_of(const struct bx_car *car, const struct bx_record *r)
{
	return car->line_count != 0 && r->frame.kind == BX_FRAME_MESSAGE ? &car->lines[r->line]
									 : NULL;
}

/* --- cat ------------------------------------------------------------------------------------- */

static void
put_name(struct bx_writer *w, const char *name)
{
	bx_put(w, ",\"", 2);
	bx_put_text(w, name);
	bx_put(w, "\":", 2);
}

static void
put_number(struct bx_writer *w, const char *name, uint64_t v)
{
	put_name(w, name);
	bx_json_put_u64(w, v);
}

static void
put_word(struct bx_writer *w, const char *name, const char *word)
{
	put_name(w, name);
	bx_json_put_string(w, (struct bx_span){ (const uint8_t *)word, strlen(word) });
}

/* n, at, ts, conn, session, dir, ser */
static void
put_place(struct bx_pipe *pipe, const struct bx_car *car, const struct bx_record *r,
	  struct bx_writer *w)
{
	const struct bx_trace_line *line = line_of(car, r);
	uint8_t ser = line != NULL && line->ser != BX_SER_UNKNOWN ? line->ser : r->m.ser;

	bx_put_text(w, "{\"n\":");
	bx_json_put_u64(w, r->number);
	if (pipe->from != BX_FORMAT_BOXCAR)
		put_number(w, "at", bx_record_offset(car, r));
	if (line != NULL && line->has_ts) {
		put_name(w, "ts");
		bx_json_put_i64(w, line->ts);
	}
	if (line != NULL && line->has_conn)
		put_number(w, "conn", line->conn);
	if (r->has_session)
		put_number(w, "session", r->session);
	if (line != NULL && line->dir != BX_DIR_UNKNOWN)
		put_word(w, "dir", line->dir == BX_DIR_C2R ? "c2r" : "r2c");
	if (ser != BX_SER_UNKNOWN)
		put_word(w, "ser", bx_ser_name((enum bx_ser)ser));
}

/* The ids that the type has, under their names in the WAMP specification. */
static void
put_ids(const struct bx_message *m, struct bx_writer *w)
{
	switch (m->type) {
	case BX_EVENT:
		put_number(w, "subscription", m->subject);
		put_number(w, "publication", m->publication);
		return;
	case BX_EVENT_RECEIVED:
		put_number(w, "publication", m->publication);
		return;
	case BX_WELCOME:
		put_number(w, "session_id", m->subject);
		return;
	case BX_HELLO:
	case BX_ABORT:
	case BX_CHALLENGE:
	case BX_AUTHENTICATE:
	case BX_GOODBYE:
		return;
	default:
		break;
	}
	if ((m->flags & BX_MSG_EXTENSION) != 0)
		return;
	put_number(w, "request", m->request);
	if (m->type == BX_ERROR)
		put_number(w, "request_type", m->request_type);
	if (m->type == BX_PUBLISHED)
		put_number(w, "publication", m->publication);
	if (m->type == BX_SUBSCRIBED || m->type == BX_UNSUBSCRIBE)
		put_number(w, "subscription", m->subject);
	if (m->type == BX_REGISTERED || m->type == BX_UNREGISTER || m->type == BX_INVOCATION)
		put_number(w, "registration", m->subject);
}

/* args and kwargs from the text `"args":A,"kwargs":K` of args_to_inner: null ones are left out. */
static void
put_args(struct bx_span args, struct bx_span kwargs, struct bx_writer *w)
{
	bool has_kwargs = kwargs.len != 0 && !bx_span_is(kwargs, "null");

	if (args.len != 0 && (!bx_span_is(args, "null") || has_kwargs)) {
		put_name(w, "args");
		bx_put_span(w, args);
	}
	if (has_kwargs) {
		put_name(w, "kwargs");
		bx_put_span(w, kwargs);
	}
}

static enum bx_coded
put_plain_args(struct bx_worker *worker, const struct bx_record *r, struct bx_writer *w)
{
	struct bx_defect why;
	uint32_t marks = 0;
	uint8_t *begin = worker->work.at;
	struct bx_inner inner = { 0 };

	bx_put_u8(&worker->work, '{');

	enum bx_coded coded =
	    bx_codec_of((enum bx_ser)r->m.ser)->args_to_inner(&r->m, &worker->work, &marks, &why);

	if (coded != BX_CODED_OK)
		return coded;
	bx_put_u8(&worker->work, '}');
	if (worker->work.full)
		return BX_CODED_FULL;
	if (bx_inner_parse(bx_since(&worker->work, begin), &worker->work, &inner) == BX_INNER_OK)
		put_args(inner.args, inner.kwargs, w);
	return worker->work.full ? BX_CODED_FULL : BX_CODED_OK;
}

static enum bx_coded
put_details(struct bx_worker *worker, const struct bx_record *r, struct bx_writer *w)
{
	struct bx_defect why;
	uint32_t marks = 0;
	uint8_t *begin = worker->work.at;

	if (r->m.dict.len == 0)
		return BX_CODED_OK;

	enum bx_coded coded =
	    bx_codec_of((enum bx_ser)r->m.ser)
		->to_json(bx_message_piece(&r->m, r->m.dict), &worker->work, &marks, &why);

	if (coded == BX_CODED_OK) {
		put_name(w, "details");
		bx_put_span(w, bx_since(&worker->work, begin));
	}
	return coded;
}

/* False: no room. */
static bool
put_message(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
	    const struct bx_plan *plan, struct bx_writer *w)
{
	enum bx_standing standing = bx_record_standing(r);
	enum bx_coded coded = BX_CODED_OK;

	put_place(worker->pipe, car, r, w);
	if (!r->scanned) {
		put_word(w, "type", "UNKNOWN");
		if (standing == BX_STANDS_MALFORMED)
			put_word(w, "failure", bx_failure_name(BX_FAILURE_MALFORMED));
		bx_put_text(w, "}\n");
		return !w->full;
	}
	put_word(w, "type", bx_type_name(r->m.type));
	put_ids(&r->m, w);
	if (r->m.uri != NULL && r->m.type != BX_HELLO && r->routed != BX_ROUTED_PATTERN) {
		put_name(w, "uri");
		bx_json_put_string(w, bx_record_uri(r));
	} else if (r->m.type == BX_HELLO && r->m.uri != NULL) {
		put_name(w, "realm");
		bx_json_put_string(w, bx_record_uri(r));
	}
	if (bx_type_has_payload(r->m.type)) {
		bool opened = r->mark == BX_MARK_OPEN && r->failure == BX_FAILURE_NONE;

		bx_put_text(w, standing == BX_STANDS_SEALED ? ",\"sealed\":true"
							    : ",\"sealed\":false");
		if (worker->pipe->job->ring_count != 0 && standing == BX_STANDS_SEALED)
			bx_put_text(w, opened ? ",\"opened\":true" : ",\"opened\":false");
		if (opened && plan->trusted)
			bx_put_text(w, ",\"trusted_by_key\":true");
	}
	if (r->failure != BX_FAILURE_NONE)
		put_word(w, "failure", bx_failure_name((enum bx_failure)r->failure));
	coded = put_details(worker, r, w);
	if (coded != BX_CODED_FULL && r->mark == BX_MARK_OPEN && r->failure == BX_FAILURE_NONE)
		put_args(plan->inner.args, plan->inner.kwargs, w);
	else if (coded != BX_CODED_FULL && standing == BX_STANDS_PLAIN)
		coded = put_plain_args(worker, r, w);
	bx_put_text(w, "}\n");
	return !w->full && coded != BX_CODED_FULL;
}

/* Keys that are merely missing are no failure of `cat`; what does not authenticate is. */
static void
note_failure(struct bx_worker *worker, struct bx_car *car, const struct bx_record *r)
{
	worker->counts.failed[r->failure]++;
	if (r->failure != BX_FAILURE_NO_KEY && r->failure != BX_FAILURE_NO_ROLE &&
	    r->failure != BX_FAILURE_MALFORMED)
		bx_record_fail(car, r, &car->noted);
}

bool
bx_work_cat(struct bx_worker *worker, struct bx_car *car, struct bx_record *records, size_t *count,
	    struct bx_writer *out)
{
	const struct bx_job *job = worker->pipe->job;

	for (size_t i = 0; i < *count; i++) {
		struct bx_record *r = &records[i];

		r->mark = BX_MARK_NOTHING;
		r->fate = BX_FATE_DROP;
		if (r->frame.kind != BX_FRAME_MESSAGE)
			continue;
		r->fate = BX_FATE_COPY;
		if (job->ring_count != 0 && !job->raw && bx_record_standing(r) == BX_STANDS_SEALED)
			r->mark = BX_MARK_OPEN;
	}
	if (!bx_opener_run(worker, car, records, *count))
		return false;
	for (size_t i = 0; i < *count; i++) {
		struct bx_record *r = &records[i];

		if (r->fate == BX_FATE_DROP)
			continue;
		/* After opening, because the box may be what tells the URI. */
		if (!bx_filter_keeps(&job->filter, car, r)) {
			worker->counts.filtered++;
			continue;
		}
		if (job->raw
			? bx_emit_body(worker, car, r, bx_message_span(&r->m), out) == BX_EMIT_FULL
			: !put_message(worker, car, r, &worker->plans[i], out))
			return false;
		if (!job->raw)
			worker->counts.written++;
		worker->counts.opened += r->mark == BX_MARK_OPEN && r->failure == BX_FAILURE_NONE;
		if (r->failure != BX_FAILURE_NONE)
			note_failure(worker, car, r);
	}
	return true;
}

static const char *
dir_name(uint8_t dir)
{
	return dir == BX_DIR_C2R ? "c2r" : (dir == BX_DIR_R2C ? "r2c" : "");
}

/* --- info ------------------------------------------------------------------------------------ */

bool
bx_work_info(struct bx_worker *worker, struct bx_car *car, struct bx_record *records, size_t *count,
	     struct bx_writer *out)
{
	(void)out;
	for (size_t i = 0; i < *count; i++) {
		struct bx_record *r = &records[i];
		const struct bx_trace_line *line = line_of(car, r);

		if (r->frame.kind != BX_FRAME_MESSAGE)
			continue;

		enum bx_standing standing = bx_record_standing(r);
		struct bx_stats_sample sample = {
			.type = r->scanned ? bx_type_name(r->m.type)
					   : bx_ser_name((enum bx_ser)r->m.ser),
			.uri = bx_record_uri(r),
			.has_uri = r->scanned && bx_type_has_payload(r->m.type),
			.session = r->session,
			.has_session = r->has_session,
			.conn = line != NULL && line->has_conn ? line->conn : 0,
			.dir = line == NULL ? NULL : dir_name(line->dir),
			.bytes = r->m.len,
			.sealed = standing == BX_STANDS_SEALED,
			.plain = standing == BX_STANDS_PLAIN,
			.has_ts = line != NULL && line->has_ts,
			.ts = line != NULL ? line->ts : 0,
		};

		worker->counts.payloads += sample.has_uri;
		worker->counts.already_sealed += sample.sealed;
		worker->counts.plain += sample.plain;
		worker->counts.foreign += standing == BX_STANDS_FOREIGN;
		worker->counts.unsupported += standing == BX_STANDS_UNSUPPORTED;
		worker->counts.unparsed += standing == BX_STANDS_MALFORMED;
		if (!bx_stats_add(worker->stats, &sample))
			(void)bx_fail_set(&car->fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	}
	return true;
}
