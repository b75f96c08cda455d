"""What a file leaves open is refused with a name and an option, and settled by that option."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips

import tiff_files as tiff
from drawings import draw_picture, save_picture
from dunhuang_data.errors import PictureError, UsageProblem
from dunhuang_data.pictures import (
    FoundPicture,
    identification,
    identify_pictures,
    inspect_picture,
    open_picture,
    read_picture,
)
from dunhuang_data.pictures.decisions import open_decisions
from dunhuang_data.recipe import ReadingRecipe
from tiff_files import Page, write_tiff

PIXELS = draw_picture(37, 52, "decisions")
FOUR = np.dstack([PIXELS, PIXELS[..., 0]])
DARK = PIXELS.astype(np.uint16) * 16
BITS = np.where(PIXELS[..., 0] > 100, 255, 0).astype(np.uint8)
P3 = pyvips.Image.black(1, 1, bands=3).icc_transform("p3", input_profile="srgb")
P3 = bytes(P3.get("icc-profile-data"))
CMYK = pyvips.Image.black(1, 1, bands=3).icc_transform("cmyk", input_profile="srgb")
CMYK = bytes(CMYK.get("icc-profile-data"))
GARBLED = P3[:300] + b"\xff" * 100 + P3[400:]


def bilevel(path: Path) -> Path:
    pyvips.Image.new_from_array(BITS).write_to_file(str(path), bitdepth=1)
    return path


def flat(path: Path) -> Path:
    """Write a picture of 363 MB in 355 kB."""
    pyvips.Image.black(11_000, 11_001, bands=3).write_to_file(str(path), compression=9)
    return path


UNDECIDED: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "several-pages": ("--page", lambda d: write_tiff(d / "a.tif", Page(PIXELS), Page(PIXELS))),
    "unnamed-channels": (
        "--channels",
        lambda d: write_tiff(d / "a.tif", Page(FOUR, extra_samples=(tiff.NOT_SAID,))),
    ),
    "bilevel": ("--bilevel", lambda d: bilevel(d / "a.png")),
    "cmyk-without-profile": (
        "--assume-profile", lambda d: write_tiff(d / "a.tif", Page(FOUR, tiff.CMYK))
    ),
    "unusable-profile": (
        "--assume-profile", lambda d: write_tiff(d / "a.tif", Page(PIXELS, profile=CMYK))
    ),
    "low-maximum": ("--white-level", lambda d: write_tiff(d / "a.tif", Page(DARK))),
    "tiny-for-its-size": ("--trust-size", lambda d: flat(d / "a.png")),
}  # fmt: skip
DECIDED = {
    "several-pages": ReadingRecipe(page=1),
    "unnamed-channels": ReadingRecipe(channels=(1, 2, 3)),
    "bilevel": ReadingRecipe(bilevel="grey"),
    "cmyk-without-profile": ReadingRecipe(assume_profile="cmyk"),
    "unusable-profile": ReadingRecipe(assume_profile="srgb"),
    "low-maximum": ReadingRecipe(white_level=65535),
    "tiny-for-its-size": ReadingRecipe(trust_size=True),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_is_not_known_is_named_and_refused_until_it_is_decided(
    name: str, tmp_path: Path
) -> None:
    option, make = UNDECIDED[name]
    path = make(tmp_path)
    (warning,) = inspect_picture(path).warnings
    assert (warning.name, warning.option) == (name, option)
    assert str(path) in warning.sentence
    assert option in warning.sentence
    found = [FoundPicture("a", path)]
    assert identify_pictures(found, tmp_path.resolve()) == ([], [warning.sentence])
    if name != "low-maximum":  # this one takes all pixels to see
        with pytest.raises(PictureError, match=option):
            open_picture(path)
    with pytest.raises(PictureError, match=option):
        read_picture(path)
    assert inspect_picture(path, DECIDED[name]).warnings == ()
    (picture,), problems = identify_pictures(found, tmp_path.resolve(), DECIDED[name])
    assert problems == []
    assert picture.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (ReadingRecipe(page=3), "has 2 pages, so there is no --page 3"),
        (ReadingRecipe(page=2, channels=(1, 2, 9)), "has 4 channels, so there is no channel 9"),
    ],
)
def test_what_is_not_there_cannot_be_decided_for(
    tmp_path: Path, reading: ReadingRecipe, sentence: str
) -> None:
    page = Page(FOUR, extra_samples=(tiff.NOT_SAID,))
    path = write_tiff(tmp_path / "a.tif", page, page)
    with pytest.raises(PictureError, match=sentence):
        open_picture(path, reading)


def test_decisions_are_left_alone_where_nothing_is_open(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", PIXELS)
    all_of_them = ReadingRecipe("cmyk", 4095, 7, (9, 8, 7), "grey", True)
    assert np.array_equal(read_picture(path, all_of_them), PIXELS)
    assert open_picture(path, all_of_them).reading == ""


def test_samples_above_white_are_not_clipped_in_silence(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", Page(PIXELS.astype(np.uint16) * 200))
    with pytest.raises(PictureError, match=r"samples up to \d+, above --white-level 4095"):
        read_picture(path, ReadingRecipe(white_level=4095))


@pytest.mark.parametrize(
    ("highest", "names"), [(16383, ["low-maximum"]), (16384, []), (0, ["low-maximum"])]
)
def test_fewer_than_fifteen_bits_are_asked_about(
    tmp_path: Path, highest: int, names: list[str]
) -> None:
    deep = np.zeros((37, 52, 4), np.uint16)
    deep[30, 7, 1] = highest
    deep[..., 3] = 65535  # alpha is no colour, and does not count
    path = write_tiff(tmp_path / "a.tif", Page(deep, extra_samples=(tiff.ALPHA,)))
    facts = inspect_picture(path)
    assert facts.highest == highest
    assert [warning.name for warning in facts.warnings] == names
    spot = Page(np.dstack([deep, deep[..., 0]]), extra_samples=(tiff.ALPHA, tiff.NOT_SAID))
    assert inspect_picture(write_tiff(tmp_path / "b.tif", spot)).highest == highest


@pytest.mark.parametrize(
    ("shape", "file_bytes", "names"),
    [
        ((10_000, 10_001), 1_500_000, ["tiny-for-its-size"]),
        ((10_000, 10_001), 1_500_150, []),  # 200 bytes for each
        ((10_000, 10_000), 1_000, []),  # 300 MB, which do no harm
        ((30_000, 46_000), 30_000_000, []),  # a wall of 1.4 gigapixels
    ],
)
def test_size_alone_is_no_crime(
    tmp_path: Path, shape: tuple[int, int], file_bytes: int, names: list[str]
) -> None:
    facts = inspect_picture(save_picture(tmp_path / "a.png", PIXELS))
    facts = replace(facts, height=shape[0], width=shape[1], file_bytes=file_bytes)
    assert [warning.name for warning in open_decisions(facts, ReadingRecipe())] == names


@pytest.mark.parametrize("profile", [P3[:200], P3[:400], GARBLED, b"no profile"])
def test_a_broken_profile_is_not_replaced_in_silence(tmp_path: Path, profile: bytes) -> None:
    path = write_tiff(tmp_path / "a.tif", Page(PIXELS, profile=profile))
    (warning,) = inspect_picture(path).warnings
    assert warning.name == "unusable-profile"


def test_a_profile_is_assumed_only_for_what_it_fits(tmp_path: Path) -> None:
    (tmp_path / "p3.icc").write_bytes(P3)
    reading = ReadingRecipe(assume_profile=str(tmp_path / "p3.icc"))
    with pytest.raises(PictureError, match=r"p3\.icc is for RGB\. Name the profile"):
        open_picture(write_tiff(tmp_path / "a.tif", Page(FOUR, tiff.CMYK)), reading)
    picture = open_picture(write_tiff(tmp_path / "b.tif", Page(PIXELS)), reading)
    digest = hashlib.sha256(P3).hexdigest()[:12]
    assert picture.reading == f"assumed profile sP3C (SHA-256 {digest}…) to sRGB"
    tagged = write_tiff(tmp_path / "c.tif", Page(PIXELS, profile=P3))
    assert open_picture(tagged, ReadingRecipe(assume_profile="cmyk")).reading == (
        "profile sP3C to sRGB"
    )
    untagged = write_tiff(tmp_path / "d.tif", Page(PIXELS))
    assert open_picture(untagged, ReadingRecipe(assume_profile="cmyk")).reading == ""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nowhere.icc", "cannot be read: No such file"), ("broken.icc", "is no whole ICC profile")],
)
def test_a_profile_that_is_none_is_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "broken.icc").write_bytes(GARBLED)
    path = write_tiff(tmp_path / "a.tif", Page(PIXELS))
    with pytest.raises(UsageProblem, match=sentence):
        open_picture(path, ReadingRecipe(assume_profile=str(tmp_path / name)))


def test_alpha_that_is_nowhere_full_is_a_sentence(tmp_path: Path) -> None:
    glass = np.dstack([PIXELS, np.full((37, 52), 254, np.uint8)])
    path = save_picture(tmp_path / "a.png", glass)
    _, problems = identify_pictures([FoundPicture("a", path)], tmp_path.resolve())
    assert "No pixel of" in problems[0]
    assert "its alpha is 254 at most, and full is 255" in problems[0]


def test_alpha_beside_an_unnamed_channel_is_still_alpha(tmp_path: Path) -> None:
    hole = np.full((37, 52), 255, np.uint8)
    hole[4:9, 20:40] = 0
    page = Page(
        np.dstack([PIXELS, PIXELS[..., 1], hole]), extra_samples=(tiff.NOT_SAID, tiff.ALPHA)
    )
    path = write_tiff(tmp_path / "a.tif", page)
    _, there = open_picture(path, ReadingRecipe(channels=(1, 2, 3))).window(0, 0, 37, 52)
    assert np.array_equal(there, hole == 255)


def test_two_channels_that_both_claim_to_be_alpha_are_unnamed(tmp_path: Path) -> None:
    page = Page(np.dstack([FOUR, PIXELS[..., 1]]), extra_samples=(tiff.ALPHA, tiff.ALPHA))
    facts = inspect_picture(write_tiff(tmp_path / "a.tif", page))
    assert (facts.alpha, facts.unnamed) == (None, 2)
    assert [warning.name for warning in facts.warnings] == ["unnamed-channels"]


def test_what_looks_like_a_bomb_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(_facts: object) -> None:
        raise AssertionError("decoded")

    path = flat(tmp_path / "a.png")
    monkeypatch.setattr(identification, "measured", decode)
    assert [one.name for one in inspect_picture(path).warnings] == ["tiny-for-its-size"]
    found = [FoundPicture("a", path)]
    assert "--trust-size" in identify_pictures(found, tmp_path.resolve())[1][0]
    with pytest.raises(AssertionError, match="decoded"):
        inspect_picture(path, ReadingRecipe(trust_size=True))


def test_channels_that_a_tiff_does_not_account_for_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"has 4 channels for RGB and lacks the tag"):
        inspect_picture(write_tiff(tmp_path / "a.tif", Page(FOUR)))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"white_level": 65536}, "--white-level is 65536"),
        ({"page": -1}, "--page is -1"),
        ({"channels": (1, 2)}, "--channels is 1,2; expected three"),
        ({"channels": (0,)}, "--channels is 0; expected three"),
        ({"bilevel": "colour"}, "--bilevel is 'colour'"),
    ],
)
def test_a_reading_recipe_checks_itself(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageProblem, match=sentence):
        ReadingRecipe(**fields)  # type: ignore[arg-type]


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", PIXELS)
    assert np.array_equal(read_picture(path), PIXELS)
    assert np.array_equal(open_picture(path).window(0, 0, 37, 52)[0], PIXELS)
    save_picture(tmp_path / "a.png", 255 - PIXELS)
    assert np.array_equal(open_picture(path).window(0, 0, 37, 52)[0], 255 - PIXELS)
    assert np.array_equal(read_picture(path), 255 - PIXELS)
