"""Move all patches at once: cover the picture, raise the smallest distance, keep it covered.

Both are written as one small linear programme a round. With t the smallest distance and v the
largest violation of the conditions for coverage, it maximises t − 10 v.

*Distances.* For two patches at p and q, u = (p − q) / |p − q| and moves δ, the distance after the
moves is at least |p − q| + u·(δp − δq), because a norm is convex. So a solution never promises more
than it gives, and t never falls from round to round.

*Coverage.* Look at the first uncovered pixel (X, Y), row by row. The pixel left of it is covered,
so X is 0 or the right edge of some patch i; the pixel above is covered, so Y is 0 or the lower edge
of some patch j. So a picture is covered if and only if, for every right edge i and lower edge j
that meet this way, another patch k, its witness, holds (X, Y): x_k ≤ x_i + s ≤ x_k + s − 1, and
likewise for rows. Those are differences of two unknowns, hence linear; being differences with whole
limits, they survive rounding all positions to pixels.
"""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.spread.coverage import cells_of
from dunhuang_data.spread.farthest import smallest_squared
from dunhuang_data.spread.interior_point import maximise

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_ROUNDS = 14
MOST_RESCUES = 8
GAIN_PX = 0.15  # a round that gains less has stalled
COVER_WEIGHT = 10.0  # px of distance that a pixel of violation is worth
EDGE_PX = 4  # a patch this near to the picture's far edge is pulled onto it
NEVER = -(10**9)


@dataclass(frozen=True)
class Layout:
    """Patches on a picture, by their first rows and columns."""

    shape_hw: tuple[int, int]
    size: int
    corners: Integers
    to_cover: bool

    @property
    def limits(self) -> Integers:
        """Largest first row and column."""
        return np.array(self.shape_hw, dtype=np.int64) - self.size

    @cached_property
    def uncovered(self) -> int:
        """Pixels that are not covered and should be."""
        return cells_of(self.shape_hw, self.size, self.corners).uncovered if self.to_cover else 0

    @cached_property
    def rank(self) -> tuple[bool, int]:
        """Covered, by distinct patches, before not covered; then the smallest squared distance."""
        smallest = smallest_squared(self.corners)
        return self.uncovered == 0 and smallest > 0, smallest

    def at(self, corners: Integers) -> "Layout":
        """Return the layout with its patches elsewhere."""
        return Layout(self.shape_hw, self.size, corners, self.to_cover)


def polish(layout: Layout) -> Layout:
    """Improve a layout until it stalls.

    If patches remain that no move can bring over what is uncovered, the one that covers least on
    its own is put there, at most ``MOST_RESCUES`` times.

    Parameters
    ----------
    layout : Layout
        At least two patches, no two of them in one place.

    Returns
    -------
    Layout
        Never of lower rank than the one given.
    """
    best = now = layout
    reach = max(2.0, 0.2 * sqrt(layout.rank[1]))
    rescues = stalled = rounds = 0
    before = None
    for _ in range(3 * MOST_ROUNDS):
        if rounds == MOST_ROUNDS or stalled == 2:
            break
        rounds += 1
        now = now.at(_round_of(now, reach))
        if now.rank > best.rank:
            gained = not best.rank[0] or sqrt(now.rank[1]) - sqrt(best.rank[1]) >= GAIN_PX
            best, stalled = now, 0 if gained else stalled + 1
        elif best.rank[0]:
            stalled += 1
        if best.rank[0] and not now.rank[0]:  # rounding cost a pixel: smaller moves from the best
            now, reach = best, reach / 2
        elif now.uncovered:
            if before is not None and now.uncovered >= 0.98 * before:
                if rescues == MOST_RESCUES:
                    break
                now, before, rounds, rescues = now.at(_rescued(now)), None, 0, rescues + 1
            else:
                before = now.uncovered
    return best


