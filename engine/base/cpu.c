#include "base/cpu.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <cpuid.h>

#define XCR0_YMM 0x06u /* SSE and AVX state */
#define XCR0_ZMM 0xe6u /* those, opmask, upper halves of zmm0-15, zmm16-31 */

static uint32_t
read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

static uint32_t
bit_if(uint32_t reg, uint32_t bit, uint32_t feature)
{
	return (reg & bit) != 0 ? feature : 0;
}

uint32_t
bx_cpu_features(void)
{
	uint32_t a, b, c, d;
	uint32_t has = 0;
	uint32_t xcr0 = 0;

	if (__get_cpuid(1, &a, &b, &c, &d) == 0)
		return 0;
	has |= bit_if(c, bit_RDRND, BX_CPU_RDRAND);
	if ((c & bit_OSXSAVE) != 0)
		xcr0 = read_xcr0();
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0)
		return has;
	has |= bit_if(b, bit_BMI2, BX_CPU_BMI2);
	if ((xcr0 & XCR0_YMM) == XCR0_YMM)
		has |= bit_if(b, bit_AVX2, BX_CPU_AVX2);
	if ((xcr0 & XCR0_ZMM) == XCR0_ZMM) {
		has |= bit_if(b, bit_AVX512F, BX_CPU_AVX512F);
		has |= bit_if(b, bit_AVX512BW, BX_CPU_AVX512BW);
		has |= bit_if(b, bit_AVX512VL, BX_CPU_AVX512VL);
		has |= bit_if(c, bit_AVX512VBMI2, BX_CPU_AVX512VBMI2);
		has |= bit_if(b, bit_AVX512IFMA, BX_CPU_AVX512IFMA);
	}
	return has;
}

#else

uint32_t
bx_cpu_features(void)
{
	return 0;
}

#endif

const char *
bx_cpu_missing(uint32_t needs, uint32_t has)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ BX_CPU_AVX2, "avx2" },         { BX_CPU_BMI2, "bmi2" },
		{ BX_CPU_AVX512F, "avx512f" },   { BX_CPU_AVX512BW, "avx512bw" },
		{ BX_CPU_AVX512VL, "avx512vl" }, { BX_CPU_AVX512VBMI2, "vbmi2" },
		{ BX_CPU_AVX512IFMA, "ifma" },   { BX_CPU_RDRAND, "rdrand" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((needs & ~has & names[i].bit) != 0)
			return names[i].name;
	}
	return NULL;
}
