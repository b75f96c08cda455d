"""Sums over the classes of pixels, a band of rows at a time: what all scores of a region are from.

A picture of any size is scored in the memory of its own planes: maps are never kept.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import FloatArray
from dunhuang_trainer.metrics.regions import CLASSES, DAMAGED, pixel_classes
from dunhuang_trainer.metrics.similarity import damaged_windows
from dunhuang_trainer.metrics.windows import (
    BAND_PIXELS,
    CONVENTIONS,
    Convention,
    similarity_bands,
)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums and counts by class of pixel, (4,) float64 each; see `regions`."""

    totals: FloatArray
    counts: FloatArray

    def overall(self) -> float:
        """Return the mean over all classes, damage too; NaN if nothing was counted."""
        count = float(self.counts.sum())
        return float(self.totals.sum()) / count if count else float("nan")


def tallies(
    restored: UInt8Array, target: UInt8Array, valid: UInt8Array, damage: UInt8Array
) -> dict[str, Tally]:
    """Return the sums of one picture, by ``"mse"``, ``"l1"`` and the names of `CONVENTIONS`.

    Parameters
    ----------
    restored, target : (H, W, 3) uint8
    valid, damage : (H, W) uint8
    """
    classes = pixel_classes(valid, damage)
    result = _error_tallies(restored, target, classes)
    for name, way in CONVENTIONS.items():
        centres = window_classes(classes, damage, way)
        total = np.zeros(CLASSES)
        for top, values in similarity_bands(restored, target, way):
            row = top - way.margin
            total += _sums(centres[row : row + len(values)], values)
        result[name] = Tally(total, _counts(centres))
    return result


def window_classes(classes: UInt8Array, damage: UInt8Array, way: Convention) -> UInt8Array:
    """Return the class of every window that fits: its centre's, or damaged if it holds damage."""
    if min(classes.shape) < way.window:
        return classes[:0, :0]
    inner = (slice(way.margin, -way.margin),) * 2
    damaged = damaged_windows(damage, way.window)
    return np.where(damaged, np.uint8(DAMAGED), classes)[inner]


def _error_tallies(
    restored: UInt8Array, target: UInt8Array, classes: UInt8Array
) -> dict[str, Tally]:
    """Return the sums of squared and of absolute errors over pixels and channels: exact."""
    height, width = classes.shape
    squared, absolute = np.zeros(CLASSES), np.zeros(CLASSES)
    rows = max(BAND_PIXELS // max(width, 1), 1)
    for top in range(0, height if width else 0, rows):
        x, y, of = (one[top : top + rows] for one in (restored, target, classes))
        for one in range(CLASSES):
            where = (of == one).view(np.uint8)
            # whole numbers, of which OpenCV 5 returns the first as the square of a root
            squared[one] += round(cv2.norm(x, y, cv2.NORM_L2SQR, where))
            absolute[one] += round(cv2.norm(x, y, cv2.NORM_L1, where))
    counts = _counts(classes) * target.shape[2]
    return {"mse": Tally(squared, counts), "l1": Tally(absolute, counts)}


def _sums(classes: UInt8Array, values: FloatArray) -> FloatArray:
    flat = values.ravel()
    return np.array([flat @ (classes == one).ravel().astype(np.float64) for one in range(CLASSES)])


def _counts(classes: UInt8Array) -> FloatArray:
    return np.array([np.count_nonzero(classes == one) for one in range(CLASSES)], np.float64)
