/*
 * The flow of a batch through lanes: seal_many and open_many, whatever the ISA. The file that
 * includes this has defined, for LANES 32-bit lanes (struct chunk is in box_chunk.h):
 *
 *   LANES                              at most MAX_LANES, a divisor of GROUP
 *   struct lanes                       what the kernel keeps between calls, secret
 *   lanes_begin(l, c)                  before the first call for a chunk
 *   lanes_subkeys(l, c, slot)          HSalsa20 of LANES slots from `slot` on -> c->subkey
 *   lanes_block0(l, c, p)              block 0 of LANES messages -> c->polykey, c->first
 *   lanes_full(l, c, items)            LANES queued blocks of 64 bytes
 *   lanes_tail(l, c, items)            LANES queued blocks of 1..63 bytes
 *   lanes_run(l, c, p, block, end)     blocks [block, end) of one message, a multiple of LANES
 *   lanes_end(l, c)                    what was begun of each of the above is finished after it
 *   lanes_first(c, p, count)           c->first over text bytes 0..31 of messages
 *   lanes_tags(c, text)                Poly1305 of the chunk's messages over text[] -> c->tag
 *   lanes_wipe_registers()             clears what vector registers hold
 *
 * Results of the calls from lanes_subkeys to lanes_run are there after the next lanes_end.
 */

/* What a group can add to a queue, what the group before left, and one store of lanes beyond. */
#define FULL_CAP (GROUP * RUN_MIN + 2 * MAX_LANES)
#define TAIL_CAP (GROUP + 2 * MAX_LANES)

/* Blocks that wait for company to fill all lanes. */
struct queues {
	uint32_t full_count;
	uint32_t tail_count;
	alignas(64) uint64_t full[FULL_CAP]; /* blocks of 64 bytes of text */
	alignas(64) uint64_t tail[TAIL_CAP]; /* last blocks of 1..63 bytes */
};

/*
 * All that a batch works on, in the frame of seal_lanes or open_lanes. Whatever else handles
 * secrets is a function of its own, not inlined, so that wipe_stack reaches what it has spilled.
 */
struct work {
	struct chunk chunk;
	struct lanes lanes;
	struct queues queues;
};

/* What the functions above keep on the stack at most; wiped once, at the end. */
#define STACK_WIPE 16384u

static __attribute__((noinline)) void
wipe_stack(void)
{
	uint8_t area[STACK_WIPE];

	memset(area, 0, sizeof(area));
	__asm__ volatile("" : : "r"(area) : "memory");
}

