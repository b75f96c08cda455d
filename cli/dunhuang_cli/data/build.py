"""``build``: pour plan, masks and pictures into shards."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    NO_BYTE_CHANGES,
    BytesType,
    Function,
    out_option,
    resolved_toml,
    workers_option,
    writes_output,
)
from dunhuang_data.recipe import CODECS, FORMATS, BuildRecipe

DEFAULTS = BuildRecipe()
AUTO = "one per core for 1,000 samples or more, else one"


def container_options(function: Function) -> Function:
    """Add the options of ``build`` and ``convert``: how shards are stored, and made."""
    options: tuple[Callable[[Any], Any], ...] = (
        click.option(
            "--format", type=click.Choice(FORMATS), default=DEFAULTS.format, help="Of the shards."
        ),
        click.option(
            "--codec",
            type=click.Choice(CODECS),
            default=DEFAULTS.codec,
            help="none reads fastest; lossless (Zarr only) is smaller than PNG; gzip is read by "
            "every program.",
        ),
        workers_option(AUTO),
        click.option(
            "--resume",
            is_flag=True,
            help="Only continue: refuse to begin what was not interrupted.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@out_option("The dataset; it appears under this name when it is whole.")
@click.option("--plan", type=FILE, required=True, help="From sample-patches.")
@click.option("--masks", type=FILE, required=True, help="From make-masks.")
@click.option("--pictures", type=FILE, help="Where the pictures are now, if they were moved.")
@click.option(
    "--damage-masks", "--damage", type=FILE, help="Where the masks of real damage are now."
)
@click.option("--shard-size", default=DEFAULTS.shard_size, help="Samples in a shard.")
@container_options
@click.option(
    "--max-memory",
    type=BytesType(),
    help="What all workers together may take, such as 4GB; fewer are started if need be.",
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="When a shard cannot be made, make all others before saying so.",
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
    codec: str,
    shard_size: int,
    workers: int,
    max_memory: int | None,
    scheduler: str | None,
    keep_going: bool,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Pour plan, masks and pictures into shards.

    Nothing is drawn here: the same plan, masks and pictures give the same bytes, on any number of
    workers. The shards grow in OUT.building; a build that was killed, run again, continues.
    """
    from dunhuang_data.build import (
        build_dataset,
        check_bank_fits,
        dataset_bytes,
        shard_count,
        worker_bytes,
        workers_that_fit,
    )
    from dunhuang_data.errors import PictureError, UsageProblem
    from dunhuang_data.manifest import CONTENTS
    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.plan import read_plan
    from dunhuang_data.refusals import refuse_existing

    refuse_existing(out, CONTENTS, overwrite, (plan, masks))
    patch_plan, bank = read_plan(plan), open_bank(masks)
    if damage_masks is not None and patch_plan.damage_root is None:
        raise UsageProblem(
            f"--damage-masks is {damage_masks}, but {plan} was made without masks of damage. Make "
            "the plan again with --exclude-masks, or leave the option out."
        )
    patch_plan = patch_plan.moved(pictures, damage_masks)
    missing = [path for path in patch_plan.inputs() if not path.is_file()]
    if missing and not keep_going:
        more = f" (nor are {len(missing) - 1} others)" if len(missing) > 1 else ""
        raise PictureError(
            f"The plan needs {missing[0]}, which is not there{more}. Put it back, or say where "
            "pictures are now with --pictures, and masks of damage with --damage-masks."
        )
    recipe = BuildRecipe(format, shard_size, codec)
    check_bank_fits(patch_plan, bank)
    count = len(patch_plan.patches)
    started = workers_that_fit(patch_plan, recipe, workers, max_memory)
    memory = started * worker_bytes(patch_plan, recipe)
    shards = shard_count(patch_plan, recipe)
    document: dict[str, object] = {
        "dataset": str(out),
        "samples": patch_plan.count_by_split(),
        "shards": shards,
        "uncompressed_bytes": dataset_bytes(patch_plan, recipe),
        "workers": started,
        "memory_bytes": memory,
        "dry_run": dry_run,
    }
    console.say(
        f"{count} samples in {shards} {format} shards of up to {shard_size}: "
        f"{'at most ' if codec != 'none' else ''}"
        f"{console.size(dataset_bytes(patch_plan, recipe))}; "
        f"{started} worker{'s' * (started > 1)}, about {console.size(memory)} of memory."
    )
    if not dry_run:
        with (
            console.goes_on_with(shlex.join(["dunhuang-data", *sys.argv[1:]])),
            console.progress(count, "building") as progress,
        ):
            manifest = build_dataset(
                patch_plan, bank, out, recipe,
                overwrite=overwrite, resume=resume, keep_going=keep_going,
                workers=started, scheduler=scheduler,
                documents={"run.toml": resolved_toml(ctx, NO_BYTE_CHANGES)}, progress=progress,
            )  # fmt: skip
        document |= {"bytes": manifest.bytes(), "content_sha256": manifest.content_sha256}
        console.say(f"{console.size(manifest.bytes())}; content {manifest.content_sha256[:16]}…")
    console.result(document, json, "" if dry_run else str(out))
