"""Masks of other programs: whatever way two values are written, nothing is guessed in silence."""

import csv
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from drawings import draw_picture, save_picture
from dunhuang_data.errors import MaskError, OutputExistsError, PictureError
from dunhuang_data.foreign_masks import read_mask
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.mask_bank.importing import read_masks, write_imported
from dunhuang_data.pictures import write_picture
from dunhuang_data.types import UInt8Array

WHITE = np.zeros((23, 38), dtype=np.uint8)  # 1 = white
WHITE[3:9, 5:30] = 1
WHITE[20, 1] = 1


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def save_palette(path: Path, numbers: UInt8Array, palette: bytes, bits: int = 8) -> Path:
    """Write a palette PNG as it stands, with numbers that the palette may not have."""
    height, width = numbers.shape
    rows = numbers if bits == 8 else np.packbits(numbers, axis=1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


def saved(path: Path, pixels: np.ndarray) -> Path:
    """Write with OpenCV, which takes 16 bits as they are."""
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize(
    ("name", "pixels", "done"),
    [
        ("plain.png", WHITE * 255, ""),
        ("rgb.png", np.repeat((WHITE * 255)[..., None], 3, axis=-1), ""),
        ("zero-one.png", WHITE, "values 0 and 1 instead of 0 and 255"),
        ("zero-one.tif", WHITE, "values 0 and 1 instead of 0 and 255"),
        ("sixteen.png", WHITE.astype(np.uint16) * 65535, ""),
        ("sixteen-one.png", WHITE.astype(np.uint16), "values 0 to 1 in 16 bits"),
        ("sixteen-eight.tif", WHITE.astype(np.uint16) * 255, "values 0 to 255 in 16 bits"),
        ("lossless.webp", np.repeat((WHITE * 255)[..., None], 3, axis=-1), ""),
    ],
)
def test_every_way_to_write_two_values_is_understood(
    tmp_path: Path, name: str, pixels: UInt8Array, done: str
) -> None:
    path = saved(tmp_path / name, pixels)
    if path.suffix == ".webp":
        save_picture(path, pixels, lossless=True)
    for white_is, valid in (("known", WHITE), ("hole", 1 - WHITE)):
        mask = read_mask(path, white_is)  # type: ignore[arg-type]
        assert np.array_equal(mask.valid, valid)
        assert mask.grey_share == 0
        assert "; ".join(mask.done) == done


def test_one_bit_and_jpeg(tmp_path: Path) -> None:
    write_picture(tmp_path / "bit.png", WHITE)
    assert np.array_equal(read_mask(tmp_path / "bit.png", "known").valid, WHITE)
    smooth = cv2.GaussianBlur(WHITE * np.uint8(255), (3, 3), 0)
    path = save_picture(tmp_path / "lossy.jpg", np.asarray(smooth, dtype=np.uint8), Q=80)
    mask = read_mask(path, "known")
    assert 0.05 < mask.grey_share < 0.5
    assert np.array_equal(mask.valid[4:8, 6:29], WHITE[4:8, 6:29])


@pytest.mark.parametrize("bits", [1, 8])
def test_a_palette_is_read_through_its_colours(tmp_path: Path, bits: int) -> None:
    black_white, white_black = b"\0\0\0\xff\xff\xff", b"\xff\xff\xff\0\0\0"
    path = save_palette(tmp_path / "a.png", WHITE, black_white, bits)
    assert np.array_equal(read_mask(path, "known").valid, WHITE)
    path = save_palette(tmp_path / "b.png", WHITE, white_black, bits)
    assert np.array_equal(read_mask(path, "known").valid, 1 - WHITE)
    only_black = save_palette(tmp_path / "c.png", np.ones_like(WHITE), white_black, bits)
    mask = read_mask(only_black, "known")
    assert (mask.valid.max(), mask.done) == (0, ())


@pytest.mark.parametrize("bits", [1, 8])
@pytest.mark.parametrize("palette", [b"\0\0\0", b"\0\0\0\0\0\0"])
def test_a_palette_of_one_colour_is_not_all_black_in_silence(
    tmp_path: Path, palette: bytes, bits: int
) -> None:
    for name, white in (("some", WHITE), ("all", np.ones_like(WHITE))):
        mask = read_mask(save_palette(tmp_path / f"{name}.png", white, palette, bits), "known")
        assert np.array_equal(mask.valid, white)
        assert "its palette has one colour" in mask.done[0]
    mask = read_mask(save_palette(tmp_path / "n.png", 0 * WHITE, palette, bits), "known")
    assert (mask.valid.max(), mask.done) == (0, ())


def test_a_mask_of_one_value_is_that_value(tmp_path: Path) -> None:
    for value, known in ((0, 0), (1, 1), (255, 1)):
        path = saved(tmp_path / f"{value}.png", np.full_like(WHITE, value))
        assert read_mask(path, "known").valid.tolist() == np.full_like(WHITE, known).tolist()
    path = saved(tmp_path / "none.png", np.zeros((5, 7), dtype=np.uint16))
    assert read_mask(path, "known").valid.max() == 0


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (WHITE * 100, "has no white pixel: its largest value is 100. Export the holes alone"),
        (WHITE * 2, "has no white pixel: its largest value is 2."),
        (255 - WHITE * 100, "has no black pixel: its smallest value is 155."),
        (100 + WHITE * 155, r"is no mask: 83% of its pixels are neither black nor white"),
        (WHITE.astype(np.uint16) * 300, "has 16 bits, and its largest value is 300; expected 1,"),
        (WHITE[..., None] * np.array([0, 0, 255], np.uint8), r"17% of its pixels are coloured"),
        (WHITE[..., None] * np.array([255, 0, 0], np.uint8), r"17% of its pixels are coloured"),
    ],
)
def test_what_is_no_mask_is_a_sentence(tmp_path: Path, pixels: UInt8Array, sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        read_mask(saved(tmp_path / "m.png", pixels), "known")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "damage"
    save_picture(root / "b.png", WHITE * np.uint8(255))
    save_picture(root / "a" / "z.png", np.ascontiguousarray(WHITE[:, ::-1]))
    save_picture(root / "c.tif", WHITE * np.uint8(0))
    return root


def test_a_folder_becomes_a_bank_and_a_table(folder: Path, tmp_path: Path) -> None:
    counted: list[int] = []
    masks = read_masks(folder, "hole", progress=counted.append)
    write_imported(masks, tmp_path / "bank")
    bank = open_bank(tmp_path / "bank")
    assert (bank.recipe.family, bank.recipe.shape_hw, len(bank)) == ("files", (23, 38), 3)
    expected = (1 - WHITE[:, ::-1], 1 - WHITE, np.ones_like(WHITE))
    for index, valid in enumerate(expected):
        assert np.array_equal(bank.read(index), valid)
    with (tmp_path / "bank" / "files.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == ["a/z.png", "b.png", "c.tif"]
    assert [row["row"] for row in rows] == ["0", "1", "2"]
    assert [row["done"] for row in rows] == ["values 0 and 1 instead of 0 and 255", "", ""]
    assert float(rows[1]["hole_ratio"]) == pytest.approx(151 / 874)
    assert sum(counted) == 3
    assert masks.warnings() == ["1 of 3 masks have no hole, c.tif (row 2) first."]
    assert masks.summary()["copies"] == 0
    with pytest.raises(OutputExistsError, match="already holds an output"):
        write_imported(masks, tmp_path / "bank")
    again = read_masks(folder, "known")
    write_imported(again, tmp_path / "bank", overwrite=True)
    assert np.array_equal(open_bank(tmp_path / "bank").read(1), WHITE)


def test_a_polarity_that_may_be_the_other_way_round_is_a_warning(folder: Path) -> None:
    warnings = read_masks(folder, "known").warnings()
    assert "The mean hole ratio is 0.88" in warnings[0]
    assert warnings[1] == "1 of 3 masks have no known pixel, c.tif (row 2) first."


def test_sizes_are_reconciled_only_when_asked(folder: Path) -> None:
    large = np.kron(WHITE, np.ones((2, 3), dtype=np.uint8)) * np.uint8(255)
    save_picture(folder / "big.png", large)
    with pytest.raises(
        PictureError,
        match=r"row 2: big\.png is 46 x 114 px .*a/z\.png 23 x 38 px; 1 of 4 differ.*--size 23x38",
    ):
        read_masks(folder, "hole")
    masks = read_masks(folder, "hole", (23, 38))
    assert np.array_equal(masks.read(2), 1 - WHITE)
    assert masks.files[2].done == "46x114 to 23x38 px by nearest neighbour"
    assert masks.files[1].done == ""
    masks = read_masks(folder, "hole", (46, 114))
    assert np.array_equal(masks.read(1), 1 - large // 255)  # nearest, both ways, undoes itself


def test_a_pixel_of_another_size_is_the_one_at_its_centre(tmp_path: Path) -> None:
    stripes = np.zeros((5, 7), dtype=np.uint8)
    stripes[[1, 3]] = 255
    stripes[:, 3] = 255
    save_picture(tmp_path / "a" / "m.png", stripes)
    small = read_masks(tmp_path / "a", "known", (2, 3)).read(0)
    assert small.tolist() == [[1, 1, 1], [1, 1, 1]]  # rows 1 and 3
    save_picture(tmp_path / "b" / "m.png", 255 - stripes)
    small = read_masks(tmp_path / "b", "known", (5, 3)).read(0)  # columns 1, 3 and 5
    assert small.tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1], [0, 0, 0], [1, 0, 1]]


def test_all_problems_are_told_together(folder: Path) -> None:
    save_picture(folder / "photo.png", draw_picture(23, 38, "photo"))
    (folder / "cut.png").write_bytes((folder / "b.png").read_bytes()[:60])
    save_picture(folder / "wide.png", np.zeros((23, 40), dtype=np.uint8))
    with pytest.raises(PictureError, match=r"^3 problems with the masks of ") as caught:
        read_masks(folder, "hole")
    text = str(caught.value)
    assert "row 3: Could not read" in text
    assert "row 4: " in text
    assert "photo.png is no mask" in text
    assert "row 5: wide.png is 23 x 40 px" in text


def test_no_masks_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"No masks found in .*Expected picture files"):
        read_masks(tmp_path, "hole")
    (tmp_path / "bank.json").write_text("{}")
    with pytest.raises(MaskError, match="It is a mask bank already"):
        read_masks(tmp_path, "hole")
    with pytest.raises(MaskError, match="no-such is no folder"):
        read_masks(tmp_path / "no-such", "hole")
