"""Flakes: losses of paint, a short random walk dilated by a smooth random field."""

import numpy as np

from dunhuang_data.families.brush import pressed_by_field, thinned
from dunhuang_data.families.canvas import Canvas, Pixels
from dunhuang_data.families.draws import draw_many, draw_one
from dunhuang_data.families.smooth_field import AMPLITUDE, smooth_field

STEP_Y = np.array([0, 0, 1, -1], dtype=np.int64)
STEP_X = np.array([1, -1, 0, 0], dtype=np.int64)


def draw_flake(
    canvas: Canvas,
    start: int,
    width_px: tuple[int, int],
    length_px: tuple[int, int],
    rng: np.random.Generator,
) -> Pixels:
    """Draw a flake in the order of its walk.

    A pixel belongs to the flake if a cell of the walk is near enough; how near it must be is said
    by a smooth field that varies over a few pixels. So the outline is sharp and ragged.

    Parameters are those of `dunhuang_data.families.strokes.draw_stroke`; the width is that of the
    dilating disc, which varies over the flake, the length the mean extent of the flake's walk
    along an axis, small ones being likelier than large ones.
    """
    low, high = width_px
    extent = min(draw_one(rng, *length_px), draw_one(rng, *length_px))
    # Half of n steps go along an axis, and then it reaches over sqrt(8 / pi * n / 2) px on average
    # (Feller 1951, Annals of Mathematical Statistics 22:427); 11 / 14 is pi / 4.
    steps = max(1, extent * extent * 11 // 14)
    every = max(1, low * low // 3)  # from one press to the next the walk goes about half a width
    every *= thinned(steps // every, high)
    directions = draw_many(rng, steps, 0, 3)
    y = np.concatenate(([0], np.cumsum(STEP_Y[directions])[every - 1 :: every]))
    x = np.concatenate(([0], np.cumsum(STEP_X[directions])[every - 1 :: every]))
    y_first, x_first = int(y.min()) - high, int(x.min()) - high
    size = (int(y.max()) - y_first + high + 1, int(x.max()) - x_first + high + 1)
    whole = (slice(0, size[0]), slice(0, size[1]))
    field = smooth_field(rng, size, max(2, high // 3), whole)
    # A field of B-splines keeps to the middle of its range: stretched, it reaches both bounds.
    share = np.clip(field + AMPLITUDE // 2, 0, AMPLITUDE)
    widths = low + share * (high - low) // AMPLITUDE
    row, column = canvas.pixel(start)
    return pressed_by_field(canvas, (row, column), (y, x), (y_first, x_first), widths)
