"""The training loop, on one page: data, steps, log, validation, checkpoints, and when to stop."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dunhuang_data.atomic import locked
from dunhuang_data.errors import CheckpointError
from dunhuang_data.pictures import write_picture
from dunhuang_trainer.checkpoint import (
    CheckpointInfo,
    all_finite,
    load_state,
    save_state,
    save_weights,
)
from dunhuang_trainer.config import TrainConfig
from dunhuang_trainer.data import DatasetReader, Loader, finished, open_split, to_batch
from dunhuang_trainer.data.on_device import DeviceSplit
from dunhuang_trainer.distributed import Ranks
from dunhuang_trainer.figures import sample_grid
from dunhuang_trainer.learner import Learner, NotFiniteError
from dunhuang_trainer.meter import Meter
from dunhuang_trainer.run_folder import (
    BEST,
    LAST,
    SAMPLES,
    STATE,
    Run,
    read_run,
    same_dataset,
    same_features,
)
from dunhuang_trainer.run_log import Row, RunLog
from dunhuang_trainer.stopping import StopRequest
from dunhuang_trainer.validation import hole_mse, restored


@dataclass(frozen=True, slots=True)
class Execution:
    """How a run is carried out: what changes no result, and may change when it is resumed.

    Attributes
    ----------
    device : torch.device
    ranks : Ranks
    workers : int, optional
        Threads that read; None = as many as pay here.
    data_on_device : bool
        Keep the training split in the device's memory.
    save_every_s : float
        Seconds between checkpoints; there is one at every validation too.
    dataset, features : Path, optional
        Where they are now, if they are no longer where the run began.
    """

    device: torch.device
    ranks: Ranks = Ranks()  # noqa: RUF009 (frozen)
    workers: int | None = None
    data_on_device: bool = False
    save_every_s: float = 600.0
    dataset: Path | None = None
    features: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    step : int
        The last one, which is saved.
    row : dict
        The last row of the log; empty if there is none.
    stopped : str or None
        Why it stopped before its last step.
    """

    step: int
    row: Row
    stopped: str | None


class Watcher:
    """What may be told of a run while it goes on; by default nothing is done with it."""

    def step(self, step: int) -> None:
        """Hear that a step is done."""

    def row(self, row: Row) -> None:
        """Hear of a new row of the log."""

    def note(self, text: str) -> None:
        """Hear of something that a person should know."""


def training_data(
    reader: DatasetReader, config: TrainConfig, execution: Execution
) -> AbstractContextManager["Loader | DeviceSplit"]:
    """Return the batches of a run. That of a step is a pure function of (config, step)."""
    ranks = execution.ranks
    settings = {
        "seed": config.seed, "masks": config.masks, "flip": config.flip,
        "quarter_turns": config.quarter_turns, "device": execution.device,
        "rank": ranks.rank, "world_size": ranks.world_size,
    }  # fmt: skip
    batch_size = config.batch_size // ranks.world_size
    if execution.data_on_device:
        return DeviceSplit(reader, batch_size, **settings)  # type: ignore[arg-type]
    return Loader(reader, batch_size, workers=execution.workers, **settings)  # type: ignore[arg-type]


def train(out: Path, execution: Execution, stop: StopRequest, watcher: Watcher) -> Outcome:
    """Train a run from where it stands, to its last step or until it is asked to stop.

    Parameters
    ----------
    out : Path
        A folder of `dunhuang_trainer.run_folder.start_run`. It gains ``metrics.jsonl`` and
        ``metrics.csv``, ``last.safetensors`` with ``last.state.pt``, pictures of validation
        samples, and, if there is a validation split, ``best.safetensors``: the lowest mean squared
        error in its holes. Of several processes the first writes all of it.
    execution : Execution
    stop : StopRequest
        Looked at after every step; by several processes only where a row is written.
    watcher : Watcher
        Told of steps and rows, in the first process.

    Raises
    ------
    ResumeMismatchError
        If dataset or features are not those the run began with.
    CheckpointError
        If the loss is no longer finite, with the step, the loss's parts, and what is kept.
    """
    run = read_run(out)  # says so if it is none
    if not execution.ranks.first:
        return _Training(out, run, execution, Watcher()).until(stop)
    with locked(out, "training in"):
        return _Training(out, run, execution, watcher).until(stop)


class _Training:
    """A run under way."""

    def __init__(self, out: Path, run: Run, execution: Execution, watcher: Watcher) -> None:
        self.out, self.config, self.execution, self.watcher = out, run.train, execution, watcher
        self.config.check_batch(execution.ranks.world_size)
        dataset, features = execution.dataset or run.dataset, execution.features or run.features
        self.training = open_split(dataset, "train", run.model)
        self.validation = open_split(dataset, "val", run.model)
        same_dataset(self.training, run)
        if features is not None or run.features is not None:
            same_features(features, run)
        state = load_state(out / STATE)
        self.learner = Learner(run.model, run.train, execution.device, execution.ranks, features)
        self.learner.load_state(state, out / STATE)
        self.step, self.best = int(state["step"]), state["best"]
        self.meter = Meter(state["meter"])
        self.log: RunLog | None = None
        self.info = CheckpointInfo(
            run.model, run.train, self.step, run.dataset_sha256, self.training.patch_size, {}
        )
        self.last_row: Row = {}

    def until(self, stop: StopRequest) -> Outcome:
        """Train until the last step or a reason to stop."""
        stopped, saved = None, time.monotonic()
        with training_data(self.training, self.config, self.execution) as data:
            data.seek(self.step)
            batches = data.take(self.config.steps - self.step)
            while self.step < self.config.steps and stopped is None:
                self.one_step(batches)
                validates = self.is_due(self.config.validate_every)
                if validates or self.is_due(self.config.log_every):
                    self.write_row(validates)
                stopped = self.why_stop(stop)
                late = time.monotonic() - saved > self.execution.save_every_s
                if validates or stopped or late:
                    self.save()
                    saved = time.monotonic()
        return Outcome(self.step, self.last_row, stopped)

    def one_step(self, batches: Iterator[StoredBatch]) -> None:
        """Take a batch and learn from it."""
        asked = time.perf_counter()
        stored = next(batches)
        waited = time.perf_counter() - asked
        try:
            loss, parts = self.learner.update(finished(stored), self.step + 1)
        except NotFiniteError as error:
            raise self.not_finite(error) from error
        self.step += 1
        images = len(stored) * self.execution.ranks.world_size
        self.meter.add(self.step, loss, parts, images=images, waited=waited)
        self.watcher.step(self.step)

    def is_due(self, every: int) -> bool:
        """Whether something that happens every so many steps happens now."""
        return self.step % every == 0 or self.step == self.config.steps

    def write_row(self, validates: bool) -> None:
        """Write what the interval came to, and the validation if it is due."""

    def why_stop(self, stop: StopRequest) -> str | None:
        """Return why to stop now; all processes agree, and ask each other only now and then."""
        ranks = self.execution.ranks
        if not ranks.several:
            return stop.why
        if not self.is_due(self.config.log_every):
            return None
        asked = ranks.any(stop.why is not None, self.execution.device)
        return (stop.why or "another process was asked to stop") if asked else None
