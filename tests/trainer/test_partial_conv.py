"""Partial convolution against a loop that follows the equation pixel by pixel."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.many_channel import ManyChannelConv2d
from dunhuang_trainer.partial_conv import PartialConv2d, box_sum


def by_the_equation(
    x: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: int,
    dilation: int = 1,
) -> tuple[Tensor, Tensor]:
    """One mask channel per feature channel, every window by itself. Zero padding is hole."""
    x, mask = (F.pad(one, [padding] * 4) for one in (x, mask))
    span = dilation * (weight.shape[-1] - 1) + 1
    rows = (x.shape[2] - span) // stride + 1
    columns = (x.shape[3] - span) // stride + 1
    y = torch.zeros(x.shape[0], weight.shape[0], rows, columns, dtype=x.dtype)
    updated = torch.zeros(x.shape[0], 1, rows, columns, dtype=x.dtype)
    for b in range(x.shape[0]):
        for r in range(rows):
            for c in range(columns):
                down = slice(r * stride, r * stride + span, dilation)
                right = slice(c * stride, c * stride + span, dilation)
                window, m = x[b, :, down, right], mask[b, :, down, right]
                if m.sum() > 0:
                    ratio = m.numel() / m.sum()
                    y[b, :, r, c] = (weight * (window * m)).sum(dim=(1, 2, 3)) * ratio
                    if bias is not None:
                        y[b, :, r, c] += bias
                    updated[b, 0, r, c] = 1
    return y, updated


def random_valid(*shape: int, known: float = 0.6) -> Tensor:
    return (torch.rand(*shape, dtype=torch.float64) < known).double()


def with_holes(known: float = 0.6) -> tuple[Tensor, Tensor]:
    """Features, (2, 3, 7, 9), and a plane with windows in which nothing is known."""
    valid = random_valid(2, 1, 7, 9, known=known)
    valid[0, :, :5, :6] = 0
    return torch.randn(2, 3, 7, 9, dtype=torch.float64), valid


def seeded(seed: int, *arguments: int, **options: object) -> PartialConv2d:
    torch.manual_seed(seed)
    layer = PartialConv2d(*arguments, **options)  # type: ignore[arg-type]
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    return layer


PLACES = [  # kernel, stride, padding, dilation
    (3, 1, 1, 1), (3, 2, 1, 1), (5, 2, 2, 1), (7, 2, 3, 1), (3, 1, 0, 1), (3, 1, 2, 2),
    (3, 2, 0, 2), (2, 1, 1, 3), (1, 1, 0, 1),
]  # fmt: skip


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), PLACES)
def test_it_is_the_equation(
    kernel: int, stride: int, padding: int, dilation: int, bias: bool
) -> None:
    layer = seeded(
        0, 3, 4, kernel, stride=stride, padding=padding, dilation=dilation, bias=bias
    ).double()
    x, valid = with_holes()
    y, updated = layer(x, valid)
    expected, expected_valid = by_the_equation(
        x, valid.expand(-1, 3, -1, -1), layer.conv.weight, layer.bias, stride, padding, dilation
    )
    assert (expected_valid == 0).any()
    torch.testing.assert_close(updated, expected_valid, rtol=0, atol=0)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)


def test_two_planes_equal_one_mask_channel_per_feature_channel() -> None:
    layer = seeded(1, 5, 4, 3, padding=1, plane_channels=(3, 2)).double()
    x = torch.randn(2, 5, 7, 9, dtype=torch.float64)
    planes = random_valid(2, 2, 7, 9, known=0.3)
    planes[1, :, 2:6, 3:8] = 0
    y, updated = layer(x, planes)
    channels = torch.cat(
        [planes[:, :1].expand(-1, 3, -1, -1), planes[:, 1:].expand(-1, 2, -1, -1)], 1
    )
    expected, expected_valid = by_the_equation(x, channels, layer.conv.weight, None, 1, 1)
    torch.testing.assert_close(updated, expected_valid, rtol=0, atol=0)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)


def test_all_known_it_is_plain_convolution_away_from_the_border() -> None:
    layer = seeded(2, 3, 4, 3, padding=1, bias=True)
    x = torch.randn(1, 3, 7, 9)
    y, updated = layer(x, torch.ones(1, 1, 7, 9))
    bias = layer.bias
    assert bias is not None
    plain = F.conv2d(x, layer.conv.weight, None, padding=1)
    column = bias.view(1, -1, 1, 1)
    inner = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(y[inner], (plain + column)[inner])
    # at the border zero padding counts as hole: 9 of 6 known on an edge, 9 of 4 in a corner
    torch.testing.assert_close(y[..., 0, 1:-1], (plain * 9 / 6 + column)[..., 0, 1:-1])
    torch.testing.assert_close(y[..., 0, 0], (plain * 9 / 4 + column)[..., 0, 0])
    assert (updated == 1).all()


def test_what_lies_in_the_holes_changes_nothing() -> None:
    layer = seeded(3, 3, 4, 5, stride=2, padding=2)
    x, valid = torch.randn(1, 3, 12, 10), random_valid(1, 1, 12, 10).float()
    for rubbish in (1e6, torch.nan):
        other = torch.where(valid > 0, x, rubbish)
        assert torch.equal(layer(x, valid)[0], layer(other, valid)[0])


def test_all_hole_gives_zeros_and_holes() -> None:
    layer = seeded(4, 2, 3, 3, padding=1, bias=True)
    y, updated = layer(torch.randn(1, 2, 5, 6), torch.zeros(1, 1, 5, 6))
    assert not y.any()
    assert not updated.any()


@pytest.mark.parametrize("dilation", [1, 2])
def test_gradients_are_those_of_the_equation(dilation: int) -> None:
    layer = seeded(
        5, 3, 2, 3, padding=dilation, dilation=dilation, bias=True, plane_channels=(2, 1)
    ).double()
    x = torch.randn(1, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    valid = random_valid(1, 2, 5, 6)
    valid[..., :4, :4] = 0
    weight, bias = layer.conv.weight, layer.bias
    assert bias is not None

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(  # type: ignore[no-any-return]
            layer, {"conv.weight": weight, "bias": bias}, (x, valid)
        )[0]

    assert torch.autograd.gradcheck(run, (x, weight, bias))


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), PLACES)
def test_without_bias_it_is_the_textbook_layer_bit_for_bit(
    kernel: int, stride: int, padding: int, dilation: int, planes: int
) -> None:
    """Outputs, masks and gradients, in float32."""
    counts = (5, 2) if planes == 2 else (7,)
    place = {"stride": stride, "padding": padding, "dilation": dilation}
    ours = seeded(6, 7, 4, kernel, **place, plane_channels=counts)
    textbook = ManyChannelConv2d(7, 4, kernel, stride, padding, dilation)
    textbook.load_state_dict(ours.state_dict())
    x, valid = torch.randn(2, 7, 17, 23), random_valid(2, planes, 17, 23, known=0.4).float()
    valid[0, :, 3:12, 5:16] = 0
    mask = valid.repeat_interleave(torch.tensor(counts), dim=1)
    results = []
    for layer, known in ((ours, valid), (textbook, mask)):
        leaf = x.clone().requires_grad_()
        y, updated = layer(leaf, known)
        (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
        results.append((y, updated[:, :1], leaf.grad, layer.conv.weight.grad))
    assert (results[0][1] == 0).any()
    for mine, theirs in zip(*results, strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
def test_half_precision_counts_in_whole_numbers(dtype: torch.dtype, bias: bool) -> None:
    """All-hole windows give zero, not NaN, and counts are not rounded."""
    layer = seeded(7, 121, 8, 3, padding=1, bias=bias, plane_channels=(100, 21)).to(dtype)
    x, valid = torch.randn(2, 121, 9, 7).to(dtype), torch.ones(2, 2, 9, 7).to(dtype)
    valid[..., 2:8, 1:6] = 0
    valid[:, 0, 0, 0] = 0
    y, _ = layer(x, valid)
    assert y.dtype == dtype
    assert torch.isfinite(y).all()
    assert not y[..., 3:7, 2:5].any()
    mask = layer.window_mask(*torch.split(valid, 1, dim=1))
    assert mask.ratio.dtype == torch.float32
    assert not mask.ratio[..., 3:7, 2:5].any()
    assert float(mask.ratio[0, 0, 0, 6]) == pytest.approx(9 / 4, rel=1e-7)
    assert float(mask.ratio[0, 0, 1, 6]) == pytest.approx(9 / 5, rel=1e-7)
    # the window around (1, 0): four pixels known to all channels, the corner to 21 of them
    known = 4 * 121 + 21  # 505, which bfloat16 does not have
    assert float(mask.ratio[0, 0, 1, 0]) == pytest.approx(9 * 121 / known, rel=1e-7)
    exact, _ = layer.double()(x.double(), valid.double())
    torch.testing.assert_close(y.double(), exact, rtol=0.02, atol=0.1)


def test_half_precision_by_autocast_has_no_nan() -> None:
    layer = seeded(8, 6, 8, 7, stride=2, padding=3)
    x, valid = torch.randn(1, 6, 32, 24), torch.zeros(1, 1, 32, 24)
    valid[..., 20:, 20:] = 1
    with torch.autocast("cpu", torch.bfloat16):
        y, updated = layer(x.requires_grad_(), valid)
    y.float().square().sum().backward()
    assert y.dtype == torch.bfloat16
    assert torch.isfinite(y).all()
    assert layer.conv.weight.grad is not None
    assert torch.isfinite(layer.conv.weight.grad).all()
    assert x.grad is not None
    assert not x.grad[:, :, :20, :20].any()
    assert updated.sum() > 0


def test_a_box_sums_what_lies_under_the_window() -> None:
    plane = torch.arange(12.0).view(1, 1, 3, 4)
    expected = [[10.0, 18.0, 24.0, 18.0], [27.0, 45.0, 54.0, 39.0], [26.0, 42.0, 48.0, 34.0]]
    assert box_sum(plane, 3, padding=1)[0, 0].tolist() == expected


def test_planes_must_add_up_and_be_there() -> None:
    with pytest.raises(
        ValueError, match=r"plane_channels \(3, 3\) add up to 6, expected in_channels, 5"
    ):
        PartialConv2d(5, 4, 3, plane_channels=(3, 3))
    with pytest.raises(ValueError, match="valid has 1 planes, expected 2"):
        PartialConv2d(5, 4, 3, plane_channels=(3, 2))(
            torch.rand(1, 5, 6, 7), torch.ones(1, 1, 6, 7)
        )
