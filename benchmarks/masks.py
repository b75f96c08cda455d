"""How fast masks are drawn: the bars of mask making, beside other ways to walk.

python benchmarks/masks.py [--masks 300] [--only walks|order|clock|families|bank]

CPU time of the thread, medians (and minima); what is compared is timed in turns, in one process.
Each walk gets a generator that is ready; what making one costs is printed apart. NumPy's arrays of
400 kB are given back to the system and fetched again at every call, or kept by the process, which
depends on what else was done in it before; "kept" times are with memory kept (`keep_memory`), "as
it runs" without.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.families import FAMILIES, family_mask
from dunhuang_data.mask_bank import write_bank
from dunhuang_data.mask_recipe import BUCKET_EDGES, MaskRecipe
from dunhuang_data.recipe import BORDERS
from dunhuang_data.rng import draw_below, raw_words, rng_for
from dunhuang_data.walks import WalkRule, backend, random_walk, use_compiled, walk_to_order
from dunhuang_data.walks.borders import fold_onto
from dunhuang_data.walks.relay import walkers_of
from dunhuang_data.walks.shown import valid_of

SIDE, STEPS = 256, 50_000
SHAPE_HW = (SIDE, SIDE)
Mask = NDArray[np.uint8]
Drawn = Callable[[np.random.Generator], Any]


def keep_memory() -> None:
    """Free one large array, so that the C library (glibc) keeps memory of that size from now on."""
    np.ones(30_000_000, dtype=np.uint8)


def seeds_way(_: np.random.Generator) -> Mask:
    """As the seed project: ``randint`` for every step, two arrays, then a loop over positions."""
    x, y = np.zeros(STEPS), np.zeros(STEPS)
    x[0], y[0] = random.randint(50, 205), random.randint(50, 205)
    for step in range(1, STEPS):
        direction = random.randint(1, 4)
        x[step], y[step] = x[step - 1], y[step - 1]
        if direction == 1:
            x[step] = x[step - 1] + 1
        elif direction == 2:
            x[step] = x[step - 1] - 1
        elif direction == 3:
            y[step] = y[step - 1] + 1
        else:
            y[step] = y[step - 1] - 1
    valid = np.full(SHAPE_HW, 255, dtype=np.uint8)
    for step in range(STEPS):
        if 0 <= x[step] < SIDE and 0 <= y[step] < SIDE:
            valid[int(y[step]), int(x[step])] = 0
    return valid


def lean_loop(_: np.random.Generator) -> bytearray:
    """One step at a time, as plain Python is usually written with care."""
    valid, y, x = bytearray(b"\1" * (SIDE * SIDE)), 128, 128
    randrange = random.randrange
    for _step in range(STEPS):
        if 0 <= y < SIDE and 0 <= x < SIDE:
            valid[y * SIDE + x] = 0
        direction = randrange(4)
        if direction == 0:
            x += 1
        elif direction == 1:
            x -= 1
        elif direction == 2:
            y += 1
        else:
            y -= 1
    return valid


def leanest_loop(_: np.random.Generator) -> bytearray:
    """Plain Python with every trick: all bits at once, a bytes loop, one sum, one flat test.

    A frame of cells that are never known stands for the border test: the walk is a torus of rows
    (as ``torus`` with another seam), which no border rule allows. It is the floor of the language.
    """
    valid, place, moves = bytearray(b"\1" * (SIDE * SIDE)), 128 * SIDE + 128, (1, -1, SIDE, -SIDE)
    bits = random.getrandbits(2 * STEPS).to_bytes(STEPS // 4, "little")
    for four in bits:
        for direction in (four & 3, four >> 2 & 3, four >> 4 & 3, four >> 6):
            place = (place + moves[direction]) & 65535
            valid[place] = 0
    return valid


def naive(rng: np.random.Generator) -> Mask:
    """NumPy as it is usually written: ``integers``, two ``cumsum``, a test, a scatter."""
    direction = rng.integers(0, 4, STEPS)
    y = 128 + np.cumsum(np.array([0, 0, 1, -1])[direction])
    x = 128 + np.cumsum(np.array([1, -1, 0, 0])[direction])
    inside = (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
    valid = np.ones(SHAPE_HW, dtype=np.uint8)
    valid[y[inside], x[inside]] = 0
    return valid


def ours(border: str, compiled: Any) -> Drawn:
    """Return our walk, by NumPy or compiled."""
    rule = WalkRule(border)

    def draw(rng: np.random.Generator) -> Mask:
        backend.compiled = compiled
        return random_walk(SHAPE_HW, STEPS, rng, rule)

    return draw


def loops() -> dict[str, Any]:
    """Return the ways we walk that are there; the compiled one is compiled."""
    found: dict[str, Any] = {"NumPy": None}
    if find_spec("numba") is not None:
        start = time.process_time()
        use_compiled(10**9, to_order=False)
        found["compiled"] = backend.compiled
        random_walk(SHAPE_HW, 99, rng_for(0, "mask"))
        print(f"compiled in {time.process_time() - start:.1f} s of CPU (import and compilation)")
    backend.compiled = None
    return found


def in_turns(ways: dict[str, Drawn], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Return µs of each call, by way."""
    taken: dict[str, list[int]] = {name: [] for name in ways}
    for index in range(rounds + 1):
        for name, draw in ways.items():
            rng = rng_for(0, "mask", index)
            start = time.thread_time_ns()
            draw(rng)
            taken[name].append(time.thread_time_ns() - start)
    return {name: np.array(one[1:]) / 1e3 for name, one in taken.items()}  # the first one warms


