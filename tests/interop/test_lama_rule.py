"""Exported folders by the rule that LaMa reads by; it has no package to be installed.

From github.com/advimman/lama, in words: training (``InpaintingTrainDataset``) takes all files that
match ``**/*.jpg`` below ``train``, and no masks. Evaluation (``InpaintingDataset``, with
``img_suffix`` ``.png`` as in its configurations) takes all that match ``**/*mask*.png``, sorted;
the image of a mask is its path up to the last ``_mask``, with ``.png``. Both are opened with
Pillow, the image as RGB and the mask as grey, divided by 255; what is above 0 is filled in.
"""

import glob
from pathlib import Path

import cv2
import numpy as np

from dunhuang_data.export import ExportRecipe
from dunhuang_data.export.writing import export_dataset, open_source
from dunhuang_data.reader import DatasetReader
from strange_dataset import PATCH, strange_dataset

FOLDERS = (("val", "val"), ("test", "eval"))


def test_every_sample_is_found_with_its_holes_above_zero(tmp_path: Path) -> None:
    root = strange_dataset(tmp_path, "zarr", damage=True)
    recipe = ExportRecipe("lama")
    export_dataset(open_source(root, recipe), tmp_path / "out")
    for split, folder in FOLDERS:
        reader = DatasetReader(root, split)  # type: ignore[arg-type]
        expected = reader.read(range(len(reader)))
        pattern = f"{tmp_path}/out/{folder}/**/*mask*.png"
        masks = sorted(glob.glob(pattern, recursive=True))
        assert len(masks) == len(reader) > 0
        for row, mask in enumerate(masks):
            path = mask.rsplit("_mask", 1)[0] + ".png"
            image = np.asarray(cv2.imread(path, cv2.IMREAD_COLOR_RGB))
            filled = cv2.imread(mask, cv2.IMREAD_GRAYSCALE)
            assert np.array_equal(image, expected.image[row])
            assert filled is not None
            assert np.array_equal(filled > 0, expected.valid[row] == 0)
            assert 0 < (filled > 0).mean() < 0.5
    trained = sorted((tmp_path / "out" / "train").rglob("*.jpg"))
    assert len(trained) == len(DatasetReader(root, "train"))
    assert all(cv2.imread(str(path)).shape == (PATCH, PATCH, 3) for path in trained)  # type: ignore[union-attr]
    assert not list((tmp_path / "out" / "train").rglob("*.png"))
