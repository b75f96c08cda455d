"""Patch centres as far apart as they can be, covering the picture wherever that is possible."""

from dataclasses import dataclass
from math import isqrt, sqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PlanError
from dunhuang_data.rng import draw_below, permutation
from dunhuang_data.spread.bounds import (
    cover_number,
    distance_bounds,
    row_layout,
    space_of,
    worth_covering,
)
from dunhuang_data.spread.coverage import coverage, nearest_distances
from dunhuang_data.spread.farthest import (
    CANDIDATES,
    choose_spots,
    farthest_first,
    farthest_points,
    lattice,
    put_back,
)
from dunhuang_data.spread.mend import mended
from dunhuang_data.spread.polish import Layout, polish
from dunhuang_data.spread.relax import pushed_apart

Integers = NDArray[np.int64]

POLISH_UP_TO = 100  # patches: the time of a linear programme grows with their cube
MANY_SPOTS = 400_000
MOST_SPOTS = 20_000  # at which points are put back where only some positions are allowed
MENDABLE = 0.995  # covered share, from which the rest is mended hole by hole
MENDED = 0.8  # of the distance of rows: below, rows are taken after all
ORDER_UP_TO = 20_000
FEW = 48  # patches: up to so many, starts are cheap
GOOD = 0.95  # of the row layout's distance: below, another start is worth its time


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where patches may lie on a picture that is not all sampleable.

    Attributes
    ----------
    corners : (M, 2) int64
        Admissible first rows and columns; those of a lattice, if there are very many.
    positions : int
        How many there would be if all of those looked at were admissible.
    """

    corners: Integers
    positions: int


def spread_centers(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    rng: np.random.Generator,
    allowed: Allowed | None = None,
) -> Integers:
    """Choose ``count`` distinct patch centres as far apart as possible.

    Up to 100 patches: farthest points with a random start, each taken out and put back until none
    finds a better place, then moved all at once so that the picture is covered (wherever that is
    `worth_covering`) and the smallest distance as large as it gets. The best of two starts, of
    more if those are poor. More patches: farthest points, pushed apart; or rows, if that leaves
    something uncovered. Where parts of the picture are not ``allowed``: farthest points, taken out
    and put back; coverage is not sought.

    Parameters
    ----------
    shape_hw : tuple of int
        Height and width of the picture in pixels.
    patch_size : int
        Side of a patch in pixels.
    count : int
        Centres wanted.
    rng : numpy.random.Generator
        The result is a function of its state and of the other arguments alone: whole numbers and
        single correctly rounded operations decide, so it is the same on every machine.
    allowed : Allowed, optional
        Where patches may lie; everywhere if not given.

    Returns
    -------
    (count, 2) int64
        Rows and columns, farthest first: every prefix is spread too (of more than 20,000 patches
        laid in rows, it is not).

    Raises
    ------
    PlanError
        If the picture is smaller than a patch, or has fewer positions than ``count``.
    """
    check_possible(shape_hw, patch_size, count, allowed)
    if allowed is not None:
        corners = choose_spots(allowed.corners, count, rng)
        if count <= POLISH_UP_TO:
            corners = put_back(_thinned(allowed.corners, MOST_SPOTS), corners, rng)
    elif count > POLISH_UP_TO:
        return _many(shape_hw, patch_size, count, rng) + patch_size // 2
    else:
        corners = _best_of_starts(shape_hw, patch_size, count, rng)
    return farthest_first(corners, draw_below(rng, count)) + patch_size // 2


def _thinned(corners: Integers, most: int) -> Integers:
    """Return about ``most`` of some positions, evenly over both axes."""
    pitch = max(1, isqrt(len(corners) // most))
    thin = corners[(corners[:, 0] % pitch == 0) & (corners[:, 1] % pitch == 0)]
    return thin if 4 * len(thin) >= most or pitch == 1 else corners[:: -(-len(corners) // most)]


def _many(
    shape_hw: tuple[int, int], patch_size: int, count: int, rng: np.random.Generator
) -> Integers:
    """Place more patches than a linear programme can move; cover the picture if that is sought."""
    rows, columns = space_of(shape_hw, patch_size)
    corners = farthest_points(rows, columns, count, rng, MANY_SPOTS)
    _, bound = distance_bounds(shape_hw, patch_size, count)
    if min(rows, columns) == 1:  # even steps are the best there is, and cover
        return _ordered(row_layout(rows, columns, count), rng)
    to_cover = worth_covering(shape_hw, patch_size, count)
    corners = pushed_apart(rows, columns, corners, bound, pinned=to_cover)
    if not to_cover:
        return corners
    if coverage(shape_hw, patch_size, corners + patch_size // 2) >= MENDABLE:
        corners = mended(shape_hw, patch_size, corners)
    in_rows = covering_rows(shape_hw, patch_size, count, rng)
    if len(in_rows) < count:
        return corners
    covered = coverage(shape_hw, patch_size, corners + patch_size // 2) == 1.0
    apart = nearest_distances(corners).min() >= MENDED * nearest_distances(in_rows).min()
    return corners if covered and apart else _ordered(in_rows, rng)


def _ordered(corners: Integers, rng: np.random.Generator) -> Integers:
    """Order rows farthest first, unless they are so many that it would take minutes."""
    first = draw_below(rng, len(corners))
    return farthest_first(corners, first) if len(corners) <= ORDER_UP_TO else corners


def check_possible(
    shape_hw: tuple[int, int], patch_size: int, count: int, allowed: Allowed | None = None
) -> None:
    """Refuse what no placement can give.

    Raises
    ------
    PlanError
        Naming the largest number of patches that is possible.
    """
    height, width = shape_hw
    rows, columns = space_of(shape_hw, patch_size)
    if min(rows, columns) < 1:
        raise PlanError(
            f"a picture of {height} x {width} px (height x width) is smaller than a patch of "
            f"{patch_size} px"
        )
    possible = rows * columns if allowed is None else len(allowed.corners)
    if count > possible:
        there = "position" if possible == 1 else "positions"
        if allowed is not None:
            there = "admissible positions (all there, damage and detail within the limits)"
        raise PlanError(
            f"a picture of {height} x {width} px has {possible} {there} for patches of "
            f"{patch_size} px; {count} distinct patches do not exist, at most {possible}"
        )


def _best_of_starts(
    shape_hw: tuple[int, int], patch_size: int, count: int, rng: np.random.Generator
) -> Integers:
    rows, columns = space_of(shape_hw, patch_size)
    if count == 1:
        return farthest_points(rows, columns, 1, rng, 1)
    to_cover = worth_covering(shape_hw, patch_size, count)
    ys, xs = lattice(rows, columns, max(CANDIDATES, 40 * count))
    spots = np.stack([np.repeat(ys, len(xs)), np.tile(xs, len(ys))], axis=1)
    aim = GOOD * distance_bounds(shape_hw, patch_size, count)[0]
    few = count <= FEW
    # a large set that hardly covers the picture is rows, or it is nothing: nothing else is tried
    tight = to_cover and not few and 4 * count < 5 * cover_number(shape_hw, patch_size)
    best: Layout | None = None
    for number, start in enumerate(TIGHT_STARTS if tight else STARTS if few else LARGE_STARTS):
        corners = start(shape_hw, patch_size, count, spots, rng)
        if len(corners) < count:
            continue
        layout = polish(Layout(shape_hw, patch_size, corners, to_cover))
        if best is None or layout.rank > best.rank:
            best = layout
        if number + 1 >= (2 if few else 1) and best.rank[0] and sqrt(best.rank[1]) >= aim:
            break
    return corners if best is None else best.corners


def _farthest_start(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    spots: Integers,
    rng: np.random.Generator,
) -> Integers:
    rows, columns = space_of(shape_hw, patch_size)
    return put_back(spots, farthest_points(rows, columns, count, rng, CANDIDATES), rng)


def _row_start(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    spots: Integers,
    rng: np.random.Generator,
) -> Integers:
    """Lay patches in rows, which on a strip is the best there is; turned over at random."""
    space = space_of(shape_hw, patch_size)
    corners = row_layout(*space, count)
    for axis, length in enumerate(space):
        if draw_below(rng, 2):
            corners[:, axis] = length - 1 - corners[:, axis]
    return corners


def _cover_start(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    spots: Integers,
    rng: np.random.Generator,
) -> Integers:
    return covering_rows(shape_hw, patch_size, count, rng)


def covering_rows(
    shape_hw: tuple[int, int], patch_size: int, count: int, rng: np.random.Generator
) -> Integers:
    """Lay patches in rows that cover the picture, as far apart as such rows can be.

    Rows, and patches within each row, are evenly spread from edge to edge and at most a patch
    apart. What is left over is one more patch in some rows, which are drawn; so is whether rows or
    columns are laid where both are as good.

    Returns
    -------
    (count, 2) int64
        First rows and columns; (0, 2) if so few cannot cover the picture, or if there is not
        room for so many in rows.
    """
    best: tuple[float, bool, int] = (1.0 - 1e-9, False, 0)  # nearer, and pixels would coincide
    space = space_of(shape_hw, patch_size)
    turned_first = bool(draw_below(rng, 2))
    for turned in (turned_first, not turned_first):
        (long, across), (tall, down) = (
            (space[k] - 1, -(-shape_hw[k] // patch_size)) for k in ((0, 1) if turned else (1, 0))
        )
        for lines in range(down, count // across + 1):
            per_line = -(-count // lines)
            apart = [length / (n - 1) for length, n in ((tall, lines), (long, per_line)) if n > 1]
            if min(apart, default=1.0) > best[0]:
                best = (min(apart, default=1.0), turned, lines)
    _, turned, lines = best
    if not lines:
        return np.empty((0, 2), dtype=np.int64)
    (long, tall) = (space[0] - 1, space[1] - 1) if turned else (space[1] - 1, space[0] - 1)
    longer = set(permutation(rng, lines)[: count % lines].tolist())
    points = []
    for line in range(lines):
        n = count // lines + (line in longer)
        y = line * tall // max(1, lines - 1)
        points += [(y, place * long // max(1, n - 1)) for place in range(n)]
    corners = np.array(points, dtype=np.int64)
    return corners[:, ::-1].copy() if turned else corners


STARTS = (*[_farthest_start] * 4, _row_start, _cover_start)
LARGE_STARTS = (*[_farthest_start] * 2, _row_start, _cover_start)
TIGHT_STARTS = (_cover_start,)
"""Tried one after the other; the last always covers the picture where that is sought."""
