"""Aligned memory, and bits unpacked into it."""

import numpy as np
import pytest

from dunhuang_data.buffers import ALIGNMENT, aligned_empty, unpack_into
from dunhuang_data.polarity import pack
from dunhuang_data.rng import raw_words, rng_for


@pytest.mark.parametrize("shape", [(3, 5), (32, 256, 256, 3), (1,)])
def test_memory_begins_on_a_multiple_of_64_bytes(shape: tuple[int, ...]) -> None:
    for _ in range(5):
        memory = aligned_empty(shape)
        assert memory.shape == shape
        assert memory.dtype == np.uint8
        assert memory.flags.c_contiguous
        assert memory.ctypes.data % ALIGNMENT == 0


@pytest.mark.parametrize("width", [1, 7, 8, 9, 24, 32, 256])
def test_bits_are_unpacked_as_they_were_packed(width: int) -> None:
    words = raw_words(rng_for(0, "bits", width), 3 * 5 * width)
    pixels = (words & np.uint64(1)).astype(np.uint8).reshape(3, 5, width)
    out = aligned_empty((3, 5, width))
    out[...] = 9
    unpack_into(pack(pixels), out)
    assert np.array_equal(out, pixels)


def test_memory_of_any_alignment_and_stride_is_filled() -> None:
    pixels = np.tile(np.array([1, 0, 0, 1, 1, 0, 1, 0], dtype=np.uint8), (4, 2))
    shifted = aligned_empty((4 * 16 + 3,))[3:].reshape(4, 16)
    unpack_into(pack(pixels), shifted)
    assert np.array_equal(shifted, pixels)
    spread = aligned_empty((4, 32))[:, ::2]
    unpack_into(pack(pixels), spread)
    assert np.array_equal(spread, pixels)
