"""Whatever was done to a document on the disk, reading it ends in a sentence or in the truth."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dunhuang_data.errors import DataProblem
from dunhuang_data.manifest import read_manifest
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.plan import read_plan

STRANGE: tuple[Any, ...] = (None, 5, -1, "x", [], {}, [[]], 10**30, "a\0b", True)


def damaged(document: Any) -> list[Any]:
    """Return copies of a document, each with one value at any depth removed or made strange."""
    copies: list[Any] = []

    def walk(path: list[Any], value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value[:1])
        for key, inner in items:
            copies.extend(changed(path, key, strange) for strange in STRANGE)
            if isinstance(value, dict):
                copies.append(changed(path, key, None, remove=True))
            if isinstance(inner, dict | list):
                walk([*path, key], inner)

    def changed(path: list[Any], key: Any, strange: Any, remove: bool = False) -> Any:
        copy = json.loads(json.dumps(document))
        place = copy
        for step in path:
            place = place[step]
        if remove:
            del place[key]
        else:
            place[key] = strange
        return copy

    walk([], document)
    return copies


def is_refused(read: Callable[[Path], Any], folder: Path) -> bool:
    try:
        read(folder)
    except DataProblem as error:
        return str(folder) in str(error)
    return False


@pytest.mark.parametrize(
    ("fixture", "name", "read"),
    [
        ("plan_root", "plan.json", read_plan),
        ("bank_root", "bank.json", open_bank),
        ("dataset", "dataset.json", read_manifest),
    ],
)
def test_a_damaged_document_is_a_sentence(
    fixture: str,
    name: str,
    read: Callable[[Path], Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    copy = shutil.copytree(request.getfixturevalue(fixture), tmp_path / "copy")
    original = json.loads((copy / name).read_text())
    refused = 0
    for document in damaged(original):
        (copy / name).write_text(json.dumps(document))
        refused += is_refused(read, copy)
    assert refused > 50
    for text in ("", "[" * 200_000, "5", "null", '"x"', "\x00"):
        (copy / name).write_text(text)
        with pytest.raises(DataProblem):
            read(copy)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (",train,", ",training,"),
        ("\n3,", "\n33,"),
        ("niche-3", "niche-33"),
        (",0.000,", ",nan,"),
        (",0.000,", ",x,"),
        (",train,", ","),
        ("split", "part"),
    ],
)
def test_a_damaged_row_is_named(plan_root: Path, tmp_path: Path, old: str, new: str) -> None:
    copy = shutil.copytree(plan_root, tmp_path / "copy")
    text = (copy / "patches.csv").read_text()
    assert old in text
    (copy / "patches.csv").write_text(text.replace(old, new, 1))
    document = json.loads((copy / "plan.json").read_text())
    digest = hashlib.sha256((copy / "patches.csv").read_bytes()).hexdigest()
    document["sha256"]["patches.csv"] = digest
    (copy / "plan.json").write_text(json.dumps(document))
    named = r"patches\.csv cannot be read as a table of patches: (row \d+: |its columns are index,)"
    with pytest.raises(DataProblem, match=named):
        list(read_plan(copy).patches)


def test_a_plan_opens_no_other_file(plan_root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(plan_root, tmp_path / "copy")
    document = json.loads((copy / "plan.json").read_text())
    document["sha256"]["../../../../../../dev/zero"] = "0" * 64
    (copy / "plan.json").write_text(json.dumps(document))
    assert read_plan(copy) == read_plan(plan_root)  # two names are known; no other is looked at
