"""Scores: recomputed here from the samples with NumPy alone."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from dunhuang_data.errors import DatasetError, EnvironmentProblem
from dunhuang_data.types import Samples
from dunhuang_trainer.baselines import ALL_BASELINES, BASELINES, biharmonic_fill
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.data import open_split
from dunhuang_trainer.evaluate import (
    SampleScore,
    Sheet,
    evaluate_split,
    predict,
    score,
    summary,
    write_scores,
)
from dunhuang_trainer.model import PartialConvUNet

CPU = torch.device("cpu")
CONFIG = ModelConfig(4, 3)


@pytest.fixture(scope="module")
def model() -> PartialConvUNet:
    torch.manual_seed(0)
    return PartialConvUNet(CONFIG).eval()


def test_every_method_is_scored_on_every_sample(dataset: Path, model: PartialConvUNet) -> None:
    reader = open_split(dataset, "test", CONFIG)
    scores = evaluate_split(model, reader, CPU, batch_size=4)
    assert len(scores) == 6 * (1 + len(BASELINES))
    assert [one.row for one in scores if one.method == "Telea"] == list(range(6))
    samples = reader.read(range(6))
    restored = predict(model, samples, CPU)
    for one in scores:
        if one.method != "network":
            continue
        difference = restored[one.row].astype(float) - samples.image[one.row].astype(float)
        hole = samples.valid[one.row] == 0
        assert one.hole_ratio == pytest.approx(hole.mean())
        assert one.mse_hole == pytest.approx((difference[hole] ** 2).mean())
        assert one.mse_whole == pytest.approx((difference**2).mean())
        assert one.mse_whole == pytest.approx(one.mse_hole * one.hole_ratio)  # known: exact


def test_the_batch_size_changes_no_score(dataset: Path, model: PartialConvUNet) -> None:
    reader = open_split(dataset, "test", CONFIG)
    one, other = (evaluate_split(model, reader, CPU, batch) for batch in (1, 5))
    assert [a.mse_hole for a in one] == pytest.approx([b.mse_hole for b in other], rel=1e-3)


def test_known_pixels_of_a_prediction_are_the_targets(
    dataset: Path, model: PartialConvUNet
) -> None:
    samples = open_split(dataset, "val", CONFIG).read(range(8))
    restored = predict(model, samples, CPU)
    known = samples.valid == 1
    assert np.array_equal(restored[known], samples.image[known])
    assert not np.array_equal(restored[~known], samples.image[~known])


def test_damage_never_counts() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 255, (32, 40, 3)).astype(np.uint8)
    valid = (rng.random((32, 40)) < 0.7).astype(np.uint8)
    damage = np.zeros((32, 40), dtype=np.uint8)
    damage[4:9, 20:31] = 1
    restored = np.where(valid[..., None] == 1, target, np.uint8(128))
    corrupted = np.where(damage[..., None] == 1, np.uint8(255) - target, target)
    before = score("network", 0, restored, target, valid, damage)
    after = score("network", 0, restored, corrupted, valid, damage)
    assert before == after
    assert before != score("network", 0, restored, corrupted, valid, np.zeros_like(damage))


def test_a_perfect_restoration_scores_perfectly() -> None:
    target = np.random.default_rng(1).integers(0, 255, (24, 31, 3)).astype(np.uint8)
    valid, none = np.ones((24, 31), np.uint8), np.zeros((24, 31), np.uint8)
    one = score("network", 3, target, target, valid, none)
    assert one.mse_whole == 0
    assert one.ssim_uniform7_whole == pytest.approx(1)
    assert np.isnan(one.mse_hole)  # there is no hole


def test_the_summary_is_a_mean_over_samples_that_have_the_score() -> None:
    nan = float("nan")
    table = summary(
        [
            SampleScore("network", 0, 0.1, 100.0, 10.0, 0.5, 0.9),
            SampleScore("network", 1, 0.0, nan, 0.0, nan, 1.0),
            SampleScore("Telea", 0, 0.1, 50.0, 5.0, 0.6, 0.95),
        ]
    )
    assert table["network"]["mse_hole"] == 100
    assert table["network"]["mse_whole"] == 5
    assert table["network"]["psnr_whole_db"] == pytest.approx(10 * np.log10(255**2 / 5))
    assert table["network"]["samples"] == 2
    assert table["Telea"]["samples"] == 1


def test_scores_are_a_table(tmp_path: Path) -> None:
    write_scores([SampleScore("Telea", 4, 0.25, 1.0, 2.0, 0.5, 0.75)], tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    assert (row["method"], row["row"], row["ssim_uniform7_whole"]) == ("Telea", "4", "0.75")


def test_an_empty_split_is_a_sentence(dataset: Path, model: PartialConvUNet) -> None:
    reader = open_split(dataset, "test", CONFIG)
    reader._count = 0
    with pytest.raises(DatasetError, match=r"has no sample in test\. Choose another --split"):
        evaluate_split(model, reader, CPU)


def test_the_sheet_takes_every_nth_sample(dataset: Path) -> None:
    samples = open_split(dataset, "val", CONFIG).read(range(9))
    sheet = Sheet(rows=3, every=4)
    for first in (0, 5):
        part = slice(first, first + 5)
        some = Samples(samples.image[part], samples.valid[part], samples.damage[part])
        sheet.look(some, some.image)
    assert [title.split(",")[0] for *_, title in sheet._taken] == ["row 0", "row 4", "row 8"]
    assert sheet.draw().shape[0] > 3 * 32


@pytest.mark.parametrize("name", sorted(ALL_BASELINES))
def test_a_fill_leaves_known_pixels_and_needs_no_target(name: str) -> None:
    if name == "biharmonic":
        pytest.importorskip("skimage")
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 255, (24, 37, 3)).astype(np.uint8)
    valid = (rng.random((24, 37)) < 0.8).astype(np.uint8)
    filled = ALL_BASELINES[name](picture, valid)
    assert np.array_equal(filled[valid == 1], picture[valid == 1])
    blank = np.where(valid[..., None] == 1, picture, np.uint8(0))
    assert np.array_equal(ALL_BASELINES[name](blank, valid), filled)
    nothing = ALL_BASELINES[name](picture, np.zeros_like(valid))
    assert (nothing == 128).all()
    assert np.array_equal(ALL_BASELINES[name](picture, np.ones_like(valid)), picture)


@pytest.mark.parametrize("name", sorted(ALL_BASELINES))
def test_every_fill_but_the_mean_follows_a_slope(name: str) -> None:
    """A ramp with a hole off its middle: what lies between 40 and 200 is not flat."""
    if name == "biharmonic":
        pytest.importorskip("skimage")
    ramp = np.linspace(40, 200, 33).astype(np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (20, 33, 3)).copy()
    valid = np.ones((20, 33), dtype=np.uint8)
    valid[8:12, 24:28] = 0
    error = np.abs(ALL_BASELINES[name](picture, valid).astype(int) - picture).max()
    assert error > 10 if name == "mean colour" else error <= 10
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
