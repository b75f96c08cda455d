"""Shards as HDF5: one file per shard, ``train/00007.h5``, that plain ``h5py.File`` opens.

Chunk = one sample, every chunk guarded by Fletcher-32 for HDF5's own readers. In front of HDF5's
data lies a *user block*, which HDF5 leaves alone: it says which shard this is and where each chunk
lies, with its CRC-32C, so that a reader needs no HDF5 library. ``dataset.h5`` is a virtual dataset
over all shards.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.atomic import write_bytes
from dunhuang_data.byte_ranges import OpenFile, ShardTable
from dunhuang_data.codecs import GZIP_LEVEL
from dunhuang_data.manifest import Shard, StoredFile, shard_paths
from dunhuang_data.shards import (
    ARRAY_NAMES,
    CHECKSUM_BYTES,
    FORMAT_NAME,
    IDENTITY_BYTES,
    VERSION,
    ArraySchema,
    ShardPlace,
    Stored,
    row_shape,
    schema,
)

VIRTUAL = "dataset.h5"
FLETCHER_BYTES = 4
ENTRY = np.dtype([("offset", "<u8"), ("length", "<u4"), ("crc32c", "<u4")])


def _path(split: str, number: int) -> str:
    return shard_paths("hdf5", split, number)[0]


def _table_bytes(samples: int) -> int:
    return IDENTITY_BYTES + ENTRY.itemsize * samples * len(ARRAY_NAMES) + CHECKSUM_BYTES


def _user_block_bytes(samples: int) -> int:
    """Return the size of the block in front of HDF5's data: a power of two, at least 512."""
    return max(512, 1 << (_table_bytes(samples) - 1).bit_length())


def _filters(codec: str) -> dict[str, Any]:
    gzip = {"compression": "gzip", "compression_opts": GZIP_LEVEL} if codec == "gzip" else {}
    return {"fletcher32": True, **gzip}


class NewShard:
    """A shard while it is written, one sample at a time; as of `new_shard`."""

    def __init__(self, place: ShardPlace) -> None:
        self._place = place
        self._count = 0
        self.arrays: Stored = {
            array.name: np.empty((place.samples, *array.row_shape), dtype=np.uint8)
            for array in schema(place.patch_size)
        }
        self.content_sha256 = ""
        self.files: tuple[StoredFile, ...] = ()

    def add(self, arrays: Stored) -> None:
        """Add one sample: its arrays as stored, without a sample axis."""
        for name, values in self.arrays.items():
            values[self._count] = arrays[name]
        self._count += 1

    def seal(self, content_sha256: str) -> None:
        """Say that all are there; `files` is known when the block of `new_shard` has ended."""
        if self._count != self._place.samples:
            raise ValueError(f"{self._count} samples were added, not {self._place.samples}")
        self.content_sha256 = content_sha256


def _encode(place: ShardPlace, shard: NewShard) -> tuple[memoryview, NDArray[Any]]:
    """Return the file, and where HDF5 put the chunks: (3, n) of `ENTRY`, checksums missing."""
    import h5py

    contents = io.BytesIO()
    table = np.zeros((len(ARRAY_NAMES), place.samples), dtype=ENTRY)
    with h5py.File(contents, "w", userblock_size=_user_block_bytes(place.samples)) as file:
        file.attrs["format"] = FORMAT_NAME
        file.attrs["version"] = VERSION
        file.attrs["split"] = place.split
        file.attrs["first_row"] = place.number * place.shard_size
        file.attrs["rows_in_split"] = place.total
        file.attrs["content_sha256"] = shard.content_sha256
        file.flush()  # see below
        for array, entries in zip(schema(place.patch_size), table, strict=True):
            dataset = file.create_dataset(
                array.name,
                data=shard.arrays[array.name],
                chunks=(1, *array.row_shape),
                track_times=False,  # the same samples, the same bytes
                **_filters(place.codec),
            )
            _describe(dataset, array)
            dataset.id.chunk_iter(partial(_note, entries))
            # Where HDF5 puts what comes next depends on which objects are still open, and a
            # profiler or debugger (Dask has one) keeps them open at will. Not after a flush.
            file.flush()
    return contents.getbuffer(), table


