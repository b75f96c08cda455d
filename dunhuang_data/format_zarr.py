"""Shards as Zarr v3: one array per split and name, one file per shard in it.

Chunk = one sample, shard = ``shard_size`` samples (Zarr's own sharding codec), no compression,
every chunk guarded by CRC-32C. Plain ``zarr.open(root)["train/image"]`` reads it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from dunhuang_data.shards import ArraySchema, schema
from dunhuang_data.types import UInt8Array

CHECKSUM_BYTES = 4


def _create(
    store: MemoryStore, split: str, array: ArraySchema, total: int, shard_size: int
) -> zarr.Array[Any]:
    return zarr.create_array(
        store,
        name=f"{split}/{array.name}",
        shape=(total, *array.row_shape),
        dtype=np.uint8,
        chunks=(1, *array.row_shape),
        shards=(shard_size, *array.row_shape),
        compressors=[Crc32cCodec()],
        filters=None,
        fill_value=0,
        dimension_names=array.dimensions,
        attributes=dict(array.attributes),
        chunk_key_encoding={"name": "default", "separator": "."},
        config={"write_empty_chunks": True},  # so that a missing file is always a loss
    )


def _files(contents: dict[str, Buffer], metadata: bool) -> dict[str, bytes]:
    return {
        key: buffer.to_bytes()
        for key, buffer in sorted(contents.items())
        if key.endswith("zarr.json") == metadata
    }


def encode_shard(
    split: str, number: int, arrays: dict[str, UInt8Array], total: int, shard_size: int
) -> dict[str, bytes]:
    """Return the files of one shard: path below the dataset's root → bytes. Pure.

    Parameters
    ----------
    split : str
    number : int
        The shard's number in its split; it holds rows ``number * shard_size`` onwards.
    arrays : dict of str to uint8 array
        As of `dunhuang_data.shards.stored_arrays`.
    total, shard_size : int
        Samples in the split, and in a shard.
    """
    contents: dict[str, Buffer] = {}
    store = MemoryStore(contents)
    first = number * shard_size
    for array in schema(arrays["image"].shape[1]):
        values = arrays[array.name]
        target = _create(store, split, array, total, shard_size)
        target[first : first + len(values)] = values
    return _files(contents, metadata=False)


def encode_metadata(
    totals: dict[str, int], patch_size: int, shard_size: int, attributes: dict[str, Any]
) -> dict[str, bytes]:
    """Return the ``zarr.json`` files of the whole dataset: path below the root → bytes. Pure."""
    contents: dict[str, Buffer] = {}
    store = MemoryStore(contents)
    zarr.create_group(store, attributes=attributes)
    for split, total in totals.items():
        zarr.create_group(store, path=split)
        for array in schema(patch_size):
            _create(store, split, array, total, shard_size)
    return _files(contents, metadata=True)


class ZarrRows:
    """Random access to the rows of one split.

    Written by zarr-python, read without it: zarr-python fetches and parses the index of a shard
    again for every chunk. Here an index is looked up once, and a chunk is one positioned read.
    """

    def __init__(self, root: Path, split: str, patch_size: int, shard_size: int) -> None:
        self._folder, self._shard_size = root / split, shard_size
        self._schema = schema(patch_size)
        self._indices: dict[Path, NDArray[np.uint64]] = {}

    def read(self, rows: list[int], names: Sequence[str]) -> dict[str, UInt8Array]:
        """Return some stored arrays of some rows, in the order asked for.

        Raises
        ------
        OSError, ValueError
            If a file is missing or short, or bytes fail their checksum.
        """
        return {
            array.name: self._read_array(array, rows)
            for array in self._schema
            if array.name in names
        }

    def _read_array(self, array: ArraySchema, rows: list[int]) -> UInt8Array:
        found = np.empty((len(rows), *array.row_shape), dtype=np.uint8)
        zeros = ".0" * len(array.row_shape)
        by_shard: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            by_shard.setdefault(row // self._shard_size, []).append(place)
        for number, places in by_shard.items():
            path = self._folder / array.name / f"c.{number}{zeros}"
            with path.open("rb", buffering=0) as file:
                index = self._index(path, file.fileno())
                for place in places:
                    row = rows[place] % self._shard_size
                    offset, length = (int(value) for value in index[row])
                    if length != found[place].nbytes + CHECKSUM_BYTES:
                        raise ValueError(f"{path}: chunk {row} is missing or of another size")
                    data = _checked(os.pread(file.fileno(), length, offset), f"{path}: chunk {row}")
                    found[place] = np.frombuffer(data, np.uint8).reshape(array.row_shape)
        return found

    def _index(self, path: Path, descriptor: int) -> NDArray[np.uint64]:
        """Return (shard_size, 2): offset and length of every chunk, from the shard's last bytes."""
        if path not in self._indices:
            length = 16 * self._shard_size + CHECKSUM_BYTES
            start = os.fstat(descriptor).st_size - length
            tail = os.pread(descriptor, length, max(0, start))
            index = np.frombuffer(_checked(tail, f"{path}: index"), "<u8").reshape(-1, 2)
            if index.shape != (self._shard_size, 2):
                raise ValueError(f"{path} is shorter than its index")
            self._indices[path] = index
        return self._indices[path]


def _checked(data: bytes, what: str) -> bytes:
    """Return what stands before the CRC-32C at the end of some bytes, if it holds."""
    body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if google_crc32c.value(body) != int.from_bytes(checksum, "little"):
        raise ValueError(f"{what} fails its checksum")
    return body
