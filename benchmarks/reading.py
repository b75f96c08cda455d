"""How fast samples are read: the bars of the reader, beside its peers, on real photographs.

    python -m benchmarks.reading --work DIR [--samples 10000] [--only random|loader|lossless]

Everything is made once below DIR (about 20 GB for 10,000 samples) and found there by the next run.
All hold the same lossless content, which is compared before anything is timed. Candidates take
turns in one process, batches of 32 at random, files in the page cache; medians over the rounds.
Random reads are those of a reader that has read every row before, as in all epochs but the first;
what a first reading costs has a line of its own. Bars of random reads are judged by CPU, which
other programs disturb less than the clock. A peer that is not installed costs a line.
"""

import argparse
import sys
from collections.abc import Callable, Generator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import (
    BATCH,
    Bytes,
    Gather,
    Rows,
    Ways,
    aligned,
    in_turns,
    installed,
    print_machine,
    verdict,
    warm,
)
from benchmarks.peer_loaders import (
    SETTINGS,
    Batches,
    check_batches,
    litdata_batches,
    mds_batches,
    print_loaders,
    rate,
    webdataset_batches,
)
from benchmarks.peers import (
    h5_gather,
    indexed_gather,
    litdata_dataset,
    lmdb_gather,
    mds_dataset,
    once,
    tensorstore_gather,
    unpacked,
    write_h5,
    write_litdata,
    write_lmdb,
    write_mds,
    write_webdataset,
    zarr_gather,
)
from benchmarks.png_peers import (
    PngTar,
    decoder_gather,
    mds_png_gather,
    print_levels,
    write_mds_png,
    write_png_tar,
)
from benchmarks.real_patches import PICTURES, Stored, as_memmap, dataset
from dunhuang_data.buffers import unpack_into
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import Samples


class Bench:
    """What all parts share: the folder, the samples, and the stored arrays in memory maps."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.work: Path = options.work / str(options.samples)
        self.work.mkdir(parents=True, exist_ok=True)
        self.samples, self.pictures, self.rounds = options.samples, options.pictures, options.rounds
        self.zarr = self.ours("zarr")
        self.stored = as_memmap(self.zarr, self.work / "memmap")

    def ours(self, format: str, codec: str = "none") -> Path:
        """Build our dataset in a format, once."""
        return dataset(self.pictures, self.work, self.samples, format, codec)

    def peer(self, name: str, write: Callable[[Stored, Path], None]) -> Path:
        """Write a peer's dataset, once."""
        return once(self.work / name, lambda folder: write(self.stored, folder))


# ---- rows at random


def memmap_ways(stored: Stored) -> Ways:
    """Return the bare gather from two memory maps: new arrays, or one buffer again and again."""
    image, packed = (aligned((BATCH, *one.shape[1:])) for one in (stored.image, stored.valid))
    valid = aligned((BATCH, *image.shape[1:3]))

    def fresh(rows: Rows) -> tuple[Bytes, Bytes]:
        return stored.image[rows], unpacked(stored.valid[rows])

    def reused(rows: Rows) -> tuple[Bytes, Bytes]:
        # mode="clip": with "raise" NumPy gathers into a buffer of its own first
        np.take(stored.image, rows, axis=0, out=image, mode="clip")
        np.take(stored.valid, rows, axis=0, out=packed, mode="clip")
        unpack_into(packed, valid)
        return image, valid

    return {"memmap gather": fresh, "memmap gather, buffer kept": reused}


