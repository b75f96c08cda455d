"""The log of a run: whole rows at any kill, and the same rows however often it was interrupted."""

import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawings import draw_picture
from dunhuang_data.errors import CheckpointError, OutputError, OutputExistsError
from dunhuang_trainer.training import log as run_log
from dunhuang_trainer.training.log import RunLog, read_log

COLUMNS = ("step", "epoch", "loss", "hole", "learning_rate", "val_hole_mse")


def row(step: int) -> dict[str, float]:
    """Return a row whose numbers have many digits, validated at every third."""
    values = {"step": step, "epoch": step // 4, "loss": step / 3, "hole": 0.1 / step}
    return {**values, "learning_rate": 2e-4} | (
        {"val_hole_mse": 1e-7 * step} if step % 3 == 0 else {}
    )


def written(folder: Path, steps: Any, resumed: int | None = None) -> tuple[bytes, bytes]:
    with RunLog(folder, COLUMNS, resumed_step=resumed, tensorboard=False) as log:
        for step in steps:
            log.append(row(step))
    return contents(folder)


def contents(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "metrics.jsonl").read_bytes(), (folder / "metrics.csv").read_bytes()


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_json_lines_and_table_hold_the_same_rows_and_nothing_is_rounded(tmp_path: Path) -> None:
    written(tmp_path, range(1, 8))
    rows = read_log(tmp_path)
    table = table_of(tmp_path)
    assert [tuple(one) for one in rows] == [tuple(one) for one in table] == [COLUMNS] * 7
    for step, one, cells in zip(range(1, 8), rows, table, strict=True):
        given = row(step)
        for name in COLUMNS:
            if name in given:
                assert one[name] == given[name] == float(cells[name])
            else:
                assert isnan(one[name])
                assert cells[name] == ""
    assert (
        json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])["val_hole_mse"] is None
    )
    assert [type(rows[0][name]) for name in ("step", "epoch", "loss")] == [int, int, float]


