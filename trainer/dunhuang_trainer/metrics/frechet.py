"""FID: how far apart two sets of pictures are, by the statistics of their features.

Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium", NeurIPS 2017. The features are the 2,048 of the Inception network of 2015 that all
published figures use, by the package torch-fidelity and from a file that the user brings.
"""

import io
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dunhuang_data.errors import CheckpointError, DatasetError, EnvironmentProblem
from dunhuang_trainer.metrics.pairs import FloatArray
from dunhuang_trainer.torchvision_import import prepare_torchvision
from dunhuang_trainer.weight_files import hub_folder, read_weights

FEWEST = 2000
"""Pictures below which FID says more of their number than of them."""
INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Sums over the features of some pictures: enough for their mean and covariance.

    Attributes
    ----------
    count : int
    total : (D,) float64
    products : (D, D) float64
        The sum of every feature times every other.
    """

    count: int
    total: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> "FeatureStatistics":
        """Return those of (N, D) features."""
        values = np.asarray(features, np.float64)
        return cls(len(values), values.sum(axis=0), values.T @ values)

    def __add__(self, other: "FeatureStatistics") -> "FeatureStatistics":
        return FeatureStatistics(
            self.count + other.count, self.total + other.total, self.products + other.products
        )

    @property
    def mean(self) -> FloatArray:
        """The mean of every feature."""
        return self.total / self.count

    @property
    def covariance(self) -> FloatArray:
        """The sample covariance of every two features."""
        about = self.products - np.outer(self.total, self.mean)
        result: FloatArray = about / (self.count - 1)
        return result


def fid(restored: FeatureStatistics, target: FeatureStatistics) -> float:
    """Return the Fréchet inception distance of two sets of pictures.

    Raises
    ------
    DatasetError
        If a set has fewer than `FEWEST` pictures.
    """
    fewest = min(restored.count, target.count)
    if fewest < FEWEST:
        raise DatasetError(
            f"FID was asked for {fewest:,} pictures, and needs at least {FEWEST:,}: from fewer, "
            "its covariance of 2,048 features is mostly chance, and the figure depends on their "
            "number. Leave FID out, or score more pictures or patches."
        )
    return frechet_distance((restored.mean, restored.covariance), (target.mean, target.covariance))


def frechet_distance(
    one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]
) -> float:
    """Return the squared distance of two normal distributions, each a mean and a covariance.

    |μ₁ − μ₂|² + tr C₁ + tr C₂ − 2 tr (C₁ C₂)^½. The trace of the root is that of the symmetric
    (C₁^½ C₂ C₁^½)^½, whose eigenvalues are real also where a covariance is singular.

    Source: Dowson and Landau 1982, Journal of Multivariate Analysis 12:450.

    Parameters
    ----------
    one, other : (D,) float64 and (D, D) float64
    """
    (mean, covariance), (mean_2, covariance_2) = one, other
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    spread = np.linalg.eigvalsh(root @ covariance_2 @ root)
    overlap = np.sqrt(np.maximum(spread, 0)).sum()
    apart = float(np.square(mean - mean_2).sum())
    return float(apart + np.trace(covariance) + np.trace(covariance_2) - 2 * overlap)


def load_inception(weights: Path | None = None) -> torch.nn.Module:
    """Return the network whose features FID compares, on the CPU.

    Parameters
    ----------
    weights : Path, optional
        torch-fidelity's file; by default the one in torch's hub folder. Nothing is fetched.

    Raises
    ------
    EnvironmentProblem
        If the package torch-fidelity is not installed.
    CheckpointError
        If the file is missing or holds something else: what to fetch, and where to put it.
    """
    path = hub_folder() / INCEPTION_URL.rpartition("/")[2] if weights is None else weights
    extractor = _extractor()
    remedy = (
        f"Download {INCEPTION_URL} (96 MB) into {hub_folder()}, or name the file with "
        "--fid-weights."
    )
    found = read_weights(path, "the weights of Inception for FID", remedy)
    checked = io.BytesIO()  # the package would also run what a file may hold beside weights
    torch.save(found, checked)
    checked.seek(0)
    try:
        network: torch.nn.Module = extractor(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=checked
        )
    except RuntimeError as error:  # how torch says which names and shapes do not fit
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"{path} is not the Inception of torch-fidelity: {reason} {remedy}"
        ) from error
    return network


def _extractor() -> Any:
    try:
        if find_spec("torch_fidelity") is None:
            raise ImportError("it is not installed")
        prepare_torchvision()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise EnvironmentProblem(
            "FID needs the package torch-fidelity, which cannot be imported here "
            f"({error}). Install it with: pip install 'dunhuang-data[learned]'"
        ) from error
    return FeatureExtractorInceptionV3
