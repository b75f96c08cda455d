"""Cover what very many patches leave uncovered, hole by hole: a patch nearby is moved."""

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.spread.coverage import cells_of, tiles

Integers = NDArray[np.int64]
Box = tuple[int, int, int, int]

PASSES = 6
TRIED = 8  # patches that are tried for a hole, the nearest first


def mended(shape_hw: tuple[int, int], patch_size: int, corners: Integers) -> Integers:
    """Move patches onto uncovered pieces wherever that lowers the uncovered area.

    For each piece the patches that need the smallest shift to hold it are tried. What a move
    uncovers elsewhere is counted, so the uncovered area falls with every move, and there is an end.

    Parameters
    ----------
    shape_hw : tuple of int
    patch_size : int
    corners : (N, 2) int64
        First rows and columns, distinct.

    Returns
    -------
    (N, 2) int64
        Distinct; in the same order.
    """
    corners = corners.copy()
    for _ in range(PASSES):
        moved = False
        for box in _holes(shape_hw, patch_size, corners):
            moved |= _mend(shape_hw, patch_size, corners, box)
        if not moved:
            break
    return corners


def _holes(shape_hw: tuple[int, int], patch_size: int, corners: Integers) -> list[Box]:
    """Return the uncovered pieces: first and last row after, first and last column after."""
    from scipy.ndimage import find_objects, label

    found: list[Box] = []
    for top, left, tile, met in tiles(shape_hw, patch_size, corners):
        cells = cells_of(tile, patch_size, met)
        pieces, _ = label(cells.depth == 0)
        for ys, xs in find_objects(pieces):
            y0, y1 = int(cells.ys[ys.start]) + top, int(cells.ys[ys.stop]) + top
            x0, x1 = int(cells.xs[xs.start]) + left, int(cells.xs[xs.stop]) + left
            # of a piece larger than a patch, as much as a patch can hold
            found.append((y0, min(y1, y0 + patch_size), x0, min(x1, x0 + patch_size)))
    return found


def _mend(shape_hw: tuple[int, int], size: int, corners: Integers, box: Box) -> bool:
    """Move the patch with the best outcome onto a piece, in place; say whether one was moved."""
    y0, y1, x0, x1 = box
    low, high = np.array([y1, x1]) - size, np.array([y0, x0])
    limits = np.array(shape_hw) - size
    aims = np.clip(np.clip(corners, low, high), 0, limits)
    shift = np.abs(aims - corners).max(axis=1)
    best, chosen = 0, -1
    for patch in np.argsort(shift, kind="stable")[:TRIED].tolist():
        if ((corners == aims[patch]).all(axis=1)).any():
            continue
        gain = _gain(shape_hw, size, corners, patch, aims[patch])
        if gain > best:
            best, chosen = gain, patch
    if chosen >= 0:
        corners[chosen] = aims[chosen]
    return chosen >= 0


def _gain(
    shape_hw: tuple[int, int], size: int, corners: Integers, patch: int, aim: Integers
) -> int:
    """Return by how many pixels the uncovered area falls if one patch is moved."""
    first = np.minimum(corners[patch], aim)
    after = np.minimum(np.maximum(corners[patch], aim) + size, shape_hw)
    near = ((corners > first - size) & (corners < after)).all(axis=1)
    local = corners[near] - first
    window = (int(after[0] - first[0]), int(after[1] - first[1]))
    before = cells_of(window, size, local).uncovered
    place = int(np.count_nonzero(near[:patch]))
    local[place] = aim - first
    return before - cells_of(window, size, local).uncovered
