"""One patch: exact without a turn, one warp with it, a mark where it left the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawings import draw_picture
from dunhuang_data.errors import PlanError
from dunhuang_data.render import ArrayPicture, render_patch
from dunhuang_data.types import Augmentation

PIXELS = draw_picture(83, 121, "render")
PICTURE = ArrayPicture(PIXELS)


@given(st.integers(1, 40), st.data(), st.booleans())
def test_without_a_turn_it_is_the_pictures_own_pixels(
    size: int, data: st.DataObject, flip: bool
) -> None:
    top = data.draw(st.integers(0, 83 - size))
    left = data.draw(st.integers(0, 121 - size))
    center = (top + size // 2, left + size // 2)
    image, damage = render_patch(PICTURE, center, size, Augmentation(flip=flip))
    expected = PIXELS[top : top + size, left : left + size]
    assert np.array_equal(image, expected[:, ::-1] if flip else expected)
    assert not damage.any()


def test_a_quarter_turn_is_counter_clockwise() -> None:
    for size in (20, 21):
        patch, _ = render_patch(PICTURE, (40, 60), size, Augmentation())
        turned, damage = render_patch(PICTURE, (40, 60), size, Augmentation(angle_deg=90))
        assert np.array_equal(turned, np.rot90(patch, 1))
        assert not damage.any()


def test_the_flip_comes_after_the_turn() -> None:
    turned, _ = render_patch(PICTURE, (40, 60), 24, Augmentation(angle_deg=17.5))
    both, _ = render_patch(PICTURE, (40, 60), 24, Augmentation(flip=True, angle_deg=17.5))
    assert np.array_equal(both, turned[:, ::-1])


def test_a_spot_lands_where_the_geometry_says() -> None:
    picture = np.zeros((101, 151, 3), dtype=np.uint8)
    picture[30:33, 90:93] = 255  # centre (31, 91): 19.5 up, 15.5 right
    turned, _ = render_patch(ArrayPicture(picture), (51, 76), 60, Augmentation(angle_deg=30))
    y, x = np.argwhere(turned[..., 0] > 128).mean(axis=0)
    up, right = 50.5 - 31, 91 - 75.5
    angle = np.radians(30)
    assert 29.5 - y == pytest.approx(up * np.cos(angle) + right * np.sin(angle), abs=0.5)
    assert x - 29.5 == pytest.approx(right * np.cos(angle) - up * np.sin(angle), abs=0.5)


def test_a_window_of_the_picture_gives_what_the_whole_gives() -> None:
    """The crop before the warp must not show: a far larger picture gives the same patch."""
    large = np.pad(PIXELS, ((300, 300), (300, 300), (0, 0)), mode="reflect")
    turn = Augmentation(angle_deg=-23.4)
    image, damage = render_patch(PICTURE, (41, 60), 32, turn)
    inside, _ = render_patch(ArrayPicture(large), (341, 360), 32, turn)
    assert not damage.any()
    assert np.array_equal(image, inside)


def test_corners_beyond_the_picture_are_reflected_and_marked() -> None:
    size = 40
    image, damage = render_patch(PICTURE, (20, 20), size, Augmentation(angle_deg=30))
    assert damage[0, 0] == 1  # the corner of the picture turned out of it
    assert damage[size // 2, size // 2] == 0
    assert 0.02 < damage.mean() < 0.12
    assert image[damage == 1].min() > 0  # reflected picture, not black
    #  every unmarked pixel has its source inside the picture
    angle = np.radians(30)
    for y, x in np.argwhere(damage == 0)[::17]:
        dy, dx = y - 19.5, x - 19.5
        assert -1e-6 <= 19.5 + np.sin(angle) * dx + np.cos(angle) * dy <= 82
        assert -1e-6 <= 19.5 + np.cos(angle) * dx - np.sin(angle) * dy <= 120


def test_a_patch_outside_the_picture_is_a_sentence() -> None:
    with pytest.raises(PlanError, match="patch of 32 px centred at row 15, column 60 does not lie"):
        render_patch(PICTURE, (15, 60), 32, Augmentation())
