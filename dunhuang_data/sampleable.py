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
STRIP = 128  # rows of positions that are tried at once, where every one is
BLOCK_HW = (256, 4096)  # px of a picture that are decoded at once


@dataclass(frozen=True, slots=True)
class Limits:
    """What a patch may hold.

    Attributes
    ----------
    max_damage : float
        Largest share of damaged pixels, in [0, 1].
    min_detail : float
        Least mean absolute difference of neighbouring grey values, over both directions, in levels
        of 0 … 255.
    """

    max_damage: float = 0.0
    min_detail: float = 0.0


def allowed_positions(
    picture: PixelSource,
    damage: PixelSource | None,
    patch_size: int,
    scale: float,
    limits: Limits,
    count: int = 1,
) -> Allowed | None:
    """Find the positions whose patch keeps to the limits and is all there.

    The picture is read once, block by block; what is kept of it are sums over rectangles, in whole
    numbers, so that the answer is exact and the same everywhere. Of very many positions those of a
    lattice are tried; if that leaves fewer than ``count``, every single one is.

    Parameters
    ----------
    picture : PixelSource
    damage : PixelSource, optional
        Of the picture's size; a window's "there" is 0 where the picture is damaged.
    patch_size : int
        In pixels of the scaled picture. Along a side that is shorter, the patch reaches beyond it
        on both sides, and what lies beyond has no part in the limits.
    scale : float
    limits : Limits
    count : int
        Patches that are wanted.

    Returns
    -------
    Allowed or None
        First rows and columns at that scale, padded to a patch; None if nothing is excluded.
    """
    height, width = (max(patch_size, scaled(side, scale)) for side in picture.shape_hw)
    rows, columns = space_of((height, width), patch_size)
    pitch = 1 + isqrt(max(0, rows * columns - 1) // MOST_POSITIONS)
    tops, lefts = (_with_last(length, pitch) for length in (rows, columns))
    fine, whole = _fine(picture, damage, patch_size, scale, limits, tops, lefts)
    if whole:
        return None
    looked_at = fine.size
    if pitch > 1 and np.count_nonzero(fine) < count:
        lefts = np.arange(columns, dtype=np.int64)
        found = []
        for first in range(0, rows, STRIP):
            tops = np.arange(first, min(first + STRIP, rows), dtype=np.int64)
            fine, _ = _fine(picture, damage, patch_size, scale, limits, tops, lefts)
            found.append(_corners(fine, tops, lefts))
        return Allowed(np.concatenate(found), rows * columns)
    return Allowed(_corners(fine, tops, lefts), looked_at)


def _corners(fine: NDArray[np.bool_], tops: Integers, lefts: Integers) -> Integers:
    y, x = np.nonzero(fine)
    return np.stack([tops[y], lefts[x]], axis=1)


def _fine(
    picture: PixelSource,
    damage: PixelSource | None,
    patch_size: int,
    scale: float,
    limits: Limits,
    tops: Integers,
    lefts: Integers,
) -> tuple[NDArray[np.bool_], bool]:
    """Return at which of some rows and columns a patch may begin, and if it may everywhere."""
    ys, xs = (
        _edges(starts, patch_size, scale, side)
        for starts, side in zip((tops, lefts), picture.shape_hw, strict=True)
    )
    sums, excluded = _rectangle_sums(picture, damage, ys, xs, limits.min_detail > 0)
    area = (ys[1] - ys[0])[:, None] * (xs[1] - xs[0])[None, :]
    fine: NDArray[np.bool_] = sums["absent"] == 0
    if damage is not None:
        fine &= sums["damaged"] <= limits.max_damage * area
    if limits.min_detail > 0:
        fine &= sums["detail"] >= 2 * limits.min_detail * area
    return fine, not excluded and limits.min_detail == 0


def _with_last(length: int, pitch: int) -> Integers:
    positions = np.arange(0, length, pitch, dtype=np.int64)
    return positions if positions[-1] == length - 1 else np.append(positions, length - 1)


def _edges(
    starts: Integers, patch_size: int, scale: float, length: int
) -> tuple[Integers, Integers]:
    """Return the first pixel and the one after the last that patches show of a picture's side."""
    first = np.floor(starts / scale + 1e-6).astype(np.int64)
    after = np.ceil((starts + patch_size) / scale - 1e-6).astype(np.int64)
    return first, np.minimum(after, length)  # of a side that is padded, all of it


def _rectangle_sums(
    picture: PixelSource,
    damage: PixelSource | None,
    ys: tuple[Integers, Integers],
    xs: tuple[Integers, Integers],
    with_detail: bool,
) -> tuple[dict[str, Integers], bool]:
    """Sum absent pixels, damaged pixels and detail over every patch, (rows, columns) each.

    Also return whether any pixel that was read is absent or damaged.
    """
    needed_y = np.unique(np.concatenate(ys))
    needed_x = np.unique(np.concatenate(xs))
    kept: dict[str, Integers] = {}
    tables: dict[str, _SummedArea] = {}
    excluded = False
    for top, left, layers in _blocks(picture, damage, with_detail, (needed_y[0], needed_y[-1])):
        for name, layer in layers.items():
            if name not in kept:
                kept[name] = np.zeros((len(needed_y), len(needed_x)), dtype=np.int64)
                tables[name] = _SummedArea(picture.shape_hw[1])
            table = tables[name].add(left, layer)
            rows = (needed_y >= top) & (needed_y <= top + layer.shape[0])
            columns = (needed_x >= left) & (needed_x <= left + layer.shape[1])
            here = np.ix_(needed_y[rows] - top, needed_x[columns] - left)
            kept[name][np.ix_(rows, columns)] = table[here]
            excluded = excluded or (name != "detail" and bool(layer.any()))
    y0, y1 = (np.searchsorted(needed_y, one)[:, None] for one in ys)
    x0, x1 = (np.searchsorted(needed_x, one)[None, :] for one in xs)
    return {
        name: table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
        for name, table in kept.items()
    }, excluded


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
    picture: PixelSource,
    damage: PixelSource | None,
    with_detail: bool,
    rows: tuple[int, int],
) -> Iterator[tuple[int, int, dict[str, NDArray[np.integer]]]]:
    """Read some rows once, in reading order; yield the first row and column of a block, and it."""
    width = picture.shape_hw[1]
    above = np.zeros(0, dtype=np.int32)
    # a row earlier, for the differences of the first one
    for top in range(max(0, int(rows[0]) - 1), int(rows[1]), BLOCK_HW[0]):
        tall = min(BLOCK_HW[0], int(rows[1]) - top)
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
    """Return |difference to the left| + |difference to above|, (H, W) int32.

    ``above`` and ``beside`` are the row and the column before, empty at the picture's edges.
    """
    first_row = above[None] if above.size else grey[:1]
    first_column = beside if beside.size else grey[:, :1]
    across = np.abs(np.diff(grey, axis=1, prepend=first_column))
    down = np.abs(np.diff(grey, axis=0, prepend=first_row))
    return np.asarray(across + down, dtype=np.int32)
