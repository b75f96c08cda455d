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
    """The masks of every layer.

    Attributes
    ----------
    encoder, decoder : list of WindowMask
        In the order in which the layers are applied.
    skip : (B, 1, H, W) float
        The plane of the last decoder level's skip.
    """

    encoder: list[WindowMask]
    decoder: list[WindowMask]
    skip: Tensor


def mask_pyramid(
    valid: Tensor,
    encoder: Sequence[PartialConv2d],
    decoder: Sequence[PartialConv2d],
    filled_skip: bool,
) -> MaskPyramid:
    """Make the masks of every layer of a U-Net.

    Parameters
    ----------
    valid : (B, 1, H, W) float
        1 = known, 0 = hole.
    encoder, decoder : sequence of PartialConv2d
    filled_skip : bool
        The last skip is not the masked image but a picture without holes. It counts as known
        wherever the other half of that level does, so it lends no sight to a network that has none.
    """
    with torch.no_grad(), without_autocast(valid.device):
        planes = [valid.to(counting_dtype(valid))]
        down: list[WindowMask] = []
        for layer in encoder:
            down.append(layer.window_mask(planes[-1]))
            planes.append(down[-1].valid)
        up: list[WindowMask] = []
        low = skip = planes.pop()
        for layer in decoder:
            doubled = F.interpolate(low, scale_factor=2, mode="nearest")
            skip = planes.pop()
            if filled_skip and not planes:
                skip = doubled
            up.append(layer.window_mask(doubled, skip))
            low = up[-1].valid
        return MaskPyramid(down, up, skip)
