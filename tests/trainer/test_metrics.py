"""Metrics in float64: nothing wraps, and SSIM is scikit-image's."""

import numpy as np
import pytest

from drawings import draw_picture
from dunhuang_trainer.metrics import (
    damage_free_windows,
    mse,
    psnr_from_mse,
    ssim,
    ssim_map,
)


def test_differences_of_sixteen_do_not_wrap_to_zero() -> None:
    ten, twenty_six = (np.full((3, 4, 3), value, dtype=np.uint8) for value in (10, 26))
    assert mse(ten, twenty_six) == 256
    assert float(np.mean((ten - twenty_six) ** 2)) == 0  # the course's figure


def test_only_the_pixels_that_count_are_counted() -> None:
    picture, target = np.zeros((2, 3, 4, 3), dtype=np.uint8)
    picture[0, 1] = [3, 0, 0]
    picture[2, 3] = 255
    where = np.zeros((3, 4), dtype=bool)
    where[0] = True
    assert mse(picture, target, where) == pytest.approx(9 / 3 / 4)
    assert np.isnan(mse(picture, target, np.zeros((3, 4), dtype=bool)))


def test_psnr_is_that_of_the_definition() -> None:
    assert psnr_from_mse(255**2) == pytest.approx(0)
    assert psnr_from_mse(65.025) == pytest.approx(30)
    assert psnr_from_mse(0) == float("inf")


@pytest.mark.parametrize("noise", [0, 3, 40])
def test_ssim_equals_scikit_image(noise: int) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(noise)
    target = draw_picture(45, 61, "ssim")
    change = rng.integers(-noise, noise + 1, target.shape)
    picture = np.clip(target.astype(int) + change, 0, 255).astype(np.uint8)
    expected = metrics.structural_similarity(picture, target, channel_axis=-1)
    assert ssim(picture, target) == pytest.approx(expected, abs=1e-9)


def test_the_map_is_undefined_where_the_window_does_not_fit() -> None:
    picture = draw_picture(20, 31, "map")
    similarity = ssim_map(picture, picture)
    assert np.isnan(similarity[:3]).all()
    assert np.isnan(similarity[:, -3:]).all()
    assert similarity[3:-3, 3:-3] == pytest.approx(1)


def test_windows_with_damage_do_not_count() -> None:
    damage = np.zeros((20, 31), dtype=np.uint8)
    damage[10, 12] = 1
    free = damage_free_windows(damage)
    assert not free[7:14, 9:16].any()
    assert free.sum() == 20 * 31 - 49


@pytest.mark.parametrize(
    ("picture", "target", "sentence"),
    [
        (np.zeros((8, 9, 3)), np.zeros((8, 9, 3), np.uint8), "picture is float64"),
        (np.zeros((8, 9, 3), np.uint8), np.zeros((9, 8, 3), np.uint8), "differ in shape"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(
    picture: np.ndarray, target: np.ndarray, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        ssim_map(picture, target)


def test_a_picture_smaller_than_the_window_has_no_similarity() -> None:
    picture = draw_picture(6, 9, "tiny")
    assert np.isnan(ssim_map(picture, picture)).all()
    assert np.isnan(ssim(picture, picture))
