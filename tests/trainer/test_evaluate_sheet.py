"""The sheet of the best, the median and the worst: who is on it, and that all of it is seen."""

import numpy as np
import pytest

from drawings import draw_picture
from dunhuang_data.errors import UsageProblem
from dunhuang_trainer.evaluate.sheet import Shown, draw_sheet, pick
from sample_scores import NAN, sample


def _scores(*mses: float) -> list[tuple[str, float]]:
    return [(f"k{number}", mse) for number, mse in enumerate(mses)]


@pytest.mark.parametrize(
    ("mses", "each", "expected"),
    [
        ([], 2, []),
        ([4.0], 2, [("only sample", "k0")]),
        ([4.0, 2.0], 2, [("best", "k1"), ("worst", "k0")]),
        ([4.0, 2.0, 3.0], 2, [("best", "k1"), ("median", "k2"), ("worst", "k0")]),
        ([4.0, 2.0, 3.0, 1.0], 1, [("best", "k3"), ("median", "k1"), ("worst", "k0")]),
        (
            [1.0, 2.0, 3.0, 4.0],
            2,
            [("best", "k0"), ("median", "k1"), ("median", "k2"), ("worst", "k3")],
        ),
        ([5.0, 5.0, 5.0], 1, [("best", "k0"), ("median", "k1"), ("worst", "k2")]),
        ([NAN, 4.0, NAN, 2.0], 1, [("best", "k3"), ("worst", "k1")]),
        (
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
            2,
            [
                ("best", "k0"),
                ("second best", "k1"),
                ("median", "k3"),
                ("median", "k4"),
                ("second worst", "k5"),
                ("worst", "k6"),
            ],
        ),
    ],
)
def test_best_median_and_worst_are_picked(
    mses: list[float], each: int, expected: list[tuple[str, str]]
) -> None:
    scores = [sample("mine", key, mse) for key, mse in _scores(*mses)]
    scores += [sample("mine", "no hole", NAN), sample("other", "k0", -1.0)]
    assert pick(scores, "mine", each) == expected
    assert pick(scores[::-1], "mine", each) == expected


@pytest.mark.parametrize("count", range(1, 12))
@pytest.mark.parametrize("each", [1, 2, 3])
def test_no_sample_is_picked_twice_and_few_are_all_picked(count: int, each: int) -> None:
    errors = np.random.RandomState(count).permutation(count)
    scores = [sample("mine", f"k{number}", float(mse)) for number, mse in enumerate(errors)]
    found = pick(scores, "mine", each)
    keys = [key for _, key in found]
    assert len(set(keys)) == len(keys) == min(count, 3 * each)
    picked = [int(errors[int(key[1:])]) for key in keys]
    assert picked == sorted(picked)
    assert {0, (count - 1) // 2, count - 1} <= set(picked) or count == 2


def test_a_method_that_was_not_scored_is_a_sentence() -> None:
    with pytest.raises(UsageProblem, match="There are no scores of yours, but of mine"):
        pick([sample("mine", "x", 1.0)], "yours")


def _shown(height: int, width: int, key: str = "k") -> Shown:
    target = draw_picture(height, width, "k")
    valid = np.ones((height, width), dtype=np.uint8)
    valid[height // 4 : height // 2, width // 3 : width // 2] = 0
    restored = np.where(valid[..., None] == 1, target, np.uint8(7))
    return Shown("worst", key, target, valid, restored, 12.3)


def test_small_pictures_are_enlarged_and_keep_every_pixel() -> None:
    one = _shown(24, 32)
    sheet = draw_sheet([one])
    error = np.clip(4 * np.abs(one.restored.astype(int) - one.target.astype(int)), 0, 255)
    masked = np.where(one.valid[..., None] == 1, one.target, np.uint8(255))
    top = sheet.shape[0] - 6 - 6 * 24
    assert sheet.shape[1] == 4 * (192 + 6) + 6
    for place, picture in enumerate((masked, one.restored, one.target, error)):
        left = 6 + place * 198
        shown = sheet[top : top + 144, left : left + 192]
        assert np.array_equal(shown[3::6, 3::6], picture)


def test_pictures_of_all_sizes_have_one_width_and_are_shown_whole() -> None:
    """The corners of each target are marked: they must be found on the sheet."""
    samples = [_shown(48, 40), _shown(300, 700), _shown(900, 100)]
    for one in samples:
        height, width = one.valid.shape
        one.target[:] = 0
        one.target[: height // 8, : width // 8] = (255, 0, 0)
        one.target[-(height // 8) :, -(width // 8) :] = (0, 0, 255)
    sheet = draw_sheet(samples)
    width = 200  # 40 px five times; all others are brought to it
    assert sheet.shape[1] == 4 * (width + 6) + 6
    heights = [240, round(300 * width / 700), 400]
    assert sheet.shape[0] == sum(heights) + 3 * (6 + 44 + 6)
    left, top = 6 + 2 * 206, 0
    for one, height in zip(samples, heights, strict=True):
        top += 6 + 44
        shown = sheet[top : top + height, left : left + width]
        wide = width if one.valid.shape[1] != 100 else round(100 * 400 / 900)
        assert shown[2, 2].tolist() == [255, 0, 0]
        assert shown[height - 3, wide - 3].tolist() == [0, 0, 255]
        assert (shown[:, wide:] == 235).all()
        top += height + 6


def test_the_error_is_taken_before_a_picture_is_shrunk() -> None:
    """A chequered error: its mean over pixels is not zero, as that of the shrunk pictures is."""
    target = np.full((768, 768, 3), 100, dtype=np.uint8)
    restored = target.copy()
    restored[::2, ::2] = 110
    restored[1::2, 1::2] = 90
    valid = np.zeros((768, 768), dtype=np.uint8)
    sheet = draw_sheet([Shown("best", "k", target, valid, restored, 50.0)])
    assert sheet.shape[1] == 4 * (384 + 6) + 6
    assert sheet[200, 6 + 3 * 390 + 100].tolist() == [20, 20, 20]
    assert sheet[200, 6 + 390 + 100].tolist() == [100, 100, 100]


def test_long_and_foreign_keys_change_no_picture_and_stay_on_the_sheet() -> None:
    plain, long = draw_sheet([_shown(24, 32)]), draw_sheet([_shown(24, 32, "Höhle/" * 60)])
    assert plain.shape == long.shape
    assert np.array_equal(plain[50:], long[50:])
    assert not np.array_equal(plain[:28], long[:28])
    assert (long[:50, -4:] == 235).all()
    assert not np.array_equal(long[:28], draw_sheet([_shown(24, 32, "")])[:28])  # its end is there
    none = draw_sheet([Shown("best", "k", *_arrays(_shown(24, 32)), NAN)])
    assert none.shape == plain.shape


def _arrays(one: Shown) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return one.target, one.valid, one.restored
