"""Exported MDS shards as MosaicML Streaming reads them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.export import ExportRecipe
from dunhuang_data.export.writing import export_dataset, open_source
from dunhuang_data.plan import read_plan
from dunhuang_data.reader import DatasetReader
from strange_dataset import strange_dataset

pytestmark = pytest.mark.filterwarnings("ignore")  # of streaming and what it imports
streaming = pytest.importorskip("streaming", exc_type=ImportError)


@pytest.fixture(autouse=True)
def no_shared_memory_left() -> Iterator[None]:
    yield
    streaming.base.util.clean_stale_shared_memory()


@pytest.mark.parametrize(
    ("image_format", "damage"), [("png", True), ("raw", True), ("raw", False), ("jpg", False)]
)
def test_samples_come_whole_and_in_order(tmp_path: Path, image_format: str, damage: bool) -> None:
    root = strange_dataset(tmp_path, "hdf5", damage)
    recipe = ExportRecipe("mds", image_format=image_format)
    export_dataset(open_source(root, recipe), tmp_path / "out")
    reader = DatasetReader(root, "train")
    expected = reader.read(range(len(reader)))
    patches = [patch for patch in read_plan(root / "plan").patches if patch.split == "train"]
    found = streaming.StreamingDataset(
        local=str(tmp_path / "out"), split="train", batch_size=1, shuffle=False
    )
    assert len(found) == 15
    assert [shard.samples for shard in found.shards] == [4, 4, 4, 3]
    for row, (one, patch) in enumerate(zip(found, patches, strict=True)):
        image, valid = np.asarray(one["image"]), np.asarray(one["valid"])
        if image_format == "jpg":
            off = np.abs(image.astype(int) - expected.image[row])
            assert 0 < off.mean() < 4
        else:
            assert np.array_equal(image, expected.image[row])
        white = 1 if image_format == "raw" else 255
        assert np.array_equal(valid, expected.valid[row] * white)
        assert "damage" in one
        if damage:
            assert np.array_equal(np.asarray(one["damage"]), expected.damage[row] * white)
        assert (one["patch"]["row"], one["patch"]["picture_id"]) == (row, patch.picture_id)
        words = one["patch"]["masks"]["valid"]
        assert words.startswith("1 = known" if image_format == "raw" else "white (255) = known")


def test_its_hashes_are_those_that_streaming_checks(tmp_path: Path) -> None:
    root = strange_dataset(tmp_path, "zarr", damage=False)
    recipe = ExportRecipe("mds", ("val",))
    export_dataset(open_source(root, recipe), tmp_path / "out")

    def fetched(to: str) -> int:
        dataset = streaming.StreamingDataset(
            remote=str(tmp_path / "out"), local=str(tmp_path / to), split="val", batch_size=1,
            shuffle=False, validate_hash="sha256", download_retry=1,
        )  # fmt: skip
        return len([dataset[row]["valid"] for row in range(len(dataset))])

    assert fetched("copy") == 3
    shard = tmp_path / "out" / "val" / "shard.00000.mds"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    shutil.rmtree(tmp_path / "copy")
    with pytest.raises(ValueError, match="Checksum failure"):
        fetched("other")
