"""The codecs of one chunk, which is one sample of one array: bytes in, bytes out.

======== ================================================================================
codec    a chunk
======== ================================================================================
none     the row's bytes, in C order
gzip     a gzip member of them, as Zarr's stock codec; HDF5 stores the same as zlib stream
lossless a zstd frame: of a packed mask as it is, of an image what `predict` leaves to say
======== ================================================================================

The checksum behind a chunk belongs to the container, not to the codec.
"""

import threading
import zlib

import numpy as np

from dunhuang_data.interpolation import predict, restore_into
from dunhuang_data.recipe import CODECS
from dunhuang_data.shards import ARRAY_NAMES
from dunhuang_data.types import UInt8Array

GZIP_LEVEL = 3  # of photographs, 4 to 9 make more bytes in more time
ZSTD_LEVEL = 1  # of differences between pixels, no level up to 12 makes 0.3 % fewer

_GZIP, _ZLIB = 31, 15  # what zlib calls wbits: a gzip member, a zlib stream
_SYSTEM, _UNKNOWN_SYSTEM = 9, b"\xff"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_kept = threading.local()


def encode(codec: str, name: str, row: UInt8Array) -> bytes:
    """Return the chunk of one sample.

    Parameters
    ----------
    codec : {"none", "gzip", "lossless"}
    name : {"image", "valid", "damage"}
        The array it is a sample of.
    row : (H, W, 3) uint8 for ``image``, else uint8 of any shape
        As it is stored: masks are packed.

    Returns
    -------
    bytes
        The same for the same row, whatever the day or machine, with one version of zlib and zstd.

    Raises
    ------
    ValueError
        If there is no such codec or array, or the row is not such an array.
    """
    _check(codec, name, row)
    if codec == "none":
        return row.tobytes()
    if codec == "gzip":
        return _gzip_member(row)
    import zstandard

    content = predict(row) if name == "image" else np.ascontiguousarray(row)
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(content.data)


def decode_into(codec: str, name: str, data: bytes | memoryview, out: UInt8Array) -> None:
    """Write the sample that a chunk holds into `out`.

    What a chunk claims allocates no memory: one that claims another size is refused before.

    Parameters
    ----------
    codec, name : str
        As for `encode`.
    data : bytes or memoryview
        The chunk, without its checksum.
    out : uint8 array, C-contiguous
        Of the row's shape. Its values are undefined after an error.

    Raises
    ------
    ValueError
        If the chunk is damaged or does not hold exactly ``out.nbytes`` bytes, or `out` is not
        such an array.
    """
    _check(codec, name, out)
    _check_writeable(out)
    if codec == "none":
        if len(data) != out.nbytes:
            raise ValueError(f"the chunk has {len(data)} bytes where {out.nbytes} were expected")
        out.reshape(-1)[:] = np.frombuffer(data, dtype=np.uint8)
    elif codec == "gzip":
        _inflate_into(data, out, _GZIP)
    elif name == "image":
        restore_into(np.frombuffer(_unzstd(data, out.nbytes), dtype=np.uint8), out)
    else:
        out.reshape(-1)[:] = np.frombuffer(_unzstd(data, out.nbytes), dtype=np.uint8)


def decode_deflate_into(data: bytes | memoryview, out: UInt8Array) -> None:
    """Write the sample in a zlib stream, as HDF5 stores gzip, into `out`; see `decode_into`."""
    _check_writeable(out)
    _inflate_into(data, out, _ZLIB)


def _check(codec: str, name: str, row: UInt8Array) -> None:
    if codec not in CODECS:
        raise ValueError(f"there is no codec {codec!r}: it is one of {', '.join(CODECS)}")
    if name not in ARRAY_NAMES:
        raise ValueError(f"there is no array {name!r}: it is one of {', '.join(ARRAY_NAMES)}")
    if row.dtype != np.uint8 or row.size == 0:
        raise ValueError(
            f"a sample of {name} is uint8 with at least one pixel, not {row.dtype} {row.shape}"
        )
    if name == "image" and (row.ndim != 3 or row.shape[2] != 3):
        raise ValueError(f"a sample of image has the shape (height, width, 3), not {row.shape}")


def _check_writeable(out: UInt8Array) -> None:
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(
            "a chunk is decoded into an array that is C-contiguous and writeable; this one, of "
            f"shape {out.shape}, is {'read-only' if out.flags.c_contiguous else 'not contiguous'}"
        )


def _gzip_member(row: UInt8Array) -> bytes:
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    member = compressor.compress(np.ascontiguousarray(row).data) + compressor.flush()
    # zlib writes no time, but the system it runs on; the same row shall be the same bytes
    return member[:_SYSTEM] + _UNKNOWN_SYSTEM + member[_SYSTEM + 1 :]


def _inflate_into(data: bytes | memoryview, out: UInt8Array, wbits: int) -> None:
    stream = zlib.decompressobj(wbits)
    try:
        content = stream.decompress(data, out.nbytes + 1)  # one more, to see that there is none
    except zlib.error as error:
        raise ValueError(f"the chunk does not decode as deflated data: {error}") from None
    if len(content) != out.nbytes or not stream.eof or stream.unused_data:
        found = "more" if len(content) > out.nbytes else f"{len(content)}"
        end = "" if stream.eof else ", and does not end"
        end = ", and goes on behind its end" if stream.unused_data else end
        raise ValueError(f"the chunk holds {found} bytes where {out.nbytes} were expected{end}")
    out.reshape(-1)[:] = np.frombuffer(content, dtype=np.uint8)


def _unzstd(data: bytes | memoryview, size: int) -> bytes:
    claimed = _zstd_content_bytes(data)
    if claimed != size:
        found = "an unknown number of" if claimed is None else f"{claimed}"
        raise ValueError(f"the chunk claims {found} bytes where {size} were expected")
    import zstandard

    if not hasattr(_kept, "unpacker"):  # one a thread: to make one costs as much as a mask
        _kept.unpacker = zstandard.ZstdDecompressor()
    try:
        content: bytes = _kept.unpacker.decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"the chunk does not decode as a zstd frame: {error}") from None
    return content


def _zstd_content_bytes(data: bytes | memoryview) -> int | None:
    """Return the content size that a zstd frame's header gives, or None (RFC 8878, 3.1.1.1)."""
    if len(data) < 5 or data[:4] != _ZSTD_MAGIC:
        raise ValueError("the chunk is no zstd frame: it begins otherwise")
    descriptor = data[4]
    if descriptor & 3:
        raise ValueError("the chunk is a zstd frame that asks for a dictionary; there is none")
    single_segment = descriptor >> 5 & 1
    length = (single_segment, 2, 4, 8)[descriptor >> 6]
    start = 6 - single_segment  # behind the window's size, which a single segment does not have
    field = bytes(data[start : start + length])
    if not field or len(field) != length:
        return None
    return int.from_bytes(field, "little") + (256 if length == 2 else 0)
