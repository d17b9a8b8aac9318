/* open, verify, rekey: what was sealed is authenticated, and written in clear, not at all, or anew.
 */
#include "pipe/pipe.h"

#include "base/json_writer.h"

/* Marks the sealed records and counts the others. `malformed` are failed by the caller. */
static void
mark_batch(struct bx_worker *worker, struct bx_record *records, size_t count)
{
	struct bx_job_counts *n = &worker->counts;

	for (size_t i = 0; i < count; i++) {
		struct bx_record *r = &records[i];

		r->fate = BX_FATE_COPY;
		r->mark = BX_MARK_NOTHING;
		if (r->scanned && bx_type_has_payload(r->m.type))
			n->payloads++;
		switch (bx_record_standing(r)) {
		case BX_STANDS_OTHER:
		case BX_STANDS_MALFORMED:
			break;
		case BX_STANDS_UNSUPPORTED:
			n->unsupported++;
			break;
		case BX_STANDS_FOREIGN:
			n->foreign++;
			break;
		case BX_STANDS_PLAIN:
			n->plain++;
			break;
		case BX_STANDS_SEALED:
			r->mark = BX_MARK_OPEN;
			r->failure = BX_FAILURE_NONE;
			break;
		}
	}
}

static bool
malformed(const struct bx_record *r)
{
	return bx_record_standing(r) == BX_STANDS_MALFORMED;
}

/* A failed or malformed record meets the policy. True: the run ends before it. */
static bool
meets_policy(struct bx_worker *worker, struct bx_car *car, struct bx_record *r)
{
	enum bx_failure failure = malformed(r) ? BX_FAILURE_MALFORMED : (enum bx_failure)r->failure;

	r->mark = BX_MARK_NOTHING;
	return bx_record_failed(worker, car, r, failure, r->why, r->why_at);
}

static void
count_opened(struct bx_worker *worker, const struct bx_plan *plan)
{
	worker->counts.opened++;
	worker->counts.trusted_by_key += plan->trusted;
	worker->counts.duplicate_keys += (plan->inner.marks & BX_MARK_DUPLICATE_KEY) != 0;
}

/* Writes the plain message of an opened record. */
static enum bx_emitted
emit_opened(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
	    const struct bx_plan *plan, struct bx_writer *out)
{
	struct bx_pipe *pipe = worker->pipe;
	const struct bx_codec *codec = bx_codec_of((enum bx_ser)r->m.ser);
	bool direct = bx_emit_direct(pipe) && pipe->target_ser == BX_SER_UNKNOWN;
	struct bx_writer *w = direct ? out : &worker->work;
	struct bx_defect why = { 0 };
	uint8_t *begin = direct ? bx_emit_begin(pipe, out) : w->at;
	uint8_t *body = w->at;

	switch (codec->open(&r->m, &plan->inner, w, &why)) {
	case BX_CODED_OK:
		break;
	case BX_CODED_FULL:
		return BX_EMIT_FULL;
	case BX_CODED_BAD:
		r->failure = BX_FAILURE_BAD_PLAINTEXT;
		r->why = why.what;
		w->at = begin;
		return BX_EMIT_FAILED;
	case BX_CODED_NOT_REPRESENTABLE:
		r->failure = BX_FAILURE_NOT_REPRESENTABLE;
		r->why = why.what;
		w->at = begin;
		return BX_EMIT_FAILED;
	}
	if (!direct)
		return bx_emit_body(worker, car, r, bx_since(w, body), out);
	if ((size_t)(w->at - body) > pipe->body_max) {
		r->failure = BX_FAILURE_TOO_BIG;
		w->at = begin;
		return BX_EMIT_FAILED;
	}
	bx_emit_end(pipe, r, begin, out);
	if (out->full)
		return BX_EMIT_FULL;
	bx_emit_noted(worker, car, r, (enum bx_ser)r->m.ser);
	return BX_EMITTED;
}

/* One record of `open`: opened, failed, or copied. *stop: the run ends before it. False: no room.
 */
static bool
finish_open(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
	    const struct bx_plan *plan, struct bx_writer *out, bool *stop)
{
	enum bx_emitted emitted;

	if (r->mark == BX_MARK_OPEN && r->failure == BX_FAILURE_NONE) {
		emitted = emit_opened(worker, car, r, plan, out);
		if (emitted == BX_EMITTED) {
			count_opened(worker, plan);
			return true;
		}
		if (emitted == BX_EMIT_FULL)
			return false;
	}
	if (r->failure != BX_FAILURE_NONE || malformed(r))
		*stop = meets_policy(worker, car, r);
	if (*stop || r->fate == BX_FATE_DROP)
		return true;
	emitted = bx_emit_record(worker, car, r, out);
	if (emitted == BX_EMIT_FAILED)
		*stop = bx_record_failed(worker, car, r, (enum bx_failure)r->failure, r->why, 0);
	return emitted != BX_EMIT_FULL;
}

