"""Partial convolution: the convolution that looks only at known pixels.

Source: Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions", ECCV 2018,
arXiv:1804.07723, equations 1 and 2::

    y      = Wᵀ(X ⊙ M) · sum(1) / sum(M) + b   where sum(M) > 0, else 0
    valid' = 1                                 where sum(M) > 0, else 0

The sums run over the window, all input channels included. Zero padding counts as holes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PartialConv2d(nn.Module):
    """A partial convolution.

    A mask is the same in every channel of one tensor, so it is carried as one *plane*. A tensor
    joined from two (after a skip connection) has two planes, each speaking for its own channels;
    their counts add: sum(M) = C₁ · box(m₁) + C₂ · box(m₂). That equals the paper's form with one
    mask channel per feature channel, at a fraction of its cost.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding : int
        As in ``torch.nn.Conv2d``.
    bias : bool
    plane_channels : sequence of int, optional
        How many channels each plane of ``valid`` speaks for, in order; they add up to
        ``in_channels``. By default one plane for all.
    """

    window: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
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
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=False
        )
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        weights = torch.tensor(self.plane_channels, dtype=torch.float32).view(1, -1, 1, 1)
        window = weights.expand(1, -1, kernel_size, kernel_size).contiguous()
        self.register_buffer("window", window, persistent=False)

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Apply both equations.

        Parameters
        ----------
        x : (B, C, H, W) float
            What it holds where ``valid`` is 0 does not matter, as long as it is finite.
        valid : (B, P, H, W) float
            1 = known, 0 = hole; P planes, as many as ``plane_channels``.

        Returns
        -------
        y : (B, C2, H2, W2) float
        valid : (B, 1, H2, W2) float
        """
        halves = torch.split(x, list(self.plane_channels), dim=1)
        known = [half * valid[:, row : row + 1] for row, half in enumerate(halves)]
        y = self.conv(torch.cat(known, dim=1) if len(known) > 1 else known[0])
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            # counts are whole numbers below 2**24, so float32 holds them exactly
            count = F.conv2d(
                valid.float(),
                self.window.float(),
                stride=self.conv.stride,
                padding=self.conv.padding,
            )
            seen = count > 0
            ratio = torch.where(seen, self.window.sum() / count.clamp(min=1), 0.0)
        y = y * ratio.to(y.dtype)
        updated = seen.to(valid.dtype)
        if self.bias is not None:
            y = y + self.bias.view(1, -1, 1, 1) * updated
        return y, updated
