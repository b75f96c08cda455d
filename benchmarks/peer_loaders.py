"""The peers' loaders, each as its own documentation has it, over the datasets of `peers`.

A loader gives batches of image (B, S, S, 3) uint8, valid (B, S, ceil(S / 8)) uint8 as stored (to
unpack is left to whoever consumes them: no more work than ours does), and the rows they are.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import verdict
from benchmarks.peers import SHARD, litdata_dataset, mds_dataset
from benchmarks.real_patches import Stored

Batches = Callable[[int], Generator[tuple[Any, Any, Any]]]  # workers -> image, valid, rows
SETTINGS = {
    "WebDataset": f"raw members, tars of {SHARD}, shardshuffle=100, shuffle(1000), batched(32), "
    "WebLoader(batch_size=None)",
    "LitData": "flat sample of two ndarrays and an int, chunks of 64 MB, batch_decode=0 where the "
    "version has it, shuffle=True, StreamingDataLoader(batch_size=32)",
    "ours": "Zarr, a chunk's checksum verified when it is first read, threads, "
    "Loader(batch_size=32)",
    "MDS": "columns ndarray:uint8:shape, shards of 64 MB, shuffle=True, batch_size=32, "
    "torch's DataLoader(batch_size=32)",
}


def from_members(shapes: tuple[tuple[int, ...], ...], sample: dict[str, Any]) -> tuple[Any, ...]:
    """Turn a WebDataset sample of raw members into tensors that share its memory."""
    torch = import_module("torch")
    parts = (
        torch.frombuffer(bytearray(sample[name]), dtype=torch.uint8).view(shape)
        for name, shape in zip(("image.bin", "valid.bin"), shapes, strict=True)
    )
    return *parts, int(sample["__key__"])


def webdataset_batches(folder: Path, stored: Stored, batch: int) -> Batches:
    """Return WebDataset's loader."""
    webdataset = import_module("webdataset")
    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    shapes = stored.image.shape[1:], stored.valid.shape[1:]

    def batches(workers: int) -> Generator[tuple[Any, Any, Any]]:
        dataset = (
            webdataset.WebDataset(urls, shardshuffle=100, seed=0)
            .shuffle(1000)
            .map(partial(from_members, shapes))
            .batched(batch)
        )
        yield from forever(
            webdataset.WebLoader(
                dataset, batch_size=None, num_workers=workers, persistent_workers=workers > 0
            )
        )

    return batches


def litdata_batches(folder: Path, batch: int) -> Batches:
    """Return LitData's loader."""
    loader = import_module("litdata").StreamingDataLoader

    def batches(workers: int) -> Generator[tuple[Any, Any, Any]]:
        dataset = litdata_dataset(folder, shuffle=True)
        kept = {"num_workers": workers, "persistent_workers": workers > 0}
        for one in forever(loader(dataset, batch_size=batch, **kept)):
            yield one["image"], one["valid"], one["row"]

    return batches


def mds_batches(folder: Path, batch: int) -> Batches:
    """Return MosaicML's dataset in torch's loader."""
    loader = import_module("torch.utils.data").DataLoader

    def batches(workers: int) -> Generator[tuple[Any, Any, Any]]:
        dataset = mds_dataset(folder, shuffle=True, batch=batch)
        kept = {"num_workers": workers, "persistent_workers": workers > 0}
        for one in forever(loader(dataset, batch_size=batch, **kept)):
            yield one["image"], one["valid"], one["row"]

    return batches


def forever(loader: Iterable[Any]) -> Iterator[Any]:
    """Yield epoch after epoch of one loader, whose workers stay."""
    while True:
        yield from loader


def check_batches(batches: Batches, stored: Stored, count: int = 12) -> None:
    """Compare a loader's first batches with what it was given.

    Raises
    ------
    SystemExit
        If they differ.
    """
    for workers in (0, 2):
        for image, valid, rows in islice(batches(workers), count):
            asked = np.asarray(rows)
            if not (
                np.array_equal(np.asarray(image), stored.image[asked])
                and np.array_equal(np.asarray(valid), stored.valid[asked])
            ):
                raise SystemExit("A loader gave other content than it was given.")


def rate(batches: Generator[tuple[Any, Any, Any]], skip: int, count: int) -> float:
    """Return samples a second of ``count`` batches after the first ``skip``; end the loader."""
    for _ in range(skip):
        next(batches)
    started, seen = time.perf_counter(), 0
    for image, _, _ in islice(batches, count):
        seen += len(image)
    taken = time.perf_counter() - started
    batches.close()
    return seen / taken


def print_loaders(rates: dict[tuple[str, int], float]) -> None:
    """Print the table and the bars."""
    print(f"{'':16}{'workers':>8}{'samples/s':>12}   ours, as a multiple")
    for (name, workers), found in sorted(rates.items(), key=lambda item: item[0][1]):
        ours = rates.get(("ours", workers), float("nan"))
        print(f"  {name:14}{workers:8}{found:12.0f}{ours / found:10.2f}")
    peers = sorted({name for name, _ in rates} - {"ours"})
    if not peers:
        return
    for name in peers:
        ours = rates.get(("ours", 2), float("nan"))
        verdict(f"the rate of {name}, 2 workers each", ours / rates[name, 2], least=5)
    best = max(rates[name, workers] for name in peers for workers in (0, 2))
    verdict("the best peer's rate, ours with 0 workers", rates["ours", 0] / best, least=1)
