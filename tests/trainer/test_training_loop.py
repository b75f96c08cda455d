"""A run: it learns, it resumes exactly, it stops with a sentence."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dunhuang_data.atomic import locked
from dunhuang_data.errors import (
    CheckpointError,
    DatasetError,
    OutputExistsError,
    ResumeMismatchError,
    UsageProblem,
)
from dunhuang_trainer.checkpoint import load_state, load_weights, save_state
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import open_split, to_batch
from dunhuang_trainer.losses import LossParts, make_loss
from dunhuang_trainer.push_pull import push_pull_fill
from dunhuang_trainer.training import learner, loop
from dunhuang_trainer.training.execution import Execution
from dunhuang_trainer.training.folder import BEST, LAST, STATE, read_run, start_run
from dunhuang_trainer.training.log import read_log
from dunhuang_trainer.training.loop import Outcome, Watcher, train
from dunhuang_trainer.training.stopping import StopRequest
from dunhuang_trainer.training.validation import hole_mse

CPU = torch.device("cpu")
SMALL = ModelConfig(width=8, levels=3, base="none")
HERE = Execution(CPU)
MEASURED = ("images_per_second", "waiting", "memory_mb")


def config(steps: int, **settings: Any) -> TrainConfig:
    small = {"batch_size": 4, "learning_rate": 2e-3, "log_every": 1, "samples": 0}
    return TrainConfig(steps, **{**small, **settings})


class StopsAfter(Watcher):
    """Asks a run to stop after a step, or raises there as a killed process would."""

    def __init__(self, step: int, stop: StopRequest | None = None) -> None:
        self.at, self.stop = step, stop

    def step(self, step: int) -> None:
        if step == self.at:
            if self.stop is None:
                raise KeyboardInterrupt
            self.stop.ask("the test asked")


def go_on(out: Path, watcher: Watcher | None = None, execution: Execution = HERE) -> Outcome:
    return train(out, execution, StopRequest(), watcher or Watcher())


def run(dataset: Path, out: Path, train_config: TrainConfig, **options: Any) -> list[float]:
    """Train and return every step's loss."""
    start_run(dataset, out, SMALL, train_config, **options)
    go_on(out)
    return [row["loss"] for row in read_log(out)]


def rows(out: Path) -> list[dict[str, float]]:
    """Return a log without what is measured, and without what is missing."""
    return [
        {name: value for name, value in row.items() if name not in MEASURED and value == value}
        for row in read_log(out)
    ]


def test_the_loss_on_four_samples_falls_by_half_in_sixty_steps(
    pictures: Path, bank_root: Path, tmp_path: Path
) -> None:
    four = dataset_of(pictures, bank_root, tmp_path, per_picture=1, split=(0.6, 0.2, 0.2))
    assert len(open_split(four, "train", SMALL)) == 4
    losses = run(four, tmp_path / "run", config(60, validate_every=60))
    assert sum(losses[-10:]) < sum(losses[:10]) / 2


