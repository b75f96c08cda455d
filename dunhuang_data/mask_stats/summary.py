"""The statistics of a set of masks: one row for each mask, and the numbers that sum them up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.mask_stats.records import BUCKETS, STATISTICS, bucket_of

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SUMMARIES = ("mean", "sd", *(f"p{round(100 * q)}" for q in QUANTILES))
COUNTS = ("count", "all_known", "all_hole", "touching_border", "duplicates")
RATIO_BINS = 40  # of the histogram of hole ratio, over [0, 1]


@dataclass(frozen=True, slots=True)
class MaskStats:
    """Statistics of a set of masks.

    Attributes
    ----------
    table : (N,) structured
        One `dunhuang_data.mask_stats.records.RECORD` for each mask. Depth and radius are infinite
        without known pixels; what is divided by the hole pixels is NaN without holes.
    areas_px, area_counts : (A,) int64
        The areas that connected holes have, ascending, and how many of the set have each.
    shape_hw : tuple of int, optional
        Height and width of every mask; None where sizes differ.
    hole_frequency : (H, W) float64, optional
        Share of the masks that have a hole at each pixel; None where sizes differ, or there are
        too many sets to keep one for each.
    """

    table: NDArray[np.void]
    areas_px: NDArray[np.int64]
    area_counts: NDArray[np.int64]
    shape_hw: tuple[int, ...] | None
    hole_frequency: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one statistic of every mask, (N,) float64."""
        return np.asarray(self.table[name], dtype=np.float64)

    @property
    def hole_ratio(self) -> NDArray[np.float64]:
        """``1 − valid.mean()`` of every mask, (N,)."""
        return self.column("hole_ratio")

    @property
    def depth_px(self) -> NDArray[np.float64]:
        """Mean distance of a hole pixel to the nearest known one, (N,).

        0 without holes, infinite without known pixels. Ratio is not difficulty; this is closer.
        """
        return self.column("depth_px")

    @property
    def radius_px(self) -> NDArray[np.float64]:
        """The largest such distance, (N,)."""
        return self.column("radius_px")

    @property
    def holes(self) -> NDArray[np.int64]:
        """Connected holes, (N,)."""
        return np.asarray(self.table["holes"], dtype=np.int64)

    @property
    def touches_border(self) -> NDArray[np.bool_]:
        """Whether a hole touches the picture's border, (N,)."""
        return np.asarray(self.table["sides"] > 0)

    def counts(self) -> dict[str, int]:
        """Return the `COUNTS` of the set; a duplicate is a mask that an earlier one equals."""
        ratio = self.hole_ratio
        return {
            "count": len(self),
            "all_known": int((ratio == 0).sum()),
            "all_hole": int((ratio == 1).sum()),
            "touching_border": int(self.touches_border.sum()),
            "duplicates": len(self) - len(np.unique(self.table["hash"])),
        }

    def buckets(self) -> list[dict[str, Any]]:
        """Return, for each bucket, masks, share of the set, and median depth and radius in it."""
        place = bucket_of(self.hole_ratio)
        return [
            {
                "bucket": name,
                "masks": int((place == one).sum()),
                "share": float((place == one).mean()),
                "depth_px_p50": _median(self.depth_px[place == one]),
                "radius_px_p50": _median(self.radius_px[place == one]),
            }
            for one, name in enumerate(BUCKETS)
        ]

    def summary_of(self, name: str) -> dict[str, float | None]:
        """Return mean, sd and quantiles of one statistic."""
        return described(self.column(name))

    def where(self) -> dict[str, float] | None:
        """Return how often a pixel is a hole, by place; None without a heat map."""
        return None if self.hole_frequency is None else where_holes_are(self.hole_frequency)

    def summary(self) -> dict[str, Any]:
        """Return the numbers as one JSON document; ratios in [0, 1], lengths in pixels."""
        counted, edges = np.histogram(self.hole_ratio, bins=RATIO_BINS, range=(0, 1))
        return {
            **self.counts(),
            "shape_hw": None if self.shape_hw is None else list(self.shape_hw),
            **{one.name: self.summary_of(one.name) for one in STATISTICS},
            "buckets": self.buckets(),
            "hole_ratio_histogram": {"edges": edges.tolist(), "masks": counted.tolist()},
            "hole_area_px": self.areas(),
            "hole_frequency": self.where(),
        }

    def areas(self) -> dict[str, Any]:
        """Describe the areas of all connected holes of the set, and count them in doubling bins.

        Bin k holds areas from 2**k up to 2**(k + 1) − 1 pixels.
        """
        if len(self.areas_px) == 0:
            return {"holes": 0, **described(np.zeros(0)), "edges": [], "counts": []}
        bins = np.floor(np.log2(self.areas_px)).astype(np.int64)
        counted = np.bincount(bins, weights=self.area_counts).astype(np.int64)
        return {
            "holes": int(self.area_counts.sum()),
            **described_counts(self.areas_px, self.area_counts),
            "edges": [1 << k for k in range(len(counted) + 1)],
            "counts": counted.tolist(),
        }


