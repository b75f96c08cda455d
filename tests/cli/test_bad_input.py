"""Bad input: a sentence, its exit code, and nothing half-written under a final name."""

import json
import os
import resource
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawings import draw_picture, save_picture, write_pictures
from refusals import check

Invoke = Callable[..., Any]
PIXELS = draw_picture(40, 60, "mask")[..., 0]
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    return tmp_path


def sample(folder: Path, *more: object) -> tuple[object, ...]:
    arguments = ("sample-patches", folder / "pictures", "-o", folder / "plan", "--size", 32)
    return (*arguments, "--per-picture", 2, *more)


def test_an_empty_folder(invoke: Invoke, folder: Path) -> None:
    check(invoke("dunhuang-data", *sample(folder)), 3, "No pictures found in", "Expected files")
    assert not (folder / "plan").exists()


def test_a_file_that_is_no_picture(invoke: Invoke, folder: Path) -> None:
    (folder / "pictures" / "wall.jpg").write_text("a shopping list")
    check(invoke("dunhuang-data", *sample(folder)), 3, "Could not read", "wall.jpg", "take it out")
    note = folder / "note.txt"
    note.write_text("text")
    check(invoke("dunhuang-data", "sample-patches", note, "-o", folder / "plan"), 3, "note.txt")
    assert not (folder / "plan").exists()


def test_a_truncated_jpeg(invoke: Invoke, folder: Path) -> None:
    write_pictures(folder / "pictures")
    path = save_picture(folder / "pictures" / "cut.jpg", draw_picture(200, 301, "cut"))
    path.write_bytes(path.read_bytes()[:-900])
    check(invoke("dunhuang-data", *sample(folder)), 3, "Could not read", "cut.jpg")
    assert not (folder / "plan").exists()


def test_a_picture_smaller_than_a_patch(invoke: Invoke, folder: Path) -> None:
    write_pictures(folder / "pictures", {"big.png": (60, 70), "small.png": (31, 200)})
    outcome = invoke("dunhuang-data", *sample(folder))
    check(outcome, 3, "small: a picture of 31 x 200 px", "smaller than a patch of 32 px", "--size")
    assert not (folder / "plan").exists()
    outcome = invoke("dunhuang-data", *sample(folder, "--small", "skip", "--json"))
    assert outcome.code == 0
    assert json.loads(outcome.out)["left_out"][0].startswith("small: a picture of 31 x 200 px")
    assert "1 left out:\n  - small:" in outcome.err


def test_more_patches_than_positions(invoke: Invoke, folder: Path) -> None:
    write_pictures(folder / "pictures", {"tight.png": (32, 33)})
    outcome = invoke("dunhuang-data", *sample(folder, "--per-picture", 3))
    check(outcome, 3, "has 2 positions for patches of 32 px; 3 distinct patches do not exist")


def test_few_pictures_are_told_which_seed_fills_the_splits(invoke: Invoke, folder: Path) -> None:
    write_pictures(folder / "pictures", {f"{n}.png": (40, 50) for n in range(3)})
    outcome = invoke("dunhuang-data", *sample(folder, "--split", "0.6,0.2,0.2", "--seed", 1))
    assert "no picture fell into" in outcome.err
    seed = outcome.err.split("With --seed ")[1].split()[0]
    again = sample(folder, "--split", "0.6,0.2,0.2", "--seed", seed, "--overwrite", "--json")
    outcome = invoke("dunhuang-data", *again)
    assert set(json.loads(outcome.out)["patches"].values()) == {2}


