"""A picture in its own samples: what is stored, what it is in sRGB, and the way back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray

import icc_files
import tiff_files as tiff
from drawings import draw_picture
from dunhuang_data.errors import PictureError
from dunhuang_data.pictures import open_own, read_picture
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


SMOOTH = np.stack(
    [np.add.outer(np.arange(HEIGHT) * row, np.arange(WIDTH) * column) + 60
     for row, column in ((2, 1), (1, 2), (2, 0.5))], axis=-1,
).astype(np.uint8)  # fmt: skip


def built_in(name: str) -> bytes:
    image = pyvips.Image.black(1, 1, bands=3).icc_transform(name, input_profile="srgb")
    return bytes(image.get("icc-profile-data"))


ADOBE = icc_files.rgb_profile("Adobe RGB", icc_files.ADOBE_RGB, 2.2)
GREY_18 = icc_files.grey_profile("dot gain", 1.8)
PROFILES = {  # bits, profile, photometric, the most a colour may be off, in levels of 255
    "sRGB 8": (8, built_in("srgb"), tiff.RGB, 0.51),
    "sRGB 16": (16, built_in("srgb"), tiff.RGB, 0.01),
    "P3 8": (8, built_in("p3"), tiff.RGB, 2),
    "P3 16": (16, built_in("p3"), tiff.RGB, 0.5),
    "Adobe RGB 8": (8, ADOBE, tiff.RGB, 2),
    "Adobe RGB 16": (16, ADOBE, tiff.RGB, 0.5),
    "grey 8": (8, GREY_18, tiff.BLACK_IS_ZERO, 1),
    "grey 16": (16, GREY_18, tiff.BLACK_IS_ZERO, 0.3),
    "grey in P3": (16, built_in("p3"), tiff.BLACK_IS_ZERO, 0.3),
    "CMYK 8": (8, built_in("cmyk"), tiff.CMYK, 8),
    "CMYK 16": (16, built_in("cmyk"), tiff.CMYK, 8),
}
CHANNELS = {tiff.RGB: 3, tiff.BLACK_IS_ZERO: 1, tiff.CMYK: 4}


def in_profile(path: Path, name: str, samples: NDArray[Any] | None = None) -> Path:
    """Write samples, or black ones, in a profile."""
    bits, profile, photometric, _ = PROFILES[name]
    if samples is None:
        dtype = np.uint8 if bits == 8 else np.uint16
        shape = (HEIGHT, WIDTH, CHANNELS[photometric])
        samples = np.full(shape, np.iinfo(dtype).max // 2 + 1, dtype)
    if photometric == tiff.BLACK_IS_ZERO:
        samples = samples[..., 0]
    return write_tiff(path, Page(samples, photometric, profile=profile))


@pytest.mark.parametrize("name", PROFILES)
def test_a_colour_painted_in_a_profile_is_that_colour_when_it_is_read(
    name: str, tmp_path: Path
) -> None:
    bits, _, photometric, most_off = PROFILES[name]
    own = open_own(in_profile(tmp_path / "a.tif", name))
    grey = photometric == tiff.BLACK_IS_ZERO
    wanted = np.repeat(SMOOTH[..., :1], 3, -1) if grey else SMOOTH
    samples = own.from_srgb(np.asarray(wanted / 255, np.float32))
    assert samples.shape == (HEIGHT, WIDTH, CHANNELS[photometric])
    assert samples.dtype == own.dtype == (np.uint8 if bits == 8 else np.uint16)
    path = in_profile(tmp_path / "b.tif", name, samples)
    seen = open_own(path).window(0, 0, HEIGHT, WIDTH).srgb
    assert np.abs(seen * 255 - wanted).max() <= most_off
    assert np.abs(read_picture(path).astype(int) - wanted).max() <= most_off + 1
    again = own.from_srgb(seen)
    if photometric != tiff.CMYK:  # many mixtures of ink have one colour
        top = np.iinfo(own.dtype).max
        assert np.abs(again.astype(float) - samples).max() <= max(1, most_off / 255 * top)


@pytest.mark.parametrize("name", ["P3 16", "Adobe RGB 16"])
def test_dark_saturated_colours_are_kept_in_sixteen_bits(name: str, tmp_path: Path) -> None:
    """In one step, littleCMS turns such a red of 0 into one of 14 or 20, of 255."""
    wanted = np.array([[[21, 64347, 45384], [148, 63566, 55085]]], np.float32) / np.float32(65535)
    samples = open_own(in_profile(tmp_path / "a.tif", name)).from_srgb(wanted)
    seen = open_own(in_profile(tmp_path / "b.tif", name, samples)).window(0, 0, 1, 2).srgb
    assert np.abs(seen - wanted).max() * 255 < 3


@pytest.mark.parametrize(("profile", "white"), [("p3", 65535), ("p3", 4095)])
def test_an_assumed_profile_and_white_level_are_used_both_ways(
    profile: str, white: int, tmp_path: Path
) -> None:
    colours = pyvips.Image.new_from_array(SMOOTH).copy(interpretation="srgb")
    deep = colours.icc_transform(profile, input_profile="srgb", intent="relative", depth=16)
    samples = np.round(deep.numpy() / 65535 * white).astype(np.uint16)
    reading = ReadingRecipe(assume_profile=profile, white_level=white)
    own = open_own(write_tiff(tmp_path / "a.tif", Page(samples)), reading)
    srgb = own.window(0, 0, HEIGHT, WIDTH).srgb
    assert np.abs(srgb * 255 - SMOOTH).max() < 0.6
    assert np.abs(own.from_srgb(srgb).astype(float) - samples).max() <= 0.002 * white
    assert own.from_srgb(np.full((2, 3, 3), 1.7, np.float32)).max() == white
    assert "assumed profile p3" in own.reading
    assert "16 bits to 8" not in own.reading


def test_sixteen_bits_are_seen_as_sixteen(tmp_path: Path) -> None:
    ramp = np.arange(40_000, 40_000 + HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH, 1)
    ramp = np.repeat(ramp, 3, -1)
    for profile in (b"", built_in("srgb")):
        own = open_own(write_tiff(tmp_path / "a.tif", Page(ramp, profile=profile)))
        seen = own.window(0, 0, HEIGHT, WIDTH).srgb
        assert len(np.unique(seen[..., 1])) == HEIGHT * WIDTH


def test_what_is_beyond_is_clipped_and_never_wraps(tmp_path: Path) -> None:
    srgb = np.array([[[-0.1, 0.5, 1.1], [np.inf, -np.inf, 300]]], np.float32)
    expected = np.array([[[0, 128, 255], [255, 0, 255]]])
    own = open_own(saved(vips(PIXELS), tmp_path / "a.png"))
    assert np.array_equal(own.from_srgb(srgb), expected)
    deep = open_own(saved(vips(DEEP, "rgb16"), tmp_path / "b.png"))
    assert np.array_equal(deep.from_srgb(srgb), [[[0, 32768, 65535], [65535, 0, 65535]]])
    with pytest.raises(ValueError, match="NaN"):
        own.from_srgb(np.full((1, 2, 3), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"expected \(h, w, 3\)"):
        own.from_srgb(np.zeros((4, 5), np.float32))


def test_grey_is_as_bright_as_the_colour(tmp_path: Path) -> None:
    own = open_own(saved(vips(PIXELS[..., :1], "b-w"), tmp_path / "a.png"))
    primaries = np.eye(3, dtype=np.float32)[None]
    # CIE luminance of the sRGB primaries, encoded again: (0.2126, 0.7152, 0.0722) ** (1 / 2.4) …
    assert own.from_srgb(primaries).ravel().tolist() == [127, 220, 76]
    seen = own.window(0, 0, HEIGHT, WIDTH).srgb
    assert np.array_equal(seen[..., 0], seen[..., 2])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_says_what_is_there_and_is_full_where_it_is_painted(
    dtype: type[Any], tmp_path: Path
) -> None:
    top = np.iinfo(dtype).max
    alpha: NDArray[Any] = np.full((HEIGHT, WIDTH), top, dtype)
    alpha[5:9, 7:20] = top - 1
    colours = PIXELS if dtype is np.uint8 else DEEP
    stored = np.dstack([colours, alpha])
    own = open_own(
        saved(vips(stored, "srgb" if dtype is np.uint8 else "rgb16"), tmp_path / "a.png")
    )
    window = own.window(0, 0, HEIGHT, WIDTH)
    assert np.array_equal(window.stored, stored)
    assert np.array_equal(window.there, alpha == top)
    assert not window.srgb[5:9, 7:20].any()
    painted = own.from_srgb(window.srgb)
    assert np.array_equal(painted[..., :3], colours * window.there[..., None])
    assert (painted[..., 3] == top).all()


def test_channels_that_nobody_names_are_kept(tmp_path: Path) -> None:
    stored = np.dstack([255 - PIXELS, PIXELS[..., ::-1], PIXELS[..., :1]])
    page = Page(stored, extra_samples=(tiff.NOT_SAID, tiff.ALPHA, tiff.NOT_SAID, tiff.NOT_SAID))
    own = open_own(write_tiff(tmp_path / "a.tif", page), ReadingRecipe(channels=(6, 4, 1)))
    window = own.window(0, 0, HEIGHT, WIDTH)
    assert np.allclose(
        window.srgb[window.there == 1] * 255, stored[window.there == 1][:, [5, 3, 0]]
    )
    painted = own.from_srgb(np.zeros_like(window.srgb), window.stored)
    assert not painted[..., [0, 3, 5]].any()
    assert (painted[..., 4] == 255).all()
    assert np.array_equal(painted[..., [1, 2, 6]], stored[..., [1, 2, 6]])
    assert np.array_equal(window.stored, stored)  # it was not painted on
    with pytest.raises(ValueError, match="unnamed channels: pass stored"):
        own.from_srgb(window.srgb)
    with pytest.raises(ValueError, match=r"shape \(37, 52, 6\); expected \(37, 52, 7\)"):
        own.from_srgb(window.srgb, stored[..., :6])


def test_a_profile_without_a_way_back_is_refused(tmp_path: Path) -> None:
    one_way = icc_files.without_way_back(built_in("cmyk"))
    samples = np.dstack([PIXELS, PIXELS[..., 0]])
    path = write_tiff(tmp_path / "a.tif", Page(samples, tiff.CMYK, profile=one_way))
    assert read_picture(path).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(PictureError, match=r"Chemical proof.* leads to sRGB but not back"):
        open_own(path)


def test_the_profile_given_to_libvips_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    own = open_own(in_profile(tmp_path / "a.tif", "P3 8"))
    assert [path.read_bytes() for path in folder.iterdir()] == [built_in("p3")]
    del own
    assert list(folder.iterdir()) == []


def test_windows_of_a_turned_picture_are_upright(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", Page(PIXELS, orientation=6))
    own = open_own(path)
    assert own.shape_hw == (WIDTH, HEIGHT)
    upright = np.rot90(PIXELS, -1)
    assert np.array_equal(own.window(30, 4, 11, 29).stored, upright[30:41, 4:33])
    assert np.array_equal(read_picture(path), upright)


def test_damage_is_said_when_it_is_met(tmp_path: Path) -> None:
    path = saved(vips(PIXELS), tmp_path / "a.png", compression=0)
    path.write_bytes(path.read_bytes()[:-2000])
    own = open_own(path)
    with pytest.raises(PictureError, match=r"Could not read .*a\.png"):
        own.window(0, 0, HEIGHT, WIDTH)
