"""The similarity that is trained on is the one that is reported, and its gradient is right."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from drawings import draw_picture
from dunhuang_trainer import metrics
from dunhuang_trainer.losses.similarity import similarity

UInt8Array = NDArray[np.uint8]


def as_tensor(picture: UInt8Array) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def noisy(target: UInt8Array, noise: int) -> UInt8Array:
    change = np.random.default_rng(noise).integers(-noise, noise + 1, target.shape)
    return np.clip(target.astype(int) + change, 0, 255).astype(np.uint8)


def bright_and_flat() -> UInt8Array:
    """A picture in which float32 has most to lose: small differences upon large numbers."""
    return (draw_picture(45, 61, "flat") // 64 + 250).astype(np.uint8)


@pytest.mark.parametrize("noise", [0, 1, 3, 40, 255])
@pytest.mark.parametrize("target", [draw_picture(45, 61, "ssim"), bright_and_flat()])
def test_it_equals_the_metric(target: UInt8Array, noise: int) -> None:
    picture, damage = noisy(target, noise), np.zeros((45, 61), dtype=np.uint8)
    damage[20, 30] = damage[2:5, 58:] = 1
    expected = metrics.ssim(picture, target, metrics.damage_free_windows(damage))
    plane = torch.from_numpy(damage)[None, None].float()
    value = similarity(as_tensor(picture), as_tensor(target), plane)
    assert value.dtype == torch.float32
    assert float(value[0]) == pytest.approx(expected, abs=1e-6)


def test_every_picture_has_its_own_value() -> None:
    target = draw_picture(20, 31, "many")
    pictures = [noisy(target, noise) for noise in (5, 0, 90)]
    damage = torch.zeros(3, 1, 20, 31)
    damage[2, :, 4:8] = 1
    batch = torch.cat([as_tensor(one) for one in pictures])
    together = similarity(batch, as_tensor(target).expand(3, -1, -1, -1), damage)
    for row, picture in enumerate(pictures):
        alone = similarity(as_tensor(picture), as_tensor(target), damage[row : row + 1])
        assert float(together[row]) == pytest.approx(float(alone[0]), abs=1e-6)
    assert together[1] == 1
    assert together[2] < together[0] < 1


def test_the_gradient_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(2, 2, 8, 9, generator=generator, dtype=torch.float64)
    picture = torch.rand(2, 2, 8, 9, generator=generator, dtype=torch.float64)
    damage = torch.zeros(2, 1, 8, 9, dtype=torch.float64)
    damage[0, 0, 0, 0] = 1
    picture.requires_grad_()
    assert torch.autograd.gradcheck(lambda one: similarity(one, target, damage), (picture,))


def test_float32_is_enough_for_the_gradient() -> None:
    target, picture = (as_tensor(one) for one in (bright_and_flat(), noisy(bright_and_flat(), 2)))
    damage = torch.zeros(1, 1, 45, 61)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        one = picture.to(dtype).requires_grad_()
        value = similarity(one, target.to(dtype), damage.to(dtype)).sum()
        gradients.append(torch.autograd.grad(value, one)[0].double())
    error = (gradients[0] - gradients[1]).abs().max() / gradients[1].abs().max()
    assert error < 1e-4


def test_where_no_window_counts_it_is_one_and_there_is_no_gradient() -> None:
    damage = torch.zeros(1, 1, 9, 10)
    damage[..., 4, :] = 1
    picture = torch.rand(1, 3, 9, 10, requires_grad=True)
    value = similarity(picture, torch.rand(1, 3, 9, 10), damage)
    assert value == 1
    assert not torch.autograd.grad(value, picture)[0].any()
    small = torch.zeros(1, 3, 6, 9)
    assert similarity(small, small + 0.5, torch.zeros(1, 1, 6, 9)) == 1
