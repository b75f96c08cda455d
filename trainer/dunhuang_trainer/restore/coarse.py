"""What lies out of the network's reach: a smooth fill, made on a small copy of the picture."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from dunhuang_data.errors import MaskError
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.push_pull import push_pull_fill
from dunhuang_trainer.restore.sources import Source

LONGEST = 512  # px, of the small copy


def coarse_fill(
    source: Source, valid: UInt8Array, longest: int = LONGEST
) -> Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float32]]:
    """Fill the holes of a small copy of a picture, by push-pull.

    Parameters
    ----------
    source : Source
    valid : (H, W) uint8
        1 = known, 0 = hole.
    longest : int
        The longer side of the small copy, in pixels, at most. Each of its pixels is the mean of
        the known ones that it stands for.

    Returns
    -------
    callable
        Takes rows and columns, (n,) each, and returns the fill there, (n, 3) float32, read between
        the small copy's pixels linearly.

    Raises
    ------
    MaskError
        If no known pixel is there.
    """
    height, width = valid.shape
    step = -(-max(height, width) // longest)
    rows, columns = -(-height // step), -(-width // step)
    colours = np.zeros((rows, columns, 3), dtype=np.float32)
    weight = np.zeros((rows, columns, 1), dtype=np.float32)
    lefts = np.arange(0, width, step)
    for row in range(rows):
        top, bottom = row * step, min((row + 1) * step, height)
        window = source.window(top, 0, bottom - top, width)
        known = (valid[top:bottom] & window.there)[..., None].astype(np.float32)
        colours[row] = np.add.reduceat((window.srgb * known).sum(axis=0), lefts, axis=0)
        weight[row] = np.add.reduceat(known.sum(axis=0), lefts, axis=0)
    if not weight.any():
        raise MaskError(
            "No pixel is both known and there: the mask leaves only pixels that the picture's "
            "alpha says are not there, so there is nothing to restore from. Look at its alpha."
        )
    image = torch.from_numpy(colours / np.maximum(weight, 1)).permute(2, 0, 1)[None]
    covered = torch.from_numpy((weight > 0).astype(np.float32)).permute(2, 0, 1)[None]
    filled = push_pull_fill(image, covered)[0].permute(1, 2, 0).numpy()

    def at(ys: NDArray[np.intp], xs: NDArray[np.intp]) -> NDArray[np.float32]:
        y0, fy = _between(ys, step, rows)
        x0, fx = _between(xs, step, columns)
        y1, x1 = np.minimum(y0 + 1, rows - 1), np.minimum(x0 + 1, columns - 1)
        above = (1 - fx) * filled[y0, x0] + fx * filled[y0, x1]
        below = (1 - fx) * filled[y1, x0] + fx * filled[y1, x1]
        return np.asarray((1 - fy) * above + fy * below, dtype=np.float32)

    return at


def _between(
    places: NDArray[np.intp], step: int, count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the small pixel before each place, and how far, (n, 1), it is on its way to the next.

    Centres lie in the middle of a pixel, in both pictures.
    """
    at = np.clip((places + 0.5) / step - 0.5, 0, count - 1)
    before = np.floor(at).astype(np.intp)
    return before, (at - before)[:, None].astype(np.float32)
