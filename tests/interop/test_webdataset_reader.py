"""Exported tar files as the webdataset package reads them."""

from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.export import ExportRecipe
from dunhuang_data.export.writing import export_dataset, open_source
from dunhuang_data.plan import read_plan
from dunhuang_data.reader import DatasetReader
from strange_dataset import strange_dataset

webdataset = pytest.importorskip("webdataset")


@pytest.mark.filterwarnings("ignore")  # of webdataset and what it imports
@pytest.mark.parametrize(("image_format", "damage"), [("png", True), ("raw", False)])
def test_samples_come_whole_and_in_order(tmp_path: Path, image_format: str, damage: bool) -> None:
    root = strange_dataset(tmp_path, "zarr", damage)
    recipe = ExportRecipe("webdataset", ("train",), image_format)
    export_dataset(open_source(root, recipe), tmp_path / "out")
    reader = DatasetReader(root, "train")
    expected = reader.read(range(len(reader)))
    patches = [patch for patch in read_plan(root / "plan").patches if patch.split == "train"]
    # the shards as their users name them; png as grey and RGB arrays, npy by itself
    urls = f"{tmp_path}/out/train-{{000000..000003}}.tar"
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [one["__key__"] for one in found] == [f"train-{row:08d}" for row in range(15)]
    assert len(patches) == 15
    suffix = "npy" if image_format == "raw" else "png"
    for row, (one, patch) in enumerate(zip(found, patches, strict=True)):
        assert np.array_equal(one[f"image.{suffix}"], expected.image[row])
        known = one[f"valid.{suffix}"]
        if suffix == "png":  # rgb8 makes three equal channels of grey
            assert set(np.unique(known)) <= {0, 255}
            assert one["json"]["masks"]["valid"] == "white (255) = known pixel, black (0) = hole"
            known = known[..., 0] // 255
        assert np.array_equal(known, expected.valid[row])
        assert f"damage.{suffix}" in one
        assert (one["json"]["row"], one["json"]["picture_id"]) == (row, patch.picture_id)
