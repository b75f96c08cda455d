"""What is known beforehand: bounds, cover number, row layouts, and exact coverage."""

from math import ceil, hypot, inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunhuang_data.spread import (
    cover_number,
    coverage,
    distance_bounds,
    nearest_distances,
    pixels_by_depth,
)
from dunhuang_data.spread import coverage as coverage_of
from dunhuang_data.spread.bounds import row_layout
from dunhuang_data.spread.coverage import cells_of

PROVEN = {  # largest smallest distance of N points in the unit square (proven for N <= 30 and 36)
    2: sqrt(2), 3: sqrt(6) - sqrt(2), 4: 1.0, 5: sqrt(2) / 2, 6: 0.600925, 7: 0.535898,
    8: 0.517638, 9: 0.5, 10: 0.421280, 13: 0.366096, 16: 1 / 3, 20: 0.286612, 25: 0.25,
    30: 0.224503, 36: 0.2,
}  # fmt: skip


@pytest.mark.parametrize(("count", "best"), PROVEN.items())
def test_the_bracket_holds_the_proven_optima_of_the_square(count: int, best: float) -> None:
    side = 2000
    low, high = distance_bounds((side + 256, side + 256), 256, count)
    assert low <= best * side + 1e-6
    assert best * side <= high + 1e-6
    assert low >= 0.9 * best * side


def test_a_segment_and_a_point() -> None:
    low, high = distance_bounds((256, 2000), 256, 25)
    assert low == 72.0
    assert high == pytest.approx(1744 / 24)
    assert distance_bounds((256, 300), 256, 1) == (inf, inf)
    low, high = distance_bounds((257, 2000), 256, 2)
    assert low == high == pytest.approx(hypot(1, 1744)) or low <= high


@given(st.integers(1, 40), st.integers(1, 70), st.integers(2, 30))
def test_a_row_layout_lies_inside_and_has_the_distance_that_is_said(
    rows: int, columns: int, count: int
) -> None:
    corners = row_layout(rows, columns, count)
    assert corners.min() >= 0
    assert (corners < [rows, columns]).all()
    assert len(corners) <= count
    if len(corners) == count:
        low, high = distance_bounds((rows + 4, columns + 4), 5, count)
        assert low == pytest.approx(nearest_distances(corners).min())
        assert low <= high


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40))
def test_the_cover_number_is_what_an_even_grid_needs(height: int, width: int, size: int) -> None:
    height, width = max(height, size), max(width, size)
    down, across = ceil(height / size), ceil(width / size)
    assert cover_number((height, width), size) == down * across
    ys = np.arange(down) * (height - size) // max(1, down - 1)
    xs = np.arange(across) * (width - size) // max(1, across - 1)
    centers = np.array([(y, x) for y in ys for x in xs]) + size // 2
    assert coverage((height, width), size, centers) == 1.0


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, int], int, np.ndarray]:
    size = draw(st.integers(1, 20))
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    corner = st.tuples(st.integers(-size, height), st.integers(-size, width))
    corners = draw(st.lists(corner, min_size=1, max_size=12))
    return (height, width), size, np.array(corners)


@given(layouts())
def test_depth_equals_counting_pixels(case: tuple[tuple[int, int], int, np.ndarray]) -> None:
    """Also for patches that reach over the edge, as on padded pictures."""
    (height, width), size, corners = case
    seen = np.zeros((height, width), dtype=int)
    for top, left in corners.tolist():
        seen[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] += 1
    pixels = pixels_by_depth((height, width), size, corners + size // 2)
    assert pixels.tolist() == np.bincount(seen.ravel(), minlength=len(pixels)).tolist()
    assert coverage_of((height, width), size, corners + size // 2) == (seen > 0).mean()
    assert cells_of((height, width), size, corners).uncovered == (seen == 0).sum()


def test_many_patches_are_measured_tile_by_tile() -> None:
    rng = np.random.default_rng(0)
    shape_hw, size = (300, 470), 16
    corners = np.stack([rng.integers(0, side - size + 1, 700) for side in shape_hw], axis=1)
    seen = np.zeros(shape_hw, dtype=int)
    for top, left in corners.tolist():
        seen[top : top + size, left : left + size] += 1
    pixels = pixels_by_depth(shape_hw, size, corners + size // 2)
    assert pixels.tolist() == np.bincount(seen.ravel()).tolist()


def test_nearest_distances() -> None:
    assert nearest_distances(np.array([[3, 4]])).tolist() == [inf]
    found = nearest_distances(np.array([[0, 0], [3, 4], [3, 5], [3, 5]]))
    assert found.tolist() == [5.0, 1.0, 0.0, 0.0]
