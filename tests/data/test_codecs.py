"""Chunks: what is written comes back, smaller than PNG; what is no such chunk is refused."""

import contextlib
import gzip
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import zstd

from drawings import draw_picture
from dunhuang_data.codecs import (
    decode_deflate_into,
    decode_into,
    encode,
)
from dunhuang_data.interpolation import predict, restore_into
from dunhuang_data.recipe import CODECS
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


def naive_differences(image: UInt8Array, levels: int) -> list[int]:
    """Say what `predict` documents, pixel by pixel."""
    height, width = image.shape[:2]
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    found = []
    for plane in ((red - green + 128) % 256, (blue - green + 128) % 256, green):
        step = 1
        for _ in range(levels):
            double = 2 * step
            for y in range(step, height, double):
                for x in range(0, width, step):
                    above = plane[y - step, x]
                    below = plane[y + step, x] if y + step < height else above
                    found.append((plane[y, x] - (above + below) // 2) % 256)
            for y in range(0, height, double):
                for x in range(step, width, double):
                    left = plane[y, x - step]
                    right = plane[y, x + step] if x + step < width else left
                    found.append((plane[y, x] - (left + right) // 2) % 256)
            step = double
        for y, x in product(range(0, height, step), range(0, width, step)):
            found += [(plane[y, x] - (plane[y - step, x] if y else 0)) % 256]
    return found


@pytest.mark.parametrize("levels", [0, 1, 3])
@pytest.mark.parametrize("shape_hw", [(17, 22), (8, 5), (1, 9)])
def test_differences_are_as_documented(shape_hw: tuple[int, int], levels: int) -> None:
    image = noise(*shape_hw, 3)
    assert predict(image, levels).tolist() == naive_differences(image, levels)
    assert predict(image).tolist() == naive_differences(image, 2)


def test_a_lossless_image_is_one_zstd_frame_of_its_differences() -> None:
    image = row_of("image")
    assert zstd.decompress(encode("lossless", "image", image)) == predict(image).tobytes()
    mask = row_of("valid")
    assert zstd.decompress(encode("lossless", "valid", mask)) == mask.tobytes()


def test_gzip_chunks_say_neither_time_nor_system() -> None:
    data = encode("gzip", "image", row_of("image"))
    assert data[4:8] == bytes(4)
    assert data[9] == 255
    assert gzip.decompress(data) == row_of("image").tobytes()


def test_deflate_is_the_zlib_stream() -> None:
    row = row_of("image")
    data = zlib.compress(row.tobytes(), 3)
    out = np.zeros_like(row)
    decode_deflate_into(data, out)
    assert np.array_equal(out, row)
    with pytest.raises(ValueError, match=r"does not decode as deflated data"):
        decode_deflate_into(encode("gzip", "image", row), out)


@pytest.mark.parametrize("photograph", ["astronaut", "chelsea", "coffee"])
def test_photographs_are_smaller_than_png(photograph: str) -> None:
    data = pytest.importorskip("skimage.data")
    patch = np.ascontiguousarray(getattr(data, photograph)()[20:212, 60:284])
    done, png = cv2.imencode(".png", patch[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert done
    assert len(encode("lossless", "image", patch)) < 0.95 * len(png)


@given(st.data())
def test_damaged_chunks_are_refused_or_decoded_but_never_more(data: st.DataObject) -> None:
    codec, name = data.draw(st.sampled_from(CODECS)), data.draw(st.sampled_from(NAMES))
    row = row_of(name)
    chunk = bytearray(encode(codec, name, row))
    for place in data.draw(st.lists(st.integers(0, len(chunk) - 1), min_size=1, max_size=3)):
        chunk[place] ^= 1 << data.draw(st.integers(0, 7))
    room = np.full(row.nbytes + 64, 99, dtype=np.uint8)
    with contextlib.suppress(ValueError):
        decode_into(codec, name, bytes(chunk), room[: row.nbytes].reshape(row.shape))
    assert (room[row.nbytes :] == 99).all()


@pytest.mark.parametrize(("codec", "name"), list(product(CODECS, NAMES)))
def test_chunks_cut_anywhere_or_gone_on_are_refused(codec: str, name: str) -> None:
    row = row_of(name)
    data = encode(codec, name, row)
    for broken in (*(data[:k] for k in range(0, len(data), 7)), data[:-1], data + b"\0", 2 * data):
        with pytest.raises(ValueError, match=r"^the chunk "):
            decoded(codec, name, broken, row.shape)


@pytest.mark.parametrize(("codec", "name"), list(product(CODECS, NAMES)))
def test_chunks_of_another_size_are_refused(codec: str, name: str) -> None:
    row = row_of(name)
    data = encode(codec, name, row)
    for height in (row.shape[0] - 1, row.shape[0] + 1):
        with pytest.raises(ValueError, match=rf"where {height * row[0].size} were expected"):
            decoded(codec, name, data, (height, *row.shape[1:]))


def rle_frame(claim: bytes, descriptor: int, blocks: int = 1, length: int = 555) -> bytes:
    """Return a zstd frame that says one byte again and again, with a header of our own."""
    window = b"" if descriptor & 32 else b"\x58"
    block, last = ((length << 3 | 1 << 1 | end).to_bytes(3, "little") + b"\7" for end in (0, 1))
    header = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + window + claim
    return header + (blocks - 1) * block + last


def test_every_way_to_write_the_size_of_a_frame_is_read() -> None:
    for claim, descriptor in (
        ((555 - 256).to_bytes(2, "little"), 0b0110_0000),
        ((555).to_bytes(4, "little"), 0b1000_0000),
        ((555).to_bytes(8, "little"), 0b1110_0000),
    ):
        row = decoded("lossless", "valid", rle_frame(claim, descriptor), (15, 37))
        assert (row == 7).all()


def test_hostile_chunks_are_refused_before_memory_is_taken() -> None:
    many = 1 << 25
    huge, small = (1 << 40).to_bytes(8, "little"), zstd.compress(bytes(12))
    unsized = rle_frame(b"", 0, blocks=256, length=1 << 17)
    cases = [
        ("lossless", "image", zstd.compress(bytes(many)), f"claims {many} bytes"),
        ("lossless", "valid", zstd.compress(bytes(many)), f"claims {many} bytes"),
        ("lossless", "valid", rle_frame(huge, 0b1110_0000), f"claims {1 << 40} bytes"),
        ("lossless", "valid", rle_frame(b"\1\x0c", 0b0010_0001), "asks for a dictionary"),
        ("lossless", "valid", rle_frame(b"", 0), "claims an unknown number of bytes"),
        ("lossless", "valid", small + zstd.compress(bytes(many)), "not decode as a zstd frame"),
        ("lossless", "valid", small + unsized, "not decode as a zstd frame"),
        ("gzip", "image", gzip.compress(bytes(many), 1), "holds more bytes where 12 were"),
    ]
    tracemalloc.start()
    try:
        for codec, name, data, sentence in cases:
            shape = (2, 2, 3) if name == "image" else (4, 3)
            with pytest.raises(ValueError, match=sentence):
                decoded(codec, name, data, shape)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_what_is_no_sample_is_refused() -> None:
    image = row_of("image")
    cases: list[tuple[str, str, Any, str]] = [
        ("brotli", "image", image, "no codec 'brotli': it is one of none, gzip, lossless"),
        ("none", "mask", image, "no array 'mask': it is one of image, valid, damage"),
        ("lossless", "image", image[..., :2], r"\(height, width, 3\), not \(37, 26, 2\)"),
        ("lossless", "image", image[:0], r"at least one pixel, not uint8 \(0, 26, 3\)"),
        ("none", "valid", image.astype(np.int16), "is uint8 with at least one pixel, not int16"),
    ]
    for codec, name, row, sentence in cases:
        with pytest.raises(ValueError, match=sentence):
            encode(codec, name, row)
        with pytest.raises(ValueError, match=sentence):
            decode_into(codec, name, b"", row)


@pytest.mark.parametrize("codec", CODECS)
def test_only_whole_writeable_arrays_are_decoded_into(codec: str) -> None:
    image = row_of("image")
    data = encode(codec, "image", image)
    with pytest.raises(ValueError, match=r"C-contiguous and writeable; .* is not contiguous"):
        decode_into(codec, "image", data, np.zeros((37, 52, 3), np.uint8)[:, ::2])
    image.flags.writeable = False
    with pytest.raises(ValueError, match=r"C-contiguous and writeable; .* is read-only"):
        decode_into(codec, "image", data, image)


@pytest.mark.parametrize("codec", CODECS)
def test_rows_that_are_views_are_encoded_like_their_copies(codec: str) -> None:
    picture = draw_picture(80, 75, "view")
    for view in (picture[3:40:2, 60:7:-3], picture.transpose(1, 0, 2)):
        assert encode(codec, "image", view) == encode(codec, "image", view.copy(order="C"))


def test_sizes_do_not_disturb_one_another() -> None:
    images = [draw_picture(30 + 7 * k, 61 - 5 * k, f"size {k}") for k in range(4)]
    for image in [*images, *images]:
        chunk = encode("lossless", "image", image)
        assert np.array_equal(decoded("lossless", "image", chunk, image.shape), image)


def test_threads_do_not_disturb_one_another() -> None:
    images = [draw_picture(310, 420, f"thread {k}") for k in range(4)]
    chunks = [encode("lossless", "image", image) for image in images]

    def read(place: int) -> bool:
        found = [decoded("lossless", "image", chunks[place], (310, 420, 3)) for _ in range(25)]
        return all(np.array_equal(image, images[place]) for image in found)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))