bool
bx_work_open(struct bx_worker *worker, struct bx_car *car, struct bx_record *records, size_t *count,
	     struct bx_writer *out)
{
	mark_batch(worker, records, *count);
	if (!bx_opener_run(worker, car, records, *count))
		return false;
	for (size_t i = 0; i < *count; i++) {
		bool stop = false;

		if (!finish_open(worker, car, &records[i], &worker->plans[i], out, &stop))
			return false;
		if (stop) {
			*count = i;
			break;
		}
	}
	return true;
}

/* --- verify ---------------------------------------------------------------------------------- */

/* Plaintext that somebody with this ring would have sealed. */
static bool
keyed_plaintext(struct bx_worker *worker, const struct bx_record *r)
{
	if (bx_record_standing(r) != BX_STANDS_PLAIN || r->m.uri == NULL ||
	    r->routed == BX_ROUTED_UNKNOWN || r->routed == BX_ROUTED_PATTERN)
		return false;

	struct bx_span uri = bx_record_uri(r);

	if (r->m.type == BX_ERROR
		? r->m.request_type != BX_CALL && r->m.request_type != BX_INVOCATION
		: bx_uri_reserved(uri))
		return false;
	return bx_keyview_find(worker->keys, uri)->open_count[bx_role_of(r->m.type)] != 0;
}

bool
bx_work_verify(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
	       size_t *count, struct bx_writer *out)
{
	(void)out;
	mark_batch(worker, records, *count);
	if (!bx_opener_run(worker, car, records, *count))
		return false;
	for (size_t i = 0; i < *count; i++) {
		struct bx_record *r = &records[i];

		if (malformed(r))
			r->failure = BX_FAILURE_MALFORMED;
		if (r->scanned && bx_type_has_payload(r->m.type) && r->m.uri != NULL &&
		    bx_keyview_find(worker->keys, bx_record_uri(r))->surprise)
			worker->counts.surprises++;
		if (r->failure != BX_FAILURE_NONE) {
			worker->counts.failed[r->failure]++;
			bx_record_fail(car, r, &car->noted);
		} else if (r->mark == BX_MARK_OPEN) {
			count_opened(worker, &worker->plans[i]);
		} else if (keyed_plaintext(worker, r)) {
			worker->counts.keyed_plain++;
		}
	}
	return true;
}

/* --- rekey ----------------------------------------------------------------------------------- */

/* Finds the new key of an opened record and turns it round to be sealed. */
static enum bx_failure
turn_round(struct bx_worker *worker, struct bx_record *r, struct bx_plan *plan)
{
	const struct bx_keyview *view = bx_keyview_find(worker->keys, bx_record_uri(r));
	enum bx_role role = bx_role_of(r->m.type);

	switch ((enum bx_key_match)view->seal_match[role]) {
	case BX_KEY_FOUND:
		plan->shared = bx_key_shared(view->seal_key[role]);
		r->mark = BX_MARK_SEAL;
		r->fate = BX_FATE_CHANGE;
		return BX_FAILURE_NONE;
	case BX_KEY_NO_ROLE:
		return BX_FAILURE_NO_ROLE;
	case BX_KEY_NONE:
		break;
	}
	return BX_FAILURE_NO_KEY;
}

bool
bx_work_rekey(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
	      size_t *count, struct bx_writer *out)
{
	mark_batch(worker, records, *count);
	if (!bx_opener_run(worker, car, records, *count))
		return false;
	for (size_t i = 0; i < *count; i++) {
		struct bx_record *r = &records[i];

		if (r->mark == BX_MARK_OPEN && r->failure == BX_FAILURE_NONE) {
			r->failure = (uint8_t)turn_round(worker, r, &worker->plans[i]);
			r->why = r->failure != BX_FAILURE_NONE ? "in the keyring of -K" : NULL;
			if (r->failure == BX_FAILURE_NONE) {
				count_opened(worker, &worker->plans[i]);
				worker->counts.sealed++;
				continue;
			}
		}
		if ((r->failure != BX_FAILURE_NONE || malformed(r)) &&
		    meets_policy(worker, car, r)) {
			*count = i;
			break;
		}
	}
	return bx_sealer_layout(worker, car, records, count, out);
}
