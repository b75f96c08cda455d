"""LPIPS and FID of 8-bit pictures, for those who bring the weights; imported by whoever wants them.

Damaged pixels are mid-grey in both pictures before a network sees them, so that what they hold
changes no score.
"""

import numpy as np
import torch
from torch import Tensor, nn

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.frechet import FEWEST, FeatureStatistics, fid, load_inception
from dunhuang_trainer.metrics.lpips_network import SMALLEST_PX, LpipsNetwork, load_lpips

__all__ = [
    "FEWEST",
    "FeatureStatistics",
    "fid",
    "inception_statistics",
    "load_inception",
    "load_lpips",
    "lpips_distances",
]
GREY = 128


@torch.no_grad()
def lpips_distances(
    network: LpipsNetwork, restored: UInt8Array, target: UInt8Array, damage: UInt8Array
) -> list[float]:
    """Return LPIPS of every pair, at the pictures' own resolution.

    Parameters
    ----------
    network : LpipsNetwork
        On the device that computes.
    restored, target : (B, H, W, 3) uint8
    damage : (B, H, W) uint8
        1 = a pixel that does not count.

    Returns
    -------
    list of float
        0 = equal. NaN if the pictures are too small for the network.
    """
    if min(target.shape[1:3]) < SMALLEST_PX[network.net]:
        return [float("nan")] * len(target)
    both = [_planes(one, damage).to(network.shift.device) for one in (restored, target)]
    one, other = (planes.float() / 127.5 - 1 for planes in both)
    return [float(value) for value in network(one, other)]


@torch.no_grad()
def inception_statistics(
    network: nn.Module, pictures: UInt8Array, damage: UInt8Array, device: torch.device
) -> FeatureStatistics:
    """Return the statistics of the features of some pictures; add them up over batches.

    Parameters
    ----------
    network : nn.Module
        Of `load_inception`, on the device. It resizes pictures to 299 x 299 itself, as the one of
        2015 did.
    pictures : (B, H, W, 3) uint8
    damage : (B, H, W) uint8
    device : torch.device
    """
    (features,) = network(_planes(pictures, damage).to(device))
    return FeatureStatistics.of(features.double().cpu().numpy())


def _planes(pictures: UInt8Array, damage: UInt8Array) -> Tensor:
    seen = np.where(damage[..., None] == 1, np.uint8(GREY), pictures)
    return torch.from_numpy(np.ascontiguousarray(seen.transpose(0, 3, 1, 2)))
