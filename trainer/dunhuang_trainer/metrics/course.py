"""The figures of the course whose posters are still read: only to read them, never to choose by.

Its script subtracted and squared 8-bit arrays of NumPy, where both wrap modulo 256. It knew no
holes and no damage. Its SSIM is ``ssim_uniform7`` over all windows: scikit-image's defaults.
"""

import numpy as np

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import check_pair

WHY_THEY_DIFFER = (
    "The course's script squared differences in 8 bits, where they wrap at 256: an error of 16, 32 "
    "or 128 levels counted as none, and no pixel as more than 249, so that its figure cannot be "
    "turned into the mean squared error, nor rank two restorations."
)


def mse_course_wrapped(picture: UInt8Array, target: UInt8Array) -> float:
    """Return what the course called MSE: the mean of (target − picture)² modulo 256.

    Parameters
    ----------
    picture, target : (H, W, 3) uint8

    Returns
    -------
    float
        In 0 … 249, over all pixels, damaged or not. NaN if there is none.
    """
    check_pair(picture, target)
    if not picture.size:
        return float("nan")
    difference = target - picture
    return float(np.mean(difference * difference, dtype=np.float64))
