"""A dry run: the right times are multiplied by the right counts, and memory is seen."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from dunhuang_data.errors import EnvironmentProblem
from dunhuang_trainer.training.dry_run import DryRun, duration, measure

CPU = torch.device("cpu")


class Work:
    """Steps and validations that take given times."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, ""
        self.steps, self.validations = iter([50.0, 2.0, 9.0, 3.0]), iter([40.0, 0.5])

    def clock(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += next(self.steps)
        self.calls += "s"

    def validate(self) -> None:
        self.now += next(self.validations)
        self.calls += "v"


def test_the_run_is_the_median_step_times_the_steps_and_the_validations() -> None:
    work = Work()
    found = measure(
        work.step, work.validate, device=CPU, batch_size=12, steps=1001, validations=7,
        validation_batches=6, clock=work.clock,
    )  # fmt: skip
    assert work.calls == "ssssvv"
    assert (found.first_step_s, found.step_s, found.validation_s) == (50, 3, 3)
    assert found.run_s == 50 + 1000 * 3 + 7 * 3
    lines = str(found).splitlines()
    assert lines[0] == "one step: 3 s for 12 images, 4 images/s on cpu (the first took 50 s)"
    assert lines[1] == "one validation: about 3 s for 6 batches"
    assert lines[3] == "the run: 1001 steps and 7 validations, about 51 min 11 s"
    assert max(map(len, lines)) < 200


def test_without_a_validation_split_none_is_counted() -> None:
    work = Work()
    found = measure(
        work.step, None, device=CPU, batch_size=4, steps=1, validations=3, validation_batches=2,
        clock=work.clock,
    )  # fmt: skip
    assert work.calls == "ssss"
    assert (found.validations, found.validation_s, found.run_s) == (0, 0, 50)
    assert "validation" not in str(found)
    assert str(found).endswith("the run: 1 step, about 50 s")


OF_STEPS = """
import torch
from dunhuang_trainer import memory
from dunhuang_trainer.training.dry_run import measure

CPU = torch.device("cpu")


def step() -> None:
    bytearray(b"1") * (80 * 2**20)


earlier = bytearray(b"1") * (200 * 2**20)  # an earlier peak is none of the steps'
del earlier
found = measure(step, None, device=CPU, batch_size=1, steps=1)
assert 75 < found.grown_mb < 150, found
assert found.memory_mb > found.grown_mb
assert found.reserved_mb is None
assert 0.5 < found.free_mb / (memory.free_bytes(CPU) / 1e6) < 2, found
assert f"{found.grown_mb:,.0f} MB of them for the steps (an estimate" in str(found)
"""


def test_the_memory_of_the_steps_is_seen_even_where_it_is_freed() -> None:
    """In a process of its own: what other tests left would be freed meanwhile."""
    done = subprocess.run([sys.executable, "-c", OF_STEPS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_on_a_gpu_what_torch_reserved_is_said() -> None:
    found = DryRun("cuda:0", 4, 2, 0, 0, 1.0, 0.5, 0.0, 1234.4, 1000.0, 2000.0, 138000.0)
    assert str(found).splitlines()[1] == (
        "memory: 1,234 MB at the peak, 1,000 MB of them for the steps; torch reserved 2,000 MB on "
        "cuda:0, 138,000 MB are left there"
    )
    one = replace(found, steps=1, validations=1, validation_batches=1)
    assert "for 1 batch\n" in str(one)
    assert "1 step and 1 validation, about 1 s" in str(one)


def test_a_batch_that_does_not_fit_is_a_sentence() -> None:
    def step() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(
        EnvironmentProblem, match=r"a step of 64 images needs more memory than cpu has"
    ):
        measure(step, None, device=CPU, batch_size=64, steps=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (245, "4 min 5 s"),
        (3599.4, "59 min 59 s"), (3599.6, "1 h 0 min"), (14100, "3 h 55 min"),
        (90000, "25 h 0 min"),
    ],
)  # fmt: skip
def test_times_are_said_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_memory_of_a_gpu_is_that_of_the_steps() -> None:
    device = torch.device("cuda")

    def step() -> None:
        torch.ones(80 * 2**20, dtype=torch.uint8, device=device)

    found = measure(step, None, device=device, batch_size=1, steps=1)
    assert found.grown_mb == pytest.approx(80 * 2**20 / 1e6, rel=0.05)
    assert found.reserved_mb is not None
    assert found.reserved_mb >= found.grown_mb
