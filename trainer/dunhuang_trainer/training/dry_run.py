"""A few steps of a run that writes nothing: what a step takes, and so what the run will take."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from dunhuang_data.errors import EnvironmentProblem
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import finished, open_split, to_batch
from dunhuang_trainer.memory import free_bytes, peak_bytes, reset_peak, resident_bytes
from dunhuang_trainer.training.execution import Execution, training_data
from dunhuang_trainer.training.learner import Learner
from dunhuang_trainer.training.validation import restored

MEASURED = 3  # steps after the first


@dataclass(frozen=True, slots=True)
class DryRun:
    """What was measured in a few steps, and the run that they are multiplied to.

    Attributes
    ----------
    device : str
    batch_size : int
        Images of a step, of all processes.
    steps, validations, validation_batches : int
        Of the run; batches of one validation.
    first_step_s : float
        Seconds of the first step, which also sets up and, with ``--compile``, compiles.
    step_s : float
        Seconds of a later step: the median.
    validation_s : float
        Seconds of a whole validation: of one batch, times their number. 0 if there is none.
    memory_mb : float
        10⁶ bytes at the peak: on a GPU of what torch allocated there, on the CPU of all main memory
        of the process.
    grown_mb : float
        By how much the peak was above what was used before the first step.
    reserved_mb : float or None
        What torch took from the GPU to allocate from; None on the CPU.
    free_mb : float
        What could still be taken on the device when the steps were over.
    """

    device: str
    batch_size: int
    steps: int
    validations: int
    validation_batches: int
    first_step_s: float
    step_s: float
    validation_s: float
    memory_mb: float
    grown_mb: float
    reserved_mb: float | None
    free_mb: float

    @property
    def run_s(self) -> float:
        """Seconds of the whole run, if every step takes as long; checkpoints come on top."""
        return (
            self.first_step_s
            + (self.steps - 1) * self.step_s
            + self.validations * self.validation_s
        )

    def __str__(self) -> str:
        """Return it in a few lines."""
        lines = [
            f"one step: {self.step_s:.3g} s for {self.batch_size} images, "
            f"{self.batch_size / self.step_s:.3g} images/s on {self.device} (the first took "
            f"{self.first_step_s:.3g} s)"
        ]
        if self.validations:
            batches = f"{self.validation_batches} batch{'es' * (self.validation_batches != 1)}"
            lines.append(f"one validation: about {self.validation_s:.3g} s for {batches}")
        if self.reserved_mb is None:
            lines.append(
                f"memory: the process took {self.memory_mb:,.0f} MB at its peak, "
                f"{self.grown_mb:,.0f} MB of them for the steps (an estimate: the system counts "
                f"whole pages, and freed memory may stay with the process); {self.free_mb:,.0f} MB "
                "are left"
            )
        else:
            lines.append(
                f"memory: {self.memory_mb:,.0f} MB at the peak, {self.grown_mb:,.0f} MB of them "
                f"for the steps; torch reserved {self.reserved_mb:,.0f} MB on {self.device}, "
                f"{self.free_mb:,.0f} MB are left there"
            )
        count = f"{self.steps} step{'s' * (self.steps != 1)}"
        checked = f" and {self.validations} validation{'s' * (self.validations != 1)}"
        lines.append(
            f"the run: {count}{checked * bool(self.validations)}, about {duration(self.run_s)}"
        )
        return "\n".join(lines)


def measure(
    step: Callable[[], object],
    validate: Callable[[], object] | None,
    *,
    device: torch.device,
    batch_size: int,
    steps: int,
    validations: int = 0,
    validation_batches: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> DryRun:
    """Do a few steps and one batch of a validation, and say what a run will take.

    Parameters
    ----------
    step : callable
        Takes a batch through network, loss, backward pass and optimiser. It is called four times;
        the first is no measure.
    validate : callable or None
        Takes one batch of the validation split through the network; called twice. None: there is
        no such split.
    device : torch.device
    batch_size, steps, validations, validation_batches : int
        See `DryRun`.
    clock : callable
        Seconds.

    Raises
    ------
    EnvironmentProblem
        If a batch does not fit on the GPU.
    """
    gc.collect()  # what nobody needs any more would be freed in the middle of a step
    before = _used(device)
    reset_peak(device)

    def timed(what: Callable[[], object]) -> float:
        _synchronize(device)
        since = clock()
        try:
            what()
        except torch.OutOfMemoryError as error:
            raise EnvironmentProblem(
                f"--dry-run: a step of {batch_size} images needs more memory than {device} has. "
                "Use a smaller --batch, or --accumulate with the same one."
            ) from error
        _synchronize(device)
        return clock() - since

    first = timed(step)
    step_s = median(timed(step) for _ in range(MEASURED))
    validation_s = 0.0
    if validate is None:
        validations = validation_batches = 0
    else:
        timed(validate)
        validation_s = validation_batches * timed(validate)
    peak = peak_bytes(device)
    reserved = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None
    return DryRun(
        device=str(device),
        batch_size=batch_size,
        steps=steps,
        validations=validations,
        validation_batches=validation_batches,
        first_step_s=first,
        step_s=step_s,
        validation_s=validation_s,
        memory_mb=peak / 1e6,
        grown_mb=max(0, peak - before) / 1e6,
        reserved_mb=None if reserved is None else reserved / 1e6,
        free_mb=free_bytes(device) / 1e6,
    )


def try_out(
    dataset: Path, model: ModelConfig, config: TrainConfig, execution: Execution
) -> tuple[Learner, DryRun]:
    """Take a few batches through everything that a run does, and write nothing.

    Returns
    -------
    learner : Learner
    measured : DryRun
    """
    ranks, device = execution.ranks, execution.device
    training = open_split(dataset, "train", model)
    validation = open_split(dataset, "val", model)
    learner = Learner(model, config, device, ranks, execution.features)
    micro = config.check_batch(ranks.world_size)
    share = len(range(ranks.rank, len(validation), ranks.world_size))
    some = to_batch(validation.read(range(min(micro, len(validation)))), device)
    with training_data(training, config, execution) as data:
        batches = data.take(1 + MEASURED)
        measured = measure(
            lambda: learner.update(finished(next(batches)), 1),
            (lambda: restored(learner.best_model, some)) if len(validation) else None,
            device=device,
            batch_size=config.batch_size,
            steps=config.steps,
            validations=-(-config.steps // config.validate_every),
            validation_batches=-(-share // micro),
        )
    return learner, measured


def duration(seconds: float) -> str:
    """Return a time in the two units that matter: ``3 h 55 min``, ``4 min 5 s``, ``12 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def _used(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return resident_bytes()


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