def _median(values: NDArray[np.float64]) -> float | None:
    """Return the median, masks that are all hole included; None where that is infinite."""
    middle = float(np.median(values)) if len(values) else np.inf
    return middle if np.isfinite(middle) else None


def described(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return mean, standard deviation and quantiles of what is finite; None if nothing is."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return dict.fromkeys(SUMMARIES)
    numbers = (finite.mean(), finite.std(), *np.quantile(finite, QUANTILES))
    return {name: float(number) for name, number in zip(SUMMARIES, numbers, strict=True)}


def described_with_infinite(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return what `described` does, with infinite values as the largest ones.

    A quantile between a finite and an infinite value is infinite, as is the mean; how far infinite
    values spread cannot be said (None).
    """
    known = np.sort(values[~np.isnan(values)])
    if len(known) == 0 or np.isfinite(known[-1]):
        return described(known)

    def quantile(share: float) -> float:
        place = share * (len(known) - 1)
        upper = float(known[int(np.ceil(place))])
        return upper if np.isinf(upper) else float(np.quantile(known[np.isfinite(known)],
            place / max(1, int(np.isfinite(known).sum()) - 1)))  # fmt: skip

    return dict(zip(SUMMARIES, (np.inf, None, *map(quantile, QUANTILES)), strict=True))


def described_counts(
    values: NDArray[np.int64], counts: NDArray[np.int64]
) -> dict[str, float | None]:
    """Return what `described` would of ``np.repeat(values, counts)``, without that array."""
    total = int(counts.sum())
    upto = np.cumsum(counts)
    mean = float(values @ counts) / total
    variance = float((values - mean) ** 2 @ counts) / total

    def quantile(share: float) -> float:
        low = int(share * (total - 1))
        first, second = (
            float(values[np.searchsorted(upto, place, side="right")])
            for place in (low, min(low + 1, total - 1))
        )
        return first + (share * (total - 1) - low) * (second - first)

    numbers = (mean, variance**0.5, *map(quantile, QUANTILES))
    return dict(zip(SUMMARIES, numbers, strict=True))


def where_holes_are(frequency: NDArray[np.float64]) -> dict[str, float]:
    """Return how often a pixel is a hole: in all, the middle, along the border, in the corners.

    Parameters
    ----------
    frequency : (H, W) float64

    Returns
    -------
    dict
        ``mean``; ``centre``, the middle quarter of each axis; ``edge``, the outer 1/32 of each;
        ``corner``, four rectangles of 1/16 of each. At 256 px: 64 x 64, 8 and 16 px. All lie in
        [0, 1]; at least a pixel is taken.
    """
    height, width = frequency.shape
    tall, wide = max(1, height // 4), max(1, width // 4)
    top, left = (height - tall) // 2, (width - wide) // 2
    inner = np.zeros(frequency.shape, dtype=bool)
    y, x = max(1, height // 32), max(1, width // 32)
    inner[y : height - y, x : width - x] = True
    y, x = max(1, height // 16), max(1, width // 16)
    corners = np.zeros(frequency.shape, dtype=bool)
    for rows in (slice(0, y), slice(height - y, None)):
        for columns in (slice(0, x), slice(width - x, None)):
            corners[rows, columns] = True
    return {
        "mean": float(frequency.mean()),
        "centre": float(frequency[top : top + tall, left : left + wide].mean()),
        "edge": float(frequency[~inner].mean()),
        "corner": float(frequency[corners].mean()),
    }
