"""The reader returns the right samples, or raises."""

import errno
import os
import pickle
import resource
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dunhuang_data.buffers import aligned_empty
from dunhuang_data.errors import DatasetError, EnvironmentProblem
from dunhuang_data.manifest import read_manifest
from dunhuang_data.polarity import unpack
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
    assert reader.__dict__["_open"].__dict__["_tables"]
    assert not again.__dict__["_open"].__dict__["_tables"]
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


def test_a_reader_keeps_few_files_open_and_reads_on(
    make_dataset: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunhuang_data.open_shards.MOST_FILES", 3)
    monkeypatch.setattr("resource.getrlimit", lambda _which: (resource.RLIM_INFINITY, 0))
    for format in FORMATS:
        root = make_dataset(format)
        reader, whole = DatasetReader(root, "train"), DatasetReader(root, "train")
        expected = whole.read(range(24))
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            found = reader.read([23, 0, 8, 15, 1])
            assert np.array_equal(found.image, expected.image[[23, 0, 8, 15, 1]])
            assert len(os.listdir("/proc/self/fd")) <= before + 2 * 3  # a mapped one counts twice


def test_a_file_that_is_cut_while_it_is_mapped_is_a_sentence(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    reader = DatasetReader(copy, "train")
    expected = reader.read([0, 3])
    again = reader.read([0, 3])  # now from the map
    assert np.array_equal(again.image, expected.image)
    os.truncate(copy / "train/image/c.0.0.0.0", 10)
    with pytest.raises(DatasetError, match="ends within chunk 0"):
        reader.read([0, 3])


@pytest.mark.parametrize("format", FORMATS)
def test_it_reads_into_the_callers_memory_and_refuses_other(
    make_dataset: Callable[[str], Path], format: str
) -> None:
    reader = DatasetReader(make_dataset(format), "train")
    expected = reader.read([2, 9])
    plane = (2, 32, 32)
    out = Samples(aligned_empty((*plane, 3)), aligned_empty(plane), aligned_empty(plane))
    for array in (out.image, out.valid, out.damage):
        array.fill(7)
    assert reader.read([2, 9], out) is out
    for name in ("image", "valid", "damage"):
        assert np.array_equal(getattr(out, name), getattr(expected, name))
    stored = reader.read_stored([9, 2], ("valid",))
    assert list(stored) == ["valid"]
    assert np.array_equal(unpack(stored["valid"], 32), expected.valid[::-1])
    strange: tuple[Any, ...] = (
        aligned_empty((3, 32, 32, 3)),
        aligned_empty((2, 32, 64, 3))[:, :, ::2],
        np.zeros((2, 32, 32, 3), dtype=np.uint16),
    )
    for wrong in strange:
        with pytest.raises(
            ValueError, match=r"the memory for image is .* expected \(2, 32, 32, 3\)"
        ):
            reader.read_stored([2, 9], out={"image": wrong})
    with pytest.raises(DatasetError, match="There is no array 'mask'"):
        reader.read_stored([0], ("mask",))


def test_threads_read_the_same_with_one_reader(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunhuang_data.open_shards.MOST_FILES", 3)  # tables come and go
    monkeypatch.setattr("resource.getrlimit", lambda _which: (resource.RLIM_INFINITY, 0))
    reader = DatasetReader(dataset, "train")
    expected = DatasetReader(dataset, "train").read(range(24))

    def read(turn: int) -> bool:
        rows = [(turn * 7 + step * 5) % 24 for step in range(6)]
        found = reader.read(rows)
        return np.array_equal(found.image, expected.image[rows]) and np.array_equal(
            found.damage, expected.damage[rows]
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(200)))


def test_shards_come_one_by_one_and_prefetching_changes_nothing(dataset: Path) -> None:
    reader = DatasetReader(dataset, "train")
    reader.prefetch([0, 20])
    reader.prefetch(range(24), ("valid",))
    found = list(reader.iter_shards())
    assert [shard.samples for shard, _ in found] == [7, 7, 7, 3]
    everything = reader.read(range(24))
    assert np.array_equal(np.concatenate([one.image for _, one in found]), everything.image)
    with pytest.raises(DatasetError, match="24 was asked for"):
        reader.prefetch([24])


def test_where_no_more_files_may_be_opened_the_sentence_says_so(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = DatasetReader(dataset, "train")
    reader.read([0])
    tried: list[str] = []

    def refused(path: str, *_: object) -> int:
        tried.append(path)
        raise OSError(errno.EMFILE, "Too many open files", path)

    with monkeypatch.context() as patch:
        patch.setattr("dunhuang_data.byte_ranges.os.open", refused)
        with pytest.raises(EnvironmentProblem, match=r"Too many open files.*ulimit -n"):
            reader.read([23])
    assert len(tried) == 2  # once more after closing what was open
    assert reader.read([23, 0]).image.shape == (2, 32, 32, 3)


def test_memory_that_cannot_be_written_or_is_missing_is_refused(dataset: Path) -> None:
    reader = DatasetReader(dataset, "train")
    frozen = aligned_empty((1, 32, 32, 3))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="C-contiguous and writeable"):
        reader.read_stored([0], out={"image": frozen})
    with pytest.raises(ValueError, match="there is no memory for valid in out"):
        reader.read_stored([0], ("image", "valid"), {"image": aligned_empty((1, 32, 32, 3))})


@pytest.mark.parametrize("format", FORMATS)
def test_a_swapped_shard_is_found_when_it_is_opened(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str
) -> None:
    copy = shutil.copytree(make_dataset(format), tmp_path / "copy")
    one, two = (copy / shard.files[0].path for shard in read_manifest(copy).shards[:2])
    one.rename(tmp_path / "one")
    two.rename(one)
    (tmp_path / "one").rename(two)
    reader = DatasetReader(copy, "train")
    for row in (0, 8):
        with pytest.raises(DatasetError, match="is another shard's file, or was altered"):
            reader.read([row])
    assert reader.read([15]).image.shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    ("format", "place", "sentence"),
    [
        ("zarr", -4 - 16 * 6, "its index fails its checksum"),
        ("zarr", -2, "its index fails its checksum"),
        ("hdf5", 128 + 16 * 3, "its table of chunks fails its checksum"),
        ("hdf5", 128 + 16 * 21 + 1, "its table of chunks fails its checksum"),
    ],
)
def test_a_flipped_bit_in_a_table_is_found_when_it_is_looked_up(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str, place: int, sentence: str
) -> None:
    copy = shutil.copytree(make_dataset(format), tmp_path / "copy")
    file = copy / read_manifest(copy).shards[0].files[0].path
    data = bytearray(file.read_bytes())
    data[place] ^= 2
    file.write_bytes(data)
    with pytest.raises(DatasetError, match=sentence):
        DatasetReader(copy, "train").read([5])


def test_what_is_written_over_a_mapped_file_is_checked_again(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    reader = DatasetReader(copy, "train")
    for _ in range(2):  # the second time from the map
        reader.read([0, 8])
    one, two = (copy / f"train/image/c.{number}.0.0.0" for number in (0, 1))
    with one.open("r+b") as file:  # in place: the map shows what is there now
        file.write(two.read_bytes()[: 32 * 32 * 3])
    with pytest.raises(DatasetError, match="chunk 0 fails its checksum"):
        reader.read([0])
