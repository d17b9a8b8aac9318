#include "archive/random.h"

#include <sodium.h>

static void
fill_system(void *context, uint8_t *out, size_t len)
{
	(void)context;
	randombytes_buf(out, len);
}

struct bx_random
bx_random_system(void)
{
	return (struct bx_random){ NULL, fill_system };
}
