"""The fills that need no training. A network that cannot beat them has no business on a mural."""

from collections.abc import Callable

import cv2
import numpy as np

from dunhuang_data.types import UInt8Array

Fill = Callable[[UInt8Array, UInt8Array], UInt8Array]


def mean_fill(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill the holes with the mean colour of the known pixels; mid-grey if none is known."""
    filled = picture.copy()
    known = picture[valid == 1]
    filled[valid == 0] = np.rint(known.mean(axis=0)).astype(np.uint8) if len(known) else 128
    return filled


def telea_fill(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill the holes by fast marching (Telea 2004, Journal of Graphics Tools 9:23), radius 3 px."""
    if not valid.any():
        return mean_fill(picture, valid)
    filled = cv2.inpaint(picture * valid[..., None], 1 - valid, 3, cv2.INPAINT_TELEA)
    return np.where(valid[..., None] == 1, picture, np.asarray(filled, dtype=np.uint8))


BASELINES: dict[str, Fill] = {"mean colour": mean_fill, "Telea": telea_fill}
"""Name → (picture (H, W, 3) uint8, valid (H, W) uint8) → filled picture (H, W, 3) uint8."""
