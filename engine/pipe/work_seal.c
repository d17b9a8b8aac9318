/* seal: the payload of every message whose URI has a key (spec section 2, decisions 1, 2, 6, 10).
 */
#include "pipe/pipe.h"

#include "base/json_writer.h"

enum verdict { VERDICT_SEAL, VERDICT_CLEAR, VERDICT_FAIL };

/* Errors made by the router (request types other than CALL and INVOCATION) are never sealed. */
static bool
never_sealed(const struct bx_record *r, struct bx_span uri)
{
	if (r->m.type == BX_ERROR)
		return r->m.request_type != BX_CALL && r->m.request_type != BX_INVOCATION;
	return bx_uri_reserved(uri);
}

/* YIELD and RESULT are sealed iff the entry can also seal the CALL (decisions.md 2). */
static enum bx_key_match
seal_key(const struct bx_keyview *view, uint16_t type, const struct bx_key **key)
{
	enum bx_role role = bx_role_of(type);

	*key = view->seal_key[role];
	if ((type == BX_YIELD || type == BX_RESULT) &&
	    view->seal_match[BX_ROLE_ORIGINATOR] != BX_KEY_FOUND)
		return (enum bx_key_match)view->seal_match[BX_ROLE_ORIGINATOR];
	return (enum bx_key_match)view->seal_match[role];
}

static enum verdict
clear(struct bx_worker *worker, uint64_t *counter, enum bx_failure *failure,
      enum bx_failure strict_failure)
{
	*failure = strict_failure;
	if (worker->pipe->job->strict)
		return VERDICT_FAIL;
	(*counter)++;
	return VERDICT_CLEAR;
}

static enum verdict
judge_plain(struct bx_worker *worker, struct bx_record *r, const struct bx_key **key,
	    enum bx_failure *failure)
{
	struct bx_job_counts *n = &worker->counts;

	if (r->m.uri == NULL || r->routed == BX_ROUTED_UNKNOWN || r->routed == BX_ROUTED_STALE ||
	    r->routed == BX_ROUTED_PATTERN) {
		if (r->m.payload == BX_PAYLOAD_NONE) /* nothing that could leak */
			return VERDICT_CLEAR;
		return clear(worker, &n->clear_unknown, failure, BX_FAILURE_UNKNOWN_URI);
	}

	struct bx_span uri = bx_record_uri(r);

	if (never_sealed(r, uri)) {
		n->clear_reserved++;
		return VERDICT_CLEAR;
	}
	switch (seal_key(bx_keyview_find(worker->keys, uri), r->m.type, key)) {
	case BX_KEY_FOUND:
		return VERDICT_SEAL;
	case BX_KEY_NO_ROLE:
		return clear(worker, &n->clear_no_role, failure, BX_FAILURE_NO_ROLE);
	case BX_KEY_NONE:
		break;
	}
	return clear(worker, &n->clear_no_key, failure, BX_FAILURE_NO_KEY);
}

/* What to do with one record; counts it. */
static enum verdict
judge(struct bx_worker *worker, struct bx_record *r, const struct bx_key **key,
      enum bx_failure *failure)
{
	struct bx_job_counts *n = &worker->counts;

	if (r->scanned && bx_type_has_payload(r->m.type))
		n->payloads++;
	switch (bx_record_standing(r)) {
	case BX_STANDS_OTHER:
		return VERDICT_CLEAR;
	case BX_STANDS_UNSUPPORTED:
		n->unsupported++;
		return VERDICT_CLEAR;
	case BX_STANDS_FOREIGN:
		n->foreign++;
		return VERDICT_CLEAR;
	case BX_STANDS_SEALED:
		n->already_sealed++;
		return VERDICT_CLEAR;
	case BX_STANDS_PLAIN:
		return judge_plain(worker, r, key, failure);
	case BX_STANDS_MALFORMED:
		break;
	}
	*failure = BX_FAILURE_MALFORMED;
	return VERDICT_FAIL;
}

/*
 * A text that begins with U+0000 reads as base64 on opening: where it is none, nobody could open
 * what is sealed here, and the message would be lost.
 */
