"""Mask files that belong to a picture: of its size; and its real damage, by windows."""

from pathlib import Path

import numpy as np

from dunhuang_data.errors import PictureError
from dunhuang_data.foreign_masks import MOST_COLORED, MOST_GREY
from dunhuang_data.pictures import open_picture
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array


def differing_sizes(
    mask: str, mask_hw: tuple[int, ...], picture: str, picture_hw: tuple[int, ...]
) -> str:
    """Return the sentence on a mask that is not of its picture's size, heights first."""
    return (
        f"The {mask} is {mask_hw[0]} x {mask_hw[1]} px (height x width), {picture} "
        f"{picture_hw[0]} x {picture_hw[1]} px. They must be of one size; masks are never "
        "resampled."
    )


class DamageMask:
    """A mask of a picture's real damage, read in windows; see `dunhuang_data.types.PixelSource`.

    Attributes
    ----------
    shape_hw : tuple of int
    """

    def __init__(self, path: Path, damage_is: str, shape_hw: tuple[int, int]) -> None:
        self._path = path
        self._mask = open_picture(path, ReadingRecipe(bilevel="grey"))
        self._white_is_damage = damage_is == "white"
        self.shape_hw = self._mask.shape_hw
        if self.shape_hw != shape_hw:
            raise PictureError(
                differing_sizes(f"damage mask {path}", self.shape_hw, "its picture", shape_hw)
            )

    def window(self, top: int, left: int, height: int, width: int) -> tuple[UInt8Array, UInt8Array]:
        """Return the mask's own pixels, and 1 where the picture is sound, 0 where damaged."""
        pixels, _ = self._mask.window(top, left, height, width)
        white = pixels[..., 1] >= 128  # it is grey: all channels are equal
        return pixels, (white != self._white_is_damage).astype(np.uint8)

    def refuse_unless_two_valued(self) -> None:
        """Refuse a picture that is no mask, as `read_mask` does; a thumbnail is looked at.

        Raises
        ------
        PictureError
            If some of it is coloured, or more than half neither near black nor near white.
        """
        shown, there = self._mask.thumbnail(512)
        pixels = shown.astype(np.int16)
        if not there.all():
            raise PictureError(
                f"The damage mask {self._path} has transparent pixels, and whether those are sound "
                "is not known. Save it in black and white, without transparency."
            )
        if 0 < pixels.max() < 128:
            raise PictureError(
                f"The damage mask {self._path} has no white pixel: its largest value is "
                f"{pixels.max()} of 255. Save it in black (0) and white (255)."
            )
        colored = float((pixels.max(axis=-1) - pixels.min(axis=-1) > 64).mean())
        grey = float(((pixels[..., 1] > 64) & (pixels[..., 1] < 191)).mean())
        if colored > MOST_COLORED or grey > MOST_GREY:
            what = f"{colored:.0%} of its pixels are coloured"
            if grey > MOST_GREY:
                what = f"{grey:.0%} of its pixels are neither black nor white"
            raise PictureError(
                f"The damage mask {self._path} is no mask: {what}. Export the damage alone, in "
                "black and white."
            )
