"""How a set of patches lies on its picture: distances, coverage, multiplicity. All of it exact.

Nothing here touches pixels: the edges of N patches cut the picture into at most (2N + 1)² cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

TILE = 512  # patches: beyond this many, a picture is measured tile by tile


def nearest_distances(centers_yx: Integers) -> NDArray[np.float64]:
    """Return each centre's distance to the nearest other one in pixels, (N,); inf if alone."""
    from scipy.spatial import cKDTree

    if len(centers_yx) < 2:
        return np.full(len(centers_yx), np.inf)
    nearest = np.asarray(cKDTree(centers_yx).query(centers_yx, k=2)[1])
    # the tree's own distances may differ in the last bit between builds of SciPy; whole numbers not
    other = np.where(nearest[:, 0] == np.arange(len(nearest)), nearest[:, 1], nearest[:, 0])
    apart = centers_yx - centers_yx[other]
    return np.sqrt((apart[:, 0] ** 2 + apart[:, 1] ** 2).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells that patch edges cut a picture into, and how many patches lie on each.

    Attributes
    ----------
    ys, xs : (r + 1,) and (c + 1,) int64
        Edges, the picture's own among them.
    depth : (r, c) int64
        Patches on each cell.
    """

    ys: Integers
    xs: Integers
    depth: Integers

    @property
    def area(self) -> Integers:
        """Pixels of each cell, (r, c)."""
        return np.diff(self.ys)[:, None] * np.diff(self.xs)[None, :]

    @property
    def uncovered(self) -> int:
        """Pixels that lie in no patch."""
        return int(self.area[self.depth == 0].sum())


def cells_of(shape_hw: tuple[int, int], patch_size: int, corners: Integers) -> Cells:
    """Cut a picture along the edges of patches.

    Parameters
    ----------
    shape_hw : tuple of int
    patch_size : int
    corners : (N, 2) int64
        First row and column of each patch. What reaches over the picture's edge does not count.
    """
    height, width = shape_hw
    top, left = np.clip(corners[:, 0], 0, height), np.clip(corners[:, 1], 0, width)
    bottom = np.clip(corners[:, 0] + patch_size, 0, height)
    right = np.clip(corners[:, 1] + patch_size, 0, width)
    ys = np.unique(np.concatenate([[0, height], top, bottom]))
    xs = np.unique(np.concatenate([[0, width], left, right]))
    depth = np.zeros((len(ys), len(xs)), dtype=np.int64)
    rows = np.searchsorted(ys, top), np.searchsorted(ys, bottom)
    columns = np.searchsorted(xs, left), np.searchsorted(xs, right)
    for r, c, step in ((0, 0, 1), (0, 1, -1), (1, 0, -1), (1, 1, 1)):
        np.add.at(depth, (rows[r], columns[c]), step)
    return Cells(ys, xs, depth.cumsum(0).cumsum(1)[:-1, :-1])


def tiles(
    shape_hw: tuple[int, int], patch_size: int, corners: Integers
) -> Iterator[tuple[int, int, tuple[int, int], Integers]]:
    """Yield tiles of a picture, with the patches that meet each.

    Yields
    ------
    top, left : int
        Of the tile in the picture.
    shape_hw : tuple of int
        Of the tile.
    corners : (M, 2) int64
        Relative to the tile.
    """
    if len(corners) <= TILE:
        yield 0, 0, shape_hw, corners
        return
    side = 4 * patch_size
    for top in range(0, shape_hw[0], side):
        line = corners[(corners[:, 0] > top - patch_size) & (corners[:, 0] < top + side)]
        for left in range(0, shape_hw[1], side):
            met = line[(line[:, 1] > left - patch_size) & (line[:, 1] < left + side)]
            tile = min(side, shape_hw[0] - top), min(side, shape_hw[1] - left)
            yield top, left, tile, met - np.array([top, left])


def pixels_by_depth(shape_hw: tuple[int, int], patch_size: int, centers_yx: Integers) -> Integers:
    """Return how many pixels lie in 0, 1, 2 … patches, (most + 1,) int64."""
    totals = np.zeros(1, dtype=np.int64)
    for _, _, tile, corners in tiles(shape_hw, patch_size, centers_yx - patch_size // 2):
        cells = cells_of(tile, patch_size, corners)
        found = np.zeros(max(len(totals), int(cells.depth.max()) + 1), dtype=np.int64)
        np.add.at(found, cells.depth.ravel(), cells.area.ravel())
        found[: len(totals)] += totals
        totals = found
    return totals


def coverage(shape_hw: tuple[int, int], patch_size: int, centers_yx: Integers) -> float:
    """Return the share of the picture's pixels that lie in at least one patch, in [0, 1]."""
    pixels = pixels_by_depth(shape_hw, patch_size, centers_yx)
    return float(pixels[1:].sum() / pixels.sum())