def our_ways(reader: DatasetReader, name: str) -> Ways:
    """Return our reading: new arrays or buffers kept, with damage or image and valid alone."""
    size = reader.patch_size
    plane = (BATCH, size, size)
    kept = Samples(aligned((*plane, 3)), aligned(plane), aligned(plane))
    stored = {"image": kept.image, "valid": aligned((BATCH, size, -(-size // 8)))}

    def fresh(rows: Rows) -> tuple[Bytes, Bytes]:
        samples = reader.read(rows)
        return samples.image, samples.valid

    def reused(rows: Rows) -> tuple[Bytes, Bytes]:
        reader.read(rows, kept)
        return kept.image, kept.valid

    def without_damage(rows: Rows) -> tuple[Bytes, Bytes]:
        reader.read_stored(rows, out=stored)
        unpack_into(stored["valid"], kept.valid)
        return kept.image, kept.valid

    def fresh_without_damage(rows: Rows) -> tuple[Bytes, Bytes]:
        found = reader.read_stored(rows, ("image", "valid"))
        return found["image"], unpacked(found["valid"])[..., :size]

    return {
        f"{name}, read": fresh,
        f"{name}, read, buffers kept": reused,
        f"{name}, no damage": fresh_without_damage,
        f"{name}, no damage, buffers kept": without_damage,
    }


def first_reading(root: Path) -> Gather:
    """Return a reading whose chunks are checked: by a reader that has read nothing yet."""
    reader = DatasetReader(root, "train")
    size = reader.patch_size
    image, packed = aligned((BATCH, size, size, 3)), aligned((BATCH, size, -(-size // 8)))
    valid = aligned((BATCH, size, size))
    seen: set[int] = set()

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        nonlocal reader
        if not seen.isdisjoint(rows.tolist()):
            reader = DatasetReader(root, "train")
            seen.clear()
        seen.update(rows.tolist())
        reader.read_stored(rows, out={"image": image, "valid": packed})
        unpack_into(packed, valid)
        return image, valid

    return gather


def check_ways(ways: Ways, stored: Stored) -> None:
    """Compare 64 rows, twice at random, of every way with what was stored.

    Raises
    ------
    SystemExit
        If they differ.
    """
    rng = np.random.default_rng(7)
    for name, gather in ways.items():
        for _ in range(4):
            rows = rng.integers(0, len(stored), BATCH)
            image, valid = gather(rows)
            if not (
                np.array_equal(image, stored.image[rows])
                and np.array_equal(valid, unpacked(stored.valid[rows])[..., : valid.shape[-1]])
            ):
                raise SystemExit(f"{name} gives other content than was stored: nothing is timed.")


def random(bench: Bench) -> None:
    """Print shuffled batches of 32, uncompressed, image and unpacked valid."""
    print(f"\nRows at random, batches of {BATCH}, image and unpacked valid: µs a sample")
    hdf5 = bench.ours("hdf5")
    readers = [DatasetReader(root, "train") for root in (bench.zarr, hdf5)]
    ways = memmap_ways(bench.stored) | our_ways(readers[0], "Zarr") | our_ways(readers[1], "HDF5")
    ways |= peer_ways(bench, hdf5)
    check_ways(ways, bench.stored)
    for reader in readers:  # as a first epoch does: every row is read, and checked, once
        for first in range(0, len(reader), 256):
            reader.read_stored(range(first, min(first + 256, len(reader))))
    ways["Zarr, never read before"] = first_reading(bench.zarr)
    warm(*(bench.work / one for one in UNCOMPRESSED if (bench.work / one).is_dir()))
    taken = in_turns(ways, len(bench.stored), bench.rounds)
    ours = taken["Zarr, no damage, buffers kept"]
    print(f"{'':34}{'CPU':>9}{'wall':>10}   CPU and wall, as multiples of Zarr, no damage")
    for name, (cpu, wall) in taken.items():
        print(f"  {name:32}{cpu:9.0f}{wall:10.0f}{cpu / ours[0]:10.2f}{wall / ours[1]:8.2f}")
    gathers = [taken[name] for name in memmap_ways(bench.stored)]
    fresh = taken["Zarr, no damage"][0] / gathers[0][0]
    verdict("the CPU of a memmap gather, new arrays each", fresh, most=1.5)
    kept = ours[0] / gathers[1][0]
    verdict("the CPU of a memmap gather, buffers kept each", kept, most=1.5)
    alike = taken["Zarr, no damage"][0]  # new arrays, as theirs
    for name, least in (("h5py, plain file", 2.5), ("h5py, our shards", 2.5), ("zarr-python", 20)):
        if name in taken:
            verdict(f"times as fast as {name}, CPU", taken[name][0] / alike, least=least)


UNCOMPRESSED = ("memmap", "zarr-none", "hdf5-none", "h5", "lmdb", "mds", "litdata", "webdataset")


def peer_ways(bench: Bench, hdf5: Path) -> Ways:
    """Return every peer that is installed, and say which are not."""
    stored, shards = bench.stored, sorted((hdf5 / "train").glob("*.h5"))

    def rows_per_file() -> int:
        return DatasetReader(hdf5, "train").manifest.recipe.shard_size

    makers: dict[str, tuple[str, Callable[[], Gather]]] = {
        "h5py, plain file": (
            "h5py",
            lambda: h5_gather([bench.peer("h5", write_h5) / "plain.h5"], len(stored)),
        ),
        "h5py, our shards": ("h5py", lambda: h5_gather(shards, rows_per_file())),
        "h5py, our dataset.h5": (
            "h5py",
            lambda: h5_gather([hdf5 / "dataset.h5"], len(stored), "train/"),
        ),
        "zarr-python": ("zarr", lambda: zarr_gather(bench.zarr)),
        "zarr-python with zarrs": (
            "zarrs",
            lambda: zarr_gather(bench.zarr, "zarrs.ZarrsCodecPipeline"),
        ),
        "tensorstore": ("tensorstore", lambda: tensorstore_gather(bench.zarr)),
        "LMDB": ("lmdb", lambda: lmdb_gather(bench.peer("lmdb", write_lmdb), stored)),
        "MDS, dataset[i]": (
            "streaming",
            lambda: indexed_gather(mds_dataset(bench.peer("mds", write_mds))),
        ),
        "LitData, dataset[i], tuned": (
            "litdata",
            lambda: indexed_gather(litdata_dataset(bench.peer("litdata", write_litdata))),
        ),
    }
    return {name: make() for name, (module, make) in makers.items() if _there(name, module)}


def _there(name: str, module: str) -> bool:
    if not installed(module):
        print(f"  {name}: not installed")
    return installed(module)


# ---- through loaders

COUNT = 200  # batches that are timed


def our_batches(root: Path) -> Batches:
    """Return the trainer's loader; workers are threads."""
    loader_of = import_module("dunhuang_trainer.data").Loader  # torch may not be installed

    def batches(workers: int) -> Generator[tuple[Any, Any, Any]]:
        with loader_of(DatasetReader(root, "train"), BATCH, workers=workers) as found:
            for stored in found.take(sys.maxsize):
                yield stored.image, stored.valid, stored.picks.rows

    return batches


def loader(bench: Bench) -> None:
    """Print samples a second through loaders."""
    print("\nThrough loaders, shuffled, batches of 32 of uint8: samples/s")
    if not installed("torch"):
        print("  torch: not installed")
        return
    peers: dict[str, tuple[str, Callable[[], Batches]]] = {
        "WebDataset": (
            "webdataset",
            lambda: webdataset_batches(
                bench.peer("webdataset", write_webdataset), bench.stored, BATCH
            ),
        ),
        "LitData": (
            "litdata",
            lambda: litdata_batches(bench.peer("litdata", write_litdata), BATCH),
        ),
        "MDS": ("streaming", lambda: mds_batches(bench.peer("mds", write_mds), BATCH)),
    }
    ways = {name: make() for name, (module, make) in peers.items() if _there(name, module)}
    ways["ours"] = our_batches(bench.zarr)
    for name, one in ways.items():
        print(f"  {name}: {SETTINGS[name]}")
        check_batches(one, bench.stored)
    warm(*(bench.work / one for one in ("zarr-none", "webdataset", "litdata", "mds")))
    epoch = -(-len(bench.stored) // BATCH)  # not timed: what is opened and checked once
    print(f"  the first epoch is not timed; then {COUNT} batches of the next, workers kept")
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(max(3, bench.rounds // 3)):
        for workers in (0, 2):
            for name, one in ways.items():
                found = rate(one(workers), epoch + 20, COUNT)
                rates.setdefault((name, workers), []).append(found)
    print_loaders({key: float(np.median(one)) for key, one in rates.items()})


# ---- lossless


def lossless(bench: Bench) -> None:
    """Print bytes a sample and reading of the lossless codec and of PNG."""
    print("\nLossless: bytes a sample (image and mask), µs a sample, rows at random")
    folder = bench.peer("png-tar", write_png_tar)
    tar = PngTar(folder)
    ways: Ways = {"PNG in a tar, own reading": tar.gather}
    sizes = {"PNG in a tar, own reading": tar.mean_bytes()}
    if _there("MDS, PNG", "streaming"):
        ways["MDS, PNG, dataset[i]"] = mds_png_gather(bench.peer("mds-png", write_mds_png))
        sizes["MDS, PNG, dataset[i]"] = _bytes(bench.work / "mds-png", bench.samples)
    root = bench.ours("zarr", "lossless")
    ours = our_ways(DatasetReader(root, "train"), "lossless")
    sizes |= dict.fromkeys(ours, _bytes(root / "train", bench.samples))
    ways |= ours
    check_ways(ways, bench.stored)
    if _there("WebDataset's decoder", "webdataset"):
        ways["WebDataset's decoder (in order)"] = decoder_gather(folder, bench.stored)
        sizes["WebDataset's decoder (in order)"] = _bytes(folder, bench.samples)
    warm(*(bench.work / one for one in ("png-tar", "mds-png", "zarr-lossless")))
    taken = in_turns(ways, len(bench.stored), bench.rounds)
    png = taken["PNG in a tar, own reading"]
    print(f"{'':34}{'bytes':>9}{'CPU':>8}{'wall':>8}   PNG's CPU and wall, as multiples")
    for name, (cpu, wall) in taken.items():
        ratios = f"{png[0] / cpu:10.2f}{png[1] / wall:8.2f}"
        print(f"  {name:32}{sizes[name]:9,.0f}{cpu:8.0f}{wall:8.0f}{ratios}")
    print_levels(bench.stored)
    verdict("the bytes of PNG", sizes["lossless, read"] / tar.mean_bytes(), most=1)
    for name in ours:
        verdict(f"times as fast as PNG in a tar, CPU ({name})", png[0] / taken[name][0], least=3)


def _bytes(folder: Path, samples: int) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / samples


def main() -> None:
    """Run what was asked for."""
    parts = {"random": random, "loader": loader, "lossless": lossless}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    parser.add_argument("--only", choices=[*parts])
    options = parser.parse_args()
    bench = Bench(options)
    print_machine()
    image, valid = bench.stored.image, bench.stored.valid
    print(f"{len(image):,} samples: image {image.shape[1:]} uint8, packed mask {valid.shape[1:]}")
    for name, part in parts.items():
        if options.only in (None, name):
            part(bench)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
