"""Round brushes: discs pressed on the canvas one after another."""

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.families.canvas import Canvas, Pixels
from dunhuang_data.families.draws import Integers

IntOrArray = TypeVar("IntOrArray", int, Integers)


MOST_PIXELS = 1 << 21  # in the discs of one element


def thinned(presses: int, width_px: int) -> int:
    """Say of how many presses one is enough, so that their discs do not fill the memory.

    It is 1 unless elements are drawn very wide and long; then their outlines become coarser.
    """
    return 1 + presses * width_px**2 // MOST_PIXELS


def _limit(width_px: IntOrArray) -> IntOrArray:
    """Return the squared radius, in half pixels, up to which pixels belong to a disc.

    That of a disc a quarter of a pixel smaller than the width says: rounder, without corners at
    3 px or single pixels that stand out of larger ones, and as wide.
    """
    return width_px * (width_px - 1) + 1


@lru_cache(maxsize=64)
def _disc(width_px: int) -> tuple[Integers, Integers, Integers]:
    """Return rows, columns and squared radii of a disc's pixels, nearest to its centre first.

    Radii are in half pixels. A disc of odd width is centred on a pixel, of even width on the
    corner between four, so that it is exactly ``width_px`` across.
    """
    first = -(width_px // 2)
    side = np.arange(first, first + width_px, dtype=np.int64)
    squared = (2 * side + 1 - width_px % 2) ** 2
    radius = squared[:, None] + squared
    rows, columns = np.nonzero(radius <= _limit(width_px))
    order = np.argsort(radius[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    return side[rows], side[columns], radius[rows, columns]


@lru_cache(maxsize=64)
def _offsets(width_px: int, stride: int) -> Pixels:
    rows, columns, _ = _disc(width_px)
    return (rows * stride + columns).astype(np.intp)


@lru_cache(maxsize=64)
def _counts(width_px: int) -> Integers:
    """Return how many pixels a disc of 0, 1 … ``width_px`` has, (width_px + 1,) int64.

    Discs of like parity are the beginnings of one another: `_disc` lists the nearest pixels first.
    """
    widths = np.arange(width_px + 1)
    counts = np.empty(width_px + 1, dtype=np.int64)
    for parity in (0, 1):
        largest = width_px - (width_px + parity) % 2
        of_parity = widths[parity::2]
        radii = _disc(largest)[2] if largest > 0 else np.empty(0, dtype=np.int64)
        counts[parity::2] = np.searchsorted(radii, _limit(of_parity), side="right")
    return counts


def reached(canvas: Canvas, y: Integers, x: Integers) -> NDArray[np.bool_]:
    """Say which centres, (P,) each, lie so near the area that a disc of the rim's size fits."""
    (height, width), reach = canvas.area_hw, canvas.rim // 2
    return (y >= -reach) & (y < height + reach) & (x >= -reach) & (x < width + reach)


def pressed(canvas: Canvas, y: Integers, x: Integers, width_px: int) -> Pixels:
    """Press a brush of one width at centres (P,), in their order; centres far away are left out.

    The width must not exceed the canvas's rim.
    """
    near = reached(canvas, y, x)
    centres = ((y[near] + canvas.rim) * canvas.stride + x[near] + canvas.rim).astype(np.intp)
    pixels: Pixels = centres[:, None] + _offsets(width_px, canvas.stride)
    return pixels.reshape(-1)


def pressed_varying(canvas: Canvas, y: Integers, x: Integers, widths_px: Integers) -> Pixels:
    """Press a brush that changes its width from centre to centre: all (P,)."""
    near = reached(canvas, y, x)
    widths = widths_px[near]
    if len(widths) == 0:
        return np.empty(0, dtype=np.intp)
    centres = ((y[near] + canvas.rim) * canvas.stride + x[near] + canvas.rim).astype(np.intp)
    largest = int(widths.max())
    even, odd = largest + largest % 2, largest + 1 - largest % 2
    table = np.concatenate((_offsets(even, canvas.stride), _offsets(odd, canvas.stride)))
    counts = _counts(largest)[widths]
    first = np.where(widths % 2, len(_offsets(even, canvas.stride)), 0)
    place = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    pixels: Pixels = np.repeat(centres, counts) + table[place]
    return pixels


def pressed_by_field(
    canvas: Canvas,
    start_yx: tuple[int, int],
    centres_yx: tuple[Integers, Integers],
    corner_yx: tuple[int, int],
    widths_px: Integers,
) -> Pixels:
    """Press a brush of which, at each pixel, only so wide a disc leaves a trace.

    Parameters
    ----------
    canvas : Canvas
    start_yx : tuple of int
        Pixel of the area from which all else is counted.
    centres_yx : two (P,) int64
        Where the brush is pressed, in this order.
    corner_yx : tuple of int
        Where the first row and column of ``widths_px`` lie.
    widths_px : (h, w) int64
        At every pixel that the brush can reach.
    """
    y, x = centres_yx
    near = reached(canvas, start_yx[0] + y, start_yx[1] + x)
    y, x = y[near], x[near]
    largest = int(widths_px.max())
    rows, columns, radius = _disc(largest + 1 - largest % 2)
    stride = widths_px.shape[1]
    on_field = (y - corner_yx[0]) * stride + x - corner_yx[1]
    place = on_field[:, None] + (rows * stride + columns)
    left_trace = radius <= _limit(widths_px).reshape(-1).take(place)
    on_canvas = canvas.position(*start_yx) + y * canvas.stride + x
    pixels: Pixels = (on_canvas[:, None] + (rows * canvas.stride + columns)).astype(np.intp)
    traced: Pixels = pixels.reshape(-1)[np.flatnonzero(left_trace)]
    return traced
