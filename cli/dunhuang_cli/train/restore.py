"""``restore``: fill the holes of whole pictures."""

import re
import shlex
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    config_option,
    device_option,
    json_option,
    overwrite_option,
    require_torch,
)
from dunhuang_cli.reading_options import reading_options

if TYPE_CHECKING:
    from dunhuang_data.recipe import ReadingRecipe
    from dunhuang_trainer.restore.batch import Batch
    from dunhuang_trainer.restore.given import Network


class ColourType(click.ParamType[tuple[int, int, int]]):
    """``255,0,255`` or ``#ff00ff``."""

    name = "R,G,B|#RRGGBB"
    separator = ","

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        """Return red, green and blue, 0 … 255."""
        if isinstance(value, tuple):
            return value
        text = str(value).strip()
        if re.fullmatch("#[0-9A-Fa-f]{6}", text):
            red, green, blue = bytes.fromhex(text[1:])
            return red, green, blue
        numbers = [int(one) for one in text.split(",") if re.fullmatch(" ?[0-9]{1,3} ?", one)]
        if len(numbers) != 3 or text.count(",") != 2 or max(numbers) > 255:
            self.fail(f"{value!r} is no colour; write 255,0,255 or '#ff00ff'", param, ctx)
        return numbers[0], numbers[1], numbers[2]


@click.command()
@click.argument("checkpoint", metavar="CKPT", type=FILE)
@click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True, type=FILE)
@click.option(
    "--mask",
    type=FILE,
    help="The holes: a picture file; for several pictures a folder with one mask for each, of the "
    "same name.",
)
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    help="What white stands for in the masks; both are in use, so it is never guessed.",
)
@click.option(
    "--mask-colour",
    type=ColourType(),
    help="The holes are the pixels of this colour in the pictures themselves (8-bit sRGB).",
)
@click.option(
    "--mask-tolerance",
    type=click.IntRange(0, 255),
    default=0,
    help="With --mask-colour: levels that a hole's pixel may differ, in every channel.",
)
@click.option(
    "--grey",
    type=click.Choice(["refuse", "threshold"]),
    default="refuse",
    help="What to do with masks that hold grey; threshold takes half of white.",
)
@click.option(
    "--trust-mask",
    is_flag=True,
    help="Restore also with a mask that seems to be the wrong way round.",
)
@click.option(
    "--dilate",
    type=click.IntRange(0, 1000),
    default=0,
    help="Grow the holes by so many px: the grown part is hidden from the network, and replaced.",
)
@click.option(
    "--keep-known",
    is_flag=True,
    help="With --dilate: the grown part is hidden from the network, but stays as it is.",
)
@click.option("-o", "--out", type=FILE, required=True, help="The folder for NAME.png or NAME.tif.")
@click.option("--tile", default=1024, help="Larger pictures are done in tiles of so many px.")
@click.option("--overlap", default=128, help="How far tiles overlap, in px.")
@click.option(
    "--samples",
    type=click.IntRange(1, 32),
    default=1,
    help="From 2 on, also write NAME-uncertainty.png: how far the network's answers differ if it "
    "sees the picture turned, mirrored and shifted, so many times.",
)
@click.option(
    "--compare",
    is_flag=True,
    help="Also write NAME-compare.png: masked, restored, and the difference.",
)
@reading_options
@device_option
@overwrite_option
@json_option
@config_option
def restore(
    checkpoint: Path,
    pictures: tuple[Path, ...],
    mask: Path | None,
    white_is: str | None,
    mask_colour: tuple[int, int, int] | None,
    mask_tolerance: int,
    grey: str,
    trust_mask: bool,
    dilate: int,
    keep_known: bool,
    out: Path,
    tile: int,
    overlap: int,
    samples: int,
    compare: bool,
    reading: "ReadingRecipe",
    device: str,
    overwrite: bool,
    json: bool,
) -> None:
    """Fill the holes of whole pictures, of any size.

    A PICTURE may be a folder: all pictures in it, through all levels. Known pixels are the
    input's, bit for bit; size, depth, colour profile, resolution and orientation are kept. What
    was done is written beside each picture, as NAME.json. The same command, run again, goes on
    where it was interrupted.
    """
    _refuse_unclear(mask, white_is, mask_colour, mask_tolerance)
    require_torch()
    from dunhuang_data.errors import OutputExistsError
    from dunhuang_trainer.restore.batch import find_tasks, restore_batch
    from dunhuang_trainer.restore.given import Given
    from dunhuang_trainer.restore.masks import MaskColour
    from dunhuang_trainer.restore.outputs import identities
    from dunhuang_trainer.restore.records import Settings

    settings = Settings(
        white_is="known" if white_is == "known" else "hole",
        grey="threshold" if grey == "threshold" else "refuse",
        mask_colour=MaskColour(mask_colour, mask_tolerance) if mask_colour else None,
        tile=tile,
        overlap=overlap,
        dilate=dilate,
        keep_known=keep_known,
        samples=samples,
        compare=compare,
        reading=reading,
    )
    if out.exists() and not out.is_dir():
        raise OutputExistsError(f"{out} is a file; a folder is written there. Choose another -o.")
    tasks, failed = find_tasks(pictures, mask, compare, samples, out)
    inputs = [one.picture for one in tasks] + [one.mask for one in tasks if one.mask]
    network = _load(checkpoint, device)
    never_replaced = identities([*inputs, checkpoint])
    given = Given(network, settings, out, overwrite, trust_mask, never_replaced, console.say)
    line = shlex.join(["dunhuang-train", *sys.argv[1:]])
    with (
        console.goes_on_with(line, also_on_term=True),
        console.progress(len(tasks), "restoring") as progress,
    ):
        batch = restore_batch(tasks, given, failed, progress, _show_if_verbose)
    _report(batch, json)


