"""What each mask of a recipe shall be, drawn first and written down; and the mask made from it."""

from dataclasses import dataclass
from itertools import pairwise

from dunhuang_data.families import family_mask
from dunhuang_data.mask_recipe import BUCKET_EDGES, CELLS, MaskRecipe
from dunhuang_data.rng import draw_below, rng_for
from dunhuang_data.types import UInt8Array
from dunhuang_data.walks import WalkRule, random_walk, walk_to_order


@dataclass(frozen=True, slots=True)
class MaskOrder:
    """What one mask shall be.

    Attributes
    ----------
    steps : int
        Of each walker, if ``hole_pixels`` is 0.
    hole_pixels : int
        If not 0: exactly so many pixels are holes.
    at_border : bool
        Whether the first hole is drawn at the border of the mask.
    margin_px : int
        Pixels along each side that stay known.
    walkers, brush_px : int
        Of a walk.
    """

    steps: int
    hole_pixels: int
    at_border: bool
    margin_px: int
    walkers: int
    brush_px: int


def draw_order(recipe: MaskRecipe, index: int) -> MaskOrder:
    """Draw what mask ``index`` of a recipe shall be: a pure function of its arguments.

    Each quantity has a stream of its own, so that an option more does not change the others.
    """
    steps, walkers, brush_px = (
        low + draw_below(rng_for(recipe.seed, f"mask-{name}", index), high - low + 1)
        if low < high
        else low
        for name, (low, high) in (
            ("steps", recipe.steps),
            ("walkers", recipe.walkers),
            ("brush", recipe.brush_px),
        )
    )
    cell = index % CELLS
    at_border = bool(recipe.buckets) and cell % 2 == 0
    inside = bool(recipe.buckets) and not at_border
    return MaskOrder(
        steps=0 if recipe.to_order else steps,
        hole_pixels=_hole_pixels(recipe, index) if recipe.to_order else 0,
        at_border=at_border,
        margin_px=recipe.bucket_margin_px if inside else recipe.margin_px,
        walkers=walkers,
        brush_px=brush_px,
    )


def _hole_pixels(recipe: MaskRecipe, index: int) -> int:
    """Draw how many pixels become holes, at least one."""
    pixels = recipe.shape_hw[0] * recipe.shape_hw[1]
    rng = rng_for(recipe.seed, "mask-ratio", index)
    if recipe.buckets:
        bucket = index % CELLS // 2
        # more than the lower edge, up to the upper one; in whole numbers, as edges are hundredths
        low, high = (
            round(100 * edge) * pixels // 100 for edge in BUCKET_EDGES[bucket : bucket + 2]
        )
        return low + 1 + draw_below(rng, high - low)
    ratios = recipe.hole_ratio if len(recipe.hole_ratio) > 1 else 2 * recipe.hole_ratio
    pieces = list(pairwise(ratios))
    low_ratio, high_ratio = pieces[draw_below(rng, len(pieces))]
    low, high = round(low_ratio * pixels), round(high_ratio * pixels)
    return max(1, low + draw_below(rng, high - low + 1))


def make_mask(recipe: MaskRecipe, index: int) -> UInt8Array:
    """Make mask ``index`` of a recipe, (H, W) uint8, 1 = known, 0 = hole.

    It is a pure function of its arguments, but for family ``files``, which needs its bank.

    Raises
    ------
    MaskError
        If the family cannot draw it.
    """
    order = draw_order(recipe, index)
    rng = rng_for(recipe.seed, "mask", index)
    if recipe.family != "walk":
        return family_mask(
            recipe.family,
            recipe.shape_hw,
            order.hole_pixels,
            rng,
            width_px=recipe.width_px if any(recipe.width_px) else None,
            length_px=recipe.length_px if any(recipe.length_px) else None,
            margin_px=order.margin_px,
            at_border=order.at_border,
        )
    rule = WalkRule(
        recipe.border,
        "border" if order.at_border else recipe.start,
        order.margin_px,
        order.walkers,
        order.brush_px,
        recipe.grid,
    )
    if order.hole_pixels:
        return walk_to_order(recipe.shape_hw, order.hole_pixels, rng, rule)
    return random_walk(recipe.shape_hw, order.steps, rng, rule)