def test_a_run_writes_what_it_says(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(dataset, out, config(6, validate_every=2, log_every=4, samples=2))
    found = sorted(path.name for path in out.iterdir() if path.name != "tensorboard")
    assert found == [
        "best.safetensors", "last.safetensors", "last.state.pt", "metrics.csv", "metrics.jsonl",
        "run.json", "samples",
    ]  # fmt: skip
    names = sorted(path.name for path in (out / "samples").iterdir())
    assert names == ["step-000002.png", "step-000004.png", "step-000006.png"]
    log = read_log(out)
    assert [row["step"] for row in log] == [2, 4, 6]
    assert (out / "metrics.csv").read_text().splitlines()[0] == ",".join(log[0])
    best = min(log, key=lambda row: row["val_hole_mse"])
    model, info = load_weights(out / BEST)
    assert info.step == best["step"]
    assert info.scores == {"val_hole_mse": best["val_hole_mse"]}
    assert info.patch_size == 32
    assert not model.training
    # the best checkpoint is the network that had that score
    validation = open_split(dataset, "val", SMALL)
    assert hole_mse(model, validation, 4, CPU) == pytest.approx(best["val_hole_mse"])


def test_rows_stand_where_one_is_due_and_hold_means_over_their_steps(
    dataset: Path, tmp_path: Path
) -> None:
    every = run(dataset, tmp_path / "one", config(7, validate_every=5))
    run(dataset, tmp_path / "three", config(7, validate_every=5, log_every=3))
    log = read_log(tmp_path / "three")
    assert [row["step"] for row in log] == [3, 5, 6, 7]
    means = [sum(every[:3]) / 3, sum(every[3:5]) / 2, every[5], every[6]]
    assert [row["loss"] for row in log] == pytest.approx(means, rel=1e-12)
    assert [row["val_hole_mse"] > 0 for row in log] == [False, True, False, True]


EVERYTHING: dict[str, Any] = {
    "masks": "per-epoch", "flip": 0.5, "quarter_turns": True, "ema": 0.9, "schedule": "cosine",
    "warmup": 2, "clip": 0.5, "accumulate": 2, "loss": "mse+ssim",
}  # fmt: skip


def a_broken_run(dataset: Path, out: Path, settings: TrainConfig, save_every_s: float) -> int:
    """Break a run after step 5 and resume it; return from which step."""
    start_run(dataset, out, SMALL, settings)
    execution = replace(HERE, save_every_s=save_every_s)
    with pytest.raises(KeyboardInterrupt):
        go_on(out, StopsAfter(5), execution)
    step = int(load_state(out / STATE)["step"])
    assert go_on(out).stopped is None
    return step


@pytest.mark.parametrize(
    ("settings", "save_every_s", "kept"),
    [({}, 600.0, 3), (EVERYTHING, 600.0, 3), (EVERYTHING, 0.0, 4), ({"log_every": 4}, 0.0, 4)],
)
def test_resuming_gives_the_losses_of_the_unbroken_run(
    dataset: Path, tmp_path: Path, settings: dict[str, Any], save_every_s: float, kept: int
) -> None:
    same = config(9, **{"validate_every": 3, **settings})
    run(dataset, tmp_path / "whole", same)
    assert a_broken_run(dataset, tmp_path / "broken", same, save_every_s) == kept
    assert rows(tmp_path / "whole") == rows(tmp_path / "broken")
    for name in (LAST, BEST):
        whole, broken = (load_weights(tmp_path / run / name) for run in ("whole", "broken"))
        assert whole[1] == broken[1]
        weights = broken[0].state_dict()
        assert all(torch.equal(one, weights[n]) for n, one in whole[0].state_dict().items())


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from dunhuang_trainer.training.execution import Execution
from dunhuang_trainer.training.loop import Watcher, train
from dunhuang_trainer.training.stopping import StopRequest

torch.set_num_threads(1)


class Killer(Watcher):
    def step(self, step):
        if step == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)


