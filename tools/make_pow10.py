#!/usr/bin/env python3
"""Writes engine/base/pow10_table.h: 10^k for k in [-343, 324], cut to 128 bits.

Usage: tools/make_pow10.py > engine/base/pow10_table.h

Every row is floor(10^k * 2^(127 - floor(log2(10^k)))): the top bit is set. Rows 0 to 55 are exact,
all others are below the true value by less than one unit of the last bit.
"""

FIRST, LAST = -343, 324


def significand(k):
    if k >= 0:
        n = 10**k
        shift = 128 - n.bit_length()
        return n << shift if shift >= 0 else n >> -shift
    d = 10**-k
    # 2^s / d has 128 bits for s = bits(d) + 127, or bits(d) + 126 when d is a power of two.
    return (1 << (d.bit_length() + 127)) // d


def main():
    print("/* Powers of ten, 128 bits each; made by tools/make_pow10.py, do not edit. */")
    print("#ifndef BX_BASE_POW10_TABLE_H")
    print("#define BX_BASE_POW10_TABLE_H")
    print()
    print("#include <stdint.h>")
    print()
    print(f"#define BX_POW10_FIRST (-{-FIRST})")
    print(f"#define BX_POW10_LAST {LAST}")
    print("/* Rows in this range are exact; the others are rounded down. */")
    print("#define BX_POW10_EXACT_FIRST 0")
    print("#define BX_POW10_EXACT_LAST 55")
    print()
    print("struct bx_pow10 {")
    print("\tuint64_t hi;")
    print("\tuint64_t lo;")
    print("};")
    print()
    print("/* clang-format off */")
    print(f"static const struct bx_pow10 pow10_table[{LAST - FIRST + 1}] = {{")
    for k in range(FIRST, LAST + 1):
        n = significand(k)
        assert n.bit_length() == 128
        print(f"\t{{ 0x{n >> 64:016x}, 0x{n & (1 << 64) - 1:016x} }}, /* {k} */")
    print("};")
    print("/* clang-format on */")
    print()
    print("#endif")


main()
