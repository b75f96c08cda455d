"""The steps of spreading one by one: farthest points, putting back, the linear programme."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from dunhuang_data.rng import rng_for
from dunhuang_data.spread import coverage, nearest_distances
from dunhuang_data.spread.coverage import cells_of
from dunhuang_data.spread.farthest import (
    evenly,
    farthest_first,
    farthest_points,
    lattice,
    put_back,
    smallest_squared,
)
from dunhuang_data.spread.interior_point import maximise
from dunhuang_data.spread.mend import mended
from dunhuang_data.spread.polish import Layout, polish
from dunhuang_data.spread.relax import pushed_apart


@given(st.integers(1, 30), st.integers(1, 45), st.integers(1, 12), st.integers(0, 999))
def test_each_point_is_the_farthest_there_was(
    rows: int, columns: int, count: int, seed: int
) -> None:
    """The defining property, checked against every position by brute force."""
    count = min(count, rows * columns)
    points = farthest_points(rows, columns, count, rng_for(seed, "c"), rows * columns)
    y, x = np.mgrid[0:rows, 0:columns]
    everywhere = np.stack([y.ravel(), x.ravel()], axis=1)
    for number in range(1, count):
        apart = ((everywhere[:, None] - points[None, :number]) ** 2).sum(-1).min(1)
        taken = ((points[number] - points[:number]) ** 2).sum(-1).min()
        assert taken == apart.max()


@given(st.integers(1, 500), st.integers(1, 60))
def test_an_even_axis_holds_both_ends(length: int, pitch: int) -> None:
    positions = evenly(length, pitch)
    assert positions[0] == 0
    assert positions[-1] == length - 1
    if length > 1:
        assert np.diff(positions).min() >= 1
        assert np.diff(positions).max() <= pitch


def test_a_lattice_has_enough_spots() -> None:
    ys, xs = lattice(445, 545, 4000)
    assert 4000 <= len(ys) * len(xs) < 6000
    ys, xs = lattice(7, 9, 4000)
    assert (len(ys), len(xs)) == (7, 9)


def test_putting_back_never_lowers_the_smallest_distance() -> None:
    ys, xs = lattice(200, 330, 2000)
    spots = np.stack([np.repeat(ys, len(xs)), np.tile(xs, len(ys))], axis=1)
    gained = []
    for seed in range(10):
        rng = rng_for(seed, "c")
        before = farthest_points(200, 330, 14, rng, 2000)
        after = put_back(spots, before, rng)
        assert smallest_squared(after) >= smallest_squared(before)
        gained.append(nearest_distances(after).min() / nearest_distances(before).min())
    assert np.median(gained) > 1.1


def test_farthest_first_is_a_permutation_that_begins_wide() -> None:
    points = np.array([[0, 0], [0, 1], [0, 50], [0, 100]])
    assert farthest_first(points, 1).tolist() == [[0, 1], [0, 100], [0, 50], [0, 0]]


@given(st.integers(0, 10_000))
def test_the_programme_is_solved_as_scipy_solves_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 9)), int(rng.integers(3, 20))
    columns = np.stack([rng.permutation(n)[:2] for _ in range(m)])
    values, limits = rng.normal(size=(m, 2)), rng.uniform(-0.5, 5, m)
    box = np.concatenate([np.arange(n), np.arange(n)])
    columns = np.concatenate([columns, np.stack([box, np.zeros(2 * n, int)], 1)])
    signs = np.repeat([1.0, -1.0], n)
    values = np.concatenate([values, np.stack([signs, np.zeros(2 * n)], 1)])
    limits = np.concatenate([limits, np.full(2 * n, 10.0)])
    objective = rng.normal(size=n)
    dense = np.zeros((len(limits), n))
    np.add.at(dense, (np.arange(len(limits))[:, None], columns), values)
    best = linprog(-objective, A_ub=dense, b_ub=limits, bounds=[(None, None)] * n)
    if best.status == 0:
        x = maximise(objective, columns, values, limits, np.zeros(n))
        assert (dense @ x <= limits + 1e-4).all()
        assert objective @ x == pytest.approx(-float(best.fun or 0.0), abs=2e-2)


def random_layout(seed: int, shape_hw: tuple[int, int], size: int, count: int) -> Layout:
    rng = np.random.default_rng(seed)
    places = rng.permutation((shape_hw[0] - size + 1) * (shape_hw[1] - size + 1))[:count]
    corners = np.stack(np.divmod(places, shape_hw[1] - size + 1), axis=1)
    return Layout(shape_hw, size, corners, True)


def test_polishing_mostly_covers_even_what_was_strewn_by_chance() -> None:
    covered = 0
    for seed in range(8):
        layout = random_layout(seed, (70, 95), 32, 14)  # 9 can cover it
        assert layout.uncovered
        covered += improved(layout).uncovered == 0
    assert covered >= 5


def improved(layout: Layout) -> Layout:
    done = polish(layout)
    assert done.rank > layout.rank
    assert cells_of(done.shape_hw, 32, done.corners).uncovered == done.uncovered
    assert (done.corners >= 0).all()
    assert (done.corners <= done.limits).all()
    assert (done.uncovered == 0) == (coverage((70, 95), 32, done.corners + 16) == 1.0)
    return done


def test_polishing_raises_the_distance_and_keeps_the_cover() -> None:
    even = np.array([(y, x) for y in (0, 19, 38) for x in (0, 21, 42, 63)])
    extra = np.array([(2, 3), (37, 61)])
    layout = Layout((70, 95), 32, np.concatenate([even, extra]), True)
    assert layout.rank == (True, 5)
    done = polish(layout)
    assert done.rank[0]
    assert done.rank[1] > 12**2


def test_what_cannot_be_covered_is_only_spread() -> None:
    layout = random_layout(3, (300, 410), 32, 9)
    layout = Layout(layout.shape_hw, layout.size, layout.corners, False)
    done = polish(layout)
    assert done.rank > layout.rank


def test_pushing_apart_keeps_order_and_never_loses() -> None:
    points = farthest_points(400, 700, 150, rng_for(0, "c"), 20_000)
    pushed = pushed_apart(400, 700, points, 51.0)
    assert smallest_squared(pushed) > smallest_squared(points)
    assert (pushed >= 0).all()
    assert (pushed < [400, 700]).all()
    crowded = np.stack(np.divmod(np.arange(12), 4), axis=1)  # every position is taken
    assert np.array_equal(pushed_apart(3, 4, crowded, 1.0), crowded)


def test_holes_are_mended_by_patches_nearby() -> None:
    even = np.array([(y, x) for y in (0, 19, 38) for x in (0, 21, 42, 63)])
    moved = even.copy()
    moved[5] += (3, 9)  # opens a piece of the picture
    before = cells_of((70, 95), 32, moved[[0, 2, 5, 6, 8, 10]]).uncovered
    assert before
    done = mended((70, 95), 32, moved[[0, 2, 3, 5, 6, 8, 10, 11, 1]])
    left = cells_of((70, 95), 32, done).uncovered
    assert left < cells_of((70, 95), 32, moved[[0, 2, 3, 5, 6, 8, 10, 11, 1]]).uncovered
    assert len({tuple(one) for one in done.tolist()}) == 9
    assert (done >= 0).all()
    assert (done <= [38, 63]).all()


def test_corners_stay_pinned_when_points_are_pushed() -> None:
    points = farthest_points(400, 700, 150, rng_for(3, "c"), 20_000)
    pushed = pushed_apart(400, 700, points, 51.0, pinned=True)
    found = {tuple(one) for one in pushed.tolist()}
    assert {(0, 0), (0, 699), (399, 0), (399, 699)} <= found
    assert len(found) == 150
