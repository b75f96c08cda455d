"""``fit``: train, or go on training."""

from math import isnan
from pathlib import Path
from shlex import quote
from typing import Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    device_option,
    out_option,
    require_torch,
    seed_option,
    write_run_toml,
    writes_output,
)
from dunhuang_trainer.config import (
    FINETUNE_LEARNING_RATE,
    MASKS,
    PRETRAIN_LEARNING_RATE,
    ModelConfig,
    TrainConfig,
    steps_for_epochs,
)

MODEL = ModelConfig()  # the defaults
EPOCHS = 15  # the seed project's pretraining


class WorkersType(click.ParamType[int | str]):
    """``auto`` or a number of threads."""

    name = "auto|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the number, or ``auto``."""
        if value == "auto":
            return "auto"
        try:
            number = int(value)
        except ValueError:
            number = -1
        if number < 0:
            self.fail(f"{value!r} is neither auto nor a number of threads, 0 or more", param, ctx)
        return number


@click.command()
@click.option(
    "--dataset", type=FILE, help="A dataset of dunhuang-data build; with --resume only if it moved."
)
@out_option("The run: checkpoints, logs, curve.")
@click.option("--width", default=MODEL.width, help="Channels of the first level.")
@click.option(
    "--levels", default=MODEL.levels, help="Halvings; patches must be a multiple of 2**levels px."
)
@click.option("--batch", type=click.IntRange(2), default=32, help="Samples per step.")
@click.option(
    "--epochs", type=click.IntRange(1), default=EPOCHS, help="Passes over the training split."
)
@click.option("--steps", type=click.IntRange(1), help="Optimiser updates; instead of --epochs.")
@click.option(
    "--lr",
    type=float,
    help=f"Learning rate.  [default: {PRETRAIN_LEARNING_RATE:g}; with --init-from "
    f"{FINETUNE_LEARNING_RATE:g}]",
)
@click.option(
    "--init-from", type=FILE, help="Fine-tune: start from these weights (a .safetensors file)."
)
@click.option(
    "--validate-every",
    type=click.IntRange(1),
    help="Steps between validations and checkpoints.  [default: ten times a run]",
)
@click.option(
    "--masks",
    type=click.Choice(MASKS),
    default="fixed",
    help="per-epoch: every sample gets another mask of its split in every epoch.",
)
@click.option(
    "--flip",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Probability that a sample is mirrored left to right, besides what the plan turned.",
)
@click.option(
    "--quarter-turns/--no-quarter-turns",
    default=False,
    help="Turn every sample by 0, 90, 180 or 270 degrees.",
)
@click.option(
    "--workers",
    type=WorkersType(),
    default="auto",
    help="Threads that read; 0 = the training loop itself. It changes no result.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, where it stopped.")
