"""LPIPS is that of its authors' package, and FID's network that of torch-fidelity."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from drawings import draw_picture
from dunhuang_data.errors import CheckpointError
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.metrics.frechet import FeatureStatistics, frechet_distance, load_inception
from dunhuang_trainer.metrics.learned import inception_statistics, lpips_distances
from dunhuang_trainer.metrics.lpips_network import SMALLEST_PX, load_lpips

pytestmark = pytest.mark.filterwarnings("ignore")  # of those packages


@pytest.mark.parametrize("net", SMALLEST_PX)
def test_lpips_is_that_of_the_package(net: str, tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips")
    torch.manual_seed(3)
    package = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    backbone: dict[str, torch.Tensor] = {}
    for part in package.net.children():  # the package cuts torchvision's network into slices
        backbone |= {f"features.{name}": one for name, one in part.state_dict().items()}
    torch.save(backbone, tmp_path / "backbone.pth")
    ours = load_lpips(net, tmp_path / "backbone.pth")  # and the package's linear weights

    target = np.stack([draw_picture(67, 90, name) for name in "ab"])
    restored = target.copy()
    restored[:, 20:50, 30:60] = 200
    damage = np.zeros((2, 67, 90), np.uint8)
    one, other = (
        torch.from_numpy(np.stack([lpips.im2tensor(each)[0].numpy() for each in pictures]))
        for pictures in (restored, target)
    )
    with torch.no_grad():
        expected = package(one, other).flatten().tolist()
    assert min(expected) > 1e-5
    assert lpips_distances(ours, restored, target, damage) == pytest.approx(expected, rel=1e-4)


def random_inception(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write weights of its shapes, and return torch-fidelity's own network with them."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    kind = module.FeatureExtractorInceptionV3
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.manual_seed(4)
    with monkeypatch.context() as patched:
        patched.setattr(kind, "load_state_dict", lambda *_: None)
        network = kind("random", ["2048"], feature_extractor_weights_path=nothing)
    torch.save(network.state_dict(), path)
    return network


def test_fid_is_that_of_torch_fidelity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, device = tmp_path / "inception.pth", torch.device("cpu")
    theirs = random_inception(path, monkeypatch)
    ours = load_inception(path)
    pictures = np.stack([draw_picture(70, 91, name) for name in "abc"])
    damage = np.zeros((3, 70, 91), np.uint8)
    found = inception_statistics(ours, pictures, damage, device)
    with torch.no_grad():
        (features,) = theirs(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()))
    assert features.shape == (3, 2048)
    assert features.std(dim=0).max() > 0
    expected = FeatureStatistics.of(features.double().numpy())
    assert found.total == pytest.approx(expected.total, abs=1e-6)

    from torch_fidelity.metric_fid import fid_statistics_to_metric

    words = raw_words(rng_for(0, "frechet"), 2 * 60 * 16).astype(np.float64) / 2.0**62
    sets = words.reshape(2, 60, 16) * np.array([1, 3]).reshape(2, 1, 1)
    pairs = [(one.mean(axis=0), np.cov(one.T)) for one in sets]
    theirs_fid = fid_statistics_to_metric(
        *({"mu": mean, "sigma": covariance} for mean, covariance in pairs), False
    )
    assert frechet_distance(*pairs) == pytest.approx(next(iter(theirs_fid.values())), rel=1e-6)

    torch.save({"fc.weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="is not the Inception of torch-fidelity"):
        load_inception(path)
