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

/* Only what was used: a batch of ten messages should not pay for a whole chunk. */
static inline void
wipe_chunk(struct chunk *c)
{
	wipe(c->subkey, (c->slot_count + LANES) * sizeof(c->subkey[0]));
	wipe(c->polykey, (c->count + LANES) * sizeof(c->polykey[0]));
	wipe(c->first, (c->count + LANES) * sizeof(c->first[0]));
	wipe(c->tag, (c->count + LANES) * sizeof(c->tag[0]));
	wipe(c->dump, sizeof(c->dump));
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
encipher(struct lanes *l, struct chunk *c, const struct bx_box_item *items)
{
	struct queues q;

	q.full_count = 0;
	q.tail_count = 0;
	for (uint32_t p = 0; p < c->count;) {
		uint32_t end = c->count - p < GROUP ? c->count : p + GROUP;

		for (; p < end; p++) {
			if (items == NULL || items[c->item[p]].ok)
				queue_message(&q, l, c, p);
		}
		drain(&q, l, c);
	}
	flush(&q, l, c);
}

static void
seal_chunk(struct chunk *c)
{
	struct lanes l;

	make_keys(&l, c);
	lanes_first(c, 0, c->count);
	encipher(&l, c, NULL);
	lanes_tags(c, c->dst);
	/* The tag lies before the text in a box. */
	for (uint32_t p = 0; p < c->count; p++)
		memcpy((uint8_t *)c->dst[p] - BX_BOX_TAG_LEN, c->tag[p], BX_BOX_TAG_LEN);
	wipe(&l, sizeof(l));
}

/* Constant time: true when the tags are equal. */
static inline bool
tag_matches(const uint64_t tag[static 2], const uint8_t *expected)
{
	uint64_t differ = (tag[0] ^ load64(expected)) | (tag[1] ^ load64(expected + 8));

	return ((differ | (0 - differ)) >> 63) == 0;
}

static void
open_chunk(struct chunk *c, struct bx_box_item *items)
{
	struct lanes l;
	uint32_t good = 0;

	make_keys(&l, c);
	lanes_tags(c, c->src);
	for (uint32_t p = 0; p < c->count; p++) {
		const uint8_t *tag = (const uint8_t *)c->src[p] - BX_BOX_TAG_LEN;

		items[c->item[p]].ok = tag_matches(c->tag[p], tag);
		good += items[c->item[p]].ok;
	}
	if (good == c->count)
		lanes_first(c, 0, c->count);
	for (uint32_t p = 0; p < c->count && good != c->count; p++) {
		if (items[c->item[p]].ok)
			lanes_first(c, p, 1);
	}
	encipher(&l, c, items);
	wipe(&l, sizeof(l));
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
	struct chunk c;

	while (count != 0) {
		uint32_t part = chunk_size(items, count);

		plan_chunk(&c, items, part);
		for (uint32_t p = 0; p < part; p++)
			c.dst[p] += BX_BOX_TAG_LEN;
		seal_chunk(&c);
		wipe_chunk(&c);
		items += part;
		count -= part;
	}
	wipe_stack();
	lanes_wipe_registers();
}

static void
open_lanes(struct bx_box_item *items, size_t count)
{
	struct chunk c;

	while (count != 0) {
		uint32_t part = chunk_size(items, count);

		plan_chunk(&c, items, part);
		for (uint32_t p = 0; p < part; p++)
			c.src[p] += BX_BOX_TAG_LEN;
		open_chunk(&c, items);
		wipe_chunk(&c);
		items += part;
		count -= part;
	}
	wipe_stack();
	lanes_wipe_registers();
}
