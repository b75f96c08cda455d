"""Random access to a built dataset: the trainer's only door. Loads neither torch nor OpenCV."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data.buffers import aligned_empty, unpack_into
from dunhuang_data.errors import DatasetError
from dunhuang_data.library_rows import LibraryRows, needs_library
from dunhuang_data.manifest import DatasetManifest, Shard, read_manifest
from dunhuang_data.open_shards import OpenShards, check_files
from dunhuang_data.polarity import unpack
from dunhuang_data.shards import ARRAY_NAMES, Stored, row_shape
from dunhuang_data.types import SPLITS, Samples, Split, UInt8Array


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
    stored : tuple of str
        Names of the arrays of a sample: ``image``, ``valid``, ``damage``.

    Raises
    ------
    DatasetError
        If the folder is no whole dataset, or a file is missing or has another size than it had.

    Notes
    -----
    A shard is a table of byte ranges; see `dunhuang_data.open_shards` and
    `dunhuang_data.byte_ranges`. Reading is safe from several threads, after fork, and in a process
    that got the reader pickled.
    """

    stored = ARRAY_NAMES

    def __init__(self, root: Path, split: Split) -> None:
        if split not in SPLITS:
            raise DatasetError(f"There is no split {split!r}; expected one of {', '.join(SPLITS)}.")
        self.root = Path(root).absolute()
        self.split = split
        self.manifest: DatasetManifest = read_manifest(self.root)
        self.patch_size = self.manifest.plan_recipe.patch_size
        self._count = self.manifest.samples(split)
        self._shapes = {name: row_shape(name, self.patch_size) for name in ARRAY_NAMES}
        recipe = self.manifest.recipe
        self._library = (
            LibraryRows(
                self.root,
                recipe.format,
                split,
                [one.files[0].path for one in self.manifest.shards if one.split == split],
                recipe.shard_size,
                self.patch_size,
            )
            if needs_library(recipe.format, self.manifest.version, recipe.codec)
            else None
        )
        self._open = OpenShards(self.root, self.manifest, split)
        self._kept = threading.local()
        check_files(self.root, self.manifest, split)

    def __len__(self) -> int:
        return self._count

    def read(self, rows: Iterable[int], out: Samples | None = None) -> Samples:
        """Read some samples.

        Parameters
        ----------
        rows : iterable of int
            In [0, len), in any order, also repeatedly.
        out : Samples, optional
            Where to put them: C-contiguous uint8 arrays of the shapes below. Without it, fresh
            memory; filling the same memory again is faster.

        Returns
        -------
        Samples
            ``image`` (B, S, S, 3), ``valid`` and ``damage`` (B, S, S), uint8, in that order.

        Raises
        ------
        DatasetError
            If a row does not exist or its bytes fail their checksum.
        ValueError
            If ``out`` is of another shape, dtype or layout.
        """
        wanted = self._checked(rows)
        plane = (len(wanted), self.patch_size, self.patch_size)
        if out is None:
            self._open_first(wanted)
            out = Samples(aligned_empty((*plane, 3)), aligned_empty(plane), aligned_empty(plane))
        _check_memory("image", out.image, (*plane, 3))
        _check_memory("valid", out.valid, plane)
        _check_memory("damage", out.damage, plane)
        valid, damage = self._packed(len(wanted))
        self._fill(wanted, {"image": out.image, "valid": valid, "damage": damage})
        unpack_into(valid, out.valid)
        out.damage.fill(0)
        for place in np.flatnonzero(damage.any(axis=(1, 2))):  # few have any
            unpack_into(damage[place], out.damage[place])
        return out

    def _packed(self, count: int) -> tuple[UInt8Array, UInt8Array]:
        """Return memory of this thread for packed masks: fresh memory costs more than they do."""
        kept: list[UInt8Array] = getattr(self._kept, "packed", [])
        if not kept or len(kept[0]) < count:
            kept = [aligned_empty((count, *self._shapes[name])) for name in ("valid", "damage")]
            self._kept.packed = kept
        return kept[0][:count], kept[1][:count]

    def read_stored(
        self,
        rows: Iterable[int],
        names: Sequence[str] | None = None,
        out: Mapping[str, UInt8Array] | None = None,
    ) -> Stored:
        """Read some samples as they are stored, the binary arrays packed eight pixels to a byte.

        Parameters
        ----------
        rows : iterable of int
            In [0, len), in any order, also repeatedly.
        names : sequence of str, optional
            Which arrays; without it, those of ``out``, or all.
        out : mapping of str to (B, ...) uint8, optional
            C-contiguous memory to put them in.

        Returns
        -------
        dict of str to uint8 array
            ``image`` (B, S, S, 3), ``valid`` and ``damage`` (B, S, ceil(S / 8)); see
            `dunhuang_data.polarity.unpack`.

        Raises
        ------
        DatasetError, ValueError
            As `read`.
        """
        wanted = self._checked(rows)
        if isinstance(names, str):
            raise ValueError(f"names is {names!r}; expected a list of names")
        chosen = tuple(names if names is not None else out if out is not None else ARRAY_NAMES)
        if out is not None and set(chosen) - set(out):
            raise ValueError(f"there is no memory for {sorted(set(chosen) - set(out))[0]} in out")
        unknown = sorted(set(chosen) - set(ARRAY_NAMES))
        if unknown:
            raise DatasetError(
                f"There is no array {unknown[0]!r}; there are {', '.join(ARRAY_NAMES)}."
            )
        if out is None:
            self._open_first(wanted)
        found = {}
        for name in chosen:
            shape = (len(wanted), *self._shapes[name])
            found[name] = aligned_empty(shape) if out is None else out[name]
            _check_memory(name, found[name], shape)
        self._fill(wanted, found)
        return found

    def masks(self, start: int = 0, stop: int | None = None) -> Iterator[UInt8Array]:
        """Yield the ``valid`` of samples ``start`` to ``stop - 1``, (S, S) uint8, in order.

        Without arguments, of all. No image is read.
        """
        end = self._count if stop is None else stop
        for first in range(start, end, 256):
            rows = range(first, min(first + 256, end))
            yield from unpack(self.read_stored(rows, ["valid"])["valid"], self.patch_size)

    def iter_shards(self) -> Iterator[tuple[Shard, Samples]]:
        """Yield every shard's record and its samples, in order, each in fresh memory."""
        for shard in self.manifest.shards:
            if shard.split != self.split:
                continue
            first = shard.number * self.manifest.recipe.shard_size
            yield shard, self.read(range(first, first + shard.samples))

    def prefetch(self, rows: Iterable[int], names: Sequence[str] | None = None) -> None:
        """Ask the system to fetch some rows into memory, and return at once.

        For batches that will be read soon. Rows that have been read lately cost a system call each.

        Raises
        ------
        DatasetError
            As `read`.
        """
        wanted = self._checked(rows)
        if self._library is None:
            with self._explained(wanted):
                self._open.prefetch(wanted, ARRAY_NAMES if names is None else names)

    def _checked(self, rows: Iterable[int]) -> list[int]:
        if isinstance(rows, np.ndarray) and rows.ndim == 1 and rows.dtype.kind in "iu":
            wanted: list[int] = rows.tolist()
        else:
            wanted = [_row_number(row) for row in rows]
        if wanted and not 0 <= min(wanted) <= max(wanted) < self._count:
            row = next(row for row in wanted if not 0 <= row < self._count)
            there = f"rows 0 to {self._count - 1}" if self._count else "no rows"
            raise DatasetError(f"{self.root}: {self.split} has {there}; {row} was asked for.")
        return wanted

    @contextmanager
    def _explained(self, rows: list[int]) -> Iterator[None]:
        try:
            yield
        except (OSError, OverflowError, ValueError, KeyError, RuntimeError) as error:
            which = f"{', '.join(map(str, rows[:4]))}{' …' if len(rows) > 4 else ''}"
            raise DatasetError(
                f"{self.root}: row{'s' * (len(rows) > 1)} {which} of {self.split} cannot be read: "
                f"{error}. See what is wrong with dunhuang-data verify, and build the dataset "
                "again."
            ) from error

    def _open_first(self, rows: list[int]) -> None:
        """Look at a shard before memory is set aside for what the manifest claims to be in it."""
        with self._explained(rows):
            if self._library is None:
                self._open.open_first(rows)
            elif rows:
                self._library.check(rows[0])

    def _fill(self, rows: list[int], out: Mapping[str, UInt8Array]) -> None:
        with self._explained(rows):
            if self._library is not None:
                self._library.read(rows, dict(out))
            else:
                self._open.read(rows, out)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _kept=threading.local())


def _check_memory(name: str, values: UInt8Array, shape: tuple[int, ...]) -> None:
    usable = values.flags.c_contiguous and values.flags.writeable
    if values.shape != shape or values.dtype != np.uint8 or not usable:
        raise ValueError(
            f"the memory for {name} is {values.shape} of {values.dtype}, expected {shape} of "
            "uint8, C-contiguous and writeable"
        )


def _row_number(row: int) -> int:
    """Return a row as int; refuse what only looks like one (3.7, or a mask of bools)."""
    if isinstance(row, bool | np.bool_) or not isinstance(row, int | np.integer):
        raise DatasetError(f"{row!r} is no row; rows are whole numbers. For a mask use nonzero().")
    return int(row)
