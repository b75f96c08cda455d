"""``fit`` as it is typed: what it draws anew per epoch, and who reads."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

Invoke = Callable[..., Any]
SMALL = ("--width", 4, "--levels", 3, "--batch", 4, "--steps", 2)


def test_how_samples_are_used_is_recorded_and_kept(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ("--masks", "per-epoch", "--flip", 0.25, "--quarter-turns", "--workers", 0)
    outcome = invoke("dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL, *options)
    assert outcome.code == 0, outcome.err
    settings = json.loads((out / "run.json").read_text())["train"]
    assert {name: settings[name] for name in ("masks", "flip", "quarter_turns", "workers")} == {
        "masks": "per-epoch", "flip": 0.25, "quarter_turns": True, "workers": 0,
    }  # fmt: skip
    table = tomllib.loads((out / "run.toml").read_text())["fit"]
    assert [table[name] for name in ("masks", "flip", "quarter-turns", "workers")] == [
        "per-epoch", 0.25, True, 0,
    ]  # fmt: skip
    for option in (("--masks", "fixed"), ("--flip", 0), ("--no-quarter-turns",), ("--workers", 2)):
        outcome = invoke("dunhuang-train", "fit", "--resume", "-o", out, *option)
        assert outcome.code == 2
        assert "cannot be given with --resume" in outcome.err


def test_by_default_nothing_is_drawn_but_the_order(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert invoke("dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL).code == 0
    settings = json.loads((out / "run.json").read_text())["train"]
    assert {name: settings[name] for name in ("masks", "flip", "quarter_turns", "workers")} == {
        "masks": "fixed", "flip": 0.0, "quarter_turns": False, "workers": None,
    }  # fmt: skip
    # what run.toml says of them can be read again
    again = ("--config", out / "run.toml", "--dataset", dataset, "-o", tmp_path / "again")
    outcome = invoke("dunhuang-train", "fit", *again, "--dry-run")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("workers", ["-1", "many", "1.5"])
def test_workers_that_are_none_are_a_sentence(
    invoke: Invoke, dataset: Path, tmp_path: Path, workers: str
) -> None:
    outcome = invoke(
        "dunhuang-train", "fit", "--dataset", dataset, "-o", tmp_path / "run", "--workers", workers
    )
    assert outcome.code == 2
    assert f"'{workers}' is neither auto nor a number of threads, 0 or more" in outcome.err
