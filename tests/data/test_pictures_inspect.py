"""What files say of themselves."""

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips

import tiff_files as tiff
from drawings import draw_picture, save_picture
from dunhuang_data.errors import PictureError
from dunhuang_data.pictures import PictureFacts, inspect_picture
from dunhuang_data.pictures.tiff_tags import read_tiff_pages
from tiff_files import Page, write_tiff

PIXELS = draw_picture(210, 330, "facts")


def test_a_tiled_pyramid(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(PIXELS).copy(interpretation="srgb", xres=300 / 25.4)
    image = image.copy(yres=300 / 25.4).icc_transform("p3", input_profile="srgb", depth=16)
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    for sub_pages in (False, True):
        path = tmp_path / f"{sub_pages}.tif"
        image.write_to_file(
            str(path), tile=True, tile_width=64, tile_height=32, pyramid=True, subifd=sub_pages,
            compression="deflate", bigtiff=True, resunit="inch",
        )  # fmt: skip
        facts = inspect_picture(path)
        assert (facts.height, facts.width) == (330, 210)
        assert (facts.format, facts.bits, facts.mode) == ("TIFF", 16, "RGB")
        assert facts.profile is not None
        assert facts.profile.name == "sP3C"
        assert (facts.orientation, facts.pages, facts.dpi) == (6, (0,), 300)
        assert (len(facts.levels), facts.sub_levels) == ((0, 3) if sub_pages else (3, 0))
        assert facts.layout == "tiles 32 x 64"
        assert facts.megapixels == pytest.approx(0.0693)
        assert (facts.transparent, facts.warnings, facts.cost) == (False, (), "")
        assert facts.highest is not None
        assert facts.highest > 50_000


@pytest.mark.parametrize(
    ("name", "options", "layout"),
    [
        ("a.jpg", {}, "baseline"),
        ("a.jpg", {"interlace": True}, "progressive"),
        ("a.png", {}, "rows"),
        ("a.png", {"interlace": True}, "interlaced"),
        ("a.webp", {}, "whole"),
        ("a.tif", {}, "strips"),
        ("a.tif", {"tile": True}, "tiles 128 x 128"),
    ],
)
def test_how_pixels_lie_in_a_file(
    tmp_path: Path, name: str, options: dict[str, object], layout: str
) -> None:
    assert inspect_picture(save_picture(tmp_path / name, PIXELS, **options)).layout == layout


@pytest.mark.parametrize(
    ("page", "mode"),
    [
        (Page(PIXELS[..., 0], tiff.BLACK_IS_ZERO), "grey"),
        (Page(PIXELS[..., :2], tiff.BLACK_IS_ZERO, extra_samples=(tiff.ALPHA,)), "grey + alpha"),
        (Page(np.dstack([PIXELS, PIXELS]), extra_samples=(0,) * 3), "RGB + 3 channels"),
        (Page(np.dstack([PIXELS, PIXELS[..., 0]]), tiff.CMYK), "CMYK"),
    ],
)
def test_the_mode_in_words(tmp_path: Path, page: Page, mode: str) -> None:
    facts = inspect_picture(write_tiff(tmp_path / "a.tif", page), headers_only=True)
    assert facts.mode == mode
    assert facts.highest is None
    assert facts.transparent is None


def test_headers_alone_do_not_show_damage(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", PIXELS)
    path.write_bytes(path.read_bytes()[:-3000])
    assert inspect_picture(path, headers_only=True).height == 210
    with pytest.raises(PictureError, match=r"Could not read .*a\.jpg"):
        inspect_picture(path)


def facts_of(tmp_path: Path, **changes: object) -> PictureFacts:
    from dataclasses import replace

    facts = inspect_picture(save_picture(tmp_path / "wall.jpg", PIXELS))
    return replace(facts, **changes)  # type: ignore[arg-type]


def test_the_cost_of_a_large_file_without_tiles_comes_with_its_remedy(tmp_path: Path) -> None:
    large = {"height": 16_000, "width": 24_000}
    assert facts_of(tmp_path).cost == ""
    assert facts_of(tmp_path, **large, layout="tiles 256 x 256").cost == ""
    cost = facts_of(tmp_path, **large).cost
    assert "has no tiles (baseline)" in cost
    assert "1.2 GB of temporary disc" in cost
    assert "memory" not in cost
    assert "1.2 GB of memory" in facts_of(tmp_path, **large, layout="progressive").cost


def test_the_conversion_that_is_told_makes_a_tiled_pyramid(tmp_path: Path) -> None:
    import shlex
    import subprocess
    import sys

    cost = facts_of(tmp_path, height=16_000, width=24_000).cost
    _, code = shlex.split(cost[cost.index("python -c") :].removeprefix("python "))
    subprocess.run([sys.executable, "-c", code], check=True)
    facts = inspect_picture(tmp_path / "wall.tiled.tif")
    assert (facts.windows_are_cheap, facts.levels, facts.warnings) == (True, (1,), ())
    pixels = pyvips.Image.new_from_file(str(tmp_path / "wall.jpg")).numpy()
    assert np.array_equal(pyvips.Image.new_from_file(str(facts.path)).numpy(), pixels)


def test_facts_are_json(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", Page(PIXELS), Page(PIXELS))
    document = json.loads(json.dumps(inspect_picture(path).as_json()))
    assert document["path"] == str(path)
    assert document["megapixels"] == 0.069
    assert document["pages"] == [0, 1]
    assert document["warnings"][0]["name"] == "several-pages"


def test_a_damaged_directory_ends_the_list_and_never_in_an_error(tmp_path: Path) -> None:
    whole = write_tiff(tmp_path / "a.tif", Page(PIXELS[:9, :7]), Page(PIXELS[:5, :4])).read_bytes()
    assert [page.width for page in read_tiff_pages(tmp_path / "a.tif")] == [7, 4]
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "b.tif").write_bytes(data[: chance.randrange(len(data))])
        assert len(read_tiff_pages(tmp_path / "b.tif")) < 20


def test_a_pyramid_whose_levels_are_not_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pyvips.Image.new_from_array(PIXELS).write_to_file(
        str(path), tile=True, tile_width=64, tile_height=64, pyramid=True
    )
    marked = struct.pack("<HHII", 254, 4, 1, 1)
    assert path.read_bytes().count(marked) == 3
    path.write_bytes(path.read_bytes().replace(marked, struct.pack("<HHII", 254, 4, 1, 0)))
    facts = inspect_picture(path)
    assert (facts.pages, facts.levels, facts.warnings) == ((0,), (1, 2, 3), ())


def test_tiled_pages_of_one_size_are_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pages = pyvips.Image.new_from_array(np.concatenate([PIXELS, 255 - PIXELS]))
    pages.write_to_file(str(path), tile=True, page_height=210)
    facts = inspect_picture(path)
    assert (facts.pages, facts.levels) == ((0, 1), ())


def test_a_directory_of_absurd_length_is_not_read(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", Page(PIXELS[:9, :7]), big=True)
    data = bytearray(path.read_bytes())
    (place,) = struct.unpack("<Q", data[8:16])
    data[place : place + 8] = struct.pack("<Q", 1 << 50)
    path.write_bytes(data)
    assert read_tiff_pages(path) == ()


def test_a_ring_of_pages_ends(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", Page(PIXELS[:9, :7]))
    data = bytearray(path.read_bytes())
    data[-4:] = data[4:8]  # the next page is the first
    path.write_bytes(data)
    assert len(read_tiff_pages(path)) == 1


def test_a_png_without_a_resolution_has_none(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 31, 3), np.uint8))  # writes no pHYs
    assert b"pHYs" not in (tmp_path / "a.png").read_bytes()
    assert inspect_picture(tmp_path / "a.png").dpi is None
