"""The random walk, one step at a time and one pixel at a time: slow, and easy to believe."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.rng import raw_words
from dunhuang_data.walks import NEVER, WalkRule
from dunhuang_data.walks.rules import draw_start

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
Times = NDArray[np.int64]
Sites = list[tuple[int, ...] | None]


def sites(rng: np.random.Generator, rule: WalkRule, cells_hw: tuple[int, int], steps: int) -> Sites:
    """Walk, and return every site in order: (y, x), or None where nothing is drawn.

    A step that a border changes turns the axis: from then on its two directions are exchanged.
    That is no other law, for they are equally likely.
    """
    at, sign = list(draw_start(cells_hw, rule.start, rng)), [1, 1]
    visited: Sites = []
    words = [int(word) for word in raw_words(rng, -(-steps // 32))]
    for step in range(steps + 1):
        inside = all(0 <= at[axis] < cells_hw[axis] for axis in (0, 1))
        visited.append(tuple(at) if inside else None)
        if step == steps:
            break
        moves = DIRECTIONS[(words[step // 32] >> (2 * (step % 32))) & 3]
        for axis, side in enumerate(cells_hw):
            before, at[axis] = at[axis], at[axis] + sign[axis] * moves[axis]
            beyond = not 0 <= at[axis] < side
            if beyond and rule.border == "torus":
                at[axis] %= side
            elif beyond and rule.border == "clip":
                at[axis], sign[axis] = before, -sign[axis]
            elif beyond and rule.border == "reflect":
                at[axis] = min(max(0, side - 1), 1) if at[axis] < 0 else max(0, side - 2)
                sign[axis] = -sign[axis]
    return visited


def cell_times(
    rng: np.random.Generator, rule: WalkRule, cells_hw: tuple[int, int], steps: int
) -> Times:
    """Return when each cell is first visited by one walker, `NEVER` if it is not."""
    times = np.full(cells_hw, NEVER, dtype=np.int64)
    for time, site in enumerate(sites(rng, rule, cells_hw, steps)):
        if site is not None:
            times[site] = min(times[site], time)
    return times


def pixel_times(
    shape_hw: tuple[int, int],
    steps: int,
    rng: np.random.Generator,
    rule: WalkRule,
    generation: int = 0,
) -> Times:
    """Return when each pixel of a mask becomes a hole: walkers, grid, brush and margin too."""
    height, width = (side - 2 * rule.margin_px for side in shape_hw)
    cells_hw = (rule.grid, rule.grid) if rule.grid else (height, width)
    first = generation * rule.walkers
    stream: Any = rng.bit_generator
    streams = [stream.jumped(number) for number in range(first, first + rule.walkers)]
    cells = np.minimum.reduce(
        [cell_times(np.random.Generator(one), rule, cells_hw, steps) for one in streams]
    )
    scaled = np.array(
        [
            [cells[y * cells_hw[0] // height, x * cells_hw[1] // width] for x in range(width)]
            for y in range(height)
        ]
    )
    times = np.full(shape_hw, NEVER, dtype=np.int64)
    inner = times[rule.margin_px :, rule.margin_px :]
    brush, low = rule.brush_px, -(rule.brush_px // 2)
    for dy in range(brush):
        for dx in range(brush):
            if (2 * dy + 1 - brush) ** 2 + (2 * dx + 1 - brush) ** 2 > brush**2:
                continue
            for y in range(height):
                for x in range(width):
                    # an even disk has its centre between pixels, up and left of the cell's own
                    from_y, from_x = y + low + dy, x + low + dx
                    if 0 <= from_y < height and 0 <= from_x < width:
                        inner[y, x] = min(inner[y, x], scaled[from_y, from_x])
    return times


def first_pixels(times: Times, count: int) -> NDArray[np.uint8]:
    """Return the mask whose holes are the first pixels.

    Where times are equal those along the border come first, then row by row.
    """
    height, width = times.shape

    def turn(place: int) -> tuple[int, bool, int]:
        y, x = divmod(place, width)
        return int(times.flat[place]), 0 < y < height - 1 and 0 < x < width - 1, place

    order = sorted(range(times.size), key=turn)
    assert times.flat[order[count - 1]] != NEVER, "the oracle did not walk long enough"
    valid = np.ones(times.shape, dtype=np.uint8)
    valid.flat[order[:count]] = 0
    return valid
