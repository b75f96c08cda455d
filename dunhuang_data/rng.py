"""Random numbers that never change: one counter-based generator per decision.

A draw depends on (seed, stage, indices) alone: not on order, batch size, worker count, platform or
NumPy version. NumPy promises the stream of a *bit generator* for ever, but not that of the
``Generator`` methods (NEP 19), so every draw here is made from raw 64-bit words.
"""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import UsageProblem

BLOCK = 2**20  # numbers of a permutation that are worked on at a time


def rng_for(seed: int, stage: str, *indices: int | str) -> np.random.Generator:
    """Return the generator of one decision.

    Parameters
    ----------
    seed : int
        The run's seed, 0 … 2**64 − 1.
    stage : str
        What is decided: ``"centers"``, ``"augment"``, ``"mask"`` …
    *indices : int or str
        Which one: a picture id, a row, an epoch.

    Returns
    -------
    numpy.random.Generator
        Philox, keyed with the first 128 bits of BLAKE2b over ``[seed, stage, *indices]``.

    Raises
    ------
    UsageProblem
        If the seed is out of range.
    """
    if not 0 <= seed < 2**64:
        raise UsageProblem(f"The seed is {seed}; expected a whole number from 0 to 2**64 - 1.")
    text = json.dumps([int(seed), stage, *indices], ensure_ascii=True)
    digest = hashlib.blake2b(text.encode("ascii"), digest_size=16).digest()
    key = np.frombuffer(digest, dtype="<u8").astype(np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def raw_words(rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """Return the next ``count`` 64-bit words of the stream, (count,) uint64."""
    words: NDArray[np.uint64] = rng.bit_generator.random_raw(count)
    return words


def draw_below(rng: np.random.Generator, bound: int) -> int:
    """Return a whole number in [0, bound), from one word (bias below bound / 2**64)."""
    return (int(raw_words(rng, 1)[0]) * bound) >> 64


def draw_unit(rng: np.random.Generator) -> float:
    """Return a number in [0, 1) with 53 random bits, from one word."""
    return (int(raw_words(rng, 1)[0]) >> 11) * 2.0**-53


def permutation(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Return a random order of ``range(count)``, (count,) int64, from ``count`` words.

    It is the stable argsort of the words. Sorting words whose low bits are replaced by their own
    index is several times as fast and needs less memory; where that leaves two alike in their high
    bits (some 50 pairs among 10 million), the whole words decide.
    """
    words = raw_words(rng, count)
    bits = max(count - 1, 1).bit_length()
    low = np.uint64((1 << bits) - 1)
    keys = words & ~low
    for first in range(0, count, BLOCK):  # in blocks, to need no third array of this size
        part = keys[first : first + BLOCK]
        part |= np.arange(first, first + len(part), dtype=np.uint64)
    keys.sort()
    alike = [np.empty(0, dtype=np.int64)]
    for first in range(0, count - 1, BLOCK):
        part = keys[first : first + BLOCK + 1]
        alike.append(first + np.flatnonzero(part[1:] ^ part[:-1] <= low))
    tied = np.concatenate(alike)
    keys &= low
    order: NDArray[np.int64] = keys.view(np.int64)
    if len(tied):
        places = np.union1d(tied, tied + 1)
        order[places] = order[places][np.lexsort((order[places], words[order[places]]))]
    return order
