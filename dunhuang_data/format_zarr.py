"""Shards as Zarr v3: one array per split and name, one file per shard in it.

Chunk = one sample, shard = ``shard_size`` samples (Zarr's own sharding codec), every chunk guarded
by CRC-32C. Plain ``zarr.open(root)["train/image"]`` reads it.

The bytes are written here and not by zarr-python, which takes a shard as a whole, in memory, and
an order of magnitude longer; that it reads them is tested.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.atomic import new_file
from dunhuang_data.byte_ranges import OpenFile, ShardTable
from dunhuang_data.codecs import encode
from dunhuang_data.manifest import Shard, StoredFile, shard_paths
from dunhuang_data.shards import (
    ARRAY_NAMES,
    CHECKSUM_BYTES,
    FORMAT_NAME,
    VERSION,
    ArraySchema,
    ShardPlace,
    Stored,
    row_shape,
    schema,
)

ABSENT = 2**64 - 1  # offset and length of a chunk beyond the last sample
CHUNK_KEYS = {"name": "default", "configuration": {"separator": "."}}
INDEX_CODECS = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]


def _paths(place: ShardPlace) -> dict[str, str]:
    return dict(zip(ARRAY_NAMES, shard_paths("zarr", place.split, place.number), strict=True))


def _checksum(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(CHECKSUM_BYTES, "little")


class _ShardFile:
    """One array of one shard while it is written: chunks, identity, index."""

    def __init__(self, stream: IO[bytes], name: str, place: ShardPlace) -> None:
        self._stream, self._name, self._place = stream, name, place
        self._index = np.full((place.shard_size, 2), ABSENT, dtype="<u8")
        self._count = 0
        self._digest = hashlib.sha256()
        self.bytes = 0

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    def add(self, row: bytes) -> None:
        self._index[self._count] = self.bytes, len(row) + CHECKSUM_BYTES
        self._count += 1
        self._write(row)
        self._write(_checksum(row))

    def seal(self, content_sha256: str) -> str:
        """Write what follows the chunks, and return the file's SHA-256."""
        self._write(self._place.identity(self._name, content_sha256))
        index = self._index.tobytes()
        self._write(index + _checksum(index))
        self._stream.flush()
        return self._digest.hexdigest()


class NewShard:
    """A shard while it is written, one sample at a time; as of `new_shard`."""

    def __init__(self, files: dict[str, _ShardFile], place: ShardPlace) -> None:
        self._files, self._place = files, place
        self.files: tuple[StoredFile, ...] = ()

    def add(self, arrays: Stored) -> None:
        """Add one sample: its arrays as stored, without a sample axis."""
        for name, file in self._files.items():
            file.add(encode(self._place.codec, name, arrays[name]))

    def seal(self, content_sha256: str) -> None:
        """Finish the files; `files` then says what they are."""
        paths = _paths(self._place)
        sums = {name: file.seal(content_sha256) for name, file in self._files.items()}
        self.files = tuple(
            StoredFile(paths[name], file.bytes, sums[name]) for name, file in self._files.items()
        )


@contextmanager
def new_shard(root: Path, place: ShardPlace) -> Iterator[NewShard]:
    """Yield a shard to fill and seal; when the block ends well its files get their names.

    Memory does not grow with the shard: every chunk goes to the disk at once.

    Raises
    ------
    OutputError
        If the system refuses to write.
    """
    with ExitStack() as stack:
        files = {}
        for name, path in _paths(place).items():
            temporary = stack.enter_context(new_file(root / path))
            stream = stack.enter_context(temporary.open("wb", buffering=2**18))
            files[name] = _ShardFile(stream, name, place)
        yield NewShard(files, place)


