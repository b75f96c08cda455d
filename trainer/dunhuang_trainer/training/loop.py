"""The training loop, on one page: data, steps, log, validation, checkpoints, and when to stop."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import isfinite, isinf
from pathlib import Path

import torch

from dunhuang_data.atomic import locked
from dunhuang_data.errors import CheckpointError, DatasetError
from dunhuang_trainer.checkpoint import (
    CheckpointInfo,
    all_finite,
    load_state,
    save_state,
    save_weights,
)
from dunhuang_trainer.data import (
    StoredBatch,
    finished,
    open_split,
    to_batch,
)
from dunhuang_trainer.figures import sample_grid
from dunhuang_trainer.training.execution import Execution, training_data
from dunhuang_trainer.training.folder import (
    BEST,
    LAST,
    STATE,
    Run,
    read_run,
    same_dataset,
    same_features,
    same_run,
    sweep,
)
from dunhuang_trainer.training.learner import Learner, NotFiniteError
from dunhuang_trainer.training.log import Row, RunLog
from dunhuang_trainer.training.meter import Meter
from dunhuang_trainer.training.schedule import learning_rate
from dunhuang_trainer.training.stopping import StopRequest
from dunhuang_trainer.training.validation import hole_mse, restored

MEASURED = ("learning_rate", "images_per_second", "waiting", "memory_mb", "val_hole_mse")


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


def train(out: Path, execution: Execution, stop: StopRequest, watcher: Watcher) -> Outcome:
    """Train a run from where it stands, to its last step or until it is asked to stop.

    Parameters
    ----------
    out : Path
        A folder of `dunhuang_trainer.training.folder.start_run`. It gains ``metrics.jsonl`` and
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
        sweep(out)
        return _Training(out, run, execution, watcher).until(stop)


