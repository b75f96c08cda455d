"""From the cells a walk visited to the pixels of a mask: grid, brush, margin."""

from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array
from dunhuang_data.walks.rules import WalkRule

Number = TypeVar("Number", np.uint8, np.int32)


def shown(holes: UInt8Array, rule: WalkRule, shape_hw: tuple[int, int]) -> UInt8Array:
    """Scale visited cells to the pixels within the margin, and draw the brush around each.

    Parameters
    ----------
    holes : (h, w) uint8
        1 = visited.
    rule : WalkRule
    shape_hw : tuple of int
        Of the mask.

    Returns
    -------
    (H - 2 margin, W - 2 margin) uint8
        1 = hole.
    """
    pixels = _scaled(holes, rule, shape_hw)
    if rule.brush_px == 1:
        return pixels
    return np.asarray(cv2.dilate(pixels, disk(rule.brush_px)), dtype=np.uint8)


def earliest(
    times: NDArray[np.int32], rule: WalkRule, shape_hw: tuple[int, int]
) -> NDArray[np.int32]:
    """As `shown`, for the times of visits: a pixel becomes a hole with the first cell near it."""
    pixels = _scaled(times, rule, shape_hw)
    if rule.brush_px == 1:
        return pixels
    # OpenCV takes no int32 here; float64 holds every one of them
    spread = cv2.erode(pixels.astype(np.float64), disk(rule.brush_px))
    return np.asarray(spread).astype(np.int32)


def valid_of(holes: UInt8Array, margin_px: int) -> UInt8Array:
    """Turn holes (1 = hole) into a mask (1 = known, 0 = hole), with a known margin around them."""
    if not margin_px:
        return np.bitwise_xor(holes, np.uint8(1))
    valid = np.ones([side + 2 * margin_px for side in holes.shape], dtype=np.uint8)
    height, width = holes.shape
    valid[margin_px : margin_px + height, margin_px : margin_px + width] = 1 - holes
    return valid


@lru_cache(maxsize=32)
def disk(diameter_px: int) -> UInt8Array:
    """Return the pixels whose centres lie within a disk, (d, d) uint8 of {0, 1}."""
    twice = 2 * np.arange(diameter_px) + 1 - diameter_px
    return (twice[:, None] ** 2 + twice**2 <= diameter_px**2).astype(np.uint8)


def _scaled(cells: NDArray[Number], rule: WalkRule, shape_hw: tuple[int, int]) -> NDArray[Number]:
    height, width = rule.inner_hw(shape_hw)
    if cells.shape == (height, width):
        return cells
    rows = np.arange(height) * cells.shape[0] // height
    columns = np.arange(width) * cells.shape[1] // width
    scaled: NDArray[Number] = cells[rows[:, None], columns]
    return scaled
