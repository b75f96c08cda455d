"""Reading: upright 8-bit sRGB from what archives deliver, or a sentence."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import pyvips

from drawings import draw_picture, save_picture
from dunhuang_data.errors import PictureError
from dunhuang_data.pictures import (
    FoundPicture,
    find_pictures,
    identify_pictures,
    raise_together,
    read_picture,
)
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import Picture

PIXELS = draw_picture(37, 52, "reading")


def identified(path: Path) -> Picture:
    pictures, problems = identify_pictures([FoundPicture("a", path)], path.parent)
    assert problems == []
    return pictures[0]


def refused(path: Path) -> str:
    pictures, problems = identify_pictures([FoundPicture("a", path)], path.parent)
    assert pictures == []
    return problems[0]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_lossless_formats_come_back_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == ".webp" else {}
    path = save_picture(tmp_path / f"a{suffix}", PIXELS, **options)
    assert np.array_equal(read_picture(path), PIXELS)


def test_jpeg_is_close(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(20, 220, 52).astype(np.uint8)[None, :, None], (37, 1, 3))
    read = read_picture(save_picture(tmp_path / "a.jpg", smooth, Q=95))
    assert np.abs(read.astype(int) - smooth).max() <= 4


def test_the_orientation_tag_is_applied(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(PIXELS).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.write_to_file(str(tmp_path / "a.tif"))
    picture = identified(tmp_path / "a.tif")
    assert (picture.height, picture.width) == (52, 37)
    assert picture.reading == "orientation 6 applied"
    assert np.array_equal(read_picture(tmp_path / "a.tif"), np.rot90(PIXELS, -1))


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = PIXELS.astype(np.uint16) * 257
    image = pyvips.Image.new_from_array(deep).copy(interpretation="rgb16")
    image.write_to_file(str(tmp_path / "a.tif"))
    assert np.array_equal(read_picture(tmp_path / "a.tif"), PIXELS)


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", PIXELS[..., 0])
    assert np.array_equal(read_picture(path), np.repeat(PIXELS[..., :1], 3, axis=-1))


def test_a_wide_gamut_profile_is_converted(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(PIXELS).copy(interpretation="srgb")
    wide = image.icc_transform("p3", input_profile="srgb")
    assert not np.array_equal(wide.numpy(), PIXELS)  # the numbers in the file differ
    wide.write_to_file(str(tmp_path / "a.tif"))
    read = read_picture(tmp_path / "a.tif").astype(int)
    assert np.abs(read - PIXELS).mean() < 1


def test_opaque_alpha_is_dropped_and_transparency_refused(tmp_path: Path) -> None:
    alpha = np.full((37, 52, 1), 255, dtype=np.uint8)
    path = save_picture(tmp_path / "a.png", np.concatenate([PIXELS, alpha], axis=-1))
    assert np.array_equal(read_picture(path), PIXELS)
    alpha[3, 4] = 0
    path = save_picture(tmp_path / "b.png", np.concatenate([PIXELS, alpha], axis=-1))
    with pytest.raises(PictureError, match=r"b\.png has transparent pixels"):
        read_picture(path)


def test_cmyk_without_profile_is_refused(tmp_path: Path) -> None:
    ink = np.zeros((37, 52, 4), dtype=np.uint8)
    image = pyvips.Image.new_from_array(ink).copy(interpretation="cmyk")
    image.write_to_file(str(tmp_path / "a.tif"))
    with pytest.raises(PictureError, match=r"a\.tif is CMYK without a colour profile"):
        read_picture(tmp_path / "a.tif")


def test_floats_are_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.tif", PIXELS.astype(np.float32))
    with pytest.raises(PictureError, match="expected grey, RGB or CMYK of 8 or 16 bits"):
        read_picture(tmp_path / "a.tif")


def test_a_file_that_is_no_picture_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")
    with pytest.raises(PictureError, match=r"Could not read .*a\.jpg: .*take it out"):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_truncated_file_is_found_when_it_is_identified(tmp_path: Path, suffix: str) -> None:
    path = save_picture(tmp_path / f"a{suffix}", draw_picture(200, 150, "long"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert re.match(r"Could not read .*a\.", refused(path))


def test_a_jpeg_that_ends_in_its_middle_is_found(tmp_path: Path) -> None:
    """Decoders fill what is missing with grey and only warn."""
    path = save_picture(tmp_path / "a.jpg", draw_picture(200, 301, "cut"))
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + b"\xff\xd9" + data[half:])
    assert re.match(r"Could not read .*a\.jpg: .*Corrupt JPEG data", refused(path))


def test_trailing_bytes_after_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", PIXELS)
    expected = read_picture(path)
    path.write_bytes(path.read_bytes() + b"camera maker's notes")
    assert np.array_equal(read_picture(path), expected)


def test_all_bad_pictures_are_named_together(tmp_path: Path) -> None:
    save_picture(tmp_path / "good.png", PIXELS)
    (tmp_path / "bad-1.png").write_bytes(b"")
    (tmp_path / "bad-2.jpg").write_bytes(b"JPEG?")
    found, problems = find_pictures([tmp_path])
    assert problems == []
    good, problems = identify_pictures(found, tmp_path)
    assert [picture.id for picture in good] == ["good"]
    assert len(problems) == 2
    assert "bad-1" in problems[0]
    assert "bad-2" in problems[1]
    with pytest.raises(PictureError, match=r"(?s)^2 of 3 pictures cannot.*bad-1.*bad-2"):
        raise_together(problems, "of 3 pictures cannot be used", PictureError)


def test_ids_are_paths_without_suffix_in_order(pictures: Path) -> None:
    ids = [found.id for found in find_pictures([pictures])[0]]
    assert ids == sorted(ids)
    assert ids[:3] == ["cave/wall-1", "cave/wall-2", "niche-3"]


def test_hidden_files_and_other_suffixes_are_left_out(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", PIXELS)
    save_picture(tmp_path / ".hidden" / "b.png", PIXELS)
    (tmp_path / "notes.txt").write_text("cave 220")
    assert [found.id for found in find_pictures([tmp_path])[0]] == ["a"]


def test_two_pictures_with_one_id_are_both_left_out(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        save_picture(tmp_path / name, PIXELS)
    found, problems = find_pictures([tmp_path])
    assert [one.id for one in found] == ["b"]
    assert len(problems) == 1
    assert re.match(r"Two pictures would have the id 'a': .*a\.jpg and .*a\.png", problems[0])


def test_links_out_of_the_folder_are_left_out_and_links_within_are_not(tmp_path: Path) -> None:
    outside = save_picture(tmp_path / "elsewhere" / "secret.png", PIXELS)
    inside = save_picture(tmp_path / "murals" / "a" / "wall.png", PIXELS)
    murals = tmp_path / "murals"
    (murals / "out.png").symlink_to(outside)
    (murals / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (murals / "folder").symlink_to(outside.parent)
    (murals / "notes").symlink_to(tmp_path / "nowhere")
    found, problems = find_pictures([murals])
    assert [one.id for one in found] == ["a/wall"]
    assert len(problems) == 3
    assert "folder is a link to a folder, and links are not followed" in problems[0]
    assert re.search(r"gone\.png is a link to .*nowhere\.png, which is not there", problems[1])
    assert re.search(r"out\.png is a link out of its folder, to .*secret\.png", problems[2])
    (murals / "b.png").symlink_to(inside)
    found, problems = find_pictures([murals])
    assert [one.id for one in found] == ["a/wall"]
    assert "b.png was named twice" in " ".join(problems)
    assert [one.id for one in find_pictures([murals / "out.png"])[0]] == ["out"]  # named itself


def test_what_keeps_all_pictures_out_is_said(tmp_path: Path) -> None:
    for suffix in (".png", ".jpg"):
        save_picture(tmp_path / f"a{suffix}", PIXELS)
    (tmp_path / "b.png").symlink_to("nowhere.png")
    with pytest.raises(PictureError, match=r"(?s)^2 things keep.*nowhere\.png.*Two pictures"):
        find_pictures([tmp_path])


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"No pictures found in .*Expected files ending in"):
        find_pictures([tmp_path])
    with pytest.raises(PictureError, match="nowhere does not exist"):
        find_pictures([tmp_path / "nowhere"])


def test_a_folder_named_twice_is_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "cave" / "a.png", PIXELS)
    found, problems = find_pictures([tmp_path, tmp_path / "cave"])
    assert [one.id for one in found] == ["a"]
    assert len(problems) == 1
    assert "named twice and would have the ids 'a' and 'cave/a'" in problems[0]


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", PIXELS).rename(os.fsdecode(bytes(tmp_path) + b"/\xff.png"))
    with pytest.raises(PictureError, match="is not UTF-8"):
        find_pictures([tmp_path])


def test_several_pages_are_refused_until_one_is_named(tmp_path: Path) -> None:
    pages = pyvips.Image.new_from_array(np.concatenate([PIXELS, 255 - PIXELS]))
    pages.write_to_file(str(tmp_path / "a.tif"), page_height=37)
    assert "a.tif has 2 pages, and which one is meant is not known" in refused(tmp_path / "a.tif")
    reading = ReadingRecipe(page=2)
    found = [FoundPicture("a", tmp_path / "a.tif")]
    assert identify_pictures(found, tmp_path, reading)[0][0].reading == "page 2 of 2"
    assert np.array_equal(read_picture(tmp_path / "a.tif", reading), 255 - PIXELS)
    with pytest.raises(PictureError, match="there is no --page 3"):
        read_picture(tmp_path / "a.tif", ReadingRecipe(page=3))
