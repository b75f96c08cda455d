"""The free walk, four steps at a time.

Two random bits make a step, so a byte makes four: a *symbol*. One cumulative sum over the symbols'
displacements gives every fourth cell; the three cells between are at offsets that the symbol alone
decides. So a walk of N steps costs one sum of N / 4 terms and four scatters of N / 4 stores.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.rng import raw_words
from dunhuang_data.types import UInt8Array

STEP_Y = (0, 0, 1, -1)  # by the two bits of a step: right, left, down, up
STEP_X = (1, -1, 0, 0)
STEPS_PER_WORD = 32
MOST_STEPS = 2**16  # at once: what is summed and scattered stays in the cache
NEVER = 2**31 - 1  # the first visit of a cell that is not visited

_LOW = 2**36  # the sum carries row * stride + column below this bit, the column above it
_MIDDLE = 2**35 + 2**20 * _LOW  # where both begin, so that neither becomes negative
_REACH = 3  # cells that a walk can stray from the first cell of a symbol, before the next


@dataclass(frozen=True, slots=True)
class _Tables:
    """What each symbol does on a canvas of one stride."""

    packed: NDArray[np.int64]  # (256,): displacement after all four steps
    after: tuple[NDArray[np.intp], ...]  # (256,) each: offset after 1, 2, 3 steps
    end_yx: NDArray[np.int64]  # (256, 4, 2): displacement after 1, 2, 3, 4 steps


@lru_cache(maxsize=8)
def _tables(stride: int) -> _Tables:
    bits = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
    y = np.cumsum(np.array(STEP_Y)[bits], axis=1)
    x = np.cumsum(np.array(STEP_X)[bits], axis=1)
    flat = y * stride + x
    after = tuple(flat[:, step].astype(np.intp) for step in range(3))
    return _Tables(flat[:, 3] + x[:, 3] * _LOW, after, np.stack([y, x], axis=-1))


class Walker:
    """One free walk, a stretch of steps at a time.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its next words are the steps, two bits each, low bits first.
    start_yx : tuple of int
        The cell it starts at.

    Attributes
    ----------
    y, x : int
        The cell it stands on.
    """

    def __init__(self, rng: np.random.Generator, start_yx: tuple[int, int]) -> None:
        self._rng = rng
        self.y, self.x = start_yx

    def take(self, steps: int) -> "Steps":
        """Draw its next steps from where it stands; the caller moves it.

        Parameters
        ----------
        steps : int
            Up to `MOST_STEPS`; a multiple of 32 unless these are the last.
        """
        words = raw_words(self._rng, -(-steps // STEPS_PER_WORD))
        symbols = words.astype("<u8", copy=False).view(np.uint8)[: -(-steps // 4)]
        return Steps(symbols, steps, (self.y, self.x))


@dataclass(frozen=True)
class Steps:
    """A stretch of a free walk: its random numbers, and where it begins.

    Attributes
    ----------
    symbols : (ceil(count / 4),) uint8
    count : int
        Steps.
    start_yx : tuple of int
    """

    symbols: UInt8Array
    count: int
    start_yx: tuple[int, int]

    @cached_property
    def path(self) -> "Path":
        """The cells it visits."""
        return _path(self.symbols.astype(np.intp), self.count, self.start_yx)


@dataclass(frozen=True, slots=True)
class Path:
    """The cells of a stretch of a free walk, as places on a canvas that holds them all.

    Attributes
    ----------
    steps : int
    origin_yx : tuple of int
        The cell of the lattice that the canvas begins at; may be negative.
    end_yx : tuple of int
        The cell where it ends.
    """

    steps: int
    origin_yx: tuple[int, int]
    end_yx: tuple[int, int]
    _canvas_hw: tuple[int, int]
    _columns: int  # of the canvas that are used
    _every_fourth: NDArray[np.intp]
    _symbols: NDArray[np.intp]
    _tables: _Tables

    def visited(self) -> UInt8Array:
        """Draw what is visited: (h, w) uint8, 1 = visited, the first cell included."""
        canvas = np.zeros(self._canvas_hw, dtype=np.uint8)
        cells = canvas.reshape(-1)
        cells[self._every_fourth] = 1
        for part in range(3):
            cells[self._after(part)] = 1
        return canvas[:, : self._columns]

    def first_visits(self, so_far: int) -> NDArray[np.int32]:
        """Draw when each cell is first visited.

        Parameters
        ----------
        so_far : int
            Steps made before this stretch; its first cell is visited at this time.

        Returns
        -------
        (h, w) int32
            Steps made at the first visit; `NEVER` where there is none.
        """
        cells = np.zeros((len(self._every_fourth), 4), dtype=np.intp)
        cells[:, 0] = self._every_fourth
        for part in range(3):
            between = self._after(part)
            cells[: len(between), part + 1] = between
        in_order = cells.reshape(-1)[: self.steps + 1]
        canvas = np.full(self._canvas_hw, NEVER, dtype=np.int32)
        # of several values for one cell the last one stays: backwards, that is the first visit
        times = np.arange(so_far + self.steps, so_far - 1, -1, dtype=np.int32)
        canvas.reshape(-1)[in_order[::-1]] = times
        return canvas[:, : self._columns]

    def _after(self, part: int) -> NDArray[np.intp]:
        """Return the cells after step ``part`` (0, 1, 2) of each symbol that goes so far."""
        count = self.steps // 4 + (part < self.steps % 4)
        cells = self._tables.after[part].take(self._symbols[:count])
        cells += self._every_fourth[:count]
        return cells


def _path(symbols: NDArray[np.intp], steps: int, start_yx: tuple[int, int]) -> Path:
    whole, rest = divmod(steps, 4)
    # wide enough for 99 of 100 walks: the columns of N steps spread by sqrt(N / 2)
    stride = 2 ** int(2.8 * (steps / 2) ** 0.5 + 4 * _REACH).bit_length()
    while True:
        tables = _tables(stride)
        packed = np.empty(whole + 1, dtype=np.int64)
        packed[0] = _MIDDLE
        tables.packed.take(symbols[:whole], out=packed[1:], mode="clip")
        np.cumsum(packed, out=packed)
        column = packed >> 36
        first, last = int(column.min()) - _REACH, int(column.max()) + _REACH
        if last - first < stride:
            break
        stride *= 2
    packed &= _LOW - 1
    # row * stride + column, less the first column: whole strides are rows
    low, high = int(packed.min()) - 2**35, int(packed.max()) - 2**35
    left = first - 2**20
    top = (low - left) // stride - _REACH
    rows = (high - left) // stride + _REACH - top + 1
    packed -= 2**35 + top * stride + left
    end_y, end_x = divmod(int(packed[-1]), stride)
    if rest:
        more_y, more_x = tables.end_yx[symbols[whole], rest - 1]
        end_y, end_x = end_y + int(more_y), end_x + int(more_x)
    y, x = start_yx[0] + top, start_yx[1] + left
    return Path(
        steps=steps,
        origin_yx=(y, x),
        end_yx=(y + end_y, x + end_x),
        _canvas_hw=(rows, stride),
        _columns=last - first + 1,
        _every_fourth=packed.astype(np.intp, copy=False),
        _symbols=symbols,
        _tables=tables,
    )
