"""``sample-patches``: choose the patches of each picture."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    SharesType,
    out_option,
    seed_option,
    write_run_toml,
    writes_output,
)
from dunhuang_data.recipe import PlanRecipe

if TYPE_CHECKING:
    from dunhuang_data.plan import PatchPlan

DEFAULTS = PlanRecipe()


@click.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=FILE)
@out_option("The plan: a folder of patches.csv, pictures.csv and plan.json.")
@click.option("--per-picture", default=DEFAULTS.per_picture, help="Patches cut from each picture.")
@click.option("--size", default=DEFAULTS.patch_size, help="Side of a patch in pixels.")
@click.option("--split", type=SharesType(), default="0.8,0.1,0.1", help="Shares of the pictures.")
@click.option(
    "--small",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    help="What to do with a picture that cannot give the patches asked for.",
)
@click.option("--flip", default=DEFAULTS.flip_probability, help="Probability of a mirrored patch.")
@click.option("--turn", default=DEFAULTS.turn_probability, help="Probability of a turned patch.")
@click.option(
    "--max-angle", default=DEFAULTS.max_angle_deg, help="Largest turn in degrees, each way."
)
@click.option("--overlay", type=FILE, help="Also draw every picture with its patches, into DIR.")
@seed_option
@writes_output
@click.pass_context
def sample_patches(
    ctx: click.Context,
    sources: tuple[Path, ...],
    out: Path,
    per_picture: int,
    size: int,
    split: tuple[float, float, float],
    small: str,
    flip: float,
    turn: float,
    max_angle: float,
    overlay: Path | None,
    seed: int,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Choose patches, as far apart as possible.

    SRC are pictures, or folders searched for JPEG, PNG, TIFF and WebP. No pixel is cut yet: the
    plan says where each patch lies, in which split its picture is, and how it will be flipped and
    turned (patches of the training split only), so that it can be looked at first.
    """
    from dunhuang_data.atomic import refuse_existing, refuse_existing_png
    from dunhuang_data.pictures import find_pictures
    from dunhuang_data.plan import CONTENTS, make_plan, write_plan

    recipe = PlanRecipe(size, per_picture, split, flip, turn, max_angle, seed)
    refuse_existing(out, CONTENTS, overwrite, sources)
    with console.progress(len(find_pictures(sources)[0]), "reading pictures") as progress:
        plan = make_plan(sources, recipe, small == "skip", progress)
    drawings = [] if overlay is None else [overlay / f"{one.id}.png" for one in plan.pictures]
    inputs = [plan.pictures_root / picture.file for picture in plan.pictures]
    for drawing in drawings:
        refuse_existing_png(drawing, overwrite, inputs)
    for sentence in plan.left_out:
        console.say(f"Left out: {sentence}")
    _show_plan(plan)
    if not dry_run:
        write_plan(plan, out, overwrite)
        write_run_toml(ctx, out)
        if drawings:
            _draw_overlays(plan, drawings)
    document = {
        "plan": str(out),
        "pictures": len(plan.pictures),
        "patches": plan.count_by_split(),
        "left_out": list(plan.left_out),
        "dry_run": dry_run,
    }
    console.result(document, json, "" if dry_run else str(out))


def _show_plan(plan: "PatchPlan") -> None:
    from dunhuang_data.plan import coverage_by_picture
    from dunhuang_data.splits import first_seed_that_fills

    counts, size = plan.count_by_split(), plan.recipe.patch_size
    pictures = Counter({patch.picture_id: patch.split for patch in plan.patches}.values())
    rows = [[split, str(pictures[split]), str(count)] for split, count in counts.items()]
    console.table("Patch plan", ["split", "pictures", "patches"], rows)
    sample_bytes = 3 * size**2 + 2 * size * -(-size // 8)
    total = console.size(sample_bytes * len(plan.patches))
    console.say(f"{len(plan.patches)} patches; the dataset will take {total}.")
    shares = [covered for _, covered in coverage_by_picture(plan)]
    console.say(
        f"The patches cover {sum(shares) / len(shares):.1%} of a picture on average, "
        f"{min(shares):.1%} of the least covered one."
    )
    empty = [
        name
        for name, share in zip(counts, plan.recipe.split, strict=True)
        if share and not counts[name]
    ]
    if empty:
        ids = [picture.id for picture in plan.pictures]
        seed = first_seed_that_fills(ids, plan.recipe.split)
        way_out = "Add pictures." if seed is None else f"With --seed {seed} every split is filled."
        console.say(
            f"Note: no picture fell into {' and '.join(empty)}; with few pictures that happens, "
            f"because each picture's split depends on its own id alone. {way_out}"
        )


def _draw_overlays(plan: "PatchPlan", drawings: list[Path]) -> None:
    from dunhuang_data.figures import plan_overlay
    from dunhuang_data.pictures import read_picture, write_picture

    by_picture = plan.patches_by_picture()
    with console.progress(len(drawings), "drawing overlays") as progress:
        for picture, drawing in zip(plan.pictures, drawings, strict=True):
            patches = by_picture[picture.id]
            pixels = read_picture(plan.pictures_root / picture.file)
            write_picture(drawing, plan_overlay(pixels, patches, plan.recipe.patch_size))
            progress(1)
