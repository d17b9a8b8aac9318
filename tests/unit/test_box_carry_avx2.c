/* box_avx2: block numbers carry over from 32 to 64 bits. */
#include "box/box_avx2.c"

#include <stdio.h>

#include "box_carry.h"

Test(box_carry_avx2, block_numbers_are_64_bits)
{
	check_carries(&bx_box_avx2);
}
