"""The losses through VGG-16 against sums written out in NumPy, from the same features."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dunhuang_trainer.losses import make_loss
from dunhuang_trainer.vgg import POOLS, RELU3_1, VggFeatures
from random_vgg import random_vgg

Array = NDArray[np.float64]
CPU = torch.device("cpu")


def samples(*, all_hole: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two samples of 32 x 40 px without damage, float64."""
    generator = torch.Generator().manual_seed(5)
    shape = (2, 3, 32, 40)
    predicted, target = (
        torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    valid = torch.ones(2, 1, 32, 40, dtype=torch.float64)
    valid[0, :, 4:20, 6:15] = 0
    valid[1, :, :9] = 0
    return predicted, target, valid * (not all_hole), torch.zeros_like(valid)


def seen(pictures: Tensor, layers: tuple[int, ...]) -> list[Array]:
    vgg = VggFeatures(random_vgg(), layers).double()
    return [one.numpy() for one in vgg(pictures)]


def gram(features: Array) -> Array:
    """Of one image, (C, H, W)."""
    rows = features.reshape(len(features), -1)
    return rows @ rows.T / features.size


def test_the_paper_written_out(vgg_file: Path) -> None:
    predicted, target, valid, damage = samples()
    loss = make_loss("paper", vgg_file, CPU).double()
    got = loss(predicted, target, valid, damage)
    hole = valid.numpy()[:, 0] == 0
    composite = torch.where(valid > 0, target, predicted)
    looks = [seen(one, POOLS) for one in (predicted, composite, target)]
    expected = dict.fromkeys(("valid_l1", "hole_l1", "perceptual", "style", "tv"), 0.0)
    for row in range(2):
        error = np.abs(predicted[row].numpy() - target[row].numpy())
        expected["hole_l1"] += error[:, hole[row]].sum() / (3 * 32 * 40) / 2
        expected["valid_l1"] += error[:, ~hole[row]].sum() / (3 * 32 * 40) / 2
        for level in range(3):
            truth = looks[2][level][row]
            for branch in (0, 1):
                other = looks[branch][level][row]
                expected["perceptual"] += np.abs(other - truth).mean() / 2
                expected["style"] += np.abs(gram(other) - gram(truth)).mean() / 2
        near = np.zeros((34, 42), dtype=bool)
        for y in (0, 1, 2):
            for x in (0, 1, 2):
                near[y : y + 32, x : x + 40] |= hole[row]
        near, picture = near[1:-1, 1:-1], composite[row].numpy()
        for step, both in (
            (np.diff(picture, axis=1), near[1:] & near[:-1]),
            (np.diff(picture, axis=2), near[:, 1:] & near[:, :-1]),
        ):
            expected["tv"] += np.abs(step[:, both]).sum() / (3 * 32 * 40) / 2
    for name, value in expected.items():
        assert float(got.parts[name]) == pytest.approx(value, rel=1e-10), name
    weights = {"valid_l1": 1, "hole_l1": 6, "perceptual": 0.05, "style": 120, "tv": 0.1}
    total = sum(weight * expected[name] for name, weight in weights.items())
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
    kinds: list[torch.dtype] = []
    vgg.register_forward_hook(lambda _, given, found: kinds.append(found[-1].dtype))
    tensors = [one.float() for one in samples()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = loss(*tensors)
    assert kinds == [torch.bfloat16] * 2
    assert {value.dtype for value in got.parts.values()} == {torch.float32}
