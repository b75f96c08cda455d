"""The scores of the Dunhuang challenge (ICCV 2019 workshop on e-Heritage), as far as is known.

The challenge ranked by the mean of DSSIM, which it defined as 1 − SSIM, and of LMSE, "local MSE".
Neither its window nor its formula is published where it could still be read, and its server is
gone. LMSE is here what its name stands for since Grosse et al., "Ground truth dataset and baseline
evaluations for intrinsic image algorithms", ICCV 2009, section 5.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import FloatArray, check_pair
from dunhuang_trainer.metrics.windows import BAND_PIXELS

LMSE_WINDOW = 20
LMSE_STEP = LMSE_WINDOW // 2


def lmse(picture: UInt8Array, target: UInt8Array, damage: UInt8Array | None = None) -> float:
    """Return the local mean squared error, without scale.

    Windows of 20 x 20 px, their corners at the multiples of 10 px, as many as fit. In each window
    and channel the picture x is scaled by the α that brings it nearest to the target y; the squared
    error that is left, Σ (y − α x)², is summed over all of them, and divided by Σ y² over the
    same. So a black picture scores 1, and a constant factor costs nothing.

    Parameters
    ----------
    picture, target : (H, W, 3) uint8
    damage : (H, W) uint8, optional
        1 = damage. A window that holds such a pixel is left out.

    Returns
    -------
    float
        In 0 … 1. NaN if no window counts, or if the target is black in all that do.
    """
    check_pair(picture, target)
    height, width = target.shape[:2]
    if min(height, width) < LMSE_WINDOW:
        return float("nan")
    left = whole = 0.0
    rows = max(BAND_PIXELS // (width * LMSE_STEP), 1) * LMSE_STEP
    for top in range(0, height - LMSE_WINDOW + 1, rows):
        band = slice(top, top + rows + LMSE_WINDOW - LMSE_STEP)
        parts = _errors(picture[band], target[band], None if damage is None else damage[band])
        left, whole = left + parts[0], whole + parts[1]
    return left / whole if whole else float("nan")


def _errors(x: UInt8Array, y: UInt8Array, damage: UInt8Array | None) -> tuple[float, float]:
    """Return what is left of the windows' errors, and the energy of their target."""
    pairs = ((x, x), (x, y), (y, y))
    own, both, true = (_window_sums(np.multiply(*pair, dtype=np.uint16)) for pair in pairs)
    if damage is not None and damage.any():
        free = _window_sums(damage) == 0
        own, both, true = own[free], both[free], true[free]
    # sums are whole numbers, and their products stay below 2⁵³: nothing is rounded before dividing
    left = np.divide(own * true - both * both, own, out=true.copy(), where=own > 0)
    return float(left.sum()), float(true.sum())


def _window_sums(values: NDArray[np.uint8] | NDArray[np.uint16]) -> FloatArray:
    """Return the sum of every window that fits: (H, W, C) → (rows, columns, C) float64."""
    height, width = values.shape[:2]
    window = (LMSE_WINDOW, LMSE_WINDOW)
    sums = cv2.boxFilter(values, cv2.CV_32S, window, anchor=(0, 0), normalize=False)
    last = LMSE_WINDOW - 1
    return sums[: height - last : LMSE_STEP, : width - last : LMSE_STEP].astype(np.float64)
