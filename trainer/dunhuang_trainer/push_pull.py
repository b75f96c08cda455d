"""Fill holes without training: push-pull, smoothed at every size. The base of ``--base push-pull``.

*Pull*: a pyramid of ever smaller pictures; each is the one before, averaged over known pixels by
the equation of a partial convolution with fixed weights. *Push*: from the smallest size to the
largest, holes take what the smaller picture shows there (Gortler, Grzeszczuk, Szeliski and Cohen,
"The Lumigraph", SIGGRAPH 1996, section 3.4). *Smoothing*: at every size a few steps make the holes
follow slopes at their rims instead of going flat: damped Jacobi steps for the biharmonic equation,
Δ²f = 0 in holes, with Chebyshev's damping (Saad, "Iterative Methods for Sparse Linear Systems",
2003, section 12.3). A few are better than many: deep holes stay near the average.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dunhuang_trainer.partial_conv import without_autocast

STEPS = 4  # of smoothing, at every size but the full one
STEPS_AT_FULL_SIZE = 8
MID_GREY = 0.5
LEAST_WEIGHT = 1 / 4096  # of a window of which anything counts; its mean is that of what counts
TRUSTED = 1 / 16  # a coarse pixel counts in full if so much of its window's weight is known


def push_pull_fill(image: Tensor, valid: Tensor, *, smooth: bool = True) -> Tensor:
    """Fill the holes of some pictures.

    Parameters
    ----------
    image : (B, C, H, W) float
        Any H and W. Holes may hold anything.
    valid : (B, 1, H, W) float
        1 = known, 0 = hole.
    smooth : bool
        Without it, push-pull alone.

    Returns
    -------
    (B, C, H, W) float32
        Known pixels are those of ``image``. Holes stay between the least and the greatest known
        value of their channel. A picture in which nothing is known is mid-grey, 0.5. No gradient
        flows through it.
    """
    with torch.no_grad(), without_autocast(image.device):
        weight = valid.float()
        sizes = [(torch.where(weight > 0, image.float(), 0.0), weight)]
        lowest, highest = known_range(*sizes[0])
        while max(sizes[-1][0].shape[-2:]) > 1:
            sizes.append(_pull(*sizes[-1]))
        filled, _ = sizes.pop()  # one pixel, known if anything is
        while sizes:
            known, weight = sizes.pop()
            hole = 1 - weight
            filled = weight * known + hole * push(filled, known.shape[-2], known.shape[-1])
            if smooth and min(known.shape[-2:]) > 1:
                steps = STEPS if sizes else STEPS_AT_FULL_SIZE
                filled = _smooth(filled, hole, steps)
        return filled.clamp(lowest, highest)


def known_range(image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest known value of every channel, (B, C, 1, 1) each.

    Mid-grey both where nothing is known: then the least is infinite.
    """
    known = valid > 0
    lowest = torch.where(known, image, torch.inf).amin(dim=(2, 3), keepdim=True)
    highest = torch.where(known, image, -torch.inf).amax(dim=(2, 3), keepdim=True)
    some = lowest <= highest
    return torch.where(some, lowest, MID_GREY), torch.where(some, highest, MID_GREY)


def _pull(known: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Halve: a weighted mean over 4 x 4 pixels, weights 1 3 3 1 along each axis.

    (B, C, H, W), (B, 1, H, W) in [0, 1] -> the same at H/2, W/2, rounded up.
    """
    total = halved(weight)
    return halved(known * weight) / total.clamp(min=LEAST_WEIGHT), (total / TRUSTED).clamp(max=1)


def halved(x: Tensor) -> Tensor:
    """Sum over windows of 4 x 4 pixels, two apart, weights 1 3 3 1 over 8 along each axis."""
    height, width = x.shape[-2:]
    padded = F.pad(x, (1, 1 + width % 2, 1, 1 + height % 2))  # what lies beyond weighs nothing
    first, second = padded[..., 0::2, :], padded[..., 1::2, :]
    x = torch.add(first[..., :-1, :] + second[..., 1:, :], second[..., :-1, :], alpha=3)
    x = torch.add(x, first[..., 1:, :], alpha=3)
    first, second = x[..., 0::2], x[..., 1::2]
    x = torch.add(first[..., :-1] + second[..., 1:], second[..., :-1], alpha=3)
    return torch.add(x, first[..., 1:], alpha=3) / 64


def push(filled: Tensor, height: int, width: int) -> Tensor:
    """Double to (height, width): each pixel is 3/4 its own and 1/4 the next, along each axis."""
    doubled = F.interpolate(filled, scale_factor=2.0, mode="bilinear", align_corners=False)
    return doubled[..., :height, :width]


def _smooth(filled: Tensor, hole: Tensor, steps: int) -> Tensor:
    """Make holes follow the slopes at their rims: so many steps towards (1 - A)² f = 0 in holes.

    With A the mean of the four neighbours, the eigenvalues of (1 - A)² lie in [0, 4]; the damping
    makes most of the upper part of that range, which is what the smaller sizes leave over.
    """
    share = 1 / neighbours(torch.ones_like(hole[:1]))  # 1/4, at the border 1/3 and 1/2
    for damping in damping_of(steps):
        rough = torch.addcmul(filled, neighbours(filled), share, value=-1)
        rough = torch.addcmul(rough, neighbours(rough), share, value=-1)
        filled = torch.addcmul(filled, rough, hole, value=-damping)
    return filled


def neighbours(x: Tensor) -> Tensor:
    """Add up the four neighbours of every pixel, as far as there are any.

    Added one by one: for so few channels that is several times faster than a convolution.
    """
    padded = F.pad(x, (1, 1, 1, 1))
    total = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    return total.add_(padded[..., 1:-1, :-2]).add_(padded[..., 1:-1, 2:])


def damping_of(steps: int) -> list[float]:
    """Return Chebyshev's damping for [4 / (8 * steps), 4], small and large in turn.

    In turn, because many large ones in a row would let rounding grow.
    """
    high = 4.0
    low = high / (8 * steps)
    middle, half = (high + low) / 2, (high - low) / 2
    angles = [math.pi * (2 * step + 1) / (2 * steps) for step in range(steps)]
    rising = sorted(1 / (middle + half * math.cos(angle)) for angle in angles)
    paired = zip(rising[: steps // 2], reversed(rising[steps // 2 :]), strict=True)
    return [damping for pair in paired for damping in pair]
