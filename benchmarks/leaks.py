"""Measure the search for leaks: crops that are found, pairs that are wrongly called, seconds.

    python benchmarks/leaks.py PICTURES [--crops 2] [--time 400]

Crops are planted in a pretended test split whose training split is the folder. Every pair that is
called among the pictures themselves is listed: look at it before you call it wrong.
"""

import argparse
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


Shown = list[tuple[str, Split, View]]
Pairs = set[frozenset[str]]


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


def search(shown: Shown) -> tuple[LeakReport, float]:
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


def table_of_pairs(names: list[str], views: list[View]) -> Pairs:
    """Compare all with all, print what is called, return the pairs."""
    calls: dict[frozenset[str], str] = {}
    # every two numbers differ in some bit: parted by each bit in turn, every pair is compared
    for bit in range(len(names).bit_length()):
        parted: Shown = [
            (name, "test" if number >> bit & 1 else "train", view)
            for number, (name, view) in enumerate(zip(names, views, strict=True))
        ]
        calls |= {frozenset(leak.ids): str(leak) for leak in search(parted)[0].leaks}
    print(f"{len(names)} pictures, {len(names) * (len(names) - 1) // 2} pairs; called:")
    print("\n".join(f"  {text}" for text in calls.values()) or "  none", flush=True)
    return set(calls)


def table_of_crops(shown: Shown, folder: Path, crops: int, known: Pairs) -> None:
    """Plant crops of every picture, one case at a time; print how many are found.

    A crop that is found in the partner of a pair that was called itself is not counted as wrong.
    """
    print("side  resized  turned  mirrored  JPEG     found  wrong  seconds")
    for case in CASES:
        planted: Shown = []
        for one in find_pictures([folder])[0]:
            pixels = read_picture(one.path)
            for n in range(crops):
                cut = crop(pixels, case, rng_for(n, "crop", one.id, *map(str, case)))
                if cut is not None:
                    planted.append((f"{one.id} crop {n}", "test", view_of(cut)))
        report, seconds = search(shown + planted)
        called = {leak.ids for leak in report.leaks}
        source = {name: name.rpartition(" crop ")[0] for name, _, _ in planted}
        found = sum((source[name], name) in called for name in source)
        wrong = [
            pair for pair in called
            if pair[0] != source[pair[1]] and frozenset({pair[0], source[pair[1]]}) not in known
        ]  # fmt: skip
        side, resized, angle_deg, mirrored, quality = case
        print(
            f"{side:4} {resized:8} {angle_deg:7} {mirrored!s:>9} {quality:5} "
            f"{found:5}/{len(source):<5} {len(wrong):4} {seconds:8.1f}",
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
        print(f"{options.pictures} is not there, so there is nothing to measure.")
        return
    found, _ = find_pictures([options.pictures])
    names = [one.id for one in found]
    views = [view_of(read_picture(one.path)) for one in found]
    known = table_of_pairs(names, views)
    training: Shown = [(name, "train", view) for name, view in zip(names, views, strict=True)]
    table_of_crops(training, options.pictures, options.crops, known)
    if options.time:
        many: Shown = [
            (str(n), "test" if n % 5 == 0 else "train", noise(n)) for n in range(options.time)
        ]
        report, seconds = search(many)
        print(f"{options.time} pictures of 1 Mpx: {seconds:.0f} s; {report.sentence()}")


if __name__ == "__main__":
    main()
