"""From a dataset to batches: the only module that opens datasets."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dunhuang_data.errors import DatasetError
from dunhuang_data.reader import DatasetReader as DatasetReader  # others take it from here
from dunhuang_data.rng import permutation, rng_for
from dunhuang_data.types import Samples, Split
from dunhuang_trainer.config import ModelConfig


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples as tensors.

    Attributes
    ----------
    target : (B, 3, S, S) float32
        In [0, 1].
    valid, damage : (B, 1, S, S) float32
        Of {0, 1}; see `dunhuang_data.types.Samples`.
    """

    target: Tensor
    valid: Tensor
    damage: Tensor


def open_split(root: Path, split: Split, config: ModelConfig) -> DatasetReader:
    """Open a split and check that the network can take its patches.

    Raises
    ------
    DatasetError
        If the dataset cannot be read, or its patches do not fit the network.
    """
    reader = DatasetReader(root, split)
    if reader.patch_size % config.multiple:
        fitting = (reader.patch_size & -reader.patch_size).bit_length() - 1
        raise DatasetError(
            f"{root} has patches of {reader.patch_size} px; a network of {config.levels} levels "
            f"takes multiples of {config.multiple} px. "
            + (f"Use --levels {fitting} or fewer." if fitting else "Make patches of an even size.")
        )
    return reader


def to_batch(samples: Samples, device: torch.device) -> Batch:
    """Move samples to a device and make them float: (B, S, S, 3) uint8 → (B, 3, S, S) float32."""

    def plane(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(device).unsqueeze(1).float()

    image = torch.from_numpy(samples.image).to(device).permute(0, 3, 1, 2)
    return Batch(image.float() / 255, plane(samples.valid), plane(samples.damage))


def training_batches(
    reader: DatasetReader, batch_size: int, seed: int, first_step: int, last_step: int
) -> Iterator[Samples]:
    """Yield the batches of steps ``first_step`` … ``last_step − 1``, forever shuffled anew.

    The batch of a step is a pure function of (seed, step): nothing else is needed to resume. Every
    epoch is a fresh random order; the samples beyond the last whole batch wait for the next one.
    """
    per_epoch = len(reader) // batch_size
    if per_epoch == 0:
        raise DatasetError(
            f"{reader.root} has {len(reader)} samples in {reader.split}, fewer than one batch of "
            f"{batch_size}. Use a smaller --batch, or cut more patches."
        )
    order, order_epoch = np.empty(0, dtype=np.int64), -1
    for step in range(first_step, last_step):
        epoch, batch = divmod(step, per_epoch)
        if epoch != order_epoch:
            order, order_epoch = permutation(rng_for(seed, "order", epoch), len(reader)), epoch
        yield reader.read(order[batch * batch_size : (batch + 1) * batch_size])


def ordered_batches(reader: DatasetReader, batch_size: int) -> Iterator[Samples]:
    """Yield every sample of a split once, in the dataset's order."""
    for first in range(0, len(reader), batch_size):
        yield reader.read(range(first, min(first + batch_size, len(reader))))
