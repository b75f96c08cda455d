"""What libvips does not hand on of a PNG: how it says colours and resolution, and its texts."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = len(SIGNATURE) + 25  # bytes up to the end of IHDR, always the first chunk
HANDED_ON = (b"cICP", b"gAMA", b"cHRM", b"sRGB", b"tEXt", b"zTXt", b"iTXt")  # XMP is an iTXt
RESOLUTION = b"pHYs"
NO_RESOLUTION = struct.pack(">IIB", 1, 1, 0)  # square pixels of no known size
MOST = 16_000_000  # bytes; libpng refuses longer texts than 8 MB


def read_chunks(path: Path, kinds: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
    """Return the contents of some kinds of chunks in order; none if the file is no PNG."""
    return [(kind, data) for kind, _, data in _scan(path, kinds)]


def xmp(packet: bytes) -> tuple[bytes, bytes]:
    """Return the kind and the contents of a chunk of XMP (XMP specification, part 3, 1.1.5)."""
    return b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet.rstrip(b"\0")


def as_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def replace_chunk(path: Path, kind: bytes, data: bytes) -> None:
    """Write other contents of the same length over those of the first chunk of a kind."""
    _, offset, old = next(_scan(path, (kind,)))
    if len(old) != len(data):
        raise ValueError(f"{len(data)} bytes for a {kind!r} of {len(old)}")
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(as_chunk(kind, data))


def _scan(path: Path, kinds: tuple[bytes, ...]) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield each chunk of some kinds: its kind, where it begins, and what it holds."""
    with path.open("rb") as stream:
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            return
        while len(head := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            start = stream.tell()
            if kind in kinds and length <= MOST:
                yield kind, start - 8, stream.read(length)
            stream.seek(start + length + 4)
