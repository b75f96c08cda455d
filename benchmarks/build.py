"""Where the time of a build goes: 10,000 patches from 400 pictures of 800 x 700, beside the seed's.

    python -m benchmarks.build --work DIR [--pictures 400] [--per-picture 25] [--codec none]

The pictures are parts of photographs, JPEG; patches of 256 px are flipped (half of them) and turned
(half of them, up to 30 degrees), as in the seed. Whole builds run as processes of their own, start
and end included; where the time goes is told by the profiler from one more build in this process,
by what each function spent itself. Times in the table are a little longer for being watched, and
what other threads do shows as waiting.
"""

import argparse
import contextlib
import cProfile
import io
import os
import pstats
import resource
import shutil
import statistics
import time
from pathlib import Path

import cv2

from benchmarks.machine import installed, print_machine, verdict
from benchmarks.real_patches import PICTURES, photographs, run_command
from dunhuang_data.pictures import find_pictures, read_picture
from dunhuang_data.rng import draw_below, draw_unit, rng_for

HEIGHT, WIDTH, SIZE, QUALITY = 700, 800, 256, 95
WHERE = {  # the first that a function's file and name contain
    "fsync": ("fsync",),
    "warping": ("warpAffine", "remap", "GaussianBlur", "copyMakeBorder", "render.py"),
    "packing": ("packbits", "unpackbits", "polarity.py", "buffers.py"),
    "hashing (SHA-256, CRC-32C)": ("hashlib", "HASH", "sha256", "crc32c"),
    "opening and decoding pictures": ("pyvips", "_cffi", "/pictures/", "replay.py", "libvips"),
    "masks": ("mask_bank", "mask_recipe"),
    "plan": ("/plan/", "csv", "splits.py"),
    "containers (zarr, h5py)": ("/zarr/", "h5py", "numcodecs", "asyncio", "format_", "codec"),
    "waiting for threads or processes": ("acquire", "select", "poll", "wait"),
    "writing and renaming": (
        "write", "BufferedWriter", "posix.replace", "posix.rename", "posix.open", "io.open",
        "atomic.py",
    ),
    "reading": ("readinto", "posix.read", "'read'", "fromfile"),
    "imports": ("importlib", "marshal", "exec", "compile", "_imp"),
    "copies and arrays": ("numpy", "copy", "ndarray", "bytes", "shard_jobs.py", "shards.py"),
}  # fmt: skip


def make_pictures(sources: tuple[Path, ...], folder: Path, count: int) -> Path:
    """Write pictures of 800 x 700: parts of photographs at a random place and scale."""
    if (folder / f"{count - 1:03d}.jpg").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    whole = [read_picture(one.path) for one in find_pictures(list(sources))[0]]
    for number in range(count):
        rng = rng_for(0, "crop", number)
        pixels = whole[number % len(whole)]
        least = max(HEIGHT / pixels.shape[0], WIDTH / pixels.shape[1])
        scale = max(least * (1 + 0.3 * draw_unit(rng)), 0.5)
        resized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = (
            draw_below(rng, side - wanted + 1)
            for side, wanted in zip(resized.shape[:2], (HEIGHT, WIDTH), strict=True)
        )
        part = resized[top : top + HEIGHT, left : left + WIDTH, ::-1]
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), part, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return folder


def build_words(work: Path, out: Path, options: argparse.Namespace, workers: int) -> list[str]:
    """Return the command line of a build."""
    words = ["build", "-o", out, "--plan", work / "plan", "--masks", work / "masks", "--overwrite"]
    words += ["--workers", workers, "--format", options.format]
    if options.codec != "none":
        words += ["--codec", options.codec]
    return [str(word) for word in words]


def whole_builds(work: Path, options: argparse.Namespace, samples: int) -> None:
    """Print the seconds of whole builds with 1 and 2 workers."""
    print("\nWhole builds, in processes of their own: seconds (median), CPU, µs a patch")
    best = float("inf")
    for workers in (1, 2):
        seconds, cpu = [], []
        for _ in range(options.rounds):
            shutil.rmtree(work / "shards", ignore_errors=True)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(run_command(*build_words(work, work / "shards", options, workers)))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        middle = statistics.median(seconds)
        best = min(best, middle)
        print(
            f"  {workers} workers: {middle:6.1f} s   CPU {statistics.median(cpu):6.1f} s   "
            f"{middle / samples * 1e6:7.0f} µs a patch (wall)"
        )
    stored = sum(path.stat().st_size for path in (work / "shards").rglob("*") if path.is_file())
    print(f"  written: {stored / 1e6:,.0f} MB, {stored / samples:,.0f} bytes a patch")
    verdict(f"60 s: {best * 10_000 / samples:.1f} s for 10,000 patches", best * 1e4 / samples / 60,
            most=1)  # fmt: skip


