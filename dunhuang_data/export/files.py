"""Put files into the folder that grows; it gets its name when all of them are on the disk.

What the system refuses is explained where the folder is made, under the name that was asked for.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dunhuang_data.manifest import StoredFile
from dunhuang_data.pictures import sha256_of_file


def put(out: Path, path: str, data: bytes) -> StoredFile:
    """Write a small file; a whole tree of them is flushed at once, when the last is written."""
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return StoredFile(path, len(data), hashlib.sha256(data).hexdigest())


@contextmanager
def opened(out: Path, path: str) -> Iterator[IO[bytes]]:
    """Open a large file to be written bit by bit."""
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        yield stream


def stored(out: Path, path: str) -> StoredFile:
    """Return the record of a file that was written bit by bit."""
    return StoredFile(path, (out / path).stat().st_size, sha256_of_file(out / path))
