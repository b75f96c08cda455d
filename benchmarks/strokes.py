"""Strokes to restore: holes for the benchmarks of restoring."""

import cv2
import numpy as np

from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import UInt8Array


def draw_strokes(height: int, width: int, count: int, seed: int, *of: str | int) -> UInt8Array:
    """Draw lines of 6 to 29 px, half a picture long at most, or 150 px each way.

    Returns
    -------
    (H, W) uint8
        1 = known, 0 = hole.
    """
    valid = np.ones((height, width), dtype=np.uint8)
    words = raw_words(rng_for(seed, "strokes", *of), 5 * count).reshape(count, 5) >> np.uint64(33)
    reach = min(150, height // 2, width // 2)
    for y, x, dy, dx, thick in words.astype(int).tolist():
        start = (x % width, y % height)
        end = (start[0] + dx % (2 * reach + 1) - reach, start[1] + dy % (2 * reach + 1) - reach)
        cv2.line(valid, start, end, 0, 6 + thick % 24)
    return valid
