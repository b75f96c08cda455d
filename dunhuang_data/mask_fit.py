"""Find the walks whose holes are most like those of given masks.

The hole ratios need no search: masks are drawn to order, at ratios from the quantiles of those
given. What is searched is how wide a walk draws, how many walk, what happens at the border and
where they start, for the radius of the largest disk within the holes. Every candidate draws from
the same random numbers, so that a difference between two is theirs and not of chance; the result is
judged on masks that the search has not seen.
"""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.errors import MaskError
from dunhuang_data.executors import run_jobs
from dunhuang_data.mask_orders import make_mask
from dunhuang_data.mask_recipe import LARGEST_SHARE, MaskRecipe
from dunhuang_data.recipe import BORDERS, STARTS
from dunhuang_data.rng import permutation, rng_for
from dunhuang_data.types import UInt8Array

TARGET = 0.1  # Kolmogorov distance
QUANTILES = 21  # of the hole ratio, at most; from the least to the largest
GOOD = 0.02  # distance in the search at which it ends
PER_CANDIDATE, JUDGED, CANDIDATES = 100, 1000, 120
WORTH_S = 4.0  # seconds of work; below, workers do not start in the time they save
PATIENCE = 2  # rounds of neighbours without a better one
FINALISTS, MORE = 6, 4  # candidates that are drawn again, and how many times as many masks
MOST_WALKERS = 100
BRUSHES = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 135)

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
    hole_ratio_distance, radius_distance : float
        Kolmogorov distance: the largest difference of the two distribution functions, in [0, 1].
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
    hole_ratio_distance: float
    radius_distance: float
    chance: float
    candidates: int

    @property
    def reached(self) -> bool:
        """Whether both distances are at most `TARGET`."""
        return max(self.hole_ratio_distance, self.radius_distance) <= TARGET


def kolmogorov(one: Floats, other: Floats) -> float:
    """Return the Kolmogorov distance of two samples: the largest |F₁ − F₂|, in [0, 1]."""
    return float(_gaps(one, other).max())


def _gaps(one: Floats, other: Floats) -> Floats:
    values = np.concatenate([one, other])
    shares = [
        np.searchsorted(np.sort(sample), values, side="right") / len(sample)
        for sample in (one, other)
    ]
    gaps: Floats = np.abs(shares[0] - shares[1])
    return gaps


def hole_sizes(masks: Iterable[UInt8Array]) -> HoleSizes:
    """Measure masks, each (H, W) uint8, 1 = known, 0 = hole; without known pixels: infinite."""
    rows = [(float(1 - valid.mean(dtype=np.float64)), _radius(valid)) for valid in masks]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return HoleSizes(columns[:, 0], columns[:, 1])