def _note(entries: NDArray[Any], chunk: Any) -> None:
    entries[chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size - FLETCHER_BYTES, 0


def _describe(dataset: Any, array: ArraySchema) -> None:
    for axis, dimension in enumerate(array.dimensions):
        dataset.dims[axis].label = dimension
    dataset.attrs.update(array.attributes)


@contextmanager
def new_shard(root: Path, place: ShardPlace) -> Iterator[NewShard]:
    """Yield a shard to fill and seal; when the block ends well its file gets its name.

    It grows in memory: HDF5 cannot say why a disk refused, and does not survive it.

    Raises
    ------
    OutputError
        If the system refuses to write.
    """
    shard = NewShard(place)
    yield shard
    data, table = _encode(place, shard)
    file = np.frombuffer(data, dtype=np.uint8)
    for entry in table.reshape(-1):
        start = int(entry["offset"])
        entry["crc32c"] = google_crc32c.value(file[start : start + int(entry["length"])])
    front = place.identity("all", shard.content_sha256) + table.tobytes()
    front += int(google_crc32c.value(front)).to_bytes(CHECKSUM_BYTES, "little")
    data[: len(front)] = front
    path = _path(place.split, place.number)
    write_bytes(root / path, data)
    shard.files = (StoredFile(path, len(data), hashlib.sha256(data).hexdigest()),)


def metadata(
    totals: dict[str, int], patch_size: int, shard_size: int, _codec: str, build_id: str
) -> dict[str, bytes]:
    """Return ``dataset.h5``, the virtual dataset over all shards, as {path: bytes}. Pure.

    See `dunhuang_data.format_zarr.metadata`.
    """
    import h5py

    contents = io.BytesIO()
    with h5py.File(contents, "w") as file:
        file.attrs["format"] = FORMAT_NAME
        file.attrs["version"] = VERSION
        file.attrs["build_id"] = build_id
        file.flush()
        for split, total in totals.items():
            group = file.create_group(split)
            file.flush()
            for array in schema(patch_size):
                _create_virtual(group, array, split, total, shard_size)
                file.flush()
    return {VIRTUAL: contents.getvalue()}


def _create_virtual(
    group: Any, array: ArraySchema, split: str, total: int, shard_size: int
) -> None:
    import h5py

    # by the low-level calls: create_virtual_dataset writes the time of day into the file
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_obj_track_times(False)
    whole = h5py.h5s.create_simple((total, *array.row_shape))
    name = array.name.encode()
    for number, first in enumerate(range(0, total, shard_size)):
        rows = (min(shard_size, total - first), *array.row_shape)
        whole.select_hyperslab((first, *(0,) * len(array.row_shape)), rows)
        source = _path(split, number).encode()
        settings.set_virtual(whole, source, name, h5py.h5s.create_simple(rows))
    whole.select_all()
    made = h5py.h5d.create(group.id, name, h5py.h5t.NATIVE_UINT8, whole, settings)
    _describe(h5py.Dataset(made), array)


def shard_tables(
    root: Path, place: ShardPlace, shard: Shard, _version: int, names: Sequence[str]
) -> dict[str, ShardTable]:
    """Look up where the chunks of some arrays of a shard lie: in the block before HDF5's data.

    Raises
    ------
    OSError, ValueError
        If the file is missing, was altered, or is another shard's.
    """
    file = OpenFile(f"{root}/{_path(place.split, place.number)}")
    front = file.read(_table_bytes(place.samples), 0)
    body = front[:-CHECKSUM_BYTES]
    if google_crc32c.value(body) != int.from_bytes(front[-CHECKSUM_BYTES:], "little"):
        raise ValueError(f"{file.path}: its table of chunks fails its checksum")
    if body[:IDENTITY_BYTES] != place.identity("all", shard.content_sha256):
        raise ValueError(f"{file.path} is another shard's file, or was altered")
    table = np.frombuffer(body[IDENTITY_BYTES:], dtype=ENTRY).reshape(len(ARRAY_NAMES), -1)
    tables = {}
    for name in names:
        entries = table[ARRAY_NAMES.index(name)]
        tables[name] = ShardTable(
            file,
            name,
            "deflate" if place.codec == "gzip" else place.codec,
            row_shape(name, place.patch_size),
            entries["offset"].astype(np.int64),
            entries["length"].astype(np.int64),
            entries["crc32c"],
        )
        tables[name].check(place.samples)
    return tables
