"""Errors of single pixels, in float64, so that no difference ever wraps."""

import numpy as np

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import BoolArray, FloatArray, check_pair, mean_where


def squared_error(picture: UInt8Array, target: UInt8Array) -> FloatArray:
    """Return the squared error of every pixel, mean over channels: (H, W) float64 in 0 … 65,025."""
    check_pair(picture, target)
    errors: FloatArray = np.square(_difference(picture, target)).mean(axis=-1)
    return errors


def absolute_error(picture: UInt8Array, target: UInt8Array) -> FloatArray:
    """Return the absolute error of every pixel, mean over channels: (H, W) float64 in 0 … 255."""
    check_pair(picture, target)
    errors: FloatArray = np.abs(_difference(picture, target)).mean(axis=-1)
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
    return mean_where(squared_error(picture, target), where)


def psnr_from_mse(value: float) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal pictures."""
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(255.0**2 / np.float64(value)))


def _difference(picture: UInt8Array, target: UInt8Array) -> FloatArray:
    return picture.astype(np.float64) - target.astype(np.float64)
