"""Measure the search for leaks: crops that are found, pairs that are wrongly called, seconds.

    python benchmarks/leaks.py PICTURES [--crops 2] [--time 400]

Crops are planted in a pretended test split whose training split is the folder. Every pair that is
called among the pictures themselves is listed: look at it before you call it wrong.
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from dunhuang_data.leaks import LeakReport, View, find_leaks, view_of
from dunhuang_data.pictures import find_pictures, read_picture
from dunhuang_data.plan import Patches, PatchPlan
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.rng import draw_unit, rng_for
from dunhuang_data.types import Augmentation, PatchSpec, Picture, Split, UInt8Array

# side px, resized, turned deg, mirrored, JPEG quality
CASES = (
    (96, 1.0, 0, False, 90), (128, 1.0, 0, False, 90), (192, 1.0, 0, False, 90),
    (256, 1.0, 0, False, 90), (400, 1.0, 0, False, 90),
    (256, 0.5, 0, False, 75), (256, 2.0, 0, False, 75), (256, 1.0, 0, True, 75),
    (256, 1.0, 90, False, 30), (256, 0.7, 37, True, 50), (400, 0.5, 37, True, 50),
)  # fmt: skip


def crop(
    pixels: UInt8Array, case: tuple[int, float, int, bool, int], rng: np.random.Generator
) -> UInt8Array | None:
    """Cut, turn, resize, mirror and compress a square; None if it does not fit."""
    side, resized, angle_deg, mirrored, quality = case
    height, width = pixels.shape[:2]
    reach = side * (0.71 if angle_deg % 90 else 0.5)
    if 2 * reach > min(height, width):
        return None
    y = reach + draw_unit(rng) * (height - 2 * reach)
    x = reach + draw_unit(rng) * (width - 2 * reach)
    size = int(side * resized)
    matrix = cv2.getRotationMatrix2D((x, y), angle_deg, resized)
    matrix[:, 2] += [size / 2 - x, size / 2 - y]
    smooth = cv2.GaussianBlur(pixels, (0, 0), 0.5 / resized) if resized < 1 else pixels
    cut = cv2.warpAffine(smooth, matrix, (size, size), flags=cv2.INTER_CUBIC)
    cut = cut[:, ::-1] if mirrored else cut
    data = cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def search(shown: list[tuple[str, Split, View]]) -> tuple[LeakReport, float]:
    """Look for leaks between views as if they were a plan; return the report and the seconds."""
    views = {name: view for name, _, view in shown}
    pictures = tuple(Picture(name, name, 1, 1, name) for name in views)
    patches = Patches.listed(
        PatchSpec(n, name, (0, 0), split, Augmentation(), 0.0)
        for n, (name, split, _) in enumerate(shown)
    )
    plan = PatchPlan(PlanRecipe(patch_size=1), Path(), pictures, patches)
    started = time.perf_counter()
    report = find_leaks(plan, lambda picture: iter([views[picture.id]]))
    return report, time.perf_counter() - started


def noise(number: int) -> View:
    """Return a picture of nothing, as full of points as a picture can be."""
    rng = np.random.default_rng(number)
    layers = [
        cv2.GaussianBlur(rng.normal(size=(860, 1160)), (0, 0), sigma) * sigma
        for sigma in (1.5, 4, 12, 40)
    ]
    total = np.sum(layers, axis=0)
    return View(np.clip(128 + 40 * total / total.std(), 0, 255).astype(np.uint8), 1.0)


def table_of_crops(shown: list[tuple[str, Split, View]], folder: Path, crops: int) -> None:
    """Plant crops of every picture, one case at a time; print how many are found."""
    print("side  resized  turned  mirrored  JPEG   found  wrong  seconds")
    found_pictures, _ = find_pictures([folder])
    for case in CASES:
        planted: list[tuple[str, Split, View]] = []
        for one in found_pictures:
            pixels = read_picture(one.path)
            for n in range(crops):
                cut = crop(pixels, case, rng_for(n, "crop", one.id, *map(str, case)))
                if cut is not None:
                    planted.append((f"{one.id} crop {n}", "test", view_of(cut)))
        report, seconds = search(shown + planted)
        called = {leak.ids for leak in report.leaks}
        own = {(name.rpartition(" crop ")[0], name) for name, _, _ in planted}
        side, resized, angle_deg, mirrored, quality = case
        print(
            f"{side:4} {resized:8} {angle_deg:7} {mirrored!s:>9} {quality:5} "
            f"{len(own & called):4}/{len(own):<4} {len(called - own):3} {seconds:8.1f}",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("pictures", type=Path)
    arguments.add_argument("--crops", type=int, default=2, help="planted per picture and case")
    arguments.add_argument("--time", type=int, default=0, help="also time this many pictures")
    options = arguments.parse_args()
    if not options.pictures.is_dir():
        sys.exit(f"{options.pictures} is not there, so there is nothing to measure.")
    found, _ = find_pictures([options.pictures])
    views = [view_of(read_picture(one.path)) for one in found]
    calls: set[str] = set()
    # every pair is once across splits when the pictures are parted by each bit of their number
    for bit in range(len(found).bit_length()):
        parted: list[tuple[str, Split, View]] = [
            (one.id, "test" if number >> bit & 1 else "train", view)
            for number, (one, view) in enumerate(zip(found, views, strict=True))
        ]
        calls |= {
            f"  {leak.kind}: {' and '.join(sorted(leak.ids))}: {leak.evidence}"
            for leak in search(parted)[0].leaks
        }
    print(f"{len(found)} pictures, {len(found) * (len(found) - 1) // 2} pairs; called:")
    print("\n".join(sorted(calls)) or "  none")
    table_of_crops([(o.id, "train", v) for o, v in zip(found, views, strict=True)],
                   options.pictures, options.crops)  # fmt: skip
    if options.time:
        many: list[tuple[str, Split, View]] = [
            (str(n), "test" if n % 5 == 0 else "train", noise(n)) for n in range(options.time)
        ]
        report, seconds = search(many)
        print(f"{options.time} pictures of 1 Mpx: {seconds:.0f} s; {report.sentence()}")


if __name__ == "__main__":
    main()
