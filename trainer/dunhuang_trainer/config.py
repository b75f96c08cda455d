"""Settings of the network and of a run. Frozen, saved in every checkpoint, and free of torch."""

from dataclasses import dataclass

from dunhuang_data.errors import UsageProblem

PRETRAIN_LEARNING_RATE = 2e-4
FINETUNE_LEARNING_RATE = 5e-5


MASKS = ("fixed", "per-epoch")


def check_masks(masks: str) -> None:
    """Refuse what is no way to pair samples with masks.

    Raises
    ------
    UsageProblem
    """
    if masks not in MASKS:
        raise UsageProblem(f"--masks is {masks!r}; expected one of {', '.join(MASKS)}.")


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
    """

    width: int = 64
    levels: int = 8

    def __post_init__(self) -> None:
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
    """Settings of one training run.

    Attributes
    ----------
    steps : int
        Optimiser updates.
    batch_size : int
        Samples per step; at least 2, because batch norm needs two values at the 1 x 1 level.
    learning_rate : float
        Adam's. The seed project pretrains at 2e-4 and fine-tunes at 5e-5.
    validate_every : int
        Steps between validations and checkpoints.
    seed : int
        Of initialisation, of the order of samples, and of what is drawn in every epoch.
    masks : {"fixed", "per-epoch"}
        Whether a sample keeps its mask, or gets another of the split's in every epoch.
    flip : float
        The probability that a sample is mirrored left to right when it is used.
    quarter_turns : bool
        Whether a sample is turned by 0, 90, 180 or 270 degrees when it is used.
    workers : int, optional
        Threads that read; None = as many as pay here. It changes no result.
    """

    steps: int
    batch_size: int = 32
    learning_rate: float = PRETRAIN_LEARNING_RATE
    validate_every: int = 500
    seed: int = 0
    masks: str = "fixed"
    flip: float = 0.0
    quarter_turns: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        check_masks(self.masks)
        if not 0 <= self.flip <= 1:
            raise UsageProblem(f"--flip is {self.flip:g}; expected a probability from 0 to 1.")
        if self.workers is not None and self.workers < 0:
            raise UsageProblem(f"--workers is {self.workers}; expected auto, 0 or more.")
        if self.batch_size < 2:
            raise UsageProblem(
                f"--batch is {self.batch_size}; batch norm needs at least 2 samples a step."
            )
        if not 0 <= self.seed < 2**64:
            raise UsageProblem(f"--seed is {self.seed}; expected a whole number below 2**64.")
        if min(self.steps, self.validate_every) < 1 or not 0 < self.learning_rate < 1:
            raise UsageProblem(
                f"--steps {self.steps}, --validate-every {self.validate_every} and --lr "
                f"{self.learning_rate:g} make no run; expected at least 1 step and a learning "
                "rate between 0 and 1."
            )


def steps_for_epochs(epochs: int, samples: int, batch_size: int) -> int:
    """Return the steps that pass ``epochs`` times over a split (incomplete batches dropped)."""
    return epochs * max(1, samples // batch_size)
