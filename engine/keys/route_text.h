/* Interned URIs of the route: each text once, counted, within a bound of bytes. */
#ifndef BX_KEYS_ROUTE_TEXT_H
#define BX_KEYS_ROUTE_TEXT_H

#include <stdbool.h>

#include "boxcar/span.h"

/* What a text costs beside its own bytes: its node, its place in the index, the allocator. */
#define BX_ROUTE_TEXT_COST 80u

#define BX_ROUTE_TEXT_NONE 0x3fffffffu

struct bx_route_text_node {
	uint8_t *bytes; /* NULL: evicted, but still held by somebody */
	uint64_t hash;
	uint32_t len;
	uint32_t holds;
	uint32_t older; /* age list of the nodes with bytes, by the time of interning */
	uint32_t newer;
	uint32_t idle_next; /* queue of nodes that nobody held when they were queued */
	bool queued;
};

/* Owned by one thread at a time. */
struct bx_route_texts {
	struct bx_route_text_node *nodes;
	uint32_t node_count;
	uint32_t node_cap;
	uint32_t spare; /* free nodes, linked through `older` */
	uint32_t *index;
	uint32_t index_mask; /* index has index_mask + 1 places, or none */
	uint32_t indexed;
	uint32_t oldest;
	uint32_t newest;
	uint32_t idle_first;
	uint32_t idle_last;
	uint64_t seed;
	size_t used;
	size_t cap;
	uint64_t lost_holds;
};

/* At most `cap` bytes, BX_ROUTE_TEXT_COST of each text included. */
void bx_route_text_init(struct bx_route_texts *texts, size_t cap, uint64_t seed);
void bx_route_text_wipe(struct bx_route_texts *texts);

/*
 * A held text equal to `text`: found, or copied. To make room it forgets texts that nobody holds,
 * then the oldest others, whose holders then read NULL (their number is added to lost_holds).
 * BX_ROUTE_TEXT_NONE: it is larger than all the room, or memory could not be had.
 */
uint32_t bx_route_text_take(struct bx_route_texts *texts, struct bx_span text);

/* One more, and one less, holder. The bytes live on until a later take needs their room. */
static inline void
bx_route_text_hold(struct bx_route_texts *texts, uint32_t text)
{
	texts->nodes[text].holds++;
}

void bx_route_text_drop(struct bx_route_texts *texts, uint32_t text);

/* False when it was evicted. */
static inline bool
bx_route_text_get(const struct bx_route_texts *texts, uint32_t text, struct bx_span *span)
{
	const struct bx_route_text_node *node = &texts->nodes[text];

	if (node->bytes == NULL)
		return false;
	*span = (struct bx_span){ node->bytes, node->len };
	return true;
}

#endif
