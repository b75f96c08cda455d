"""What `benchmarks.quality` prints: scores by bucket, with intervals, and the bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.atomic import write_text
from dunhuang_data.documents import csv_text
from dunhuang_trainer.buckets import (
    DEPTH_EDGES_PX,
    RATIO_EDGES,
    Interval,
    bucket_names,
    by_bucket,
    mean_by_picture,
    not_better,
)
from dunhuang_trainer.metrics import psnr_from_mse

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """A method's scores on the test samples.

    Attributes
    ----------
    method : str
    mse : (N,) float64
        In the holes of each sample, on 0 … 255.
    ssim : (N,) float64
        Mean over the windows centred on a hole pixel; NaN if there is none.
    ms : float
        CPU time of filling one patch.
    """

    method: str
    mse: Floats
    ssim: Floats
    ms: float


@dataclass(frozen=True, slots=True)
class Test:
    """What is known of the test samples.

    Attributes
    ----------
    pictures : list of str
        Where each is cut from.
    hole_ratio, depth_px : (N,) float64
    """

    pictures: list[str]
    hole_ratio: Floats
    depth_px: Floats

    def measures(self) -> list[tuple[str, Floats, list[str], Sequence[float]]]:
        """Return what samples are put into buckets by: name, values, bucket names, edges."""
        ratios, depths = bucket_names(RATIO_EDGES), bucket_names(DEPTH_EDGES_PX, " px")
        return [
            ("hole ratio", self.hole_ratio, ratios, RATIO_EDGES),
            ("depth", self.depth_px, depths, DEPTH_EDGES_PX),
        ]


def print_tables(scored: Sequence[Scored], test: Test) -> None:
    """Print hole MSE, PSNR and SSIM of every method, over all and by bucket, as Markdown."""
    for title, values, shown in _kinds():
        for name, measure, buckets, edges in test.measures():
            rows = {
                one.method: [
                    mean_by_picture(values(one), test.pictures),
                    *by_bucket(values(one), measure, edges, test.pictures),
                ]
                for one in scored
            }
            _print_table(f"{title}, by {name}", ["all", *buckets], rows, shown)


def _kinds() -> list[tuple[str, Callable[[Scored], Floats], Callable[[Interval], str]]]:
    def mse(one: Interval) -> str:
        return f"{one.mean:.0f} ({one.low:.0f} … {one.high:.0f})"

    def psnr(one: Interval) -> str:
        mean, high, low = (psnr_from_mse(value) for value in (one.mean, one.low, one.high))
        return f"{mean:.2f} ({low:.2f} … {high:.2f})"

    def ssim(one: Interval) -> str:
        return f"{one.mean:.3f} ({one.low:.3f} … {one.high:.3f})"

    return [
        ("hole MSE", lambda one: one.mse, mse),
        ("PSNR of that MSE, dB", lambda one: one.mse, psnr),
        ("SSIM at hole pixels", lambda one: one.ssim, ssim),
    ]


def _print_table(
    title: str,
    columns: list[str],
    rows: dict[str, list[Interval]],
    shown: Callable[[Interval], str],
) -> None:
    counts = next(iter(rows.values()))
    there = [place for place, one in enumerate(counts) if one.samples]
    print(f"\n| {title} | " + " | ".join(columns[place] for place in there) + " |")
    print("|---" * (len(there) + 1) + "|")
    counted = [f"{counts[place].samples} of {counts[place].pictures}" for place in there]
    print("| *patches of pictures* | " + " | ".join(counted) + " |")
    for method, intervals in rows.items():
        print(f"| {method} | " + " | ".join(shown(intervals[place]) for place in there) + " |")


def print_bars(scored: Sequence[Scored], test: Test, ours: str, others: Sequence[str]) -> None:
    """Print whether a method's hole MSE is below that of others in every bucket, and by how much.

    The differences are of the same samples, and so are their intervals.
    """
    named = {one.method: one for one in scored}
    print(f"\n{ours}, against")
    for other in others:
        lost = []
        for name, measure, buckets, edges in test.measures():
            places = not_better(named[ours].mse, named[other].mse, measure, edges, test.pictures)
            lost += [f"{name} {buckets[place]}" for place in places]
        difference = mean_by_picture(named[ours].mse - named[other].mse, test.pictures)
        share = difference.mean / named[other].mse.mean()
        print(
            f"  {other:22s} {difference.mean:+7.1f} "
            f"({difference.low:+.1f} … {difference.high:+.1f}), {share:+.1%}; "
            + (f"not better in {', '.join(lost)}" if lost else "better in every bucket")
        )


def write_scores(scored: Sequence[Scored], test: Test, path: Path) -> None:
    """Write one CSV row per method and sample."""
    rows = [
        [one.method, row, picture, ratio, depth, mse, ssim]
        for one in scored
        for row, (picture, ratio, depth, mse, ssim) in enumerate(
            zip(test.pictures, test.hole_ratio, test.depth_px, one.mse, one.ssim, strict=True)
        )
    ]
    columns = ("method", "row", "picture", "hole_ratio", "depth_px", "mse_hole", "ssim_hole")
    write_text(path, csv_text(columns, rows))
