"""Walks are fitted to masks: known ones are found again, others are judged as far as they are."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_bank.importing import read_masks
from dunhuang_data.mask_fit import TARGET, HoleSizes, MaskFit, fit_walks, hole_sizes
from dunhuang_data.mask_fit.drawing import DrawJob, draw_and_measure, joined
from dunhuang_data.mask_orders import make_mask
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.mask_stats import kolmogorov_distance
from dunhuang_data.pictures import write_picture

WALK = MaskRecipe(shape_hw=(64, 72), count=200, seed=11)


def quick_fit(given: HoleSizes, candidates: int, workers: int = 1, judged: int = 60) -> MaskFit:
    return fit_walks(
        given, (64, 72), workers=workers, candidates=candidates, per_candidate=80, judged=judged
    )


def test_sizes_of_holes_are_counted_by_hand() -> None:
    valid = np.ones((20, 31), dtype=np.uint8)
    valid[5:10, 7:18] = 0  # its deepest pixel is 3 rows from the known ones
    sizes = hole_sizes([valid, np.ones((20, 31), np.uint8), np.zeros((20, 31), np.uint8)])
    assert sizes.hole_ratio.tolist() == [pytest.approx(55 / 620), 0, 1]
    assert sizes.radius_px.tolist() == [3, 0, np.inf]


@pytest.mark.parametrize(
    "recipe",
    [
        replace(WALK, steps=(2000, 2000)),
        replace(WALK, hole_ratio=(0.05, 0.4), brush_px=(5, 5), walkers=(4, 4), border="reflect"),
        replace(WALK, hole_ratio=(0.02, 0.3), brush_px=(3, 9), start="uniform"),
    ],
)
def test_known_walks_are_found_again(tmp_path: Path, recipe: MaskRecipe) -> None:
    for index in range(recipe.count):
        write_picture(tmp_path / f"{index:03d}.png", 1 - make_mask(recipe, index))
    masks = read_masks(tmp_path, "hole")
    given = hole_sizes(map(masks.read, range(len(masks))))
    fit = quick_fit(given, 70, judged=400)
    assert fit.reached
    assert fit.farthest <= TARGET
    assert fit.candidates <= 70
    assert (fit.masks, fit.drawn, fit.recipe.seed) == (200, 400, 0)
    # the figures are those of the masks that the recipe draws
    drawn = hole_sizes(make_mask(fit.recipe, index) for index in range(400))
    assert fit.distances["radius_px"] == kolmogorov_distance(given.radius_px, drawn.radius_px)
    assert fit.distances["hole_ratio"] == kolmogorov_distance(given.hole_ratio, drawn.hole_ratio)


def test_the_fit_is_the_same_on_any_number_of_workers() -> None:
    given = hole_sizes(make_mask(replace(WALK, brush_px=(4, 4)), index) for index in range(30))
    fits = [quick_fit(given, 8, workers) for workers in (1, 2)]
    assert len({str(asdict(fit)) for fit in fits}) == 1


def test_what_no_walk_draws_is_said() -> None:
    """Thirty masks of one hole each, a square of 30 px: a ratio of walks has no such radius."""
    valid = np.ones((64, 72), dtype=np.uint8)
    valid[10:40, 20:50] = 0
    given = hole_sizes([valid] * 30)
    fit = quick_fit(given, 12)
    assert not fit.reached
    assert fit.distances["hole_ratio"] <= TARGET
    assert fit.distances["radius_px"] > TARGET


def test_masks_without_holes_or_without_known_pixels_are_left_out() -> None:
    some = hole_sizes(make_mask(replace(WALK, steps=(500, 500)), index) for index in range(20))
    none, all_of_it = np.ones((64, 72), np.uint8), np.zeros((64, 72), np.uint8)
    given = joined([hole_sizes([none, all_of_it, none]), some])
    fit = quick_fit(given, 6)
    assert (fit.masks, fit.all_known, fit.all_hole) == (20, 2, 1)
    assert fit == replace(quick_fit(some, 6), all_known=2, all_hole=1)
    with pytest.raises(MaskError, match="Of 2 masks 1 have no hole and 1 no known pixel"):
        fit_walks(hole_sizes([none, all_of_it]), (64, 72))


def some_walks() -> HoleSizes:
    recipe = replace(WALK, steps=(500, 500), brush_px=(3, 3))
    return hole_sizes(make_mask(recipe, index) for index in range(20))


@pytest.mark.parametrize(("seed", "searched"), [(5, 6), (2**64 - 1, 0)])
def test_a_fit_is_judged_on_masks_that_the_search_has_not_seen(
    monkeypatch: pytest.MonkeyPatch, seed: int, searched: int
) -> None:
    seeds: dict[bool, set[int]] = {True: set(), False: set()}

    def noted(job: DrawJob) -> tuple[DrawJob, HoleSizes | None]:
        seeds[bool(job.ratios)].add(job.recipe.seed)
        return draw_and_measure(job)

    for module in ("search", "fitting"):
        monkeypatch.setattr(f"dunhuang_data.mask_fit.{module}.draw_and_measure", noted)
    fit = fit_walks(
        some_walks(), (64, 72), seed=seed, workers=1, candidates=3, per_candidate=10, judged=20
    )
    assert fit.recipe.seed == seed
    assert seeds == {True: {searched}, False: {seed}}


def test_the_order_in_which_workers_finish_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def backwards(function: Any, jobs: Any, workers: int) -> Any:
        return map(function, list(jobs)[::-1])

    # all candidates are equally good: the first that was asked for is taken
    monkeypatch.setattr("dunhuang_data.mask_fit.search.distribution_gaps", lambda *_: np.ones(1))
    fit = quick_fit(some_walks(), 6)
    for module in ("search", "fitting"):
        monkeypatch.setattr(f"dunhuang_data.mask_fit.{module}.run_jobs", backwards)
    again = quick_fit(some_walks(), 6)
    assert again.recipe == fit.recipe
    assert fit.recipe.brush_px == (1, 1)