def _document(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _array_metadata(array: ArraySchema, total: int, shard_size: int, codec: str) -> dict[str, Any]:
    from dunhuang_data.zarr_codec import zarr_codecs  # loads zarr-python

    sharding = {
        "chunk_shape": [1, *array.row_shape],
        "codecs": zarr_codecs(codec, array.name),
        "index_codecs": INDEX_CODECS,
        "index_location": "end",
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [total, *array.row_shape],
        "data_type": "uint8",
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [shard_size, *array.row_shape]},
        },
        "chunk_key_encoding": CHUNK_KEYS,
        "fill_value": 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": array.attributes,
        "dimension_names": list(array.dimensions),
        "storage_transformers": [],
    }


def metadata(
    totals: dict[str, int], patch_size: int, shard_size: int, codec: str, build_id: str
) -> dict[str, bytes]:
    """Return the ``zarr.json`` files of the whole dataset: path below the root → bytes. Pure.

    Parameters
    ----------
    totals : dict of str to int
        Samples of each split that has any.
    patch_size, shard_size : int
    codec : str
    build_id : str
    """
    attributes = {"format": FORMAT_NAME, "version": VERSION, "build_id": build_id}
    group = {"zarr_format": 3, "node_type": "group"}
    files = {"zarr.json": _document({**group, "attributes": attributes})}
    for split, total in totals.items():
        files[f"{split}/zarr.json"] = _document({**group, "attributes": {}})
        for array in schema(patch_size):
            found = _array_metadata(array, total, shard_size, codec)
            files[f"{split}/{array.name}/zarr.json"] = _document(found)
    return files


def shard_tables(
    root: Path, place: ShardPlace, shard: Shard, version: int, names: Sequence[str]
) -> dict[str, ShardTable]:
    """Look up where the chunks of some arrays of a shard lie: in Zarr's index, at a file's end.

    Raises
    ------
    OSError, ValueError
        If a file is missing, was altered, or is another shard's.
    """
    tables = {}
    for name, path in _paths(place).items():
        if name in names:
            file = OpenFile(f"{root}/{path}")
            known = place.identity(name, shard.content_sha256) if version >= 3 else b""
            length = 16 * place.shard_size + CHECKSUM_BYTES
            tail = file.read(len(known) + length, file.size - len(known) - length)
            if not tail.startswith(known):
                raise ValueError(f"{file.path} is another shard's file, or was altered")
            tables[name] = _table(file, name, place, tail[len(known) :])
    return tables


def _table(file: OpenFile, name: str, place: ShardPlace, index: bytes) -> ShardTable:
    shape = row_shape(name, place.patch_size)
    usual = _usual(place.samples, place.shard_size, math.prod(shape))
    if index == usual.stored and place.codec == "none" and file.size >= usual.bytes:
        # as nearly always; it spares looking at each entry
        return ShardTable(file, name, place.codec, shape, usual.offsets, usual.lengths)
    if _checksum(index[:-CHECKSUM_BYTES]) != index[-CHECKSUM_BYTES:]:
        raise ValueError(f"{file.path}: its index fails its checksum")
    entries = np.frombuffer(index[:-CHECKSUM_BYTES], dtype="<u8").reshape(-1, 2)
    if (entries[place.samples :] != ABSENT).any():
        raise ValueError(f"{file.path} holds more than {place.samples} samples")
    found = entries[: place.samples].astype(np.int64)
    table = ShardTable(file, name, place.codec, shape, found[:, 0], found[:, 1] - CHECKSUM_BYTES)
    table.check(place.samples)
    return table


class _Usual(NamedTuple):
    """The index of a shard without compression, whose chunks all have one size."""

    stored: bytes
    bytes: int  # of the chunks
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]


@lru_cache(maxsize=16)
def _usual(samples: int, shard_size: int, row_bytes: int) -> _Usual:
    lengths = np.full(samples, row_bytes, dtype=np.int64)
    offsets = np.arange(samples, dtype=np.int64) * (row_bytes + CHECKSUM_BYTES)
    entries = np.full((shard_size, 2), ABSENT, dtype="<u8")
    entries[:samples, 0], entries[:samples, 1] = offsets, lengths + CHECKSUM_BYTES
    data = entries.tobytes()
    length = samples * (row_bytes + CHECKSUM_BYTES)
    return _Usual(data + _checksum(data), length, offsets, lengths)
