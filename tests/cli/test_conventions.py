"""The conventions of the shell: streams, exit codes, configuration, overwriting, help."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from dunhuang_cli.data import dunhuang_data
from dunhuang_cli.train import dunhuang_train

Invoke = Callable[..., Any]
GROUPS = {"dunhuang-data": dunhuang_data, "dunhuang-train": dunhuang_train}


def walk() -> Iterator[tuple[str, click.Command]]:
    for program, group in GROUPS.items():
        yield program, group
        for name, command in group.commands.items():
            yield f"{program} {name}", command


COMMANDS = list(walk())


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    assert command.help, name
    first_line = command.help.strip().splitlines()[0]
    assert first_line.endswith("."), f"{name}: {first_line}"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            text = (parameter.help or "").partition("  [default")[0]
            assert text.endswith("."), f"{name} {parameter.opts}: {text}"


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_writing_commands_share_their_options(name: str, command: click.Command) -> None:
    flags = {flag for parameter in command.params for flag in parameter.opts}
    if "--out" in flags or "--figure" in flags:
        assert "--overwrite" in flags
    if not isinstance(command, click.Group):
        assert "--config" in flags


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from dunhuang_cli.{} import main\n"
        "sys.argv = ['x', *{}]\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert ended.code == 0\n"
        "heavy = {{'numpy', 'zarr', 'h5py', 'cv2', 'torch', 'rich', 'scipy', 'pyvips'}}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    for program, group in GROUPS.items():
        for arguments in [["--help"], *([name, "--help"] for name in group.commands)]:
            code = script.format(program.removeprefix("dunhuang-"), arguments)
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            assert "Usage:" in done.stdout
            assert done.stdout.splitlines()[-1] == "LOADED []", (program, arguments)


def test_options_alone_mean_fit(invoke: Invoke, tmp_path: Path) -> None:
    outcome = invoke("dunhuang-train", "--dataset", tmp_path, "-o", tmp_path / "run")
    assert outcome.code in (3, 5)  # 5 without torch
    assert "dataset.json" in outcome.err or "pip install" in outcome.err
    outcome = invoke("dunhuang-train", "-v", "--help")
    assert outcome.code == 0
    outcome = invoke("dunhuang-train", "fitt", "--dataset", tmp_path)
    assert outcome.code == 2
    assert "Did you mean 'fit'?" in outcome.err


def test_json_is_one_document_and_people_read_stderr(
    invoke: Invoke, bank_root: Path, dataset: Path
) -> None:
    outcome = invoke("dunhuang-data", "stats", bank_root, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["sets"]["masks"]["count"] == 48
    assert "Hole ratio" in outcome.err
    outcome = invoke("dunhuang-data", "stats", dataset, "--json")
    assert list(json.loads(outcome.out)["sets"]) == ["train", "val", "test"]
    outcome = invoke("dunhuang-data", "verify", dataset)
    assert outcome.out == f"{dataset}: 48 samples, sound\n"


def sample(pictures: Path, out: Path, *more: object) -> tuple[object, ...]:
    return ("sample-patches", pictures, "-o", out, "--size", 32, "--per-picture", 2, *more)


def test_a_dry_run_writes_nothing(invoke: Invoke, pictures: Path, tmp_path: Path) -> None:
    overlay = ("--overlay", tmp_path / "overlay")
    outcome = invoke("dunhuang-data", *sample(pictures, tmp_path / "p", "--dry-run", *overlay))
    assert outcome.code == 0
    assert outcome.out == ""
    assert "16 patches; the dataset will take 53.2 kB" in outcome.err
    masks = ("make-masks", "-o", tmp_path / "m", "--count", 3, "--size", "20x31", "--dry-run")
    assert "3 masks of 20 x 31 px" in invoke("dunhuang-data", *masks).err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unasked(invoke: Invoke, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan"
    assert invoke("dunhuang-data", *sample(pictures, out)).code == 0
    before = (out / "patches.csv").read_bytes()
    outcome = invoke("dunhuang-data", *sample(pictures, out, "--seed", 5))
    assert outcome.code == 4
    assert "Give --overwrite to replace it" in outcome.err
    assert (out / "patches.csv").read_bytes() == before
    assert invoke("dunhuang-data", *sample(pictures, out, "--seed", 5, "--overwrite")).code == 0
    assert (out / "patches.csv").read_bytes() != before


def test_figures_are_not_overwritten_unasked(
    invoke: Invoke, bank_root: Path, dataset: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.png"
    taken.write_text("a drawing of mine")
    for arguments in (
        ("stats", bank_root, "--figure", taken),
        ("preview", dataset, "-o", taken),
        ("make-masks", "-o", tmp_path / "m", "--count", 2, "--sheet", taken),
    ):
        outcome = invoke("dunhuang-data", *arguments)
        assert outcome.code == 4
        assert taken.read_text() == "a drawing of mine"
    assert not (tmp_path / "m").exists()
    assert invoke("dunhuang-data", "preview", dataset, "-o", taken, "--overwrite").code == 0


def per_picture(plan: Path) -> int:
    document = json.loads((plan / "plan.json").read_text())
    return int(document["recipe"]["per_picture"])


def test_precedence_is_line_then_environment_then_file_then_default(
    invoke: Invoke, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('[sample-patches]\nsize = 32\nper-picture = 3\nsplit = "0.4,0.3,0.3"\n')
    base = ("sample-patches", pictures, "--config", config)
    assert invoke("dunhuang-data", *base, "-o", tmp_path / "file").code == 0
    assert per_picture(tmp_path / "file") == 3
    monkeypatch.setenv("DUNHUANG_SAMPLE_PATCHES_PER_PICTURE", "4")
    assert invoke("dunhuang-data", *base, "-o", tmp_path / "environment").code == 0
    assert per_picture(tmp_path / "environment") == 4
    line = (*base, "--per-picture", 5, "-o", tmp_path / "line")
    assert invoke("dunhuang-data", *line).code == 0
    assert per_picture(tmp_path / "line") == 5
    written = (tmp_path / "line" / "run.toml").read_text()
    values = tomllib.loads(written)["sample-patches"]
    assert (values["per-picture"], values["size"], values["split"]) == (5, 32, "0.4,0.3,0.3")
    assert "per-picture = 5  # command line" in written
    assert "size = 32  # --config" in written


def test_a_run_toml_makes_the_same_again(invoke: Invoke, pictures: Path, tmp_path: Path) -> None:
    more = ("--seed", 7, "--turn", 0.25, "--split", "0.4,0.3,0.3")
    assert invoke("dunhuang-data", *sample(pictures, tmp_path / "a", *more)).code == 0
    again = ("--config", tmp_path / "a" / "run.toml", "-o", tmp_path / "b")
    assert invoke("dunhuang-data", "sample-patches", pictures, *again).code == 0
    for name in ("plan.json", "patches.csv", "pictures.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    masks = ("make-masks", "--size", "20x31", "--steps", 50, "--count", 3)
    assert invoke("dunhuang-data", *masks, "-o", tmp_path / "m").code == 0
    again = ("--config", tmp_path / "m" / "run.toml", "-o", tmp_path / "n")
    assert invoke("dunhuang-data", "make-masks", *again).code == 0
    banks = [(tmp_path / name / "bank.json").read_bytes() for name in "mn"]
    assert banks[0] == banks[1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[sample-patches]\nper_pictures = 3\n",
            "unknown keys: per_pictures. Known are: assume-profile, bilevel, ",
        ),
        ("[sample-patches\n", "cannot be read"),
        ("[sample-patch]\nsize = 3\n", "unknown tables or keys: sample-patch."),
        ("size = 3\n", "unknown tables or keys: size."),
        ("[sample-patches]\nsize = 1.5\n", "size is 1.5; expected a whole number"),
        ("[sample-patches]\nsize = true\n", "size is True; expected a whole number"),
        ("sample-patches = 3\n", "sample-patches is no table"),
    ],
)
def test_a_config_that_makes_no_sense_is_a_usage_error(
    invoke: Invoke, pictures: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "run.toml").write_text(text)
    outcome = invoke(
        "dunhuang-data", *sample(pictures, tmp_path / "p", "--config", tmp_path / "run.toml")
    )
    assert outcome.code == 2
    assert sentence in " ".join(outcome.err.split())
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("make-masks", "-o", "m", "--size", "12by3"),
        ("make-masks", "-o", "m", "--steps", "-4"),
        ("sample-patches", "x", "-o", "p", "--split", "1,2"),
        ("sample-patches", "x", "-o", "p", "--split", "0.5,0.1,0.1"),
        ("sample-patches", "-o", "p"),
        ("make-masks", "-o", "m", "--seed", str(2**64)),
        ("make-mask",),
    ],
)
def test_senseless_arguments_are_usage_errors(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = invoke("dunhuang-data", *arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_unexpected_error_is_one_and_says_how_to_report_it(
    invoke: Invoke, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*arguments: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("dunhuang_data.verify.verify_dataset", fault)
    outcome = invoke("dunhuang-data", "verify", dataset)
    assert outcome.code == 1
    assert "unexpected ZeroDivisionError: a fault of ours. This is a fault of" in outcome.err
    assert "Traceback" not in outcome.err
    outcome = invoke("dunhuang-data", "-v", "verify", dataset)
    assert outcome.code == 1
    assert "Traceback" in outcome.err


def test_v_changes_no_exit_code(invoke: Invoke, tmp_path: Path) -> None:
    outcome = invoke("dunhuang-data", "-v", "verify", tmp_path)
    assert outcome.code == 3
    assert "Traceback" in outcome.err


def test_ctrl_c_ends_with_130_and_the_line_that_goes_on(
    pictures: Path, bank_root: Path, plan_root: Path, tmp_path: Path
) -> None:
    script = (
        "import os, signal, dunhuang_data.build as build\n"
        # a shell that started this in the background has switched Ctrl-C off
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "whole = build.make_shard\n"
        "def interrupted(job):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return whole(job)\n"
        "build.make_shard = interrupted\n"
        "from dunhuang_cli.data import main\n"
        "main()\n"
    )
    arguments = ["build", "--plan", plan_root, "--masks", bank_root, "-o", tmp_path / "shards"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 130
    assert (
        "Interrupted. What was whole is kept; go on with:\n  dunhuang-data build --plan"
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "shards").exists()


def test_progress_on_a_log_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dunhuang_cli import console

    clock = iter([0.0, 1.0, 31.0, 32.0, 70.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with console.progress(8, "counting") as advance:
        for _ in range(4):
            advance(2, 1_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "counting: 4 of 8, 0.1 a second, 2.0 MB, about 31 s left",
        "counting: 8 of 8, 0.1 a second, 4.0 MB, about 0 s left",
    ]


def read_to_the_end(descriptor: int, into: bytearray) -> None:
    with contextlib.suppress(OSError):  # Linux: an error, not an end, once closed
        while chunk := os.read(descriptor, 4096):
            into += chunk


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminal here")
def test_progress_on_a_terminal_is_a_bar_and_leaves_stdout_alone(
    pictures: Path, tmp_path: Path
) -> None:
    parent, child = os.openpty()
    shown = bytearray()
    # Read while the command writes: a terminal holds 4,096 bytes, may cut a
    # character in two, and makes a writer wait when it is full.
    reading = threading.Thread(target=read_to_the_end, args=(parent, shown))
    reading.start()
    command = [sys.executable, "-c", "from dunhuang_cli.data import main; main()"]
    done = subprocess.run(
        [*command, *map(str, sample(pictures, tmp_path / "p", "--json"))],
        stdout=subprocess.PIPE,
        stderr=child,
        check=True,
    )
    os.close(child)
    reading.join(timeout=60)
    os.close(parent)
    assert "reading pictures" in shown.decode()
    assert "16/16" in shown.decode()  # each is read, and patches are placed on each
    assert json.loads(done.stdout)["pictures"] == 8


def test_workers_are_a_number_or_auto_and_sizes_have_units() -> None:
    from dunhuang_cli.options import BytesType, WorkersType

    assert [WorkersType().convert(one, None, None) for one in ("auto", "0", 0, "3", 2)] == [
        0, 0, 0, 3, 2,
    ]  # fmt: skip
    for wrong in ("-1", "1.5", "many", True, ""):
        with pytest.raises(click.BadParameter, match="neither auto nor a number of processes"):
            WorkersType().convert(wrong, None, None)
    sizes = {"800MB": 8 * 10**8, "4GiB": 2**32, "1.5 gb": 15 * 10**8, "12": 12, "2TB": 2 * 10**12}
    assert {text: BytesType().convert(text, None, None) for text in sizes} == sizes
    for wrong in ("4 apples", "-3GB", "GB", ""):
        with pytest.raises(click.BadParameter, match="is no size; write 800MB or 4GiB"):
            BytesType().convert(wrong, None, None)
