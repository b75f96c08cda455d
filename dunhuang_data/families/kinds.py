"""The families by name: how an element is drawn, and what its width and length mean."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dunhuang_data.families.blocks import draw_block
from dunhuang_data.families.canvas import Canvas, Pixels
from dunhuang_data.families.cracks import draw_crack
from dunhuang_data.families.flakes import draw_flake
from dunhuang_data.families.stains import draw_stain
from dunhuang_data.families.strokes import draw_stroke

Range = tuple[int, int]
"""LOW, HIGH, both included, in pixels."""

Draw = Callable[[Canvas, int, Range, Range, np.random.Generator], Pixels]


@dataclass(frozen=True, slots=True)
class Family:
    """One family of holes.

    Attributes
    ----------
    width_px, length_px : tuple of int
        LOW, HIGH of an element's width and length, in pixels, unless others are given.
    width_is, length_is : str
        What the family calls a width and a length.
    draw : callable
        ``(canvas, start, width_px, length_px, rng)``: the pixels of one element, in the order in
        which they become holes.
    """

    width_px: Range
    length_px: Range
    width_is: str
    length_is: str
    draw: Draw


FAMILIES: dict[str, Family] = {
    "thin-strokes": Family((9, 15), (15, 40), "of the brush", "of a segment", draw_stroke),
    "medium-strokes": Family((24, 46), (20, 60), "of the brush", "of a segment", draw_stroke),
    "thick-strokes": Family((60, 100), (30, 80), "of the brush", "of a segment", draw_stroke),
    "blocks": Family((20, 60), (30, 90), "shorter side", "longer side", draw_block),
    "flakes": Family((5, 15), (9, 64), "of the dilating disc", "extent of the walk", draw_flake),
    "cracks": Family((1, 3), (20, 90), "of a branch", "of a branch", draw_crack),
    "stains": Family((6, 14), (24, 130), "of the soft edge", "diameter", draw_stain),
}
