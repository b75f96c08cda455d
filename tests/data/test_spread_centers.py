"""Patch centres: always as many as asked for, spread, covering, the same everywhere."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunhuang_data.errors import PlanError
from dunhuang_data.rng import rng_for
from dunhuang_data.spread import (
    METHODS,
    Allowed,
    cover_number,
    coverage,
    distance_bounds,
    nearest_distances,
    spread_centers,
    worth_covering,
)
from dunhuang_data.spread import centers as centers_module
from dunhuang_data.spread.centers import covering_rows
from dunhuang_data.spread.polish import Layout, polish

Case = tuple[tuple[int, int], int, int, int]


def spread(shape_hw: tuple[int, int], size: int, count: int, seed: int = 0) -> np.ndarray:
    return spread_centers(shape_hw, size, count, rng_for(seed, "centers", "a"))


@st.composite
def cases(draw: st.DrawFn, most: int = 12) -> Case:
    size = draw(st.integers(1, 24))
    rows = draw(st.integers(1, 60))
    columns = draw(st.integers(1, 60).filter(lambda value: value != rows))
    count = draw(st.integers(1, min(most, rows * columns)))
    return (rows + size - 1, columns + size - 1), size, count, draw(st.integers(0, 2**32))


@pytest.mark.parametrize("method", [name for name in METHODS if name != "grid"])
@given(case=cases())
def test_exactly_as_many_distinct_centres_as_asked_for(method: str, case: Case) -> None:
    shape_hw, size, count, seed = case
    centers = METHODS[method](shape_hw, size, count, rng_for(seed, "centers"), None)
    assert len({tuple(center) for center in centers.tolist()}) == count == len(centers)
    corners = centers - size // 2
    assert corners.min() >= 0
    assert (corners + size <= shape_hw).all()


@given(cases())
def test_at_least_half_of_the_best_possible_distance(case: Case) -> None:
    """Gonzalez's guarantee; the best layout of rows is possible, so half of it must be reached."""
    shape_hw, size, count, seed = case
    if count > 1:
        low, high = distance_bounds(shape_hw, size, count)
        assert low / 2 - 1 <= nearest_distances(spread(shape_hw, size, count, seed)).min() <= high


@given(cases(most=20))
def test_covered_wherever_it_is_possible(case: Case) -> None:
    shape_hw, size, count, seed = case
    least = cover_number(shape_hw, size)
    if worth_covering(shape_hw, size, count):
        assert count >= least
        assert coverage(shape_hw, size, spread(shape_hw, size, count, seed)) == 1.0
    elif count >= least:  # then covering costs more than half of the distance
        shorter = min(shape_hw) - size
        assert 0 < 2 * shorter < distance_bounds(shape_hw, size, count)[0]


@pytest.mark.parametrize(
    ("shape_hw", "count"),
    [((700, 800), 25), ((800, 1072), 25), ((528, 1344), 25), ((800, 700), 12), ((1268, 1255), 25)],
)
def test_real_sizes_are_covered_and_spread(shape_hw: tuple[int, int], count: int) -> None:
    for seed in range(2):
        centers = spread(shape_hw, 256, count, seed)
        assert coverage(shape_hw, 256, centers) == 1.0
        if count > cover_number(shape_hw, 256):
            low, _ = distance_bounds(shape_hw, 256, count)
            assert nearest_distances(centers).min() >= 0.93 * low


def test_a_space_one_pixel_high_reaches_the_whole_number_optimum() -> None:
    centers = spread((256, 2000), 256, 25)
    gaps = np.diff(np.sort(centers[:, 1]))
    assert (centers[:, 0] == 128).all()
    assert gaps.min() == 72  # 1744 px hold 24 gaps of 72.67 px
    assert sorted(centers[:, 1].tolist())[0] == 128
    assert sorted(centers[:, 1].tolist())[-1] == 2000 - 128


def test_a_thin_strip_reaches_the_rows() -> None:
    shape_hw = (260, 2000)  # 8 patches cover it, and then the corners are 4 px apart at most
    low, _ = distance_bounds(shape_hw, 256, 7)
    centers = spread(shape_hw, 256, 7)
    assert nearest_distances(centers).min() >= 0.97 * low


def test_a_picture_of_exactly_one_patch() -> None:
    assert spread((256, 256), 256, 1).tolist() == [[128, 128]]
    with pytest.raises(PlanError, match=r"has 1 position .* 2 distinct patches do not exist, at m"):
        spread((256, 256), 256, 2)