class _Training:
    """A run under way."""

    def __init__(self, out: Path, run: Run, execution: Execution, watcher: Watcher) -> None:
        self.out, self.run, self.config = out, run, run.train
        self.execution, self.watcher, self.ranks = execution, watcher, execution.ranks
        self.config.check_batch(self.ranks.world_size)
        dataset, features = execution.dataset or run.dataset, execution.features or run.features
        if not dataset.exists():
            raise DatasetError(
                f"{dataset}, the dataset this run began with, is not there. Say where it is now "
                "with --dataset."
            )
        self.training = open_split(dataset, "train", run.model)
        self.validation = open_split(dataset, "val", run.model)
        same_dataset(self.training, run)
        state = load_state(out / STATE)
        same_run(state["run"], run, out)
        self.learner = Learner(run.model, run.train, execution.device, self.ranks, features)
        same_features(self.learner.loss.features_sha256, run)
        self.learner.load_state(state, out / STATE)
        self.step, self.best, self.row = int(state["step"]), state["best"], dict[str, float]()
        parts = self.learner.loss.part_names
        self.meter = Meter(execution.device, parts, mean_over_processes=self.ranks.mean)
        if state["meter"] is not None:
            self.meter.load_state_dict(state["meter"])
        self.columns = ("step", "epoch", "loss", *parts, *MEASURED)

    def until(self, stop: StopRequest) -> Outcome:
        """Train until the last step or a reason to stop."""
        why, saved = None, time.monotonic()
        last = self.config.steps
        if self.execution.data_on_device:
            self.watcher.note(
                f"Reading {len(self.training):,} samples into the memory of "
                f"{self.execution.device}."
            )
        data = training_data(self.training, self.config, self.execution)
        with self.log_of_the_first() as log, data:
            self.look_at_the_start(log)
            data.seek(self.step)
            batches = self.meter.timed(data.take(last - self.step))
            while self.step < last and why is None:
                self.one_step(next(batches))
                validates = self.is_due(self.config.validate_every)
                if validates or self.is_due(self.config.log_every):
                    self.write_row(log, validates, len(data))
                late = time.monotonic() - saved > self.execution.save_every_s
                why, late = self.agreed(stop.why, late)
                if validates or why or late:
                    self.save(log)
                    saved = time.monotonic()
        return Outcome(self.step, self.row, why if self.step < last else None)

    def log_of_the_first(self) -> AbstractContextManager[RunLog | None]:
        """Return the log, open, in the first process; nothing in the others."""
        if not self.ranks.first:
            return nullcontext()
        return RunLog(self.out, self.columns, resumed_step=self.step)

    def look_at_the_start(self, log: RunLog | None) -> None:
        """Score what a run begins with, where that is worth something: weights, or a fill.

        So the best weights are never worse than those. A best that is gone is no longer the best.
        """
        if self.best is not None and not (self.out / BEST).exists():
            self.watcher.note(
                f"Note: {self.out / BEST} is gone; the best of the validations to come is kept."
            )
            self.best = None
        begins_well = self.run.model.base != "none" or self.run.init_from is not None
        if self.step == 0 and begins_well and len(self.validation):
            score = self.validate(log)
            self.watcher.note(f"step 0: error in the holes {score:.0f} validation, before training")

    def one_step(self, stored: StoredBatch) -> None:
        """Learn from a batch."""
        try:
            loss, parts = self.learner.update(finished(stored), self.step + 1)
        except NotFiniteError as error:
            self.save(None)  # the weights are those before the step
            raise self.not_finite(error.step, error.values, self.step) from error
        self.step += 1
        self.meter.add(self.step, loss, parts, len(stored) * self.ranks.world_size)
        self.watcher.step(self.step)

    def is_due(self, every: int) -> bool:
        """Whether something that happens every so many steps happens now."""
        return self.step % every == 0 or self.step == self.config.steps

    def write_row(self, log: RunLog | None, validates: bool, steps_per_epoch: int) -> None:
        """End an interval of the log; validate first, if it is due."""
        self.stop_if_not_finite()
        row = {
            "step": self.step,
            "epoch": round(self.step / steps_per_epoch, 4),
            **self.meter.row(),
            "learning_rate": learning_rate(self.config, self.step),
        }
        if validates:
            with self.meter.paused():
                row["val_hole_mse"] = self.validate(log)
        self.row = row
        if log is not None:
            log.append(row)
        self.watcher.row(row)

    def validate(self, log: RunLog | None) -> float:
        """Score the weights on the validation split, and keep them if they are the best so far."""
        model, device = self.learner.best_model, self.execution.device
        # on the CPU every process has statistics of its own; those of the first are kept
        self.ranks.as_in_the_first(model.buffers())
        micro = self.config.check_batch(self.ranks.world_size)
        workers = self.execution.workers
        score = hole_mse(model, self.validation, micro, device, workers, self.ranks)
        if isinf(score):
            raise self.not_finite(self.step, {"val_hole_mse": score}, self.saved_step())
        best = float("inf") if self.best is None else float(self.best)
        if self.config.select_on == "val" and score < best:  # never true of NaN: no such split
            self.best = score
            if self.ranks.first:
                save_weights(self.out / BEST, model, self.info({"val_hole_mse": score}))
        rows = min(self.config.samples, len(self.validation))
        if log is not None and rows:
            batch = to_batch(self.validation.read(range(rows)), device)
            log.picture(self.step, sample_grid(*restored(model, batch)))
        self.learner.model.train()
        return score

    def save(self, log: RunLog | None) -> None:
        """Write the weights and the state from which the run can go on, if they are sound."""
        self.stop_if_not_finite()
        with self.meter.paused():
            broken = not all_finite(self.learner.model.state_dict())
            if self.ranks.any(broken, self.execution.device):
                found = {"a weight": float("nan")}
                raise self.not_finite(self.step, found, self.saved_step())
            if not self.ranks.first:
                return
            if log is not None:
                log.sync()
            row = self.row if self.row.get("step") == self.step else {}
            scores = {
                name: value
                for name, value in row.items()
                if name.startswith("val_") and isfinite(value)
            }
            save_weights(self.out / LAST, self.learner.best_model, self.info(scores))
            state = {
                **self.learner.state(),
                "step": self.step,
                "best": self.best,
                "meter": self.meter.state_dict(),
                "run": self.run.identity,
            }
            save_state(self.out / STATE, state)

    def info(self, scores: dict[str, float]) -> CheckpointInfo:
        """Return what a checkpoint of now says of itself."""
        run, size = self.run, self.training.patch_size
        return CheckpointInfo(
            run.model, run.train, self.step, run.dataset_sha256, size, scores, run.holes
        )

    def stop_if_not_finite(self) -> None:
        """Look at the losses of the steps so far, and stop if one is no number."""
        found = self.meter.settle()
        if found is not None:
            raise self.not_finite(found.step, found.values, self.saved_step())

    def saved_step(self) -> int:
        """Return the step of the checkpoint that lies in the folder."""
        return int(load_state(self.out / STATE)["step"])

    def not_finite(self, step: int, values: Mapping[str, float], kept: int) -> CheckpointError:
        """Return the sentence with which a run ends that has left the numbers."""
        found = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return CheckpointError(
            f"Training stopped at step {step}: {found}, where only finite numbers make sense. The "
            f"checkpoint of step {kept} is kept in {self.out}. Start another run from it with "
            f"--init-from {self.out / LAST} and a smaller --lr or --clip 1, or in float32."
        )

    def agreed(self, why: str | None, late: bool) -> tuple[str | None, bool]:
        """Return why to stop now and whether to save, the same in all processes.

        They ask each other only where a row is written, which makes them wait for each other.
        """
        if not self.ranks.several:
            return why, late
        if not self.is_due(self.config.log_every):
            return None, False
        asked = torch.tensor([why is not None, late], dtype=torch.float64)
        stops, saves = (self.ranks.sum(asked.to(self.execution.device)) > 0).tolist()
        return (why or "another process was asked to") if stops else None, saves
