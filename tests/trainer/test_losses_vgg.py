"""VGG-16 is torchvision's, and its weights are taken only from files that hold it."""

import hashlib
import os
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dunhuang_data.errors import CheckpointError, EnvironmentProblem
from dunhuang_trainer.losses import check_features, make_loss
from dunhuang_trainer.losses import vgg_weights as module
from dunhuang_trainer.losses.vgg import MEAN, POOLS, RELU3_1, STD, VggFeatures
from dunhuang_trainer.losses.vgg_weights import URL, hub_file, vgg_weights, weights_sha256
from dunhuang_trainer.torchvision_import import prepare_torchvision
from random_vgg import random_vgg


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")
def test_it_is_torchvisions_network_and_normalisation() -> None:
    prepare_torchvision()
    from torchvision.models import VGG16_Weights  # type: ignore[import-untyped]
    from torchvision.models.vgg import cfgs, make_layers  # type: ignore[import-untyped]
    from torchvision.transforms.functional import normalize  # type: ignore[import-untyped]

    published = VGG16_Weights.IMAGENET1K_V1
    assert published.url == URL
    assert (tuple(published.transforms().mean), tuple(published.transforms().std)) == (MEAN, STD)
    layers = make_layers(cfgs["D"], batch_norm=False)[:17]
    layers.load_state_dict(random_vgg())
    pictures = torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(1))
    values = normalize(pictures, published.transforms().mean, published.transforms().std)
    wanted = []
    with torch.no_grad():
        for layer in layers:
            values = layer(values)
            wanted.append(values.clone())
        for chosen in (POOLS, (RELU3_1,)):
            found = VggFeatures(random_vgg(), chosen)(pictures)
            assert len(found) == len(chosen)
            for index, features in zip(chosen, found, strict=True):
                assert torch.allclose(features, wanted[index], atol=1e-5)


def whole_network() -> dict[str, Tensor]:
    """In torchvision's names; what is not used takes no space."""
    weights = {f"features.{name}": value for name, value in random_vgg().items()}
    for name, shape in {
        "features.17": (512, 256, 3, 3), "features.19": (512, 512, 3, 3),
        "features.21": (512, 512, 3, 3), "features.24": (512, 512, 3, 3),
        "features.26": (512, 512, 3, 3), "features.28": (512, 512, 3, 3),
        "classifier.0": (4096, 25088), "classifier.3": (4096, 4096), "classifier.6": (1000, 4096),
    }.items():  # fmt: skip
        weights[f"{name}.weight"] = torch.zeros(1).expand(shape)
        weights[f"{name}.bias"] = torch.zeros(1).expand(shape[0])
    return weights


