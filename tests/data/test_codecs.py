"""Chunks: what is written comes back, smaller than PNG; what is no such chunk is refused."""

from itertools import product

import numpy as np
import pytest

from drawings import draw_picture
from dunhuang_data.codecs import (
    CODECS,
    decode_into,
    encode,
)
from dunhuang_data.interpolation import predict, restore_into
from dunhuang_data.types import UInt8Array

NAMES = ("image", "valid", "damage")


def noise(*shape: int) -> UInt8Array:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def row_of(name: str) -> UInt8Array:
    return draw_picture(37, 26, "codec") if name == "image" else noise(37, 4)


def decoded(codec: str, name: str, data: bytes | memoryview, shape: tuple[int, ...]) -> UInt8Array:
    out = np.full(shape, 77, dtype=np.uint8)
    decode_into(codec, name, data, out)
    return out


@pytest.mark.parametrize(("codec", "name"), list(product(CODECS, NAMES)))
def test_what_is_encoded_comes_back(codec: str, name: str) -> None:
    row = row_of(name)
    data = encode(codec, name, row)
    assert np.array_equal(decoded(codec, name, data, row.shape), row)
    assert np.array_equal(decoded(codec, name, memoryview(data), row.shape), row)


@pytest.mark.parametrize("levels", [0, 1, 2, 3, 7])
def test_images_of_every_small_size_come_back(levels: int) -> None:
    for height, width in product(range(1, 13), range(1, 13)):
        image, out = noise(height, width, 3), np.zeros((height, width, 3), np.uint8)
        restore_into(predict(image, levels), out, levels)
        assert np.array_equal(out, image), (height, width)
