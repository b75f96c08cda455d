"""``build``: pour plan, masks and pictures into shards."""

import os
import shlex
import sys
from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    out_option,
    write_run_toml,
    writes_output,
)
from dunhuang_data.recipe import BuildRecipe

DEFAULTS = BuildRecipe()


@click.command()
@out_option("The dataset; it appears under this name when it is whole.")
@click.option("--plan", type=FILE, required=True, help="From sample-patches.")
@click.option("--masks", type=FILE, required=True, help="From make-masks.")
@click.option("--pictures", type=FILE, help="Where the pictures are now, if they were moved.")
@click.option("--damage-masks", type=FILE, help="Where the masks of real damage are now.")
@click.option(
    "--format", type=click.Choice(["zarr", "hdf5"]), default=DEFAULTS.format, help="Of the shards."
)
@click.option("--shard-size", default=DEFAULTS.shard_size, help="Samples in a shard.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    help="Processes; 0 = one per core for 1,000 samples or more, else one.",
)
@click.option("--scheduler", help="Address of a Dask scheduler, tcp://HOST:PORT, to work there.")
@writes_output
@click.pass_context
def build(
    ctx: click.Context,
    out: Path,
    plan: Path,
    masks: Path,
    pictures: Path | None,
    damage_masks: Path | None,
    format: str,
    shard_size: int,
    workers: int,
    scheduler: str | None,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Pour plan, masks and pictures into shards.

    Nothing is drawn here: the same plan, masks and pictures give the same bytes, on any number of
    workers. The shards grow in OUT.building; a build that was killed, run again, continues.
    """
    from dunhuang_data.build import build_dataset, check_bank_fits
    from dunhuang_data.manifest import CONTENTS
    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.plan import read_plan
    from dunhuang_data.refusals import refuse_existing

    refuse_existing(out, CONTENTS, overwrite, (plan, masks))
    patch_plan, bank = read_plan(plan), open_bank(masks)
    patch_plan = patch_plan.moved(pictures, damage_masks)
    recipe = BuildRecipe(format, shard_size)
    check_bank_fits(patch_plan, bank)
    count = len(patch_plan.patches)
    document: dict[str, object] = {
        "dataset": str(out),
        "samples": patch_plan.count_by_split(),
        "shards": sum(-(-part // shard_size) for part in patch_plan.count_by_split().values()),
        "dry_run": dry_run,
    }
    console.say(f"{count} samples in {document['shards']} {format} shards of up to {shard_size}.")
    if not dry_run:
        many = (os.cpu_count() or 1) if count >= 1000 else 1
        with (
            console.goes_on_with(shlex.join(["dunhuang-data", *sys.argv[1:]])),
            console.progress(count, "building") as progress,
        ):
            manifest = build_dataset(
                patch_plan, bank, out, recipe,
                overwrite=overwrite, workers=workers or many, scheduler=scheduler,
                progress=progress,
            )  # fmt: skip
        write_run_toml(ctx, out)
        document |= {"bytes": manifest.bytes(), "content_sha256": manifest.content_sha256}
        console.say(f"{console.size(manifest.bytes())}; content {manifest.content_sha256[:16]}…")
    console.result(document, json, "" if dry_run else str(out))
