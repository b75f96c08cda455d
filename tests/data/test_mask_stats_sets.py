"""Banks, datasets and files, measured set by set: by whom leaves no trace, and faults are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drawings import save_picture
from dunhuang_data.errors import DataProblem, DatasetError, MaskError, UsageProblem
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.mask_stats import (
    duplicates,
    measure_masks,
    measure_source,
    open_against,
    open_source,
    pooled,
    set_names,
)
from dunhuang_data.mask_stats import sets as sets_module
from dunhuang_data.plan import read_plan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import SPLITS


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    write_bank(MaskRecipe(shape_hw=(21, 34), steps=(150, 150), count=23, seed=2), tmp_path / "bank")
    return tmp_path / "bank"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three mask files, white = hole."""
    folder = tmp_path / "files"
    for number, name in enumerate(["b.png", "a/c.png", "a/d.tif"]):
        hole = np.zeros((20, 31), np.uint8)
        hole[2 : 4 + number, 5:20] = 255
        save_picture(folder / name, hole)
    return folder


def test_a_bank_is_measured_as_its_masks_are(bank: Path) -> None:
    (one,) = measure_source(open_source(bank))
    expected = measure_masks(open_bank(bank))
    assert one.name == "masks"
    assert np.array_equal(one.stats.table, expected.table)
    assert np.array_equal(one.stats.hole_frequency, expected.hole_frequency)  # type: ignore[arg-type]
    assert one.stats.areas() == expected.areas()
    assert [label.row for label in one.labels] == list(range(23))


def test_workers_and_parts_leave_no_trace(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets_module, "ROWS_PER_JOB", 4)
    for by in ("all", "bucket"):
        alone, together = (measure_source(open_source(bank), by, workers) for workers in (1, 2))
        assert [one.name for one in alone] == [one.name for one in together]
        for one, other in zip(alone, together, strict=True):
            assert one.labels == other.labels
            assert one.stats.table.tobytes() == other.stats.table.tobytes()
            assert one.stats.summary() == other.stats.summary()
            assert np.array_equal(one.stats.hole_frequency, other.stats.hole_frequency)  # type: ignore[arg-type]


def test_buckets_share_out_the_masks(bank: Path) -> None:
    (whole,), parts = measure_source(open_source(bank)), measure_source(open_source(bank), "bucket")
    counts = {one["bucket"]: one["masks"] for one in whole.stats.buckets()}
    assert {one.name: len(one.stats) for one in parts} == {n: c for n, c in counts.items() if c}
    assert len(parts) > 1
    again = pooled(parts, "masks").stats
    assert sorted(again.table["hash"]) == sorted(whole.stats.table["hash"])
    assert again.areas() == whole.stats.areas()
    twice = pooled([parts[0], parts[0]], "masks").stats
    assert twice.area_counts.tolist() == [2 * n for n in parts[0].stats.area_counts]


