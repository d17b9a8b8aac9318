#include "pipe/car.h"

/*
 * Shares of a chunk: `work` and `out` start at eight chunks of address space, because a byte of
 * MessagePack becomes at most seven characters of JSON (false as a map key); only what is touched
 * is resident. A batch that still does not fit is done again in a slab twice as large.
 */
#define WORK_SHARE 8u

bool
bx_car_init(struct bx_car *car, size_t chunk, bool trace)
{
	*car = (struct bx_car){ 0 };

	size_t records = chunk + BX_CAR_HEADROOM;

	if (!bx_slab_init(&car->in, BX_CAR_HEADROOM + chunk, BX_CAR_HEADROOM + chunk) ||
	    !bx_slab_init(&car->out, chunk * WORK_SHARE, chunk * 2) ||
	    !bx_slab_init(&car->keep, (BX_CAR_HEADROOM + chunk) * 2, chunk) ||
	    !bx_slab_init(&car->work, chunk * WORK_SHARE, chunk * 2) ||
	    !bx_slab_init(&car->table, records * sizeof(struct bx_record), 0) ||
	    (trace &&
	     !bx_slab_init(&car->line_table, records / 2 * sizeof(struct bx_trace_line), 0))) {
		bx_car_free(car);
		return false;
	}
	car->records = (struct bx_record *)(void *)car->table.ptr;
	car->lines = (struct bx_trace_line *)(void *)car->line_table.ptr;
	return true;
}

void
bx_car_free(struct bx_car *car)
{
	bx_slab_free(&car->in);
	bx_slab_free(&car->out);
	bx_slab_free(&car->keep);
	bx_slab_free(&car->work);
	bx_slab_free(&car->table);
	bx_slab_free(&car->line_table);
}

void
bx_car_reset(struct bx_car *car)
{
	bx_slab_trim(&car->in, car->len + BX_CAR_HEADROOM);
	bx_slab_trim(&car->out, car->out_len + 2 * BX_CAR_OUT_ROOM);
	car->bytes = car->in.ptr + BX_CAR_HEADROOM;
	car->len = 0;
	car->count = 0;
	car->line_count = 0;
	car->keep_writer = bx_writer_over(car->keep.ptr, car->keep.cap);
	car->frame_scratch = car->keep_writer;
	car->out_len = 0;
	car->counts = (struct bx_job_counts){ 0 };
	car->wrote_any = false;
	car->prologue_ser = 0;
	car->fail = (struct bx_fail){ 0 };
	car->noted = (struct bx_fail){ 0 };
	car->next = NULL;
}

bool
bx_car_grow(struct bx_slab *slab, size_t used, size_t cap)
{
	if (cap <= slab->cap)
		return true;

	struct bx_slab larger;

	if (!bx_slab_init(&larger, cap, slab->resident_goal))
		return false;
	if (used != 0)
		memcpy(larger.ptr, slab->ptr, used);
	bx_slab_free(slab);
	*slab = larger;
	return true;
}
