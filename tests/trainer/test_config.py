"""Settings: what makes no network and no run is a sentence that names the option."""

from typing import Any

import pytest

from dunhuang_data.errors import UsageProblem
from dunhuang_trainer.config import ModelConfig, TrainConfig, settings_of, steps_for_epochs

NAN = float("nan")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"width": 0}, "--width 0 and --levels 8 make no network"),
        ({"levels": 13}, "--levels 13 make no network"),
        ({"base": "grey"}, "--base is 'grey'; expected one of none, push-pull"),
        ({"convolution": "full"}, "--convolution is 'full'; expected one of partial, plain"),
        ({"decoder": "both"}, "--decoder is 'both'; expected one of split, concat"),
    ],
)
def test_what_makes_no_network_is_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageProblem, match=sentence):
        ModelConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 0}, "--steps is 0; expected at least 1"),
        ({"batch_size": 1}, "--batch 1 leaves 1 sample at a time; batch norm needs at least 2"),
        ({"batch_size": 0, "frozen_norm": "all"}, "--batch 0 leaves 0 samples"),
        (
            {"batch_size": 8, "accumulate": 3},
            r"multiple of 3: 1 process times --accumulate 3",
        ),
        ({"batch_size": 4, "accumulate": 4}, "--batch 4 leaves 1 sample at a time"),
        ({"accumulate": 0}, "--accumulate is 0; expected at least 1"),
        ({"validate_every": 0}, "--validate-every is 0; expected at least 1"),
        ({"log_every": 0}, "--log-every is 0; expected at least 1"),
        ({"samples": -1}, "--samples is -1; expected at least 0"),
        ({"warmup": -1}, "--warmup is -1; expected at least 0"),
        ({"learning_rate": 2.0}, "--lr is 2; expected a number above 0 and below 1"),
        ({"learning_rate": NAN}, "--lr is nan; expected"),
        ({"ema": 1.0}, r"--ema is 1; expected 0 \(none\) or a decay below 1"),
        ({"ema": NAN}, "--ema is nan; expected"),
        ({"clip": -1.0}, r"--clip is -1; expected 0 \(none\) or a norm above 0"),
        ({"clip": NAN}, "--clip is nan; expected"),
        ({"seed": -1}, r"--seed is -1; expected a whole number below 2\*\*64"),
        ({"masks": "none"}, "--masks is 'none'"),
        ({"flip": 1.5}, r"--flip is 1\.5; expected a probability"),
        ({"loss": "l1"}, "--loss is 'l1'; expected one of mse, mse.ssim, poster, paper"),
        ({"schedule": "step"}, "--schedule is 'step'; expected one of constant, cosine"),
        ({"precision": "int8"}, "--precision is 'int8'; expected one of float32, bf16, fp16"),
        ({"frozen_norm": "decoder"}, "--freeze-norm is 'decoder'; expected one of none, encoder"),
        ({"select_on": "train"}, "--select-on is 'train'; expected one of val, none"),
        ({"select_on": "test"}, "--select-on test: weights that were chosen on the test split"),
    ],
)
def test_what_makes_no_run_is_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageProblem, match=sentence):
        TrainConfig(**{"steps": 5, **settings})


def test_settings_of_a_file_have_the_types_of_their_fields() -> None:
    values: dict[str, Any] = {"steps": 30, "learning_rate": 1e-3, "flip": 1, "quarter_turns": True}
    assert settings_of(TrainConfig, values) == TrainConfig(
        30, learning_rate=1e-3, flip=1.0, quarter_turns=True
    )
    for name, value in (("steps", 30.5), ("steps", True), ("flip", "1"), ("quarter_turns", 1)):
        with pytest.raises(ValueError, match=f"{name} is {value!r}, expected "):
            settings_of(TrainConfig, {**values, name: value})
    with pytest.raises(ValueError, match="width is '8', expected int"):
        settings_of(ModelConfig, {"width": "8"})


def test_a_batch_comes_out_even_over_processes_and_micro_batches() -> None:
    config = TrainConfig(5, batch_size=24, accumulate=3)
    assert [config.check_batch(processes) for processes in (1, 2, 4)] == [8, 4, 2]
    with pytest.raises(UsageProblem, match=r"not a multiple of 15: 5 processes times"):
        config.check_batch(5)
    with pytest.raises(UsageProblem, match="leaves 1 sample at a time"):
        config.check_batch(8)
    assert TrainConfig(5, batch_size=24, accumulate=3, frozen_norm="all").check_batch(8) == 1


def test_epochs_are_whole_batches() -> None:
    assert steps_for_epochs(15, 10_000, 32) == 15 * 312
    assert steps_for_epochs(3, 5, 8) == 3
