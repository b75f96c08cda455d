"""The options that say what holes are drawn, and the recipe made of them."""

from typing import Any

import click

from dunhuang_cli.options import Function, NumbersType, ShapeType, preset_option, seed_option
from dunhuang_data.errors import UsageProblem
from dunhuang_data.mask_recipe import CELLS, FAMILIES, PRESETS, MaskRecipe
from dunhuang_data.recipe import BORDERS, STARTS

DEFAULTS = MaskRecipe()
WHOLE = NumbersType(int)
NAMES = {
    "size": "shape_hw",
    "steps": "steps",
    "count": "count",
    "seed": "seed",
    "family": "family",
    "hole_ratio": "hole_ratio",
    "buckets": "buckets",
    "border": "border",
    "start": "start",
    "margin": "margin_px",
    "walkers": "walkers",
    "brush": "brush_px",
    "grid": "grid",
    "width": "width_px",
    "length": "length_px",
}


def _shown(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}:{pair[1]}"


OPTIONS = (
    preset_option(PRESETS),
    click.option(
        "--family", type=click.Choice(FAMILIES), default=DEFAULTS.family, help="What is drawn."
    ),
    click.option(
        "--hole-ratio",
        type=NumbersType(float, None),
        help="To order: exact ratio, uniform in LOW:HIGH (or piecewise: Q0:Q1:…:QN).",
    ),
    click.option(
        "--buckets",
        type=click.Choice(["nvidia"]),
        help="To order: six buckets of hole ratio, each with and without holes at the border.",
    ),
    click.option(
        "--per-bucket",
        type=click.IntRange(1),
        help=f"Masks in each of the {CELLS} cells of --buckets, instead of --count.",
    ),
    click.option(
        "--steps",
        type=WHOLE,
        default=_shown(DEFAULTS.steps),
        help="Not to order: steps of each walker.",
    ),
    click.option(
        "--border",
        type=click.Choice(BORDERS),
        default=DEFAULTS.border,
        help="What a walk does at the border.",
    ),
    click.option(
        "--start",
        type=click.Choice(STARTS),
        default=DEFAULTS.start,
        help="Where a walk starts; box is the middle part.",
    ),
    click.option(
        "--margin", default=DEFAULTS.margin_px, help="Pixels along each side that stay known."
    ),
    click.option(
        "--walkers", type=WHOLE, default=_shown(DEFAULTS.walkers), help="Walks in one mask."
    ),
    click.option(
        "--brush",
        type=WHOLE,
        default=_shown(DEFAULTS.brush_px),
        help="Diameter in pixels of what a walk draws.",
    ),
    click.option(
        "--grid", default=DEFAULTS.grid, help="Walk on N x N cells and scale them up; 0 = pixels."
    ),
    click.option(
        "--width",
        type=WHOLE,
        show_default="the family's",
        help="Of the strokes, cracks … of a family, in pixels.",
    ),
    click.option(
        "--length", type=WHOLE, show_default="the family's", help="Of their parts, in pixels."
    ),
    click.option(
        "--count", default=DEFAULTS.count, help="Masks to make; mask i goes with patch i."
    ),
    click.option("--size", type=ShapeType(), default="256", help="Size of a mask in pixels."),
    seed_option,
)


def mask_options(function: Function) -> Function:
    """Add the options that say what is drawn."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def recipe_of(ctx: click.Context) -> MaskRecipe:
    """Return the recipe that the options of this call make.

    Raises
    ------
    UsageProblem
        If they do not fit together, or ask for the impossible.
    """
    values = ctx.params
    if values["per_bucket"]:
        _refuse_beside(ctx, "per_bucket", "count")
        if not values["buckets"]:
            raise UsageProblem("--per-bucket counts masks of --buckets; give --buckets nvidia too.")
    for order in ("hole_ratio", "buckets"):
        if values[order]:
            _refuse_beside(ctx, order, "steps")
    given: dict[str, Any] = {
        name: values[option] for option, name in NAMES.items() if values[option] is not None
    }
    if values["per_bucket"]:
        given["count"] = CELLS * values["per_bucket"]
    return MaskRecipe(**given)


def _refuse_beside(ctx: click.Context, one: str, other: str) -> None:
    """Refuse two options, both typed, of which only the first would count."""
    source = ctx.get_parameter_source(other)
    if source is not None and source.name == "COMMANDLINE":
        names = [f"--{name.replace('_', '-')}" for name in (one, other)]
        raise UsageProblem(f"{names[0]} and {names[1]} exclude each other; give one of them.")
