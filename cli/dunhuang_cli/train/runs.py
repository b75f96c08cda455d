"""From the options of ``fit`` to a run: its settings, its folder, its training, its result."""

from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import FROM_PRESET, PRESET, resolved_toml
from dunhuang_cli.train.fit_options import FINETUNE_PRESETS
from dunhuang_trainer.config import (
    FINETUNE_LEARNING_RATE,
    PRETRAIN_LEARNING_RATE,
    ModelConfig,
    TrainConfig,
    steps_for_epochs,
)

if TYPE_CHECKING:
    from dunhuang_trainer.training.execution import Execution
    from dunhuang_trainer.training.loop import Outcome
    from dunhuang_trainer.training.stopping import StopRequest

Document = dict[str, Any]
NETWORK_OF_WEIGHTS = ("width", "levels", "convolution", "base")  # either decoder takes them


def settings(
    ctx: click.Context, execution: "Execution", like: ModelConfig | None = None
) -> tuple[ModelConfig, TrainConfig]:
    """Return what the options ask for, checked against the dataset.

    ``like`` is the network of weights to start from that are not there yet.
    """
    from dunhuang_trainer.training.folder import check_start

    ctx.params.update(_of_finetuning(ctx, like is not None))
    if given(ctx, "epochs") and not given(ctx, "steps"):
        ctx.params["steps"] = None  # what is typed counts more than what a file says
    options = ctx.params
    if options["dataset"] is None:
        raise click.UsageError("Missing option '--dataset', the folder to train on.", ctx)
    if given(ctx, "steps") and given(ctx, "epochs"):
        raise click.UsageError("--steps and --epochs both say how long; give one.", ctx)
    model = _model_config(ctx, options, like)
    count = _training_samples(options["dataset"], model, options["select_on"])
    finetunes = like is not None or options["init_from"] is not None
    steps = options["steps"] or steps_for_epochs(options["epochs"], count, options["batch"])
    rate = FINETUNE_LEARNING_RATE if finetunes else PRETRAIN_LEARNING_RATE
    on_gpu = execution.device.type == "cuda"
    same = (
        "warmup", "schedule", "loss", "ema", "clip", "accumulate", "precision", "compiled",
        "log_every", "select_on", "samples", "seed", "masks", "flip", "quarter_turns",
    )  # fmt: skip
    config = TrainConfig(
        steps,
        options["batch"],
        rate if options["lr"] is None else options["lr"],
        frozen_norm=options["freeze_norm"] or ("encoder" if finetunes else "none"),
        channels_last=on_gpu if options["channels_last"] is None else options["channels_last"],
        validate_every=options["validate_every"] or max(1, steps // 10),
        **{name: options[name] for name in same},
    )
    ranks, features = execution.ranks, options["features"]
    if not ranks.first:
        ranks.wait()  # the first process alone fetches what is missing
    check_start(options["dataset"], model, config, ranks.world_size, features)
    if ranks.first:
        ranks.wait()
    return model, config


def execution_of(ctx: click.Context) -> "Execution":
    """Return how the run is to be carried out here."""
    from dunhuang_trainer.devices import pick_device
    from dunhuang_trainer.training.distributed import ranks_here
    from dunhuang_trainer.training.execution import Execution

    options, ranks = ctx.params, ranks_here()
    if ranks.several and ":" in options["device"]:
        raise click.UsageError(
            f"--device {options['device']} is one GPU for {ranks.world_size} processes. Give "
            "--device cuda: each takes the GPU of its own number.",
            ctx,
        )
    return Execution(
        pick_device(options["device"], ranks.local_rank),
        ranks,
        options["workers"] if isinstance(options["workers"], int) else None,
        options["data_on_device"],
        options["save_every"],
    )


def _of_finetuning(ctx: click.Context, follows: bool) -> dict[str, Any]:
    """Return what the preset says instead where a run starts from weights."""
    if not follows and ctx.params["init_from"] is None:
        return {}
    other = FINETUNE_PRESETS.get(ctx.meta.get(PRESET, ""), {})
    settled = ctx.meta.get(FROM_PRESET, set())
    explicit = click.core.ParameterSource.DEFAULT_MAP
    return {
        name: value
        for name, value in other.items()
        if name in settled and ctx.get_parameter_source(name) is explicit
    }


def start(
    ctx: click.Context, out: Path, model: ModelConfig, config: TrainConfig, execution: "Execution"
) -> None:
    """Write the folder of a new run."""
    from dunhuang_data.errors import OutputExistsError
    from dunhuang_trainer.training import folder as run_folder

    options = ctx.params
    if not execution.ranks.first:
        execution.ranks.wait()
        return
    if (out / run_folder.MARKER).is_file() and not options["overwrite"]:
        raise OutputExistsError(
            f"{out} already holds a run. Go on with it (--resume), replace it (--overwrite), "
            "or choose another -o."
        )
    run_folder.start_run(
        options["dataset"],
        out,
        model,
        config,
        init_from=options["init_from"],
        features=options["features"],
        overwrite=options["overwrite"],
        documents={"run.toml": resolved_toml(ctx, _of_the_weights(ctx))},
    )
    execution.ranks.wait()


def given(ctx: click.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def asked_for(ctx: click.Context, name: str) -> bool:
    """Whether somebody said so: typed, in the environment or a file, but no default or preset."""
    source, kinds = ctx.get_parameter_source(name), click.core.ParameterSource
    if source is kinds.DEFAULT_MAP:
        return name not in ctx.meta.get(FROM_PRESET, ())
    return source not in (kinds.DEFAULT, None)


def _of_the_weights(ctx: click.Context) -> list[str]:
    """Return the options that run.toml leaves out: what the weights to start from say."""
    if ctx.params["init_from"] is None:
        return []
    return [name for name in NETWORK_OF_WEIGHTS if not asked_for(ctx, name)]


def _model_config(
    ctx: click.Context, options: dict[str, Any], like: ModelConfig | None
) -> ModelConfig:
    """Return the network's shape: of the weights to start from, unless the options contradict."""
    names = (*NETWORK_OF_WEIGHTS, "decoder")
    asked = ModelConfig(**{name: options[name] for name in names})
    if like is None and options["init_from"] is None:
        return asked
    from dunhuang_data.errors import CheckpointError
    from dunhuang_trainer.checkpoint import load_weights

    found = load_weights(options["init_from"])[1].model if like is None else like
    for name in NETWORK_OF_WEIGHTS:
        if asked_for(ctx, name) and getattr(found, name) != getattr(asked, name):
            raise CheckpointError(
                f"{options['init_from'] or 'The stage before'} has {name} {getattr(found, name)}, "
                f"asked for is --{name} {getattr(asked, name)}. Leave --{name} out to take the "
                "checkpoint's."
            )
    return replace(found, decoder=asked.decoder)


def _training_samples(dataset: Path, model_config: ModelConfig, select_on: str) -> int:
    from dunhuang_trainer.data import open_split

    if select_on == "val" and len(open_split(dataset, "val", model_config)) == 0:
        console.say(
            "Note: the dataset has no validation split, so no best checkpoint can be chosen; the "
            "last one is kept."
        )
    return len(open_split(dataset, "train", model_config))


def dry_run(
    ctx: click.Context, model: ModelConfig, config: TrainConfig, execution: "Execution"
) -> Document:
    """Take a batch through everything a few times, and say what the run would need."""
    from dataclasses import asdict

    from dunhuang_trainer.training.dry_run import try_out

    dataset, features = ctx.params["dataset"], ctx.params["features"]
    learner, measured = try_out(dataset, model, config, replace(execution, features=features))
    count = learner.model.parameter_count()
    console.say(f"Would train {count:,} parameters for {config.steps} steps.")
    console.say(str(measured))
    return {
        "run": str(ctx.params["out"]),
        "parameters": count,
        **asdict(measured),
        "run_s": measured.run_s,
    }


def train(
    ctx: click.Context, out: Path, execution: "Execution", stop: "StopRequest", again: str
) -> Document:
    """Train from where the run stands, and return what came of it."""
    from dunhuang_data.errors import OutputError
    from dunhuang_trainer.checkpoint import load_state
    from dunhuang_trainer.training import loop
    from dunhuang_trainer.training.folder import STATE, read_run

    config = read_run(out).train
    done = int(load_state(out / STATE)["step"])
    if done >= config.steps:  # not even its dataset is needed any more
        console.say(f"The run in {out} is finished: all its {config.steps} steps are done.")
        return _report(out, loop.Outcome(done, {}, None), execution.ranks.first)
    console.say(
        f"Training on {execution.device}: steps {done + 1} to {config.steps} of "
        f"{config.batch_size} samples, learning rate {config.learning_rate:g}."
    )
    with (
        console.goes_on_with(again),
        console.progress(config.steps - done, "training") as advance,
    ):

        class Shown(loop.Watcher):
            def step(self, step: int) -> None:
                advance(1)

            def row(self, row: dict[str, float]) -> None:
                if "val_hole_mse" in row:
                    console.say(_validation_line(row))

            def note(self, text: str) -> None:
                console.say(text)

        try:
            outcome = loop.train(out, execution, stop, Shown())
        except OutputError as error:
            raise OutputError(
                f"{error} The run is whole as its last checkpoint left it (do not overwrite it). "
                f"When there is room, go on with:\n  {again}"
            ) from error
    return _report(out, outcome, execution.ranks.first)


def _validation_line(row: dict[str, float]) -> str:
    score = "no" if isnan(row["val_hole_mse"]) else f"{row['val_hole_mse']:.0f}"
    return (
        f"step {row['step']}: error in the holes {255**2 * row['hole']:.0f} training, {score} "
        f"validation (MSE, 0 to 255); {row['images_per_second']:.1f} images/s, "
        f"{row['waiting']:.1%} of the time waiting for data"
    )


def _report(out: Path, outcome: "Outcome", writes: bool) -> Document:
    """Draw the curve, and return what a run came to."""
    from dunhuang_data.figures import save_figure
    from dunhuang_trainer.figures import loss_curve
    from dunhuang_trainer.training.folder import BEST, LAST
    from dunhuang_trainer.training.log import JSON_LINES, read_log

    curve = out / "curve.png"
    drawn = curve.exists() or not (out / JSON_LINES).is_file()
    if writes and (outcome.row or not drawn):
        save_figure(loss_curve(read_log(out)), curve)
    checkpoint = out / BEST if (out / BEST).is_file() else out / LAST
    return {
        **outcome.row,
        "run": str(out),
        "checkpoint": str(checkpoint),
        "step": outcome.step,
        "stopped": outcome.stopped,
    }