def _refuse_unclear(
    mask: Path | None,
    white_is: str | None,
    mask_colour: tuple[int, int, int] | None,
    mask_tolerance: int,
) -> None:
    """Refuse options that do not say where the holes are, or say it twice."""
    if (mask is None) == (mask_colour is None):
        raise click.UsageError(
            "Say where the holes are, in one way: --mask FILE (or a folder of masks), or "
            "--mask-colour for holes that the pictures show in one colour."
        )
    if mask is not None and white_is is None:
        raise click.UsageError("Missing option '--white-is'. Choose from: hole, known")
    if mask_colour is not None and white_is is not None:
        raise click.UsageError("--white-is is about mask files; --mask-colour needs none.")
    if mask_tolerance and mask_colour is None:
        raise click.UsageError("--mask-tolerance needs --mask-colour.")


def _load(checkpoint: Path, device: str) -> "Network":
    from dunhuang_data.pictures import sha256_of_file
    from dunhuang_trainer.checkpoint import load_weights
    from dunhuang_trainer.devices import pick_device
    from dunhuang_trainer.restore.given import Network

    chosen = pick_device(device)
    model, info = load_weights(checkpoint)
    digest = sha256_of_file(checkpoint)
    return Network(model.to(chosen), chosen, checkpoint, digest, info.step, info.holes)


def _show_if_verbose(error: BaseException) -> None:
    if {"-v", "--verbose"} & set(sys.argv[1:]):
        traceback.print_exception(error)


def _report(batch: "Batch", as_json: bool) -> None:
    """Say what became of the pictures; leave with an exit code if some were not restored."""
    if batch.skipped:
        console.say(f"{len(batch.skipped)} were restored before, and are as they should be.")
    document = {
        "restored": batch.restored,
        "skipped": batch.skipped,
        "failed": [
            {"picture": one.picture, "sentence": one.sentence} for one in batch.failed
        ],
    }  # fmt: skip
    lines = [one["outputs"]["restored"]["path"] for one in batch.restored]
    console.result(document, as_json, "\n".join(lines))
    if len(batch.failed) == 1:
        console.say(f"Error: {batch.failed[0].sentence}")
    elif batch.failed:
        console.say(f"Error: {len(batch.failed)} pictures were not restored:")
        for one in batch.failed:
            console.say(f"  - {one.sentence}")
    if batch.failed and (batch.restored or batch.skipped):
        console.say(f"The other {len(batch.restored) + len(batch.skipped)} are whole.")
    if batch.exit_code:
        raise click.exceptions.Exit(batch.exit_code)
