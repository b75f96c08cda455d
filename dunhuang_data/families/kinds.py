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
    draw : callable
        ``(canvas, start, width_px, length_px, rng)``: the pixels of one element, in the order in
        which they become holes.
    """

    width_px: Range
    length_px: Range
    draw: Draw


FAMILIES: dict[str, Family] = {
    "thin-strokes": Family((9, 15), (15, 40), draw_stroke),  # of the brush; of a segment
    "medium-strokes": Family((24, 46), (20, 60), draw_stroke),  # of the brush; of a segment
    "thick-strokes": Family((60, 100), (30, 80), draw_stroke),  # of the brush; of a segment
    "blocks": Family((20, 60), (30, 90), draw_block),  # shorter side; longer side
    "flakes": Family((5, 15), (9, 64), draw_flake),  # of the dilating disc; extent of the walk
    "cracks": Family((1, 3), (20, 90), draw_crack),  # of a branch; of a branch
    "stains": Family((6, 14), (24, 130), draw_stain),  # of the soft edge; diameter
}
