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
from dunhuang_trainer.config import LOSSES, check_choice
from dunhuang_trainer.losses.perceptual import PaperTerms, PosterTerms
from dunhuang_trainer.losses.similarity import similarity
from dunhuang_trainer.losses.terms import Pictures, full_precision, image_mean, settled
from dunhuang_trainer.losses.vgg import POOLS, RELU3_1, VggFeatures
from dunhuang_trainer.losses.vgg_weights import vgg_weights, weights_sha256

PERCEPTUAL = ("poster", "paper")

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


class Loss(nn.Module):
    """A weighted sum of terms.

    Attributes
    ----------
    weights : dict of str to float
        Of the terms, by name.
    constant : float
        What is added to the sum, so that a perfect prediction costs nothing.
    features_sha256 : str or None
        Of the weights of VGG-16, if it looks through it.
    """

    features_sha256: str | None = None

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
        total = means["hole"].new_full((), self.constant)  # no copy from the host
        for name, weight in self.weights.items():
            total = total + weight * means[name]
        return LossParts(total, {name: value.detach() for name, value in means.items()})


def make_loss(name: str, features: Path | None, device: torch.device) -> Loss:
    """Return a loss by name.

    Parameters
    ----------
    name : {"mse", "mse+ssim", "poster", "paper"}
    features : Path, optional
        The weights of VGG-16 for ``"poster"`` and ``"paper"``; see `vgg_weights`.
    device : torch.device

    Raises
    ------
    UsageProblem
        If there is no such loss, or it needs no weights.
    CheckpointError, EnvironmentProblem
        If the weights are no VGG-16, or there are none.
    """
    weights = _weights_for(name, features)
    if weights is None:
        loss = _mse() if name == "mse" else _mse_ssim()
    else:
        loss = _poster(weights) if name == "poster" else _paper(weights)
        loss.features_sha256 = weights_sha256(weights)
    return loss.to(device)


def check_features(name: str, features: Path | None) -> str | None:
    """Raise, before a run is started, what `make_loss` would raise; fetch what is missing.

    Call it in one process before several call `make_loss`, or each of them fetches the file.

    Returns
    -------
    str or None
        The SHA-256 of the weights that are used, for whoever continues; None if none are.

    Raises
    ------
    UsageProblem, CheckpointError, EnvironmentProblem
    """
    weights = _weights_for(name, features)
    return None if weights is None else weights_sha256(weights)


def _weights_for(name: str, features: Path | None) -> dict[str, Tensor] | None:
    check_choice("--loss", name, LOSSES)
    if name in PERCEPTUAL:
        return vgg_weights(features)
    if features is not None:
        raise UsageProblem(
            f"--features is for --loss {' and '.join(PERCEPTUAL)}; --loss {name} needs none. "
            "Leave it out."
        )
    return None


def _mse() -> Loss:
    return Loss({"pixel": 1.0}, _pixel)


def _mse_ssim() -> Loss:
    weights = {"pixel": 1.0, "ssim": -SSIM_WEIGHT}
    return Loss(weights, _pixel_and_similarity, constant=SSIM_WEIGHT)


def _poster(weights: dict[str, Tensor]) -> Loss:
    terms = PosterTerms(VggFeatures(weights, (RELU3_1,)))
    return Loss({"content": 0.05, "style": 1000.0, "tv": 0.1}, terms)


def _paper(weights: dict[str, Tensor]) -> Loss:
    shares = {"valid_l1": 1.0, "hole_l1": 6.0, "perceptual": 0.05, "style": 120.0, "tv": 0.1}
    return Loss(shares, PaperTerms(VggFeatures(weights, POOLS)))


def _pixel(pictures: Pictures) -> dict[str, Tensor]:
    """Return the mean squared error of the composite over undamaged pixels."""
    error = (pictures.composite - pictures.target).square()
    return {"pixel": image_mean(error, pictures.counted)}


def _pixel_and_similarity(pictures: Pictures) -> dict[str, Tensor]:
    ssim = similarity(pictures.composite, pictures.target, pictures.damage)
    return _pixel(pictures) | {"ssim": ssim}
