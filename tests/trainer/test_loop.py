"""A run: it learns, it resumes exactly, it stops with a sentence."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from dunhuang_data.atomic import locked
from dunhuang_data.errors import (
    CheckpointError,
    DatasetError,
    EnvironmentProblem,
    OutputExistsError,
    ResumeMismatchError,
)
from dunhuang_trainer import loop
from dunhuang_trainer.checkpoint import load_state, load_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import open_split
from dunhuang_trainer.loop import pick_device, read_log, read_run, start_run, train
from dunhuang_trainer.losses import LossParts, mse_loss

CPU = torch.device("cpu")
SMALL = ModelConfig(width=8, levels=3)


def config(steps: int, **settings: Any) -> TrainConfig:
    return TrainConfig(steps, **{"batch_size": 4, "learning_rate": 2e-3, **settings})


def run(dataset: Path, out: Path, train_config: TrainConfig, **options: Any) -> list[float]:
    """Train and return every step's loss."""
    losses: list[float] = []
    start_run(dataset, out, SMALL, train_config, **options)
    train(out, CPU, lambda row: losses.append(row["loss"]) if len(row) == 2 else None)
    return losses


def test_the_loss_falls_by_half_in_sixty_steps(dataset: Path, tmp_path: Path) -> None:
    losses = run(dataset, tmp_path / "run", config(60, validate_every=30))
    assert len(losses) == 60
    assert sum(losses[-10:]) < sum(losses[:10]) / 2


def test_a_run_writes_what_it_says(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(dataset, out, config(6, validate_every=2))
    assert sorted(path.name for path in out.iterdir()) == [
        "best.safetensors", "last.safetensors", "last.state.pt", "metrics.csv", "metrics.jsonl",
        "run.json",
    ]  # fmt: skip
    log = read_log(out)
    assert [row["step"] for row in log] == [2, 4, 6]
    assert (out / "metrics.csv").read_text().splitlines()[0] == ",".join(log[0])
    best = min(log, key=lambda row: row["val_hole_mse"])
    model, info = load_weights(out / "best.safetensors")
    assert info.step == best["step"]
    assert info.scores == {"val_hole_mse": best["val_hole_mse"]}
    assert info.patch_size == 32
    assert not model.training
    # the best checkpoint is the network that had that score
    validation = open_split(dataset, "val", SMALL)
    assert loop.validate(model, validation, 4, CPU) == pytest.approx(best["val_hole_mse"])


DRAWN: dict[str, Any] = {"masks": "per-epoch", "flip": 0.5, "quarter_turns": True}


def test_resuming_gives_the_losses_of_the_unbroken_run(dataset: Path, tmp_path: Path) -> None:
    settings = config(9, validate_every=3, **DRAWN)
    whole = run(dataset, tmp_path / "whole", settings)
    broken: list[float] = []

    def stop(row: dict[str, Any]) -> None:
        if len(row) == 2:
            broken.append(row["loss"])
            if row["step"] == 5:
                raise KeyboardInterrupt

    out = tmp_path / "broken"
    start_run(dataset, out, SMALL, settings)
    with pytest.raises(KeyboardInterrupt):
        train(out, CPU, stop)
    assert load_state(out / "last.state.pt")["step"] == 3
    resumed: list[float] = []
    train(out, CPU, lambda row: resumed.append(row["loss"]) if len(row) == 2 else None)
    assert broken[:3] + resumed == whole
    logs = [read_log(tmp_path / name) for name in ("whole", "broken")]
    for row in (*logs[0], *logs[1]):
        row.pop("images_per_second")
    assert logs[0] == logs[1]
    for name in ("whole", "broken"):
        shutil.move(tmp_path / name / "last.safetensors", tmp_path / f"{name}.safetensors")
    assert (tmp_path / "whole.safetensors").read_bytes() == (
        tmp_path / "broken.safetensors"
    ).read_bytes()


def test_what_is_drawn_per_epoch_matters_and_who_reads_does_not(
    dataset: Path, tmp_path: Path
) -> None:
    cases: dict[str, dict[str, Any]] = {
        "plain": {},
        "two workers": {"workers": 2},
        "masks": {"masks": "per-epoch"},
        "flip": {"flip": 1.0},
        "turns": {"quarter_turns": True},
    }
    losses = {
        name: run(dataset, tmp_path / name, config(1, validate_every=1, **settings))
        for name, settings in cases.items()
    }
    assert losses.pop("two workers") == losses["plain"]
    assert len({tuple(one) for one in losses.values()}) == 4


def test_a_finished_run_resumes_to_nothing(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "run", config(2, validate_every=2))
    steps: list[object] = []
    assert train(tmp_path / "run", CPU, steps.append)["step"] == 2
    assert steps == []


def test_fine_tuning_starts_from_the_weights(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "first", config(4, validate_every=4))
    first = tmp_path / "first" / "last.safetensors"
    start_run(dataset, tmp_path / "second", SMALL, config(4), init_from=first)
    state = load_state(tmp_path / "second" / "last.state.pt")
    weights = load_weights(first)[0].state_dict()
    assert all(torch.equal(state["model"][name], value) for name, value in weights.items())
    with pytest.raises(CheckpointError, match="do not fit this network"):
        start_run(dataset, tmp_path / "third", ModelConfig(4, 3), config(4), init_from=first)
    assert not (tmp_path / "third").exists()


def test_without_validation_split_there_is_no_best(
    pictures: Path, bank_root: Path, tmp_path: Path
) -> None:
    from drawings import SIZE
    from dunhuang_data.build import build_dataset
    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.plan import make_plan
    from dunhuang_data.recipe import BuildRecipe, PlanRecipe

    plan = make_plan([pictures], PlanRecipe(patch_size=SIZE, per_picture=2, split=(1.0, 0.0, 0.0)))
    build_dataset(plan, open_bank(bank_root), tmp_path / "shards", BuildRecipe("hdf5"))
    run(tmp_path / "shards", tmp_path / "run", config(2, validate_every=2))
    assert not (tmp_path / "run" / "best.safetensors").exists()
    assert (tmp_path / "run" / "last.safetensors").exists()
    with pytest.raises(DatasetError, match="val has no rows; 0 was asked for"):
        open_split(tmp_path / "shards", "val", SMALL).read([0])


def test_a_loss_that_is_not_finite_stops_with_the_step(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    nan = float("nan")

    def explode(*tensors: torch.Tensor) -> Any:
        calls.append(1)
        parts = mse_loss(*tensors)
        broken = len(calls) == 4
        return LossParts(parts.total * nan, parts.pixel, parts.hole) if broken else parts

    monkeypatch.setattr(loop, "mse_loss", explode)
    out = tmp_path / "run"
    start_run(dataset, out, SMALL, config(6, validate_every=3))
    sentence = r"stopped at step 4: the loss is nan\. The checkpoint of step 3 is kept"
    with pytest.raises(CheckpointError, match=sentence):
        train(out, CPU, lambda row: None)
    assert load_weights(out / "last.safetensors")[1].step == 3


def test_another_dataset_is_refused_on_resuming(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    start_run(dataset, out, SMALL, config(2))
    document = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**document, "dataset_sha256": "0" * 64}))
    with pytest.raises(ResumeMismatchError, match="is not the dataset this run began with"):
        train(out, CPU, lambda row: None)


