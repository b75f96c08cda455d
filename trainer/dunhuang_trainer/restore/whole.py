"""Restore a picture that is in memory."""

import numpy as np
import torch
from numpy.typing import NDArray

from dunhuang_data.errors import PictureError
from dunhuang_data.mask_files import differing_sizes
from dunhuang_data.polarity import unpack
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.restore.bands import Job, restore_into
from dunhuang_trainer.restore.prediction import TilePredictor
from dunhuang_trainer.restore.sources import PictureInMemory


def restore_picture(
    model: PartialConvUNet,
    picture: UInt8Array,
    valid: UInt8Array,
    device: torch.device,
    tile: int = 1024,
    overlap: int = 128,
) -> tuple[UInt8Array, NDArray[np.bool_]]:
    """Fill the holes of a picture.

    Parameters
    ----------
    model : PartialConvUNet
        In evaluation mode, on ``device``.
    picture : (H, W, 3) uint8
        Any size; what it shows in its holes does not matter.
    valid : (H, W) uint8
        1 = known, 0 = hole.
    device : torch.device
    tile, overlap : int
        Side of a tile and how far neighbours overlap, in pixels. Predictions are blended with
        weights that add up to one. A picture that fits one tile is done at once.

    Returns
    -------
    restored : (H, W, 3) uint8
        Known pixels identical to the input, bit for bit.
    out_of_reach : (H, W) bool
        Hole pixels so far from every known one that the network cannot see any (beyond
        ``3 * 2**levels - 1`` px from a straight edge, or in a tile that is all hole). They have
        the push-pull fill of the whole picture.

    Raises
    ------
    PictureError
        If mask and picture differ in size, or nothing is known.
    UsageProblem
        If tiles do not overlap sensibly.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"picture is {picture.dtype} {picture.shape}, expected uint8 (H, W, 3)")
    if valid.dtype != np.uint8 or valid.max(initial=0) > 1:
        raise ValueError("valid must be uint8 of 1 = known and 0 = hole, nothing else")
    if valid.shape != picture.shape[:2]:
        raise PictureError(differing_sizes("mask", valid.shape, "the picture", picture.shape[:2]))
    if not valid.any():
        raise PictureError(
            "The mask has no known pixel, so there is nothing to restore from. If it is the wrong "
            "way round, give the other --white-is."
        )
    restored = np.empty_like(picture)
    predict = TilePredictor(model, device)
    job = Job(PictureInMemory(picture), valid, valid, predict, tile, overlap)
    outcome = restore_into(job, restored)
    return restored, unpack(outcome.out_of_reach, valid.shape[1]).astype(np.bool_)
