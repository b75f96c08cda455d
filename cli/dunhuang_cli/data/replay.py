"""``replay``: cut one row of a plan again."""

from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option, overwrite_option


@click.command()
@click.argument("source", metavar="PLAN|SHARDS", type=FILE)
@click.option("--row", type=click.IntRange(0), required=True, help="Row of patches.csv, from 0.")
@click.option("-o", "--out", type=FILE, required=True, help="The patch (PNG).")
@click.option("--damage", type=FILE, help="Also write its damage (PNG): white = does not count.")
@click.option("--pictures", type=FILE, help="Where the pictures are now, if they were moved.")
@click.option("--damage-masks", type=FILE, help="Where the masks of real damage are now.")
@overwrite_option
@json_option
@config_option
def replay(
    source: Path,
    row: int,
    out: Path,
    damage: Path | None,
    pictures: Path | None,
    damage_masks: Path | None,
    overwrite: bool,
    json: bool,
) -> None:
    """Cut one row of a plan again.

    From the picture, with the flip and turn that the plan holds: the same pixels as in every
    dataset built from it. A dataset brings its plan along; name its pictures with --pictures.
    """
    from dataclasses import asdict

    from dunhuang_data.pictures import write_picture
    from dunhuang_data.plan import MARKER, read_plan
    from dunhuang_data.refusals import refuse_existing_png
    from dunhuang_data.replay import replay as cut_again

    inside = source / "plan"
    plan = read_plan(inside if (inside / MARKER).is_file() else source)
    plan = plan.moved(pictures, damage_masks)
    if damage is not None and damage.resolve() == out.resolve():
        raise click.UsageError(f"-o and --damage both name {out}; name two files.")
    for path in filter(None, (out, damage)):
        refuse_existing_png(path, overwrite, plan.inputs())
    patch, image, marked = cut_again(plan, row)
    write_picture(out, image)
    if damage is not None:
        write_picture(damage, marked)
    turn = patch.augmentation
    console.say(
        f"{patch.picture_id}, row {patch.center_yx[0]}, column {patch.center_yx[1]}: "
        f"{'mirrored' if turn.flip else 'not mirrored'}, turned {turn.angle_deg:g} degrees, scale "
        f"{patch.scale:g}; {marked.mean():.1%} of its pixels do not count."
    )
    document = {"patch": str(out), "damaged_share": float(marked.mean()), **asdict(patch)}
    console.result(document, json, str(out))
