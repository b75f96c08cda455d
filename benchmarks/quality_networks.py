"""The networks of `benchmarks.quality`: trained under one budget, with the trainer's own parts."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.quality_data import Datasets
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import finished, open_split
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.training.execution import Execution, training_data
from dunhuang_trainer.training.learner import Learner
from dunhuang_trainer.training.validation import hole_mse

CPU = torch.device("cpu")
TRIED = 24  # steps whose cost says how many a budget holds; the first half warms up
CURVE = 8  # validations of a network

SETTINGS = TrainConfig(
    steps=1,  # replaced by what the budget holds
    batch_size=16,
    learning_rate=2e-3,
    warmup=100,
    schedule="cosine",
    ema=0.998,
    frozen_norm="all",
    masks="per-epoch",
    flip=0.5,
    quarter_turns=True,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network to train, and how; the budget says for how many steps."""

    model: ModelConfig
    train: TrainConfig


@dataclass(frozen=True, slots=True)
class Trained:
    """A network that was trained.

    Attributes
    ----------
    model : PartialConvUNet
        In evaluation mode.
    samples : int
        It was trained on.
    cpu_s : float
        CPU time of the steps, reading included; validations are left out.
    curve : list of (int, float)
        Samples seen, and the error in the holes of the validation split, on 0 … 255.
    """

    model: PartialConvUNet
    samples: int
    cpu_s: float
    curve: list[tuple[int, float]]


NORMED = replace(SETTINGS, frozen_norm="none")
OURS = "partial, push-pull base"
CANDIDATES = {
    "plain, mse": Candidate(ModelConfig(32, 4, "plain", "none"), NORMED),
    "partial, mse": Candidate(ModelConfig(32, 4, base="none"), NORMED),
    "partial, mse+ssim": Candidate(
        ModelConfig(32, 4, base="none"), replace(NORMED, loss="mse+ssim")
    ),
    "plain, push-pull base": Candidate(ModelConfig(48, 2, "plain", "push-pull"), SETTINGS),
    OURS: Candidate(ModelConfig(48, 2, base="push-pull"), SETTINGS),
}


def train_in_two(
    candidate: Candidate, datasets: Datasets, budget_s: float, share: float
) -> Trained:
    """Train on the photographs for a share of the budget, then on the rest."""
    assert datasets.pretraining is not None
    first = train(candidate, datasets.pretraining, budget_s * share)
    second = train(candidate, datasets.main, budget_s * (1 - share), first.model)
    return replace(second, samples=first.samples + second.samples, cpu_s=first.cpu_s + second.cpu_s)


def train(
    candidate: Candidate, dataset: Path, budget_s: float, start: PartialConvUNet | None = None
) -> Trained:
    """Train a network for so many CPU seconds.

    The learning rate falls to zero at the last step, so their number is settled first, by the cost
    of a few steps of a network that is thrown away.

    Parameters
    ----------
    candidate : Candidate
    dataset : Path
    budget_s : float
    start : PartialConvUNet, optional
        Whose weights to begin with.
    """
    steps = max(TRIED, round(budget_s / _step_cost_s(candidate, dataset)))
    config = replace(candidate.train, steps=steps, warmup=min(candidate.train.warmup, steps // 10))
    learner = Learner(candidate.model, config, CPU)
    if start is not None:
        for model in (learner.model, learner.best_model):
            model.load_state_dict(start.state_dict())
    validation = open_split(dataset, "val", candidate.model)
    spent, curve = 0.0, []
    for step, cost in enumerate(_costs(learner, dataset, config), start=1):
        spent += cost
        if len(validation) and (step % -(-steps // CURVE) == 0 or step == steps):
            found = hole_mse(learner.best_model, validation, config.batch_size, CPU)
            curve.append((step * config.batch_size, found))
            learner.model.train()
    return Trained(learner.best_model.eval(), steps * config.batch_size, spent, curve)


def _step_cost_s(candidate: Candidate, dataset: Path) -> float:
    """Return the CPU seconds of a step."""
    config = replace(candidate.train, steps=TRIED, warmup=0)
    costs = list(_costs(Learner(candidate.model, config, CPU), dataset, config))
    return sum(costs[TRIED // 2 :]) / (TRIED - TRIED // 2)


def _costs(learner: Learner, dataset: Path, config: TrainConfig) -> Iterator[float]:
    """Take every step of a run; yield the CPU seconds of each, reading included."""
    reader = open_split(dataset, "train", learner.model.config)
    with training_data(reader, config, Execution(CPU, workers=0)) as data:
        batches = data.take(config.steps)
        for step in range(1, config.steps + 1):
            began = time.process_time()
            learner.update(finished(next(batches)), step)
            yield time.process_time() - began
