"""``export``: a dataset in the layout of another program."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    NO_BYTE_CHANGES,
    out_option,
    resolved_toml,
    workers_option,
    writes_output,
)
from dunhuang_data.export import IMAGE_FORMATS, LAYOUTS, ExportRecipe

if TYPE_CHECKING:
    from dunhuang_data.types import Split


class SplitsType(click.ParamType["tuple[Split, ...]"]):
    """Names of splits, with commas between them."""

    name = "SPLIT[,SPLIT]"
    separator = ","

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "tuple[Split, ...]":
        """Return the splits, each once."""
        if isinstance(value, tuple):
            return value
        names = dict.fromkeys(name.strip() for name in str(value).split(","))
        if not set(names) <= {"train", "val", "test"}:
            self.fail(
                f"{value!r} names no splits; write train, val, test or some of them", param, ctx
            )
        return cast("tuple[Split, ...]", tuple(names))


@click.command()
@click.argument("shards", metavar="SHARDS", type=FILE)
@out_option("The folder; it appears under this name when it is whole.")
@click.option(
    "--to", "layout", type=click.Choice(list(LAYOUTS)), required=True, help="Which layout."
)
@click.option(
    "--split",
    "splits",
    type=SplitsType(),
    help="Only these, such as val,test. Without it, all that have samples.",
)
@click.option(
    "--image-format",
    type=click.Choice(IMAGE_FORMATS),
    default=ExportRecipe().image_format,
    help="Of the images: png and raw (arrays) lose nothing, jpg does. lama takes png alone, and "
    "has JPEG for training in any case.",
)
@click.option(
    "--shard-size",
    type=click.IntRange(0),
    default=0,
    help="Samples in a shard of webdataset or mds; 0 = as in SHARDS.",
)
@workers_option("one per core for 1,000 samples or more, else one")
@writes_output
@click.pass_context
def export(
    ctx: click.Context,
    shards: Path,
    out: Path,
    layout: str,
    splits: "tuple[Split, ...] | None",
    image_format: str,
    shard_size: int,
    workers: int,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Write a dataset as another program reads it.

    \b
    webdataset  tar files, for the webdataset package
    mds         shards of MosaicML Streaming
    folder      PNG files by split and picture, and a table
    lama        the folders that LaMa trains on and evaluates

    White is a known pixel in the masks of all but lama, where white is a hole; export.json in the
    output says so. The same dataset gives the same bytes, on any number of workers.
    """  # noqa: D301 (\b keeps click from wrapping)
    from dunhuang_data.executors import cores
    from dunhuang_data.export.writing import CONTENTS, export_dataset, open_source
    from dunhuang_data.refusals import refuse_existing

    refuse_existing(out, CONTENTS, overwrite, [shards])
    recipe = ExportRecipe(layout, splits or (), image_format, shard_size)
    source = open_source(shards, recipe)
    count = sum(source.counts.values())
    document: dict[str, object] = {
        "export": str(out),
        "layout": layout,
        "samples": source.counts,
        "dry_run": dry_run,
    }
    listed = ", ".join(f"{number} {split}" for split, number in source.counts.items())
    console.say(f"{count} samples ({listed}) as {layout}, with {image_format} images.")
    if not dry_run:
        many = cores() if count >= 1000 else 1
        with console.progress(count, "exporting") as progress:
            files = export_dataset(
                source, out,
                overwrite=overwrite, workers=workers or many,
                documents={"run.toml": resolved_toml(ctx, NO_BYTE_CHANGES)}, progress=progress,
            )  # fmt: skip
        size = sum(file.bytes for file in files)
        document |= {"files": len(files), "bytes": size}
        console.say(f"{len(files)} files, {console.size(size)}; check: sha256sum -c SHA256SUMS")
    console.result(document, json, "" if dry_run else str(out))
