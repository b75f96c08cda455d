"""The textbook form of the network, to test and to measure against: a mask for every channel.

Written from the equations of Liu et al. 2018 (arXiv:1804.07723) in the way they read: the mask has
as many channels as the features, the counts come from a convolution of the mask with as many ones
as the layer has weights, masks are upsampled and joined like features. Its state dict has the names
of `dunhuang_trainer.model.PartialConvUNet`.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import ENCODER_KERNELS, encoder_channels


class ManyChannelConv2d(nn.Module):
    """A partial convolution whose mask has one channel per feature channel.

    Parameters are those of ``torch.nn.Conv2d``.
    """

    ones: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.place = (stride, padding, dilation)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, *self.place, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.register_buffer("ones", torch.ones_like(self.conv.weight), persistent=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) and its mask, as large -> (B, C2, H2, W2) and its mask, as large."""
        with torch.no_grad():
            count = F.conv2d(mask, self.ones, None, *self.place)
            updated = count.clamp(0, 1)
            ratio = self.ones[0].numel() / (count + 1e-8) * updated
        y = self.conv(x * mask) * ratio
        if self.bias is not None:
            y = y + self.bias.view(1, -1, 1, 1) * updated
        return y, updated


class ManyChannelEncoderLevel(nn.Module):
    """Partial convolution of stride 2, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = ManyChannelConv2d(
            in_channels, out_channels, kernel_size, stride=2, padding=kernel_size // 2
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Halve features and mask."""
        y, mask = self.conv(x, mask)
        return F.relu(self.norm(y)), mask


class ManyChannelDecoderLevel(nn.Module):
    """Upsampling, joining and partial convolution of features and masks alike."""

    def __init__(self, in_channels: int, out_channels: int, last: bool) -> None:
        super().__init__()
        self.conv = ManyChannelConv2d(in_channels, out_channels, 3, padding=1, bias=last)
        self.norm = None if last else nn.BatchNorm2d(out_channels)

    def forward(
        self, low: Tensor, low_mask: Tensor, skip: Tensor, skip_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Double features and mask, and join what the encoder had at that size."""
        up, up_mask = (
            F.interpolate(one, scale_factor=2, mode="nearest") for one in (low, low_mask)
        )
        y, mask = self.conv(torch.cat([up, skip], 1), torch.cat([up_mask, skip_mask], 1))
        return (y if self.norm is None else F.leaky_relu(self.norm(y), 0.2)), mask


class ManyChannelUNet(nn.Module):
    """The U-Net of `dunhuang_trainer.model` in the textbook form, without a base."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = [3, *encoder_channels(config)]
        kernels = [*ENCODER_KERNELS, *[3] * config.levels][: config.levels]
        self.encoder = nn.ModuleList(
            ManyChannelEncoderLevel(c_in, c_out, kernel)
            for (c_in, c_out), kernel in zip(pairwise(channels), kernels, strict=True)
        )
        self.decoder = nn.ModuleList(
            ManyChannelDecoderLevel(
                channels[level] + channels[level - 1], channels[level - 1], last=level == 1
            )
            for level in range(config.levels, 0, -1)
        )

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Predict every pixel, (B, 3, H, W)."""
        return self.predict(image, valid)[0]

    def predict(self, image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the prediction and the last mask, (B, 3, H, W) each."""
        x, mask = image * valid, valid.expand_as(image)
        skips = []
        for level in self.encoder:
            skips.append((x, mask))
            x, mask = level(x, mask)
        for level in self.decoder:
            x, mask = level(x, mask, *skips.pop())
        return x, mask
