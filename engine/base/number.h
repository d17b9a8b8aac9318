/* Numbers and text: shortest float digits, correct float parsing, integers of any size. */
#ifndef BX_BASE_NUMBER_H
#define BX_BASE_NUMBER_H

#include "base/writer.h"

/* Most characters that bx_double_text writes. */
#define BX_DOUBLE_TEXT_MAX 32

/* Python's repr of a finite double ("1.0", "1e-05"); NaN, Infinity, -Infinity. Returns the length.
 */
size_t bx_double_text(double v, char out[static BX_DOUBLE_TEXT_MAX]);

/*
 * JSON number text (already checked by the reader) to the nearest double, ties to even; overflow
 * gives infinity as Python does. "NaN", "Infinity", "-Infinity" too. *exact: the text is what
 * bx_double_text would write.
 */
double bx_double_of_text(struct bx_span text, bool *exact);

/*
 * True only for text that bx_double_text would write, decided at a look: plain notation, at most 15
 * significant digits. False: it may be or not.
 */
bool bx_double_text_is_short(struct bx_span text);

/* *exact alone: the text is what bx_double_text would write for its value. */
bool bx_double_text_exact(struct bx_span text);

size_t bx_u64_text(uint64_t v, char out[static 20]);

/* Digits that Python's int() reads at most (sys.set_int_max_str_digits). */
#define BX_INT_DIGITS_MAX 4300

/* Big-endian magnitude bytes to decimal digits, without sign. False: over 4300 digits, or full. */
bool bx_bigint_text(struct bx_span magnitude, struct bx_writer *w);

/* Decimal digits (no sign) to minimal big-endian magnitude bytes. False: over 4300 digits, or full.
 */
bool bx_bigint_of_text(struct bx_span digits, struct bx_writer *w);

#endif
