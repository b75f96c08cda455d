"""``stats``: measure the holes of a bank, a dataset, or mask files of other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option, overwrite_option, workers_option

if TYPE_CHECKING:
    from dunhuang_data.mask_stats import By, MaskSet, MaskSource, Report
    from dunhuang_data.polarity import WhiteIs
    from dunhuang_data.types import Split

WHITE = click.Choice(["hole", "known"])


class LimitType(click.ParamType[str]):
    """A limit. It has blanks in it, so a variable of the environment splits them at semicolons."""

    name = "LIMIT"
    envvar_list_splitter = ";"


SPLIT = click.Choice(["train", "val", "test"])
MOST_ROWS = 30  # of a table on a terminal


@click.command()
@click.argument("source", metavar="MASKS|SHARDS|FILES", type=FILE)
@click.option("--white-is", type=WHITE, help="What white stands for in mask files; never guessed.")
@click.option("--only", type=SPLIT, help="Measure this split of a dataset alone.")
@click.option(
    "--by",
    type=click.Choice(["all", "split", "picture", "bucket"]),
    default=None,
    help="What to measure apart: splits or pictures of a dataset, buckets of hole ratio. Without "
    "it, the splits of a dataset, and anything else as a whole.",
)
@click.option(
    "--any-size", is_flag=True, help="Measure mask files of several sizes, each in its own."
)
@click.option(
    "--against",
    type=FILE,
    help="Compare with these masks: a bank, a dataset, files, or train, val or test of SHARDS.",
)
@click.option("--against-white-is", type=WHITE, help="What white stands for in their files.")
@click.option("--against-only", type=SPLIT, help="Compare with this split of that dataset alone.")
@click.option(
    "--fail-if",
    multiple=True,
    type=LimitType(),
    metavar="LIMIT",
    help="End with exit code 3 where this holds: [SET:]STATISTIC.SUMMARY OP NUMBER, such as "
    "'hole_ratio.p95 > 0.4', 'duplicates > 0', 'distance.depth_px > 0.1'. Can be given again; in "
    "DUNHUANG_STATS_FAIL_IF, separated by semicolons.",
)
@click.option("--csv", type=FILE, help="Also write a table with one row for each mask (CSV).")
@click.option("--html", type=FILE, help="Also write all of it as one page that needs no network.")
@click.option("--figure", type=FILE, help="Also plot the statistics (PNG).")
@workers_option("one per core for 2,000 masks or more, else one")
@overwrite_option
@json_option
@config_option
def stats(
    source: Path,
    white_is: "WhiteIs | None",
    only: "Split | None",
    by: "By | None",
    any_size: bool,
    against: Path | None,
    against_white_is: "WhiteIs | None",
    against_only: "Split | None",
    fail_if: tuple[str, ...],
    csv: Path | None,
    html: Path | None,
    figure: Path | None,
    workers: int,
    overwrite: bool,
    json: bool,
) -> None:
    """Measure the holes of masks, shards or mask files.

    Depth, the mean distance of a hole pixel to the nearest known one, stands beside the hole ratio,
    because ratio is not difficulty: thin lace is filled easily, a thick stain is not. With
    --against, two sets of masks are compared, and said in words whether they match.
    """
    from dunhuang_data import mask_stats

    if against is None and (against_white_is or against_only):
        raise click.UsageError("--against-white-is and --against-only go with --against.")
    measured = mask_stats.open_source(source, white_is, only)
    other = None
    if against is not None:
        other = mask_stats.open_against(measured, against, against_white_is, against_only)
    by = by or ("split" if measured.kind == "dataset" else "all")
    names = mask_stats.set_names(measured, by)
    gates = [mask_stats.read_gate(text, names, compared=other is not None) for text in fail_if]
    outputs = {"CSV": csv, "HTML": html, "PNG": figure}
    _refuse_outputs(outputs, overwrite, [measured, *([other] if other else [])])
    sets = _measured(measured, by, workers, any_size)
    others = _measured(other, "all", workers, any_size) if other else []
    report = mask_stats.make_report(measured, by, sets, other, others)
    _show(report)
    _write(report, csv, html, figure)
    values = mask_stats.limitable(report.sets, report.comparisons)
    failed = mask_stats.failures(gates, values, names)
    lines = [str(path) for path in outputs.values() if path is not None]
    console.result(report.document() | {"failed": failed}, json, "\n".join(lines))
    mask_stats.raise_failed(failed, str(source))


def _refuse_outputs(
    outputs: dict[str, Path | None], overwrite: bool, sources: "list[MaskSource]"
) -> None:
    """Refuse outputs that are in use, or lie in what is measured, before anything is measured."""
    from dunhuang_data.refusals import refuse_existing_file

    inputs = [path for one in sources for path in one.paths]
    for kind, path in outputs.items():
        if path is None:
            continue
        refuse_existing_file(path, kind, overwrite, inputs)
        for one in sources:
            one.refuse_inside(path)


def _write(report: "Report", csv: Path | None, html: Path | None, figure: Path | None) -> None:
    """Write what was asked for."""
    from dunhuang_data.figures import save_figure
    from dunhuang_data.mask_figures import stats_figure
    from dunhuang_data.mask_page import write_page

    if csv is not None:
        report.write_csv(csv)
    if html is not None:
        write_page(report, html)
    if figure is not None:
        groups = {name: one.stats for name, one in report.everything().items()}
        save_figure(stats_figure(groups), figure)


def _measured(source: "MaskSource", by: "By", workers: int, any_size: bool) -> "list[MaskSet]":
    """Measure a source, and show how far it is."""
    from dunhuang_data.executors import cores
    from dunhuang_data.mask_stats import measure_source

    many = cores() if len(source) >= 2000 else 1
    with console.progress(len(source), f"measuring {source.root}") as progress:
        return measure_source(source, by, workers or many, any_size, progress)


def _show(report: "Report") -> None:
    """Print tables, notes and verdicts for a person."""
    from dunhuang_data.text import visible

    for table in report.tables():
        console.table(table.title, table.columns, table.rows[:MOST_ROWS])
        if len(table.rows) > MOST_ROWS:
            console.say(f"… and {len(table.rows) - MOST_ROWS} more sets: --json, --html")
    for note in report.notes():
        console.say(visible(note))
    for comparison in report.comparisons:
        for sentence in comparison.sentences():
            console.say(visible(sentence))
