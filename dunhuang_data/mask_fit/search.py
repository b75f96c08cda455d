"""The search for the walks that come nearest: coarse steps, then neighbours of the best."""

import time
from dataclasses import replace
from itertools import combinations, product

import numpy as np

from dunhuang_data.atomic import Progress
from dunhuang_data.executors import cores, run_jobs
from dunhuang_data.mask_fit.drawing import (
    DrawJob,
    HoleSizes,
    draw_and_measure,
    drawable_ratio,
    steps_for,
)
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.mask_stats.comparison import distribution_gaps
from dunhuang_data.recipe import BORDERS, STARTS
from dunhuang_data.rng import permutation, rng_for
from dunhuang_data.walks import WalkRule

GOOD = 0.02  # distance in the search at which it ends
WORTH_S = 4.0  # seconds of work; below, workers do not start in the time they save
PATIENCE = 2  # rounds of neighbours without a better one
FINALISTS, MORE = 6, 4  # candidates that are drawn again, and how many times as many masks
MOST_WALKERS = 100
BRUSHES = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 135)


class Search:
    """Coarse steps of brush and walkers, then the neighbours of the best, while one is better.

    Attributes
    ----------
    scores : dict of MaskRecipe to (float, float)
        What was tried: the larger Kolmogorov distance of hole ratio and radius, and the mean over
        all statistics of the distance and of the mean difference, which still tells two
        candidates apart where their largest differences are equal.
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
        self._real, self._progress = real, progress
        # evenly spaced quantiles differ less by chance than as many draws; in an order of no
        # pattern, for brush and walkers are drawn mask by mask
        places = (permutation(rng_for(seed, "fit-order"), per_candidate) + 0.5) / per_candidate
        ratios = np.quantile(real.hole_ratio, places)
        self._ratios = tuple(drawable_ratio(ratio, shape_hw) for ratio in ratios)
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
            DrawJob(recipe, count, (1 + MORE) * count, MORE * self._ordered(recipe))
            for recipe in finalists
        ]
        scores = {
            job.recipe: self._score(sizes)
            for job, sizes in run_jobs(draw_and_measure, jobs, self.workers)
        }
        return min(finalists, key=lambda recipe: sum(scores[recipe]))

    def _coarse(self) -> list[MaskRecipe]:
        typical = 2 * float(np.median(self._real.radius_px)) + 1
        single = [(one, one) for one in BRUSHES if one <= min(typical, self._widest)]
        within = [one for one in BRUSHES if one <= self._widest]
        ranges = [pair for pair in combinations(within, 2) if pair[0] <= typical]
        settings = [*product((1, 4, 16), single), *((1, pair) for pair in ranges)]
        wide = [
            replace(self._base, brush_px=brush_px, walkers=(walkers, walkers))
            for walkers, brush_px in settings
        ]
        places = product(BORDERS, ("uniform", "box"))
        plain = [replace(self._base, border=border, start=start) for border, start in places]
        return list(dict.fromkeys([*plain, *self._by_steps(), *wide]))

    def _by_steps(self) -> list[MaskRecipe]:
        """Return plain walks of so many steps as fill what is given: alike, or from few to many.

        Without an order, ratio and extent vary together, as they do in masks of other walks.
        """
        ratios = np.quantile(self._real.hole_ratio, (0.05, 0.5, 0.95)).tolist()
        found = []
        for border, start in product(BORDERS, ("uniform", "box")):
            rule = WalkRule(border, start)
            steps = steps_for(ratios, self._base.shape_hw, rule, self._base.seed)
            if steps is not None:
                low, middle, high = steps
                plain = replace(self._base, hole_ratio=(), border=border, start=start)
                found += [replace(plain, steps=(middle, middle)), replace(plain, steps=(low, high))]
        return found

    def _best(self) -> MaskRecipe:
        return min(self.scores, key=lambda recipe: sum(self.scores[recipe]))

    def _neighbours(self, recipe: MaskRecipe) -> list[MaskRecipe]:
        """Return what differs in one respect and was not tried."""
        if not recipe.to_order:
            low, high = recipe.steps
            scales = ((0.9, 0.9), (1.1, 1.1), (0.85, 1), (1.15, 1), (1, 0.85), (1, 1.15))
            pairs = [(round(low * one), round(high * other)) for one, other in scales]
            moved = [replace(recipe, steps=pair) for pair in pairs if pair[0] <= pair[1]]
            return [one for one in moved if one not in self.scores]
        found = [
            *(replace(recipe, brush_px=pair) for pair in _moved(recipe.brush_px, self._widest)),
            *(replace(recipe, walkers=pair) for pair in _moved(recipe.walkers, MOST_WALKERS)),
            *(replace(recipe, border=border) for border in BORDERS),
            *(replace(recipe, start=start) for start in STARTS),
        ]
        return [one for one in dict.fromkeys(found) if one not in self.scores]

    def _try(self, recipes: list[MaskRecipe]) -> None:
        count = len(self._ratios)
        jobs = [DrawJob(recipe, 0, count, self._ordered(recipe)) for recipe in recipes]
        if jobs and self.workers == 0:  # the first one shows what the others will take
            start = time.perf_counter()
            self._note(*draw_and_measure(jobs.pop(0)))
            seconds = (time.perf_counter() - start) * len(jobs)
            self.workers = cores() if seconds > WORTH_S else 1
        for job, sizes in run_jobs(draw_and_measure, jobs, self.workers):
            self._note(job, sizes)
        # in the order they were asked for, whichever worker was first
        order = {recipe: place for place, recipe in enumerate([*self.scores, *recipes])}
        self.scores = dict(sorted(self.scores.items(), key=lambda item: order[item[0]]))

    def _note(self, job: DrawJob, sizes: HoleSizes | None) -> None:
        self.scores[job.recipe] = self._score(sizes)
        self._progress(1)

    def _ordered(self, recipe: MaskRecipe) -> tuple[float, ...]:
        return self._ratios if recipe.to_order else ()

    def _score(self, sizes: HoleSizes | None) -> tuple[float, float]:
        if sizes is None:
            return 1.0, 2.0
        gaps = {
            name: distribution_gaps(column, sizes.values[name])
            for name, column in self._real.values.items()
        }
        farthest = max(float(gaps[name].max()) for name in ("hole_ratio", "radius_px"))
        return farthest, float(np.mean([gap.max() + gap.mean() for gap in gaps.values()]))


def _moved(pair: tuple[int, int], most: int) -> list[tuple[int, int]]:
    """Return ranges near a range: its ends moved by one or by half, one or both."""
    low, high = pair
    lows, highs = (
        sorted({end - 1, end + 1, round(end / 1.5), round(end * 1.5 + 0.5)}) for end in pair
    )
    moved = [(one, high) for one in lows] + [(low, one) for one in highs]
    moved += [(one, round(high * one / low)) for one in lows]
    return [(one, other) for one, other in moved if 1 <= one <= other <= most]
