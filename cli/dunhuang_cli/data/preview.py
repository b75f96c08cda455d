"""``preview``: show some samples of a dataset."""

from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option, overwrite_option


@click.command()
@click.argument("dataset", metavar="SHARDS", type=FILE)
@click.option("-o", "--out", type=FILE, required=True, help="The sheet (PNG).")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="train", help="What to show."
)
@click.option("--count", type=click.IntRange(1, 100), default=6, help="Samples to show.")
@overwrite_option
@json_option
@config_option
def preview(dataset: Path, out: Path, split: str, count: int, overwrite: bool, json: bool) -> None:
    """Show some samples side by side.

    One a row: target, mask (white = known) and masked image. A wrong polarity is seen at once.
    """
    from dunhuang_data.errors import DatasetError
    from dunhuang_data.figures import sample_sheet
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.reader import DatasetReader
    from dunhuang_data.refusals import refuse_existing_png
    from dunhuang_data.types import as_split

    reader = DatasetReader(dataset, as_split(split))
    if len(reader) == 0:
        raise DatasetError(f"{dataset} has no sample in {split}; choose another --split.")
    refuse_existing_png(out, overwrite)
    shown = min(count, len(reader))
    rows = [place * len(reader) // shown for place in range(shown)]  # evenly over the split
    write_picture(out, sample_sheet(reader.read(rows), [f"{split} row {row}" for row in rows]))
    console.result({"sheet": str(out), "split": split, "rows": rows}, json, str(out))
