"""``import-masks``: a bank of masks that other programs made."""

from collections import Counter
from pathlib import Path
from typing import Literal

import click

from dunhuang_cli import console
from dunhuang_cli.data.sheets import refuse_sheet, sheet_option, write_sheet
from dunhuang_cli.options import FILE, ShapeType, out_option, write_run_toml, writes_output


@click.command()
@click.argument("folder", metavar="DIR", type=FILE)
@out_option("The mask bank: a folder of packed masks, files.csv and bank.json.")
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    required=True,
    help="What white (or 1) stands for in the masks; both are in use, so it is never guessed.",
)
@click.option(
    "--size",
    type=ShapeType(),
    help="Bring all masks to this size, by nearest neighbour; else they must be of one size.",
)
@sheet_option
@writes_output
@click.pass_context
def import_masks(
    ctx: click.Context,
    folder: Path,
    out: Path,
    white_is: Literal["hole", "known"],
    size: tuple[int, int] | None,
    sheet: Path | None,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Make a bank of masks that other programs made.

    DIR is searched through all levels for PNG, JPEG, TIFF and WebP files. Each is thresholded once,
    at half of white; files of 0 and 1 instead of 0 and 255 are understood. files.csv in the bank
    says where each mask comes from and what was done to it.
    """
    from dunhuang_data.mask_bank import CONTENTS
    from dunhuang_data.mask_bank.importing import mask_files_below, read_masks, write_imported
    from dunhuang_data.refusals import refuse_existing

    refuse_existing(out, CONTENTS, overwrite, (folder,))
    refuse_sheet(sheet, overwrite, out, folder)
    with console.progress(len(mask_files_below(folder)), "reading masks") as progress:
        masks = read_masks(folder, white_is, size, progress)
    document = masks.summary()
    height, width = masks.recipe.shape_hw
    greyest = max(masks.files, key=lambda file: file.grey_share)
    console.say(
        f"{len(masks)} masks of {height} x {width} px, mean hole ratio "
        f"{document['hole_ratio_mean']:.3f}. {document['grey_share_mean']:.2%} of the pixels were "
        f"neither black nor white, in {document['grey_files']} files"
        + (f"; most in {greyest.file}: {greyest.grey_share:.2%}." if greyest.grey_share else ".")
    )
    if document["copies"]:
        console.say(f"{document['copies']} files are copies of others.")
    for done, count in Counter(file.done for file in masks.files if file.done).most_common():
        console.say(f"{count} of {len(masks)} files: {done}.")
    for sentence in masks.warnings():
        console.say(f"Warning: {sentence}")
    if not dry_run:
        write_imported(masks, out, overwrite)
        write_run_toml(ctx, out)
        write_sheet(sheet, out)
    document |= {"masks": str(out), "warnings": masks.warnings(), "dry_run": dry_run}
    console.result(document, json, "" if dry_run else str(out))
