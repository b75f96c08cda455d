"""What is left to say of an image when every pixel has been predicted from others; and back.

An interpolation from coarse to fine, in the manner of P. Roos et al., "Reversible intraframe
compression of medical images", IEEE Transactions on Medical Imaging 7 (1988), 328-336, with two
neighbours a pixel. The pixels of one step are predicted from those of coarser steps alone, so a
step is a few calls of NumPy over whole arrays, where PNG has to go from pixel to pixel.

A plane, halved once (L says a pixel of the next level):

    L c L c L c    c: an odd column of an even row, predicted by the L on its left and right
    r r r r r r    r: an odd row, predicted by the pixels above and below, when those are known
    L c L c L c    at the right and lower edge one neighbour predicts alone
"""

import threading
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array

LEVELS = 2  # of format version 3: chunks do not say it, so another number is another version

_HALF = np.uint8(128)
_kept = threading.local()


def predict(image: UInt8Array, levels: int = LEVELS) -> UInt8Array:
    """Return the differences between the pixels of an image and their predictions.

    First green is subtracted from red and blue, and 128 added. Then, `levels` times, each odd row
    is predicted by the mean, rounded down, of the rows above and below it, and in the even rows
    each odd column by the mean of the columns beside it; the even columns of the even rows are
    the next level's picture. In the last picture a row is predicted by the row above it. All is
    modulo 256.

    Parameters
    ----------
    image : (H, W, 3) uint8
        Red, green, blue; H, W >= 1.
    levels : int
        At least 0.

    Returns
    -------
    (3 * H * W,) uint8
        One plane after the other: red, blue, green. In a plane, level by level from fine to
        coarse, the differences of the odd rows, then of the odd columns of the even rows; at the
        end those of the last picture. Each in C order.
    """
    height, width = image.shape[:2]
    picture = np.empty((3, height, width), dtype=np.uint8)
    picture[2] = image[..., 1]
    # 128 more, so that the small differences of greyish pixels do not wrap between 0 and 255,
    # where a mean would be far from both
    green = picture[2] ^ _HALF
    np.subtract(image[..., 0], green, out=picture[0])
    np.subtract(image[..., 2], green, out=picture[1])

    sizes = _sizes(height, width, levels)
    differences, scratch = np.empty((3, height * width), np.uint8), _scratch(height, width)
    steps, last = _views(differences, sizes)
    for step in steps:
        even = np.ascontiguousarray(picture[:, ::2])
        coarse = np.ascontiguousarray(even[:, :, ::2])
        means = _row_means(even, scratch)[:, : step.rows.shape[1]]
        np.subtract(picture[:, 1::2], means, out=step.rows)
        means = _column_means(coarse, scratch)[:, :, : step.columns.shape[2]]
        np.subtract(even[:, :, 1::2], means, out=step.columns)
        picture = coarse
    last[:, 0] = picture[:, 0]
    np.subtract(picture[:, 1:], picture[:, :-1], out=last[:, 1:])
    return differences.reshape(-1)


def restore_into(differences: UInt8Array, out: UInt8Array, levels: int = LEVELS) -> None:
    """Undo `predict`.

    Parameters
    ----------
    differences : (3 * H * W,) uint8, C-contiguous
    out : (H, W, 3) uint8
    levels : int
        That they were made with.
    """
    height, width = out.shape[:2]
    kept = _arrays(height, width, levels)
    steps, last = _views(differences.reshape(3, -1), kept.sizes)
    coarse = np.add.accumulate(last, axis=1, out=kept.pictures[-1], dtype=np.uint8)
    for level in reversed(range(levels)):
        (rows, columns), even, picture = steps[level], kept.even[level], kept.pictures[level]
        means = _column_means(coarse, kept.scratch)[:, :, : columns.shape[2]]
        columns = np.add(columns, means, out=_part(kept.scratch[1], columns.shape))
        _interleave(coarse, columns, even, kept.scratch)
        means = _row_means(even, kept.scratch)[:, : rows.shape[1]]
        np.add(rows, means, out=picture[:, 1::2])
        np.copyto(picture[:, ::2], even)
        coarse = picture

    red_blue, green = coarse[:2], coarse[2]
    offset = np.bitwise_xor(green, _HALF, out=_part(kept.scratch[0], green.shape))
    np.add(red_blue, offset, out=red_blue)
    out[..., 0], out[..., 1], out[..., 2] = red_blue[0], green, red_blue[1]


