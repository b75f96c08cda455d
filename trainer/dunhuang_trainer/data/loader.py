"""The loader: batches in an order that depends on (seed, epoch) alone, read ahead by threads."""

import os
import weakref
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Literal

import torch

from dunhuang_data.errors import DatasetError, ResumeMismatchError, UsageProblem
from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data.batches import StoredBatch
from dunhuang_trainer.data.order import Order, Span, steps_per_epoch
from dunhuang_trainer.data.ring import Asked, Ring, Slot, Source
from dunhuang_trainer.data.stored import Buffers, batch_buffers
from dunhuang_trainer.data.turns import draw_turns

State = dict[str, int | str | bool]  # plain values, which torch.load takes with weights_only


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
        self._idle: list[Slot] = []
        self._iteration: weakref.ref[_Iteration] | None = None
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
        return _Iteration(self, lambda: self._spans(self.epoch, self.position))

    def take(self, steps: int) -> Iterator[StoredBatch]:
        """Return the next ``steps`` batches, over the ends of epochs; none if there is none at all.

        Raises
        ------
        UsageProblem
            If ``steps`` is negative.
        """
        if steps < 0:
            raise UsageProblem(f"{steps} batches were asked of a loader; expected 0 or more.")

        def endless() -> Iterator[Span]:
            epoch, position = self.epoch, self.position
            while len(self):  # a rank has none where the others have every sample
                yield from self._spans(epoch, position)
                epoch, position = epoch + 1, 0

        return _Iteration(self, lambda: islice(endless(), steps))

    def seek(self, step: int) -> None:
        """Stand where a run of whole epochs from the start stands after ``step`` batches.

        Raises
        ------
        UsageProblem
            If ``step`` is negative, or there is no batch to stand after.
        """
        if step < 0:
            raise UsageProblem(f"A loader cannot stand after {step} batches; expected 0 or more.")
        if step and not len(self):
            raise UsageProblem(
                f"A loader cannot stand after {step} batches where there is none: "
                f"{self.reader.root} has {self.order.count} samples in {self.reader.split}, "
                f"none of them for rank {self.order.rank} of {self.order.world_size}. "
                "Use fewer ranks or another split."
            )
        epoch, batch = divmod(step, len(self) or 1)
        self._stand(epoch, batch * self._stride)

    def state_dict(self) -> State:
        """Return where the loader stands: the epoch, the positions of it that are done, and whose.

        A batch counts as done when it was handed over.
        """
        return {**self._identity(), "epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: State) -> None:
        """Stand where another loader stood, whatever its workers, batch size and ranks were.

        Raises
        ------
        ResumeMismatchError
            If it had another order, masks or dataset, or the place is not in this dataset.
        """
        for key, mine in self._identity().items():
            if key not in state:
                raise ResumeMismatchError(
                    f"The loader's state has no {key}; expected what state_dict returns, whole."
                )
            if state[key] != mine:
                raise ResumeMismatchError(
                    f"The loader's state is of {key} {state[key]}, this loader has {key} {mine}: "
                    f"the samples that come next are others. Use the {key} of the run that is "
                    "resumed."
                )
        epoch, position = state.get("epoch"), state.get("position")
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

    def _identity(self) -> State:
        """Return what the order of samples and masks depends on."""
        return {
            "dataset": self.reader.manifest.content_sha256,
            "split": self.reader.split,
            "seed": self.order.seed,
            "shuffle": self.order.shuffle,
            "masks": self.order.masks,
        }

    def close(self) -> None:
        """End the iteration that is under way, and wait for its threads."""
        iteration = self._iteration() if self._iteration is not None else None
        if iteration is not None:
            iteration.close()

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _stand(self, epoch: int, position: int) -> None:
        self.close()
        self.epoch, self.position = epoch, position
        self._step_over_the_end()

    def _step_over_the_end(self) -> None:
        # a rank without any batch stays where it is put: no epoch of it begins
        if len(self) and next(self._spans(self.epoch, self.position), None) is None:
            self.epoch, self.position = self.epoch + 1, 0

    def _spans(self, epoch: int, position: int) -> Iterator[Span]:
        """Yield the rest of an epoch, batch by batch: the same for every rank, but for the last."""
        count, stride = self.order.count, self._stride
        last = count if self.tail == "keep" else count - stride + 1
        for start in range(position, last, stride):
            if start + self.order.rank < count:
                yield epoch, start, min(start + stride, count)

    def begin(self, iteration: "_Iteration", spans: Callable[[], Iterator[Span]]) -> Source:
        """End the iteration that is under way, for another one from where the loader stands."""
        self.close()
        self._iteration = weakref.ref(iteration)
        return self.source(Asked(span, self.order.pick(*span)) for span in spans())

    def source(self, asked: Iterator[Asked]) -> Source:
        """Return the batches that were asked for, in memory."""
        # one with the caller, one being filled by each thread, one waiting
        slots, wanted = self._idle[:], self.workers + (2 if self.workers else 1)
        self._idle.clear()
        pinned = self.device.type == "cuda"
        while len(slots) < wanted:
            slots.append(Slot(batch_buffers(self.reader, self.batch_size, pinned)))
        return Ring(self.reader, asked, slots, self._idle, self.workers)

    def hand_over(self, asked: Asked, slot: Slot | None, filled: Buffers) -> StoredBatch:
        """Return a batch that was read, on the device, and stand after it."""
        if slot is not None:
            filled = slot.sent(filled, self.device)
        picks = asked.picks
        self.epoch, _, self.position = asked.span
        self._step_over_the_end()
        turns = draw_turns(
            self.order.seed, picks.epoch, picks.positions, self.flip, self.quarter_turns
        )
        return StoredBatch(filled["image"], filled["valid"], filled["damage"], picks, turns)


class _Iteration(Iterator[StoredBatch]):
    """One iteration of a loader; it begins when its first batch is asked for."""

    def __init__(self, loader: Loader, spans: Callable[[], Iterator[Span]]) -> None:
        self._loader, self._spans = loader, spans
        self._ring: Source | None = None
        self._ended = ""

    def __next__(self) -> StoredBatch:
        if self._ended == "closed":
            raise RuntimeError(
                "This iteration was ended before its last batch, by closing or moving its loader "
                "or by iterating it again. For two iterations at a time make two loaders."
            )
        if self._ended:
            raise StopIteration
        try:
            self._ring = self._ring or self._loader.begin(self, self._spans)
            return self._loader.hand_over(*next(self._ring))
        except BaseException:  # also the end, and Ctrl-C while waiting
            self.close("over")
            raise

    def close(self, why: str = "closed") -> None:
        """Stop, and wait for what is being read."""
        self._ended = self._ended or why
        if self._ring is not None:
            self._ring.stop()
