"""What training makes small. Pixels marked as damage count in no term."""

from dataclasses import dataclass

from torch import Tensor

from dunhuang_trainer.composite import composite


@dataclass(frozen=True, slots=True)
class LossParts:
    """The loss and its parts, scalar tensors; pictures are in [0, 1] here, not 0 … 255.

    Attributes
    ----------
    total : Tensor
        What is differentiated.
    pixel : Tensor
        Mean squared error of the composite over all undamaged pixels.
    hole : Tensor
        The same over the undamaged pixels of holes alone: comparable between hole ratios.
    """

    total: Tensor
    pixel: Tensor
    hole: Tensor


def mse_loss(predicted: Tensor, target: Tensor, valid: Tensor, damage: Tensor) -> LossParts:
    """Return the mean squared error of the composite, the seed project's pretraining loss.

    Parameters
    ----------
    predicted, target : (B, 3, H, W) float
    valid, damage : (B, 1, H, W) float
        Of {0, 1}; damage = 1 leaves a pixel out, whatever the target holds there.
    """
    counted = 1 - damage
    error = (composite(predicted, target, valid) - target).square() * counted
    channels = predicted.shape[1]
    squared = error.sum()  # zero on known pixels
    pixel = squared / (channels * counted.sum()).clamp(min=1)
    hole = squared / (channels * (counted * (1 - valid)).sum()).clamp(min=1)
    return LossParts(total=pixel, pixel=pixel.detach(), hole=hole.detach())
