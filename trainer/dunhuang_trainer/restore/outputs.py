"""Where a restored picture goes, what lies beside it, and that nothing else is replaced."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike

from dunhuang_data.atomic import explained
from dunhuang_data.errors import OutputError, OutputExistsError
from dunhuang_data.figures import montage
from dunhuang_data.pictures import OwnPicture, open_own, open_picture, write_picture
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore.sources import Stored

IN_MEMORY = 1 << 26  # bytes; a larger picture grows in a file
SHOWN = 1024  # px, of the longer side of a picture in a sheet
LEAST_SHOWN = 192  # px wide: smaller pictures are enlarged by whole numbers, for the words above
ROWS = 256  # compared at a time


@dataclass(frozen=True, slots=True)
class Names:
    """The files that one picture becomes.

    Attributes
    ----------
    folder : Path
    name : str
        Of the picture, without suffix.
    suffix : str
        ``".png"`` or ``".tif"``.
    """

    folder: Path
    name: str
    suffix: str

    @property
    def restored(self) -> Path:
        """The picture."""
        return self.folder / f"{self.name}{self.suffix}"

    @property
    def record(self) -> Path:
        """Written last."""
        return self.folder / f"{self.name}.json"

    @property
    def uncertainty(self) -> Path:
        """The map of ``--samples``."""
        return self.folder / f"{self.name}-uncertainty.png"

    @property
    def compare(self) -> Path:
        """The sheet of ``--compare``."""
        return self.folder / f"{self.name}-compare.png"

    @property
    def unfinished(self) -> Path:
        """Is there while the others are being written: what lies there then is no one's work."""
        return self.folder / f".{self.name}.restoring"

    def sweep(self) -> None:
        """Delete the hidden files that a killed process left of this picture."""
        for path in (self.restored, self.record, self.uncertainty, self.compare):
            for part in self.folder.glob(f".{escape(path.name)}.partial-*"):
                part.unlink(missing_ok=True)


def refuse_in_use(paths: Iterable[Path], replace: bool, why: str, inputs: set[Any]) -> None:
    """Refuse to replace a file: never an input, and others only where that is asked for.

    Parameters
    ----------
    paths : iterable of Path
    replace : bool
    why : str
        What an earlier record says is different.
    inputs : set
        Device and number of each input file; see `file_identity`.

    Raises
    ------
    OutputExistsError
    """
    for path in paths:
        if path.is_dir():
            raise OutputExistsError(f"{path} is a folder; a file is written there. Move it away.")
        if file_identity(path) in inputs:
            raise OutputExistsError(
                f"{path} is an input and would be replaced. Choose another place with -o."
            )
        if path.exists() and not replace:
            made = f", and was made otherwise ({why})" if why else ""
            raise OutputExistsError(
                f"{path} is already there{made}. Give --overwrite to replace it, or choose another "
                "place with -o."
            )


def file_identity(path: Path) -> tuple[int, int] | None:
    """Return what all names of one file have in common; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def identities(paths: Iterable[Path]) -> set[Any]:
    """Return what `file_identity` says of every file that is there."""
    return {file_identity(path) for path in paths} - {None}


@contextmanager
def rows_of(shape: tuple[int, ...], dtype: DTypeLike, folder: Path) -> Iterator[Stored]:
    """Yield an array to be filled: in memory if it is small, else in a file without a name.

    Raises
    ------
    OutputError
        If the disk has no room for it.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        yield np.zeros(shape, dtype=dtype)
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        with explained(folder / "rows of a picture"):
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is said now, not by a crash
        # whoever still has the array when this ends keeps its pages: nothing is unmapped by force
        yield np.memmap(file, dtype=dtype, mode="r+", shape=shape)


def check_kept(own: OwnPicture, kept: UInt8Array, written: Path, reading: ReadingRecipe) -> None:
    """Read a restored picture back, and compare the pixels that were to stay as they were.

    Raises
    ------
    OutputError
        If one of them is not the input's, bit for bit. The file is taken away.
    """
    back = open_own(written, reading)
    height, width = own.shape_hw
    same = back.shape_hw == own.shape_hw and back.dtype == own.dtype
    for top in range(0, height if same else 0, ROWS):
        rows = min(ROWS, height - top)
        before = own.window(top, 0, rows, width).stored
        after = back.window(top, 0, rows, width).stored
        same = same and before.shape == after.shape
        known = kept[top : top + rows] == 1
        same = same and np.array_equal(before[known], after[known])
    if not same:
        written.unlink()
        raise OutputError(
            f"{written} was written, but read back its known pixels are not the input's, so it was "
            "taken away. The disk or the memory changed them, or this is a fault of "
            "dunhuang-train: report it with the picture."
        )


def write_comparison(
    target: Path, picture: Path, restored: Path, kept: UInt8Array, reading: ReadingRecipe
) -> None:
    """Write a sheet: masked, restored, and what differs between the picture and the restored one.

    Parameters
    ----------
    kept : (H, W) uint8
        1 = as in the picture, 0 = replaced; shown white in the first.
    """
    before, _ = open_picture(picture, reading).thumbnail(SHOWN)
    after, _ = open_picture(restored, reading).thumbnail(SHOWN)
    height, width = before.shape[:2]
    share = cv2.resize(kept * np.uint8(255), (width, height), interpolation=cv2.INTER_AREA)
    known = np.asarray(share, dtype=np.float32)[..., None] / 255
    masked = np.rint(known * before + (1 - known) * 255).astype(np.uint8)
    difference = np.abs(after.astype(np.int16) - before.astype(np.int16)).astype(np.uint8)
    times = -(-LEAST_SHOWN // width)
    cells = [cell.repeat(times, 0).repeat(times, 1) for cell in (masked, after, difference)]
    write_picture(target, montage([cells], [["masked", "restored", "difference"]]))
