"""The terms that losses are made of: one value per image each, (B,) tensors.

Every function takes finite pictures that are equal at damaged pixels (`settled` makes them so), in
float32 or float64, outside autocast.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Pictures:
    """What terms are computed from; at damaged pixels all three pictures are equal.

    Attributes
    ----------
    predicted, target, composite : (B, 3, H, W) float
    damage : (B, 1, H, W) float
    hole, counted : (B, 1, H, W) bool
        Hole pixels; undamaged pixels.
    """

    predicted: Tensor
    target: Tensor
    composite: Tensor
    damage: Tensor
    hole: Tensor
    counted: Tensor


def full_precision(values: Tensor) -> Tensor:
    """Return float64 as it is and everything else as float32."""
    return values if values.dtype == torch.float64 else values.float()


def settled(predicted: Tensor, target: Tensor, damage: Tensor) -> tuple[Tensor, Tensor]:
    """Return both pictures with one colour at the damaged pixels: the same in both.

    The colour is the mean of the target's undamaged pixels, image by image, so that the seam is
    weak for what looks at neighbourhoods. What target and prediction hold at damaged pixels, be it
    NaN, is selected away before any arithmetic: it changes no value and gets no gradient.

    Parameters
    ----------
    predicted, target : (B, 3, H, W) float
    damage : (B, 1, H, W) float
        1 = damage.
    """
    apart = damage > 0
    colour = image_mean(torch.where(apart, 0.0, target), ~apart, by_channel=True)
    colour = colour[:, :, None, None]
    return torch.where(apart, colour, predicted), torch.where(apart, colour, target)


def image_mean(values: Tensor, where: Tensor, *, by_channel: bool = False) -> Tensor:
    """Return the mean over some pixels of each image, and over the channels.

    Parameters
    ----------
    values : (B, C, H, W) float
    where : (B, 1, H, W) bool
        The pixels that count.
    by_channel : bool
        Whether each channel has a mean of its own.

    Returns
    -------
    (B,) float, or (B, C)
        0 for an image without a pixel that counts.
    """
    axes = (2, 3) if by_channel else (1, 2, 3)
    count = where.sum(dim=axes) * (1 if by_channel else values.shape[1])
    return torch.where(where, values, 0.0).sum(dim=axes) / count.clamp(min=1)


def dilated(region: Tensor) -> Tensor:
    """Return a region and its eight neighbours: (B, 1, H, W) bool."""
    return F.max_pool2d(region.float(), 3, stride=1, padding=1) > 0


def variation(composite: Tensor, region: Tensor, power: int) -> tuple[Tensor, Tensor]:
    """Return the sum of differences of neighbours that both lie in a region.

    Parameters
    ----------
    composite : (B, 3, H, W) float
    region : (B, 1, H, W) bool
    power : {1, 2}
        Of the absolute differences.

    Returns
    -------
    down, across : (B,) float
        Over pairs one above the other, and side by side; summed over the channels, too.
    """
    sums = []
    for axis in (2, 3):
        count = composite.shape[axis] - 1
        pair = region.narrow(axis, 0, count) & region.narrow(axis, 1, count)
        step = composite.narrow(axis, 1, count) - composite.narrow(axis, 0, count)
        size = step.abs() if power == 1 else step.square()
        sums.append(torch.where(pair, size, 0.0).sum(dim=(1, 2, 3)))
    return sums[0], sums[1]


def pairs(where: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many neighbours both lie in a region (at least 1): down and across, (B,) each."""
    down = (where[:, :, 1:] & where[:, :, :-1]).sum(dim=(1, 2, 3))
    across = (where[..., 1:] & where[..., :-1]).sum(dim=(1, 2, 3))
    return down.clamp(min=1), across.clamp(min=1)


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrix of each image, Ψᵀ Ψ / (C · H · W): (B, C, H, W) → (B, C, C).

    The scale is applied inside the product, before its result is rounded.
    """
    _, channels, height, width = features.shape
    rows = features.permute(0, 2, 3, 1).flatten(1, 2)  # (B, H · W, C); a view in channels-last
    scale = 1 / (channels * height * width)
    nothing = rows.new_zeros(())
    return torch.baddbmm(nothing, rows.transpose(1, 2), rows, beta=0, alpha=scale)
