"""Scores by bucket of hole ratio and of depth, with intervals that respect the pictures.

A mean over all samples hides that thick holes are harder than thin ones. And patches of one picture
are alike, so a hundred of them say less than a hundred pictures: intervals are drawn by picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.mask_recipe import BUCKET_EDGES
from dunhuang_data.rng import raw_words, rng_for

RATIO_EDGES = BUCKET_EDGES
DEPTH_EDGES_PX = (0.0, 1.5, 2.0, 3.0, 5.0, float("inf"))
ALL_RATIO_EDGES = (float("-inf"), 0.0, *RATIO_EDGES, float("inf"))
"""And what lies outside of them: no hole, too few holes, too many. Every ratio is in a bucket."""
ALL_DEPTH_EDGES_PX = (float("-inf"), *DEPTH_EDGES_PX)
DRAWS = 2000
LEVEL = 0.95
BLOCK = 2**20  # pictures that are drawn at a time

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it lies, with a probability of 95 %.

    Attributes
    ----------
    mean, low, high : float
        NaN where nothing was counted; ``low`` and ``high`` also where it is all of one picture.
    samples, pictures : int
        That it is a mean over.
    infinite : int
        Samples that were left out because their value is infinite, such as a PSNR without error.
    """

    mean: float
    low: float
    high: float
    samples: int
    pictures: int
    infinite: int = 0


