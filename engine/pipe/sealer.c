/* Seals a batch: lays the messages out in the output, then one batch of crypto for all. */
#include "pipe/pipe.h"

#include "base/base64.h"

/* Nonces of the batch, in the order of its items. */
static bool
draw_nonces(struct bx_worker *worker, struct bx_car *car, size_t item_count)
{
	return item_count == 0 ||
	       bx_nonce_fill(&worker->nonces, worker->pipe->clock_ns, worker->pipe->pid,
			     worker->numbers, worker->nonce_bytes, item_count, &car->fail) == BX_OK;
}

/*
 * Writes everything of the changed message but the box, whose place is reserved: in `w` itself for
 * binary serializers, in the work slab (base64 follows later) for JSON. False: no room.
 */
static bool
lay_out_body(struct bx_worker *worker, const struct bx_record *r, struct bx_plan *plan,
	     struct bx_writer *w)
{
	size_t box_len = BX_BOX_NONCE_LEN + BX_BOX_TAG_LEN + plan->plain_len;
	const struct bx_codec *codec = bx_codec_of((enum bx_ser)r->m.ser);

	/* Before the body is begun, which may stand in the work slab too. */
	if (r->m.ser == BX_SER_JSON)
		plan->box = bx_reserve(&worker->work, box_len);
	plan->body = w->at;
	codec->seal_head(&r->m, box_len, w);
	if (r->m.ser == BX_SER_JSON) {
		plan->text = bx_reserve(w, bx_base64_len(box_len));
		bx_put(w, "\"]", 2);
	} else {
		plan->box = bx_reserve(w, box_len);
		plan->text = NULL;
	}
	return !w->full && !worker->work.full;
}

static bool
lay_out(struct bx_worker *worker, struct bx_car *car, struct bx_record *r, struct bx_plan *plan,
	struct bx_writer *out)
{
	struct bx_pipe *pipe = worker->pipe;

	if (!bx_emit_direct(pipe)) {
		if (!lay_out_body(worker, r, plan, &worker->work))
			return false;
		plan->body_len = (size_t)(worker->work.at - plan->body);
		return true;
	}

	uint8_t *begin = bx_emit_begin(pipe, out);

	if (!lay_out_body(worker, r, plan, out))
		return false;
	bx_emit_end(pipe, r, begin, out);
	bx_emit_noted(worker, car, r, (enum bx_ser)r->m.ser);
	return !out->full;
}

/* Length of the message when sealed; grows by at most this beyond the box. */
static size_t
sealed_len(const struct bx_record *r, size_t plain_len)
{
	size_t box_len = BX_BOX_NONCE_LEN + BX_BOX_TAG_LEN + plain_len;

	return (size_t)(r->m.len - r->m.rest.len) + 64 +
	       (r->m.ser == BX_SER_JSON ? bx_base64_len(box_len) + 10 : box_len + 9);
}

/* Emits record `i` of a batch whose bodies stand in the work slab. */
static enum bx_emitted
emit_staged(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
	    const struct bx_plan *plan, struct bx_writer *out)
{
	if (r->fate == BX_FATE_CHANGE)
		return bx_emit_body(worker, car, r, (struct bx_span){ plan->body, plan->body_len },
				    out);
	if (r->fate == BX_FATE_COPY)
		return bx_emit_record(worker, car, r, out);
	return BX_EMITTED;
}

/*
 * records[i] with mark BX_MARK_SEAL: plans[i].plain and plans[i].shared are set, fate is CHANGE.
 * All others are emitted as their fate says. Order is kept.
 */
bool
bx_sealer_layout(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		 size_t *count, struct bx_writer *out)
{
	struct bx_pipe *pipe = worker->pipe;
	bool direct = bx_emit_direct(pipe), staged = !direct || pipe->target_ser != BX_SER_UNKNOWN;
	size_t item_count = 0;

	for (size_t i = 0; i < *count; i++) {
		struct bx_record *r = &records[i];
		struct bx_plan *plan = &worker->plans[i];

		if (r->mark == BX_MARK_SEAL && sealed_len(r, plan->plain_len) > pipe->body_max) {
			worker->counts.sealed--;
			r->mark = BX_MARK_NOTHING;
			if (bx_record_failed(worker, car, r, BX_FAILURE_TOO_BIG, NULL, 0)) {
				*count = i;
				break;
			}
		}
		if (r->mark == BX_MARK_SEAL) {
			if (!lay_out(worker, car, r, plan, out))
				return false;
			worker->numbers[item_count] = r->number;
			worker->items[item_count++] = (struct bx_box_item){
				.key = plan->shared,
				.in = plan->plain,
				.out = plan->box + BX_BOX_NONCE_LEN,
				.len = plan->plain_len,
			};
		} else if (!staged && r->fate == BX_FATE_COPY &&
			   bx_emit_record(worker, car, r, out) == BX_EMIT_FULL) {
			return false;
		}
	}
	if (!draw_nonces(worker, car, item_count)) {
		*count = 0;
		return true;
	}

	size_t item = 0;

	for (size_t i = 0; i < *count; i++)
		if (records[i].mark == BX_MARK_SEAL) {
			uint8_t *nonce = worker->plans[i].box;

			memcpy(nonce, worker->nonce_bytes + item * BX_BOX_NONCE_LEN,
			       BX_BOX_NONCE_LEN);
			worker->items[item++].nonce = nonce;
		}
	bx_box_seal_many(pipe->kernel, worker->items, item_count);
	for (size_t i = 0; i < *count; i++) {
		const struct bx_plan *plan = &worker->plans[i];

		if (records[i].mark == BX_MARK_SEAL && plan->text != NULL)
			bx_base64_encode(
			    (struct bx_span){ plan->box,
					      BX_BOX_NONCE_LEN + BX_BOX_TAG_LEN + plan->plain_len },
			    plan->text);
	}
	for (size_t i = 0; staged && i < *count; i++) {
		struct bx_record *r = &records[i];
		enum bx_emitted emitted = emit_staged(worker, car, r, &worker->plans[i], out);

		if (emitted == BX_EMIT_FULL)
			return false;
		if (emitted == BX_EMIT_FAILED &&
		    bx_record_failed(worker, car, r, (enum bx_failure)r->failure, r->why, 0)) {
			*count = i;
			break;
		}
	}
	return true;
}
