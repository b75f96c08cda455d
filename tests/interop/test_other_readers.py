"""The golden datasets as other programs read them: the samples that ours returns."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from dunhuang_data.types import SPLITS, Samples
from dunhuang_data.zarr_codec import register
from stored import stored_arrays

GOLDEN = Path(__file__).parents[1] / "golden"
STOCK = ("v1-zarr", "v2-zarr", "v3-zarr-none", "v3-zarr-gzip")  # no codec of ours
ZARR = (*STOCK, "v3-zarr-lossless")
HDF5 = ("v1-hdf5", "v2-hdf5", "v3-hdf5-none", "v3-hdf5-gzip")
ARRAYS = [(split, name) for split in SPLITS for name in ("image", "valid", "damage")]


@pytest.fixture(scope="module")
def expected() -> dict[tuple[str, str], Any]:
    """Every array as it is stored."""
    found: dict[tuple[str, str], Any] = {}
    with np.load(GOLDEN / "samples.npz") as arrays:
        for split in SPLITS:
            samples = Samples(*(arrays[f"{split}/{name}"] for name in ("image", "valid", "damage")))
            found |= {(split, name): one for name, one in stored_arrays(samples).items()}
    return found


@pytest.mark.parametrize("name", ZARR)
def test_plain_zarr(name: str, expected: dict[tuple[str, str], Any]) -> None:
    register()  # an installed package does so by its entry point
    root: Any = zarr.open(store=str(GOLDEN / name), mode="r")
    for split, array in ARRAYS:
        assert np.array_equal(root[f"{split}/{array}"][:], expected[split, array])


@pytest.mark.parametrize("name", STOCK)
def test_tensorstore(name: str, expected: dict[tuple[str, str], Any]) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    for split, array in ARRAYS:
        path = f"{GOLDEN / name / split / array}/"
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}
        opened = tensorstore.open(spec, read=True).result()
        assert np.array_equal(opened.read().result(), expected[split, array])
        axes = ("sample", "y", "x", "channel") if array == "image" else ("sample", "y", "x_byte")
        assert opened.domain.labels == axes


@pytest.mark.filterwarnings("ignore")  # of what xarray thinks of Zarr v3
@pytest.mark.parametrize("name", ZARR)
def test_xarray(name: str, expected: dict[tuple[str, str], Any]) -> None:
    xarray = pytest.importorskip("xarray")
    register()
    for split in SPLITS:
        opened = xarray.open_zarr(GOLDEN / name, group=split, consolidated=False, chunks=None)
        assert opened["image"].dims == ("sample", "y", "x", "channel")
        assert opened["valid"].dims == ("sample", "y", "x_byte")
        assert "1 = known" in opened["valid"].attrs["meaning"]
        for array in ("image", "valid", "damage"):
            assert np.array_equal(opened[array].values, expected[split, array])


@pytest.fixture
def zarrs_pipeline() -> Iterator[None]:
    pytest.importorskip("zarrs")
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        yield


@pytest.mark.usefixtures("zarrs_pipeline")
@pytest.mark.parametrize("name", STOCK)
def test_zarrs(name: str, expected: dict[tuple[str, str], Any]) -> None:
    root: Any = zarr.open(store=str(GOLDEN / name), mode="r")
    for split, array in ARRAYS:
        opened = root[f"{split}/{array}"]
        assert "zarrs" in type(opened._async_array.codec_pipeline).__module__
        assert np.array_equal(opened[:], expected[split, array])


@pytest.mark.parametrize("name", HDF5)
def test_plain_h5py(name: str, expected: dict[tuple[str, str], Any]) -> None:
    for split, array in ARRAYS:
        found: list[Any] = []
        for path in sorted((GOLDEN / name / split).glob("*.h5")):
            with h5py.File(path) as file:
                assert file.attrs["first_row"] == sum(len(one) for one in found)
                found.append(file[array][:])
        assert np.array_equal(np.concatenate(found), expected[split, array])


@pytest.mark.parametrize("name", ["v3-hdf5-none", "v3-hdf5-gzip"])
def test_one_virtual_dataset_over_all_shards(
    name: str, expected: dict[tuple[str, str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # shards are found beside the file, not here
    with h5py.File(GOLDEN / name / "dataset.h5") as file:
        for split, array in ARRAYS:
            assert np.array_equal(file[f"{split}/{array}"][:], expected[split, array])
            assert file[f"{split}/{array}"].dims[0].label == "sample"
        assert np.array_equal(file["train/image"][5], expected["train", "image"][5])


@pytest.mark.parametrize("name", ["v3-hdf5-none", "v3-hdf5-gzip"])
def test_h5dump(name: str, expected: dict[tuple[str, str], Any], tmp_path: Path) -> None:
    program = shutil.which("h5dump")
    if program is None:
        pytest.skip("h5dump is not installed")
    for split, array in ARRAYS:
        out = tmp_path / "out"
        dataset = str(GOLDEN / name / "dataset.h5")
        command = [program, "-d", f"/{split}/{array}", "-b", "NATIVE", "-o", str(out), dataset]
        subprocess.run(command, check=True, capture_output=True)
        found = np.fromfile(out, dtype=np.uint8).reshape(expected[split, array].shape)
        assert np.array_equal(found, expected[split, array])
