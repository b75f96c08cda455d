"""The network: a U-Net of partial convolutions, eight levels for 256 px."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dunhuang_trainer.config import FROZEN_NORMS, ModelConfig
from dunhuang_trainer.joined_conv import SPLIT_FROM, joined_conv
from dunhuang_trainer.mask_pyramid import MaskPyramid, mask_pyramid
from dunhuang_trainer.partial_conv import PartialConv2d, WindowMask
from dunhuang_trainer.push_pull import push_pull_fill

ENCODER_KERNELS = (7, 5, 5)  # then 3
WIDEST = 8  # times the first level's channels
CONTRAST = 4.0  # of what a network with a base sees: colours less their mean, about 1 at most
CORRECTION = 0.1  # of its output: what a fill lacks is small


def encoder_channels(config: ModelConfig) -> list[int]:
    """Return the channels after each encoder level: 64, 128, 256, 512, 512 … for width 64."""
    return [config.width * min(1 << level, WIDEST) for level in range(config.levels)]


class EncoderLevel(nn.Module):
    """Partial convolution of stride 2, batch norm, ReLU."""

    def __init__(self, in_channels: Sequence[int], out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = PartialConv2d(
            sum(in_channels),
            out_channels,
            kernel_size,
            stride=2,
            padding=kernel_size // 2,
            plane_channels=in_channels,
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, mask: WindowMask | None, masked: bool) -> Tensor:
        """(B, C, H, W), zero in holes -> (B, C2, H/2, W/2), if ``masked`` also zero in holes."""
        y = self.norm(self.conv.finish(self.conv.conv(x), mask))
        return F.relu(_without_holes(y, mask, masked), inplace=True)


class DecoderLevel(nn.Module):
    """Nearest-neighbour upsampling, the skip joined, partial convolution, then norm and leaky ReLU.

    The last level has neither: its output is the picture, with a bias.
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
        self.split_from = SPLIT_FROM

    def forward(
        self,
        low: Tensor,
        skip: Tensor,
        mask: WindowMask | None,
        masked: bool,
        decoder: str,
    ) -> Tensor:
        """(B, C, H, W) and the skip (B, C', 2H, 2W), zero in holes -> (B, C2, 2H, 2W)."""
        joined = joined_conv(low, skip, self.conv.conv.weight, decoder, self.split_from)
        y = self.conv.finish(joined, mask)
        if self.norm is None:
            return y
        return F.leaky_relu(_without_holes(self.norm(y), mask, masked), 0.2, inplace=True)


