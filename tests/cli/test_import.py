"""`import`: what it says, what it writes, and that the next commands take it."""

import json
import resource
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawings import draw_picture, save_picture
from layout_trees import SHAPE, write_course, write_folder, write_muraldh

Invoke = Callable[..., Any]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return write_course(tmp_path / "course")


def test_a_dry_run_says_all_and_writes_nothing(
    invoke: Invoke, course: Path, tmp_path: Path
) -> None:
    take = ("import", course, "-o", tmp_path / "out")
    dry = invoke("dunhuang-data", *take, "--dry-run", "--json")
    assert dry.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["course"]
    outcome = invoke("dunhuang-data", *take, "--json")
    document = json.loads(outcome.out)
    assert document == {**json.loads(dry.out), "dry_run": False}
    assert (document["layout"], document["pictures"]) == ("course", 5)
    for text in (
        "Layout course: train/ has masks in it and train_gt/ beside it.",
        "White was read as known. Of 5 pictures with holes, 5 agree, 0 contradict, 0 do not tell.",
        "of the masks' pixels were neither black nor white, in 5 files; most in ",
    ):
        assert text in outcome.err
    outcome = invoke("dunhuang-data", *take)
    assert outcome.code == 4
    assert "Give --overwrite to replace it" in outcome.err
    outcome = invoke("dunhuang-data", *take, "--overwrite")
    assert (outcome.code, outcome.out) == (0, f"{tmp_path / 'out'}\n")
    table = tomllib.loads((tmp_path / "out" / "run.toml").read_text())["import"]
    assert table == {
        "out": str(tmp_path / "out"), "layout": "auto", "allow-missing": False, "workers": 0,
    }  # fmt: skip


def test_the_options_of_a_run_toml_are_taken_again(
    invoke: Invoke, course: Path, tmp_path: Path
) -> None:
    (course / "test_gt" / "401.jpg").unlink()
    more = ("--white-is", "hole", "--allow-missing", "--layout", "course")
    first = invoke("dunhuang-data", "import", course, "-o", tmp_path / "a", *more)
    assert first.code == 0
    assert "1 left out:\n  - " in first.err
    assert "Warning: White was read as hole, but the pictures with holes" in first.err
    again = ("--config", tmp_path / "a" / "run.toml", "-o", tmp_path / "b")
    assert invoke("dunhuang-data", "import", course, *again).code == 0
    for name in ("import.json", "files.csv", "train/masks/001.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_what_cannot_be_imported_ends_in_three_or_two(
    invoke: Invoke, course: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = invoke("dunhuang-data", "import", tmp_path, "-o", out)
    assert outcome.code == 3
    assert "has not a known layout; in it there are course" in outcome.err
    assert "course has one: name that folder." in outcome.err
    (course / "test_gt" / "401.jpg").unlink()
    outcome = invoke("dunhuang-data", "import", course, "-o", out)
    assert (outcome.code, outcome.out) == (3, "")
    assert "for '401' there is no picture" in outcome.err
    plain = write_folder(tmp_path / "plain")
    outcome = invoke("dunhuang-data", "import", plain, "-o", out)
    assert outcome.code == 2
    assert "give --white-is hole or --white-is known" in outcome.err
    outcome = invoke("dunhuang-data", "import", plain, "-o", plain / "out", "--white-is", "hole")
    assert outcome.code == 2
    assert "would be taken for a part of it" in outcome.err
    assert not out.exists()


def test_a_full_disk_leaves_nothing(invoke: Invoke, course: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk: the system refuses alike."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        outcome = invoke("dunhuang-data", "import", course, "-o", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (outcome.code, outcome.out) == (5, "")
    assert "001.jpg: File too large. Nothing was left under its final name" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["course"]


def test_patches_are_sampled_from_what_was_imported(invoke: Invoke, tmp_path: Path) -> None:
    root, out = write_muraldh(tmp_path / "MuralDH"), tmp_path / "out"
    for number in range(8, 20):
        key = f"img_{number}crop_0_0"
        save_picture(root / "Mural512" / f"{key}.png", draw_picture(*SHAPE, key))
    outcome = invoke("dunhuang-data", "import", root, "-o", out)
    assert outcome.code == 0
    assert f"Not read of {root}: Mural_SR." in outcome.err
    crops, seg = out / "Mural512", out / "Mural_seg" / "train"
    small = ("--size", 24, "--per-picture", 2)
    plan = ("sample-patches", crops / "pictures", "-o", tmp_path / "plan", *small)
    groups = ("--split-by", "group", "--groups", crops / "groups.csv")
    outcome = invoke("dunhuang-data", *plan, *groups, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["left_out"] == []
    plan = ("sample-patches", seg / "pictures", "-o", tmp_path / "seg", *small)
    damage = ("--exclude-masks", seg / "damage", "--damage-is", "white", "--max-damage", 0.9)
    outcome = invoke("dunhuang-data", *plan, *damage, "--split", "1,0,0", "--json")
    assert outcome.code == 0
    report = json.loads(outcome.out)["report"]
    assert all(0 < one["sampleable"] <= 1 for one in report)
    assert json.loads(outcome.out)["left_out"] == []
