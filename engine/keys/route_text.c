#include "keys/route_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define NONE BX_ROUTE_TEXT_NONE

static void release_node(struct bx_route_texts *texts, uint32_t at);

void
bx_route_text_init(struct bx_route_texts *texts, size_t cap, uint64_t seed)
{
	*texts = (struct bx_route_texts){
		.spare = NONE,
		.oldest = NONE,
		.newest = NONE,
		.idle_first = NONE,
		.idle_last = NONE,
		.seed = seed,
		.cap = cap,
	};
}

void
bx_route_text_wipe(struct bx_route_texts *texts)
{
	for (uint32_t i = 0; i < texts->node_count; i++)
		free(texts->nodes[i].bytes);
	free(texts->nodes);
	free(texts->index);
	bx_route_text_init(texts, texts->cap, texts->seed);
}

/* --- index: open addressing, linear probing, no tombstones ------------------------------------ */

static uint32_t
place_of(const struct bx_route_texts *texts, struct bx_span text, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & texts->index_mask;

	for (;; i = (i + 1) & texts->index_mask) {
		const uint32_t at = texts->index[i];

		if (at == NONE)
			return i;

		const struct bx_route_text_node *node = &texts->nodes[at];

		if (node->hash == hash && node->len == text.len &&
		    (text.len == 0 || memcmp(node->bytes, text.ptr, text.len) == 0))
			return i;
	}
}

static bool
grow_index(struct bx_route_texts *texts)
{
	const uint32_t places = texts->index == NULL ? 64 : (texts->index_mask + 1) * 2;
	uint32_t *index = malloc(places * sizeof(*index));

	if (index == NULL)
		return false;
	memset(index, 0xff, places * sizeof(*index));
	for (uint32_t i = 0; i < places; i++)
		index[i] = NONE;
	for (uint32_t at = texts->oldest; at != NONE; at = texts->nodes[at].newer) {
		uint32_t i = (uint32_t)texts->nodes[at].hash & (places - 1);

		while (index[i] != NONE)
			i = (i + 1) & (places - 1);
		index[i] = at;
	}
	free(texts->index);
	texts->index = index;
	texts->index_mask = places - 1;
	return true;
}

/* Takes a node out; those that probed past its place move up, so that no tombstone is needed. */
static void
unindex(struct bx_route_texts *texts, uint32_t at)
{
	const uint32_t mask = texts->index_mask;
	uint32_t hole = (uint32_t)texts->nodes[at].hash & mask;

	while (texts->index[hole] != at)
		hole = (hole + 1) & mask;
	for (uint32_t i = (hole + 1) & mask; texts->index[i] != NONE; i = (i + 1) & mask) {
		const uint32_t home = (uint32_t)texts->nodes[texts->index[i]].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			texts->index[hole] = texts->index[i];
			hole = i;
		}
	}
	texts->index[hole] = NONE;
	texts->indexed--;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static uint32_t
take_node(struct bx_route_texts *texts)
{
	if (texts->spare != NONE) {
		const uint32_t at = texts->spare;

		texts->spare = texts->nodes[at].older;
		return at;
	}
	if (texts->node_count == texts->node_cap) {
		const uint32_t cap = texts->node_cap == 0 ? 64 : texts->node_cap * 2;

		if (cap >= NONE)
			return NONE;

		void *nodes = realloc(texts->nodes, cap * sizeof(*texts->nodes));

		if (nodes == NULL)
			return NONE;
		texts->nodes = nodes;
		texts->node_cap = cap;
	}
	return texts->node_count++;
}

static void
release_node(struct bx_route_texts *texts, uint32_t at)
{
	texts->nodes[at].older = texts->spare;
	texts->nodes[at].bytes = NULL;
	texts->spare = at;
}

