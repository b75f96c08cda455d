"""The meter: exact means whatever interrupts them, the first bad step, and times that add up."""

import io
from collections.abc import Iterator
from itertools import count

import pytest
import torch
from torch import Tensor

from dunhuang_data.errors import CheckpointError
from dunhuang_trainer.memory import peak_bytes
from dunhuang_trainer.training.meter import Meter

CPU = torch.device("cpu")


class Clock:
    """Goes on when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def losses(step: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Return numbers whose sums depend on the order in which they are added."""
    total = torch.tensor(10.0 ** (step % 7 - 3) / 3, requires_grad=True)
    return total, {"hole": torch.tensor(step / 7), "ssim": torch.tensor(0.1 * step)}


def filled(steps: range, meter: Meter | None = None) -> Meter:
    meter = meter or Meter(CPU, ("hole", "ssim"))
    for step in steps:
        meter.add(step, *losses(step), images=4)
    return meter


def test_a_row_has_the_means_in_float64_and_ends_the_interval() -> None:
    meter = filled(range(1, 30))
    first, second = meter.row(), filled(range(30, 33), meter).row()
    for row, steps in ((first, range(1, 30)), (second, range(30, 33))):
        total = 0.0
        for step in steps:
            total += float(losses(step)[0].detach())
        assert row["loss"] == total / len(steps)
        hole = [float(losses(step)[1]["hole"]) for step in steps]
        assert row["hole"] == pytest.approx(sum(hole) / len(hole), rel=1e-15)
    assert list(first) == ["loss", "hole", "ssim", "images_per_second", "waiting", "memory_mb"]
    with pytest.raises(ValueError, match="an interval without a step"):
        meter.row()


@pytest.mark.parametrize("at", [(5,), (1, 2, 28), (9, 17)])
def test_an_interrupted_interval_has_the_same_means_bit_for_bit(at: tuple[int, ...]) -> None:
    whole, first = filled(range(1, 30)).row(), 1
    meter = Meter(CPU, ("hole", "ssim"))
    for stop in (*at, 29):
        filled(range(first, stop + 1), meter)
        first = stop + 1
        stream = io.BytesIO()  # as it lies in a checkpoint
        torch.save(meter.state_dict(), stream)
        stream.seek(0)
        meter = Meter(CPU, ("hole", "ssim"))
        meter.load_state_dict(torch.load(stream, weights_only=True))
    row = meter.row()
    for name in ("loss", "hole", "ssim"):
        assert row[name] == whole[name]


def test_a_state_taken_on_the_way_changes_nothing() -> None:
    meter = Meter(CPU, ("hole", "ssim"))
    for step in range(1, 30):
        filled(range(step, step + 1), meter).state_dict()
    whole, row = filled(range(1, 30)).row(), meter.row()
    assert [row[name] for name in meter.names] == [whole[name] for name in meter.names]


def test_times_add_up_over_pauses_and_interruptions() -> None:
    clock = Clock()

    def slow() -> Iterator[int]:
        for batch in count():
            clock.now += 0.25
            yield batch

    meter = Meter(CPU, ("hole", "ssim"), clock=clock)
    batches = meter.timed(slow())
    for step in (1, 2):
        assert next(batches) == step - 1
        filled(range(step, step + 1), meter)
        clock.now += 1.75
    with meter.paused():
        clock.now += 1000
        state = meter.state_dict()  # as a checkpoint is written
        clock.now += 1000
    assert meter.state_dict() == state
    clock.now += 1000
    meter = Meter(CPU, ("hole", "ssim"), clock=clock)
    meter.load_state_dict(state)
    clock.now += 4
    filled(range(3, 5), meter)
    row = meter.row()
    assert (row["images_per_second"], row["waiting"]) == (16 / 8, 0.5 / 8)
    clock.now += 2
    row = filled(range(5, 6), meter).row()
    assert (row["images_per_second"], row["waiting"]) == (4 / 2, 0)


def test_the_end_of_the_batches_is_waiting_too_and_errors_pass() -> None:
    clock = Clock()

    def ending(error: bool) -> Iterator[int]:
        yield 1
        clock.now += 3
        if error:
            raise OSError("gone")

    meter = Meter(CPU, (), clock=clock)
    assert list(meter.timed(ending(False))) == [1]
    with pytest.raises(OSError, match="gone"):
        list(meter.timed(ending(True)))
    clock.now += 4
    meter.add(1, torch.tensor(1.0), {}, 1)
    assert meter.row()["waiting"] == 6 / 10


@pytest.mark.parametrize("where", ["loss", "ssim"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_first_bad_step_is_named_with_all_its_parts(where: str, value: float) -> None:
    meter = filled(range(1, 4))
    assert meter.settle() is None
    for step in range(4, 8):
        total, parts = losses(step)
        if step in (5, 6):
            bad = torch.tensor(value)
            total, parts = (bad, parts) if where == "loss" else (total, {**parts, "ssim": bad})
        meter.add(step, total, parts, 4)
    found = meter.settle()
    assert found is not None
    assert found.step == 5
    assert list(found.values) == ["loss", "hole", "ssim"]
    assert found.values["hole"] == float(losses(5)[1]["hole"])
    assert f"{where} {value:g}" in str(found)
    filled(range(8, 9), meter)
    assert meter.settle() is found  # it is not forgotten


def test_memory_that_is_written_again_does_not_change_what_was_noted() -> None:
    meter, total, hole = Meter(CPU, ("hole",)), torch.tensor(3.0), torch.tensor(5.0)
    meter.add(1, total, {"hole": hole}, 1)
    total.fill_(9)
    hole.fill_(9)
    row = meter.row()
    assert (row["loss"], row["hole"]) == (3, 5)


def test_no_graph_is_kept() -> None:
    meter = filled(range(1, 2))
    assert not any(value.requires_grad for value in meter._values)


def test_the_means_are_over_processes_and_a_bad_step_of_any_is_seen_by_all() -> None:
    def with_another(mine: Tensor) -> Tensor:
        assert mine.dtype == torch.float64
        other = mine + 1
        other[1, 0] = float("nan")
        return (mine + other) / 2

    meter = Meter(CPU, ("hole",), mean_over_processes=with_another)
    for step in (7, 8, 9):
        meter.add(step, torch.tensor(1.0), {"hole": torch.tensor(2.0)}, 1)
    found = meter.settle()
    assert found is not None
    assert (found.step, found.values["hole"]) == (8, 2.5)
    assert meter.row()["hole"] == 2.5


def test_memory_is_that_of_the_process() -> None:
    before = peak_bytes(CPU) / 1e6
    found = filled(range(1, 2)).row()["memory_mb"]
    assert before <= found < before + 100


def test_a_state_of_another_loss_is_a_sentence() -> None:
    state = filled(range(1, 3)).state_dict()
    with pytest.raises(CheckpointError, match="has the loss parts hole, loss, ssim; this loss has"):
        Meter(CPU, ("hole",)).load_state_dict(state)
    for broken in ({}, {**state, "steps": "two"}, {**state, "sums": [1.0]}):
        with pytest.raises(CheckpointError, match="it has no sums of the losses"):
            Meter(CPU, ("hole", "ssim")).load_state_dict(broken)
