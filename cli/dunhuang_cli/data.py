"""``dunhuang-data``: options to one frozen recipe, one core call a command."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    CONTEXT,
    FILE,
    ShapeType,
    SharesType,
    config_option,
    json_option,
    seed_option,
    write_run_toml,
    writes_output,
)
from dunhuang_data import __version__
from dunhuang_data.recipe import BuildRecipe, MaskRecipe, PlanRecipe

if TYPE_CHECKING:
    from dunhuang_data.mask_stats import MaskStats
    from dunhuang_data.plan import PatchPlan

PLAN, MASKS, BUILD = PlanRecipe(), MaskRecipe(), BuildRecipe()  # the defaults


@click.group(context_settings=CONTEXT)
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
def dunhuang_data(verbose: bool) -> None:
    """Turn few, large pictures of murals into a training set.

    \b
    The usual order:
      dunhuang-data sample-patches PICTURES -o plan
      dunhuang-data make-masks --steps 50000 --count 10000 -o masks
      dunhuang-data build --plan plan --masks masks -o shards
      dunhuang-data stats shards
      dunhuang-train --dataset shards -o run
    """


@dunhuang_data.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=FILE)
@writes_output("The plan: a folder of patches.csv, pictures.csv and plan.json.")
@click.option("--per-picture", default=PLAN.per_picture, help="Patches cut from each picture.")
@click.option("--size", default=PLAN.patch_size, help="Side of a patch in pixels.")
@click.option("--split", type=SharesType(), default="0.8,0.1,0.1", help="Shares of the pictures.")
@click.option(
    "--small",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    help="What to do with a picture that cannot give the patches asked for.",
)
@click.option("--flip", default=PLAN.flip_probability, help="Probability of a mirrored patch.")
@click.option("--turn", default=PLAN.turn_probability, help="Probability of a turned patch.")
@click.option("--max-angle", default=PLAN.max_angle_deg, help="Largest turn in degrees, each way.")
@click.option("--overlay", type=FILE, help="Also draw every picture with its patches, into DIR.")
@seed_option
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
    as_json: bool,
) -> None:
    """Choose patches spread as far apart as possible over each picture.

    SRC are pictures, or folders searched for JPEG, PNG, TIFF and WebP. No pixel is cut yet: the
    plan says where each patch lies, in which split its picture is, and how it will be flipped and
    turned (patches of the training split only), so that it can be looked at first.
    """
    from dunhuang_data.atomic import refuse_existing
    from dunhuang_data.pictures import find_pictures
    from dunhuang_data.plan import MARKER, make_plan, write_plan

    recipe = PlanRecipe(size, per_picture, split, flip, turn, max_angle, seed)
    refuse_existing(out, MARKER, overwrite)
    with console.progress(len(find_pictures(sources)), "reading pictures") as progress:
        plan = make_plan(sources, recipe, small == "skip", progress)
    for sentence in plan.left_out:
        console.say(f"Left out: {sentence}")
    _show_plan(plan)
    if not dry_run:
        write_plan(plan, out, overwrite)
        write_run_toml(ctx, out)
        if overlay is not None:
            _draw_overlays(plan, overlay)
    document = {
        "plan": str(out),
        "pictures": len(plan.pictures),
        "patches": plan.count_by_split(),
        "left_out": list(plan.left_out),
        "dry_run": dry_run,
    }
    console.result(document, as_json, "" if dry_run else str(out))


def _show_plan(plan: "PatchPlan") -> None:
    from dunhuang_data.splits import first_seed_that_fills

    counts, size = plan.count_by_split(), plan.recipe.patch_size
    pictures = {patch.picture_id: patch.split for patch in plan.patches}.values()
    rows = [[name, str(list(pictures).count(name)), str(count)] for name, count in counts.items()]
    console.table("Patch plan", ["split", "pictures", "patches"], rows)
    sample_bytes = 3 * size**2 + 2 * size * -(-size // 8)
    total = sample_bytes * len(plan.patches)
    console.say(f"{len(plan.patches)} patches; the dataset will take {total / 1e6:,.0f} MB.")
    empty = [name for name, share in zip(counts, plan.recipe.split) if share and not counts[name]]
    if empty:
        ids = [picture.id for picture in plan.pictures]
        seed = first_seed_that_fills(ids, plan.recipe.split)
        way_out = f"--seed {seed} fills every split" if seed is not None else "add pictures"
        console.say(
            f"Note: no picture fell into {' and '.join(empty)}; with few pictures that happens, "
            f"because each picture's split depends on its own id alone. {way_out.capitalize()}."
        )


def _draw_overlays(plan: "PatchPlan", folder: Path) -> None:
    from dunhuang_data.figures import plan_overlay
    from dunhuang_data.pictures import read_picture, write_picture

    with console.progress(len(plan.pictures), "drawing overlays") as progress:
        for picture in plan.pictures:
            patches = [patch for patch in plan.patches if patch.picture_id == picture.id]
            pixels = read_picture(plan.pictures_root / picture.file)
            drawing = plan_overlay(pixels, patches, plan.recipe.patch_size)
            write_picture(folder / f"{picture.id}.png", drawing)
            progress(1)


@dunhuang_data.command()
@writes_output("The mask bank: a folder of packed masks and bank.json.")
@click.option("--steps", default=MASKS.steps, help="Steps of each random walk.")
@click.option("--count", default=MASKS.count, help="Masks to make; mask i goes with patch i.")
@click.option("--size", type=ShapeType(), default="256", help="Size of a mask in pixels.")
@click.option("--sheet", type=FILE, help="Also write a contact sheet of up to 64 masks (PNG).")
@click.option(
    "--png", is_flag=True, help="Also write each mask as MASKS/png/NNNNN.png, white = known."
)
@seed_option
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
    as_json: bool,
) -> None:
    """Draw holes by random walks.

    Each step of a walk goes to one of the four neighbours; what it visits becomes a hole. Mask i
    depends on the seed, i, --steps and --size alone, so a larger --count begins with the same masks.
    """
    from dunhuang_data.atomic import refuse_existing
    from dunhuang_data.figures import mask_sheet
    from dunhuang_data.mask_bank import MARKER, make_mask, open_bank, write_bank
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.polarity import hole_ratio
    from dunhuang_data.types import UInt8Array

    recipe = MaskRecipe(size, steps, count, seed)
    refuse_existing(out, MARKER, overwrite)
    packed_bytes = count * size[0] * -(-size[1] // 8)
    ratios = [hole_ratio(make_mask(recipe, index)) for index in range(min(count, 100))]
    mean = sum(ratios) / len(ratios)
    console.say(
        f"{count} masks of {size[0]} x {size[1]} px, {packed_bytes / 1e6:,.1f} MB; mean hole ratio "
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
    console.result(document, as_json, "" if dry_run else str(out))


@dunhuang_data.command()
@writes_output("The dataset; it appears under this name when it is whole.")
@click.option("--plan", "plan_root", type=FILE, required=True, help="From sample-patches.")
@click.option("--masks", "masks_root", type=FILE, required=True, help="From make-masks.")
@click.option("--pictures", type=FILE, help="Where the pictures are now, if they were moved.")
@click.option(
    "--format", type=click.Choice(["zarr", "hdf5"]), default=BUILD.format, help="Of the shards."
)
@click.option("--shard-size", default=BUILD.shard_size, help="Samples in a shard.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    help="Processes; 0 = one per core for 1,000 samples or more, else one.",
)
@click.option("--scheduler", help="Address of a Dask scheduler, tcp://HOST:PORT, to work there.")
@click.pass_context
def build(
    ctx: click.Context,
    out: Path,
    plan_root: Path,
    masks_root: Path,
    pictures: Path | None,
    format: str,
    shard_size: int,
    workers: int,
    scheduler: str | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Pour plan, masks and pictures into shards.

    Nothing is drawn here: the same plan, masks and pictures give the same bytes, on any number of
    workers. The shards grow in OUT.building; a build that was killed, run again, continues.
    """
    from dataclasses import replace

    from dunhuang_data.atomic import refuse_existing
    from dunhuang_data.build import build_dataset, check_bank_fits, shard_jobs
    from dunhuang_data.manifest import MARKER
    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.plan import read_plan

    refuse_existing(out, MARKER, overwrite)
    plan, bank = read_plan(plan_root), open_bank(masks_root)
    if pictures is not None:
        plan = replace(plan, pictures_root=pictures.resolve())
    recipe = BuildRecipe(format, shard_size)
    check_bank_fits(plan, bank)
    count = len(plan.patches)
    document: dict[str, object] = {
        "dataset": str(out),
        "samples": plan.count_by_split(),
        "shards": len(shard_jobs(plan, bank, recipe, out)),
        "dry_run": dry_run,
    }
    console.say(f"{count} samples in {document['shards']} {format} shards of up to {shard_size}.")
    if not dry_run:
        many = (os.cpu_count() or 1) if count >= 1000 else 1
        with (
            console.goes_on_with(
                f"dunhuang-data build --plan {plan_root} --masks {masks_root} "
                f"-o {out}  (and your other options)"
            ),
            console.progress(count, "building") as progress,
        ):
            manifest = build_dataset(
                plan, bank, out, recipe,
                overwrite=overwrite, workers=workers or many, scheduler=scheduler,
                progress=progress,
            )  # fmt: skip
        write_run_toml(ctx, out)
        document |= {"bytes": manifest.bytes(), "content_sha256": manifest.content_sha256}
        console.say(f"{manifest.bytes() / 1e6:,.1f} MB; content {manifest.content_sha256[:16]}…")
    console.result(document, as_json, "" if dry_run else str(out))


