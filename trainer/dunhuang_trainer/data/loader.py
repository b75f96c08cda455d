"""The loader: threads that read batches ahead, straight into memory that is used again and again.

Threads, not processes: reading and checking give up Python's lock, and a batch that is read where
it is used needs no copy between processes. The memory is a ring of *slots*, one batch each: fresh
memory for every batch would cost more than reading it.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal

import torch

from dunhuang_data.errors import DatasetError, ResumeMismatchError, UsageProblem
from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data.batches import StoredBatch
from dunhuang_trainer.data.order import Order, Picks, steps_per_epoch
from dunhuang_trainer.data.stored import Buffers, batch_buffers, prefetch, read_into
from dunhuang_trainer.data.turns import draw_turns

AHEAD = 16  # batches that the system is asked for before they are read
THREADS = "dunhuang-loader"
Span = tuple[int, int, int]  # an epoch, its first position of a batch, and the one after its last


@dataclass(slots=True)
class Slot:
    """Memory for one batch."""

    buffers: Buffers
    copied: "torch.cuda.Event | None" = None  # when the copy to the device has read it


def auto_workers() -> int:
    """Return as many threads as pay: 2, or none where there is one processor."""
    return 2 if len(os.sched_getaffinity(0)) > 1 else 0


class Loader:
    """The batches of a split, read ahead by threads, in an order that depends on nothing else.

    Iterating gives the batches from where the loader stands to the end of the epoch; iterating
    again, the next epoch. `take` goes on over the ends of epochs.

    Parameters
    ----------
    reader : DatasetReader
    batch_size : int
        Samples in a batch of this rank.
    seed : int
    shuffle : bool
        False: the dataset's own order in every epoch.
    masks : {"fixed", "per-epoch"}
        See `dunhuang_trainer.data.order.Order`.
    flip : float
        The probability that a sample is mirrored left to right.
    quarter_turns : bool
        Whether samples are turned by 0, 90, 180 or 270 degrees.
    tail : {"drop", "keep"}
        What becomes of the samples after an epoch's last whole batch (of all ranks): ``"drop"``
        leaves them to the next epoch's order, so that every rank has as many batches; ``"keep"``
        gives every sample exactly once, for validation, and a rank may have one batch fewer.
    workers : int, optional
        Threads that read; 0 reads in the caller, when a batch is asked for. By default
        `auto_workers`. It changes no batch.
    device : torch.device or str
        Where batches are to lie. For a GPU, slots are page-locked and copied without waiting.
    rank, world_size : int
        Which of how many processes that share the epochs this one is.

    Raises
    ------
    DatasetError
        If ``tail`` is ``"drop"`` and there is not one whole batch.
    UsageProblem
        If an argument makes no sense.

    Notes
    -----
    **On the CPU a batch is valid until the next one is asked for**: then its memory is used again.
    `dunhuang_trainer.data.finished` and ``clone`` make what may be kept. A batch on a GPU is a
    copy, and may be kept.

    The threads end with the iteration: after the last batch, on an error (which is raised where the
    batch was asked for), and when the loader is left as a context or closed.
    """

    def __init__(
        self,
        reader: DatasetReader,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        masks: str = "fixed",
        flip: float = 0.0,
        quarter_turns: bool = False,
        tail: Literal["drop", "keep"] = "drop",
        workers: int | None = None,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1 or (workers or 0) < 0 or not 0 <= flip <= 1:
            raise UsageProblem(
                f"Batches of {batch_size}, {workers} workers and a mirror image with probability "
                f"{flip} make no loader; expected at least 1, at least 0, and 0 to 1."
            )
        self.order = Order(
            len(reader), seed, shuffle=shuffle, masks=masks, rank=rank, world_size=world_size
        )
        self.reader, self.batch_size, self.tail = reader, batch_size, tail
        self.workers = auto_workers() if workers is None else workers
        self.device, self.flip, self.quarter_turns = torch.device(device), flip, quarter_turns
        self.epoch = self.position = 0
        self._stride = batch_size * world_size
        self.idle: list[Slot] = []
        self._run: weakref.ref[_Run] | None = None
        if tail == "drop" and not len(self):
            ranks = f" for each of {world_size} ranks" if world_size > 1 else ""
            raise DatasetError(
                f"{reader.root} has {len(reader)} samples in {reader.split}, fewer than one batch "
                f"of {batch_size}{ranks}. Use a smaller --batch, or cut more patches."
            )

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        if self.tail == "drop":
            return steps_per_epoch(self.order.count, self.batch_size, self.order.world_size)
        return -(-len(self.order) // self.batch_size)

    def __iter__(self) -> Iterator[StoredBatch]:
        """Return the batches from here to the end of the epoch."""
        return _Run(self, lambda: self._spans(self.epoch, self.position))

    def take(self, steps: int) -> Iterator[StoredBatch]:
        """Return the next ``steps`` batches, over the ends of epochs."""

        def endless() -> Iterator[Span]:
            epoch, position = self.epoch, self.position
            while self.order.count:
                yield from self._spans(epoch, position)
                epoch, position = epoch + 1, 0

        return _Run(self, lambda: islice(endless(), steps))

    def seek(self, step: int) -> None:
        """Stand where a run of whole epochs from the start stands after ``step`` batches."""
        epoch, batch = divmod(step, len(self))
        self._stand(epoch, batch * self._stride)

    def state_dict(self) -> dict[str, int]:
        """Return where the loader stands: seed, epoch, and the positions of it that are done.

        A batch counts as done when it was handed over.
        """
        return {"seed": self.order.seed, "epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Stand where another loader stood, whatever its workers, batch size and ranks were.

        Raises
        ------
        ResumeMismatchError
            If it had another seed, or the place is not in this dataset.
        """
        seed, epoch, position = (state.get(key) for key in ("seed", "epoch", "position"))
        if seed != self.order.seed:
            raise ResumeMismatchError(
                f"The loader's state is of seed {seed}, this loader has seed {self.order.seed}: "
                "the order is another. Use the seed of the run that is resumed."
            )
        if (
            type(epoch) is not int
            or type(position) is not int
            or epoch < 0
            or not 0 <= position <= self.order.count
        ):
            raise ResumeMismatchError(
                f"The loader's state is epoch {epoch}, position {position}; expected whole numbers "
                f"and a position of 0 to {self.order.count}. It is of another dataset, or damaged."
            )
        self._stand(epoch, position)

    def close(self) -> None:
        """End the iteration that is under way, and wait for its threads."""
        run = self._run() if self._run is not None else None
        if run is not None:
            run.close()

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _stand(self, epoch: int, position: int) -> None:
        self.close()
        self.epoch, self.position = epoch, position
        self._step_over_the_end()

    def _step_over_the_end(self) -> None:
        if next(self._spans(self.epoch, self.position), None) is None:
            self.epoch, self.position = self.epoch + 1, 0

    def _spans(self, epoch: int, position: int) -> Iterator[Span]:
        """Yield the rest of an epoch, batch by batch: the same for every rank, but for the last."""
        count, stride = self.order.count, self._stride
        last = count if self.tail == "keep" else count - stride + 1
        for start in range(position, last, stride):
            if start + self.order.rank < count:
                yield epoch, start, min(start + stride, count)

    def begin(self, run: "_Run") -> None:
        """End the iteration that is under way, for another one."""
        self.close()
        self._run = weakref.ref(run)

    def slots(self) -> list[Slot]:
        """Return the slots of a run: one for the caller, the others being filled or waiting."""
        found, wanted = self.idle[:], 2 * self.workers + 1
        self.idle.clear()
        pinned = self.device.type == "cuda"
        while len(found) < wanted:
            found.append(Slot(batch_buffers(self.reader, self.batch_size, pinned)))
        return found

    def hand_over(self, span: Span, picks: Picks, slot: Slot, filled: Buffers) -> StoredBatch:
        """Return a batch that was read, on the device, and stand after it."""
        if self.device.type == "cuda":
            filled = {
                name: part.to(self.device, non_blocking=True) for name, part in filled.items()
            }
            slot.copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            slot.copied.record(torch.cuda.current_stream(self.device))
        self.epoch, _, self.position = span
        self._step_over_the_end()
        turns = draw_turns(
            self.order.seed, picks.epoch, picks.positions, self.flip, self.quarter_turns
        )
        return StoredBatch(filled["image"], filled["valid"], filled.get("damage"), picks, turns)


