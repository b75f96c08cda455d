"""``dunhuang-train``: options to one frozen config, one core call a command."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    CONTEXT,
    FILE,
    config_option,
    dry_run_option,
    json_option,
    overwrite_option,
    seed_option,
    write_run_toml,
)
from dunhuang_data import __version__
from dunhuang_trainer.config import (
    FINETUNE_LEARNING_RATE,
    PRETRAIN_LEARNING_RATE,
    ModelConfig,
    TrainConfig,
    steps_for_epochs,
)

MODEL = ModelConfig()  # the defaults
EPOCHS = 15
FLAGS_OF_THE_GROUP = ("-v", "--verbose")


class FitByDefault(click.Group):
    """A group whose bare options mean ``fit``: ``dunhuang-train --dataset shards -o run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert ``fit`` where options begin without a command."""
        place = 0
        while place < len(args) and args[place] in FLAGS_OF_THE_GROUP:
            place += 1
        own = ("-h", "--help", "--version")
        if args[place:] and args[place].startswith("-") and args[place] not in own:
            args = [*args[:place], "fit", *args[place:]]
        return super().parse_args(ctx, args)


def require_torch() -> None:
    """Refuse to go on without the packages that training needs."""
    from dunhuang_data.errors import EnvironmentProblem

    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        raise EnvironmentProblem(
            f"dunhuang-train needs {' and '.join(missing)}, which the base installation leaves out. "
            "Install with: pip install 'dunhuang-data[train]'"
        )


device_option = click.option(
    "--device", default="auto", help="auto (a GPU if there is one), cpu, cuda or cuda:N."
)


@click.group(cls=FitByDefault, context_settings=CONTEXT)
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
def dunhuang_train(verbose: bool) -> None:
    """Train a partial-convolution U-Net, judge it, restore pictures with it.

    \b
    The usual order:
      dunhuang-train --dataset shards -o run          (the same as dunhuang-train fit)
      dunhuang-train evaluate run/best.safetensors --dataset shards --split test
      dunhuang-train restore run/best.safetensors wall.jpg --mask holes.png --white-is hole -o out
    """


@dunhuang_train.command()
@click.option("--dataset", type=FILE, help="A dataset of dunhuang-data build. Needed to start.")
@click.option("-o", "--out", type=FILE, required=True, help="The run: checkpoints, logs, curve.")
@click.option("--width", default=MODEL.width, help="Channels of the first level.")
@click.option(
    "--levels", default=MODEL.levels, help="Halvings; patches must be a multiple of 2**levels px."
)
@click.option("--batch", default=32, help="Samples per step.")
@click.option("--epochs", default=EPOCHS, help="Passes over the training split.")
@click.option("--steps", type=int, help="Optimiser updates; instead of --epochs.")
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
    type=int,
    help="Steps between validations and checkpoints.  [default: ten times a run]",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, where it stopped.")
@device_option
@seed_option
@overwrite_option
@dry_run_option
@json_option
@config_option
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
    resume: bool,
    device: str,
    seed: int,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train on the training split; keep the best by the validation split, never by the test split.

    Writes RUN/best.safetensors and RUN/last.safetensors (weights and what they are),
    RUN/last.state.pt (to resume), metrics.jsonl, metrics.csv and curve.png.
    """
    require_torch()
    from dunhuang_trainer import loop
    from dunhuang_trainer.model import PartialConvUNet

    chosen = loop.pick_device(device)
    if resume:
        _, model_config, config, _ = loop.read_run(out)
    else:
        if dataset is None:
            raise click.UsageError("Missing option '--dataset', the folder to train on.", ctx)
        model_config = _model_config(ctx, width, levels, init_from)
        count = _training_samples(dataset, model_config)
        total = steps if steps is not None else steps_for_epochs(epochs, count, batch)
        rate = FINETUNE_LEARNING_RATE if init_from else PRETRAIN_LEARNING_RATE
        every = validate_every if validate_every is not None else max(1, total // 10)
        config = TrainConfig(total, batch, lr if lr is not None else rate, every, seed)
    if dry_run:
        count = PartialConvUNet(model_config).parameter_count()
        console.say(f"Would train {count:,} parameters for {config.steps} steps on {chosen}.")
        console.result({"run": str(out), "parameters": count, "steps": config.steps}, as_json)
        return
    if not resume and dataset is not None:
        loop.start_run(dataset, out, model_config, config, init_from=init_from, overwrite=overwrite)
        write_run_toml(ctx, out)
    console.say(
        f"Training on {chosen}: {config.steps} steps of {config.batch_size}, learning rate "
        f"{config.learning_rate:g}."
    )
    last = _train(out, config, chosen)
    _report_run(out, last, as_json)


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


def _train(out: Path, config: TrainConfig, device: Any) -> dict[str, float]:
    from dunhuang_trainer import loop

    def report(row: dict[str, Any]) -> None:
        if "val_hole_mse" in row:
            console.say(
                f"step {row['step']}: error in the holes {row['hole_mse']:.0f} training, "
                f"{row['val_hole_mse']:.0f} validation (MSE, 0 to 255); "
                f"{row['images_per_second']:.1f} images/s"
            )
        else:
            advance(1)

    done = int(loop.load_state(out / "last.state.pt")["step"])
    with (
        console.goes_on_with(f"dunhuang-train fit --resume -o {out}"),
        console.progress(config.steps - done, "training") as advance,
    ):
        return loop.train(out, device, report)


def _report_run(out: Path, last: dict[str, float], as_json: bool) -> None:
    from dunhuang_data.figures import save_figure
    from dunhuang_trainer.figures import loss_curve
    from dunhuang_trainer.loop import read_log

    save_figure(loss_curve(read_log(out)), out / "curve.png")
    best = out / "best.safetensors"
    checkpoint = best if best.is_file() else out / "last.safetensors"
    console.result(
        {"run": str(out), "checkpoint": str(checkpoint), **last}, as_json, str(checkpoint)
    )


@dunhuang_train.command()
@click.argument("checkpoint", metavar="CKPT", type=FILE)
@click.option("--dataset", type=FILE, required=True, help="A dataset of dunhuang-data build.")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", help="What to score."
)
@click.option("-o", "--out", type=FILE, help="Also write scores.csv, scores.json and sheet.png.")
@click.option("--batch", type=click.IntRange(1), default=8, help="Samples at once.")
@device_option
@overwrite_option
@json_option
@config_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    checkpoint: Path,
    dataset: Path,
    split: str,
    out: Path | None,
    batch: int,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Score a checkpoint on a split, beside fills that need no training.

    MSE, PSNR and SSIM in float64 on 0 to 255, in the holes and on the whole patch; damaged pixels
    never count. A network that does not beat Telea's method is said not to.
    """
    require_torch()
    from dunhuang_data.atomic import new_folder, refuse_existing, write_json
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.types import SPLITS
    from dunhuang_trainer.checkpoint import load_weights
    from dunhuang_trainer.data import open_split
    from dunhuang_trainer.evaluate import Sheet, evaluate_split, summary, write_scores
    from dunhuang_trainer.loop import pick_device

    marker = "scores.json"
    if out is not None:
        refuse_existing(out, marker, overwrite)
    chosen = pick_device(device)
    model, info = load_weights(checkpoint)
    reader = open_split(dataset, SPLITS[["train", "val", "test"].index(split)], model.config)
    sheet = Sheet(rows=6, every=max(1, len(reader) // 6))
    with console.progress(len(reader), "evaluating") as progress:
        scores = evaluate_split(model.to(chosen), reader, chosen, batch, progress, sheet.look)
    table = summary(scores)
    document = {
        "checkpoint": str(checkpoint),
        "step": info.step,
        "dataset": str(dataset),
        "split": split,
        "scores": table,
    }
    if out is not None:
        with new_folder(out, marker, overwrite) as folder:
            write_scores(scores, folder / "scores.csv")
            write_picture(folder / "sheet.png", sheet.draw())
            write_json(folder / marker, console.without_nan(document))
        write_run_toml(ctx, out)
    _show_scores(table, split)
    console.result(document, as_json, str(out) if out is not None else "")


def _show_scores(table: dict[str, dict[str, float]], split: str) -> None:
    columns = {
        "mse_hole": ("MSE hole", 1),
        "mse_whole": ("MSE whole", 1),
        "psnr_hole_db": ("PSNR hole dB", 2),
        "ssim_uniform7_hole": ("SSIM hole", 3),
        "ssim_uniform7_whole": ("SSIM whole", 3),
    }
    rows = [
        [name, *(f"{scores[key]:.{digits}f}" for key, (_, digits) in columns.items())]
        for name, scores in table.items()
    ]
    samples = next(iter(table.values()))["samples"]
    title = f"{samples} samples of {split}; errors on 0 to 255; SSIM: uniform 7 x 7"
    console.table(title, ["method", *(name for name, _ in columns.values())], rows)
    if table["network"]["mse_hole"] > table["Telea"]["mse_hole"]:
        console.say("The network is behind Telea's method in the holes: it needs more training.")


@dunhuang_train.command()
@click.argument("checkpoint", metavar="CKPT", type=FILE)
@click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True, type=FILE)
@click.option(
    "--mask",
    type=FILE,
    required=True,
    help="The holes: a picture file; for several pictures a folder with one mask for each, of the "
    "same name.",
)
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    required=True,
    help="What white stands for in the masks; both are in use, so it is never guessed.",
)
@click.option("-o", "--out", type=FILE, required=True, help="The folder for NAME.png.")
@click.option("--tile", default=1024, help="Larger pictures are done in tiles of so many px.")
@click.option("--overlap", default=128, help="How far tiles overlap, in px.")
@click.option(
    "--compare", is_flag=True, help="Also write NAME-compare.png: masked beside restored."
)
@device_option
@overwrite_option
@json_option
@config_option
def restore(
    checkpoint: Path,
    pictures: tuple[Path, ...],
    mask: Path,
    white_is: str,
    out: Path,
    tile: int,
    overlap: int,
    compare: bool,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fill the holes of whole pictures, of any size.

    Known pixels are those of the picture as read (upright, 8-bit sRGB), bit for bit.
    """
    require_torch()
    from dunhuang_data.errors import OutputExistsError
    from dunhuang_data.pictures import mask_of, read_mask, read_picture, write_picture
    from dunhuang_data.polarity import hole_ratio
    from dunhuang_trainer.checkpoint import load_weights
    from dunhuang_trainer.figures import restoration_sheet
    from dunhuang_trainer.loop import pick_device
    from dunhuang_trainer.restore import restore_picture

    pairs = [(picture, mask_of(picture, mask), out / f"{picture.stem}.png") for picture in pictures]
    taken = [target for _, _, target in pairs if target.exists()]
    if taken and not overwrite:
        raise OutputExistsError(f"{taken[0]} is already there. Give --overwrite or another -o.")
    chosen = pick_device(device)
    model, _ = load_weights(checkpoint)
    model.to(chosen)
    restored = []
    with console.progress(len(pairs), "restoring") as progress:
        for picture, mask_file, target in pairs:
            pixels = read_picture(picture)
            valid, grey = read_mask(mask_file, "hole" if white_is == "hole" else "known")
            if grey:
                console.say(
                    f"{mask_file}: {grey:.1%} of the pixels are neither black nor white; they "
                    "were thresholded at half of white."
                )
            filled = restore_picture(model, pixels, valid, chosen, tile, overlap)
            write_picture(target, filled)
            if compare:
                sheet = restoration_sheet(pixels, valid, filled)
                write_picture(target.with_name(f"{picture.stem}-compare.png"), sheet)
            restored.append({"picture": str(picture), "restored": str(target),
                             "hole_ratio": hole_ratio(valid)})  # fmt: skip
            progress(1)
    console.result({"restored": restored}, as_json, "\n".join(str(one) for _, _, one in pairs))


def main() -> None:
    """Run ``dunhuang-train``."""
    console.run(dunhuang_train, "dunhuang-train")
