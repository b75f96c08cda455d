"""1 = known, 0 = hole, in every form a mask takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dunhuang_data.polarity import hole_ratio, pack, unpack, valid_from_grey


def test_a_single_hole_is_a_zero() -> None:
    valid = np.ones((4, 5), dtype=np.uint8)
    valid[1, 2] = 0
    assert hole_ratio(valid) == pytest.approx(1 / 20)


def test_white_means_what_the_user_says() -> None:
    grey = np.array([[0, 127, 128, 255]], dtype=np.uint8)
    assert valid_from_grey(grey, "known").tolist() == [[0, 0, 1, 1]]
    assert valid_from_grey(grey, "hole").tolist() == [[1, 1, 0, 0]]


def test_the_first_pixel_is_the_highest_bit() -> None:
    valid = np.array([[1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1]], dtype=np.uint8)
    assert pack(valid).tolist() == [[0b10000001, 0b10100000]]


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 19)), elements=st.integers(0, 1))
)
def test_packing_can_be_undone(valid: np.ndarray) -> None:
    assert np.array_equal(unpack(pack(valid), valid.shape[-1]), valid)


@pytest.mark.parametrize("holes", [1, 10, 20, 30, 40, 50, 60, 100])
def test_the_hole_ratio_of_a_round_share_is_that_number(holes: int) -> None:
    valid = np.ones((10, 20), dtype=np.uint8)
    valid.flat[: 2 * holes] = 0
    assert hole_ratio(valid) == holes / 100
