"""``evaluate``: score networks and folders of restorations beside fills that need no training."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
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
from dunhuang_cli.train import evaluate_tables as tables
from dunhuang_cli.train.evaluate_options import judging_options
from dunhuang_data.recipe import ReadingRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from dunhuang_trainer.evaluate.comparison import Comparison, Runs
    from dunhuang_trainer.evaluate.judged import Judged
    from dunhuang_trainer.evaluate.learned import LearnedScores
    from dunhuang_trainer.evaluate.records import ScoreArray
    from dunhuang_trainer.evaluate.targets import Targets

INPUTS = ("dataset", "pictures", "masks", "damage", "groups")
CONTENTS = ("scores.json", "scores.csv", "tables.txt", "sheet.png", "run.toml")


@click.command()
@click.argument("judged", metavar="[NAME=]CKPT|FOLDER...", nargs=-1)
@judging_options
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
    /,
    judged: tuple[str, ...],
    predictions: tuple[Path, ...],
    out: Path | None,
    reading: ReadingRecipe,
    overwrite: bool,
    json: bool,
    **chosen: Any,
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
    from dunhuang_data.atomic import new_folder, write_json, write_text
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.refusals import refuse_existing
    from dunhuang_trainer.devices import pick_device
    from dunhuang_trainer.evaluate.doubts import doubts
    from dunhuang_trainer.evaluate.judged import match_all, open_judged, parted_name
    from dunhuang_trainer.evaluate.judging import best_and_worst, filled_with, workers_for
    from dunhuang_trainer.evaluate.judging import evaluate as score_all
    from dunhuang_trainer.evaluate.outputs import document, write_scores
    from dunhuang_trainer.evaluate.records import score_array
    from dunhuang_trainer.evaluate.tables import evaluation_of, sentences
    from dunhuang_trainer.metrics import WHY_THEY_DIFFER

    given = [*judged, *map(str, predictions)]
    seed, runs = chosen["seed"], chosen["runs"]
    if out is not None:
        named = (*(chosen[name] for name in INPUTS), *(parted_name(one)[1] for one in given))
        inputs = [one for one in named if one is not None]
        refuse_existing(out, CONTENTS, overwrite, inputs)
        _refuse_inside(ctx, out, inputs)
    fills = _baselines(ctx, chosen["baselines"])
    if not given and not fills:
        raise click.UsageError("There is nothing to judge: name a checkpoint or a folder.", ctx)
    if runs and len(given) < 2:
        raise click.UsageError(
            f"--runs shows the spread of several runs, and {len(given)} is named. Name two or "
            "more, trained with different seeds.",
            ctx,
        )
    device = pick_device(chosen["device"])
    people = open_judged(given, device, chosen["tile"], chosen["overlap"], reading)
    targets = _targets(ctx, people, reading)
    places, problems = match_all(targets, people)
    _face(problems, len(places), chosen["allow_missing"])
    learned = _learned(chosen, device, len(places))
    with console.progress(len(places), "judging") as progress:
        scores = score_all(
            targets,
            places,
            {one.name: one.restore for one in people},
            baselines=fills,
            batch_size=chosen["batch"],
            workers=chosen["workers"] or workers_for(map(targets.shape_of, places)),
            course=chosen["legacy_course"],
            learned=learned,
            progress=progress,
        )
    names = [one.name for one in people]
    array = score_array(scores, names)
    evaluation = evaluation_of(array, names, seed=seed)
    compared = _comparisons(array, names, runs, seed)
    doubted = doubts(evaluation)
    found = {
        "judged": {one.name: one.said for one in people},
        "on": _said_of(ctx),
        "left_out": problems,
        **document(evaluation, *compared, WHY_THEY_DIFFER),
        "doubts": doubted,
        "fid": {} if learned is None else learned.fid(),
    }
    said = [*sentences(evaluation), *doubted]
    shown = (people[0].name, people[0].restore) if people else (fills[0], filled_with(fills[0]))
    if out is not None:
        with new_folder(out, CONTENTS, overwrite, inputs) as folder:
            write_scores(array, folder / "scores.csv")
            sheet = best_and_worst(targets, array, *shown)
            if sheet is not None:
                write_picture(folder / "sheet.png", sheet)
            write_text(
                folder / "tables.txt",
                tables.as_text(tables.tables_of(evaluation, *compared, full=True), said),
            )
            write_json(folder / CONTENTS[0], console.without_nan(found))
        write_run_toml(ctx, out)
    tables.show(tables.tables_of(evaluation, *compared, full=False), said)
    console.result(found, json, str(out) if out is not None else "")


def _refuse_inside(ctx: click.Context, out: Path, inputs: "Sequence[Path]") -> None:
    """Refuse an output in a folder of pictures: the next call would take its sheet for one."""
    for folder in inputs:
        if folder.is_dir() and folder.resolve() in out.resolve().parents:
            raise click.UsageError(
                f"{out} lies in {folder}, which is read; its sheet would be taken for a picture of "
                "it. Choose another place with -o.",
                ctx,
            )


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


def _learned(chosen: dict[str, Any], device: "torch.device", count: int) -> "LearnedScores | None":
    """Open the networks of LPIPS and FID, if they were asked for."""
    for option, asked in WITHOUT.items():
        if chosen[option] is not None and not chosen[asked]:
            name = option.replace("_", "-")
            raise click.UsageError(f"--{name} is for --{asked}; give both, or leave it out.")
    if chosen["lpips"] is None and not chosen["fid"]:
        return None
    from dunhuang_trainer.evaluate.learned import LearnedScores

    if chosen["fid"]:
        LearnedScores.check_count(count)
    return LearnedScores(
        device,
        lpips=chosen["lpips"],
        lpips_files=(chosen["lpips_weights"], chosen["lpips_linear"]),
        with_fid=chosen["fid"],
        fid_file=chosen["fid_weights"],
    )


WITHOUT = {"lpips_weights": "lpips", "lpips_linear": "lpips", "fid_weights": "fid"}
FOLDER_OPTIONS = ("pictures", "masks", "white_is", "damage", "groups")


def _targets(ctx: click.Context, people: "Sequence[Judged]", reading: ReadingRecipe) -> "Targets":
    """Open what is judged on: a split of a dataset, or folders."""
    from dunhuang_data.types import as_split
    from dunhuang_trainer.data import DatasetReader, open_split
    from dunhuang_trainer.evaluate.targets import DatasetTargets, PictureTargets

    given = ctx.params
    dataset = given["dataset"]
    if dataset is not None:
        if given["pictures"] is not None:
            raise click.UsageError(
                "--dataset and --pictures both say what to judge on. Give one of the two.", ctx
            )
        beside = [name for name in FOLDER_OPTIONS if given[name] is not None]
        if beside:
            raise click.UsageError(
                f"--dataset has its own pictures and masks; --{beside[0].replace('_', '-')} is for "
                "--pictures. Give one of the two.",
                ctx,
            )
        for name in ("grey", "damage_is"):
            if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise click.UsageError(
                    f"--{name.replace('_', '-')} is for the masks of --pictures; a dataset has its "
                    "own.",
                    ctx,
                )
        split = as_split(given["split"])
        for one in people:
            if one.model is not None:
                open_split(dataset, split, one.model)  # says so if its patches do not fit
        return DatasetTargets(DatasetReader(dataset, split))
    missing = [name for name in FOLDER_OPTIONS[:3] if given[name] is None]
    if len(missing) == len(FOLDER_OPTIONS[:3]):
        raise click.UsageError(
            "Say what to judge on: --dataset SHARDS, or --pictures DIR --masks DIR --white-is "
            "hole|known.",
            ctx,
        )
    if missing:
        option = f"--{missing[0].replace('_', '-')}"
        choices = " Choose from: hole, known" if missing[0] == "white_is" else ""
        raise click.UsageError(f"Missing option '{option}'.{choices}", ctx)
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
        return [], over_runs(array, {"what is judged": names})
    return [compare(array, names[0], other, seed=seed) for other in names[1:]], []
