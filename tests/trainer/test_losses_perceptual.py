"""The losses through VGG-16 against sums written out in NumPy, from the same features."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dunhuang_trainer.losses import make_loss
from dunhuang_trainer.losses.vgg import POOLS, RELU3_1, VggFeatures
from random_vgg import random_vgg

Array = NDArray[np.float64]
CPU = torch.device("cpu")


Samples = tuple[Tensor, Tensor, Tensor, Tensor]


def samples(*, all_hole: bool = False, damaged: bool = False) -> Samples:
    """Two samples of 32 x 40 px, float64."""
    generator = torch.Generator().manual_seed(5)
    shape = (2, 3, 32, 40)
    predicted, target = (
        torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    valid = torch.ones(2, 1, 32, 40, dtype=torch.float64)
    valid[0, :, 4:20, 6:15] = 0
    valid[1, :, :9] = 0
    damage = torch.zeros_like(valid)
    damage[:, :, 7:11, 12:31] = damaged
    damage[0, 0, 4, 6] = damaged  # a corner of a hole
    return predicted, target, valid * (not all_hole), damage


def seen(pictures: Tensor, layers: tuple[int, ...]) -> list[Array]:
    vgg = VggFeatures(random_vgg(), layers).double()
    return [one.numpy() for one in vgg(pictures)]


def gram(features: Array) -> Array:
    """Of one image, (C, H, W)."""
    rows = features.reshape(len(features), -1)
    return rows @ rows.T / features.size


@dataclass(frozen=True)
class Settled:
    """One sample, and what is counted of it, all in NumPy."""

    pictures: dict[str, Array]
    hole: NDArray[np.bool_]
    counted: NDArray[np.bool_]

    @property
    def rim(self) -> NDArray[np.bool_]:
        """Holes and their eight neighbours, without damage."""
        height, width = self.hole.shape
        near = np.zeros((height + 2, width + 2), dtype=bool)
        for y in (0, 1, 2):
            for x in (0, 1, 2):
                near[y : y + height, x : x + width] |= self.hole
        return near[1:-1, 1:-1] & self.counted

    def variation(self, power: int) -> tuple[float, float]:
        """Sums over the pairs of the rim, down and across."""
        picture, rim = self.pictures["composite"], self.rim
        down = np.abs(np.diff(picture, axis=1))[:, rim[1:] & rim[:-1]]
        across = np.abs(np.diff(picture, axis=2))[:, rim[:, 1:] & rim[:, :-1]]
        return float((down**power).sum()), float((across**power).sum())


def settled(all_samples: Samples, row: int) -> Settled:
    predicted, target, valid, damage = (one[row].numpy() for one in all_samples)
    hole, counted = valid[0] == 0, damage[0] == 0
    colour = target[:, counted].mean(axis=1)[:, None, None]
    predicted, target = (np.where(counted, one, colour) for one in (predicted, target))
    composite = np.where(hole, predicted, target)
    return Settled(
        {"predicted": predicted, "target": target, "composite": composite}, hole, counted
    )


def looks(sample: Settled, layers: tuple[int, ...]) -> dict[str, list[Array]]:
    return {
        name: [one[0] for one in seen(torch.from_numpy(picture)[None], layers)]
        for name, picture in sample.pictures.items()
    }


@pytest.mark.parametrize("damaged", [False, True])
def test_the_paper_written_out(damaged: bool, vgg_file: Path) -> None:
    pictures = samples(damaged=damaged)
    expected = dict.fromkeys(("valid_l1", "hole_l1", "perceptual", "style", "tv"), 0.0)
    for row in range(2):
        sample = settled(pictures, row)
        elements = 3 * sample.counted.sum()
        error = np.abs(sample.pictures["predicted"] - sample.pictures["target"])
        expected["hole_l1"] += error[:, sample.hole & sample.counted].sum() / elements / 2
        expected["valid_l1"] += error[:, ~sample.hole & sample.counted].sum() / elements / 2
        expected["tv"] += sum(sample.variation(1)) / elements / 2
        features = looks(sample, POOLS)
        for branch in ("predicted", "composite"):
            for other, truth in zip(features[branch], features["target"], strict=True):
                expected["perceptual"] += np.abs(other - truth).mean() / 2
                expected["style"] += np.abs(gram(other) - gram(truth)).mean() / 2
    got = make_loss("paper", vgg_file, CPU).double()(*pictures)
    for name, value in expected.items():
        assert float(got.parts[name]) == pytest.approx(value, rel=1e-10), name
    weights = {"valid_l1": 1, "hole_l1": 6, "perceptual": 0.05, "style": 120, "tv": 0.1}
    total = sum(weight * expected[name] for name, weight in weights.items())
    assert float(got.total) == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("damaged", [False, True])
def test_the_poster_written_out(damaged: bool, vgg_file: Path) -> None:
    pictures = samples(damaged=damaged)
    expected = dict.fromkeys(("content", "style", "tv"), 0.0)
    for row in range(2):
        sample = settled(pictures, row)
        features = looks(sample, (RELU3_1,))
        (ours,), (truth,) = features["composite"], features["target"]
        expected["content"] += np.square(ours - truth).mean() / 2
        expected["style"] += np.square(gram(ours) - gram(truth)).mean() / 2
        down, across = sample.variation(2)
        pairs_down = (sample.counted[1:] & sample.counted[:-1]).sum()
        pairs_across = (sample.counted[:, 1:] & sample.counted[:, :-1]).sum()
        expected["tv"] += 2 * (down / pairs_down + across / pairs_across) / 2
    got = make_loss("poster", vgg_file, CPU).double()(*pictures)
    for name, value in expected.items():
        assert float(got.parts[name]) == pytest.approx(value, rel=1e-10), name
    total = 0.05 * expected["content"] + 1000 * expected["style"] + 0.1 * expected["tv"]
    assert float(got.total) == pytest.approx(total, rel=1e-10)


def test_the_poster_is_the_seeds_formula_where_one_picture_is_all_hole(vgg_file: Path) -> None:
    pictures = samples(all_hole=True)
    loss = make_loss("poster", vgg_file, CPU).double()
    totals = []
    for row in range(2):
        predicted, target, valid, damage = (one[row : row + 1] for one in pictures)
        (ours,), (truth,) = (seen(one, (RELU3_1,)) for one in (predicted, target))
        content = np.square(ours - truth).mean()
        style = np.square(gram(ours[0]) - gram(truth[0])).mean()
        picture = predicted[0].numpy()
        down, across = (np.square(np.diff(picture, axis=axis)).sum() for axis in (1, 2))
        tv = 2 * (down / (31 * 40) + across / (32 * 39))
        totals.append(0.05 * content + 1000 * style + 0.1 * tv)
        got = loss(predicted, target, valid, damage)
        assert float(got.total) == pytest.approx(totals[-1], rel=1e-10)
    assert float(loss(*pictures).total) == pytest.approx(np.mean(totals), rel=1e-10)


def rim_of(valid: Tensor) -> Tensor:
    """Return holes and the pixels that touch them, by their corners, too."""
    hole = torch.nn.functional.pad(1 - valid, (1, 1, 1, 1))
    height, width = valid.shape[2:]
    near = [hole[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack(near).amax(dim=0)


@pytest.mark.parametrize("name", ["poster", "paper"])
def test_the_variation_of_known_surroundings_does_not_count(name: str, vgg_file: Path) -> None:
    predicted, target, valid, damage = samples()
    loss = make_loss(name, vgg_file, CPU).double()

    def tv(target: Tensor) -> float:
        return float(loss(predicted, target, valid, damage).parts["tv"])

    rim = rim_of(valid)
    far = torch.where(rim > 0, target, 1 - target)
    assert tv(far) == pytest.approx(tv(target), rel=1e-12)
    near = torch.where(rim * valid > 0, target / 10, target)
    assert tv(near) != pytest.approx(tv(target), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "batches"), [("poster", [(2, True), (2, False)]), ("paper", [(4, True), (2, False)])]
)
def test_vgg_is_passed_once_with_a_gradient_and_once_without(
    name: str, batches: list[tuple[int, bool]], vgg_file: Path
) -> None:
    loss = make_loss(name, vgg_file, CPU).double()
    (vgg,) = (one for one in loss.modules() if isinstance(one, VggFeatures))
    calls: list[tuple[int, bool]] = []
    vgg.register_forward_hook(
        lambda _, given, found: calls.append((len(given[0]), found[-1].requires_grad))
    )
    predicted, *others = samples()
    loss(predicted.requires_grad_(), *others).total.backward()
    assert calls == batches
    assert not any(weight.requires_grad for weight in loss.parameters())
    assert all(weight.grad is None for weight in loss.parameters())


@pytest.mark.parametrize("name", ["poster", "paper"])
def test_only_the_convolutions_run_in_the_callers_precision(name: str, vgg_file: Path) -> None:
    loss = make_loss(name, vgg_file, CPU)
    (vgg,) = (one for one in loss.modules() if isinstance(one, VggFeatures))
    passes: list[list[Tensor]] = []
    vgg.register_forward_hook(lambda _, given, found: passes.append(found))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = loss(*(one.float() for one in samples()))
    assert {one.dtype for found in passes for one in found} == {torch.bfloat16}
    assert {value.dtype for value in got.parts.values()} == {torch.float32}
    style = features = 0.0  # what float64 makes of the same bfloat16 features
    power = 2 if name == "poster" else 1
    for ours, truth in zip(*passes, strict=True):
        for row, other in enumerate(ours.double().numpy()):
            target = truth[row % 2].double().numpy()
            features += (np.abs(other - target) ** power).mean() / 2
            style += (np.abs(gram(other) - gram(target)) ** power).mean() / 2
    found = got.parts["content" if name == "poster" else "perceptual"]
    assert float(found) == pytest.approx(features, rel=1e-5)
    assert float(got.parts["style"]) == pytest.approx(style, rel=1e-5)
