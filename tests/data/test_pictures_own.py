"""A picture in its own samples: what is stored, what it is in sRGB, and the way back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray

import tiff_files as tiff
from drawings import draw_picture
from dunhuang_data.errors import PictureError
from dunhuang_data.pictures import open_own
from dunhuang_data.pictures.decisions import UNDECIDED
from dunhuang_data.recipe import ReadingRecipe
from tiff_files import Page, write_tiff

HEIGHT, WIDTH = 37, 52
PIXELS = draw_picture(HEIGHT, WIDTH, "own")
DEEP = PIXELS.astype(np.uint16) * 257 - np.arange(WIDTH, dtype=np.uint16)[:, None]


def vips(pixels: NDArray[Any], interpretation: str = "srgb") -> pyvips.Image:
    return pyvips.Image.new_from_array(pixels).copy(interpretation=interpretation)


def saved(image: pyvips.Image, path: Path, **options: object) -> Path:
    image.write_to_file(str(path), **options)
    return path


@dataclass(frozen=True)
class Exact:
    """A file without a profile, and the samples that are to come out of it."""

    make: Callable[[Path], Path]
    stored: NDArray[Any]
    white: int = 255
    reading: ReadingRecipe = UNDECIDED


EXACT: dict[str, Exact] = {
    "RGB 8": Exact(lambda d: saved(vips(PIXELS), d / "a.png"), PIXELS),
    "RGB 16": Exact(lambda d: saved(vips(DEEP, "rgb16"), d / "a.png"), DEEP, 65535),
    "grey 8": Exact(lambda d: saved(vips(PIXELS[..., :1], "b-w"), d / "a.png"), PIXELS[..., :1]),
    "grey 16": Exact(
        lambda d: write_tiff(d / "a.tif", Page(DEEP[..., 0], tiff.BLACK_IS_ZERO)),
        DEEP[..., :1], 65535,
    ),
    "12 in 16": Exact(
        lambda d: write_tiff(d / "a.tif", Page(DEEP // 16)), DEEP // 16, 4095,
        ReadingRecipe(white_level=4095),
    ),
    "page 2": Exact(
        lambda d: write_tiff(d / "a.tif", Page(255 - PIXELS), Page(PIXELS)), PIXELS,
        reading=ReadingRecipe(page=2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_without_a_profile_there_and_back_is_exact(name: str, tmp_path: Path) -> None:
    case = EXACT[name]
    own = open_own(case.make(tmp_path), case.reading)
    assert (own.shape_hw, own.channels) == ((HEIGHT, WIDTH), case.stored.shape[2])
    window = own.window(0, 0, HEIGHT, WIDTH)
    assert window.stored.dtype == own.dtype == case.stored.dtype
    assert np.array_equal(window.stored, case.stored)
    assert window.there.all()
    assert window.srgb.dtype == np.float32
    assert np.allclose(window.srgb, case.stored / case.white, atol=1e-7)
    assert np.array_equal(own.from_srgb(window.srgb), case.stored)


def test_a_part_is_the_part_of_the_whole(tmp_path: Path) -> None:
    own = open_own(saved(vips(PIXELS), tmp_path / "a.png"))
    part = own.window(20, 3, 9, 31)
    assert np.array_equal(part.stored, PIXELS[20:29, 3:34])
    with pytest.raises(ValueError, match="reach beyond the picture of 37 x 52 px"):
        own.window(30, 0, 8, 4)


def test_dark_samples_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="--white-level 4095"):
        open_own(write_tiff(tmp_path / "a.tif", Page(DEEP // 16)))
