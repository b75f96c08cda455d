"""A loss counts undamaged pixels, image by image, and is the sum of its weighted parts."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dunhuang_data.errors import CheckpointError, UsageProblem
from dunhuang_trainer.config import LOSSES
from dunhuang_trainer.losses import Loss, check_features, make_loss
from dunhuang_trainer.losses.named import PERCEPTUAL
from random_vgg import random_vgg

CPU = torch.device("cpu")


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest, vgg_file: Path) -> Loss:
    return make_loss(request.param, vgg_file if request.param in PERCEPTUAL else None, CPU)


def batch(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three samples of 24 x 32 px, with holes and damage, the last almost all damage."""
    generator = torch.Generator().manual_seed(8)
    predicted, target = (
        torch.rand(3, 3, 24, 32, generator=generator, dtype=dtype) for _ in range(2)
    )
    valid, damage = torch.ones(2, 3, 1, 24, 32, dtype=dtype)
    valid[:, :, 3:11, 5:20] = 0
    valid[1, :, 20:] = 0
    damage[:] = 0
    damage[:, :, 9:13, 17:22] = 1
    damage[2, :, 2:] = 1
    return predicted, target, valid, damage


def value_and_gradient(loss: Loss, predicted: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    one = predicted.clone().requires_grad_()
    total = loss(one, *others).total
    return total.detach(), torch.autograd.grad(total, one)[0]


def test_mse_is_counted_by_hand() -> None:
    target = torch.zeros(2, 3, 2, 3)
    predicted = torch.full_like(target, 0.5)
    valid = torch.ones(2, 1, 2, 3)
    valid[0, 0, 0, :2] = 0  # two holes
    valid[1] = 0  # and another image that is one hole
    damage = torch.zeros_like(valid)
    damage[0, 0, 0, 1] = 1  # not to be trusted
    got = make_loss("mse", None, CPU)(predicted, target, valid, damage)
    assert float(got.parts["hole"]) == pytest.approx(0.25)
    assert float(got.parts["pixel"]) == pytest.approx((0.25 / 5 + 0.25) / 2)
    assert got.total.item() == got.parts["pixel"].item()


def test_the_similarity_weighs_as_much_as_in_the_score_of_the_course() -> None:
    predicted, target, valid, damage = batch()
    got = make_loss("mse+ssim", None, CPU)(predicted, target, valid, damage)
    score = 1 - 255**2 * got.parts["pixel"] / 100 + got.parts["ssim"]
    assert float(got.total) == pytest.approx(100 / 255**2 * (2 - float(score)), rel=1e-6)


@pytest.mark.parametrize("wrong", [0.0, 0.9, 1e30, float("inf"), float("nan")])
def test_what_damaged_pixels_hold_changes_no_value_and_no_gradient(
    loss: Loss, wrong: float
) -> None:
    predicted, target, valid, damage = batch()
    value, gradient = value_and_gradient(loss, predicted, target, valid, damage)
    corrupted = torch.where(damage > 0, wrong, target)
    other_value, other_gradient = value_and_gradient(loss, predicted, corrupted, valid, damage)
    assert value > 0
    assert torch.equal(value, other_value)
    assert torch.equal(gradient, other_gradient)
    elsewhere = torch.where(damage > 0, wrong, predicted)
    other_value, other_gradient = value_and_gradient(loss, elsewhere, target, valid, damage)
    assert torch.equal(value, other_value)
    assert torch.equal(gradient, other_gradient)
    assert gradient.any()
    assert not (gradient * damage).any()


def test_the_mean_of_single_images_is_that_of_the_batch(loss: Loss) -> None:
    tensors = batch(torch.float64)
    whole = loss.double()(*tensors)
    alone = [loss(*(one[row : row + 1] for one in tensors)) for row in range(3)]
    mean = sum(float(one.total) for one in alone) / 3
    assert float(whole.total) == pytest.approx(mean, rel=1e-12)
    for name, value in whole.parts.items():
        mean = sum(float(one.parts[name]) for one in alone) / 3
        assert float(value) == pytest.approx(mean, rel=1e-12)


def test_the_total_is_the_weighted_sum_of_the_parts(loss: Loss) -> None:
    predicted, *others = batch()
    got = loss(predicted.requires_grad_(), *others)
    assert got.total.requires_grad
    assert tuple(got.parts) == loss.part_names
    assert not any(value.requires_grad for value in got.parts.values())
    expected = loss.constant + sum(
        weight * float(got.parts[name]) for name, weight in loss.weights.items()
    )
    assert float(got.total.detach()) == pytest.approx(expected, rel=1e-5)


def test_a_perfect_prediction_costs_nothing_but_its_own_roughness(loss: Loss) -> None:
    _, target, valid, damage = batch()
    got = loss(target, target, valid, damage)
    rough = loss.weights.get("tv", 0.0) * float(got.parts.get("tv", torch.zeros(())))
    assert float(got.total) == pytest.approx(rough, rel=1e-6, abs=1e-6)
    assert got.parts["hole"] == 0


def test_without_holes_and_all_damaged_it_is_finite(loss: Loss) -> None:
    predicted, target, valid, damage = batch()
    for hole, bad in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        planes = torch.full_like(valid, hole), torch.full_like(damage, bad)
        value, gradient = value_and_gradient(loss, predicted, target, *planes)
        assert value.isfinite()
        assert gradient.isfinite().all()
        assert loss(predicted, target, *planes).parts["hole"] == 0
        if bad:
            assert not gradient.any()


def test_it_is_float32_under_autocast(loss: Loss) -> None:
    predicted, *others = batch()
    expected = loss(predicted, *others)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = loss(*(one.bfloat16() for one in (predicted, *others)))
    assert got.total.dtype == torch.float32
    for name, value in got.parts.items():
        assert value.dtype == torch.float32
        assert float(value) == pytest.approx(float(expected.parts[name]), rel=0.05)


def test_the_gradient_is_that_of_finite_differences(loss: Loss) -> None:
    predicted, *others = batch(torch.float64)
    _, gradient = value_and_gradient(loss.double(), predicted, *others)
    generator = torch.Generator().manual_seed(11)
    for _ in range(3):
        way = torch.randn(predicted.shape, generator=generator, dtype=torch.float64)
        step = 1e-7 * way  # small, so that hardly a ReLU or maximum changes sides
        with torch.no_grad():
            ahead, behind = (loss(predicted + sign * step, *others).total for sign in (1, -1))
        slope = float(ahead - behind) / 2e-7
        assert slope == pytest.approx(float((gradient * way).sum()), rel=1e-4)


def test_known_pixels_are_the_inputs_so_what_is_predicted_there_costs_nothing_but_in_the_paper(
    loss: Loss,
) -> None:
    predicted, target, valid, damage = batch()
    _, gradient = value_and_gradient(loss, predicted, target, valid, damage)
    assert (gradient * valid).any() == ("valid_l1" in loss.weights)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(UsageProblem, match="--loss is 'l2'; expected one of mse, mse"):
        make_loss("l2", None, CPU)
    with pytest.raises(UsageProblem, match="--loss is 'l2'"):
        check_features("l2", None)


def test_features_are_refused_where_they_are_not_used(vgg_file: Path) -> None:
    for name in ("mse", "mse+ssim"):
        assert check_features(name, None) is None
        with pytest.raises(UsageProblem, match="is for --loss poster and paper; --loss mse"):
            check_features(name, vgg_file)


def test_checking_says_which_weights_will_be_used(vgg_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save(random_vgg(seed=1), other)
    for name in PERCEPTUAL:
        digest = check_features(name, vgg_file)
        assert digest is not None
        assert make_loss(name, vgg_file, CPU).features_sha256 == digest
        assert check_features(name, other) != digest
        with pytest.raises(CheckpointError, match=r"none\.pth: No such file"):
            check_features(name, tmp_path / "none.pth")
