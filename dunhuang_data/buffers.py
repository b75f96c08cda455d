"""Memory that pixels are read into: aligned, and bits unpacked straight into place."""

import math
from collections.abc import Sequence

import numpy as np

from dunhuang_data.types import UInt8Array

ALIGNMENT = 64  # bytes


def aligned_empty(shape: Sequence[int]) -> UInt8Array:
    """Return an uninitialised uint8 array whose first byte lies on a multiple of 64 bytes.

    Large arrays of `numpy.empty` begin 16 bytes into a memory page, while uncompressed patches
    begin on a page of their file; processors of the Zen 3 and 4 families copy between two such
    places about five times slower than between any others.

    Parameters
    ----------
    shape : sequence of int
    """
    count = math.prod(shape)
    memory = np.empty(count + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + count].reshape(shape)


# The eight pixels of every byte, first pixel first in memory.
_PIXELS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).reshape(-1).view(np.uint64)


def unpack_into(packed: UInt8Array, out: UInt8Array) -> None:
    """Unpack bits into pixels of {0, 1} in memory that is there already.

    Parameters
    ----------
    packed : (..., ceil(W / 8)) uint8
        As of `dunhuang_data.polarity.pack`.
    out : (..., W) uint8
        Written; C-contiguous.
    """
    width = out.shape[-1]
    if width % 8 or out.ctypes.data % 8 or not out.flags.c_contiguous:
        out[...] = np.unpackbits(packed, axis=-1, count=width)
    else:  # "clip" spares a copy: every byte is in the table
        np.take(_PIXELS, packed, out=out.view(np.uint64), mode="clip")
