"""Rows read through zarr-python or h5py: for what the table of byte ranges does not know.

That is HDF5 of format versions 1 and 2, and a codec that is not ours. It is also the reference that
the reader is tested against.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data.shards import Stored


class LibraryRows:
    """Random access to the rows of one split through the container's own library.

    Handles are opened in the process that uses them.

    Parameters
    ----------
    root : Path
    format : {"zarr", "hdf5"}
    split : str
    paths : sequence of str
        Of HDF5: the file of each shard, below the root.
    shard_size : int
    """

    def __init__(
        self, root: Path, format: str, split: str, paths: Sequence[str], shard_size: int
    ) -> None:
        self._root, self._format, self._split = root, format, split
        self._paths, self._shard_size = paths, shard_size
        self._opened: dict[tuple[int, int], Any] = {}

    def read(self, rows: Sequence[int], out: Stored) -> None:
        """Read some rows of the arrays named in ``out`` into them.

        Raises
        ------
        OSError, ValueError, KeyError, RuntimeError
            Whatever the library has to say.
        """
        for place, row in enumerate(rows):
            number, row_in_shard = divmod(row, self._shard_size)
            group, at = self._group(number), row_in_shard if self._format == "hdf5" else row
            for name, values in out.items():
                found = np.asarray(group[name][at])
                if found.shape != values.shape[1:] or found.dtype != np.uint8:
                    raise ValueError(f"{name} has the shape {found.shape} of {found.dtype}")
                values[place] = found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}

    def _group(self, number: int) -> Any:
        key = os.getpid(), number if self._format == "hdf5" else 0
        if key not in self._opened:
            if self._format == "hdf5":
                import h5py

                self._opened[key] = h5py.File(self._root / self._paths[number], "r")
            else:
                import zarr

                from dunhuang_data import zarr_codec

                zarr_codec.register()  # a checkout that is not installed has no entry points
                root = zarr.open_group(store=str(self._root), mode="r")
                self._opened[key] = root[self._split]
        return self._opened[key]
