"""Read masks of other programs, and understand the ways in which they write two values.

Besides black and white there are files of 0 and 1, which look all black, the same in 16 bits, and
files whose palette was lost, so that they are all black by their colours. Each is understood only
where nothing else can be meant, and said.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PictureError
from dunhuang_data.pictures import inspect_picture, open_picture
from dunhuang_data.pictures.png_chunks import SIGNATURE, as_chunk
from dunhuang_data.polarity import WhiteIs, valid_from_grey
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array

MOST_COLORED = 0.001  # share of the pixels of a mask
BAND = 1 << 22  # pixels that are looked at together, about
MOST_GREY = 0.5  # share of the pixels; JPEG and smooth resizing leave far less
EXPORT = "Export the holes alone, in black (0) and white (255)."


@dataclass(frozen=True, slots=True)
class ForeignMask:
    """A mask of another program, read and thresholded once.

    Attributes
    ----------
    valid : (H, W) uint8
        1 = known, 0 = hole.
    grey_share : float
        Share of the pixels neither within 2 of black nor within 2 of white, in [0, 1].
    done : tuple of str
        What had to be understood, in words.
    """

    valid: UInt8Array
    grey_share: float
    done: tuple[str, ...] = ()


def read_mask(path: Path, white_is: WhiteIs) -> ForeignMask:
    """Read a mask of another program.

    Parameters
    ----------
    path : Path
        PNG of 1, 8 or 16 bits, grey, colour or palette; JPEG, TIFF, WebP.
    white_is : {"hole", "known"}
        What white stands for; of a file of 0 and 1, what 1 stands for.

    Raises
    ------
    PictureError
        If it cannot be read, is coloured or a photograph, or has no black or no white where it
        has other values.
    """
    grey, counts, done = _grey(path)
    grey_share = float(counts[3:253].sum() / grey.size)
    if grey_share > MOST_GREY:
        raise PictureError(
            f"{path} is no mask: {grey_share:.0%} of its pixels are neither black nor white. "
            f"{EXPORT}"
        )
    found = np.flatnonzero(counts)
    least, most = int(found[0]), int(found[-1])
    if 0 < most < 128:
        raise PictureError(f"{path} has no white pixel: its largest value is {most}. {EXPORT}")
    if 128 <= least < 253:
        raise PictureError(f"{path} has no black pixel: its smallest value is {least}. {EXPORT}")
    return ForeignMask(valid_from_grey(grey, white_is), grey_share, done)


def _grey(path: Path) -> tuple[UInt8Array, NDArray[np.int64], tuple[str, ...]]:
    """Return a mask's pixels as 0 … 255, how many have each value, and what was understood."""
    reading, done = _depth(path)
    grey, counts = _levels(path, reading)
    highest = int(np.flatnonzero(counts)[-1])
    if highest == 1:
        grey *= np.uint8(255)
        return grey, _counted(grey), ("values 0 and 1 instead of 0 and 255",)
    if counts[highest] == grey.size:
        numbers = _palette_numbers(path)
        if numbers is not None:
            words = "its palette has one colour; its numbers 0 and 1 are black and white"
            return numbers, _counted(numbers), (words,)
    return grey, counts, done


def _levels(path: Path, reading: ReadingRecipe) -> tuple[UInt8Array, NDArray[np.int64]]:
    """Read some rows at a time: a large mask is never held in colour.

    Raises
    ------
    PictureError
        If some pixels are not there, or more than a few are coloured.
    """
    mask = open_picture(path, reading)
    height, width = mask.shape_hw
    grey = np.empty((height, width), dtype=np.uint8)
    counts = np.zeros(256, dtype=np.int64)
    colored = 0
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        pixels, there = mask.window(top, 0, min(rows, height - top), width)
        if not there.all():
            raise PictureError(
                f"{path} has transparent pixels, and what they show is not known. Save it without "
                "transparency, cropped to what is there."
            )
        red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
        # over ten times as quick as reducing an axis of three
        most, least = (step(step(red, green), blue) for step in (np.maximum, np.minimum))
        colored += int((most - least > 64).sum())
        grey[top : top + rows] = pixels[..., 1]
        counts += _counted(pixels[..., 1])
    if colored / grey.size > MOST_COLORED:
        share = colored / grey.size
        raise PictureError(f"{path} is no mask: {share:.0%} of its pixels are coloured. {EXPORT}")
    return grey, counts


def _counted(grey: UInt8Array) -> NDArray[np.int64]:
    """Return how many pixels have each value of 0 … 255, counting some rows at a time."""
    counts = np.zeros(256, dtype=np.int64)
    rows = max(1, BAND // grey.shape[1])
    for top in range(0, len(grey), rows):
        counts += np.bincount(grey[top : top + rows].ravel(), minlength=256)
    return counts


def _depth(path: Path) -> tuple[ReadingRecipe, tuple[str, ...]]:
    """Return how a file is read: masks of 16 bits often hold the values of 8, or of 1."""
    reading = ReadingRecipe(bilevel="grey")
    if inspect_picture(path, reading, headers_only=True).sample != "ushort":
        return reading, ()
    highest = inspect_picture(path, reading).highest or 0
    if highest > 65535 - 2 * 257:
        return reading, ()
    if highest not in (0, 1, 255):
        raise PictureError(
            f"{path} has 16 bits, and its largest value is {highest}; expected 1, 255 or 65535 as "
            f"white. {EXPORT}"
        )
    words = (f"values 0 to {highest} in 16 bits",) if highest else ()
    return ReadingRecipe(bilevel="grey", white_level=highest or 65535), words


def _palette_numbers(path: Path) -> UInt8Array | None:
    """Return the numbers of a palette PNG of one colour instead of it: 0 → 0 and 1 → 255.

    Pillow 10.4 and later writes a two-valued array in palette mode with the numbers 0 and 1 and a
    palette of black alone; read through its colours such a mask is black everywhere.
    """
    data = path.read_bytes()
    if not data.startswith(SIGNATURE) or data[25] != 3:  # colour type: palette
        return None
    colours = next((body for kind, body in _chunks(data) if kind == b"PLTE"), b"")
    if len({colours[first : first + 3] for first in range(0, len(colours), 3)}) != 1:
        return None
    import pyvips

    image: Any = pyvips.Image.new_from_buffer(_without_palette(data), "")
    numbers: NDArray[np.uint8] = np.asarray(image.numpy(), dtype=np.uint8)
    if numbers.ndim == 3:
        numbers = numbers[..., 0]
    # fewer than 8 bits a pixel come spread over 0 … 255
    numbers = numbers // (255 // (2 ** data[24] - 1))
    return numbers * np.uint8(255) if numbers.max() == 1 else None


def _without_palette(data: bytes) -> bytes:
    """Turn a palette PNG into a grey one of the same numbers."""
    parts = [SIGNATURE]
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            parts.append(as_chunk(kind, body[:9] + b"\x00" + body[10:]))
        elif kind in (b"IDAT", b"IEND"):
            parts.append(as_chunk(kind, body))
    return b"".join(parts)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += 12 + length