def test_all_positions_can_be_taken_and_not_one_more() -> None:
    centers = spread((33, 34), 32, 6)
    assert sorted(map(tuple, (centers - 16).tolist())) == [
        (y, x) for y in range(2) for x in (0, 1, 2)
    ]
    with pytest.raises(PlanError, match=r"has 6 positions .* at most 6"):
        spread((33, 34), 32, 7)
    with pytest.raises(PlanError, match="is smaller than a patch of 32 px"):
        spread((31, 90), 32, 1)


def test_first_and_last_row_and_column_are_reached() -> None:
    for seed in range(3):
        corners = spread((90, 150), 32, 12, seed) - 16
        assert corners.min(axis=0).tolist() == [0, 0]
        assert corners.max(axis=0).tolist() == [58, 118]


def test_one_patch_may_lie_anywhere() -> None:
    found = {tuple(spread((34, 36), 32, 1, seed)[0].tolist()) for seed in range(150)}
    assert found == {(y + 16, x + 16) for y in range(3) for x in range(5)}


def test_every_prefix_is_spread() -> None:
    centers = spread((700, 800), 256, 25)
    first = nearest_distances(centers[:9]).min()
    by_chance = [
        nearest_distances(centers[np.random.default_rng(seed).permutation(25)[:9]]).min()
        for seed in range(30)
    ]
    assert first > np.median(by_chance)


def test_the_same_seed_gives_the_same_centres_and_another_others() -> None:
    assert np.array_equal(spread((300, 450), 64, 25, 1), spread((300, 450), 64, 25, 1))
    assert not np.array_equal(spread((300, 450), 64, 25, 1), spread((300, 450), 64, 25, 2))


GOLDEN = {
    ("max-distance", 25): "c239ea246d551abe",
    ("max-distance", 300): "7063d28097be07b2",
    ("poisson", 25): "7711ea4e26986294",
    ("random", 25): "fd1b3b539642b0eb",
    ("grid", 25): "7e7e2d23bc9da514",
}


@pytest.mark.parametrize(("method", "count"), GOLDEN)
def test_golden_centres(method: str, count: int) -> None:
    """No release of NumPy or SciPy may move a patch; a change of the method must say so."""
    centers = METHODS[method]((700, 800), 256, count, rng_for(7, "centers", "golden"), None)
    digest = hashlib.sha256(centers.astype("<i8").tobytes()).hexdigest()[:16]
    assert digest == GOLDEN[method, count]


def test_many_patches_are_pushed_apart() -> None:
    shape_hw, size, count = (900, 1500), 64, 300
    centers = spread(shape_hw, size, count)
    _, high = distance_bounds(shape_hw, size, count)
    assert len({tuple(one) for one in centers.tolist()}) == count
    assert nearest_distances(centers).min() > 0.82 * high
    assert coverage(shape_hw, size, centers) > 0.75


def test_a_crowded_space_still_gives_distinct_patches() -> None:
    centers = spread((64 + 13, 64 + 16), 64, 200)  # of 14 x 17 positions
    assert len({tuple(one) for one in centers.tolist()}) == 200


@pytest.fixture
def left_half() -> Allowed:
    y, x = np.mgrid[0:60, 0:50]
    corners = np.stack([y.ravel(), x.ravel()], axis=1)
    return Allowed(corners, 60 * 100)


@pytest.mark.parametrize("method", ["max-distance", "poisson", "random"])
def test_patches_keep_to_what_is_allowed(method: str, left_half: Allowed) -> None:
    centers = METHODS[method]((91, 131), 32, 20, rng_for(1, "centers"), left_half)
    corners = centers - 16
    assert len({tuple(one) for one in corners.tolist()}) == 20
    assert corners[:, 1].max() < 50
    assert corners[:, 0].max() > 40  # all of the left half is used
    with pytest.raises(PlanError, match=r"has 3000 admissible positions .* at most 3000"):
        METHODS[method]((91, 131), 32, 3001, rng_for(1, "centers"), left_half)


def test_a_grid_cannot_step_aside(left_half: Allowed) -> None:
    with pytest.raises(PlanError, match="a grid cannot step aside"):
        METHODS["grid"]((91, 131), 32, 20, rng_for(1, "centers"), left_half)
    with pytest.raises(PlanError, match="puts some of them on the same pixel"):
        METHODS["grid"]((34, 35), 32, 10, rng_for(1, "centers"), None)


