"""The holes that a network was trained on, in numbers: a checkpoint carries them.

So that whoever restores a picture hears it if its holes are like none the network has ever seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dunhuang_data.mask_stats.measuring import depth_and_radius
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.types import UInt8Array

MOST_MEASURED = 3_000  # masks, some two seconds; of more, as many evenly spaced ones


@dataclass(frozen=True, slots=True)
class TrainedHoles:
    """The holes of a training split.

    Attributes
    ----------
    samples : int
        Masks that were measured.
    patch_size : int
        Their side in pixels.
    hole_ratio_mean, hole_ratio_max : float
        In [0, 1].
    depth_px_mean : float
        Over masks: the mean distance of their hole pixels to the nearest known one, in pixels.
    radius_px_max : float
        The largest distance of any hole pixel to the nearest known one, in pixels; a mask without
        known pixels has none.
    """

    samples: int
    patch_size: int
    hole_ratio_mean: float
    hole_ratio_max: float
    depth_px_mean: float
    radius_px_max: float


def measure_holes(masks: Iterable[UInt8Array], patch_size: int) -> TrainedHoles | None:
    """Measure the holes of some masks.

    Parameters
    ----------
    masks : iterable of (S, S) uint8
        1 = known, 0 = hole.
    patch_size : int
        S.

    Returns
    -------
    TrainedHoles or None
        None if there is no mask.
    """
    ratios, depths, radii = [], [], [0.0]
    for valid in masks:
        ratios.append(hole_ratio(valid))
        depth, radius = depth_and_radius(valid)
        if 0 < depth < np.inf:
            depths.append(depth)
            radii.append(radius)
    if not ratios:
        return None
    return TrainedHoles(
        samples=len(ratios),
        patch_size=patch_size,
        hole_ratio_mean=float(np.mean(ratios)),
        hole_ratio_max=max(ratios),
        depth_px_mean=float(np.mean(depths)) if depths else 0.0,
        radius_px_max=max(radii),
    )
