"""MSE, PSNR and SSIM of 8-bit pictures, in float64, so that no difference ever wraps."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from dunhuang_data.types import UInt8Array

BoolArray = NDArray[np.bool_]
SSIM_WINDOW = 7


def squared_error(picture: UInt8Array, target: UInt8Array) -> NDArray[np.float64]:
    """Return the squared error of every pixel, mean over channels: (H, W) float64 in 0 … 65,025."""
    _check_pair(picture, target)
    difference = picture.astype(np.float64) - target.astype(np.float64)
    errors: NDArray[np.float64] = np.square(difference).mean(axis=-1)
    return errors


def mse(picture: UInt8Array, target: UInt8Array, where: BoolArray | None = None) -> float:
    """Return the mean squared error on 0 … 255.

    Parameters
    ----------
    picture, target : (H, W, 3) uint8
    where : (H, W) bool, optional
        The pixels that count; all by default.

    Returns
    -------
    float
        NaN if no pixel counts.
    """
    return _mean(squared_error(picture, target), where)


def psnr_from_mse(value: float) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal pictures."""
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(255.0**2 / np.float64(value)))


def ssim_map(picture: UInt8Array, target: UInt8Array) -> NDArray[np.float64]:
    """Return the structural similarity around every pixel.

    Source: Wang et al. 2004, IEEE Transactions on Image Processing 13:600, in the convention of
    scikit-image's defaults (``ssim_uniform7``): a uniform 7 x 7 window, sample covariance, each
    channel alone and then the mean, data range 255.

    Parameters
    ----------
    picture, target : (H, W, 3) uint8

    Returns
    -------
    (H, W) float64
        NaN in the outer 3 px, where the window does not fit: everywhere below 7 px.
    """
    _check_pair(picture, target)
    x, y = picture.astype(np.float64), target.astype(np.float64)

    def box(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return uniform_filter(values, size=(SSIM_WINDOW, SSIM_WINDOW, 1))

    mean_x, mean_y = box(x), box(y)
    sample = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
    var_x = sample * (box(x * x) - mean_x**2)
    var_y = sample * (box(y * y) - mean_y**2)
    cov = sample * (box(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    margin = SSIM_WINDOW // 2
    result = np.full(picture.shape[:2], np.nan)
    inner = (slice(margin, -margin), slice(margin, -margin))
    result[inner] = similarity.mean(axis=-1)[inner]
    return result


def ssim(picture: UInt8Array, target: UInt8Array, where: BoolArray | None = None) -> float:
    """Return the mean of `ssim_map` over the pixels that count and have a window; NaN if none."""
    similarity = ssim_map(picture, target)
    inside = np.isfinite(similarity)
    return _mean(similarity, inside if where is None else inside & where)


def damage_free_windows(damage: UInt8Array) -> BoolArray:
    """Return where a whole SSIM window holds no damaged pixel: (H, W) uint8 → (H, W) bool."""
    return uniform_filter(damage.astype(np.float64), size=SSIM_WINDOW) < 0.5 / SSIM_WINDOW**2


def _mean(values: NDArray[np.float64], where: BoolArray | None) -> float:
    counted = values if where is None else values[where]
    return float(counted.mean()) if counted.size else float("nan")


def _check_pair(picture: UInt8Array, target: UInt8Array) -> None:
    for name, array in (("picture", picture), ("target", target)):
        if array.dtype != np.uint8 or array.ndim != 3:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, expected uint8 (H, W, 3)")
    if picture.shape != target.shape:
        raise ValueError(f"the pictures differ in shape: {picture.shape} and {target.shape}")
