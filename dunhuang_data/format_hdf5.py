"""Shards as HDF5: one file per shard, ``train/00007.h5``, that plain ``h5py.File`` opens.

Chunk = one sample, no compression, every chunk guarded by Fletcher-32.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dunhuang_data.shards import schema
from dunhuang_data.types import UInt8Array


def _path(split: str, number: int) -> str:
    return f"{split}/{number:05d}.h5"


def encode_shard(
    split: str, number: int, arrays: dict[str, UInt8Array], total: int, shard_size: int
) -> dict[str, bytes]:
    """Return the file of one shard: path below the dataset's root → bytes. Pure.

    See `dunhuang_data.format_zarr.encode_shard`.
    """
    contents = io.BytesIO()
    with h5py.File(contents, "w") as file:
        file.attrs["split"] = split
        file.attrs["first_row"] = number * shard_size
        file.attrs["rows_in_split"] = total
        file.flush()  # see below
        for array in schema(arrays["image"].shape[1]):
            dataset = file.create_dataset(
                array.name,
                data=arrays[array.name],
                chunks=(1, *array.row_shape),
                fletcher32=True,
                track_times=False,  # the same samples, the same bytes
            )
            for axis, dimension in enumerate(array.dimensions):
                dataset.dims[axis].label = dimension
            dataset.attrs.update(array.attributes)
            # Where HDF5 puts what comes next depends on which objects are still open, and a
            # profiler or debugger (Dask has one) keeps them open at will. Not after a flush.
            file.flush()
    return {_path(split, number): contents.getvalue()}


def encode_metadata(
    _totals: dict[str, int], _patch_size: int, _shard_size: int, _attributes: dict[str, Any]
) -> dict[str, bytes]:
    """Return no files: an HDF5 shard carries its own metadata."""
    return {}


class Hdf5Rows:
    """Random access to the rows of one split through h5py."""

    def __init__(self, root: Path, split: str, patch_size: int, shard_size: int) -> None:
        self._root, self._split, self._shard_size = root, split, shard_size
        self._schema = schema(patch_size)
        self._files: dict[int, Any] = {}

    def read(self, rows: list[int], names: Sequence[str]) -> dict[str, UInt8Array]:
        """Return some stored arrays of some rows, in the order asked for."""
        found = {
            array.name: np.empty((len(rows), *array.row_shape), dtype=np.uint8)
            for array in self._schema
            if array.name in names
        }
        for place, row in enumerate(rows):
            number, row_in_shard = divmod(row, self._shard_size)
            if number not in self._files:
                self._files[number] = h5py.File(self._root / _path(self._split, number), "r")
            for name, values in found.items():
                values[place] = self._files[number][name][row_in_shard]
        return found
