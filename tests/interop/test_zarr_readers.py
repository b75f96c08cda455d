"""The Zarr dataset itself as other programs read it: tensorstore, xarray, and zarrs in zarr."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr

from dunhuang_data.polarity import pack
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import UInt8Array
from strange_dataset import PATCH, strange_dataset

pytestmark = pytest.mark.filterwarnings("ignore")  # of those packages
Stored = dict[str, UInt8Array]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return strange_dataset(tmp_path_factory.mktemp("strange"), "zarr", damage=True)


@pytest.fixture(scope="module")
def expected(root: Path) -> Stored:
    reader = DatasetReader(root, "train")
    samples = reader.read(range(len(reader)))
    assert samples.damage.any()
    return {
        "image": samples.image, "valid": pack(samples.valid), "damage": pack(samples.damage)
    }  # fmt: skip


def test_tensorstore_reads_every_array(root: Path, expected: Stored) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    for name, stored in expected.items():
        store = {"driver": "file", "path": f"{root}/train/{name}/"}
        array = tensorstore.open({"driver": "zarr3", "kvstore": store}, read=True).result()
        assert np.array_equal(array.read().result(), stored)
        assert array.domain.labels[:2] == ("sample", "y")


def test_xarray_shows_variables_with_named_axes_and_words(root: Path, expected: Stored) -> None:
    xarray = pytest.importorskip("xarray")
    train = xarray.open_zarr(root, group="train", consolidated=False, chunks=None)
    for name, stored in expected.items():
        assert np.array_equal(train[name].values, stored)
    assert train["image"].dims == ("sample", "y", "x", "channel")
    assert train["valid"].attrs["meaning"] == "1 = known pixel, 0 = hole"
    assert train["valid"].attrs["pixels_per_row"] == PATCH


@pytest.fixture
def zarrs_pipeline() -> Iterator[None]:
    pytest.importorskip("zarrs")
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        yield


@pytest.mark.usefixtures("zarrs_pipeline")
def test_zarrs_decodes_every_array(root: Path, expected: Stored) -> None:
    group = zarr.open_group(root, path="train", mode="r")
    for name, stored in expected.items():
        array = group[name]
        assert isinstance(array, zarr.Array)
        assert np.array_equal(np.asarray(array[:]), stored)
        assert "Zarrs" in type(array._async_array.codec_pipeline).__name__
