"""Statistics of masks, to be looked at before anything is built or trained.

Conventions: holes are 8-connected; the picture's border does not count as known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import MaskError
from dunhuang_data.types import UInt8Array

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
BUCKET_EDGES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Hole-ratio buckets of Liu et al. 2018 (ECCV, arXiv:1804.07723), upper edge included."""


@dataclass(frozen=True, slots=True)
class MaskStats:
    """Statistics of a set of masks, one value per mask unless said.

    Attributes
    ----------
    hole_ratio : (N,) float64
        ``1 − valid.mean()``.
    depth_px : (N,) float64
        Mean distance of a hole pixel to the nearest known one; 0 without holes, infinite without
        known pixels. Ratio is not difficulty; this is closer to it.
    radius_px : (N,) float64
        The largest such distance.
    holes : (N,) int64
        Connected holes.
    touches_border : (N,) bool
    hole_frequency : (H, W) float64
        Share of the masks that have a hole at each pixel.
    """

    hole_ratio: NDArray[np.float64]
    depth_px: NDArray[np.float64]
    radius_px: NDArray[np.float64]
    holes: NDArray[np.int64]
    touches_border: NDArray[np.bool_]
    hole_frequency: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hole_ratio)

    def bucket_counts(self) -> dict[str, int]:
        """Count masks by hole-ratio bucket, with both outsides, so that the counts add up to N."""
        place = np.searchsorted(BUCKET_EDGES, self.hole_ratio, side="left")
        inner = [f"{low:g}-{high:g}" for low, high in pairwise(BUCKET_EDGES)]
        names = [f"up to {BUCKET_EDGES[0]:g}", *inner, f"above {BUCKET_EDGES[-1]:g}"]
        return {name: int((place == row).sum()) for row, name in enumerate(names)}

    def summary(self) -> dict[str, object]:
        """Return the numbers as one JSON document; ratios in [0, 1], lengths in pixels."""
        columns = {
            "hole_ratio": self.hole_ratio,
            "depth_px": self.depth_px,
            "radius_px": self.radius_px,
            "holes": self.holes.astype(np.float64),
        }
        return {
            "count": len(self),
            "shape_hw": list(self.hole_frequency.shape),
            **{name: _described(values) for name, values in columns.items()},
            "buckets": self.bucket_counts(),
            "touching_border": int(self.touches_border.sum()),
            "all_known": int((self.hole_ratio == 0).sum()),
            "all_hole": int((self.hole_ratio == 1).sum()),
        }


def _described(values: NDArray[np.float64]) -> dict[str, float | None]:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return dict.fromkeys(["mean", "sd", *(f"p{round(100 * q)}" for q in QUANTILES)])
    quantiles = np.quantile(finite, QUANTILES)
    return {
        "mean": float(finite.mean()),
        "sd": float(finite.std()),
        **{f"p{round(100 * q)}": float(v) for q, v in zip(QUANTILES, quantiles, strict=True)},
    }


def measure_masks(masks: Iterable[UInt8Array]) -> MaskStats:
    """Measure masks one by one.

    Parameters
    ----------
    masks : iterable of (H, W) uint8
        1 = known, 0 = hole; all of one shape.

    Raises
    ------
    MaskError
        If there is none, the shapes differ, or a mask holds anything but 0 and 1.
    """
    rows: list[tuple[float, float, float, int, bool]] = []
    total: NDArray[np.float64] | None = None
    for index, valid in enumerate(masks):
        if total is None:
            total = np.zeros(valid.shape)
        if valid.shape != total.shape:
            raise MaskError(f"Mask {index} is {valid.shape}, those before it {total.shape}.")
        if valid.max(initial=0) > 1:
            found = int((valid > 1).sum())
            raise MaskError(
                f"Mask {index} holds {found} values other than 0 and 1 (up to {valid.max()}); "
                "expected 1 = known, 0 = hole."
            )
        total += 1 - valid
        rows.append(_measure_one(valid))
    if total is None:
        raise MaskError("There is no mask to measure.")
    ratio, depth, radius, holes, border = zip(*rows, strict=True)
    return MaskStats(
        hole_ratio=np.array(ratio),
        depth_px=np.array(depth),
        radius_px=np.array(radius),
        holes=np.array(holes, dtype=np.int64),
        touches_border=np.array(border, dtype=np.bool_),
        hole_frequency=total / len(rows),
    )


def _measure_one(valid: UInt8Array) -> tuple[float, float, float, int, bool]:
    hole = 1 - valid
    ratio = float(hole.mean())
    if ratio == 0.0:
        return 0.0, 0.0, 0.0, 0, False
    border = bool(hole[[0, -1]].any() or hole[:, [0, -1]].any())
    components, _ = cv2.connectedComponents(hole, connectivity=8)
    if ratio == 1.0:
        return 1.0, np.inf, np.inf, components - 1, True
    distance = cv2.distanceTransform(hole, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    depth = float(distance[hole == 1].mean(dtype=np.float64))
    return ratio, depth, float(distance.max()), components - 1, border
