"""Masks beside their pictures: grey, sizes, the wrong way round, rims, growing, colours."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import pyvips

from drawings import draw_picture, save_picture
from dunhuang_data.errors import MaskError, PictureError, UsageProblem
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore import holes as holes_module
from dunhuang_trainer.restore.glimpses import glimpses
from dunhuang_trainer.restore.holes import dilate_holes, largest_radius
from dunhuang_trainer.restore.masks import (
    MaskColour,
    check_mask,
    check_size,
    holes_by_colour,
    read_strictly,
)
from dunhuang_trainer.restore.rim import look_at_rim, probably_inverted
from dunhuang_trainer.restore.sources import PictureInMemory, Pixels

SHAPE = (210, 330)


def a_wall() -> UInt8Array:
    """Return brown noise of some coarseness: neighbours are alike, as on a wall."""
    small = draw_picture(42, 66, "wall") // 2 + 30
    return np.asarray(cv2.resize(small, SHAPE[::-1], interpolation=cv2.INTER_CUBIC))


def two_holes() -> UInt8Array:
    valid = np.ones(SHAPE, dtype=np.uint8)
    cv2.circle(valid, (90, 70), 30, 0, -1)
    cv2.ellipse(valid, (230, 130), (50, 25), 20, 0, 360, 0, -1)
    return valid


def painted(valid: UInt8Array, color: tuple[int, int, int] = (255, 255, 255)) -> UInt8Array:
    return np.where(valid[..., None] == 1, a_wall(), np.array(color, dtype=np.uint8))


def width_of_rim(picture: UInt8Array, valid: UInt8Array) -> int | None:
    rim = look_at_rim(list(glimpses(PictureInMemory(picture), valid)))
    return None if rim is None else rim.width_px


class TestReading:
    def test_a_single_grey_pixel_is_refused_or_thresholded(self, tmp_path: Path) -> None:
        mask = np.zeros((30, 50), dtype=np.uint8)
        mask[5:9, 7:30] = 255
        mask[20, 20] = 252
        path = save_picture(tmp_path / "m.png", mask)
        with pytest.raises(PictureError, match=r"has 1 grey pixels \(0\.07%\).*--grey threshold"):
            read_strictly(path, "hole", False)
        valid, told = read_strictly(path, "hole", True)
        assert valid[20, 20] == 0
        assert "1 pixels (0.07%) are grey; they were thresholded at half of white" in told[0]

    def test_nearly_black_and_nearly_white_are_no_grey(self, tmp_path: Path) -> None:
        mask = np.full((30, 50), 2, dtype=np.uint8)
        mask[5:9, 7:30] = 253
        valid, told = read_strictly(save_picture(tmp_path / "m.png", mask), "hole", False)
        assert np.array_equal(valid == 0, mask == 253)
        assert told == []

    def test_sizes(self, tmp_path: Path) -> None:
        picture = save_picture(tmp_path / "p.png", draw_picture(30, 50, "p"))
        mask = save_picture(tmp_path / "m.png", np.zeros((50, 30), dtype=np.uint8))
        with pytest.raises(PictureError, match=r"m.png is 50 x 30 px .*p.png 30 x 50 px") as told:
            check_size(picture, (30, 50), mask)
        assert "orientation" not in str(told.value)

    def test_a_mask_of_the_stored_size_of_a_turned_picture(self, tmp_path: Path) -> None:
        image = pyvips.Image.new_from_array(draw_picture(30, 50, "p")).copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", 6)
        picture = tmp_path / "p.jpg"
        image.write_to_file(str(picture))
        mask = save_picture(tmp_path / "m.png", np.zeros((30, 50), dtype=np.uint8))
        with pytest.raises(PictureError, match=r"stored as 30 x 50 px and has an orientation tag"):
            check_size(picture, (50, 30), mask)


class TestColours:
    def test_holes_of_a_colour(self) -> None:
        valid = two_holes()
        source = PictureInMemory(painted(valid, (255, 0, 255)))
        found, told = holes_by_colour(source, MaskColour((255, 0, 255)), Path("p.png"))
        assert np.array_equal(found, valid)
        assert told == []

    def test_tolerance_is_of_every_channel(self) -> None:
        picture = np.full((6, 9, 3), 100, dtype=np.uint8)
        picture[0, 0] = (255, 4, 250)
        picture[0, 1] = (255, 6, 255)
        source = PictureInMemory(picture)
        found, _ = holes_by_colour(source, MaskColour((255, 0, 255), 5), Path("p.png"))
        assert np.argwhere(found == 0).tolist() == [[0, 0]]

    def test_what_is_not_there_is_no_hole(self) -> None:
        picture = np.zeros((4, 6, 3), dtype=np.uint8)
        there = np.ones((4, 6), dtype=np.uint8)
        there[:, 4:] = 0

        class Half(PictureInMemory):
            def window(self, top: int, left: int, height: int, width: int) -> Pixels:
                whole = super().window(top, left, height, width)
                return replace(whole, there=there[top : top + height, left : left + width])

        found, _ = holes_by_colour(Half(picture), MaskColour((0, 0, 0)), Path("p.png"))
        assert np.array_equal(found, 1 - there)

    def test_what_jpeg_leaves_of_a_colour_is_told_or_refused(self) -> None:
        picture = np.full((40, 60, 3), 100, dtype=np.uint8)
        picture[10:20, 10:20] = (255, 0, 255)
        picture[20:22, 10:20] = (240, 20, 230)  # 20 beside it
        picture[35, 50:60] = (240, 20, 230)  # far from it
        colour, name = MaskColour((255, 0, 255)), Path("p.jpg")
        valid, told = holes_by_colour(PictureInMemory(picture), colour, name)
        assert (valid == 0).sum() == 100
        assert len(told) == 1
        assert told[0].startswith(
            "20 more pixels beside the 100 that have the colour 255,0,255 of p.jpg differ from it "
            "by 40 levels at most"
        )
        picture[12:20, 10:20] = (240, 20, 230)  # now 20 have it, and 100 nearly
        with pytest.raises(MaskError, match=r"100 more pixels .* Give --mask-tolerance 40; if"):
            holes_by_colour(PictureInMemory(picture), colour, name)
        valid, told = holes_by_colour(PictureInMemory(picture), colour, name, trust_mask=True)
        assert (valid == 0).sum() == 20
        assert len(told) == 1
        wide = MaskColour((255, 0, 255), 40)
        valid, told = holes_by_colour(PictureInMemory(picture), wide, name)
        assert (valid == 0).sum() == 130
        assert told == []

    def test_no_such_pixel(self) -> None:
        source = PictureInMemory(np.full((6, 9, 3), 100, dtype=np.uint8))
        with pytest.raises(MaskError, match=r"No pixel of p.png has the colour 255,0,255 of"):
            holes_by_colour(source, MaskColour((255, 0, 255)), Path("p.png"))


class TestWrongWayRound:
    def test_one_colour_where_it_calls_known(self) -> None:
        valid = two_holes()
        picture = painted(valid, (20, 200, 30))
        seen = list(glimpses(PictureInMemory(picture), 1 - valid))
        why = probably_inverted(1 - valid, seen)
        assert why.startswith("what it calls known has one colour (20, 200, 30)")
        assert probably_inverted(valid, list(glimpses(PictureInMemory(picture), valid))) == ""

    def test_known_pixels_that_lie_like_holes(self) -> None:
        valid = 1 - two_holes()
        why = probably_inverted(valid, list(glimpses(PictureInMemory(a_wall()), valid)))
        assert why.startswith("it calls 90% of the picture holes, and 100% of the pixels at its")

    def test_much_hole_in_the_middle_is_believed(self) -> None:
        valid = np.ones(SHAPE, dtype=np.uint8)
        valid[10:-10, 10:-10] = 0  # 85 %
        assert probably_inverted(valid, list(glimpses(PictureInMemory(a_wall()), valid))) == ""

    def test_it_is_an_error_until_it_is_trusted(self) -> None:
        source, valid = PictureInMemory(a_wall()), 1 - two_holes()
        with pytest.raises(MaskError, match=r"M is probably the wrong way round.*--trust-mask"):
            list(check_mask(source, valid, "m", trust_mask=False, dilate_px=0))
        (told,) = check_mask(source, valid, "m", trust_mask=True, dilate_px=0)
        assert told.startswith("m is trusted, though it calls 90%")

    def test_nothing_known(self) -> None:
        nothing = np.zeros(SHAPE, dtype=np.uint8)
        with pytest.raises(MaskError, match=r"no known pixel.*the other --white-is"):
            list(check_mask(PictureInMemory(a_wall()), nothing, "m", True, 0))


class TestRim:
    @pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0), (255, 0, 255)])
    def test_a_mask_that_covers_its_holes(self, color: tuple[int, int, int]) -> None:
        valid = two_holes()
        assert width_of_rim(painted(valid, color), valid) == 0

    @pytest.mark.parametrize("short_px", [1, 2, 5, 12])
    def test_a_mask_that_is_drawn_too_small(self, short_px: int) -> None:
        valid = two_holes()
        picture = painted(dilate_holes(valid, short_px))
        assert width_of_rim(picture, valid) == short_px
        assert width_of_rim(picture, dilate_holes(valid, short_px)) == 0

    def test_a_mask_that_is_shifted(self) -> None:
        valid = two_holes()
        there = np.roll(valid, 4, axis=1)
        width = width_of_rim(painted(there & valid), valid)
        assert width in (3, 4)

    def test_a_picture_saved_as_jpeg(self) -> None:
        valid = two_holes()
        image = pyvips.Image.new_from_array(painted(valid, (255, 0, 255)))
        data = image.write_to_buffer(".jpg", Q=75)
        smeared = pyvips.Image.new_from_buffer(data, "").numpy()
        assert width_of_rim(smeared, valid) in (1, 2, 3)

    def test_holes_that_show_the_wall(self) -> None:
        assert width_of_rim(a_wall(), two_holes()) is None

    def test_a_wall_of_the_colour_of_the_holes_tells_nothing(self) -> None:
        white = np.full((*SHAPE, 3), 250, dtype=np.uint8)
        white[two_holes() == 0] = 255
        assert width_of_rim(white, two_holes()) is None

    def test_a_wall_that_changes_slowly_has_no_rim(self) -> None:
        valid = np.ones(SHAPE, dtype=np.uint8)
        cv2.circle(valid, (165, 105), 25, 0, -1)
        y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
        glow = 240 - np.hypot(y - 105, x - 165)
        picture = np.repeat(np.clip(glow, 0, 255)[..., None], 3, axis=-1).astype(np.uint8)
        picture[valid == 0] = 255
        assert width_of_rim(picture, valid) == 0

    @pytest.mark.parametrize(("short_px", "width"), [(5, 5), (12, 0)])
    def test_of_an_uneven_colour_only_narrow_rims_count(self, short_px: int, width: int) -> None:
        """Plaster that nobody painted: a wide rim of it is chance."""
        valid = two_holes()
        picture = painted(dilate_holes(valid, short_px), (200, 190, 180))
        uneven = np.random.RandomState(4).randint(-12, 13, picture.shape[:2])[..., None]
        inside = dilate_holes(valid, short_px) == 0
        picture[inside] = np.clip(picture.astype(int) + uneven, 0, 255)[inside]
        assert width_of_rim(picture, valid) == width

    def test_it_is_told_with_the_dilate_that_covers_it(self) -> None:
        valid = two_holes()
        source = PictureInMemory(painted(dilate_holes(valid, 3)))
        (told,) = check_mask(source, valid, "m", False, 2)
        assert (
            "the rim of m still shows the colour of its holes (255, 255, 255), up to 3 px" in told
        )
        assert "--dilate 3 covers it" in told
        assert list(check_mask(source, valid, "m", False, 3)) == []


class TestGrowing:
    @pytest.mark.parametrize("radius_px", [1, 2, 3, 5, 10])
    def test_by_a_disc(self, radius_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(holes_module, "BAND", 64 * 150)  # two bands and a bit
        valid = np.ones((170, 150), dtype=np.uint8)
        for place in ((63, 20), (64, 75), (3, 140), (169, 0)):
            valid[place] = 0
        y, x = np.mgrid[0:170, 0:150]
        expected = np.ones_like(valid)
        for top, left in np.argwhere(valid == 0):
            expected[(y - top) ** 2 + (x - left) ** 2 <= radius_px**2] = 0
        assert np.array_equal(dilate_holes(valid, radius_px), expected)

    def test_nothing_to_grow(self) -> None:
        valid = two_holes()
        assert np.array_equal(dilate_holes(valid, 0), valid)
        assert dilate_holes(np.ones_like(valid), 7).all()
        with pytest.raises(UsageProblem, match="--dilate is -1; expected 0 to 1000 px"):
            dilate_holes(valid, -1)

    def test_the_largest_radius(self, monkeypatch: pytest.MonkeyPatch) -> None:
        valid = np.ones((300, 90), dtype=np.uint8)
        valid[100:151, 5:86] = 0  # 51 px high: 26 px from its middle to what is known
        assert largest_radius(valid) == 26.0
        monkeypatch.setattr(holes_module, "BAND", 64 * 90)
        monkeypatch.setattr(holes_module, "DEEPEST", 30)
        assert largest_radius(valid) == 26.0
        assert largest_radius(np.ones_like(valid)) == 0.0
        assert largest_radius(np.zeros_like(valid)) == np.inf

    def test_a_radius_too_deep_for_bands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        valid = np.ones((300, 90), dtype=np.uint8)
        valid[20:280, 5:86] = 0
        monkeypatch.setattr(holes_module, "BAND", 64 * 90)
        monkeypatch.setattr(holes_module, "DEEPEST", 8)
        assert largest_radius(valid) == pytest.approx(41, rel=0.05)


def test_glimpses_show_rims_only_and_count_no_pixel_twice() -> None:
    valid = np.ones((1500, 900), dtype=np.uint8)
    valid[300:320, 300:320] = 0
    valid[1400:, :] = 0
    source = PictureInMemory(np.zeros((1500, 900, 3), dtype=np.uint8))
    seen = list(glimpses(source, valid))
    assert 1 <= len(seen) <= 6
    assert all(0 < one.valid.mean() < 1 for one in seen)
    assert max(one.counted.sum() for one in seen) == 256 * 256
    assert len(list(glimpses(source, valid, most=2))) == 2
