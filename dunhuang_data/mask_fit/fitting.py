"""Find the walks whose holes are most like those of given masks.

Two kinds of walks are tried: to order, at ratios from the quantiles of those given, so that the
ratio needs no search; and of so many steps, as walks without an order are made. What is searched is
how wide a walk draws, how many walk, what happens at the border, where they start, and the steps.
What counts most is hole ratio and radius (of the largest disk within the holes); depth, number of
holes, perimeter and border contact decide between walks that fit these alike. Every candidate draws
from the same random numbers, so that a difference between two is theirs and not of chance; the
result is judged on masks that the search has not seen.
"""

from dataclasses import dataclass, replace

import numpy as np

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.errors import MaskError
from dunhuang_data.executors import run_jobs
from dunhuang_data.mask_fit.drawing import (
    DrawJob,
    HoleSizes,
    draw_and_measure,
    drawable_ratio,
    joined,
)
from dunhuang_data.mask_fit.search import Search
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.mask_stats.comparison import kolmogorov_distance

TARGET = 0.1  # Kolmogorov distance
QUANTILES = 21  # of the hole ratio, at most; from the least to the largest
PER_CANDIDATE, JUDGED, CANDIDATES = 100, 1000, 160


@dataclass(frozen=True, slots=True)
class MaskFit:
    """The walks that were found, and how far their masks are from those given.

    Attributes
    ----------
    recipe : MaskRecipe
    masks : int
        Given masks that have both holes and known pixels.
    all_known, all_hole : int
        Given masks that were left out, for no walk draws them.
    drawn : int
        Masks of the recipe that were compared, from the first; the search has seen none of them.
    distances : dict of str to float
        Kolmogorov distance, statistic by statistic: the largest difference of the two distribution
        functions, in [0, 1].
    chance : float
        Two samples of these numbers from one distribution are farther apart once in 20 times
        (Smirnov 1948, Ann. Math. Statist. 19, 279).
    candidates : int
        Settings that were tried.
    """

    recipe: MaskRecipe
    masks: int
    all_known: int
    all_hole: int
    drawn: int
    distances: dict[str, float]
    chance: float
    candidates: int

    @property
    def reached(self) -> bool:
        """Whether hole ratio and radius are at most `TARGET` away."""
        return self.farthest <= TARGET

    @property
    def farthest(self) -> float:
        """The larger distance of hole ratio and radius."""
        return max(self.distances["hole_ratio"], self.distances["radius_px"])


def fit_walks(
    given: HoleSizes,
    shape_hw: tuple[int, int],
    *,
    seed: int = 0,
    workers: int = 0,
    candidates: int = CANDIDATES,
    per_candidate: int = PER_CANDIDATE,
    judged: int = JUDGED,
    progress: Progress = no_progress,
) -> MaskFit:
    """Find the walks whose masks are most like those given.

    Parameters
    ----------
    given : HoleSizes
    shape_hw : tuple of int
        Height and width of the masks in pixels.
    seed : int
        Of the recipe that is returned; the search draws from another.
    workers : int
        Processes; 0 = one per core if it pays. The result is the same.
    candidates : int
        At most so many settings are tried.
    per_candidate : int
        Masks drawn of each.
    judged : int
        Masks drawn of the one that was found.
    progress : callable
        Called once per candidate.

    Raises
    ------
    MaskError
        If none of the masks has both holes and known pixels.
    """
    usable = (given.hole_ratio > 0) & (given.hole_ratio < 1)
    all_known, all_hole = (int((given.hole_ratio == value).sum()) for value in (0, 1))
    if not usable.any():
        raise MaskError(
            f"Of {len(usable)} masks {all_known} have no hole and {all_hole} no known pixel; there "
            "is nothing to fit walks to. Look at them, and at --white-is."
        )
    real = given[usable]
    search = Search(real, shape_hw, (seed + 1) % 2**64, per_candidate, workers, progress)
    best = search.best_of(candidates)
    ratios = _ratios(real, shape_hw) if best.to_order else ()
    recipe = replace(best, seed=seed, hole_ratio=ratios)
    drawn = _judge(recipe, judged, search.workers)
    return MaskFit(
        recipe=recipe,
        masks=len(real.hole_ratio),
        all_known=all_known,
        all_hole=all_hole,
        drawn=judged,
        distances={
            name: kolmogorov_distance(column, drawn.values[name])
            for name, column in real.values.items()
        },
        chance=min(1.0, float(1.358 * np.sqrt(1 / len(real.hole_ratio) + 1 / judged))),
        candidates=len(search.scores),
    )


def _ratios(real: HoleSizes, shape_hw: tuple[int, int]) -> tuple[float, ...]:
    """Return the ratios to order: quantiles of the real ones, no more of them than there are."""
    steps = np.linspace(0, 1, max(2, min(QUANTILES, len(real.hole_ratio))))
    return tuple(drawable_ratio(ratio, shape_hw) for ratio in np.quantile(real.hole_ratio, steps))


def _judge(recipe: MaskRecipe, count: int, workers: int) -> HoleSizes:
    jobs = [DrawJob(recipe, first, min(first + 50, count)) for first in range(0, count, 50)]
    done = run_jobs(draw_and_measure, jobs, workers)
    return joined([sizes for _, sizes in done if sizes is not None])
