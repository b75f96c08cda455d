"""What a person sees: everything human on stderr, results only on stdout, errors as sentences."""

import io
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import click

from dunhuang_data.errors import DunhuangError, EnvironmentProblem, says_out_of_memory

if TYPE_CHECKING:
    from rich.table import Table

LINE_EVERY_S = 30.0
_leaves_at_once = False
_speaks_as = ""  # of several processes, all but the first only name themselves in errors


def leave_at_once() -> None:
    """End the process, when the command is over, without taking Python and its libraries apart.

    For one of several processes: threads of torch's connections may outlive them, and then the
    system ends a process as crashed that had done all its work.
    """
    global _leaves_at_once
    _leaves_at_once = True


def only_errors(name: str) -> None:
    """Say nothing from now on but errors, with this name before them."""
    global _speaks_as
    _speaks_as = name


def say(text: str = "") -> None:
    """Tell the person something, on stderr."""
    if not _speaks_as:
        click.echo(text, err=True)


def result(document: dict[str, Any], as_json: bool, line: str = "") -> None:
    """Put the result on stdout: one JSON document, or one line."""
    if _speaks_as:
        return
    if as_json:
        click.echo(json.dumps(without_nan(document), indent=2, ensure_ascii=False, allow_nan=False))
    elif line:
        click.echo(line)


def without_nan(value: Any) -> Any:
    """Replace what JSON cannot say (NaN, infinity) by null."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value


def size(count: float) -> str:
    """Return a number of bytes in the unit that suits it: 820 B, 24.1 MB, 2.1 GB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show a table on stderr; the first column is text, the others numbers.

    Names are shown as they are: nothing in them is markup, or steers the terminal.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = 120  # a log has no width of its own
    console.print(_table(title, columns, rows))


def table_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the same table as text, 120 characters wide."""
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=120).print(_table(title, columns, rows))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    from dunhuang_data.text import visible

    shown = Table(title=Text(visible(title)), title_justify="left")
    for place, column in enumerate(columns):
        shown.add_column(Text(visible(column)), justify="left" if place == 0 else "right")
    for row in rows:
        shown.add_row(*(Text(visible(cell)) for cell in row))
    return shown


@contextmanager
def progress(total: int, what: str) -> Iterator["Advance"]:
    """Show progress: a bar on a terminal, otherwise a line now and then.

    Yields
    ------
    callable
        To be called with the number of items finished since the last call, and the bytes they take
        where that is known.
    """
    if sys.stderr.isatty() and not _speaks_as:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, rate="")
            so_far = _SoFar(total, time.monotonic())

            def show(count: int, bytes: int = 0) -> None:
                so_far.add(count, bytes, time.monotonic())
                bar.update(task, advance=count, rate=so_far.rate())

            yield show
        return
    last = time.monotonic()
    so_far = _SoFar(total, last)

    def advance(count: int, bytes: int = 0) -> None:
        nonlocal last
        so_far.add(count, bytes, time.monotonic())
        if so_far.now - last >= LINE_EVERY_S and so_far.done:
            last = so_far.now
            say(f"{what}: {so_far.done} of {total}, {so_far.rate()}, {so_far.left()}")

    yield advance


class Advance(Protocol):
    """Takes the number of items finished since the last call, and the bytes they take."""

    def __call__(self, count: int, bytes: int = 0) -> None:
        """Show them."""


class _SoFar:
    """What is done, how fast, and how long the rest will take."""

    def __init__(self, total: int, now: float) -> None:
        self.total, self.done, self.bytes = total, 0, 0
        self.start = self.now = now

    def add(self, count: int, bytes: int, now: float) -> None:
        self.done += count
        self.bytes += bytes
        self.now = now

    def rate(self) -> str:
        a_second = self.done / max(1e-3, self.now - self.start)
        shown = f"{a_second:.0f}" if a_second >= 10 else f"{a_second:.1f}"
        return f"{shown} a second" + (f", {size(self.bytes)}" if self.bytes else "")

    def left(self) -> str:
        seconds = (self.now - self.start) / self.done * (self.total - self.done)
        return f"about {seconds:.0f} s left"


class Interrupted(DunhuangError):
    """Ctrl-C, with the line that goes on from there."""

    exit_code = 130


@contextmanager
def goes_on_with(line: str, also_on_term: bool = False) -> Iterator[None]:
    """Answer Ctrl-C with the command that continues; SIGTERM too, if that is asked for."""
    before = None
    if also_on_term and threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted. What was whole is kept; go on with:\n  {line}") from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def run(group: click.Group, name: str) -> NoReturn:
    """Run a command and leave with its exit code: 0, 1, 2, 3, 4, 5 or 130 (see docs/errors)."""
    verbose = {"-v", "--verbose"} & set(sys.argv[1:]) or os.environ.get("DUNHUANG_VERBOSE")
    try:
        code = group.main(prog_name=name, standalone_mode=False, auto_envvar_prefix="DUNHUANG")
    except (Exception, KeyboardInterrupt) as error:
        code = _answer(error, name)
        if verbose:
            traceback.print_exception(error)
    code = code if isinstance(code, int) else 0
    if _leaves_at_once:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _answer(error: BaseException, name: str) -> int:
    """Say what went wrong, and return the exit code."""

    def say(text: str) -> None:
        click.echo(f"[{_speaks_as}] {text}" if _speaks_as else text, err=True)

    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        say("Interrupted.")
        return Interrupted.exit_code
    if isinstance(error, DunhuangError):
        say(f"Error: {error}")
        return error.exit_code
    # torch says so by a RuntimeError, on CPU and GPU alike
    torchs = isinstance(error, RuntimeError) and says_out_of_memory(error)
    if isinstance(error, MemoryError) or torchs:
        say(
            "Error: The memory did not suffice. Make --batch, --width, --tile, --size, --shard-size"
        )
        say("or --workers smaller, whichever this command has.")
        return EnvironmentProblem.exit_code
    if isinstance(error, OSError) and error.filename:
        # the core explains what it foresees; a refusal of the system can come from anywhere
        say(f"Error: {error.filename}: {error.strerror}.")
        return EnvironmentProblem.exit_code
    say(f"Error: unexpected {type(error).__name__}: {error}. This is a fault of {name};")
    say("run it again with -v before the command's name and report what it prints.")
    return 1
