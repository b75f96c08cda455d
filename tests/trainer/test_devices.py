"""Devices by name."""

import pytest
import torch

from dunhuang_data.errors import EnvironmentProblem, UsageProblem
from dunhuang_trainer.devices import pick_device


@pytest.mark.parametrize("name", ["gpu0", "cuda:x", "xpu", "", "cpu:1"])
def test_what_is_no_device_is_a_sentence(name: str) -> None:
    with pytest.raises(UsageProblem, match="is none of auto, cpu, cuda and cuda:N"):
        pick_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(EnvironmentProblem, match=r"--device cuda:1: torch .* sees 0 GPUs here"):
        pick_device("cuda:1")
    assert pick_device("auto") == pick_device("auto", 3) == torch.device("cpu")


def test_every_process_takes_the_gpu_of_its_own_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [pick_device("auto", rank) for rank in (0, 1)] == [
        torch.device("cuda", 0), torch.device("cuda", 1),
    ]  # fmt: skip
    assert pick_device("cuda", 1) == torch.device("cuda", 1)
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device("cpu", 1) == torch.device("cpu")
    with pytest.raises(EnvironmentProblem, match="number 2 was asked for"):
        pick_device("auto", 2)
