"""``make-masks``: draw holes."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from dunhuang_cli import console
from dunhuang_cli.data.mask_options import mask_options, recipe_of
from dunhuang_cli.options import FILE, out_option, write_run_toml, writes_output
from dunhuang_data.mask_recipe import FRAME_SHOWS, MaskRecipe

LOOKED_AT = 100  # masks that are drawn and measured before anything is written


@click.command()
@out_option("The mask bank: a folder of packed masks and bank.json.")
@mask_options
@click.option("--sheet", type=FILE, help="Also write a contact sheet of up to 64 masks (PNG).")
@click.option(
    "--png", is_flag=True, help="Also write each mask as OUT/png/NNNNN.png, white = known."
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    help="Processes; 0 = one per core if the first masks show that it pays.",
)
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
    from dunhuang_data.atomic import refuse_existing, refuse_existing_png
    from dunhuang_data.figures import mask_sheet
    from dunhuang_data.growth import refuse_to_begin
    from dunhuang_data.mask_bank import CONTENTS, STARTED, open_bank, write_bank
    from dunhuang_data.pictures import write_picture

    recipe = recipe_of(ctx)
    refuse_existing(out, CONTENTS, overwrite)
    if sheet is not None:
        refuse_existing_png(sheet, overwrite)
    if resume:
        refuse_to_begin(out, STARTED)
    _foretell(recipe)
    if not dry_run:
        with (
            console.goes_on_with(shlex.join(["dunhuang-data", *sys.argv[1:]])),
            console.progress(recipe.count, "drawing masks") as progress,
        ):
            write_bank(recipe, out, overwrite, progress, workers=workers, png=png, resume=resume)
        write_run_toml(ctx, out)
        if sheet is not None:
            bank = open_bank(out)
            write_picture(sheet, mask_sheet([bank.read(i) for i in range(min(len(bank), 64))]))
    document = {
        "masks": str(out),
        "count": recipe.count,
        "shape_hw": list(recipe.shape_hw),
        "dry_run": dry_run,
    }
    console.result(document, json, "" if dry_run else str(out))


def _foretell(recipe: MaskRecipe) -> None:
    """Draw the first masks and say what they are like."""
    from dunhuang_data.mask_orders import make_mask
    from dunhuang_data.mask_stats import measure_masks

    (height, width), count = recipe.shape_hw, recipe.count
    some = min(count, LOOKED_AT)
    stats = measure_masks(make_mask(recipe, index) for index in range(some))
    console.say(
        f"{count} masks of {height} x {width} px, {console.size(count * height * -(-width // 8))}. "
        f"The first {some}: hole ratio {stats.hole_ratio.mean():.3f} on average "
        f"(sd {stats.hole_ratio.std():.3f}), depth {stats.depth_px.mean():.1f} px."
    )
    if recipe.shows_its_frame:
        console.say(
            f"Warning: walks that fill more than {FRAME_SHOWS:.0%} of what lies within the "
            "margin show its straight edges. Look at --sheet; a narrower --margin avoids it."
        )
