/*
 * Block numbers beyond 2^32, for one kernel. No text is long enough to get there, so the functions
 * that encipher blocks are called as if a text of 2^38 bytes and more lay before the buffer; the
 * test program includes the kernel's .c file.
 */
#include <criterion/criterion.h>
#include <sodium.h>

#define BLOCKS 64u

static struct chunk chunk;

/* A chunk of one message whose block `block` lies at `buf`. */
static void
place(uint8_t *buf, uint64_t block, const uint8_t key[32], uint64_t nonce_tail)
{
	memset(&chunk, 0, sizeof(chunk));
	chunk.count = 1;
	chunk.slot_count = 1;
	memcpy(chunk.subkey[0], key, 32);
	for (size_t p = 0; p <= MAX_LANES; p++) {
		chunk.src[p] = (uintptr_t)chunk.dump;
		chunk.dst[p] = (uintptr_t)chunk.dump;
		chunk.len[p] = FIRST_LEN + 64;
	}
	chunk.src[0] = (uintptr_t)buf - (block * 64 - FIRST_LEN);
	chunk.dst[0] = chunk.src[0];
	chunk.len[0] = UINT64_MAX;
	chunk.nonce_tail[0] = nonce_tail;
}

static void
check_carry(uint64_t block, bool run)
{
	uint8_t text[BLOCKS * 64], wanted[BLOCKS * 64], key[32], nonce[8];
	uint64_t nonce_tail;
	struct lanes l;

	randombytes_buf(text, sizeof(text));
	randombytes_buf(key, sizeof(key));
	randombytes_buf(nonce, sizeof(nonce));
	memcpy(&nonce_tail, nonce, 8);
	cr_assert_eq(crypto_stream_salsa20_xor_ic(wanted, text, sizeof(text), nonce, block, key),
		     0);
	place(text, block, key, nonce_tail);
	lanes_begin(&l, &chunk);
	if (run) {
		lanes_run(&l, &chunk, 0, block, block + BLOCKS);
	} else {
		for (uint64_t i = 0; i < BLOCKS; i += LANES) {
			uint64_t items[MAX_LANES];

			for (uint64_t k = 0; k < LANES; k++)
				items[k] = block + i + k;
			lanes_full(&l, &chunk, items);
		}
	}
	lanes_end(&l, &chunk);
	cr_assert_eq(memcmp(text, wanted, sizeof(text)), 0, "block %#llx",
		     (unsigned long long)block);
}

static void
check_carries(const struct bx_box_kernel *kernel)
{
	static const uint64_t around[] = { 1, 1ull << 31, 1ull << 32, 5ull << 32,
					   (1ull << 48) - 64 };

	if (bx_cpu_missing(kernel->needs, bx_cpu_features()) != NULL) {
		fprintf(stderr, "skipped: the CPU lacks %s\n",
			bx_cpu_missing(kernel->needs, bx_cpu_features()));
		return;
	}
	cr_assert_geq(sodium_init(), 0);
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		/* The carry falls on every lane. */
		for (uint64_t before = 0; before <= LANES && before < around[i]; before++) {
			check_carry(around[i] - before, true);
			check_carry(around[i] - before, false);
		}
	}
}
