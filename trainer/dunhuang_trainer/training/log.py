"""The log of a run: one row an interval, as JSON lines and as a table, continued and never lost.

A row is written with one call to the system and lies in the file when `RunLog.append` returns.
Whenever the process is killed, at most the last line is torn, and the next `RunLog` mends it. A
resumed run keeps, byte for byte, the rows up to the checkpoint it goes on from; the later ones are
dropped, because their steps are made again. The table follows from the JSON lines, and so does
what TensorBoard shows, where it can be imported.
"""

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from math import isfinite, nan
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dunhuang_data.atomic import write_bytes
from dunhuang_data.documents import csv_text
from dunhuang_data.errors import CheckpointError, OutputError, OutputExistsError
from dunhuang_data.types import UInt8Array

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Row = dict[str, float]

JSON_LINES, TABLE, TENSORBOARD, SAMPLES = "metrics.jsonl", "metrics.csv", "tensorboard", "samples"
CONTENTS = (JSON_LINES, TABLE, TENSORBOARD, SAMPLES)  # what `RunLog` writes in a run's folder
OF_THE_RUN = ("epoch", "learning_rate", "images_per_second", "waiting", "memory_mb")


class RunLog:
    """The log of the run in a folder, open for writing. Of many processes one writes it.

    Parameters
    ----------
    folder : Path
        The run's, which exists.
    columns : sequence of str
        What a row may hold, ``"step"`` first, in the order of the table. Columns of earlier rows
        that are not among them are kept behind them.
    resumed_step : int or None
        The step of the checkpoint that the run goes on from: the rows up to it are kept, later ones
        and a torn last line are dropped. None: a new run, which has no log.
    tensorboard : bool
        False leaves TensorBoard out even if it is there.

    Attributes
    ----------
    tensorboard : bool
        Whether TensorBoard's files are written.

    Raises
    ------
    CheckpointError
        If an earlier log is damaged before its last line.
    OutputExistsError
        If a new run's folder has a log.
    OutputError
        If the system refuses to write.
    """

    def __init__(
        self,
        folder: Path,
        columns: Sequence[str],
        *,
        resumed_step: int | None,
        tensorboard: bool = True,
    ) -> None:
        path = folder / JSON_LINES
        if resumed_step is None and path.exists():
            raise OutputExistsError(
                f"{path} is the log of an earlier run. Go on with that run, or choose another -o."
            )
        kept = _mended(path, -1 if resumed_step is None else resumed_step)
        old = {name for row in kept for name in row}
        self.columns = (*columns, *sorted(old - set(columns)))
        self.folder, self.last = folder, int(kept[-1]["step"]) if kept else -1
        if not path.exists() and (folder / TABLE).exists():  # it is all that is left of the log
            (folder / TABLE).replace(folder / "metrics.old.csv")
        _replace(folder / TABLE, csv_text(self.columns, [_cells(self.columns, r) for r in kept]))
        self._files = [_opened(folder / name) for name in (JSON_LINES, TABLE)]
        self._board = _summary_writer(folder, resumed_step) if tensorboard else None
        self.tensorboard = self._board is not None

    def append(self, row: Mapping[str, float]) -> None:
        """Write a row. What it lacks, and what is not a finite number, is left empty.

        Raises
        ------
        OutputError
            If the system refuses to write.
        ValueError
            If it has an unknown column, or its step is not after the one before.
        """
        unknown = sorted(set(row) - set(self.columns))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no column; there are {', '.join(self.columns)}")
        step = int(row["step"])
        if step <= self.last:
            raise ValueError(f"a row of step {step} cannot follow one of step {self.last}")
        values = {name: _plain(row.get(name, nan)) for name in self.columns}
        cells = csv_text(_cells(self.columns, values), [])
        for file, line in zip(self._files, (json.dumps(values) + "\n", cells), strict=True):
            _write(file, line.encode("utf-8"), self.last)
        self.last = step

        def show(board: "SummaryWriter") -> None:
            for name, value in values.items():
                if name != "step" and value is not None:
                    board.add_scalar(_tag(name), value, step)

        self._shown(show)

    def picture(self, step: int, pixels: UInt8Array) -> Path:
        """Write a sample grid, (H, W, 3) uint8, as ``samples/step-000500.png``; return its path."""
        from dunhuang_data.pictures import write_picture

        path = self.folder / SAMPLES / f"step-{step:06}.png"
        write_picture(path, pixels)
        self._shown(lambda board: board.add_image("samples", pixels, step, dataformats="HWC"))
        return path

    def _shown(self, show: Callable[["SummaryWriter"], None]) -> None:
        """Show something in TensorBoard; where it cannot write, the run goes on without it."""
        if self._board is None:
            return
        try:
            show(self._board)
            self._board.flush()
        except OSError:  # of its own thread; closing it would raise it again
            self._board, self.tensorboard = None, False

    def sync(self) -> None:
        """Bring the rows to the disk itself; before a checkpoint, so that none outlives its rows.

        Without it a loss of power, other than a killed process, may leave a checkpoint whose last
        rows are gone.
        """
        for file in self._files:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()
        if self._board is not None:
            with suppress(OSError):
                self._board.close()
            self._board = None

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()


