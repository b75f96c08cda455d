"""The convolution of a decoder level: 3 x 3 over the upsampled half and the skip half.

As it is written in papers, ``"concat"``: double the low half by nearest neighbour, join the skip,
convolve. ``"split"`` computes the same without ever making the doubled or the joined tensor: a
convolution is linear, so each half may be convolved by its own part of the weights; and nearest
neighbour followed by 3 x 3 is one transposed convolution of stride 2 with a 4 x 4 kernel, which
does 4 multiplications where the other does 9.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from dunhuang_trainer.partial_conv import without_autocast

SPLIT_FROM = 64  # pixels of the low half; below, rewriting the weights costs more than it saves


def joined_conv(
    low: Tensor, skip: Tensor, weight: Tensor, decoder: str, split_from: int = SPLIT_FROM
) -> Tensor:
    """Convolve the low half, doubled, and the skip half, joined, by a 3 x 3 kernel.

    Parameters
    ----------
    low : (B, C1, H, W) float
    skip : (B, C2, 2H, 2W) float
    weight : (C3, C1 + C2, 3, 3) float
    decoder : {"split", "concat"}
    split_from : int
        Pixels of the low half below which it is concatenated all the same. With 0 no size is looked
        at, as an export needs it.

    Returns
    -------
    (B, C3, 2H, 2W) float
    """
    if decoder == "concat" or (split_from and low.shape[-2] * low.shape[-1] < split_from):
        doubled = F.interpolate(low, scale_factor=2, mode="nearest")
        return F.conv2d(torch.cat([doubled, skip], dim=1), weight, padding=1)
    of_low, of_skip = torch.split(weight, [low.shape[1], skip.shape[1]], dim=1)
    y = F.conv2d(skip, of_skip, padding=1)
    return y.add_(F.conv_transpose2d(low, doubling_weight(of_low), stride=2, padding=1))


def doubling_weight(weight: Tensor) -> Tensor:
    """Return the 4 x 4 kernel of stride 2 that equals doubling and then a 3 x 3 one.

    (C2, C1, 3, 3), as ``conv2d`` takes it -> (C1, C2, 4, 4), as ``conv_transpose2d`` takes it.

    Along one axis, pixel i of the low half becomes 2i and 2i + 1. Through the weights w₀ w₁ w₂
    they reach 2i - 1 … 2i + 2, by w₂, w₂ + w₁, w₁ + w₀, w₀. Along two, that is one matrix.
    """
    with without_autocast(weight.device):  # sums of weights, not of products
        one_axis = weight.new_zeros(3, 4)
        for tap in range(3):
            one_axis[tap, 2 - tap : 4 - tap] = 1.0
        flat = weight.transpose(0, 1).reshape(-1, 9) @ torch.kron(one_axis, one_axis)
        return flat.view(weight.shape[1], weight.shape[0], 4, 4)
