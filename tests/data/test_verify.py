"""Verify finds what was altered, and names it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dunhuang_data.build import build_dataset
from dunhuang_data.manifest import read_manifest
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.plan import Patches, read_plan
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.verify import verify_dataset

FORMATS = ("zarr", "hdf5")


@pytest.mark.parametrize("format", FORMATS)
def test_a_sound_dataset_has_no_problem(make_dataset: Callable[[str], Path], format: str) -> None:
    counted: list[int] = []
    assert verify_dataset(make_dataset(format), counted.append) == []
    assert sum(counted) == 48


@pytest.mark.parametrize("format", FORMATS)
def test_every_altered_file_is_named(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str
) -> None:
    root = make_dataset(format)
    files = [file.path for file in read_manifest(root).files()]
    assert set(files) == {
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()
    } - {"dataset.json", "SHA256SUMS"}
    for number, path in enumerate(files):
        copy = shutil.copytree(root, tmp_path / str(number))
        data = bytearray((copy / path).read_bytes())
        data[(number * 7919) % len(data)] ^= 1 << number % 8
        (copy / path).write_bytes(data)
        problems = verify_dataset(copy)
        assert len(problems) == 1
        assert problems[0].startswith(f"{path} is not the file that was written")
    (copy / path).unlink()
    assert verify_dataset(copy) == [f"{path} is missing."]


def test_two_swapped_shards_are_found(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    one, two = copy / "train/image/c.0.0.0.0", copy / "train/image/c.1.0.0.0"
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    assert len(verify_dataset(copy)) == 2


def test_content_is_checked_even_if_the_files_hashes_were_forged(
    dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    document = json.loads((copy / "dataset.json").read_text())
    first, second = document["shards"]["train"][:2]
    first["content_sha256"], second["content_sha256"] = (
        second["content_sha256"],
        first["content_sha256"],
    )
    (copy / "dataset.json").write_text(json.dumps(document))
    problems = verify_dataset(copy)
    assert [problem.split(":")[0] for problem in problems] == [
        "dataset.json",
        "shard 0 of train",
        "shard 1 of train",
    ]


def test_a_plan_that_is_not_the_datasets_is_found(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / "plan" / "patches.csv").write_text("index\n")
    problems = verify_dataset(copy)
    assert problems[0].startswith("plan/patches.csv is not the file that was written")


def test_a_picture_in_two_splits_is_found(plan_root: Path, bank_root: Path, tmp_path: Path) -> None:
    plan = read_plan(plan_root)
    row = next(row for row, patch in enumerate(plan.patches) if patch.split == "train")
    patches = list(plan.patches)
    patches[row] = replace(patches[row], split="test")
    leaking = replace(plan, patches=Patches.listed(patches))
    build_dataset(leaking, open_bank(bank_root), tmp_path / "shards", BuildRecipe("hdf5"))
    assert verify_dataset(tmp_path / "shards") == [
        f"picture {patches[row].picture_id!r} has patches in test and train."
    ]


@pytest.mark.parametrize(
    ("forge", "sentence"),
    [
        (
            lambda d: (d["shards"]["train"].pop(), d["samples"].update(train=21)),
            "train has 21 samples, the plan 24.",
        ),
        (lambda d: d.update(content_sha256="0" * 64), "content_sha256 is not that of its shards"),
        (lambda d: d.update(other_files=[]), "does not list plan/patches.csv"),
    ],
)
def test_a_forged_manifest_is_found(
    dataset: Path, tmp_path: Path, forge: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    document = json.loads((copy / "dataset.json").read_text())
    forge(document)
    (copy / "dataset.json").write_text(json.dumps(document))
    assert any(sentence in problem for problem in verify_dataset(copy))
