"""What training makes small. Pixels marked as damage count in no term.

Every value is the mean over the images of a batch of a value of one image, so the mean of equal
parts of a batch is that of the batch. Pictures are in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dunhuang_data.errors import UsageProblem
from dunhuang_trainer.composite import composite
from dunhuang_trainer.config import LOSSES
from dunhuang_trainer.loss_terms import full_precision, image_mean, settled
from dunhuang_trainer.similarity import similarity

SSIM_WEIGHT = 100 / 255**2  # the course's score, 1 − MSE / 100 + SSIM with MSE on 0 … 255


@dataclass(frozen=True, slots=True)
class LossParts:
    """The loss of a batch.

    Attributes
    ----------
    total : Tensor
        What is differentiated, a scalar.
    parts : dict of str to Tensor
        Its terms before they are weighted, and ``"hole"``: detached scalars on the device.
    """

    total: Tensor
    parts: dict[str, Tensor]


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


class Loss(nn.Module):
    """A weighted sum of terms.

    Attributes
    ----------
    weights : dict of str to float
        Of the terms, by name.
    constant : float
        What is added to the sum, so that a perfect prediction costs nothing.
    """

    def __init__(
        self,
        weights: dict[str, float],
        terms: Callable[[Pictures], dict[str, Tensor]],
        constant: float = 0.0,
    ) -> None:
        super().__init__()
        self.weights, self.terms, self.constant = weights, terms, constant

    @property
    def part_names(self) -> tuple[str, ...]:
        """The keys of `LossParts.parts`, in order."""
        return ("hole", *self.weights)

    def forward(
        self, predicted: Tensor, target: Tensor, valid: Tensor, damage: Tensor
    ) -> LossParts:
        """Return the loss of a batch, in float32 whatever autocast says (float64 for float64).

        Parameters
        ----------
        predicted, target : (B, 3, H, W) float
        valid, damage : (B, 1, H, W) float
            Of {0, 1}; damage = 1 leaves a pixel out, whatever the target holds there.
        """
        with torch.autocast(predicted.device.type, enabled=False):
            predicted, target = settled(full_precision(predicted), full_precision(target), damage)
            merged = composite(predicted, target, valid)
            pictures = Pictures(predicted, target, merged, damage, valid <= 0, damage <= 0)
            hole = pictures.hole & pictures.counted
            terms = {"hole": image_mean((merged - target).square().detach(), hole)}
        terms |= self.terms(pictures)
        means = {name: terms[name].mean() for name in self.part_names}
        total = means["hole"].new_tensor(self.constant)
        for name, weight in self.weights.items():
            total = total + weight * means[name]
        return LossParts(total, {name: value.detach() for name, value in means.items()})


def make_loss(name: str, features: Path | None, device: torch.device) -> Loss:
    """Return a loss by name.

    Parameters
    ----------
    name : {"mse", "mse+ssim", "poster", "paper"}
    features : Path, optional
        The weights of VGG-16 for ``"poster"`` and ``"paper"``; torchvision's by default.
    device : torch.device

    Raises
    ------
    UsageProblem
        If there is no such loss.
    """
    if name not in LOSSES:
        raise UsageProblem(f"--loss is {name!r}; expected one of {', '.join(LOSSES)}.")
    if name == "mse":
        return Loss({"pixel": 1.0}, _pixel).to(device)
    if name == "mse+ssim":
        weights = {"pixel": 1.0, "ssim": -SSIM_WEIGHT}
        return Loss(weights, _pixel_and_similarity, constant=SSIM_WEIGHT).to(device)
    raise NotImplementedError(name)  # poster and paper come next


def check_features(name: str, features: Path | None) -> str | None:
    """Check, before a run is started, that a loss has the weights it needs."""
    return None


def _pixel(pictures: Pictures) -> dict[str, Tensor]:
    """Return the mean squared error of the composite over undamaged pixels."""
    error = (pictures.composite - pictures.target).square()
    return {"pixel": image_mean(error, pictures.counted)}


def _pixel_and_similarity(pictures: Pictures) -> dict[str, Tensor]:
    with torch.autocast(pictures.target.device.type, enabled=False):
        ssim = similarity(pictures.composite, pictures.target, pictures.damage)
    return _pixel(pictures) | {"ssim": ssim}
