"""Farthest points: each as far as it can be from those before it, then taken out and put back."""

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.rng import draw_below, permutation

Integers = NDArray[np.int64]

FAR = np.int64(2**62)
MOST_SWEEPS = 30
CANDIDATES = 4000  # spots of the lattice on which points are taken out and put back


def evenly(length: int, pitch: int) -> Integers:
    """Return positions in [0, length), at most ``pitch`` apart, both ends among them."""
    gaps = -(-(length - 1) // pitch)
    return np.arange(gaps + 1, dtype=np.int64) * (length - 1) // max(1, gaps)


def lattice(rows: int, columns: int, spots: int) -> tuple[Integers, Integers]:
    """Return the rows and columns of a lattice of at least ``spots`` spots, or of all positions."""
    pitch = max(1, isqrt(rows * columns // max(1, spots)))
    return evenly(rows, pitch), evenly(columns, pitch)


def farthest_points(
    rows: int, columns: int, count: int, rng: np.random.Generator, spots: int
) -> Integers:
    """Choose points one by one, each as far as possible from those before it.

    The first is any position. Only the neighbourhood that a new point can change is looked at
    again, so the time grows with the lattice, not with the lattice times the count.

    Parameters
    ----------
    rows, columns : int
        Positions lie in [0, rows) x [0, columns).
    count : int
        At most as many as positions.
    rng : numpy.random.Generator
        Two words are taken.
    spots : int
        Candidates: a lattice of at least this many, with the last row and column.

    Returns
    -------
    (count, 2) int64
        Distinct. Their smallest distance is at least half of the best possible (Gonzalez 1985,
        Theoretical Computer Science 38:293), less one pitch of the lattice.
    """
    ys, xs = lattice(rows, columns, max(spots, 4 * count))
    near = np.full((len(ys), len(xs)), FAR)
    farthest_in_row = np.full(len(ys), FAR)
    points = np.empty((count, 2), dtype=np.int64)
    y, x = draw_below(rng, rows), draw_below(rng, columns)
    radius = rows + columns
    for index in range(count):
        points[index] = y, x
        top, bottom = np.searchsorted(ys, [y - radius, y + radius + 1])
        left, right = np.searchsorted(xs, [x - radius, x + radius + 1])
        part = near[top:bottom, left:right]
        reached = ((ys[top:bottom] - y) ** 2)[:, None] + ((xs[left:right] - x) ** 2)[None, :]
        np.minimum(part, reached, out=part)
        farthest_in_row[top:bottom] = near[top:bottom].max(axis=1)
        row = int(farthest_in_row.argmax())
        column = int(near[row].argmax())
        y, x, radius = int(ys[row]), int(xs[column]), isqrt(int(near[row, column])) + 1
    return points


def put_back(spots: Integers, points: Integers, rng: np.random.Generator) -> Integers:
    """Take each point out and put it back at the farthest spot, until none finds a better one.

    Farthest-point optimisation (Schlömer, Heck and Deussen 2011, High-Performance Graphics). A
    point moves only if that raises its own distance to the nearest, so the sorted list of
    distances rises and no state returns; sweeps are capped besides.

    Parameters
    ----------
    spots : (M, 2) int64
        Where points may be put.
    points : (N, 2) int64
    rng : numpy.random.Generator
        Gives the order of each sweep: N words a sweep.

    Returns
    -------
    (N, 2) int64
    """
    points = points.copy()
    if int((spots.max(axis=0) ** 2).sum()) < 2**31:
        spots = spots.astype(np.int32)  # the squares fit, and half the bytes take half the time
    far = np.iinfo(spots.dtype).max
    apart = np.stack([_squared(spots, point) for point in points])
    for _ in range(MOST_SWEEPS if len(points) > 1 else 0):
        moved = False
        for index in permutation(rng, len(points)).tolist():
            own = apart[index].copy()
            apart[index] = far
            near = apart.min(axis=0)
            spot = int(near.argmax())
            others = _squared(points, points[index])
            others[index] = FAR
            if near[spot] > others.min():
                points[index] = spots[spot]
                apart[index] = _squared(spots, spots[spot])
                moved = True
            else:
                apart[index] = own
        if not moved:
            break
    return points


def choose_spots(spots: Integers, count: int, rng: np.random.Generator) -> Integers:
    """Choose some spots by the farthest-point rule, the first at random: (count, 2) int64."""
    return more_spots(spots, spots[[draw_below(rng, len(spots))]], count)


def more_spots(spots: Integers, chosen: Integers, count: int) -> Integers:
    """Add the farthest spots to those chosen, one by one, until there are ``count``."""
    points = np.empty((count, 2), dtype=np.int64)
    near = np.full(len(spots), FAR)
    for index in range(count):
        points[index] = chosen[index] if index < len(chosen) else spots[int(near.argmax())]
        np.minimum(near, _squared(spots, points[index]), out=near)
    return points


def farthest_first(points: Integers, first: int) -> Integers:
    """Order points so that every prefix is spread: each is the farthest from those before it."""
    order = np.empty(len(points), dtype=np.int64)
    near = np.full(len(points), FAR)
    place = first
    for index in range(len(points)):
        order[index] = place
        np.minimum(near, _squared(points, points[place]), out=near)
        near[place] = -1
        place = int(near.argmax())
    return points[order]


def smallest_squared(points: Integers) -> int:
    """Return the smallest squared distance of any two points, exactly; few points only."""
    apart = points[:, None] - points[None]
    squared = apart[..., 0] ** 2 + apart[..., 1] ** 2
    squared.flat[:: len(points) + 1] = FAR
    return int(squared.min())


def _squared(spots: Integers, point: Integers) -> Integers:
    y, x = spots[:, 0] - spots.dtype.type(point[0]), spots[:, 1] - spots.dtype.type(point[1])
    squared: Integers = y * y + x * x
    return squared
