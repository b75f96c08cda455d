"""``evaluate``: score networks and folders of restorations beside fills that need no training."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    config_option,
    device_option,
    json_option,
    overwrite_option,
    require_torch,
    seed_option,
    workers_option,
    write_run_toml,
)
from dunhuang_cli.reading_options import reading_options
from dunhuang_data.recipe import ReadingRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dunhuang_trainer.evaluate.comparison import Comparison, Runs
    from dunhuang_trainer.evaluate.judged import Judged
    from dunhuang_trainer.evaluate.records import ScoreArray
    from dunhuang_trainer.evaluate.tables import Evaluation
    from dunhuang_trainer.evaluate.targets import Targets

CONTENTS = ("scores.json", "scores.csv", "sheet.png", "run.toml")


@click.command()
@click.argument("judged", metavar="[NAME=]CKPT|FOLDER...", nargs=-1)
@click.option("--dataset", type=FILE, help="Judge on a dataset of dunhuang-data build …")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", help="… on this split."
)
@click.option("--pictures", type=FILE, help="Judge on a folder of undamaged pictures …")
@click.option("--masks", type=FILE, help="… with their masks, of the same names.")
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    help="What white stands for in the masks; both are in use, so it is never guessed.",
)
@click.option(
    "--grey",
    type=click.Choice(["refuse", "threshold"]),
    default="refuse",
    help="What to do with masks that are not black and white alone.",
)
@click.option(
    "--damage", type=FILE, help="Masks of real damage in the pictures, which never counts."
)
@click.option(
    "--damage-is",
    type=click.Choice(["white", "black"]),
    default="white",
    help="What marks damage in them.",
)
@click.option(
    "--groups", type=FILE, help="CSV table picture,group: intervals draw groups as a whole."
)
@click.option(
    "--predictions",
    type=FILE,
    multiple=True,
    help="A folder of restorations to judge; the same as naming it.",
)
@click.option(
    "--allow-missing", is_flag=True, help="Judge what is whole, and say what was left out."
)
@click.option("--runs", is_flag=True, help="They are runs of one thing: show mean and spread.")
@click.option(
    "--baselines",
    default="all",
    metavar="all|none|NAME,...",
    help="Fills without training to put beside them.",
)
@click.option(
    "--legacy-course",
    is_flag=True,
    help="Add the figure that the course's script printed as MSE, to read old posters.",
)
@click.option("-o", "--out", type=FILE, help="Also write scores.csv, scores.json and sheet.png.")
@click.option("--batch", type=click.IntRange(1), default=8, help="Samples at once.")
@click.option("--tile", default=1024, help="Larger pictures are restored in tiles of so many px.")
@click.option("--overlap", default=128, help="How far tiles overlap, in px.")
@workers_option("as many as there are cores, 1 for few samples")
@device_option
@reading_options
@seed_option
@overwrite_option
@json_option
@config_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    judged: tuple[str, ...],
    dataset: Path | None,
    split: str,
    pictures: Path | None,
    masks: Path | None,
    white_is: str | None,
    grey: str,
    damage: Path | None,
    damage_is: str,
    groups: Path | None,
    predictions: tuple[Path, ...],
    allow_missing: bool,
    runs: bool,
    baselines: str,
    legacy_course: bool,
    out: Path | None,
    batch: int,
    tile: int,
    overlap: int,
    workers: int,
    device: str,
    reading: ReadingRecipe,
    seed: int,
    overwrite: bool,
    json: bool,
) -> None:
    """Score networks, and restorations of other programs.

    Judged are checkpoints (files) and folders of restorations, whose files have the names of their
    targets; NAME= says what one is called. Targets are a split of a dataset, or any folder of
    pictures with one of masks. Pairs are made by name, never by position.

    Beside them stand fills that need no training: white, the mean colour, push-pull, the methods of
    Telea and of Navier and Stokes, and the biharmonic equation. MSE, L1, PSNR and SSIM are computed
    in float64 on 0 to 255, in the holes, at their rims, on known pixels and on the whole; damaged
    pixels never count. A network behind Telea's method is said to be. Of two, differences in pairs
    are shown with their intervals.
    """
    require_torch()
    from dunhuang_data.atomic import new_folder, write_json
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.refusals import refuse_existing
    from dunhuang_trainer.devices import pick_device
    from dunhuang_trainer.evaluate.judged import match_all, open_judged
    from dunhuang_trainer.evaluate.judging import best_and_worst, filled_with, workers_for
    from dunhuang_trainer.evaluate.judging import evaluate as score_all
    from dunhuang_trainer.evaluate.outputs import document, write_scores
    from dunhuang_trainer.evaluate.records import score_array
    from dunhuang_trainer.evaluate.tables import evaluation_of
    from dunhuang_trainer.metrics import WHY_THEY_DIFFER

    given = [*judged, *map(str, predictions)]
    if out is not None:
        named = (dataset, pictures, masks, damage, groups, *predictions)
        inputs = [*(one for one in named if one is not None), *map(Path, judged)]
        refuse_existing(out, CONTENTS, overwrite, inputs)
    fills = _baselines(ctx, baselines)
    if not given and not fills:
        raise click.UsageError("There is nothing to judge: name a checkpoint or a folder.", ctx)
    people = open_judged(given, pick_device(device), tile, overlap)
    targets = _targets(ctx, people, reading)
    places, problems = match_all(targets, people)
    _face(problems, len(places), allow_missing)
    with console.progress(len(places), "judging") as progress:
        scores = score_all(
            targets,
            places,
            {one.name: one.restore for one in people},
            baselines=fills,
            batch_size=batch,
            workers=workers or workers_for(map(targets.shape_of, places)),
            course=legacy_course,
            progress=progress,
        )
    names = [one.name for one in people]
    array = score_array(scores, names)
    evaluation = evaluation_of(array, names, seed=seed)
    compared = _comparisons(array, names, runs, seed)
    found = {
        "judged": {one.name: one.said for one in people},
        "on": _said_of(ctx),
        "left_out": problems,
        **document(evaluation, *compared, WHY_THEY_DIFFER),
    }
    shown = (people[0].name, people[0].restore) if people else (fills[0], filled_with(fills[0]))
    if out is not None:
        with new_folder(out, CONTENTS, overwrite, inputs) as folder:
            write_scores(array, folder / "scores.csv")
            sheet = best_and_worst(targets, array, *shown)
            if sheet is not None:
                write_picture(folder / "sheet.png", sheet)
            write_json(folder / CONTENTS[0], console.without_nan(found))
        write_run_toml(ctx, out)
    _show(evaluation, *compared, WHY_THEY_DIFFER)
    console.result(found, json, str(out) if out is not None else "")


def _baselines(ctx: click.Context, text: str) -> list[str]:
    """Return the names of the fills that were asked for, in the order of the tables."""
    from dunhuang_trainer.baselines import BASELINES

    if text in ("all", "none"):
        return list(BASELINES) if text == "all" else []
    by_name = {name.lower().replace(" ", "-").replace(",", ""): name for name in BASELINES}
    asked = [one.strip().lower().replace(" ", "-") for one in text.split(",")]
    unknown = [one for one in asked if one not in by_name]
    if unknown:
        raise click.UsageError(
            f"--baselines names {unknown[0]!r}; there are {', '.join(by_name)}, all and none.", ctx
        )
    return [name for short, name in by_name.items() if short in asked]


FOLDER_OPTIONS = ("pictures", "masks", "white_is", "damage", "groups")


def _targets(ctx: click.Context, people: "Sequence[Judged]", reading: ReadingRecipe) -> "Targets":
    """Open what is judged on: a split of a dataset, or folders."""
    from dunhuang_data.types import as_split
    from dunhuang_trainer.data import DatasetReader, open_split
    from dunhuang_trainer.evaluate.targets import DatasetTargets, PictureTargets

    given = ctx.params
    dataset = given["dataset"]
    if dataset is not None:
        beside = [name for name in FOLDER_OPTIONS if given[name] is not None]
        if beside:
            raise click.UsageError(
                f"--dataset has its own pictures and masks; --{beside[0].replace('_', '-')} is for "
                "--pictures. Give one of the two.",
                ctx,
            )
        split = as_split(given["split"])
        for one in people:
            if one.model is not None:
                open_split(dataset, split, one.model)  # says so if its patches do not fit
        return DatasetTargets(DatasetReader(dataset, split))
    if given["pictures"] is None or given["masks"] is None or given["white_is"] is None:
        raise click.UsageError(
            "Say what to judge on: --dataset SHARDS, or --pictures DIR --masks DIR --white-is "
            "hole|known.",
            ctx,
        )
    targets = PictureTargets(
        given["pictures"],
        given["masks"],
        given["white_is"],
        grey=given["grey"],
        damage=given["damage"],
        damage_is=given["damage_is"],
        groups=given["groups"],
        reading=reading,
    )
    if targets.grey_share:
        console.say(
            f"{targets.grey_share:.2%} of the masks' pixels were neither black nor white; they "
            "were thresholded at half of white."
        )
    return targets


def _face(problems: "Sequence[str]", judged: int, allow_missing: bool) -> None:
    """Refuse to go on where something does not fit, or say what is left out.

    Raises
    ------
    DataProblem
    """
    from dunhuang_data.errors import DataProblem
    from dunhuang_data.pictures import raise_together

    if allow_missing and judged:
        for sentence in problems:
            console.say(f"Left out: {sentence}")
        return
    what = "things do not fit together (--allow-missing judges the rest)"
    raise_together(problems, what if judged else "things do not fit together", DataProblem)


def _said_of(ctx: click.Context) -> dict[str, Any]:
    """Return what was judged on, as plain values."""
    names = ("dataset", "split") if ctx.params["dataset"] is not None else FOLDER_OPTIONS
    return {name: str(value) for name in names if (value := ctx.params[name]) is not None}


def _comparisons(
    array: "ScoreArray", names: "Sequence[str]", runs: bool, seed: int
) -> "tuple[list[Comparison], list[Runs]]":
    """Compare all that are judged with the first; or, if they are runs, show their spread."""
    from dunhuang_trainer.evaluate.comparison import compare, over_runs

    if runs:
        return [], over_runs(array, {"over runs": names})
    return [compare(array, names[0], other, seed=seed) for other in names[1:]], []


def _show(
    evaluation: "Evaluation",
    comparisons: "Sequence[Comparison]",
    runs: "Sequence[Runs]",
    course_sentence: str,
) -> None:
    """Show the tables, and say what stands out."""
    from dunhuang_trainer.evaluate.console_tables import (
        bucket_tables,
        overall_tables,
        paired_tables,
        runs_table,
    )
    from dunhuang_trainer.evaluate.tables import sentences

    shown = [
        *overall_tables(evaluation, course_sentence),
        *bucket_tables(evaluation),
        *bucket_tables(evaluation, measure="depth"),
    ]
    for one in comparisons:
        shown += paired_tables(one)
    for table in [*shown, *map(runs_table, runs)]:
        console.table(table.title, table.columns, table.rows)
        for note in table.notes:
            console.say(note)
    for sentence in sentences(evaluation):
        console.say(sentence)
