"""Files whose pixels are known, in all the ways that archives store them: whole, and by windows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import tiff_files as tiff
from drawings import draw_picture
from dunhuang_data.errors import PictureError
from dunhuang_data.pictures import FoundPicture, identify_pictures, open_picture, read_picture
from dunhuang_data.pictures.decisions import UNDECIDED
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array
from tiff_files import Page, write_tiff

HEIGHT, WIDTH = 37, 52
PIXELS = draw_picture(HEIGHT, WIDTH, "reading")
GREY = PIXELS[..., 0]
GREY_RGB = np.repeat(GREY[..., None], 3, axis=-1)
SMOOTH = np.stack(
    [np.add.outer(np.arange(HEIGHT) * row, np.arange(WIDTH) * column) + 40
     for row, column in ((3, 1), (1, 2), (2, 0.5))], axis=-1,
).astype(np.uint8)  # fmt: skip
DEEP = PIXELS.astype(np.uint16) * 257
LARGE = draw_picture(210, 330, "large")

TURNS: dict[int, Callable[[UInt8Array], UInt8Array]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


def vips(pixels: NDArray[Any], interpretation: str = "srgb", orientation: int = 1) -> pyvips.Image:
    image = pyvips.Image.new_from_array(pixels).copy(interpretation=interpretation)
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image


def saved(image: pyvips.Image, path: Path, **options: object) -> Path:
    image.write_to_file(str(path), **options)
    return path


def in_profile(pixels: UInt8Array, profile: str, depth: int = 8) -> pyvips.Image:
    return vips(pixels).icc_transform(profile, input_profile="srgb", intent="relative", depth=depth)


def shuffled(*channels: NDArray[Any]) -> NDArray[Any]:
    return np.stack(channels, axis=-1)


@dataclass(frozen=True)
class Truth:
    """How to make a file, and what must come of it."""

    make: Callable[[Path], Path]
    expected: UInt8Array
    most_off: int = 0  # of a pixel, 0 … 255
    reading: ReadingRecipe = UNDECIDED
    words: str = ""


RED, GREEN, BLUE = (PIXELS[..., channel] for channel in range(3))
EIGHT = shuffled(GREY, BLUE, 255 - RED, RED, GREEN, 255 - BLUE, BLUE, GREEN)
P3 = bytes(in_profile(SMOOTH, "p3").get("icc-profile-data"))
CMYK_SMOOTH = in_profile(SMOOTH, "cmyk")
BITS = np.where(GREY > 120, 255, 0).astype(np.uint8)
TWELVE = PIXELS.astype(np.uint16) * 16

TRUTHS: dict[str, Truth] = {
    "RGB 8 PNG": Truth(lambda d: saved(vips(PIXELS), d / "a.png"), PIXELS),
    "RGB 8 PNG interlaced": Truth(
        lambda d: saved(vips(PIXELS), d / "a.png", interlace=True), PIXELS
    ),
    "RGB 8 WebP": Truth(lambda d: saved(vips(PIXELS), d / "a.webp", lossless=True), PIXELS),
    "RGB 16 PNG": Truth(
        lambda d: saved(vips(DEEP, "rgb16"), d / "a.png"), PIXELS, words="16 bits to 8"
    ),
    "grey 8 PNG": Truth(lambda d: saved(vips(GREY, "b-w"), d / "a.png"), GREY_RGB),
    "grey 16 PNG": Truth(
        lambda d: saved(vips(DEEP[..., 0], "grey16"), d / "a.png"), GREY_RGB, words="16 bits to 8"
    ),
    "palette PNG": Truth(
        lambda d: saved(vips(BITS, "b-w"), d / "a.png", palette=True),
        np.repeat(BITS[..., None], 3, axis=-1),
    ),
    "strips": Truth(lambda d: write_tiff(d / "a.tif", Page(PIXELS)), PIXELS),
    "big-endian BigTIFF": Truth(
        lambda d: write_tiff(d / "a.tif", Page(PIXELS), order=">", big=True), PIXELS
    ),
    "strips 16": Truth(
        lambda d: write_tiff(d / "a.tif", Page(DEEP), order=">"), PIXELS, words="16 bits to 8"
    ),
    "separate planes": Truth(lambda d: write_tiff(d / "a.tif", Page(PIXELS, planes=True)), PIXELS),
    "separate planes 16": Truth(
        lambda d: write_tiff(d / "a.tif", Page(DEEP, planes=True)), PIXELS, words="16 bits to 8"
    ),
    "white is zero": Truth(
        lambda d: write_tiff(d / "a.tif", Page(255 - GREY, tiff.WHITE_IS_ZERO)), GREY_RGB
    ),
    "white is zero 16": Truth(
        lambda d: write_tiff(d / "a.tif", Page(65535 - DEEP[..., 0], tiff.WHITE_IS_ZERO)),
        GREY_RGB,
        words="16 bits to 8",
    ),
    "tags that nobody knows": Truth(
        lambda d: write_tiff(d / "a.tif", Page(PIXELS, more={42113: 7, 60001: 3})), PIXELS
    ),
    "tiled": Truth(
        lambda d: saved(
            vips(LARGE), d / "a.tif", tile=True, tile_width=64, tile_height=48, compression="lzw"
        ),
        LARGE,
    ),
    "pyramid of pages": Truth(
        lambda d: saved(
            vips(LARGE), d / "a.tif", tile=True, tile_width=64, tile_height=64, pyramid=True,
            compression="deflate",
        ),
        LARGE,
    ),
    "pyramid of sub-pages, BigTIFF": Truth(
        lambda d: saved(
            vips(LARGE), d / "a.tif", tile=True, tile_width=64, tile_height=64, pyramid=True,
            subifd=True, bigtiff=True, compression="deflate",
        ),
        LARGE,
    ),
    "a thumbnail before the page": Truth(
        lambda d: write_tiff(d / "a.tif", Page(PIXELS[::4, ::4], subfile_type=1), Page(PIXELS)),
        PIXELS,
    ),
    "a mask behind the page": Truth(
        lambda d: write_tiff(
            d / "a.tif", Page(PIXELS), Page(BITS, tiff.BLACK_IS_ZERO, subfile_type=4)
        ),
        PIXELS,
    ),
    "page 2 of 3": Truth(
        lambda d: write_tiff(d / "a.tif", Page(255 - PIXELS), Page(PIXELS), Page(LARGE)),
        PIXELS,
        reading=ReadingRecipe(page=2),
        words="page 2 of 3",
    ),
    "8 channels": Truth(
        lambda d: write_tiff(d / "a.tif", Page(EIGHT, extra_samples=(tiff.NOT_SAID,) * 5)),
        PIXELS,
        reading=ReadingRecipe(channels=(4, 5, 7)),
        words="channels 4,5,7 of 8",
    ),
    "8 channels of grey, one taken": Truth(
        lambda d: write_tiff(
            d / "a.tif", Page(EIGHT, tiff.BLACK_IS_ZERO, extra_samples=(tiff.NOT_SAID,) * 7)
        ),
        GREY_RGB,
        reading=ReadingRecipe(channels=(1,)),
        words="channels 1 of 8",
    ),
    "12 bits in 16": Truth(
        lambda d: write_tiff(d / "a.tif", Page(TWELVE)),
        np.round(TWELVE / 4095 * 255).astype(np.uint8),
        reading=ReadingRecipe(white_level=4095),
        words="16 bits to 8; white level 4095",
    ),
    "bilevel": Truth(
        lambda d: saved(vips(BITS, "b-w"), d / "a.tif", bitdepth=1, compression="ccittfax4"),
        np.repeat(BITS[..., None], 3, axis=-1),
        reading=ReadingRecipe(bilevel="grey"),
        words="1 bit to 8",
    ),
    "P3 TIFF 8": Truth(
        lambda d: saved(in_profile(SMOOTH, "p3"), d / "a.tif"), SMOOTH, 3,
        words="profile sP3C to sRGB",
    ),
    "P3 TIFF 16": Truth(
        lambda d: saved(in_profile(SMOOTH, "p3", 16), d / "a.tif"), SMOOTH, 1,
        words="profile sP3C to sRGB; 16 bits to 8",
    ),
    "P3 PNG 16": Truth(
        lambda d: saved(in_profile(SMOOTH, "p3", 16), d / "a.png"), SMOOTH, 1,
        words="profile sP3C to sRGB; 16 bits to 8",
    ),
    "P3 assumed": Truth(
        lambda d: write_tiff(d / "a.tif", Page(in_profile(SMOOTH, "p3").numpy())), SMOOTH, 3,
        reading=ReadingRecipe(assume_profile="p3"),
        words="assumed profile p3 to sRGB",
    ),
    "12 bits in 16 in P3": Truth(
        lambda d: write_tiff(
            d / "a.tif", Page((in_profile(SMOOTH, "p3", 16).numpy() // 16).astype(np.uint16))
        ),
        SMOOTH, 1,
        reading=ReadingRecipe(assume_profile="p3", white_level=4095),
        words="assumed profile p3 to sRGB; 16 bits to 8; white level 4095",
    ),
    "grey with a profile for RGB": Truth(
        lambda d: write_tiff(d / "a.tif", Page(GREY, tiff.BLACK_IS_ZERO, profile=P3)),
        GREY_RGB, 1,
        words="profile sP3C to sRGB",
    ),
    "CMYK TIFF": Truth(
        lambda d: saved(CMYK_SMOOTH, d / "a.tif"), SMOOTH, 30,
        words="profile Chemical proof to sRGB",
    ),
    "CMYK JPEG": Truth(
        lambda d: saved(CMYK_SMOOTH, d / "a.jpg", Q=98), SMOOTH, 30,
        words="profile Chemical proof to sRGB",
    ),
    "CMYK, profile assumed": Truth(
        lambda d: write_tiff(d / "a.tif", Page(CMYK_SMOOTH.numpy(), tiff.CMYK)), SMOOTH, 30,
        reading=ReadingRecipe(assume_profile="cmyk"),
        words="assumed profile cmyk to sRGB",
    ),
    **{
        f"JPEG turned {number}": Truth(
            lambda d, number=number: saved(vips(SMOOTH, orientation=number), d / "a.jpg", Q=98),  # type: ignore[misc]
            TURNS[number](SMOOTH), 3,
            words=f"orientation {number} applied" if number > 1 else "",
        )
        for number in TURNS
    },
    **{
        f"TIFF turned {number}": Truth(
            lambda d, number=number: write_tiff(d / "a.tif", Page(PIXELS, orientation=number)),  # type: ignore[misc]
            TURNS[number](PIXELS),
            words=f"orientation {number} applied" if number > 1 else "",
        )
        for number in TURNS
    },
    **{
        f"tiled pyramid turned {number}": Truth(
            lambda d, number=number: saved(  # type: ignore[misc]
                vips(LARGE, orientation=number), d / "a.tif", tile=True, tile_width=64,
                tile_height=64, pyramid=True,
            ),
            TURNS[number](LARGE),
            words=f"orientation {number} applied",
        )
        for number in (5, 8)
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def truth_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = TRUTHS[name].make(tmp_path_factory.mktemp("truth"))
        return made[name]

    return make


@pytest.mark.parametrize("name", TRUTHS)
def test_every_file_is_read_as_it_was_meant(name: str, truth_file: Callable[[str], Path]) -> None:
    truth, path = TRUTHS[name], truth_file(name)
    pixels = read_picture(path, truth.reading)
    assert pixels.shape == truth.expected.shape
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - truth.expected).max() <= truth.most_off
    found = [FoundPicture("a", path)]
    (picture,), problems = identify_pictures(found, path.parent.resolve(), truth.reading)
    assert problems == []
    assert picture.reading == truth.words
    assert (picture.height, picture.width) == truth.expected.shape[:2]
    assert not picture.transparent


@pytest.mark.parametrize("name", TRUTHS)
def test_windows_are_cut_from_the_whole(name: str, truth_file: Callable[[str], Path]) -> None:
    truth, path = TRUTHS[name], truth_file(name)
    whole = read_picture(path, truth.reading)
    picture = open_picture(path, truth.reading)
    assert picture.shape_hw == whole.shape[:2]
    height, width = picture.shape_hw
    for top, left, h, w in ((0, 0, height, width), (height - 9, width - 5, 9, 5), (11, 3, 1, 30)):
        pixels, there = picture.window(top, left, h, w)
        assert np.array_equal(pixels, whole[top : top + h, left : left + w])
        assert there.shape == (h, w)
        assert there.all()


@given(data=st.data())
@pytest.mark.parametrize("name", ["tiled pyramid turned 5", "JPEG turned 8", "strips 16"])
def test_any_window_is_cut_from_the_whole(
    name: str, truth_file: Callable[[str], Path], data: st.DataObject
) -> None:
    whole = read_picture(truth_file(name))
    picture = open_picture(truth_file(name))
    height, width = whole.shape[:2]
    top = data.draw(st.integers(0, height - 1))
    left = data.draw(st.integers(0, width - 1))
    h = data.draw(st.integers(1, height - top))
    w = data.draw(st.integers(1, width - left))
    pixels, _ = picture.window(top, left, h, w)
    assert np.array_equal(pixels, whole[top : top + h, left : left + w])


@pytest.mark.parametrize(
    "window", [(-1, 0, 5, 5), (0, -1, 5, 5), (33, 0, 5, 5), (0, 48, 5, 5), (0, 0, 0, 5)]
)
def test_a_window_beyond_the_picture_is_refused(
    truth_file: Callable[[str], Path], window: tuple[int, int, int, int]
) -> None:
    with pytest.raises(ValueError, match=r"no window|reach beyond the picture of 37 x 52 px"):
        open_picture(truth_file("strips")).window(*window)


def test_the_result_is_in_the_profile_that_was_asked_for(
    truth_file: Callable[[str], Path],
) -> None:
    """The numbers in the file are others, so a reader that ignores profiles would be off."""
    stored = pyvips.Image.new_from_file(str(truth_file("P3 TIFF 8"))).numpy().astype(int)
    assert np.abs(stored - SMOOTH).max() > 10


HOLE = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
HOLE[5:20, 8:31] = 0
HOLE[20:22, 8:31] = 128  # half there: its colour is a mixture, so it is not there
ALPHAS: dict[str, Callable[[Path], Path]] = {
    "RGBA 8 PNG": lambda d: saved(vips(np.dstack([PIXELS, HOLE])), d / "a.png"),
    "RGBA 8 WebP": lambda d: saved(
        vips(np.dstack([PIXELS, HOLE])), d / "a.webp", lossless=True, exact=True
    ),
    "RGBA 16 PNG": lambda d: saved(
        vips(np.dstack([DEEP, HOLE.astype(np.uint16) * 257]), "rgb16"), d / "a.png"
    ),
    "RGBA 8 TIFF": lambda d: write_tiff(
        d / "a.tif", Page(np.dstack([PIXELS, HOLE]), extra_samples=(tiff.ALPHA,))
    ),
    "RGBA 16 TIFF": lambda d: write_tiff(
        d / "a.tif",
        Page(np.dstack([DEEP, HOLE.astype(np.uint16) * 257]), extra_samples=(tiff.ALPHA,)),
    ),
    "RGBA 8 premultiplied": lambda d: write_tiff(
        d / "a.tif",
        Page(
            np.dstack([np.where(HOLE[..., None] == 255, PIXELS, PIXELS // 2), HOLE]),
            extra_samples=(tiff.PREMULTIPLIED,),
        ),
    ),
    "RGBA tiled pyramid": lambda d: saved(
        vips(np.dstack([PIXELS, HOLE])), d / "a.tif", tile=True, tile_width=16, tile_height=16,
        pyramid=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALPHAS)
def test_alpha_says_what_is_there_and_nothing_is_blended(name: str, tmp_path: Path) -> None:
    path = ALPHAS[name](tmp_path)
    pixels, there = open_picture(path).window(0, 0, HEIGHT, WIDTH)
    assert np.array_equal(there, HOLE == 255)
    assert np.array_equal(pixels[there == 1], PIXELS[there == 1])
    assert not pixels[there == 0].any()
    (picture,), _ = identify_pictures([FoundPicture("a", path)], tmp_path.resolve())
    assert picture.transparent
    assert "alpha: some pixels are not there" in picture.reading
    with pytest.raises(PictureError, match="has transparent pixels"):
        read_picture(path)


def test_grey_with_alpha(tmp_path: Path) -> None:
    path = saved(vips(np.dstack([GREY, HOLE]), "b-w"), tmp_path / "a.png")
    pixels, there = open_picture(path).window(3, 4, 30, 40)
    assert np.array_equal(there, HOLE[3:33, 4:44] == 255)
    assert np.array_equal(pixels[there == 1], GREY_RGB[3:33, 4:44][there == 1])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_not_there_has_no_part_in_a_thumbnail(tmp_path: Path, suffix: str) -> None:
    flat = np.full((80, 132, 3), (200, 150, 90), dtype=np.uint8)
    hole = np.full((80, 132), 255, dtype=np.uint8)
    hole[21:54, 33:79] = 0
    flat[hole == 0] = (0, 255, 30)  # what a file hides there is anything
    tiles = {"tile": True, "tile_width": 16, "tile_height": 16, "pyramid": True}
    path = saved(
        vips(np.dstack([flat, hole])),
        tmp_path / f"a{suffix}",
        **(tiles if suffix == ".tif" else {}),
    )
    pixels, there = open_picture(path).thumbnail(33)
    assert pixels.shape == (20, 33, 3)
    assert 0.13 < (there == 0).mean() < 0.20  # 14 % of the picture, at a quarter of its size
    shown = pixels[there == 1].astype(int)
    assert np.abs(shown - (200, 150, 90)).max() <= 1
    assert not pixels[there == 0].any()


@pytest.mark.parametrize("name", TRUTHS)
def test_thumbnails_are_upright_and_small(name: str, truth_file: Callable[[str], Path]) -> None:
    truth = TRUTHS[name]
    pixels, there = open_picture(truth_file(name), truth.reading).thumbnail(20)
    height, width = truth.expected.shape[:2]
    assert pixels.shape[:2] == there.shape
    assert max(there.shape) == 20
    assert abs(there.shape[0] / there.shape[1] - height / width) < 0.06
    assert there.all()
    for part in (0, 1):  # the upper left quarter, and the lower right one
        rows, columns = (
            slice(part * (side - side // 2), side // 2 + part * (side - side // 2))
            for side in there.shape
        )
        meant = truth.expected[
            part * height // 2 : (1 + part) * height // 2,
            part * width // 2 : (1 + part) * width // 2,
        ]
        off = pixels[rows, columns].mean(axis=(0, 1)) - meant.mean(axis=(0, 1))
        assert np.abs(off).max() < 14


def test_a_thumbnail_is_never_larger_than_the_picture(truth_file: Callable[[str], Path]) -> None:
    pixels, _ = open_picture(truth_file("strips")).thumbnail(1000)
    assert np.array_equal(pixels, PIXELS)


@pytest.mark.parametrize(("longest_px", "red"), [(26, True), (20, True), (27, False), (52, False)])
def test_the_smallest_sufficient_level_is_shrunk(
    tmp_path: Path, longest_px: int, red: bool
) -> None:
    """The levels of this file are red, green and a mask, so that it shows which one was used."""
    half, quarter = np.zeros((18, 26, 3), np.uint8), np.zeros((9, 13, 3), np.uint8)
    half[..., 0], quarter[..., 1] = 255, 255
    mask = np.full((18, 26), 255, np.uint8)
    path = write_tiff(
        tmp_path / "a.tif", Page(PIXELS), Page(mask, tiff.BLACK_IS_ZERO, subfile_type=4),
        Page(half, subfile_type=1), Page(quarter, subfile_type=1),
    )  # fmt: skip
    pixels, _ = open_picture(path).thumbnail(longest_px)
    assert max(pixels.shape) == longest_px
    assert (pixels == (255, 0, 0)).all() == red
    green, _ = open_picture(path).thumbnail(13)
    assert (green == (0, 255, 0)).all()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_file_in_strips_has_a_thumbnail(tmp_path: Path, orientation: int) -> None:
    """It is written by another program, in strips that cannot be read out of order."""
    pixels = draw_picture(900, 640, "strips")
    Image.fromarray(pixels).save(
        tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={274: orientation}
    )
    picture = open_picture(tmp_path / "a.tif")
    whole, _ = picture.thumbnail(2000)
    assert np.array_equal(whole, picture.whole()[0])
    small, _ = picture.thumbnail(200)
    assert max(small.shape) == 200
    assert (small.shape[0] > small.shape[1]) == (picture.shape_hw[0] > picture.shape_hw[1])
