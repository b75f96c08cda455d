"""Fills without training: known pixels stay, targets are not looked at."""

import cv2
import numpy as np
import pytest

from drawings import draw_picture
from dunhuang_data.errors import EnvironmentProblem
from dunhuang_trainer.baselines import BASELINES, biharmonic_fill


def test_every_table_has_these_in_this_order() -> None:
    assert list(BASELINES) == [
        "white", "mean colour", "push-pull", "push-pull, smooth", "Telea", "Navier-Stokes",
        "biharmonic",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_a_fill_leaves_known_pixels_and_needs_no_target(name: str) -> None:
    if name == "biharmonic":
        pytest.importorskip("skimage")
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 255, (24, 37, 3)).astype(np.uint8)
    valid = (rng.random((24, 37)) < 0.8).astype(np.uint8)
    filled = BASELINES[name](picture, valid)
    assert np.array_equal(filled[valid == 1], picture[valid == 1])
    blank = np.where(valid[..., None] == 1, picture, np.uint8(0))
    assert np.array_equal(BASELINES[name](blank, valid), filled)
    nothing = BASELINES[name](picture, np.zeros_like(valid))
    assert (nothing == (255 if name == "white" else 128)).all()
    assert np.array_equal(BASELINES[name](picture, np.ones_like(valid)), picture)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_fill_but_the_flat_ones_follows_a_slope(name: str) -> None:
    """A ramp with a hole off its middle: what lies between 40 and 200 is not flat."""
    if name == "biharmonic":
        pytest.importorskip("skimage")
    ramp = np.linspace(40, 200, 33).astype(np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (20, 33, 3)).copy()
    valid = np.ones((20, 33), dtype=np.uint8)
    valid[8:12, 24:28] = 0
    error = np.abs(BASELINES[name](picture, valid).astype(int) - picture).max()
    assert error > 10 if name in ("white", "mean colour") else error <= 10
    if name == "biharmonic":
        assert error <= 1  # a plane is its own smoothest surface


def test_biharmonic_without_scikit_image_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dunhuang_trainer.baselines.find_spec", lambda _name: None)
    with pytest.raises(EnvironmentProblem, match="needs scikit-image"):
        biharmonic_fill(np.zeros((4, 5, 3), np.uint8), np.ones((4, 5), np.uint8))


def test_mean_colour_is_the_mean_of_the_known() -> None:
    picture = np.zeros((2, 3, 3), dtype=np.uint8)
    picture[0] = [10, 20, 31]
    valid = np.array([[1, 1, 1], [1, 0, 0]], dtype=np.uint8)
    expected = np.rint(np.array([30, 60, 93]) / 4).tolist()
    assert BASELINES["mean colour"](picture, valid)[1, 2].tolist() == expected


@pytest.mark.parametrize(
    ("name", "method"), [("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)]
)
def test_opencv_looks_three_pixels_far(name: str, method: int) -> None:
    picture = draw_picture(30, 41, "radius")
    valid = np.ones((30, 41), dtype=np.uint8)
    valid[6:20, 9:25] = 0
    expected = cv2.inpaint(picture * valid[..., None], 1 - valid, 3, method)
    filled = BASELINES[name](picture, valid)
    assert np.array_equal(filled[valid == 0], np.asarray(expected)[valid == 0])
    other = cv2.inpaint(picture * valid[..., None], 1 - valid, 5, method)
    assert not np.array_equal(filled[valid == 0], np.asarray(other)[valid == 0])


def test_many_holes_are_filled_one_by_one_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one system of equations 12 million pixels took 7.6 GB."""
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 255, (50, 61, 3)).astype(np.uint8)
    valid = np.ones((50, 61), dtype=np.uint8)
    for top, left in ((3, 4), (20, 40), (35, 10), (44, 55)):
        valid[top : top + 6, left : left + 9] = 0
    restoration = pytest.importorskip("skimage.restoration")
    solve, asked = restoration.inpaint_biharmonic, []

    def noted(*given: object, **options: object) -> object:
        asked.append(options["split_into_regions"])
        return solve(*given, **options)

    monkeypatch.setattr(restoration, "inpaint_biharmonic", noted)
    holes = int((valid == 0).sum())
    monkeypatch.setattr("dunhuang_trainer.baselines.ALL_AT_ONCE", holes)
    together = biharmonic_fill(picture, valid)
    monkeypatch.setattr("dunhuang_trainer.baselines.ALL_AT_ONCE", holes - 1)
    apart = biharmonic_fill(picture, valid)
    assert asked == [False, True]
    assert np.abs(together.astype(int) - apart).max() <= 1
