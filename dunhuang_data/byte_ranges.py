"""To the reader a shard is a table of byte ranges: where each chunk of each array lies.

The table is looked up once (Zarr's shard index; the table in front of an HDF5 shard). Then every
chunk is one positioned read: no library handle, no lock, no position that threads or forked
processes could share.
"""

import errno
import math
import mmap
import os
import stat
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.codecs import decode_deflate_into, decode_into
from dunhuang_data.shards import CHECKSUM_BYTES
from dunhuang_data.types import UInt8Array

# What one byte can decode to at most: 258 bytes take two bits of DEFLATE; a block of zstd that
# repeats one byte 2^17 times takes four.
MOST_EXPANSION = {"gzip": 1032, "deflate": 1032, "lossless": 2**15}


class OpenFile:
    """A file open for positioned reads; closed when nobody refers to it any more.

    So a reader may forget a file while another thread still reads from it.

    Parameters
    ----------
    path : str
        A link is refused: nothing of a dataset lies elsewhere.

    Raises
    ------
    OSError
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._open = False
        # not to wait for whoever writes, should it be a pipe; to a file that says nothing
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self.descriptor = os.open(path, flags)
        self._open = True
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "this is no file", path)
        self.size, self.changed_ns = status.st_size, status.st_mtime_ns

    def __del__(self) -> None:
        if self._open:
            os.close(self.descriptor)

    def read(self, length: int, offset: int) -> bytes:
        """Return exactly ``length`` bytes.

        Raises
        ------
        ValueError
            If they are not all there.
        """
        there = 0 <= offset <= self.size - length  # or memory would be set aside for a claim
        data = os.pread(self.descriptor, length, offset) if there else b""
        if not there or len(data) != length:
            raise ValueError(f"{self.path} ends too soon")
        return data


class ShardTable:
    """Where the chunks of one array of one shard lie.

    A chunk is checked when it is first read through a table: a positioned read, which says why the
    disk refused, and its CRC-32C. Chunks that are not compressed are copied from a map of the file
    when they are read again: they are in the system's cache by then, and neither a system call nor
    a checksum stands between them and the batch.

    Parameters
    ----------
    file : OpenFile
    name, codec : str
        A codec of `dunhuang_data.codecs`, or ``"deflate"``, as which HDF5 stores gzip.
    row_shape : tuple of int
        Of one sample.
    offsets, lengths : (n,) int64
        Bytes of the file, without checksum.
    checksums : (n,) uint32, optional
        CRC-32C of each chunk's bytes; without it, it follows each chunk in the file.
    """

    def __init__(
        self,
        file: OpenFile,
        name: str,
        codec: str,
        row_shape: tuple[int, ...],
        offsets: NDArray[np.int64],
        lengths: NDArray[np.int64],
        checksums: NDArray[np.uint32] | None = None,
    ) -> None:
        self.file, self.name, self.codec = file, name, codec
        self.row_shape = row_shape
        self.offsets, self.lengths, self.checksums = offsets, lengths, checksums
        self._checked = bytearray(len(offsets))
        self._map: UInt8Array | None = None
        self._starts: list[int] = []
        self._length = math.prod(row_shape)

    def check(self, samples: int) -> None:
        """Refuse a table that cannot be that of so many samples in this file.

        Raises
        ------
        ValueError
        """
        tail = CHECKSUM_BYTES if self.checksums is None else 0
        inside = (self.offsets >= 0) & (self.lengths > 0)
        inside &= self.offsets <= self.file.size - tail - np.minimum(self.lengths, self.file.size)
        if self.codec == "none":
            inside &= self.lengths == self._length
        else:  # so that no memory is set aside for more than there can be
            inside &= self.lengths >= self._length // MOST_EXPANSION[self.codec]
        if len(self.offsets) != samples or not inside.all():
            raise ValueError(f"{self.file.path}: its table of chunks is not that of its samples")

    def read(self, row: int, target: UInt8Array) -> None:
        """Read one row of the shard.

        Parameters
        ----------
        row : int
        target : (bytes of a sample,) uint8
            C-contiguous.

        Raises
        ------
        OSError, ValueError
            If bytes are missing, fail their checksum, or do not decode to one sample.
        """
        if self._checked[row]:
            again = self._map if self._map is not None else self._mapped()
            if again is not None:
                start = self._starts[row]
                target[:] = again[start : start + self._length]
                return
        if self.codec == "none":
            self._read_checked(row, target)
            self._checked[row] = 1
        elif self.codec == "deflate":
            decode_deflate_into(self._bytes(row), target)
        else:
            decode_into(self.codec, self.name, self._bytes(row), target.reshape(self.row_shape))

    def _mapped(self) -> UInt8Array | None:
        """Return the file as an array, or None where a file system cannot."""
        try:
            found = mmap.mmap(self.file.descriptor, 0, prot=mmap.PROT_READ)
        except OSError:
            return None
        self._starts = self.offsets.tolist()
        self._map = np.frombuffer(found, dtype=np.uint8)
        return self._map

    def look_again(self) -> None:
        """Forget the map, and what was checked, of a file that was cut or written to meanwhile.

        To touch a map beyond the end of its file would end the process.
        """
        if self._map is not None:
            status = os.fstat(self.file.descriptor)
            if (status.st_size, status.st_mtime_ns) != (self.file.size, self.file.changed_ns):
                self._checked = bytearray(len(self.offsets))
                self._map = None
                self.file.changed_ns = status.st_mtime_ns

    def _read_checked(self, row: int, target: UInt8Array) -> None:
        offset, checksums = int(self.offsets[row]), self.checksums
        parts: list[Any] = [target]
        if checksums is None:
            parts.append(trailer := bytearray(CHECKSUM_BYTES))
        found = os.preadv(self.file.descriptor, parts, offset)
        if found != target.nbytes + CHECKSUM_BYTES * (len(parts) - 1):
            raise ValueError(f"{self.file.path} ends within chunk {row}")
        expected = int.from_bytes(trailer, "little") if checksums is None else int(checksums[row])
        self._check(row, target, expected)

    def _bytes(self, row: int) -> memoryview:
        """Return the stored bytes of a chunk, checked."""
        offset, length = int(self.offsets[row]), int(self.lengths[row])
        if self.checksums is None:
            data = self.file.read(length + CHECKSUM_BYTES, offset)
            expected = int.from_bytes(data[length:], "little")
        else:
            data = self.file.read(length, offset)
            expected = int(self.checksums[row])
        body = np.frombuffer(data, dtype=np.uint8, count=length)
        self._check(row, body, expected)
        return body.data

    def _check(self, row: int, data: Any, expected: int) -> None:
        if google_crc32c.value(data) != expected:
            raise ValueError(f"{self.file.path}: chunk {row} fails its checksum")

    def prefetch(self, row: int) -> None:
        """Ask the system to fetch a row into memory, and return at once."""
        os.posix_fadvise(
            self.file.descriptor,
            int(self.offsets[row]),
            int(self.lengths[row]),
            os.POSIX_FADV_WILLNEED,
        )
