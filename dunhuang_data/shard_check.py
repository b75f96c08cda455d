"""The check of one shard: a pure function of its files, its record and its rows of the plan.

Hashes come first. No decoder and no library sees bytes that are not those that were written.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dunhuang_data.byte_ranges import ShardTable
from dunhuang_data.errors import DatasetError
from dunhuang_data.library_rows import LibraryRows, needs_library
from dunhuang_data.manifest import Shard, StoredFile
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.schema_check import hdf5_problems
from dunhuang_data.shard_jobs import CONTAINERS
from dunhuang_data.shards import (
    ARRAY_NAMES,
    ContentHash,
    ShardPlace,
    Stored,
    content_sha256,
    schema,
)

BATCH_BYTES = 2**24  # of samples held at once
SHOWN = 5  # rows that are named where many have the same problem
DEPTHS = ("quick", "default", "full")


@dataclass(frozen=True, slots=True)
class ShardCheck:
    """Everything that is needed to check one shard; it travels to any worker.

    Attributes
    ----------
    root : Path
        Of the dataset.
    format : {"zarr", "hdf5"}
    version : int
        Of the format.
    place : ShardPlace
    shard : Shard
        What the manifest says of it.
    rows : tuple of tuple of str, optional
        Its rows of the plan; without them its content hash cannot be checked, and is not.
    depth : {"quick", "default", "full"}
    """

    root: Path
    format: str
    version: int
    place: ShardPlace
    shard: Shard
    rows: tuple[tuple[str, ...], ...] | None
    depth: str

    @property
    def by_library(self) -> bool:
        """Whether the container's library alone can read it."""
        return needs_library(self.format, self.version, self.place.codec)

    @property
    def name(self) -> str:
        """What the shard is called in sentences."""
        return f"shard {self.place.number} of {self.place.split}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check: problems, one sentence each, and what was looked at."""

    samples: int
    bytes: int
    problems: tuple[str, ...]


def check_shard(job: ShardCheck) -> Checked:
    """Check one shard; see `dunhuang_data.verify.verify_dataset`."""
    files = job.shard.files
    if job.depth == "quick":
        problems = [one for file in files for one in file_problems(job.root, file, hashed=False)]
        problems = problems or _table_problems(job)
        return Checked(job.shard.samples, 0, tuple(problems))
    altered = [(file, one) for file in files for one in file_problems(job.root, file)]
    if altered:
        problems = [f"{one} It is part of {job.name}{_where(job, file)}." for file, one in altered]
    else:
        problems = _content_problems(job)
    return Checked(job.shard.samples, sum(file.bytes for file in files), tuple(problems))


def file_problems(root: Path, file: StoredFile, hashed: bool = True) -> list[str]:
    """Return what is wrong with one file: missing, a link, another size, other bytes.

    Parameters
    ----------
    root : Path
    file : StoredFile
    hashed : bool
        Whether to read it.
    """
    path, part = root / file.path, str(root)
    for name in file.path.split("/"):
        part = f"{part}/{name}"
        if os.path.islink(part):
            return [f"{file.path} lies behind a link; all of a dataset lies in its folder."]
    if not path.is_file():
        return [f"{file.path} is missing."]
    size = path.stat().st_size
    if size != file.bytes or (hashed and sha256_of_file(path) != file.sha256):
        differs = "; the SHA-256 differs" if size == file.bytes else ""
        return [
            f"{file.path} is not the file that was written ({size:,} bytes, "
            f"{file.bytes:,} expected{differs})."
        ]
    return []


def _tables(job: ShardCheck) -> dict[str, ShardTable]:
    container = CONTAINERS[job.format]
    found: dict[str, ShardTable] = container.shard_tables(
        job.root, job.place, job.shard, job.version, ARRAY_NAMES
    )
    return found


def _table_problems(job: ShardCheck) -> list[str]:
    if not job.by_library:
        try:
            _tables(job)
        except (OSError, ValueError, DatasetError) as error:
            return [f"{job.name}: {error}."]
    return []


def _where(job: ShardCheck, file: StoredFile) -> str:
    """Say which rows of a damaged file are damaged, as far as its checksums tell."""
    if job.by_library:
        return ""
    try:
        tables = _tables(job)
    except (OSError, ValueError) as error:
        inside = str(error).removeprefix(f"{job.root}/")
        return f": {inside}" if file.path in inside else ""
    damaged: dict[str, list[int]] = {}
    for name, table in tables.items():
        if table.file.path == f"{job.root}/{file.path}":
            out = np.empty(math.prod(table.row_shape), dtype=np.uint8)
            for row in range(job.shard.samples):
                try:
                    table.read(row, out)
                except (OSError, ValueError):
                    damaged.setdefault(name, []).append(row + _first_row(job))
    found = [f"{name} of {_named(rows)} cannot be read" for name, rows in damaged.items()]
    return f": {', '.join(found)}" if found else ""


def _first_row(job: ShardCheck) -> int:
    return job.place.number * job.place.shard_size


def _named(rows: Sequence[int]) -> str:
    shown = ", ".join(map(str, rows[:SHOWN])) + (" …" if len(rows) > SHOWN else "")
    return f"row{'s' * (len(rows) > 1)} {shown}"


