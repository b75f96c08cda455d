"""Patch centres as far apart as they can be: the greedy farthest-point rule."""

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PlanError
from dunhuang_data.rng import draw_below

EXACT_UP_TO = 1 << 22
"""Positions up to which every pixel is a candidate; beyond, a lattice of about as many."""


def farthest_point_centers(
    shape_hw: tuple[int, int], patch_size: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose ``count`` distinct patch centres, each as far as possible from those before it.

    The first is drawn; each further one is the admissible position whose nearest chosen centre is
    farthest away (the first such in reading order). Every admissible position is a candidate, the
    first and last row and column included, up to ``EXACT_UP_TO`` of them; on larger pictures the
    candidates are a lattice that always holds the last row and column. The smallest distance is
    at least half of the best possible one (Gonzalez 1985, Theoretical Computer Science 38:293),
    less one lattice pitch where there is a lattice.

    Parameters
    ----------
    shape_hw : tuple of int
        Height and width of the picture in pixels.
    patch_size : int
        Side of a patch in pixels.
    count : int
        Centres wanted.
    rng : numpy.random.Generator
        Used for the first centre only.

    Returns
    -------
    (count, 2) int64
        Rows and columns, in the order chosen, so that every prefix is spread too.

    Raises
    ------
    PlanError
        If the picture is smaller than a patch or has fewer positions than ``count``.
    """
    height, width = shape_hw
    rows, columns = height - patch_size + 1, width - patch_size + 1
    if min(rows, columns) < 1:
        raise PlanError(
            f"a picture of {height} x {width} px (height x width) is smaller than a patch of "
            f"{patch_size} px"
        )
    if count > rows * columns:
        raise PlanError(
            f"a picture of {height} x {width} px has {rows * columns} positions for patches of "
            f"{patch_size} px; {count} distinct patches do not exist"
        )
    ys, xs = _lattice(rows, columns, count)
    chosen = np.empty((count, 2), dtype=np.int64)
    y, x = draw_below(rng, rows), draw_below(rng, columns)
    nearest = np.full((len(ys), len(xs)), np.iinfo(np.int64).max)
    for index in range(count):
        chosen[index] = y, x
        np.minimum(nearest, ((ys - y) ** 2)[:, None] + ((xs - x) ** 2)[None, :], out=nearest)
        row, column = np.unravel_index(int(nearest.argmax()), nearest.shape)
        y, x = int(ys[row]), int(xs[column])
    return chosen + patch_size // 2


def _lattice(rows: int, columns: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the candidate rows and columns: every one, or an even lattice with both ends."""
    pitch = max(1, ceil(sqrt(rows * columns / max(EXACT_UP_TO, 4 * count))))
    return _with_last(rows, pitch), _with_last(columns, pitch)


def _with_last(length: int, pitch: int) -> NDArray[np.int64]:
    positions = np.arange(0, length, pitch, dtype=np.int64)
    return positions if positions[-1] == length - 1 else np.append(positions, length - 1)


def nearest_distances(centers_yx: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each centre's distance to the nearest other one in pixels, (N,); inf if alone."""
    from scipy.spatial import cKDTree

    if len(centers_yx) < 2:
        return np.full(len(centers_yx), np.inf)
    distances, _ = cKDTree(centers_yx).query(centers_yx, k=2)
    return np.asarray(distances, dtype=np.float64)[:, 1]


def coverage(shape_hw: tuple[int, int], patch_size: int, centers_yx: NDArray[np.int64]) -> float:
    """Return the share of the picture's pixels that lie in at least one patch, in [0, 1].

    Exact and without touching pixels: the patch edges cut the picture into at most (2N + 1)² cells.
    """
    corners = centers_yx - patch_size // 2
    height, width = shape_hw
    ys = np.unique(np.r_[0, height, corners[:, 0], corners[:, 0] + patch_size])
    xs = np.unique(np.r_[0, width, corners[:, 1], corners[:, 1] + patch_size])
    depth = np.zeros((len(ys), len(xs)), dtype=np.int64)
    top, left = np.searchsorted(ys, corners[:, 0]), np.searchsorted(xs, corners[:, 1])
    bottom = np.searchsorted(ys, corners[:, 0] + patch_size)
    right = np.searchsorted(xs, corners[:, 1] + patch_size)
    for row, column, step in ((top, left, 1), (top, right, -1), (bottom, left, -1)):
        np.add.at(depth, (row, column), step)
    np.add.at(depth, (bottom, right), 1)
    covered = depth.cumsum(0).cumsum(1)[:-1, :-1] > 0
    areas = np.diff(ys)[:, None] * np.diff(xs)[None, :]
    return float(areas[covered].sum() / (height * width))
