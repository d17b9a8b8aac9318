/* What this CPU can do, as a value: tests pass fewer bits than the machine has. */
#ifndef BX_BASE_CPU_H
#define BX_BASE_CPU_H

#include <stdint.h>

/*
 * A bit is set only when the instructions exist and the operating system saves the registers they
 * use (XCR0: SSE and AVX state for AVX2, opmask and zmm state too for the AVX-512 bits).
 * Intel SDM volume 1, 13.3 and 14.3.
 */
enum {
	BX_CPU_AVX2 = 1u << 0,
	BX_CPU_BMI2 = 1u << 1,
	BX_CPU_AVX512F = 1u << 2,
	BX_CPU_AVX512BW = 1u << 3,
	BX_CPU_AVX512VL = 1u << 4,
	BX_CPU_AVX512VBMI2 = 1u << 5,
	BX_CPU_AVX512IFMA = 1u << 6,
	BX_CPU_RDRAND = 1u << 7,
};

/* Asks the CPU (a few microseconds in a virtual machine): once, at start. */
uint32_t bx_cpu_features(void);

/* The lowest bit of `needs` that `has` lacks, as text: "avx2", "ifma"; NULL when none is missing.
 */
const char *bx_cpu_missing(uint32_t needs, uint32_t has);

#endif
