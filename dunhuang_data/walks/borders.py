"""Border rules, applied to the drawing of a free walk instead of to each of its steps.

Let X be the free walk on all whole numbers, along one axis of length L. Then, as processes:

========  ==========================================  ============================================
rule      fold of X                                   what the folded walk does
========  ==========================================  ============================================
drop      X, if 0 <= X < L                            walks on outside, where nothing is drawn
torus     X mod L                                     comes in on the other side
clip      r = X mod 2L; min(r, 2L - 1 - r)            a step beyond the border is not made
reflect   r = X mod (2L - 2); min(r, 2L - 2 - r)      the border is a mirror on its last cell
========  ==========================================  ============================================

Folding is exact because a step to either side is equally likely. What was visited, or when first,
does not depend on whether cells are folded before or after they are drawn: so the walk is drawn
free, on a canvas as large as the walk, and the canvas is folded, tile by tile.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stretch = tuple[slice, slice]


def fold_onto(
    cells: NDArray[Any],
    canvas: NDArray[Any],
    origin_yx: tuple[int, int],
    border: str,
    combine: np.ufunc,
    empty: int,
) -> None:
    """Fold what a free walk drew onto the cells of a mask, in place.

    Parameters
    ----------
    cells : (H, W) array
        What was drawn before; changed.
    canvas : (h, w) array of the same dtype
        The drawing.
    origin_yx : tuple of int
        Which cell of the lattice the canvas begins at; may be negative.
    border : {"drop", "clip", "reflect", "torus"}
    combine : ufunc
        How cells that meet are combined: ``bitwise_or`` of visits, ``minimum`` of times.
    empty : int
        The value of a cell that is not visited.
    """
    (height, width), (top, left) = cells.shape, origin_yx
    rows = np.full((height, canvas.shape[1]), empty, dtype=canvas.dtype)
    for source, target in _stretches(top, canvas.shape[0], height, border):
        combine(rows[target], canvas[source], out=rows[target])
    for source, target in _stretches(left, canvas.shape[1], width, border):
        combine(cells[:, target], rows[:, source], out=cells[:, target])


def _stretches(first: int, count: int, length: int, border: str) -> Iterator[Stretch]:
    """Cut positions ``first`` … ``first + count - 1`` where the fold turns or jumps.

    Yields where each stretch lies on the canvas, and which cells it falls on (backwards if it is
    mirrored; then the canvas is read backwards).
    """
    if border == "drop":
        low, high = max(first, 0), min(first + count, length)
        if low < high:
            yield slice(low - first, high - first), slice(low, high)
        return
    # a mirror on the last cell repeats neither end: its tiles are shorter by the cells they share
    tile = length if border in ("torus", "clip") else max(1, length - 1)
    for number in range(first // tile, (first + count - 1) // tile + 1):
        begin = number * tile
        low, high = max(begin, first), min(begin + tile, first + count)
        source, inside = slice(low - first, high - first), slice(low - begin, high - begin)
        if border == "torus" or number % 2 == 0:
            yield source, inside
        else:
            last = length - 1  # position begin falls on this cell, the next ones on those before it
            stop = source.start - 1
            backwards = slice(source.stop - 1, stop if stop >= 0 else None, -1)
            yield backwards, slice(last - inside.stop + 1, last - inside.start + 1)