def _rescued(layout: Layout) -> Integers:
    """Put the patch that covers least on its own onto the largest uncovered piece."""
    from scipy.ndimage import find_objects, label

    cells = cells_of(layout.shape_hw, layout.size, layout.corners)
    pieces, _ = label(cells.depth == 0)
    pixels = np.bincount(pieces.ravel(), cells.area.ravel())
    pixels[0] = 0
    ys, xs = find_objects(pieces)[int(pixels.argmax()) - 1]
    middle = [
        (int(edges[part.start]) + int(edges[part.stop])) // 2
        for edges, part in ((cells.ys, ys), (cells.xs, xs))
    ]
    alone = np.zeros((len(cells.ys), len(cells.xs)), dtype=np.int64)
    alone[1:, 1:] = np.where(cells.depth == 1, cells.area, 0).cumsum(0).cumsum(1)
    top, left = (
        np.searchsorted(e, layout.corners[:, k]) for k, e in enumerate((cells.ys, cells.xs))
    )
    bottom, right = (
        np.searchsorted(e, layout.corners[:, k] + layout.size)
        for k, e in enumerate((cells.ys, cells.xs))
    )
    own = alone[bottom, right] - alone[top, right] - alone[bottom, left] + alone[top, left]
    corners = layout.corners.copy()
    corners[int(own.argmin())] = np.clip(np.array(middle) - layout.size // 2, 0, layout.limits)
    return corners


class _Programme:
    """Rows of a linear programme in the moves of all patches, t and v."""

    def __init__(self, layout: Layout) -> None:
        free = np.broadcast_to(layout.limits > 0, layout.corners.shape)
        self.moves = np.full(layout.corners.shape, -1, dtype=np.int64)
        self.moves[free] = np.arange(int(free.sum()))
        self.t = int(free.sum())
        self.v = self.t + 1
        self._columns: list[Integers] = []
        self._values: list[Floats] = []
        self._limits: list[Floats] = []

    def add(
        self, columns: list[Integers], signs: list[Floats | float], limits: Floats | Integers
    ) -> None:
        """Add rows Σ sign · variable ≤ limit; a column of −1 is a patch that cannot move so."""
        block = np.zeros((len(limits), 5), dtype=np.int64)
        values = np.zeros((len(limits), 5))
        for place, (column, sign) in enumerate(zip(columns, signs, strict=True)):
            block[:, place] = np.where(column < 0, 0, column)
            values[:, place] = np.where(column < 0, 0.0, sign)
        self._columns.append(block)
        self._values.append(values)
        self._limits.append(limits.astype(np.float64))

    def solve(self, distance: float, violation: float) -> Floats:
        """Return the moves, (N, 2) float64 px."""
        objective, start = np.zeros(self.v + 1), np.zeros(self.v + 1)
        objective[self.t], objective[self.v] = 1.0, -COVER_WEIGHT
        start[self.t], start[self.v] = distance, violation
        columns, values = np.concatenate(self._columns), np.concatenate(self._values)
        x = maximise(objective, columns, values, np.concatenate(self._limits), start)
        return np.where(self.moves >= 0, x[self.moves], 0.0)


def _round_of(layout: Layout, reach: float) -> Integers:
    """Return the corners after one linear programme with moves of at most ``reach`` px."""
    programme = _Programme(layout)
    distance = _add_distances(programme, layout, reach)
    violation = _add_coverage(programme, layout, reach) if layout.to_cover else 0.0
    free = programme.moves >= 0
    for sign, room in ((1.0, layout.limits - layout.corners), (-1.0, layout.corners)):
        programme.add([programme.moves[free]], [sign], np.minimum(reach, room[free]))
    programme.add([np.array([programme.v])], [-1.0], np.zeros(1))
    moved = layout.corners + programme.solve(distance, violation)
    return np.clip(np.floor(moved + 0.5).astype(np.int64), 0, layout.limits)


def _add_distances(programme: _Programme, layout: Layout, reach: float) -> float:
    """Add t ≤ distance after the moves, for every pair that could become the nearest."""
    i, j = np.triu_indices(len(layout.corners), 1)
    apart = (layout.corners[i] - layout.corners[j]).astype(np.float64)
    distance = np.sqrt(apart[:, 0] ** 2 + apart[:, 1] ** 2)
    smallest = float(distance.min())
    near = distance < 1.1 * smallest + 2.83 * reach  # two diagonal moves
    i, j, distance = i[near], j[near], distance[near]
    u = apart[near] / np.maximum(distance, 1e-9)[:, None]
    moves = programme.moves
    programme.add(
        [moves[i, 0], moves[i, 1], moves[j, 0], moves[j, 1], np.full(len(i), programme.t)],
        [-u[:, 0], -u[:, 1], u[:, 0], u[:, 1], 1.0],
        distance,
    )
    return smallest


def _add_coverage(programme: _Programme, layout: Layout, reach: float) -> float:
    """Add the conditions for coverage that the moves could break; return the largest violation."""
    far = 2 * reach + 1  # what two moves and the rounding can change
    right_of, below, witness = _witnesses(layout, far)
    worst = 0.0
    count = len(layout.corners)
    for axis, edge in ((1, right_of), (0, below)):
        outside = (witness == count + (axis == 0)) & (edge < count)
        owner = np.unique(edge[outside])
        limit = layout.corners[owner, axis] - layout.limits[axis]
        worst = max(worst, _add_rows(programme, axis, None, owner, 1, limit))
        inside = witness < count
        k, e = witness[inside], edge[inside]
        at = np.where(e < count, layout.corners[np.minimum(e, count - 1), axis] + layout.size, 0)
        first = layout.corners[k, axis]
        for sign, slack in ((1, at - first), (-1, first + layout.size - 1 - at)):
            needed = slack < far
            unique = np.unique(e[needed] * count + k[needed], return_index=True)[1]
            rows = tuple(one[needed][unique] for one in (k, e, slack))
            worst = max(worst, _add_rows(programme, axis, rows[0], rows[1], sign, rows[2]))
    return worst


def _add_rows(
    programme: _Programme,
    axis: int,
    witness: Integers | None,
    edge: Integers,
    sign: int,
    slack: Integers,
) -> float:
    """Add sign · (move of the witness − move of the edge's patch) ≤ slack, or ≤ slack + v."""
    if not len(slack):
        return 0.0
    count = len(programme.moves)
    moves = programme.moves[:, axis]
    owner = np.where(edge < count, moves[np.minimum(edge, count - 1)], -1)
    holder = np.full(len(edge), -1) if witness is None else moves[witness]
    violated = np.where(slack < 0, programme.v, -1)
    programme.add([holder, owner, violated], [float(sign), -float(sign), -1.0], slack)
    return max(0.0, -float(slack.min()))


def _witnesses(layout: Layout, far: float) -> tuple[Integers, Integers, Integers]:
    """Find where right and lower edges meet, and the patch that holds, or could hold, the pixel.

    Returns
    -------
    right_of, below, witness : (K,) int64
        Index of the patch whose right edge, and of the one whose lower edge, meet; N is the
        picture's own left or upper edge. The witness is N or N + 1 where the pixel lies, or should
        lie, beyond the picture's right or lower edge.
    """
    count, size = len(layout.corners), layout.size
    height, width = layout.shape_hw
    y, x = layout.corners[:, 0], layout.corners[:, 1]
    ends_y, ends_x = np.append(y + size, 0), np.append(x + size, 0)
    i, j = (one.ravel() for one in np.meshgrid(*[np.arange(count + 1)] * 2, indexing="ij"))
    at_y, at_x = ends_y[j], ends_x[i]
    beside, above = at_y - np.append(y, 0)[i], at_x - np.append(x, 0)[j]
    may_meet = ((i == count) | ((beside >= -far) & (beside < size + far))) & (
        (j == count) | ((above >= -far) & (above < size + far))
    )
    i, j, at_y, at_x, beside, above = (one[may_meet] for one in (i, j, at_y, at_x, beside, above))
    meets = ((i == count) | ((beside >= 0) & (beside < size))) & (
        (j == count) | ((above >= 0) & (above < size))
    )
    slack_y = np.minimum(at_y[:, None] - y, y + size - 1 - at_y[:, None])
    slack_x = np.minimum(at_x[:, None] - x, x + size - 1 - at_x[:, None])
    slack = np.minimum(slack_y, slack_x)
    # a patch that ends before the pixel would have to overtake it: no witness, nor are i and j
    slack[(y + size <= at_y[:, None]) | (x + size <= at_x[:, None])] = NEVER
    rows = np.arange(len(i))
    for edge in (i, j):
        slack[rows[edge < count], edge[edge < count]] = NEVER
    inside = slack.max(axis=1)
    outside = np.stack([at_x - width, at_y - height], axis=1)
    chosen = outside.copy()
    if layout.uncovered:
        # near the far edges the edge itself is the better aim, unless a patch holds the pixel
        # safely: else of two patches there each could wait for the other to be overtaken
        chosen[(outside >= -EDGE_PX) & (inside < far)[:, None]] -= NEVER
        chosen[chosen[:, 0] >= -NEVER - EDGE_PX, 1] = NEVER
    witness = np.concatenate([slack, chosen], axis=1).argmax(axis=1)
    known = np.concatenate([slack, outside], axis=1)[rows, witness] >= 0
    kept = meets | known
    return i[kept], j[kept], witness[kept].astype(np.int64)
