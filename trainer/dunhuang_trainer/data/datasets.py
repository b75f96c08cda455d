"""Datasets for ``torch.utils.data.DataLoader``, over the reader.

`dunhuang_trainer.data.Loader` is the faster way: worker processes copy every batch once more.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from dunhuang_data.errors import UsageProblem
from dunhuang_data.polarity import unpack
from dunhuang_data.reader import DatasetReader
from dunhuang_data.rng import permutation, rng_for
from dunhuang_data.types import Split
from dunhuang_trainer.data.order import Order, Rows
from dunhuang_trainer.data.stored import Buffers, batch_buffers, read_into

Sample = dict[str, Tensor]


class PatchDataset(Dataset[Sample]):
    """The samples of a split, by number.

    A sample is a dictionary: ``image`` (S, S, 3) uint8, ``valid`` and ``damage`` (S, S) uint8 of
    {0, 1}, ``row`` () int64, its number in the split.

    Parameters
    ----------
    root : Path
    split : {"train", "val", "test"}
    seed : int
    shuffle : bool
        True: item i is the sample at position i of the epoch's order, the one that `Loader` has;
        leave ``DataLoader(shuffle=False)`` then. False: item i is row i.
    masks : {"fixed", "per-epoch"}
    rank, world_size : int
        Item i is then position ``rank + i * world_size``.

    Notes
    -----
    Picklable, and safe after fork and spawn: every process opens the files for itself.
    """

    def __init__(
        self,
        root: Path,
        split: Split,
        *,
        seed: int = 0,
        shuffle: bool = False,
        masks: str = "fixed",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.reader = DatasetReader(root, split)
        self.order = Order(
            len(self.reader), seed, shuffle=shuffle, masks=masks, rank=rank, world_size=world_size
        )
        # shared, so that set_epoch reaches workers that are already there (persistent_workers)
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Take the order and the masks of an epoch; call it before iterating."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, item: int) -> Sample:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int]) -> list[Sample]:
        """Return some samples, read in one call; torch's DataLoader asks for batches this way."""
        numbers = np.asarray(items, dtype=np.int64)
        if not ((numbers >= 0) & (numbers < len(self))).all():
            raise IndexError(f"there are items 0 to {len(self) - 1}; {numbers.tolist()} was asked")
        positions = self.order.rank + numbers * self.order.world_size
        picks = self.order.at(int(self._epoch), positions)
        stored = read_into(self.reader, picks, batch_buffers(self.reader, len(numbers)))
        return _samples(stored, picks.rows, self.reader.patch_size)


class ShardStream(IterableDataset[Sample]):
    """The samples of a split, shard after shard: for object stores and spinning disks.

    The shards come in an order drawn for the epoch. Some of them at a time, the *window*, are read
    from beginning to end, and their samples are shuffled together. Every file is so read once an
    epoch, in order, by one process; a window of several shards mixes nearly as well as an order of
    all samples.

    Worker processes and ranks divide the shards among themselves: every sample comes once an epoch
    in their union, but not equally many to each. What a sample is, is described at `PatchDataset`.

    Parameters
    ----------
    root : Path
    split : {"train", "val", "test"}
    seed : int
    window : int
        Shards that are shuffled together. All of them are in memory at once: at 256 px, 500
        samples a shard and a window of 4, about 400 MB in every process.
    masks : {"fixed", "per-epoch"}
        With ``"per-epoch"`` the masks are read from all over the split.
    rank, world_size : int
    """

    def __init__(
        self,
        root: Path,
        split: Split,
        *,
        seed: int = 0,
        window: int = 4,
        masks: str = "fixed",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if window < 1:
            raise UsageProblem(f"The window is {window} shards; expected at least 1.")
        self.reader, self.window = DatasetReader(root, split), window
        self.order = Order(
            len(self.reader), seed, shuffle=False, masks=masks, rank=rank, world_size=world_size
        )
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Take the order and the masks of an epoch; call it before iterating."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Sample]:
        epoch = int(self._epoch)
        windows = [(window[0], self._spans(window)) for window in self._windows(epoch)]
        most = max((sum(map(len, spans)) for _, spans in windows), default=0)
        buffers = batch_buffers(self.reader, most)
        for first, spans in windows:
            rows = np.fromiter(chain(*spans), dtype=np.int64)  # in the order in which they lie
            read_into(self.reader, self.order.at(epoch, rows), buffers)
            mixed = permutation(rng_for(self.order.seed, "window", epoch, first), len(rows))
            for place in mixed.tolist():
                one = {name: buffer[place : place + 1].clone() for name, buffer in buffers.items()}
                yield from _samples(one, rows[place : place + 1], self.reader.patch_size)

    def _spans(self, window: list[int]) -> list[range]:
        """Return the rows of some shards; the last shard of a split may have fewer."""
        size, count = self.reader.manifest.recipe.shard_size, self.order.count
        return [range(n * size, min((n + 1) * size, count)) for n in window]

    def _windows(self, epoch: int) -> Iterator[list[int]]:
        """Yield the numbers of the shards that this process reads, a window at a time."""
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        part = self.order.rank * workers + number
        count = -(-self.order.count // self.reader.manifest.recipe.shard_size)
        shards = permutation(rng_for(self.order.seed, "shards", epoch), count).tolist()
        shards = shards[part :: self.order.world_size * workers]
        for first in range(0, len(shards), self.window):
            yield shards[first : first + self.window]


def _samples(stored: Buffers, rows: Rows, width: int) -> list[Sample]:
    """Return samples as torch takes them: views of one batch, whose masks are unpacked."""
    planes = {"image": stored["image"], "row": torch.from_numpy(rows)}
    for name in ("valid", "damage"):
        planes[name] = torch.from_numpy(unpack(stored[name].numpy(), width))
    return [{name: plane[place] for name, plane in planes.items()} for place in range(len(rows))]
