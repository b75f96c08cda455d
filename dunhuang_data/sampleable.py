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
STRIP = 256  # rows of a picture that are decoded at once


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

    The picture is read once, strip by strip; what is kept of it are sums over rectangles, in whole
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
    above: dict[str, Integers] = {}
    for top, layers in _strips(picture, damage, with_detail):
        for name, layer in layers.items():
            if name not in kept:
                kept[name] = np.zeros((len(needed_y), len(needed_x)), dtype=np.int64)
                above[name] = np.zeros(layer.shape[1] + 1, dtype=np.int64)
            table = np.zeros((layer.shape[0] + 1, layer.shape[1] + 1), dtype=np.int64)
            table[1:, 1:] = layer.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
            table += above[name]
            here = (needed_y >= top) & (needed_y <= top + layer.shape[0])
            kept[name][here] = table[needed_y[here] - top][:, needed_x]
            above[name] = table[-1]
    y0, y1 = (np.searchsorted(needed_y, one)[:, None] for one in ys)
    x0, x1 = (np.searchsorted(needed_x, one)[None, :] for one in xs)
    return {
        name: table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
        for name, table in kept.items()
    }


def _strips(
    picture: PixelSource, damage: PixelSource | None, with_detail: bool
) -> Iterator[tuple[int, dict[str, NDArray[np.integer]]]]:
    """Read a picture from top to bottom; yield the first row of a strip and what is in it."""
    height, width = picture.shape_hw
    last_row: NDArray[np.int32] | None = None
    for top in range(0, height, STRIP):
        tall = min(STRIP, height - top)
        pixels, there = picture.window(top, 0, tall, width)
        layers: dict[str, NDArray[np.integer]] = {"absent": 1 - there}
        if damage is not None:
            layers["damaged"] = 1 - damage.window(top, 0, tall, width)[1]
        if with_detail:
            grey = _grey(pixels)
            layers["detail"] = _detail(grey, last_row)
            last_row = grey[-1]
        yield top, layers


def _grey(pixels: UInt8Array) -> NDArray[np.int32]:
    """Return luma in whole levels, (H, W) int32: Rec. 601 weights in 256ths."""
    weighted = pixels.astype(np.int32) * np.array([77, 150, 29], dtype=np.int32)
    return np.asarray((weighted[..., 0] + weighted[..., 1] + weighted[..., 2]) >> 8, np.int32)


def _detail(grey: NDArray[np.int32], above: NDArray[np.int32] | None) -> NDArray[np.int32]:
    """Return |difference to the left| + |difference to above|, halved on average, (H, W) int32."""
    first = grey[:1] if above is None else above[None]
    across = np.abs(np.diff(grey, axis=1, prepend=grey[:, :1]))
    down = np.abs(np.diff(grey, axis=0, prepend=first))
    return np.asarray((across + down) // 2, dtype=np.int32)
