#include "archive/intern.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { SLOTS_FIRST = 64, ITEMS_FIRST = 32, TEXT_FIRST = 1024 };

void
bx_intern_init(struct bx_intern *t, uint64_t seed)
{
	*t = (struct bx_intern){ .seed = seed };
}

void
bx_intern_wipe(struct bx_intern *t)
{
	free(t->text);
	free(t->items);
	free(t->slots);
	*t = (struct bx_intern){ 0 };
}

void
bx_intern_clear(struct bx_intern *t)
{
	if (t->slots != NULL)
		memset(t->slots, 0, t->slot_count * sizeof(t->slots[0]));
	t->text_len = 0;
	t->count = 0;
}

/* Slot of `s`, or the free slot where it belongs. There is always a free one. */
static struct bx_intern_slot *
slot_of(const struct bx_intern *t, struct bx_span s, uint32_t hash)
{
	uint32_t mask = t->slot_count - 1;

	for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
		struct bx_intern_slot *slot = &t->slots[i];

		if (slot->number == 0)
			return slot;
		if (slot->hash != hash)
			continue;

		struct bx_span at = bx_intern_at(t, slot->number - 1);

		if (at.len == s.len && (s.len == 0 || memcmp(at.ptr, s.ptr, s.len) == 0))
			return slot;
	}
}

static bool
grow_slots(struct bx_intern *t)
{
	uint32_t count = t->slot_count == 0 ? SLOTS_FIRST : t->slot_count * 2;
	struct bx_intern_slot *slots = calloc(count, sizeof(slots[0]));

	if (slots == NULL)
		return false;
	for (uint32_t i = 0; i < t->slot_count; i++) {
		uint32_t at = t->slots[i].hash & (count - 1);

		if (t->slots[i].number == 0)
			continue;
		while (slots[at].number != 0)
			at = (at + 1) & (count - 1);
		slots[at] = t->slots[i];
	}
	free(t->slots);
	t->slots = slots;
	t->slot_count = count;
	return true;
}

static bool
grow(struct bx_intern *t, size_t text_len)
{
	if (t->count == t->item_cap) {
		uint32_t cap = t->item_cap == 0 ? ITEMS_FIRST : t->item_cap * 2;
		struct bx_intern_item *items = realloc(t->items, cap * sizeof(items[0]));

		if (items == NULL)
			return false;
		t->items = items;
		t->item_cap = cap;
	}
	if (t->text_cap - t->text_len < text_len || t->text == NULL) {
		size_t cap = t->text_cap == 0 ? TEXT_FIRST : t->text_cap * 2;

		if (cap - t->text_len < text_len)
			cap = t->text_len + text_len;

		uint8_t *text = realloc(t->text, cap);

		if (text == NULL)
			return false;
		t->text = text;
		t->text_cap = cap;
	}
	/* At most three slots in four are taken. */
	return (uint64_t)(t->count + 1) * 4 <= (uint64_t)t->slot_count * 3 || grow_slots(t);
}

uint32_t
bx_intern_put(struct bx_intern *t, struct bx_span s)
{
	uint32_t hash = (uint32_t)bx_hash(s, t->seed);
	struct bx_intern_slot *slot = t->slot_count == 0 ? NULL : slot_of(t, s, hash);

	if (slot != NULL && slot->number != 0)
		return slot->number - 1;
	if (t->count == UINT32_MAX / 4 || !grow(t, s.len))
		return BX_INTERN_NONE;
	t->items[t->count] = (struct bx_intern_item){ t->text_len, (uint32_t)s.len };
	if (s.len != 0)
		memcpy(t->text + t->text_len, s.ptr, s.len);
	t->text_len += s.len;
	slot = slot_of(t, s, hash); /* growing may have moved it */
	*slot = (struct bx_intern_slot){ hash, ++t->count };
	return t->count - 1;
}

uint32_t
bx_intern_find(const struct bx_intern *t, struct bx_span s)
{
	if (t->slot_count == 0)
		return BX_INTERN_NONE;

	uint32_t number = slot_of(t, s, (uint32_t)bx_hash(s, t->seed))->number;

	return number == 0 ? BX_INTERN_NONE : number - 1;
}
