"""The sums of `tallies` on a GPU, by torch, for a whole batch; the same numbers in float64."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.regions import CLASSES, pixel_classes
from dunhuang_trainer.metrics.tallies import Tally, window_classes
from dunhuang_trainer.metrics.windows import C1, C2, CONVENTIONS, Convention, gaussian_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK_PIXELS = 2**24
"""Pixels that are on the device at a time: about 4 GiB of memory by the count of its planes."""


def device_tallies(
    restored: UInt8Array,
    target: UInt8Array,
    valid: UInt8Array,
    damage: UInt8Array,
    device: torch.device | str,
) -> list[dict[str, Tally]]:
    """Return the sums of every picture, as `tallies` does.

    Parameters
    ----------
    restored, target : (B, H, W, 3) uint8
    valid, damage : (B, H, W) uint8
    device : torch.device or str
    """
    pixels = max(int(np.prod(target.shape[1:3])), 1)
    size = max(CHUNK_PIXELS // pixels, 1)
    result: list[dict[str, Tally]] = []
    for first in range(0, len(target), size):
        chunk = slice(first, first + size)
        result += _chunk(restored[chunk], target[chunk], valid[chunk], damage[chunk], device)
    return result


@torch.no_grad()
def _chunk(
    restored: UInt8Array,
    target: UInt8Array,
    valid: UInt8Array,
    damage: UInt8Array,
    device: torch.device | str,
) -> list[dict[str, Tally]]:
    x, y = (
        torch.from_numpy(np.ascontiguousarray(one)).to(device).permute(0, 3, 1, 2).double()
        for one in (restored, target)
    )
    classes = [pixel_classes(*both) for both in zip(valid, damage, strict=True)]
    error = (x - y).abs()
    channels = x.shape[1]
    found = {
        "mse": _tally(error.square().sum(dim=1), classes, channels),
        "l1": _tally(error.sum(dim=1), classes, channels),
    }
    for name, way in CONVENTIONS.items():
        centres = [window_classes(*both, way) for both in zip(classes, damage, strict=True)]
        found[name] = _tally(_similarity(x, y, way).mean(dim=1), centres, 1)
    return [
        {name: Tally(totals[row], counts[row]) for name, (totals, counts) in found.items()}
        for row in range(len(target))
    ]


def _similarity(x: Tensor, y: Tensor, way: Convention) -> Tensor:
    """Return the similarity of every window: (B, C, H, W) float64 → (B, C, H − …, W − …)."""
    if min(x.shape[2:]) < way.window:
        return x[:, :, :0, :0]
    mean_x, mean_y = _mean(x, way), _mean(y, way)
    product, square = _mean(x * y, way), _mean((x - y).square(), way)
    pixels = way.window**2
    sample = pixels / (pixels - 1) if way.uniform else 1.0
    two_p = 2 * mean_x * mean_y
    q = (mean_x - mean_y).square() + two_p
    two_cov, both_var = 2 * product - two_p, square + 2 * product - q
    above = (two_p + C1) * (sample * two_cov + C2)
    return above / ((q + C1) * (sample * both_var + C2))


def _mean(values: Tensor, way: Convention) -> Tensor:
    """Return the weighted mean of every window that fits, by adding shifted planes."""
    side = way.window
    weights = np.full(side, 1.0) if way.uniform else gaussian_weights(side)
    for axis in (2, 3):
        left = values.shape[axis] - side + 1
        total = torch.zeros_like(values.narrow(axis, 0, left))
        for place, weight in enumerate(weights):
            total.add_(values.narrow(axis, place, left), alpha=float(weight))
        values = total
    return values / side**2 if way.uniform else values


def _tally(
    values: Tensor, classes: "list[UInt8Array]", each: int
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Sum (B, H, W) by the class of each pixel: totals and counts, (B, 4) float64 on the CPU."""
    planes = torch.from_numpy(np.stack(classes)).to(values.device)
    totals = [torch.where(planes == one, values, 0.0).sum(dim=(1, 2)) for one in range(CLASSES)]
    counts = [(planes == one).sum(dim=(1, 2)).double() * each for one in range(CLASSES)]
    return (torch.stack(totals, dim=1).cpu().numpy(), torch.stack(counts, dim=1).cpu().numpy())
