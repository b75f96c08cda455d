"""``fit`` as it is typed: presets, settings, stopping, stages."""

import json
import os
import shutil
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

Invoke = Callable[..., Any]
SMALL = ("--width", 4, "--levels", 3, "--batch", 4, "--steps", 2, "--samples", 0)


def settings_of(run: Path) -> dict[str, Any]:
    document = json.loads((run / "run.json").read_text())
    return {**document["model"], **document["train"]}


def test_every_setting_is_recorded_and_kept(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = {
        "warmup": 1, "schedule": "cosine", "loss": "mse+ssim", "ema": 0.5, "clip": 2.0,
        "accumulate": 2, "log_every": 3, "masks": "per-epoch", "flip": 0.25, "seed": 7,
        "base": "push-pull", "convolution": "plain", "decoder": "concat", "freeze_norm": "encoder",
        "validate_every": 2, "select_on": "none", "lr": 0.001, "precision": "bf16",
    }  # fmt: skip
    options = [
        one for name, value in given.items() for one in (f"--{name.replace('_', '-')}", value)
    ]
    flags = ("--quarter-turns", "--channels-last")
    outcome = invoke(
        "dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL, *options, *flags,
        "--workers", 0,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    found = settings_of(out)
    given["learning_rate"], given["frozen_norm"] = given.pop("lr"), given.pop("freeze_norm")
    assert {name: found[name] for name in given} == given
    assert found["quarter_turns"] is found["channels_last"] is True
    table = tomllib.loads((out / "run.toml").read_text())["fit"]
    assert (table["clip"], table["freeze-norm"], table["channels-last"]) == (2.0, "encoder", True)
    # what run.toml says can be read again, and gives the same run
    again = tmp_path / "again"
    outcome = invoke("dunhuang-train", "fit", "--config", out / "run.toml", "-o", again)
    assert outcome.code == 0, outcome.err
    assert settings_of(again) == found


@pytest.mark.parametrize(
    "option",
    [("--masks", "fixed"), ("--flip", 0), ("--no-quarter-turns",), ("--preset", "seed"),
     ("--lr", 0.1), ("--base", "none"), ("--steps", 9)],
)  # fmt: skip
def test_a_run_that_is_resumed_keeps_its_settings(
    invoke: Invoke, dataset: Path, tmp_path: Path, option: tuple[object, ...]
) -> None:
    out = tmp_path / "run"
    start = ("dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL)
    assert invoke(*start, "--time-limit", "0s").code == 0
    outcome = invoke("dunhuang-train", "fit", "--resume", "-o", out, *option)
    assert outcome.code == 2
    assert f"{option[0]} cannot be given with --resume".replace("--no-", "--") in (
        outcome.err.replace("--no-", "--")
    )
    assert invoke("dunhuang-train", "fit", "--resume", "-o", out, "--workers", 0).code == 0


def test_a_dry_run_cannot_be_resumed(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    start = ("dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL)
    assert invoke(*start, "--time-limit", "0s").code == 0
    before = (out / "last.state.pt").read_bytes()
    outcome = invoke("dunhuang-train", "fit", "--resume", "-o", out, "--dry-run")
    assert outcome.code == 2
    assert "--dry-run is for a run that has not begun" in outcome.err
    assert (out / "last.state.pt").read_bytes() == before


def test_a_disk_that_is_full_leaves_a_run_that_goes_on(
    invoke: Invoke, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dunhuang_data.errors import OutputError
    from dunhuang_trainer.training import loop

    def full(path: Path, _state: object) -> None:
        raise OutputError(f"Could not write {path}: No space left on device.")

    out = tmp_path / "run"
    monkeypatch.setattr(loop, "save_state", full)
    outcome = invoke("dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL)
    assert outcome.code == 5
    assert f"go on with:\n  dunhuang-train fit --resume -o {out}" in outcome.err
    monkeypatch.undo()
    assert invoke("dunhuang-train", "fit", "--resume", "-o", out).code == 0


def test_a_finished_run_says_so_and_needs_no_dataset(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out, moved = tmp_path / "run", tmp_path / "shards"
    shutil.copytree(dataset, moved)
    assert invoke("dunhuang-train", "fit", "--dataset", moved, "-o", out, *SMALL).code == 0
    shutil.rmtree(moved)
    (out / "curve.png").unlink()  # as if it had been killed just before
    outcome = invoke("dunhuang-train", "fit", "--resume", "-o", out, "--json")
    assert outcome.code == 0
    assert "is finished: all its 2 steps are done" in outcome.err
    document = json.loads(outcome.out)
    assert (document["step"], document["stopped"]) == (2, None)
    assert document["checkpoint"] == str(out / "best.safetensors")
    assert (out / "curve.png").is_file()


@pytest.mark.parametrize("preset", [(), ("--preset", "seed")])
def test_run_toml_gives_a_fine_tuned_run_again(
    invoke: Invoke,
    dataset: Path,
    tmp_path: Path,
    vgg_file: Path,
    preset: tuple[str, ...],
) -> None:
    start, first = ("dunhuang-train", "fit", "--samples", 0), tmp_path / "first"
    assert invoke(*start, "--dataset", dataset, "-o", first, *SMALL).code == 0
    options = ("--init-from", first / "last.safetensors", "--batch", 4, "--steps", 1)
    features = ("--features", vgg_file) if preset else ()
    runs = [tmp_path / "tuned", tmp_path / "again"]
    tune = (*preset, "--dataset", dataset, *options, *features, "-o", runs[0])
    outcomes = [
        invoke(*start, *tune),
        invoke(*start, "--config", runs[0] / "run.toml", "-o", runs[1]),
    ]
    assert [one.code for one in outcomes] == [0, 0], outcomes[1].err
    assert settings_of(runs[0]) == settings_of(runs[1])
    assert settings_of(runs[0])["width"] == 4
    assert settings_of(runs[0])["loss"] == ("poster" if preset else "mse")


def test_how_long_is_what_is_typed(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    start = ("dunhuang-train", "fit", "--dataset", dataset, *SMALL[:-4], "--samples", 0)
    assert invoke(*start, "-o", tmp_path / "one", "--steps", 2).code == 0
    again = ("--config", tmp_path / "one" / "run.toml", "-o", tmp_path / "two")
    assert invoke("dunhuang-train", "fit", *again, "--epochs", 1).code == 0
    assert settings_of(tmp_path / "two")["steps"] == 6
    table = tomllib.loads((tmp_path / "two" / "run.toml").read_text())["fit"]
    assert table["epochs"] == 1
    assert "steps" not in table
    outcome = invoke(*start, "-o", tmp_path / "three", "--steps", 2, "--epochs", 1)
    assert outcome.code == 2
    assert "--steps and --epochs both say how long; give one." in outcome.err


def test_a_preset_stands_in_for_defaults_and_what_is_typed_counts(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    def run(name: str, *options: object) -> dict[str, Any]:
        arguments = ("--preset", "seed", "--dataset", dataset, "-o", tmp_path / name, *options)
        outcome = invoke("dunhuang-train", "fit", *arguments, "--samples", 0)
        assert outcome.code == 0, outcome.err
        return settings_of(tmp_path / name)

    small = ("--width", 4, "--levels", 3, "--steps", 1, "--batch", 4)
    first = run("first", *small)
    assert [first[name] for name in ("base", "loss", "flip", "learning_rate", "frozen_norm")] == [
        "none", "mse", 0.5, 2e-4, "none",
    ]  # fmt: skip
    assert run("second", *small, "--flip", 0.25)["flip"] == 0.25
    weights = tmp_path / "first" / "last.safetensors"
    tuned = run("tuned", "--steps", 1, "--batch", 4, "--init-from", weights, "--loss", "mse")
    assert [tuned[name] for name in ("width", "loss", "learning_rate", "frozen_norm")] == [
        4, "mse", 5e-5, "encoder",
    ]  # fmt: skip


def test_the_seed_fine_tunes_with_its_other_loss(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out, missing = tmp_path / "first", tmp_path / "vgg.pth"
    start = ("dunhuang-train", "fit", "--preset", "seed", "--dataset", dataset)
    assert invoke(*start, "-o", out, *SMALL).code == 0
    tune = (*start, "-o", tmp_path / "tuned", "--batch", 4, "--features", missing)
    outcome = invoke(*tune, "--init-from", out / "last.safetensors")
    assert outcome.code in (3, 5)
    assert str(missing) in outcome.err  # poster asks for the weights of VGG-16


@pytest.mark.parametrize("workers", ["-1", "many", "1.5"])
def test_workers_that_are_none_are_a_sentence(
    invoke: Invoke, dataset: Path, tmp_path: Path, workers: str
) -> None:
    outcome = invoke(
        "dunhuang-train", "fit", "--dataset", dataset, "-o", tmp_path / "run", "--workers", workers
    )
    assert outcome.code == 2
    assert f"'{workers}' is neither auto nor a number of threads, 0 or more" in outcome.err


@pytest.mark.parametrize("time", ["soon", "3x", "-5s", "", "h", f"{10**400}d"])
def test_a_time_that_is_none_is_a_sentence(invoke: Invoke, tmp_path: Path, time: str) -> None:
    arguments = ("--dataset", tmp_path, "-o", tmp_path / "run", "--time-limit", time)
    outcome = invoke("dunhuang-train", "fit", *arguments)
    assert outcome.code == 2
    assert "is no time; write 3h55m, 90m or 30s" in outcome.err


def test_the_time_limit_saves_and_says_how_to_go_on(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a run"
    outcome = invoke(
        "dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL, "--time-limit", "0s",
        "--json",
    )  # fmt: skip
    assert outcome.code == 0
    assert "Stopped after step 1: the time limit is reached. Go on with:" in outcome.err
    assert f"dunhuang-train fit --resume -o '{out}'" in outcome.err
    document = json.loads(outcome.out)
    assert (document["step"], document["stopped"]) == (1, "the time limit is reached")
    outcome = invoke("dunhuang-train", "fit", "--resume", "-o", out, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["step"] == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_saves_and_stops(
    invoke: Invoke,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
) -> None:
    from dunhuang_trainer.training.learner import Learner

    made = Learner.update

    def update(self: Learner, batch: Any, step: int) -> Any:
        os.kill(os.getpid(), number)  # while the first step is under way
        return made(self, batch, step)

    monkeypatch.setattr(Learner, "update", update)
    out = tmp_path / "run"
    outcome = invoke("dunhuang-train", "fit", "--dataset", dataset, "-o", out, *SMALL)
    assert outcome.code == code
    assert f"Stopped after step 1: {number.name} was received. Go on with:" in outcome.err
    assert (out / "last.safetensors").is_file()
    monkeypatch.undo()
    outcome = invoke("dunhuang-train", "fit", "--resume", "-o", out)
    assert outcome.code == 0
    assert "steps 2 to 2 of 4 samples" in outcome.err


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = ("--dataset", dataset, "-o", out, *SMALL, "--ema", 0.9, "--loss", "mse+ssim")
    outcome = invoke("dunhuang-train", "fit", *arguments, "--dry-run", "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["steps"] == 2
    assert document["run_s"] >= document["first_step_s"] + document["step_s"] > 0
    assert document["memory_mb"] > 0
    assert "one validation: about" in outcome.err
    assert not out.exists()


def test_the_split_is_kept_on_the_device_where_that_is_asked(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    start = ("dunhuang-train", "fit", "--dataset", dataset, *SMALL)
    outcome = invoke(*start, "-o", tmp_path / "kept", "--data-on-device")
    assert outcome.code == 0, outcome.err
    assert "samples into the memory of cpu." in outcome.err
    assert invoke(*start, "-o", tmp_path / "read").code == 0
    last = [(tmp_path / name / "last.safetensors").read_bytes() for name in ("kept", "read")]
    assert last[0] == last[1]


def test_several_processes_do_not_share_one_gpu(
    invoke: Invoke, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    arguments = ("--dataset", dataset, "-o", tmp_path / "run", "--device", "cuda:0")
    outcome = invoke("dunhuang-train", "fit", *arguments, *SMALL)
    assert outcome.code == 2
    assert "--device cuda:0 is one GPU for 2 processes" in outcome.err


def test_a_folder_is_no_checkpoint(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    arguments = ("--dataset", dataset, "-o", tmp_path / "run", "--init-from", dataset)
    outcome = invoke("dunhuang-train", "fit", *arguments, *SMALL)
    assert outcome.code == 3
    assert f"{dataset} is a folder, no checkpoint. Name a file in it" in outcome.err


def test_a_laptops_preset_fine_tunes_at_a_quarter_of_its_rate(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    start = ("dunhuang-train", "fit", "--dataset", dataset, "--preset", "tiny", "--steps", 1)
    small = ("--batch", 4, "--samples", 0)
    assert invoke(*start, *small, "-o", tmp_path / "one").code == 0
    begin = ("--init-from", tmp_path / "one" / "last.safetensors", "-o", tmp_path / "two")
    outcome = invoke(*start, *small, *begin)
    assert outcome.code == 0, outcome.err
    rates = [settings_of(tmp_path / name)["learning_rate"] for name in ("one", "two")]
    assert rates[1] == rates[0] / 4


STAGES = """
[[stage]]
name = "pretrain"
steps = 2
flip = 0.5

[[stage]]
name = "finetune"
steps = 3
quarter-turns = false
"""


def stage_file(tmp_path: Path, text: str = STAGES) -> Path:
    path = tmp_path / "stages.toml"
    path.write_text(text)
    return path


SHARED = ("--width", 4, "--levels", 3, "--batch", 4, "--samples", 0, "--seed", 3)


def test_two_stages_are_two_runs(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    out, start = tmp_path / "run", ("dunhuang-train", "fit", "--dataset", dataset)
    outcome = invoke(*start, "--stages", stage_file(tmp_path), "-o", out, *SHARED)
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"{out}/2-finetune/best.safetensors\n"
    first, second = tmp_path / "first", tmp_path / "second"
    assert invoke(*start, "-o", first, *SHARED, "--steps", 2, "--flip", 0.5).code == 0
    begin = ("--init-from", first / "best.safetensors", "--steps", 3, "--seed", 3)
    assert invoke(*start, "-o", second, "--batch", 4, "--samples", 0, *begin).code == 0
    for one, other in ((out / "1-pretrain", first), (out / "2-finetune", second)):
        assert settings_of(one) == settings_of(other)
        weights = [(run / "last.safetensors").read_bytes() for run in (one, other)]
        assert weights[0] == weights[1]


def test_stages_go_on_where_they_stopped(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    start = ("dunhuang-train", "fit", "--dataset", dataset, "--stages", stage_file(tmp_path))
    assert invoke(*start, "-o", whole, *SHARED).code == 0
    assert invoke(*start, "-o", out, *SHARED, "--time-limit", "0s").code == 0
    assert not (out / "2-finetune").exists()
    for step in (2, 1, 2, 3):  # of the first stage, then of the second
        outcome = invoke(
            "dunhuang-train", "fit", "--resume", "-o", out, "--time-limit", "0s", "--json"
        )
        assert outcome.code == 0, outcome.err
        assert json.loads(outcome.out)["step"] == step
    outcome = invoke("dunhuang-train", "fit", "--resume", "-o", out)
    assert outcome.code == 0
    for name in ("1-pretrain", "2-finetune"):
        last = [(run / name / "last.safetensors").read_bytes() for run in (whole, out)]
        assert last[0] == last[1]


def test_stages_that_are_resumed_keep_their_settings_and_say_where_data_are(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out, moved = tmp_path / "run", tmp_path / "shards"
    shutil.copytree(dataset, moved)
    start = ("dunhuang-train", "fit", "--dataset", moved, "--stages", stage_file(tmp_path))
    assert invoke(*start, "-o", out, *SHARED, "--time-limit", "0s").code == 0
    resume = ("dunhuang-train", "fit", "--resume", "-o", out)
    for option, sentence in (
        (("--lr", 0.1), "--lr cannot be given with --resume"),
        (("--stages", stage_file(tmp_path)), "--stages cannot be given with --resume"),
        (("--dry-run",), "--dry-run is for a run that has not begun"),
        (("--dataset", dataset), "Go on with the stage alone"),
    ):
        outcome = invoke(*resume, *option)
        assert outcome.code == 2
        assert sentence in outcome.err
    # the first is ended alone where its data went; it needs them no more then
    shutil.rmtree(moved)
    alone = ("dunhuang-train", "fit", "--resume", "-o", out / "1-pretrain", "--dataset", dataset)
    assert invoke(*alone).code == 0
    assert "is not a whole dataset" in invoke(*resume).err  # of the second
    shutil.copytree(dataset, moved)
    assert invoke(*resume).code == 0
    assert settings_of(out / "2-finetune")["steps"] == 3


def test_a_stage_that_has_just_ended_when_asked_to_stop_is_the_last(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    file = stage_file(tmp_path, STAGES.replace("steps = 2", "steps = 1"))
    start = ("dunhuang-train", "fit", "--dataset", dataset, "--stages", file, *SHARED)
    outcome = invoke(*start, "-o", tmp_path / "run", "--time-limit", "0s")
    assert outcome.code == 0
    assert "Stopped after step 1: the time limit is reached. Go on with:" in outcome.err
    assert not (tmp_path / "run" / "2-finetune").exists()


@pytest.mark.parametrize("preset", [(), ("--preset", "tiny")])
def test_run_toml_gives_stages_again_as_long_as_their_tables_say(
    invoke: Invoke, dataset: Path, tmp_path: Path, preset: tuple[str, ...]
) -> None:
    text = "[[stage]]\nname = 'a'\nwidth = 4\nlevels = 3\nepochs = 1\n[[stage]]\nname = 'b'\n"
    file = stage_file(tmp_path, text)
    runs, small = [tmp_path / "run", tmp_path / "again"], ("--batch", 4, "--steps", 2)
    start = ("--dataset", dataset, "--stages", file, *small, "-o", runs[0])
    assert invoke("dunhuang-train", "fit", *preset, *start).code == 0
    again = ("--config", runs[0] / "run.toml", "-o", runs[1])
    outcome = invoke("dunhuang-train", "fit", *preset, *again)
    assert outcome.code == 0, outcome.err
    for name, steps in (("1-a", 6), ("2-b", 2)):
        found = [settings_of(run / name) for run in runs]
        assert found[0] == found[1]
        assert (found[0]["steps"], found[0]["width"]) == (steps, 4)
    text = (runs[0] / "run.toml").read_text()
    assert text.startswith("# beside --preset tiny\n") == bool(preset)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[[stage]]\nname = 'a'\nquarter-turns = 'false'\n",
            "quarter-turns of the stage a is 'false'; expected true or false",
        ),
        (
            "[[stage]]\nname = 'a'\n[[stage]]\nname = 'b'\ninit-from = 'x'\n",
            "the stage b has init-from",
        ),
        ("", r"expected tables [[stage]], one or more"),
        ("[stage]\nname = 'a'\n", r"expected tables [[stage]]"),
        ("[[stage]]\nsteps = 2\n", "a stage has the name ''"),
        ("[[stage]]\nname = 'a/b'\n", "a stage has the name 'a/b'"),
        ("[[stage]]\nname = 'a'\n[[stage]]\nname = 'a'\n", "another for every stage"),
        ("[[stage]]\nname = 'a'\nstepps = 2\n", "the stage a has the unknown key 'stepps'"),
        ("[[stage]]\nname = 'a'\nsteps = 'x'\n", "The stage a: Invalid value for '--steps'"),
        ("[[stage]]\nname = 'a'\nout = 'x'\n", "the stage a has the unknown key 'out'"),
        ("[[stage]]\nname = 'a'\n[[stage]]\nname = 'b'\nwidth = 9\n", "asked for is --width 9"),
        ("[[stage]]\nname = 'a'\n[[stage]]\nname = 'b'\nlr = 7\n", "--lr is 7; expected"),
        ("[[stage]\n", "cannot be read as stages"),
    ],
)
def test_stages_that_are_none_are_a_sentence_before_the_first_begins(
    invoke: Invoke, dataset: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    arguments = ("--dataset", dataset, "--stages", stage_file(tmp_path, text), *SMALL)
    outcome = invoke("dunhuang-train", "fit", *arguments, "-o", tmp_path / "run")
    assert outcome.code in (2, 3)
    assert sentence in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_of_stages_measures_each(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    arguments = ("--dataset", dataset, "--stages", stage_file(tmp_path), *SHARED, "--json")
    outcome = invoke("dunhuang-train", "fit", *arguments, "-o", tmp_path / "run", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert [stage["steps"] for stage in json.loads(outcome.out)["stages"]] == [2, 3]
    assert not (tmp_path / "run").exists()
