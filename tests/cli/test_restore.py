"""``dunhuang-train restore``: its options, what it prints, and how it ends."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawings import draw_picture, save_picture

torch = pytest.importorskip("torch")

Invoke = Callable[..., Any]
SHAPE = (40, 61)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
    from dunhuang_trainer.config import ModelConfig, TrainConfig
    from dunhuang_trainer.model import PartialConvUNet

    torch.manual_seed(0)
    model = PartialConvUNet(ModelConfig(4, 3))
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_weights(path, model, CheckpointInfo(model.config, TrainConfig(steps=1), 3, "", 32, {}))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hole = np.zeros(SHAPE, dtype=np.uint8)
    hole[10:20, 20:40] = 255
    for name in ("a", "b", "c"):
        save_picture(tmp_path / "in" / f"{name}.png", draw_picture(*SHAPE, name))
        save_picture(tmp_path / "masks" / f"{name}.png", hole)
    return tmp_path


def restore(invoke: Invoke, checkpoint: Path, folder: Path, *more: object) -> Any:
    masks = ("--mask", folder / "masks", "--white-is", "hole", "-o", folder / "out")
    return invoke("dunhuang-train", "restore", checkpoint, folder / "in", *masks, *more)


def test_json_lists_restored_skipped_and_failed(
    invoke: Invoke, checkpoint: Path, folder: Path
) -> None:
    (folder / "in" / "b.png").write_bytes(b"")
    outcome = restore(invoke, checkpoint, folder, "--json")
    assert outcome.code == 3
    assert "Could not read" in outcome.err
    document = json.loads(outcome.out)
    assert [Path(one["input"]["path"]).name for one in document["restored"]] == ["a.png", "c.png"]
    assert [Path(one["picture"]).name for one in document["failed"]] == ["b.png"]
    save_picture(folder / "in" / "b.png", draw_picture(*SHAPE, "b"))
    outcome = restore(invoke, checkpoint, folder, "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert [one["input"]["path"][-5:] for one in document["restored"]] == ["b.png"]
    assert len(document["skipped"]) == 2
    assert document["failed"] == []
    assert "2 were restored before" in outcome.err


def test_one_that_is_there_already_does_not_take_the_others_with_it(
    invoke: Invoke, checkpoint: Path, folder: Path
) -> None:
    mine = save_picture(folder / "out" / "b.png", np.zeros((3, 4), dtype=np.uint8))
    before = mine.read_bytes()
    outcome = restore(invoke, checkpoint, folder)
    assert outcome.code == 4
    assert outcome.out.split() == [str(folder / "out" / name) for name in ("a.png", "c.png")]
    assert "out/b.png is already there. Give --overwrite" in outcome.err
    assert "The other 2 are whole." in outcome.err
    assert mine.read_bytes() == before
    assert restore(invoke, checkpoint, folder, "--overwrite").code == 0


def test_ctrl_c_says_how_to_go_on(
    invoke: Invoke, checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dunhuang_trainer.restore import one

    done = one.restore_one

    def interrupt(task: Any, given: Any) -> Any:
        if task.id == "b":
            raise KeyboardInterrupt
        return done(task, given)

    with monkeypatch.context() as patched:
        patched.setattr("dunhuang_trainer.restore.batch.restore_one", interrupt)
        outcome = restore(invoke, checkpoint, folder)
    assert outcome.code == 130
    assert f"go on with:\n  dunhuang-train restore {checkpoint}" in outcome.err
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.json", "a.png"]
    outcome = restore(invoke, checkpoint, folder)
    assert (outcome.code, len(outcome.out.split())) == (0, 2)


def test_a_time_limit_ends_as_ctrl_c_does(
    invoke: Invoke, checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM is how a cluster says so."""
    monkeypatch.setattr(
        "dunhuang_trainer.restore.batch.restore_one",
        lambda _task, _given: os.kill(os.getpid(), signal.SIGTERM),
    )
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        outcome = restore(invoke, checkpoint, folder)
        assert outcome.code == 130
        assert "go on with:\n  dunhuang-train restore" in outcome.err
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_large_picture_says_how_far_it_is(
    invoke: Invoke, checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunhuang_trainer.restore.one.EVERY_S", 0.0)
    outcome = restore(invoke, checkpoint, folder)
    assert outcome.code == 0, outcome.err
    assert "a.png: 40 of 40 rows" in outcome.err


def test_what_samples_found_is_said(invoke: Invoke, checkpoint: Path, folder: Path) -> None:
    outcome = restore(invoke, checkpoint, folder, "--samples", 3, "--json")
    assert outcome.code == 0, outcome.err
    first = json.loads(outcome.out)["restored"][0]["uncertainty"]
    mean, most = first["mean_levels"], first["max_levels"]
    assert f"a.png: the answers differ by {mean:.2f} levels of 255 on average" in outcome.err
    assert f"{most:.1f} at most" in outcome.err


def test_a_file_is_no_folder_to_write_to(invoke: Invoke, checkpoint: Path, folder: Path) -> None:
    (folder / "out").write_text("mine")
    outcome = restore(invoke, checkpoint, folder)
    assert outcome.code == 4
    assert "out is a file; a folder is written there. Choose another -o." in outcome.err


def test_other_reading_options_are_another_restoration(
    invoke: Invoke, checkpoint: Path, folder: Path
) -> None:
    assert restore(invoke, checkpoint, folder).code == 0
    outcome = restore(invoke, checkpoint, folder, "--page", 1)
    assert outcome.code == 4
    assert "was made otherwise (how files are read)" in outcome.err


@pytest.mark.parametrize("colour", ["250,3,250", "#fa03fa", "#FA03FA"])
def test_holes_by_their_colour(
    invoke: Invoke, checkpoint: Path, tmp_path: Path, colour: str
) -> None:
    pixels = draw_picture(*SHAPE, "wall")
    pixels[10:20, 20:40] = (250, 3, 250)
    picture = save_picture(tmp_path / "wall.png", pixels)
    base = ("restore", checkpoint, picture, "-o", tmp_path / "out", "--mask-colour", colour)
    outcome = invoke("dunhuang-train", *base, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["restored"][0]["hole_px"] == 200


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--white-is", "hole"], "Say where the holes are, in one way"),
        (["--mask", "m.png"], "Missing option '--white-is'. Choose from: hole, known"),
        (["--mask", "m.png", "--mask-colour", "1,2,3"], "Say where the holes are, in one way"),
        (["--mask-colour", "1,2,3", "--white-is", "hole"], "--white-is is about mask files"),
        (["--mask", "m.png", "--white-is", "hole", "--mask-tolerance", "3"], "needs --mask-colour"),
        (["--mask-colour", "1,2"], "'1,2' is no colour; write 255,0,255 or '#ff00ff'"),
        (["--mask-colour", "1,2,256"], "'1,2,256' is no colour"),
        (["--mask-colour", "1,2,3", "--keep-known"], "--keep-known says what becomes of"),
        (["--mask-colour", "1,2,3", "--tile", "64"], "--tile 64 and --overlap 128 do not fit"),
        (["--mask-colour", "1,2,3", "--samples", "33"], "33 is not in the range 1<=x<=32"),
    ],
)
def test_options_that_do_not_fit(
    invoke: Invoke, checkpoint: Path, folder: Path, options: list[str], sentence: str
) -> None:
    outcome = invoke(
        "dunhuang-train", "restore", checkpoint, folder / "in", "-o", folder / "out", *options
    )
    assert outcome.code == 2
    assert sentence in " ".join(outcome.err.split())
    assert not (folder / "out").exists()