def read_log(folder: Path) -> list[Row]:
    """Return the rows of a run's log, oldest first; NaN where there is no value.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged, also at its end.
    """
    path = folder / JSON_LINES
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise CheckpointError(
            f"The log {path} cannot be read: {error.strerror}. Name the folder of a run that "
            "dunhuang-train fit has begun."
        ) from error
    rows = _parsed(path, lines[:-1])
    if lines[-1]:
        raise CheckpointError(
            f"The log {path} ends in a torn line, after step {_last_step(rows)}. Resuming the run "
            "mends it."
        )
    return rows


def _mended(path: Path, last: int) -> list[Row]:
    """Drop from a log a torn last line and the rows after a step; return those that stay."""
    if not path.exists():
        return []
    *lines, torn = path.read_bytes().split(b"\n")
    rows = _parsed(path, lines)
    kept = sum(row["step"] <= last for row in rows)
    if torn or kept < len(rows):
        write_bytes(path, b"".join(line + b"\n" for line in lines[:kept]))
    return rows[:kept]


def _parsed(path: Path, lines: Sequence[bytes]) -> list[Row]:
    """Take the lines of a log apart; their steps rise."""
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line.decode("utf-8"))
            row = {name: nan if value is None else value for name, value in found.items()}
            if not all(type(value) in (int, float) for value in row.values()):
                raise ValueError("a value is no number")
            if type(row["step"]) is not int or row["step"] <= _last_step(rows):
                raise ValueError(f"step {row['step']} follows step {_last_step(rows)}")
        except (AttributeError, KeyError, ValueError) as error:
            what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
            raise CheckpointError(
                f"Line {number} of the log {path} cannot be read: {what}. Mend the line or move "
                "the file away; a run that is resumed without it begins a new log."
            ) from error
        rows.append(row)
    return rows


def _last_step(rows: Sequence[Row]) -> int:
    return int(rows[-1]["step"]) if rows else -1


def _plain(value: float) -> float | None:
    """Return a number as JSON and CSV have it: None for NaN and infinity, which JSON lacks."""
    if type(value) is int:
        return value
    number = float(value)
    return number if isfinite(number) else None


def _cells(columns: Sequence[str], row: Mapping[str, float | None]) -> list[str]:
    values = [row.get(name) for name in columns]
    return ["" if value is None or value != value else repr(value) for value in values]


def _replace(path: Path, text: str) -> None:
    """Write a file if it is not there with just this text."""
    if not path.is_file() or path.read_bytes() != text.encode("utf-8"):
        write_bytes(path, text.encode("utf-8"))


def _opened(path: Path) -> FileIO:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        raise OutputError(f"Could not open the log {path}: {error.strerror}.") from error


def _write(file: FileIO, line: bytes, last: int) -> None:
    """Append a line, at once: a killed process leaves it whole or not at all."""
    try:
        while line:
            line = line[file.write(line) :]
    except OSError as error:
        raise OutputError(
            f"Could not write to the log {file.name}: {error.strerror}. Its rows up to step {last} "
            "are whole. Make room or permission there and resume the run."
        ) from error


def _tag(name: str) -> str:
    """Return where TensorBoard shows a column."""
    if name.startswith("val_"):
        return f"validation/{name.removeprefix('val_')}"
    return f"run/{name}" if name in OF_THE_RUN else f"training/{name}"


def _summary_writer(folder: Path, resumed_step: int | None) -> "SummaryWriter | None":
    """Return TensorBoard's writer, or None where it is missing or broken: a run needs it not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its imports: nothing the user can mend
            from torch.utils.tensorboard import SummaryWriter
    except Exception:  # an old protobuf or NumPy beside it raises other things than ImportError
        return None
    # what earlier files say of later steps is to be forgotten
    purge = None if resumed_step is None else resumed_step + 1
    try:
        return SummaryWriter(str(folder / TENSORBOARD), purge_step=purge)
    except OSError:
        return None
