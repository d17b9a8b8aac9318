#include "io/edge.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * A block in the making. The list holds one for every boundary of which one side is done, so no
 * more than there are regions in flight: walking it is cheaper than anything cleverer.
 */
struct edge {
	struct edge *next;
	uint64_t at;
	size_t filled;
	uint8_t *block; /* BX_IO_ALIGN bytes, aligned to as much */
};

struct bx_edges {
	pthread_mutex_t mutex; /* guards all that follows */
	struct edge *open;
	struct edge *spare;
};

enum bx_err
bx_edges_new(struct bx_edges **edges, struct bx_fail *fail)
{
	struct bx_edges *e = calloc(1, sizeof(*e));

	if (e == NULL || pthread_mutex_init(&e->mutex, NULL) != 0) {
		free(e);
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
	}
	*edges = e;
	return BX_OK;
}

static void
free_list(struct edge *edge)
{
	while (edge != NULL) {
		struct edge *next = edge->next;

		free(edge->block);
		free(edge);
		edge = next;
	}
}

void
bx_edges_free(struct bx_edges *edges)
{
	if (edges == NULL)
		return;
	free_list(edges->open);
	free_list(edges->spare);
	(void)pthread_mutex_destroy(&edges->mutex);
	free(edges);
}

/* The link that points to the edge at `at`, or to the NULL at the list's end. */
static struct edge **
find(struct bx_edges *edges, uint64_t at)
{
	struct edge **link = &edges->open;

	while (*link != NULL && (*link)->at != at)
		link = &(*link)->next;
	return link;
}

/* A zeroed one, or NULL. */
static struct edge *
take_spare(struct bx_edges *edges)
{
	struct edge *edge = edges->spare;

	if (edge != NULL) {
		edges->spare = edge->next;
	} else {
		edge = calloc(1, sizeof(*edge));
		if (edge == NULL)
			return NULL;
		edge->block = aligned_alloc(BX_IO_ALIGN, BX_IO_ALIGN);
		if (edge->block == NULL) {
			free(edge);
			return NULL;
		}
	}
	memset(edge->block, 0, BX_IO_ALIGN);
	edge->filled = 0;
	return edge;
}

enum bx_err
bx_edges_bring(struct bx_edges *edges, enum bx_edge_found *found, uint8_t **block,
	       const struct bx_edge_part *part, bool has_room, struct bx_fail *fail)
{
	assert(part->block % BX_IO_ALIGN == 0);
	assert(part->len > 0 && part->skip + part->len <= BX_IO_ALIGN);

	enum bx_err err = BX_OK;

	(void)pthread_mutex_lock(&edges->mutex);

	struct edge **link = find(edges, part->block);
	struct edge *edge = *link;

	if (edge == NULL) {
		edge = take_spare(edges);
		if (edge == NULL) {
			err = bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
			goto unlock;
		}
		edge->at = part->block;
		edge->next = NULL;
		*link = edge;
	}

	size_t end = part->skip + part->len;
	bool complete = edge->filled + part->len == BX_IO_ALIGN;

	edge->filled += part->len;
	if (complete && has_room) {
		memcpy(part->bytes - part->skip, edge->block, part->skip);
		memcpy(part->bytes + part->len, edge->block + end, BX_IO_ALIGN - end);
		*found = BX_EDGE_FILLED;
		*link = edge->next;
		edge->next = edges->spare;
		edges->spare = edge;
		goto unlock;
	}
	memcpy(edge->block + part->skip, part->bytes, part->len);
	*found = BX_EDGE_LEFT;
	if (complete) {
		*found = BX_EDGE_COMPLETE;
		*block = edge->block;
		*link = edge->next;
		free(edge); /* rare: only without room */
	}
unlock:
	(void)pthread_mutex_unlock(&edges->mutex);
	return err;
}

int
bx_edges_each(struct bx_edges *edges, bx_edges_write_fn write, void *context)
{
	int sys = 0;

	(void)pthread_mutex_lock(&edges->mutex);
	for (struct edge *edge = edges->open; edge != NULL && sys == 0; edge = edge->next)
		sys = write(context, edge->block, edge->at);
	(void)pthread_mutex_unlock(&edges->mutex);
	return sys;
}
