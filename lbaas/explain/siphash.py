"""The kernel's ``hsiphash`` of one 32-bit number, as a 64-bit kernel computes it: SipHash-1-3, its lower half.

Source: lib/siphash.c, include/linux/siphash.h; SipHash: J.-P. Aumasson and D. J. Bernstein, 2012.
"""

from typing import TypeAlias

_MASK = (1 << 64) - 1
_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)

_Words: TypeAlias = tuple[int, int, int, int]


def hsiphash(number: int, key: int) -> int:
    """32 bits. *key* is both words of the key: IPVS's are alike."""
    a, b, c, d = (word ^ key for word in _START)
    message = 4 << 56 | number & 0xFFFFFFFF  # its length in bytes, and itself
    a, b, c, d = _round(a, b, c, d ^ message)
    a, c = a ^ message, c ^ 0xFF
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return (a ^ b ^ c ^ d) & 0xFFFFFFFF


def _round(a: int, b: int, c: int, d: int) -> _Words:
    a = (a + b) & _MASK
    b = _rotated(b, 13) ^ a
    a = _rotated(a, 32)
    c = (c + d) & _MASK
    d = _rotated(d, 16) ^ c
    a = (a + d) & _MASK
    d = _rotated(d, 21) ^ a
    c = (c + b) & _MASK
    b = _rotated(b, 17) ^ c
    return a, b, _rotated(c, 32), d


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK
