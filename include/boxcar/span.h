/* Bytes that belong to somebody else: a pointer and a length, never freed through. */
#ifndef BOXCAR_SPAN_H
#define BOXCAR_SPAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BX_PUBLIC __attribute__((visibility("default")))
#define BX_MUST_USE __attribute__((warn_unused_result))
#define BX_PRINTF(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#else
#define BX_PUBLIC
#define BX_MUST_USE
#define BX_PRINTF(fmt_arg, first_arg)
#endif

/* `ptr` may be NULL only when `len` is 0. May hold NUL bytes. */
struct bx_span {
	const uint8_t *ptr;
	size_t len;
};

#ifdef __cplusplus
}
#endif

#endif