execution = Execution(torch.device("cpu"), save_every_s=float(sys.argv[3]))
train(Path(sys.argv[1]), execution, StopRequest(), Killer())
"""


def test_a_run_that_is_killed_twice_ends_like_the_unbroken_one(
    dataset: Path, tmp_path: Path
) -> None:
    settings = config(7, **EVERYTHING, validate_every=7, log_every=2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run(dataset, tmp_path / "whole", settings)
        out = tmp_path / "killed"
        start_run(dataset, out, SMALL, settings)
        for step, kept in ((3, 2), (6, 5)):
            command = [sys.executable, "-c", KILLED, str(out), str(step), "0"]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            assert subprocess.run(command, env=environment, check=False).returncode == -9
            assert load_state(out / STATE)["step"] == kept
        go_on(out)
    finally:
        torch.set_num_threads(threads)
    assert rows(out) == rows(tmp_path / "whole")


def test_one_that_is_asked_to_stop_saves_after_the_step(dataset: Path, tmp_path: Path) -> None:
    settings = config(9, validate_every=9, log_every=2)
    run(dataset, tmp_path / "whole", settings)
    out, stop = tmp_path / "broken", StopRequest()
    start_run(dataset, out, SMALL, settings)
    outcome = train(out, HERE, stop, StopsAfter(5, stop))
    assert (outcome.step, outcome.stopped) == (5, "the test asked")
    assert load_state(out / STATE)["step"] == load_weights(out / LAST)[1].step == 5
    assert go_on(out).step == 9
    assert rows(out) == rows(tmp_path / "whole")  # step 6's row is a mean over both parts


def test_the_batches_of_a_split_on_the_device_are_the_same(dataset: Path, tmp_path: Path) -> None:
    losses = run(dataset, tmp_path / "read", config(4, **EVERYTHING))
    start_run(dataset, tmp_path / "kept", SMALL, config(4, **EVERYTHING))
    go_on(tmp_path / "kept", execution=replace(HERE, data_on_device=True))
    assert [row["loss"] for row in read_log(tmp_path / "kept")] == losses


def test_what_is_drawn_per_epoch_matters_and_who_reads_does_not(
    dataset: Path, tmp_path: Path
) -> None:
    cases: dict[str, dict[str, Any]] = {
        "plain": {}, "masks": {"masks": "per-epoch"}, "flip": {"flip": 1.0},
        "turns": {"quarter_turns": True},
    }  # fmt: skip
    losses = {
        name: run(dataset, tmp_path / name, config(1, **settings))
        for name, settings in cases.items()
    }
    assert len({tuple(one) for one in losses.values()}) == 4
    start_run(dataset, tmp_path / "none", SMALL, config(1))
    go_on(tmp_path / "none", execution=replace(HERE, workers=0))
    assert rows(tmp_path / "none") == rows(tmp_path / "plain")


def test_checkpoints_are_as_far_apart_as_asked(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, steps = [0.0], []

    def saved(path: Path, state: dict[str, Any]) -> None:
        steps.append(state["step"])
        save_state(path, state)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(loop, "save_state", saved)

    class Slow(Watcher):
        def step(self, step: int) -> None:
            now[0] += 10.0

    start_run(dataset, tmp_path / "run", SMALL, config(9, validate_every=9))
    go_on(tmp_path / "run", Slow(), replace(HERE, save_every_s=25.0))
    assert steps == [3, 6, 9]


def test_a_finished_run_resumes_to_nothing(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "run", config(2))
    before = (tmp_path / "run" / STATE).read_bytes()
    assert go_on(tmp_path / "run", StopsAfter(2)) == Outcome(2, {}, None)
    assert (tmp_path / "run" / STATE).read_bytes() == before


def test_the_best_weights_are_the_average_if_there_is_one(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "run", config(3, ema=0.9))
    state = load_state(tmp_path / "run" / STATE)
    weights = load_weights(tmp_path / "run" / LAST)[0].state_dict()
    name = "encoder.0.conv.conv.weight"
    assert torch.equal(weights[name], state["average"][name])
    assert not torch.equal(weights[name], state["model"][name])
    best, info = load_weights(tmp_path / "run" / BEST)  # and it is what was validated
    score = hole_mse(best, open_split(dataset, "val", SMALL), 4, CPU)
    assert score == pytest.approx(info.scores["val_hole_mse"], rel=1e-6)
    final = read_log(tmp_path / "run")[-1]["val_hole_mse"]
    last = hole_mse(
        load_weights(tmp_path / "run" / LAST)[0], open_split(dataset, "val", SMALL), 4, CPU
    )
    assert last == pytest.approx(final, rel=1e-6)


def test_the_best_is_never_worse_than_what_a_run_begins_with(dataset: Path, tmp_path: Path) -> None:
    """With a base that is the fill; here training can only spoil it."""
    out, model = tmp_path / "run", ModelConfig(width=8, levels=3, base="push-pull")
    start_run(dataset, out, model, config(2, learning_rate=0.9))
    notes: list[str] = []

    class Listens(Watcher):
        def note(self, text: str) -> None:
            notes.append(text)

    go_on(out, Listens())
    best, info = load_weights(out / BEST)
    assert info.step == 0
    reader = open_split(dataset, "val", model)
    score = hole_mse(best, reader, 4, CPU)
    assert info.scores == {"val_hole_mse": score}
    assert notes == [f"step 0: error in the holes {score:.0f} validation, before training"]
    assert all(row["val_hole_mse"] > score for row in read_log(out) if row["step"] == 2)
    samples = to_batch(reader.read([0, 1]), CPU)
    image = samples.target * samples.valid
    assert torch.equal(best(image, samples.valid), push_pull_fill(image, samples.valid))


def test_a_best_that_is_gone_is_chosen_anew(dataset: Path, tmp_path: Path) -> None:
    out, stop = tmp_path / "run", StopRequest()
    start_run(dataset, out, SMALL, config(4, validate_every=1))
    train(out, HERE, stop, StopsAfter(2, stop))
    (out / BEST).unlink()
    notes: list[str] = []

    class Listens(Watcher):
        def note(self, text: str) -> None:
            notes.append(text)

    go_on(out, Listens())
    assert len(notes) == 1
    assert "best.safetensors is gone" in notes[0]
    later = [row["val_hole_mse"] for row in read_log(out) if row["step"] > 2]
    assert load_weights(out / BEST)[1].scores == {"val_hole_mse": min(later)}


def test_fine_tuning_starts_from_the_weights(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "first", config(4))
    first = tmp_path / "first" / LAST
    start_run(dataset, tmp_path / "second", SMALL, config(4, ema=0.9), init_from=first)
    state = load_state(tmp_path / "second" / STATE)
    weights = load_weights(first)[0].state_dict()
    for part in ("model", "average"):
        assert all(torch.equal(state[part][name], value) for name, value in weights.items())
    with pytest.raises(CheckpointError, match="do not fit this network"):
        start_run(
            dataset, tmp_path / "third", ModelConfig(4, 3, base="none"), config(4), init_from=first
        )
    assert not (tmp_path / "third").exists()


def test_frozen_norms_of_the_encoder_stay_as_they_were(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "first", config(3))
    first = tmp_path / "first" / LAST
    run(dataset, tmp_path / "second", config(3, frozen_norm="encoder"), init_from=first)
    before, after = (
        load_weights(path)[0].state_dict() for path in (first, tmp_path / "second" / LAST)
    )
    frozen = [name for name in before if name.startswith("encoder") and ".norm." in name]
    assert len(frozen) == 5 * SMALL.levels
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    moved = [name for name in before if name not in frozen and "num_batches" not in name]
    assert not any(torch.equal(before[name], after[name]) for name in moved)


def dataset_of(
    pictures: Path,
    bank_root: Path,
    tmp_path: Path,
    per_picture: int,
    split: tuple[float, float, float],
) -> Path:
    from drawings import SIZE
    from dunhuang_data.build import build_dataset
    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.plan import make_plan
    from dunhuang_data.recipe import BuildRecipe, PlanRecipe

    recipe = PlanRecipe(patch_size=SIZE, per_picture=per_picture, split=split)
    plan = make_plan([pictures], recipe)
    build_dataset(plan, open_bank(bank_root), tmp_path / "shards", BuildRecipe("hdf5"))
    return tmp_path / "shards"


def test_the_weights_of_vgg_may_move_but_not_change(
    dataset: Path, tmp_path: Path, vgg_file: Path
) -> None:
    out, here, there = tmp_path / "run", tmp_path / "vgg.pth", tmp_path / "moved.pth"
    shutil.copy(vgg_file, here)
    start_run(dataset, out, SMALL, config(1, loss="poster"), features=here)
    here.rename(there)
    changed = torch.load(there, weights_only=True)
    next(iter(changed.values()))[0] += 1
    torch.save(changed, tmp_path / "changed.pth")
    with pytest.raises(ResumeMismatchError, match=r"not those this run began with"):
        go_on(out, execution=replace(HERE, features=tmp_path / "changed.pth"))
    go_on(out, execution=replace(HERE, features=there))
    assert load_state(out / STATE)["step"] == 1


@pytest.mark.parametrize("precision", ["float32", "fp16"])
def test_gradients_are_cut_to_the_norm_that_is_asked_for(dataset: Path, precision: str) -> None:
    batch = to_batch(open_split(dataset, "train", SMALL).read(range(4)), CPU)
    settings = config(1, clip=1e-3, precision=precision)
    one = learner.Learner(SMALL, settings, CPU)
    one.update(batch, 1)
    found = [p.grad for p in one.model.parameters() if p.grad is not None]
    assert float(torch.stack([g.norm() for g in found]).norm()) == pytest.approx(1e-3, rel=1e-2)


def test_micro_batches_have_the_gradient_of_the_whole(dataset: Path) -> None:
    batch = to_batch(open_split(dataset, "train", SMALL).read(range(4)), CPU)
    found = []
    for parts in (1, 2):
        settings = config(1, accumulate=parts, frozen_norm="all")
        one = learner.Learner(SMALL, settings, CPU)
        loss, _ = one.update(batch, 1)
        grads = [p.grad.flatten() for p in one.model.parameters() if p.grad is not None]
        found.append((float(loss), torch.cat(grads)))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-6)
    assert torch.allclose(found[1][1], found[0][1], rtol=1e-4, atol=1e-7)


def test_a_run_does_not_lie_in_its_dataset(dataset: Path) -> None:
    with pytest.raises(UsageProblem, match=r"lies in the dataset .*, which holds nothing but its"):
        start_run(dataset, dataset / "run", SMALL, config(2))
    assert not (dataset / "run").exists()


def test_without_validation_split_there_is_no_best(
    pictures: Path, bank_root: Path, tmp_path: Path
) -> None:
    shards = dataset_of(pictures, bank_root, tmp_path, per_picture=2, split=(1.0, 0.0, 0.0))
    run(shards, tmp_path / "run", config(2, samples=2))
    assert not (tmp_path / "run" / BEST).exists()
    assert not (tmp_path / "run" / "samples").exists()
    assert load_weights(tmp_path / "run" / LAST)[1].scores == {}  # no NaN: JSON has none
    with pytest.raises(DatasetError, match="val has no rows; 0 was asked for"):
        open_split(shards, "val", SMALL).read([0])


def test_the_best_can_be_left_unchosen_but_never_chosen_on_the_test_split(
    dataset: Path, tmp_path: Path
) -> None:
    run(dataset, tmp_path / "run", config(2, select_on="none"))
    assert not (tmp_path / "run" / BEST).exists()
    with pytest.raises(UsageProblem, match="chosen on the test split have seen it"):
        config(2, select_on="test")


def broken_at(step: int, part: str) -> Callable[..., Any]:
    """Return a way to make losses, whose one is not finite at a step."""
    made = make_loss

    def make(*arguments: Any) -> Any:
        loss, calls = made(*arguments), []

        def forward(*tensors: torch.Tensor) -> LossParts:
            calls.append(1)
            found = type(loss).forward(loss, *tensors)
            if len(calls) != step:
                return found
            if part == "loss":
                return LossParts(found.total * float("nan"), found.parts)
            return LossParts(found.total, {**found.parts, part: torch.tensor(float("inf"))})

        monkeyed: Any = loss
        monkeyed.forward = forward
        return loss

    return make


def test_a_loss_that_is_not_finite_stops_with_step_parts_and_the_weights_before(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    run(dataset, tmp_path / "whole", config(4))
    monkeypatch.setattr(learner, "make_loss", broken_at(5, "loss"))
    start_run(dataset, out, SMALL, config(6, validate_every=6, log_every=6))
    sentence = r"stopped at step 5: loss nan, hole 0\.\d+, pixel 0\.\d+, .* checkpoint of step 4 is"
    with pytest.raises(CheckpointError, match=sentence):
        go_on(out)
    assert load_state(out / STATE)["step"] == 4
    kept, whole = (load_weights(one / LAST) for one in (out, tmp_path / "whole"))
    assert kept[1].step == 4
    weights = whole[0].state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in kept[0].state_dict().items())


def test_nothing_is_saved_behind_a_loss_that_nobody_looked_at(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU losses are looked at later; a part that is infinite stands for it here."""
    out = tmp_path / "run"
    monkeypatch.setattr(learner, "make_loss", broken_at(5, "hole"))
    start_run(dataset, out, SMALL, config(9, validate_every=3, log_every=8))
    with pytest.raises(CheckpointError, match=r"stopped at step 5: .*hole inf.*of step 3 is kept"):
        go_on(out)
    assert load_state(out / STATE)["step"] == load_weights(out / LAST)[1].step == 3


