"""The parts of a picture that are scored: hole, rim, known, whole; damage is in none of them.

Every pixel is of one class, and a region is a union of classes: so what is summed class by class is
summed once, for all regions.
"""

import cv2
import numpy as np

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import BoolArray, FloatArray

RIM_PX = 3
DAMAGED, KNOWN, DEEP, RIM = range(4)
CLASSES = 4
REGION_CLASSES = {
    "hole": (DEEP, RIM),
    "rim": (RIM,),
    "known": (KNOWN,),
    "whole": (KNOWN, DEEP, RIM),
}
REGIONS = tuple(REGION_CLASSES)


def pixel_classes(valid: UInt8Array, damage: UInt8Array) -> UInt8Array:
    """Return the class of every pixel.

    Parameters
    ----------
    valid : (H, W) uint8
        1 = known, 0 = hole.
    damage : (H, W) uint8
        1 = a pixel that does not count. What it hides is known or hole all the same: a rim is a
        rim also beside damage.

    Returns
    -------
    (H, W) uint8
        `DAMAGED`, `KNOWN`, `RIM` (a hole pixel at most `RIM_PX` from a known one, centre to
        centre) or `DEEP` (any other hole pixel).
    """
    if not valid.size:
        return np.zeros_like(valid)
    near = cv2.dilate(valid, _disk())
    classes = np.where(valid, np.uint8(KNOWN), np.uint8(DEEP) + near)
    return np.where(damage, np.uint8(DAMAGED), classes)


def region_masks(valid: UInt8Array, damage: UInt8Array) -> dict[str, BoolArray]:
    """Return the pixels of every region: (H, W) uint8 → (H, W) bool each, by name."""
    classes = pixel_classes(valid, damage)
    return {name: np.isin(classes, members) for name, members in REGION_CLASSES.items()}


def region_means(totals: FloatArray, counts: FloatArray) -> dict[str, float]:
    """Return the mean of every region from sums by class, (4,) each; NaN where nothing counts."""
    means = {}
    for name, members in REGION_CLASSES.items():
        count = sum(float(counts[one]) for one in members)
        total = sum(float(totals[one]) for one in members)
        means[name] = total / count if count else float("nan")
    return means


def _disk() -> UInt8Array:
    y, x = np.mgrid[-RIM_PX : RIM_PX + 1, -RIM_PX : RIM_PX + 1]
    return np.asarray(y * y + x * x <= RIM_PX * RIM_PX, np.uint8)
