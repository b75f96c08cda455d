"""Statistics against masks small enough to count by eye."""

import numpy as np
import pytest

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_stats import measure_masks


def mask(*rows: str) -> np.ndarray:
    return np.array([[character == "." for character in row] for row in rows], dtype=np.uint8)


DRAWN = mask(
    ".......",
    ".##....",
    ".###..#",
    ".##..#.",
    ".......",
)


def test_one_mask_counted_by_eye() -> None:
    stats = measure_masks([DRAWN])
    assert stats.hole_ratio[0] == pytest.approx(9 / 35)
    assert stats.holes[0] == 2  # the diagonal pair is one hole: 8-connected
    assert stats.touches_border[0]
    # the middle of the block, (2, 2), is the only hole pixel with all four neighbours in the hole
    assert stats.radius_px[0] == pytest.approx(np.sqrt(2))
    assert stats.depth_px[0] == pytest.approx((8 * 1 + np.sqrt(2)) / 9)


def test_extremes_are_counted_and_not_averaged() -> None:
    stats = measure_masks([np.ones((3, 4), np.uint8), np.zeros((3, 4), np.uint8)])
    document = stats.summary()
    assert document["all_known"] == 1
    assert document["all_hole"] == 1
    assert stats.holes.tolist() == [0, 1]
    assert document["depth_px"]["mean"] == 0  # type: ignore[index]
    assert measure_masks([np.zeros((3, 4), np.uint8)]).summary()["depth_px"]["mean"] is None  # type: ignore[index]


def test_the_buckets_add_up_and_own_their_upper_edge() -> None:
    def with_ratio(holes: int) -> np.ndarray:
        valid = np.ones(100, dtype=np.uint8)
        valid[:holes] = 0
        return valid.reshape(10, 10)

    counts = measure_masks([with_ratio(n) for n in (0, 1, 2, 10, 11, 60, 61)]).bucket_counts()
    assert counts == {
        "up to 0.01": 2, "0.01-0.1": 2, "0.1-0.2": 1, "0.2-0.3": 0,
        "0.3-0.4": 0, "0.4-0.5": 0, "0.5-0.6": 1, "above 0.6": 1,
    }  # fmt: skip


def test_the_heat_map_is_a_frequency() -> None:
    stats = measure_masks([DRAWN, np.ones_like(DRAWN)])
    assert np.array_equal(stats.hole_frequency, (1 - DRAWN) / 2)


def test_grey_values_and_mixed_sizes_are_sentences() -> None:
    grey = DRAWN.copy()
    grey[0, 0] = 255
    with pytest.raises(MaskError, match="Mask 1 holds 1 values other than 0 and 1"):
        measure_masks([DRAWN, grey])
    with pytest.raises(MaskError, match=r"Mask 1 is \(7, 5\), those before it \(5, 7\)"):
        measure_masks([DRAWN, DRAWN.T])
    with pytest.raises(MaskError, match="no mask to measure"):
        measure_masks([])