def test_a_row_looks_at_the_losses_too(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr(learner, "make_loss", broken_at(3, "hole"))
    start_run(dataset, out, SMALL, config(9, validate_every=9, log_every=2))
    with pytest.raises(CheckpointError, match=r"stopped at step 3: .*hole inf.*of step 0 is kept"):
        go_on(out)
    assert [row["step"] for row in read_log(out)] == [2]  # and none of step 4 without its numbers


def test_weights_that_are_not_finite_are_never_saved(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poison(model: torch.nn.Module, *arguments: object) -> float:
        if (out / LAST).exists():
            with torch.no_grad():
                next(model.parameters())[0] = float("nan")
        return 1.0

    out = tmp_path / "run"
    start_run(dataset, out, SMALL, config(6, validate_every=3))
    monkeypatch.setattr(loop, "hole_mse", poison)
    with pytest.raises(CheckpointError, match=r"stopped at step 6: a weight nan, .* of step 3 is"):
        go_on(out)
    assert load_weights(out / LAST)[1].step == load_state(out / STATE)["step"] == 3


def test_killed_before_the_first_checkpoint_it_begins_again(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "whole", config(4, validate_every=4))
    start_run(dataset, tmp_path / "run", SMALL, config(4, validate_every=4))
    with pytest.raises(KeyboardInterrupt):
        go_on(tmp_path / "run", StopsAfter(3))
    assert [row["step"] for row in read_log(tmp_path / "run")] == [1, 2]
    go_on(tmp_path / "run")
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_a_log_that_was_lost_is_begun_again(dataset: Path, tmp_path: Path) -> None:
    start_run(dataset, tmp_path / "run", SMALL, config(4, validate_every=2))
    with pytest.raises(KeyboardInterrupt):
        go_on(tmp_path / "run", StopsAfter(3))
    for path in (tmp_path / "run").glob("metrics.*"):
        path.unlink()
    shutil.rmtree(tmp_path / "run" / "tensorboard", ignore_errors=True)
    go_on(tmp_path / "run")
    assert [row["step"] for row in read_log(tmp_path / "run")] == [3, 4]


def test_two_processes_cannot_train_one_run(dataset: Path, tmp_path: Path) -> None:
    start_run(dataset, tmp_path / "run", SMALL, config(2))
    with (
        locked(tmp_path / "run", "training in"),
        pytest.raises(OutputExistsError, match="Another process is training in"),
    ):
        go_on(tmp_path / "run")


@pytest.mark.parametrize(
    ("part", "name", "value"), [("train", "learning_rate", 0.5), ("model", "width", 16)]
)
def test_settings_that_were_changed_in_run_json_are_a_sentence(
    dataset: Path, tmp_path: Path, part: str, name: str, value: object
) -> None:
    out = tmp_path / "run"
    start_run(dataset, out, SMALL, config(2))
    document = json.loads((out / "run.json").read_text())
    document[part][name] = value
    (out / "run.json").write_text(json.dumps(document))
    with pytest.raises(ResumeMismatchError, match=rf"they differ in {part}\.{name} \(.* {value} "):
        go_on(out)


def test_the_state_of_a_run_on_another_dataset_is_a_sentence(
    dataset: Path, pictures: Path, bank_root: Path, tmp_path: Path
) -> None:
    other = dataset_of(pictures, bank_root, tmp_path, per_picture=2, split=(0.6, 0.2, 0.2))
    for name, shards in (("one", dataset), ("two", other)):
        start_run(shards, tmp_path / name, SMALL, config(2))
    shutil.copy(tmp_path / "two" / STATE, tmp_path / "one" / STATE)
    with pytest.raises(ResumeMismatchError, match="they differ in dataset_sha256"):
        go_on(tmp_path / "one")


def test_a_state_that_lacks_a_part_is_a_sentence(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    start_run(dataset, out, SMALL, config(2))
    state = load_state(out / STATE)
    del state["model"]["encoder.0.conv.conv.weight"]
    save_state(out / STATE, state)
    with pytest.raises(CheckpointError, match=r"(?s)does not fit this run: .*Start the run anew"):
        go_on(out)


def test_a_run_under_way_is_not_replaced(dataset: Path, tmp_path: Path) -> None:
    """The process that trains would write into the new one."""
    out = tmp_path / "run"
    start_run(dataset, out, SMALL, config(2))
    with (
        locked(out, "training in"),
        pytest.raises(OutputExistsError, match="Another process is training in"),
    ):
        start_run(dataset, out, SMALL, config(3), overwrite=True)
    assert read_run(out).train.steps == 2
    start_run(dataset, out, SMALL, config(3), overwrite=True)
    assert read_run(out).train.steps == 3


def test_what_a_killed_process_left_half_written_is_swept(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    left = [out / ".last.state.pt.partial-01ab.pt", out / "samples" / ".step-000001.png.partial-02"]
    start_run(dataset, out, SMALL, config(1))
    left[1].parent.mkdir()
    for path in left:
        path.write_bytes(b"half")
    start_run(dataset, out, SMALL, config(1), overwrite=True)  # it is no foreign file
    left[1].parent.mkdir()
    for path in left:
        path.write_bytes(b"half")
    go_on(out)
    assert not any(path.exists() for path in left)


def test_one_that_is_asked_to_stop_at_its_last_step_is_finished(
    dataset: Path, tmp_path: Path
) -> None:
    stop = StopRequest()
    start_run(dataset, tmp_path / "run", SMALL, config(2))
    outcome = train(tmp_path / "run", HERE, stop, StopsAfter(2, stop))
    assert (outcome.step, outcome.stopped) == (2, None)
