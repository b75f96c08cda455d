"""What a walk visits, by a compiled loop over its symbols (numba, extra ``[fast]``).

The same cells as `steps` and `borders` give, from the same words. Here the walk is folded while it
goes, once for every symbol: at a border the tables of a mirrored walk take over. The three cells
within a symbol may lie just outside, so cells are drawn on a canvas with room around them and that
room is folded at the end. No store is checked, and nothing waits but one sum for four steps.

Importing this module compiles nothing; the first call does, for about two seconds.
"""

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array
from dunhuang_data.walks.steps import STEP_X, STEP_Y, Steps

LEAST_CELLS = 8
"""Along an axis; where there are fewer, a symbol could be folded twice."""

_ROOM = 7  # around the cells: 4 that a symbol may begin outside (drop), and 3 that it may go on
_DROP, _CLIP, _REFLECT, _TORUS = range(4)
_BORDERS = {"drop": _DROP, "clip": _CLIP, "reflect": _REFLECT, "torus": _TORUS}
_MIRRORED_Y, _MIRRORED_X = 512, 256  # added to a symbol
# Every index is unsigned: numba tests a signed one for being negative, which doubles the time. And
# every constant that meets an index is too: int64 and uint64 together would become float64.
_U = np.uint64


def draw(cells: UInt8Array, steps: Steps, border: str) -> tuple[int, int]:
    """Draw what a walk visits.

    Parameters
    ----------
    cells : (H, W) uint8
        1 = visited; changed. H and W at least `LEAST_CELLS`.
    steps : Steps
    border : {"drop", "clip", "reflect", "torus"}

    Returns
    -------
    end_yx : tuple of int
        Where the free walk ends, or a position that the rule folds onto the same cell, turned the
        same way.
    """
    rule = _BORDERS[border]
    offsets, ends = _tables(cells.shape[1] + 2 * _ROOM)
    (y, turned_y), (x, turned_x) = (
        _cell(position, side, rule)
        for position, side in zip(steps.start_yx, cells.shape, strict=True)
    )
    mirrored = turned_y * _MIRRORED_Y + turned_x * _MIRRORED_X
    y, x, mirrored = _walk(cells, steps.symbols, steps.count, rule, y, x, mirrored, offsets, ends)
    end_y = _position(y, cells.shape[0], rule, bool(mirrored & _MIRRORED_Y))
    end_x = _position(x, cells.shape[1], rule, bool(mirrored & _MIRRORED_X))
    whole, rest = divmod(steps.count, 4)
    if rest:
        more_y, more_x = _displacements()[steps.symbols[whole], rest - 1].tolist()
        return end_y + more_y, end_x + more_x
    return end_y, end_x


def _cell(position: int, side: int, rule: int) -> tuple[int, bool]:
    """Return the cell that a position of the free walk falls on, and whether mirrored."""
    if rule == _DROP:
        return position, False
    if rule == _TORUS:
        return position % side, False
    turn = 2 * side - 1 - (rule == _REFLECT)  # what a position and its mirror image add up to
    position %= 2 * (side - (rule == _REFLECT))
    return (position, False) if position < side else (turn - position, True)


def _position(cell: int, side: int, rule: int, mirrored: bool) -> int:
    """Return a position of the free walk that falls on a cell."""
    return 2 * side - 1 - (rule == _REFLECT) - cell if mirrored else cell


@lru_cache(maxsize=1)
def _displacements() -> NDArray[np.int64]:
    """Return (256, 4, 2): y and x after 1, 2, 3, 4 steps of each symbol."""
    bits = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
    along = np.array([STEP_Y, STEP_X])[:, bits]
    return np.ascontiguousarray(np.moveaxis(np.cumsum(along, axis=-1), 0, -1))


