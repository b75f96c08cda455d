"""The farthest-point rule, on shapes that are never square."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunhuang_data import spread
from dunhuang_data.errors import PlanError
from dunhuang_data.rng import rng_for
from dunhuang_data.spread import coverage, farthest_point_centers, nearest_distances


def test_the_rule_on_a_picture_drawn_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # patches of 2 px on 4 x 7 px: centres are rows 1-3, columns 1-6; the start is set to (1, 1)
    monkeypatch.setattr(spread, "draw_below", lambda rng, bound: 0)
    centers = farthest_point_centers((4, 7), 2, 4, rng_for(0, "unused"))
    #        columns 1 … 6
    #  row 1   1 . . 3 . .      2nd: the corner farthest from the 1st
    #  row 2   . . . . . .      3rd: the first of those whose nearest is at a squared 8
    #  row 3   . 4 . . . 2      4th: the first of those whose nearest is at a squared 5
    assert centers.tolist() == [[1, 1], [3, 6], [1, 4], [3, 2]]


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[int, int], int, int, int]:
    size = draw(st.integers(1, 24))
    rows = draw(st.integers(1, 40))
    columns = draw(st.integers(1, 40).filter(lambda value: value != rows))
    count = draw(st.integers(1, min(30, rows * columns)))
    return (rows + size - 1, columns + size - 1), size, count, draw(st.integers(0, 2**32))


@given(cases())
def test_every_centre_is_admissible_and_distinct(
    case: tuple[tuple[int, int], int, int, int],
) -> None:
    (height, width), size, count, seed = case
    centers = farthest_point_centers((height, width), size, count, rng_for(seed, "centers"))
    assert len({tuple(center) for center in centers.tolist()}) == count
    top_left = centers - size // 2
    assert top_left.min() >= 0
    assert (top_left + size <= [height, width]).all()


@given(cases())
def test_each_centre_is_the_farthest_there_was(
    case: tuple[tuple[int, int], int, int, int],
) -> None:
    """The defining property, checked against every admissible position by brute force."""
    (height, width), size, count, seed = case
    centers = farthest_point_centers((height, width), size, count, rng_for(seed, "centers"))
    y, x = np.mgrid[0 : height - size + 1, 0 : width - size + 1] + size // 2
    everywhere = np.stack([y.ravel(), x.ravel()], axis=1)
    for number in range(1, count):
        apart = ((everywhere[:, None] - centers[None, :number]) ** 2).sum(-1).min(1)
        taken = ((centers[number] - centers[:number]) ** 2).sum(-1).min()
        assert taken == apart.max()


def test_the_same_seed_gives_the_same_centres_and_another_others() -> None:
    def draw(seed: int) -> list[list[int]]:
        centers = farthest_point_centers((90, 150), 32, 9, rng_for(seed, "centers"))
        return [list(center) for center in centers.tolist()]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_it_spreads_wider_than_chance() -> None:
    shape, size = (200, 330), 64
    smallest = nearest_distances(
        farthest_point_centers(shape, size, 12, rng_for(0, "centers"))
    ).min()
    rng = np.random.default_rng(0)
    by_chance = []
    for _ in range(50):
        drawn = np.stack([rng.integers(32, 200 - 31, 12), rng.integers(32, 330 - 31, 12)], axis=1)
        by_chance.append(nearest_distances(drawn).min())
    assert smallest > max(by_chance)


def test_huge_pictures_use_a_lattice_that_holds_the_last_row_and_column(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spread, "EXACT_UP_TO", 1000)
    shape, size = (301, 517), 64
    centers = farthest_point_centers(shape, size, 20, rng_for(0, "centers")) - size // 2
    assert centers[:, 0].max() == shape[0] - size
    assert centers[:, 1].max() == shape[1] - size
    assert nearest_distances(centers).min() > 60


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((31, 90), "is smaller than a patch of 32 px"), ((33, 34), "has 6 positions .* 7 distinct")],
)
def test_what_cannot_be_is_said(shape: tuple[int, int], sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence):
        farthest_point_centers(shape, 32, 7, rng_for(0, "centers"))


def test_all_positions_can_be_taken() -> None:
    centers = farthest_point_centers((33, 34), 32, 6, rng_for(0, "centers"))
    assert sorted(map(tuple, (centers - 16).tolist())) == [
        (y, x) for y in range(2) for x in range(3)
    ]


@given(cases())
def test_coverage_equals_counting_pixels(case: tuple[tuple[int, int], int, int, int]) -> None:
    shape, size, count, seed = case
    centers = farthest_point_centers(shape, size, count, rng_for(seed, "centers"))
    seen = np.zeros(shape, dtype=bool)
    for top, left in (centers - size // 2).tolist():
        seen[top : top + size, left : left + size] = True
    assert coverage(shape, size, centers) == pytest.approx(seen.mean())


def test_one_patch_has_no_neighbour() -> None:
    assert nearest_distances(np.array([[3, 4]])).tolist() == [float("inf")]
