#include "archive/padding.h"

#include <string.h>

#include "archive/layout.h"

#define FIXED_MAX (64ull << 20)
#define TOTAL_MAX ((BX_HEADER_LEN + (uint64_t)BX_BODY_LEN_MAX) / BX_PAGE * BX_PAGE)

static bool
size_of_text(const char *text, uint64_t *size)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > FIXED_MAX)
			return false;
	}
	if (p == text)
		return false;
	if (strcmp(p, "Ki") == 0)
		v <<= 10;
	else if (strcmp(p, "Mi") == 0)
		v <<= 20;
	else if (strcmp(p, "k") == 0)
		v *= 1000;
	else if (strcmp(p, "M") == 0)
		v *= 1000000;
	else if (*p != '\0')
		return false;
	*size = v;
	return true;
}

bool
bx_padding_of_text(struct bx_padding *padding, const char *text)
{
	uint64_t size;

	if (strcmp(text, "page") == 0) {
		*padding = (struct bx_padding){ BX_PADDING_PAGE, 0 };
		return true;
	}
	if (strcmp(text, "padme") == 0) {
		*padding = (struct bx_padding){ BX_PADDING_PADME, 0 };
		return true;
	}
	if (strncmp(text, "fixed:", 6) != 0 || !size_of_text(text + 6, &size))
		return false;
	if (size == 0 || size > FIXED_MAX || size % BX_PAGE != 0)
		return false;
	*padding = (struct bx_padding){ BX_PADDING_FIXED, (uint32_t)size };
	return true;
}

/* Padme (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019, section 4.3). */
static uint64_t
padme(uint64_t len)
{
	if (len < 2)
		return len;

	unsigned e = 63u - (unsigned)__builtin_clzll(len);
	unsigned s = 32u - (unsigned)__builtin_clz(e);
	uint64_t mask = e < s ? 0 : (1ull << (e - s)) - 1;

	return (len + mask) & ~mask;
}

uint64_t
bx_padding_total(struct bx_padding padding, uint64_t total)
{
	uint64_t want = total;

	if (padding.kind == BX_PADDING_PADME)
		want = padme(total);
	else if (padding.kind == BX_PADDING_FIXED)
		want = (total + padding.fixed - 1) / padding.fixed * padding.fixed;
	want = (want + BX_PAGE - 1) / BX_PAGE * BX_PAGE;
	return want > TOTAL_MAX && total <= TOTAL_MAX ? TOTAL_MAX : want;
}
