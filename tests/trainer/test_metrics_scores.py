"""Every column of the table, recomputed with NumPy and scikit-image alone."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from drawings import draw_picture
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.metrics import (
    METRICS,
    REGIONS,
    columns,
    lmse,
    region_masks,
    score_picture,
    score_pictures,
    tallies,
)

UInt8Array = NDArray[np.uint8]
Four = tuple[UInt8Array, UInt8Array, UInt8Array, UInt8Array]


def words(shape: tuple[int, ...], name: str, bits: int) -> UInt8Array:
    raw = raw_words(rng_for(0, "scores", name), int(np.prod(shape))) >> np.uint64(64 - bits)
    return raw.reshape(shape).astype(np.uint8)


def scene(height: int = 47, width: int = 66, name: str = "scene") -> Four:
    """Return a target with a large and a small hole, known pixels that differ, and damage."""
    target = draw_picture(height, width, name)
    restored = np.clip(target.astype(int) + words(target.shape, name, 5) - 16, 0, 255)
    valid, damage = np.ones((2, height, width), np.uint8)
    damage[:] = 0
    valid[8:31, 20:49] = valid[-4:, :5] = valid[40, 40] = 0
    damage[12:15, 24:26] = damage[35:37, 60:] = damage[2, 3] = 1
    return restored.astype(np.uint8), target, valid, damage


def distances_to_known(valid: UInt8Array) -> NDArray[np.float64]:
    """Return them by looking at every pair of pixels."""
    known = np.argwhere(valid)
    result = np.full(valid.shape, np.inf)
    for place in np.argwhere(valid == 0):
        if len(known):
            result[tuple(place)] = np.sqrt(((known - place) ** 2).sum(axis=1).min())
    return result


def recomputed(
    restored: UInt8Array, target: UInt8Array, valid: UInt8Array, damage: UInt8Array
) -> dict[str, float]:
    metrics = pytest.importorskip("skimage.metrics")
    counts = damage == 0
    regions = {
        "hole": counts & (valid == 0),
        "rim": counts & (valid == 0) & (distances_to_known(valid) <= 3),
        "known": counts & (valid == 1),
        "whole": counts,
    }
    expected = {}
    error = restored.astype(np.float64) - target
    for name, where in regions.items():
        expected[f"mse_{name}"] = np.mean(error[where] ** 2)
        expected[f"l1_{name}"] = np.mean(np.abs(error[where]))
        expected[f"psnr_{name}"] = 10 * np.log10(255**2 / expected[f"mse_{name}"])
    gauss = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for column, margin, options in (("ssim_uniform7", 3, {}), ("ssim_gauss11", 5, gauss)):
        _, full = metrics.structural_similarity(
            target, restored, channel_axis=-1, data_range=255, full=True, **options
        )
        height, width = valid.shape
        usable = np.zeros(valid.shape, bool)
        for row in range(margin, height - margin):
            for column_px in range(margin, width - margin):
                window = damage[
                    row - margin : row + margin + 1, column_px - margin : column_px + margin + 1
                ]
                usable[row, column_px] = not window.any()
        for name, where in regions.items():
            expected[f"{column}_{name}"] = full.mean(axis=-1)[where & usable].mean()
    return expected


def test_every_regional_score_is_that_of_its_definition() -> None:
    four = scene()
    values, expected = score_picture(*four), recomputed(*four)
    assert set(columns()) - set(expected) == {"dssim", "lmse"}
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=1e-10), name
        assert np.isfinite(value)
    assert values["dssim"] == 1 - values["ssim_uniform7_whole"]
    restored, target, _, damage = four
    assert values["lmse"] == lmse(restored, target, damage)
    assert values["lmse"] != lmse(target, restored, damage)


def test_the_columns_are_named_in_the_order_of_tables() -> None:
    assert REGIONS == ("hole", "rim", "known", "whole")
    assert METRICS == ("mse", "l1", "psnr", "ssim_uniform7", "ssim_gauss11")
    assert columns()[:5] == ("mse_hole", "mse_rim", "mse_known", "mse_whole", "l1_hole")
    assert columns()[-2:] == ("dssim", "lmse")
    assert columns(course=True) == (*columns(), "mse_course_wrapped", "ssim_course")
    for course in (False, True):
        assert tuple(score_picture(*scene(), course=course)) == columns(course)


def test_the_rim_is_three_pixels_by_euclid() -> None:
    _, _, valid, damage = scene()
    rim = region_masks(valid, np.zeros_like(damage))["rim"]
    assert np.array_equal(rim, (valid == 0) & (distances_to_known(valid) <= 3))
    valid[:] = 0
    valid[20, 30] = 1
    rim = region_masks(valid, np.zeros_like(damage))["rim"]
    assert rim[20, 27]
    assert rim[22, 32]  # √8
    assert not rim[23, 31]  # √10
    assert not rim[20, 30]
    assert rim.sum() == 28
    damage[:] = 0
    damage[20, 30] = damage[20, 29] = 1  # a known pixel is known, though it does not count
    beside = region_masks(valid, damage)["rim"]
    assert beside.sum() == 27
    assert not beside[20, 29]


def test_hole_and_known_make_the_whole_and_damage_is_in_none() -> None:
    _, _, valid, damage = scene()
    regions = region_masks(valid, damage)
    assert np.array_equal(regions["hole"] | regions["known"], regions["whole"])
    assert not (regions["hole"] & regions["known"]).any()
    assert not (regions["rim"] & ~regions["hole"]).any()
    assert np.array_equal(regions["whole"], damage == 0)


@pytest.mark.parametrize("where", ["restored", "target"])
def test_damaged_pixels_change_no_score(where: str) -> None:
    restored, target, valid, damage = scene()
    changed = {"restored": restored, "target": target}[where]
    before = score_picture(restored, target, valid, damage)
    changed[damage == 1] ^= 0xFF
    assert score_picture(restored, target, valid, damage) == before
    damage[:] = 0
    assert score_picture(restored, target, valid, damage) != before


def test_known_pixels_change_no_error_of_holes_and_no_similarity_of_far_ones() -> None:
    restored, target, valid, damage = scene()
    before = score_picture(restored, target, valid, damage)
    restored[(valid == 1) & (damage == 0)] ^= 0x3F
    after = score_picture(restored, target, valid, damage)
    for name in columns():
        region = name.rpartition("_")[2]
        same = after[name] == before[name]
        # a window centred in a hole looks 3 or 5 px around itself, at known pixels too
        assert same == (region in ("hole", "rim") and "ssim" not in name), name
    valid[:] = 0
    valid[:, :20] = 1
    valid[:, 20:26], damage[:, 20:26] = 0, 1
    before = score_picture(restored, target, valid, damage)
    restored[valid == 1] ^= 0x3F
    after = score_picture(restored, target, valid, damage)
    assert after["ssim_gauss11_hole"] == before["ssim_gauss11_hole"]
    assert after["ssim_gauss11_known"] != before["ssim_gauss11_known"]


def test_hole_pixels_change_no_score_of_known_ones() -> None:
    restored, target, valid, damage = scene()
    before = score_picture(restored, target, valid, damage)
    restored[valid == 0] ^= 0x3F
    after = score_picture(restored, target, valid, damage)
    assert {name: after[name] == before[name] for name in ("mse_known", "l1_known")} == {
        "mse_known": True,
        "l1_known": True,
    }
    assert after["mse_hole"] != before["mse_hole"]


def test_a_perfect_restoration() -> None:
    _, target, valid, damage = scene()
    values = score_picture(target.copy(), target, valid, damage, course=True)
    for name, value in values.items():
        ideal = float("inf") if name.startswith("psnr") else 1 if name.startswith("ssim") else 0
        assert value == ideal, name


def test_what_is_not_there_has_no_score() -> None:
    restored, target, valid, damage = scene()
    valid[:] = 1
    values = score_picture(restored, target, valid, damage)
    assert {name for name in columns() if np.isnan(values[name])} == {
        f"{metric}_{region}" for metric in METRICS for region in ("hole", "rim")
    }
    damage[:] = 1
    assert all(np.isnan(value) for value in score_picture(restored, target, valid, damage).values())
    empty = tuple(one[:0] for one in scene())
    assert all(np.isnan(value) for value in score_picture(*empty, course=True).values())


def test_a_hole_without_a_known_pixel_has_no_rim() -> None:
    restored, target, valid, damage = scene()
    valid[:] = 0
    values = score_picture(restored, target, valid, damage)
    assert np.isnan(values["mse_rim"])
    assert values["mse_hole"] == values["mse_whole"]


def test_extreme_errors_are_summed_exactly() -> None:
    target = np.zeros((301, 203, 3), np.uint8)
    valid, damage = np.ones((2, 301, 203), np.uint8)
    damage[:] = 0
    values = score_picture(target + np.uint8(255), target, valid, damage)
    assert values["mse_known"] == 65025
    assert values["l1_known"] == 255
    assert values["psnr_known"] == 0


def test_a_batch_has_the_scores_of_its_pictures() -> None:
    scenes = [scene(name=name) for name in ("one", "two", "three")]
    batch = tuple(np.stack(planes) for planes in zip(*scenes, strict=True))
    alone = [score_picture(*one, course=True) for one in scenes]
    assert alone[0] != alone[1]
    for threads in (1, 2):
        assert score_pictures(*batch, course=True, threads=threads) == alone
    assert score_pictures(*(one[:0] for one in batch)) == []


def test_cut_into_bands_the_scores_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score_picture(*scene())
    monkeypatch.setattr(tallies, "BAND_PIXELS", 150)
    assert score_picture(*scene()) == pytest.approx(whole, abs=1e-13)


def test_worse_is_worse() -> None:
    _, target, valid, damage = scene()
    shifts = words(target.shape, "worse", 8).astype(int) - 128
    scores = [
        score_picture(
            np.clip(target + shifts * k // 8, 0, 255).astype(np.uint8), target, valid, damage
        )
        for k in (1, 3, 8)
    ]
    for better, worse in pairwise(scores):
        for name in columns():
            up = name.startswith(("psnr", "ssim"))
            assert (better[name] > worse[name]) is up, name


@pytest.mark.parametrize(
    ("place", "change", "sentence"),
    [
        (0, lambda one: one.astype(float), r"restored is float64 \(1, 47, 66, 3\), expected uint8"),
        (0, lambda one: one[:, :-1], r"restored is uint8 \(1, 46, 66, 3\), expected .*47, 66"),
        (1, lambda one: one[..., :2], r"target is uint8 .*2\), expected uint8 \(B, H, W, 3\)"),
        (2, lambda one: one.astype(bool), "valid is bool"),
        (2, lambda one: one * 255, "valid holds 255, expected 0 and 1 alone"),
        (3, lambda one: one[..., :-1], r"damage is uint8 \(1, 47, 65\)"),
        (3, lambda one: one + 1, "damage holds 2"),
    ],
)
def test_what_cannot_be_scored_is_a_sentence(
    place: int, change: Callable[[UInt8Array], UInt8Array], sentence: str
) -> None:
    four = [one[None] for one in scene()]
    four[place] = change(four[place])
    with pytest.raises(ValueError, match=sentence):
        score_pictures(*four)
