"""Shards as Zarr v3: one array per split and name, one file per shard in it.

Chunk = one sample, shard = ``shard_size`` samples (Zarr's own sharding codec), no compression,
every chunk guarded by CRC-32C. Plain ``zarr.open(root)["train/image"]`` reads it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, MemoryStore

from dunhuang_data.shards import ArraySchema, schema
from dunhuang_data.types import UInt8Array


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
    """Random access to the rows of one split through zarr-python."""

    def __init__(self, root: Path, split: str, patch_size: int, _shard_size: int) -> None:
        store = LocalStore(root / split, read_only=True)
        self._arrays = {
            array.name: zarr.open_array(store, path=array.name, mode="r", zarr_format=3)
            for array in schema(patch_size)
        }

    def read(self, rows: list[int]) -> dict[str, UInt8Array]:
        """Return the stored arrays of some rows, in the order asked for."""
        selection = np.asarray(rows, dtype=np.intp)
        return {
            name: np.asarray(array.oindex[selection], dtype=np.uint8)
            for name, array in self._arrays.items()
        }
