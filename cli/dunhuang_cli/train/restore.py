"""``restore``: fill the holes of whole pictures."""

from pathlib import Path

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


@click.command()
@click.argument("checkpoint", metavar="CKPT", type=FILE)
@click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True, type=FILE)
@click.option(
    "--mask",
    type=FILE,
    required=True,
    help="The holes: a picture file; for several pictures a folder with one mask for each, of the "
    "same name.",
)
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    required=True,
    help="What white stands for in the masks; both are in use, so it is never guessed.",
)
@click.option("-o", "--out", type=FILE, required=True, help="The folder for NAME.png.")
@click.option("--tile", default=1024, help="Larger pictures are done in tiles of so many px.")
@click.option("--overlap", default=128, help="How far tiles overlap, in px.")
@click.option(
    "--compare", is_flag=True, help="Also write NAME-compare.png: masked beside restored."
)
@device_option
@overwrite_option
@json_option
@config_option
def restore(
    checkpoint: Path,
    pictures: tuple[Path, ...],
    mask: Path,
    white_is: str,
    out: Path,
    tile: int,
    overlap: int,
    compare: bool,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fill the holes of whole pictures, of any size.

    Known pixels are those of the picture as read (upright, 8-bit sRGB), bit for bit.
    """
    require_torch()
    from dunhuang_data.errors import OutputExistsError
    from dunhuang_data.pictures import mask_of, read_mask, read_picture, write_picture
    from dunhuang_data.polarity import hole_ratio
    from dunhuang_trainer.checkpoint import load_weights
    from dunhuang_trainer.figures import restoration_sheet
    from dunhuang_trainer.loop import pick_device
    from dunhuang_trainer.restore import restore_picture

    pairs = [(picture, mask_of(picture, mask), out / f"{picture.stem}.png") for picture in pictures]
    taken = [target for _, _, target in pairs if target.exists()]
    if taken and not overwrite:
        raise OutputExistsError(f"{taken[0]} is already there. Give --overwrite or another -o.")
    chosen = pick_device(device)
    model, _ = load_weights(checkpoint)
    model.to(chosen)
    restored = []
    with console.progress(len(pairs), "restoring") as progress:
        for picture, mask_file, target in pairs:
            pixels = read_picture(picture)
            valid, grey = read_mask(mask_file, "hole" if white_is == "hole" else "known")
            if grey:
                console.say(
                    f"{mask_file}: {grey:.1%} of the pixels are neither black nor white; they "
                    "were thresholded at half of white."
                )
            filled = restore_picture(model, pixels, valid, chosen, tile, overlap)
            write_picture(target, filled)
            if compare:
                sheet = restoration_sheet(pixels, valid, filled)
                write_picture(target.with_name(f"{picture.stem}-compare.png"), sheet)
            restored.append({"picture": str(picture), "restored": str(target),
                             "hole_ratio": hole_ratio(valid)})  # fmt: skip
            progress(1)
    console.result({"restored": restored}, as_json, "\n".join(str(one) for _, _, one in pairs))