static void
forget_bytes(struct bx_route_texts *texts, uint32_t at)
{
	struct bx_route_text_node *node = &texts->nodes[at];

	unindex(texts, at);
	if (node->older != NONE)
		texts->nodes[node->older].newer = node->newer;
	else
		texts->oldest = node->newer;
	if (node->newer != NONE)
		texts->nodes[node->newer].older = node->older;
	else
		texts->newest = node->older;
	free(node->bytes);
	node->bytes = NULL;
	texts->used -= node->len + BX_ROUTE_TEXT_COST;
}

static void
queue_idle(struct bx_route_texts *texts, uint32_t at)
{
	texts->nodes[at].queued = true;
	texts->nodes[at].idle_next = NONE;
	if (texts->idle_last != NONE)
		texts->nodes[texts->idle_last].idle_next = at;
	else
		texts->idle_first = at;
	texts->idle_last = at;
}

static uint32_t
unqueue_idle(struct bx_route_texts *texts)
{
	const uint32_t at = texts->idle_first;

	if (at == NONE)
		return NONE;
	texts->idle_first = texts->nodes[at].idle_next;
	if (texts->idle_first == NONE)
		texts->idle_last = NONE;
	texts->nodes[at].queued = false;
	return at;
}

static void
make_room(struct bx_route_texts *texts, size_t cost)
{
	while (texts->used + cost > texts->cap) {
		const uint32_t idle = unqueue_idle(texts);

		if (idle == NONE) {
			/* Everything is held: the oldest goes, and its holders lose it. */
			assert(texts->oldest != NONE);
			texts->lost_holds += texts->nodes[texts->oldest].holds;
			forget_bytes(texts, texts->oldest);
			continue;
		}
		if (texts->nodes[idle].holds != 0)
			continue; /* taken again since; it is queued anew when it is let go */
		if (texts->nodes[idle].bytes != NULL)
			forget_bytes(texts, idle);
		release_node(texts, idle);
	}
}

static uint32_t
add_text(struct bx_route_texts *texts, struct bx_span text, uint64_t hash)
{
	uint8_t *bytes = malloc(text.len + 1);
	const uint32_t at = bytes == NULL ? NONE : take_node(texts);

	if (at == NONE) {
		free(bytes);
		return NONE;
	}
	if (text.len != 0)
		memcpy(bytes, text.ptr, text.len);
	texts->nodes[at] = (struct bx_route_text_node){
		.bytes = bytes,
		.hash = hash,
		.len = (uint32_t)text.len,
		.holds = 1,
		.older = texts->newest,
		.newer = NONE,
		.idle_next = NONE,
	};
	texts->index[place_of(texts, text, hash)] = at;
	texts->indexed++;
	if (texts->newest != NONE)
		texts->nodes[texts->newest].newer = at;
	else
		texts->oldest = at;
	texts->newest = at;
	texts->used += text.len + BX_ROUTE_TEXT_COST;
	return at;
}

uint32_t
bx_route_text_take(struct bx_route_texts *texts, struct bx_span text)
{
	const uint64_t hash = bx_hash(text, texts->seed);

	if (texts->index != NULL) {
		const uint32_t at = texts->index[place_of(texts, text, hash)];

		if (at != NONE) {
			texts->nodes[at].holds++;
			return at;
		}
	}
	if (text.len > UINT32_MAX || text.len + BX_ROUTE_TEXT_COST > texts->cap)
		return NONE;
	make_room(texts, text.len + BX_ROUTE_TEXT_COST);
	if ((texts->index == NULL || texts->indexed > texts->index_mask / 2) && !grow_index(texts))
		return NONE;
	return add_text(texts, text, hash);
}

void
bx_route_text_drop(struct bx_route_texts *texts, uint32_t text)
{
	struct bx_route_text_node *node = &texts->nodes[text];

	assert(node->holds != 0);
	if (--node->holds != 0 || node->queued)
		return;
	if (node->bytes == NULL)
		release_node(texts, text);
	else
		queue_idle(texts, text);
}
