#!/usr/bin/env python3
"""Writes box.txt: crypto_box answers from a plain implementation of the specifications.

Salsa20: D. J. Bernstein, "The Salsa20 family of stream ciphers"; HSalsa20: "Extending the Salsa20
nonce"; crypto_secretbox: "Cryptography in NaCl" sections 7 to 10; Poly1305: RFC 8439 2.5.
The first case is the one of "Cryptography in NaCl". No library is used, so that the answers are
independent of the one that boxcar is built on.

usage: box_kat.py > box.txt
"""
import struct

MASK = 0xFFFFFFFF
SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def rounds(state):
    x = list(state)

    def step(to, a, b, n):
        s = (x[a] + x[b]) & MASK
        x[to] ^= (s << n | s >> (32 - n)) & MASK

    def quarter(a, b, c, d):
        step(b, a, d, 7)
        step(c, b, a, 9)
        step(d, c, b, 13)
        step(a, d, c, 18)

    for _ in range(10):
        quarter(0, 4, 8, 12)
        quarter(5, 9, 13, 1)
        quarter(10, 14, 2, 6)
        quarter(15, 3, 7, 11)
        quarter(0, 1, 2, 3)
        quarter(5, 6, 7, 4)
        quarter(10, 11, 8, 9)
        quarter(15, 12, 13, 14)
    return x


def state_of(key, block):
    k = struct.unpack("<8I", key)
    n = struct.unpack("<4I", block)
    return (SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3])


def hsalsa20(key, block):
    x = rounds(state_of(key, block))
    return struct.pack("<8I", x[0], x[5], x[10], x[15], x[6], x[7], x[8], x[9])


def xsalsa20(key, nonce, length):
    subkey = hsalsa20(key, nonce[:16])
    out = b""
    for counter in range((length + 63) // 64):
        state = state_of(subkey, nonce[16:] + struct.pack("<Q", counter))
        words = [(a + b) & MASK for a, b in zip(rounds(state), state)]
        out += struct.pack("<16I", *words)
    return out[:length]


def poly1305(key, text):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(key[16:], "little")
    h = 0
    for i in range(0, len(text), 16):
        h = (h + int.from_bytes(text[i : i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((h + s) % 2**128).to_bytes(16, "little")


def seal(key, nonce, text):
    stream = xsalsa20(key, nonce, 32 + len(text))
    box = bytes(a ^ b for a, b in zip(text, stream[32:]))
    return poly1305(stream[:32], box) + box


def numbers(seed):
    """Bytes that look random: the high bytes of a linear congruential generator."""
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        yield seed >> 56


def case(expect, key, nonce, text, box):
    print(f"expect: {expect}")
    print(f"key: {key.hex()}")
    print(f"nonce: {nonce.hex()}")
    if expect == "success":
        print(f"text: {text.hex()}")
    print(f"box: {box.hex()}\n")


def edge_texts(key, nonce):
    """Texts whose boxes drive Poly1305's sum to its edges: all ones, all zeros, p - 1, p, p + 1."""
    p = 2**130 - 5
    for n in (16, 32, 48, 128, 256):
        stream = xsalsa20(key, nonce, 32 + n)[32:]
        for fill in (b"\xff" * n, b"\0" * n, (p % 2**128).to_bytes(16, "little") * (n // 16),
                     (2**128 - 1 - 5).to_bytes(16, "little") * (n // 16)):
            yield bytes(a ^ b for a, b in zip(fill, stream))


def main():
    print("# Written by box_kat.py, which says from what. Hex; a blank line ends a case.\n")
    key = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    text = bytes.fromhex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc"
        "e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31"
        "0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde"
        "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864"
        "5e0705")
    assert seal(key, nonce, text)[:16].hex() == "f3ffc7703f9400e52a7dfb4b3d3305d9"
    case("success", key, nonce, text, seal(key, nonce, text))
    source = numbers(2024)
    take = lambda n: bytes(next(source) for _ in range(n))
    for n in (0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 96, 97, 160, 255, 256, 511, 1000, 2080, 2113, 3333):
        key, nonce, text = take(32), take(24), take(n)
        case("success", key, nonce, text, seal(key, nonce, text))
    for text in edge_texts(key, nonce):
        case("success", key, nonce, text, seal(key, nonce, text))
    for n in (0, 1, 16, 100, 700):
        key, nonce, text = take(32), take(24), take(n)
        box = seal(key, nonce, text)
        for at in sorted({0, 7, 8, 15, 16, len(box) // 2, len(box) - 1} & set(range(len(box)))):
            wrong = bytearray(box)
            wrong[at] ^= 1 << next(source) % 8
            case("auth failure", key, nonce, text, bytes(wrong))
        wrong = bytearray(nonce)
        wrong[next(source) % 24] ^= 1
        case("auth failure", key, bytes(wrong), text, box)
        if n:
            case("auth failure", key, nonce, text, box[:-1])


main()
