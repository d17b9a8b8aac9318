#include "boxcar/fail.h"

#include <stdarg.h>
#include <stdio.h>

enum bx_err
bx_fail_set(struct bx_fail *fail, enum bx_err code, int sys, uint64_t offset, const char *fmt, ...)
{
	if (fail == NULL || fail->code != BX_OK)
		return code;
	fail->code = code;
	fail->sys = sys;
	fail->offset = offset;

	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(fail->msg, sizeof(fail->msg), fmt, ap);
	va_end(ap);
	return code;
}

void
bx_fail_hint(struct bx_fail *fail, const char *fmt, ...)
{
	if (fail == NULL || fail->hint[0] != '\0')
		return;

	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(fail->hint, sizeof(fail->hint), fmt, ap);
	va_end(ap);
}
