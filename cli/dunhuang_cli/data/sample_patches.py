"""``sample-patches``: choose the patches of each picture."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dunhuang_cli import console
from dunhuang_cli.data.plan_tables import show_left_out, show_plan
from dunhuang_cli.options import (
    FILE,
    SharesType,
    out_option,
    seed_option,
    workers_option,
    write_run_toml,
    writes_output,
)
from dunhuang_cli.reading_options import reading_options
from dunhuang_data.recipe import METHODS, SMALL, PlanRecipe, ReadingRecipe

if TYPE_CHECKING:
    from dunhuang_data.plan import PatchPlan, Sidecars

DEFAULTS = PlanRecipe()
OVERLAY_PX = 1200  # longer side of an overlay


@click.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=FILE)
@out_option("The plan: a folder of patches.csv, pictures.csv, report.csv and plan.json.")
@click.option("--per-picture", default=DEFAULTS.per_picture, help="Patches cut from each picture.")
@click.option("--total", default=0, help="Patches of all pictures together, shared by area.")
@click.option("--size", default=DEFAULTS.patch_size, help="Side of a patch in pixels.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default=DEFAULTS.method,
    help="How patches are spread over a picture.",
)
@click.option(
    "--scale", default=DEFAULTS.scale, help="Cut pictures at this scale; 0.5 = half as large."
)
@click.option(
    "--small",
    type=click.Choice(SMALL),
    default=DEFAULTS.small,
    help="What to do with a picture smaller than a patch.",
)
@click.option("--exclude-masks", type=FILE, help="Folder of masks of real damage, named alike.")
@click.option(
    "--damage-is",
    type=click.Choice(["white", "black"]),
    help="What marks damage in them; there is no default.",
)
@click.option(
    "--max-damage", default=DEFAULTS.max_damage, help="Largest damaged share of a patch, 0 to 1."
)
@click.option(
    "--min-detail",
    default=DEFAULTS.min_detail,
    help="Least mean difference of neighbouring grey values; 2 skips bare plaster.",
)
@click.option(
    "--split", type=SharesType(), default="0.8,0.1,0.1", help="Shares of train, val and test."
)
@click.option(
    "--split-by",
    type=click.Choice(["picture", "group"]),
    default=DEFAULTS.split_by,
    help="What is put into a split as a whole.",
)
@click.option("--groups", type=FILE, help="CSV table with the columns picture,group.")
@click.option("--rights", type=FILE, help="CSV table with the columns picture,rights,attribution.")
@click.option("--variants", default=DEFAULTS.variants, help="Draws of flip and turn per place.")
@click.option("--flip", default=DEFAULTS.flip_probability, help="Probability of a mirrored patch.")
@click.option("--turn", default=DEFAULTS.turn_probability, help="Probability of a turned patch.")
@click.option(
    "--max-angle", default=DEFAULTS.max_angle_deg, help="Largest turn in degrees, each way."
)
@click.option("--overlay", type=FILE, help="Also draw every picture with its patches, into DIR.")
@click.option(
    "--fail-under-coverage",
    type=click.FloatRange(0, 1),
    help="Exit with 3 if less than this share of some picture is covered.",
)
@click.option("--keep-going", is_flag=True, help="Leave out pictures that cannot be used.")
@workers_option("one per core for 50 pictures or more, else one")
@reading_options
@seed_option
@writes_output
@click.pass_context
def sample_patches(
    ctx: click.Context,
    sources: tuple[Path, ...],
    out: Path,
    per_picture: int,
    total: int,
    size: int,
    method: str,
    scale: float,
    small: str,
    exclude_masks: Path | None,
    damage_is: str | None,
    max_damage: float,
    min_detail: float,
    split: tuple[float, float, float],
    split_by: str,
    groups: Path | None,
    rights: Path | None,
    variants: int,
    flip: float,
    turn: float,
    max_angle: float,
    overlay: Path | None,
    fail_under_coverage: float | None,
    keep_going: bool,
    workers: int,
    reading: ReadingRecipe,
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
    from dunhuang_data.executors import cores
    from dunhuang_data.pictures import find_pictures
    from dunhuang_data.plan import CONTENTS, make_plan, write_plan
    from dunhuang_data.refusals import refuse_existing, refuse_existing_png

    _check_together(exclude_masks, damage_is, max_damage, split_by, groups)
    recipe = PlanRecipe(
        patch_size=size,
        per_picture=per_picture,
        total=total,
        method=method,
        scale=scale,
        small=small,
        damage_is=damage_is or "",
        max_damage=max_damage,
        min_detail=min_detail,
        split=split,
        split_by=split_by,
        variants=variants,
        flip_probability=flip,
        turn_probability=turn,
        max_angle_deg=max_angle,
        seed=seed,
        reading=reading,
    )
    refuse_existing(out, CONTENTS, overwrite, sources)
    _check_overlay(overlay, out, sources)
    sidecars = _sidecars(groups, rights, exclude_masks)
    found = len(find_pictures(sources)[0])
    many = cores() if found >= 50 else 1
    with console.progress(2 * found, "reading pictures, placing patches") as progress:
        plan = make_plan(
            sources, recipe, sidecars,
            keep_going=keep_going, workers=workers or many, progress=progress,
        )  # fmt: skip
    drawings = [] if overlay is None else [overlay / f"{one.id}.png" for one in plan.pictures]
    for drawing in drawings:
        refuse_existing_png(drawing, overwrite, plan.inputs())
    show_plan(plan)
    if not dry_run:
        if drawings:
            _draw_overlays(plan, drawings)
        write_plan(plan, out, overwrite)
        write_run_toml(ctx, out)
    show_left_out(plan)
    document = {
        "plan": str(out),
        "pictures": len(plan.pictures),
        "patches": plan.count_by_split(),
        "left_out": list(plan.left_out),
        "dry_run": dry_run,
        "report": [_as_document(report) for report in plan.reports],
    }
    console.result(document, json, "" if dry_run else str(out))
    if fail_under_coverage is not None:
        _fail_under(plan, fail_under_coverage)


def _check_overlay(overlay: Path | None, out: Path, sources: tuple[Path, ...]) -> None:
    """Refuse a folder of drawings that is in the way of something."""
    from dunhuang_data.errors import OutputExistsError

    if overlay is None:
        return
    if overlay.exists() and not overlay.is_dir():
        raise OutputExistsError(f"--overlay {overlay} is a file; a folder is written there.")
    for one, what in ((out, "the plan"), *((source, "the pictures") for source in sources)):
        if overlay.resolve().is_relative_to(one.resolve()):
            raise click.UsageError(
                f"--overlay {overlay} lies in the folder of {what}, {one}, and would be taken for "
                "a part of it. Name another folder."
            )


def _check_together(
    masks: Path | None,
    damage_is: str | None,
    max_damage: float,
    split_by: str,
    groups: Path | None,
) -> None:
    """Refuse options that mean nothing without one another."""
    if masks is not None and damage_is is None:
        raise click.UsageError(
            "--exclude-masks needs --damage-is white or --damage-is black: look at a mask, which "
            "of the two marks damage?"
        )
    if masks is None and (damage_is is not None or max_damage):
        raise click.UsageError("--damage-is and --max-damage mean nothing without --exclude-masks.")
    if split_by == "group" and groups is None:
        raise click.UsageError("--split-by group needs --groups, a table with picture,group.")


def _sidecars(groups: Path | None, rights: Path | None, masks: Path | None) -> "Sidecars":
    from dunhuang_data.errors import PictureError
    from dunhuang_data.plan import Sidecars
    from dunhuang_data.sidecar import read_sidecar

    if masks is not None and not masks.is_dir():
        raise PictureError(f"--exclude-masks {masks} is no folder. Name the folder of the masks.")
    return Sidecars(
        groups=None if groups is None else read_sidecar(groups, ["group"]),
        rights=None if rights is None else read_sidecar(rights, ["rights", "attribution"]),
        damage_root=None if masks is None else masks.resolve(),
    )


def _as_document(report: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(report)  # type: ignore[call-overload, no-any-return]


def _fail_under(plan: "PatchPlan", least: float) -> None:
    from dunhuang_data.errors import PlanError

    short = [one for one in plan.reports if one.coverage < least]
    if short:
        listed = "\n".join(
            f"  - {one.id}: {one.coverage:.1%}, with {one.patches} patches; "
            + (
                f"{one.cover_number} can cover it"
                if one.sampleable == 1
                else "parts of it may not be sampled"
            )
            for one in short
        )
        raise PlanError(
            f"{len(short)} of {len(plan.reports)} pictures are covered by less than {least:.1%}:\n"
            f"{listed}\nGive more patches (--per-picture), or accept less."
        )


def _draw_overlays(plan: "PatchPlan", drawings: list[Path]) -> None:
    from dunhuang_data.figures import plan_overlay
    from dunhuang_data.pictures import open_picture, write_picture

    pictures = {
        one.id: (one, drawing) for one, drawing in zip(plan.pictures, drawings, strict=True)
    }
    with console.progress(len(drawings), "drawing overlays") as progress:
        for picture_id, patches in plan.by_picture():
            picture, drawing = pictures[picture_id]
            source = open_picture(plan.pictures_root / picture.file, plan.recipe.reading)
            pixels, _ = source.thumbnail(OVERLAY_PX)
            size = plan.recipe.patch_size
            write_picture(drawing, plan_overlay(pixels, picture.scaled_hw, patches, size))
            progress(1)
