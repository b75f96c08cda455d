"""A bank is the same bytes however it is made, whole or absent, and continues where it stopped."""

import filecmp
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.atomic import locked
from dunhuang_data.errors import DataProblem, MaskError, OutputExistsError
from dunhuang_data.executors import run_jobs
from dunhuang_data.foreign_masks import read_mask
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.walks import backend, use_compiled

RECIPE = MaskRecipe(shape_hw=(21, 34), steps=(80, 90), count=17, seed=2)
PER_FILE = 3  # six parts


def same_files(one: Path, other: Path) -> bool:
    def names(root: Path) -> list[str]:
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    equal, _, _ = filecmp.cmpfiles(one, other, names(one), shallow=False)
    return equal == names(one) == names(other)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "masks"
    write_bank(RECIPE, out, masks_per_file=PER_FILE)
    return out


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_any_number_of_workers_writes_the_bytes_of_one(
    undisturbed: Path, tmp_path: Path, workers: int
) -> None:
    write_bank(RECIPE, tmp_path / "masks", masks_per_file=PER_FILE, workers=workers)
    assert same_files(tmp_path / "masks", undisturbed)


def test_a_compiled_loop_writes_the_same_bytes_if_a_share_is_large_enough(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[tuple[int, bool]] = []

    def noted(masks: int, to_order: bool) -> bool:
        shares.append((masks, to_order))
        return use_compiled(masks, to_order)

    monkeypatch.setattr("dunhuang_data.mask_bank.writing.use_compiled", noted)
    monkeypatch.setattr(backend, "WORTH_COMPILING", {"steps": 17, "order": 17})
    monkeypatch.setattr(backend, "compiled", None)
    write_bank(RECIPE, tmp_path / "masks", masks_per_file=PER_FILE)
    assert shares == [(17, False)] * 6
    assert (backend.compiled is not None) == (find_spec("numba") is not None)
    assert same_files(tmp_path / "masks", undisturbed)
    strokes = replace(RECIPE, family="blocks", hole_ratio=(0.1, 0.2), steps=MaskRecipe().steps)
    write_bank(strokes, tmp_path / "blocks")
    assert len(shares) == 6, "only walks have a compiled loop"


def test_workers_are_started_when_the_first_part_shows_that_it_pays(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def noted(function: object, jobs: object, workers: int) -> object:
        asked.append(workers)
        return run_jobs(function, jobs, 1)  # type: ignore[arg-type]

    monkeypatch.setattr("dunhuang_data.mask_bank.writing.run_jobs", noted)
    monkeypatch.setattr("dunhuang_data.mask_bank.writing.cores", lambda: 5)
    write_bank(RECIPE, tmp_path / "quick", masks_per_file=PER_FILE, workers=0)
    monkeypatch.setattr("dunhuang_data.mask_bank.writing.WORTH_S", 0.0)
    write_bank(RECIPE, tmp_path / "slow", masks_per_file=PER_FILE, workers=0)
    assert asked == [1, 5]
    assert same_files(tmp_path / "slow", undisturbed)


def test_parts_in_any_order_give_the_same_bytes(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backwards(function: object, jobs: list[object], workers: int) -> object:
        return run_jobs(function, jobs[::-1], workers)  # type: ignore[arg-type]

    monkeypatch.setattr("dunhuang_data.mask_bank.writing.run_jobs", backwards)
    write_bank(RECIPE, tmp_path / "masks", masks_per_file=PER_FILE)
    assert same_files(tmp_path / "masks", undisturbed)


def interrupt(out: Path, after: int, recipe: MaskRecipe = RECIPE, png: bool = False) -> None:
    """Begin a bank and stop it as Ctrl-C does, after so many masks."""
    done = []

    def stop(count: int) -> None:
        done.append(count)
        if sum(done) >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bank(recipe, out, progress=stop, masks_per_file=PER_FILE, png=png)


def test_an_interrupted_bank_continues(undisturbed: Path, tmp_path: Path) -> None:
    out, building = tmp_path / "masks", tmp_path / "masks.building"
    interrupt(out, 9)
    assert not out.exists()
    assert len(list((building / "state").iterdir())) == 3
    with pytest.raises(MaskError, match=r"its make-masks was interrupted and lies in .*building"):
        open_bank(out)
    # of three whole parts one is damaged and one is gone; they are made again, the third is kept
    damaged = building / "valid-00000.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x55")
    (building / "valid-00001.npy").unlink()
    kept = (building / "valid-00002.npy").stat().st_ino
    counted: list[int] = []
    write_bank(RECIPE, out, progress=counted.append, masks_per_file=PER_FILE, resume=True)
    assert sum(counted) == 17
    assert (out / "valid-00002.npy").stat().st_ino == kept
    assert same_files(out, undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["masks"]


def test_interrupted_before_one_part_is_whole_it_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dunhuang_data.mask_bank.writing.write_packed", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_bank(RECIPE, tmp_path / "masks")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_bank_of_another_recipe_is_not_continued(
    undisturbed: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "masks", replace(RECIPE, seed=3)
    interrupt(out, 3, other)
    for overwrite, resume in ((False, False), (False, True), (True, True)):
        with pytest.raises(OutputExistsError, match="is an interrupted bank of another recipe"):
            write_bank(RECIPE, out, overwrite, masks_per_file=PER_FILE, resume=resume)
    interrupt(out, 9, other)  # it was kept, and goes on
    write_bank(RECIPE, out, overwrite=True, masks_per_file=PER_FILE)
    assert same_files(out, undisturbed)


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"nothing to resume: .*masks\.building is not there"):
        write_bank(RECIPE, tmp_path / "masks", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_a_bank_is_replaced_only_by_a_whole_one(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    write_bank(replace(RECIPE, seed=3), out, masks_per_file=PER_FILE)
    before = (out / "bank.json").read_bytes()
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        if len(done) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bank(RECIPE, out, True, stop, masks_per_file=PER_FILE)
    assert (out / "bank.json").read_bytes() == before
    assert len(open_bank(out)) == 17
    write_bank(RECIPE, out, True, masks_per_file=PER_FILE)
    assert same_files(out, undisturbed)


def test_pictures_are_written_beside_and_continued_too(tmp_path: Path) -> None:
    write_bank(RECIPE, tmp_path / "whole", png=True, masks_per_file=PER_FILE)
    bank = open_bank(tmp_path / "whole")
    for index in (0, 8, 16):
        path = tmp_path / "whole" / "png" / f"{index:05d}.png"
        assert np.array_equal(read_mask(path, "known").valid, bank.read(index))
    interrupt(tmp_path / "again", 6, png=True)
    (tmp_path / "again.building" / "png" / "00004.png").write_bytes(b"")
    write_bank(RECIPE, tmp_path / "again", png=True, masks_per_file=PER_FILE, resume=True)
    assert same_files(tmp_path / "again", tmp_path / "whole")


def test_two_processes_cannot_make_one_bank(undisturbed: Path, tmp_path: Path) -> None:
    out, errors = tmp_path / "masks", []

    def make_again(_: int) -> None:
        with pytest.raises(OutputExistsError, match="Another process is making") as caught:
            write_bank(RECIPE, out, masks_per_file=PER_FILE)
        errors.append(caught)

    write_bank(RECIPE, out, progress=make_again, masks_per_file=PER_FILE)
    assert len(errors) == 6
    assert same_files(out, undisturbed)


SCRIPT = """
import os, signal, sys, pathlib
from dunhuang_data.mask_bank import write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.walks import backend, use_compiled
out, left, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]), [0]
def dying(rename):
    def maybe(*paths):
        count[0] += 1
        if count[0] == left:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths)
    return maybe
os.replace, os.rename = dying(os.replace), dying(os.rename)
recipe = MaskRecipe(shape_hw=(21, 34), steps=(80, 90), count=17, seed=2)
write_bank(recipe, out, masks_per_file=3)
print(count[0])
"""


def test_killed_at_any_rename_it_ends_with_the_same_bytes(
    undisturbed: Path, tmp_path: Path
) -> None:
    """Every change that is made visible is a rename: the process dies just before the n-th."""

    def make(out: Path, dies_before: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SCRIPT, str(out), str(dies_before)]
        return subprocess.run(command, capture_output=True, text=True)

    total = int(make(tmp_path / "undisturbed", 0).stdout)
    assert total == 15  # the marker, six parts and their records, bank.json, the folder
    for moment in (1, 2, 3, 8, 13, 14, 15):
        out = tmp_path / f"masks-{moment}"
        assert make(out, moment).returncode == -signal.SIGKILL
        assert not out.exists()
        found: list[int] = []
        write_bank(RECIPE, out, masks_per_file=PER_FILE, progress=found.append)
        assert len(found) == (0 if moment == 15 else 6)  # a whole bank only lacks its name
        assert same_files(out, undisturbed), moment
    assert not list(tmp_path.glob("*.building"))


def test_a_record_of_nonsense_counts_as_none(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    interrupt(out, 12)
    state = tmp_path / "masks.building" / "state"
    records = sorted(state.iterdir())
    records[0].write_text("{")
    records[1].write_text(json.dumps({"number": 1, "masks": 3, "sha256": 5}))
    records[2].write_text(json.dumps([1]))
    write_bank(RECIPE, out, masks_per_file=PER_FILE)
    assert same_files(out, undisturbed)


def test_a_part_of_another_bank_counts_as_none(undisturbed: Path, tmp_path: Path) -> None:
    out, building = tmp_path / "masks", tmp_path / "masks.building"
    interrupt(out, 12, replace(RECIPE, seed=3))
    other = {path.name: path.read_bytes() for path in building.glob("valid-*")}
    records = {path.name: path.read_bytes() for path in (building / "state").iterdir()}
    assert len(records) == 4
    shutil.rmtree(building)
    interrupt(out, 3)
    for name, contents in other.items():
        (building / name).write_bytes(contents)
    for name, contents in records.items():
        (building / "state" / name).write_bytes(contents)
    write_bank(RECIPE, out, masks_per_file=PER_FILE)
    assert same_files(out, undisturbed)


def test_a_folder_that_another_process_holds_is_not_marked(tmp_path: Path) -> None:
    out, building = tmp_path / "masks", tmp_path / "masks.building"
    interrupt(out, 3)
    marker = (building / "making.json").read_bytes()
    with (
        locked(building, "making"),
        pytest.raises(OutputExistsError, match="Another process is making"),
    ):
        write_bank(replace(RECIPE, seed=3), out, overwrite=True, masks_per_file=PER_FILE)
    assert (building / "making.json").read_bytes() == marker
    assert len(list(building.glob("valid-*"))) == 1


def test_masks_with_pictures_do_not_continue_those_without(tmp_path: Path) -> None:
    out = tmp_path / "masks"
    interrupt(out, 3)
    with pytest.raises(OutputExistsError, match="interrupted bank of another recipe"):
        write_bank(RECIPE, out, masks_per_file=PER_FILE, png=True)
