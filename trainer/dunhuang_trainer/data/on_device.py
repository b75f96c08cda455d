"""A whole split on the device: where it fits, no batch is read, copied or waited for.

The samples lie there as they are stored, as bytes, masks with eight pixels to a byte: 213 kB a
sample of 256 px, 10.6 GB for 50,000.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.errors import EnvironmentProblem
from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data.loader import Loader
from dunhuang_trainer.data.ring import Asked
from dunhuang_trainer.data.stored import Buffers, stored_shapes
from dunhuang_trainer.memory import free_bytes

AT_ONCE = 64  # samples that are read at a time
SHARE = 0.9  # of the free memory that a split may take


class DeviceSplit(Loader):
    """The batches of `Loader`, bit for bit, out of a split that lies on the device.

    Parameters
    ----------
    reader : DatasetReader
        All of it is read when this is made.
    batch_size : int
        Samples in a batch of this rank.
    progress : callable
        Called with the samples that were read since the last call.
    **settings
        As of `Loader`; ``workers`` says how many threads read at the beginning. Of several
        processes each holds the whole split, for in every epoch each has other samples.

    Raises
    ------
    DatasetError, UsageProblem
        As of `Loader`; or if a sample cannot be read.
    EnvironmentProblem
        If the split does not fit in nine tenths of the memory that is free there.

    Notes
    -----
    A batch is a copy and may be kept.
    """

    def __init__(
        self,
        reader: DatasetReader,
        batch_size: int,
        *,
        progress: Progress = no_progress,
        **settings: Any,
    ) -> None:
        super().__init__(reader, batch_size, **settings)
        check_fits(reader, self.device, self.order.world_size)
        self._split = _loaded(reader, self.device, self.workers, progress)

    def source(self, asked: Iterator[Asked]) -> "Gathered":
        """Return the batches that were asked for."""
        return Gathered(self._split, asked, self.device)


class Gathered(Iterator[tuple[Asked, None, Buffers]]):
    """Batches gathered from a split on the device; a `dunhuang_trainer.data.ring.Source`.

    Parameters
    ----------
    split : dict of str to (N, ...) uint8
        On the device.
    asked : iterator of Asked
    device : torch.device
    """

    def __init__(self, split: Buffers, asked: Iterator[Asked], device: torch.device) -> None:
        self._split, self._asked, self._device = split, asked, device

    def __next__(self) -> tuple[Asked, None, Buffers]:
        asked = next(self._asked)
        picks = asked.picks
        rows = torch.from_numpy(picks.rows).to(self._device, non_blocking=True)
        masks = rows
        if picks.mask_rows is not picks.rows:
            masks = torch.from_numpy(picks.mask_rows).to(self._device, non_blocking=True)
        gathered = {
            name: whole.index_select(0, masks if name == "valid" else rows)
            for name, whole in self._split.items()
        }
        return asked, None, gathered

    def stop(self) -> None:
        """Stop; there is nothing to wait for."""


def split_bytes(reader: DatasetReader) -> int:
    """Return how many bytes the samples of a split are, as they are stored."""
    return len(reader) * sum(math.prod(shape) for shape in stored_shapes(reader).values())


def check_fits(reader: DatasetReader, device: torch.device, world_size: int = 1) -> None:
    """Refuse a split that is too large for a device.

    Raises
    ------
    EnvironmentProblem
        If it would take more than nine tenths of what is free. (The network comes on top;
        ``--dry-run`` says how much it takes.)
    """
    holders = world_size if device.type == "cpu" else 1  # processes on GPUs have one each
    free = free_bytes(device)
    if split_bytes(reader) * holders > SHARE * free:
        raise _too_large(reader, device, holders, free)


def _too_large(
    reader: DatasetReader, device: torch.device, holders: int, free: int
) -> EnvironmentProblem:
    each = f" in each of {holders} processes" if holders > 1 else ""
    return EnvironmentProblem(
        f"--data-on-device: the {len(reader)} samples of {reader.split} in {reader.root} take "
        f"{split_bytes(reader) / 1e9:.3g} GB{each}, and of the {free / 1e9:.3g} GB that are free "
        f"on {device} they may take {SHARE:.0%}. Leave the option out, free memory there, or use "
        "fewer or smaller patches."
    )


def _loaded(
    reader: DatasetReader, device: torch.device, workers: int, progress: Progress
) -> Buffers:
    """Read a whole split to a device; every checksum is tested on the way."""
    shapes = stored_shapes(reader).items()
    try:
        split = {
            name: torch.empty((len(reader), *shape), dtype=torch.uint8, device=device)
            for name, shape in shapes
        }
    except torch.OutOfMemoryError as error:  # another process took it meanwhile
        raise _too_large(reader, device, 1, free_bytes(device)) from error
    loader = Loader(reader, AT_ONCE, shuffle=False, tail="keep", workers=workers, device=device)
    done = 0
    with loader:
        for batch in loader:
            here = slice(done, done + len(batch))
            for name, whole in split.items():
                whole[here].copy_(getattr(batch, name))
            done += len(batch)
            progress(len(batch))
    return split
