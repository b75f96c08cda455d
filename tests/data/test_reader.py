"""The reader returns the right samples, or raises."""

import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.errors import DatasetError
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import Samples

FORMATS = ("zarr", "hdf5")


def read_elsewhere(reader: DatasetReader) -> Samples:
    return reader.read([20, 1])


@pytest.mark.parametrize("format", FORMATS)
def test_rows_come_in_the_order_asked_for(make_dataset: Callable[[str], Path], format: str) -> None:
    reader = DatasetReader(make_dataset(format), "train")
    everything = reader.read(range(len(reader)))
    rows = [20, 0, 6, 7, 0, 23]
    some = reader.read(rows)
    assert np.array_equal(some.image, everything.image[rows])
    assert np.array_equal(some.valid, everything.valid[rows])
    assert np.array_equal(some.damage, everything.damage[rows])
    assert reader.read([]).image.shape == (0, 32, 32, 3)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_reads_in_another_process(
    make_dataset: Callable[[str], Path], format: str, method: str
) -> None:
    reader = DatasetReader(make_dataset(format), "train")
    expected = reader.read([20, 1])  # opens the files here first
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        found = pool.submit(read_elsewhere, reader).result(timeout=60)
    assert np.array_equal(found.image, expected.image)
    assert np.array_equal(found.valid, expected.valid)


def test_a_pickled_reader_carries_no_handle(dataset: Path) -> None:
    reader = DatasetReader(dataset, "val")
    reader.read([0])
    again = pickle.loads(pickle.dumps(reader))
    assert reader.__dict__["_tables"]
    assert not again.__dict__["_tables"]
    assert np.array_equal(again.read([3]).image, reader.read([3]).image)


def test_masks_come_in_order_without_images(dataset: Path) -> None:
    reader = DatasetReader(dataset, "train")
    masks = np.stack(list(reader.masks()))
    assert np.array_equal(masks, reader.read(range(len(reader))).valid)


def test_rows_that_are_not_there_are_refused(dataset: Path, tmp_path: Path) -> None:
    reader = DatasetReader(dataset, "test")
    with pytest.raises(DatasetError, match="test has rows 0 to 5; 6 was asked for"):
        reader.read([0, 6])
    with pytest.raises(DatasetError, match="-1 was asked for"):
        reader.read([-1])
    for strange in ([3.0], np.array([True, False]), ["0"]):
        with pytest.raises(DatasetError, match="is no row; rows are whole numbers"):
            reader.read(strange)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="There is no split 'tests'"):
        DatasetReader(dataset, "tests")  # type: ignore[arg-type]


def test_a_folder_without_manifest_is_no_dataset(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / "dataset.json").unlink()
    with pytest.raises(DatasetError, match=r"not a whole dataset: there is no dataset\.json"):
        DatasetReader(copy, "train")
    shutil.move(copy, tmp_path / "copy.building")
    with pytest.raises(DatasetError, match="its build was interrupted and lies in"):
        DatasetReader(tmp_path / "copy", "train")


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_or_missing_file_is_found_on_opening(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str
) -> None:
    copy = shutil.copytree(make_dataset(format), tmp_path / "copy")
    file = copy / DatasetReader(copy, "train").manifest.shards[1].files[0].path
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"has [\d,]+ bytes; dataset\.json says"):
        DatasetReader(copy, "train")
    file.unlink()
    with pytest.raises(DatasetError, match=r"is missing; dataset\.json says"):
        DatasetReader(copy, "train")


@pytest.mark.parametrize("format", FORMATS)
def test_a_flipped_bit_in_an_image_is_never_returned(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str
) -> None:
    copy = shutil.copytree(make_dataset(format), tmp_path / "copy")
    reader = DatasetReader(copy, "train")
    expected = reader.read([2]).image[0]
    file = copy / next(f.path for f in reader.manifest.shards[0].files if "valid" not in f.path
                       and "damage" not in f.path)  # fmt: skip
    data = bytearray(file.read_bytes())
    place = bytes(data).index(expected[:2].tobytes())
    data[place + 5] ^= 16
    file.write_bytes(data)
    with pytest.raises(DatasetError, match=r"row 2 of train .* chunk 2 fails its checksum"):
        DatasetReader(copy, "train").read([2])


def test_a_manifest_cannot_lead_out_of_the_dataset(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    manifest = copy / "dataset.json"
    for evil in ("../secret", "/etc/passwd", "plan/../../secret"):
        manifest.write_text((dataset / "dataset.json").read_text().replace("plan/plan.json", evil))
        with pytest.raises(DatasetError, match="lies outside the dataset"):
            DatasetReader(copy, "train")


@pytest.mark.parametrize("link", ["train", "train/image", "train/image/c.1.0.0.0"])
def test_no_link_leads_out_of_the_dataset(dataset: Path, tmp_path: Path, link: str) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / link).rename(tmp_path / "elsewhere")
    (copy / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"is a link to somewhere else|lies outside the dataset"):
        DatasetReader(copy, "train")


def test_a_manifest_of_another_version_is_a_sentence(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    text = (copy / "dataset.json").read_text()
    (copy / "dataset.json").write_text(text.replace('"version": 3', '"version": 4'))
    with pytest.raises(DatasetError, match=r"'version': 4}; this version reads .*'version': 3}"):
        DatasetReader(copy, "train")
    (copy / "dataset.json").write_text(text[: len(text) // 2])
    with pytest.raises(DatasetError, match="cannot be read as a whole dataset"):
        DatasetReader(copy, "train")
    (copy / "dataset.json").write_text(text.replace('"build_id"', '"build"'))
    with pytest.raises(
        DatasetError, match="cannot be read as a whole dataset: there is no 'build_id'"
    ):
        DatasetReader(copy, "train")
