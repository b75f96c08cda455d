"""The mask of a picture: read strictly, checked against the picture, grown if that is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dunhuang_data.errors import MaskError, PictureError
from dunhuang_data.foreign_masks import read_mask
from dunhuang_data.mask_files import differing_sizes
from dunhuang_data.pictures import inspect_picture, picture_size
from dunhuang_data.polarity import WhiteIs
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore.glimpses import glimpses
from dunhuang_trainer.restore.holes import BAND
from dunhuang_trainer.restore.rim import look_at_rim, probably_inverted
from dunhuang_trainer.restore.sources import Source

NEARLY = 40  # levels in every channel: what JPEG does to a painted colour
BESIDE_PX = 8  # its block


@dataclass(frozen=True, slots=True)
class MaskColour:
    """Holes that a picture itself shows in one colour.

    Attributes
    ----------
    rgb : tuple of int
        0 … 255, sRGB.
    tolerance : int
        Levels that a hole's pixel may differ, in every channel.
    """

    rgb: tuple[int, int, int]
    tolerance: int = 0

    def __str__(self) -> str:
        shown = ",".join(map(str, self.rgb))
        return f"{shown} ± {self.tolerance}" if self.tolerance else shown


def read_strictly(path: Path, white_is: WhiteIs, threshold: bool) -> tuple[UInt8Array, list[str]]:
    """Read a mask file that holds black and white alone.

    Parameters
    ----------
    path : Path
    white_is : {"hole", "known"}
    threshold : bool
        Threshold greys at half of white, instead of refusing them.

    Returns
    -------
    valid : (H, W) uint8
        1 = known, 0 = hole.
    told : list of str
        What had to be understood, in sentences.

    Raises
    ------
    PictureError
        If it cannot be read, or holds pixels neither within 2 of black nor of white.
    """
    read = read_mask(path, white_is)
    told = [f"{path}: {words}." for words in read.done]
    if read.grey_share:
        count = round(read.grey_share * read.valid.size)
        share = f"{read.grey_share:.2%}" if read.grey_share >= 5e-5 else "less than 0.01%"
        if not threshold:
            raise PictureError(
                f"{path} has {count:,} grey pixels ({share}), and whether those are holes is not "
                "known. Export the holes in black (0) and white (255), without smooth edges and "
                "not as JPEG; or give --grey threshold, which takes what is darker than half of "
                "white as black."
            )
        told.append(
            f"{path}: {count:,} pixels ({share}) are grey; they were thresholded at half of white."
        )
    return read.valid, told


def check_size(picture: Path, shape_hw: tuple[int, int], mask: Path, page: int = 0) -> None:
    """Refuse a mask that is not of its picture's size, before it is decoded.

    Raises
    ------
    PictureError
    """
    found = picture_size(mask)
    if found == shape_hw:
        return
    height, width = shape_hw
    sentence = differing_sizes(f"mask {mask}", found, f"the picture {picture}", shape_hw)
    facts = inspect_picture(picture, ReadingRecipe(page=page), headers_only=True)
    if found == (width, height) and facts.orientation >= 5:
        sentence += (
            f" The picture is stored as {width} x {height} px and has an orientation tag "
            f"({facts.orientation}) that turns it upright; a mask lies on the upright picture. "
            "Turn the mask the same way."
        )
    raise PictureError(sentence)


def holes_by_colour(
    source: Source, colour: MaskColour, picture: Path, trust_mask: bool = False
) -> tuple[UInt8Array, list[str]]:
    """Find the holes of a picture that shows them in one colour.

    Returns
    -------
    valid : (H, W) uint8
        1 = known; 0 = hole: a pixel of this colour, in 8-bit sRGB.
    told : list of str
        That more pixels nearly have it, as JPEG leaves them.

    Raises
    ------
    MaskError
        If no pixel has it; or if most of those that nearly have it would be missed.
    """
    height, width = source.shape_hw
    valid = np.ones((height, width), dtype=np.uint8)
    nearly = np.zeros((height, width), dtype=np.uint8)
    wanted = np.array(colour.rgb, dtype=np.int16)
    rows = max(1, BAND // 8 // width)
    for top in range(0, height, rows):
        window = source.window(top, 0, min(rows, height - top), width)
        levels = np.rint(window.srgb * np.float32(255)).astype(np.int16)
        apart = np.abs(levels - wanted).max(axis=-1)
        there = window.there == 1
        valid[top : top + rows] = ~((apart <= colour.tolerance) & there)
        nearly[top : top + rows] = (apart > colour.tolerance) & (apart <= NEARLY) & there
    if valid.all():
        raise MaskError(
            f"No pixel of {picture} has the colour {colour} of --mask-colour (8-bit sRGB). Look at "
            "its holes with a colour picker; a picture saved as JPEG needs --mask-tolerance."
        )
    return valid, _missed(valid, nearly, f"the colour {colour} of {picture}", trust_mask)


def _missed(valid: UInt8Array, nearly: UInt8Array, named: str, trust_mask: bool) -> list[str]:
    """Tell of pixels beside holes that nearly have their colour."""
    box = np.ones((2 * BESIDE_PX + 1, 2 * BESIDE_PX + 1), dtype=np.uint8)
    grown = 1 - valid
    for _ in range(8):  # along what nearly has the colour, not across what has not
        wider = np.asarray(cv2.dilate(grown, box), dtype=np.uint8) & (nearly | grown)
        if np.array_equal(wider, grown):
            break
        grown = wider
    found = valid.size - int(np.count_nonzero(valid))
    missed = int(np.count_nonzero(grown)) - found
    if missed <= found // 20:
        return []
    sentence = (
        f"{missed:,} more pixels beside the {found:,} that have {named} differ from it by "
        f"{NEARLY} levels at most, as JPEG and soft brushes leave them. Give --mask-tolerance "
        f"{NEARLY}"
    )
    if missed > 2 * found and not trust_mask:
        raise MaskError(f"{sentence}; if the mask is right as it is, --trust-mask.")
    return [f"{sentence}, if they are holes too."]


def check_mask(
    source: Source, valid: UInt8Array, named: str, trust_mask: bool, dilate_px: int
) -> Iterator[str]:
    """Look at a mask beside its picture, and yield what to warn of.

    Parameters
    ----------
    source : Source
    valid : (H, W) uint8
        1 = known, 0 = hole; before it is grown.
    named : str
        The mask, for sentences.
    trust_mask : bool
        Restore also if it seems to be the wrong way round.
    dilate_px : int
        How far the holes will be grown.

    Raises
    ------
    MaskError
        If nothing is known, or known and hole seem to be exchanged.
    """
    if not valid.any():
        raise MaskError(
            f"{_as_first(named)} has no known pixel, so there is nothing to restore from. If it is "
            "the wrong way round, give the other --white-is."
        )
    seen = list(glimpses(source, valid))
    why = probably_inverted(valid, seen)
    if why and not trust_mask:
        raise MaskError(
            f"{_as_first(named)} is probably the wrong way round: {why}. Look at it, and give the "
            "other --white-is; if it is right as it is, give --trust-mask."
        )
    if why:
        yield f"{named} is trusted, though {why}."
    rim = look_at_rim(seen)
    if rim is not None and rim.width_px > dilate_px:
        red, green, blue = rim.colour
        yield (
            f"the rim of {named} still shows the colour of its holes ({red}, {green}, {blue}), up "
            f"to {rim.width_px} px from them: the network takes it for the picture's. "
            f"--dilate {rim.width_px} covers it."
        )


def _as_first(words: str) -> str:
    """Return words with a capital, to begin a sentence with."""
    return words[:1].upper() + words[1:]