def test_a_full_disk_for_every_writing_command(
    invoke: Invoke, folder: Path, pictures: Path, plan_root: Path, bank_root: Path, dataset: Path
) -> None:
    """A limit on the size of files stands in for the full disk: the system refuses alike."""
    commands = [
        ("sample-patches", pictures, "-o", folder / "plan", "--size", 32, "--per-picture", 9),
        ("make-masks", "-o", folder / "masks", "--count", 300, "--steps", 10),
        ("build", "--plan", plan_root, "--masks", bank_root, "-o", folder / "shards"),
        ("preview", dataset, "-o", folder / "sheet.png"),
        ("stats", bank_root, "--figure", folder / "stats.png"),
    ]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for command in commands:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
        try:
            outcome = invoke("dunhuang-data", *command)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        check(outcome, 5, "Could not write", "File too large", "Nothing was left")
    assert sorted(path.name for path in folder.iterdir()) == ["pictures"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_without_permission(invoke: Invoke, folder: Path, pictures: Path) -> None:
    (folder / "locked").mkdir(mode=0o500)
    arguments = ("sample-patches", pictures, "--size", 32, "-o", folder / "locked" / "plan")
    check(invoke("dunhuang-data", *arguments), 5, "Permission denied")


def test_an_output_where_nothing_can_be(invoke: Invoke) -> None:
    if Path("/proc").is_dir():
        outcome = invoke("dunhuang-data", "make-masks", "-o", "/proc/x/masks", "--count", 1)
        check(outcome, 5, "Could not write /proc/x/masks: No such file or directory")


def test_masks_that_are_all_hole(invoke: Invoke, folder: Path) -> None:
    arguments = ("make-masks", "-o", folder / "m", "--size", 1, "--steps", 0, "--count", 1)
    assert invoke("dunhuang-data", *arguments).code == 0
    outcome = invoke("dunhuang-data", "stats", folder / "m", "--figure", folder / "stats.png")
    assert outcome.code == 0
    depth = outcome.err.split("Depth (px)")[1].split("Connected holes")[0]
    assert "│ masks │     1 │    - │" in depth


def test_an_output_below_a_file(invoke: Invoke, folder: Path) -> None:
    (folder / "file").write_text("")
    outcome = invoke("dunhuang-data", "make-masks", "-o", folder / "file" / "m", "--count", 1)
    check(outcome, 5, "file is a file, not a folder")


def test_folders_that_are_something_else(
    invoke: Invoke, folder: Path, plan_root: Path, bank_root: Path
) -> None:
    swapped = ("build", "--plan", bank_root, "--masks", plan_root, "-o", folder / "shards")
    check(invoke("dunhuang-data", *swapped), 3, "is not a patch plan", "plan.json")
    swapped = ("build", "--plan", plan_root, "--masks", plan_root, "-o", folder / "shards")
    check(invoke("dunhuang-data", *swapped), 3, "is not a mask bank", "bank.json")
    check(invoke("dunhuang-data", "stats", plan_root), 3, "neither a mask bank", "nor a whole")


def test_a_dataset_without_manifest(invoke: Invoke, dataset: Path, folder: Path) -> None:
    copy = shutil.copytree(dataset, folder / "shards")
    (copy / "dataset.json").unlink()
    for command in (("verify", copy), ("preview", copy, "-o", folder / "x.png")):
        check(invoke("dunhuang-data", *command), 3, "not a whole dataset", "no dataset.json")
    assert not (folder / "x.png").exists()


def test_an_altered_dataset(invoke: Invoke, dataset: Path, folder: Path) -> None:
    copy = shutil.copytree(dataset, folder / "shards")
    shard = copy / "val" / "valid" / "c.1.0.0"
    data = bytearray(shard.read_bytes())
    data[100] ^= 4
    shard.write_bytes(data)
    check(invoke("dunhuang-data", "verify", copy), 3, "val/valid/c.1.0.0 is not the file that was")
    outcome = invoke("dunhuang-data", "verify", copy, "--json")
    assert outcome.code == 3
    assert json.loads(outcome.out)["sound"] is False


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--dataset", "shards", "-o", "run"),
        ("evaluate", "x.safetensors", "--dataset", "shards"),
        ("restore", "x.safetensors", "a.png", "--mask", "m.png", "--white-is", "hole", "-o", "out"),
    ],
)
def test_training_without_torch(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    sentence = "Install with: pip install 'dunhuang-data[train]'"
    check(invoke("dunhuang-train", *arguments), 5, "dunhuang-train needs torch", sentence)


def test_training_without_torch_as_seen_from_an_installation_that_has_it(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunhuang_cli.options.find_spec", lambda name: None)
    outcome = invoke("dunhuang-train", "--dataset", "shards", "-o", "run")
    check(outcome, 5, "dunhuang-train needs torch and safetensors", "pip install")


@needs_torch
class TestTraining:
    @pytest.fixture
    def run(self, invoke: Invoke, dataset: Path, tmp_path: Path) -> Path:
        shape = ("--width", 4, "--levels", 3, "--batch", 4, "--steps", 2)
        outcome = invoke("dunhuang-train", "--dataset", dataset, "-o", tmp_path / "run", *shape)
        assert outcome.code == 0, outcome.err
        return tmp_path / "run"

    def test_a_dataset_without_manifest(self, invoke: Invoke, tmp_path: Path) -> None:
        outcome = invoke("dunhuang-train", "--dataset", tmp_path, "-o", tmp_path / "run")
        check(outcome, 3, "is not a whole dataset: there is no dataset.json in it", "build")
        assert not (tmp_path / "run").exists()

    def test_a_network_that_does_not_fit_the_dataset(
        self, invoke: Invoke, dataset: Path, tmp_path: Path
    ) -> None:
        outcome = invoke("dunhuang-train", "--dataset", dataset, "-o", tmp_path / "run")
        check(outcome, 3, "patches of 32 px; a network of 8 levels", "Use --levels 5 or fewer")

    def test_a_checkpoint_that_does_not_fit_the_dataset(
        self, invoke: Invoke, dataset: Path, tmp_path: Path
    ) -> None:
        from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
        from dunhuang_trainer.config import ModelConfig, TrainConfig
        from dunhuang_trainer.model import PartialConvUNet

        config = ModelConfig(width=1, levels=6)
        path = tmp_path / "deep.safetensors"
        info = CheckpointInfo(config, TrainConfig(1), 1, "", 64, {})
        save_weights(path, PartialConvUNet(config), info)
        outcome = invoke("dunhuang-train", "evaluate", path, "--dataset", dataset)
        check(outcome, 3, "patches of 32 px; a network of 6 levels takes multiples of 64 px")
        fine = ("--init-from", path, "--dataset", dataset, "-o", tmp_path / "run")
        check(invoke("dunhuang-train", *fine), 3, "a network of 6 levels")
        outcome = invoke("dunhuang-train", *fine, "--levels", 3)
        check(outcome, 3, "has levels 6, asked for is --levels 3")
        assert not (tmp_path / "run").exists()

    def test_what_is_no_checkpoint(self, invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
        (tmp_path / "x.safetensors").write_text("no weights")
        for name in ("x", "gone"):
            path = tmp_path / f"{name}.safetensors"
            outcome = invoke("dunhuang-train", "evaluate", path, "--dataset", dataset)
            check(outcome, 3, f"{name}.safetensors cannot be read")

    def test_a_run_that_is_there(self, invoke: Invoke, dataset: Path, run: Path) -> None:
        again = ("--dataset", dataset, "-o", run, "--width", 4, "--levels", 3, "--batch", 4)
        before = (run / "last.safetensors").read_bytes()
        check(invoke("dunhuang-train", *again), 4, "--resume", "--overwrite")
        assert (run / "last.safetensors").read_bytes() == before

    def test_no_run_to_resume(self, invoke: Invoke, tmp_path: Path) -> None:
        outcome = invoke("dunhuang-train", "fit", "--resume", "-o", tmp_path)
        check(outcome, 3, "is not a run that can be resumed")
        outcome = invoke("dunhuang-train", "fit", "-o", tmp_path / "run")
        check(outcome, 2, "Missing option '--dataset'")

    def test_settings_cannot_change_on_resuming(self, invoke: Invoke, run: Path) -> None:
        outcome = invoke("dunhuang-train", "fit", "--resume", "-o", run, "--steps", 9)
        check(outcome, 2, "--steps cannot be given with --resume: a run keeps the settings")

    def test_a_run_resumes_where_its_dataset_is_now(
        self, invoke: Invoke, dataset: Path, tmp_path: Path
    ) -> None:
        run, shape = tmp_path / "run", ("--width", 4, "--levels", 3, "--batch", 4, "--steps", 2)
        start = ("dunhuang-train", "--dataset", dataset, "-o", run, *shape, "--time-limit", "0s")
        assert invoke(*start).code == 0
        document = json.loads((run / "run.json").read_text())
        gone = {**document, "dataset": str(tmp_path / "gone")}
        (run / "run.json").write_text(json.dumps(gone))
        check(
            invoke("dunhuang-train", "fit", "--resume", "-o", run),
            3,
            "gone, the dataset this run began",
        )
        moved = shutil.copytree(dataset, tmp_path / "moved")
        resumed = invoke("dunhuang-train", "--resume", "-o", run, "--dataset", moved)
        assert resumed.code == 0, resumed.err

    def test_a_full_disk_while_training(
        self, invoke: Invoke, dataset: Path, tmp_path: Path
    ) -> None:
        shape = ("--width", 4, "--levels", 3, "--batch", 4, "--steps", 2)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
        try:
            outcome = invoke("dunhuang-train", "--dataset", dataset, "-o", tmp_path / "run", *shape)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        check(outcome, 5, "Could not write", "Nothing was left")
        assert list(tmp_path.iterdir()) == []

    def test_masks_that_do_not_fit(self, invoke: Invoke, run: Path, tmp_path: Path) -> None:
        picture = save_picture(tmp_path / "wall.png", draw_picture(40, 60, "wall"))
        mask = save_picture(tmp_path / "mask.png", np.zeros((60, 40), dtype=np.uint8))
        out = ("-o", tmp_path / "out")
        base = ("restore", run / "best.safetensors", picture, "--mask", mask, *out)
        check(invoke("dunhuang-train", *base), 2, "Missing option '--white-is'")
        outcome = invoke("dunhuang-train", *base, "--white-is", "hole")
        check(outcome, 3, "mask.png is 60 x 40 px", "wall.png 40 x 60 px")
        assert not (tmp_path / "out").exists()
        both = ("restore", run / "best.safetensors", picture, picture, "--mask")
        outcome = invoke("dunhuang-train", *both, mask, *out, "--white-is", "hole")
        check(outcome, 2, "is one mask for 2 pictures. Name a folder")
        twice = (*both, save_picture(tmp_path / "masks" / "wall.png", PIXELS).parent, *out)
        check(invoke("dunhuang-train", *twice, "--white-is", "hole"), 2, "Several of the pictures")

    def test_a_picture_is_never_replaced_by_its_restoration(
        self, invoke: Invoke, run: Path, tmp_path: Path
    ) -> None:
        picture = save_picture(tmp_path / "wall.png", draw_picture(40, 60, "wall"))
        mask = save_picture(tmp_path / "mask.png", draw_picture(40, 60, "mask")[..., 0])
        before = picture.read_bytes()
        base = ("restore", run / "best.safetensors", picture, "--mask", mask, "-o", tmp_path)
        outcome = invoke("dunhuang-train", *base, "--white-is", "hole", "--overwrite")
        check(outcome, 4, "wall.png is an input and would be replaced")
        assert picture.read_bytes() == before

    def test_the_sheets_of_compare_are_outputs_too(
        self, invoke: Invoke, run: Path, tmp_path: Path
    ) -> None:
        hole = np.zeros((40, 60), dtype=np.uint8)
        hole[5:9, 10:40] = 255
        pictures = [tmp_path / "pictures" / name for name in ("wall.png", "wall-compare.png")]
        for picture in pictures:
            save_picture(picture, draw_picture(40, 60, picture.name))
            save_picture(tmp_path / "masks" / picture.name, hole)
        base = ("restore", run / "best.safetensors", *pictures, "--mask", tmp_path / "masks")
        options = ("--white-is", "hole", "-o", tmp_path / "out")
        outcome = invoke("dunhuang-train", *base, *options, "--compare")
        check(outcome, 2, "Several of the pictures would be restored as", "wall-compare.png")
        assert not (tmp_path / "out").exists()
        assert invoke("dunhuang-train", *base, *options).code == 0  # no sheets, no collision
        assert len(list((tmp_path / "out").glob("*.png"))) == 2
