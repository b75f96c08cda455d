"""The shard schema: what both formats store, under which names, and the hash of the content.

A shard holds up to ``shard_size`` samples of one split. Its arrays are the same in Zarr and HDF5:

======== ======================== ===== ==========================================================
name     shape                    dtype meaning
======== ======================== ===== ==========================================================
image    (N, S, S, 3)             uint8 the target patch, sRGB
valid    (N, S, ceil(S / 8))      uint8 one bit per pixel, first pixel highest: 1 known, 0 hole
damage   (N, S, ceil(S / 8))      uint8 one bit per pixel: 1 = the target is not to be trusted
======== ======================== ===== ==========================================================
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dunhuang_data.polarity import MEANING
from dunhuang_data.types import Split, UInt8Array

FORMAT_NAME = "dunhuang-dataset"
VERSION = 3
IDENTITY_BYTES = 128
CHECKSUM_BYTES = 4  # of a CRC-32C
ARRAY_NAMES = ("image", "valid", "damage")


@dataclass(frozen=True, slots=True)
class ArraySchema:
    """One array of the dataset: what both formats store under its name.

    Attributes
    ----------
    name : str
    row_shape : tuple of int
        The shape of one sample; a chunk is exactly one sample.
    dimensions : tuple of str
        Names of all axes, the sample axis first.
    attributes : dict
        What a reader without this package needs to know.
    """

    name: str
    row_shape: tuple[int, ...]
    dimensions: tuple[str, ...]
    attributes: dict[str, str | int]


def schema(patch_size: int) -> tuple[ArraySchema, ...]:
    """Return the arrays of a dataset of patches of ``patch_size`` px, as in `ARRAY_NAMES`."""
    bits: dict[str, str | int] = {
        "bit_order": "big: the first pixel of a row is the highest bit of its first byte",
        "pixels_per_row": patch_size,
    }
    return (
        ArraySchema(
            "image",
            row_shape("image", patch_size),
            ("sample", "y", "x", "channel"),
            {"meaning": "target patch", "color": "sRGB, red green blue, 0 to 255"},
        ),
        ArraySchema(
            "valid",
            row_shape("valid", patch_size),
            ("sample", "y", "x_byte"),
            {"meaning": MEANING, **bits},
        ),
        ArraySchema(
            "damage",
            row_shape("damage", patch_size),
            ("sample", "y", "x_byte"),
            {"meaning": "1 = pixel of the target that neither loss nor metric counts", **bits},
        ),
    )


def row_shape(name: str, patch_size: int) -> tuple[int, ...]:
    """Return the shape of one sample of an array, without its sample axis."""
    return (patch_size, patch_size, 3) if name == "image" else (patch_size, -(-patch_size // 8))


@dataclass(frozen=True, slots=True)
class ShardPlace:
    """Which shard, of what: all that a container needs to know before the first sample.

    Attributes
    ----------
    split : {"train", "val", "test"}
    number : int
        In its split, from 0; its first row in the split is ``number * shard_size``.
    samples : int
        In this shard.
    total : int
        Samples in the split.
    patch_size, shard_size : int
    codec : str
        See `dunhuang_data.codecs`.
    """

    split: Split
    number: int
    samples: int
    total: int
    patch_size: int
    shard_size: int
    codec: str

    def identity(self, name: str, content_sha256: str) -> bytes:
        """Return 128 bytes of text that say which file this is, of which content.

        They lie in the file itself, so that a file that was swapped for another is found out.
        """
        line = f"{FORMAT_NAME} {VERSION} {self.split} {name} {self.number} {content_sha256}"
        return line.encode("ascii").ljust(IDENTITY_BYTES - 1) + b"\n"


Stored = dict[str, UInt8Array]
"""Arrays as they are stored, by name; the two binary ones packed."""


class ContentHash:
    """The hash of a shard's content, sample by sample: its arrays as stored, its rows of the plan.

    Neither container nor codec enters, so shards of the same samples have one hash.
    """

    def __init__(self, patch_size: int) -> None:
        self._arrays = sorted(schema(patch_size), key=lambda array: array.name)
        self._digests = {array.name: hashlib.sha256() for array in self._arrays}
        self._rows = hashlib.sha256()
        self._count = 0

    def add(self, arrays: Stored, row: Sequence[str]) -> None:
        """Take in one sample: its arrays as stored, without a sample axis, and its row."""
        for name, digest in self._digests.items():
            digest.update(np.ascontiguousarray(arrays[name]).data)
        self._rows.update(_line(row))
        self._count += 1

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was added."""
        lines = [
            f"{array.name} uint8 {(self._count, *array.row_shape)} "
            f"{self._digests[array.name].hexdigest()}\n"
            for array in self._arrays
        ]
        text = "".join([*lines, f"rows {self._rows.hexdigest()}\n"])
        return hashlib.sha256(text.encode()).hexdigest()


def content_sha256(arrays: Stored, rows: Sequence[Sequence[str]], version: int = VERSION) -> str:
    """Hash the content of one shard, as a version of the format does it.

    Parameters
    ----------
    arrays : dict of str to (n, ...) uint8 array
        As they are stored.
    rows : sequence of rows of the plan
        One a sample.
    version : int
        Versions 1 and 2 hashed array after array, so that all had to be in memory.
    """
    if version >= 3:
        content = ContentHash(arrays["image"].shape[1])
        for place, row in enumerate(rows):
            content.add({name: array[place] for name, array in arrays.items()}, row)
        return content.hexdigest()
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    for row in rows:
        digest.update(_line(row))
    return digest.hexdigest()


def _line(row: Iterable[str]) -> bytes:
    return ("\t".join(row) + "\n").encode()
