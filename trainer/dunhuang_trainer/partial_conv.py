"""Partial convolution: the convolution that looks only at known pixels.

Source: Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions", ECCV 2018,
arXiv:1804.07723, equations 1 and 2::

    y      = Wᵀ(X ⊙ M) · sum(1) / sum(M) + b   where sum(M) > 0, else 0
    valid' = 1                                 where sum(M) > 0, else 0

The sums run over the window, all input channels included. Zero padding counts as holes.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class WindowMask(NamedTuple):
    """What the mask says of every window of a layer; it depends on no weight.

    Attributes
    ----------
    ratio : (B, 1, H, W) float
        sum(1) / sum(M), 0 where the window holds no known pixel. At least float32.
    valid : (B, 1, H, W) float
        1 where the window holds a known pixel, else 0.
    """

    ratio: Tensor
    valid: Tensor


def window_mask(count: Tensor, full: int) -> WindowMask:
    """Turn counts of known numbers under each window, of ``full``, into ratio and new mask.

    Counts are whole numbers below 2**24, which float32 holds exactly. So no small number is added
    to keep from dividing by zero: it would be zero itself in half precision.
    """
    seen = count > 0
    return WindowMask(torch.where(seen, full / count.clamp(min=1), 0.0), seen.to(count.dtype))


def box_sum(
    plane: Tensor, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Tensor:
    """Sum a plane, (B, 1, H, W), over the windows of a convolution; zero beyond the border.

    A convolution with ones, because exporting to ONNX drops ``divisor_override`` of an average
    pool without a word, and that pool has no dilation.
    """
    ones = plane.new_ones(1, 1, kernel_size, kernel_size)
    return F.conv2d(plane, ones, stride=stride, padding=padding, dilation=dilation)


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which types are what they seem; there is nothing to undo on "meta"."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def counting_dtype(x: Tensor) -> torch.dtype:
    """Return the type to count in: that of ``x``, at least float32."""
    return torch.promote_types(x.dtype, torch.float32)


class PartialConv2d(nn.Module):
    """A partial convolution.

    A mask is the same in every channel of one tensor, so it is carried as one *plane*. A tensor
    joined from two (after a skip connection) has two planes, each speaking for its own channels;
    their counts add: sum(M) = C₁ · box(m₁) + C₂ · box(m₂). That equals the paper's form with one
    mask channel per feature channel, at a fraction of its cost.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation : int
        As in ``torch.nn.Conv2d``.
    bias : bool
    plane_channels : sequence of int, optional
        How many channels each plane of ``valid`` speaks for, in order; they add up to
        ``in_channels``. By default one plane for all.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = False,
        plane_channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.plane_channels = tuple(plane_channels or (in_channels,))
        if sum(self.plane_channels) != in_channels:
            raise ValueError(
                f"plane_channels {self.plane_channels} add up to {sum(self.plane_channels)}, "
                f"expected in_channels, {in_channels}"
            )
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            bias=False,
        )
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Apply both equations.

        Parameters
        ----------
        x : (B, C, H, W) float
            What it holds where ``valid`` is 0 does not matter.
        valid : (B, P, H, W) float
            1 = known, 0 = hole; P planes, as many as ``plane_channels``.

        Returns
        -------
        y : (B, C2, H2, W2) float
        valid : (B, 1, H2, W2) float
        """
        if valid.shape[1] != len(self.plane_channels):
            raise ValueError(
                f"valid has {valid.shape[1]} planes, expected {len(self.plane_channels)}"
            )
        halves = torch.split(x, list(self.plane_channels), dim=1)
        planes = torch.split(valid, 1, dim=1)
        known = [
            torch.where(plane > 0, half, 0.0) for half, plane in zip(halves, planes, strict=True)
        ]
        mask = self.window_mask(*planes)
        y = self.finish(self.conv(torch.cat(known, dim=1) if len(known) > 1 else known[0]), mask)
        return y, mask.valid.to(valid.dtype)

    def window_mask(self, *planes: Tensor) -> WindowMask:
        """Return what the mask says of every window: for `finish`, and the next layer's plane.

        Parameters
        ----------
        *planes : (B, 1, H, W) float
            1 = known, 0 = hole; one for each of ``plane_channels``.
        """
        with torch.no_grad(), without_autocast(planes[0].device):
            known = self.plane_channels[0] * planes[0].to(counting_dtype(planes[0]))
            for channels, plane in zip(self.plane_channels[1:], planes[1:], strict=True):
                known = torch.add(known, plane, alpha=channels)
            count = box_sum(known, self.kernel_size, self.stride, self.padding, self.dilation)
            return window_mask(count, sum(self.plane_channels) * self.kernel_size**2)

    def finish(self, y: Tensor, mask: WindowMask | None) -> Tensor:
        """Turn the plain convolution of X ⊙ M, without bias, into the partial one; in place.

        With no mask it stays a plain one, and only the bias is added.
        """
        if mask is not None:
            y = y.mul_(mask.ratio)  # in half precision too: multiplied in float32, rounded once
        if self.bias is None:
            return y
        bias = self.bias.view(1, -1, 1, 1)
        return y + (bias if mask is None else (bias * mask.valid).to(y.dtype))
