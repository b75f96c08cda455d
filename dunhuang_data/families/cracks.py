"""Cracks: thin branching lines that wander, and end where they meet another hole."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.families.brush import pressed_varying, thinned
from dunhuang_data.families.canvas import Canvas, Pixels, rising
from dunhuang_data.families.draws import (
    ACROSS,
    DOWN,
    FULL_TURN,
    UNIT,
    UNIT_BITS,
    Integers,
    draw_many,
)

GENERATIONS = 3
FREE, HOLE, OUTSIDE = 0, 1, 100  # the last is more than any branch endures
AREA_PX = 1 << 13  # for each of the cracks that open at one time
KINK_PX = 3
MOST_KINK = FULL_TURN // 11  # either side of the branch's course
MOST_DRIFT = FULL_TURN // 64  # of the course itself, at each kink


@dataclass(frozen=True, slots=True)
class _Branches:
    """The branches of one generation, (B,) int64 each.

    Attributes
    ----------
    place : where they begin, a position in ``Canvas.free``
    heading : in parts of a full turn
    width, length : in pixels
    born : the step of the crack's growth at which they begin
    crossings : how many holes they run through before one ends them
    """

    place: Integers
    heading: Integers
    width: Integers
    length: Integers
    born: Integers
    crossings: Integers


@dataclass(frozen=True, slots=True)
class _Grown:
    """The same branches, grown: where each step lies and whether the branch came so far, (B, L).

    The heading is that of each kink, (B, ceil(L / KINK_PX)).
    """

    place: NDArray[np.int32]
    heading: NDArray[np.int32]
    alive: NDArray[np.bool_]


def draw_crack(
    canvas: Canvas,
    start: int,
    width_px: tuple[int, int],
    length_px: tuple[int, int],
    rng: np.random.Generator,
) -> Pixels:
    """Draw the cracks that open at one time, in the order of their growth, all growing alike.

    One begins at the start, the others anywhere. Two arms leave each beginning in opposite
    directions, twice as long as a branch; branches go off at about right angles, and from these
    again. A branch ends where it meets a hole, at once or after it has run through some, as
    cracks in paint do: the stress that drives one is gone where another has opened. So they form
    a net. What grows at the same time does not see one another.

    Parameters are those of `dunhuang_data.families.strokes.draw_stroke`; the width is that of a
    crack (each branch is a pixel thinner than the one that it leaves, down to the lower bound, and
    so is the last third of each), the length that of a branch.
    """
    state = _states(canvas)
    branches = _first_arms(canvas, start, width_px, length_px, rng)
    places, widths, times = [], [], []
    for generation in range(GENERATIONS):
        grown = _grow(branches, state, canvas.stride, 0 if generation == 0 else 4, rng)
        branch, step = np.divmod(np.flatnonzero(grown.alive), grown.alive.shape[1])
        place = grown.place[branch, step]
        state[place] = HOLE
        near_end = 3 * step > 2 * branches.length[branch]
        places.append(place)
        widths.append(np.maximum(width_px[0], branches.width[branch] - near_end))
        times.append(branches.born[branch] + step)
        if generation < GENERATIONS - 1:
            branches = _offspring(branches, grown, width_px[0], length_px, rng)
            if len(branches.place) == 0:
                break
    order = rising(np.concatenate(times))
    order = order[:: thinned(len(order), width_px[1])]
    row, column = np.divmod(np.concatenate(places)[order], canvas.stride)
    return pressed_varying(
        canvas, row - canvas.rim, column - canvas.rim, np.concatenate(widths)[order]
    )


def _states(canvas: Canvas) -> NDArray[np.int8]:
    """Return what each position of the canvas counts for a branch that comes there."""
    (height, width), rim = canvas.area_hw, canvas.rim
    state = np.full((height + 2 * rim, canvas.stride), OUTSIDE, dtype=np.int8)
    state[rim : rim + height, rim : rim + width] = np.where(canvas.area(), FREE, HOLE)
    return state.reshape(-1)


def _first_arms(
    canvas: Canvas,
    start: int,
    width_px: tuple[int, int],
    length_px: tuple[int, int],
    rng: np.random.Generator,
) -> _Branches:
    """Return two opposite arms for each crack that opens; the first begins at the start."""
    height, width = canvas.area_hw
    count = max(1, height * width // AREA_PX)
    y, x = draw_many(rng, count, 0, height - 1), draw_many(rng, count, 0, width - 1)
    places = (y + canvas.rim) * canvas.stride + x + canvas.rim
    places[0] = start
    headings = draw_many(rng, count, 0, FULL_TURN - 1)
    return _Branches(
        place=places.repeat(2),
        heading=np.stack((headings, headings + FULL_TURN // 2), axis=1).reshape(-1),
        width=draw_many(rng, count, *width_px).repeat(2),
        length=2 * draw_many(rng, 2 * count, *length_px),
        born=np.zeros(2 * count, dtype=np.int64),
        crossings=draw_many(rng, 2 * count, 0, 3),
    )


def _grow(
    branches: _Branches,
    state: NDArray[np.int8],
    stride: int,
    blind_px: int,
    rng: np.random.Generator,
) -> _Grown:
    """Let branches wander until their length, the edge or a hole ends them.

    For the first ``blind_px`` they see no hole: they begin in the one that they leave.
    """
    count, longest = len(branches.place), int(branches.length.max())
    kinks = -(-longest // KINK_PX)
    draws = draw_many(rng, 2 * count * kinks, -MOST_KINK, MOST_KINK)
    turns = draws.astype(np.int32).reshape(2, count, kinks)
    base = branches.heading.astype(np.int32)[:, None]
    course = (turns[1] * MOST_DRIFT // MOST_KINK).cumsum(1, dtype=np.int32)
    heading = (base + course + turns[0]) & (FULL_TURN - 1)
    row, column = np.divmod(branches.place, stride)
    y = _along(DOWN[heading], longest, row, len(state) // stride - 1)
    x = _along(ACROSS[heading], longest, column, stride - 1)
    place = y * np.int32(stride) + x
    found = state[place]
    found[:, :blind_px] = FREE
    met = found.copy()
    met[:, 1:] -= found[:, :-1]  # a hole is met where it begins
    endured = np.maximum(met, 0, out=met).cumsum(1) <= branches.crossings[:, None]
    alive = endured & (np.arange(longest) < branches.length[:, None])
    return _Grown(place, heading, alive)


def _along(unit: NDArray[np.int32], longest: int, first: Integers, last: int) -> NDArray[np.int32]:
    """Return the rows or columns of a path, (B, L), kept within 0 … ``last``.

    ``unit`` is that part of each kink's direction, ``first`` where the path begins.
    """
    place: NDArray[np.int32] = unit.repeat(KINK_PX, 1)[:, :longest].cumsum(1, dtype=np.int32)
    place += UNIT // 2
    place >>= UNIT_BITS
    place += first.astype(np.int32)[:, None]
    np.minimum(np.maximum(place, 0, out=place), last, out=place)
    return place


def _offspring(
    parents: _Branches,
    grown: _Grown,
    thinnest: int,
    length_px: tuple[int, int],
    rng: np.random.Generator,
) -> _Branches:
    """Return the branches that leave the grown ones, about half a length apart."""
    count, longest = grown.alive.shape
    gap = max(4, sum(length_px) // 4)
    slots = longest // gap + 1
    draws = draw_many(rng, 4 * count * slots, 0, 2**20 - 1).reshape(4, count, slots)
    at = np.arange(slots) * gap + draws[0] % gap
    there = grown.alive[np.arange(count)[:, None], np.minimum(at, longest - 1)]
    parent, slot = np.nonzero(there & (at < longest))
    step = at[parent, slot]
    side = draws[1, parent, slot] % 2 * (FULL_TURN // 2) + FULL_TURN // 4
    lean = draws[2, parent, slot] % (FULL_TURN // 6) - FULL_TURN // 12
    low, high = length_px
    return _Branches(
        place=grown.place[parent, step].astype(np.int64),
        heading=grown.heading[parent, step // KINK_PX] + side + lean,
        width=np.maximum(thinnest, parents.width[parent] - 1),
        length=low + draws[3, parent, slot] % (high - low + 1),
        born=parents.born[parent] + step,
        crossings=draws[1, parent, slot] >> 1 & 1,
    )
