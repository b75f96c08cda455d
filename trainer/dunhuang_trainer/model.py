"""The network: a U-Net of partial convolutions, eight levels for 256 px."""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.partial_conv import PartialConv2d
from dunhuang_trainer.push_pull import push_pull_fill

ENCODER_KERNELS = (7, 5, 5)  # then 3
WIDEST = 8  # times the first level's channels


def encoder_channels(config: ModelConfig) -> list[int]:
    """Return the channels after each encoder level: 64, 128, 256, 512, 512 … for width 64."""
    return [config.width * min(1 << level, WIDEST) for level in range(config.levels)]


class EncoderLevel(nn.Module):
    """Partial convolution of stride 2, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = PartialConv2d(
            in_channels, out_channels, kernel_size, stride=2, padding=kernel_size // 2
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W), (B, 1, H, W) -> (B, C2, H/2, W/2), (B, 1, H/2, W/2)."""
        y, valid = self.conv(x, valid)
        return F.relu(self.norm(y)), valid


class DecoderLevel(nn.Module):
    """Nearest-neighbour upsampling, the skip joined, partial convolution, then norm and leaky ReLU.

    The last level has neither: its output is the picture, with a bias that starts at mid-grey.
    """

    def __init__(
        self, low_channels: int, skip_channels: int, out_channels: int, last: bool
    ) -> None:
        super().__init__()
        self.conv = PartialConv2d(
            low_channels + skip_channels,
            out_channels,
            3,
            padding=1,
            bias=last,
            plane_channels=(low_channels, skip_channels),
        )
        self.norm = None if last else nn.BatchNorm2d(out_channels)

    def forward(
        self, low: Tensor, low_valid: Tensor, skip: Tensor, skip_valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) and the skip (B, C', 2H, 2W), each with its plane -> (B, C2, 2H, 2W)."""
        up = F.interpolate(low, scale_factor=2, mode="nearest")
        up_valid = F.interpolate(low_valid, scale_factor=2, mode="nearest")
        y, valid = self.conv(torch.cat([up, skip], dim=1), torch.cat([up_valid, skip_valid], dim=1))
        if self.norm is not None:
            y = F.leaky_relu(self.norm(y), 0.2)
        return y, valid


class PartialConvUNet(nn.Module):
    """The U-Net of Liu et al. 2018 (arXiv:1804.07723), in the seed project's form.

    Parameters
    ----------
    config : ModelConfig

    Notes
    -----
    Encoder level i halves the picture; kernels 7, 5, 5, 3, 3 …; ReLU. Decoder level i doubles it,
    joins the encoder's input at that size, and convolves with 3 x 3; leaky ReLU 0.2. Batch norm
    everywhere but in the last layer, which alone has a bias. The output is not bounded.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        channels = [3, *encoder_channels(config)]
        kernels = [*ENCODER_KERNELS, *[3] * config.levels][: config.levels]
        self.encoder = nn.ModuleList(
            EncoderLevel(c_in, c_out, kernel)
            for (c_in, c_out), kernel in zip(pairwise(channels), kernels, strict=True)
        )
        self.decoder = nn.ModuleList(
            # from level i's size to level i - 1's, whose tensor is the skip
            DecoderLevel(channels[level], channels[level - 1], channels[level - 1], last=level == 1)
            for level in range(config.levels, 0, -1)
        )
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2)
        last = cast(DecoderLevel, self.decoder[-1]).conv
        assert last.bias is not None
        correction = self.config.base == "push-pull"
        with torch.no_grad():  # start near mid-grey, not at noise of many times the picture's range
            last.conv.weight.mul_(0.0 if correction else 0.1)
            last.bias.fill_(0.0 if correction else 0.5)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Predict every pixel, (B, 3, H, W): the first result of `predict`."""
        return self.predict(image, valid)[0]

    def predict(self, image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Predict every pixel that some known one reaches.

        Parameters
        ----------
        image : (B, 3, H, W) float
            In [0, 1]; H and W multiples of ``config.multiple``. Holes may hold anything finite.
        valid : (B, 1, H, W) float
            1 = known, 0 = hole.

        Returns
        -------
        predicted : (B, 3, H, W) float
            Holes and known pixels alike; see `dunhuang_trainer.composite`.
        reached : (B, 1, H, W) float
            The last layer's updated mask: 0 where no known pixel is within the network's sight;
            there the prediction is 0 and means nothing.
        """
        multiple = self.config.multiple
        height, width = image.shape[-2:]
        if height % multiple or width % multiple:
            raise ValueError(
                f"the picture is {height} x {width} px; a network of {self.config.levels} levels "
                f"takes multiples of {multiple}"
            )
        x, m = image * valid, valid  # (B, 3, H, W), (B, 1, H, W)
        skips = []
        for level in self.encoder:
            skips.append((x, m))
            x, m = level(x, m)  # (B, C, H / 2**i, W / 2**i)
        base = push_pull_fill(image, valid) if self.config.base == "push-pull" else None
        for level in self.decoder:
            if base is not None and not skips[1:]:  # the last level sees the fill that it corrects
                skips[0] = base, F.interpolate(m, scale_factor=2, mode="nearest")
            x, m = level(x, m, *skips.pop())
        if base is None:
            return x, m
        some = valid.amax(dim=(2, 3), keepdim=True) > 0
        return base + x, some.to(m.dtype).expand_as(m)

    def parameter_count(self) -> int:
        """Return the number of trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())
