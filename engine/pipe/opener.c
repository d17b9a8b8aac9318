/* Opens a batch of boxes: candidates by URI, one batch of crypto for each, then the inside. */
#include "pipe/pipe.h"

/* One try of one candidate for one record. */
struct attempt {
	uint32_t record;
	const uint8_t *shared;
	const struct bx_key *key;
};

static void
refuse(struct bx_record *r, enum bx_failure failure, const char *why)
{
	r->failure = (uint8_t)failure;
	r->why = why;
}

static bool
uri_known(const struct bx_record *r)
{
	return r->m.uri != NULL && r->routed != BX_ROUTED_UNKNOWN && r->routed != BX_ROUTED_PATTERN;
}

/* Candidate `index` < candidate_count; NULL: an entry without a shared key. URI unknown: every key.
 */
static const uint8_t *
candidate(struct bx_worker *worker, const struct bx_record *r, const struct bx_plan *plan,
	  size_t index, const struct bx_key **key)
{
	const struct bx_job *job = worker->pipe->job;

	if (uri_known(r)) {
		*key = plan->candidates[index].key;
		return plan->candidates[index].shared;
	}
	for (size_t i = 0; i < job->ring_count; i++) {
		size_t count = bx_keyring_count(job->rings[i]);

		if (index < count) {
			*key = bx_keyring_at(job->rings[i], index);
			return bx_key_shared(*key); /* NULL: skipped by the caller */
		}
		index -= count;
	}
	*key = NULL;
	return NULL;
}

static size_t
candidate_count(struct bx_worker *worker, const struct bx_record *r, const struct bx_plan *plan)
{
	const struct bx_job *job = worker->pipe->job;
	size_t count = 0;

	if (uri_known(r))
		return plan->candidate_count;
	for (size_t i = 0; i < job->ring_count; i++)
		count += bx_keyring_count(job->rings[i]);
	return count;
}

/* Finds the box and the candidates of one record. False: no room. */
static bool
prepare(struct bx_worker *worker, struct bx_record *r, struct bx_plan *plan)
{
	const struct bx_codec *codec = bx_codec_of((enum bx_ser)r->m.ser);
	struct bx_defect why = { 0 };
	size_t room = bx_room(&worker->work);

	plan->opened = false;
	plan->trusted = false;
	if (!codec->box(&r->m, &worker->work, &plan->cipher, &why)) {
		if (worker->work.full || room < r->m.len)
			return false;
		refuse(r, BX_FAILURE_MALFORMED, why.what);
		return true;
	}
	if (uri_known(r)) {
		unsigned role = bx_role_of(r->m.type);
		const struct bx_keyview *view = bx_keyview_find(worker->keys, bx_record_uri(r));

		plan->candidate_count = view->open_count[role];
		for (unsigned i = 0; i < plan->candidate_count; i++)
			plan->candidates[i] = view->open[role][i];
		if (plan->candidate_count == 0)
			refuse(r, view->open_no_role[role] ? BX_FAILURE_NO_ROLE : BX_FAILURE_NO_KEY,
			       NULL);
	} else if (candidate_count(worker, r, plan) == 0) {
		refuse(r, BX_FAILURE_NO_KEY, "its URI is not known either");
	}
	if (r->failure == BX_FAILURE_NONE && plan->cipher.len < BX_BOX_NONCE_LEN + BX_BOX_TAG_LEN)
		refuse(r, BX_FAILURE_BAD_TAG, "shorter than nonce and tag");
	return true;
}

/* A second key that opens it too is an ambiguity, never a choice (threat-model.md 3). */
static void
note_opened(struct bx_record *r, struct bx_plan *plan, const struct attempt *a,
	    const struct bx_box_item *item)
{
	if (plan->opened && memcmp(plan->shared, a->shared, 32) == 0)
		return; /* the same key under another entry */
	if (plan->opened) {
		refuse(r, BX_FAILURE_AMBIGUOUS_KEY, NULL);
		return;
	}
	plan->opened = true;
	plan->shared = a->shared;
	plan->key = a->key;
	plan->plain = item->out;
	plan->plain_len = item->len;
}

static void
open_attempts(struct bx_worker *worker, struct bx_record *records, struct attempt *attempts,
	      size_t count)
{
	bx_box_open_many(worker->pipe->kernel, worker->items, count);
	for (size_t i = 0; i < count; i++)
		if (worker->items[i].ok)
			note_opened(&records[attempts[i].record],
				    &worker->plans[attempts[i].record], &attempts[i],
				    &worker->items[i]);
}