def test_many_sets_have_no_heat_maps(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = len(set_names(open_source(bank), "bucket"))
    for most, kept in ((buckets, True), (buckets - 1, False)):
        monkeypatch.setattr(sets_module, "MOST_MAPS", most)
        parts = measure_source(open_source(bank), "bucket")
        assert {one.stats.hole_frequency is not None for one in parts} == {kept}


@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_a_dataset_is_measured_by_split_and_by_picture(
    make_dataset: Callable[[str], Path], format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets_module, "ROWS_PER_JOB", 5)
    root = make_dataset(format)
    source = open_source(root)
    splits = measure_source(source, "split")
    assert [one.name for one in splits] == list(SPLITS)
    for one in splits:
        expected = measure_masks(DatasetReader(root, one.name).masks())  # type: ignore[arg-type]
        assert np.array_equal(one.stats.table, expected.table)
        assert {label.split for label in one.labels} == {one.name}
    every = measure_masks(valid for split in SPLITS for valid in DatasetReader(root, split).masks())
    plan = read_plan(root / "plan")
    pictures = measure_source(source, "picture")
    assert {one.name for one in pictures} == {patch.picture_id for patch in plan.patches}
    rows = {patch.index: patch for patch in plan.patches}
    for one in pictures:
        for label, digest in zip(one.labels, one.stats.table["hash"], strict=True):
            index = int(label.name.removeprefix("patch "))
            assert rows[index].picture_id == label.picture == one.name
            assert rows[index].split == label.split
            assert digest in every.table["hash"]


def test_some_rows_of_a_split_can_be_read(dataset: Path) -> None:
    reader = DatasetReader(dataset, "train")
    every = list(reader.masks())
    assert np.array_equal(list(reader.masks(3, 8)), every[3:8])
    assert np.array_equal(list(reader.masks(len(reader) - 2)), every[-2:])


def test_one_split_alone_and_a_split_against_another(dataset: Path) -> None:
    source = open_source(dataset, only="val")
    (one,) = measure_source(source, "split")
    assert one.name == "val"
    assert len(one.stats) == len(DatasetReader(dataset, "val"))
    other = open_against(source, Path("test"))
    assert other.root == dataset
    assert {label.split for label in other.labels} == {"test"}


def test_files_are_measured_by_name(files: Path) -> None:
    (one,) = measure_source(open_source(files, "hole"))
    assert [label.name for label in one.labels] == ["a/c.png", "a/d.tif", "b.png"]
    assert one.stats.hole_ratio.tolist() == pytest.approx([n * 15 / 620 for n in (3, 4, 2)])
    (inverted,) = measure_source(open_source(files, "known"))
    assert inverted.stats.hole_ratio.tolist() == pytest.approx(
        [1 - n * 15 / 620 for n in (3, 4, 2)]
    )


def test_grey_pixels_are_counted_file_by_file(files: Path) -> None:
    grey = np.zeros((20, 31), np.uint8)
    grey[3:9] = 255
    grey[9] = 100
    save_picture(files / "e.png", grey)
    (one,) = measure_source(open_source(files, "hole"))
    assert one.stats.column("grey_share").tolist() == pytest.approx([0, 0, 0, 1 / 20])


def test_duplicates_name_their_rows(files: Path) -> None:
    (files / "copy.png").write_bytes((files / "b.png").read_bytes())
    sets = measure_source(open_source(files, "hole"))
    assert [[str(label) for label in group] for group in duplicates(sets)] == [
        ["row 2 (b.png)", "row 3 (copy.png)"]
    ]
    assert sets[0].stats.counts()["duplicates"] == 1


def test_what_cannot_be_used_is_named_with_file_and_row(files: Path) -> None:
    save_picture(files / "grey.png", np.full((20, 31), 120, np.uint8))
    (files / "torn.png").write_bytes((files / "b.png").read_bytes()[:60])
    with pytest.raises(MaskError, match="2 masks cannot be used") as caught:
        measure_source(open_source(files, "hole"))
    assert "row 3 (grey.png): " in str(caught.value)
    assert "100% of its pixels are neither black nor white" in str(caught.value)
    assert "row 4 (torn.png): " in str(caught.value)


def test_the_first_file_of_another_size_is_named(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets_module, "ROWS_PER_JOB", 2)
    save_picture(files / "e.png", np.zeros((25, 31), np.uint8))
    save_picture(files / "f.png", np.zeros((20, 31), np.uint8))
    save_picture(files / "g.png", np.zeros((11, 31), np.uint8))
    with pytest.raises(MaskError, match="Give --any-size") as caught:
        measure_source(open_source(files, "hole"))
    assert "row 3 (e.png) is 25 x 31 px (height x width), row 0 (a/c.png) 20 x 31 px" in str(
        caught.value
    )
    with monkeypatch.context() as late:  # whichever part is done first
        late.setattr(sets_module, "run_jobs", lambda f, jobs, _: map(f, reversed(list(jobs))))
        with pytest.raises(MaskError) as again:
            measure_source(open_source(files, "hole"))
    assert str(again.value) == str(caught.value)
    (one,) = measure_source(open_source(files, "hole"), any_size=True)
    assert one.stats.hole_frequency is None
    assert one.stats.shape_hw is None
    assert len(one.stats) == 6


def test_what_is_no_source_is_a_sentence(tmp_path: Path, bank: Path, files: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataProblem, match="there are no mask files in it: No pictures found"):
        open_source(tmp_path / "empty")
    with pytest.raises(DataProblem, match="does not exist"):
        open_source(tmp_path / "gone", "hole")
    with pytest.raises(UsageProblem, match=r"holds 3 picture files.*never guessed"):
        open_source(files)
    with pytest.raises(UsageProblem, match="is a mask bank, in which 1 is known"):
        open_source(bank, "hole")
    with pytest.raises(UsageProblem, match="is no dataset and has no splits"):
        open_source(bank, only="val")
    with pytest.raises(UsageProblem, match="--by picture is for datasets"):
        set_names(open_source(bank), "picture")


def test_changed_bytes_of_bank_and_dataset_are_found(
    bank: Path, dataset: Path, tmp_path: Path
) -> None:
    (file,) = bank.glob("valid-*.npy")
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(MaskError, match="its SHA-256 differs"):
        open_source(bank)
    copy = shutil.copytree(dataset, tmp_path / "shards")
    shard = next((copy / "train" / "valid").glob("c.0*"))
    data = bytearray(shard.read_bytes())
    data[40] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DatasetError, match="fails its checksum"):
        measure_source(open_source(copy), "split")