@lru_cache(maxsize=8)
def _tables(stride: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return what each symbol does, walked as it is, mirrored in x, in y, in both.

    Returns
    -------
    offsets : (4 * 256 * 4,) uint64
        On a canvas of this stride, after 1, 2, 3, 4 steps; modulo 2**64.
    ends : (4 * 256 * 2,) uint64
        y and x after 4 steps, modulo 2**64.
    """
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    yx = _displacements() * signs[:, None, None]
    offsets = (yx @ np.array([stride, 1])).reshape(-1)
    return offsets.view(np.uint64), yx[:, :, 3].reshape(-1).view(np.uint64)


def _walk_in_python(
    cells: Any,
    symbols: Any,
    steps: int,
    rule: int,
    first_y: int,
    first_x: int,
    first_mirrored: int,
    offsets: Any,
    ends: Any,
) -> tuple[Any, Any, Any]:
    height, width = _U(cells.shape[0]), _U(cells.shape[1])
    room, four, one, two = _U(_ROOM), _U(4), _U(1), _U(2)
    negative = _U(2**63)  # and above: a position below 0
    stride = width + room + room
    canvas = np.zeros((height + room + room) * stride, dtype=np.uint8)
    y, x = _U(first_y), _U(first_x)
    mirrored = _U(first_mirrored)
    low_edge = _U(0) if rule == _REFLECT else one  # the mirror is on a cell, or between two
    place = (y + room) * stride + x + room
    for number in range(steps // 4):
        symbol = _U(symbols[number]) | mirrored
        row = symbol * four
        if rule != _DROP or (y + four < height + room and x + four < width + room):
            canvas[place] = 1
            canvas[place + offsets[row]] = 1
            canvas[place + offsets[row + one]] = 1
            canvas[place + offsets[row + two]] = 1
        place += offsets[row + two + one]
        y += ends[symbol * two]
        x += ends[symbol * two + one]
        if rule != _DROP and (y >= height or x >= width):
            if y >= height:
                below = y >= negative
                if rule == _TORUS:
                    y = y + height if below else y - height
                else:
                    y = _U(0) - low_edge - y if below else two * height - two + low_edge - y
                    mirrored ^= _U(_MIRRORED_Y)
            if x >= width:
                below = x >= negative
                if rule == _TORUS:
                    x = x + width if below else x - width
                else:
                    x = _U(0) - low_edge - x if below else two * width - two + low_edge - x
                    mirrored ^= _U(_MIRRORED_X)
            place = (y + room) * stride + x + room
    if rule != _DROP or (y + four < height + room and x + four < width + room):
        canvas[place] = 1
        for part in range(steps % 4):
            row = (_U(symbols[steps // 4]) | mirrored) * four
            canvas[place + offsets[row + _U(part)]] = 1
    _fold_room(canvas.reshape((cells.shape[0] + 2 * _ROOM, cells.shape[1] + 2 * _ROOM)), rule)
    for at_y in range(cells.shape[0]):
        begin = (_U(at_y) + room) * stride + room
        for at_x in range(cells.shape[1]):
            cells[at_y, at_x] |= canvas[begin + _U(at_x)]
    return np.int64(y), np.int64(x), np.int64(mirrored)


def _fold_room_in_python(canvas: Any, rule: int) -> None:
    """Fold the three cells around onto those within, rows first, then columns."""
    if rule == _DROP:
        return
    bottom, right = canvas.shape[0] - _ROOM, canvas.shape[1] - _ROOM  # the first cells beyond
    for far in range(3):
        if rule == _TORUS:
            above, below = bottom - 1 - far, _ROOM + far
            before, behind = right - 1 - far, _ROOM + far
        else:
            near = far + 1 if rule == _REFLECT else far
            above, below = _ROOM + near, bottom - 1 - near
            before, behind = _ROOM + near, right - 1 - near
        for at in range(canvas.shape[1]):
            canvas[above, at] |= canvas[_ROOM - 1 - far, at]
            canvas[below, at] |= canvas[bottom + far, at]
        for at in range(canvas.shape[0]):
            canvas[at, before] |= canvas[at, _ROOM - 1 - far]
            canvas[at, behind] |= canvas[at, right + far]


_fold_room = numba.njit(_fold_room_in_python, error_model="numpy")
_walk = numba.njit(_walk_in_python, error_model="numpy", nogil=True)
