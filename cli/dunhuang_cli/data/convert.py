"""``convert``: the same dataset in another container or codec."""

import shlex
import sys
from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.data.build import container_options
from dunhuang_cli.options import FILE, NO_BYTE_CHANGES, out_option, resolved_toml, writes_output


@click.command()
@click.argument("shards", metavar="SHARDS", type=FILE)
@out_option("The new dataset; it appears under this name when it is whole.")
@container_options
@writes_output
@click.pass_context
def convert(
    ctx: click.Context,
    shards: Path,
    out: Path,
    format: str,
    codec: str,
    workers: int,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Write a dataset again as Zarr or HDF5, with or without compression.

    Samples, order, shards and content hash stay; the files are those that build would have written
    with this --format and --codec. Pictures and masks are not needed. A dataset of an older version
    of the format becomes one of the present version.
    """
    from dunhuang_data.convert import convert_dataset
    from dunhuang_data.executors import cores
    from dunhuang_data.manifest import CONTENTS, read_manifest
    from dunhuang_data.recipe import BuildRecipe
    from dunhuang_data.refusals import refuse_existing

    refuse_existing(out, CONTENTS, overwrite, (shards,))
    source = read_manifest(shards)
    recipe = BuildRecipe(format, source.recipe.shard_size, codec)
    count = sum(source.totals().values())
    document: dict[str, object] = {
        "dataset": str(out),
        "from": str(shards),
        "samples": source.totals(),
        "shards": len(source.shards),
        "dry_run": dry_run,
    }
    console.say(
        f"{count} samples in {len(source.shards)} shards: {source.recipe.format} with codec "
        f"{source.recipe.codec}, {console.size(source.bytes())}, to {format} with codec {codec}."
    )
    if not dry_run:
        with (
            console.goes_on_with(shlex.join(["dunhuang-data", *sys.argv[1:]])),
            console.progress(count, "converting") as progress,
        ):
            manifest = convert_dataset(
                shards, out, recipe,
                overwrite=overwrite, resume=resume,
                workers=workers or (cores() if count >= 1000 else 1),
                documents={"run.toml": resolved_toml(ctx, NO_BYTE_CHANGES)}, progress=progress,
            )  # fmt: skip
        document |= {"bytes": manifest.bytes(), "content_sha256": manifest.content_sha256}
        console.say(f"{console.size(manifest.bytes())}; content {manifest.content_sha256[:16]}…")
    console.result(document, json, "" if dry_run else str(out))