def walks(masks: int) -> None:
    """Print masks of 50,000 steps, every rule, beside the other ways."""
    print(f"\n{STEPS:,} steps on {SIDE} x {SIDE}, µs a mask: median (least)")
    command = [sys.executable, __file__, "--only", "naive"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    fresh = np.array(done.stdout.split(), dtype=float)
    keep_memory()
    found = loops()
    ways: dict[str, Drawn] = {"naive NumPy, memory kept": naive}
    for loop, compiled in found.items():
        ways |= {f"ours, {loop}, {border}": ours(border, compiled) for border in BORDERS}
    taken = in_turns(ways, masks)
    slow: dict[str, Drawn] = {
        "the seed's way": seeds_way,
        "lean loop": lean_loop,
        "leanest loop": leanest_loop,
    }
    taken = in_turns(slow, max(5, masks // 40)) | {"naive NumPy, as it runs": fresh} | taken
    lean, kept = (np.median(taken[name]) for name in ("lean loop", "naive NumPy, memory kept"))
    as_it_runs = np.median(fresh)
    print(f"{'':28}{'median':>9} {'least':>10}   masks/s   x lean   x naive: as it runs, kept")
    for name, one in taken.items():
        median = np.median(one)
        bars = {"ours, NumPy": (60, 2.5), "ours, compiled": (60, 15)}
        least = next((bar for start, bar in bars.items() if name.startswith(start)), (0, 0.0))
        ratios = lean / median, as_it_runs / median, kept / median
        verdict = ""
        if least[0]:
            passed = [ratios[0] >= least[0], ratios[1] >= least[1], ratios[2] >= least[1]]
            verdict = "".join("   pass" if one else "   FAIL" for one in passed)
        print(
            f"  {name:26}{median:9.1f} {one.min():10.1f} {1e6 / median:9.0f} {ratios[0]:8.1f} "
            f"{ratios[1]:8.1f} {ratios[2]:8.1f}{verdict}"
        )
    making = in_turns({"": lambda rng: rng_for(0, "mask", 7)}, 300)[""]
    print(f"  a generator for one mask: {np.median(making):.1f}")


def naive_alone(_: int) -> None:
    """Print the naive walk's µs in a process that does nothing else."""
    print(*in_turns({"": naive}, 100)[""])


def order(masks: int) -> None:
    """Print masks to order over the six equal buckets."""
    print(f"\nTo order, {SIDE} x {SIDE}, six equal buckets, ratios uniform in each")
    keep_memory()
    found, pixels = loops(), SIDE * SIDE
    for brush_px in (1, 5):
        for border in BORDERS:
            rule = WalkRule(border, brush_px=brush_px)
            taken: dict[str, list[int]] = {name: [] for name in found}
            worst = 0.0
            for index in range(max(60, masks // 6 * 6)):
                low, high = BUCKET_EDGES[index % 6], BUCKET_EDGES[index % 6 + 1]
                wanted = low + (high - low) * draw_below(rng_for(1, "ratio", index), 1000) / 1000
                for name, compiled in found.items():
                    backend.compiled = compiled
                    rng = rng_for(0, "mask", index)
                    start = time.thread_time_ns()
                    valid = walk_to_order(SHAPE_HW, round(wanted * pixels), rng, rule)
                    taken[name].append(time.thread_time_ns() - start)
                    worst = max(worst, abs(1 - valid.mean() - wanted))
            for name, one in taken.items():
                rate = 1e9 / float(np.mean(one))
                verdict = "pass" if rate >= 400 and worst <= 1e-4 else "FAIL"
                print(
                    f"  brush {brush_px}, {border:7} {name:8} {rate:6.0f} masks/s (mean "
                    f"{np.mean(one) / 1e3:5.0f} µs, median {np.median(one) / 1e3:5.0f}), largest "
                    f"error of the ratio {worst:.1e}   {verdict}"
                )


def clock(masks: int) -> None:
    """Print the time of one clock tick, and where the time of a mask goes."""
    keep_memory()
    found = loops()
    tick_ns = _tick_ns()
    least = STEPS * tick_ns / 1e3
    print(f"\nOne tick {tick_ns:.3f} ns; one step a tick would take {least:.1f} µs a mask")
    for name, compiled in found.items():
        for border in BORDERS:
            median = np.median(in_turns({"": ours(border, compiled)}, masks)[""])
            print(f"  {name:8} {border:7} {median / least:5.1f} ticks a step")
    rule, rng = WalkRule("clip"), rng_for(0, "mask", 5)
    walker = walkers_of(rng, rule, SHAPE_HW, 0)[0]
    made = walker.take(STEPS)
    path, holes = made.path, np.zeros(SHAPE_HW, dtype=np.uint8)
    drawing = path.visited()
    parts: dict[str, Drawn] = {
        "start": lambda rng: walkers_of(rng, rule, SHAPE_HW, 0),
        "random words": lambda rng: raw_words(rng, -(-STEPS // 32)),
        "NumPy: sums": lambda rng: type(made)(made.symbols, STEPS, made.start_yx).path,
        "NumPy: scatters": lambda rng: path.visited(),
        "NumPy: fold": lambda rng: fold_onto(
            holes, drawing, path.origin_yx, "clip", np.bitwise_or, 0
        ),
        "a new mask, turned to valid": lambda rng: valid_of(np.zeros(SHAPE_HW, np.uint8), 0),
    }
    if "compiled" in found:
        none = walker.take(0)
        parts["compiled: loop, canvas, fold"] = lambda rng: found["compiled"].draw(
            holes, made, "clip"
        )
        parts["compiled: of that, no steps"] = lambda rng: found["compiled"].draw(
            holes, none, "clip"
        )
    print("  of that, border clip:")
    for part, one in in_turns(parts, masks).items():
        median = np.median(one)
        print(f"    {part:30} {median:6.1f} µs = {median / least:5.2f} ticks a step")


def _tick_ns() -> float:
    """Return how long one of many additions takes that wait for each other."""
    if find_spec("numba") is None:
        print("  numba is not there; the tick is that of a core at 4 GHz, not measured")
        return 0.25
    import numba

    @numba.njit  # type: ignore[untyped-decorator, unused-ignore]
    def adds(count: int, key: int) -> int:
        value = key
        for _ in range(count):
            value = (value ^ key) + 1  # two that the compiler cannot make one
        return value

    adds(10, 3)
    taken = []
    for _ in range(30):
        start = time.thread_time_ns()
        adds(500_000, 3)
        taken.append(time.thread_time_ns() - start)
    return float(np.median(taken)) / 1e6


def families(masks: int) -> None:
    """Print masks of the other families, at ratios from 0.01 to 0.6."""
    print(f"\nFamilies, {SIDE} x {SIDE}, hole ratios 0.01 to 0.6")
    for family in FAMILIES:
        taken = []
        for index in range(max(24, masks // 6)):
            wanted = 656 + draw_below(rng_for(1, "ratio", index), 38_666)
            rng = rng_for(0, "mask", index)
            start = time.thread_time_ns()
            valid = family_mask(family, SHAPE_HW, wanted, rng)
            taken.append((time.thread_time_ns() - start) / 1e6)
            assert np.count_nonzero(valid == 0) == wanted
        print(
            f"  {family:15} {1e3 / np.mean(taken):6.0f} masks/s (median {np.median(taken):.2f} "
            f"ms, most {max(taken):.1f})"
        )


def bank(_: int) -> None:
    """Print what a bank of 10,000 masks costs."""
    print("\nA bank of 10,000 masks: seconds, processor seconds, bytes")
    recipes = {
        "50,000 steps": MaskRecipe(),
        "six buckets": MaskRecipe(buckets="nvidia", border="clip"),
    }
    for name, recipe in recipes.items():
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "bank"
                start, before = time.perf_counter(), _cpu_s()
                write_bank(recipe, out, workers=workers)
                wall_s, cpu_s = time.perf_counter() - start, _cpu_s() - before
                size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
            verdict = "pass" if wall_s < 15 and size < 85e6 else "FAIL"
            print(
                f"  {name:13} {workers} workers: {wall_s:5.1f} s, {cpu_s:5.1f} s, "
                f"{size / 1e6:.1f} MB   {verdict if not recipe.to_order else ''}"
            )


def _cpu_s() -> float:
    """Return processor seconds of this process and those it has waited for."""
    times = os.times()
    return float(times.user + times.system + times.children_user + times.children_system)


def main() -> None:
    """Run what was asked for."""
    parts = {"walks": walks, "order": order, "clock": clock, "families": families, "bank": bank}
    alone = {"naive": naive_alone}  # what `walks` runs in a fresh process
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--masks", type=int, default=300)
    parser.add_argument("--only", choices=[*parts, *alone])
    chosen = parser.parse_args()
    for name, part in (parts | alone).items():
        if chosen.only == name or (chosen.only is None and name in parts):
            part(chosen.masks)
            backend.compiled = None
            sys.stdout.flush()


if __name__ == "__main__":
    main()
