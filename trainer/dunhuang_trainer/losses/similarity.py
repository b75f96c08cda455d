"""Structural similarity that can be differentiated: the same number as `metrics.ssim`, in torch."""

import torch
from torch import Tensor
from torch.nn import functional as F

from dunhuang_trainer.metrics import SSIM_WINDOW

C1, C2 = 0.01**2, 0.03**2  # for pictures in [0, 1]
SAMPLE = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)


def similarity(picture: Tensor, target: Tensor, damage: Tensor) -> Tensor:
    """Return the mean structural similarity of each picture.

    Parameters
    ----------
    picture, target : (B, 3, H, W) float32 or float64
        In [0, 1], and finite also where there is damage.
    damage : (B, 1, H, W) float
        1 = damage. A window that holds such a pixel does not count.

    Returns
    -------
    (B,) float
        The mean over the windows that lie in the picture; 1 where none counts.
    """
    if min(picture.shape[2:]) < SSIM_WINDOW:
        return picture.new_ones(len(picture))
    free = F.max_pool2d(damage, SSIM_WINDOW, stride=1) == 0  # (B, 1, H - 6, W - 6)
    windows = free.sum(dim=(1, 2, 3))
    values = similarity_map(picture, target).mean(dim=1, keepdim=True)
    total = torch.where(free, values, 0.0).sum(dim=(1, 2, 3))
    return torch.where(windows > 0, total / windows.clamp(min=1), 1.0)


def similarity_map(picture: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of every window: (B, 3, H, W) → (B, 3, H − 6, W − 6).

    Source: Wang et al. 2004, IEEE Transactions on Image Processing 13:600, in the convention of
    `dunhuang_trainer.metrics.ssim_map`. With d = x − y, its two factors are ::

        1 − mean(d)² / (mean(x)² + mean(y)² + C₁)    and    1 − var(d) / (var(x) + var(y) + C₂)

    because mean(x)² + mean(y)² − 2 mean(x) mean(y) = mean(d)², and likewise for the variances. In
    this form the difference of two pictures is taken first, pixel by pixel, and not as the
    difference of large sums; and variances are taken about the mean of the picture. So float32 is
    enough, for the value and for the gradient.
    """
    middle = target.mean(dim=(2, 3), keepdim=True)
    x, y, difference = picture - middle, target - middle, picture - target
    mean_x, mean_d = _box_mean(x), _box_mean(difference)
    mean_y = mean_x - mean_d
    both = SAMPLE * (_box_mean(x.square() + y.square()) - mean_x.square() - mean_y.square())
    between = SAMPLE * (_box_mean(difference.square()) - mean_d.square())
    light = (mean_x + middle).square() + (mean_y + middle).square() + C1
    return (1 - mean_d.square() / light) * (1 - between / (both + C2))


def _box_mean(values: Tensor) -> Tensor:
    """Return the mean of every 7 x 7 window.

    By adding shifted copies, 1 + 1, 2 + 2 and 4 + 2 + 1 of them, along one axis and then the
    other: on a CPU several times as fast as an average pooling.
    """
    for axis in (2, 3):
        count = values.shape[axis]
        two = values.narrow(axis, 0, count - 1) + values.narrow(axis, 1, count - 1)
        four = two.narrow(axis, 0, count - 3) + two.narrow(axis, 2, count - 3)
        left = count - SSIM_WINDOW + 1
        seven = four.narrow(axis, 0, left) + two.narrow(axis, 4, left)
        values = seven + values.narrow(axis, SSIM_WINDOW - 1, left)
    return values / SSIM_WINDOW**2