def _radius(valid: UInt8Array) -> float:
    if valid.max() == 0:
        return np.inf
    distance = cv2.distanceTransform(1 - valid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(distance.max())


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
    real = HoleSizes(given.hole_ratio[usable], given.radius_px[usable])
    search = _Search(real, shape_hw, (seed + 1) % 2**64, per_candidate, workers, progress)
    recipe = replace(search.best_of(candidates), seed=seed, hole_ratio=_ratios(real, shape_hw))
    drawn = _judge(recipe, judged, search.workers)
    return MaskFit(
        recipe=recipe,
        masks=len(real.hole_ratio),
        all_known=all_known,
        all_hole=all_hole,
        drawn=judged,
        hole_ratio_distance=kolmogorov(real.hole_ratio, drawn.hole_ratio),
        radius_distance=kolmogorov(real.radius_px, drawn.radius_px),
        chance=float(1.358 * np.sqrt(1 / len(real.hole_ratio) + 1 / judged)),
        candidates=len(search.scores),
    )


def _ratios(real: HoleSizes, shape_hw: tuple[int, int]) -> tuple[float, ...]:
    """Return the ratios to order: quantiles of the real ones, no more of them than there are."""
    steps = np.linspace(0, 1, max(2, min(QUANTILES, len(real.hole_ratio))))
    return tuple(_drawable(ratio, shape_hw) for ratio in np.quantile(real.hole_ratio, steps))


def _drawable(ratio: float, shape_hw: tuple[int, int]) -> float:
    """Round a ratio to what is printed, within what every walk can be asked for."""
    least = 1 / (shape_hw[0] * shape_hw[1])
    return float(f"{min(max(ratio, least), min(LARGEST_SHARE.values())):.5g}")


def _judge(recipe: MaskRecipe, count: int, workers: int) -> HoleSizes:
    jobs = [DrawJob(recipe, first, min(first + 50, count)) for first in range(0, count, 50)]
    parts = [sizes for _, sizes in run_jobs(draw_and_measure, jobs, workers) if sizes is not None]
    return HoleSizes(
        np.concatenate([part.hole_ratio for part in parts]),
        np.concatenate([part.radius_px for part in parts]),
    )


class _Search:
    """Coarse steps of brush and walkers, then the neighbours of the best, while one is better.

    Attributes
    ----------
    scores : dict of MaskRecipe to (float, float)
        What was tried: Kolmogorov distance of the radius, and the mean of the same difference,
        which still tells two candidates apart where their largest differences are equal.
    workers : int
    """

    def __init__(
        self,
        real: HoleSizes,
        shape_hw: tuple[int, int],
        seed: int,
        per_candidate: int,
        workers: int,
        progress: Progress,
    ) -> None:
        self.scores: dict[MaskRecipe, tuple[float, float]] = {}
        self.workers = workers
        self._radius, self._progress = real.radius_px, progress
        # evenly spaced quantiles differ less by chance than as many draws; in an order of no
        # pattern, for brush and walkers are drawn mask by mask
        places = (permutation(rng_for(seed, "fit-order"), per_candidate) + 0.5) / per_candidate
        ratios = np.quantile(real.hole_ratio, places)
        self._ratios = tuple(_drawable(ratio, shape_hw) for ratio in ratios)
        self._base = MaskRecipe(shape_hw, seed=seed, hole_ratio=(0.5,), start="uniform")
        # a brush of b draws holes of radius b / 2 and more
        self._widest = max(1, min(int(2 * real.radius_px.max()) + 1, min(shape_hw)))

    def best_of(self, candidates: int) -> MaskRecipe:
        """Try up to so many candidates and return the best."""
        self._try(self._coarse()[:candidates])
        expanded: list[MaskRecipe] = []
        in_vain = 0
        while in_vain < PATIENCE and len(self.scores) < candidates:
            best = self._best()
            if self.scores[best][0] <= GOOD:
                break
            ranked = sorted(self.scores, key=lambda recipe: sum(self.scores[recipe]))
            expanded.append(next(one for one in ranked if one not in expanded))
            self._try(self._neighbours(expanded[-1])[: candidates - len(self.scores)])
            in_vain = in_vain + 1 if self._best() == best else 0
        return self._best_of_finalists()

    def _best_of_finalists(self) -> MaskRecipe:
        """Draw more masks of the best few: the best of many is often the luckiest."""
        count = len(self._ratios)
        finalists = sorted(self.scores, key=lambda recipe: sum(self.scores[recipe]))[:FINALISTS]
        jobs = [
            DrawJob(recipe, count, (1 + MORE) * count, MORE * self._ratios) for recipe in finalists
        ]
        scores = {
            job.recipe: self._score(sizes)
            for job, sizes in run_jobs(draw_and_measure, jobs, self.workers)
        }
        return min(finalists, key=lambda recipe: sum(scores[recipe]))

    def _coarse(self) -> list[MaskRecipe]:
        typical = 2 * float(np.median(self._radius)) + 1
        single = [(one, one) for one in BRUSHES if one <= min(typical, self._widest)]
        within = [one for one in BRUSHES if one <= self._widest]
        ranges = [pair for pair in combinations(within, 2) if pair[0] <= typical]
        settings = [*product((1, 4, 16), single), *((1, pair) for pair in ranges)]
        return [
            replace(self._base, brush_px=brush_px, walkers=(walkers, walkers))
            for walkers, brush_px in settings
        ]

    def _best(self) -> MaskRecipe:
        return min(self.scores, key=lambda recipe: sum(self.scores[recipe]))

    def _neighbours(self, recipe: MaskRecipe) -> list[MaskRecipe]:
        """Return what differs in one respect and was not tried."""
        found = [
            *(replace(recipe, brush_px=pair) for pair in _moved(recipe.brush_px, self._widest)),
            *(replace(recipe, walkers=pair) for pair in _moved(recipe.walkers, MOST_WALKERS)),
            *(replace(recipe, border=border) for border in BORDERS),
            *(replace(recipe, start=start) for start in STARTS),
        ]
        return [one for one in dict.fromkeys(found) if one not in self.scores]

    def _try(self, recipes: list[MaskRecipe]) -> None:
        jobs = [DrawJob(recipe, 0, len(self._ratios), self._ratios) for recipe in recipes]
        if jobs and self.workers == 0:  # the first one shows what the others will take
            start = time.perf_counter()
            self._note(*draw_and_measure(jobs.pop(0)))
            seconds = (time.perf_counter() - start) * len(jobs)
            self.workers = (os.cpu_count() or 1) if seconds > WORTH_S else 1
        for job, sizes in run_jobs(draw_and_measure, jobs, self.workers):
            self._note(job, sizes)
        # in the order they were asked for, whichever worker was first
        order = {recipe: place for place, recipe in enumerate([*self.scores, *recipes])}
        self.scores = dict(sorted(self.scores.items(), key=lambda item: order[item[0]]))

    def _note(self, job: DrawJob, sizes: HoleSizes | None) -> None:
        self.scores[job.recipe] = self._score(sizes)
        self._progress(1)

    def _score(self, sizes: HoleSizes | None) -> tuple[float, float]:
        gaps = np.ones(1) if sizes is None else _gaps(self._radius, sizes.radius_px)
        return float(gaps.max()), float(gaps.mean())


def _moved(pair: tuple[int, int], most: int) -> list[tuple[int, int]]:
    """Return ranges near a range: its ends moved by one or by half, one or both."""
    low, high = pair
    lows, highs = (
        sorted({end - 1, end + 1, round(end / 1.5), round(end * 1.5 + 0.5)}) for end in pair
    )
    moved = [(one, high) for one in lows] + [(low, one) for one in highs]
    moved += [(one, round(high * one / low)) for one in lows]
    return [(one, other) for one, other in moved if 1 <= one <= other <= most]