/* Round `index`: candidate number `index` of every record that has one. False: no room. */
static bool
open_round(struct bx_worker *worker, struct bx_record *records, size_t count, size_t index,
	   bool *any)
{
	struct attempt attempts[BX_BATCH];
	size_t n = 0;

	*any = false;
	for (size_t i = 0; i < count; i++) {
		struct bx_record *r = &records[i];
		struct bx_plan *plan = &worker->plans[i];
		const struct bx_key *key = NULL;

		if (r->mark != BX_MARK_OPEN || r->failure != BX_FAILURE_NONE ||
		    index >= candidate_count(worker, r, plan))
			continue;
		*any = true;

		const uint8_t *shared = candidate(worker, r, plan, index, &key);

		if (shared == NULL)
			continue;

		size_t len = plan->cipher.len - BX_BOX_NONCE_LEN - BX_BOX_TAG_LEN;
		uint8_t *to = bx_reserve(&worker->work, len + 16);

		if (to == NULL)
			return false;
		attempts[n] = (struct attempt){ (uint32_t)i, shared, key };
		worker->items[n++] = (struct bx_box_item){
			.key = shared,
			.nonce = plan->cipher.ptr,
			.in = plan->cipher.ptr + BX_BOX_NONCE_LEN,
			.out = to + 16,
			.len = len,
		};
	}
	open_attempts(worker, records, attempts, n);
	return true;
}

/* The URI inside was learned from the box: the ring must choose this very key for it. */
static bool
ring_agrees(struct bx_worker *worker, const struct bx_record *r, const struct bx_plan *plan)
{
	const struct bx_keyview *view = bx_keyview_find(worker->keys, plan->inner.uri);
	unsigned role = bx_role_of(r->m.type);

	for (unsigned i = 0; i < view->open_count[role]; i++)
		if (memcmp(view->open[role][i].shared, plan->shared, 32) == 0)
			return true;
	return false;
}

static void
check_uri(struct bx_worker *worker, struct bx_car *car, struct bx_record *r, struct bx_plan *plan)
{
	if (!plan->inner.uri_present) {
		refuse(r, BX_FAILURE_URI_MISMATCH, "no URI inside");
		return;
	}
	if (uri_known(r)) {
		if (!bx_span_equal(plan->inner.uri, bx_record_uri(r)))
			refuse(r, BX_FAILURE_URI_MISMATCH, NULL);
		return;
	}
	if (!ring_agrees(worker, r, plan)) {
		refuse(r, BX_FAILURE_URI_MISMATCH,
		       "the keyring has another key for the URI inside");
		return;
	}
	if (r->routed == BX_ROUTED_PATTERN &&
	    !bx_uri_matches(bx_record_uri(r), BX_MATCH_PREFIX, plan->inner.uri) &&
	    !bx_uri_matches(bx_record_uri(r), BX_MATCH_WILDCARD, plan->inner.uri)) {
		refuse(r, BX_FAILURE_URI_MISMATCH,
		       "the URI inside does not match the subscription");
		return;
	}

	/* Kept with the car: the work slab may be begun anew. */
	uint8_t *copy = bx_reserve(&car->keep_writer, plan->inner.uri.len);

	if (copy == NULL) {
		refuse(r, BX_FAILURE_BAD_PLAINTEXT, "the URI inside is larger than the message");
		return;
	}
	if (plan->inner.uri.len != 0)
		memcpy(copy, plan->inner.uri.ptr, plan->inner.uri.len);
	plan->trusted = true;
	r->m.uri = copy;
	r->m.uri_len = (uint32_t)plan->inner.uri.len;
}

static void
look_inside(struct bx_worker *worker, struct bx_car *car, struct bx_record *r, struct bx_plan *plan)
{
	struct bx_span plaintext = { plan->plain, plan->plain_len };

	if (!plan->opened) {
		refuse(r, BX_FAILURE_BAD_TAG, NULL);
		return;
	}
	if (r->m.enc_serializer != BX_ENC_OURS) {
		refuse(r, BX_FAILURE_BAD_PLAINTEXT, "enc_serializer is not json");
		return;
	}
	plan->inner = (struct bx_inner){ 0 };
	switch (bx_inner_parse(plaintext, &worker->work, &plan->inner)) {
	case BX_INNER_OK:
		check_uri(worker, car, r, plan);
		break;
	case BX_INNER_BAD_PLAINTEXT:
		refuse(r, BX_FAILURE_BAD_PLAINTEXT, NULL);
		break;
	case BX_INNER_WRONG_TYPE:
		refuse(r, BX_FAILURE_WRONG_TYPE, NULL);
		break;
	}
}

bool
bx_opener_run(struct bx_worker *worker, struct bx_car *car, struct bx_record *records, size_t count)
{
	bool any = true;

	for (size_t i = 0; i < count; i++)
		if (records[i].mark == BX_MARK_OPEN &&
		    !prepare(worker, &records[i], &worker->plans[i]))
			return false;
	for (size_t index = 0; any; index++)
		if (!open_round(worker, records, count, index, &any))
			return false;
	for (size_t i = 0; i < count; i++) {
		struct bx_record *r = &records[i];

		if (r->mark == BX_MARK_OPEN && r->failure == BX_FAILURE_NONE)
			look_inside(worker, car, r, &worker->plans[i]);
		if (worker->work.full)
			return false;
	}
	return true;
}
