"""Settings of the network and of a run. Frozen, saved in every checkpoint, and free of torch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from dunhuang_data.errors import UsageProblem

PRETRAIN_LEARNING_RATE = 2e-4
FINETUNE_LEARNING_RATE = 5e-5


MASKS = ("fixed", "per-epoch")
CONVOLUTIONS = ("partial", "plain")
BASES = ("none", "push-pull")
DECODERS = ("split", "concat")
LOSSES = ("mse", "mse+ssim", "poster", "paper")
FROZEN_NORMS = ("none", "encoder", "all")
SCHEDULES = ("constant", "cosine")
SELECT_ON = ("val", "none")
PRECISIONS = ("float32", "bf16", "fp16")


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse what is none of an option's choices.

    Raises
    ------
    UsageProblem
    """
    if value not in choices:
        raise UsageProblem(f"{option} is {value!r}; expected one of {', '.join(choices)}.")


def check_masks(masks: str) -> None:
    """Refuse what is no way to pair samples with masks.

    Raises
    ------
    UsageProblem
    """
    check_choice("--masks", masks, MASKS)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of the U-Net.

    Attributes
    ----------
    width : int
        Channels of the first level; they double at each level up to eight times as many
        (64, 128, 256, 512, 512 … by default).
    levels : int
        Halvings. Patches must be a multiple of ``2 ** levels`` pixels; 8 brings 256 px to 1.
    convolution : {"partial", "plain"}
        ``"plain"`` is the same network of ordinary convolutions, to compare with.
    base : {"push-pull", "none"}
        ``"push-pull"``: the network predicts a correction to `dunhuang_trainer.push_pull`, and its
        last layer starts at zero. ``"none"``: it predicts the picture itself, as the seed's does.
    decoder : {"split", "concat"}
        How a decoder level is computed; the weights and, but for rounding, the results are the
        same. See `dunhuang_trainer.model`.
    """

    width: int = 64
    levels: int = 8
    convolution: str = "partial"
    base: str = "push-pull"
    decoder: str = "split"

    def __post_init__(self) -> None:
        check_choice("--convolution", self.convolution, CONVOLUTIONS)
        check_choice("--base", self.base, BASES)
        check_choice("--decoder", self.decoder, DECODERS)
        if self.width < 1 or not 1 <= self.levels <= 12:
            raise UsageProblem(
                f"--width {self.width} and --levels {self.levels} make no network; expected a "
                "width of at least 1 and 1 to 12 levels."
            )

    @property
    def multiple(self) -> int:
        """The side of a patch must be a multiple of this many pixels."""
        return 1 << self.levels


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training run: all that its result depends on, beside dataset and network.

    Attributes
    ----------
    steps : int
        Optimiser updates.
    batch_size : int
        Samples per step, of all processes and micro-batches together.
    learning_rate : float
        Adam's, at its highest. The seed project pretrains at 2e-4 and fine-tunes at 5e-5.
    warmup : int
        Steps in which the learning rate rises from zero.
    schedule : {"constant", "cosine"}
        What it does after them; ``"cosine"`` falls to zero at the last step.
    loss : {"mse", "mse+ssim", "poster", "paper"}
        See `dunhuang_trainer.losses`.
    frozen_norm : {"none", "encoder", "all"}
        Which batch norms keep their statistics and weights.
    ema : float
        Decay of the moving average of the weights, which is then what is validated and kept as
        best; 0 = none.
    clip : float
        The largest norm of the gradient; 0 = no limit.
    accumulate : int
        Micro-batches that make one step; batch norm sees one at a time.
    precision : {"float32", "bf16", "fp16"}
        Of the network's arithmetic; masks, losses and weights stay in float32.
    channels_last, compiled : bool
        The memory layout of pictures, and whether ``torch.compile`` is used.
    validate_every, log_every : int
        Steps between validations, and between rows of the log.
    select_on : {"val", "none"}
        The split on which the best weights are chosen.
    samples : int
        Validation samples that are drawn at every validation; 0 = none.
    seed : int
        Of initialisation, of the order of samples, and of what is drawn in every epoch.
    masks : {"fixed", "per-epoch"}
        Whether a sample keeps its mask, or gets another of the split's in every epoch.
    flip : float
        The probability that a sample is mirrored left to right when it is used.
    quarter_turns : bool
        Whether a sample is turned by 0, 90, 180 or 270 degrees when it is used.
    """

    steps: int
    batch_size: int = 32
    learning_rate: float = PRETRAIN_LEARNING_RATE
    warmup: int = 0
    schedule: str = "constant"
    loss: str = "mse"
    frozen_norm: str = "none"
    ema: float = 0.0
    clip: float = 0.0
    accumulate: int = 1
    precision: str = "float32"
    channels_last: bool = False
    compiled: bool = False
    validate_every: int = 500
    log_every: int = 10
    select_on: str = "val"
    samples: int = 4
    seed: int = 0
    masks: str = "fixed"
    flip: float = 0.0
    quarter_turns: bool = False

    def __post_init__(self) -> None:
        check_masks(self.masks)
        if self.select_on == "test":
            raise UsageProblem(
                "--select-on test: weights that were chosen on the test split have seen it, and "
                "its scores say nothing any more. Choose on val, or none to keep the last."
            )
        check_choice("--select-on", self.select_on, SELECT_ON)
        check_choice("--schedule", self.schedule, SCHEDULES)
        check_choice("--loss", self.loss, LOSSES)
        check_choice("--freeze-norm", self.frozen_norm, FROZEN_NORMS)
        check_choice("--precision", self.precision, PRECISIONS)
        for option, value, least in (
            ("--steps", self.steps, 1),
            ("--validate-every", self.validate_every, 1),
            ("--log-every", self.log_every, 1),
            ("--samples", self.samples, 0),
            ("--accumulate", self.accumulate, 1),
            ("--warmup", self.warmup, 0),
        ):
            if value < least:
                raise UsageProblem(f"{option} is {value}; expected at least {least}.")
        if not 0 < self.learning_rate < 1:  # also refuses NaN
            raise UsageProblem(
                f"--lr is {self.learning_rate:g}; expected a number above 0 and below 1."
            )
        if not 0 <= self.flip <= 1:
            raise UsageProblem(f"--flip is {self.flip:g}; expected a probability from 0 to 1.")
        if not 0 <= self.ema < 1:
            raise UsageProblem(f"--ema is {self.ema:g}; expected 0 (none) or a decay below 1.")
        if not 0 <= self.clip < float("inf"):
            raise UsageProblem(f"--clip is {self.clip:g}; expected 0 (none) or a norm above 0.")
        if not 0 <= self.seed < 2**64:
            raise UsageProblem(f"--seed is {self.seed}; expected a whole number below 2**64.")
        self.check_batch(1)

    def check_batch(self, processes: int) -> int:
        """Return the samples of one micro-batch in one of so many processes.

        Raises
        ------
        UsageProblem
            If they do not come out even, or are too few for batch norm.
        """
        parts = processes * self.accumulate
        if self.batch_size % parts:
            raise UsageProblem(
                f"--batch {self.batch_size} is not a multiple of {parts}: {processes} "
                f"process{'es' * (processes != 1)} times --accumulate {self.accumulate}."
            )
        micro = self.batch_size // parts
        least = 1 if self.frozen_norm == "all" else 2
        if micro < least:
            raise UsageProblem(
                f"--batch {self.batch_size} leaves {micro} sample{'s' * (micro != 1)} at a time; "
                f"batch norm needs at least {least}."
            )
        return micro


Settings = TypeVar("Settings", ModelConfig, TrainConfig)


def settings_of(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Make settings of what was read from a file.

    Raises
    ------
    ValueError
        If a value is of another type than its field: Python itself would not look.
    UsageProblem
        If they make no sense.
    """
    for field in fields(kind):
        value, expected = values.get(field.name), field.type
        whole_for_float = expected is float and type(value) is int
        if field.name in values and type(value) is not expected and not whole_for_float:
            raise ValueError(f"{field.name} is {value!r}, expected {expected.__name__}")  # type: ignore[union-attr]
    return kind(**values)


def steps_for_epochs(epochs: int, samples: int, batch_size: int) -> int:
    """Return the steps that pass ``epochs`` times over a split (incomplete batches dropped)."""
    return epochs * max(1, samples // batch_size)