def _content_problems(job: ShardCheck) -> list[str]:
    problems = []
    try:
        tables = None if job.by_library else _tables(job)
        if job.format == "hdf5":
            path = job.root / job.shard.files[0].path
            found = hdf5_problems(path, job.place, job.shard, job.version, tables)
            problems += [f"{job.name}: {one}" for one in found]
        if not problems:
            problems += _sample_problems(job, tables)
    except (OSError, ValueError, DatasetError) as error:
        problems.append(f"{job.name}: {error}.")
    return problems


class _Looked:
    """What was seen in the samples of a shard: rows by array, and the content's hash."""

    def __init__(self, job: ShardCheck) -> None:
        self._job = job
        size = job.place.patch_size
        self._padding = np.uint8(0xFF >> (size % 8) if size % 8 else 0)
        self._content, self._gathered = ContentHash(size), list[Stored]()
        self.beyond: dict[str, list[int]] = {}
        self.empty: list[int] = []
        self.differ: dict[str, list[int]] = {}

    def add(self, start: int, arrays: Stored) -> None:
        """Look at some samples, the first of which is row ``start`` of the shard."""
        job, first = self._job, _first_row(self._job) + start
        for name in ("valid", "damage"):
            bad = np.flatnonzero(np.any(arrays[name][..., -1] & self._padding, axis=1))
            if len(bad):
                self.beyond.setdefault(name, []).extend((bad + first).tolist())
        self.empty += [first + row for row, image in enumerate(arrays["image"]) if not image.any()]
        if job.rows is not None and job.version >= 3:
            for place in range(len(arrays["image"])):
                one = {name: values[place] for name, values in arrays.items()}
                self._content.add(one, job.rows[start + place])
        elif job.rows is not None:
            self._gathered.append({name: values.copy() for name, values in arrays.items()})

    def has_other_content(self) -> bool:
        """Whether all that was added is not what the manifest says, where that can be told."""
        job = self._job
        if job.rows is None:
            return False
        if job.version >= 3:
            return self._content.hexdigest() != job.shard.content_sha256
        return _old_hash(self._gathered, job.rows, job.version) != job.shard.content_sha256


def _sample_problems(job: ShardCheck, tables: dict[str, ShardTable] | None) -> list[str]:
    """Look at every sample: bits behind the last pixel, images without any, the content hash."""
    looked = _Looked(job)
    for start, arrays in _batches(job, tables):
        looked.add(start, arrays)
        if job.depth == "full":
            _compare(job, start, arrays, looked.differ)
    problems = [
        f"{job.name}, {_named(found)}, {name}: bits behind the last pixel are set."
        for name, found in looked.beyond.items()
    ]
    if looked.empty:
        problems.append(
            f"{job.name}, {_named(looked.empty)}, image: every value is 0. Nothing is to be "
            "learned there; if the picture is black, plan again with --min-detail."
        )
    problems += [
        f"{job.name}, {_named(found)}, {name}: the container's own library reads other values."
        for name, found in looked.differ.items()
    ]
    if looked.has_other_content():
        problems.append(
            f"{job.name}: its arrays or its rows of the plan are not those that were written."
        )
    return problems


def _old_hash(gathered: list[Stored], rows: Sequence[Sequence[str]], version: int) -> str:
    arrays = {name: np.concatenate([one[name] for one in gathered]) for name in gathered[0]}
    return content_sha256(arrays, rows, version)


def _batches(job: ShardCheck, tables: dict[str, ShardTable] | None) -> Iterator[tuple[int, Stored]]:
    """Yield the shard's samples, some at a time, as they are stored; the memory is used again."""
    arrays = schema(job.place.patch_size)
    sample_bytes = sum(math.prod(array.row_shape) for array in arrays)
    step = max(1, min(job.shard.samples, BATCH_BYTES // sample_bytes))
    library = _library(job)
    if tables is None:
        library.check(_first_row(job))
    memory = {array.name: np.empty((step, *array.row_shape), np.uint8) for array in arrays}
    for start in range(0, job.shard.samples, step):
        rows = list(range(start, min(start + step, job.shard.samples)))
        out = {name: values[: len(rows)] for name, values in memory.items()}
        if tables is None:
            library.read([_first_row(job) + row for row in rows], out)
        else:
            for name, values in out.items():
                for row, target in zip(rows, values.reshape(len(rows), -1), strict=True):
                    tables[name].read(row, target)
        yield start, out


def _library(job: ShardCheck) -> LibraryRows:
    place, paths = job.place, {job.place.number: job.shard.files[0].path}
    codec = "none" if job.by_library else place.codec  # what our own decoder has looked at
    return LibraryRows(
        job.root, job.format, place.split, paths, place.shard_size, place.patch_size, codec
    )


def _compare(job: ShardCheck, start: int, arrays: Stored, differ: dict[str, list[int]]) -> None:
    """Read the same samples through zarr-python or h5py; note the rows that are not equal."""
    library, first = _library(job), _first_row(job) + start
    rows = list(range(first, first + len(arrays["image"])))
    found = {name: np.empty_like(values) for name, values in arrays.items()}
    library.read(rows, found)
    for name, values in arrays.items():
        for place, row in enumerate(rows):
            if not np.array_equal(found[name][place], values[place]):
                differ.setdefault(name, []).append(row)
