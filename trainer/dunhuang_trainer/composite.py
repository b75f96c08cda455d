"""Compositing: the prediction in the holes, the input everywhere else."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dunhuang_data.types import UInt8Array


def composite(predicted: Tensor, image: Tensor, valid: Tensor) -> Tensor:
    """Return ``valid · image + (1 − valid) · predicted``, without ever mixing the two.

    Parameters
    ----------
    predicted, image : (B, 3, H, W) float
    valid : (B, 1, H, W) float
        1 = known, 0 = hole.
    """
    return torch.where(valid > 0, image, predicted)


def composite_uint8(
    predicted: NDArray[np.float32],
    picture: UInt8Array,
    valid: UInt8Array,
    reached: NDArray[np.bool_],
) -> UInt8Array:
    """Composite one picture in 8 bits: known pixels are the picture's, bit for bit.

    Parameters
    ----------
    predicted : (H, W, 3) float
        In [0, 1]; rounded, and clipped to 0 … 255, never wrapped.
    picture : (H, W, 3) uint8
    valid : (H, W) uint8
        1 = known, 0 = hole.
    reached : (H, W) bool
        Where the prediction means anything. Holes elsewhere get the mean colour of the known
        pixels, mid-grey if none is known.
    """
    filled = np.clip(np.rint(predicted * 255.0), 0, 255).astype(np.uint8)
    if not reached.all():
        known = picture[valid == 1]
        filled[~reached] = np.rint(known.mean(axis=0)).astype(np.uint8) if len(known) else 128
    return np.where(valid[..., None] == 1, picture, filled)
