"""Figures show what they claim: checked at the pixels that matter."""

import cv2
import numpy as np

from drawings import draw_picture
from dunhuang_data.figures import (
    GAP,
    LABEL,
    mask_sheet,
    masked_image,
    montage,
    plan_overlay,
    sample_sheet,
)
from dunhuang_data.types import Augmentation, PatchSpec, Samples


def test_holes_are_white_and_known_pixels_untouched() -> None:
    picture = draw_picture(9, 14, "masked")
    valid = np.ones((9, 14), dtype=np.uint8)
    valid[2, 11] = 0
    shown = masked_image(picture, valid)
    assert shown[2, 11].tolist() == [255, 255, 255]
    shown[2, 11] = picture[2, 11]
    assert np.array_equal(shown, picture)


def test_a_montage_puts_every_picture_in_its_cell() -> None:
    red, blue = np.zeros((2, 10, 16, 3), dtype=np.uint8)
    red[..., 0], blue[..., 2] = 200, 100
    sheet = montage([[red, blue], [blue]])
    assert sheet.shape == (2 * (10 + GAP) + GAP, 2 * (16 + GAP) + GAP, 3)
    assert np.array_equal(sheet[GAP : GAP + 10, GAP : GAP + 16], red)
    assert np.array_equal(sheet[GAP : GAP + 10, 2 * GAP + 16 : 2 * GAP + 32], blue)
    assert np.array_equal(sheet[2 * GAP + 10 : 2 * GAP + 20, GAP : GAP + 16], blue)
    labelled = montage([[red]], [["a"]])
    assert np.array_equal(labelled[GAP + LABEL :][:10, GAP : GAP + 16], red)
    assert labelled[: GAP + LABEL, :].min() < 100  # something is written


def test_an_overlay_draws_the_squares_and_the_coverage() -> None:
    picture = np.full((60, 100, 3), 128, dtype=np.uint8)
    patches = [
        PatchSpec(0, "a", (10, 10), "train", Augmentation(), 1.0),
        PatchSpec(1, "a", (40, 70), "train", Augmentation(), 1.0),
    ]
    sheet = plan_overlay(picture, (60, 100), patches, 20)
    drawing = sheet[GAP + LABEL : GAP + LABEL + 60, GAP : GAP + 100]
    heat = sheet[GAP + LABEL : GAP + LABEL + 60, 2 * GAP + 100 : 2 * GAP + 200]
    assert drawing[30, 65].tolist() == [230, 159, 0]  # upper edge of the second, split colour
    assert drawing[5, 60].tolist() == [128, 128, 128]
    covered = heat.max(axis=-1) > 0
    assert covered[:20, :20].all()
    assert covered[30:50, 60:80].all()
    assert covered.sum() == 2 * 20 * 20


def test_a_mask_sheet_is_sorted_by_hole_ratio() -> None:
    full, half = np.zeros((8, 12), np.uint8), np.ones((8, 12), np.uint8)
    half[:4] = 0
    sheet = mask_sheet([full, half, np.ones_like(full)], columns=3)
    cells = [sheet[GAP + 2 * LABEL :, GAP + n * (12 + GAP) :][:8, :12] for n in range(3)]
    assert [round(float(cell.mean()) / 255, 2) for cell in cells] == [1.0, 0.5, 0.0]


def test_a_crack_of_one_pixel_is_whole_on_the_sheet() -> None:
    valid = np.ones((300, 401), dtype=np.uint8)
    valid[np.arange(300), np.arange(300) + 52] = 0
    sheet = mask_sheet([valid], columns=1, side_px=100)
    assert cv2.connectedComponents((sheet[60:-20, 15:85, 0] < 230).astype(np.uint8))[0] == 2


def test_a_mask_sheet_says_ratio_and_depth_on_two_lines() -> None:
    thin, thick = np.ones((100, 140), np.uint8), np.ones((100, 140), np.uint8)
    thin[::4] = 0  # one px deep, a quarter of the picture
    thick[:25] = 0  # as much, in one piece
    top = slice(GAP, GAP + LABEL), slice(GAP + LABEL, GAP + 2 * LABEL)
    sheets = [mask_sheet([valid], side_px=140) for valid in (thin, thick)]
    for sheet in sheets:
        assert sheet.shape == (100 + 2 * LABEL + 2 * GAP, 140 + 2 * GAP, 3)
        assert all(sheet[line].min() < 100 for line in top)  # something is written
    assert np.array_equal(sheets[0][top[0]], sheets[1][top[0]])  # one ratio
    assert not np.array_equal(sheets[0][top[1]], sheets[1][top[1]])  # another depth


def test_a_sample_sheet_shows_target_mask_and_masked_image() -> None:
    image = draw_picture(16, 16, "sample")[None]
    valid = np.ones((1, 16, 16), dtype=np.uint8)
    valid[0, 3:5, 2:9] = 0
    sheet = sample_sheet(Samples(image, valid, np.zeros_like(valid)), ["row 0"])
    cells = [sheet[GAP + LABEL :, GAP + n * (16 + GAP) :][:16, :16] for n in range(3)]
    assert np.array_equal(cells[0], image[0])
    assert np.array_equal(cells[1][..., 0], valid[0] * 255)
    assert np.array_equal(cells[2], masked_image(image[0], valid[0]))
