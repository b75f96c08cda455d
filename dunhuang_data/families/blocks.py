"""Blocks: upright rectangles, as a fallen piece of plaster or an evaluation's square hole."""

import numpy as np

from dunhuang_data.families.canvas import Canvas, Pixels, rising
from dunhuang_data.families.draws import draw_one


def draw_block(
    canvas: Canvas,
    start: int,
    width_px: tuple[int, int],
    length_px: tuple[int, int],
    rng: np.random.Generator,
) -> Pixels:
    """Draw a block around its start, from the middle outwards.

    Parameters are those of `dunhuang_data.families.strokes.draw_stroke`; the width is the shorter
    side, the length the longer one (or as long as the shorter one, should that be longer).
    """
    short = draw_one(rng, *width_px)
    long = max(short, draw_one(rng, *length_px))
    height, width = (long, short) if draw_one(rng, 0, 1) else (short, long)
    y, x = canvas.pixel(start)
    top, left = y - height // 2, x - width // 2
    rows, columns = canvas.window(top, left, height, width)
    down, across = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    first = canvas.position(top, left)
    pixels: Pixels = ((first + down * canvas.stride)[:, None] + across).astype(np.intp)
    # Smaller copies of the block, one within the other: (y, x) is on the copy of this scale.
    scale = np.maximum(
        (np.abs(2 * down + 1 - height) * width)[:, None], np.abs(2 * across + 1 - width) * height
    )
    return pixels.reshape(-1)[rising(scale.reshape(-1).astype(np.int64))]
