"""The masks of all layers, made once per batch: they depend on the mask alone, on no weight.

Every tensor has one plane, (B, 1, H, W), whatever its channels. A decoder level joins two tensors,
and the counts of their planes add, each times its channels; see `dunhuang_trainer.partial_conv`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dunhuang_trainer.partial_conv import (
    PartialConv2d,
    WindowMask,
    counting_dtype,
    without_autocast,
)


class MaskPyramid(NamedTuple):
    """The masks of every layer, in the order in which the layers are applied."""

    encoder: list[WindowMask]
    decoder: list[WindowMask]


def mask_pyramid(
    inputs: Sequence[Tensor], encoder: Sequence[PartialConv2d], decoder: Sequence[PartialConv2d]
) -> MaskPyramid:
    """Make the masks of every layer of a U-Net.

    Parameters
    ----------
    inputs : sequence of (B, 1, H, W) float
        1 = known, 0 = hole; a plane for each picture that the first layer gets. The last of these
        pictures is also the skip of the last decoder level.
    encoder, decoder : sequence of PartialConv2d
    """
    with torch.no_grad(), without_autocast(inputs[0].device):
        planes = [plane.to(counting_dtype(plane)) for plane in inputs]
        down = [encoder[0].window_mask(*planes)]
        skips = [planes[-1], down[0].valid]
        for layer in encoder[1:]:
            down.append(layer.window_mask(skips[-1]))
            skips.append(down[-1].valid)
        up: list[WindowMask] = []
        low = skips.pop()
        for layer in decoder:
            doubled = F.interpolate(low, scale_factor=2, mode="nearest")
            up.append(layer.window_mask(doubled, skips.pop()))
            low = up[-1].valid
        return MaskPyramid(down, up)
