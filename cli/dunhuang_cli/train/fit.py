"""``fit``: train, or go on training."""

import os
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    PRESET,
    device_option,
    out_option,
    preset_option,
    require_torch,
    seed_option,
    writes_output,
)
from dunhuang_cli.train import runs, stages
from dunhuang_cli.train.fit_options import (
    PRESETS,
    execution_options,
    network_options,
    recipe_options,
    watching_options,
)

if TYPE_CHECKING:
    from dunhuang_trainer.training.execution import Execution
    from dunhuang_trainer.training.stopping import StopRequest


GIVEN_ON_RESUME = {
    "out", "dataset", "features", "device", "resume", "json", "workers", "data_on_device",
    "save_every", "time_limit",
}  # fmt: skip


@click.command()
@click.option(
    "--dataset", type=FILE, help="A dataset of dunhuang-data build; with --resume only if it moved."
)
@out_option("The run: checkpoints, logs, pictures.")
@preset_option(PRESETS)
@network_options
@recipe_options
@watching_options
@execution_options
@click.option(
    "--stages", type=FILE, help="A TOML file of runs that follow each other; see the training page."
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, where it stopped.")
@device_option
@seed_option
@writes_output
@click.pass_context
def fit(ctx: click.Context, /, out: Path, **options: Any) -> None:
    """Train a network (the default command).

    The best weights are chosen on the validation split, never on the test split. Ctrl-C and SIGTERM
    save before they stop; --resume goes on with the same losses as if nothing had happened.

    Several GPUs: torchrun --nproc-per-node N -m dunhuang_trainer fit …, with the same options.

    Writes RUN/best.safetensors and RUN/last.safetensors (weights and what they are),
    RUN/last.state.pt (to resume), metrics.jsonl, metrics.csv, curve.png and samples.
    """
    require_torch()
    from dunhuang_trainer.training.distributed import joined
    from dunhuang_trainer.training.stopping import StopRequest

    execution = runs.execution_of(ctx)
    stop = StopRequest(options["time_limit"], passed_on=execution.ranks.several)
    if execution.ranks.several:
        console.leave_at_once()
    if not execution.ranks.first:
        console.only_errors(f"process {execution.ranks.rank}")
    staged = options["stages"] is not None or (options["resume"] and stages.begun(out))
    again = _resume_line(ctx, out, execution.ranks.several)
    if options["resume"]:
        _refuse_settings(ctx)
    with stop.on_signals(), joined(execution.ranks, execution.device):
        if staged:
            document = stages.run_all(ctx, out, execution, stop, again)
        else:
            document = one_run(ctx, out, execution, stop, again)
    console.result(document, options["json"], document.get("checkpoint", ""))
    if document.get("stopped"):
        line = f"Stopped after step {document['step']}: {document['stopped']}. Go on with:"
        if stop.interrupted and execution.ranks.first:
            raise console.Interrupted(f"{line}\n  {again}")
        console.say(f"{line}\n  {again}")


def one_run(
    ctx: click.Context, out: Path, execution: "Execution", stop: "StopRequest", again: str
) -> runs.Document:
    """Start or resume one run; return what came of it."""
    options = ctx.params
    if options["resume"]:
        execution = replace(execution, dataset=options["dataset"], features=options["features"])
    else:
        model, config = runs.settings(ctx, execution)
        if options["dry_run"]:
            return runs.dry_run(ctx, model, config, execution)
        runs.start(ctx, out, model, config, execution)
    return runs.train(ctx, out, execution, stop, again)


def _refuse_settings(ctx: click.Context) -> None:
    """Refuse options that would change a run that is resumed."""
    if ctx.params["dry_run"]:
        raise click.UsageError(
            "--dry-run is for a run that has not begun; leave it or --resume out.", ctx
        )
    for parameter in ctx.command.params:
        name = str(parameter.name)
        preset = name == "preset" and ctx.meta.get(PRESET) is not None
        if preset or (name not in GIVEN_ON_RESUME and runs.given(ctx, name)):
            raise click.UsageError(
                f"{parameter.opts[-1]} cannot be given with --resume: a run keeps the settings it "
                "was started with. Start another run for other settings.",
                ctx,
            )


def _resume_line(ctx: click.Context, out: Path, several: bool) -> str:
    """Return the command that goes on with a run."""
    moved = "".join(
        f" --{name} {quote(str(ctx.params[name]))}"
        for name in ("dataset", "features")
        if ctx.params["resume"] and ctx.params[name] is not None
    )
    command = "dunhuang-train"
    if several:
        here = os.environ.get("LOCAL_WORLD_SIZE", "N")
        command = f"torchrun --nproc-per-node {here} -m dunhuang_trainer"
    return f"{command} fit --resume -o {quote(str(out))}{moved}"