def bucket_of(values: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    """Return the bucket of each value, (N,) int64; −1 outside of all.

    The upper edge of a bucket is in it, as with `BUCKET_EDGES`; the lowest edge is in none.
    """
    bucket = np.searchsorted(np.asarray(edges), values, side="left") - 1
    return np.where((bucket >= 0) & (bucket < len(edges) - 1), bucket, -1)


def bucket_names(edges: Sequence[float], unit: str = "") -> list[str]:
    """Return what the buckets are called: ``"0.1 … 0.2"``, ``"above 5 px"``, ``"no hole"``."""
    names = []
    for low, high in pairwise(edges):
        if low == float("-inf"):
            names.append("no hole")
        elif high == float("inf"):
            names.append(f"above {low:g}{unit}")
        elif low == 0:
            names.append(f"up to {high:g}{unit}")
        else:
            names.append(f"{low:g} … {high:g}{unit}")
    return names


def drawn_means(
    values: Floats, pictures: Sequence[str], seed: int = 0, draws: int = DRAWS
) -> tuple[list[Interval], Floats]:
    """Return the means over samples of several columns, their intervals, and the draws themselves.

    Parameters
    ----------
    values : (N, C) float64
        A row per sample. NaN = the sample has no such score, and is left out of that column; so is
        what is infinite, and counted.
    pictures : sequence of N str
        Where each sample is cut from.
    seed : int
        The draws depend on it, and on the number of pictures, alone. Two columns with the same
        pictures share theirs.
    draws : int

    Returns
    -------
    intervals : list of C Interval
    means : (draws, C) float64
        The mean of each draw, of which the interval is made. NaN where there is no interval.

    Notes
    -----
    The percentile bootstrap over clusters (Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, section 3.8): as many pictures as there are, drawn with replacement, and the
    mean over all samples of those drawn. A draw is a row of how often each picture was drawn, so
    that all columns are one product of matrices.
    """
    there = np.isfinite(values)
    names, owner = np.unique(np.asarray(pictures), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    sizes = np.zeros_like(sums)
    np.add.at(sums, owner, np.where(there, values, 0.0))
    np.add.at(sizes, owner, there)
    counted = (sizes > 0).sum(axis=0)
    means = np.full((draws, values.shape[1]), np.nan)
    for count in np.unique(counted[counted > 1]):
        columns = np.flatnonzero(counted == count)
        has = [np.flatnonzero(sizes[:, column]) for column in columns]
        own_sums = np.stack([sums[rows, column] for rows, column in zip(has, columns, strict=True)])
        own_sizes = np.stack(
            [sizes[rows, column] for rows, column in zip(has, columns, strict=True)]
        )
        first = 0
        for times in _times_drawn(seed, int(count), draws):
            part = (times @ own_sums.T) / (times @ own_sizes.T)
            means[first : first + len(part), columns] = part
            first += len(part)
    return [
        _interval(values[:, column], there[:, column], int(counted[column]), means[:, column])
        for column in range(values.shape[1])
    ], means


def _times_drawn(seed: int, count: int, draws: int) -> Iterator[Floats]:
    """Yield how often each picture is drawn, (some draws, count) float64, some draws at a time."""
    rng = rng_for(seed, "bootstrap", count)
    at_once = max(1, BLOCK // count)
    for first in range(0, draws, at_once):
        rows = min(at_once, draws - first)
        words = raw_words(rng, rows * count)
        drawn = ((words >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
        places = drawn.reshape(rows, count) + np.arange(rows)[:, None] * count
        times = np.bincount(places.ravel(), minlength=rows * count).reshape(rows, count)
        yield times.astype(np.float64)


def _interval(values: Floats, there: Bools, pictures: int, means: Floats) -> Interval:
    samples, infinite = int(there.sum()), int(np.isinf(values).sum())
    nan = float("nan")
    if samples == 0:
        return Interval(nan, nan, nan, 0, 0, infinite)
    mean = float(values[there].mean())
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high), samples, pictures, infinite)


def mean_by_picture(
    values: Floats, pictures: Sequence[str], seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Return the mean over samples, with a bootstrap interval that draws whole pictures.

    See `drawn_means`; this is one column of it, ``values`` (N,) float64.
    """
    return drawn_means(values[:, None], pictures, seed, draws)[0][0]


def by_bucket(
    values: Floats,
    measure: Floats,
    edges: Sequence[float],
    pictures: Sequence[str],
    seed: int = 0,
) -> list[Interval]:
    """Return the mean of each bucket of some measure of the samples, such as their hole ratio."""
    bucket, owners = bucket_of(measure, edges), np.asarray(pictures)
    return [
        mean_by_picture(values[bucket == one], owners[bucket == one].tolist(), seed)
        for one in range(len(edges) - 1)
    ]


def not_better(
    ours: Floats, theirs: Floats, measure: Floats, edges: Sequence[float], pictures: Sequence[str]
) -> list[int]:
    """Return the buckets in which the mean of some errors is not below that of others.

    Samples that lack either error are left out, and so are buckets without samples.
    """
    paired = by_bucket(ours - theirs, measure, edges, pictures)
    return [place for place, one in enumerate(paired) if one.samples and not one.mean < 0]


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of the samples: a bucket, with or without border contact.

    Attributes
    ----------
    measure : {"hole ratio", "depth"}
        What samples are put into buckets by.
    bucket : str
        Its name; ``"all"`` = of any ratio or depth.
    border : {"all", "touching", "not touching"}
        Whether their holes touch the border.
    above, up_to : float
        The bucket's edges; the upper one is in it.
    """

    measure: str
    bucket: str
    border: str
    above: float = float("-inf")
    up_to: float = float("inf")

    def words(self) -> str:
        """Return what it is called in a sentence."""
        bucket = f"{self.measure} {self.bucket}" if self.bucket != "all" else ""
        if self.bucket == "no hole":
            bucket = "no hole"
        border = "" if self.border == "all" else f"holes {self.border} the border"
        return ", ".join(filter(None, (bucket, border))) or "all samples"


def cells(hole_ratio: Floats, depth_px: Floats, touches_border: Bools) -> list[tuple[Cell, Bools]]:
    """Return every cell and which of N samples are in it, (N,) bool, also where there is none.

    All samples and each bucket of hole ratio stand three times: with any holes, with those that
    touch the border, and with those that do not. Buckets of depth stand once. Of each measure, a
    sample is in just one bucket.
    """
    every = np.ones(len(hole_ratio), dtype=bool)
    borders = (("all", every), ("touching", touches_border), ("not touching", ~touches_border))
    found = [(Cell("hole ratio", "all", border), where) for border, where in borders]
    bucket = bucket_of(hole_ratio, ALL_RATIO_EDGES)
    for place, (name, edges) in enumerate(_named(ALL_RATIO_EDGES)):
        found += [
            (Cell("hole ratio", name, border, *edges), where & (bucket == place))
            for border, where in borders
        ]
    bucket = bucket_of(depth_px, ALL_DEPTH_EDGES_PX)
    for place, (name, edges) in enumerate(_named(ALL_DEPTH_EDGES_PX, " px")):
        found.append((Cell("depth", name, "all", *edges), bucket == place))
    return found


def _named(edges: Sequence[float], unit: str = "") -> list[tuple[str, tuple[float, float]]]:
    return list(zip(bucket_names(edges, unit), pairwise(edges), strict=True))
