/* A table of distinct byte strings, numbered in order of first use. */
#ifndef BX_ARCHIVE_INTERN_H
#define BX_ARCHIVE_INTERN_H

#include <stdbool.h>

#include "boxcar/span.h"

struct bx_intern_item {
	size_t off;
	uint32_t len;
};

struct bx_intern_slot {
	uint32_t hash;
	uint32_t number; /* of the item, plus 1; 0: free */
};

/* Copies what it is given. Keeps its memory when cleared. Owned by one thread at a time. */
struct bx_intern {
	uint8_t *text;
	size_t text_len, text_cap;
	struct bx_intern_item *items;
	uint32_t count, item_cap;
	struct bx_intern_slot *slots;
	uint32_t slot_count; /* a power of two, or 0 */
	uint64_t seed;       /* against who chooses strings that collide */
};

void bx_intern_init(struct bx_intern *t, uint64_t seed);
void bx_intern_wipe(struct bx_intern *t);
void bx_intern_clear(struct bx_intern *t);

#define BX_INTERN_NONE UINT32_MAX

/* Number of `s`, which is added if new. BX_INTERN_NONE: no memory. */
uint32_t bx_intern_put(struct bx_intern *t, struct bx_span s);

/* Number of `s`, or BX_INTERN_NONE. */
uint32_t bx_intern_find(const struct bx_intern *t, struct bx_span s);

/* Valid until the next put. */
static inline struct bx_span
bx_intern_at(const struct bx_intern *t, uint32_t number)
{
	return (struct bx_span){ t->text + t->items[number].off, t->items[number].len };
}

#endif
