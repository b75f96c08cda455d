"""``inspect``: what a network costs, and what a checkpoint says of itself."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option, require_torch
from dunhuang_cli.train.fit_options import network_options
from dunhuang_trainer.config import ModelConfig

if TYPE_CHECKING:
    from dunhuang_trainer.cost import NetworkCost

NETWORK = ("width", "levels", "convolution", "base", "decoder")
PATCH_SIZE = 256


@click.command()
@click.argument("checkpoint", metavar="[CKPT]", type=FILE, required=False)
@network_options
@click.option(
    "--patch-size",
    type=click.IntRange(1),
    help="Side of a patch, in px.  [default: the checkpoint's, else 256]",
)
@json_option
@config_option
@click.pass_context
def inspect(
    ctx: click.Context,
    checkpoint: Path | None,
    width: int,
    levels: int,
    convolution: str,
    base: str,
    decoder: str,
    patch_size: int | None,
    json: bool,
) -> None:
    """Say what a network costs, and what a checkpoint says of itself.

    Of a checkpoint, or of the network that the options describe: its parameters; the operations of
    one picture, forward and in training; the memory that training keeps for it, in float32. Nothing
    is computed, so no GPU is needed and the network may be of any size.
    """
    require_torch()
    from dunhuang_data.errors import UsageProblem
    from dunhuang_trainer.checkpoint import load_weights
    from dunhuang_trainer.cost import network_cost

    document: dict[str, Any] = {}
    model = ModelConfig(width, levels, convolution, base, decoder)
    if checkpoint is not None:
        _refuse_network(ctx)
        info = load_weights(checkpoint)[1]
        model, patch_size = info.model, patch_size or info.patch_size
        document["checkpoint"] = {"path": str(checkpoint), **asdict(info)}
    side = patch_size or max(PATCH_SIZE, model.multiple)
    if side % model.multiple:
        raise UsageProblem(
            f"--patch-size is {side}; a network of {model.levels} levels takes multiples of "
            f"{model.multiple} px."
        )
    cost = network_cost(model, side)
    document |= {"model": asdict(model), "patch_size": side, **asdict(cost)}
    _show_cost(model, side, cost)
    if checkpoint is not None:
        _show_checkpoint(document["checkpoint"])
    console.result(document, json)


def _refuse_network(ctx: click.Context) -> None:
    """Refuse options that describe a network, where a checkpoint does."""
    for name in NETWORK:
        source = ctx.get_parameter_source(name)
        if source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name} describes a network, and so does CKPT; give one of them.", ctx
            )


def _show_cost(model: ModelConfig, side: int, cost: "NetworkCost") -> None:
    what = f"{model.convolution} convolution, width {model.width}, {model.levels} levels"
    rows = [
        ["parameters", f"{cost.parameters:,}"],
        ["forward, a picture", f"{cost.picture.forward_flops / 1e9:.2f} GFLOP"],
        ["training, a picture", f"{cost.picture.training_flops / 1e9:.2f} GFLOP"],
        ["kept for the backward pass, a picture", console.size(cost.picture.saved_bytes)],
    ]
    if cost.step.training_flops or cost.step.saved_bytes:
        once = f"{cost.step.training_flops / 1e9:.2f} GFLOP, {console.size(cost.step.saved_bytes)}"
        rows.append(["besides, in training, a batch", once])
    console.table(
        f"{what}, base {model.base}, decoder {model.decoder}",
        ["", f"{side} x {side} px, float32"],
        rows,
    )


def _show_checkpoint(said: dict[str, Any]) -> None:
    train = {key: value for key, value in said["train"].items() if key != "steps"}
    holes = said["holes"]
    trained_on = (
        "not said"
        if holes is None
        else f"ratio {holes['hole_ratio_mean']:.3f} on average, at most "
        f"{holes['hole_ratio_max']:.3f}; at most {holes['radius_px_max']:.1f} px deep"
    )
    scores = {key: f"{value:.6g}" for key, value in said["scores"].items()}
    console.table(
        f"{said['path']} says of itself",
        ["", "value"],
        [
            ["steps", f"{said['step']} of {said['train']['steps']}"],
            ["patches", f"{said['patch_size']} px"],
            ["dataset", f"{said['dataset_sha256'][:12]}…"],
            ["holes trained on", trained_on],
            *([name, value] for name, value in scores.items()),
            *([name, str(value)] for name, value in train.items()),
        ],
    )
