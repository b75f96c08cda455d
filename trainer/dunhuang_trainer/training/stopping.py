"""When a run is to stop before its end: the time is up, or somebody asked."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Says whether a run is to stop after the step it is in.

    Parameters
    ----------
    time_limit_s : float, optional
        Seconds from now.
    passed_on : bool
        Whether torchrun passes on the signals that this process gets from the terminal already:
        then a second Ctrl-C may be the first once more, and asks like it.
    """

    def __init__(self, time_limit_s: float | None = None, passed_on: bool = False) -> None:
        self._passed_on = passed_on
        self._end = None if time_limit_s is None else time.monotonic() + time_limit_s
        self._why: str | None = None
        self.interrupted = False

    @property
    def why(self) -> str | None:
        """The reason to stop, or None."""
        if self._why is None and self._end is not None and time.monotonic() >= self._end:
            self._why = "the time limit is reached"
        return self._why

    def ask(self, why: str) -> None:
        """Ask to stop after this step."""
        self._why = self._why or why

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """While the block lasts, stop at SIGTERM and at the first Ctrl-C; a second ends at once."""
        before = {
            number: signal.signal(number, self._received)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self.interrupted and not self._passed_on:
                raise KeyboardInterrupt
            self.interrupted = True
        self.ask(f"{signal.Signals(number).name} was received")
