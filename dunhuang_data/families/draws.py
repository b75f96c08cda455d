"""Whole numbers drawn in bulk, and directions in whole numbers, alike on every platform.

Sines and cosines of a mathematics library may differ in their last bit from one machine to the
next. The directions here come from halving angles, with sums, products and square roots alone,
which IEEE 754 defines to the last bit, and are then rounded.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.rng import raw_words

Integers = NDArray[np.int64]

FULL_TURN = 1024  # directions in a full turn; a power of two, so that `& (FULL_TURN - 1)` wraps
UNIT_BITS = 12
UNIT = 1 << UNIT_BITS  # parts of a pixel in which paths are summed


def draw_many(rng: np.random.Generator, count: int, low: int, high: int) -> Integers:
    """Return ``count`` whole numbers of low … high, both included, (count,) int64.

    Each from half a word, low half first (bias below (high - low + 1) / 2**32).
    """
    halves = raw_words(rng, -(-count // 2)).astype("<u8", copy=False).view("<u4")[:count]
    return low + ((halves * np.uint64(high - low + 1)) >> np.uint64(32)).astype(np.int64)


def draw_one(rng: np.random.Generator, low: int, high: int) -> int:
    """Return a whole number of low … high, both included, from one word."""
    return low + (((int(raw_words(rng, 1)[0]) >> 32) * (high - low + 1)) >> 32)


def _directions() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the unit vectors of a full turn, rows and columns, (FULL_TURN,) int32, in 1/UNIT px.

    32 bits hold the sum of a path of half a million pixels.
    """
    cosine, sine = 0.0, 1.0  # of a quarter turn, then of ever smaller parts of it
    quarter = FULL_TURN // 4
    for _ in range(quarter.bit_length() - 1):
        cosine, sine = sqrt((1 + cosine) / 2), sine / sqrt(2 * (1 + cosine))
    x, y = 1.0, 0.0
    first = []
    for _ in range(quarter):
        first.append((round(y * UNIT), round(x * UNIT)))
        x, y = x * cosine - y * sine, x * sine + y * cosine
    half = first + [(x, -y) for y, x in first]
    table = np.array(half + [(-y, -x) for y, x in half], dtype=np.int32)
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


DOWN, ACROSS = _directions()
