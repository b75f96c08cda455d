"""LPIPS and FID: their arithmetic, and what is said where a package or a file is missing.

With real networks they are compared in tests/interop.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.linalg import sqrtm
from torch import Tensor

from drawings import draw_picture
from dunhuang_data.errors import CheckpointError, DatasetError, EnvironmentProblem, UsageProblem
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.metrics import frechet, lpips_network
from dunhuang_trainer.metrics.frechet import FeatureStatistics, fid, frechet_distance
from dunhuang_trainer.metrics.learned import inception_statistics, lpips_distances
from dunhuang_trainer.metrics.lpips_network import (
    SEEN,
    SMALLEST_PX,
    LpipsNetwork,
    load_lpips,
)

WIDTHS = (64, 192, 384, 256, 256)


def random_alexnet() -> dict[str, Tensor]:
    """In torchvision's names, with a part that is not used."""
    generator = torch.Generator().manual_seed(5)
    shapes = {name: one.shape for name, one in LpipsNetwork("alex").layers.state_dict().items()}
    weights = {
        f"features.{name}": torch.randn(shape, generator=generator) * 0.05
        for name, shape in shapes.items()
    }
    return weights | {"classifier.1.bias": torch.zeros(4096)}


def random_linear() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(6)
    return {
        f"lin{k}.model.1.weight": torch.rand(1, width, 1, 1, generator=generator)
        for k, width in enumerate(WIDTHS)
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("weights")
    torch.save(random_alexnet(), folder / "alexnet.pth")
    torch.save(random_linear(), folder / "alex.pth")
    return folder / "alexnet.pth", folder / "alex.pth"


@pytest.fixture(scope="module")
def network(files: tuple[Path, Path]) -> LpipsNetwork:
    return load_lpips("alex", *files)


def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    target = np.stack([draw_picture(43, 59, name) for name in "ab"])
    words = raw_words(rng_for(0, "lpips"), target.size) >> np.uint64(59)
    restored = (target + words.reshape(target.shape)).astype(np.uint8)
    damage = np.zeros((2, 43, 59), np.uint8)
    return restored, target, damage


def test_lpips_is_its_formula(network: LpipsNetwork) -> None:
    restored, target, damage = pair()
    weights, linear = random_alexnet(), list(random_linear().values())
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])

    def features(picture: np.ndarray) -> list[Tensor]:
        scaled = ((picture / 127.5 - 1) - shift) / scale
        values = torch.from_numpy(scaled.transpose(2, 0, 1)[None]).float()
        found = []
        for k, (stride, padding) in zip(
            (0, 3, 6, 8, 10), ((4, 2), (1, 2), *[(1, 1)] * 3), strict=True
        ):
            if k in (3, 6):
                values = torch.nn.functional.max_pool2d(values, 3, 2)
            kernel, bias = weights[f"features.{k}.weight"], weights[f"features.{k}.bias"]
            values = torch.conv2d(values, kernel, bias, stride, padding).clamp(min=0)
            found.append(values[0])
        return found

    for row, distance in enumerate(lpips_distances(network, restored, target, damage)):
        expected = 0.0
        for x, y, weight in zip(
            features(restored[row]), features(target[row]), linear, strict=True
        ):
            unit_x, unit_y = (one / (one.norm(dim=0) + 1e-10) for one in (x, y))
            expected += float((weight[0] * (unit_x - unit_y) ** 2).sum(dim=0).mean())
        assert distance == pytest.approx(expected, rel=1e-4)
        assert distance > 1e-4


def test_lpips_of_equal_pictures_is_zero_and_damage_does_not_count(network: LpipsNetwork) -> None:
    restored, target, damage = pair()
    assert lpips_distances(network, target, target, damage) == [0, 0]
    damage[0, 5:30, 7:20] = 1
    before = lpips_distances(network, restored, target, damage)
    for changed in (restored, target):
        changed[damage == 1] ^= 0xFF
        assert lpips_distances(network, restored, target, damage) == before
    changed[damage == 0] ^= 0x0F
    assert lpips_distances(network, restored, target, damage) != before


@pytest.mark.parametrize("net", SEEN)
def test_a_picture_is_too_small_only_where_the_network_ends(net: str) -> None:
    network, smallest = LpipsNetwork(net), SMALLEST_PX[net]
    damage = np.zeros((1, smallest, 40), np.uint8)
    pictures = np.zeros((1, smallest, 40, 3), np.uint8)
    assert lpips_distances(network, pictures, pictures, damage) == [0]
    assert np.isnan(lpips_distances(network, pictures[:, 1:], pictures[:, 1:], damage[:, 1:]))
    with pytest.raises(RuntimeError), torch.no_grad():
        network(torch.zeros(1, 3, smallest - 1, 40), torch.zeros(1, 3, smallest - 1, 40))


