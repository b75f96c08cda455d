"""What is known of a picture beforehand: how far apart patches can lie, and if they cover it."""

from functools import lru_cache
from math import ceil, inf, sqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.spread.coverage import nearest_distances

Shape = tuple[int, int]


def space_of(shape_hw: Shape, patch_size: int) -> Shape:
    """Return how many rows and columns of positions a picture has; below 1 if it is too small."""
    return shape_hw[0] - patch_size + 1, shape_hw[1] - patch_size + 1


def cover_number(shape_hw: Shape, patch_size: int) -> int:
    """Return the fewest patches that cover the picture: ⌈H / s⌉ · ⌈W / s⌉.

    Fewer cannot: that many pixels lie a patch or more apart in row or column, and no patch holds
    two of them. That many can: an even grid.
    """
    return ceil(shape_hw[0] / patch_size) * ceil(shape_hw[1] / patch_size)


@lru_cache(maxsize=64)  # a picture is asked about three times: to cover it, to place, to report
def distance_bounds(shape_hw: Shape, patch_size: int, count: int) -> tuple[float, float]:
    """Bracket the largest smallest distance that ``count`` patch centres can have, in pixels.

    Parameters
    ----------
    shape_hw : tuple of int
        Height and width of the picture in pixels, at least a patch.
    patch_size : int
    count : int

    Returns
    -------
    low : float
        Smallest distance of the best aligned row layout (`row_layout`): this much is possible.
        1 where its rounded points coincide, for distinct pixels are a pixel apart.
    high : float
        Oler's inequality (Oler 1961, Acta Mathematica 105:19): more is impossible, for N points
        that are d or more apart in a rectangle of area A and perimeter p satisfy
        N ≤ 2 A / (√3 d²) + p / (2 d) + 1.
        Both are infinite for a single patch.
    """
    if count < 2:
        return inf, inf
    rows, columns = space_of(shape_hw, patch_size)
    half, area, more = rows + columns - 2, 2 / sqrt(3) * (rows - 1) * (columns - 1), count - 1
    high = (half + sqrt(half * half + 4 * more * area)) / (2 * more)
    corners = row_layout(rows, columns, count)
    low = float(nearest_distances(corners).min()) if len(corners) == count else 1.0
    return low, max(low, high)


def worth_covering(shape_hw: Shape, patch_size: int, count: int) -> bool:
    """Whether to cover the picture: it is possible, and costs less than half of the distance.

    To cover a picture, patches must stand in its four corners, so their smallest distance is at
    most the shorter side less a patch. Where that is under half of what rows give (a strip hardly
    wider than a patch), near-identical patches would be the price of a few columns of pixels.
    """
    if count < cover_number(shape_hw, patch_size):
        return False
    shorter = min(space_of(shape_hw, patch_size)) - 1
    return shorter == 0 or 2 * shorter >= distance_bounds(shape_hw, patch_size, count)[0]


def row_layout(rows: int, columns: int, count: int) -> NDArray[np.int64]:
    """Return the best aligned row layout, (count, 2) int64: square or staggered, either way up.

    Points lie in equidistant rows. In a square layout they stand below one another; in a staggered
    one every second row is shifted by half a step and holds as many points, or one fewer.
    Nothing is random. Positions are rounded to pixels, so on a space with hardly more positions
    than points some may coincide; then they are returned once.
    """
    best: tuple[float, bool, int, int, str] = (-1.0, False, 1, 1, "square")
    for turned, (b, a) in ((False, (rows - 1, columns - 1)), (True, (columns - 1, rows - 1))):
        for lines in range(1, count + 1):
            height = b / (lines - 1) if lines > 1 else inf
            for kind, per_line in _fitting(lines, count):
                distance = _distance_of(kind, per_line, lines, a, height)
                if distance > best[0]:
                    best = (distance, turned, lines, per_line, kind)
    _, turned, lines, per_line, kind = best
    b, a = (columns - 1, rows - 1) if turned else (rows - 1, columns - 1)
    points = []
    for line in range(lines):
        y = b * line / max(1, lines - 1)
        shifted = line % 2 if kind != "square" else 0
        step = a / (per_line - 0.5) if kind == "as many" else a / max(1, per_line - 1)
        in_line = per_line - (shifted if kind == "one fewer" else 0)
        points += [(y, (place + shifted / 2) * step) for place in range(in_line)]
    corners = np.floor(np.array(points[:count]) + 0.5).astype(np.int64)
    return np.unique(corners[:, ::-1] if turned else corners, axis=0)


def _fitting(lines: int, count: int) -> list[tuple[str, int]]:
    """Return the layouts with the fewest points a line that hold ``count``."""
    even = -(-count // lines)
    fewer = -(-(count + lines // 2) // lines)
    fitting = [("square", even)]
    if lines > 1:
        fitting += [("as many", even)]
        fitting += [("one fewer", fewer)] if fewer > 1 else []
    return fitting


def _distance_of(kind: str, per_line: int, lines: int, a: float, height: float) -> float:
    """Return the smallest distance of a layout on a width of ``a``, its lines ``height`` apart."""
    if kind == "square":
        return min(a / (per_line - 1) if per_line > 1 else inf, height)
    step = a / (per_line - 0.5) if kind == "as many" else a / (per_line - 1)
    in_line = step if per_line > 1 else inf
    return min(
        in_line,
        sqrt(step * step / 4 + height * height),
        2 * height if lines > 2 else inf,
    )
