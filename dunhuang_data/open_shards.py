"""The shards of one split that are open: files, and the tables of what lies where in them."""

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dunhuang_data import format_hdf5, format_zarr
from dunhuang_data.byte_ranges import ShardTable
from dunhuang_data.errors import DatasetError, EnvironmentProblem
from dunhuang_data.manifest import DatasetManifest
from dunhuang_data.recipe import OTHER_CODEC
from dunhuang_data.shards import ARRAY_NAMES
from dunhuang_data.types import Split, UInt8Array

Tables = dict[str, ShardTable]
MOST_FILES = 1024


class OpenShards:
    """Rows of one split, read by the tables of its shards.

    A table is looked up when it is first needed, and kept, with the open file, for as many shards
    as the process may have files open. There is no lock: a race costs a second look.

    Parameters
    ----------
    root : Path
    manifest : DatasetManifest
    split : {"train", "val", "test"}
    """

    def __init__(self, root: Path, manifest: DatasetManifest, split: Split) -> None:
        self._root, self._manifest, self._recipe = root, manifest, manifest.recipe
        self._shards = [one for one in manifest.shards if one.split == split]
        self._total = sum(shard.samples for shard in self._shards)
        files = len(ARRAY_NAMES) if manifest.recipe.format == "zarr" else 1
        self._most_tables = max(1, _most_open_files() // files)
        self._tables: dict[int, Tables] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tables": {}}

    def read(self, rows: Sequence[int], out: Mapping[str, UInt8Array]) -> None:
        """Read rows into the arrays named in ``out``, each (B, ...) uint8, C-contiguous.

        Raises
        ------
        OSError, ValueError
            If a file is missing or was altered, or bytes fail their checksum.
        """
        size, names = self._recipe.shard_size, tuple(out)
        flat = [(name, out[name].reshape(len(rows), -1)) for name in names] if rows else []
        opened: dict[int, Tables] = {}
        for place, row in enumerate(rows):
            number, in_shard = divmod(row, size)
            tables = opened.get(number)
            if tables is None:
                tables = opened[number] = self.tables(number, names)
                for name in names:
                    tables[name].look_again()
            for name, values in flat:
                tables[name].read(in_shard, values[place])

    def prefetch(self, rows: Sequence[int], names: Sequence[str]) -> None:
        """Ask the system to fetch rows of some arrays into memory, and return at once.

        Raises
        ------
        OSError, ValueError
            If a file is missing or was altered.
        """
        for row in rows:
            number, in_shard = divmod(row, self._recipe.shard_size)
            tables = self.tables(number, names)
            for name in names:
                tables[name].prefetch(in_shard)

    def open_first(self, rows: Sequence[int]) -> None:
        """Look at a shard before memory is set aside for what the manifest claims to be in it."""
        if rows:
            self.tables(rows[0] // self._recipe.shard_size, ("image",))

    def tables(self, number: int, names: Sequence[str]) -> Tables:
        """Return the tables of a shard, at least those of ``names``."""
        tables = self._tables.get(number)
        if tables is None:
            while len(self._tables) >= self._most_tables:
                try:
                    self._tables.pop(next(iter(self._tables)), None)
                except (StopIteration, RuntimeError):  # another thread was at it
                    break
            tables = self._tables[number] = {}
        missing = [name for name in names if name not in tables]
        if missing:
            try:
                tables.update(self._look_up(number, missing))
            except OSError as error:
                if error.errno != errno.EMFILE:
                    raise
                tables.update(self._with_fewer_files(number, missing))
        return tables

    def _with_fewer_files(self, number: int, names: Sequence[str]) -> Tables:
        """Look up tables when the process has as many files open as it may."""
        self._tables.clear()
        try:
            return self._look_up(number, names)
        except OSError as error:
            raise EnvironmentProblem(
                f"Reading {self._root}: this process has as many files open as it may "
                f"({error.strerror}). Close some, or allow it more (ulimit -n)."
            ) from error

    def _look_up(self, number: int, names: Sequence[str]) -> Tables:
        shard, manifest = self._shards[number], self._manifest
        place = manifest.place(shard, self._total)
        container = format_hdf5 if manifest.recipe.format == "hdf5" else format_zarr
        found: Tables = container.shard_tables(self._root, place, shard, manifest.version, names)
        return found


def _most_open_files() -> int:
    """Return how many files are kept open: an eighth of what the process may have.

    A file that is mapped counts twice.
    """
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else min(MOST_FILES, soft // 8)


def check_files(root: Path, manifest: DatasetManifest, split: Split) -> None:
    """Check that every file of a split's shards is there, a plain file, and as large as it was.

    Raises
    ------
    DatasetError
    """
    folders = (split, *(f"{split}/{name}" for name in ARRAY_NAMES))
    for name in folders:
        if os.path.islink(f"{root}/{name}"):
            raise _is_a_link(root, name)
    if manifest.recipe.codec == OTHER_CODEC:  # its library opens what lies there, not what we name
        for folder, inner, files in os.walk(f"{root}/{split}"):
            for name in (*inner, *files):
                if os.path.islink(f"{folder}/{name}"):
                    raise _is_a_link(root, os.path.relpath(f"{folder}/{name}", root))
    for shard in manifest.shards:
        for file in shard.files if shard.split == split else ():
            try:
                status = os.lstat(f"{root}/{file.path}")
                size, kind = status.st_size, stat.S_IFMT(status.st_mode)
            except OSError:
                size, kind = -1, 0
            if kind == stat.S_IFLNK:
                raise _is_a_link(root, file.path)
            if size != file.bytes or kind != stat.S_IFREG:
                found = f"has {size:,} bytes" if kind == stat.S_IFREG else "is no file"
                found = found if kind else "is missing"
                raise DatasetError(
                    f"{root}/{file.path} {found}; dataset.json says {file.bytes:,} bytes. The "
                    "file was changed after it was written: build the dataset again."
                )


def _is_a_link(root: Path, path: str) -> DatasetError:
    return DatasetError(
        f"{root}/{path} is a link to somewhere else; all of a dataset lies in its folder. The "
        "dataset was altered: do not use it, or copy the files themselves."
    )