def test_weights_come_from_safetensors_too(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "alexnet.safetensors"
    save_file(random_alexnet(), path)
    one, other = load_lpips("alex", path, files[1]), load_lpips("alex", *files)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not any(parameter.requires_grad for parameter in one.parameters())
    assert [len(one) for one in one.linear] == list(WIDTHS)


def test_without_names_the_files_of_the_hub_and_of_the_package_are_taken(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/alexnet-owt-7be5be79.pth").hardlink_to(files[0])
    package = tmp_path / "lpips"
    (package / "weights/v0.1").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('it was imported')")
    (package / "weights/v0.1/alex.pth").hardlink_to(files[1])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    assert torch.equal(load_lpips().linear[2], load_lpips("alex", *files).linear[2])


def test_what_is_missing_is_said_with_what_to_fetch(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(EnvironmentProblem) as missing:
        load_lpips("vgg")
    said = str(missing.value)
    assert "Download https://download.pytorch.org/models/vgg16-397923af.pth (553 MB)" in said
    assert str(tmp_path / "hub/checkpoints") in said
    assert missing.value.exit_code == 5  # as with the losses' VGG-16
    monkeypatch.setattr(lpips_network, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match=r"pip install --no-deps lpips .*alex\.pth"):
        load_lpips("alex", files[0])
    with pytest.raises(UsageProblem, match="'squeeze' is not known; choose one of alex, vgg"):
        load_lpips("squeeze")
    monkeypatch.setattr(frechet, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'dunhuang-data\[learned\]'") as no:
        frechet.load_inception(files[0])
    assert no.value.exit_code == 5


def spoil(change: Callable[[dict[str, Tensor]], object]) -> dict[str, Tensor]:
    weights = random_alexnet()
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"nothing", "cannot be read as the weights of LPIPS's backbone alex: .* Download https"),
        (partial(print, "run"), "it is no file of weights alone. Download"),
        ([torch.zeros(2)], "it holds no state dict, but list"),
        (spoil(lambda w: w.pop("features.6.bias")), r"it has no 6\.bias, expected \(384,\); it ho"),
        (
            spoil(lambda w: w.update({"features.0.weight": torch.zeros(64, 3, 3, 3)})),
            r"0\.weight is \(64, 3, 3, 3\), expected \(64, 3, 11, 11\)",
        ),
        (
            spoil(lambda w: w.update({"features.0.bias": torch.full((64,), torch.nan)})),
            r"0\.bias holds what is no finite number",
        ),
    ],
)
def test_a_file_of_something_else_is_a_sentence(
    content: object, sentence: str, files: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "other.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=sentence) as refused:
        load_lpips("alex", path, files[1])
    assert str(path) in str(refused.value)


def test_linear_weights_of_another_network_are_refused(files: tuple[Path, Path]) -> None:
    with pytest.raises(CheckpointError, match=r"linear weights of LPIPS for alex: it has no lin0"):
        load_lpips("alex", files[0], files[0])


def gaussian(size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    words = raw_words(rng_for(0, "fid", name), size * (size + 1)).astype(np.float64) / 2.0**64
    mean, factor = words[:size], words[size:].reshape(size, size)
    return mean, factor @ factor.T


def test_the_distance_of_gaussians_is_its_closed_form() -> None:
    mean, spread = np.array([1.0, -2.0, 0.5]), np.array([4.0, 9.0, 0.25])
    other_mean, other_spread = np.array([0.0, 1.0, 0.5]), np.array([1.0, 1.0, 1.0])
    # of independent features: |μ₁ − μ₂|² + Σ (σ₁ − σ₂)²
    expected = 1 + 9 + (2 - 1) ** 2 + (3 - 1) ** 2 + (0.5 - 1) ** 2
    found = frechet_distance((mean, np.diag(spread)), (other_mean, np.diag(other_spread)))
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_distance_is_that_with_a_root_of_the_product() -> None:
    one, other = gaussian(7, "one"), gaussian(7, "other")
    root = sqrtm(one[1] @ other[1]).real
    expected = np.sum((one[0] - other[0]) ** 2) + np.trace(one[1] + other[1] - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_singular_covariances_have_a_distance() -> None:
    flat = np.zeros((4, 4))
    flat[0, 0] = 4
    assert frechet_distance((np.zeros(4), flat), (np.ones(4), np.zeros((4, 4)))) == pytest.approx(8)


def test_statistics_are_numpys_and_add_up() -> None:
    words = raw_words(rng_for(0, "features"), 50 * 6).astype(np.float64) / 2.0**60
    features = words.reshape(50, 6)
    together = FeatureStatistics.of(features)
    parts = FeatureStatistics.of(features[:13]) + FeatureStatistics.of(features[13:])
    for one in (together, parts):
        assert one.count == 50
        assert one.mean == pytest.approx(features.mean(axis=0))
        assert one.covariance == pytest.approx(np.cov(features.T))


def test_fid_of_few_pictures_is_refused_and_of_enough_is_not() -> None:
    few, enough = (
        FeatureStatistics(count, np.zeros(3), np.eye(3) * (count - 1)) for count in (1999, 2000)
    )
    with pytest.raises(
        DatasetError, match="asked for 1,999 pictures, and needs at least 2,000"
    ) as no:
        fid(enough, few)
    assert no.value.exit_code == 3
    assert fid(enough, enough) == pytest.approx(0, abs=1e-12)


class Means(torch.nn.Module):
    """Stands in for the network: the mean of every channel, of 8-bit planes."""

    def forward(self, planes: Tensor) -> tuple[Tensor]:
        assert planes.dtype == torch.uint8
        return (planes.float().mean(dim=(2, 3)),)


def test_the_features_of_a_picture_are_those_without_damage() -> None:
    restored, _, damage = pair()
    device = torch.device("cpu")
    found = inception_statistics(Means(), restored, damage, device)
    assert found.count == 2
    assert found.total == pytest.approx(restored.mean(axis=(1, 2)).sum(axis=0), rel=1e-5)
    damage[1, 3:9] = 1
    before = inception_statistics(Means(), restored, damage, device)
    assert before.total.tolist() != found.total.tolist()
    restored[damage == 1] ^= 0xFF
    after = inception_statistics(Means(), restored, damage, device)
    assert after.total.tolist() == before.total.tolist()
