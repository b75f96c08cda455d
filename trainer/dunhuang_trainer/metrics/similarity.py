"""Structural similarity in the two conventions that are in use; how it is computed: `windows`."""

import cv2
import numpy as np

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import BoolArray, FloatArray, check_pair, mean_where
from dunhuang_trainer.metrics.windows import CONVENTIONS, similarity_bands

UNIFORM = "ssim_uniform7"
SSIM_WINDOW = CONVENTIONS[UNIFORM].window


def ssim_map(
    picture: UInt8Array, target: UInt8Array, convention: str = "ssim_uniform7"
) -> FloatArray:
    """Return the structural similarity around every pixel, each channel alone and then the mean.

    Parameters
    ----------
    picture, target : (H, W, 3) uint8
    convention : str
        One of `CONVENTIONS`: ``ssim_uniform7`` is what scikit-image computes by default,
        ``ssim_gauss11`` what it computes with ``gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=255``.

    Returns
    -------
    (H, W) float64
        NaN in the outer 3 px (5 px), where the window does not fit: everywhere if it is larger
        than the picture.
    """
    check_pair(picture, target)
    way = CONVENTIONS[convention]
    result = np.full(picture.shape[:2], np.nan)
    for top, values in similarity_bands(picture, target, way):
        result[top : top + len(values), way.margin : -way.margin] = values
    return result


def ssim(
    picture: UInt8Array,
    target: UInt8Array,
    where: BoolArray | None = None,
    convention: str = "ssim_uniform7",
) -> float:
    """Return the mean of `ssim_map` over the pixels that count and have a window; NaN if none."""
    similarity = ssim_map(picture, target, convention)
    inside = np.isfinite(similarity)
    return mean_where(similarity, inside if where is None else inside & where)


def damage_free_windows(damage: UInt8Array, convention: str = "ssim_uniform7") -> BoolArray:
    """Return where a whole window holds no damaged pixel: (H, W) uint8 → (H, W) bool."""
    return np.asarray(damaged_windows(damage, CONVENTIONS[convention].window) == 0)


def damaged_windows(damage: UInt8Array, window: int) -> UInt8Array:
    """Return where a window holds a damaged pixel: (H, W) uint8 of 0 and 1 → the same."""
    if not damage.any():
        return damage
    return np.asarray(cv2.dilate(damage, np.ones((window, window), np.uint8)), np.uint8)
