"""Stains: roundish blobs as damp leaves them, with a ragged edge that fades out in specks."""

import numpy as np

from dunhuang_data.families.canvas import Canvas, Pixels, rising
from dunhuang_data.families.draws import draw_one
from dunhuang_data.families.smooth_field import AMPLITUDE, smooth_field

PART = 16  # parts of a pixel in which levels are counted
GRAIN_PX = 3  # pixels between the knots of the field that breaks up the edge


def draw_stain(
    canvas: Canvas,
    start: int,
    width_px: tuple[int, int],
    length_px: tuple[int, int],
    rng: np.random.Generator,
) -> Pixels:
    """Draw a stain around its start, by rising level.

    The level is the distance to the middle, bent by a smooth field that varies over a third of
    the diameter, and by a fine one as high as the soft edge is wide. The stain is what lies below
    the level of its radius; so within the edge it fades out in specks.

    Parameters are those of `dunhuang_data.families.strokes.draw_stroke`; the width is that of the
    soft edge, the length the stain's diameter, small ones being likelier than large ones.
    """
    edge = draw_one(rng, *width_px)
    diameter = min(draw_one(rng, *length_px), draw_one(rng, *length_px))
    reach = diameter // 2 + diameter // 4 + edge
    side = 2 * reach + 1
    y, x = canvas.pixel(start)
    window = rows, columns = canvas.window(y - reach, x - reach, side, side)
    down = np.arange(rows.start, rows.stop, dtype=np.int64) - reach
    across = np.arange(columns.start, columns.stop, dtype=np.int64) - reach
    squared = (down * down)[:, None] + across * across
    distance = np.sqrt(squared * PART**2).astype(np.int64)  # IEEE 754 rounds it exactly
    lobes = smooth_field(rng, (side, side), max(2, diameter // 3), window)
    grain = smooth_field(rng, (side, side), GRAIN_PX, window)
    bend = (lobes * diameter * (PART // 3) + grain * edge * PART) // AMPLITUDE
    level = np.maximum(0, distance + bend)
    inside = level <= diameter * (PART // 2)
    pixels: Pixels = ((start + down * canvas.stride)[:, None] + across).astype(np.intp)
    stain: Pixels = pixels[inside]
    return stain[rising(level[inside])]
