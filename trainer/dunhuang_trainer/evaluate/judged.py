"""Who is judged: checkpoints, and folders of restorations; what each is called in tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dunhuang_data.errors import CheckpointError, PictureError, UsageProblem
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.baselines import BASELINES
from dunhuang_trainer.checkpoint import load_weights
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.evaluate.folders import NO_DECISION, Predictions
from dunhuang_trainer.evaluate.judging import Network, Restorer
from dunhuang_trainer.evaluate.targets import Target, Targets

ONLY_ONE = "network"
"""What a checkpoint is called that is judged alone."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One of those that are judged.

    Attributes
    ----------
    name : str
    path : Path
        A checkpoint, or a folder.
    restore : Restorer
    predictions : Predictions or None
        If it is a folder.
    model : ModelConfig or None
        If it is a checkpoint.
    said : dict
        What it says of itself, as plain values.
    """

    name: str
    path: Path
    restore: Restorer
    predictions: Predictions | None
    model: ModelConfig | None
    said: dict[str, Any]


def open_judged(
    given: Sequence[str],
    device: torch.device,
    tile: int = 1024,
    overlap: int = 128,
    reading: ReadingRecipe = NO_DECISION,
) -> list[Judged]:
    """Open everything that is to be judged.

    Parameters
    ----------
    given : sequence of str
        Paths, or ``NAME=PATH``. A file is a checkpoint, a folder holds restorations.
    device : torch.device
        That networks run on.
    tile, overlap : int
        Of larger pictures, in pixels.
    reading : ReadingRecipe
        Decisions on what the files of restorations do not say.

    Raises
    ------
    UsageProblem
        If two have one name, or one that of a baseline.
    CheckpointError, PictureError
        If one cannot be opened.
    """
    parted = [parted_name(one) for one in given]
    names = _names(parted)
    return [
        _folder(name, path, reading)
        if path.is_dir()
        else _network(name, path, device, tile, overlap)
        for name, (_, path) in zip(names, parted, strict=True)
    ]


def match_all(targets: Targets, judged: Sequence[Judged]) -> tuple[list[int], list[str]]:
    """Return which targets can be judged for everyone, and what is wrong with the others.

    Returns
    -------
    places : list of int
        Of targets that every folder has a usable restoration of.
    problems : list of str
        A sentence for each thing that does not fit.
    """
    problems = list(targets.problems)
    shapes = {key: targets.shape_of(place) for place, key in enumerate(targets.keys)}
    usable = set(shapes)
    for one in judged:
        if one.predictions is not None:
            problems += one.predictions.match(shapes, targets.flawed)
            usable &= one.predictions.keys
    return [place for place, key in enumerate(targets.keys) if key in usable], problems


def parted_name(given: str) -> tuple[str, Path]:
    """Part ``NAME=PATH``; a path that exists may hold an equals sign itself."""
    name, equals, path = given.partition("=")
    if not equals or Path(given).exists():
        return "", Path(given)
    if not name.strip():
        raise UsageProblem(f"{given} begins with an equals sign: a name is missing. NAME=PATH.")
    return name.strip(), Path(path)


def _names(parted: Sequence[tuple[str, Path]]) -> list[str]:
    """Return a name for each: as given, or made of as little of its path as tells them apart."""
    short = [name or _short(path, alone=len(parted) == 1) for name, path in parted]
    names = [
        one if name or short.count(one) == 1 else str(path)
        for one, (name, path) in zip(short, parted, strict=True)
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageProblem(
            f"Two of those to be judged are called {twice[0]}. Name them apart: NAME=PATH."
        )
    fills = {name.casefold() for name in BASELINES}
    taken = [name for name in names if name.casefold() in fills]
    if taken:
        raise UsageProblem(
            f"{taken[0]} is the name of a fill without training. Choose another: NAME=PATH."
        )
    return names


def _short(path: Path, alone: bool) -> str:
    if path.is_dir():
        return path.resolve().name
    return ONLY_ONE if alone else f"{path.resolve().parent.name}/{path.stem}"


def _network(name: str, path: Path, device: torch.device, tile: int, overlap: int) -> Judged:
    if not path.exists():
        raise CheckpointError(
            f"{path} cannot be read: it is not there. Name a checkpoint, such as "
            "RUN/best.safetensors, or a folder of restorations."
        )
    model, info = load_weights(path)
    said = {
        "kind": "checkpoint",
        "path": str(path),
        "sha256": sha256_of_file(path),
        "step": info.step,
        "trained_on": info.dataset_sha256,
    }
    restore = Network(model.to(device), device, tile, overlap)
    return Judged(name, path, restore, None, info.model, said)


def _folder(name: str, path: Path, reading: ReadingRecipe) -> Judged:
    if (path / "run.json").is_file() and (path / "last.state.pt").is_file():
        raise PictureError(
            f"{path} is a run, not a folder of restorations. Name a checkpoint in it: "
            f"{path / 'best.safetensors'}, or last.safetensors."
        )
    predictions = Predictions(path, name, reading)

    def restore(targets: Sequence[Target]) -> list[UInt8Array]:
        return [predictions.read(one.key) for one in targets]

    return Judged(name, path, restore, predictions, None, {"kind": "folder", "path": str(path)})
