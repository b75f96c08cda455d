"""Where the weights of VGG-16 come from: a file of the user, or the one torchvision uses."""

import contextlib
import hashlib
import sys
import urllib.request
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from dunhuang_data.errors import CheckpointError, EnvironmentProblem
from dunhuang_trainer.losses.vgg import CONVOLUTIONS
from dunhuang_trainer.weight_files import hub_folder, read_state_dict

URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's IMAGENET1K_V1
CAFFE = "88682ab5"  # torchvision's IMAGENET1K_FEATURES: made for pictures of 0 … 255
PATIENCE_S = 10.0

_UNUSED = {17: (256, 512), 19: (512, 512), 21: (512, 512)} | dict.fromkeys((24, 26, 28), (512, 512))
_CLASSIFIER = {0: (25088, 4096), 3: (4096, 4096), 6: (4096, 1000)}


def vgg_weights(features: Path | None) -> dict[str, Tensor]:
    """Return the weights that `dunhuang_trainer.losses.vgg.VggFeatures` takes, float32 on the CPU.

    Parameters
    ----------
    features : Path, optional
        A state dict of VGG-16 in torchvision's names (``.safetensors``, else as torch saves it):
        the whole network, its features alone, or only the layers that are used. By default
        torchvision's own file, from torch's hub folder; if it is not there, it is fetched.

    Raises
    ------
    CheckpointError
        If a file cannot be read or is not VGG-16.
    EnvironmentProblem
        If the file is not there and cannot be fetched: what to download, and where to put it.
    """
    path = hub_file() if features is None else features
    if features is None and not path.exists():
        _fetch(path)
    digest = _file_sha256(path)
    if features is None and not digest.startswith(_hash_prefix()):
        raise CheckpointError(
            f"{path} is not the file that torchvision published: its SHA-256 begins with "
            f"{digest[:8]}, expected {_hash_prefix()}. Delete it and start again; it is then "
            f"fetched from {URL}."
        )
    if digest.startswith(CAFFE):
        raise CheckpointError(
            f"{path} holds weights that were made for pictures of 0 … 255 (torchvision's "
            f"IMAGENET1K_FEATURES). Name those of {URL}."
        )
    return _used(read_state_dict(path, partial(_unreadable, path)), path)


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """Return one hash of the values: the same for every file that holds the same weights."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().numpy().data)
    return digest.hexdigest()


def hub_file() -> Path:
    """Return where torch and torchvision keep the file."""
    return hub_folder() / URL.rpartition("/")[2]


def _hash_prefix() -> str:
    return URL.rpartition("-")[2].removesuffix(".pth")


def _fetch(path: Path) -> None:
    """Fetch the file as torchvision does, if the server answers at once."""
    try:
        request = urllib.request.Request(URL, method="HEAD")
        with urllib.request.urlopen(request, timeout=PATIENCE_S):  # torch.hub would wait for ever
            pass
        with contextlib.redirect_stdout(sys.stderr):
            torch.hub.load_state_dict_from_url(
                URL, map_location="cpu", check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError) as error:  # no network, no space, another file than expected
        raise EnvironmentProblem(
            f"The weights of VGG-16, through which this loss looks, are not in {path.parent} and "
            f"could not be fetched: {error}. Download {URL} (553 MB; its SHA-256 begins with "
            f"{_hash_prefix()}) into that folder, or elsewhere and name it with --features FILE."
        ) from error


def _file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _used(found: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return what is used of a state dict, after a look at every name and every shape."""
    prefix = "features." if any(name.startswith("features.") for name in found) else ""
    tensors = {  # what else a whole network holds is not used, whatever it is called
        name.removeprefix(prefix): one for name, one in found.items() if name.startswith(prefix)
    }
    shapes = _shapes(CONVOLUTIONS)
    known = shapes | _shapes(_UNUSED)
    if strange := [name for name in tensors if name not in known]:
        raise _unreadable(path, f"VGG-16 has no {strange[0]} ({len(strange)} such names)")
    if missing := [name for name in shapes if name not in tensors]:
        raise _unreadable(path, f"{missing[0]} is missing ({len(missing)} such names)")
    for name, value in tensors.items():
        if tuple(value.shape) != known[name]:
            raise _unreadable(
                path, f"{name} is {tuple(value.shape)}, in VGG-16 it is {known[name]}"
            )
    for name in shapes:
        if not tensors[name].is_floating_point() or not tensors[name].isfinite().all():
            raise _unreadable(path, f"{name} holds what is no finite number")
    return {name: tensors[name].float().contiguous() for name in shapes}


def _shapes(layers: dict[int, tuple[int, int]]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (inside, outside) in layers.items():
        shapes |= {f"{layer}.weight": (outside, inside, 3, 3), f"{layer}.bias": (outside,)}
    return shapes


def _unreadable(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"The weights of VGG-16 cannot be read from {path}: {what}. Expected is a state dict in "
        f"torchvision's names, such as {URL}."
    )
