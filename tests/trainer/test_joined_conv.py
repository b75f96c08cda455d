"""The decoder's convolution: split equals concat, outputs and gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dunhuang_trainer.joined_conv import SPLIT_FROM, doubling_weight, joined_conv

SIDES = [(8, 8), (9, 13), (16, 11)]
Inputs = tuple[Tensor, Tensor, Tensor]


def inputs(side: tuple[int, int], dtype: torch.dtype) -> Inputs:
    torch.manual_seed(0)
    height, width = side
    return (
        torch.randn(2, 5, height, width, dtype=dtype, requires_grad=True),
        torch.randn(2, 3, 2 * height, 2 * width, dtype=dtype, requires_grad=True),
        torch.randn(4, 8, 3, 3, dtype=dtype, requires_grad=True),
    )


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("dtype", "share"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_split_is_concat(side: tuple[int, int], dtype: torch.dtype, share: float) -> None:
    found = {}
    for decoder in ("split", "concat"):
        leaves = inputs(side, dtype)
        y = joined_conv(*leaves, decoder)
        (y * torch.linspace(-1, 1, y.numel(), dtype=dtype).view_as(y)).sum().backward()  # type: ignore[no-untyped-call]
        found[decoder] = [y, *(leaf.grad for leaf in leaves)]
    for split, concat in zip(found["split"], found["concat"], strict=True):
        assert split is not None
        assert concat is not None
        assert (split - concat).abs().max() <= share * concat.abs().max()


def test_split_is_another_computation_and_small_ones_are_not_split() -> None:
    low, skip, weight = inputs((16, 11), torch.float32)
    assert not torch.equal(
        joined_conv(low, skip, weight, "split"), joined_conv(low, skip, weight, "concat")
    )
    small = SPLIT_FROM // 8 - 1
    low, skip, weight = inputs((8, small), torch.float32)
    assert torch.equal(
        joined_conv(low, skip, weight, "split"), joined_conv(low, skip, weight, "concat")
    )


def test_the_kernel_is_the_one_derived() -> None:
    """One axis at a time: w₂, w₂ + w₁, w₁ + w₀, w₀."""
    axis = torch.tensor([1.0, 10.0, 100.0])
    doubled = torch.tensor([100.0, 110.0, 11.0, 1.0])
    other = torch.tensor([2.0, 3.0, 5.0])
    doubled_other = torch.tensor([5.0, 8.0, 5.0, 2.0])
    weight = (axis[:, None] * other).view(1, 1, 3, 3)
    expected = (doubled[:, None] * doubled_other).view(1, 1, 4, 4)
    assert torch.equal(doubling_weight(weight), expected)


def test_one_pixel_reaches_four_by_four() -> None:
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64)
    low = torch.zeros(1, 2, 9, 8, dtype=torch.float64)
    low[0, 1, 4, 5] = 1
    y = F.conv_transpose2d(low, doubling_weight(weight), stride=2, padding=1)
    plain = F.conv2d(F.interpolate(low, scale_factor=2, mode="nearest"), weight, padding=1)
    torch.testing.assert_close(y, plain)
    assert y[0, 0].nonzero().tolist() == [
        [row, column] for row in range(7, 11) for column in range(9, 13)
    ]


def test_gradients_are_those_of_the_function() -> None:
    torch.manual_seed(0)
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(doubling_weight, (weight,))


def test_weights_are_added_in_float32_under_autocast() -> None:
    weight = torch.randn(3, 2, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        doubled = doubling_weight(weight)
    assert doubled.dtype == torch.float32
    assert torch.equal(doubled, doubling_weight(weight))
