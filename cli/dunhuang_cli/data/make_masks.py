"""``make-masks``: draw holes."""

import shlex
import sys
import time
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.data.mask_options import mask_options, recipe_of
from dunhuang_cli.data.sheets import refuse_sheet, sheet_option, write_sheet
from dunhuang_cli.options import FILE, out_option, workers_option, write_run_toml, writes_output
from dunhuang_data.mask_recipe import FRAME_SHOWS, MaskRecipe

if TYPE_CHECKING:
    from dunhuang_data.mask_bank import MaskBank

LOOKED_AT, LOOKED_AT_S = 100, 5.0  # masks, or seconds, that are measured before anything is written


@click.command()
@out_option("The mask bank: a folder of packed masks and bank.json.")
@mask_options
@click.option(
    "--from", "source", type=FILE, help="The bank that --family files takes its masks from."
)
@sheet_option
@click.option(
    "--png", is_flag=True, help="Also write each mask as OUT/png/NNNNN.png, white = known."
)
@workers_option("one per core if the first masks show that it pays")
@click.option(
    "--resume",
    is_flag=True,
    help="Only continue: refuse to begin a bank that was not interrupted.",
)
@writes_output
@click.pass_context
def make_masks(
    ctx: click.Context,
    /,
    out: Path,
    source: Path | None,
    sheet: Path | None,
    png: bool,
    workers: int,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    json: bool,
    **_drawn: Any,
) -> None:
    """Draw holes: by random walks, or of another family.

    Each step of a walk goes to one of the four neighbours; what it visits becomes a hole. A mask is
    so many --steps long, or drawn to order: with --hole-ratio or --buckets it has exactly the holes
    that were asked for. Mask i depends on the seed, i and these options alone: a larger --count
    begins with the same masks.

    The bank grows in OUT.building; a call that was killed, run again, continues, and --resume
    makes sure of it. The masks are the same on any number of --workers.
    """
    from dunhuang_data.growth import refuse_to_begin
    from dunhuang_data.mask_bank import CONTENTS, STARTED, write_bank
    from dunhuang_data.refusals import refuse_existing

    recipe, bank = _from_bank(ctx, recipe_of(ctx), source)
    refuse_existing(out, CONTENTS, overwrite, [source] if source else [])
    refuse_sheet(sheet, overwrite, out)
    if resume:
        refuse_to_begin(out, STARTED)
    _foretell(recipe, bank)
    if not dry_run:
        with (
            console.goes_on_with(shlex.join(["dunhuang-data", *sys.argv[1:]])),
            console.progress(recipe.count, "drawing masks") as progress,
        ):
            write_bank(
                recipe, out, overwrite, progress,
                workers=workers, png=png, resume=resume, source=bank,
            )  # fmt: skip
        write_run_toml(ctx, out)
        write_sheet(sheet, out)
    document = {
        "masks": str(out),
        "count": recipe.count,
        "shape_hw": list(recipe.shape_hw),
        "dry_run": dry_run,
    }
    console.result(document, json, "" if dry_run else str(out))


def _from_bank(
    ctx: click.Context, recipe: MaskRecipe, source: Path | None
) -> "tuple[MaskRecipe, MaskBank | None]":
    """Return the recipe and the bank it draws from; unless --size is given, of that bank's size."""
    from dunhuang_data.errors import UsageProblem
    from dunhuang_data.mask_bank import open_bank

    if (recipe.family == "files") != (source is not None):
        raise UsageProblem("--family files and --from MASKS belong together; give both or neither.")
    if source is None:
        return recipe, None
    bank = open_bank(source)
    asked = ctx.get_parameter_source("size")
    if asked is not None and asked.name == "DEFAULT":
        ctx.params["size"] = bank.recipe.shape_hw  # run.toml says it too
    return replace(recipe, shape_hw=ctx.params["size"], source_sha256=bank.sha256), bank


def _foretell(recipe: MaskRecipe, bank: "MaskBank | None") -> None:
    """Draw the first masks and say what they are like."""
    from dunhuang_data.mask_bank import drawing_of
    from dunhuang_data.mask_stats import measure_masks

    (height, width), count = recipe.shape_hw, recipe.count
    draw, until = drawing_of(recipe, bank), time.monotonic() + LOOKED_AT_S
    looked_at = takewhile(
        lambda index: index == 0 or time.monotonic() < until, range(min(count, LOOKED_AT))
    )
    stats = measure_masks(map(draw, looked_at))
    console.say(
        f"{count} masks of {height} x {width} px, {console.size(count * height * -(-width // 8))}. "
        f"The first {len(stats)}: hole ratio {stats.hole_ratio.mean():.3f} on average "
        f"(sd {stats.hole_ratio.std():.3f}), depth {stats.depth_px.mean():.1f} px."
    )
    if recipe.shows_its_frame:
        console.say(
            f"Warning: walks that fill more than {FRAME_SHOWS:.0%} of what lies within the "
            "margin show its straight edges. Look at --sheet; a narrower --margin avoids it."
        )
