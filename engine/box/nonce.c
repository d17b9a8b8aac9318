#include "box/nonce.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>
#include <sys/random.h>

#include "base/cpu.h"
#include "base/writer.h"

#define NONCE_LEN 24u
#define PREFIX_LEN 16u
#define SEED_LEN 32u

static enum bx_err
draw(uint8_t *out, size_t len, struct bx_fail *fail)
{
	while (len != 0) {
		ssize_t got = getrandom(out, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "getrandom");
		out += got;
		len -= (size_t)got;
	}
	return BX_OK;
}

#if defined(__x86_64__)
/* Up to ten tries, as Intel's guide to RDRAND asks for. False: the unit gave nothing. */
static bool
rdrand64(uint64_t *v)
{
	for (int i = 0; i < 10; i++) {
		unsigned char ok;

		__asm__ volatile("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok) : : "cc");
		if (ok)
			return true;
	}
	return false;
}

static void
hardware_random(struct bx_nonce_source *source, uint64_t words[static 2])
{
	if (source->cpu == 0)
		source->cpu = bx_cpu_features() | BX_NONCE_CPU_ASKED;
	words[0] = 0;
	words[1] = 0;
	if ((source->cpu & BX_CPU_RDRAND) != 0 && rdrand64(&words[0]))
		(void)rdrand64(&words[1]);
}
#else
static void
hardware_random(struct bx_nonce_source *source, uint64_t words[static 2])
{
	(void)source;
	words[0] = 0;
	words[1] = 0;
}
#endif

/*
 * The hash is keyed with getrandom, which alone would do; the rest tells apart machines that were
 * cloned or restored from one snapshot and so may hold the same state of the system's generator.
 */
static enum bx_err
draw_prefix(struct bx_nonce_source *source, uint64_t clock_ns, uint64_t pid,
	    uint8_t prefix[static PREFIX_LEN], struct bx_fail *fail)
{
	uint8_t seed[SEED_LEN];
	uint64_t words[5] = { 0, 0, clock_ns, pid, source->car_counter };
	enum bx_err err = draw(seed, sizeof(seed), fail);

	if (err != BX_OK)
		return err;
	hardware_random(source, words);
	source->car_counter++;
	(void)crypto_generichash(prefix, PREFIX_LEN, (const uint8_t *)words, sizeof(words), seed,
				 sizeof(seed));
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(words, sizeof(words));
	return BX_OK;
}

static void
fill_fixed(uint64_t seed, const uint64_t *numbers, uint8_t *out, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t text[16];

		bx_store_le64(text, seed);
		bx_store_le64(text + 8, numbers[i]);
		(void)crypto_generichash(out + i * NONCE_LEN, NONCE_LEN, text, sizeof(text), NULL,
					 0);
	}
}

enum bx_err
bx_nonce_fill(struct bx_nonce_source *source, uint64_t clock_ns, uint64_t pid,
	      const uint64_t *numbers, uint8_t *out, size_t count, struct bx_fail *fail)
{
	uint8_t prefix[PREFIX_LEN];
	enum bx_err err;

	if (source->mode == BX_NONCE_FIXED) {
		fill_fixed(source->fixed_seed, numbers, out, count);
		return BX_OK;
	}
	if (source->mode == BX_NONCE_RANDOM || count < BX_NONCE_CAR_MIN)
		return draw(out, count * NONCE_LEN, fail);
	err = draw_prefix(source, clock_ns, pid, prefix, fail);
	if (err != BX_OK)
		return err;
	for (size_t i = 0; i < count; i++) {
		memcpy(out + i * NONCE_LEN, prefix, PREFIX_LEN);
		bx_store_le64(out + i * NONCE_LEN + PREFIX_LEN, i);
	}
	return BX_OK;
}
