"""One patch: exact without a turn, one warp with it, a mark where it left the picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawings import HoledPicture, draw_picture
from dunhuang_data.augment import draw_augmentations
from dunhuang_data.errors import PlanError
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.render import ArrayPicture, render_patch
from dunhuang_data.rng import rng_for
from dunhuang_data.spread import spread_centers
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


def test_what_is_not_there_takes_the_nearest_colour_and_is_marked() -> None:
    there = np.ones((60, 90), dtype=np.uint8)
    there[:, 60:] = 0
    pixels = np.full((60, 90, 3), 150, dtype=np.uint8) * there[..., None]  # black beyond
    image, damage = render_patch(HoledPicture(pixels, there), (30, 50), 32, Augmentation())
    assert (image == 150).all()
    assert damage[:, :26].max() == 0
    assert damage[:, 26:].min() == 1
    turned, damage = render_patch(
        HoledPicture(pixels, there), (30, 40), 32, Augmentation(angle_deg=25)
    )
    assert (turned == 150).all()  # nothing black is blended in
    assert 0 < damage.mean() < 0.3


def test_real_damage_is_shown_and_marked_and_turns_with_the_patch() -> None:
    sound = np.ones((83, 121), dtype=np.uint8)
    sound[38:45, 55:66] = 0
    damage_mask = HoledPicture(PIXELS, sound)
    image, damage = render_patch(PICTURE, (40, 60), 32, Augmentation(flip=True), 1.0, damage_mask)
    plain, _ = render_patch(PICTURE, (40, 60), 32, Augmentation(flip=True))
    assert np.array_equal(image, plain)
    assert np.array_equal(damage, 1 - sound[24:56, 44:76][:, ::-1])
    _, turned = render_patch(PICTURE, (40, 60), 33, Augmentation(angle_deg=90), 1.0, damage_mask)
    upright = 1 - sound[24:57, 44:77]
    assert (turned >= np.rot90(upright)).all()  # it may only grow, by the reach of the kernel
    assert turned.sum() <= (7 + 4) * (11 + 4)


@pytest.mark.parametrize("angle_deg", [0.0, 17.0])
def test_a_patch_at_half_scale_shows_twice_as_much(angle_deg: float) -> None:
    y, x = np.mgrid[0:120, 0:172]
    smooth = np.stack([x, y, x + y], axis=-1).astype(np.float64) * 0.8
    picture = ArrayPicture(np.rint(smooth).astype(np.uint8))
    turn = Augmentation(angle_deg=angle_deg)
    large, _ = render_patch(picture, (60, 80), 64, turn)
    small, damage = render_patch(picture, (30, 40), 32, turn, 0.5)
    halved = large.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert not damage.any()
    assert np.abs(small - halved).max() < 1.5


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((160, 208, 3), dtype=np.uint8)
    stripes[:, ::3] = 255
    image, _ = render_patch(ArrayPicture(stripes), (20, 26), 32, Augmentation(), 0.25)
    assert np.abs(image.astype(int) - 85).max() < 25  # a third is white; unblurred, 0 to 255


def test_enlarging_keeps_the_place_and_marks_nothing() -> None:
    picture = ArrayPicture(PIXELS[:20, :30])
    image, damage = render_patch(picture, (20, 30), 40, Augmentation(), 2.0)
    assert not damage.any()
    back = image.reshape(20, 2, 20, 2, 3).mean(axis=(1, 3))
    assert np.abs(back - PIXELS[:20, 5:25]).mean() < 12


def test_a_small_picture_is_padded_by_reflection_and_marked() -> None:
    picture = ArrayPicture(PIXELS[:20, :50])
    image, damage = render_patch(picture, (10, 25), 32, Augmentation())
    assert np.array_equal(image[6:26], PIXELS[:20, 9:41])
    assert np.array_equal(image[5], image[7])  # reflected about the first row
    assert damage[6:26].max() == 0
    assert damage[:6].min() == 1
    assert damage[26:].min() == 1
    with pytest.raises(PlanError, match="does not lie inside a picture of 20 x 50 px"):
        render_patch(picture, (15 + 8, 25), 32, Augmentation())


def test_under_two_percent_of_turned_patches_come_from_outside() -> None:
    """The whole plan of an 800 x 700 picture, its turned patches alone."""
    shape_hw, outside, turned = (700, 800), [], 0
    picture = ArrayPicture(draw_picture(*shape_hw, "outside"))
    recipe = PlanRecipe()
    for seed in range(3):
        centers = spread_centers(shape_hw, 256, 25, rng_for(seed, "centers", "a"))
        for center, turn in zip(
            centers.tolist(),
            draw_augmentations(rng_for(seed, "augment", "a", 0), 25, recipe),
            strict=True,
        ):
            if turn.angle_deg:
                turned += 1
                outside.append(render_patch(picture, tuple(center), 256, turn)[1].mean())
    assert turned > 25
    assert 0 < np.mean(outside) < 0.02


def test_the_window_is_wide_enough_for_the_kernel() -> None:
    """Compared with OpenCV's warp of the whole picture, which needs no window."""
    noise = np.random.default_rng(0).integers(0, 256, PIXELS.shape, dtype=np.uint8)
    for angle_deg in (-41.0, -23.4, -8.7, 1.3, 8.0, 17.7, 29.1, 41.0):
        center = (41, 60)
        turn = Augmentation(angle_deg=angle_deg)
        image, damage = render_patch(ArrayPicture(noise), center, 32, turn)
        c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
        y, x = center[0] - 16 + 15.5, center[1] - 16 + 15.5
        matrix = np.array([[c, -s, x - (c - s) * 15.5], [s, c, y - (s + c) * 15.5]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        whole = cv2.warpAffine(noise, matrix, (32, 32), flags=flags, borderMode=cv2.BORDER_REFLECT)
        assert not damage.any()
        assert np.abs(image.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_no_unmarked_pixel_has_a_part_in_damage(scale: float) -> None:
    """A white picture, black where it is damaged: whatever is not white must be marked."""
    sound = np.ones((300, 420), dtype=np.uint8)
    sound[:, 201:] = 0
    pixels = np.repeat((sound * np.uint8(255))[..., None], 3, axis=2)
    picture, damage_mask = ArrayPicture(pixels), HoledPicture(pixels, sound)
    center = (int(150 * scale), int(200 * scale))
    turn = Augmentation(angle_deg=17.0)
    image, damage = render_patch(picture, center, 32, turn, scale, damage_mask)
    assert 0 < damage.mean() < 1
    assert image[damage == 0].min() >= 250
    assert damage.sum() < 32 * 32 * 0.75


def test_a_patch_is_never_a_view_of_the_picture() -> None:
    pixels = PIXELS.copy()
    image, _ = render_patch(ArrayPicture(pixels), (41, 60), 32, Augmentation())
    image[:] = 0
    assert np.array_equal(pixels, PIXELS)
    full = ArrayPicture(pixels[:, :83].copy())
    image, _ = render_patch(full, (41, 41), 83, Augmentation())
    image[:] = 0
    assert np.array_equal(full.pixels, PIXELS[:, :83])
