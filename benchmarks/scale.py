"""What ten million samples cost to open and to read at random: manifest, tables, open files.

Datasets of one-pixel patches are made of real shards, written by the package: one shard a format,
copied under every number with the identity that belongs there. So there are as many shards, files
and tables as of real patches, and next to no pixels. Says too what the real thing would weigh.

    python benchmarks/scale.py                  # 10,000 and 10,000,000 samples, Zarr and HDF5
    python benchmarks/scale.py --samples 1000000 --format zarr
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import google_crc32c
import numpy as np

from dunhuang_data import format_hdf5, format_zarr
from dunhuang_data.build import sample_bytes
from dunhuang_data.manifest import (
    MARKER,
    DatasetManifest,
    Shard,
    StoredFile,
    dataset_sha256,
    manifest_text,
    shard_paths,
)
from dunhuang_data.recipe import BuildRecipe, PlanRecipe
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.shards import ARRAY_NAMES, IDENTITY_BYTES, ShardPlace

SHARD_SIZE = 500
BATCH, BATCHES, ROUNDS = 32, 200, 5


def write_first(root: Path, format: str, total: int) -> dict[str, bytearray]:
    """Write shard 0 as the package does; return its files."""
    place = ShardPlace("train", 0, SHARD_SIZE, total, 1, SHARD_SIZE, "none")
    container = format_hdf5 if format == "hdf5" else format_zarr
    pixels = raw_words(rng_for(0, "scale"), SHARD_SIZE).view(np.uint8).reshape(SHARD_SIZE, 8)
    with container.new_shard(root, place) as new:
        for one in pixels:
            bit = one[3:4].reshape(1, 1) & 128
            new.add({"image": one[:3].reshape(1, 1, 3), "valid": bit, "damage": bit})
        new.seal("0" * 64)
    return {file.path: bytearray((root / file.path).read_bytes()) for file in new.files}


def with_identity(data: bytearray, format: str, place: ShardPlace, name: str) -> bytearray:
    """Return a shard's file as that of another number."""
    identity = place.identity(name, "0" * 64)
    if format == "zarr":  # it lies before the index, which has a checksum of its own
        start = len(data) - 16 * SHARD_SIZE - 4 - IDENTITY_BYTES
        data[start : start + IDENTITY_BYTES] = identity
        return data
    data[:IDENTITY_BYTES] = identity
    end = IDENTITY_BYTES + 16 * SHARD_SIZE * len(ARRAY_NAMES)
    data[end : end + 4] = int(google_crc32c.value(bytes(data[:end]))).to_bytes(4, "little")
    return data


def write_dataset(root: Path, format: str, total: int) -> None:
    """Write ``total`` samples of one pixel."""
    root.mkdir()
    first = list(write_first(root, format, total).values())
    names = ARRAY_NAMES if format == "zarr" else ("all",)
    shards = []
    for number in range(total // SHARD_SIZE):
        place = ShardPlace("train", number, SHARD_SIZE, total, 1, SHARD_SIZE, "none")
        files = []
        paths = shard_paths(format, "train", number)
        for path, name, data in zip(paths, names, first, strict=True):
            whole = with_identity(data, format, place, name)
            (root / path).write_bytes(whole)
            files.append(StoredFile(path, len(whole), hashlib.sha256(whole).hexdigest()))
        shards.append(Shard("train", number, SHARD_SIZE, "0" * 64, tuple(files)))
    manifest = DatasetManifest(
        BuildRecipe(format, SHARD_SIZE),
        PlanRecipe(patch_size=1),
        "0" * 64,
        dataset_sha256(shards),
        tuple(shards),
        (),
    )
    (root / MARKER).write_text(manifest_text(manifest), encoding="utf-8")


def measure(root: Path) -> None:
    """Open a dataset and read it at random; print a JSON object. Run in a process of its own."""
    from dunhuang_data.reader import DatasetReader

    def megabytes() -> float:  # VmHWM: unlike ru_maxrss, it is not inherited
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    before, start = megabytes(), time.perf_counter()
    reader = DatasetReader(root, "train")
    opened = time.perf_counter() - start
    opened_mb = megabytes() - before
    words = raw_words(rng_for(0, "rows"), ROUNDS * BATCHES * BATCH) % np.uint64(len(reader))
    took = []
    for rows in words.astype(np.int64).reshape(ROUNDS, BATCHES, BATCH):
        start = time.process_time()
        for batch in rows:
            reader.read_stored(batch, ("image", "valid"))
        took.append((time.process_time() - start) / (BATCHES * BATCH) * 1e6)
    print(
        json.dumps(
            {
                "opened_s": opened,
                "opened_mb": opened_mb,
                "read_us": statistics.median(took),
                "peak_mb": megabytes() - before,
            }
        )
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 10_000_000])
    parser.add_argument("--format", nargs="+", default=["zarr", "hdf5"])
    parser.add_argument("--work", type=Path, help="Where to write (1 GB; default: a temporary one)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    print(f"load {os.getloadavg()[0]:.2f}; CPU µs a sample, image and valid, batches of {BATCH}")
    print(f"{'':6}{'samples':>12}{'shards':>8}{'open s':>8}{'MB':>7}{'read µs':>9}{'peak MB':>9}")
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        for format in options.format:
            for total in options.samples:
                root = Path(folder) / f"{format}-{total}"
                write_dataset(root, format, total)
                command = [sys.executable, __file__, "--measure", str(root)]
                found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                print(
                    f"{format:6}{total:12,}{total // SHARD_SIZE:8,}{found['opened_s']:8.2f}"
                    f"{found['opened_mb']:7.0f}{found['read_us']:9.1f}{found['peak_mb']:9.0f}"
                )
    whole = 10_000_000 * sample_bytes(256)
    print(f"10,000,000 patches of 256 px without compression: {whole / 1e12:.2f} TB in shards")


if __name__ == "__main__":
    main()
