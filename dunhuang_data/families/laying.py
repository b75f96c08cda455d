"""Masks to order: elements of one family laid until exactly so many pixels are holes."""

import numpy as np

from dunhuang_data.errors import MaskError
from dunhuang_data.families.canvas import Canvas, Pixels, blank_canvas, draw_border, draw_free
from dunhuang_data.families.kinds import FAMILIES, Range
from dunhuang_data.types import UInt8Array


def family_mask(
    family: str,
    shape_hw: tuple[int, int],
    hole_pixels: int,
    rng: np.random.Generator,
    *,
    width_px: Range | None = None,
    length_px: Range | None = None,
    margin_px: int = 0,
    at_border: bool = False,
) -> UInt8Array:
    """Draw one mask with exactly so many hole pixels.

    Elements are laid one after another. Each begins at a pixel drawn uniformly among those that
    are still known, and that pixel becomes a hole first; so each adds at least one, and the loop
    ends. Of the last element only the beginning is taken. With the same generator and more hole
    pixels, the mask contains the one with fewer.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    shape_hw : tuple of int
        Height and width in pixels.
    hole_pixels : int
    rng : numpy.random.Generator
        From `dunhuang_data.rng.rng_for`.
    width_px, length_px : tuple of int, optional
        LOW, HIGH of an element's width and length in pixels; what they are, the family says. No
        element is drawn wider than the mask's longer side, or longer than twice that.
    margin_px : int
        Kept free of holes along each side.
    at_border : bool
        The first element begins on the border, so that the mask has a hole there.

    Returns
    -------
    valid : (H, W) uint8
        1 = known, 0 = hole.

    Raises
    ------
    MaskError
        If there is no such family, a range is none, or more is asked for than there is room.
    """
    if family not in FAMILIES:
        raise MaskError(f"There is no family {family!r}; expected one of {', '.join(FAMILIES)}.")
    kind = FAMILIES[family]
    longer = max(shape_hw)
    widths = _capped(f"The width of {family}", width_px or kind.width_px, longer)
    lengths = _capped(f"The length of {family}", length_px or kind.length_px, 2 * longer)
    area_hw = _checked_area(shape_hw, hole_pixels, margin_px, at_border)
    canvas = blank_canvas(area_hw, widths[1] + 1)
    holes = 0
    while holes < hole_pixels:
        on_border = at_border and holes == 0
        start = draw_border(canvas, rng) if on_border else draw_free(canvas, rng)
        pixels = kind.draw(canvas, start, widths, lengths, rng)
        holes = _lay(canvas, np.concatenate(([start], pixels)), holes, hole_pixels)
    valid = np.ones(shape_hw, dtype=np.uint8)
    inner = tuple(slice(margin_px, margin_px + length) for length in area_hw)
    valid[inner] = canvas.area()
    return valid


def _lay(canvas: Canvas, pixels: Pixels, holes: int, most: int) -> int:
    """Make an element's pixels holes until there are ``most``; return how many there are."""
    free, room = canvas.free, canvas.area_hw[0] * canvas.area_hw[1]
    fresh = pixels[free[pixels]]
    free[fresh] = False
    # small elements are counted by themselves, large ones, of many repeats, by what is left
    few = len(fresh) < room // 64
    now = holes + len(np.unique(fresh)) if few else room - int(np.count_nonzero(free))
    if now <= most:
        return now
    free[fresh] = True
    turn = np.full(len(free), len(fresh), dtype=np.intp)  # when a position's turn comes first
    np.minimum.at(turn, fresh, np.arange(len(fresh)))
    turns = np.sort(turn[turn < len(fresh)])
    free[fresh[turns[: most - holes]]] = False
    return most


def _capped(what: str, bounds: Range, most: int) -> Range:
    low, high = bounds
    if not 1 <= low <= high:
        raise MaskError(f"{what} is {low}:{high} px; expected LOW:HIGH with 1 <= LOW <= HIGH.")
    return min(low, most), min(high, most)


def _checked_area(
    shape_hw: tuple[int, int], hole_pixels: int, margin_px: int, at_border: bool
) -> tuple[int, int]:
    """Return height and width of the part that may have holes, if all asked for fits."""
    height, width = shape_hw
    if min(shape_hw) < 1 or margin_px < 0 or hole_pixels < 0:
        raise MaskError(
            f"A mask of {height} x {width} px with {hole_pixels} hole pixels and a margin of "
            f"{margin_px} px cannot be drawn; expected at least 1 x 1 px and nothing negative."
        )
    area_hw = max(0, height - 2 * margin_px), max(0, width - 2 * margin_px)
    if hole_pixels > area_hw[0] * area_hw[1]:
        raise MaskError(
            f"{hole_pixels} hole pixels do not fit in a mask of {height} x {width} px with a "
            f"margin of {margin_px} px; at most {area_hw[0] * area_hw[1]} do "
            f"(hole ratio {area_hw[0] * area_hw[1] / (height * width):.4f})."
        )
    if at_border and (margin_px > 0 or hole_pixels == 0):
        raise MaskError(
            f"A mask with {hole_pixels} hole pixels and a margin of {margin_px} px has no hole at "
            "its border; expected one hole pixel or more and no margin."
        )
    return area_hw
