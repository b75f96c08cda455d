"""What libvips does not say of a TIFF: which pages are reduced copies, what extra channels are."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_PAGES = 10_000
MOST_VALUES = 64  # of one tag; strip offsets and profiles are not needed
TYPES = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}

SUBFILE_TYPE, WIDTH, HEIGHT = 254, 256, 257
TILE_WIDTH, TILE_HEIGHT = 322, 323
SUB_IFDS, EXTRA_SAMPLES = 330, 338
RESOLUTION_UNIT, NO_UNIT = 296, 1

Tags = dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One page (image file directory) of a TIFF.

    Attributes
    ----------
    height, width : int
        As stored, before the orientation tag is applied.
    reduced : bool
        Marked as a smaller copy of another page, or as its mask.
    tile_hw : tuple of int or None
        None if it is stored in strips.
    extra_samples : tuple of int
        What the channels beyond the colours are: 1 and 2 = alpha, 0 = not said.
    sub_pages : int
        Pages that hang below this one.
    """

    height: int
    width: int
    reduced: bool
    tile_hw: tuple[int, int] | None
    extra_samples: tuple[int, ...]
    sub_pages: int

    def is_level_of(self, page: "TiffPage") -> bool:
        """Whether this looks like a pyramid level of ``page``: halved some times, to a pixel."""
        if not (self.height < page.height and self.width < page.width):
            return False
        factor = 1 << round(page.width / self.width).bit_length() - 1
        return all(
            abs(small * factor - large) <= 2 * factor
            for small, large in ((self.width, page.width), (self.height, page.height))
        )


def read_tiff_pages(path: Path) -> tuple[TiffPage, ...]:
    """Return the pages of a TIFF or BigTIFF, none if the file is no TIFF or is not whole."""
    pages: list[TiffPage] = []
    try:
        with path.open("rb") as stream:
            head = stream.read(16)
            order = {b"II": "<", b"MM": ">"}[head[:2]]
            (version,) = struct.unpack(f"{order}H", head[2:4])
            big = {42: False, 43: True}[version]
            (offset,) = struct.unpack(
                f"{order}{'Q' if big else 'I'}", head[8:] if big else head[4:8]
            )
            seen: set[int] = set()
            while offset and offset not in seen and len(pages) < MOST_PAGES:
                seen.add(offset)
                tags, offset = _read_directory(stream, offset, order, big)
                pages.append(_page(tags))
    except (KeyError, struct.error, OSError, OverflowError):
        return tuple(pages)  # libvips says what is wrong with it
    return tuple(pages)


def replace_shorts(path: Path, tag: int, values: tuple[int, ...]) -> bool:
    """Write other numbers over those of a tag of 16-bit numbers, in the first page, in place.

    Returns whether the page has such a tag with so many numbers; if not, nothing is written.
    """
    with path.open("r+b") as stream:
        head = stream.read(16)
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        big = struct.unpack(f"{order}H", head[2:4])[0] == 43
        counter, entry, place = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
        (offset,) = struct.unpack(order + place, head[8:16] if big else head[4:8])
        stream.seek(offset)
        (count,) = struct.unpack(order + counter, stream.read(struct.calcsize("<" + counter)))
        for _ in range(count):
            data = stream.read(struct.calcsize("<" + entry))
            found, kind, length, inline = struct.unpack(order + entry, data)
            if (found, kind, length) == (tag, 3, len(values)):
                written = struct.pack(f"{order}{length}H", *values)
                if len(written) > len(inline):
                    stream.seek(struct.unpack(order + place, inline)[0])
                else:
                    stream.seek(-len(inline), 1)
                stream.write(written)
                return True
    return False


def _page(tags: Tags) -> TiffPage:
    tile = (tags[TILE_HEIGHT][0], tags[TILE_WIDTH][0]) if TILE_WIDTH in tags else None
    return TiffPage(
        height=tags[HEIGHT][0],
        width=tags[WIDTH][0],
        reduced=tags.get(SUBFILE_TYPE, (0,))[0] & 0b101 != 0,  # bit 0 reduced, bit 2 a mask
        tile_hw=tile,
        extra_samples=tags.get(EXTRA_SAMPLES, ()),
        sub_pages=len(tags.get(SUB_IFDS, ())),
    )


def _read_directory(stream: BinaryIO, offset: int, order: str, big: bool) -> tuple[Tags, int]:
    """Return the short tags of one directory and the place of the next."""
    counter, entry, place = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    stream.seek(offset)
    (count,) = struct.unpack(order + counter, stream.read(struct.calcsize("<" + counter)))
    size = struct.calcsize("<" + entry)
    if count > 4096:
        raise struct.error("no directory")
    data = stream.read(count * size)
    (following,) = struct.unpack(order + place, stream.read(struct.calcsize("<" + place)))
    tags: Tags = {}
    for row in range(count):
        tag, kind, values, inline = struct.unpack(
            order + entry, data[row * size : (row + 1) * size]
        )
        if kind not in TYPES or not 0 < values <= MOST_VALUES:
            continue
        code = f"{order}{values * len(TYPES[kind])}{TYPES[kind][0]}"
        if struct.calcsize(code) > len(inline):
            stream.seek(struct.unpack(order + place, inline)[0])
            inline = stream.read(struct.calcsize(code))
        tags[tag] = struct.unpack(code, inline[: struct.calcsize(code)])
    return tags, following
