"""``import``: a dataset as others publish it, turned into pictures, masks and groups."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, out_option, workers_option, write_run_toml, writes_output

if TYPE_CHECKING:
    from dunhuang_data.layouts import Import

MANY = 200  # pictures, from which it pays to start processes


@click.command("import")
@click.argument("folder", metavar="DIR", type=FILE)
@out_option("A folder of pictures, masks (or damage), groups.csv, files.csv and import.json.")
@click.option(
    "--layout",
    type=click.Choice(["auto", "course", "challenge", "muraldh", "folder"]),
    default="auto",
    help="How DIR is laid out; auto looks at the names of its folders.",
)
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    help="What white stands for in the masks. The layouts course and challenge say known; of the "
    "labels of muraldh, hole is the damage; of other folders it must be said.",
)
@click.option("--allow-missing", is_flag=True, help="Leave out what has a problem, and count it.")
@workers_option(f"one per core for {MANY} pictures or more, else one")
@writes_output
@click.pass_context
def import_layout(
    ctx: click.Context,
    folder: Path,
    out: Path,
    layout: str,
    white_is: Literal["hole", "known"] | None,
    allow_missing: bool,
    workers: int,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Import a dataset as others publish it.

    DIR is the folder into which the dataset was unpacked. Known are the Dunhuang challenge of 2019
    (course: the copy that a course handed out; challenge: the later release), MuralDH, and plain
    folders of images and masks. Files are paired by name. Pictures are copied byte for byte; masks
    are thresholded once, at half of white, and written as PNG of one bit, white = known.
    """
    from dunhuang_data.executors import cores
    from dunhuang_data.layouts import CONTENTS, find_layout, pair_layout, read_pairs, write_import
    from dunhuang_data.refusals import refuse_existing, refuse_inside

    refuse_existing(out, CONTENTS, overwrite, (folder,))
    found = find_layout(folder, layout)
    refuse_inside(out, folder)
    console.say(f"Layout {found.name}: {found.why}.")
    pairs = pair_layout(found, white_is)
    count = len(pairs.entries)
    with console.progress(count, "reading pictures and masks") as progress:
        processes = workers or (cores() if count >= MANY else 1)
        imported = read_pairs(pairs, allow_missing, processes, progress)
    _show(imported)
    if not dry_run:
        with console.progress(len(imported.pictures), "writing") as progress:
            write_import(imported, out, overwrite, progress)
        write_run_toml(ctx, out)
    document = {**imported.summary(), "out": str(out), "dry_run": dry_run}
    console.result(document, json, "" if dry_run else str(out))


def _show(imported: "Import") -> None:
    """Say what was found, and what is doubtful."""
    summary = imported.summary()
    rows = []
    for part in imported.layout.parts:
        own = [row for row in imported.rows if row.part == part.name]
        holes = [row.hole_ratio for row in own if row.hole_ratio is not None]
        damage = [row.damage_ratio for row in own if row.damage_ratio is not None]
        rows.append(
            [
                part.name or ".",
                str(len(own)),
                str(len({row.group for row in own})),
                f"{sum(holes) / len(holes):.4f}" if holes else "",
                f"{sum(damage) / len(damage):.4f}" if damage else "",
            ]
        )
    columns = ["part", "pictures", "groups", "mean hole ratio", "mean damage ratio"]
    console.table(f"{len(imported.pictures)} pictures", columns, rows)
    if any(row.hole_ratio is not None for row in imported.rows):
        console.say(f"White was read as {imported.white_is}.{_evidence(imported)}")
    if summary["grey_files"]:
        greyest = max(imported.rows, key=lambda row: row.grey_share or 0)
        console.say(
            f"{summary['grey_share_mean']:.2%} of the masks' pixels were neither black nor white, "
            f"in {summary['grey_files']} files; most in {greyest.mask_source}: "
            f"{greyest.grey_share:.2%}."
        )
    for sentence in imported.layout.not_read:
        console.say(sentence)
    if imported.left_out:
        console.say(f"{len(imported.left_out)} left out:")
    for sentence in imported.left_out:
        console.say(f"  - {sentence}")
    for sentence in imported.warnings():
        console.say(f"Warning: {sentence}")


def _evidence(imported: "Import") -> str:
    told = [row.polarity for row in imported.rows if row.polarity]
    if not told:
        return " There are no pictures with holes to check it with."
    return (
        f" Of {len(told)} pictures with holes, {told.count('agrees')} agree, "
        f"{told.count('contradicts')} contradict, {told.count('undecided')} do not tell."
    )
