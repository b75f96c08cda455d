"""What libvips neither reads nor writes of a PNG: how the file says colours and resolution."""

import struct
import zlib
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = len(SIGNATURE) + 25  # bytes up to the end of IHDR, always the first chunk
COLOUR = (b"cICP", b"gAMA", b"cHRM", b"sRGB")
RESOLUTION = b"pHYs"
NO_RESOLUTION = struct.pack(">IIB", 1, 1, 0)  # square pixels of no known size
MOST = 64  # bytes; none of those that are asked for has more


def read_chunks(path: Path, kinds: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """Return the contents of some short chunks before the pixels; none if the file is no PNG."""
    return {kind: data for kind, (_, data) in _scan(path).items() if kind in kinds}


def as_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def replace_chunk(path: Path, kind: bytes, data: bytes) -> None:
    """Write other contents of the same length over those of a chunk before the pixels."""
    offset, old = _scan(path)[kind]
    if len(old) != len(data):
        raise ValueError(f"{len(data)} bytes for a {kind!r} of {len(old)}")
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(as_chunk(kind, data))


def _scan(path: Path) -> dict[bytes, tuple[int, bytes]]:
    """Return, of each short chunk before the pixels, where it begins and what it holds."""
    found: dict[bytes, tuple[int, bytes]] = {}
    with path.open("rb") as stream:
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            return found
        while len(head := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind in (b"IDAT", b"IEND"):
                break
            if length <= MOST:
                found[kind] = (stream.tell() - 8, stream.read(length))
                stream.seek(4, 1)
            else:
                stream.seek(length + 4, 1)
    return found