def test_bad_starts_are_sentences(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="fewer than one batch of 32"):
        start_run(dataset, tmp_path / "run", SMALL, TrainConfig(2))
    start_run(dataset, tmp_path / "run", SMALL, config(2))
    with pytest.raises(OutputExistsError):
        start_run(dataset, tmp_path / "run", SMALL, config(2))
    with pytest.raises(
        CheckpointError, match=r"is not a run that can be resumed: there is no run\.json"
    ):
        read_run(tmp_path)
    with pytest.raises(EnvironmentProblem, match="gpu0 is none of auto, cpu, cuda and cuda:N"):
        pick_device("gpu0")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(EnvironmentProblem, match=r"--device cuda:1: torch .* sees 0 GPUs here"):
        pick_device("cuda:1")
    assert pick_device("auto") == CPU


def test_weights_that_are_not_finite_are_never_saved(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poison(model: torch.nn.Module, *arguments: object) -> float:
        if loop.read_log(out)[-1:] and len(loop.read_log(out)) == 1:
            with torch.no_grad():
                next(model.parameters())[0] = float("nan")
        return 1.0

    out = tmp_path / "run"
    start_run(dataset, out, SMALL, config(6, validate_every=3))
    (out / "metrics.jsonl").write_text("")
    monkeypatch.setattr(loop, "validate", poison)
    sentence = r"stopped at step 6: the weights are no longer finite\. The checkpoint of step 3"
    with pytest.raises(CheckpointError, match=sentence):
        train(out, CPU, lambda row: None)
    assert load_weights(out / "last.safetensors")[1].step == 3
    assert load_state(out / "last.state.pt")["step"] == 3


def test_killed_before_the_logs_were_written_they_come_back(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "run", config(2, validate_every=1))
    expected = read_log(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").unlink()
    train(tmp_path / "run", CPU, lambda row: None)
    assert read_log(tmp_path / "run") == expected


def test_two_processes_cannot_train_one_run(dataset: Path, tmp_path: Path) -> None:
    start_run(dataset, tmp_path / "run", SMALL, config(2))
    with (
        locked(tmp_path / "run", "training in"),
        pytest.raises(OutputExistsError, match="Another process is training in"),
    ):
        train(tmp_path / "run", CPU, lambda row: None)
