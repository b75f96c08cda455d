"""Random access to a built dataset: the trainer's only door. Loads neither torch nor OpenCV."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dunhuang_data.errors import DatasetError
from dunhuang_data.manifest import DatasetManifest, read_manifest
from dunhuang_data.polarity import unpack
from dunhuang_data.shards import samples_from_stored, schema
from dunhuang_data.types import SPLITS, Samples, Split, UInt8Array


class _Rows(Protocol):
    def read(self, rows: list[int], names: Sequence[str]) -> dict[str, UInt8Array]: ...


class DatasetReader:
    """The samples of one split.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    split : {"train", "val", "test"}

    Attributes
    ----------
    manifest : DatasetManifest
    patch_size : int

    Raises
    ------
    DatasetError
        If the folder is no whole dataset, or a file is missing or has another size than it had.

    Notes
    -----
    Picklable, and safe after fork: every process opens the files for itself, when it first reads.
    """

    def __init__(self, root: Path, split: Split) -> None:
        if split not in SPLITS:
            raise DatasetError(f"There is no split {split!r}; expected one of {', '.join(SPLITS)}.")
        self.root = Path(root)
        self.split = split
        self.manifest: DatasetManifest = read_manifest(self.root)
        self.patch_size = self.manifest.plan_recipe.patch_size
        self._count = self.manifest.samples(split)
        self._rows: _Rows | None = None
        self._pid = -1
        self._schema = schema(self.patch_size)
        self._check_sizes()

    def __len__(self) -> int:
        return self._count

    def read(self, rows: Iterable[int]) -> Samples:
        """Read some samples.

        Parameters
        ----------
        rows : iterable of int
            In [0, len), in any order.

        Returns
        -------
        Samples
            ``image`` (B, S, S, 3), ``valid`` and ``damage`` (B, S, S), uint8, in that order.

        Raises
        ------
        DatasetError
            If a row does not exist or its bytes fail their checksum.
        """
        return samples_from_stored(self._read(rows, [array.name for array in self._schema]))

    def masks(self, start: int = 0, stop: int | None = None) -> Iterator[UInt8Array]:
        """Yield the ``valid`` of samples ``start`` to ``stop - 1``, (S, S) uint8, in order.

        Without arguments, of all. No image is read.
        """
        end = self._count if stop is None else stop
        for first in range(start, end, 256):
            rows = range(first, min(first + 256, end))
            yield from unpack(self._read(rows, ["valid"])["valid"], self.patch_size)

    def _read(self, rows: Iterable[int], names: Sequence[str]) -> dict[str, UInt8Array]:
        wanted = [_row_number(row) for row in rows]
        for row in wanted:
            if not 0 <= row < self._count:
                there = f"rows 0 to {self._count - 1}" if self._count else "no rows"
                raise DatasetError(f"{self.root}: {self.split} has {there}; {row} was asked for.")
        try:
            return self._open().read(wanted, names)
        except (OSError, OverflowError, ValueError, KeyError, RuntimeError) as error:
            raise DatasetError(
                f"{self.root}: rows {wanted[:4]}… of {self.split} cannot be read: {error}. "
                "See what is wrong with dunhuang-data verify, and build the dataset again."
            ) from error

    def _open(self) -> _Rows:
        if self._rows is None or self._pid != os.getpid():
            self._rows, self._pid = self._open_rows(), os.getpid()
        return self._rows

    def _open_rows(self) -> _Rows:
        recipe = self.manifest.recipe
        if recipe.format == "hdf5":
            from dunhuang_data.format_hdf5 import Hdf5Rows

            return Hdf5Rows(self.root, self.split, self.patch_size, recipe.shard_size)
        from dunhuang_data.format_zarr import ZarrRows

        return ZarrRows(self.root, self.split, self.patch_size, recipe.shard_size)

    def _check_sizes(self) -> None:
        for shard in self.manifest.shards:
            for file in shard.files if shard.split == self.split else ():
                path = self.root / file.path
                size = path.stat().st_size if path.is_file() else None
                if size != file.bytes:
                    found = "is missing" if size is None else f"has {size:,} bytes"
                    raise DatasetError(
                        f"{path} {found}; dataset.json says {file.bytes:,} bytes. The file was "
                        "changed after it was written: build the dataset again."
                    )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rows": None}


def _row_number(row: int) -> int:
    """Return a row as int; refuse what only looks like one (3.7, or a mask of bools)."""
    if isinstance(row, bool | np.bool_) or not isinstance(row, int | np.integer):
        raise DatasetError(f"{row!r} is no row; rows are whole numbers. For a mask use nonzero().")
    return int(row)
