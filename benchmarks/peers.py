"""The peers' datasets: written once from the same stored arrays, and read row by row.

Every peer holds image (S, S, 3) and the packed valid (S, ceil(S / 8)), uncompressed. A gather
takes rows and returns image (B, S, S, 3) and unpacked valid (B, S, S). Imports are inside, so that
a peer that is not installed costs a line and no more.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Bytes, Gather, Rows
from benchmarks.real_patches import Stored

SHARD = 500


def once(folder: Path, write: Callable[[Path], None]) -> Path:
    """Write a peer's dataset unless an earlier run did."""
    done = folder.with_name(folder.name + ".done")
    if not done.is_file():
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was interrupted
        write(folder)
        done.touch()
    return folder


def records(stored: Stored) -> Iterator[tuple[int, Bytes, Bytes]]:
    """Yield row, image and packed valid of every sample."""
    for row in range(len(stored)):
        yield row, np.ascontiguousarray(stored.image[row]), np.ascontiguousarray(stored.valid[row])


def unpacked(valid: Bytes) -> Bytes:
    """Unpack a batch of masks the usual way."""
    return np.unpackbits(valid, axis=-1)


# ---- written


def write_h5(stored: Stored, folder: Path) -> None:
    """One chunked file, a chunk a sample, no filter, no checksum."""
    folder.mkdir()
    with import_module("h5py").File(folder / "plain.h5", "w", libver="latest") as file:
        for name in ("image", "valid"):
            array = getattr(stored, name)
            target = file.create_dataset(
                name, array.shape, np.uint8, chunks=(1, *array.shape[1:]), track_times=False
            )
            for first in range(0, len(array), 256):
                target[first : first + 256] = array[first : first + 256]


def write_lmdb(stored: Stored, folder: Path) -> None:
    """One value a sample: image and packed valid one after the other."""
    folder.mkdir()
    size = len(stored) * (stored.image[0].nbytes + stored.valid[0].nbytes)
    with import_module("lmdb").open(str(folder), map_size=2 * size + 2**24) as environment:
        for first in range(0, len(stored), 256):
            with environment.begin(write=True) as transaction:
                for row in range(first, min(first + 256, len(stored))):
                    value = stored.image[row].tobytes() + stored.valid[row].tobytes()
                    transaction.put(row.to_bytes(8, "big"), value)


def write_webdataset(stored: Stored, folder: Path) -> None:
    """Raw members, as tar files of 500 samples."""
    folder.mkdir()
    pattern = str(folder / "%05d.tar")
    with import_module("webdataset").ShardWriter(pattern, maxcount=SHARD, verbose=0) as sink:
        for row, image, valid in records(stored):
            sink.write(
                {
                    "__key__": f"{row:08d}",
                    "image.bin": image.tobytes(),
                    "valid.bin": valid.tobytes(),
                }
            )


def write_litdata(stored: Stored, folder: Path) -> None:
    """Write flat samples of two arrays and a number (nested ones are slow), chunks of 64 MB."""
    cache = import_module("litdata.streaming").Cache(str(folder), chunk_bytes="64MB")
    for row, image, valid in records(stored):
        cache[row] = {"image": image, "valid": valid, "row": row}
    cache.done()
    cache.merge()


def write_mds(stored: Stored, folder: Path) -> None:
    """Columns of encoding ndarray with dtype and shape, shards of 64 MB."""
    columns = {
        name: "ndarray:uint8:" + ",".join(map(str, getattr(stored, name).shape[1:]))
        for name in ("image", "valid")
    }
    writer = import_module("streaming").MDSWriter
    with writer(out=str(folder), columns={**columns, "row": "int"}, size_limit=1 << 26) as sink:
        for row, image, valid in records(stored):
            sink.write({"image": image, "valid": valid, "row": row})


# ---- read row by row


def zarr_gather(root: Path, pipeline: str = "") -> Gather:
    """Return plain zarr-python's reading, by whichever of two ways is faster for each array.

    One orthogonal selection a batch, or ``array[i]`` in a loop: in some versions of zarr two rows
    of one shard in a selection make it ten times slower than the loop.
    """
    zarr = import_module("zarr")
    settings = {"codec_pipeline.path": pipeline} if pipeline else {}
    with zarr.config.set(settings):
        group = zarr.open_group(root / "train", mode="r")
        image, valid = (_faster(group[name]) for name in ("image", "valid"))

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        with zarr.config.set(settings):
            return image(rows), unpacked(valid(rows))

    return gather


