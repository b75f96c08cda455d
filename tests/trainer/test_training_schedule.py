"""The learning rate of a step."""

from itertools import pairwise

import pytest

from dunhuang_trainer.config import TrainConfig
from dunhuang_trainer.training.schedule import learning_rate


def rates(**settings: object) -> list[float]:
    config = TrainConfig(10, learning_rate=0.5, **settings)  # type: ignore[arg-type]
    return [learning_rate(config, step) for step in range(1, 11)]


def test_it_is_constant_unless_asked_otherwise() -> None:
    assert rates() == [0.5] * 10


def test_it_rises_in_a_straight_line_to_the_full_rate() -> None:
    assert rates(warmup=4) == [0.125, 0.25, 0.375, *[0.5] * 7]


def test_a_cosine_falls_from_the_full_rate_and_never_to_nothing() -> None:
    found = rates(schedule="cosine")
    assert found[0] == 0.5
    assert found[5] == pytest.approx(0.25)  # halfway
    assert all(a > b for a, b in pairwise(found))
    assert 0 < found[-1] < 0.02


def test_the_cosine_begins_after_the_rise() -> None:
    found = rates(schedule="cosine", warmup=4)
    assert found[:3] == [0.125, 0.25, 0.375]
    assert found[3] == 0.5
    assert found[4] < 0.5
    assert rates(schedule="cosine", warmup=10)[-1] == 0.5
    assert rates(warmup=20)[-1] == 0.25
