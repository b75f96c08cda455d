"""Scores by bucket of hole ratio and of depth, with intervals that respect the pictures.

A mean over all samples hides that thick holes are harder than thin ones. And patches of one picture
are alike, so a hundred of them say less than a hundred pictures: intervals are drawn by picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.mask_recipe import BUCKET_EDGES
from dunhuang_data.rng import raw_words, rng_for

RATIO_EDGES = BUCKET_EDGES
DEPTH_EDGES_PX = (0.0, 1.5, 2.0, 3.0, 5.0, float("inf"))
DRAWS = 2000
LEVEL = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it lies, with a probability of 95 %.

    Attributes
    ----------
    mean, low, high : float
        NaN where nothing was counted; ``low`` and ``high`` also where it is all of one picture.
    samples, pictures : int
        That it is a mean over.
    """

    mean: float
    low: float
    high: float
    samples: int
    pictures: int


def bucket_of(values: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    """Return the bucket of each value, (N,) int64; −1 outside of all.

    The upper edge of a bucket is in it, as with `BUCKET_EDGES`; the lowest edge is in none.
    """
    bucket = np.searchsorted(np.asarray(edges), values, side="left") - 1
    return np.where((bucket >= 0) & (bucket < len(edges) - 1), bucket, -1)


def bucket_names(edges: Sequence[float], unit: str = "") -> list[str]:
    """Return what the buckets are called: ``"0.1 … 0.2"``, ``"above 5 px"``."""
    names = []
    for low, high in pairwise(edges):
        if high == float("inf"):
            names.append(f"above {low:g}{unit}")
        elif low == 0:
            names.append(f"up to {high:g}{unit}")
        else:
            names.append(f"{low:g} … {high:g}{unit}")
    return names


def mean_by_picture(
    values: Floats, pictures: Sequence[str], seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Return the mean over samples, with a bootstrap interval that draws whole pictures.

    Parameters
    ----------
    values : (N,) float64
        One per sample. NaN = the sample has no such score, and is left out.
    pictures : sequence of N str
        Where each sample is cut from.
    seed : int
        The draws depend on it, and on the number of pictures, alone.
    draws : int

    Notes
    -----
    The percentile bootstrap over clusters (Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, section 3.8): as many pictures as there are, drawn with replacement, and the
    mean over all samples of those drawn.
    """
    there = np.isfinite(values)
    names, owner = np.unique(np.asarray(pictures)[there], return_inverse=True)
    kept, count = values[there], len(names)
    if count == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0, 0)
    sums, sizes = np.bincount(owner, kept), np.bincount(owner)
    mean = float(kept.mean())
    if count == 1:
        return Interval(mean, float("nan"), float("nan"), len(kept), 1)
    words = raw_words(rng_for(seed, "bootstrap", count), draws * count)
    drawn = ((words >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
    drawn = drawn.reshape(draws, count)
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high), len(kept), count)


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