static bool
opens_again(struct bx_worker *worker, const struct bx_plan *plan, struct bx_defect *why)
{
	struct bx_inner inner = { 0 };
	struct bx_span plaintext = { plan->plain, plan->plain_len };

	if (bx_inner_parse(plaintext, &worker->work, &inner) == BX_INNER_OK)
		return true;
	*why = (struct bx_defect){ "a text that begins with U+0000 could not be opened again", 0 };
	return false;
}

/* Writes the inner JSON (spec 2.1) into the work slab. */
static enum bx_coded
write_plaintext(struct bx_worker *worker, const struct bx_record *r, struct bx_plan *plan,
		struct bx_defect *why)
{
	struct bx_writer *w = &worker->work;
	uint8_t *begin = w->at;

	plan->marks = 0;
	bx_put(w, "{\"uri\":", 7);
	bx_json_put_string(w, bx_record_uri(r));
	bx_put_u8(w, ',');

	enum bx_coded coded =
	    bx_codec_of((enum bx_ser)r->m.ser)->args_to_inner(&r->m, w, &plan->marks, why);

	if (coded != BX_CODED_OK)
		return coded;
	bx_put_u8(w, '}');
	if (w->full)
		return BX_CODED_FULL;
	plan->plain = begin;
	plan->plain_len = (size_t)(w->at - begin);
	if ((plan->marks & BX_MARK_REENCODED) != 0 && !opens_again(worker, plan, why))
		return w->full ? BX_CODED_FULL : BX_CODED_NOT_REPRESENTABLE;
	return BX_CODED_OK;
}

/* Plans one record. *stop: the run ends before it. False: no room. */
static bool
plan_record(struct bx_worker *worker, struct bx_car *car, struct bx_record *r, struct bx_plan *plan,
	    bool *stop)
{
	const struct bx_job *job = worker->pipe->job;
	const struct bx_key *key = NULL;
	enum bx_failure failure = BX_FAILURE_NONE;
	struct bx_defect why = { r->why, r->why_at };
	enum verdict verdict = judge(worker, r, &key, &failure);

	r->fate = BX_FATE_COPY;
	r->mark = BX_MARK_NOTHING;
	if (verdict == VERDICT_CLEAR) {
		if (bx_record_standing(r) != BX_STANDS_PLAIN || bx_check_rest(r, &why))
			return true;
		failure = BX_FAILURE_MALFORMED; /* counted as passed in clear, too: it is neither */
	}
	if (verdict == VERDICT_SEAL) {
		switch (write_plaintext(worker, r, plan, &why)) {
		case BX_CODED_OK:
			break;
		case BX_CODED_FULL:
			return false;
		case BX_CODED_BAD:
			failure = BX_FAILURE_MALFORMED;
			break;
		case BX_CODED_NOT_REPRESENTABLE:
			failure = BX_FAILURE_NOT_REPRESENTABLE;
			break;
		}
		bool reencoded =
		    (plan->marks & BX_MARK_REENCODED) != 0 || (r->m.flags & BX_MSG_ENC_KEYS) != 0;

		if (failure == BX_FAILURE_NONE && reencoded && job->lossless)
			failure = BX_FAILURE_NOT_LOSSLESS;
		if (failure == BX_FAILURE_NONE) {
			r->fate = BX_FATE_CHANGE;
			r->mark = BX_MARK_SEAL;
			plan->shared = bx_key_shared(key);
			worker->counts.sealed++;
			worker->counts.reencoded += reencoded;
			return true;
		}
	}
	*stop = bx_record_failed(worker, car, r, failure, why.what, why.at);
	return true;
}

bool
bx_work_seal(struct bx_worker *worker, struct bx_car *car, struct bx_record *records, size_t *count,
	     struct bx_writer *out)
{
	for (size_t i = 0; i < *count; i++) {
		bool stop = false;

		if (!plan_record(worker, car, &records[i], &worker->plans[i], &stop))
			return false;
		if (stop) {
			*count = i;
			break;
		}
	}
	return bx_sealer_layout(worker, car, records, count, out);
}
