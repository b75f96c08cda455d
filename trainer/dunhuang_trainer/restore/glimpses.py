"""Look at some windows of a picture along the rims of its holes, to judge the mask by them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore.sources import Source

CELL = 256  # px
MARGIN = 32  # px around a cell: as far as the rim of a hole is looked at
MOST = 64  # cells


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A window of a picture and of its mask.

    Attributes
    ----------
    srgb : (h, w, 3) float32
        In levels, 0 … 255.
    valid : (h, w) uint8
        1 = known, 0 = hole.
    counted : (h, w) bool
        Not the margin, in which pixels may be nearer to a hole than the window shows; and there.
    """

    srgb: NDArray[np.float32]
    valid: UInt8Array
    counted: NDArray[np.bool_]


def glimpses(source: Source, valid: UInt8Array, most: int = MOST) -> Iterator[Glimpse]:
    """Yield windows that hold both known pixels and holes, spread evenly over the picture."""
    height, width = valid.shape
    cells = []
    for top in range(0, height, CELL):
        band = valid[top : top + CELL]
        lefts = np.arange(0, width, CELL)
        known = np.logical_or.reduceat(band.any(axis=0), lefts)
        holed = ~np.logical_and.reduceat(band.all(axis=0), lefts)
        cells += [(top, int(left)) for left in lefts[known & holed]]
    chosen = np.unique(np.linspace(0, len(cells) - 1, min(most, len(cells))).astype(int))
    for top, left in (cells[number] for number in chosen.tolist()):
        first, start = max(0, top - MARGIN), max(0, left - MARGIN)
        last, stop = min(height, top + CELL + MARGIN), min(width, left + CELL + MARGIN)
        window = source.window(first, start, last - first, stop - start)
        counted = np.zeros((last - first, stop - start), dtype=np.bool_)
        counted[top - first : top - first + CELL, left - start : left - start + CELL] = True
        counted &= window.there == 1
        part = np.ascontiguousarray(valid[first:last, start:stop])
        yield Glimpse(window.srgb * np.float32(255), part, counted)
