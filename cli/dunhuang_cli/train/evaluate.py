"""``evaluate``: score networks and folders of restorations beside fills that need no training."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dunhuang_cli.options import (
    FILE,
    config_option,
    device_option,
    json_option,
    overwrite_option,
    require_torch,
    seed_option,
    workers_option,
)
from dunhuang_cli.reading_options import reading_options
from dunhuang_data.recipe import ReadingRecipe

if TYPE_CHECKING:
    pass

CONTENTS = ("scores.json", "scores.csv", "sheet.png", "run.toml")


@click.command()
@click.argument("judged", metavar="[NAME=]CKPT|FOLDER...", nargs=-1)
@click.option("--dataset", type=FILE, help="Judge on a dataset of dunhuang-data build …")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", help="… on this split."
)
@click.option("--pictures", type=FILE, help="Judge on a folder of undamaged pictures …")
@click.option("--masks", type=FILE, help="… with their masks, of the same names.")
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    help="What white stands for in the masks; both are in use, so it is never guessed.",
)
@click.option(
    "--grey",
    type=click.Choice(["refuse", "threshold"]),
    default="refuse",
    help="What to do with masks that are not black and white alone; half of white is the threshold.",
)
@click.option(
    "--damage", type=FILE, help="Masks of real damage in the pictures, which never counts."
)
@click.option(
    "--damage-is",
    type=click.Choice(["white", "black"]),
    default="white",
    help="What marks damage in them.",
)
@click.option(
    "--groups", type=FILE, help="CSV table picture,group: intervals draw groups as a whole."
)
@click.option(
    "--predictions",
    type=FILE,
    multiple=True,
    help="A folder of restorations to judge; the same as naming it.",
)
@click.option(
    "--allow-missing", is_flag=True, help="Judge what is whole, and say what was left out."
)
@click.option("--runs", is_flag=True, help="They are runs of one thing: show mean and spread.")
@click.option(
    "--baselines",
    default="all",
    metavar="all|none|NAME,...",
    help="Fills without training to put beside them.",
)
@click.option(
    "--legacy-course",
    is_flag=True,
    help="Add the figure that the course's script printed as MSE, to read old posters.",
)
@click.option("-o", "--out", type=FILE, help="Also write scores.csv, scores.json and sheet.png.")
@click.option("--batch", type=click.IntRange(1), default=8, help="Samples at once.")
@click.option("--tile", default=1024, help="Larger pictures are restored in tiles of so many px.")
@click.option("--overlap", default=128, help="How far tiles overlap, in px.")
@workers_option("as many as there are cores, 1 for few samples")
@device_option
@reading_options
@seed_option
@overwrite_option
@json_option
@config_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    judged: tuple[str, ...],
    dataset: Path | None,
    split: str,
    pictures: Path | None,
    masks: Path | None,
    white_is: str | None,
    grey: str,
    damage: Path | None,
    damage_is: str,
    groups: Path | None,
    predictions: tuple[Path, ...],
    allow_missing: bool,
    runs: bool,
    baselines: str,
    legacy_course: bool,
    out: Path | None,
    batch: int,
    tile: int,
    overlap: int,
    workers: int,
    device: str,
    reading: ReadingRecipe,
    seed: int,
    overwrite: bool,
    json: bool,
) -> None:
    """Score networks, and restorations of other programs.

    Judged are checkpoints (files) and folders of restorations, whose files have the names of their
    targets; NAME= says what one is called. Targets are a split of a dataset, or any folder of
    pictures with one of masks. Pairs are made by name, never by position.

    Beside them stand fills that need no training: white, the mean colour, push-pull, the methods of
    Telea and of Navier and Stokes, and the biharmonic equation. MSE, L1, PSNR and SSIM are computed
    in float64 on 0 to 255, in the holes, at their rims, on known pixels and on the whole; damaged
    pixels never count. A network behind Telea's method is said to be. Of two, differences in pairs
    are shown with their intervals.
    """
    require_torch()
