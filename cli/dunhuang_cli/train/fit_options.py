"""The options of ``fit``, in groups: the network, what it learns, how the run is carried out."""

import re
from collections.abc import Mapping
from typing import Any

import click

from dunhuang_cli.options import FILE, all_of
from dunhuang_trainer.config import (
    BASES,
    CONVOLUTIONS,
    DECODERS,
    FINETUNE_LEARNING_RATE,
    FROZEN_NORMS,
    LOSSES,
    MASKS,
    PRECISIONS,
    PRETRAIN_LEARNING_RATE,
    SCHEDULES,
    ModelConfig,
    TrainConfig,
)

NETWORK, RECIPE = ModelConfig(), TrainConfig(1)  # the defaults
EPOCHS = 15  # the seed project's pretraining

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "seed": {"base": "none", "loss": "mse", "batch": 32, "epochs": EPOCHS, "flip": 0.5},
    "paper": {"base": "none", "loss": "paper", "batch": 6},
    "tiny": {
        "base": "push-pull", "width": 32, "levels": 2, "freeze_norm": "all", "batch": 8,
        "lr": 2e-3, "warmup": 20, "schedule": "cosine", "ema": 0.998, "masks": "per-epoch",
        "flip": 0.5, "quarter_turns": True,
    },
}  # fmt: skip
"""Values that stand in for the defaults."""

FINETUNE_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "seed": {"loss": "poster", "epochs": 10},
    "tiny": {"lr": 5e-4},
}
"""What a preset says instead where the run starts from weights (``--init-from``)."""


class ThreadsType(click.ParamType[int | str]):
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


class DurationType(click.ParamType[float]):
    """A time such as 3h55m, 90s or 1h; a bare number is seconds, as in the code."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float) and 0 <= value < float("inf"):
            return value
        text = re.sub(r"^(\d+)(\.0+)?$", r"\1s", str(value).replace(" ", ""))
        found = re.fullmatch(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", text)
        if not text or found is None:
            self.fail(f"{value!r} is no time; write 3h55m, 90m or 30s", param, ctx)
        days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _choice(choices: tuple[str, ...]) -> click.Choice[str]:
    return click.Choice(choices)


network_options = all_of(
    click.option("--width", default=NETWORK.width, help="Channels of the first level."),
    click.option(
        "--levels",
        default=NETWORK.levels,
        help="Halvings; patches must be a multiple of 2**levels px.",
    ),
    click.option(
        "--base",
        type=_choice(BASES),
        default=NETWORK.base,
        help="push-pull: the network corrects a smooth fill, from which it starts.",
    ),
    click.option(
        "--convolution",
        type=_choice(CONVOLUTIONS),
        default=NETWORK.convolution,
        help="plain: the same network of ordinary convolutions, to compare with.",
    ),
    click.option(
        "--decoder",
        type=_choice(DECODERS),
        default=NETWORK.decoder,
        help="How it is computed; split is the faster. The weights are the same.",
    ),
)

recipe_options = all_of(
    click.option("--batch", type=click.IntRange(1), default=32, help="Samples per step, in all."),
    click.option(
        "--epochs", type=click.IntRange(1), default=EPOCHS, help="Passes over the training split."
    ),
    click.option("--steps", type=click.IntRange(1), help="Optimiser updates; instead of --epochs."),
    click.option(
        "--lr",
        type=float,
        help=f"Learning rate.  [default: {PRETRAIN_LEARNING_RATE:g}; with --init-from "
        f"{FINETUNE_LEARNING_RATE:g}]",
    ),
    click.option(
        "--warmup", type=click.IntRange(0), default=0, help="Steps in which the rate rises."
    ),
    click.option(
        "--schedule",
        type=_choice(SCHEDULES),
        default=RECIPE.schedule,
        help="What the rate does then; cosine: falls to zero.",
    ),
    click.option(
        "--loss",
        type=_choice(LOSSES),
        default=RECIPE.loss,
        help="poster and paper compare features of VGG-16.",
    ),
    click.option(
        "--features", type=FILE, help="The weights of VGG-16; else torchvision's are fetched."
    ),
    click.option(
        "--init-from", type=FILE, help="Fine-tune: start from these weights (a .safetensors file)."
    ),
    click.option(
        "--freeze-norm",
        type=_choice(FROZEN_NORMS),
        help="Batch norms that stay as they are.  [default: none; with --init-from encoder]",
    ),
    click.option(
        "--ema",
        default=RECIPE.ema,
        help="Decay of a moving average of the weights, such as 0.999, which is then what is "
        "validated and kept as best; 0 = none.",
    ),
    click.option("--clip", default=RECIPE.clip, help="The largest norm of gradients; 0 = any."),
    click.option(
        "--accumulate",
        type=click.IntRange(1),
        default=1,
        help="Cut a step's samples into so many parts: less memory, more time.",
    ),
    click.option(
        "--precision",
        type=_choice(PRECISIONS),
        default=RECIPE.precision,
        help="Of the network's arithmetic (AMP).",
    ),
    click.option(
        "--channels-last/--no-channels-last",
        default=None,
        help="Memory layout of pictures.  [default: on a GPU]",
    ),
    click.option("--compile", "compiled", is_flag=True, help="Use torch.compile."),
    click.option(
        "--masks",
        type=_choice(MASKS),
        default=RECIPE.masks,
        help="per-epoch: every sample gets another mask of its split in every epoch.",
    ),
    click.option(
        "--flip",
        type=click.FloatRange(0, 1),
        default=RECIPE.flip,
        help="Probability that a sample is mirrored left to right, besides what the plan turned.",
    ),
    click.option(
        "--quarter-turns/--no-quarter-turns",
        default=RECIPE.quarter_turns,
        help="Turn every sample by 0, 90, 180 or 270 degrees.",
    ),
)

watching_options = all_of(
    click.option(
        "--validate-every",
        type=click.IntRange(1),
        help="Steps between validations.  [default: ten times a run]",
    ),
    click.option(
        "--select-on",
        default=RECIPE.select_on,
        metavar="[val|none]",
        help="The split that decides which weights are best; none: keep the last.",
    ),
    click.option(
        "--log-every", type=click.IntRange(1), default=RECIPE.log_every, help="Steps a log row."
    ),
    click.option(
        "--samples",
        type=click.IntRange(0),
        default=RECIPE.samples,
        help="Validation samples to draw at every validation.",
    ),
)

execution_options = all_of(
    click.option(
        "--workers",
        type=ThreadsType(),
        default="auto",
        help="Threads that read; 0 = the training loop itself. It changes no result.",
    ),
    click.option(
        "--data-on-device", is_flag=True, help="Keep the training split in the device's memory."
    ),
    click.option(
        "--save-every",
        type=DurationType(),
        default="10m",
        help="Time between checkpoints, such as 10m; there is one at every validation too.",
    ),
    click.option(
        "--time-limit",
        type=DurationType(),
        help="Save and stop after this time, such as 3h55m; --resume goes on.",
    ),
)
