"""Brush strokes: polylines of a few segments with gentle turns, round ends and joints."""

import numpy as np

from dunhuang_data.families.brush import pressed, thinned
from dunhuang_data.families.canvas import Canvas, Pixels
from dunhuang_data.families.draws import (
    ACROSS,
    DOWN,
    FULL_TURN,
    UNIT,
    UNIT_BITS,
    draw_many,
    draw_one,
)

SEGMENTS = (2, 5)
MOST_TURN = FULL_TURN // 8


def draw_stroke(
    canvas: Canvas,
    start: int,
    width_px: tuple[int, int],
    length_px: tuple[int, int],
    rng: np.random.Generator,
) -> Pixels:
    """Draw a stroke from its start to its end.

    Parameters
    ----------
    canvas : Canvas
    start : int
        Where it begins, a position in ``canvas.free``.
    width_px : tuple of int
        LOW, HIGH of the brush's width, one for the whole stroke.
    length_px : tuple of int
        LOW, HIGH of the length of each segment.
    rng : numpy.random.Generator

    Returns
    -------
    (P,) intp
        In the order in which the pixels become holes.
    """
    width = draw_one(rng, *width_px)
    count = draw_one(rng, *SEGMENTS)
    lengths = draw_many(rng, count, *length_px)
    turns = draw_many(rng, count, -MOST_TURN, MOST_TURN)
    turns[0] = draw_one(rng, 0, FULL_TURN - 1)
    headings = np.cumsum(turns) & (FULL_TURN - 1)
    # A pitch of a twelfth of the width leaves scallops of width / 576 on the sides: not seen.
    pitch = max(1, width // 12)
    pitch *= thinned(int(lengths.sum()) // pitch, width)
    presses = -(-lengths // pitch)
    row, column = canvas.pixel(start)
    steps = (np.repeat(unit[headings] * lengths // presses, presses) for unit in (DOWN, ACROSS))
    y, x = (np.cumsum(np.concatenate(([UNIT // 2], step))) >> UNIT_BITS for step in steps)
    return pressed(canvas, row + y, column + x, width)
