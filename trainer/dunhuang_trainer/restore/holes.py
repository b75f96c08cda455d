"""Make holes larger, and measure the largest, in bands: a distance is four bytes a pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import UsageProblem
from dunhuang_data.types import UInt8Array

BAND = 1 << 24  # pixels whose distances are held at a time, about
MOST_DILATE = 1000  # px
DEEPEST = 1024  # px of radius that are measured pixel by pixel; more is measured on a small copy


def distance_to(zero: UInt8Array) -> NDArray[np.float32]:
    """Return every pixel's Euclidean distance to the nearest 0, in pixels, (H, W) float32.

    All pixels far, if there is no 0.
    """
    if zero.all():
        return np.full(zero.shape, np.inf, dtype=np.float32)
    found = cv2.distanceTransform(zero, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, dtype=np.float32)


def dilate_holes(valid: UInt8Array, radius_px: int) -> UInt8Array:
    """Grow the holes by a Euclidean disc.

    Parameters
    ----------
    valid : (H, W) uint8
        1 = known, 0 = hole.
    radius_px : int
        A pixel becomes a hole if a hole pixel's centre is at most so far from its own.

    Raises
    ------
    UsageProblem
        If the radius is negative, or more than 1,000 px.
    """
    if not 0 <= radius_px <= MOST_DILATE:
        raise UsageProblem(f"--dilate is {radius_px}; expected 0 to {MOST_DILATE} px.")
    if radius_px == 0:
        return valid
    grown = np.empty_like(valid)
    height, width = valid.shape
    rows = max(64, BAND // width)
    for top in range(0, height, rows):
        first, last = max(0, top - radius_px), min(height, top + rows + radius_px)
        distance = distance_to(np.ascontiguousarray(valid[first:last]))
        own = distance[top - first : top - first + rows]
        # squares of distances are whole numbers; their roots are not
        grown[top : top + rows] = own > np.sqrt(radius_px**2 + 0.5)
    return grown


def largest_radius(valid: UInt8Array) -> float:
    """Return the largest distance of a hole pixel to the nearest known one, in pixels.

    Parameters
    ----------
    valid : (H, W) uint8
        1 = known, 0 = hole.

    Returns
    -------
    float
        0 without holes, infinite without known pixels. Exact up to 1,024 px if the picture is
        large, otherwise always; more than that, from a small copy, too small by some percent.
    """
    height, width = valid.shape
    rows = max(64, BAND // width)
    deepest = 0.0
    for top in range(0, height, rows):
        if valid[top : top + rows].all():
            continue
        first, last = max(0, top - DEEPEST), min(height, top + rows + DEEPEST)
        hole = np.ascontiguousarray(1 - valid[first:last])
        own = distance_to(hole)[top - first : top - first + rows]
        deepest = max(deepest, float(own.max()))
    if rows >= height or deepest < DEEPEST:
        return float(np.sqrt(np.rint(deepest**2)))
    step = -(-max(height, width) // 4096)
    down, across = np.arange(0, height, step), np.arange(0, width, step)
    coarse = np.maximum.reduceat(np.maximum.reduceat(valid, down, axis=0), across, axis=1)
    return float(step * distance_to(1 - coarse).max())
