"""The scores of the Dunhuang challenge (ICCV 2019 workshop on e-Heritage), as far as is known.

The challenge ranked by the mean of DSSIM, which it defined as 1 − SSIM, and of LMSE, "local MSE".
Neither its window nor its formula is published where it could still be read, and its server is
gone. LMSE is here what its name stands for since Grosse et al., "Ground truth dataset and baseline
evaluations for intrinsic image algorithms", ICCV 2009, section 5.
"""

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import FloatArray, check_pair

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
    if min(target.shape[:2]) < LMSE_WINDOW:
        return float("nan")
    x, y = picture, target
    own, both, true = (
        _window_sums(np.multiply(one, two, dtype=np.uint16))
        for one, two in ((x, x), (x, y), (y, y))
    )
    if damage is not None and damage.any():
        free = _window_sums(damage[..., None])[..., 0] == 0
        own, both, true = own[free], both[free], true[free]
    # sums are whole numbers, and their products stay below 2⁵³: nothing is rounded before dividing
    left = np.divide(own * true - both * both, own, out=true.copy(), where=own > 0)
    whole = float(true.sum())
    return float(left.sum()) / whole if whole else float("nan")


def _window_sums(values: NDArray[np.uint8] | NDArray[np.uint16]) -> FloatArray:
    """Return the sum of every window that fits: (H, W, C) → (rows, columns, C) float64."""
    height, width = (side // LMSE_STEP * LMSE_STEP for side in values.shape[:2])
    lines = values[:height, :width].reshape(height // LMSE_STEP, LMSE_STEP, -1)
    lines = lines.sum(axis=1, dtype=np.uint32).reshape(len(lines), -1, LMSE_STEP, values.shape[2])
    cells = lines.sum(axis=2, dtype=np.uint32).astype(np.float64)
    rows = cells[:-1] + cells[1:]
    sums: FloatArray = rows[:, :-1] + rows[:, 1:]
    return sums
