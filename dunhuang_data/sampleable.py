"""Where patches may lie on a picture: off what is not there, off real damage, off bare plaster."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.spread import Allowed, space_of
from dunhuang_data.types import PixelSource, UInt8Array, scaled

Integers = NDArray[np.int64]

MOST_POSITIONS = 1 << 20
"""Positions up to which every one is tried; beyond, a lattice of about as many."""
BLOCK_HW = (256, 4096)  # px of a picture that are decoded at once


@dataclass(frozen=True, slots=True)
class Limits:
    """What a patch may hold.

    Attributes
    ----------
    max_damage : float
        Largest share of damaged pixels, in [0, 1].
    min_detail : float
        Least mean difference of neighbouring grey values, in levels of 0 … 255 a pixel.
    """

    max_damage: float = 0.0
    min_detail: float = 0.0


def allowed_positions(
    picture: PixelSource,
    damage: PixelSource | None,
    patch_size: int,
    scale: float,
    limits: Limits,
) -> Allowed:
    """Find the positions whose patch keeps to the limits and is all there.

    The picture is read once, block by block; what is kept of it are sums over rectangles, in whole
    numbers, so that the answer is exact and the same everywhere.

    Parameters
    ----------
    picture : PixelSource
    damage : PixelSource, optional
        Of the picture's size; a window's "there" is 0 where the picture is damaged.
    patch_size : int
        In pixels of the scaled picture.
    scale : float
    limits : Limits

    Returns
    -------
    Allowed
        First rows and columns at that scale.
    """
    height, width = (scaled(side, scale) for side in picture.shape_hw)
    rows, columns = space_of((height, width), patch_size)
    pitch = 1 + isqrt(max(0, rows * columns - 1) // MOST_POSITIONS)
    tops, lefts = (_with_last(length, pitch) for length in (rows, columns))
    ys0, ys1 = _edges(tops, patch_size, scale, picture.shape_hw[0])
    xs0, xs1 = _edges(lefts, patch_size, scale, picture.shape_hw[1])
    sums = _rectangle_sums(picture, damage, (ys0, ys1), (xs0, xs1), limits.min_detail > 0)
    area = (ys1 - ys0)[:, None] * (xs1 - xs0)[None, :]
    fine = sums["absent"] == 0
    if damage is not None:
        fine &= sums["damaged"] <= limits.max_damage * area
    if limits.min_detail > 0:
        fine &= sums["detail"] >= limits.min_detail * area
    y, x = np.nonzero(fine)
    corners = np.stack([tops[y], lefts[x]], axis=1)
    return Allowed(corners, len(corners), len(tops) * len(lefts))


def _with_last(length: int, pitch: int) -> Integers:
    positions = np.arange(0, length, pitch, dtype=np.int64)
    return positions if positions[-1] == length - 1 else np.append(positions, length - 1)


def _edges(
    starts: Integers, patch_size: int, scale: float, length: int
) -> tuple[Integers, Integers]:
    """Return the first pixel and the one after the last that patches show of a picture's side."""
    first = np.floor(starts / scale + 1e-6).astype(np.int64)
    after = np.ceil((starts + patch_size) / scale - 1e-6).astype(np.int64)
    return first, np.minimum(after, length)


