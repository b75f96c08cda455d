"""How a run is carried out: on what, by how many, from where; none of it changes a result."""

from dataclasses import dataclass
from pathlib import Path

import torch

from dunhuang_trainer.config import TrainConfig
from dunhuang_trainer.data import DatasetReader, DeviceSplit, Loader
from dunhuang_trainer.training.distributed import Ranks


@dataclass(frozen=True, slots=True)
class Execution:
    """How a run is carried out: what changes no result, and may change when it is resumed.

    Attributes
    ----------
    device : torch.device
    ranks : Ranks
    workers : int, optional
        Threads that read; None = as many as pay here.
    data_on_device : bool
        Keep the training split in the device's memory.
    save_every_s : float
        Seconds between checkpoints; there is one at every validation too.
    dataset, features : Path, optional
        Where they are now, if they are no longer where the run began.
    """

    device: torch.device
    ranks: Ranks = Ranks()  # noqa: RUF009 (frozen)
    workers: int | None = None
    data_on_device: bool = False
    save_every_s: float = 600.0
    dataset: Path | None = None
    features: Path | None = None


def training_data(reader: DatasetReader, config: TrainConfig, execution: Execution) -> Loader:
    """Return the batches of a run. That of a step is a pure function of (config, step)."""
    kind = DeviceSplit if execution.data_on_device else Loader
    return kind(
        reader,
        config.batch_size // execution.ranks.world_size,
        seed=config.seed,
        masks=config.masks,
        flip=config.flip,
        quarter_turns=config.quarter_turns,
        workers=execution.workers,
        device=execution.device,
        rank=execution.ranks.rank,
        world_size=execution.ranks.world_size,
    )
