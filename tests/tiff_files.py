"""Write TIFF files by hand, from the specification, in ways that libvips does not write.

Uncompressed, one strip a page (or one for each plane).
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Order = Literal["<", ">"]
SHORT, LONG, UNDEFINED = 3, 4, 7
CODES = {SHORT: "H", LONG: "I", UNDEFINED: "B"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
NOT_SAID, PREMULTIPLIED, ALPHA = 0, 1, 2


@dataclass(frozen=True)
class Page:
    """One page: (H, W) or (H, W, C) samples of 8 or 16 bits, and what is said of them."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    photometric: int = RGB
    extra_samples: tuple[int, ...] = ()
    orientation: int = 1
    planes: bool = False
    subfile_type: int = 0
    profile: bytes = b""
    more: dict[int, int] = field(default_factory=dict)


def write_tiff(path: Path, *pages: Page, order: Order = "<", big: bool = False) -> Path:
    """Write the pages, one after the other, and return the path."""
    data = bytearray(b"II" if order == "<" else b"MM")
    data += struct.pack(
        f"{order}HHHQ" if big else f"{order}HI", *((43, 8, 0, 0) if big else (42, 0))
    )
    pointer = 8 if big else 4
    for page in pages:
        tags = _tags(page, len(data))
        data += _samples(page, order)
        values = {tag: _packed(data, order, big, *entry) for tag, entry in tags.items()}
        data += b"\0" * (len(data) % 2)
        place = "Q" if big else "I"
        data[pointer : pointer + struct.calcsize(place)] = struct.pack(order + place, len(data))
        data += struct.pack(order + ("Q" if big else "H"), len(tags))
        for tag, (kind, entries) in sorted(tags.items()):
            data += struct.pack(f"{order}HH{place}", tag, kind, len(entries)) + values[tag]
        pointer = len(data)
        data += bytes(struct.calcsize(place))
    path.write_bytes(data)
    return path


def _tags(page: Page, offset: int) -> dict[int, tuple[int, tuple[int, ...]]]:
    height, width = page.pixels.shape[:2]
    channels = 1 if page.pixels.ndim == 2 else page.pixels.shape[2]
    strips = channels if page.planes else 1
    size = page.pixels.nbytes // strips
    tags = {
        254: (LONG, (page.subfile_type,)),
        256: (LONG, (width,)),
        257: (LONG, (height,)),
        258: (SHORT, (page.pixels.itemsize * 8,) * channels),
        259: (SHORT, (1,)),
        262: (SHORT, (page.photometric,)),
        273: (LONG, tuple(offset + size * strip for strip in range(strips))),
        274: (SHORT, (page.orientation,)),
        277: (SHORT, (channels,)),
        278: (LONG, (height,)),
        279: (LONG, (size,) * strips),
        284: (SHORT, (2 if page.planes else 1,)),
        **{tag: (LONG, (value,)) for tag, value in page.more.items()},
    }
    if page.extra_samples:
        tags[338] = (SHORT, page.extra_samples)
    if page.profile:
        tags[34675] = (UNDEFINED, tuple(page.profile))
    return tags


def _samples(page: Page, order: Order) -> bytes:
    pixels = np.moveaxis(page.pixels, -1, 0) if page.planes else page.pixels
    return pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()


def _packed(data: bytearray, order: str, big: bool, kind: int, values: tuple[int, ...]) -> bytes:
    """Return what stands in a tag's entry: the values, or where they were put."""
    packed = struct.pack(f"{order}{len(values)}{CODES[kind]}", *values)
    room = 8 if big else 4
    if len(packed) <= room:
        return packed.ljust(room, b"\0")
    data += b"\0" * (len(data) % 2)
    offset = len(data)
    data += packed
    return struct.pack(order + ("Q" if big else "I"), offset)
