"""Restore whole pictures of any size, by overlapping tiles; known pixels stay as they are."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from dunhuang_data.errors import PictureError, UsageProblem
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.composite import composite_uint8
from dunhuang_trainer.model import PartialConvUNet


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
        linear ramps whose weights add up to one. A picture that fits one tile is done at once.

    Returns
    -------
    restored : (H, W, 3) uint8
        Known pixels identical to the input, bit for bit.
    out_of_reach : (H, W) bool
        Hole pixels so far from every known one that the network cannot see any (beyond
        ``3 * 2**levels - 1`` px from a straight edge, or in a tile that is all hole). They are
        filled with the mean colour of the known pixels.

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
        raise PictureError(
            f"The mask is {valid.shape[0]} x {valid.shape[1]} px (height x width), the picture "
            f"{picture.shape[0]} x {picture.shape[1]} px. They must be of one size; masks are "
            "never resampled."
        )
    if not valid.any():
        raise PictureError(
            "The mask has no known pixel, so there is nothing to restore from. If it is the wrong "
            "way round, give the other --white-is."
        )
    if tile < 1 or not 0 <= 2 * overlap <= tile:
        raise UsageProblem(
            f"--tile {tile} and --overlap {overlap} do not fit; an overlap is at most half a tile."
        )
    height, width = valid.shape
    blended = np.zeros((height, width, 3), dtype=np.float32)
    weights = np.zeros((height, width, 1), dtype=np.float32)
    for y0, y1, ramp_y in _tiles(height, tile, overlap):
        for x0, x1, ramp_x in _tiles(width, tile, overlap):
            window = (slice(y0, y1), slice(x0, x1))
            if valid[window].all():
                continue  # nothing to fill here
            predicted, reached = _predict(model, picture[window], valid[window], device)
            weight = ramp_y[:, None, None] * ramp_x[None, :, None] * reached
            blended[window] += weight * predicted
            weights[window] += weight
    blended /= np.maximum(weights, np.finfo(np.float32).tiny)
    reached = (valid == 1) | (weights[..., 0] > 0)
    return composite_uint8(blended, picture, valid, reached), ~reached


def _tiles(length: int, tile: int, overlap: int) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield (start, stop, weight along the axis): evenly, at least ``overlap`` in common.

    The weights rise and fall over what neighbours have in common, never to zero.
    """
    count = max(1, -(-(length - overlap) // (tile - overlap)))
    starts = np.rint(np.linspace(0, max(0, length - tile), count)).astype(int).tolist()
    stops = [min(start + tile, length) for start in starts]
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        place = np.arange(start, stop, dtype=np.float32)
        weight = np.ones_like(place)
        if number > 0:
            weight = np.minimum(weight, (place - start + 1) / (stops[number - 1] - start + 1))
        if number < count - 1:
            weight = np.minimum(weight, (stop - place) / (stop - starts[number + 1] + 1))
        yield start, stop, weight


def _predict(
    model: PartialConvUNet, picture: UInt8Array, valid: UInt8Array, device: torch.device
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Predict one tile, padded with holes to the network's multiple.

    Returns the prediction, (h, w, 3) float32, and where the network saw anything, (h, w, 1) of
    {0, 1}.
    """
    height, width = valid.shape
    multiple = model.config.multiple
    padding = ((0, -height % multiple), (0, -width % multiple))
    image = torch.from_numpy(np.pad(picture, (*padding, (0, 0)))).to(device)
    known = torch.from_numpy(np.pad(valid, padding)).to(device)
    with torch.no_grad():
        image = image.permute(2, 0, 1)[None].float() / 255
        outputs = model.predict(image, known[None, None].float())
    predicted, reached = (
        output[0, :, :height, :width].permute(1, 2, 0).cpu().numpy() for output in outputs
    )
    return predicted, reached