def _row_means(even: UInt8Array, scratch: UInt8Array) -> UInt8Array:
    """Return for each even row its mean with the next one, rounded down; the last as it is."""
    means = _means(even, even.shape[2], scratch)
    means[:, -1] = even[:, -1]
    return means


def _column_means(even: UInt8Array, scratch: UInt8Array) -> UInt8Array:
    """Return for each even column its mean with the next one, rounded down; the last as it is."""
    means = _means(even, 1, scratch)
    means[:, :, -1] = even[:, :, -1]
    return means


def _means(values: UInt8Array, distance: int, scratch: UInt8Array) -> UInt8Array:
    """Return the means, rounded down, of C-contiguous values and those a distance further on.

    All planes and rows as one line: four calls at full speed. Who asks replaces what this says of
    values that have no neighbour there. (a & b) + ((a ^ b) >> 1) needs no wider integers.
    """
    line, means = values.reshape(-1), _part(scratch[0], values.shape)
    count = line.size - distance
    before, after = line[:count], line[distance:]
    mean, common = means.reshape(-1)[:count], scratch[1, :count]
    np.bitwise_xor(before, after, out=mean)
    np.right_shift(mean, np.uint8(1), out=mean)
    np.bitwise_and(before, after, out=common)
    np.add(mean, common, out=mean)
    return means


def _interleave(even: UInt8Array, odd: UInt8Array, out: UInt8Array, scratch: UInt8Array) -> None:
    """Write columns in turn: ``out[..., 0::2] = even``, ``out[..., 1::2] = odd``."""
    if even.shape != odd.shape:
        out[..., ::2], out[..., 1::2] = even, odd
        return
    # Two columns as one 16-bit number: faster than steps of two bytes.
    pairs: NDArray[np.uint16] = out.view("<u2")
    high: NDArray[np.uint16] = _part(scratch[0], out.shape).view("<u2")
    np.copyto(high, odd)
    np.left_shift(high, 8, out=high)
    np.copyto(pairs, even)
    np.bitwise_or(pairs, high, out=pairs)


def _part(line: UInt8Array, shape: tuple[int, ...]) -> UInt8Array:
    return line[: prod(shape)].reshape(shape)


class _Step(NamedTuple):
    """The differences of a level of (h, w): (3, h // 2, w), and (3, ceil(h / 2), w // 2)."""

    rows: UInt8Array
    columns: UInt8Array


def _sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """Return heights and widths of the pictures of all levels, the whole one first."""
    sizes = [(height, width)]
    for _ in range(levels):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def _views(differences: UInt8Array, sizes: list[tuple[int, int]]) -> tuple[list[_Step], UInt8Array]:
    """Return where in (3, H * W) the differences of every level lie, and of the last picture."""
    place = 0

    def cut(height: int, width: int) -> UInt8Array:
        nonlocal place
        start, place = place, place + height * width
        return differences[:, start:place].reshape(3, height, width)

    steps = [_Step(cut(h // 2, w), cut((h + 1) // 2, w // 2)) for h, w in sizes[:-1]]
    return steps, cut(*sizes[-1])


class _Arrays(NamedTuple):
    """What `restore_into` works in: three times the image."""

    sizes: list[tuple[int, int]]
    pictures: list[UInt8Array]  # (3, h, w), of each level
    even: list[UInt8Array]  # (3, ceil(h / 2), w), their even rows
    scratch: UInt8Array


def _arrays(height: int, width: int, levels: int) -> _Arrays:
    """Return this thread's arrays for a size: fresh memory would cost more than the work in it."""
    key = (height, width, levels)
    if getattr(_kept, "key", None) != key:
        sizes = _sizes(*key)
        _kept.arrays = _Arrays(
            sizes,
            [np.empty((3, *size), np.uint8) for size in sizes],
            [np.empty((3, (h + 1) // 2, w), np.uint8) for h, w in sizes[:-1]],
            _scratch(height, width),
        )
        _kept.key = key
    arrays: _Arrays = _kept.arrays
    return arrays


def _scratch(height: int, width: int) -> UInt8Array:
    """Return two lines, each as long as the even rows of three planes."""
    return np.empty((2, 3 * ((height + 1) // 2) * width), dtype=np.uint8)
