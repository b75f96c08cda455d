"""The fills that need no training. A network that cannot beat them has no business on a mural."""

from collections.abc import Callable
from importlib.util import find_spec

import cv2
import numpy as np
import torch

from dunhuang_data.errors import EnvironmentProblem
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.push_pull import push_pull_fill

Fill = Callable[[UInt8Array, UInt8Array], UInt8Array]
ALL_AT_ONCE = 200_000
"""Hole pixels of which the biharmonic fill makes one system of equations; of more, one a hole."""
RADIUS_PX = 3
"""How far OpenCV's methods look."""


def white_fill(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Leave the holes white, as masked pictures show them: what doing nothing is worth."""
    return np.where(valid[..., None] == 1, picture, np.uint8(255))


def mean_fill(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill the holes with the mean colour of the known pixels; mid-grey if none is known."""
    filled = picture.copy()
    known = picture[valid == 1]
    filled[valid == 0] = np.rint(known.mean(axis=0)).astype(np.uint8) if len(known) else 128
    return filled


def plain_push_pull(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill the holes from ever smaller averages; see `dunhuang_trainer.push_pull`."""
    return _push_pull(picture, valid, smooth=False)


def smooth_push_pull(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill as the networks' base does: push-pull, smoothed at every size."""
    return _push_pull(picture, valid, smooth=True)


def telea_fill(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill the holes by fast marching (Telea 2004, Journal of Graphics Tools 9:23), radius 3 px."""
    return _opencv(picture, valid, cv2.INPAINT_TELEA)


def navier_stokes_fill(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill the holes along lines of equal brightness, radius 3 px.

    Source: Bertalmio, Bertozzi and Sapiro 2001, "Navier-Stokes, Fluid Dynamics, and Image and Video
    Inpainting", CVPR; as OpenCV understands it.
    """
    return _opencv(picture, valid, cv2.INPAINT_NS)


def biharmonic_fill(picture: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Fill the holes with the smoothest surface, Δ²f = 0 in each channel; scikit-image solves it.

    Raises
    ------
    EnvironmentProblem
        If scikit-image is not installed.
    """
    if find_spec("skimage") is None:
        raise EnvironmentProblem(
            "The biharmonic fill needs scikit-image, which is not installed: pip install "
            "scikit-image, or name the fills you want with --baselines."
        )
    from skimage.restoration import inpaint_biharmonic

    if not valid.any() or valid.all():
        return mean_fill(picture, valid)
    known = picture * valid[..., None]
    many = valid.size - int(np.count_nonzero(valid)) > ALL_AT_ONCE
    filled = inpaint_biharmonic(known / 255.0, valid == 0, channel_axis=-1, split_into_regions=many)
    rounded = np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8)
    return np.where(valid[..., None] == 1, picture, rounded)


def _opencv(picture: UInt8Array, valid: UInt8Array, method: int) -> UInt8Array:
    if not valid.any():
        return mean_fill(picture, valid)
    filled = cv2.inpaint(picture * valid[..., None], 1 - valid, RADIUS_PX, method)
    return np.where(valid[..., None] == 1, picture, np.asarray(filled, dtype=np.uint8))


def _push_pull(picture: UInt8Array, valid: UInt8Array, smooth: bool) -> UInt8Array:
    image = torch.tensor(picture).permute(2, 0, 1)[None].float() / 255  # (1, 3, H, W)
    plane = torch.tensor(valid)[None, None].float()  # (1, 1, H, W)
    filled = push_pull_fill(image, plane, smooth=smooth)[0].permute(1, 2, 0).numpy()
    rounded = np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8)
    return np.where(valid[..., None] == 1, picture, rounded)


BASELINES: dict[str, Fill] = {
    "white": white_fill,
    "mean colour": mean_fill,
    "push-pull": plain_push_pull,
    "push-pull, smooth": smooth_push_pull,
    "Telea": telea_fill,
    "Navier-Stokes": navier_stokes_fill,
    "biharmonic": biharmonic_fill,
}
"""Name → (picture (H, W, 3) uint8, valid (H, W) uint8) → filled picture (H, W, 3) uint8."""
