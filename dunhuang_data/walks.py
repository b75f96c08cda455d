"""Holes drawn by a random walk: each step goes to one of the four neighbours, all equally likely.

Border rule ``drop``: the walk is free, and the cells it visits outside the picture are not drawn.
"""

import numpy as np

from dunhuang_data.errors import MaskError
from dunhuang_data.rng import draw_below, raw_words
from dunhuang_data.types import UInt8Array

STEP_Y = np.array([0, 0, 1, -1], dtype=np.int32)
STEP_X = np.array([1, -1, 0, 0], dtype=np.int32)


def start_box(length: int) -> tuple[int, int]:
    """Return the first position a walk may start at along one axis, and how many there are.

    The seed project starts in 50 … 205 of 256 pixels; other sizes keep that proportion.
    """
    margin = (length * 50) // 256
    return margin, length - 2 * margin


def random_walk(shape_hw: tuple[int, int], steps: int, rng: np.random.Generator) -> UInt8Array:
    """Draw one mask.

    Parameters
    ----------
    shape_hw : tuple of int
        Height and width in pixels.
    steps : int
        Steps of the walk; it visits ``steps + 1`` cells, the start among them, many more than once.
    rng : numpy.random.Generator
        From `dunhuang_data.rng.rng_for`. Word 0 and 1 draw the start, the rest the steps, two bits
        each, low bits first; so a longer walk from the same generator begins with the shorter one.

    Returns
    -------
    valid : (H, W) uint8
        1 = known, 0 = hole.

    Raises
    ------
    MaskError
        If the shape is empty or steps negative.
    """
    height, width = shape_hw
    if min(shape_hw) < 1 or steps < 0:
        raise MaskError(
            f"A walk of {steps} steps on {height} x {width} px cannot be drawn; expected a shape "
            "of at least 1 x 1 px and no negative number of steps."
        )
    (first_y, rows), (first_x, columns) = start_box(height), start_box(width)
    start_y, start_x = first_y + draw_below(rng, rows), first_x + draw_below(rng, columns)
    words = raw_words(rng, -(-steps // 32))
    symbols = words.astype("<u8", copy=False).view(np.uint8)
    quads = (symbols[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    directions = quads.reshape(-1)[:steps]
    y = np.concatenate(([0], np.cumsum(STEP_Y[directions], dtype=np.int32))) + start_y
    x = np.concatenate(([0], np.cumsum(STEP_X[directions], dtype=np.int32))) + start_x
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    valid = np.ones(shape_hw, dtype=np.uint8)
    valid[y[inside], x[inside]] = 0
    return valid
