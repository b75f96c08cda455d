"""Write and read a plan of ten million rows: seconds and peak memory.

python benchmarks/plan_rows.py [--rows 10000000]

400 small pictures, 25 places each, and as many variants as it takes; every step in a process of its
own, so that its peak is its own (VmHWM of /proc, which is not inherited).
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dunhuang_data.pictures import write_picture
from dunhuang_data.plan import make_plan, read_plan, write_plan
from dunhuang_data.recipe import PlanRecipe

PICTURES, PLACES = 400, 25


def peak_mb() -> float:
    """Return the largest memory of this process so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def write(folder: Path, rows: int) -> None:
    """Make and write the plan."""
    variants = max(1, rows // (PICTURES * PLACES))
    recipe = PlanRecipe(
        patch_size=32, per_picture=PLACES, split=(1, 0, 0), variants=variants, method="random"
    )
    plan = make_plan([folder / "pictures"], recipe)
    start = time.perf_counter()
    write_plan(plan, folder / "plan")
    report("written", len(plan.patches), start)


def read(folder: Path, rows: int) -> None:
    """Read all rows."""
    start = time.perf_counter()
    plan = read_plan(folder / "plan")
    count = sum(1 for _ in plan.patches)
    assert count == len(plan.patches)
    report("read", count, start)


def shard(folder: Path, rows: int) -> None:
    """Cut the rows into shards, as a build does."""
    start = time.perf_counter()
    shards = sum(1 for _ in read_plan(folder / "plan").in_shards(500))
    report(f"cut into {shards:,} shards", shards * 500, start)


def report(what: str, rows: int, start: float) -> None:
    """Print one line."""
    seconds = time.perf_counter() - start
    print(f"  {rows:,} rows {what}: {seconds:.0f} s, peak memory {peak_mb():.0f} MB", flush=True)


def main() -> None:
    """Run the three steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        for number in range(PICTURES):
            pixels = rng.integers(0, 256, (48, 61, 3), dtype=np.uint8)
            write_picture(folder / "pictures" / f"{number:03d}.png", pixels)
        steps: tuple[Callable[[Path, int], None], ...] = (write, read, shard)
        for step in steps:
            process = multiprocessing.get_context("spawn").Process(target=step, args=(folder, rows))
            process.start()
            process.join()
        size = (folder / "plan" / "patches.csv").stat().st_size
        print(f"  patches.csv has {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
