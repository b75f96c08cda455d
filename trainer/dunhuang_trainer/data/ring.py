"""A ring of reused memory that threads fill with batches, in order, ahead of who uses them.

Threads, not processes: reading and checking give up Python's lock, and a batch that is read where
it is used needs no copy between processes. Memory is used again, because fresh memory for every
batch costs more than reading it.
"""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import torch

from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data.order import Picks, Span
from dunhuang_trainer.data.stored import Buffers, disk_reads, prefetch, read_into

AHEAD = 16  # batches that the system is asked for before they are read
THREADS = "dunhuang-loader"  # how their names begin


@dataclass(slots=True)
class Slot:
    """Memory for one batch.

    Attributes
    ----------
    buffers : dict of str to (B, ...) uint8
    copied : torch.cuda.Event, optional
        Happens when the copy of this batch to the device is done.
    """

    buffers: Buffers
    copied: torch.cuda.Event | None = None

    def sent(self, filled: Buffers, device: torch.device) -> Buffers:
        """Return the batch that lies here on a device, on its way there if that is a GPU."""
        if device.type == "cuda":
            filled = {name: part.to(device, non_blocking=True) for name, part in filled.items()}
            self.copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self.copied.record(torch.cuda.current_stream(device))
        return filled


@dataclass(slots=True)
class Asked:
    """A batch that will be read.

    Attributes
    ----------
    span : tuple of int
    picks : Picks
    advised : bool
        Whether the system was asked to fetch it.
    """

    span: Span
    picks: Picks
    advised: bool = False


class Source(Protocol):
    """Where a loader has its batches from."""

    def __next__(self) -> tuple[Asked, Slot | None, Buffers]:
        """Return a batch, the slot it lies in if it is not on the device yet, and its arrays."""

    def stop(self) -> object:
        """End what is under way."""


class Ring(Iterator[tuple[Asked, Slot, Buffers]]):
    """Batches as they were asked for, each with the slot it lies in and its filled part.

    A slot is used again when the next batch is asked for.

    Parameters
    ----------
    reader : DatasetReader
    asked : iterator of Asked
        Taken `AHEAD` batches before they are read.
    slots : list of Slot
        One for the caller, the others being filled or waiting.
    idle : list of Slot
        Where the slots are put when the ring stops.
    workers : int
        Threads; 0 reads in the caller, when a batch is asked for.
    """

    def __init__(
        self,
        reader: DatasetReader,
        asked: Iterator[Asked],
        slots: list[Slot],
        idle: list[Slot],
        workers: int,
    ) -> None:
        self._reader, self._coming = reader, asked
        self._asked: deque[Asked] = deque()
        self._reading: deque[tuple[Callable[[], Buffers], Asked, Slot]] = deque()
        self._free = deque(slots)
        self._held: Slot | None = None  # what the caller looks at
        self._disk_reads = -1
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=THREADS) if workers else None
        # also called for a ring that is left in the middle and forgotten
        self.stop = weakref.finalize(self, _stop, self._pool, slots, idle)

    def __next__(self) -> tuple[Asked, Slot, Buffers]:
        if self._held is not None:
            self._free.append(self._held)
        while self._free and self._ask():
            asked, slot = self._asked.popleft(), self._free.popleft()
            fill = partial(_fill, self._reader, asked.picks, slot)
            waited: Callable[[], Buffers] = self._pool.submit(fill).result if self._pool else fill
            self._reading.append((waited, asked, slot))
        if not self._reading:
            raise StopIteration
        waited, asked, self._held = self._reading.popleft()
        return asked, self._held, waited()

    def _ask(self) -> bool:
        """Look some batches ahead; return whether there is one left to read.

        The system is asked to fetch them, but only as long as this process has been reading from
        disk: where everything is in memory already, asking would cost a third of the time.
        """
        self._asked.extend(islice(self._coming, AHEAD - len(self._asked)))
        before, self._disk_reads = self._disk_reads, disk_reads()
        for asked in self._asked if self._disk_reads != before else ():
            if not asked.advised:
                prefetch(self._reader, asked.picks)
                asked.advised = True
        return bool(self._asked)


def _fill(reader: DatasetReader, picks: Picks, slot: Slot) -> Buffers:
    if slot.copied is not None:
        slot.copied.synchronize()
    return read_into(reader, picks, slot.buffers)


def _stop(pool: ThreadPoolExecutor | None, slots: list[Slot], idle: list[Slot]) -> None:
    """End a run's threads and give its slots back."""
    if threading.current_thread().name.startswith(THREADS):
        # the garbage collector found a forgotten run while one of its own threads was at work:
        # it cannot wait for itself, so its slots are not used again
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        return
    if pool is not None:
        pool.shutdown(wait=True, cancel_futures=True)
    idle.extend(slots)
