"""Rows read through zarr-python or h5py: for what the table of byte ranges does not know.

That is HDF5 of format versions 1 and 2, and a codec that is not ours. It is also the reference that
the reader is tested against.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data.recipe import OTHER_CODEC
from dunhuang_data.shards import Stored, schema


def needs_library(format: str, version: int, codec: str) -> bool:
    """Whether the container's own library alone can read a dataset, not its byte ranges."""
    return codec == OTHER_CODEC or (format == "hdf5" and version < 3)


MOST_OPEN = 32  # files of HDF5


class LibraryRows:
    """Random access to the rows of one split through the container's own library.

    Handles are opened in the process that uses them.

    Parameters
    ----------
    root : Path
    format : {"zarr", "hdf5"}
    split : str
    paths : sequence of str, or mapping of int to str
        Of HDF5: the file of each shard, by its number, below the root.
    shard_size : int
    patch_size : int
    codec : str
        ``"gzip"`` accepts HDF5 arrays that are compressed: chunks that our own decoder knows to be
        of the right size. Otherwise none is.

    Notes
    -----
    What the library is given to open may be hostile. So it is asked for an array's shape, type and
    chunks before it reads, and an HDF5 file may not lead to other files. Filters that could decode
    to any size are not accepted in HDF5; of a Zarr codec that is not ours the library must take
    care itself.
    """

    def __init__(
        self,
        root: Path,
        format: str,
        split: str,
        paths: Sequence[str] | Mapping[int, str],
        shard_size: int,
        patch_size: int,
        codec: str = "none",
    ) -> None:
        self._root, self._format, self._split = root, format, split
        self._paths, self._shard_size = paths, shard_size
        self._codec = codec
        self._shapes = {array.name: array.row_shape for array in schema(patch_size)}
        self._opened: dict[tuple[int, int], Any] = {}

    def read(self, rows: Sequence[int], out: Stored) -> None:
        """Read some rows of the arrays named in ``out`` into them.

        Raises
        ------
        ValueError
            With whatever the library has to say.
        """
        for place, row in enumerate(rows):
            arrays, at = self._arrays(row)
            with _explained():
                for name, values in out.items():
                    values[place] = np.asarray(arrays[name][at])

    def check(self, row: int) -> None:
        """Open what holds a row, and see that its arrays are such as the format has them.

        Raises
        ------
        ValueError
        """
        self._arrays(row)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}

    def _arrays(self, row: int) -> tuple[dict[str, Any], int]:
        """Return the arrays that hold a row, and the row's number in them."""
        number, row_in_shard = divmod(row, self._shard_size)
        hdf5 = self._format == "hdf5"
        key = os.getpid(), number if hdf5 else 0
        if key not in self._opened:
            while len(self._opened) >= MOST_OPEN:  # HDF5 closes a file with its last dataset
                self._opened.pop(next(iter(self._opened)))
            with _explained():
                self._opened[key] = self._opened_hdf5(number) if hdf5 else self._opened_zarr()
        return self._opened[key], row_in_shard if hdf5 else row

    def _opened_hdf5(self, number: int) -> dict[str, Any]:
        import h5py

        file = h5py.File(self._root / self._paths[number], "r")
        harmless = {h5py.h5z.FILTER_FLETCHER32}
        if self._codec == "gzip":
            harmless.add(h5py.h5z.FILTER_DEFLATE)
        found = {}
        for name, shape in self._shapes.items():
            dataset = file[name] if type(file.get(name, getlink=True)) is h5py.HardLink else None
            if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
                raise ValueError(f"{file.filename} has no array {name} of its own")
            filters = dataset.id.get_create_plist()
            codes = {filters.get_filter(one)[0] for one in range(filters.get_nfilters())}
            _check_array(name, dataset, shape)
            if dataset.chunks != (1, *shape) or codes - harmless:
                raise ValueError(f"{name} has chunks of {dataset.chunks} and the filters {codes}")
            found[name] = dataset
        return found

    def _opened_zarr(self) -> dict[str, Any]:
        import zarr

        from dunhuang_data.zarr_codec import register

        register()  # a checkout that is not installed has no entry points
        group = zarr.open_group(store=str(self._root), mode="r", path=self._split)
        found = {}
        for name, shape in self._shapes.items():
            array = group[name]
            if not isinstance(array, zarr.Array):
                raise ValueError(f"{self._split}/{name} is no array")
            _check_array(name, array, shape)
            if math.prod(array.chunks) > math.prod(shape):
                raise ValueError(f"{name} has chunks of {array.chunks}; one sample is {shape}")
            found[name] = array
        return found


def _check_array(name: str, array: Any, row_shape: tuple[int, ...]) -> None:
    if array.shape[1:] != row_shape or array.dtype != np.uint8:
        raise ValueError(f"{name} has the shape {array.shape} of {array.dtype}")


@contextmanager
def _explained() -> Iterator[None]:
    """Make one kind of error of all kinds: a library that reads what nobody checked has many."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
