"""Datasets of every version of the format are read, found sound, and converted, for ever."""

from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.convert import convert_dataset
from dunhuang_data.manifest import read_manifest
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.types import SPLITS
from dunhuang_data.verify import verify_dataset

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = (
    "v1-hdf5",
    "v1-zarr",
    "v2-hdf5",
    "v2-zarr",
    "v3-hdf5-gzip",
    "v3-hdf5-none",
    "v3-zarr-gzip",
    "v3-zarr-lossless",
    "v3-zarr-none",
)
CONTENT = "46730eae7b4c77117dd18a9d2ae081f3270d204b647c6db566d428d0943a5c83"  # as version 3


def test_all_golden_datasets_are_tested() -> None:
    assert tuple(sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_dataset_is_read_as_ever(name: str) -> None:
    with np.load(GOLDEN / "samples.npz") as expected:
        for split in SPLITS:
            reader = DatasetReader(GOLDEN / name, split)
            samples = reader.read(range(len(reader)))
            for array in ("image", "valid", "damage"):
                assert np.array_equal(getattr(samples, array), expected[f"{split}/{array}"])
            backwards = reader.read(range(len(reader))[::-1])
            assert np.array_equal(backwards.image[::-1], samples.image)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", ["quick", "full"])
def test_a_golden_dataset_is_sound(name: str, depth: str) -> None:
    assert verify_dataset(GOLDEN / name, depth=depth) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_dataset_becomes_one_of_the_present_version(name: str, tmp_path: Path) -> None:
    made = convert_dataset(GOLDEN / name, tmp_path / "out", BuildRecipe("zarr", 4))
    golden = read_manifest(GOLDEN / "v3-zarr-none")
    assert made.version == 3
    assert made.content_sha256 == golden.content_sha256 == CONTENT
    assert made.shards == golden.shards  # the same bytes


@pytest.mark.parametrize("name", NAMES[4:])
def test_all_of_version_3_have_one_content_hash(name: str) -> None:
    assert read_manifest(GOLDEN / name).content_sha256 == CONTENT
