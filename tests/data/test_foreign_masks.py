"""Foreign masks: thresholded once, greys counted."""

from pathlib import Path

import numpy as np
import pytest

from drawings import draw_picture, save_picture
from dunhuang_data.errors import PictureError
from dunhuang_data.foreign_masks import read_mask
from dunhuang_data.pictures import write_picture

PIXELS = draw_picture(37, 52, "masks")


def test_a_mask_is_thresholded_once_and_its_greys_counted(tmp_path: Path) -> None:
    grey = np.array([[0, 2, 127, 128], [255, 253, 3, 252]], dtype=np.uint8)
    path = save_picture(tmp_path / "m.png", grey)
    mask = read_mask(path, "known")
    valid, share = mask.valid, mask.grey_share
    assert valid.tolist() == [[0, 0, 0, 1], [1, 1, 0, 1]]
    assert share == 4 / 8  # 127, 128, 3, 252
    assert np.array_equal(read_mask(path, "hole").valid, 1 - valid)


def test_a_written_mask_is_one_bit_and_comes_back(tmp_path: Path) -> None:
    valid = (PIXELS[..., 0] > 120).astype(np.uint8)
    write_picture(tmp_path / "m.png", valid)
    header = (tmp_path / "m.png").read_bytes()[16:26]
    assert (header[8], header[9]) == (1, 0)  # bit depth 1, grey
    assert np.array_equal(read_mask(tmp_path / "m.png", "known").valid, valid)


def test_a_photograph_is_no_mask(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"is no mask: \d+% of its pixels are coloured"):
        read_mask(save_picture(tmp_path / "photo.png", PIXELS), "known")
    with pytest.raises(PictureError, match=r"is no mask: \d+% of its pixels are neither black"):
        read_mask(save_picture(tmp_path / "grey.png", PIXELS[..., 1]), "known")