def _fill(reader: DatasetReader, picks: Picks, slot: Slot) -> Buffers:
    if slot.copied is not None:
        slot.copied.synchronize()
    return read_into(reader, picks, slot.buffers)


class _Run(Iterator[StoredBatch]):
    """One iteration of a loader: the batches that are asked for, being read and handed over."""

    def __init__(self, loader: Loader, spans: Callable[[], Iterator[Span]]) -> None:
        self._loader, self._make_spans = loader, spans
        self._spans: Iterator[Span] = iter(())
        self._asked: deque[tuple[Span, Picks]] = deque()
        self._reading: deque[tuple[Callable[[], Buffers], Span, Picks, Slot]] = deque()
        self._free: deque[Slot] = deque()
        self._held: Slot | None = None  # what the caller looks at
        self._pool: ThreadPoolExecutor | None = None
        self._stop: Callable[[], object] | None = None
        self._ended = ""

    def _begin(self) -> Callable[[], object]:
        """Start where the loader stands now; only when the first batch is asked for."""
        self._loader.begin(self)
        self._spans = self._make_spans()
        slots = self._loader.slots()
        self._free.extend(slots)
        if self._loader.workers:
            self._pool = ThreadPoolExecutor(self._loader.workers, thread_name_prefix=THREADS)
        # also called for an iteration that is left in the middle and forgotten
        return weakref.finalize(self, _stop, self._pool, slots, self._loader.idle)

    def __next__(self) -> StoredBatch:
        if self._ended == "closed":
            raise RuntimeError(
                "This iteration was ended before its last batch, by closing or moving its loader "
                "or by iterating it again. For two iterations at a time make two loaders."
            )
        if self._ended:
            raise StopIteration
        try:
            self._stop = self._stop or self._begin()
            return self._next()
        except BaseException:  # also the end, and Ctrl-C while waiting
            self.close("over")
            raise

    def _next(self) -> StoredBatch:
        if self._held is not None:
            self._free.append(self._held)
            self._held = None
        while self._free and self._ask():
            span, picks = self._asked.popleft()
            slot = self._free.popleft()
            fill = partial(_fill, self._loader.reader, picks, slot)
            waited: Callable[[], Buffers] = self._pool.submit(fill).result if self._pool else fill
            self._reading.append((waited, span, picks, slot))
        if not self._reading:
            raise StopIteration
        waited, span, picks, self._held = self._reading.popleft()
        return self._loader.hand_over(span, picks, self._held, waited())

    def _ask(self) -> bool:
        """Ask the system for some batches ahead; return whether there is one left to read."""
        for span in islice(self._spans, AHEAD - len(self._asked)):
            picks = self._loader.order.pick(*span)
            prefetch(self._loader.reader, picks)
            self._asked.append((span, picks))
        return bool(self._asked)

    def close(self, why: str = "closed") -> None:
        """Stop, and wait for what is being read."""
        self._ended = self._ended or why
        if self._stop is not None:
            self._stop()


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