def group_of(function: tuple[str, int, str]) -> str:
    """Return what a profiled function is part of."""
    text = f"{function[0]}:{function[2]}"
    for name, parts in WHERE.items():
        if any(part in text for part in parts):
            return name
    return "other"


def where_time_goes(work: Path, options: argparse.Namespace, samples: int) -> None:
    """Print what a build with one worker spends, by group of functions."""
    from dunhuang_cli.data import dunhuang_data

    shutil.rmtree(work / "shards", ignore_errors=True)
    profiler = cProfile.Profile()
    words = build_words(work, work / "shards", options, 1)
    before, started = os.times(), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        profiler.runcall(dunhuang_data.main, words, "dunhuang-data", standalone_mode=False)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.user + after.system - before.user - before.system
    groups: dict[str, float] = {}
    rest: list[tuple[float, str]] = []
    for function, numbers in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        own = numbers[2]
        group = group_of(function)
        groups[group] = groups.get(group, 0.0) + own
        rest.append((own, f"{Path(function[0]).name}:{function[1]} {function[2]} ({group})"))
    print(f"\nWhere one worker's time goes (watched: {wall:.1f} s, CPU {cpu:.1f} s): µs a patch")
    for name, spent in sorted(groups.items(), key=lambda item: -item[1]):
        print(f"  {name:34}{spent / samples * 1e6:8.0f}{spent / wall:8.1%}")
    print("  the longest functions by themselves:")
    for own, name in sorted(rest, reverse=True)[:12]:
        print(f"    {own / samples * 1e6:8.0f}  {name}")


def seed_like(work: Path, count: int) -> float:
    """Write patches the way of Pillow and loops, one JPEG each; return seconds a patch.

    A picture is opened once; a patch is cut, mirrored, turned, masked pixel by pixel, and saved
    beside its target: what a first script does.
    """
    from importlib import import_module

    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.plan import read_plan

    pillow = import_module("PIL.Image")
    plan, bank, out = read_plan(work / "plan"), open_bank(work / "masks"), work / "seed-like"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    files = {picture.id: plan.pictures_root / picture.file for picture in plan.pictures}
    started, opened = time.perf_counter(), ""
    for patch, _ in zip(plan.patches, range(count), strict=False):
        if patch.picture_id != opened:
            picture, opened = pillow.open(files[patch.picture_id]).convert("RGB"), patch.picture_id
        top, left = (center - SIZE // 2 for center in patch.center_yx)
        target = picture.crop((left, top, left + SIZE, top + SIZE))
        if patch.augmentation.flip:
            target = target.transpose(pillow.Transpose.FLIP_LEFT_RIGHT)
        if patch.augmentation.angle_deg:
            target = target.rotate(patch.augmentation.angle_deg, pillow.Resampling.BICUBIC)
        masked, valid = target.copy(), bank.read(patch.index).tolist()
        pixels = masked.load()
        for y in range(SIZE):
            for x in range(SIZE):
                if not valid[y][x]:
                    pixels[x, y] = (0, 0, 0)
        target.save(out / f"{patch.index:05d}.jpg", quality=QUALITY)
        masked.save(out / f"{patch.index:05d}-masked.jpg", quality=QUALITY)
    return (time.perf_counter() - started) / count


def main() -> None:
    """Make what is needed, once, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--per-picture", type=int, default=25)
    parser.add_argument("--format", default="zarr")
    parser.add_argument("--codec", default="none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photographs", type=Path, default=PICTURES)
    options = parser.parse_args()
    samples = options.pictures * options.per_picture
    work = options.work / f"build-{options.pictures}-{options.per_picture}"
    work.mkdir(parents=True, exist_ok=True)
    pictures = make_pictures(
        photographs(options.photographs, work), work / "pictures", options.pictures
    )
    if not (work / "plan" / "plan.json").is_file():
        run_command("sample-patches", pictures, "-o", work / "plan", "--per-picture",
                    options.per_picture, "--flip", 0.5, "--turn", 0.5, "--max-angle", 30,
                    "--split", "1,0,0")  # fmt: skip
    if not (work / "masks" / "bank.json").is_file():
        run_command("make-masks", "-o", work / "masks", "--count", samples)
    print_machine()
    print(f"{samples:,} patches of {SIZE} px from {options.pictures} JPEG of {WIDTH} x {HEIGHT}")
    whole_builds(work, options, samples)
    where_time_goes(work, options, samples)
    if installed("PIL"):
        seed = seed_like(work, 200)
        print(f"\nThe seed's way, 200 patches: {seed * 1e6:,.0f} µs each; {samples:,} would take "
              f"{seed * samples:.0f} s")  # fmt: skip
    else:
        print("\nThe seed's way: Pillow is not installed")


if __name__ == "__main__":
    main()
