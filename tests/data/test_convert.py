"""A converted dataset is what a build with that recipe would have made."""

import filecmp
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drawings import TINY_PLAN
from dunhuang_data.build import build_dataset
from dunhuang_data.convert import convert_dataset
from dunhuang_data.errors import DataProblem, DatasetError, OutputExistsError
from dunhuang_data.manifest import manifest_text, read_manifest
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.plan import make_plan
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.verify import verify_dataset

GOLDEN = Path(__file__).parents[1] / "golden"


def same_files(one: Path, other: Path) -> bool:
    names = [str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()]
    others = [str(path.relative_to(other)) for path in other.rglob("*") if path.is_file()]
    equal, _, _ = filecmp.cmpfiles(one, other, names, shallow=False)
    return sorted(equal) == sorted(names) == sorted(others)


@pytest.mark.parametrize(
    ("source", "recipe"),
    [
        ("zarr", BuildRecipe("hdf5", 7)),
        ("hdf5", BuildRecipe("zarr", 7)),
        ("zarr", BuildRecipe("zarr", 7, "gzip")),
        ("zarr", BuildRecipe("zarr", 7, "lossless")),
        ("hdf5", BuildRecipe("hdf5", 7, "gzip")),
    ],
)
def test_it_has_the_bytes_of_a_build(
    make_dataset: Callable[[str], Path],
    pictures: Path,
    bank_root: Path,
    tmp_path: Path,
    source: str,
    recipe: BuildRecipe,
) -> None:
    counted: list[int] = []
    made = convert_dataset(
        make_dataset(source), tmp_path / "new", recipe, progress=lambda n, _: counted.append(n)
    )
    plan = make_plan([pictures], TINY_PLAN)
    build_dataset(plan, open_bank(bank_root), tmp_path / "built", recipe)
    assert same_files(tmp_path / "new", tmp_path / "built")
    assert made.content_sha256 == read_manifest(make_dataset(source)).content_sha256
    assert sum(counted) == 48
    assert verify_dataset(tmp_path / "new") == []


def test_there_and_back_with_two_workers_it_is_the_same(dataset: Path, tmp_path: Path) -> None:
    convert_dataset(dataset, tmp_path / "small", BuildRecipe("zarr", 7, "lossless"), workers=2)
    convert_dataset(tmp_path / "small", tmp_path / "back", BuildRecipe("zarr", 7), workers=2)
    assert same_files(tmp_path / "back", dataset)


def test_an_interrupted_conversion_continues(dataset: Path, tmp_path: Path) -> None:
    recipe = BuildRecipe("zarr", 7, "gzip")

    def stop(count: int, _bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_dataset(dataset, tmp_path / "new", recipe, progress=stop)
    with pytest.raises(OutputExistsError, match="interrupted conversion of another dataset"):
        convert_dataset(dataset, tmp_path / "new", BuildRecipe("hdf5", 7))
    convert_dataset(dataset, tmp_path / "new", recipe, resume=True)
    assert verify_dataset(tmp_path / "new") == []
    with pytest.raises(OutputExistsError, match="already holds an output"):
        convert_dataset(dataset, tmp_path / "new", recipe)
    with pytest.raises(DataProblem, match="There is nothing to resume"):
        convert_dataset(dataset, tmp_path / "other", recipe, resume=True)


def test_a_damaged_source_is_a_sentence_and_nothing_is_left(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    file = copy / "train/image/c.0.0.0.0"
    data = bytearray(file.read_bytes())
    data[100] ^= 4
    file.write_bytes(data)
    with pytest.raises(DatasetError, match="chunk 0 fails its checksum"):
        convert_dataset(copy, tmp_path / "new", BuildRecipe("hdf5", 7))
    assert not (tmp_path / "new").exists()
    with pytest.raises(DatasetError, match="converting keeps them, 9 were asked for"):
        convert_dataset(dataset, tmp_path / "new", BuildRecipe("zarr", 9))


@pytest.mark.parametrize("name", ["v1-zarr", "v2-zarr", "v1-hdf5", "v2-hdf5"])
def test_swapped_shards_of_older_formats_are_not_made_good(tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(GOLDEN / name, tmp_path / "copy")
    first, second = (
        ("train/image/c.0.0.0.0", "train/image/c.1.0.0.0")
        if name.endswith("zarr")
        else ("train/00000.h5", "train/00001.h5")
    )
    data = (copy / first).read_bytes(), (copy / second).read_bytes()
    assert len(data[0]) == len(data[1])
    (copy / first).write_bytes(data[1])
    (copy / second).write_bytes(data[0])
    with pytest.raises(DatasetError, match="is not the file that was written"):
        convert_dataset(copy, tmp_path / "new", BuildRecipe("zarr", 4))
    assert not (tmp_path / "new").exists()


def test_a_source_whose_manifest_says_other_content_is_refused(
    dataset: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    convert_dataset(dataset, source, BuildRecipe("zarr", 7))
    forged = read_manifest(source)
    changed = replace(forged.shards[1], content_sha256="0" * 64)
    shards = (forged.shards[0], changed, *forged.shards[2:])
    (source / "dataset.json").write_text(manifest_text(replace(forged, shards=shards)))
    with pytest.raises(DatasetError, match="is another shard's file, or was altered"):
        convert_dataset(source, tmp_path / "new", BuildRecipe("hdf5", 7))


def test_a_source_that_was_replaced_is_read_anew(
    make_dataset: Callable[[str], Path], tmp_path: Path
) -> None:
    source = shutil.copytree(GOLDEN / "v3-zarr-none", tmp_path / "source")
    convert_dataset(source, tmp_path / "one", BuildRecipe("zarr", 4, "gzip"))
    shutil.rmtree(source)
    shutil.copytree(make_dataset("zarr"), source)
    convert_dataset(source, tmp_path / "two", BuildRecipe("zarr", 7, "gzip"))
    assert verify_dataset(tmp_path / "two") == []


def test_a_plan_that_was_changed_with_its_hash_is_noticed(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    table, marker = copy / "plan" / "patches.csv", copy / "plan" / "plan.json"
    old = hashlib.sha256(table.read_bytes()).hexdigest()
    rows = table.read_text().splitlines(keepends=True)
    cells = rows[1].split(",")
    cells[2] = str(int(cells[2]) + 1)  # another place in the picture
    rows[1] = ",".join(cells)
    table.write_text("".join(rows))
    new = hashlib.sha256(table.read_bytes()).hexdigest()
    marker.write_text(marker.read_text().replace(old, new))
    with pytest.raises(DatasetError, match="does not have the content that its manifest says"):
        convert_dataset(copy, tmp_path / "new", BuildRecipe("hdf5", 7))
    assert not (tmp_path / "new").exists()
