/* convert: any format to any other, payloads untouched (decisions.md 17). */
#include "pipe/pipe.h"

bool
bx_work_convert(struct bx_worker *worker, struct bx_car *car, struct bx_record *records,
		size_t *count, struct bx_writer *out)
{
	for (size_t i = 0; i < *count; i++) {
		struct bx_record *r = &records[i];

		r->fate = BX_FATE_COPY;
		if (r->frame.kind == BX_FRAME_MESSAGE) {
			enum bx_standing standing = bx_record_standing(r);

			if (!bx_filter_keeps(&worker->pipe->job->filter, car, r)) {
				worker->counts.filtered++;
				r->fate = BX_FATE_DROP;
				continue;
			}
			worker->counts.unsupported += standing == BX_STANDS_UNSUPPORTED;
			worker->counts.unparsed += !r->scanned && standing == BX_STANDS_MALFORMED;
			if (r->scanned && bx_type_has_payload(r->m.type))
				worker->counts.payloads++;
		}
		/* A malformed message is kept: its bytes need no parsing to be framed anew. */
		r->failure = BX_FAILURE_NONE;

		enum bx_emitted emitted = bx_emit_record(worker, car, r, out);

		if (emitted == BX_EMIT_FULL)
			return false;
		if (emitted == BX_EMIT_FAILED &&
		    bx_record_failed(worker, car, r, (enum bx_failure)r->failure, r->why,
				     r->why_at)) {
			*count = i;
			break;
		}
	}
	return true;
}
