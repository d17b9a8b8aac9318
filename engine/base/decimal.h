/* Doubles and decimals: the nearest double of a decimal, the shortest decimal of a double. */
#ifndef BX_BASE_DECIMAL_H
#define BX_BASE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/* IEEE 754 binary64: 1 sign bit, 11 exponent bits, 52 bits of fraction. Bits here have no sign. */
#define BX_DOUBLE_FRACTION_BITS 52
#define BX_DOUBLE_FRACTION_MASK (((uint64_t)1 << BX_DOUBLE_FRACTION_BITS) - 1)
#define BX_DOUBLE_HIDDEN_BIT ((uint64_t)1 << BX_DOUBLE_FRACTION_BITS)
/* Of the integer significand: v = c * 2^(biased - 1075). */
#define BX_DOUBLE_BIAS 1075
#define BX_DOUBLE_INFINITY ((uint64_t)0x7FF << BX_DOUBLE_FRACTION_BITS)

/* value = digits * 10^exponent */
struct bx_decimal {
	uint64_t digits;
	int exponent;
};

/* The fewest digits that read back as the double `bits` (finite, above 0); of those the nearest. */
struct bx_decimal bx_decimal_of_bits(uint64_t bits);

/* The bits of the double nearest to digits * 10^exponent, ties to even; infinity on overflow. */
uint64_t bx_decimal_bits(uint64_t digits, int64_t exponent);

/*
 * True when digits * 10^exponent, of 16 digits or more and the last one not 0, are the shortest
 * digits of the double nearest to it, so that its repr has them. (The notation is another matter.)
 */
bool bx_decimal_is_shortest(uint64_t digits, int exponent);

/* The same number without trailing zeros; `digits` above 0. */
struct bx_decimal bx_decimal_trim(struct bx_decimal d);

/* Decimal digits of `v`; 0 has none. */
unsigned bx_decimal_digit_count(uint64_t v);

#endif
