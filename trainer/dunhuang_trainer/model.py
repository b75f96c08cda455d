"""The network: a U-Net of partial convolutions, eight levels for 256 px."""

from itertools import pairwise
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dunhuang_trainer.config import FROZEN_NORMS, ModelConfig
from dunhuang_trainer.joined_conv import joined_conv
from dunhuang_trainer.mask_pyramid import MaskPyramid, mask_pyramid
from dunhuang_trainer.partial_conv import PartialConv2d, WindowMask
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

    def forward(
        self,
        low: Tensor,
        skip: Tensor,
        mask: WindowMask | None,
        masked: bool,
        decoder: str,
    ) -> Tensor:
        """(B, C, H, W) and the skip (B, C', 2H, 2W), zero in holes -> (B, C2, 2H, 2W)."""
        y = self.conv.finish(joined_conv(low, skip, self.conv.conv.weight, decoder), mask)
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
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self._frozen_norm = "none"
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
            within the network's sight; the prediction, or with a base the correction, is 0 there.
            With a base, and of plain convolutions: all of a picture in which nothing is known.
        """
        self._check(image, valid)
        masks = self.mask_pyramid(valid) if self.config.convolution == "partial" else None
        # Where the encoder ends in a single pixel, each picture's masks are from there on all ones
        # or all zeros, and so are the ratios' signs: what is not masked is masked by the next ratio
        single = image.shape[-2:] == (self.config.multiple, self.config.multiple)
        x = torch.where(valid > 0, image, 0.0)  # (B, 3, H, W)
        skips = []
        for number, level in enumerate(self.encoder, start=1):
            skips.append(x)
            mask = masks.encoder[number - 1] if masks else None
            x = level(x, mask, not (single and number == self.config.levels))
        base = push_pull_fill(image, valid) if self.config.base == "push-pull" else None
        if base is not None:  # the last level sees the fill that it corrects
            skips[0] = base * masks.skip if masks and not single else base
        for number, level in enumerate(self.decoder):
            mask = masks.decoder[number] if masks else None
            x = level(x, skips.pop(), mask, not single, self.config.decoder)
        if base is not None:
            x = base + x
        if masks and base is None:
            return x, masks.decoder[-1].valid
        some = valid.amax(dim=(2, 3), keepdim=True) > 0
        return x, some.to(valid.dtype).expand_as(valid)

    def mask_pyramid(self, valid: Tensor) -> MaskPyramid:
        """Make the masks of every layer for a batch, (B, 1, H, W) float of {0, 1}."""
        encoder, decoder = (
            [cast(EncoderLevel | DecoderLevel, level).conv for level in part]
            for part in (self.encoder, self.decoder)
        )
        return mask_pyramid(valid, encoder, decoder, self.config.base == "push-pull")

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
