"""LMSE by hand, and the course's figure by the course's own arithmetic."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.metrics import (
    WHY_THEY_DIFFER,
    challenge,
    lmse,
    mse,
    mse_course_wrapped,
    score_picture,
    ssim,
)

UInt8Array = NDArray[np.uint8]


def noise(height: int, width: int, name: str, bits: int = 8) -> UInt8Array:
    words = raw_words(rng_for(0, "challenge", name), height * width * 3) >> np.uint64(64 - bits)
    return words.reshape(height, width, 3).astype(np.uint8)


def flat(height: int, width: int, value: int) -> UInt8Array:
    return np.full((height, width, 3), value, np.uint8)


def one_window_at_a_time(
    picture: UInt8Array, target: UInt8Array, damage: UInt8Array | None = None
) -> float:
    left = whole = 0.0
    height, width = target.shape[:2]
    for top in range(0, height - 19, 10):
        for start in range(0, width - 19, 10):
            window = (slice(top, top + 20), slice(start, start + 20))
            if damage is not None and damage[window].any():
                continue
            for channel in range(3):
                x, y = (
                    one[window][..., channel].astype(float).ravel() for one in (picture, target)
                )
                alpha = (x @ y) / (x @ x) if x.any() else 0.0
                left += np.sum((y - alpha * x) ** 2)
                whole += np.sum(y**2)
    return left / whole


@pytest.mark.parametrize("shape", [(20, 20), (29, 41), (53, 38)])
def test_lmse_is_its_definition(shape: tuple[int, int]) -> None:
    picture, target = noise(*shape, "a"), noise(*shape, "b")
    assert lmse(picture, target) == pytest.approx(one_window_at_a_time(picture, target), abs=1e-14)


def test_lmse_cut_into_bands_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, target = noise(77, 31, "a"), noise(77, 31, "b")
    damage = np.zeros((77, 31), np.uint8)
    damage[44, 4] = 1
    whole = lmse(picture, target, damage)
    monkeypatch.setattr(challenge, "BAND_PIXELS", 1)
    assert lmse(picture, target, damage) == pytest.approx(whole, abs=1e-15)


def test_lmse_by_hand_of_one_window() -> None:
    target, picture = flat(20, 20, 0), flat(20, 20, 0)
    target[:, :10], target[:, 10:] = 100, 50
    picture[:] = 10
    # α = (200 · 100 + 200 · 50) / (400 · 10) = 7.5: every pixel is 25 away, of 100² and 50²
    assert lmse(picture, target) == pytest.approx(400 * 25**2 / (200 * 100**2 + 200 * 50**2))


def test_lmse_by_hand_of_windows_that_overlap() -> None:
    target, picture = flat(20, 30, 100), flat(20, 30, 100)
    picture[:, :10] = 0  # in the left window alone, half of it
    # there α = 1, and half of the energy is lost; nothing in the right one
    assert lmse(picture, target) == pytest.approx(0.25)
    assert lmse(picture[:, ::-1], target) == pytest.approx(0.25)
    assert lmse(picture[:, :29], target[:, :29]) == pytest.approx(0.5)  # one window fits


def test_lmse_has_no_scale_and_black_scores_one() -> None:
    target = noise(31, 45, "scale", 6)
    assert lmse(target, target) == 0
    assert lmse(target * np.uint8(3), target) == 0
    assert lmse(np.zeros_like(target), target) == 1
    assert 0 < lmse(noise(31, 45, "other"), target) < 1


def test_lmse_leaves_windows_with_damage_out() -> None:
    picture, target = noise(43, 52, "a"), noise(43, 52, "b")
    damage = np.zeros((43, 52), np.uint8)
    damage[5, 7] = damage[42, 51] = 1  # the second is in no window
    before = lmse(picture, target, damage)
    assert before == pytest.approx(one_window_at_a_time(picture, target, damage), abs=1e-14)
    assert before != lmse(picture, target)
    picture[5, 7] ^= 0xFF
    assert lmse(picture, target, damage) == before
    damage[:] = 0
    damage[::10] = 1
    assert np.isnan(lmse(picture, target, damage))


def test_lmse_of_what_has_no_window_or_no_light_is_not_a_number() -> None:
    assert np.isnan(lmse(flat(19, 40, 9), flat(19, 40, 9)))
    assert np.isnan(lmse(flat(40, 19, 9), flat(40, 19, 9)))
    assert np.isnan(lmse(flat(21, 30, 9), flat(21, 30, 0)))


def test_lmse_counts_the_brightest_window_without_loss() -> None:
    target = flat(40, 30, 255)
    picture = target.copy()
    picture[0, 0] = 254
    assert lmse(picture, target) == pytest.approx(one_window_at_a_time(picture, target), rel=1e-9)
    assert lmse(picture, target) > 0


def course_script(ground_truth: UInt8Array, predicted: UInt8Array) -> float:
    """Return what the script printed: both arrays are uint8, and so is all in between."""
    difference = ground_truth - predicted
    assert difference.dtype == np.uint8
    power = difference**2
    assert power.dtype == np.uint8
    return float(np.mean(power))


def test_the_course_figure_is_that_of_its_arithmetic() -> None:
    target, picture = noise(33, 47, "t"), noise(33, 47, "p")
    assert mse_course_wrapped(picture, target) == course_script(target, picture)
    assert 95 < mse_course_wrapped(picture, target) < 115  # what it is near when all is wrong
    assert mse(picture, target) > 5000
    small = np.clip(target.astype(int) + noise(33, 47, "s", 4) - 7, 0, 255).astype(np.uint8)
    assert mse_course_wrapped(small, target) == pytest.approx(mse(small, target))


@pytest.mark.parametrize("levels", [0, 1, 15, 16, 17, 32, 48, 128, 255])
def test_every_error_wraps_as_it_did(levels: int) -> None:
    for dark, bright in ((0, levels), (levels, 0)):
        picture, target = flat(3, 4, dark), flat(3, 4, bright)
        assert mse_course_wrapped(picture, target) == levels**2 % 256
        assert mse(picture, target) == levels**2
        assert mse_course_wrapped(picture, target) == course_script(target, picture)


def test_the_course_figures_know_no_damage_and_stand_under_their_own_names() -> None:
    target, picture = noise(33, 47, "t"), noise(33, 47, "p")
    valid, damage = np.ones((2, 33, 47), np.uint8)
    damage[4:, 9:] = 0
    values = score_picture(picture, target, valid, damage, course=True)
    assert values["mse_course_wrapped"] == course_script(target, picture)
    assert values["ssim_course"] == pytest.approx(ssim(picture, target), abs=1e-13)
    assert values["ssim_course"] != values["ssim_uniform7_whole"]
    none = score_picture(picture, target, valid, np.zeros_like(damage), course=True)
    assert none["ssim_course"] == none["ssim_uniform7_whole"]


def test_the_reason_is_one_sentence() -> None:
    assert WHY_THEY_DIFFER.count(".") == 1 + WHY_THEY_DIFFER.count("script.")
    assert "wrap at 256" in WHY_THEY_DIFFER
    assert np.isnan(mse_course_wrapped(flat(0, 3, 0), flat(0, 3, 0)))
