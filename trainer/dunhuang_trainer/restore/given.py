"""What a restoration is given: the network, the pictures, and what all of them have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.restore.records import Settings
from dunhuang_trainer.trained_holes import TrainedHoles

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Network:
    """What restores.

    Attributes
    ----------
    model : PartialConvUNet
        In evaluation mode, on ``device``.
    device : torch.device
    path : Path
        Of the checkpoint.
    sha256 : str
        Of its file.
    step : int
    holes : TrainedHoles or None
        What it was trained on, where the checkpoint says it.
    """

    model: PartialConvUNet
    device: torch.device
    path: Path
    sha256: str
    step: int
    holes: TrainedHoles | None


@dataclass(frozen=True, slots=True)
class Task:
    """One picture to restore.

    Attributes
    ----------
    id : str
        Its name in the output folder, without suffix; with folders, where it has some.
    picture : Path
    mask : Path or None
        None if the holes are known by their colour.
    """

    id: str
    picture: Path
    mask: Path | None


@dataclass(frozen=True, slots=True)
class Given:
    """What all pictures of a batch have in common.

    Attributes
    ----------
    network : Network
    settings : Settings
    out : Path
    overwrite, trust_mask : bool
    inputs : set
        Files that are never replaced; see `dunhuang_trainer.restore.outputs.file_identity`.
    tell : callable
        Takes a sentence for the person.
    """

    network: Network
    settings: Settings
    out: Path
    overwrite: bool
    trust_mask: bool
    inputs: set[Any]
    tell: Tell