static inline void
wipe(void *p, size_t len)
{
	memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* The rows in use and their padding, and those where idle lanes write. */
static inline void
wipe_rows(uint8_t (*rows)[32], uint32_t count)
{
	wipe(rows, (count + LANES) * sizeof(*rows));
	wipe(rows + IDLE_ROW, MAX_LANES * sizeof(*rows));
}

/* Only what was used: a batch of ten messages should not pay for a whole chunk. */
static inline void
wipe_work(struct work *w)
{
	struct chunk *c = &w->chunk;

	wipe_rows(c->subkey, c->slot_count);
	wipe_rows(c->polykey, c->count);
	wipe_rows(c->first, c->count);
	wipe(c->tag, (c->count + LANES) * sizeof(c->tag[0]));
	wipe(c->dump, sizeof(c->dump));
	wipe(&w->lanes, sizeof(w->lanes));
}

static inline void
make_keys(struct lanes *l, struct chunk *c)
{
	lanes_begin(l, c);
	for (uint32_t slot = 0; slot < c->slot_count; slot += LANES)
		lanes_subkeys(l, c, slot);
	lanes_end(l, c);
	for (uint32_t p = 0; p < c->count; p += LANES)
		lanes_block0(l, c, p);
	lanes_end(l, c);
}

/* Long messages run by themselves; what is left of them, and all others, waits in the queues. */
static inline void
queue_message(struct queues *q, struct lanes *l, struct chunk *c, uint32_t p)
{
	uint64_t rest = c->len[p] > FIRST_LEN ? c->len[p] - FIRST_LEN : 0;
	uint64_t full = rest / 64;
	uint64_t item = (uint64_t)p << ITEM_SHIFT | 1;

	if (full >= RUN_MIN) {
		uint64_t run = full / LANES * LANES;

		lanes_run(l, c, p, 1, 1 + run);
		item += run;
		full -= run;
	}
	/* Whole stores of lanes: the queue has room beyond its end. */
	for (uint64_t i = 0; i < full; i += LANES) {
		for (uint64_t lane = 0; lane < LANES; lane++)
			q->full[q->full_count + i + lane] = item + i + lane;
	}
	q->full_count += (uint32_t)full;
	/* No branch: whether a message has a tail is a coin toss. */
	q->tail[q->tail_count] = item + full;
	q->tail_count += rest % 64 != 0;
}

static inline __attribute__((always_inline)) uint32_t
drain_queue(uint64_t *queue, uint32_t count, struct lanes *l, struct chunk *c,
	    void (*work)(struct lanes *, struct chunk *, const uint64_t *))
{
	uint32_t i = 0;

	for (; i + LANES <= count; i += LANES)
		work(l, c, queue + i);
	if (i != 0)
		memcpy(queue, queue + i, LANES * sizeof(*queue));
	return count - i;
}

static inline void
drain(struct queues *q, struct lanes *l, struct chunk *c)
{
	q->full_count = drain_queue(q->full, q->full_count, l, c, lanes_full);
	q->tail_count = drain_queue(q->tail, q->tail_count, l, c, lanes_tail);
}

/* Fewer than LANES blocks wait: the first padding message lends what is missing. */
static inline uint32_t
fill_up(uint64_t *queue, uint32_t count, const struct chunk *c)
{
	if (count == 0)
		return 0;
	for (uint32_t i = count; i < LANES; i++)
		queue[i] = (uint64_t)c->count << ITEM_SHIFT | 1;
	return LANES;
}

static inline void
flush(struct queues *q, struct lanes *l, struct chunk *c)
{
	drain(q, l, c);
	q->full_count = fill_up(q->full, q->full_count, c);
	q->tail_count = fill_up(q->tail, q->tail_count, c);
	drain(q, l, c);
	lanes_end(l, c);
}

/* Text beyond the first 32 bytes. With `items`, only of those that are ok. */
static inline void
encipher(struct work *w, const struct bx_box_item *items)
{
	struct chunk *c = &w->chunk;
	struct queues *q = &w->queues;

	q->full_count = 0;
	q->tail_count = 0;
	for (uint32_t p = 0; p < c->count;) {
		uint32_t end = c->count - p < GROUP ? c->count : p + GROUP;

		for (; p < end; p++) {
			if (items == NULL || items[c->item[p]].ok)
				queue_message(q, &w->lanes, c, p);
		}
		drain(q, &w->lanes, c);
	}
	flush(q, &w->lanes, c);
}

static inline void
seal_chunk(struct work *w)
{
	struct chunk *c = &w->chunk;

	make_keys(&w->lanes, c);
	lanes_first(c, 0, c->count);
	encipher(w, NULL);
	lanes_tags(c, c->dst);
	/* The tag lies before the text in a box. */
	for (uint32_t p = 0; p < c->count; p++)
		memcpy((uint8_t *)c->dst[p] - BX_BOX_TAG_LEN, c->tag[p], BX_BOX_TAG_LEN);
}

/* Constant time: true when the tags are equal. */
static inline bool
tag_matches(const uint64_t tag[static 2], const uint8_t *expected)
{
	uint64_t differ = (tag[0] ^ load64(expected)) | (tag[1] ^ load64(expected + 8));

	return ((differ | (0 - differ)) >> 63) == 0;
}

/* Sets every item's verdict; returns how many are good. */
static __attribute__((noinline)) uint32_t
check_tags(const struct chunk *c, struct bx_box_item *items)
{
	uint32_t good = 0;

	for (uint32_t p = 0; p < c->count; p++) {
		const uint8_t *tag = (const uint8_t *)c->src[p] - BX_BOX_TAG_LEN;

		items[c->item[p]].ok = tag_matches(c->tag[p], tag);
		good += items[c->item[p]].ok;
	}
	return good;
}

static inline void
open_chunk(struct work *w, struct bx_box_item *items)
{
	struct chunk *c = &w->chunk;
	uint32_t good;

	make_keys(&w->lanes, c);
	lanes_tags(c, c->src);
	good = check_tags(c, items);
	if (good == c->count)
		lanes_first(c, 0, c->count);
	for (uint32_t p = 0; p < c->count && good != c->count; p++) {
		if (items[c->item[p]].ok)
			lanes_first(c, p, 1);
	}
	encipher(w, items);
}

/* How many messages make the next chunk. */
static inline uint32_t
chunk_size(const struct bx_box_item *items, size_t count)
{
	uint32_t most = count < CHUNK ? (uint32_t)count : CHUNK;
	size_t text = 0;
	uint32_t n = 0;

	while (n < most && text < CHUNK_TEXT) {
		size_t len = items[n++].len;

		text += len < CHUNK_TEXT ? len : CHUNK_TEXT;
	}
	return n;
}

static void
seal_lanes(struct bx_box_item *items, size_t count)
{
	struct work w;

	while (count != 0) {
		uint32_t part = chunk_size(items, count);

		plan_chunk(&w.chunk, items, part);
		for (uint32_t p = 0; p < part; p++)
			w.chunk.dst[p] += BX_BOX_TAG_LEN;
		seal_chunk(&w);
		wipe_work(&w);
		items += part;
		count -= part;
	}
	wipe_stack();
	lanes_wipe_registers();
}

static void
open_lanes(struct bx_box_item *items, size_t count)
{
	struct work w;

	while (count != 0) {
		uint32_t part = chunk_size(items, count);

		plan_chunk(&w.chunk, items, part);
		for (uint32_t p = 0; p < part; p++)
			w.chunk.src[p] += BX_BOX_TAG_LEN;
		open_chunk(&w, items);
		wipe_work(&w);
		items += part;
		count -= part;
	}
	wipe_stack();
	lanes_wipe_registers();
}
