"""``stats``: measure the holes of a bank or a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option, overwrite_option

if TYPE_CHECKING:
    from dunhuang_data.mask_stats import MaskStats


@click.command()
@click.argument("source", metavar="MASKS|SHARDS", type=FILE)
@click.option("--figure", type=FILE, help="Also plot the statistics (PNG).")
@overwrite_option
@json_option
@config_option
def stats(source: Path, figure: Path | None, overwrite: bool, json: bool) -> None:
    """Measure the holes of masks or shards.

    A dataset is measured split by split. Depth, the mean distance of a hole pixel to the nearest
    known one, stands beside the hole ratio, because ratio is not difficulty: thin lace is filled
    easily, a thick stain is not.
    """
    from dunhuang_data.atomic import refuse_existing_png
    from dunhuang_data.figures import save_figure, stats_figure

    if figure is not None:
        refuse_existing_png(figure, overwrite)
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
            + [_number(document[key][column], digits) for column in shown]  # type: ignore[index]
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
    console.result({"source": str(source), "sets": documents}, json, line)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


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
    return {reader.split: measure_masks(reader.masks()) for reader in readers if len(reader)}
