"""``make-masks``: draw holes by random walks."""

from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    ShapeType,
    out_option,
    seed_option,
    write_run_toml,
    writes_output,
)
from dunhuang_data.mask_recipe import MaskRecipe

DEFAULTS = MaskRecipe()


@click.command()
@out_option("The mask bank: a folder of packed masks and bank.json.")
@click.option("--steps", default=DEFAULTS.steps[0], help="Steps of each random walk.")
@click.option("--count", default=DEFAULTS.count, help="Masks to make; mask i goes with patch i.")
@click.option("--size", type=ShapeType(), default="256", help="Size of a mask in pixels.")
@click.option("--sheet", type=FILE, help="Also write a contact sheet of up to 64 masks (PNG).")
@click.option(
    "--png", is_flag=True, help="Also write each mask as OUT/png/NNNNN.png, white = known."
)
@seed_option
@writes_output
@click.pass_context
def make_masks(
    ctx: click.Context,
    out: Path,
    steps: int,
    count: int,
    size: tuple[int, int],
    sheet: Path | None,
    png: bool,
    seed: int,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Draw holes by random walks.

    Each step of a walk goes to one of the four neighbours; what it visits becomes a hole. Mask i
    depends on the seed, i, --steps and --size alone: a larger --count begins with the same masks.
    """
    from dunhuang_data.atomic import refuse_existing, refuse_existing_png
    from dunhuang_data.figures import mask_sheet
    from dunhuang_data.mask_bank import CONTENTS, open_bank, write_bank
    from dunhuang_data.mask_orders import make_mask
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.polarity import hole_ratio
    from dunhuang_data.types import UInt8Array

    recipe = MaskRecipe(size, (steps, steps), count, seed)
    refuse_existing(out, CONTENTS, overwrite)
    if sheet is not None:
        refuse_existing_png(sheet, overwrite)
    packed_bytes = count * size[0] * -(-size[1] // 8)
    ratios = [hole_ratio(make_mask(recipe, index)) for index in range(min(count, 100))]
    mean = sum(ratios) / len(ratios)
    console.say(
        f"{count} masks of {size[0]} x {size[1]} px, {console.size(packed_bytes)}; mean hole ratio "
        f"of the first {len(ratios)}: {mean:.3f}."
    )

    def write_png(folder: Path, index: int, valid: UInt8Array) -> None:
        write_picture(folder / "png" / f"{index:05d}.png", valid)

    if not dry_run:
        with console.progress(count, "drawing masks") as progress:
            write_bank(recipe, out, overwrite, progress, write_png if png else None)
        write_run_toml(ctx, out)
        if sheet is not None:
            bank = open_bank(out)
            write_picture(sheet, mask_sheet([bank.read(i) for i in range(min(count, 64))]))
    document = {"masks": str(out), "count": count, "shape_hw": list(size), "dry_run": dry_run}
    console.result(document, json, "" if dry_run else str(out))
