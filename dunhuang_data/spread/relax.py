"""Push many points apart at once: whoever is too near moves away, round after round."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

ROUNDS = 400
LOOK_EVERY = 8  # rounds between two looks at who is near whom
AIM = 0.93  # of Oler's bound: about what a crystal with defects reaches


def pushed_apart(
    rows: int, columns: int, points: Integers, bound: float, pinned: bool = False
) -> Integers:
    """Spread points that are too many for a linear programme.

    In each round every pair nearer than the aimed distance moves apart by half of what is missing
    (position-based dynamics: Müller et al. 2007, J. Visual Communication 18:109). The order of the
    points is kept.

    Parameters
    ----------
    rows, columns : int
        Positions lie in [0, rows) x [0, columns).
    points : (N, 2) int64
        Distinct.
    bound : float
        No set can have a larger smallest distance, in pixels (see `distance_bounds`).
    pinned : bool
        Keep a point in each of the four corners, as covering a picture needs.

    Returns
    -------
    (N, 2) int64
        The set with the largest smallest distance that was seen; the first one if none was better.
    """
    from scipy.spatial import cKDTree

    aim = AIM * bound
    if pinned:
        points = _pinned(rows, columns, points)
    at = points.astype(np.float64)
    edges = np.array([rows - 1, columns - 1], dtype=np.float64)
    best, best_squared = points, _smallest_squared(points)
    i = j = np.empty(0, dtype=np.int64)
    for number in range(ROUNDS + 1):
        if number % LOOK_EVERY == 0:
            rounded = np.floor(at + 0.5).astype(np.int64)
            squared = _smallest_squared(rounded)
            if squared > best_squared:
                best, best_squared = rounded, squared
            # whoever is left out here is 1.25 times too far to be pushed
            pairs = cKDTree(at).query_pairs(1.25 * aim, output_type="ndarray").astype(np.int64)
            i, j = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].T
        apart = at[i] - at[j]
        distance = np.sqrt(apart[:, 0] ** 2 + apart[:, 1] ** 2)
        push = np.maximum(0.0, aim - distance) / np.maximum(distance, 1e-9) / 4
        for axis in (0, 1):
            step = push * apart[:, axis]
            at[:, axis] += np.bincount(i, step, len(at)) - np.bincount(j, step, len(at))
        np.clip(at, 0.0, edges, out=at)
    return best


def _pinned(rows: int, columns: int, points: Integers) -> Integers:
    """Put the nearest point into each corner; there every push is outwards, so it stays."""
    points = points.copy()
    held: list[int] = []
    for y in (0, rows - 1):
        for x in (0, columns - 1):
            apart = (points[:, 0] - y) ** 2 + (points[:, 1] - x) ** 2
            apart[held] = np.iinfo(np.int64).max
            held.append(int(apart.argmin()))
            points[held[-1]] = y, x
    return points


def _smallest_squared(points: Integers) -> int:
    """Return the smallest squared distance, exactly, of many points."""
    from scipy.spatial import cKDTree

    nearest = np.asarray(cKDTree(points).query(points, k=2)[1])
    other = np.where(nearest[:, 0] == np.arange(len(points)), nearest[:, 1], nearest[:, 0])
    apart = points - points[other]
    return int((apart[:, 0] ** 2 + apart[:, 1] ** 2).min())
