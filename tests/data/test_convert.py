"""A converted dataset is what a build with that recipe would have made."""

import filecmp
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drawings import TINY_PLAN
from dunhuang_data.build import build_dataset
from dunhuang_data.convert import convert_dataset
from dunhuang_data.errors import DataProblem, DatasetError, OutputExistsError
from dunhuang_data.manifest import read_manifest
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.plan import make_plan
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.verify import verify_dataset


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
