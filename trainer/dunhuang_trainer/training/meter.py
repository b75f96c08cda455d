"""What is measured between two rows of the log: means of the loss, speed, waiting, memory.

A number that lies on a GPU is only known when the GPU has done all that was asked before, so the
losses of the steps stay there until a row is due, a checkpoint is written or the run pauses.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeVar

import torch
from torch import Tensor

from dunhuang_data.errors import CheckpointError
from dunhuang_trainer.memory import peak_bytes

LOSS = "loss"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NonFinite:
    """The first step of which a loss or one of its parts was NaN or infinite.

    Attributes
    ----------
    step : int
    values : dict of str to float
        The loss and its parts at that step.
    """

    step: int
    values: dict[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.values.items())


class Meter:
    """Accumulates the steps of an interval; `row` ends it.

    Sums are in float64 and in the order of steps, and `state_dict` holds them: the means of an
    interval that was interrupted are, bit for bit, those of an unbroken one.

    Parameters
    ----------
    device : torch.device
    parts : sequence of str
        Names of the parts of the loss.
    mean_over_processes : callable, optional
        Given a float64 tensor on the device, returns its mean over all processes. It is called in
        `settle`, which all processes must then reach together, with the same steps.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        device: torch.device,
        parts: Sequence[str],
        *,
        mean_over_processes: Callable[[Tensor], Tensor] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.device, self.names = device, (LOSS, *parts)
        self._mean, self._clock = mean_over_processes, clock
        self._steps: list[int] = []
        self._values: list[Tensor] = []
        self._first_bad: NonFinite | None = None
        self._begin()

    def _begin(self) -> None:
        self._sums = [0.0] * len(self.names)
        self._count = self._images = 0
        self._seconds = self._waited = 0.0
        self._since: float | None = self._clock()  # None while the clock stands

    def add(self, step: int, total: Tensor, parts: Mapping[str, Tensor], images: int) -> None:
        """Note a step: its loss, () on the device, and the images of all processes in it."""
        # a copy: a compiled network may write the next step's loss into the same memory
        values = [total.detach(), *(parts[name] for name in self.names[1:])]
        self._values.append(torch.stack(values))
        self._steps.append(step)
        self._images += images

    def timed(self, batches: Iterator[T]) -> Iterator[T]:
        """Yield from a loader; the time in which it is asked counts as waiting for data."""
        while True:
            since = self._clock()
            try:
                batch = next(batches)
            except StopIteration:
                return
            finally:
                self._waited += self._clock() - since
            yield batch

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out of the interval's time what happens in the block, such as a validation."""
        self.settle()
        self._seconds, self._since = self._elapsed(), None
        try:
            yield
        finally:
            self._since = self._clock()

    def _elapsed(self) -> float:
        """Return the seconds of the interval so far."""
        return self._seconds + (0.0 if self._since is None else self._clock() - self._since)

    def settle(self) -> NonFinite | None:
        """Fetch the losses of the steps so far; return the first that is not finite, if one is.

        To be asked before every checkpoint: none may be written of weights behind such a step.
        """
        if self._values:
            matrix = torch.stack(self._values).double()  # (steps, names)
            fetched = (self._mean(matrix) if self._mean else matrix).tolist()
            for step, values in zip(self._steps, fetched, strict=True):
                if self._first_bad is None and not all(map(isfinite, values)):
                    self._first_bad = NonFinite(step, dict(zip(self.names, values, strict=True)))
                self._sums = [a + b for a, b in zip(self._sums, values, strict=True)]
            self._count += len(self._steps)
            self._values, self._steps = [], []
        return self._first_bad

    def row(self) -> dict[str, float]:
        """End the interval; return its part of a row of the log.

        Returns
        -------
        dict
            The means of the loss and its parts over the steps; ``images_per_second``; ``waiting``,
            the share of the time in which this process waited for data; ``memory_mb``, the most
            memory of this process so far, in 10⁶ bytes (see `dunhuang_trainer.memory.peak_bytes`).

        Raises
        ------
        ValueError
            If there was no step.
        """
        self.settle()  # the clock below is read when the device has done its work
        if not self._count:
            raise ValueError("an interval without a step has no means")
        seconds = self._elapsed()
        means = {
            name: total / self._count for name, total in zip(self.names, self._sums, strict=True)
        }
        rates = {
            "images_per_second": self._images / seconds,
            "waiting": self._waited / seconds,
            "memory_mb": peak_bytes(self.device) / 1e6,
        }
        self._begin()
        return means | rates

    def state_dict(self) -> dict[str, Any]:
        """Return the interval so far, as plain numbers: for a checkpoint."""
        self.settle()
        return {
            "sums": dict(zip(self.names, self._sums, strict=True)),
            "steps": self._count,
            "images": self._images,
            "seconds": self._elapsed(),
            "waited": self._waited,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in an interval that `state_dict` described.

        Raises
        ------
        CheckpointError
            If it is of a loss with other parts, or no such state.
        """
        sums = state.get("sums")
        numbers = [state.get(name) for name in ("steps", "images", "seconds", "waited")]
        if not isinstance(sums, dict) or not all(type(one) in (int, float) for one in numbers):
            raise CheckpointError(
                "The state of a run cannot be read: it has no sums of the losses since the last "
                "row of the log. Start the run anew with --overwrite."
            )
        if set(sums) != set(self.names):
            raise CheckpointError(
                f"The state of a run has the loss parts {', '.join(sorted(sums))}; this loss has "
                f"{', '.join(sorted(self.names))}. Resume it with the --loss it began with."
            )
        self._values, self._steps, self._first_bad = [], [], None
        self._begin()
        self._sums = [float(sums[name]) for name in self.names]
        self._count, self._images = int(state["steps"]), int(state["images"])
        self._seconds, self._waited = float(state["seconds"]), float(state["waited"])
