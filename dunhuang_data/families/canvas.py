"""What elements are drawn on: the part of a mask that may have holes, with a rim around it.

The rim spares every element the question whether it reaches over the edge: what it draws there is
drawn on nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.rng import draw_below

Pixels = NDArray[np.intp]
"""An element: positions in `Canvas.free`, in the order in which they become holes. A position may
come again, and may lie in the rim or in a hole that is there already."""

TRIES = 16


@dataclass(frozen=True, slots=True)
class Canvas:
    """The area that may have holes, and what of it is still known.

    Attributes
    ----------
    area_hw : tuple of int
        Height and width of the area.
    rim : int
        Width of the rim on each of its sides.
    free : ((h + 2 rim) * (w + 2 rim),) bool
        Row-major. True: in the area, and no hole yet.
    """

    area_hw: tuple[int, int]
    rim: int
    free: NDArray[np.bool_]

    @property
    def stride(self) -> int:
        """Positions from one row to the next."""
        return self.area_hw[1] + 2 * self.rim

    def position(self, y: int, x: int) -> int:
        """Return where pixel (y, x) of the area lies in `free`."""
        return (y + self.rim) * self.stride + x + self.rim

    def pixel(self, position: int) -> tuple[int, int]:
        """Return row and column in the area, the inverse of `position`."""
        row, column = divmod(position, self.stride)
        return row - self.rim, column - self.rim

    def area(self) -> NDArray[np.bool_]:
        """Return the area's part of `free`, (h, w) bool."""
        height, width = self.area_hw
        rows = self.free.reshape(height + 2 * self.rim, self.stride)
        return rows[self.rim : self.rim + height, self.rim : self.rim + width]

    def window(self, top: int, left: int, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of a window that lie in the area, counted from its corner."""
        first_y, first_x = max(0, -top), max(0, -left)
        return (
            slice(first_y, max(first_y, min(height, self.area_hw[0] - top))),
            slice(first_x, max(first_x, min(width, self.area_hw[1] - left))),
        )


def blank_canvas(area_hw: tuple[int, int], rim: int) -> Canvas:
    """Return a canvas without holes."""
    rows = np.zeros((area_hw[0] + 2 * rim, area_hw[1] + 2 * rim), dtype=np.bool_)
    rows[rim : rim + area_hw[0], rim : rim + area_hw[1]] = True
    return Canvas(area_hw, rim, rows.reshape(-1))


def draw_free(canvas: Canvas, rng: np.random.Generator) -> int:
    """Draw a position, uniform over those that are still free; there must be one.

    A few throws at the whole area come first: as long as much is free they are quicker than a list
    of what is free, and a throw that hits is as uniform as a draw from that list.
    """
    height, width = canvas.area_hw
    for _ in range(TRIES):
        position = canvas.position(*divmod(draw_below(rng, height * width), width))
        if canvas.free[position]:
            return position
    free = np.flatnonzero(canvas.free)
    return int(free[draw_below(rng, len(free))])


def draw_border(canvas: Canvas, rng: np.random.Generator) -> int:
    """Draw a position, uniform over the outermost pixels of the area."""
    height, width = canvas.area_hw
    inner = max(0, height - 2) * max(0, width - 2)
    place = draw_below(rng, height * width - inner)
    sides = min(width, 2)  # border pixels in a row that is neither the first nor the last
    if place < width:
        return canvas.position(0, place)
    row, side = divmod(place - width, sides)
    if row < height - 2:
        return canvas.position(row + 1, side * (width - 1))
    return canvas.position(height - 1, place - width - sides * (height - 2))


def rising(level: NDArray[np.int64]) -> Pixels:
    """Return the places of levels of 0 or more, (P,), in rising order, ties as they come.

    Levels are first reduced to 16 bits, for which NumPy's stable sort takes linear time.
    """
    top = max(65536, int(level.max(initial=0)) + 1)
    return np.argsort((level * 65536 // top).astype(np.uint16), kind="stable")