@device_option
@seed_option
@writes_output
@click.pass_context
def fit(
    ctx: click.Context,
    dataset: Path | None,
    out: Path,
    width: int,
    levels: int,
    batch: int,
    epochs: int,
    steps: int | None,
    lr: float | None,
    init_from: Path | None,
    validate_every: int | None,
    masks: str,
    flip: float,
    quarter_turns: bool,
    workers: int | str,
    resume: bool,
    device: str,
    seed: int,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Train a network (the default command).

    The best weights are chosen on the validation split, never on the test split.

    Writes RUN/best.safetensors and RUN/last.safetensors (weights and what they are),
    RUN/last.state.pt (to resume), metrics.jsonl, metrics.csv and curve.png.
    """
    require_torch()
    from dunhuang_data.errors import OutputExistsError
    from dunhuang_data.refusals import refuse_existing
    from dunhuang_trainer import loop
    from dunhuang_trainer.model import PartialConvUNet

    chosen = loop.pick_device(device)
    if resume:
        _refuse_settings(ctx)
        _, model_config, config, _ = loop.read_run(out)
    else:
        if dataset is None:
            raise click.UsageError("Missing option '--dataset', the folder to train on.", ctx)
        if steps is not None and _given(ctx, "epochs"):
            raise click.UsageError("--steps and --epochs both say how long; give one.", ctx)
        if (out / loop.MARKER).is_file() and not overwrite:
            raise OutputExistsError(
                f"{out} already holds a run. Go on with it (--resume), replace it (--overwrite), "
                "or choose another -o."
            )
        inputs = [one for one in (dataset, init_from) if one is not None]
        refuse_existing(out, loop.CONTENTS, overwrite, inputs)
        model_config = _model_config(ctx, width, levels, init_from)
        count = _training_samples(dataset, model_config)
        total = steps if steps is not None else steps_for_epochs(epochs, count, batch)
        rate = FINETUNE_LEARNING_RATE if init_from else PRETRAIN_LEARNING_RATE
        every = validate_every if validate_every is not None else max(1, total // 10)
        threads = workers if isinstance(workers, int) else None
        config = TrainConfig(
            total, batch, lr if lr is not None else rate, every, seed, masks, flip, quarter_turns,
            threads,
        )  # fmt: skip
        loop.check_batch(dataset, model_config, config)
    if dry_run:
        count = PartialConvUNet(model_config).parameter_count()
        console.say(f"Would train {count:,} parameters for {config.steps} steps on {chosen}.")
        console.result({"run": str(out), "parameters": count, "steps": config.steps}, json)
        return
    if not resume and dataset is not None:
        loop.start_run(dataset, out, model_config, config, init_from=init_from, overwrite=overwrite)
        write_run_toml(ctx, out)
    console.say(
        f"Training on {chosen}: {config.steps} steps of {config.batch_size}, learning rate "
        f"{config.learning_rate:g}."
    )
    last = _train(out, config, chosen, dataset)
    _report_run(out, last, json)


def _refuse_settings(ctx: click.Context) -> None:
    """Refuse options that would change a run that is resumed."""
    allowed = {"out", "dataset", "device", "resume", "dry_run", "json"}
    for parameter in ctx.command.params:
        if parameter.name not in allowed and _given(ctx, str(parameter.name)):
            raise click.UsageError(
                f"{parameter.opts[-1]} cannot be given with --resume: a run keeps the settings it "
                "was started with. Start another run for other settings.",
                ctx,
            )


def _given(ctx: click.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _model_config(
    ctx: click.Context, width: int, levels: int, init_from: Path | None
) -> ModelConfig:
    """Return the network's shape: of the weights to start from, unless the options contradict."""
    asked = ModelConfig(width, levels)
    if init_from is None:
        return asked
    from dunhuang_data.errors import CheckpointError
    from dunhuang_trainer.checkpoint import load_weights

    found = load_weights(init_from)[1].model
    for name in ("width", "levels"):
        source = ctx.get_parameter_source(name)
        explicit = source not in (click.core.ParameterSource.DEFAULT, None)
        if explicit and getattr(found, name) != getattr(asked, name):
            raise CheckpointError(
                f"{init_from} has {name} {getattr(found, name)}, asked for is --{name} "
                f"{getattr(asked, name)}. Leave --{name} out to take the checkpoint's."
            )
    return found


def _training_samples(dataset: Path, model_config: ModelConfig) -> int:
    from dunhuang_trainer.data import open_split

    if len(open_split(dataset, "val", model_config)) == 0:
        console.say(
            "Note: the dataset has no validation split, so no best checkpoint can be chosen; the "
            "last one is kept."
        )
    return len(open_split(dataset, "train", model_config))


def _train(out: Path, config: TrainConfig, device: Any, dataset: Path | None) -> dict[str, float]:
    from dunhuang_trainer import loop
    from dunhuang_trainer.checkpoint import load_state

    def report(row: dict[str, Any]) -> None:
        if "val_hole_mse" in row:
            console.say(
                f"step {row['step']}: error in the holes {row['hole_mse']:.0f} training, "
                f"{_or_none(row['val_hole_mse'])} validation (MSE, 0 to 255); "
                f"{row['images_per_second']:.1f} images/s"
            )
        else:
            advance(1)

    done = int(load_state(out / "last.state.pt")["step"])
    moved = f" --dataset {quote(str(dataset))}" if dataset is not None else ""
    with (
        console.goes_on_with(f"dunhuang-train fit --resume -o {quote(str(out))}{moved}"),
        console.progress(config.steps - done, "training") as advance,
    ):
        return loop.train(out, device, report, dataset)


def _or_none(value: float) -> str:
    return "no" if isnan(value) else f"{value:.0f}"


def _report_run(out: Path, last: dict[str, float], json: bool) -> None:
    from dunhuang_data.figures import save_figure
    from dunhuang_trainer.figures import loss_curve
    from dunhuang_trainer.loop import read_log

    save_figure(loss_curve(read_log(out)), out / "curve.png")
    best = out / "best.safetensors"
    checkpoint = best if best.is_file() else out / "last.safetensors"
    console.result({"run": str(out), "checkpoint": str(checkpoint), **last}, json, str(checkpoint))