def test_random_sets_are_equally_likely() -> None:
    counts = np.zeros((3, 4), dtype=int)
    for seed in range(600):
        for y, x in METHODS["random"]((10, 11), 8, 3, rng_for(seed, "c"), None) - 4:
            counts[y, x] += 1
    expected = 600 * 3 / 12
    assert ((counts - expected) ** 2 / expected).sum() < 30  # chi squared, 11 degrees of freedom


def test_poisson_is_spread_wider_than_chance() -> None:
    smallest = {
        method: np.median(
            [
                nearest_distances(
                    METHODS[method]((300, 450), 64, 20, rng_for(seed, "c"), None)
                ).min()
                for seed in range(8)
            ]
        )
        for method in ("max-distance", "poisson", "random")
    }
    assert smallest["max-distance"] > smallest["poisson"] > 3 * smallest["random"]


def test_poor_starts_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two starts are spoilt; the third must come, and win."""
    real, calls = polish, []

    def spoilt(layout: Layout) -> Layout:
        calls.append(layout)
        return (
            layout.at(np.stack([np.arange(25), np.zeros(25, int)], 1))
            if len(calls) < 3
            else real(layout)
        )

    monkeypatch.setattr(centers_module, "polish", spoilt)
    centers = spread((700, 800), 256, 25)
    assert len(calls) == 3
    assert nearest_distances(centers).min() > 100


def test_nine_places_for_nine_patches() -> None:
    centers = spread((258, 258), 256, 9)
    assert sorted(map(tuple, (centers - 128).tolist())) == [
        (y, x) for y in (0, 1, 2) for x in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    ("shape_hw", "count"),
    [((2560, 3328), 130), ((3000, 3100), 200), ((900, 1500), 300), ((256, 4000), 140)],
)
def test_many_patches_cover_what_they_can(shape_hw: tuple[int, int], count: int) -> None:
    centers = spread(shape_hw, 256, count)
    assert len({tuple(one) for one in centers.tolist()}) == count
    assert coverage(shape_hw, 256, centers) == 1.0
    low, _ = distance_bounds(shape_hw, 256, count)
    assert nearest_distances(centers).min() > 0.85 * low


def test_a_strip_is_not_covered_at_the_price_of_equal_patches() -> None:
    shape_hw = (261, 1177)  # to cover its last 5 rows, two patches would be 5 px apart
    low, _ = distance_bounds(shape_hw, 256, 18)
    assert not worth_covering(shape_hw, 256, 18)
    assert nearest_distances(spread(shape_hw, 256, 18)).min() > 0.9 * low > 45


@given(cases(most=60))
def test_rows_that_cover_cover(case: Case) -> None:
    shape_hw, size, count, seed = case
    corners = covering_rows(shape_hw, size, count, rng_for(seed, "c"))
    if count < cover_number(shape_hw, size):
        assert len(corners) == 0
    else:
        assert len(corners) == count
        assert (corners >= 0).all()
        assert (corners + size <= shape_hw).all()
        assert coverage(shape_hw, size, corners + size // 2) == 1.0


def test_the_last_start_covers_when_all_others_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    *first, _, cover_start = centers_module.STARTS
    monkeypatch.setattr(centers_module, "polish", lambda layout: layout)
    monkeypatch.setattr(centers_module, "STARTS", (*first, cover_start))
    assert coverage((700, 800), 256, spread((700, 800), 256, 12)) == 1.0
    monkeypatch.setattr(centers_module, "STARTS", tuple(first))
    assert coverage((700, 800), 256, spread((700, 800), 256, 12)) < 1.0


def test_rows_are_tried_on_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    shape_hw = (330, 2600)
    low, _ = distance_bounds(shape_hw, 256, 21)
    monkeypatch.setattr(centers_module, "polish", lambda layout: layout)
    assert nearest_distances(spread(shape_hw, 256, 21)).min() == low
    monkeypatch.setattr(centers_module, "STARTS", centers_module.STARTS[:4])
    assert nearest_distances(spread(shape_hw, 256, 21)).min() < low


@given(cases(most=600))
def test_many_patches_are_distinct_however_crowded(case: Case) -> None:
    shape_hw, size, count, seed = case
    centers = spread(shape_hw, size, count, seed)
    assert len({tuple(one) for one in centers.tolist()}) == count
    corners = centers - size // 2
    assert corners.min() >= 0
    assert (corners + size <= shape_hw).all()


def test_a_prefix_of_rows_is_spread_too() -> None:
    centers = spread((2560, 3328), 256, 130)  # as many as just cover it
    few = nearest_distances(centers[:12]).min()
    assert few >= 3 * nearest_distances(centers).min()
