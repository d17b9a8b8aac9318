/* The reference kernel: libsodium, one message at a time. */
#include "box/box_kernel.h"

#include <sodium.h>

static void
seal_many(struct bx_box_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct bx_box_item *item = &items[i];

		/* Fails only above crypto_box_MESSAGEBYTES_MAX, which is beyond the address space.
		 */
		(void)crypto_box_detached_afternm(item->out + BX_BOX_TAG_LEN, item->out, item->in,
						  item->len, item->nonce, item->key);
	}
}

static void
open_many(struct bx_box_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bx_box_item *item = &items[i];

		/* Verifies before it writes. */
		item->ok =
		    crypto_box_open_detached_afternm(item->out, item->in + BX_BOX_TAG_LEN, item->in,
						     item->len, item->nonce, item->key) == 0;
	}
}

const struct bx_box_kernel bx_box_portable = { "portable", 0, 1, seal_many, open_many };
