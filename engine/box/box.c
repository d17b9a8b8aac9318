#include "box/box_kernel.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/cpu.h"

/* Widest first; portable is the last and always runs. */
static const struct bx_box_kernel *const kernels[] = {
#if defined(BX_BOX_X86)
	&bx_box_avx512,
	&bx_box_avx2,
#endif
	&bx_box_portable,
};

#define KERNEL_COUNT (sizeof(kernels) / sizeof(kernels[0]))

const char *
bx_box_kernel_name_at(size_t index)
{
	return index < KERNEL_COUNT ? kernels[index]->name : NULL;
}

const char *
bx_box_kernel_name(const struct bx_box_kernel *kernel)
{
	return kernel->name;
}

void
bx_box_seal_many(const struct bx_box_kernel *kernel, struct bx_box_item *items, size_t count)
{
	kernel->seal_many(items, count);
}

void
bx_box_open_many(const struct bx_box_kernel *kernel, struct bx_box_item *items, size_t count)
{
	kernel->open_many(items, count);
}

bool
bx_box_shared_key(uint8_t shared[32], const uint8_t secret[32], const uint8_t public_key[32])
{
	if (crypto_box_beforenm(shared, public_key, secret) == 0)
		return true;
	sodium_memzero(shared, BX_BOX_KEY_LEN);
	return false;
}

/* NULL when `kernel` may be used on a CPU that has `cpu`; else why not, as text in `why`. */
static const char *
refuse(const struct bx_box_kernel *kernel, uint32_t cpu, char why[static 64])
{
	const char *missing = bx_cpu_missing(kernel->needs, cpu);

	if (missing != NULL) {
		(void)snprintf(why, 64, "the CPU lacks %s", missing);
		return why;
	}
	return bx_box_self_test(kernel) ? NULL : "self-test failed";
}

static enum bx_err
unknown_kernel(const char *name, struct bx_fail *fail)
{
	char names[64] = "auto";

	for (size_t i = 0; i < KERNEL_COUNT; i++) {
		size_t at = strlen(names);

		(void)snprintf(names + at, sizeof(names) - at, ", %s", kernels[i]->name);
	}
	(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "no such kernel: %.32s", name);
	bx_fail_hint(fail, "kernels are %s", names);
	return BX_ERR_USAGE;
}

enum bx_err
bx_box_pick_for(const struct bx_box_kernel **kernel, const char *name, uint32_t cpu,
		bx_box_refused_fn refused, void *context, struct bx_fail *fail)
{
	bool any = name == NULL || strcmp(name, "auto") == 0;

	if (sodium_init() < 0)
		return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "libsodium cannot start");
	for (size_t i = 0; i < KERNEL_COUNT; i++) {
		char text[64];
		const char *why;

		if (!any && strcmp(name, kernels[i]->name) != 0)
			continue;
		why = refuse(kernels[i], cpu, text);
		if (why == NULL) {
			*kernel = kernels[i];
			return BX_OK;
		}
		if (refused != NULL)
			refused(context, kernels[i]->name, why);
		if (!any)
			return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
					   "kernel %s cannot be used: %s", name, why);
	}
	if (!any)
		return unknown_kernel(name, fail);
	return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "no kernel passes its self-test");
}

enum bx_err
bx_box_pick(const struct bx_box_kernel **kernel, const char *name, bx_box_refused_fn refused,
	    void *context, struct bx_fail *fail)
{
	return bx_box_pick_for(kernel, name, bx_cpu_features(), refused, context, fail);
}