@dunhuang_data.command()
@click.argument("source", metavar="MASKS|SHARDS", type=FILE)
@click.option("--figure", type=FILE, help="Also plot the statistics (PNG).")
@json_option
@config_option
def stats(source: Path, figure: Path | None, as_json: bool) -> None:
    """Measure the holes of a mask bank, or of a dataset split by split.

    Depth, the mean distance of a hole pixel to the nearest known one, stands beside the hole ratio,
    because ratio is not difficulty: thin lace is filled easily, a thick stain is not.
    """
    from dunhuang_data.figures import save_figure, stats_figure

    groups = _measured(source)
    documents = {name: one.summary() for name, one in groups.items()}
    for title, key in (
        ("Hole ratio (share of the pixels)", "hole_ratio"),
        ("Depth (px)", "depth_px"),
        ("Connected holes per mask", "holes"),
    ):
        shown = ("mean", "sd", "p0", "p5", "p50", "p95", "p100")
        digits = 3 if key == "hole_ratio" else 1
        rows = [
            [name, str(document["count"])]
            + [f"{document[key][column]:.{digits}f}" for column in shown]  # type: ignore[index]
            for name, document in documents.items()
        ]
        console.table(title, ["set", "masks", *shown], rows)
    buckets = next(iter(groups.values())).bucket_counts()
    console.table(
        "Masks by hole ratio",
        ["set", *buckets],
        [[name, *map(str, one.bucket_counts().values())] for name, one in groups.items()],
    )
    if figure is not None:
        save_figure(stats_figure(groups), figure)
    line = str(figure) if figure else ""
    console.result({"source": str(source), "sets": documents}, as_json, line)


