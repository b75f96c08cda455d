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
    json: bool,
) -> None:
    """Fill the holes of whole pictures, of any size.

    Known pixels are those of the picture as read (upright, 8-bit sRGB), bit for bit.
    """
    require_torch()
    from dunhuang_data.errors import UsageProblem
    from dunhuang_data.foreign_masks import read_mask
    from dunhuang_data.mask_files import check_sizes, mask_of
    from dunhuang_data.pictures import read_picture, write_picture
    from dunhuang_data.polarity import hole_ratio
    from dunhuang_data.refusals import refuse_existing_png
    from dunhuang_trainer.checkpoint import load_weights
    from dunhuang_trainer.devices import pick_device
    from dunhuang_trainer.figures import restoration_sheet
    from dunhuang_trainer.restore import restore_picture

    if len(pictures) > 1 and not mask.is_dir():
        raise UsageProblem(
            f"{mask} is one mask for {len(pictures)} pictures. Name a folder with a mask for each, "
            "of the picture's name."
        )
    pairs = [(picture, mask_of(picture, mask), out / f"{picture.stem}.png") for picture in pictures]
    names = [name for _, _, target in pairs for name in _written(target, compare)]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise UsageProblem(f"Several of the pictures would be restored as {twice[0]}.")
    inputs = [file for picture, mask_file, _ in pairs for file in (picture, mask_file)]
    for name in names:
        refuse_existing_png(name, overwrite, inputs)
    for picture, mask_file, _ in pairs:
        check_sizes(picture, mask_file)
    chosen = pick_device(device)
    model, _ = load_weights(checkpoint)
    model.to(chosen)
    restored = []
    with console.progress(len(pairs), "restoring") as progress:
        for picture, mask_file, target in pairs:
            pixels = read_picture(picture)
            read = read_mask(mask_file, "hole" if white_is == "hole" else "known")
            valid, grey = read.valid, read.grey_share
            for understood in read.done:
                console.say(f"{mask_file}: {understood}.")
            if grey:
                console.say(
                    f"{mask_file}: {grey:.1%} of the pixels are neither black nor white; they "
                    "were thresholded at half of white."
                )
            if valid.all():
                console.say(f"Note: {mask_file} has no hole, so {picture} is only copied.")
            filled, out_of_reach = restore_picture(model, pixels, valid, chosen, tile, overlap)
            if out_of_reach.any():
                console.say(
                    f"Warning: {picture}: {out_of_reach.sum():,} hole pixels are too far from "
                    "every known one for this network to see any; they have the mean colour. "
                    "Use a larger --tile, or a network of more levels."
                )
            write_picture(target, filled)
            if compare:
                sheet = restoration_sheet(pixels, valid, filled)
                write_picture(_written(target, compare)[1], sheet)
            restored.append({"picture": str(picture), "restored": str(target),
                             "hole_ratio": hole_ratio(valid),
                             "out_of_reach_px": int(out_of_reach.sum())})  # fmt: skip
            progress(1)
    console.result({"restored": restored}, json, "\n".join(str(one) for _, _, one in pairs))


def _written(target: Path, compare: bool) -> list[Path]:
    """Return the files that one picture becomes."""
    return [target, target.with_name(f"{target.stem}-compare.png")] if compare else [target]
