/*
 * Salsa20's 20 rounds over a vector type (eSTREAM specification, "The Salsa20 core"). Wants:
 *   vec              vector of 32-bit words, one lane for one block
 *   vec_mix(x, t, n) x ^ (t <<< n)
 *   vec_add(a, b)
 */

#define QUARTER_STEP(x, to, a, b, n) (x)[to] = vec_mix((x)[to], vec_add((x)[a], (x)[b]), n)

/* The same step of all four quarter rounds together: they are independent of each other. */
#define COLUMNS(x, t0, t1, t2, t3, a0, a1, a2, a3, b0, b1, b2, b3, n)                              \
	do {                                                                                       \
		QUARTER_STEP(x, t0, a0, b0, n);                                                    \
		QUARTER_STEP(x, t1, a1, b1, n);                                                    \
		QUARTER_STEP(x, t2, a2, b2, n);                                                    \
		QUARTER_STEP(x, t3, a3, b3, n);                                                    \
	} while (0)

static inline __attribute__((always_inline)) void
salsa_double_round(vec x[16])
{
	COLUMNS(x, 4, 9, 14, 3, 0, 5, 10, 15, 12, 1, 6, 11, 7);
	COLUMNS(x, 8, 13, 2, 7, 4, 9, 14, 3, 0, 5, 10, 15, 9);
	COLUMNS(x, 12, 1, 6, 11, 8, 13, 2, 7, 4, 9, 14, 3, 13);
	COLUMNS(x, 0, 5, 10, 15, 12, 1, 6, 11, 8, 13, 2, 7, 18);

	COLUMNS(x, 1, 6, 11, 12, 0, 5, 10, 15, 3, 4, 9, 14, 7);
	COLUMNS(x, 2, 7, 8, 13, 1, 6, 11, 12, 0, 5, 10, 15, 9);
	COLUMNS(x, 3, 4, 9, 14, 2, 7, 8, 13, 1, 6, 11, 12, 13);
	COLUMNS(x, 0, 5, 10, 15, 3, 4, 9, 14, 2, 7, 8, 13, 18);
}

/*
 * Ten double rounds, with `beside(work, 0)` ... `beside(work, 9)` in between: whatever else is to
 * be done keeps the ports busy that the rounds, each waiting for the one before, leave idle.
 */
static inline __attribute__((always_inline)) void
salsa_rounds(vec x[16], void (*beside)(void *work, int step), void *work)
{
	salsa_double_round(x);
	beside(work, 0);
	salsa_double_round(x);
	beside(work, 1);
	salsa_double_round(x);
	beside(work, 2);
	salsa_double_round(x);
	beside(work, 3);
	salsa_double_round(x);
	beside(work, 4);
	salsa_double_round(x);
	beside(work, 5);
	salsa_double_round(x);
	beside(work, 6);
	salsa_double_round(x);
	beside(work, 7);
	salsa_double_round(x);
	beside(work, 8);
	salsa_double_round(x);
	beside(work, 9);
}
