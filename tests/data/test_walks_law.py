"""The law of the walk: fair and independent steps, and what follows from them."""

import numpy as np
import pytest

from dunhuang_data.recipe import BORDERS
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.walks import NEVER, WalkRule, first_visits, random_walk
from dunhuang_data.walks.steps import Walker
from walk_oracle import sites


def mean_distinct_sites(steps: int) -> float:
    """Return the exact mean number of sites that a walk of so many steps visits on the plane.

    The sum over k of P(no return within k steps) (Dvoretzky & Erdős 1951). A walk is back after 2m
    steps with u_m = (C(2m, m) / 4^m)^2, and some visit to the origin is the last one within n
    steps, so the sum over m of u_m P(no return within n - 2m) is 1.
    """
    half = steps // 2
    back = np.cumprod(np.concatenate([[1.0], 1 - 0.5 / np.arange(1, half + 1)])) ** 2
    none = np.empty(half + 1)
    for m in range(half + 1):
        none[m] = 1 - back[1 : m + 1] @ none[:m][::-1]
    return float(none[np.arange(steps + 1) // 2].sum())


def test_directions_are_equally_likely_and_steps_independent() -> None:
    count = 400_000
    symbols = raw_words(rng_for(0, "mask", 0), count // 32).astype("<u8").view(np.uint8)
    directions = ((symbols[:, None] >> np.array([0, 2, 4, 6])) & 3).ravel()
    share = np.bincount(directions, minlength=4) / count
    assert np.abs(share - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / count)
    pairs = np.bincount(4 * directions[:-1] + directions[1:], minlength=16) / (count - 1)
    assert np.abs(pairs - 1 / 16).max() < 5 * np.sqrt(1 / 16 / count)


def test_mean_squared_displacement_is_the_number_of_steps() -> None:
    walks, steps = 4000, 330
    ends = np.empty((walks, 2))
    for index in range(walks):
        walker = Walker(rng_for(0, "mask", index), (5, -8))
        ends[index] = walker.take(steps).path.end_yx
    moved = (ends - (5, -8)) / np.sqrt(steps)
    # squared distance / N is exponential with mean 1 in the limit, so its sd is 1
    assert (moved**2).sum(axis=1).mean() == pytest.approx(1, abs=4 / np.sqrt(walks))
    assert np.abs(moved.mean(axis=0)).max() < 4 * np.sqrt(0.5 / walks)
    assert abs((moved[:, 0] * moved[:, 1]).mean()) < 4 * 0.5 / np.sqrt(walks)


def test_the_exact_mean_is_the_known_one() -> None:
    assert mean_distinct_sites(0) == 1
    assert mean_distinct_sites(1) == 2
    assert mean_distinct_sites(2) == 2.75  # back on the start once in four
    assert mean_distinct_sites(100) == pytest.approx(49.50, abs=0.005)
    assert mean_distinct_sites(1000) == pytest.approx(363.58, abs=0.005)


@pytest.mark.parametrize(("steps", "walks"), [(100, 1500), (1001, 600)])
def test_mean_number_of_distinct_sites(steps: int, walks: int) -> None:
    rule = WalkRule(start="center")
    counts = [
        np.count_nonzero(first_visits((401, 413), steps, rng_for(1, "mask", index), rule) != NEVER)
        for index in range(walks)
    ]
    error = np.std(counts) / np.sqrt(walks)
    assert np.mean(counts) == pytest.approx(mean_distinct_sites(steps), abs=4 * error)
    assert error < 0.01 * np.mean(counts)  # so that pi N / ln N, 16 % off or more, fails


@pytest.mark.parametrize("border", BORDERS)
def test_consecutive_sites_are_neighbours(border: str) -> None:
    """Each new site is next to one visited the step before, or the walk came in from outside."""
    shape_hw, steps, rule = (13, 22), 2000, WalkRule(border, "uniform")
    in_order = sites(rng_for(2, "mask"), rule, shape_hw, steps)
    visits = first_visits(shape_hw, steps, rng_for(2, "mask"), rule)
    height, width = shape_hw
    seen = 0
    for y, x in np.argwhere((visits != NEVER) & (visits > 0)):
        before = in_order[visits[y, x] - 1]
        seen += 1
        if before is None:
            assert border == "drop"
            assert y in (0, height - 1) or x in (0, width - 1)
            continue
        away = np.abs([y - before[0], x - before[1]])
        if border == "torus":
            away = np.minimum(away, np.array(shape_hw) - away)
        assert away.sum() == 1
    assert seen > 100


def test_a_clipped_walk_stays_and_a_mirrored_one_moves() -> None:
    """In the long run clip and torus visit every cell alike; a mirror visits its own cell half."""
    shape_hw, steps, long = (3, 4), 40_000, {}
    for border in ("clip", "reflect", "torus"):
        counts = np.zeros(shape_hw)
        for site in sites(rng_for(6, "mask"), WalkRule(border), shape_hw, steps):
            assert site is not None
            counts[site] += 1
        long[border] = counts / steps
    assert np.abs(long["clip"] - 1 / 12).max() < 0.01
    assert np.abs(long["torus"] - 1 / 12).max() < 0.01
    mirrored = np.outer([0.5, 1, 0.5], [0.5, 1, 1, 0.5]) / 6
    assert np.abs(long["reflect"] - mirrored).max() < 0.01


def test_the_seeds_preset_makes_its_hole_ratio() -> None:
    # 50,000 steps on 256 px: 0.105 ± 0.01 over 1,000 masks, sd near 0.047; here 150 masks
    ratios = [
        1 - random_walk((256, 256), 50_000, rng_for(0, "mask", index)).mean()
        for index in range(150)
    ]
    assert np.mean(ratios) == pytest.approx(0.105, abs=4 * 0.047 / np.sqrt(150))
    assert np.std(ratios) == pytest.approx(0.047, abs=0.012)


@pytest.mark.parametrize(("border", "mean"), [("clip", 0.164), ("torus", 0.189)])
def test_the_other_rules_make_theirs(border: str, mean: float) -> None:
    rule = WalkRule(border, "uniform")
    ratios = [
        1 - random_walk((256, 256), 50_000, rng_for(0, "mask", index), rule).mean()
        for index in range(100)
    ]
    assert np.mean(ratios) == pytest.approx(mean, abs=4 * np.std(ratios) / 10)
