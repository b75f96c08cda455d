"""One optimiser update: what the network is given, at which rate it learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import Batch
from dunhuang_trainer.training.learner import Learner
from dunhuang_trainer.training.schedule import learning_rate

CPU = torch.device("cpu")
SMALL = ModelConfig(width=4, levels=3)


def batch(seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    target, valid = torch.rand(4, 3, 16, 24), (torch.rand(4, 1, 16, 24) < 0.7).float()
    return Batch(target, valid, torch.zeros_like(valid))


@pytest.mark.parametrize("convolution", ["partial", "plain"])
@pytest.mark.parametrize("base", ["none", "push-pull"])
def test_what_the_target_holds_in_holes_is_never_shown(convolution: str, base: str) -> None:
    model = replace(SMALL, convolution=convolution, base=base)
    learner = Learner(model, TrainConfig(5, batch_size=4), CPU)
    given: list[tuple[Tensor, Tensor]] = []

    def look(_module: Any, arguments: tuple[Tensor, Tensor]) -> None:
        given.append(arguments)

    learner.model.register_forward_pre_hook(look)
    samples = batch()
    learner.losses(samples)
    image, valid = given[0]
    assert torch.equal(valid, samples.valid)
    assert torch.equal(image, samples.target * samples.valid)
    # and what it predicts does not depend on it either
    other = Batch(samples.target + 9 * (1 - samples.valid), samples.valid, samples.damage)
    learner.model.eval()
    with torch.no_grad():
        one, two = (learner.model(x.target * x.valid, x.valid) for x in (samples, other))
    assert torch.equal(one, two)


def test_every_step_is_made_at_the_rate_of_the_schedule() -> None:
    config = TrainConfig(6, batch_size=4, learning_rate=1e-3, warmup=2, schedule="cosine")
    learner = Learner(SMALL, config, CPU)
    rates = []
    learner.optimizer.register_step_pre_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
    )
    for step in range(1, 7):
        learner.update(batch(step), step)
    assert rates == [learning_rate(config, step) for step in range(1, 7)]
    assert rates[0] == 5e-4
    assert rates[-1] < 2e-4
