"""Whether training waits for its data: what the loaders give, and what runs wait for on the CPU.

    python benchmarks/waiting.py --work FOLDER [--samples 2000] [--steps 40] [--rounds 3]

First the images a second of the loader and of a split that lies on the device, with nobody to use
them. Then whole runs of ``--preset tiny`` at 256 px, in processes of their own and in turns: the
share of the time they wait, as their logs have it. The first row of a log is left out: there the
network is made ready.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch

from benchmarks.machine import print_machine, warm
from benchmarks.real_patches import PICTURES, dataset
from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data import DeviceSplit, Loader
from dunhuang_trainer.training.log import read_log

BATCH, COUNT = 32, 300
RUNS = {
    "no thread": ("--workers", "0"),
    "2 threads": ("--workers", "2"),
    "data on the device": ("--data-on-device",),
}


def rate(batches: Loader) -> float:
    """Return images a second of some batches after the first ten."""
    with batches:
        found = batches.take(COUNT + 10)
        for _ in range(10):
            next(found)
        since = time.perf_counter()
        images = sum(len(batch) for batch in found)
        return images / (time.perf_counter() - since)


def rates(reader: DatasetReader, rounds: int) -> None:
    """Print images a second of what can feed a network."""
    print(f"\nBytes of shuffled batches of {BATCH}, from files in memory: images/s")
    split, found = DeviceSplit(reader, BATCH), dict[str, list[float]]()
    for _ in range(rounds):
        for workers in (0, 2):
            name = f"read, {workers or 'no'} threads"
            found.setdefault(name, []).append(rate(Loader(reader, BATCH, workers=workers)))
        found.setdefault("gathered where they lie (CPU)", []).append(rate(split))
    for name, values in found.items():
        print(f"  {name:32}{median(values):10,.0f}")


def waited(root: Path, out: Path, steps: int, options: tuple[str, ...]) -> tuple[float, float]:
    """Train; return the share of waiting and the images a second of the rows but the first."""
    line = [sys.executable, "-c", "from dunhuang_cli.train import main; main()", "fit"]
    line += ["--dataset", str(root), "-o", str(out), "--overwrite", "--preset", "tiny"]
    line += ["--steps", str(steps), "--log-every", "5", "--validate-every", str(steps)]
    line += ["--select-on", "none", "--device", "cpu"]
    done = subprocess.run([*line, *options], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    rows = read_log(out)[1:]
    seconds = [1 / row["images_per_second"] for row in rows]  # of one image
    share = sum(row["waiting"] * one for row, one in zip(rows, seconds, strict=True))
    return share / sum(seconds), len(rows) / sum(seconds)


def runs(root: Path, work: Path, steps: int, rounds: int) -> None:
    """Print what whole runs wait."""
    print(
        f"\nRuns of {steps} steps, --preset tiny, 256 px, {torch.get_num_threads()} of torch's "
        "threads: share of waiting, median (most); images/s"
    )
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in RUNS}
    for _ in range(rounds):
        for name, options in RUNS.items():
            found[name].append(waited(root, work / "run", steps, options))
    for name, values in found.items():
        shares, speeds = zip(*values, strict=True)
        print(f"  {name:32}{median(shares):8.2%} ({max(shares):.2%}){median(speeds):10.1f}")
    most = max(share for share, _ in found["2 threads"])
    print(f"  with 2 threads at most {most:.2%}; bar: 2%   {'pass' if most < 0.02 else 'FAIL'}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    options = parser.parse_args()
    root = dataset(options.pictures, options.work, options.samples, "zarr")
    print_machine()
    warm(root)
    rates(DatasetReader(root, "train"), options.rounds)
    runs(root, options.work, options.steps, options.rounds)


if __name__ == "__main__":
    main()
