"""Partial convolution against a loop that follows the equation pixel by pixel."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dunhuang_trainer.partial_conv import PartialConv2d


def by_the_equation(
    x: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
) -> tuple[Tensor, Tensor]:
    """One mask channel per feature channel, every window by itself. Zero padding is hole."""
    x, mask = (F.pad(one, [padding] * 4) for one in (x, mask))
    kernel = weight.shape[-1]
    rows = (x.shape[2] - kernel) // stride + 1
    columns = (x.shape[3] - kernel) // stride + 1
    y = torch.zeros(x.shape[0], weight.shape[0], rows, columns, dtype=x.dtype)
    updated = torch.zeros(x.shape[0], 1, rows, columns, dtype=x.dtype)
    for b in range(x.shape[0]):
        for r in range(rows):
            for c in range(columns):
                at = (b, slice(None), slice(r * stride, r * stride + kernel))
                window = x[at][:, :, c * stride : c * stride + kernel]
                m = mask[at][:, :, c * stride : c * stride + kernel]
                if m.sum() > 0:
                    ratio = m.numel() / m.sum()
                    y[b, :, r, c] = (weight * (window * m)).sum(dim=(1, 2, 3)) * ratio
                    if bias is not None:
                        y[b, :, r, c] += bias
                    updated[b, 0, r, c] = 1
    return y, updated


def random_valid(*shape: int, known: float = 0.6) -> Tensor:
    return (torch.rand(*shape, dtype=torch.float64) < known).double()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (5, 2, 2), (3, 1, 0)]
)
def test_it_is_the_equation(kernel: int, stride: int, padding: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer = PartialConv2d(3, 4, kernel, stride=stride, padding=padding, bias=bias).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 7, 9, dtype=torch.float64)
    valid = random_valid(2, 1, 7, 9)
    valid[0, :, :5, :6] = 0  # windows without any known pixel
    y, updated = layer(x, valid)
    expected, expected_valid = by_the_equation(
        x, valid.expand(-1, 3, -1, -1), layer.conv.weight, layer.bias, stride, padding
    )
    assert (expected_valid == 0).any()
    torch.testing.assert_close(updated, expected_valid, rtol=0, atol=0)
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-7)


def test_two_planes_equal_one_mask_channel_per_feature_channel() -> None:
    torch.manual_seed(1)
    layer = PartialConv2d(5, 4, 3, padding=1, plane_channels=(3, 2)).double()
    x = torch.randn(2, 5, 7, 9, dtype=torch.float64)
    planes = random_valid(2, 2, 7, 9, known=0.3)
    planes[1, :, 2:6, 3:8] = 0
    y, updated = layer(x, planes)
    channels = torch.cat(
        [planes[:, :1].expand(-1, 3, -1, -1), planes[:, 1:].expand(-1, 2, -1, -1)], 1
    )
    expected, expected_valid = by_the_equation(x, channels, layer.conv.weight, None, 1, 1)
    torch.testing.assert_close(updated, expected_valid, rtol=0, atol=0)
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-7)


def test_all_known_it_is_plain_convolution_away_from_the_border() -> None:
    torch.manual_seed(2)
    layer = PartialConv2d(3, 4, 3, padding=1, bias=True)
    x = torch.randn(1, 3, 8, 11)
    y, updated = layer(x, torch.ones(1, 1, 8, 11))
    plain = F.conv2d(x, layer.conv.weight, layer.bias, padding=1)
    inner = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(y[inner], plain[inner])
    # at the border zero padding counts as hole: 9 of 6 known on an edge, 9 of 4 in a corner
    torch.testing.assert_close(y[..., 0, 1:-1], plain[..., 0, 1:-1] * 9 / 6)
    torch.testing.assert_close(y[..., 0, 0], plain[..., 0, 0] * 9 / 4)
    assert (updated == 1).all()


def test_what_lies_in_the_holes_changes_nothing() -> None:
    torch.manual_seed(3)
    layer = PartialConv2d(3, 4, 5, stride=2, padding=2)
    x, valid = torch.randn(1, 3, 12, 10), random_valid(1, 1, 12, 10).float()
    other = torch.where(valid > 0, x, torch.full_like(x, 1e6))
    assert torch.equal(layer(x, valid)[0], layer(other, valid)[0])


def test_all_hole_gives_zeros_and_holes() -> None:
    layer = PartialConv2d(2, 3, 3, padding=1, bias=True)
    torch.nn.init.ones_(layer.bias)  # type: ignore[arg-type]
    y, updated = layer(torch.randn(1, 2, 5, 6), torch.zeros(1, 1, 5, 6))
    assert not y.any()
    assert not updated.any()


def test_gradients_are_those_of_the_equation() -> None:
    torch.manual_seed(4)
    layer = PartialConv2d(2, 2, 3, padding=1, bias=True).double()
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    valid = random_valid(1, 1, 5, 6)
    weight, bias = layer.conv.weight, layer.bias
    assert bias is not None

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(  # type: ignore[no-any-return]
            layer, {"conv.weight": weight, "bias": bias}, (x, valid)
        )[0]

    assert torch.autograd.gradcheck(run, (x, weight, bias))


def test_half_precision_has_no_nan() -> None:
    layer = PartialConv2d(64, 8, 3, padding=1).bfloat16()
    valid = torch.ones(1, 1, 9, 7)
    valid[..., 2:8, 1:6] = 0
    y, _ = layer(torch.randn(1, 64, 9, 7).bfloat16(), valid.bfloat16())
    assert torch.isfinite(y).all()


def test_planes_must_add_up() -> None:
    with pytest.raises(
        ValueError, match=r"plane_channels \(3, 3\) add up to 6, expected in_channels, 5"
    ):
        PartialConv2d(5, 4, 3, plane_channels=(3, 3))
