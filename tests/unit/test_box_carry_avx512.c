/* box_avx512: block numbers carry over from 32 to 64 bits. */
#include "box/box_avx512.c"

#include <stdio.h>

#include "box_carry.h"

Test(box_carry_avx512, block_numbers_are_64_bits)
{
	check_carries(&bx_box_avx512);
}