def test_whole_networks_and_parts_in_all_kinds_of_files_are_the_same(tmp_path: Path) -> None:
    whole = whole_network()
    features = {
        name.removeprefix("features."): value
        for name, value in whole.items()
        if not name.startswith("classifier")
    }
    torch.save(whole, tmp_path / "whole.pth")
    torch.save(whole, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(features, tmp_path / "features.pth")
    save_file(random_vgg(), tmp_path / "used.safetensors")
    save_file(
        {f"features.{name}": value for name, value in random_vgg().items()}
        | {"head.fc.weight": torch.zeros(3, 4)},
        tmp_path / "other-head.safetensors",
    )
    digests = {weights_sha256(vgg_weights(path)) for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 5
    assert digests == {weights_sha256(random_vgg())}


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    weights = {name: value.half() for name, value in random_vgg().items()}
    save_file(weights, tmp_path / "half.safetensors")
    read = vgg_weights(tmp_path / "half.safetensors")
    assert {value.dtype for value in read.values()} == {torch.float32}
    assert all(torch.equal(read[name], value.float()) for name, value in weights.items())


def changed(**changes: Any) -> dict[str, Any]:
    weights: dict[str, Any] = dict(random_vgg())
    for name, value in changes.items():
        weights[name.replace("_", ".")] = value
    return {name: value for name, value in weights.items() if value is not None}


NAN = torch.full((64,), float("nan"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (changed(**{"14_bias": None}), r"14\.bias is missing \(1 such names\)"),
        (changed(**{"16_weight": NAN}), r"VGG-16 has no 16\.weight"),  # VGG-19 has
        (changed(**{"1_running_mean": NAN}), r"VGG-16 has no 1\.running"),  # with batch norm
        (changed(**{"0_bias": torch.zeros(32)}), r"0\.bias is \(32,\), in VGG-16 it is \(64,\)"),
        (changed(**{"2_bias": NAN}), r"2\.bias holds what is no finite number"),
        (changed(**{"2_bias": torch.zeros(64, dtype=torch.int32)}), r"2\.bias holds"),
        ({"state_dict": random_vgg()}, "it holds no state dict"),
        ({0: NAN}, "it holds no state dict"),
        ({}, r"0\.weight is missing \(14 such names\)"),
        (torch.zeros(3), "it holds no state dict, but Tensor"),
    ],
)
def test_what_is_not_vgg_16_is_a_sentence(content: Any, sentence: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=rf"cannot be read from .*w\.pth: {sentence}"):
        vgg_weights(tmp_path / "w.pth")


class Trap:
    """What a pickle could run: here it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.mkdir, (str(self.folder),))


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_files_that_are_broken_or_hold_code_are_sentences(name: str, tmp_path: Path) -> None:
    path, made = tmp_path / name, tmp_path / "made"
    for content in (b"", b"<html>not found</html>"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="cannot be read from"):
            vgg_weights(path)
    torch.save({"0.weight": Trap(made)}, path)
    with pytest.raises(CheckpointError, match="cannot be read from"):
        vgg_weights(path)
    assert not made.exists()
    with pytest.raises(CheckpointError, match="Is a directory"):
        vgg_weights(tmp_path)


def test_weights_made_for_another_scale_are_refused(
    vgg_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(vgg_file.read_bytes()).hexdigest()
    monkeypatch.setattr(module, "CAFFE", digest[:8])
    with pytest.raises(CheckpointError, match=r"made for pictures of 0 … 255"):
        vgg_weights(vgg_file)


@pytest.fixture
def server(vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for torchvision's on its server, and an empty hub folder."""
    digest = hashlib.sha256(vgg_file.read_bytes()).hexdigest()
    served = tmp_path / f"vgg16-{digest[:8]}.pth"
    served.write_bytes(vgg_file.read_bytes())
    monkeypatch.setattr(module, "URL", served.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return served


def refuse(*_: Any, **__: Any) -> None:
    raise urllib.error.URLError("no network here")


def test_without_a_file_it_is_fetched_once(
    server: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = check_features("paper", None)
    assert digest == weights_sha256(random_vgg())
    assert hub_file().read_bytes() == server.read_bytes()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    assert make_loss("poster", None, torch.device("cpu")).features_sha256 == digest


def test_without_file_and_network_it_says_what_to_put_where(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(EnvironmentProblem) as caught:
        check_features("paper", None)
    said = str(caught.value)
    for part in ("no network here", server.as_uri(), str(hub_file().parent), "--features FILE"):
        assert part in said
    assert f"begins with {server.stem[-8:]}" in said
    assert not hub_file().exists()


def test_another_file_from_the_server_is_not_kept(server: Path) -> None:
    server.write_bytes(b"<html>sign in to this network</html>")
    with pytest.raises(EnvironmentProblem, match="invalid hash value"):
        check_features("paper", None)
    assert not list(hub_file().parent.iterdir())


def test_half_a_file_in_the_hub_folder_is_a_sentence(server: Path) -> None:
    hub_file().parent.mkdir(parents=True)
    hub_file().write_bytes(server.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is not the file that torchvision published"):
        check_features("poster", None)
