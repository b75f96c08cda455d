"""EXIF data without the thumbnail, which would show what a changed picture looked like before."""

import struct

PREFIX = b"Exif\0\0"  # of EXIF in JPEG; PNG and WebP have none


def without_thumbnail(exif: bytes) -> bytes:
    """Cut off the second directory, which describes the thumbnail (Exif 2.3, 4.5.1 and 4.6.2).

    Nothing leads to the thumbnail any more, and libvips, which writes the data anew, leaves it
    out. What is no EXIF is returned as it is.
    """
    start = len(PREFIX) if exif.startswith(PREFIX) else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2], "")
    try:
        (offset,) = struct.unpack_from(f"{order}I", exif, start + 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start + offset)
        after = start + offset + 2 + 12 * count
        if not order or after + 4 > len(exif):
            return exif
    except struct.error:
        return exif
    return exif[:after] + bytes(4) + exif[after + 4 :]