def _without_holes(y: Tensor, mask: WindowMask | None, masked: bool) -> Tensor:
    """Set holes to zero, in place: once where a tensor is made, not wherever it is used.

    Before the activation, which leaves zero as it is and keeps for the backward pass what it
    returns: so no second copy is kept. Batch norm keeps its input alone.
    """
    return y.mul_(mask.valid) if masked and mask is not None else y


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

    With a base, the network sees the masked image, the fill and the mask; the last level's skip is
    the fill; and the output is the fill plus what the last layer says, which is nothing at first.
    It sees colours less their mean over the fill, four times as strong, and a tenth of what it says
    is added: so one learning rate suits all layers (measured on the page about quality).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self._frozen_norm = "none"
        self.fill: Callable[[Tensor, Tensor], Tensor] = push_pull_fill  # an export has its own form
        with_fill = config.base == "push-pull"
        channels = [3, *encoder_channels(config)]
        kernels = [*ENCODER_KERNELS, *[3] * config.levels][: config.levels]
        self.encoder = nn.ModuleList(
            # with a base, the first level gets the masked image, and the fill with the mask
            EncoderLevel([3, 4] if with_fill and level == 0 else [c_in], c_out, kernel)
            for level, ((c_in, c_out), kernel) in enumerate(
                zip(pairwise(channels), kernels, strict=True)
            )
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

    def freeze_norm(self, which: str) -> None:
        """Freeze statistics and affine weights of batch norms; what was frozen before is freed.

        Frozen ones use and keep the statistics they have, also after ``train()``, and their
        weights get no gradient.

        Parameters
        ----------
        which : {"none", "encoder", "all"}
        """
        if which not in FROZEN_NORMS:
            raise ValueError(f"which is {which!r}, expected one of {', '.join(FROZEN_NORMS)}")
        self._frozen_norm = which
        frozen = self._frozen_norms()
        for norm in self._norms(self.encoder, self.decoder):
            for parameter in norm.parameters():
                parameter.requires_grad_(norm not in frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; frozen batch norms stay in evaluation mode."""
        super().train(mode)
        for norm in self._frozen_norms():
            norm.eval()
        return self

    def _frozen_norms(self) -> list[nn.Module]:
        if self._frozen_norm == "none":
            return []
        parts = (self.encoder,) if self._frozen_norm == "encoder" else (self.encoder, self.decoder)
        return self._norms(*parts)

    @staticmethod
    def _norms(*parts: nn.ModuleList) -> list[nn.Module]:
        levels = [cast(EncoderLevel | DecoderLevel, level) for part in parts for level in part]
        return [level.norm for level in levels if level.norm is not None]

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Predict every pixel, (B, 3, H, W): the first result of `predict`."""
        return self.predict(image, valid)[0]

    def predict(self, image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Predict every pixel that some known one reaches.

        Parameters
        ----------
        image : (B, 3, H, W) float
            In [0, 1]; H and W multiples of ``config.multiple``. Holes may hold anything.
        valid : (B, 1, H, W) float
            1 = known, 0 = hole, nothing between.

        Returns
        -------
        predicted : (B, 3, H, W) float
            Holes and known pixels alike; see `dunhuang_trainer.composite`.
        reached : (B, 1, H, W) float
            0 where the prediction means nothing. Of partial convolutions: where no known pixel is
            within the network's sight; the prediction is 0 there. With a base, and of plain
            convolutions: all of a picture in which nothing is known; with a base of partial ones
            the correction is 0 there.
        """
        self._check(image, valid)
        some = (valid.amax(dim=(2, 3), keepdim=True) > 0).to(valid.dtype).expand_as(valid)
        masks = self._masks(valid, some) if self.config.convolution == "partial" else None
        x = torch.where(valid > 0, image, 0.0)  # (B, 3, H, W)
        fill = self.fill(image, valid) if self.config.base == "push-pull" else None
        skips = [x]
        if fill is not None:
            # less the mean, so that brightness changes no correction
            mean = fill.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)  # exact in ONNX too
            seen = CONTRAST * (fill - mean)
            x, skips = torch.cat([seen * valid, seen, valid.to(seen.dtype)], dim=1), [seen]
        # Where each picture's masks are all ones or all zeros, nothing need be masked: the ratios
        # of the next layer are zero too. So it is behind a single pixel, and behind a fill.
        single = image.shape[-2:] == (self.config.multiple, self.config.multiple)
        filled = fill is not None
        for number, level in enumerate(self.encoder, start=1):
            mask = masks.encoder[number - 1] if masks else None
            x = level(x, mask, not (filled or (single and number == self.config.levels)))
            skips.append(x)  # (B, C, H / 2**i, W / 2**i)
        skips.pop()
        for number, level in enumerate(self.decoder):
            mask = masks.decoder[number] if masks else None
            x = level(x, skips.pop(), mask, not (filled or single), self.config.decoder)
        if fill is not None:
            return fill + CORRECTION * x, some
        return x, masks.decoder[-1].valid if masks else some

    def _masks(self, valid: Tensor, some: Tensor) -> MaskPyramid:
        """Return the masks of every layer for a batch; a fill is known where anything is."""
        encoder, decoder = (
            [cast(EncoderLevel | DecoderLevel, level).conv for level in part]
            for part in (self.encoder, self.decoder)
        )
        inputs = [valid] if self.config.base == "none" else [valid, some]
        return mask_pyramid(inputs, encoder, decoder)

    def _check(self, image: Tensor, valid: Tensor) -> None:
        batch, _, height, width = image.shape
        multiple = self.config.multiple
        if height % multiple or width % multiple:
            raise ValueError(
                f"the picture is {height} x {width} px; a network of {self.config.levels} levels "
                f"takes multiples of {multiple}"
            )
        if valid.shape != (batch, 1, height, width):
            raise ValueError(
                f"valid is {tuple(valid.shape)}, expected {(batch, 1, height, width)}: one plane "
                "for every picture, of its size"
            )

    def parameter_count(self) -> int:
        """Return the number of trained numbers, frozen or not."""
        return sum(parameter.numel() for parameter in self.parameters())