@pytest.mark.parametrize("torn", [b"", b'{"step": 8, "ep', b"\0\0\0"])
@pytest.mark.parametrize("resumed", [0, 4, 5, 7])
def test_a_resumed_log_is_that_of_an_unbroken_run(
    tmp_path: Path, resumed: int, torn: bytes
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    whole = written(tmp_path / "whole", [2, 4, 5, 7, 9, 10])
    written(tmp_path / "broken", [2, 4, 5, 7])
    before = contents(tmp_path / "broken")[0].splitlines()
    for name in ("metrics.jsonl", "metrics.csv"):
        with (tmp_path / "broken" / name).open("ab") as file:
            file.write(torn)
    kept = written(tmp_path / "broken", [], resumed)[0].splitlines()
    assert kept == [line for line in before if json.loads(line)["step"] <= resumed]
    again = [step for step in (2, 4, 5, 7, 9, 10) if step > resumed]
    assert written(tmp_path / "broken", again, resumed) == whole
    assert sorted(path.name for path in (tmp_path / "broken").iterdir()) == [
        "metrics.csv", "metrics.jsonl",
    ]  # fmt: skip


def test_a_kill_between_the_two_files_is_mended(tmp_path: Path) -> None:
    whole = written(tmp_path, [2, 4, 5])
    (tmp_path / "metrics.csv").write_bytes(whole[1][: whole[1].rindex(b"5,1,")])
    assert written(tmp_path, [], 5) == whole
    (tmp_path / "metrics.csv").unlink()
    assert written(tmp_path, [], 9) == whole


def test_a_killed_process_leaves_every_row_it_wrote(tmp_path: Path) -> None:
    program = f"""
        import os, signal
        from pathlib import Path
        from dunhuang_trainer.training.log import RunLog
        folder = Path({str(tmp_path)!r})
        log = RunLog(folder, ("step", "loss"), resumed_step=None, tensorboard=False)
        for step in range(1, 6):
            log.append({{"step": step, "loss": step / 7}})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert read_log(tmp_path) == [{"step": step, "loss": step / 7} for step in range(1, 6)]


def test_each_line_is_one_call_to_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunLog(tmp_path, COLUMNS, resumed_step=None, tensorboard=False)
    calls: list[bytes] = []
    monkeypatch.setattr(run_log, "_write", lambda _, line, __: calls.append(line))
    log.append(row(3))
    log.close()
    assert [line.count(b"\n") for line in calls] == [1, 1]
    assert all(line.endswith(b"\n") for line in calls)


def test_columns_of_another_time_stay(tmp_path: Path) -> None:
    written(tmp_path, [1, 3])
    with RunLog(tmp_path, ("step", "ssim", "loss"), resumed_step=3, tensorboard=False) as log:
        assert log.columns == (
            "step",
            "ssim",
            "loss",
            "epoch",
            "hole",
            "learning_rate",
            "val_hole_mse",
        )
        log.append({"step": 4, "ssim": 0.5})
    table = table_of(tmp_path)
    assert [one["ssim"] for one in table] == ["", "", "0.5"]
    assert [one["hole"] for one in table] == [repr(0.1), repr(0.1 / 3), ""]


def test_what_is_not_finite_is_empty_in_both(tmp_path: Path) -> None:
    with RunLog(tmp_path, ("step", "loss", "hole"), resumed_step=None, tensorboard=False) as log:
        log.append({"step": 1, "loss": nan, "hole": float("inf")})
    assert contents(tmp_path) == (
        b'{"step": 1, "loss": null, "hole": null}\n',
        b"step,loss,hole\n1,,\n",
    )


def test_rows_that_make_no_log_are_refused(tmp_path: Path) -> None:
    with RunLog(tmp_path, COLUMNS, resumed_step=None, tensorboard=False) as log:
        log.append(row(3))
        for step in (3, 2):
            with pytest.raises(ValueError, match=f"step {step} cannot follow one of step 3"):
                log.append(row(step))
        with pytest.raises(ValueError, match="'psnr' is no column; there are step, epoch"):
            log.append({"step": 4, "psnr": 1.0})
    again = RunLog(tmp_path, COLUMNS, resumed_step=3, tensorboard=False)
    with again, pytest.raises(ValueError, match="step 3 cannot follow one of step 3"):
        again.append(row(3))
    assert len(read_log(tmp_path)) == 1


def test_a_line_that_the_system_takes_in_pieces_is_whole(tmp_path: Path) -> None:
    class Pieces(io.FileIO):
        def write(self, line: Any) -> int:
            return super().write(bytes(line[:7]))

    with RunLog(tmp_path, COLUMNS, resumed_step=None, tensorboard=False) as log:
        for file in log._files:
            file.close()
        log._files = [Pieces(tmp_path / name, "ab") for name in ("metrics.jsonl", "metrics.csv")]
        log.append(row(3))
    pieces = contents(tmp_path)
    (tmp_path / "whole").mkdir()
    assert pieces == written(tmp_path / "whole", [3])


def test_rows_are_brought_to_the_disk_before_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    with RunLog(tmp_path, COLUMNS, resumed_step=None, tensorboard=False) as log:
        names = {file.fileno(): Path(str(file.name)).name for file in log._files}
        monkeypatch.setattr(os, "fsync", lambda one: synced.append(names[one]))
        log.sync()
    assert synced == ["metrics.jsonl", "metrics.csv"]


def test_a_new_run_overwrites_no_log(tmp_path: Path) -> None:
    before = written(tmp_path, [1])
    with pytest.raises(OutputExistsError, match="is the log of an earlier run"):
        RunLog(tmp_path, COLUMNS, resumed_step=None, tensorboard=False)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (b"{", "Line 2 .* cannot be read: Expecting property name"),
        (b"[1]", "Line 2 .* cannot be read: 'list' object"),
        (b'{"loss": 1.0}', "Line 2 .* cannot be read: there is no 'step'"),
        (b'{"step": 4, "loss": "low"}', "Line 2 .* cannot be read: a value is no number"),
        (b'{"step": 4, "loss": true}', "Line 2 .* cannot be read: a value is no number"),
        (b'{"step": 1}', "Line 2 .* cannot be read: step 1 follows step 1"),
        (b'{"step": 4.5}', "Line 2 .* cannot be read: step 4.5 follows step 1"),
        (b"\xff\xfe", "Line 2 .* cannot be read: 'utf-8' codec"),
    ],
)
def test_a_damaged_log_is_a_sentence_and_stays_as_it_is(
    tmp_path: Path, damage: bytes, sentence: str
) -> None:
    lines = written(tmp_path, [1, 2, 9])[0].splitlines(keepends=True)
    (tmp_path / "metrics.jsonl").write_bytes(lines[0] + damage + b"\n" + lines[2])
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match=sentence):
        read_log(tmp_path)
    with pytest.raises(CheckpointError, match=sentence):
        RunLog(tmp_path, COLUMNS, resumed_step=9, tensorboard=False)
    assert contents(tmp_path) == before


def test_a_torn_or_missing_log_is_a_sentence_to_its_reader(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read: No such file or directory"):
        read_log(tmp_path)
    written(tmp_path, [1, 2])
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 3')
    with pytest.raises(CheckpointError, match=r"ends in a torn line, after step 2. Resuming"):
        read_log(tmp_path)


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    log = RunLog(tmp_path, COLUMNS, resumed_step=None, tensorboard=False)
    log.append(row(3))
    log._files[0].close()
    log._files[0] = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
    with pytest.raises(OutputError, match=r"No space left on device\. Its rows up to step 3 are"):
        log.append(row(4))
    log.close()


class Events:
    """Stands for TensorBoard's reader."""

    def __init__(self, folder: Path) -> None:
        accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
        self.found = accumulator.EventAccumulator(str(folder / "tensorboard"))
        self.found.Reload()

    def scalars(self, tag: str) -> list[tuple[int, float]]:
        return [(one.step, one.value) for one in self.found.Scalars(tag)]


def test_tensorboard_has_the_rows_and_forgets_what_is_made_again(tmp_path: Path) -> None:
    grid = draw_picture(20, 33, "a")
    with RunLog(tmp_path, COLUMNS, resumed_step=None) as log:
        if not log.tensorboard:
            pytest.skip("TensorBoard cannot be imported")
        for step in range(1, 6):
            log.append(row(step))
        written_to = log.picture(5, grid)
    assert written_to == tmp_path / "samples" / "step-000005.png"
    with RunLog(tmp_path, COLUMNS, resumed_step=3) as log:
        log.append({**row(4), "loss": 8.0})
    events = Events(tmp_path)
    tags = events.found.Tags()
    assert tags["scalars"] == [
        "run/epoch", "training/loss", "training/hole", "run/learning_rate", "validation/hole_mse",
    ]  # fmt: skip
    assert [step for step, _ in events.scalars("training/loss")] == [1, 2, 3, 4]
    assert events.scalars("training/loss")[-1] == (4, 8.0)
    assert [step for step, _ in events.scalars("validation/hole_mse")] == [3]


def test_a_table_without_its_lines_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    with RunLog(tmp_path, ("step", "loss"), resumed_step=None, tensorboard=False) as log:
        log.append({"step": 1, "loss": 0.5})
    old = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "metrics.jsonl").unlink()
    with RunLog(tmp_path, ("step", "loss"), resumed_step=1, tensorboard=False) as log:
        log.append({"step": 2, "loss": 0.25})
    assert (tmp_path / "metrics.old.csv").read_text() == old
    assert (tmp_path / "metrics.csv").read_text().splitlines() == ["step,loss", "2,0.25"]


