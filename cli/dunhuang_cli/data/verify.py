"""``verify``: check a dataset against its manifest."""

from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option


@click.command()
@click.argument("dataset", metavar="SHARDS", type=FILE)
@json_option
@config_option
def verify(dataset: Path, json: bool) -> None:
    """Check a dataset byte for byte.

    Files, arrays and rows of the plan are compared with the manifest; exit code 3 if any differs.
    """
    from dunhuang_data.errors import DatasetError
    from dunhuang_data.manifest import read_manifest
    from dunhuang_data.verify import verify_dataset

    total = sum(shard.samples for shard in read_manifest(dataset).shards)
    with console.progress(total, "verifying") as progress:
        problems = verify_dataset(dataset, progress)
    document = {"dataset": str(dataset), "sound": not problems, "problems": problems}
    console.result(document, json, "" if problems else f"{dataset}: {total} samples, sound")
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise DatasetError(f"{dataset} is not what was built:\n{listed}\nBuild it again.")
