/* Repeatable random numbers for tests: the same seed gives the same test. */
#ifndef BX_TESTS_SEEDED_H
#define BX_TESTS_SEEDED_H

#include <stdint.h>
#include <stdlib.h>

/* SplitMix64 (S. Vigna, public domain). */
static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static inline uint64_t
random_below(uint64_t *state, uint64_t bound)
{
	return random_next(state) % bound;
}

/* The number in the environment variable `name`, or `usual`. */
static inline uint64_t
random_count(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : usual;
}

#endif