def _rectangle_sums(
    picture: PixelSource,
    damage: PixelSource | None,
    ys: tuple[Integers, Integers],
    xs: tuple[Integers, Integers],
    with_detail: bool,
) -> dict[str, Integers]:
    """Sum absent pixels, damaged pixels and detail over every patch, (rows, columns) each."""
    needed_y = np.unique(np.concatenate(ys))
    needed_x = np.unique(np.concatenate(xs))
    kept: dict[str, Integers] = {}
    tables: dict[str, _SummedArea] = {}
    for top, left, layers in _blocks(picture, damage, with_detail):
        for name, layer in layers.items():
            if name not in kept:
                kept[name] = np.zeros((len(needed_y), len(needed_x)), dtype=np.int64)
                tables[name] = _SummedArea(picture.shape_hw[1])
            table = tables[name].add(left, layer)
            rows = (needed_y >= top) & (needed_y <= top + layer.shape[0])
            columns = (needed_x >= left) & (needed_x <= left + layer.shape[1])
            here = np.ix_(needed_y[rows] - top, needed_x[columns] - left)
            kept[name][np.ix_(rows, columns)] = table[here]
    y0, y1 = (np.searchsorted(needed_y, one)[:, None] for one in ys)
    x0, x1 = (np.searchsorted(needed_x, one)[None, :] for one in xs)
    return {
        name: table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
        for name, table in kept.items()
    }


class _SummedArea:
    """Sums over all that lies above and to the left, of a picture that comes block by block."""

    def __init__(self, width: int) -> None:
        self._above = np.zeros(width + 1, dtype=np.int64)  # below the strip before
        self._under = np.zeros(width + 1, dtype=np.int64)  # below this strip, as far as it came
        self._side = np.zeros(1, dtype=np.int64)  # right of the block before

    def add(self, left: int, layer: NDArray[np.integer]) -> Integers:
        """Return the sums at the corners of the next block's pixels, (h + 1, w + 1)."""
        height, width = layer.shape
        if left == 0:
            self._above, self._under = self._under, self._under.copy()
            self._side = np.zeros(height + 1, dtype=np.int64)
        table = np.zeros((height + 1, width + 1), dtype=np.int64)
        np.cumsum(layer, axis=0, dtype=np.int64, out=table[1:, 1:])
        np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
        above = self._above[left : left + width + 1]
        table += above + (self._side - above[0])[:, None]
        self._side = table[:, -1].copy()
        self._under[left : left + width + 1] = table[-1]
        return table


def _blocks(
    picture: PixelSource, damage: PixelSource | None, with_detail: bool
) -> Iterator[tuple[int, int, dict[str, NDArray[np.integer]]]]:
    """Read a picture once, in reading order; yield the first row and column of a block, and it."""
    height, width = picture.shape_hw
    above = np.zeros(0, dtype=np.int32)
    for top in range(0, height, BLOCK_HW[0]):
        tall = min(BLOCK_HW[0], height - top)
        beside = np.zeros((tall, 0), dtype=np.int32)
        last_row = []
        for left in range(0, width, BLOCK_HW[1]):
            wide = min(BLOCK_HW[1], width - left)
            pixels, there = picture.window(top, left, tall, wide)
            layers: dict[str, NDArray[np.integer]] = {"absent": 1 - there}
            if damage is not None:
                layers["damaged"] = 1 - damage.window(top, left, tall, wide)[1]
            if with_detail:
                grey = _grey(pixels)
                layers["detail"] = _detail(grey, above[left : left + wide], beside)
                beside = grey[:, -1:]
                last_row.append(grey[-1])
            yield top, left, layers
        above = np.concatenate(last_row) if last_row else above


def _grey(pixels: UInt8Array) -> NDArray[np.int32]:
    """Return luma in whole levels, (H, W) int32: Rec. 601 weights in 256ths."""
    red, green, blue = (pixels[..., band].astype(np.int32) for band in range(3))
    return np.asarray((77 * red + 150 * green + 29 * blue) >> 8, dtype=np.int32)


def _detail(
    grey: NDArray[np.int32], above: NDArray[np.int32], beside: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return half of |difference to the left| + |difference to above|, (H, W) int32.

    ``above`` and ``beside`` are the row and the column before, empty at the picture's edges.
    """
    first_row = above[None] if above.size else grey[:1]
    first_column = beside if beside.size else grey[:, :1]
    across = np.abs(np.diff(grey, axis=1, prepend=first_column))
    down = np.abs(np.diff(grey, axis=0, prepend=first_row))
    return np.asarray((across + down) // 2, dtype=np.int32)