def _faster(array: Any) -> Callable[[Rows], Bytes]:
    def selected(rows: Rows) -> Bytes:
        found: Bytes = array.oindex[rows]
        return found

    def looped(rows: Rows) -> Bytes:
        return np.stack([array[row] for row in rows.tolist()])

    rows = np.random.default_rng(3).integers(0, array.shape[0], 32)
    seconds = {}
    for way in (selected, looped, selected, looped):  # each warms, then counts
        started = time.perf_counter()
        way(rows)
        seconds[way] = time.perf_counter() - started
    return min(seconds, key=lambda way: seconds[way])


def tensorstore_gather(root: Path) -> Gather:
    """Return tensorstore's reading: one index array a batch, both arrays at once."""
    tensorstore = import_module("tensorstore")

    def opened(name: str) -> Any:
        path = str(root / "train" / name) + "/"
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}
        return tensorstore.open(spec, open=True, read=True).result()

    image, valid = opened("image"), opened("valid")

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        asked = image[rows].read(), valid[rows].read()
        return asked[0].result(), unpacked(asked[1].result())

    return gather


def h5_gather(files: Iterable[Path], rows_per_file: int, group: str = "") -> Gather:
    """Return h5py's usual reading, ``dataset[i]``, sample by sample, files kept open."""
    h5py = import_module("h5py")
    opened = [h5py.File(path, "r") for path in files]
    arrays = [(file[f"{group}image"], file[f"{group}valid"]) for file in opened]

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        image = np.empty((len(rows), *arrays[0][0].shape[1:]), np.uint8)
        valid = np.empty((len(rows), *arrays[0][1].shape[1:]), np.uint8)
        for place, row in enumerate(rows.tolist()):
            number, at = divmod(row, rows_per_file)
            image[place], valid[place] = arrays[number][0][at], arrays[number][1][at]
        return image, unpacked(valid)

    return gather


def lmdb_gather(folder: Path, stored: Stored) -> Gather:
    """Return LMDB's reading: views of the map, copied into the batch."""
    environment = import_module("lmdb").open(
        str(folder), readonly=True, lock=False, readahead=False, meminit=False
    )
    shape, packed = stored.image.shape[1:], stored.valid.shape[1:]
    size = int(np.prod(shape))

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        image = np.empty((len(rows), *shape), np.uint8)
        valid = np.empty((len(rows), *packed), np.uint8)
        with environment.begin(buffers=True) as transaction:
            for place, row in enumerate(rows.tolist()):
                value = np.frombuffer(transaction.get(row.to_bytes(8, "big")), np.uint8)
                image[place] = value[:size].reshape(shape)
                valid[place] = value[size:].reshape(packed)
        return image, unpacked(valid)

    return gather


def indexed_gather(dataset: Any) -> Gather:
    """Return ``dataset[i]`` for what has rows of image and packed valid: MDS, LitData."""

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        samples = [dataset[row] for row in rows.tolist()]
        image = np.stack([np.asarray(one["image"]) for one in samples])
        return image, unpacked(np.stack([np.asarray(one["valid"]) for one in samples]))

    return gather


def litdata_dataset(folder: Path, shuffle: bool = False) -> Any:
    """Open LitData's, tuned: one row decoded for one row asked for, where the version has it."""
    from inspect import signature

    opener = import_module("litdata").StreamingDataset
    tuned = {"batch_decode": 0} if "batch_decode" in signature(opener).parameters else {}
    return opener(str(folder), shuffle=shuffle, drop_last=True, **tuned)


def mds_dataset(folder: Path, shuffle: bool = False, batch: int = 32) -> Any:
    """Open MDS's; what an earlier one left in shared memory is cleared first."""
    streaming = import_module("streaming")
    import_module("streaming.base.util").clean_stale_shared_memory()
    return streaming.StreamingDataset(local=str(folder), shuffle=shuffle, batch_size=batch)
