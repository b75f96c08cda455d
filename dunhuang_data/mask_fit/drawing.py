"""Masks drawn by a recipe, and what they are compared by: hole ratio and radius."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_orders import make_mask
from dunhuang_data.mask_recipe import LARGEST_SHARE, MaskRecipe
from dunhuang_data.mask_stats.measuring import depth_and_radius
from dunhuang_data.types import UInt8Array

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HoleSizes:
    """What two sets of masks are compared by, one value per mask.

    Attributes
    ----------
    hole_ratio : (N,) float64
        In [0, 1].
    radius_px : (N,) float64
        Distance of the pixel that is deepest in a hole to the nearest known one; the border of the
        mask does not count as known.
    """

    hole_ratio: Floats
    radius_px: Floats


def hole_sizes(masks: Iterable[UInt8Array]) -> HoleSizes:
    """Measure masks, each (H, W) uint8, 1 = known, 0 = hole; radii without known pixels: inf."""
    rows = [
        (float(1 - valid.mean(dtype=np.float64)), depth_and_radius(valid)[1]) for valid in masks
    ]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return HoleSizes(columns[:, 0], columns[:, 1])


def drawable_ratio(ratio: float, shape_hw: tuple[int, int]) -> float:
    """Round a ratio to what is printed, within what every walk can be asked for."""
    least = 1 / (shape_hw[0] * shape_hw[1])
    return float(f"{min(max(ratio, least), min(LARGEST_SHARE.values())):.5g}")


@dataclass(frozen=True, slots=True)
class DrawJob:
    """Masks to draw and measure: of a recipe, from ``first``; to order where ratios are given."""

    recipe: MaskRecipe
    first: int
    stop: int
    ratios: tuple[float, ...] = ()


def draw_and_measure(job: DrawJob) -> tuple[DrawJob, HoleSizes | None]:
    """Draw the masks of a job and measure them; None if such walks cannot be drawn."""
    recipes: Sequence[MaskRecipe] = [job.recipe] * (job.stop - job.first)
    if job.ratios:
        recipes = [replace(job.recipe, hole_ratio=(ratio,)) for ratio in job.ratios]
    try:
        indices = range(job.first, job.stop)
        masks = (make_mask(one, index) for one, index in zip(recipes, indices, strict=True))
        return job, hole_sizes(masks)
    except MaskError:
        return job, None