def test_a_picture_is_what_was_given(tmp_path: Path) -> None:
    import cv2

    grid = draw_picture(20, 33, "a")
    with RunLog(tmp_path, COLUMNS, resumed_step=None) as log:
        path = log.picture(500, grid)
        there = log.tensorboard
    assert path.name == "step-000500.png"
    assert (np.asarray(cv2.imread(str(path)))[..., ::-1] == grid).all()
    if there:
        (image,) = Events(tmp_path).found.Images("samples")
        assert (image.step, image.width, image.height) == (500, 33, 20)


class Full:
    """A TensorBoard whose disk is full."""

    def add_scalar(self, *_arguments: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    add_image = flush = close = add_scalar


def test_a_tensorboard_that_cannot_write_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "_summary_writer", lambda *_arguments: Full())
    with RunLog(tmp_path / "row", COLUMNS, resumed_step=None) as log:
        before = log.tensorboard
        log.append(row(1))
        assert (before, log.tensorboard) == (True, False)
        log.append(row(2))
    assert [one["step"] for one in read_log(tmp_path / "row")] == [1, 2]
    with RunLog(tmp_path / "picture", COLUMNS, resumed_step=None) as log:
        assert log.picture(1, draw_picture(8, 12, "a")).is_file()
        assert not log.tensorboard
    RunLog(tmp_path / "close", COLUMNS, resumed_step=None).close()


@pytest.mark.parametrize("error", [ImportError("no tensorboard"), TypeError("old protobuf")])
def test_without_tensorboard_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Missing:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "torch.utils.tensorboard":
                raise error

    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with RunLog(tmp_path, COLUMNS, resumed_step=None) as log:
        assert not log.tensorboard
        log.append(row(1))
        log.picture(1, draw_picture(20, 33, "a"))
        log.sync()
    assert sorted(os.listdir(tmp_path)) == ["metrics.csv", "metrics.jsonl", "samples"]


def test_the_module_loads_neither_torch_nor_tensorboard() -> None:
    code = "import sys, dunhuang_trainer.training.log; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "tensorboard", "cv2", "pyvips"}.isdisjoint(done.stdout.split())
