"""Patch centres as far apart as they can be, covering the picture wherever that is possible."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PlanError
from dunhuang_data.rng import draw_below
from dunhuang_data.spread.bounds import cover_number, distance_bounds, row_layout, space_of
from dunhuang_data.spread.farthest import (
    CANDIDATES,
    choose_spots,
    farthest_first,
    farthest_points,
    lattice,
    more_spots,
    put_back,
)
from dunhuang_data.spread.polish import Layout, polish
from dunhuang_data.spread.relax import pushed_apart

Integers = NDArray[np.int64]

POLISH_UP_TO = 128  # patches: the time of a linear programme grows with their cube
MANY_SPOTS = 400_000
MOST_SPOTS = 20_000  # at which points are put back where only some positions are allowed
GOOD = 0.95  # of the row layout's distance: below, another start is worth its time


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where patches may lie on a picture that is not all sampleable.

    Attributes
    ----------
    corners : (M, 2) int64
        Admissible first rows and columns, on a lattice if there are very many.
    total : int
        How many admissible positions there are, lattice or not.
    positions : int
        How many there would be if all of the picture were sampleable.
    """

    corners: Integers
    total: int
    positions: int


def spread_centers(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    rng: np.random.Generator,
    allowed: Allowed | None = None,
) -> Integers:
    """Choose ``count`` distinct patch centres as far apart as possible.

    Up to 128 patches: farthest points with a random start, each taken out and put back until none
    finds a better place, then moved all at once so that the picture is covered (wherever
    N ≥ ⌈H / s⌉ · ⌈W / s⌉) and the smallest distance as large as it gets. The best of two starts,
    of four if those are poor. More patches: farthest points, pushed apart. Where parts of the
    picture are not ``allowed``: farthest points, taken out and put back; coverage is not sought.

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
        Rows and columns, farthest first: every prefix is spread too.

    Raises
    ------
    PlanError
        If the picture is smaller than a patch, or has fewer positions than ``count``.
    """
    rows, columns = space_of(shape_hw, patch_size)
    check_possible(shape_hw, patch_size, count, allowed)
    if allowed is not None and allowed.total < allowed.positions:
        corners = choose_spots(allowed.corners, count, rng)
        if count <= POLISH_UP_TO:
            every = -(-len(allowed.corners) // MOST_SPOTS)
            corners = put_back(allowed.corners[::every], corners, rng)
    elif count > POLISH_UP_TO:
        corners = farthest_points(rows, columns, count, rng, MANY_SPOTS)
        _, bound = distance_bounds(shape_hw, patch_size, count)
        return pushed_apart(rows, columns, corners, bound) + patch_size // 2
    else:
        corners = _best_of_starts(shape_hw, patch_size, count, rng)
    return farthest_first(corners, draw_below(rng, count)) + patch_size // 2


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
    possible = rows * columns if allowed is None else allowed.total
    if count > possible:
        there = "positions"
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
    to_cover = count >= cover_number(shape_hw, patch_size)
    ys, xs = lattice(rows, columns, max(CANDIDATES, 40 * count))
    spots = np.stack([np.repeat(ys, len(xs)), np.tile(xs, len(ys))], axis=1)
    aim = GOOD * distance_bounds(shape_hw, patch_size, count)[0]
    best: Layout | None = None
    for start in range(len(STARTS) if count > 1 else 1):
        corners = STARTS[start](shape_hw, patch_size, count, spots, rng)
        if len(corners) < max(2, count):
            continue
        layout = polish(Layout(shape_hw, patch_size, corners, to_cover))
        if best is None or layout.rank > best.rank:
            best = layout
        enough = 2 if count <= 48 else 1
        if start + 1 >= enough and best.rank[0] and sqrt(best.rank[1]) >= aim:
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
    """Lay the even grid that covers the picture, and what is left over far from it; or nothing."""
    if count < cover_number(shape_hw, patch_size):
        return np.empty((0, 2), dtype=np.int64)
    rows, columns = space_of(shape_hw, patch_size)
    down, across = (-(-side // patch_size) for side in shape_hw)
    ys = np.arange(down) * (rows - 1) // max(1, down - 1)
    xs = np.arange(across) * (columns - 1) // max(1, across - 1)
    grid = np.stack([np.repeat(ys, across), np.tile(xs, down)], axis=1)
    return more_spots(spots, grid, count)


STARTS = (*[_farthest_start] * 4, _row_start, _cover_start)
"""Tried one after the other; the last always covers the picture where that is possible."""