def test_masks_that_are_the_wrong_way_round(invoke: Invoke, checkpoint: Path, folder: Path) -> None:
    outcome = restore(invoke, checkpoint, folder, "--white-is", "known")
    assert outcome.code == 3
    assert "a.png is probably the wrong way round" in outcome.err
    assert not (folder / "out").exists()
    outcome = restore(invoke, checkpoint, folder, "--white-is", "known", "--trust-mask")
    assert outcome.code == 0
    assert "a.png is trusted, though" in outcome.err


def test_how_pictures_are_read_can_be_said(invoke: Invoke, checkpoint: Path, folder: Path) -> None:
    import pyvips

    dark = draw_picture(*SHAPE, "a").astype(np.uint16) * 16
    pyvips.Image.new_from_array(dark).write_to_file(str(folder / "in" / "a.png"))
    outcome = restore(invoke, checkpoint, folder)
    assert outcome.code == 3
    assert "--white-level" in outcome.err
    outcome = restore(invoke, checkpoint, folder, "--white-level", 4095, "--overwrite", "--json")
    assert outcome.code == 0, outcome.err
    record = json.loads(outcome.out)["restored"][0]
    assert record["settings"]["reading"]["white_level"] == 4095
    restored = pyvips.Image.new_from_file(record["outputs"]["restored"]["path"]).numpy()
    assert restored.dtype == np.uint16
    known = np.ones(SHAPE, dtype=bool)
    known[10:20, 20:40] = False
    assert np.array_equal(restored[known], dark[known])
    assert restored.max() <= 4095