def _measured(source: Path) -> "dict[str, MaskStats]":
    from dunhuang_data import manifest, mask_bank
    from dunhuang_data.errors import DataProblem
    from dunhuang_data.mask_stats import measure_masks
    from dunhuang_data.reader import DatasetReader
    from dunhuang_data.types import SPLITS

    if (source / mask_bank.MARKER).is_file():
        return {"masks": measure_masks(mask_bank.open_bank(source))}
    if not (source / manifest.MARKER).is_file():
        raise DataProblem(
            f"{source} is neither a mask bank (no {mask_bank.MARKER}) nor a whole dataset (no "
            f"{manifest.MARKER}). Name a folder written by make-masks or build."
        )
    readers = [DatasetReader(source, split) for split in SPLITS]
    return {
        reader.split: measure_masks(reader.read([row]).valid[0] for row in range(len(reader)))
        for reader in readers
        if len(reader)
    }


@dunhuang_data.command()
@click.argument("dataset", metavar="SHARDS", type=FILE)
@click.option("-o", "--out", type=FILE, required=True, help="The sheet (PNG).")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="train", help="Whose."
)
@click.option("--count", type=click.IntRange(1, 100), default=6, help="Samples to show.")
@click.option("--overwrite", is_flag=True, help="Replace the sheet if it is there.")
@json_option
@config_option
def preview(
    dataset: Path, out: Path, split: str, count: int, overwrite: bool, as_json: bool
) -> None:
    """Show some samples of a dataset: target, mask and masked image side by side."""
    from dunhuang_data.errors import DatasetError, OutputExistsError
    from dunhuang_data.figures import sample_sheet
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.reader import DatasetReader
    from dunhuang_data.types import SPLITS

    reader = DatasetReader(dataset, SPLITS[["train", "val", "test"].index(split)])
    if len(reader) == 0:
        raise DatasetError(f"{dataset} has no sample in {split}; choose another --split.")
    if out.exists() and not overwrite:
        raise OutputExistsError(f"{out} is already there. Give --overwrite or another -o.")
    shown = min(count, len(reader))
    rows = [place * len(reader) // shown for place in range(shown)]  # evenly over the split
    write_picture(out, sample_sheet(reader.read(rows), [f"{split} row {row}" for row in rows]))
    console.result({"sheet": str(out), "split": split, "rows": rows}, as_json, str(out))


@dunhuang_data.command()
@click.argument("dataset", metavar="SHARDS", type=FILE)
@json_option
@config_option
def verify(dataset: Path, as_json: bool) -> None:
    """Check a dataset byte for byte against its manifest; exit code 3 if anything differs."""
    from dunhuang_data.errors import DatasetError
    from dunhuang_data.manifest import read_manifest
    from dunhuang_data.verify import verify_dataset

    total = sum(shard.samples for shard in read_manifest(dataset).shards)
    with console.progress(total, "verifying") as progress:
        problems = verify_dataset(dataset, progress)
    document = {"dataset": str(dataset), "sound": not problems, "problems": problems}
    console.result(document, as_json, "" if problems else f"{dataset}: {total} samples, sound")
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise DatasetError(f"{dataset} is not what was built:\n{listed}\nBuild it again.")


@dunhuang_data.command()
@click.option("-o", "--out", type=FILE, default=Path("demo"), help="A new folder for everything.")
@click.option("--steps", default=100, help="Training steps.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier demo.")
@config_option
def demo(out: Path, steps: int, overwrite: bool) -> None:
    """Run the whole job on real photographs, in about two minutes, and say where to look.

    Needs the extras: pip install 'dunhuang-data[demo,train]'.
    """
    from dunhuang_cli.demo import run_demo

    run_demo(out, steps, overwrite)


def main() -> None:
    """Run ``dunhuang-data``."""
    console.run(dunhuang_data, "dunhuang-data")
