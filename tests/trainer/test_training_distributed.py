"""Several processes train the network that one trains. Here two, on the CPU, through gloo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dunhuang_trainer.checkpoint import load_state, load_weights
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.data import open_split
from dunhuang_trainer.training.distributed import Ranks, ranks_here
from dunhuang_trainer.training.folder import BEST, LAST, STATE
from dunhuang_trainer.training.log import read_log
from dunhuang_trainer.training.validation import hole_mse

CPU = torch.device("cpu")
FIT = ("--base", "none", "--width", "4",
       "--levels", "3", "--batch", "8", "--steps", "6", "--log-every", "1",
       "--validate-every", "3", "--samples", "2", "--device", "cpu", "--masks", "per-epoch",
       "--flip", "0.5", "--ema", "0.9", "--clip", "1", "--accumulate", "2")  # fmt: skip


def fit(processes: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run ``fit`` as a user of torchrun does; alone without it."""
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    launcher = launcher if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "dunhuang_trainer", "fit", *map(str, arguments)]
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_two_processes_have_the_losses_of_one(dataset: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "one", tmp_path / "two"]
    for processes, out in enumerate(runs, start=1):
        done = fit(processes, "--dataset", dataset, "-o", out, *FIT, "--freeze-norm", "all")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{out / BEST}\n"  # one of them speaks
        assert done.stderr.count("Training on cpu") == 1
    one, two = (read_log(out) for out in runs)
    for name in ("step", "epoch", "loss", "hole", "pixel", "learning_rate", "val_hole_mse"):
        expected = [row[name] for row in one]
        assert [row[name] for row in two] == pytest.approx(expected, rel=1e-6, nan_ok=True), name
    weights = load_weights(runs[1] / BEST)[0].state_dict()
    for name, value in load_weights(runs[0] / BEST)[0].state_dict().items():
        assert torch.allclose(value, weights[name], atol=1e-5), name
    names = sorted(path.name for path in (runs[1] / "samples").iterdir())
    assert names == ["step-000003.png", "step-000006.png"]


def test_two_processes_stop_together_and_one_goes_on(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = fit(2, "--dataset", dataset, "-o", out, *FIT, "--time-limit", "0s")
    assert done.returncode == 0, done.stderr
    assert "Stopped after step 1: the time limit is reached. Go on with:" in done.stderr
    again = f"torchrun --nproc-per-node 2 -m dunhuang_trainer fit --resume -o {out}"
    assert again in done.stderr
    assert load_state(out / STATE)["step"] == 1
    done = fit(1, "--resume", "-o", out)
    assert done.returncode == 0, done.stderr
    assert [row["step"] for row in read_log(out)] == [1, 2, 3, 4, 5, 6]


def test_statistics_of_its_own_in_each_process_do_not_change_a_resumed_run(
    dataset: Path, tmp_path: Path
) -> None:
    """The first process's are kept, so they are what is validated."""
    whole, out = tmp_path / "whole", tmp_path / "broken"
    options = ("--dataset", dataset, *FIT, "--steps", 4, "--validate-every", 2, "--ema", 0)
    assert fit(2, *options, "-o", whole).returncode == 0
    assert fit(2, *options, "-o", out, "--time-limit", "0s").returncode == 0
    assert fit(2, "--resume", "-o", out).returncode == 0
    one, two = (read_log(out) for out in (whole, out))
    for name in ("loss", "val_hole_mse"):
        assert str([row[name] for row in one]) == str([row[name] for row in two])
    last = [load_weights(out / LAST) for out in (whole, out)]
    assert last[0][1] == last[1][1]
    score = hole_mse(last[0][0], open_split(dataset, "val", ModelConfig(4, 3, base="none")), 2, CPU)
    assert score == pytest.approx(one[-1]["val_hole_mse"], rel=1e-6)


def test_the_others_say_so_when_one_has_ended(dataset: Path, tmp_path: Path) -> None:
    assert fit(1, "--dataset", dataset, *FIT, "-o", tmp_path / "run").returncode == 0
    done = fit(2, "--dataset", dataset, *FIT, "-o", tmp_path / "run")
    assert "Error: " in done.stderr
    assert "already holds a run" in done.stderr
    assert "unexpected" not in done.stderr


def test_what_does_not_come_out_even_is_a_sentence(dataset: Path, tmp_path: Path) -> None:
    done = fit(2, "--dataset", dataset, "-o", tmp_path / "run", "--batch", 7, "--levels", 3)
    assert done.returncode != 0
    sentence = "Error: --batch 7 is not a multiple of 2: 2 processes times --accumulate 1"
    assert sentence in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_process_knows_its_place_from_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert ranks_here() == Ranks(0, 1, 0)
    assert ranks_here().first
    assert not ranks_here().several
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert ranks_here() == Ranks(5, 8, 1)
    assert ranks_here().several
    assert not ranks_here().first
