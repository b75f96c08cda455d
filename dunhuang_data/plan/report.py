"""How the patches of a picture lie on it, beside what was possible."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.spread import (
    cover_number,
    distance_bounds,
    nearest_distances,
    pixels_by_depth,
)
from dunhuang_data.types import Picture, Split


@dataclass(frozen=True, slots=True)
class PictureReport:
    """One row of ``report.csv``. Lengths are in pixels of the picture at its scale.

    Attributes
    ----------
    id : str
    split : {"train", "val", "test"}
    patches : int
        Places on the picture, variants not counted.
    coverage : float
        Share of the pixels that lie in a patch, unturned, in [0, 1].
    cover_number : int
        Fewest patches that cover the picture.
    mean_depth, most_depth : float and int
        Multiplicity: patches on a pixel, on average and at most.
    smallest_px, mean_px : float
        Distance of a patch centre to the nearest other, the smallest and the mean.
    layout_px, bound_px : float
        The smallest distance of the best aligned row layout, and Oler's bound: the best possible
        one lies between them.
    share_of_layout, share_of_bound : float
        ``smallest_px`` as a share of the two.
    sampleable : float
        Share of the positions at which a patch may lie, in [0, 1].
    """

    id: str
    split: Split
    patches: int
    coverage: float
    cover_number: int
    mean_depth: float
    most_depth: int
    smallest_px: float
    mean_px: float
    layout_px: float
    bound_px: float
    share_of_layout: float
    share_of_bound: float
    sampleable: float = 1.0


def report_of(
    picture: Picture, patch_size: int, centers_yx: NDArray[np.int64], sampleable: float
) -> PictureReport:
    """Measure the patches of one picture, exactly."""
    shape_hw = picture.scaled_hw
    held = max(shape_hw[0], patch_size), max(shape_hw[1], patch_size)
    pixels = pixels_by_depth(shape_hw, patch_size, centers_yx)
    depth = float(pixels @ np.arange(len(pixels))) / float(pixels.sum())
    nearest = nearest_distances(centers_yx)
    layout, bound = distance_bounds(held, patch_size, len(centers_yx))
    smallest = float(nearest.min())
    return PictureReport(
        id=picture.id,
        split=picture.split,
        patches=len(centers_yx),
        coverage=float(pixels[1:].sum() / pixels.sum()),
        cover_number=cover_number(held, patch_size),
        mean_depth=round(depth, 3),
        most_depth=len(pixels) - 1,
        smallest_px=round(smallest, 3),
        mean_px=round(float(nearest.mean()), 3),
        layout_px=round(layout, 3),
        bound_px=round(bound, 3),
        share_of_layout=_share(smallest, layout),
        share_of_bound=_share(smallest, bound),
        sampleable=round(sampleable, 4),
    )


def _share(value: float, whole: float) -> float:
    """Return a share; a picture with one place, or one patch, has all there is."""
    return round(value / whole, 4) if 0 < whole < float("inf") else 1.0
