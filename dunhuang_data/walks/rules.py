"""How a walk is walked: where it starts, what happens at the border, how wide it draws."""

from dataclasses import dataclass

import numpy as np

from dunhuang_data.errors import MaskError
from dunhuang_data.recipe import BORDERS, STARTS
from dunhuang_data.rng import draw_below


@dataclass(frozen=True, slots=True)
class WalkRule:
    """Everything about a walk but its length and its random numbers.

    Attributes
    ----------
    border : {"drop", "clip", "reflect", "torus"}
        ``drop``: the walk is free, and what it visits outside is not drawn. ``clip``: a step that
        would leave is not made; the walk stays on the cell. ``reflect``: the cell beyond the
        border is the one before it (…, 2, 1, 0, 1, 2, …). ``torus``: it comes in on the other side.
    start : {"box", "uniform", "center", "border"}
        ``box``: uniform over the middle, without ``L * 50 // 256`` cells at each end of an axis of
        length L (the seed project's 50 … 205 of 256). ``uniform``: over all cells. ``center``: the
        cell in the middle. ``border``: uniform over the cells along the border.
    margin_px : int
        Pixels along each side of the mask that stay known; the walk's border is the margin's.
    walkers : int
        Walks in one mask, each of the full number of steps. They step together.
    brush_px : int
        Diameter of the disk that is drawn around each visited cell; 1 = the cell alone.
    grid : int
        If not 0: the walk runs on ``grid`` x ``grid`` cells, which are then scaled to the mask by
        nearest neighbour. Margin and brush stay in pixels of the mask.
    """

    border: str = "drop"
    start: str = "box"
    margin_px: int = 0
    walkers: int = 1
    brush_px: int = 1
    grid: int = 0

    def __post_init__(self) -> None:
        if self.border not in BORDERS or self.start not in STARTS:
            raise MaskError(
                f"A walk with border {self.border!r} and start {self.start!r} is not known; "
                f"expected one of {', '.join(BORDERS)}, and one of {', '.join(STARTS)}."
            )
        if min(self.margin_px, self.walkers - 1, self.brush_px - 1, self.grid) < 0:
            raise MaskError(
                f"A walk with a margin of {self.margin_px} px, {self.walkers} walkers, a brush of "
                f"{self.brush_px} px and a grid of {self.grid} cells cannot be drawn; expected at "
                "least 0, 1, 1 and 0."
            )

    def inner_hw(self, shape_hw: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of what lies within the margin, in pixels.

        Raises
        ------
        MaskError
            If nothing does.
        """
        height, width = (side - 2 * self.margin_px for side in shape_hw)
        if min(height, width) < 1:
            raise MaskError(
                f"A walk on {shape_hw[0]} x {shape_hw[1]} px within a margin of {self.margin_px} "
                "px has no room; expected at least 1 x 1 px within the margin."
            )
        return height, width

    def cells_hw(self, shape_hw: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of the lattice that is walked on, in cells."""
        return (self.grid, self.grid) if self.grid else self.inner_hw(shape_hw)


def start_box(length: int) -> tuple[int, int]:
    """Return the first position a walk may start at along one axis, and how many there are.

    The seed project starts in 50 … 205 of 256 pixels; other sizes keep that proportion.
    """
    margin = (length * 50) // 256
    return margin, length - 2 * margin


def draw_start(cells_hw: tuple[int, int], start: str, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the cell a walk starts at, (y, x), from the next two words of a stream."""
    height, width = cells_hw
    if start == "border":
        place, _ = draw_below(rng, border_cells(cells_hw)), draw_below(rng, 1)
        return border_cell(cells_hw, place)
    boxes = {
        "box": (start_box(height), start_box(width)),
        "uniform": ((0, height), (0, width)),
        "center": ((height // 2, 1), (width // 2, 1)),
    }[start]
    (first_y, rows), (first_x, columns) = boxes
    y = first_y + draw_below(rng, rows)
    return y, first_x + draw_below(rng, columns)


def border_cells(cells_hw: tuple[int, int]) -> int:
    """Return how many cells lie along the border."""
    height, width = cells_hw
    return height * width - max(0, height - 2) * max(0, width - 2)


def border_cell(cells_hw: tuple[int, int], place: int) -> tuple[int, int]:
    """Return the ``place``-th cell along the border: top row, bottom row, then the sides."""
    height, width = cells_hw
    if place < width:
        return 0, place
    if place < 2 * width:
        return height - 1, place - width
    row, side = divmod(place - 2 * width, min(2, width))
    return 1 + row, side * (width - 1)
