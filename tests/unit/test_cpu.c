/* base/cpu: features agree with those that the system reports, and missing ones are named. */
#include "base/cpu.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct {
	uint32_t bit;
	const char *flag; /* in /proc/cpuinfo */
	const char *name;
} features[] = {
	{ BX_CPU_AVX2, " avx2 ", "avx2" },
	{ BX_CPU_BMI2, " bmi2 ", "bmi2" },
	{ BX_CPU_AVX512F, " avx512f ", "avx512f" },
	{ BX_CPU_AVX512BW, " avx512bw ", "avx512bw" },
	{ BX_CPU_AVX512VL, " avx512vl ", "avx512vl" },
	{ BX_CPU_AVX512VBMI2, " avx512_vbmi2 ", "vbmi2" },
	{ BX_CPU_AVX512IFMA, " avx512ifma ", "ifma" },
	{ BX_CPU_RDRAND, " rdrand ", "rdrand" },
};

#if defined(__x86_64__)
Test(cpu, features_are_those_of_cpuinfo)
{
	static char line[65536];
	FILE *f = fopen("/proc/cpuinfo", "r");
	bool found = false;

	cr_assert_not_null(f);
	while (!found && fgets(line, sizeof(line) - 2, f) != NULL)
		found = strncmp(line, "flags", 5) == 0;
	fclose(f);
	cr_assert(found);
	line[strcspn(line, "\n")] = '\0';
	strcat(line, " ");
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		cr_assert_eq((bx_cpu_features() & features[i].bit) != 0,
			     strstr(line, features[i].flag) != NULL, "%s", features[i].name);
}
#endif

Test(cpu, the_first_missing_feature_is_named)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		cr_assert_str_eq(bx_cpu_missing(features[i].bit, ~features[i].bit),
				 features[i].name);
		cr_assert_null(bx_cpu_missing(features[i].bit, features[i].bit));
	}
	cr_assert_str_eq(bx_cpu_missing(BX_CPU_AVX512IFMA | BX_CPU_BMI2, BX_CPU_AVX2), "bmi2");
	cr_assert_null(bx_cpu_missing(0, 0));
}
