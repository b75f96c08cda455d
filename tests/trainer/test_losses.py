"""The loss counts undamaged pixels, all of the composite, and nothing else."""

import pytest
import torch

from dunhuang_trainer.losses import mse_loss


def test_counted_by_hand() -> None:
    target = torch.zeros(1, 3, 2, 3)
    predicted = torch.full_like(target, 0.5)
    valid = torch.ones(1, 1, 2, 3)
    valid[0, 0, 0, :2] = 0  # two holes
    damage = torch.zeros_like(valid)
    damage[0, 0, 0, 1] = 1  # one of them not to be trusted
    parts = mse_loss(predicted, target, valid, damage)
    assert float(parts.hole) == pytest.approx(0.25)
    assert float(parts.pixel) == pytest.approx(0.25 / 5)
    assert parts.total.item() == parts.pixel.item()


def test_damaged_pixels_change_no_value_and_no_gradient() -> None:
    torch.manual_seed(0)
    target, predicted = torch.rand(2, 3, 6, 9), torch.rand(2, 3, 6, 9, requires_grad=True)
    valid = (torch.rand(2, 1, 6, 9) < 0.5).float()
    damage = (torch.rand(2, 1, 6, 9) < 0.3).float()

    def loss_and_gradient(target: torch.Tensor) -> tuple[float, torch.Tensor]:
        total = mse_loss(predicted, target, valid, damage).total
        return float(total.detach()), torch.autograd.grad(total, predicted)[0]

    value, gradient = loss_and_gradient(target)
    corrupted = torch.where(damage > 0, 1 - target, target)
    other_value, other_gradient = loss_and_gradient(corrupted)
    assert value == other_value
    assert torch.equal(gradient, other_gradient)
    assert not (gradient * damage).any()
    assert not (gradient * valid).any()  # known pixels are the input's, whatever is predicted


def test_without_holes_it_is_zero_not_nan() -> None:
    full = torch.ones(1, 1, 4, 5)
    parts = mse_loss(torch.rand(1, 3, 4, 5), torch.rand(1, 3, 4, 5), full, torch.zeros_like(full))
    assert float(parts.total) == 0
    assert float(parts.hole) == 0
