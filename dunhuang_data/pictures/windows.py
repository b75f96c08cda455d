"""Random access to the pixels of a picture: windows, thumbnails, or all of it."""

from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data.errors import PictureError
from dunhuang_data.pictures.conversion import convert, split_pixels, upright
from dunhuang_data.pictures.decisions import UNDECIDED, Steps, decide
from dunhuang_data.pictures.decoding import Image, decoding, open_image
from dunhuang_data.pictures.facts import PictureFacts, read_facts
from dunhuang_data.pictures.identification import measured
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array


def open_picture(path: Path, reading: ReadingRecipe = UNDECIDED) -> "SourcePicture":
    """Open a picture for its parts. Only headers are read now.

    Whether a 16-bit file holds 12 bits is not looked at here, for that takes all of its pixels:
    identify a picture first, or read it with `read_picture`.

    Parameters
    ----------
    path : Path
    reading : ReadingRecipe
        Decisions on what the file does not say.

    Raises
    ------
    PictureError
        If it is no picture, or needs a decision.
    """
    facts = read_facts(path, reading.page)
    return SourcePicture(facts, decide(facts, reading))


class SourcePicture:
    """A picture of which parts are decoded when they are asked for.

    Tiled files are decoded tile by tile, in bounded memory. Of other files libvips decodes the
    whole at the first window: up to 100 MB into memory, more into a temporary file. Not to be
    shared by threads.

    Attributes
    ----------
    facts : PictureFacts
    shape_hw : tuple of int
        Height and width in pixels, upright.
    reading : str
        What reading does, in words.
    """

    def __init__(self, facts: PictureFacts, steps: Steps) -> None:
        self.facts = facts
        self.shape_hw = (facts.height, facts.width)
        self.reading = steps.words
        self._steps = steps
        self._region: Any = None

    def window(self, top: int, left: int, height: int, width: int) -> tuple[UInt8Array, UInt8Array]:
        """Decode a rectangle that lies inside the picture.

        Returns
        -------
        pixels : (height, width, 3) uint8
            sRGB; 0 where the picture is not there.
        there : (height, width) uint8
            1 = there, 0 = its alpha says that it is not.

        Raises
        ------
        ValueError
            If the rectangle is empty or reaches outside.
        PictureError
            If the file is damaged there.
        """
        refuse_outside(self.shape_hw, top, left, height, width)
        import pyvips

        with decoding(self.facts.path):
            if self._region is None:
                image = open_image(self.facts.path, "random", self._steps.page)
                image = upright(convert(image, self._steps), self._steps.orientation)
                self._region = pyvips.Region.new(image)
                self._bands = image.bands
            data = self._region.fetch(left, top, width, height)
        pixels = np.frombuffer(data, dtype=np.uint8).reshape(height, width, self._bands)
        return split_pixels(pixels)

    def whole(self) -> tuple[UInt8Array, UInt8Array]:
        """Decode all of it; see `window` for what is returned."""
        turned = self._steps.orientation > 1  # such a picture is not read from top to bottom
        with decoding(self.facts.path):
            access = "random" if turned else "sequential"
            image = convert(open_image(self.facts.path, access, self._steps.page), self._steps)
            if turned:
                image = upright(image, self._steps.orientation)
            return split_pixels(image.numpy())

    def thumbnail(self, longest_px: int) -> tuple[UInt8Array, UInt8Array]:
        """Shrink the whole picture; it is never enlarged.

        The smallest sufficient level of a pyramid is decoded, or less of a JPEG, else all, from
        top to bottom. Pixels that are not there have no part in the colours.

        Parameters
        ----------
        longest_px : int
            The longer side of the result, in pixels.

        Returns
        -------
        pixels : (h, w, 3) uint8
            sRGB; 0 where the picture is not there.
        there : (h, w) uint8
            1 = at least half of what this pixel covers is there.
        """
        factor = min(1.0, longest_px / max(self.shape_hw))
        height, width = (max(1, round(side * factor)) for side in self.shape_hw)
        if self._steps.orientation >= 5:
            height, width = width, height
        with decoding(self.facts.path):
            small = _shrunk(convert(self._smallest(height, width), self._steps), height, width)
            data = upright(small, self._steps.orientation).numpy()
        return split_pixels(data)

    def _smallest(self, height: int, width: int) -> Image:
        """Open the smallest copy of the picture that has at least this size."""
        path, page = self.facts.path, self._steps.page
        # a turned picture is not read from top to bottom
        access = "random" if self._steps.orientation > 1 else "sequential"
        best = whole = open_image(path, access, page)
        if self.facts.format == "JPEG":
            for shrink in (8, 4, 2):
                if whole.height // shrink >= height and whole.width // shrink >= width:
                    return open_image(path, access, shrink=shrink)
        levels = [open_image(path, access, place) for place in self.facts.levels]
        levels += [
            open_image(path, access, page, subifd=number) for number in range(self.facts.sub_levels)
        ]
        for level in levels:
            if _is_copy(level, whole) and level.height >= height and level.width >= width:
                best = min(best, level, key=lambda image: int(image.width))
        return best


def refuse_outside(shape_hw: tuple[int, int], top: int, left: int, height: int, width: int) -> None:
    """Raise ValueError if a rectangle is empty or reaches beyond a picture."""
    if min(top, left) < 0 or min(height, width) < 1:
        raise ValueError(f"no window: {height} x {width} px at row {top}, column {left}")
    if top + height > shape_hw[0] or left + width > shape_hw[1]:
        raise ValueError(
            f"{height} x {width} px at row {top}, column {left} reach beyond the picture of "
            f"{shape_hw[0]} x {shape_hw[1]} px"
        )


def _is_copy(level: Image, whole: Image) -> bool:
    """Whether one picture can be the other, shrunk: of its kind and its proportions."""
    kind = (level.bands, level.format, level.interpretation)
    off = abs(level.height - whole.height * level.width / whole.width)
    return bool(kind == (whole.bands, whole.format, whole.interpretation) and off <= 2)


def _shrunk(image: Image, height: int, width: int) -> Image:
    """Resize; with a fourth band, colours are weighted with it and it becomes 0 or 255."""
    across, down = width / image.width, height / image.height
    if image.bands == 3:
        return image.resize(across, vscale=down, kernel="linear")
    small = image.premultiply(max_alpha=255).resize(across, vscale=down, kernel="linear")
    small = small.unpremultiply(max_alpha=255)
    colours = small[:3].rint().cast("uchar")
    return colours.bandjoin(small[3] >= 127.5)


def read_picture(path: Path, reading: ReadingRecipe = UNDECIDED) -> UInt8Array:
    """Read a whole picture.

    Parameters
    ----------
    path : Path
        JPEG, PNG, TIFF or WebP; 8 or 16 bit; grey, RGB, CMYK with a profile.
    reading : ReadingRecipe
        Decisions on what the file does not say.

    Returns
    -------
    (H, W, 3) uint8
        sRGB, upright, C-contiguous.

    Raises
    ------
    PictureError
        Naming the file and what is wrong with it, or that some of its pixels are not there.
    """
    facts = read_facts(path, reading.page)
    if facts.sample == "ushort":
        facts = measured(facts)
    pixels, there = SourcePicture(facts, decide(facts, reading)).whole()
    if not there.all():
        raise PictureError(
            f"{path} has transparent pixels, and what they show is not known. Save it without "
            "transparency, cropped to what is there."
        )
    return pixels


def picture_size(path: Path) -> tuple[int, int]:
    """Return a picture's height and width in pixels, upright, without decoding it.

    Raises
    ------
    PictureError
    """
    facts = read_facts(path)
    return facts.height, facts.width
