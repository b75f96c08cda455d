"""The other ways to place patches, to compare with and for those who want them."""

from collections.abc import Callable
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PlanError
from dunhuang_data.rng import draw_below, permutation
from dunhuang_data.spread.bounds import row_layout, space_of
from dunhuang_data.spread.centers import Allowed, check_possible, spread_centers
from dunhuang_data.spread.farthest import lattice

Integers = NDArray[np.int64]
Method = Callable[[tuple[int, int], int, int, np.random.Generator, Allowed | None], Integers]


def random_centers(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    rng: np.random.Generator,
    allowed: Allowed | None = None,
) -> Integers:
    """Choose distinct centres, every set of them equally likely: see `spread_centers`.

    One draw a centre (Floyd's sampling: Bentley 1987, Comm. ACM 30:754), so it always ends.
    """
    check_possible(shape_hw, patch_size, count, allowed)
    rows, columns = space_of(shape_hw, patch_size)
    total = rows * columns if allowed is None else len(allowed.corners)
    drawn: dict[int, None] = {}
    for last in range(total - count, total):
        one = draw_below(rng, last + 1)
        drawn[last if one in drawn else one] = None
    places = np.array(list(drawn), dtype=np.int64)
    if allowed is not None:
        return allowed.corners[places] + patch_size // 2
    return np.stack([places // columns, places % columns], axis=1) + patch_size // 2


def poisson_centers(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    rng: np.random.Generator,
    allowed: Allowed | None = None,
) -> Integers:
    """Choose centres by dart throwing, with the largest radius that gives enough of them.

    Spots of a lattice are tried in random order; one is taken if no taken one is nearer than the
    radius (Cook 1986, ACM Trans. Graphics 5:51). The radius is found by bisection, in whole squared
    pixels. See `spread_centers`.
    """
    check_possible(shape_hw, patch_size, count, allowed)
    rows, columns = space_of(shape_hw, patch_size)
    if allowed is None:
        ys, xs = lattice(rows, columns, max(20_000, 8 * count))
        spots = np.stack([np.repeat(ys, len(xs)), np.tile(xs, len(ys))], axis=1)
    else:
        spots = allowed.corners
    spots = spots[permutation(rng, len(spots))]
    low, high = 1, isqrt(2 * rows * rows + 2 * columns * columns) + 1
    best = spots[:count]
    while low < high:  # low always works: at 1 px every spot is taken
        middle = (low + high + 1) // 2
        taken = _thrown(spots, middle, count)
        if len(taken) == count:
            low, best = middle, taken
        else:
            high = middle - 1
    return best + patch_size // 2


def _thrown(spots: Integers, radius: int, count: int) -> Integers:
    free = np.ones(len(spots), dtype=bool)
    taken: list[int] = []
    while len(taken) < count and free.any():
        place = int(free.argmax())
        taken.append(place)
        apart = spots - spots[place]
        free &= apart[:, 0] ** 2 + apart[:, 1] ** 2 >= radius * radius
    return spots[taken]


def grid_centers(
    shape_hw: tuple[int, int],
    patch_size: int,
    count: int,
    rng: np.random.Generator,
    allowed: Allowed | None = None,
) -> Integers:
    """Place centres in the best aligned rows (`row_layout`); nothing is random.

    Raises
    ------
    PlanError
        Also if parts of the picture may not be sampled: a grid cannot step aside.
    """
    check_possible(shape_hw, patch_size, count, allowed)
    if allowed is not None:
        raise PlanError("parts of the picture may not be sampled, and a grid cannot step aside")
    corners = row_layout(*space_of(shape_hw, patch_size), count)
    if len(corners) < count:
        raise PlanError(
            f"a grid of {count} patches puts some of them on the same pixel; it gives at most "
            f"{len(corners)}"
        )
    return corners + patch_size // 2


METHODS: dict[str, Method] = {
    "max-distance": spread_centers,
    "poisson": poisson_centers,
    "grid": grid_centers,
    "random": random_centers,
}
