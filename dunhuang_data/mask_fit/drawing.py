"""Masks drawn by a recipe, and what they are compared by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_orders import make_mask
from dunhuang_data.mask_recipe import LARGEST_SHARE, MaskRecipe
from dunhuang_data.mask_stats import measure_masks
from dunhuang_data.mask_stats.comparison import COMPARED
from dunhuang_data.rng import rng_for
from dunhuang_data.types import UInt8Array
from dunhuang_data.walks import NEVER, WalkRule, first_visits

WALKS = 15  # that steps are estimated from
MOST_ROUNDS = 8  # steps a pixel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HoleSizes:
    """What two sets of masks are compared by, one value per mask.

    Attributes
    ----------
    values : dict of str to (N,) float64
        The statistics of `dunhuang_data.mask_stats.comparison.COMPARED`: hole ratio, depth, radius,
        number of holes, perimeter per hole pixel, sides of the border touched.
    """

    values: dict[str, Floats]

    @property
    def hole_ratio(self) -> Floats:
        """In [0, 1], (N,)."""
        return self.values["hole_ratio"]

    @property
    def radius_px(self) -> Floats:
        """Distance of the pixel deepest in a hole to the nearest known one, (N,)."""
        return self.values["radius_px"]

    def __getitem__(self, which: NDArray[np.bool_]) -> "HoleSizes":
        """Return some of the masks."""
        return HoleSizes({name: column[which] for name, column in self.values.items()})


def hole_sizes(masks: Iterable[UInt8Array]) -> HoleSizes:
    """Measure masks, each (H, W) uint8, 1 = known, 0 = hole; radii without known pixels: inf."""
    stats = measure_masks(masks)
    return HoleSizes({name: stats.column(name) for name in COMPARED})


def joined(parts: Sequence[HoleSizes]) -> HoleSizes:
    """Return several sets as one."""
    return HoleSizes(
        {name: np.concatenate([part.values[name] for part in parts]) for name in COMPARED}
    )


def drawable_ratio(ratio: float, shape_hw: tuple[int, int]) -> float:
    """Round a ratio to what is printed, within what every walk can be asked for."""
    least = 1 / (shape_hw[0] * shape_hw[1])
    return float(f"{min(max(ratio, least), min(LARGEST_SHARE.values())):.5g}")


@dataclass(frozen=True, slots=True)
class DrawJob:
    """Masks to draw and measure: of a recipe, from ``first``; of given ratios if there are any."""

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


def steps_for(
    ratios: Sequence[float], shape_hw: tuple[int, int], rule: WalkRule, seed: int
) -> list[int] | None:
    """Return how many steps it takes half of the walks to fill each of these shares of a mask.

    Parameters
    ----------
    ratios : sequence of float
        Hole ratios in (0, 1), ascending.
    shape_hw : tuple of int
    rule : WalkRule
    seed : int

    Returns
    -------
    list of int, or None
        None if half of the walks do not come so far in `MOST_ROUNDS` steps a pixel.
    """
    pixels = shape_hw[0] * shape_hw[1]
    wanted = [max(1, round(ratio * pixels)) for ratio in ratios]
    needed = np.full((WALKS, len(wanted)), np.inf)
    for walk in range(WALKS):
        steps = 4 * wanted[-1]
        while steps <= MOST_ROUNDS * pixels:
            visits = first_visits(shape_hw, steps, rng_for(seed, "fit-steps", walk), rule)
            times = np.sort(visits[visits != NEVER])
            if len(times) >= wanted[-1]:
                needed[walk] = times[np.array(wanted) - 1]
                break
            steps *= 2
    middle = np.median(needed, axis=0)
    return [int(steps) for steps in middle] if np.isfinite(middle).all() else None
